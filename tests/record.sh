#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# record, end to end: the command's output and status are its own; pipes;
# bounds; a recorder that is killed, a full disk, a command that can't run.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
cleanup()
{
	local pids
	pids=$(jobs -p)
	# shellcheck disable=SC2086
	[ -z "$pids" ] || kill -KILL $pids 2>/dev/null
	if mountpoint -q "$dir/small" 2>/dev/null; then umount "$dir/small"; fi
	rm -rf "$dir"
}
trap cleanup EXIT
programs=$PWD/tests
cd "$dir" || exit 99
failed=0

complain()
{
	echo "$*"
	failed=1
}

# status EXPECTED CMD...: its exit status is as expected
status()
{
	local expected=$1 got
	shift
	"$@" >out 2>err
	got=$?
	[ "$got" = "$expected" ] || {
		complain "status $got, not $expected: $*"
		cat err
	}
}

# Not every sandbox lets Valgrind run.
if ! "$PAGESCOPE" record -o t.pst -- true 2>err; then
	echo "skipped: record does not work here: $(cat err)"
	exit 77
fi

accesses()
{
	"$PAGESCOPE" info --json "$1" | sed -n 's/.*"accesses": \([0-9]*\).*/\1/p'
}

seq 4000 >data

# Output, input and status are the command's own.
"$PAGESCOPE" record -o t.pst -- sort -rn <data >out 2>err ||
	complain "sort failed: $(cat err)"
sort -rn data | cmp - out || complain "recording changed sort's output"
grep -q 'recorded [0-9]* accesses' err || complain "no closing line: $(cat err)"
status 7 "$PAGESCOPE" record -o t.pst -- sh -c 'exit 7'
status 143 "$PAGESCOPE" record -o t.pst -- sh -c 'kill -TERM $$'
status 127 "$PAGESCOPE" record -o t.pst -- ./does-not-exist
echo text >no-program
chmod 644 no-program
status 126 "$PAGESCOPE" record -o t.pst -- ./no-program
status 2 "$PAGESCOPE" record
status 2 "$PAGESCOPE" record -e no-such-engine -- true
grep -q 'no-such-engine' err || complain "the engine is not named: $(cat err)"
status 125 "$PAGESCOPE" record -o /no/such/dir/t.pst -- true

# The file is a zstd stream, and sound.
"$PAGESCOPE" record -o t.pst -- gzip -9 -c data >out 2>err
status 0 "$PAGESCOPE" verify t.pst
if command -v zstd >/dev/null; then
	status 0 zstd -q -t t.pst
fi
whole=$(accesses t.pst)
[ "$whole" -gt 100000 ] || complain "gzip made only $whole accesses"

# Through a pipe the replay sees what a file gives it.
"$PAGESCOPE" replay t.pst -o file.json 2>err || complain "replay: $(cat err)"
"$PAGESCOPE" record -o - -- gzip -9 -c data 2>/dev/null |
	"$PAGESCOPE" replay -i - -o pipe.json || complain "pipe: status $?"
for name in accesses.load accesses.store instructions; do
	a=$("$PAGESCOPE" report --get "$name" file.json)
	b=$("$PAGESCOPE" report --get "$name" pipe.json)
	# The stack of the two runs differs by their environment: 1 %.
	awk -v a="$a" -v b="$b" \
		'BEGIN { exit !(a > 0 && a - b < a / 100 && b - a < a / 100) }' ||
		complain "$name: $a from the file, $b through the pipe"
done

# The same result, byte for byte, at any number of threads.
"$PAGESCOPE" replay t.pst -j 0 -o j0.json
"$PAGESCOPE" replay t.pst -j 3 -o j3.json
cmp j0.json j3.json || complain "-j changed the result"

# Only data, and only fetches: together they are all.
"$PAGESCOPE" record --count --kinds data -- gzip -9 -c data >out 2>data.err
"$PAGESCOPE" record --count --kinds fetch -- gzip -9 -c data >out 2>fetch.err
"$PAGESCOPE" record --count -- gzip -9 -c data >out 2>all.err
sum=$(sed -n 's/.*counted \([0-9]*\) .*/\1/p' data.err fetch.err |
	awk '{ n += $1 } END { print n }')
all=$(sed -n 's/.*counted \([0-9]*\) .*/\1/p' all.err)
awk -v a="$sum" -v b="$all" \
	'BEGIN { exit !(b > 0 && a - b < b / 100 && b - a < b / 100) }' ||
	complain "data and fetches are $sum, all is $all"

# Bounds.
"$PAGESCOPE" record -n 50000 -o n.pst -- gzip -9 -c data >out 2>err
[ "$(accesses n.pst)" = 50000 ] || complain "-n 50000 gave $(accesses n.pst)"
gzip -9 -c data | cmp - out || complain "-n changed the command's output"
"$PAGESCOPE" record --max-size 100K -o s.pst -- gzip -9 -c data >out 2>err
[ "$(stat -c %s s.pst)" -le 110000 ] ||
	complain "--max-size 100K: $(stat -c %s s.pst) bytes"
status 0 "$PAGESCOPE" verify s.pst

# A recorder that is killed leaves all whole blocks.
for pause in 0.7 1.9; do
	# shellcheck disable=SC2016
	"$PAGESCOPE" record -o k.pst -- sh -c \
		'echo $$ >child; i=0; while [ $i -lt 1000000 ]; do i=$((i+1))
		done' >out 2>err &
	recorder=$!
	sleep "$pause"
	kill -KILL $recorder
	wait $recorder 2>/dev/null
	[ ! -s child ] || kill -KILL "$(cat child)" 2>/dev/null
	"$PAGESCOPE" verify k.pst >out 2>err
	got=$?
	# Killed before its first whole block there is nothing to save.
	case $got in
	3) grep -q 'incomplete' err || complain "killed: $(cat err)" ;;
	125) grep -q 'before its first whole block\|not a pagescope' err ||
		complain "killed after $pause s: $(cat err)" ;;
	*) complain "killed after $pause s: verify says $got" ;;
	esac
done

# A full disk: an error, and what was written before can be read.
status 125 "$PAGESCOPE" record -o /dev/full -- true
mkdir small
if [ "$(id -u)" = 0 ] && mount -t tmpfs -o size=64k none small 2>/dev/null; then
	"$PAGESCOPE" record -o small/t.pst -- \
		gzip -9 -c /usr/bin/env >out 2>err
	[ $? = 125 ] || complain "a full disk was not noticed"
	grep -q 'No space left' err || complain "full disk: $(cat err)"
	"$PAGESCOPE" verify small/t.pst >out 2>err
	case $? in
	3 | 125) ;;
	*) complain "the trace on the full disk: $(cat out err)" ;;
	esac
	umount small
fi

# Without -e: the code cache, or valgrind where nothing may be traced, and why.
engine_of()
{
	"$PAGESCOPE" info "$1" | sed -n 's/^engines  *\([a-z]*\) .*/\1/p'
}
# (A sanitizer that looks for leaks traces as well.)
forbid=(env ASAN_OPTIONS=detect_leaks=0 "$programs/forbid-ptrace")
if "${forbid[@]}" true; then
	status 0 "${forbid[@]}" "$PAGESCOPE" record -o f.pst -- true
	[ "$(engine_of f.pst)" = valgrind ] ||
		complain "without ptrace: $(engine_of f.pst)"
	grep -q "cache engine can't run here (ptrace is not permitted" err ||
		complain "without ptrace it is not said: $(cat err)"
	status 125 "${forbid[@]}" "$PAGESCOPE" record -e cache --count -- true
	grep -q 'cap-add=SYS_PTRACE' err || complain "no fix: $(cat err)"
	"${forbid[@]}" "$PAGESCOPE" check | grep -q '^  cache  *no .*ptrace' ||
		complain "check does not see that ptrace is forbidden"
fi
if "$PAGESCOPE" check | grep -q '^  cache  *yes'; then
	status 0 "$PAGESCOPE" record -o f.pst -- true
	[ "$(engine_of f.pst)" = cache ] || complain "by default: $(engine_of f.pst)"
	grep -q "can't run" err && complain "by default: $(cat err)"
fi
status 2 "$PAGESCOPE" record --count -o f.pst -- true
grep -q -- '--count.*-o' err || complain "--count -o: $(cat err)"

# Of a process that runs already, its own command is told.
sleep 600 &
sleeper=$!
status 0 "$PAGESCOPE" record -e faults -p $sleeper --duration 10ms -o p.pst
# Only one can trace it: who does is said.
if "$PAGESCOPE" check 2>/dev/null | grep -q '^ *ptrace  *yes'; then
	# Records whose last words nobody writes, at the end of a buffer (seen by
	# the address sanitizer: less than nothing was copied)
	status 7 "$PAGESCOPE" record -e cache --count -- "$programs/cache-target" arrays
	"$PAGESCOPE" record -e cache --count -p $sleeper 2>first &
	recorder=$!
	for ((i = 0; i < 300; i++)); do
		grep -q '^TracerPid:[^0-9]*[1-9]' /proc/$sleeper/status && break
		sleep 0.1
	done
	status 125 "$PAGESCOPE" record -e cache --count -p $sleeper
	"$PAGESCOPE" record -e cache --count -p $sleeper >out 2>err
	grep -q "process $sleeper: process [0-9]* (.*) traces it already" err ||
		complain "a second tracer: $(cat out err)"
	kill -TERM $recorder
	wait $recorder
fi
{ kill -KILL $sleeper; wait $sleeper; } 2>/dev/null
"$PAGESCOPE" info p.pst >out 2>err
grep -q '^command  *sleep 600$' out || complain "a process: $(cat out err)"

exit $failed
