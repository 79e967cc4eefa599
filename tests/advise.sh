#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Verdicts: their direction from counts alone on programs built for them
# (verdict-target), sums that must agree, ranges, what is refused.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
target=${PAGESCOPE%/*}/tests/verdict-target
cd "$dir" || exit 99
failed=0

complain()
{
	echo "$*"
	failed=1
}

get()
{
	"$PAGESCOPE" report --get "$1" "${2:-r.json}"
}

# column TABLE N: of r.json
column()
{
	"$PAGESCOPE" report --format csv --table "$1" r.json |
		tail -n +2 | cut -d, -f"$2"
}

verdict()
{
	"$PAGESCOPE" report --format csv --table verdicts r.json |
		awk -F, -v topic="$1" '$1 == topic { print $2 }'
}

refused()
{
	local what=$1 status
	shift
	"$PAGESCOPE" "$@" >out 2>err
	status=$?
	[ $status -eq 2 ] || complain "$*: status $status"
	grep -q "$what" err || complain "$*: $(cat err)"
}

# --- made-up accesses -------------------------------------------------------

# All of 128 MiB, at random: huge pages leave next to no walk
"$PAGESCOPE" advise huge-pages generate:uniform,n=300k,pages=32768 \
	--ranges ranges -o r.json || complain "uniform: failed"
[ "$(verdict huge-pages)" = yes ] || complain "uniform: $(verdict huge-pages)"
[ "$(column huge.mappings 1)" = '[anon]' ] || complain "uniform: mappings"
# touched and bloat are all of the mapping
[ $(($(column huge.mappings 3,4 | tr , +) + 0)) -eq $((32768 * 4096)) ] ||
	complain "uniform: touched and bloat: $(column huge.mappings 3,4)"
awk '!/^#/ { n++; bytes += $3; bad += $4 != "hugepage" || $5 != 0 }
	END { exit n != 1 || bytes != 32768 * 4096 || bad }' ranges ||
	complain "uniform: ranges: $(cat ranges)"
# walks of all regions are walks of the machine
"$PAGESCOPE" report --format csv --table regions.2m -m default r.json |
	awk -F, 'NR > 1 { walks += $9; cycles += $10 } END { print walks, cycles }' >sums
read -r walks cycles <sums
[ "$walks" = "$("$PAGESCOPE" report -m default --get walk.count r.json)" ] ||
	complain "regions: $walks walks, not all"
[ "$cycles" = "$("$PAGESCOPE" report -m default --get walk.cycles r.json)" ] ||
	complain "regions: $cycles cycles, not all"

# A runtime narrows: the intervals are inside each other
"$PAGESCOPE" advise r.json --runtime 10s -o long.json huge-pages 2>/dev/null &&
	complain "a topic behind the result was taken"
"$PAGESCOPE" advise huge-pages r.json --runtime 1s -o timed.json ||
	complain "judged again: failed"
[ "$(get runtime.ns timed.json)" = 1000000000 ] || complain "runtime.ns"

# What every TLB holds
"$PAGESCOPE" advise huge-pages tlb generate:uniform,n=3M,pages=16 -o r.json ||
	complain "small: failed"
[ "$(verdict huge-pages)" = no ] || complain "small: $(verdict huge-pages)"
[ "$(verdict tlb)" = no ] || complain "small: tlb: $(verdict tlb)"

# All topics in one decoding, as a text and as a document that says the same
"$PAGESCOPE" advise generate:zipf,n=200k,pages=8192 -o all.json ||
	complain "all: failed"
"$PAGESCOPE" advise generate:zipf,n=200k,pages=8192 >text || complain "all: failed"
"$PAGESCOPE" advise all.json >again || complain "again: failed"
diff text again >/dev/null || complain "judged again, it says something else"
[ "$(grep -cE '\?  (yes|no|can.t tell)$' text)" -eq 5 ] ||
	complain "not five verdicts: $(cat text)"
"$PAGESCOPE" advise -j 0 generate:zipf,n=200k,pages=8192 -o serial.json
sed 's/"-j", "0", //' serial.json | cmp -s - all.json || complain "-j 0 differs"

# A result of a single machine has no verdict, and says what has
"$PAGESCOPE" replay generate:uniform,n=1k -o one.json
"$PAGESCOPE" advise huge-pages one.json >text || complain "one machine: failed"
[ "$(grep -cE "can't tell|advise huge-pages TRACE" text)" -eq 2 ] ||
	complain "one machine: $(cat text)"

refused 'did you mean "huge-pages"' advise huge-page generate:uniform,n=1k
refused 'of which trace' advise
refused 'of which trace' advise memory

# --- programs ---------------------------------------------------------------

if ! "$PAGESCOPE" check 2>/dev/null | grep -q '^  cache  *yes'; then
	echo "no engine cache here: programs are left out"
	exit $failed
fi

# program VERDICT MODE MIB ROUNDS
program()
{
	local want=$1 got
	shift
	"$PAGESCOPE" record -o t.pst -- "$target" "$@" >/dev/null 2>err ||
		complain "record $*: $(cat err)"
	"$PAGESCOPE" advise huge-pages t.pst -o r.json 2>err ||
		complain "advise $*: $(cat err)"
	got=$(verdict huge-pages)
	[ "$got" = "$want" ] || {
		complain "$*: $got, not $want"
		"$PAGESCOPE" advise huge-pages r.json
	}
}

program yes random 64 1
program yes chase 64 1
program no small 8 8
program no sparse 256 2000
[ "$(get huge.bloat.bytes)" -gt $((200 << 20)) ] ||
	complain "sparse: bloat $(get huge.bloat.bytes)"
column huge.ranges 5 | grep -qx nohugepage || complain "sparse: no range"
program no maps 128 1
exit $failed
