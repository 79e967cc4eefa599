#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# --max-accesses, --max-size, --duration, --start-after, --kinds and --no-follow
# with each engine: exact where it can be, and the command unharmed.
set -u
: "${PAGESCOPE:?}"
steady=$(pwd)/tests/steady
twin=$(pwd)/tests/step-twin
prefix=$(pwd)/tests/trace-prefix
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "FAIL: $engine: $*"
	failed=1
}

# record STATUS FILE OPTION... -- CMD...
record()
{
	local expected=$1 file=$2 got
	shift 2
	timeout 100 setarch -R "$PAGESCOPE" record -e $engine -o "$file" "$@" \
		>out 2>err
	got=$?
	[ $got -eq "$expected" ] ||
		complain "$*: status $got, not $expected: $(cat err)"
	"$PAGESCOPE" verify "$file" >verified 2>&1 ||
		complain "$*: $(cat verified)"
}

# number KEY FILE: what info knows of it
number()
{
	"$PAGESCOPE" info --json "$2" | sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p"
}

is_prefix() # OF FILE [data]
{
	local n
	n=$("$prefix" ${3:+"$3"} "$1" "$2" 2>err) || complain "$2 is no prefix: $n $(cat err)"
}

accesses()
{
	local n
	record 7 all.pst -- "$program"
	for n in 1 63 1000 4096 17001; do
		record 7 n.pst -n $n -- "$program"
		[ "$(number accesses n.pst)" = $n ] ||
			complain "-n $n gave $(number accesses n.pst)"
		is_prefix all.pst n.pst
	done
	record 7 n.pst --max-accesses 16K --kinds data -- "$program"
	[ "$(number accesses n.pst)" = 16384 ] ||
		complain "-n 16K of data gave $(number accesses n.pst)"
	is_prefix all.pst n.pst data
	# More than there are: all
	record 7 n.pst -n 1G -- "$program"
	[ "$(number accesses n.pst)" = "$(number accesses all.pst)" ] ||
		complain '-n of more than there are is not all'
}

kinds()
{
	local data fetch kind
	record 7 data.pst --kinds data -- "$program"
	record 7 fetch.pst --kinds fetch -- "$program"
	for kind in loads stores modifies; do
		[ "$(number $kind data.pst)" = "$(number $kind all.pst)" ] ||
			complain "--kinds data: $(number $kind data.pst) $kind, all has $(number $kind all.pst)"
		[ "$(number $kind fetch.pst)" = 0 ] ||
			complain "--kinds fetch has $kind"
	done
	[ "$(number fetches fetch.pst)" = "$(number fetches all.pst)" ] ||
		complain '--kinds fetch has other fetches than all'
	[ "$(number fetches data.pst)" = 0 ] || complain '--kinds data has fetches'
	"$prefix" data data.pst all.pst >/dev/null 2>err || complain "the data are others: $(cat err)"
	# (Blocks of a slow engine end by time: the sizes depend on it.)
	[ $engine = step ] && return
	data=$(stat -c %s data.pst) fetch=$(stat -c %s fetch.pst)
	# (of a program as small as this one fetches help to guess the data)
	[ "$data" -lt $(($(stat -c %s all.pst) * 11 / 10)) ] ||
		complain "data alone is not smaller: $data bytes"
	[ "$fetch" -lt "$(stat -c %s all.pst)" ] ||
		complain "fetches alone are not smaller: $fetch bytes"
}

# The best of three, for the machine may be busy
cost() # KINDS: milliseconds of processor time
{
	local best=1000000 ms
	for _ in 1 2 3; do
		ms=$( { TIMEFORMAT='%U %S'; time "$PAGESCOPE" record --count \
			--kinds "$1" -- "$steady" >/dev/null 2>err; } 2>&1 |
			awk '{ print int(($1 + $2) * 1000) }')
		[ "$ms" -ge "$best" ] || best=$ms
	done
	echo "$best"
}

sizes()
{
	local size
	for size in 20K 200K 1M; do
		record 7 s.pst --max-size $size -- "$steady"
		[ "$(stat -c %s s.pst)" -le $(($(numfmt --from=iec $size) + 4096)) ] ||
			complain "--max-size $size: $(stat -c %s s.pst) bytes"
		grep -q "recorded $(number accesses s.pst) accesses" err ||
			complain "--max-size $size, $(number accesses s.pst) stored: $(cat err)"
		is_prefix whole.pst s.pst
		[ "$(number accesses s.pst)" -gt 1000 ] ||
			complain "--max-size $size kept only $(number accesses s.pst)"
		[ "$(cat out)" = "done" ] || complain "--max-size $size: the command did not go on"
	done
	[ "$(number accesses s.pst)" -gt 1000000 ] ||
		complain "--max-size 1M kept only $(number accesses s.pst)"
	# room for no block: nothing
	record 7 s.pst --max-size 1K -- "$steady"
	"$PAGESCOPE" info s.pst >out
	grep -qx 'time  *not known: there is no access' out || complain "--max-size 1K: $(grep '^time' out)"
}

# The command counts; the trace ends long before it does, and it runs on.
times()
{
	# shellcheck disable=SC2016
	local loop='i=0; while [ ! -e go ]; do i=$((i + 1)); done; exit 6'
	local started ms try
	# A busy machine may stop the recorder for seconds: once more, then.
	for try in 1 2 3; do
		rm -f go
		(sleep 4; touch go) &
		started=$(date +%s%N)
		record 6 t.pst --duration 800ms -- sh -c "$loop"
		wait
		[ $(($(date +%s%N) - started)) -gt 3500000000 ] ||
			complain '--duration ended the command, too'
		ms=$(($(number time_ns t.pst) / 1000000))
		# Of the accesses themselves; starting takes some of it.
		if [ "$ms" -ge 50 ] && [ "$ms" -le 2500 ]; then
			return
		fi
		echo "--duration 800ms: try $try: the trace is of $ms ms"
	done
	complain "--duration 800ms: the trace is of $ms ms"
}

start_after()
{
	# A command that ends before: its mappings, and no accesses
	record 0 t.pst --start-after 60s -- true
	[ "$(number accesses t.pst)" = 0 ] ||
		complain "--start-after 60s: $(number accesses t.pst) accesses"
	[ "$(number events t.pst)" -gt 5 ] || complain '--start-after: no mappings'
	rm -f go
	(sleep 4; touch go) &
	record 6 t.pst --start-after 2s --duration 500ms -- \
		sh -c 'while [ ! -e go ]; do :; done; exit 6'
	wait
	[ "$(number accesses t.pst)" -gt 1000 ] ||
		complain "--start-after 2s: only $(number accesses t.pst) accesses"
}

follow()
{
	record 3 t.pst --no-follow -- sh -c '(exit 5); true; /bin/true; exit 3'
	grep -q ' 1 process,' err || complain "--no-follow: $(cat err)"
	record 3 u.pst -- sh -c '/bin/true; exit 3'
	grep -q ' 2 processes' err || complain "follow: $(cat err)"
}

# --sample: in ms, or with units; what a replay of it covers is told
windows()
{
	local wrong
	record 7 w.pst --sample on=30s,off=100 -- "$twin"
	[ "$(number accesses w.pst)" -gt 16384 ] ||
		complain "the first window: $(number accesses w.pst) accesses"
	"$PAGESCOPE" replay w.pst >out 2>err
	[ $? -eq 3 ] || complain "replay of a part: not status 3: $(cat err)"
	tr '\n' ' ' <out | tr -s ' ' >line
	grep -q 'PARTIAL: the trace was made with losses: sampled: between marks' line ||
		complain "replay does not tell that it was sampled: $(sed -n 1,4p out)"
	for wrong in on=0,off=3 on=5 on=5,off=x on=5,off=6,7 on=2h,off=1; do
		"$PAGESCOPE" record --sample $wrong -o v.pst -- true 2>err
		[ $? -eq 2 ] || complain "--sample $wrong: not status 2"
		[ ! -e v.pst ] || complain "--sample $wrong: left a file"
		grep -q '^pagescope: record: --sample: ' err || complain "--sample $wrong: $(cat err)"
	done
	grep -qx 'pagescope: record: --sample: on: 2h is out of range (1ms to 1h)' err ||
		complain "2h: $(cat err)"
}

tested=0
"$PAGESCOPE" check >check.txt 2>&1
for engine in valgrind step; do
	if ! grep -Eq "^ *$engine +yes" check.txt; then
		echo "$engine does not work here: it is not tested"
		continue
	fi
	tested=$((tested + 1))
	program=$twin
	accesses
	kinds
	times
	start_after
	follow
	[ $engine = valgrind ] || continue
	record 7 whole.pst -- "$steady"
	sizes
	# (Sanitizers cost where the program does not.)
	grep -q __asan_init "$PAGESCOPE" && continue
	for _ in 1 2 3 4; do
		data=$(cost data) all=$(cost all)
		echo "data alone cost $data ms, all $all ms"
		[ "$data" -ge "$all" ] || break
	done
	# Fetches cost the target next to nothing, so what is saved is small
	# and drowns in the noise of a busy machine; make bench has the figure.
	[ "$data" -lt $((all * 115 / 100)) ] || complain "data alone cost $data ms, all $all ms"
done
engine=faults
if grep -Eq "^ *$engine +yes" check.txt; then
	tested=$((tested + 1))
	follow
	rm -f go
	(sleep 3; touch go) &
	record 6 t.pst --duration 300ms -- \
		sh -c 'while [ ! -e go ]; do :; done; exit 6'
	wait
fi
engine=cache
if grep -Eq "^ *$engine +yes" check.txt; then
	tested=$((tested + 1))
	windows
fi
[ $tested -gt 0 ] || exit 77
exit $failed
