#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A recorder that is killed at any time leaves a trace whose whole blocks can
# be read, and says what is missing; what is read is what a whole recording
# begins with.  The target goes on (step: as its manual says, it may not).
set -u
: "${PAGESCOPE:?}"
steady=$(pwd)/tests/steady
prefix=$(pwd)/tests/trace-prefix
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
RANDOM=20260730 # a seed: the same times in each run

complain()
{
	echo "FAIL: $*"
	failed=1
}

if ! "$PAGESCOPE" record -o t.pst -- true 2>err; then
	echo "skipped: record does not work here: $(cat err)"
	exit 77
fi

# children PID: its children's ids
children()
{
	cat "/proc/$1/task/"*/children 2>/dev/null
}

# Wait up to 60 s for a command to succeed.
await()
{
	local i
	for ((i = 0; i < 600; i++)); do
		"$@" && return 0
		sleep 0.1
	done
	return 1
}

ended()
{
	! kill -0 "$1" 2>/dev/null
}

# The whole recording, and how long it takes
started=$(date +%s%N)
setarch -R "$PAGESCOPE" record -o whole.pst -- "$steady" >out 2>err
[ $? -eq 7 ] || complain "the whole recording: $(cat err)"
whole_ms=$((($(date +%s%N) - started) / 1000000))
all=$("$prefix" whole.pst whole.pst)
[ "$all" -gt 50000000 ] || complain "only $all accesses in the whole"

# look WHAT [data]: what is left in k.pst is as it should be
look()
{
	local what=$1 got said accesses informed
	shift
	"$PAGESCOPE" verify k.pst >out 2>err
	got=$?
	said=$(cat out err)
	# Killed before its head was written there is nothing to save.
	if [ ! -s k.pst ]; then
		[ $got -eq 125 ] || complain "$what: an empty file: $got: $said"
		last=0
		return
	fi
	# Killed while it wrote the first block there is nothing either.
	if [ $got -eq 125 ] &&
		[[ $said == *'before its first whole block'* ]]; then
		last=0
		printf '%s: no whole block\n' "$what"
		return
	fi
	# All may be there: it was killed as it ended
	if [ $got -eq 0 ]; then
		[[ $said == *sound* ]] || complain "$what: $said"
	elif [ $got -ne 3 ] || [[ $said != *incomplete*'is lost'* ]]; then
		complain "$what: verify: $got: $said"
	fi
	accesses=$("$prefix" "$@" whole.pst k.pst 2>err) ||
		complain "$what: not a prefix: $accesses $(cat err)"
	[ $# -gt 0 ] || [[ $said == *" $accesses accesses in"* ]] ||
		complain "$what: $accesses accesses, but verify: $said"
	"$PAGESCOPE" info k.pst >out 2>err
	informed=$?
	[ $informed -eq $got ] ||
		complain "$what: info: status $informed: $(cat err)"
	if command -v zstd >/dev/null && ! zstd -q -t k.pst 2>err; then
		grep -qi 'premature end\|truncated\|unexpected end' err ||
			complain "$what: zstd: $(cat err)"
	fi
	last=$accesses
	printf '%s: %s of %s accesses\n' "$what" "$accesses" "$all"
}

# kill_after MS ENGINE: record, kill the recorder after so long
kill_after()
{
	local recorder target
	rm -f k.pst said
	setarch -R "$PAGESCOPE" record -e "$2" -o k.pst -- "$steady" >said 2>err &
	recorder=$!
	sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"
	target=$(children $recorder)
	pids="$recorder $target"
	kill -KILL $recorder 2>/dev/null
	wait $recorder 2>/dev/null
	# (ps would show a zombie if nobody reaped orphans here)
	for pid in $target; do
		await ended "$pid" || complain "$2: the target stays"
	done
	pids=
}

some=0
for ((i = 0; i < 15; i++)); do
	ms=$((RANDOM % (whole_ms + 1)))
	kill_after $ms valgrind
	look "valgrind, $ms ms"
	[ "$last" -eq 0 ] || some=$((some + 1))
	# Killed before the target's exec, that is not done; after, all of it is
	[ "$last" -eq 0 ] || [ "$(cat said)" = "done" ] ||
		complain "the target did not go on: $(cat said)"
done
# The first second is one block at most, so not each has got any.
[ $some -gt 0 ] || complain 'nothing was saved of any recording'
for ((i = 0; i < 3; i++)); do
	ms=$((500 + RANDOM % 2500))
	[ $i -lt 2 ] || ms=4000
	kill_after $ms step
	look "step, $ms ms" data
done
[ "$last" -gt 0 ] || complain "step: nothing was saved of $ms ms"

# Faults alone: the target is not touched.
kill_after 500 faults
"$PAGESCOPE" verify k.pst >out 2>err
case $? in
0 | 3) ;;
*) complain "faults: $(cat out err)" ;;
esac
[ "$(cat said)" = "done" ] || complain 'faults: the target did not go on'

kept() # LINES: can so many be read already?
{
	"$PAGESCOPE" dump k.pst 2>err | grep -c . >n
	[ "$(cat n)" -gt "$1" ]
}

# While the target sleeps: what it did before is kept.
for engine in valgrind step faults; do
	rm -f k.pst
	"$PAGESCOPE" record -e $engine -o k.pst -- sleep 100 >out 2>err &
	recorder=$!
	pids=$recorder
	await kept 50 ||
		complain "$engine: asleep for a minute: only $(cat n) lines are kept: $(cat err)"
	pids="$recorder $(children $recorder)"
	kill -KILL $recorder
	wait $recorder 2>/dev/null
	kept 50 || complain "$engine: asleep, killed: $(cat n) lines"
	for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done
	pids=
done

# A replay reads the recovered prefix, and says so.
size=$(stat -c %s whole.pst)
head -c $((size * 2 / 3)) whole.pst >k.pst
"$PAGESCOPE" replay k.pst -o k.json 2>err
[ $? -eq 3 ] || complain "replay of a cut trace: not status 3: $(cat err)"
look 'two thirds of the file'
n=$("$PAGESCOPE" report --get accesses.load k.json)
if [ "$n" -le 0 ] || [ "$n" -ge "$all" ]; then
	complain "replay of a cut trace: $n loads"
fi
exit $failed
