#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Counts that are published or follow from a formula, as a user gets them: made
# up accesses, a machine from options, one bare value.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0

replay()
{
	"$PAGESCOPE" replay "$@" -o "$dir/r.json" || {
		echo "replay $*: failed"
		failed=1
	}
}

get()
{
	"$PAGESCOPE" report --get "$1" "$dir/r.json"
}

# is WHAT GOT WANTED [TOLERANCE]
is()
{
	awk -v got="$2" -v want="$3" -v by="${4:-0}" \
		'BEGIN { d = got - want; exit !(got != "" && d <= by && -d <= by) }' || {
		echo "$1: $2, not $3"
		failed=1
	}
}

# Uniform random over N pages, LRU with C entries: misses 1 - C/N
for entries in 32 64 512; do
	replay generate:uniform,n=1M,pages=1024 --cpu textbook --set tlb.l1d.ways=0 \
		--set tlb.l1d.entries=$entries --set tlb.l2.entries=0
	is "uniform, $entries of 1024" "$(get tlb.l1d.misses | awk '{ print $1 / 1048576 }')" \
		"$(awk -v c=$entries 'BEGIN { print 1 - c / 1024 }')" 0.002
done

# 8 GiB mapped by 4K pages: 4096 + 8 + 1 + 1 pages of tables
replay generate:strided,n=2M,pages=2M --set pages.policy=4k
is '8 GiB by 4K' "$(get table.pages)" 4106
is '8 GiB by 4K, without the root' "$(get table.bytes)" $((4105 * 4096))
is '8 GiB by 4K, frames of its tables' "$(get table.frame.count)" 4106
is '8 GiB by 4K, memory of its tables' "$(get table.frame.bytes)" $((4106 * 4096))
# ... which fit 9 frames of 2M
replay generate:strided,n=2M,pages=2M --set pages.policy=4k --set table.frames=2m
is '8 GiB by 4K, tables in frames of 2M' "$(get table.frame.count)" 9
is '8 GiB by 4K, memory of frames of 2M' "$(get table.frame.bytes.peak)" $((9 << 21))
is '8 GiB by 4K, pages in frames of 2M' "$(get table.pages)" 4106
"$PAGESCOPE" report "$dir/r.json" | grep -q 'memory that page tables lie in .* 9 frames' ||
	{ echo 'the report leaves the frames of 2M out'; failed=1; }
# Upper levels merged: a root of 2M, 8 tables of GiBs, 4096 of 2M each; two nodes
# have a copy each
replay generate:strided,n=2M,pages=2M --set pages.policy=4k --set table.kind=flat
is '8 GiB by 4K, flat' "$(get table.frame.bytes)" $(((512 + 8 + 4096) * 4096))
replay generate:strided,n=2M,pages=2M --set pages.policy=4k --set numa.nodes=2 \
	--set numa.tables=replicated
is '8 GiB by 4K, replicated' "$(get table.frame.count)" $((2 * 4106))
# The host of a guest has a table of its own, for the guest's 8 GiB and its 4106
# pages of tables, which begin at 1 GiB: 4105 of the last level, 9 of GiBs, 2 above
replay generate:strided,n=2M,pages=2M --set pages.policy=4k --set table.kind=nested \
	--set pages.zero-page=no
is '8 GiB by 4K, guest' "$(get table.frame.count)" 4106
is '8 GiB by 4K, host' "$(get nested.host.frames)" "$(($(get nested.host.bytes) / 4096 + 1))"
is '8 GiB by 4K, host in bytes' "$(get nested.host.frames.bytes)" $((4096 * (4105 + 9 + 1 + 1)))

# A sweep from page to page: 8 PTEs a line, so that one in 8 is not in the cache
# (each is read twice, the first time it is not there yet)
replay generate:strided,n=256K,pages=256K --set pages.policy=4k
"$PAGESCOPE" report --format csv --table walk.levels "$dir/r.json" >"$dir/levels"
is 'a sweep, PTEs out of the L1 cache' \
	"$(awk -F, '$1 == 1 { print $2 - $3 }' "$dir/levels")" $((256 * 1024 / 8))
is 'a sweep, page walks' "$(get walk.count)" $((256 * 1024))

# A cycle through more pages than LRU holds misses always, through fewer never
replay generate:chase,n=64K,pages=65 --cpu textbook --set tlb.l1d.ways=0 \
	--set tlb.l1d.entries=64 --set tlb.l2.entries=0
is 'a cycle of 65' "$(get tlb.l1d.misses)" 65536
replay generate:chase,n=64K,pages=64 --cpu textbook --set tlb.l1d.ways=0 \
	--set tlb.l1d.entries=64 --set tlb.l2.entries=0
is 'a cycle of 64' "$(get tlb.l1d.misses)" 64

exit $failed
