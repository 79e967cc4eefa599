#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Kinds of TLBs, cores and walkers from the command line, against closed forms.
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

# replay RESULT ARGUMENT...
replay()
{
	local result=$1
	shift
	"$PAGESCOPE" replay --no-symbols -o "$result" "$@" 2>err ||
		complain "replay $*: $(cat err)"
}

get()
{
	"$PAGESCOPE" report --get "$1" "$2" 2>/dev/null
}

# is RESULT NAME VALUE
is()
{
	local got
	got=$(get "$2" "$1")
	[ "$got" = "$3" ] || complain "$1: $2 is $got, not $3"
}

# Threads and spaces by column: thread t of space s sweeps its own pages
table()
{
	awk -v threads="$1" -v rounds="$2" -v pages="$3" 'BEGIN {
		print "address,thread,space"
		for (r = 0; r < rounds; r++)
			for (t = 0; t < threads; t++)
				for (p = 0; p < pages; p++)
					printf "%d,%d,%d\n", (p + 100) * 4096, t + 1, t + 1
	}'
}

# Four processes of 40 pages each in turn. One core without ASIDs misses all, with
# four it keeps 160 pages in its second level; four cores keep 40 each
table 4 10 40 >four.csv
"$PAGESCOPE" import --from csv --set csv.column=address --set csv.thread-column=thread \
	--set csv.space-column=space --set csv.kind=store four.csv -o four.pst 2>err ||
	complain "import: $(cat err)"
common=(--set pages.zero-page=no --set pages.policy=4k --set tlb.l1d.ways=0)
replay one.json four.pst "${common[@]}" --set tlb.asids=0
is one.json tlb.l2.misses 1600
is one.json tlb.shootdown.count 0
replay asids.json four.pst "${common[@]}" --set tlb.asids=4
is asids.json tlb.l2.misses 160
replay cores.json four.pst "${common[@]}" --set tlb.asids=0 --set machine.cores=4
is cores.json tlb.l2.misses 160
is cores.json tlb.l1d.misses 160
is cores.json tlb.switches 0
is cores.json accesses 1600
replay single.json four.pst "${common[@]}" --set tlb.asids=0 --set machine.cores=4 \
	--set machine.placement=single
is single.json tlb.l2.misses 1600
# 2,000 pages in a row of frames, four rounds, 1,536 entries: all miss. By eights
# under one tag, or in one entry, they fit
sweep=("generate:sequential,n=8000,pages=2000,stride=4096" --set pages.zero-page=no
	--set pages.policy=4k --set tlb.l1d.entries=0 --set tlb.l1i.entries=0
	--set tlb.l2.ways=0)
replay plain.json "${sweep[@]}"
is plain.json tlb.l2.misses 8000
replay sector.json "${sweep[@]}" --set tlb.l2.sector=8
is sector.json tlb.l2.misses 2000
# a coalesced entry takes what was walked to before: the first round walks 2,000
# times, and leaves whole lines
replay coalesce.json "${sweep[@]}" --set tlb.l2.coalesce=8
is coalesce.json tlb.l2.misses 2000
# one of two accesses ahead is there: the next page, from the second round on
replay ahead.json "${sweep[@]}" --set tlb.prefetch.kind=sequential
is ahead.json tlb.l2.misses 2003
# what left the TLB when this page did comes next, in whatever order that is: the
# second round of a cycle in a drawn order misses once, where nothing else helps
for kind in stride/8000 recency/2001; do
	replay chase.json generate:chase,n=8000,pages=2000 --set pages.zero-page=no \
		--set pages.policy=4k --set tlb.l1d.entries=0 --set tlb.l2.ways=0 \
		--set tlb.prefetch.kind=${kind%/*}
	is chase.json tlb.l2.misses ${kind#*/}
done
replay range.json "${sweep[@]}" --set tlb.range.entries=64
[ "$(get tlb.l2.misses range.json)" -le 2020 ] ||
	complain "ranges leave $(get tlb.l2.misses range.json) misses"

# A walk each 20 cycles, of 100 (a few more while pages come in): of 16 walkers one
# is always free, four fall behind
busy=("generate:sequential,n=8000,pages=2000,stride=4096" --set pages.policy=4k
	--set tlb.l1d.entries=0 --set tlb.l1i.entries=0 --set tlb.l2.entries=0
	--set cache.walks=none --set pwc.pde.entries=4096 --set pwc.pde.ways=0
	--set memory.latency=100 --set walker.cycles-per-access=20)
replay many.json "${busy[@]}" --set walker.count=16
replay four.json "${busy[@]}" --set walker.count=4
[ "$(get walk.wait.stalls four.json)" -gt 1000 ] || complain "four walkers do not stall"
[ "$(get walk.wait.count many.json)" -eq 0 ] || complain "16 walkers let walks wait"

# Walks are explained as without; what is looked at around them is none
for kind in tlb.l1d.coalesce=4 tlb.range.entries=4 tlb.prefetch.kind=sequential \
	tlb.prefetch.kind=recency; do
	"$PAGESCOPE" replay --no-symbols "${sweep[@]}" --cpu textbook --set $kind \
		--explain-walks 2 >explained 2>err || complain "explain, $kind: $(cat err)"
	[ "$(grep -c '^  Walk [12]: load of' explained)" -eq 2 ] ||
		complain "explain, $kind: not two walks"
	# the second walk faulted first
	[ "$(grep -c ' level 1: PTE at' explained)" -eq 3 ] ||
		complain "explain, $kind: not three leaves"
done

# Policies by name
for policy in lru plru nru clock fifo random srrip brrip drrip lip bip mru; do
	replay policy.json generate:uniform,n=100000,pages=512,seed=3 --cpu textbook \
		--set tlb.l1d.replacement=$policy
	got=$(get tlb.l1d.misses policy.json)
	((got >= 86000 && got <= 89500)) ||
		complain "$policy: $got misses of 100000, not 87500"
done

exit $failed
