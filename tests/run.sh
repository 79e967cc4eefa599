#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pagescope run: the result is that of record and then replay; the command's
# output and status are its own.
set -u
: "${PAGESCOPE:?}"
twin=$PWD/tests/step-twin
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "$*"
	failed=1
}

# What it counted: without who and how, numbers of processes, and the kernel's
# counts, which two runs need not share
counts()
{
	python3 -c '
import json, sys
result = json.load(sys.stdin)
del result["provenance"]
for name, table in result["tables"].items():
    first = table["columns"][0]["name"] == "process"
    rows = [] if name in ("validate", "kernel.counters") else table["rows"]
    table["rows"] = [row[first:] for row in rows]
json.dump(result, sys.stdout, indent=1)'
}

common='--cpu zen4 --set cache.data=yes --seed 7'
if ! command -v python3 >/dev/null; then
	echo 'no python3: not compared with record and replay'
elif setarch -R true 2>/dev/null; then
	for engine in step cache; do
		# shellcheck disable=SC2086
		env -i setarch -R "$PAGESCOPE" run -e $engine $common -o run.json -- "$twin"
		[ $? -eq 7 ] || complain "run -e $engine: not the status of the command"
		env -i setarch -R "$PAGESCOPE" record -e $engine -o twin.pst -- "$twin" 2>err
		[ $? -eq 7 ] || complain "record -e $engine: $(cat err)"
		# shellcheck disable=SC2086
		"$PAGESCOPE" replay $common twin.pst -o replay.json || complain 'replay failed'
		counts <run.json >got
		counts <replay.json >want
		cmp -s got want || complain "-e $engine: not what replay makes of it: $(diff got want | head -n 6)"
		[ "$(wc -l <want)" -gt 100 ] || complain 'an empty result'
	done
else
	echo 'no setarch -R: not compared with record and replay'
fi

# What the command writes is its own, and the report goes to standard error
"$PAGESCOPE" run -- sh -c 'echo mine; echo too >&2; exit 5' >out 2>err
[ $? -eq 5 ] || complain 'not the status of the command'
[ "$(cat out)" = mine ] || complain "output: $(cat out)"
grep -q '^too$' err || complain 'its standard error is lost'
grep -q 'Where the time goes' err || complain "no report: $(head -n 3 err)"
"$PAGESCOPE" run -o - -- echo mine >out 2>err || complain "-o -: status $?"
grep -q '^mine$' err || complain '-o -: the output of the command is lost'
python3 -m json.tool out >json 2>/dev/null || complain '-o -: not JSON'
for n in $("$PAGESCOPE" report --get accesses out 2>/dev/null || echo 0); do
	[ "$n" -gt 10000 ] || complain "-o -: $n accesses"
done
"$PAGESCOPE" run -o r.json -- sh -c 'kill -TERM $$'
[ $? -eq 143 ] || complain 'not the status of a command that a signal ended'

# Verdicts, plain ones: each question has an answer or says what would tell
"$PAGESCOPE" run -- sh -c 'exit 0' 2>err || complain "verdicts: status $?"
[ "$(grep -cE "\?  (yes|no|can.t tell)$" err)" -eq 5 ] || complain "not five verdicts: $(cat err)"
grep -q 'none of the machines' err && complain "verdicts: of what was never asked: $(cat err)"
case $(cat /sys/devices/system/node/online 2>/dev/null) in
0) grep -q 'This host has one node' err || complain "numa: $(grep -A 3 node err)" ;;
esac
# In windows: what is left out is said, and the status is the command's
if "$PAGESCOPE" check 2>/dev/null | grep -q '^  cache  *yes'; then
	# shellcheck disable=SC2016
	"$PAGESCOPE" run --sample first=50,on=5,off=50 -- \
		sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i + 1)); done; exit 4' 2>err
	[ $? -eq 4 ] || complain "in windows: not the status of the command: $(cat err)"
	grep -q 'Of a part of the run alone' err || complain "in windows: not said: $(cat err)"
	"$PAGESCOPE" run --sample all -- true 2>err || complain "--sample all: status $?"
	grep -q 'Of a part of the run alone' err && complain "--sample all: a part"
fi
"$PAGESCOPE" run --sample nonsense -- touch ran 2>err && complain "--sample nonsense: taken"
[ ! -e ran ] || complain "--sample nonsense: the command ran"

# Several machines, as replay has them
"$PAGESCOPE" run -m zen4 -m huge=zen4:pages.policy=2m -o two.json -- /bin/true || complain 'two machines: failed'
"$PAGESCOPE" report -m huge two.json | grep -q 'on huge' || complain 'two machines: no huge'

# What can't be is said before the command runs
for wrong in '--cpu nosuch' '--set nosuch=1' '-m zen4:nosuch=1'; do
	# shellcheck disable=SC2086
	"$PAGESCOPE" run $wrong -- touch ran >out 2>err && complain "$wrong: succeeded"
	[ ! -e ran ] || complain "$wrong: the command ran"
	[ "$(wc -l <err)" -eq 1 ] || complain "$wrong: not one line: $(cat err)"
done
"$PAGESCOPE" run -o r.json -- ./nosuch 2>err
[ $? -eq 127 ] || complain 'not found: another status'
"$PAGESCOPE" run 2>err
[ $? -eq 2 ] || complain 'no command: another status'

# A bound ends the replay, not the command
"$PAGESCOPE" run -n 10000 -o bound.json -- sh -c 'echo begun; sleep 0.3; echo ended' >out 2>err ||
	complain "bound: status $?: $(cat err)"
grep -q ended out || complain 'bound: the command did not end by itself'

# A process that runs already goes on
sh -c 'while :; do :; done' &
pid=$!
"$PAGESCOPE" run -p $pid --duration 300ms -o pid.json 2>err || complain "-p: status $?: $(cat err)"
kill -0 $pid 2>/dev/null || complain '-p: the process is gone'
kill $pid
wait $pid 2>/dev/null
grep -q '"accesses"' pid.json || complain '-p: no accesses'

# The first signal ends it with a result
"$PAGESCOPE" run -o stopped.json -- sh -c 'trap "exit 9" TERM; while :; do :; done' 2>err &
pid=$!
sleep 1.5
kill -TERM $pid
sleep 0.5
pkill -TERM -P $pid sh
wait $pid
[ $? -eq 9 ] || complain "stopped: not the status of the command: $(cat err)"
grep -q 'stopped by a signal' stopped.json || complain 'stopped: the result does not say so'

exit $failed
