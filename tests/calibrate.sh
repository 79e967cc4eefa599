#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# calibrate: figures within what any machine has, in a file that a replay takes;
# what it says where there are no huge pages.  And validate --runtime, once:
# figures of both sides, and the host's setting is put back.  No time is tested:
# what is too noisy must say so, with status 3 and no figure of it in the file.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
target=${PAGESCOPE%/*}/tests/verdict-target
failed=0

complain()
{
	echo "$*"
	failed=1
}

# figure NAME: of the machine in the file
figure()
{
	"$PAGESCOPE" replay generate:uniform,n=10 --config "$dir/host.cfg" \
		-o "$dir/r.json" &&
		awk -v name="\"$1\":" '$1 == name { gsub(/[",]/, "", $2); print $2 }' \
			"$dir/r.json" | head -n 1
}

# least LEAST NAME MOST
between()
{
	local value
	value=$(figure "$2")
	awk -v v="$value" -v a="$1" -v b="$3" \
		'BEGIN { exit !(v != "" && v >= a && v <= b) }' ||
		complain "$2: $value, not $1 to $3"
}

"$PAGESCOPE" calibrate --quick --memory 16M -o "$dir/host.cfg" \
	--points "$dir/points" >"$dir/out" 2>"$dir/err"
status=$?
case $status in
0) ;;
3)
	grep -q 'Too noisy' "$dir/out" || complain "status 3 without a reason: $(cat "$dir/out")"
	grep -q '\[M\]' "$dir/host.cfg" && complain "too noisy, and there are figures"
	;;
*) complain "status $status: $(cat "$dir/err")" ;;
esac
between 100 time.clock 10000
between 4 tlb.l2.entries 100000
[ $status -ne 0 ] || {
	between 1 cache.l1d.latency 10
	between 20 memory.latency 5000
	between 50 time.fault 1000000
	between 10 time.error 95
	awk -v a="$(figure cache.l1d.latency)" -v b="$(figure memory.latency)" \
		'BEGIN { exit !(a < b) }' || complain "memory is no slower than a cache"
}
for curve in caches 4k; do
	[ "$(grep -c "^$curve," "$dir/points")" -gt 8 ] || complain "no points of $curve"
done
"$PAGESCOPE" calibrate extra 2>"$dir/err" && complain "an argument was taken"

# As on a host that gives none
if command -v python3 >/dev/null; then
	python3 -c 'import ctypes, os, sys
ctypes.CDLL(None).prctl(41, 1, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])' "$PAGESCOPE" calibrate --quick \
		--memory 16M >"$dir/out" 2>&1
	[ $? -le 3 ] || complain "without huge pages: $(cat "$dir/out")"
	grep -q 'Huge pages: not measured' "$dir/out" ||
		complain "it does not say that there are no huge pages: $(cat "$dir/out")"
fi

# What huge pages change, predicted and measured
huge=/sys/kernel/mm/transparent_hugepage/enabled
before=$(cat $huge 2>/dev/null)
case $before in
'') echo "validate --runtime: skipped: no transparent_hugepage" && exit $failed ;;
*'[always]'*) ;;
*)
	"$PAGESCOPE" validate --runtime -- "$target" small 1 1 2>"$dir/err" &&
		complain "--runtime without huge pages for all: succeeded"
	grep -q -e --allow-huge "$dir/err" || complain "no way out: $(cat "$dir/err")"
	;;
esac
if [ ! -w $huge ] || ! "$PAGESCOPE" record -e cache --count -- true 2>/dev/null; then
	echo "validate --runtime: skipped: not root, or no engine cache"
	exit $failed
fi
"$PAGESCOPE" validate --runtime --allow-huge --repeat 3 -o "$dir/r.json" -- \
	"$target" random 16 2 >/dev/null 2>"$dir/err"
[ $? -le 3 ] || complain "validate --runtime: $(cat "$dir/err")"
get()
{
	"$PAGESCOPE" report --get "$1" "$dir/r.json"
}
awk -v low="$(get runtime.measured.low)" -v change="$(get runtime.measured.change)" \
	-v high="$(get runtime.measured.high)" -v small="$(get runtime.small.ns)" \
	-v error="$(get runtime.error)" -v predicted="$(get huge.always.change)" \
	-v kernel="$(get runtime.system.ns)" 'BEGIN {
		off = predicted - change - error
		exit !(low <= change && change <= high && small > 0 &&
			kernel <= 1.5 * small && off < 1e-6 && off > -1e-6 &&
			predicted < 0)
	}' || complain "validate --runtime: $(get huge.always.change), $(get runtime.measured.change)"
# Somebody else may have it for a moment
for _ in 1 2 3 4 5; do
	[ "$(cat $huge)" = "$before" ] && break
	sleep 1
done
[ "$(cat $huge)" = "$before" ] || complain "transparent_hugepage is not put back"
exit $failed
