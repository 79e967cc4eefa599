#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The plot verb: each figure in each format, fonts inside, scripts that run
# again, nothing to plot, names that try to be commands.
set -u
: "${PAGESCOPE:?}"
make_result=${PAGESCOPE%/*}/tests/make-result
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0
kinds='faults footprint heatmap latency misses residency'

complain()
{
	echo "$*"
	failed=1
}

# expect STATUS STDERR-PATTERN ARGUMENT...
expect()
{
	local status=$1 err=$2 got
	shift 2
	"$PAGESCOPE" plot "$@" >"$dir/out" 2>"$dir/err" </dev/null
	got=$?
	[ $got -eq "$status" ] || {
		complain "plot $*: status $got, not $status"
		cat "$dir/err"
	}
	if [ -z "$err" ]; then
		[ ! -s "$dir/err" ] || complain "plot $*: $(cat "$dir/err")"
	else
		grep -qe "$err" "$dir/err" ||
			complain "plot $*: no \"$err\": $(cat "$dir/err")"
	fi
}

for kind in full quiet empty blind bare machines; do
	"$make_result" $kind "$dir/$kind.json" || exit 99
done

# What needs no gnuplot
expect 2 'format: no "pfd"; did you mean "pdf"?$' --format pfd "$dir/full.json"
expect 2 'kind: no "mises"; did you mean "misses"?$' --kind mises "$dir/full.json"
expect 125 'not JSON' -o "$dir/p" /dev/null
expect 125 'cannot run nowhere-gnuplot' --gnuplot nowhere-gnuplot -o "$dir/p" "$dir/full.json"
for file in cdf.gp cdf.dat; do
	[ -s "$dir/p/$file" ] || complain "without gnuplot: $file is not kept"
done
expect 3 'misses: nothing to plot: no TLB lookup missed$' -o "$dir/q" "$dir/quiet.json"
grep -q 'latency: nothing to plot: no page walk' "$dir/err" || complain "quiet: $(cat "$dir/err")"
grep -q 'faults: nothing' "$dir/err" && complain 'quiet: said of what this result has no table for'
[ -z "$(ls "$dir/q")" ] || complain "quiet: left $(ls "$dir/q")"
expect 3 'nothing to plot' -o "$dir/q" "$dir/bare.json"
expect 125 'Not a directory' -o /dev/null/x "$dir/full.json"

# What is not known is said to be so: blind has walks and faults, but no tables
expect 3 'nothing to plot: this result has no table "walk.latency"$' \
	--kind latency -o "$dir/q" "$dir/blind.json"
expect 3 'nothing to plot: this result has no table "faults.time"$' \
	--kind faults -o "$dir/q" "$dir/blind.json"
expect 3 'nothing to plot: this result has no TLB misses$' \
	--kind misses -o "$dir/q" "$dir/bare.json"

command -v gnuplot >/dev/null || {
	echo 'gnuplot is not installed: figures are not tested'
	exit $((failed ? 1 : 77))
}

out=$dir/a/b
several='cdf colours levels numa reach tables'
# Kinds and formats may be asked for one by one
expect 0 '' -o "$dir/each" --format png --format svg --kind misses --kind latency "$dir/full.json"
for file in misses latency; do
	[ -s "$dir/each/$file.png" ] || complain "one by one: no $file.png"
	[ -s "$dir/each/$file.svg" ] || complain "one by one: no $file.svg"
done
expect 0 '' -o "$out" --format pdf,png,svg --kind "${kinds// /,}" "$dir/full.json"
cp "$dir/out" "$dir/listed"
# Several machines in one figure: what draws them is drawn, the rest left out
expect 0 '' -o "$out" --format pdf,png,svg "$dir/machines.json"
[ "$(grep -c 'gp$' "$dir/out")" -eq 6 ] || complain "machines: $(cat "$dir/out")"
cat "$dir/listed" >>"$dir/out"
for kind in $kinds $several; do
	for format in pdf png svg gp; do
		grep -qx "$out/$kind.$format" "$dir/out" || complain "$kind.$format: not listed"
	done
	[ "$(head -c 5 "$out/$kind.pdf")" = %PDF- ] || complain "$kind.pdf: no PDF"
	[ "$(head -c 4 "$out/$kind.png" | tail -c 3)" = PNG ] || complain "$kind.png: no PNG"
	grep -q '</svg>' "$out/$kind.svg" || complain "$kind.svg: not whole"
	# a blank page of this size has a fifth of it
	[ "$(wc -c <"$out/$kind.png")" -gt 20000 ] || complain "$kind.png: hardly anything in it"
	grep -q "gzip on \(skylake-sp\|3 machines\)" "$out/$kind.svg" || complain "$kind.svg: no title"
done
for kind in cdf levels numa reach tables; do
	for name in radix hashed nested:table; do
		grep -q "$name" "$out/$kind.svg" || complain "$kind.svg: $name is not in it"
	done
done
# Figures of one machine, and the machines one by one
expect 3 'latency: is of one machine: --machine says which$' --kind latency -o "$dir/m" \
	"$dir/machines.json"
expect 0 '' --kind latency,levels,cdf --format svg -m hashed -o "$dir/m" "$dir/machines.json"
grep -q 'gzip on hashed' "$dir/m/cdf.svg" || complain 'one of the machines: no title'
expect 3 'no table "numa.nodes"$' --kind numa -m nested:table.guest=radix -o "$dir/m" "$dir/machines.json"
# A walk reads 1.085 entries, a quarter of the walks' are remote, a TLB covers
# 64 pages, tables end at 820 KiB, and an even spread is 1
awk '$1 == "\"radix\"" && !seen++ { if ($3 + $4 + $5 + $6 < 1.0849 || $3 + $4 + $5 + $6 > 1.0851) exit 1 }' \
	"$out/levels.dat" || complain "levels.dat: $(head -n 2 "$out/levels.dat")"
grep -q '^"hashed" 74.9.* 24.9999$' "$out/numa.dat" || complain "numa.dat: $(cat "$out/numa.dat")"
grep -qx '"l1d-1g" 4294967296 4294967296 NaN' "$out/reach.dat" || complain "reach.dat: $(cat "$out/reach.dat")"
grep -qx '812345678 835584' "$out/tables.dat" || complain "tables.dat: $(tail -n 1 "$out/tables.dat")"
[ "$(awk '$2 == 11 { sum += $3; n++ } END { printf "%d %.2f", n, sum }' "$out/colours.dat")" = '64 64.00' ] ||
	complain 'colours.dat: the mean is not 1'
grep -q '100$' "$out/cdf.dat" || complain 'cdf.dat: does not end at 100 %'

if command -v pdffonts >/dev/null; then
	for kind in $kinds $several; do
		pdffonts "$out/$kind.pdf" | awk 'NR > 2 { n++; if ($(NF - 4) != "yes") bad++ }
			END { exit !n || bad }' || complain "$kind.pdf: a font is not embedded"
	done
else
	echo 'pdffonts is not installed: embedded fonts are not tested'
fi

# Tics of one axis that read the same: gnuplot's %.0s%c made 1M of 1.2M
grep -h "^[[:space:]]*set [xy2]*tics ('" "$out"/*.gp >"$dir/tics"
[ "$(wc -l <"$dir/tics")" -ge 4 ] || complain 'hardly any axis has tics of ours'
while IFS= read -r line; do
	[ -z "$(printf '%s\n' "$line" | grep -o "'[^']*'" | sort | uniq -d)" ] ||
		complain "two tics with one label: $line"
done <"$dir/tics"

# A trace of five accesses: one column of the map, bars as wide as an access, a
# mark at the right edge.  gnuplot draws no image of one column, halves whole
# numbers down, and lets texts run out of the picture.
printf 'I  04001000,3\n L 1ffeffe7e8,8\n S 1ffeffe7e0,8\nI  04001003,5\n M 0421c7cc,4\n' >"$dir/few"
"$PAGESCOPE" replay "$dir/few" -o "$dir/few.json" || complain 'few: no replay'
# (of all kinds nothing is said of those that the result has no table for)
expect 0 '' -o "$dir/few.plots" --format png,svg "$dir/few.json"
[ "$(awk '!/^#/ { print $1 }' "$dir/few.plots/heatmap.dat" | sort -u | wc -l)" -eq 2 ] ||
	complain 'few: an image of one column'
[ "$(wc -c <"$dir/few.plots/heatmap.png")" -gt 18000 ] || complain 'few: an empty map'
grep -q 'width/2\.)' "$dir/few.plots/faults.gp" || complain 'few: bars are not in the middle'
grep -q '99 % at most.* right front' "$dir/few.plots/latency.gp" || complain 'few: a text leaves the picture'
grep -q 'TLB misses, few on default' "$dir/few.plots/misses.svg" ||
	complain 'few: no title'

# The colours reach as far as the counts, of which there are more than rows
"$PAGESCOPE" replay generate:uniform,n=300K,pages=4096 -o "$dir/uniform.json"
expect 0 '' -o "$dir/uniform" --format svg --kind heatmap "$dir/uniform.json"
awk '/^stats/ { seen = 1 } /^set yrange/ { exit !seen }' "$dir/uniform/heatmap.gp" ||
	complain 'heatmap: the counts are cut to the range of rows'
[ "$(grep '^set ytics' "$dir/uniform/heatmap.gp" | grep -o "'0x" | wc -l)" -ge 4 ] ||
	complain 'heatmap: a long run has no tics'

# The scripts run again by themselves, elsewhere too
mkdir "$dir/again" && cp "$out"/*.gp "$out"/*.dat "$dir/again"
for kind in $kinds $several; do
	(cd "$dir/again" && gnuplot "$kind.gp") 2>"$dir/err" || complain "$kind.gp: does not run again"
	[ ! -s "$dir/err" ] || complain "$kind.gp: $(cat "$dir/err")"
	cmp "$out/$kind.png" "$dir/again/$kind.png" || complain "$kind.gp: another picture"
done

expect 0 '' --kind misses -o "$dir/b" --format svg "$dir/blind.json"
grep -qx '"L2 TLB" NaN NaN' "$dir/b/misses.dat" || complain 'blind: an unknown level is not NaN'

# Misses by ways: each line's last point is the table's
"$PAGESCOPE" curve generate:zipf,n=20K,pages=900 --associativity -o "$dir/ways.json" || complain 'no curve'
expect 0 '' --kind associativity -o "$dir/ways" --format svg "$dir/ways.json"
"$PAGESCOPE" report --format csv --table associativity "$dir/ways.json" |
	awk -F, '$2 == 4 { n = $3; ratio = 100 * $6 } END { printf "%d %.5g\n", n, ratio }' >"$dir/want"
awk '/^# of 4 ways/ { on = 1 } /^$/ { on = 0 } on && NF == 2 { printf "%d %.5g\n", $1, $2 }' \
	"$dir/ways/associativity.dat" | tail -n 1 | diff - "$dir/want" || complain 'associativity: other data'
[ "$(grep -c '^# of ' "$dir/ways/associativity.dat")" -ge 4 ] || complain 'associativity: hardly a line'
# Events over time: the areas below the lines are the counts
if "$PAGESCOPE" stat -I 20 -e minor-faults,context-switches -o "$dir/stat.json" -- sh -c 'sleep 0.05; sleep 0.05' &&
	"$PAGESCOPE" report --get counter.minor-faults "$dir/stat.json" >"$dir/want" 2>/dev/null; then
	expect 0 '' --kind intervals -o "$dir/stat" --format svg "$dir/stat.json"
	awk '/^$/ { exit } /^#/ { next } seen && last != "NaN" { sum += ($1 - at) * last }
		{ at = $1; last = $2; seen = 1 } END { printf "%.0f\n", sum }' "$dir/stat/intervals.dat" |
		diff - "$dir/want" || complain 'intervals: the area is not the count'
	grep -q 'minor-faults' "$dir/stat/intervals.svg" || complain 'intervals: no name'
fi

# On the terminal, with nothing left behind
(cd "$dir" && "$PAGESCOPE" plot --format terminal --kind misses,latency full.json) >"$dir/out" ||
	complain 'terminal: failed'
grep -q 'TLB misses, gzip on skylake-sp' "$dir/out" || complain 'terminal: no title'
[ "$(awk 'length > 80' "$dir/out" | wc -l)" -eq 0 ] || complain 'terminal: too wide'
grep -q 'upwards: misses per 1,000 accesses' "$dir/out" || complain 'terminal: no unit'
grep -q ' median [0-9]*; mean [0-9.]*; 99 % at most' "$dir/out" || complain 'terminal: no median'
[ ! -e "$dir/plots" ] || complain 'terminal: left a directory'

# A document must not make gnuplot run what its names say
evil="x'.system('touch $dir/hit1').'\`touch $dir/hit2\`\"; ! touch $dir/hit3"
sed "s,\"machine\": \"skylake-sp\",\"machine\": \"$(printf %s "$evil" | sed 's/[\\"&,]/\\&/g; s/\\"/\\\\"/g')\"," \
	"$dir/full.json" >"$dir/evil.json"
sed "s,\"name\": \"hashed\",\"name\": \"$(printf %s "$evil" | sed 's/[\\"&,]/\\&/g; s/\\"/\\\\"/g')\"," \
	"$dir/machines.json" >"$dir/evils.json"
grep -q 'touch' "$dir/evils.json" || complain 'the evil machine is tame'
expect 0 '' -o "$dir/evil" --format svg,terminal "$dir/evils.json"
grep -q 'touch' "$dir/evil.json" || complain 'the evil document is tame'
expect 0 '' -o "$dir/evil" --format svg --kind misses "$dir/evil.json"
ls "$dir"/hit* 2>/dev/null && complain 'a name was run as a command'
exit $failed
