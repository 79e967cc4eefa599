#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What curves are made of, as a user gets them: pieces side by side, samples,
# TLBs of all shapes, and who makes the references.
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

curve()
{
	"$PAGESCOPE" curve -o r.json "$@" || complain "curve $*: failed"
}

get()
{
	"$PAGESCOPE" report --get "$1" r.json
}

table()
{
	"$PAGESCOPE" report --format csv --table "$1" "${2-r.json}"
}

mix=generate:mix,n=2M,pages=30000,seed=4

# --- pieces side by side ------------------------------------------------------

curve $mix --segments 0 -j 0
cp r.json whole.json
for how in '--segments 2 -j 1' '--segments 3 -j 0' '--segments 5 -j 4'; do
	# shellcheck disable=SC2086 # two options
	curve $mix $how
	cmp -s r.json whole.json || complain "$how: another result"
done

# --- samples --------------------------------------------------------------------

# a sample of all pages is the curve itself, but for write-backs
curve $mix --method shards --sample 100%
table curve whole.json | cut -d, -f2-4 >exact
table curve | cut -d, -f2-4 >sampled
cmp -s exact sampled || complain "a sample of all pages is not the curve: $(diff exact sampled | head -4)"
# what is counted is what it is
curve $mix --method shards --sample 5% --seed 3
for name in accesses curve.references curve.cold footprint.pages; do
	[ "$(get $name)" = "$("$PAGESCOPE" report --get $name whole.json)" ] ||
		complain "$name of a sample: $(get $name)"
done
get curve.sample.rate | awk '{ exit !($1 > 0.0499999 && $1 < 0.0500001) }' ||
	complain "the rate is $(get curve.sample.rate)"
# within its interval at nine sizes of ten, which is some use
held()
{
	table curve >sampled
	paste -d, exact <(cut -d, -f4,7,8 sampled) | awk -F, '
		NR > 1 { n++; held += $3 >= $5 && $3 <= $6; width += ($6 - $5) / 2097152 }
		END { exit !(n > 50 && held >= 0.9 * n && width < 0.6 * n) }' ||
		complain "$1: outside of its interval: $(paste -d, exact <(cut -d, -f4,7,8 sampled) | head -30)"
}
held shards
curve $mix --method shards --sample-size 2000 --seed 5
held 'shards of 2000 pages'
[ "$(get curve.sample.pages)" -le 2000 ] || complain "$(get curve.sample.pages) pages are in the sample"
curve $mix --method aet --sample 5% --seed 3
held aet

# --- TLBs of all shapes -----------------------------------------------------------

# the same TLB in a machine, where no page is the zero page first
shape()
{
	"$PAGESCOPE" replay $mix,writes=1 --no-symbols -o one.json --set pages.policy=4k \
		--set tlb.l1d.entries=$(($1 * $2)) --set tlb.l1d.ways="$2" ||
		complain "replay of $1 x $2"
	"$PAGESCOPE" report --get tlb.l1d.misses one.json
}
curve $mix,writes=1 --associativity --no-fetches
table associativity >shapes
[ "$(grep -c . shapes)" -eq $((11 * 16 + 1)) ] || complain "shapes: $(grep -c . shapes)"
for shape in '16 4' '1 16' '128 12' '64 1'; do
	read -r sets ways <<<"$shape"
	mine=$(awk -F, -v s="$sets" -v w="$ways" '$1 == s && $2 == w { print $5 }' shapes)
	theirs=$(shape "$sets" "$ways")
	[ "$mine" = "$theirs" ] || complain "$sets sets of $ways: $mine misses, a machine's $theirs"
done
# one set is LRU of so many pages (none of which is the zero page); more ways
# never miss more
curve $mix,writes=1 --associativity --sizes 1p..16p+1p
table curve | cut -d, -f4 | tail -n +2 >pages
table associativity | awk -F, '$1 == 1 { print $5 }' >one-set
cmp -s pages one-set || complain "one set is not the curve"
table associativity | awk -F, '
	$1 == sets && $5 > before { print $1 " sets of " $2 " miss more"; exit 1 }
	{ sets = $1; before = $5 }' || complain "more ways miss more"
curve $mix --associativity --unit line --sets 64 --ways 8
[ "$(table associativity | tail -1 | cut -d, -f1,2,4)" = 64,8,32768 ] ||
	complain "a cache of 32 KiB: $(table associativity | tail -1)"

# --- who makes the references ---------------------------------------------------------

# two threads in turn, in two processes; pages of 3 are for both
awk 'BEGIN { srand(2); for (i = 0; i < 60000; i++) {
	t = int(i / 700) % 3; p = rand() < 0.3 ? int(rand() * 200) : 1000 * (t + 1) + int(rand() * rand() * 800)
	print p "," t "," (t == 2) "," 4096 + 16 * int(rand() * 4) } }' >who.csv
columns=(--from csv --set csv.column=1 --set csv.unit=4096 --set csv.thread-column=2
	--set csv.space-column=3 --set csv.pc-column=4)
# at each size the parts sum up to the whole
sums()
{
	table curve | awk -F, '
		NR == 1 { next }
		$9 == "" { whole[$3] = $4; n++ }
		$9 != "" { sum[$3] += $4; parts[$9] }
		END {
			for (p in parts) k++
			for (i in whole) if (whole[i] != sum[i]) { print i " pages: " sum[i] ", not " whole[i]; bad = 1 }
			exit bad || n < 3 || k < '"$2"'
		}' || complain "by $1: parts are not the whole"
}
curve "${columns[@]}" who.csv --by thread
sums thread 3
curve "${columns[@]}" who.csv --by process --sizes 10p..2000p
sums process 2
curve "${columns[@]}" who.csv --by function --top 2
sums function 3
# alone, a thread has the curve of a trace that holds only its accesses
awk -F, '$2 == 1' who.csv >one.csv
sizes=(--sizes 1p..1000p --by thread --alone)
curve "${columns[@]}" who.csv "${sizes[@]}"
name=$(table curve.parts | awk -F, '/thread/ { print $1 }' | sort | sed -n 2p)
table curve | awk -F, -v name="$name" '$9 == name { print $3 "," $4 }' >alone
curve "${columns[@]}" one.csv "${sizes[@]}"
table curve | awk -F, '$9 == "" && NR > 1 { print $3 "," $4 }' >only
cmp -s alone only || complain "$name alone: $(diff alone only | head -4)"
[ -s only ] || complain "no curve of one thread"
if "$PAGESCOPE" record -o true.pst -- sh -c 'true; echo | sort' >/dev/null 2>&1; then
	for by in mapping function process; do
		curve true.pst --by $by
		sums $by 2
	done
	table curve.parts | grep -q process || complain "no process: $(table curve.parts)"
	curve true.pst --by mapping
	table curve.parts | grep -q 'libc' || complain "no libc among mappings: $(table curve.parts)"
	curve true.pst --by mapping --unit 2m
	curve true.pst --by function --unit line --top 3
	[ "$(table curve | cut -d, -f9 | sort -u | grep -c .)" -eq 5 ] ||
		complain "three functions and others: $(table curve | cut -d, -f9 | sort -u)"
else
	echo 'no recording here: functions and mappings of a program are not tested'
fi

# --- what is refused -------------------------------------------------------------------

refused()
{
	local words=$1
	shift
	"$PAGESCOPE" curve "$@" >out 2>err </dev/null
	[ $? -eq 2 ] || complain "$*: status is not 2"
	[ "$(wc -l <err)" -eq 1 ] || complain "$*: not one line: $(cat err)"
	grep -qF -- "$words" err || complain "$*: no '$words' in: $(cat err)"
}
small=generate:uniform,n=1000,pages=10
refused 'add --method shards' $small --sample 1%
refused 'add --method shards' $small --sample-size 1000
refused 'is no share' $small --method shards --sample 1
refused 'is no share' $small --method shards --sample 101%
refused 'a fixed share or a fixed size' $small --method shards --sample 1% --sample-size 1000
refused 'tell nothing' $small --method shards --sample-size 10
refused 'estimates LRU only' $small --method aet --policy fifo
refused 'objects are not sampled' $small --method aet --unit object
refused '--method exact tells who' $small --method shards --by thread
refused 'in no page and no set' $small --unit object --associativity
refused 'who? add --by thread' $small --alone
refused 'functions run in one memory' $small --by function --alone
refused 'no power of two' $small --associativity --sets 100
refused 'known only at the end' $small --by thread --sizes '5 points'

# --- reports and figures ------------------------------------------------------------------

"$PAGESCOPE" curve $mix --method shards >report || complain "no report of a sample"
grep -q 'Estimated from 1' report || complain "the report does not say of what: $(head -9 report)"
grep -q '95 % interval' report || complain "the report has no interval"
"$PAGESCOPE" curve "${columns[@]}" who.csv --by thread --associativity >report
grep -q 'sets' report || complain "the report has no shapes"
grep -q 'thread 1' report || complain "the report has no threads"
if command -v gnuplot >/dev/null; then
	curve "${columns[@]}" who.csv --by thread
	"$PAGESCOPE" plot r.json --kind memory -o plots --format svg >out 2>err || complain "plot: $(cat err)"
	grep -q 'thread 1' plots/memory.gp || complain "threads are not in the legend"
	curve $mix --method shards --sample 5%
	"$PAGESCOPE" plot r.json --kind memory -o plots --format svg >out 2>err || complain "plot: $(cat err)"
else
	echo 'gnuplot is not installed: figures are not tested'
fi
exit $failed
