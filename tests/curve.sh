#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Memory curves and what is advised from them, as a user gets them: published
# counts, laws, closed forms, the honest no, and what is refused.
set -u
: "${PAGESCOPE:?}"
source=$(cd "${srcdir:-.}" && pwd)
data=$source/../shared/data
golden=$source/tests/golden/curve.txt
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

is()
{
	[ "$(get "$1")" = "$2" ] || complain "$1: $(get "$1"), not $2"
}

# misses POLICY: at all sizes, on one line
misses()
{
	"$PAGESCOPE" report --format csv --table curve r.json |
		awk -F, -v policy="$1" '$1 == policy { printf "%s%s", n++ ? " " : "", $4 }'
}

misses_are()
{
	[ "$(misses "$1")" = "$2" ] || complain "$1: $(misses "$1"), not $2"
}

# --- published counts -------------------------------------------------------

# Belady's string and the textbook's, one page number a line
blocks=(--from csv --set csv.unit=4096)
printf '%s\n' 1 2 3 4 1 2 5 1 2 3 4 5 >belady.csv
curve "${blocks[@]}" belady.csv --policy lru,fifo,clock,opt --sizes 3p,4p,5p
misses_are lru '10 8 5'
misses_are fifo '9 10 5'
misses_are opt '7 6 5'
curve "${blocks[@]}" belady.csv --policy clock --sizes 3p
misses_are clock 9
printf '%s\n' 7 0 1 2 0 3 0 4 2 3 0 3 2 1 2 0 1 7 0 1 >textbook.csv
curve "${blocks[@]}" textbook.csv --policy lru,fifo,opt --sizes 2p..4p+1p
misses_are lru '17 12 8'
misses_are fifo '15 15 10'
misses_are opt '13 9 8'
curve "${blocks[@]}" textbook.csv --policy clock --sizes 12K
misses_are clock 14
# the same as loads with gaps
awk '{ printf "l 0x%x000 1\n", $1 }' textbook.csv >textbook.txt
curve --from lsgap textbook.txt --policy lru,fifo,opt --sizes 3p
[ "$(misses lru) $(misses fifo) $(misses opt)" = '12 15 9' ] || complain "lsgap differs"

published()
{
	local trace=$1 sizes=$2
	shift 2
	# a * marks a phase
	zcat "$data/lirs/$trace.gz" | grep -v '\*' >"$trace.csv"
	curve "${blocks[@]}" "$trace.csv" --policy lru,fifo,opt --sizes "$sizes" \
		--no-working-set
	misses_are lru "$1"
	misses_are fifo "$2"
	misses_are opt "$3"
}

if [ -f "$data/cloudphysics.csv.gz" ]; then
	disk=(--from csv --set csv.column=lbn "$data/cloudphysics.csv.gz")
	curve "${disk[@]}" --set csv.unit=4096 --policy lru,fifo,opt \
		--sizes 1p,2p,5p,20p,100p,1000p,10000p,40000p
	misses_are lru '111187 110525 108968 105561 100215 94823 79438 48994'
	misses_are fifo '111187 110577 109101 106033 101495 95520 79210 49142'
	misses_are opt '111187 108022 104743 99716 94010 87025 61843 48974'
	is accesses 113872
	is footprint.pages 48974
	is curve.cold 48974
	curve "${disk[@]}" --unit object --set csv.size-column=size --sizes '128M..1G +128M' \
		--policy lru,clock,fifo,opt,arc,s3fifo,lirs,slru --set reclaim.clock.loaded=no \
		--set reclaim.lirs.demote=yes --set reclaim.slru.segments=5
	misses_are lru '93374 89783 83572 81722 72494 72104 71972 71704'
	misses_are clock '93313 89775 83411 81328 74815 72283 71927 64456'
	misses_are fifo '93403 89386 84387 84025 72498 72228 72182 72140'
	misses_are opt '79256 70724 65481 61594 59645 57599 50873 48974'
	misses_are arc '90252 85861 78168 74297 67381 65685 64439 64772'
	misses_are s3fifo '89307 82387 77041 76791 71300 70343 70455 70355'
	misses_are lirs '89819 79237 73143 70363 68405 64494 58640 53924'
	misses_are slru '89624 86725 82781 80203 75388 65645 59035 56063'
else
	echo "published counts of cloudphysics are not tested: no $data"
fi
if [ -d "$data/lirs" ]; then
	published 2_pools 100p,450p '78054 49726' '80621 58480' '49361 37956'
	published cpp 50p,100p '8209 2740' '8078 4086' '3369 1582'
	published cs 500p,1000p '6657 6657' '6657 6657' '4657 2657'
	published gli 1000p,2000p '5341 2562' '5345 3134' '2819 2529'
	published loop 256p,512p,1000p '505500 505500 505500' '505500 505500 505500' \
		'378000 250012 6500'
fi

# --- laws and closed forms ---------------------------------------------------

# LRU never misses more with more memory, OPT is below all, all end at the
# cold misses; any number of threads gives the same bytes
mix=generate:mix,n=300K,pages=3000,seed=5
curve "$mix" --policy all --sizes '20 points' -j 3
cp r.json three.json
curve "$mix" --policy all --sizes '20 points' -j 0
cmp -s r.json three.json || complain "the number of threads changes the result"
"$PAGESCOPE" report --format csv --table curve r.json | awk -F, '
	NR == 1 { next }
	$1 == "opt" { opt[$3] = $4 }
	{ row[NR] = $1 " " $3 " " $4; most[$1] = $3; last[$1] = $4 }
	$1 == "lru" && n++ && $4 > before { print "lru misses more with " $3 " pages" }
	{ before = $4 }
	END {
		for (i in row) {
			split(row[i], of)
			if (of[3] < opt[of[2]]) print of[1] " misses less than opt at " of[2]
		}
		for (p in last)
			if (p != "ws" && p != "pff" && last[p] != last["opt"])
				print p " ends at " last[p]
	}' >said
[ -s said ] && complain "$(cat said)"
# one pass and a simulation at each size agree, with what is written back: as
# objects all of one size, LRU is simulated
awk 'BEGIN { srand(4); for (i = 0; i < 20000; i++) print int(rand() * rand() * 700) "," (rand() < 0.3 ? "w" : "r") }' \
	>random.csv
columns=(--from csv --set csv.column=1 --set csv.kind-column=2)
curve "${columns[@]}" --set csv.unit=4096 random.csv --sizes 1p..512p
"$PAGESCOPE" report --format csv --table curve r.json | cut -d, -f4,6 >one-pass
curve "${columns[@]}" --unit object random.csv --sizes 1B..512B
"$PAGESCOPE" report --format csv --table curve r.json | cut -d, -f4,6 >simulated
cmp one-pass simulated || complain "LRU in one pass and simulated differ"
[ "$(cut -d, -f2 one-pass | sort -n | tail -1)" -gt 1000 ] || complain "nothing is written back"

# Uniform over N pages: 1 - C/N misses; the working set of T is N (1 - (1-1/N)^T)
curve generate:uniform,n=2M,pages=1000,seed=2 --sizes 100p,500p,900p
misses lru | awk '{ for (i = 1; i <= 3; i++) {
	x = $i / 2097152; y = 1 - (i == 1 ? 100 : i == 2 ? 500 : 900) / 1000
	if (x - y > 0.003 || y - x > 0.003) exit 1 } }' || complain "uniform: $(misses lru)"
"$PAGESCOPE" report --format csv --table working.set r.json | awk -F, '
	NR > 1 && $1 <= 20000 {
		want = 1000 * (1 - (1 - 1 / 1000) ^ $1); n++
		if ($2 / want > 1.01 || $2 / want < 0.99) { print "s(" $1 "): " $2 ", not " want; exit 1 }
	}
	END { exit !(n > 50) }' || complain "the working set of independent references"

# A cycle: all or nothing, and so many fit together
curve generate:sequential,n=1M,pages=1000,stride=4096,writes=1 --sizes 999p,1000p --memory 22M \
	--processes 8 --device nvme
misses_are lru '1048576 1000'
is memory.slowdown.1.bytes 4096000
is memory.slowdown.100.bytes 4096000
is thrash.processes.best 5
is thrash.processes.collapse 6
"$PAGESCOPE" report --get memory.knee.bytes r.json >out 2>&1
[ $? -eq 3 ] || complain "a cycle has a knee: $(cat out)"

# Alone: so many faults of 1 us beside 1 ns an access
curve generate:uniform,n=1M,pages=1000,seed=2 --device none --read-ns 1000
"$PAGESCOPE" report --format csv --table thrash r.json | awk -F, '
	NR > 1 { want = 1 + $2 * 1000 / 1048576; if ((want - $3) ^ 2 > 1e-6 || (1 / want - $4) ^ 2 > 1e-6) exit 1; n++ }
	END { exit n < 20 }' || complain "slowdown is not that of its faults"

# Lines and huge pages: 64 lines a page, 512 pages a huge one
curve generate:sequential,n=128K,pages=1024,stride=64 --unit line
is footprint.pages 65536
is footprint.bytes 4194304
curve generate:sequential,n=128K,pages=1024,stride=64 --unit 2m
is footprint.pages 2
# What is unmapped and mapped again is a new page, not a known one
curve generate:uniform,n=100K,pages=100
is curve.unit page

# --- advice ----------------------------------------------------------------

# advice WORDS TRACE OPTION...: it says so
advice()
{
	local words=$1
	shift
	"$PAGESCOPE" advise memory "$@" >out 2>err || complain "advise $*: $(cat err)"
	tr '\n' ' ' <out | tr -s ' ' | grep -qF -- "$words" ||
		complain "advise $*: no '$words' in: $(cat out)"
}
curve generate:hotscan,n=4M,pages=8192,hot=0.1,hot-share=0.9999,seed=3
"$PAGESCOPE" advise memory r.json >stored || complain "advise of a result fails"
grep -q 'at most 10 %' stored || grep -q 'all of its' stored || complain "no need: $(cat stored)"
before=0
for device in far zram nvme disk; do
	"$PAGESCOPE" advise memory r.json --device $device -o again.json ||
		complain "advise --device $device fails"
	ten=$("$PAGESCOPE" report --get memory.slowdown.10.bytes again.json)
	[ "$ten" -ge "$before" ] || complain "$device: $ten bytes are less than a faster device's"
	before=$ten
done
[ "$before" -gt 3000000 ] || complain "a disk is as good as far memory: $before bytes"
advice 'the device (disk)' r.json --device disk
advice 'A memory of' generate:sequential,n=1M,pages=1000,stride=4096,writes=1
advice 'Any amount of memory will do' generate:sequential,n=4000,pages=4000,stride=4096,writes=1
advice 'It does not matter' generate:uniform,n=1M,pages=50
advice 'No answer' generate:uniform,n=10000,pages=5000
printf '' >empty.txt
printf '==1== nothing\n' >none.txt
"$PAGESCOPE" import --from lackey none.txt -o none.pst 2>/dev/null &&
	advice 'No answer: the trace holds no access' none.pst
# new pages to the end: a lower bound
awk 'BEGIN { srand(1); for (i = 0; i < 200000; i++) print int(rand() * (i / 50 + 10)) }' >grows.csv
advice 'A lower bound' "${blocks[@]}" grows.csv

# --- what is refused: one line, and what would be right ---------------------

refused()
{
	local words=$1
	shift
	"$PAGESCOPE" "$@" >out 2>err </dev/null
	[ $? -eq 2 ] || complain "$*: status is not 2"
	[ "$(wc -l <err)" -eq 1 ] || complain "$*: not one line: $(cat err)"
	grep -qF -- "$words" err || complain "$*: no '$words' in: $(cat err)"
}
small=generate:uniform,n=1000,pages=10
refused 'did you mean "lru"' curve $small --policy lro
refused 'there are' curve $small --policy xyz
refused '300p is pages' curve $small --sizes 300
refused '0 bytes hold nothing' curve $small --sizes 0p
refused '0 has no unit' curve $small --sizes 0
refused 'one page is 4096' curve $small --sizes 100B
refused 'goes down' curve $small --sizes 1G..1M
refused 'no step' curve $small --sizes '1M..1G by 2'
refused 'objects have no pages' curve $small --unit object --sizes 3p
refused 'which trace' curve
refused 'one trace' curve a b
refused 'for foreign traces' curve --set csv.column=1 $small
refused 'unknown format "xyz"' curve --from xyz belady.csv
refused 'reclaim.clock' curve --set reclaim.clock.x=1 $small
refused 'cost no time' curve $small --device none
refused 'cost no time' advise memory $small --device none
refused '300B, 300K' curve $small --sizes 300
refused 'of which trace' advise
refused 'did you mean "memory"' advise memry $small
refused 'of which trace' advise memory
"$PAGESCOPE" replay $small --no-symbols -o replay.json
"$PAGESCOPE" advise memory replay.json 2>err
if [ $? -ne 125 ] || ! grep -q 'no memory curve' err; then
	complain "advise of a replay: $(cat err)"
fi
# a trace with a clock of its own: no working set is more than all pages
if "$PAGESCOPE" record -o clock.pst -- true 2>/dev/null; then
	curve clock.pst
	"$PAGESCOPE" report --format csv --table working.set r.json |
		awk -F, -v all="$(get footprint.bytes)" \
			'NR > 1 && $3 > all { bad = 1 } END { exit bad || NR < 2 }' ||
		complain "working sets beyond the footprint"
fi
# no access: no rows, but a result and a report that say so
if [ -f none.pst ]; then
	curve none.pst --policy lru,fifo
	is accesses 0
	is memory.verdict no-accesses
	"$PAGESCOPE" report r.json | grep -q 'No access' || complain "no report of no access"
fi

# --- reports and figures -----------------------------------------------------

"$PAGESCOPE" curve generate:hotscan,n=2M,pages=3000,hot=0.1,hot-share=0.999,seed=3 --policy lru,fifo,opt \
	--sizes '8 points' >report.txt || complain "no report"
if [ -n "${UPDATE_GOLDEN-}" ]; then
	cp report.txt "$golden"
else
	diff -u "$golden" report.txt || complain "the report differs from $golden"
fi
if command -v gnuplot >/dev/null; then
	curve generate:hotscan,n=2M,pages=3000,hot=0.1,hot-share=0.999,seed=3 --policy lru,fifo,opt --sizes '8 points'
	"$PAGESCOPE" plot r.json --kind memory,working-set,utilisation -o plots \
		--format pdf,png,svg,terminal >out 2>err || complain "plot: $(cat err)"
	[ -s err ] && complain "plot: $(cat err)"
	for kind in memory working-set utilisation; do
		for format in pdf png svg; do
			[ -s plots/$kind.$format ] || complain "no plots/$kind.$format"
		done
	done
	grep -q 'knee' plots/memory.gp || complain "the knee is not marked"
	"$PAGESCOPE" curve none.pst -o none.json
	"$PAGESCOPE" plot none.json --kind memory,working-set,utilisation -o plots --format svg \
		>out 2>err
	[ $? -eq 3 ] || complain "plots of nothing: not status 3"
	[ "$(grep -c 'nothing to plot: no page was accessed' err)" -eq 3 ] ||
		complain "plots of nothing: $(cat err)"
else
	echo 'gnuplot is not installed: figures are not tested'
fi
exit $failed
