#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# However a recorder with the cache engine ends (killed, signalled, no room, no
# memory, a bound), its target goes on and comes to its right end, attached or
# launched.  The target checks itself.
set -u
: "${PAGESCOPE:?}"
target=$(pwd)/tests/cache-target
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
RANDOM=20261130 # a seed

complain()
{
	echo "FAIL: $*"
	failed=1
}

if ! "$PAGESCOPE" record -e cache -o t.pst -- true 2>err; then
	echo "skipped: the cache engine does not work here: $(cat err)"
	exit 77
fi

# (a shell lets its background jobs ignore SIGINT)
record=(env --default-signal=INT "$PAGESCOPE" record -e cache)

traced() # PID
{
	grep -q '^TracerPid:.[1-9]' "/proc/$1/status" 2>/dev/null
}

# await COMMAND: up to 20 s
await()
{
	local i
	for ((i = 0; i < 1000; i++)); do
		"$@" && return 0
		sleep 0.02
	done
	return 1
}

free() # PID: let go
{
	! traced "$1"
}

same_maps() # PID BEFORE
{
	diff -q <(cut -d' ' -f1-5 "/proc/$1/maps" 2>/dev/null) "$2" >/dev/null
}

# A target of our own, to be attached to: $pid
begin() # MS
{
	"$target" busy "$1" &
	pid=$!
	pids=$pid
	sleep 0.2
	cut -d' ' -f1-5 "/proc/$pid/maps" >before
}

# Its right end
finish() # WHAT
{
	local got
	wait $pid
	got=$?
	[ $got -eq 7 ] || complain "$1: the target ended with $got"
	pids=
}

let_go() # WHAT
{
	await free $pid || complain "$1: the target is traced on"
	await same_maps $pid before ||
		complain "$1: the maps differ"
}

# attached WHAT STATUS DO...: record it, do that to the recorder ($1)
attached()
{
	local what=$1 status=$2 recorder got
	shift 2
	"${record[@]}" -p $pid -o k.pst 2>err &
	recorder=$!
	await traced $pid || complain "$what: it is not traced: $(cat err)"
	sleep "0.$((RANDOM % 3))$((RANDOM % 10))"
	"$@" $recorder
	wait $recorder 2>/dev/null
	got=$?
	[ $got -eq "$status" ] ||
		complain "$what: the recorder's status is $got: $(cat err)"
	let_go "$what"
}

begin 5000
for signal in KILL INT KILL TERM KILL HUP KILL; do
	status=0
	[ $signal != KILL ] || status=137
	attached "$signal" $status kill -$signal
	if [ $signal != KILL ]; then
		"$PAGESCOPE" verify k.pst >out 2>&1 ||
			complain "$signal: verify: $(cat out)"
	fi
done
finish 'signals, attached'

# Impatience, and a recorder that is stopped
twice()
{
	kill -INT "$1"
	kill -INT "$1"
}
stop_and_kill()
{
	kill -STOP "$1"
	sleep 0.3
	kill -KILL "$1"
}
begin 2000
"${record[@]}" -p $pid -o k.pst 2>err &
recorder=$!
await traced $pid
twice $recorder
wait $recorder 2>/dev/null # 0 or 130
let_go 'SIGINT twice'
attached 'stopped, killed' 137 stop_and_kill
finish 'SIGINT twice; stopped'

# The command is killed with its shell's group only if it is a member
begin 2000
set -m
bash -c '"$1" record -e cache -p "$2" -o k.pst & wait' - "$PAGESCOPE" $pid \
	2>err &
group=$!
set +m
await traced $pid || complain "a group: it is not traced: $(cat err)"
sleep 0.3
kill -KILL -- -$group
wait $group 2>/dev/null
let_go 'the group is killed'
finish 'the group is killed'

# Bounds and failures: each with the status it has to have
bound() # WHAT STATUS MESSAGE OPTION...
{
	local what=$1 status=$2 message=$3 got
	shift 3
	"$@" >said 2>&1
	got=$?
	[ $got -eq "$status" ] || complain "$what: status $got: $(cat said)"
	grep -q "$message" said || complain "$what: said $(cat said)"
}
bounds=("--duration 200ms" "--max-accesses 1M" "--max-size 1M")
begin 5000
for option in "${bounds[@]}"; do
	# shellcheck disable=SC2086 # words
	bound "$option" 0 recorded "${record[@]}" -p $pid -o k.pst $option
	let_go "$option"
done
bound 'a full disk' 125 'No space' "${record[@]}" -p $pid -o /dev/full
let_go 'a full disk'
for kib in 200000 1000000 6100000; do
	(
		ulimit -v $kib
		"${record[@]}" -p $pid -o k.pst --duration 200ms >said 2>&1
	)
	let_go "ulimit -v $kib"
done
finish 'bounds, attached'

for option in "${bounds[@]}"; do
	# shellcheck disable=SC2086 # words
	bound "$option, launched" 7 recorded "${record[@]}" -o k.pst $option \
		-- "$target" busy 700
done
bound 'a full disk, launched' 125 'ended with status 7' "${record[@]}" \
	-o /dev/full -- "$target" busy 700

# Launched: it goes on after its recorder
launched() # SIGNAL
{
	local recorder
	rm -f result
	# shellcheck disable=SC2016 # expanded by the inner shell
	"${record[@]}" -o k.pst -- bash -c '"$1" busy 700; echo $? >result' - \
		"$target" 2>err &
	recorder=$!
	sleep "0.$((2 + RANDOM % 6))$((RANDOM % 10))"
	kill "-$1" $recorder
	wait $recorder 2>/dev/null
	await [ -s result ] || complain "$1, launched: no result"
	[ "$(cat result)" = 7 ] ||
		complain "$1, launched: $(cat result) $(cat err)"
}
for signal in KILL INT KILL TERM KILL; do
	launched $signal
done

# The guardian itself: the target ends with it, at once; so does the recorder.
begin 2000
"${record[@]}" -p $pid -o k.pst 2>err &
recorder=$!
await traced $pid
kill -KILL "$(sed -n 's/^TracerPid:.//p' /proc/$pid/status)"
wait $pid
[ $? -eq 137 ] || complain 'the guardian is killed, the target not'
wait $recorder
[ $? -eq 137 ] || complain 'the guardian is killed, the recorder not'
pids=
exit $failed
