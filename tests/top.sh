#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# top: rows against a program whose memory and faults are known, and against
# the kernel; documents; what is printed, and drawn on a terminal.
set -u
: "${PAGESCOPE:?}"
here=$(dirname "$PAGESCOPE")
tests=$(cd "${srcdir:-.}/tests" && pwd)
dir=$(mktemp -d) || exit 99
cleanup()
{
	local pids
	pids=$(jobs -p)
	# shellcheck disable=SC2086
	[ -z "$pids" ] || kill -KILL $pids 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "$*"
	failed=1
}

value()
{
	"$PAGESCOPE" report --get "$1" "$2"
}

# cell FILE PID COLUMN: of the table `top`
cell()
{
	"$PAGESCOPE" report --format csv --table top "$1" | awk -F, -v pid="$2" -v name="$3" '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) at = i }
		$1 == pid { print $at }'
}

# between WHAT GOT LEAST MOST
between()
{
	[[ $2 =~ ^[0-9]+$ ]] && [ "$2" -ge "$3" ] && [ "$2" -le "$4" ] ||
		complain "$1: $2, not within $3 .. $4"
}

# A process whose memory is known: 32 MiB in huge pages, 24 MiB in small ones, of
# which 4 MiB are touched all the time
mib=$((1 << 20))
mkfifo go
"$here/tests/top-target" 32 24 4 <go >said &
pid=$!
exec 9>go
for ((i = 0; i < 400; i++)); do
	grep -q ready said && break
	sleep 0.05
done
"$PAGESCOPE" top -p $pid -d 400ms -n 1 --working-set --format json >p.json 2>err ||
	complain "-p: $(cat err)"
between resident "$(cell p.json $pid rss)" $((56 * mib)) $((60 * mib))
# a table each 2 MiB, of the huge ones too (they are kept for splitting)
between tables "$(cell p.json $pid tables)" $((28 * 4096)) $((44 * 4096))
huge=$(awk '/AnonHugePages/ { print $2 * 1024 }' /proc/$pid/smaps_rollup)
[ "$(cell p.json $pid huge)" = "$huge" ] || complain "huge: $(cell p.json $pid huge), the kernel $huge"
[ "$huge" -ge $((32 * mib)) ] || echo "no huge pages here: $huge bytes"
# The bits are seen from below, and the kernel may clear them too
touched=$(cell p.json $pid working_set)
between touched "$touched" $((2 * mib)) $((8 * mib))
between 'page faults of it' "$(cell p.json $pid minor)" 0 50
[ "$(value top.count p.json)" = 1 ] || complain "-p: $(value top.count p.json) rows"
"$PAGESCOPE" top -p $pid -d 50ms -n 1 --format json >q.json
[ -z "$(cell q.json $pid working_set)" ] || complain 'a working set that nobody asked for'
"$PAGESCOPE" report p.json >out
grep -q 'touched  command' out || complain "report: $(cat out)"
exec 9>&-
wait $pid

# Faults of a command: what 1000 pages more are to the kernel's getrusage, they
# are in the row and above (where perf counts)
run=
if setarch -R true 2>/dev/null; then run="setarch -R"; fi
faults()
{
	# shellcheck disable=SC2086 # a command and its option, or none
	$run "$PAGESCOPE" top -d 1 --format json -- "$here/tests/fault-programs" demand "$1" quiet >c.json 2>err ||
		complain "-- CMD: $(cat err)"
	[ "$(wc -l <c.json)" = 1 ] || return 1
	row=$("$PAGESCOPE" report --format csv --table top c.json | awk -F, '$3 ~ /^fault-program/ { print $4 + $5 }')
	above=$(value counter.page-faults c.json 2>/dev/null)
	# shellcheck disable=SC2086
	kernel=$($run "$here/tests/fault-programs" demand "$1" | cut -d' ' -f1)
}
more()
{
	faults 0 || return 1
	local row0=$row above0=${above:-0} kernel0=$kernel
	faults 1000 || return 1
	row=$((row - row0)) kernel=$((kernel - kernel0))
	[ "$row" = "$kernel" ] && { [ -z "$above" ] || [ $((above - above0)) = "$kernel" ]; }
}
more || more || more || complain "1000 pages more: $row in the row, getrusage $kernel, above $above"

# Descendants too, and their sums; each interval a whole document
"$PAGESCOPE" top -d 100ms --format json -- sh -c "sleep 0.25 & sleep 0.35; wait; exit 7" >many.json 2>err
[ $? -eq 7 ] || complain "the command's status: $(cat err)"
between intervals "$(wc -l <many.json)" 2 8
n=0
while IFS= read -r line; do
	n=$((n + 1))
	printf '%s\n' "$line" >one.json
	"$PAGESCOPE" report --format text one.json >/dev/null 2>err || complain "document $n: $(cat err)"
done <many.json
head -n 1 many.json >one.json
[ "$("$PAGESCOPE" report --format csv --table top one.json | grep -c ,sleep,)" -ge 1 ] ||
	complain 'no row of a child'
[ "$(head -n 1 many.json | grep -c '"pressure.memory.some"')" = 1 ] || complain 'no pressure, and no reason'

# All processes, by threads, sorted, so many
"$PAGESCOPE" top -d 50ms -n 2 --batch --rows 3 --sort rss >out 2>err || complain "all: $(cat err)"
[ "$(grep -c '^  process ' out)" = 2 ] || complain "not two intervals: $(cat out)"
grep -q '^  \.\.\. and [0-9]* more\.$' out || complain "not three rows: $(cat out)"
[ "$(grep -c 'not counted: ' out)" -le 1 ] || complain 'what is not counted is said more than once'
"$PAGESCOPE" top -d 50ms -n 1 --format csv --sort rss | awk -F, 'NR > 1 && $7 != "" {
	if (last != "" && $7 + 0 > last + 0) exit 1; last = $7 }' || complain 'not sorted'
"$PAGESCOPE" top -d 50ms -n 1 --format csv -H | awk -F, 'NR > 1 && $2 == "" { exit 1 }' ||
	complain 'a thread without its number'
"$PAGESCOPE" top -p 1 -a 2>err
[ $? -eq 2 ] || complain "-p and -a: $(cat err)"
"$PAGESCOPE" top -p 4194303 2>err
[ $? -eq 125 ] || complain "no such process: $(cat err)"
"$PAGESCOPE" top -b -- ./none 2>err
[ $? -eq 127 ] || complain "no such command: $(cat err)"
"$PAGESCOPE" top -d 50ms -n 1 -b >/dev/full 2>err
[ $? -eq 125 ] || complain 'a full disk was not noticed'

if command -v python3 >/dev/null; then
	timeout -k 5 120 python3 "$tests/top-terminal.py" || failed=1
else
	echo 'no python3: not tried on a terminal'
fi
exit $failed
