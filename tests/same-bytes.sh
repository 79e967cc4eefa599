#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The same trace and options give the same bytes at any -j, and again.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "FAIL: $*"
	failed=1
}

# same WHAT TRACE OPTION...: -j only changes the time
same()
{
	local what=$1 trace=$2 j
	shift 2
	for j in 0 1 2 8; do
		"$PAGESCOPE" replay "$trace" "$@" -j $j -o j$j.json 2>err
		case $? in
		0 | 3) ;;
		*) complain "$what $*: -j $j: $(cat err)" ;;
		esac
		cmp -s j0.json j$j.json ||
			complain "$what $*: -j $j: $(diff j0.json j$j.json | head -n 5)"
	done
	[ "$(wc -l <j0.json)" -gt 100 ] || complain "$what: an empty result"
}

"$PAGESCOPE" import generate:mix,n=1000000,pages=60000,seed=5 -o mix.pst
"$PAGESCOPE" import generate:chase,n=300000 -o chase.pst
if "$PAGESCOPE" record -o sort.pst -- sh -c 'seq 9000 | sort -rn | tail -n 1' \
	>out 2>err; then
	traces='mix chase sort'
	if "$PAGESCOPE" record -e valgrind,faults -o both.pst -- \
		gzip -9 -c "$(command -v env)" >out 2>err; then
		traces="$traces both"
	fi
	if command -v python3 >/dev/null &&
		"$PAGESCOPE" record -n 20M -o threads.pst -- python3 -c '
import threading
def work():
    x = [i * i for i in range(20000)]
t = [threading.Thread(target=work) for _ in range(4)]
[a.start() for a in t]; [a.join() for a in t]' >out 2>err; then
		traces="$traces threads"
	fi
else
	echo "record does not work here: only generated traces: $(cat err)"
	traces='mix chase'
fi
for trace in $traces; do
	same "$trace" "$trace.pst" --seed 7
done
same chase chase.pst --cpu zen3 --set pages.policy=thp
same chase chase.pst --set tlb.l2.replacement=random
exit $failed
