#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The first SIGTERM ends the work and keeps what is there, the second kills;
# what was ignored when we came stays ignored.  (SIGINT takes the same way, but
# a script's background jobs ignore it.)
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
cleanup()
{
	local pids
	pids=$(jobs -p)
	# shellcheck disable=SC2086
	[ -z "$pids" ] || kill -KILL $pids 2>/dev/null
	[ ! -f "$dir/pid" ] || kill -KILL "$(cat "$dir/pid")" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
failed=0

complain()
{
	echo "$*"
	failed=1
}

# Wait up to 20 s for a command to succeed.
await()
{
	local i
	for ((i = 0; i < 200; i++)); do
		"$@" && return
		sleep 0.1
	done
	complain "waited in vain for: $*"
}

gone()
{
	! kill -0 "$1" 2>/dev/null
}

# A source that gives 20,000 lines and then neither more nor an end.
stalled()
{
	mkfifo "$1"
	(
		for ((i = 0; i < 20000; i++)); do
			printf ' L %x,8\n' $((i * 64))
		done
		: >"$1.written"
		exec sleep 60
	) >"$1" &
}

stalled "$dir/in"
"$PAGESCOPE" import --from lackey "$dir/in" -o "$dir/t.pst" 2>"$dir/err" &
import=$!
await test -f "$dir/in.written"
sleep 0.5
kill -TERM $import
await gone $import
wait $import
status=$?
[ $status -eq 3 ] || complain "import ended by SIGTERM: status $status, not 3"
"$PAGESCOPE" verify "$dir/t.pst" >"$dir/out" 2>&1 ||
	complain "what was kept is not sound: $(cat "$dir/out" "$dir/err")"
grep -q '20000 accesses' "$dir/out" || complain "not all was kept: $(cat "$dir/out")"

# Ignored before, ignored now
stalled "$dir/in2"
(
	trap '' TERM
	exec "$PAGESCOPE" import --from lackey "$dir/in2" -o "$dir/t2.pst"
) &
import=$!
await test -f "$dir/in2.written"
kill -TERM $import
sleep 0.5
gone $import && complain 'an ignored SIGTERM ended the work'
kill -KILL $import
wait $import 2>/dev/null

# A program that check waits for, deaf to its first signal
mkdir "$dir/bin"
cat >"$dir/bin/valgrind" <<END
#!/bin/sh
echo \$\$ >"$dir/pid"
exec sleep 60
END
chmod +x "$dir/bin/valgrind"
PATH=$dir/bin:$PATH "$PAGESCOPE" check >"$dir/out" 2>&1 &
check=$!
await test -s "$dir/pid"
kill -TERM $check
sleep 0.5
gone $check && complain 'check ended before its child; nothing is tested here'
kill -TERM $check
await gone $check
wait $check 2>/dev/null
status=$?
[ $status -eq 143 ] || complain "the second SIGTERM: status $status, not 143"
# Verbs that only read: info tells what it has counted, verify that it has not
"$PAGESCOPE" info generate:uniform,n=100G >"$dir/out" 2>"$dir/err" &
info=$!
sleep 0.5
kill -TERM $info
wait $info
[ $? -eq 3 ] || complain 'info, stopped: not status 3'
grep -q 'stopped by a signal' "$dir/err" || complain "info, stopped: $(cat "$dir/err")"
grep -qx 'complete  *no: not read to its end' "$dir/out" || complain "info, stopped: $(cat "$dir/out")"
"$PAGESCOPE" import generate:uniform,n=1M -o "$dir/v.pst" || complain 'no trace to verify'
# more often than can be verified until the signal comes
for ((i = 0; i < 2000; i++)); do
	traces[i]=$dir/v.pst
done
"$PAGESCOPE" verify "${traces[@]}" >"$dir/out" 2>"$dir/err" &
verify=$!
sleep 0.5
kill -TERM $verify
wait $verify
[ $? -eq 3 ] || complain 'verify, stopped: not status 3'

exit $failed
