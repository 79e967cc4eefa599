#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# stat against those who count the same: the kernel's getrusage, perf, and
# itself (intervals and threads add up to the whole).
set -u
: "${PAGESCOPE:?}"
here=$(dirname "$PAGESCOPE")
target=$here/tests/stat-target faulty=$here/tests/fault-programs
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

# The value of a result
value()
{
	"$PAGESCOPE" report --get "$1" "$2"
}

# The rows of a table, without its head
rows()
{
	"$PAGESCOPE" report --format csv --table "$1" "$2" | sed 1d
}

# within GOT LEAST MORE
within()
{
	[ "${1:-0}" -ge "$2" ] && [ "$1" -le $(($2 + $3)) ]
}

if ! "$PAGESCOPE" stat -e page-faults -o r.json -- true 2>err ||
	! value counter.page-faults r.json >out 2>&1; then
	echo "skipped: no page-fault events here: $(cat err out)"
	exit 77
fi

# The status is the command's, its output its own.
status 0 "$PAGESCOPE" stat -- true
status 7 "$PAGESCOPE" stat -e faults -- sh -c 'exit 7'
status 143 "$PAGESCOPE" stat -e faults -- sh -c 'kill -TERM $$'
status 127 "$PAGESCOPE" stat -e faults -- ./does-not-exist
status 126 "$PAGESCOPE" stat -e faults -- ./r.json
status 2 "$PAGESCOPE" stat
status 2 "$PAGESCOPE" stat -e no-such-event -- true
grep -q 'no-such-event' err || complain "the event is not named: $(cat err)"
status 2 "$PAGESCOPE" stat -e '{faults' -- true
status 2 "$PAGESCOPE" stat -p 1 -- true
status 125 "$PAGESCOPE" stat -e faults -o /no/such/dir/r.json -- true
status 0 "$PAGESCOPE" stat -e faults -- echo own
[ "$(cat out)" = own ] || complain "the command's output is not its own"
status 0 "$PAGESCOPE" stat -e faults -o - -- sh -c 'echo elsewhere'
grep -q '"counter.faults"' out || complain 'no document on standard output'
grep -q elsewhere err || complain "the command's output is lost"

# What the kernel counts itself: the difference of touching pages and none.
run=
if setarch -R true 2>/dev/null; then run="setarch -R"; fi
difference()
{
	local name=$1 pages all major
	for pages in 0 1000; do
		# shellcheck disable=SC2086 # a command and its option, or none
		$run "$PAGESCOPE" stat -e minor-faults,page-faults,major-faults \
			-o "$pages.json" -- "$faulty" "$name" $pages quiet \
			>out 2>err || complain "stat of $name: $(cat err)"
		minor[pages]=$(value counter.minor-faults $pages.json)
		all=$(value counter.page-faults $pages.json)
		major=$(value counter.major-faults $pages.json)
		[ "$all" = $((minor[pages] + major)) ] ||
			complain "$name: $all faults, not ${minor[pages]} + $major"
		# shellcheck disable=SC2086
		kernel[pages]=$($run "$faulty" "$name" $pages | cut -d' ' -f1)
	done
	[ $((minor[1000] - minor[0])) = $((kernel[1000] - kernel[0])) ]
}

# A program under load may take a fault more at its start: once again then.
for name in demand zero copied; do
	difference $name || difference $name || difference $name ||
		complain "$name: stat counts $((minor[1000] - minor[0])) faults," \
			"getrusage $((kernel[1000] - kernel[0]))"
done

# Threads: each as RUSAGE_THREAD has it (the first to end may take some more
# faults, on the code of ending), and all together the whole.
threads()
{
	local n=$1 whole tid faults got sum
	"$PAGESCOPE" stat --per-thread -e page-faults -o t.json -- \
		"$target" "$n" 50 >tids 2>err || complain "threads: $(cat err)"
	whole=$(value counter.page-faults t.json)
	sum=$(rows threads t.json | awk -F, '{ n += $5 } END { print n }')
	[ "$sum" = "$whole" ] || complain "threads add up to $sum, not $whole"
	[ "$(rows threads t.json | wc -l)" = $((n + 1)) ] ||
		complain "$n threads: $(rows threads t.json)"
	while read -r tid faults; do
		got=$(rows threads t.json |
			awk -F, -v tid="$tid" '$2 == tid { print $5 }')
		within "$got" "$faults" 6 ||
			complain "thread $tid of $n: $got faults, the kernel $faults"
	done <tids
	! rows threads t.json | grep -v ',100.0$' ||
		complain 'software events never take turns'
}
threads 1
threads 3
threads 40

# --no-follow: threads, but no processes.
"$PAGESCOPE" stat --no-follow -e page-faults -o n.json -- "$target" 2 300 >tids
sum=$(awk '{ n += $2 } END { print n }' tids)
within "$(value counter.page-faults n.json)" "$sum" 300 ||
	complain "--no-follow: $(value counter.page-faults n.json), threads $sum"
"$PAGESCOPE" stat --no-follow -e page-faults -o n.json -- \
	sh -c "$target 2 300; true" >tids
[ "$(value counter.page-faults n.json)" -lt 800 ] ||
	complain '--no-follow counts a child'

# A process that runs: its threads are counted, and those that come.
mkfifo go
"$target" wait 4 100 <go >tids &
pid=$!
exec 9>go
for ((i = 0; i < 200; i++)); do
	grep -q ready tids && break
	sleep 0.05
done
"$PAGESCOPE" stat -p $pid -e page-faults -o p.json 2>err &
stat=$!
for ((i = 0; i < 200; i++)); do
	find /proc/$stat/fd -lname '*perf_event*' 2>/dev/null | grep -q . && break
	sleep 0.05
done
sleep 0.2
echo >&9
exec 9>&-
wait $pid
wait $stat || complain "stat -p: status $?: $(cat err)"
sum=$(awk 'NF == 2 { n += $2 } END { print n }' tids)
got=$(value counter.page-faults p.json)
within "$got" "$sum" 60 ||
	complain "-p: $got faults, the threads alone $sum"
# Its end is seen also where nobody reaps it.
sh -c 'sleep 0.5 & echo $! >zombie; exec sleep 60' &
for ((i = 0; i < 200; i++)); do
	[ -s zombie ] && break
	sleep 0.05
done
status 0 timeout -k 1 30 "$PAGESCOPE" stat -p "$(cat zombie)" -e faults
kill $! 2>/dev/null
status 125 "$PAGESCOPE" stat -p 4194303 -e faults

# Intervals add up to the whole.
"$PAGESCOPE" stat -I 20 -e page-faults,context-switches -o i.json -- \
	sh -c 'for i in 1 2 3 4 5 6; do sleep 0.03; done' 2>err ||
	complain "-I: $(cat err)"
for event in page-faults context-switches; do
	sum=$(rows intervals i.json | awk -F, -v event=$event \
		'$2 == event { n += $3; rows++ } END { print n, rows }')
	[ "${sum% *}" = "$(value counter.$event i.json)" ] ||
		complain "intervals of $event add up to ${sum% *}"
	[ "${sum#* }" -ge 5 ] || complain "only ${sum#* } intervals"
done

# Several runs: the mean of all, and how far it is off.
"$PAGESCOPE" stat -r 4 -e minor-faults -o m.json -- true || complain '-r'
[ "$(value runs m.json)" = 4 ] || complain 'not four runs'
rows counters m.json | awk -F, '{ exit !($5 >= 0 && $5 != "") }' ||
	complain "no deviation: $(rows counters m.json)"

# perf on the same command, where it is: the same counts of what repeats.
as_perf()
{
	local event want got command=("$faulty" demand 500 quiet)
	"${command[@]}" >out
	setarch -R "$PAGESCOPE" stat -e $events -o s.json -- \
		"${command[@]}" >out
	setarch -R perf stat -x, -e $events -o perf.csv -- "${command[@]}" >out
	for event in faults minor-faults major-faults; do
		want=$(awk -F, -v event=$event '$3 == event { print $1 }' perf.csv)
		got=$(value counter.$event s.json)
		[ "$got" = "$want" ] || {
			said="$event: $got, perf $want"
			return 1
		}
	done
}

events=faults,minor-faults,major-faults,context-switches
if command -v perf >/dev/null && [ -n "$run" ] &&
	perf stat -e page-faults true >/dev/null 2>&1; then
	as_perf || as_perf || as_perf || complain "$said"
	[ "$(value counter.context-switches s.json)" -le 50 ] ||
		complain 'context switches of a program that never waits'
else
	echo 'no perf here: not compared with it'
fi

# All processors, or why not.
if "$PAGESCOPE" stat -a --per-thread -e context-switches -o a.json -- \
	sleep 0.05 2>err; then
	sum=$(rows threads a.json | awk -F, '{ n += $5 } END { print n }')
	[ "$sum" = "$(value counter.context-switches a.json)" ] ||
		complain 'processors do not add up'
else
	grep -q 'perf_event_paranoid=0' err || complain "-a: $(cat err)"
fi

# Hardware counters, or why not: never 0.
"$PAGESCOPE" stat -o d.json -- true
value walk.count d.json >out 2>err
case $? in
0) ;;
3)
	grep -q 'PMU\|not allowed\|in use' err || complain "no reason: $(cat err)"
	[ ! -s out ] || complain 'a value that is not known'
	"$PAGESCOPE" report d.json >out
	grep -q 'not supported' out || complain 'the report does not say so'
	;;
*) value tlb.l1d.misses d.json >out 2>&1 || value dtlb.load.misses d.json ;;
esac
for format in text csv json; do
	"$PAGESCOPE" stat -e faults --format $format -- true 2>out
	grep -q faults out || complain "nothing as $format"
done
"$PAGESCOPE" stat -e faults -o /dev/full -- true 2>/dev/null
[ $? -eq 125 ] || complain 'a full disk was not noticed'
exit $failed
