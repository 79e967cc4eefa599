#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the text report says of merging (ksm.*) and of the worst case (bound.*):
# the result's own figures, and nothing where there are none.
set -u
work=$(mktemp -d "${TMPDIR:-/tmp}/pagescope-merging.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0

complain()
{
	echo "$*"
	sed -n '/^The worst case/,/^Walks/p;/^Merging/,$p' "$work/text" | head -40
	failures=$((failures + 1))
}

# replay OPTION...: 2000 pages, read 1M times, in 1 ms
replay()
{
	"$PAGESCOPE" replay generate:uniform,n=1M,pages=2000,seed=1,writes=0 \
		--no-symbols --set pages.zero-page=no --set ksm.group=4 \
		--set ksm.sleep=10us --set ksm.tick=0 --set ksm.scan-cost=0 \
		--set ksm.merge-cost=0 "$@" -o "$work/r.json" &&
		"$PAGESCOPE" report "$work/r.json" >"$work/text" ||
		complain "replay $*: failed"
}

# says PATTERN: a line of the report
says()
{
	grep -qE "$1" "$work/text" || complain "no line: $1"
}

get()
{
	"$PAGESCOPE" report --get "$1" "$work/r.json" |
		sed -E ':a;s/([0-9])([0-9]{3})($|,)/\1,\2\3/;ta'
}

replay
grep -qE 'Merging|Merged|worst case' "$work/text" &&
	complain "without options there are parts of what nobody asked for"

replay --set ksm.run=yes --set ksm.rate=1
says '^  At most, 2,000 pages .* lie in 500 frames, which saves 5.86 MiB'
says '^  pages merged +2,000$'
says '^  mappings of one frame, at most +4$'
# its last tenth is as the values are
says '^ +944 k +2,000 +500 +5.86 MiB  #{30}$'
# what is merged is not told as shared by fork, too
says '^  merging \(KSM\)  5.86 MiB$'
grep -q '^  copy on write' "$work/text" && complain "merging counts twice"

replay --set ksm.run=yes --set ksm.rate=0 --set ksm.pages-to-scan=10
grep -q 'Merging of' "$work/text" && complain "nothing to merge, and a part"

replay --set bound.region=0..5000
says '^  In the region 0..5000, 5,000 lookups .* go to 1,8[0-9]{2} pages'
says 'do not all fit'
says "^  at most, memory locked.* $(get bound.walks) +0 +$(get bound.cycles)\$"
says "^  at most, memory not.* $(get bound.faults) +$(get bound.cycles.unlocked)\$"
says "^  observed.* $(get bound.observed.walks) +- +$(get bound.observed.cycles)\$"
replay --set bound.region=all --set tlb.l2.entries=16384 --set tlb.l2.ways=16
says '^  In the whole run, '
says 'a page walks once'

[ "$failures" = 0 ]
