#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Merging at a given rate (ksm.rate) needs neither contents in the trace nor a
# host that merged, and gives what can be counted by hand: groups of g pages
# share one frame, so that of n pages n - n/g are saved.
set -u
: "${PAGESCOPE:?}"
work=$(mktemp -d "${TMPDIR:-/tmp}/pagescope-merging.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0

complain()
{
	echo "$*"
	failures=$((failures + 1))
}

# merge NAME=VALUE...: 200,000 accesses of 8 bytes, one after the other, write
# to 391 pages; the thread's work takes no time, so that it gets round.
merge()
{
	"$PAGESCOPE" replay generate:sequential,n=200K,pages=1000 --no-symbols \
		--set ksm.sleep=1us --set ksm.tick=0s --set ksm.scan-cost=0 \
		--set ksm.merge-cost=0 --set ksm.pages-to-scan=100000 \
		"${@/#/--set=}" -o "$work/r.json" || complain "$*: fails"
	shared=$("$PAGESCOPE" report --get ksm.shared "$work/r.json" 2>"$work/err")
	sharing=$("$PAGESCOPE" report --get ksm.sharing "$work/r.json" 2>>"$work/err")
	saved=$("$PAGESCOPE" report --get ksm.saved.bytes "$work/r.json" 2>>"$work/err")
}

merge ksm.rate=1
all=$((shared + sharing))
# As the kernel's, the counts learn of a page that was written in the next round.
if [ "$all" -lt 370 ] || [ "$all" -gt 400 ] || [ "$shared" != "$sharing" ]; then
	complain "pairs: $shared frames for $all pages"
fi
[ "$saved" = $((sharing * 4096)) ] || complain "pairs: $saved bytes saved"
merge ksm.rate=1 ksm.group=4
if [ $((sharing - 3 * shared)) -gt 0 ] || [ $((3 * shared - sharing)) -gt 3 ]; then
	complain "fours: $shared frames, $sharing more pages"
fi
merge ksm.rate=0.5
half=$((shared + sharing))
if [ $((2 * half)) -lt $((all * 8 / 10)) ] || [ $((2 * half)) -gt $((all * 12 / 10)) ]; then
	complain "half: $half of $all pages"
fi
merge ksm.rate=1 ksm.run=no
[ -z "$shared$sharing$saved" ] || complain "ksm.run=no merges $shared"
grep -q 'ksm.run is no' "$work/err" || complain "no: $(cat "$work/err")"
[ "$failures" = 0 ]
