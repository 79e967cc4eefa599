#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Sweeps: each result is what replay writes by the command in it, byte for
# byte, at any -j and in groups of any size; shards and a sweep that was killed
# come to the same; what is no machine, failed or is missing is told.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
unset SLURM_ARRAY_TASK_ID SLURM_ARRAY_TASK_COUNT SLURM_ARRAY_TASK_MIN SLURM_ARRAY_TASK_STEP
failed=0

complain()
{
	echo "$*"
	failed=1
}

# refused STATUS TEXT ARGUMENT...: one line on stderr that says so
refused()
{
	local status=$1 text=$2 got
	shift 2
	"$PAGESCOPE" sweep "$@" >out 2>err
	got=$?
	[ $got -eq "$status" ] || complain "$*: status $got, not $status"
	[ "$(wc -l <err)" -eq 1 ] || complain "$*: not one line: $(cat err)"
	grep -qF -- "$text" err || complain "$*: no '$text' in: $(cat err)"
}

# alone DIRECTORY: each result by its own command
alone()
{
	local result words directory=$1 most=$2 n=0
	for result in "$directory"/results/*.json; do
		words=$(sed -n 's/^    "command": \["pagescope", \(.*\)\],$/\1/p' "$result")
		eval "set -- ${words//\", \"/\" \"}"
		"$PAGESCOPE" "$@" -j 0 -o alone.json || complain "$*: failed"
		cmp -s alone.json "$result" ||
			complain "$result: is not that of $*: $(diff alone.json "$result" | head -n 4)"
		n=$((n + 1))
	done
	[ $n -eq "$most" ] || complain "$directory: $n results, not $most"
}

# same A B: their results and documents are
same()
{
	diff -r "$1/results" "$2/results" >differs || complain "$1, $2: $(head -n 3 differs)"
	cmp "$1/sweep.json" "$2/sweep.json" || complain "$1, $2: merged documents differ"
}

"$PAGESCOPE" import generate:mix,n=20K,pages=6000,seed=5 -o mix.pst || complain 'no trace'
"$PAGESCOPE" import generate:zipf,n=20K,pages=5000,seed=6 -o zipf.pst || complain 'no trace'
axes=(-P tlb.l2.entries 768..3072 x2 -L table.kind 'radix,hashed'
	-L 'pages.policy=4k,2m' -P tlb.l2.ways '12,7')
how=(mix.pst zipf.pst --cpu skylake-sp --set memory.size=1G --seed 3)

# Words and options in any order; ways of 7 are no machine
"$PAGESCOPE" sweep "${how[@]}" "${axes[@]}" -o all >out || complain "sweep: status $?"
grep -q '48 points, 24 of them no machine' out || complain "not told: $(cat out)"
grep -q 'no machine: .*tlb.l2.ways: 7' out || complain "no reason: $(cat out)"
alone all 24
for how_many in '-j 0 --group 1' '-j 1 --group 5' '-j 3' '--room 1M'; do
	# shellcheck disable=SC2086
	"$PAGESCOPE" sweep "${axes[@]}" $how_many "${how[@]}" -o other >out || complain "$how_many: failed"
	same all other
	rm -r other
done

# The document: a row a point, with what each result says
[ "$("$PAGESCOPE" report --get sweep.done all/sweep.json)" = 24 ] || complain 'not 24 done'
"$PAGESCOPE" report --format csv --table sweep all/sweep.json >points.csv
[ "$(wc -l <points.csv)" -eq 49 ] || complain "csv: $(wc -l <points.csv) lines"
column=$(head -n 1 points.csv | tr , '\n' | grep -nx walk.count | cut -d: -f 1)
while IFS=, read -r -a cell; do
	[ "${cell[2]}" = "done" ] || continue
	[ "${cell[$((column - 1))]}" = "$("$PAGESCOPE" report --get walk.count "all/results/${cell[1]}.json")" ] ||
		complain "csv: not the walks of ${cell[1]}"
	[ "${cell[5]}" = "$("$PAGESCOPE" report --get tlb.l2.entries "all/results/${cell[1]}.json")" ] ||
		complain "csv: not the entries of ${cell[1]}"
done < <(sed 's/"[^"]*"/quoted/g' points.csv)
grep -q ',invalid,' points.csv || complain 'csv: no invalid points'
"$PAGESCOPE" report all/sweep.json >text || complain 'no report'
for said in 'Least translation.cycles' 'Each parameter' 'Points, the least first' \
	'Points without a result' 'tlb.l2.ways: 7'; do
	grep -qF "$said" text || complain "report: does not say '$said'"
done

# In steps, from elsewhere, in shards
"$PAGESCOPE" sweep plan "${how[@]}" "${axes[@]}" -o steps >out || complain 'plan: failed'
grep -q '^about ' out || complain "plan: no estimate: $(cat out)"
"$PAGESCOPE" sweep merge steps >out 2>err && complain 'merge: took nothing for all'
"$PAGESCOPE" report steps/plan.json >text || complain 'no report of a plan'
mkdir elsewhere
for i in 1 3; do
	(cd elsewhere && "$PAGESCOPE" sweep run ../steps --shard $i/3 >out) || complain "shard $i: failed"
done
"$PAGESCOPE" sweep merge steps >out 2>err && complain 'merge: took a partial one'
[ "$(grep -c 'missing: point' err)" -eq 8 ] || complain "merge: names not 8: $(cat err)"
"$PAGESCOPE" sweep merge steps --partial -o partial.json
[ $? -eq 3 ] || complain 'merge --partial: not status 3'
grep -q '"partial": "8 of 24 results are missing"' partial.json || complain 'partial: not marked'
grep -q '"missing", "it was not run"' partial.json || complain 'partial: no missing rows'
SLURM_ARRAY_TASK_ID=11 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=10 \
	"$PAGESCOPE" sweep run steps >out || complain 'shard by Slurm: failed'
grep -q '^8 points: 8 run' out || complain "shard by Slurm: $(cat out)"
"$PAGESCOPE" sweep merge steps >out || complain 'merge: failed'
same all steps
SLURM_ARRAY_TASK_ID=7 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_MIN=3 refused 2 \
	'SLURM_ARRAY_TASK_ID=7 is no shard of 2' run steps

# More values, by short names: only what is new is run
"$PAGESCOPE" sweep "${how[@]}" "${axes[@]:0:3}" -L table radix,hashed,cuckoo -L policy 4k,2m \
	-P tlb.l2.ways 12 -o steps >out || complain 'more: failed'
grep -q '36 points: 12 run, 24 were there' out || complain "more: $(cat out)"

# Killed at any time, it goes on
"$PAGESCOPE" import generate:mix,n=500K,pages=9000,seed=9 -o long.pst
slow=(long.pst -P machine.seed 1..12 +1 --group 2 -j 0)
"$PAGESCOPE" sweep "${slow[@]}" -o whole >out || complain 'long: failed'
for after in 0 2 4 8; do
	"$PAGESCOPE" sweep "${slow[@]}" -o killed >out 2>&1 &
	pid=$!
	for _ in $(seq 400); do
		[ "$(find killed/results -name '*.json' 2>/dev/null | wc -l)" -lt $((after + 1)) ] || break
		[ -d "/proc/$pid" ] || break
		sleep 0.01
	done
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
done
"$PAGESCOPE" sweep "${slow[@]}" -o killed >out || complain 'killed: does not go on'
grep -q '12 points: .* run, \([2-9]\|1[0-2]\) were there' out || complain "killed: all again: $(cat out)"
same whole killed

# One that is damaged is missing, and named; one of another point, too
hash=$(basename "$(find all/results -name '*.json' | sort | head -n 1)" .json)
head -c 1000 "all/results/$hash.json" >part && cp part "all/results/$hash.json"
"$PAGESCOPE" sweep merge all >out 2>err && complain 'damaged: was taken'
grep -q "missing: point .*$hash" err || complain "damaged: not named: $(cat err)"
cp "$(find steps/results -name '*.json' | sort | tail -n 1)" "all/results/$hash.json"
"$PAGESCOPE" sweep merge all >out 2>err && complain 'another: was taken'
grep -q 'is not of this point' err || complain "another: $(cat err)"

# One that fails while it runs does not end the others, and is not run again
"$PAGESCOPE" sweep zipf.pst -P memory.size 4M..1G x16 -j 1 -o some >out 2>err
[ $? -eq 3 ] || complain 'fails: not status 3'
grep -q '3 points: 3 run, 0 were there, 1 failed' out || complain "fails: $(cat out)"
grep -q 'failed, 1 point, the first with memory.size = 4194304: pages: no memory' out ||
	complain "fails: without its reason: $(cat out)"
alone some 2
"$PAGESCOPE" sweep run some | grep -q '3 points: 0 run, 3 were there' || complain 'fails: runs again'

# Stopped, it keeps what it has
"$PAGESCOPE" sweep plan "${slow[@]}" -o stopped >out
"$PAGESCOPE" sweep run stopped --group 1 -j 0 >out 2>err &
pid=$!
for _ in $(seq 400); do
	[ -z "$(find stopped/results -name '*.json')" ] || break
	sleep 0.01
done
kill -TERM $pid
wait $pid
[ $? -eq 3 ] || complain "stopped: not status 3: $(cat out err)"
grep -q 'the same command goes on' err || complain "stopped: not told: $(cat err)"

# A changed trace
cp zipf.pst mix.pst
rm all/results/*.json
refused 125 'has changed since it was planned' run all

# The same from a file, words laid over it
cat >sweep.cfg <<-END
	input = [ "zipf.pst" ];
	cpu = "zen4";
	set = [ "pages.policy=4k" ];
	parameter = [ "tlb.l1d.entries=48..96 +24", "memory=8M,64M" ];
END
"$PAGESCOPE" sweep --file sweep.cfg -L 'seed=1,2' --cpu zen5 --max-accesses 20K -o file >out ||
	complain 'file: failed'
grep -q '12 points' out || complain "file: $(cat out)"
alone file 12
grep -q '"--cpu", "zen5", "--set", "pages.policy=4k"' file/sweep.json || complain 'file: not laid over'

# Figures: lines of numbers, bars of words; seeds and traces are repetitions
if command -v gnuplot >/dev/null; then
	"$PAGESCOPE" plot steps/sweep.json --kind sweep --format png --figure walk.count -o plots >out 2>err ||
		complain "plot: $(cat out err)"
	[ "$(grep -vc '^#' plots/sweep.dat)" -eq 3 ] || complain "plot: not 3 values: $(cat plots/sweep.dat)"
	"$PAGESCOPE" report --format csv --table sweep steps/sweep.json >points.csv
	column=$(head -n 1 points.csv | tr , '\n' | grep -nx walk.count | cut -d: -f 1)
	want=$(awk -F, -v c="$column" '$6 == 768 && $7 == "radix" && $8 == "4k" && $3 == "done" {
		n++; s += $c; if (n == 1 || $c < l) l = $c; if (n == 1 || $c > m) m = $c }
		END { printf "768 %.9g %.9g %.9g", s / n, l, m }' points.csv)
	[ "$(sed -n '2s/^\([^ ]* [^ ]* [^ ]* [^ ]*\).*/\1/p' plots/sweep.dat)" = "$want" ] ||
		complain "plot: not $want: $(cat plots/sweep.dat)"
	"$PAGESCOPE" plot steps/sweep.json --kind sweep --format svg --x table.kind -o plots >out ||
		complain 'plot of words: failed'
	grep -q '^"cuckoo" ' plots/sweep.dat || complain "plot of words: $(cat plots/sweep.dat)"
	"$PAGESCOPE" plot steps/sweep.json --kind sweep-map --format pdf --figure walk.count -o plots >out ||
		complain 'map: failed'
	[ "$(grep -vc '^#' plots/sweep-map.dat)" -eq 9 ] || complain "map: not 3 by 3: $(cat plots/sweep-map.dat)"
	want=${want#* }
	[ "$(sed -n '2s/^0 0 //p' plots/sweep-map.dat)" = "${want%% *}" ] ||
		complain "map: not $want: $(cat plots/sweep-map.dat)"
	"$PAGESCOPE" plot steps/sweep.json --kind sweep --x nothing -o plots 2>err && complain 'plot: of nothing'
	grep -q 'nothing is no parameter of this sweep' err || complain "plot: $(cat err)"
fi

# What the words say wrong
refused 2 'did you mean "tlb.l2.entries"?' zipf.pst -P tlb.l2.entrees 1..2
refused 2 '"many" is not a whole number' zipf.pst -P tlb.l2.entries 512..many
refused 2 '"banana" is not one of' zipf.pst -L pages.policy 4k,banana
refused 2 '1024 to 512 goes down' zipf.pst -P tlb.l2.entries 1024..512
refused 2 '"x0.5" is no step' zipf.pst -P tlb.l2.entries 512..1024 x0.5
refused 2 'out of range' zipf.pst -P tlb.l2.entries 512..99999999999
refused 2 'which values?' zipf.pst -P tlb.l2.entries
refused 2 '512 is there twice' zipf.pst -P tlb.l2.entries 512,512
refused 2 'tlb.l2.ways: is there twice' zipf.pst -P tlb.l2.ways 4,8 -P tlb.l2.ways 2
refused 2 'more than 100000 points' zipf.pst -P seed 1..9999 +1 -P tlb.l2.entries 1..99 +1
refused 2 'nothing varies' zipf.pst
refused 2 'which trace?' -P tlb.l2.ways 4,8
refused 2 'hold the same trace' zipf.pst mix.pst
refused 2 'not one of 2 is a machine' zipf.pst -P tlb.l2.ways 7,11
refused 2 'did you mean "zen4"' zipf.pst --cpu zen44 -P tlb.l2.ways 4,8
refused 2 'I/N is needed' run steps --shard 4/3
refused 2 '--slurm or --parallel?' submit steps
refused 125 'makes it' run nowhere
exit $failed
