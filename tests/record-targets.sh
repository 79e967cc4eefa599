#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Targets that are killed, stopped, end at once, exec what can't be watched or
# can't be run: with each engine what happens is said, what was recorded is
# kept, and the command's status is its own.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
pids=
cleanup()
{
	local pid
	for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done
	rm -rf "$dir"
}
trap cleanup EXIT
chmod 755 "$dir"
cd "$dir" || exit 99
failed=0

complain()
{
	echo "FAIL: $engine: $*"
	failed=1
}

# records STATUS CMD...: recorded into t.pst, with that status, all sound
records()
{
	local expected=$1 got
	shift
	rm -f t.pst
	timeout 60 "${as[@]}" "$PAGESCOPE" record -e $engine -o t.pst -- "$@" \
		>out 2>err
	got=$?
	[ $got -eq "$expected" ] ||
		complain "$*: status $got, not $expected: $(cat err)"
	"$PAGESCOPE" verify t.pst >verified 2>&1 ||
		complain "$*: $(cat verified)"
}

says()
{
	grep -q -- "$1" err || complain "not said: $1; but: $(cat err)"
}

printed()
{
	[ "$(cat out)" = "$1" ] || complain "it printed $(cat out), not $1"
}

told_loss()
{
	"$PAGESCOPE" info t.pst | grep -q "^losses .*$1" ||
		complain "no loss told: $1"
}

# Was anything recorded: accesses, or events by the engine for faults?
not_empty() # WHAT
{
	local key=accesses n
	[ $engine != faults ] || key=events
	n=$("$PAGESCOPE" info --json t.pst | sed -n "s/.*\"$key\": \([0-9]*\).*/\1/p")
	[ "$n" -gt 2 ] || complain "$1: only $n $key"
}

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

begin() # CMD...: record it behind our back
{
	rm -f t.pst
	"$PAGESCOPE" record -e $engine -o t.pst -- "$@" >out 2>err &
	recorder=$!
	await test -s pid
	target=$(cat pid)
	pids="$recorder $target"
}

end() # STATUS
{
	local got
	wait $recorder
	got=$?
	pids=
	[ $got -eq "$1" ] || complain "$2: status $got, not $1: $(cat err)"
	"$PAGESCOPE" verify t.pst >verified 2>&1 || complain "$2: $(cat verified)"
}

stopped()
{
	# Under ptrace it is a tracing stop
	grep -q '^State:[[:space:]]*[Tt]' "/proc/$target/status"
}

# A 32-bit program in 121 bytes: header, program header, write(1, "32\n", 3),
# exit(5)
thirty_two()
{
	local byte
	for byte in \
		7f 45 4c 46 01 01 01 00 00 00 00 00 00 00 00 00 \
		02 00 03 00 01 00 00 00 54 80 04 08 34 00 00 00 \
		00 00 00 00 00 00 00 00 34 00 20 00 01 00 28 00 00 00 00 00 \
		01 00 00 00 00 00 00 00 00 80 04 08 00 80 04 08 \
		79 00 00 00 79 00 00 00 05 00 00 00 00 10 00 00 \
		b8 04 00 00 00 bb 01 00 00 00 b9 76 80 04 08 ba 03 00 00 00 \
		cd 80 b8 01 00 00 00 bb 05 00 00 00 cd 80 33 32 0a; do
		printf '%b' "\\x$byte"
	done >thirty-two
	chmod +x thirty-two
}

killed_and_stopped()
{
	local mode
	# shellcheck disable=SC2016
	for mode in 'while :; do :; done' 'exec sleep 60'; do
		rm -f pid
		begin sh -c 'echo $$ >pid; '"$mode"
		sleep 1
		kill -KILL "$target"
		end 137 "killed in $mode"
		not_empty "killed in $mode"
		[ $engine = step ] && break
	done
	rm -f pid go
	# shellcheck disable=SC2016
	begin sh -c 'echo $$ >pid; while [ ! -e go ]; do :; done; exit 9'
	kill -STOP "$target"
	await stopped
	sleep 0.3
	stopped || complain 'it did not stay stopped'
	kill -CONT "$target"
	touch go
	end 9 'stopped for a while'
	not_empty 'stopped for a while'
	# Stopped for good, then let go by Ctrl-C, and only then continued
	rm -f pid go
	# shellcheck disable=SC2016
	begin sh -c 'echo $$ >pid; while [ ! -e go ]; do :; done; exit 9'
	kill -STOP "$target"
	await stopped
	kill -TERM $recorder
	sleep 1
	stopped || complain 'letting go has continued it'
	touch go
	kill -CONT "$target"
	end 9 'stopped, let go, continued'
}

ends_at_once()
{
	local signal
	records 0 true
	[ $engine = step ] && return # seconds each; record-programs.sh has more
	records 3 sh -c 'exit 3'
	for signal in TERM SEGV; do
		# shellcheck disable=SC2016
		records $((128 + $(kill -l $signal))) \
			sh -c 'ulimit -c 0; kill -'$signal' $$'
	done
}

scripts()
{
	printf '#!/bin/sh -u\necho "script $*"; exit 4\n' >script
	printf 'echo plain; exit 6\n' >plain
	printf '#! /no/such/interpreter\n' >orphan
	printf '#!/bin/sh\r\necho x\n' >dos
	chmod +x script plain orphan dos
	records 4 ./script a b
	printed 'script a b'
	not_empty 'a script'
	[ $engine = step ] && return
	records 6 ./plain
	printed plain
}

# What can't be run is refused before anything is made or overwritten.
refusals()
{
	local name status
	: >no-program
	mkdir -p a-directory
	echo precious >kept.pst
	while read -r status name; do
		"$PAGESCOPE" record -e $engine -o kept.pst -- "$name" 2>err
		[ $? -eq "$status" ] ||
			complain "$name: not status $status: $(cat err)"
		[ "$(cat kept.pst)" = precious ] ||
			complain "$name: the output was overwritten"
		says "$name"
	done <<-END
		127 ./missing
		127 no-such-command-anywhere
		126 ./no-program
		126 ./a-directory
		127 ./orphan
		127 ./dos
	END
	"$PAGESCOPE" record -e $engine -o t.pst -- ./orphan 2>err
	says '/no/such/interpreter'
	"$PAGESCOPE" record -e $engine -o t.pst -- ./dos 2>err
	says 'carriage return'
	[ $engine = step ] && return
	records 4 sh -c './missing 2>/dev/null; ./orphan 2>/dev/null; exit 4'
	not_empty 'execs that fail'
}

other_machines()
{
	thirty_two
	if [ "$(./thirty-two 2>/dev/null)" != 32 ]; then
		echo 'this kernel runs no 32-bit programs: they are not tested'
		return
	fi
	if [ $engine = faults ]; then
		records 5 ./thirty-two
		not_empty 'a 32-bit program'
		return
	fi
	records 9 sh -c './thirty-two; exit 9'
	printed 32
	not_empty 'a 32-bit child'
	says '32-bit\|not an x86-64 program'
	told_loss '32-bit\|x86-64'
	if [ $engine = valgrind ]; then
		"$PAGESCOPE" record -e $engine -o t.pst -- ./thirty-two 2>err
		[ $? -eq 125 ] || complain "a 32-bit program: $(cat err)"
		says 'not a 64-bit x86 program'
		return
	fi
	records 5 ./thirty-two
	printed 32
	told_loss 32-bit
}

# As a user who does not own the program and may not watch all.
privileged()
{
	if [ "$(id -u)" -ne 0 ] || ! command -v setpriv >/dev/null; then
		echo 'not root, or no setpriv: set-user-ID is not tested'
		return
	fi
	local owner can
	as=(setpriv --reuid=nobody --regid=nogroup --clear-groups --)
	cp "$(command -v id)" other && chown daemon other && chmod 4755 other
	chmod 777 .
	owner=$(id -u daemon)
	"${as[@]}" "$PAGESCOPE" record -e $engine -o n.pst -- true 2>err
	case $? in
	0 | 3) can=$("${as[@]}" ./other -u 2>&1) ;;
	*) can=no ;;
	esac
	if [ "$can" != "$owner" ]; then
		echo "set-user-ID is not tested with $engine: $(cat err)"
		as=()
		return
	fi
	rm -f n.pst out err verified n t.pst
	records 9 sh -c './other -u; exit 9'
	printed "$owner"
	says 'set-user-ID\|setuid'
	told_loss 'set-user-ID\|setuid'
	not_empty 'a set-user-ID child'
	if [ $engine = valgrind ]; then
		"${as[@]}" "$PAGESCOPE" record -e $engine -o p.pst -- ./other \
			2>err
		[ $? -eq 125 ] || complain "set-user-ID: $(cat err)"
		says 'set-user-ID'
	else
		# Succeeded, but something was lost
		records 3 ./other -u
		printed "$owner"
		told_loss 'set-user-ID\|setuid'
	fi
	as=()
	chmod 755 .
}

as=()
tested=0
"$PAGESCOPE" check >check.txt 2>&1
for engine in valgrind step cache faults; do
	if ! grep -Eq "^ *$engine +yes" check.txt; then
		echo "$engine does not work here: $(grep "^ *$engine " check.txt)"
		continue
	fi
	tested=$((tested + 1))
	ends_at_once
	scripts
	refusals
	other_machines
	killed_and_stopped
	privileged
done
[ $tested -gt 0 ] || exit 77
exit $failed
