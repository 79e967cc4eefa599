#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pagescope diff: exact differences of replays, means and intervals of runs that
# vary, status, formats.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "$*"
	failed=1
}

# expect STATUS ARGUMENT...
expect()
{
	local status=$1 got
	shift
	"$PAGESCOPE" diff "$@" >out 2>err
	got=$?
	[ $got -eq "$status" ] || complain "diff $*: status $got, not $status: $(cat err)"
}

trace=generate:mix,n=6000,pages=1500,seed=5
"$PAGESCOPE" replay $trace -o a.json && "$PAGESCOPE" replay $trace --set tlb.l2.entries=768 -o b.json || exit 99
"$PAGESCOPE" replay $trace -m skylake-sp -m zen4 -o m.json || exit 99

expect 0 a.json a.json
grep -q '^0 differ' out || complain "the same: $(cat out)"
[ "$(wc -l <out)" -eq 4 ] || complain 'the same: rows of what does not differ'
expect 0 --all a.json a.json
grep -q '^  walk.count ' out || complain '--all: no walk.count'
expect 1 a.json b.json
grep -q '^  option tlb.l2.entries *1536 *768$' out || complain 'no option'
grep -q '^  table  functions has other rows$' out || complain 'no table'
grep -q '^  accesses ' out && complain 'accesses do not differ'

# The difference is that of the values
a=$("$PAGESCOPE" report --get walk.count a.json)
b=$("$PAGESCOPE" report --get walk.count b.json)
expect 1 --format csv a.json b.json
grep -qx "\"walk.count\",\"walks\",$a,$b,$((b - a)),,,yes" out || complain "csv: $(grep walk.count out)"
expect 1 --format json a.json b.json
grep -q '"differs"' out || complain 'json: nothing in it'
expect 1 m.json a.json
grep -q '^  zen4:walk.count .*absent' out || complain 'machines: not told'
expect 0 m.json m.json

# Runs that vary: 100, 102, 104 (mean 102, variance 4) beside 110, 114, 118 (114,
# 16): error sqrt(4/3 + 16/3) = 2.58199, degrees (20/3)^2 / ((4/3)^2/2 +
# (16/3)^2/2) = 2.941, t = 3.2199: 12 - 8.3137, 12 + 8.3137
run()
{
	sed "/\"walk.count\": {/s/\"value\": [0-9]*/\"value\": $2/" a.json >"$1.json"
}
i=0
for value in 100 102 104 110 114 118 117; do
	i=$((i + 1))
	run r$i $value
done
expect 1 --format csv r1.json r2.json r3.json -- r4.json r5.json r6.json
awk -F, '/^"walk.count"/ { n = 1; if ($3 != 102 || $4 != 114 || $5 != 12 || $8 != "yes" ||
	$6 < 3.67 || $6 > 3.70 || $7 < 20.30 || $7 > 20.33) exit 1 } END { exit !n }' out ||
	complain "runs: $(grep walk.count out)"
[ "$(wc -l <out)" -eq 2 ] || complain 'runs: what does not vary differs'
expect 1 r1.json r2.json r3.json -- r4.json r5.json r6.json
grep -q '^  walk.count .*\[.*\] \*$' out || complain "runs: no mark: $(cat out)"
# they overlap: nobody can tell
expect 0 r1.json r5.json -- r3.json r6.json
grep -q '^  walk.count .*\[.*\]$' out || complain "overlap: $(cat out)"
# runs that agree on each side are compared exactly
expect 1 --format csv r1.json r1.json -- r2.json r2.json
grep -q '^"walk.count","walks",100,102,2,,,yes$' out || complain "agree: $(cat out)"

expect 2 a.json
expect 2 a.json b.json m.json
expect 2 a.json --
expect 125 a.json /dev/null
exit $failed
