#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The bound on what translation costs (bound.region) is never broken, on seeded
# traces of all patterns, small and large, under several TLBs; and it is reached
# where a closed form says so.
set -u
work=$(mktemp -d "${TMPDIR:-/tmp}/pagescope-bound.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0
fitting=0

complain()
{
	echo "$*"
	failures=$((failures + 1))
}

get()
{
	"$PAGESCOPE" report --get "$1" "$work/r.json"
}

# holds TRACE OPTION...: the law
holds()
{
	local trace=$1 bound observed walks seen
	shift
	if ! "$PAGESCOPE" replay "$trace" --no-symbols -o "$work/r.json" "$@" \
		2>"$work/err"; then
		complain "$trace $*: $(cat "$work/err")"
		return
	fi
	bound=$(get bound.cycles) observed=$(get bound.observed.cycles)
	walks=$(get bound.walks) seen=$(get bound.observed.walks)
	[ "$(get bound.fits)" = no ] || fitting=$((fitting + 1))
	if [ -z "$bound" ] || [ "$observed" -gt "$bound" ] || [ "$seen" -gt "$walks" ]; then
		complain "$trace $*: $observed cycles, bound $bound; $seen walks, bound $walks"
	fi
}

seed=0
for pattern in sequential strided uniform zipf chase hotscan phases mix; do
	for pages in 40 500 3000; do
		seed=$((seed + 1))
		trace=generate:$pattern,n=30K,pages=$pages,seed=$seed
		holds "$trace" --set bound.region=all
		holds "$trace" --cpu skylake-sp --set bound.region=1000..20000
		holds "$trace" --set bound.region=all --set tlb.l2.entries=0 \
			--set tlb.l1d.entries=48 --set tlb.l1d.ways=0 \
			--set tlb.l1d.replacement=random
		holds "$trace" --set bound.region=0..9000 --set tlb.l2.ways=2 \
			--set tlb.l2.entries=512 --set tlb.l2.replacement=plru \
			--set pages.policy=thp
	done
done
[ "$fitting" -ge 10 ] || complain "only $fitting of the cases fit"

# Each of 700 pages once, nothing cached: the bound is what happens.
cold="--set cache.l1d.size=0 --set cache.l2.size=0 --set cache.l3.size=0"
for name in pde pdpte pml4e; do
	cold="$cold --set pwc.$name.entries=0"
done
# shellcheck disable=SC2086 # options
holds generate:strided,n=700,pages=700,seed=1 --set bound.region=all $cold
[ "$(get bound.cycles)" = "$(get bound.observed.cycles)" ] ||
	complain "cold: $(get bound.observed.cycles), not $(get bound.cycles)"
[ "$(get bound.walks)" = 700 ] || complain "cold: $(get bound.walks) walks"

# Code at an address, recorded; with a fault each page may take, unlocked.
target=$(dirname "$PAGESCOPE")/tests/validate-target
if "$PAGESCOPE" record -e step -o "$work/t.pst" -- "$target" 5 20 2>/dev/null; then
	holds "$work/t.pst" --set bound.region=all
	holds "$work/t.pst" --set bound.region=400000-7fffffffffff
	[ "$(get bound.cycles.unlocked)" -gt "$(get bound.cycles)" ] ||
		complain "memory that is not locked costs nothing"
	[ "$(get bound.faults)" -ge "$(get fault.minor)" ] ||
		complain "$(get fault.minor) faults, bound $(get bound.faults)"
fi

# Memory that locked pages alone fill: what it takes is told at the first try.
programs=$(dirname "$PAGESCOPE")/tests/fault-programs
if "$PAGESCOPE" record -e step -o "$work/l.pst" -- "$programs" locked 100 \
	>/dev/null 2>&1; then
	"$PAGESCOPE" replay "$work/l.pst" --memory 64K >"$work/out" 2>"$work/err" &&
		complain "100 locked pages fit into 16"
	grep -q ' 100 locked pages.*give memory.size=404K' "$work/err" ||
		complain "locked: $(cat "$work/err")"
	"$PAGESCOPE" replay "$work/l.pst" --memory 404K -o "$work/r.json" ||
		complain "404K do not do"
fi

"$PAGESCOPE" replay generate:mix,n=1K,pages=40 --set bound.region=all >"$work/out"
grep -q 'Translation in bound.region takes .* cycles at most' "$work/out" ||
	complain "the report does not tell the bound"
"$PAGESCOPE" replay generate:mix,n=1K --set bound.region=5000..6000 -o "$work/r.json"
[ -z "$(get bound.cycles 2>"$work/err")" ] ||
	complain "what never ran takes at most $(get bound.cycles) cycles"
grep -q 'no access of the run' "$work/err" || complain "beyond: $(cat "$work/err")"

"$PAGESCOPE" replay generate:mix,n=1K --set bound.region=7-3 >"$work/out" \
	2>"$work/err" && complain "7-3 is a region"
grep -q 'bound.region' "$work/err" || complain "7-3: $(cat "$work/err")"
"$PAGESCOPE" replay generate:mix,n=1K --set bound.region=all \
	--set machine.cores=2 -o "$work/r.json"
[ -z "$(get bound.cycles 2>"$work/err")" ] || complain "two cores have a bound"
grep -q 'one core' "$work/err" || complain "two cores: $(cat "$work/err")"
[ "$failures" = 0 ]
