#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Traces through pipes: record into replay, a pipe that gives a byte at a time,
# readers that die early, a closed stdout; and Ctrl-C, once and twice, to the
# recorder and to its whole process group.
set -u
: "${PAGESCOPE:?}"
steady=$(pwd)/tests/steady
twin=$(pwd)/tests/step-twin
dir=$(mktemp -d) || exit 99
pids=
cleanup()
{
	local pid
	for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done
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

if ! "$PAGESCOPE" record -o t.pst -- true 2>err; then
	echo "skipped: record does not work here: $(cat err)"
	exit 77
fi

# Wait up to 30 s for a command to succeed.
await()
{
	local i
	for ((i = 0; i < 300; i++)); do
		"$@" && return 0
		sleep 0.1
	done
	complain "waited in vain for: $*"
}

ended()
{
	! kill -0 "$1" 2>/dev/null
}

value()
{
	"$PAGESCOPE" report --get "$1" "$2"
}

# A deterministic program: the pipe gives what the file gives, exactly
setarch -R "$PAGESCOPE" record -o whole.pst -- "$steady" >/dev/null 2>err
"$PAGESCOPE" replay whole.pst -o file.json
# (The command's own output goes to stderr then.)
setarch -R "$PAGESCOPE" record -o - -- "$steady" 2>err |
	"$PAGESCOPE" replay -i - -o pipe.json
status="${PIPESTATUS[*]}"
[ "$status" = '7 0' ] || complain "record | replay: status $status"
grep -q '^done$' err || complain "the command's output: $(cat err)"
for name in accesses.load accesses.store accesses.fetch instructions \
	tlb.l1d.misses walk.count fault.minor table.bytes; do
	a=$(value $name file.json) b=$(value $name pipe.json)
	[ "$a" = "$b" ] || complain "$name: $a from the file, $b through the pipe"
done

# One byte at a time
setarch -R "$PAGESCOPE" record -o twin.pst -- "$twin" 2>err
dd if=twin.pst bs=1 status=none | "$PAGESCOPE" replay -i - -o slow.json ||
	complain 'replay of a slow pipe'
"$PAGESCOPE" replay twin.pst -o fast.json
for name in accesses.load walk.count; do
	[ "$(value $name slow.json)" = "$(value $name fast.json)" ] ||
		complain "a slow pipe: other $name"
done
# One that ends within the file: a prefix, and status 3
size=$(stat -c %s whole.pst)
head -c $((size / 2)) whole.pst | "$PAGESCOPE" verify - >out 2>err
[ "${PIPESTATUS[1]}" -eq 3 ] || complain "half a pipe: $(cat out err)"
grep -q 'incomplete, [1-9]' out || complain "half a pipe: $(cat out err)"

# A reader that dies early: the recorder says so, and the command goes on.
setarch -R "$PAGESCOPE" record -o - -- sh -c "$steady >steady.out; exit 3" \
	2>err | head -c 300 >head.pst
status=${PIPESTATUS[0]}
[ "$status" -eq 125 ] || complain "the reader died: status $status: $(cat err)"
grep -q 'Broken pipe' err || complain "the reader died: $(cat err)"
[ "$(cat steady.out)" = "done" ] || complain 'the reader died and the command too'
# Printing verbs end as cat does
"$PAGESCOPE" dump whole.pst 2>err | head -n 3 >out
status=${PIPESTATUS[0]}
[ "$status" -eq 141 ] || complain "dump | head: status $status: $(cat err)"
[ ! -s err ] || complain "dump | head says: $(cat err)"

# stdout closed
"$PAGESCOPE" record -o - -- true >&- 2>err
[ $? -eq 125 ] || complain "stdout closed: record: $(cat err)"
grep -q 'stdout\|standard output' err || complain "stdout closed: $(cat err)"
"$PAGESCOPE" dump twin.pst >&- 2>err
[ $? -eq 125 ] || complain "stdout closed: dump: $(cat err)"
"$PAGESCOPE" record -o c.pst -- true >&- 2>err ||
	complain "stdout closed: the trace elsewhere: $(cat err)"
"$PAGESCOPE" verify c.pst >out 2>&1 || complain "stdout closed: $(cat out)"

# signal_it ONCE|TWICE SIGNAL WHOM ENGINE: start a command that ends when told,
# in a process group of its own in which nothing is ignored
interrupt()
{
	local times=$1 signal=$2 whom=$3 engine=$4 what="$*" group recorder
	rm -f go ready s.pst
	# shellcheck disable=SC2016
	setsid perl -e '$SIG{INT} = $SIG{TERM} = "DEFAULT"; exec @ARGV' \
		"$PAGESCOPE" record -e "$engine" -o s.pst -- \
		sh -c 'trap "" INT TERM; touch ready
			while [ ! -e go ]; do sleep 0.1; done; exit 6' \
		>out 2>err &
	recorder=$!
	pids=$recorder
	await test -e ready
	sleep 1
	group=$recorder
	[ "$whom" = group ] && group=-$recorder
	kill -"$signal" -- "$group"
	sleep 1
	if [ "$times" = once ]; then
		ended $recorder && complain "$what: it did not wait for the command"
		touch go
		wait $recorder
		status=$?
		[ $status -eq 6 ] || complain "$what: status $status: $(cat err)"
		"$PAGESCOPE" verify s.pst >out 2>&1 || complain "$what: $(cat out)"
		grep -q 'recorded [1-9]' err || complain "$what: $(cat err)"
	else
		kill -"$signal" -- "$group"
		await ended $recorder
		wait $recorder
		status=$?
		[ $status -eq $((128 + $(kill -l "$signal"))) ] ||
			complain "$what: status $status: $(cat err)"
		touch go
	fi
	pids=
	sleep 0.3
}

if command -v perl >/dev/null && command -v setsid >/dev/null; then
	interrupt once INT one valgrind
	interrupt once TERM group valgrind
	interrupt twice INT group valgrind
	interrupt twice TERM one valgrind
	interrupt once INT group step
	interrupt twice TERM group step
else
	echo 'no perl or setsid: Ctrl-C is not tested'
fi
exit $failed
