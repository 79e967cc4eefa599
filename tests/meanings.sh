#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pagescope explain: each value, table and column of results of all kinds has
# words, and a unit where the name tells one that is the result's; names that
# are none.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0
n=0

complain()
{
	echo "$*"
	failed=1
}

# all FILE: everything in it is explained
all()
{
	n=$((n + 1))
	"$PAGESCOPE" explain --result "$1" >out 2>err
	local status=$?
	[ $status -eq 0 ] || complain "$1: status $status: $(head -n 20 err)"
	[ "$(grep -c '^  is ' out)" -gt 10 ] || complain "$1: hardly anything is explained"
}

trace=generate:mix,n=6000,pages=1500,seed=5
replay()
{
	"$PAGESCOPE" replay $trace -o "$n.json" "$@" 2>err || complain "replay $*: $(cat err)"
	all "$n.json"
}
replay --set cache.data=yes --set cache.classify=yes --set cache.virtual=yes --set memory.colour=random
replay --set pages.policy=thp --set memory.order=buddy
for kind in hashed inverted cuckoo nested shadow flat; do
	replay --set table.kind=$kind --set memory.size=64M
done
replay --set numa.nodes=2 --set numa.data=migrate --set machine.cores=2
replay --set numa.nodes=2 --set numa.tables=replicated
for policy in linux mglru arc clockpro ws pff; do
	replay --set reclaim.policy=$policy --set memory.size=4M
done
replay --set reclaim.policy=lru --set reclaim.scope=process --set memory.size=4M
replay --set walker.cycles-per-access=2 --set tlb.range.entries=32 --explain-walks 3
replay --set tlb.prefetch.kind=distance
replay --set hugetlb.pages-2m=10 --set ksm.rate=0.3 --set bound.region=all
replay --set memory.attributes=uc:0x1000-0x2000
replay --by all
replay -m skylake-sp -m zen4
for how in '' '-u line -a' '-m shards' '--by mapping'; do
	# shellcheck disable=SC2086 # words
	"$PAGESCOPE" curve $how $trace -o "$n.json" >/dev/null || complain "curve $how: failed"
	all "$n.json"
done
"$PAGESCOPE" sweep $trace -P tlb.l2.entries 768,1536 -o sweep >/dev/null 2>&1 || complain 'sweep: failed'
all sweep/sweep.json
"$PAGESCOPE" advise $trace -o advise.json >/dev/null 2>&1 || complain 'advise: failed'
all advise.json
"${PAGESCOPE%/*}/tests/make-result" full full.json && all full.json
if "$PAGESCOPE" stat -o stat.json -- true >/dev/null 2>&1; then
	all stat.json
fi

# What has none is told, and is status 3
sed 's/"walk.count": {/"walk.made-up": {"value": 1, "unit": "walks"}, &/' 0.json >odd.json
"$PAGESCOPE" explain -r odd.json >out 2>err
[ $? -eq 3 ] || complain 'a value without words passes'
grep -qx 'pagescope: odd.json: value walk.made-up has no explanation' err || complain "not told: $(cat err)"
sed '/"walk.count": {/,/}/s/"walks"/"miles"/' 0.json >odd.json
"$PAGESCOPE" explain -r odd.json >out 2>err
grep -qx 'pagescope: odd.json: value walk.count is in miles, not in walks' err || complain "unit: $(cat err)"

# By name
"$PAGESCOPE" explain walk.latency.p99 functions.walk_cycles cores >out || complain 'by name: failed'
grep -qx '  unit    cycles' out || complain 'no unit'
grep -q '^  changed walker\.\*, tlb\.\*' out || complain 'not told what changes it'
[ "$(grep -c '^[a-z]' out)" -eq 3 ] || complain "by name: $(cat out)"
"$PAGESCOPE" explain -r 0.json walk.count >out
[ "$(sed -n 's/^  here *//p' out)" = "$("$PAGESCOPE" report --get walk.count 0.json)" ] ||
	complain "not what it is here: $(cat out)"
"$PAGESCOPE" explain walk.cuont >out 2>err
[ $? -eq 2 ] || complain 'unknown name: status'
grep -q 'no figure "walk.cuont"; did you mean "walk.count"?$' err || complain "unknown: $(cat err)"

# Each name of the list can be asked for
"$PAGESCOPE" explain >list || complain 'no list'
awk '/^  / { print $1 }' list | grep -v '^TABLE' >names
[ "$(wc -l <names)" -gt 400 ] || complain 'a short list'
xargs "$PAGESCOPE" explain <names >out 2>err || complain "of the list: $(cat err)"
exit $failed
