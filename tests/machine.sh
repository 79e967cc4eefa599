#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A whole machine against closed forms and published counts.
set -u
: "${PAGESCOPE:?}"
data=$(cd "${srcdir:-.}" && pwd)/../shared/data
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
	"$PAGESCOPE" replay --no-symbols -o "$result" "$@" || complain "replay $*: failed"
}

get()
{
	"$PAGESCOPE" report --get "$1" "$2"
}

# is RESULT NAME VALUE; between RESULT NAME LOW HIGH
is()
{
	local got
	got=$(get "$2" "$1")
	[ "$got" = "$3" ] || complain "$1: $2 is $got, not $3"
}

between()
{
	local got
	got=$(get "$2" "$1")
	awk -v x="$got" -v low="$3" -v high="$4" 'BEGIN { exit !(x + 0 >= low && x + 0 <= high) }' ||
		complain "$1: $2 is $got, not in $3 .. $4"
}

# Uniform over 512 pages, 64 entries, LRU: misses 1 - 64/512 of all; each walk
# reads 4 entries from memory at 100 cycles
replay uniform.json generate:uniform,n=400000,pages=512,seed=3 --cpu textbook
between uniform.json tlb.l1d.misses 346500 353500
is uniform.json walk.latency.p50 400
is uniform.json walk.latency.p99 400
is uniform.json walk.latency.max 400
is uniform.json walk.references "$((4 * $(get walk.count uniform.json)))"
is uniform.json walk.cycles "$((400 * $(get walk.count uniform.json)))"
is uniform.json walk.count "$(get tlb.l1d.misses uniform.json)"

# A cyclic sweep over one page more than fits misses always, over as many never
# again
replay over.json generate:sequential,n=65000,pages=65,stride=4096 --cpu textbook
is over.json tlb.l1d.misses 65000
replay fits.json generate:sequential,n=64000,pages=64,stride=4096 --cpu textbook \
	--set pages.zero-page=no
is fits.json tlb.l1d.misses 64

# A sweep by pages, walked from the last level: of 8 entries in a line one is
# not in the cache. 8,192 pages take 16 tables and 3 above.
replay sweep.json generate:sequential,n=8192,pages=8192,stride=4096 \
	--set pages.policy=4k --set cache.l1d.size=32K
is sweep.json tlb.l2.misses 8192
between sweep.json cache.l1d.walk.misses 1024 1070
is sweep.json table.bytes "$(((16 + 1 + 1) * 4096))"

# Caches that carry data too change no count of translation
replay data.json generate:zipf,n=300000,pages=20000,seed=5 --set cache.data=true
replay walks.json generate:zipf,n=300000,pages=20000,seed=5
for name in tlb.l1d.misses tlb.l2.misses walk.count walk.references fault.minor; do
	is data.json "$name" "$(get "$name" walks.json)"
done
[ "$(get cache.l1d.accesses data.json)" -ge 300000 ] || complain "caches carry no data"

# A loop of 512 instructions' blocks in a page, each fetch in the cache but for
# the first of its line, costs what cache.l1i.latency says; loads what l1d's does
printf 'I  %x,4\n L 7000,8\n' $(seq 4096 4 6140) >loop
for latency in 3 11; do
	replay loop.json loop --set cache.data=yes --set cache.l1i.latency=$latency \
		--set cache.l1d.latency=5
	misses=$(get cache.l1i.misses loop.json)
	is loop.json cache.l1i.misses 32
	is loop.json cache.fetch.cycles $((latency * (512 - misses) + 200 * misses))
	is loop.json cache.load.cycles $((5 * 511 + 200))
	is loop.json cache.store.cycles 0
done
replay loop.json loop
"$PAGESCOPE" report --get cache.fetch.cycles loop.json >/dev/null 2>&1 &&
	complain "cycles of fetches that no cache saw"

# Larger pages need fewer entries
replay large.json generate:uniform,n=300000,pages=8192,seed=5 --set pages.policy=2m
between large.json walk.count 16 17

# Granules: uniform over the same 32M, 64 entries miss 1 - 64/2048 in pages of 16K
# and 1 - 64/512 in 64K; each walk reads as many entries as there are levels, from
# memory; the first touch of a granule is one fault and one page
while read -r granule levels misses references pages tables; do
	replay granule.json generate:uniform,n=400000,pages=8192,seed=3 --cpu textbook \
		--set "pages.granule=$granule" --set "table.levels=$levels" --set pages.zero-page=no
	between granule.json tlb.l1d.misses $((misses - 1500)) $((misses + 1500))
	is granule.json walk.references "$((references * $(get walk.count granule.json)))"
	is granule.json walk.latency.max $((100 * references))
	is granule.json fault.minor "$pages"
	is granule.json footprint.bytes $((32 << 20))
	is granule.json table.bytes $((tables * (32 << 20) / pages))
	is granule.json table.pages $((tables + 1))
done <<-END
	4k 4 396875 4 8192 18
	16k 4 387500 4 2048 3
	16k 3 387500 3 2048 2
	64k 4 350000 3 512 2
END

# ... and larger ones: 2M of contiguous entries are read as one page is, blocks of
# 32M and 512M a level less; one fault each, and no 1G
while read -r granule policy references pages bytes entries; do
	replay granule.json generate:uniform,n=200000,pages=8192,seed=3 --cpu textbook \
		--set "pages.granule=$granule" --set "pages.policy=$policy" --set pages.zero-page=no
	is granule.json fault.minor "$pages"
	is granule.json walk.count "$pages"
	is granule.json walk.references $((references * pages))
	is granule.json footprint.bytes "$bytes"
	is granule.json table.map.writes "$entries"
done <<-END
	4k block 3 16 $((32 << 20)) 18
	16k 2m 4 16 $((32 << 20)) $((2048 + 3))
	16k block 3 1 $((32 << 20)) $((1 + 2))
	64k 2m 3 16 $((32 << 20)) $((512 + 2))
	64k block 2 1 $((512 << 20)) $((1 + 1))
END
"$PAGESCOPE" replay --set pages.granule=64k --set pages.policy=1g generate:sequential,n=10 2>refused &&
	complain 'pages of 1G with a granule of 64K'
grep -q "pages.policy: not with a pages.granule.*1G is 32 contiguous blocks of 32M of 16k" refused ||
	complain "1G with 64K: $(<refused)"

# Other kinds of tables with granules: the same faults and misses, and what a walk
# reads is theirs
for granule in 16k 64k; do
	for kind in radix hashed inverted cuckoo shadow nested; do
		replay $kind.json generate:uniform,n=100000,pages=8192,seed=4 \
			--set memory.size=1G --set "pages.granule=$granule" --set table.kind=$kind \
			--set pwc.kind=none --set table.nested.tlb.entries=0 \
			--set table.nested.pde.entries=0 --set table.nested.pdpte.entries=0 \
			--set table.nested.pml4e.entries=0
		for value in fault.minor tlb.l1d.misses walk.count footprint.bytes; do
			is $kind.json $value "$(get $value radix.json)"
		done
	done
	# (n + 1)(n + 1) - 1 of them, and one where an entry is found at once
	levels=4
	[ $granule = 64k ] && levels=3
	walks=$(get walk.count radix.json)
	is radix.json walk.references $((levels * walks))
	is nested.json walk.references $((((levels + 1) * (levels + 1) - 1) * walks))
	between hashed.json walk.references "$walks" $((2 * walks))
	between inverted.json walk.references $((2 * walks)) $((3 * walks))
	is shadow.json walk.references $((levels * walks))
done
refuses_flat=$("$PAGESCOPE" replay --set pages.granule=16k --set table.kind=flat \
	generate:sequential,n=10 2>&1) && complain 'flat with 16K'
[[ $refuses_flat == *"table.kind: not with a pages.granule"* ]] || complain "flat: $refuses_flat"
# 160 entries of 16K reach 2.5M and no further
replay reach.json generate:sequential,n=16000,pages=640,stride=16384 --cpu m1 \
	--set tlb.l2.entries=0
is reach.json tlb.l1d.misses 160
"$PAGESCOPE" report --format csv --table tlb.reach reach.json | grep -q '^l1d,160,2621440' ||
	complain "160 entries of 16K do not reach 2.5M"
replay reach.json generate:sequential,n=16100,pages=644,stride=16384 --cpu m1 \
	--set tlb.l2.entries=0
is reach.json tlb.l1d.misses 16100
replay reach.json generate:sequential,n=16100,pages=644,stride=4096 --cpu m1
is reach.json fault.minor 161

# What holds, or guesses, pages in a row does so by granules: a program stretched by
# 4 (by 16) sees the same in pages of 16K (of 64K) as it does in pages of 4K. Two
# passes over 40 pages with 8 entries: a coalesced entry has 8 pages in the second
while read -r setting walks; do
	for granule in 4 16 64; do
		replay rows$granule.json generate:sequential,n=80,pages=$((10 * granule)),stride=${granule}K \
			--set tlb.l1d.entries=8 --set tlb.l1d.ways=0 --set tlb.l2.entries=0 \
			--set pages.zero-page=no --set pages.granule=${granule}k \
			--set tlb.range.least=$((2 * granule)) --set "$setting"
		is rows$granule.json tlb.l1d.misses "${walks#*/}"
		is rows$granule.json walk.count "${walks%/*}"
	done
done <<-END
	tlb.l1d.coalesce=1 80/80
	tlb.l1d.coalesce=8 40/40
	tlb.l1d.sector=8 40/40
	tlb.range.entries=2 41/80
	tlb.prefetch.kind=sequential 41/80
	tlb.prefetch.kind=stride 67/80
	tlb.prefetch.kind=distance 42/80
END
# replicated tables are read on the own node
replay row.json generate:uniform,n=100000,pages=8192 --set pages.granule=64k \
	--set numa.nodes=2 --set numa.tables=replicated --set numa.move=10000
is row.json numa.walk.remote 0

# LRU: more ways at as many sets never miss more
before=400000
for ways in 1 2 3 5 8 13 21; do
	replay ways.json generate:mix,n=300000,pages=4096,seed=9 \
		--set tlb.l1d.entries=$((16 * ways)) --set tlb.l1d.ways=$ways
	now=$(get tlb.l1d.misses ways.json)
	[ "$now" -le "$before" ] || complain "$ways ways miss $now, fewer miss $before"
	before=$now
done

# Walks past the caches cost the memory's 200 cycles a reference, whether there
# are caches or not, and leave none in them
none=generate:mix,n=200K,pages=9000,seed=3
replay none.json "$none" --set cache.walks=none
replay bare.json "$none" --set cache.l1d.size=0 --set cache.l1i.size=0 \
	--set cache.l2.size=0 --set cache.l3.size=0
replay data.json "$none" --set cache.walks=none --set cache.data=yes
for name in walk.count walk.cycles walk.latency.p50 walk.latency.max \
	walk.faulted.cycles memory.walk.references; do
	is bare.json $name "$(get $name none.json)"
	is data.json $name "$(get $name none.json)"
done
is none.json walk.cycles $((200 * $(get walk.references none.json)))
is none.json cache.l2.accesses 0
is data.json cache.l1d.walk.accesses 0
replay l1d.json "$none"
is l1d.json walk.references "$(get walk.references none.json)"

# Who costs most stands first
replay rank.json generate:mix,n=200K,pages=9000,seed=3 --set cache.data=yes
for table in sites mappings; do
	"$PAGESCOPE" report --format csv --table $table rank.json | awk -F, '
		NR == 1 { for (i = 1; i <= NF; i++) if ($i == "walk_cycles") at = i; next }
		NR > 2 && $at > last { bad = 1 }
		{ last = $at } END { exit bad || !at || NR < 2 }' ||
		complain "$table are not ranked by walk cycles"
done

# Page tables of all kinds: the TLBs see the same, each walk reads something, the
# histogram adds up, and where all goes to memory, cycles are references' steps
kinds=generate:zipf,n=200K,pages=9000,seed=11
replay radix.json "$kinds" --set memory.size=1G
while read -r kind options; do
	sets=()
	for option in $options; do sets+=(--set "$option"); done
	replay kind.json "$kinds" --set memory.size=1G --set "table.kind=$kind" "${sets[@]}"
	for name in tlb.l1d.misses tlb.l2.misses walk.count fault.minor; do
		is kind.json $name "$(get $name radix.json)"
	done
	"$PAGESCOPE" report --format csv --table walk.references.histogram kind.json |
		awk -F, -v walks="$(get walk.count kind.json)" \
			-v references="$(get walk.references kind.json)" '
			$1 ~ /^[0-9]+$/ { w += $2; r += $1 * $2; none += !$1 }
			END { exit !(w == walks && r == references && !none) }' ||
		complain "$kind: the histogram does not add up"
	[ "$(get table.map.writes kind.json)" -ge 9000 ] || complain "$kind: few writes"
done <<-END
	radix table.levels=3
	radix table.frames=2m
	flat table.flat.levels=5
	hashed
	hashed table.hashed.collisions=chained
	hashed table.hashed.collisions=chained table.hashed.heads=apart table.hashed.pages=16
	inverted
	cuckoo
	cuckoo table.cuckoo.ways=8
	nested
	nested table.nested.guest=flat table.nested.host=hashed table.nested.host-pages=2m
	nested table.nested.guest=cuckoo table.nested.host=cuckoo
	shadow
	shadow table.shadow.shadow=hashed
	radix pwc.kind=unified
	radix pwc.skip=no
	radix pwc.kind=unified pwc.skip=no
	nested pwc.kind=unified pwc.skip=no
	radix pwc.kind=none
END
is kind.json walk.references.mean 4.0

# Tables that no cache holds: each reference costs the memory's 200 cycles, also
# where data is cached
for caches in no yes; do
	replay bare.json "$kinds" --set table.cached=no --set cache.data=$caches
	is bare.json walk.cycles $((200 * $(get walk.references bare.json)))
	is bare.json memory.walk.references "$(($(get walk.references bare.json) +
		$(get walk.faulted.references bare.json)))"
done

# Without any cache of walks, a guest of 4 levels over a host of 5 reads 29
# entries, and one whose upper levels are merged, 4 times 6 less 1
bare='--set pages.zero-page=no --set pwc.kind=none --set table.nested.tlb.entries=0
	--set table.nested.pde.entries=0 --set table.nested.pdpte.entries=0
	--set table.nested.pml4e.entries=0 --set table.nested.pml5e.entries=0'
# shellcheck disable=SC2086
replay nested.json "$kinds" --set table.kind=nested --set table.host.levels=5 $bare
is nested.json walk.references "$((29 * $(get walk.count nested.json)))"
# shellcheck disable=SC2086
replay nested.json "$kinds" --set table.kind=nested --set table.host.levels=5 $bare \
	--set table.nested.guest=flat
is nested.json walk.references "$((23 * $(get walk.count nested.json)))"
[ "$(get nested.host.faults nested.json)" -ge "$(get footprint.pages nested.json)" ] || complain "the host backs too little"
# The report tells what a hypervisor did
replay shadow.json "$kinds" --set table.kind=shadow
"$PAGESCOPE" report shadow.json | sed 's/,//g' |
	grep -Eq "exits for the guest's writes to its table +$(get shadow.exits shadow.json)\$" ||
	complain "the report leaves the exits out"
# The report and the plot tell of both tables: all that walks read
"$PAGESCOPE" report nested.json >nested.txt
awk -v all="$(get cache.l1d.walk.accesses nested.json)" '
	/^[^ ]/ { on = /^Page-table entries read/ }
	on && /\(P/ { gsub(",", ""); sub(/^ *host.s/, ""); sum += $3 }
	END { exit !(sum == all && sum > 0) }' nested.txt || complain "the report leaves walks' references out"
"$PAGESCOPE" plot --kind levels --format svg -o . nested.json >/dev/null 2>err || cat err
if [ -s levels.dat ]; then
	awk '/^"/ { for (i = 2; i <= NF; i++) sum[part + 0] += $i }
		/^$/ { part = 1 }
		END { exit !(sum[0] > 1 && (sum[0] - sum[1]) ^ 2 < 1e-6 && $0 != "") }' levels.dat ||
		complain "the plot leaves walks' references out"
	awk '/^"/ && !part { host = $8 } /^$/ { part = 1 } END { exit !(host > 1) }' levels.dat ||
		complain "the plot leaves the host's table out"
fi

# Published misses of a real request stream, one page a block
if [ -f "$data/cloudphysics.csv.gz" ]; then
	zcat "$data/cloudphysics.csv.gz" |
		awk -F, 'NR > 1 { printf "%x000\n", $5 }' >blocks.txt
	"$PAGESCOPE" import --from hex blocks.txt -o blocks.pst || complain "import fails"
	while read -r entries lru fifo; do
		replay blocks.json blocks.pst --cpu textbook \
			--set "tlb.l1d.entries=$entries"
		is blocks.json tlb.l1d.misses "$lru"
		replay blocks.json blocks.pst --cpu textbook \
			--set "tlb.l1d.entries=$entries" \
			--set tlb.l1d.replacement=fifo
		is blocks.json tlb.l1d.misses "$fifo"
	done <<-END
		1 111187 111187
		2 110525 110577
		5 108968 109101
		20 105561 106033
		100 100215 101495
		1000 94823 95520
	END
else
	echo "published counts are not tested: no $data/cloudphysics.csv.gz"
fi

exit $failed
