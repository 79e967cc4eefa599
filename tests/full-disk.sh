#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A full disk (/dev/full, and a small file system): the error names file and
# cause once, the status is 125, what was written before can be read, and the
# command goes on and its own status is told.
set -u
: "${PAGESCOPE:?}"
steady=$(pwd)/tests/steady
prefix=$(pwd)/tests/trace-prefix
dir=$(mktemp -d) || exit 99
cleanup()
{
	if mountpoint -q "$dir/small" 2>/dev/null; then umount "$dir/small"; fi
	rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "FAIL: $*"
	failed=1
}

# fails FILE CMD...: status 125, one message that names the file and the cause
fails()
{
	local file=$1 got
	shift
	"$@" >out 2>err
	got=$?
	[ $got -eq 125 ] || complain "$*: status $got, not 125: $(cat err)"
	[ "$(grep -c "$file.*No space left on device" err)" = 1 ] ||
		complain "$*: it says: $(cat err)"
}

engines=
"$PAGESCOPE" check >check.txt 2>&1
for engine in valgrind step faults; do
	if grep -Eq "^ *$engine +yes" check.txt; then
		engines="$engines $engine"
	else
		echo "$engine does not work here: it is not tested"
	fi
done
for engine in $engines; do
	fails /dev/full "$PAGESCOPE" record -e "$engine" -o /dev/full -- \
		sh -c 'echo mine; exit 4'
	grep -q 'sh ended with status 4' err || complain "$engine: $(cat err)"
	[ "$(cat out)" = mine ] || complain "$engine: the command's output: $(cat out)"
done
"$PAGESCOPE" import generate:mix,n=200000 -o g.pst || complain 'import'
"$PAGESCOPE" replay g.pst -o g.json || complain 'replay'
for command in 'dump g.pst' 'info g.pst' 'verify g.pst' 'config list' \
	'report g.json' 'help record' 'replay g.pst'; do
	# shellcheck disable=SC2086
	"$PAGESCOPE" $command >/dev/full 2>err
	got=$?
	[ $got -eq 125 ] || complain "$command >/dev/full: status $got"
	grep -q 'No space left on device' err || complain "$command: $(cat err)"
done
fails /dev/full "$PAGESCOPE" replay g.pst -o /dev/full
fails /dev/full "$PAGESCOPE" import generate:mix,n=200000 -o /dev/full

mkdir small
if [ "$(id -u)" -ne 0 ]; then
	echo 'not root: a small file system is not tested'
	exit $failed
fi
truncate -s 4M image
if mkfs.ext4 -q -F -m 0 image 2>/dev/null && mount -o loop image small 2>/dev/null; then
	:
elif mount -t tmpfs -o size=3m none small 2>/dev/null; then
	echo 'no loop mount here: a small tmpfs instead'
else
	echo 'nothing can be mounted here: a small file system is not tested'
	exit $failed
fi

fill() # KIB: leave so many free
{
	local free
	rm -f small/fill
	free=$(df -k --output=avail small | tail -n 1)
	# dd: fallocate is not everywhere
	dd if=/dev/zero of=small/fill bs=1k count=$((free - $1)) 2>/dev/null
}

if [[ $engines == *valgrind* ]]; then
	setarch -R "$PAGESCOPE" record -o whole.pst -- "$steady" >/dev/null 2>&1
	# The trace is some times larger than this
	fill 2500
	fails small/t.pst setarch -R "$PAGESCOPE" record -o small/t.pst -- "$steady"
	grep -q 'ended with status 7' err || complain "its status: $(cat err)"
	[ "$(cat out)" = "done" ] || complain 'the command did not go on'
	"$PAGESCOPE" verify small/t.pst >out 2>err
	[ $? -eq 3 ] || complain "verify: $(cat out err)"
	kept=$("$prefix" whole.pst small/t.pst 2>err) || complain "prefix: $kept $(cat err)"
	[ "${kept:-0}" -gt 1000000 ] || complain "only $kept accesses are kept"
	"$PAGESCOPE" info small/t.pst >out 2>err
	[ $? -eq 3 ] || complain "info: $(cat err)"
	rm -f small/t.pst
fi
for engine in $engines; do
	fill 0
	fails small/t.pst "$PAGESCOPE" record -e "$engine" -o small/t.pst -- \
		sh -c 'exit 4'
	"$PAGESCOPE" verify small/t.pst >out 2>err
	case $? in
	3 | 125) ;;
	*) complain "$engine: verify: $(cat out err)" ;;
	esac
	rm -f small/t.pst
done
fill 200
fails small/t.pst "$PAGESCOPE" import generate:mix,n=3000000 -o small/t.pst
fill 0
fails small/r.json "$PAGESCOPE" replay g.pst -o small/r.json
# Nothing at all can be written
fails small/t.pst "$PAGESCOPE" import g.json --from hex --keep-going -o small/t.pst 2>/dev/null
exit $failed
