#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pagescope export: what import reads of it again is the same trace, as far as
# the format can hold it; packed output, statuses and messages.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
samples=${srcdir:-.}/traces/samples
failed=0

complain()
{
	echo "$*"
	failed=1
}

# status, then the command
gives()
{
	local want=$1 got
	shift
	"$@" >"$dir/out" 2>"$dir/err"
	got=$?
	[ $got -eq "$want" ] || {
		complain "\"${*:2}\": status $got, not $want"
		cat "$dir/err"
	}
}

says()
{
	grep -qF -- "$1" "$dir/err" || complain "not said: $1; but: $(cat "$dir/err")"
}

digest()
{
	"$PAGESCOPE" verify "$1" | sed 's/.*digest//'
}

# kind,address,size,pc of each access
table()
{
	"$PAGESCOPE" dump --format csv "$1" | sed '1d' | cut -d, -f3-6
}

# What of a table each format holds.  A modify is two accesses to some; a
# request is of a page.
# shellcheck disable=SC2016
halves='$1 == "modify" { $1 = "load"; print; $1 = "store" } { print }'
holds()
{
	case $1 in
	lackey | csv | champsim) cat ;;
	xdin) awk -F, -v OFS=, "$halves" | cut -d, -f1-3 ;;
	din) awk -F, -v OFS=, "$halves" | cut -d, -f1-2 ;;
	oracle) awk -F, '{ print int($2 / 4096) }' ;;
	esac
}

# Round trips: the format named and recognised, plain and packed.  ChampSim's
# own records are what ChampSim's format can hold.
"$PAGESCOPE" import "$samples/lackey.txt" -o "$dir/text.pst" || failed=1
"$PAGESCOPE" import "$samples/instructions.champsim.xz" -o "$dir/records.pst" || failed=1
for format in lackey xdin din csv champsim oracle; do
	trace=$dir/text.pst
	[ $format = champsim ] && trace=$dir/records.pst
	table "$trace" | holds $format >"$dir/want"
	for ending in '' .gz .xz .zst; do
		out=$dir/$format$ending
		gives 0 "$PAGESCOPE" export --to $format "$trace" -o "$out"
		for from in $format auto; do
			gives 0 "$PAGESCOPE" import --from "$from" "$out" -o "$dir/back.pst"
			table "$dir/back.pst" | holds $format >"$dir/got"
			cmp -s "$dir/want" "$dir/got" || {
				complain "$format$ending from $from: another trace comes back"
				diff "$dir/want" "$dir/got" | head -n 5
			}
			case $format in
			lackey | csv | champsim)
				[ "$(digest "$dir/back.pst")" = "$(digest "$trace")" ] ||
					complain "$format$ending from $from: another digest"
				;;
			esac
		done
		# and out again: the same bytes
		gives 0 "$PAGESCOPE" export --to $format "$dir/back.pst" -o "$dir/again$ending"
		cmp -s "$out" "$dir/again$ending" || complain "$format$ending: exported again, other bytes"
	done
	# into a pipe
	"$PAGESCOPE" export --to $format "$trace" -o - 2>"$dir/err" | cmp -s - "$dir/$format" ||
		complain "$format: other bytes into a pipe"
done
for ending in .gz:gzip .xz:xz .zst:zstd; do
	command -v "${ending#*:}" >/dev/null || continue
	"${ending#*:}" -dc <"$dir/lackey${ending%:*}" | cmp -s - "$dir/lackey" ||
		complain "${ending#*:} unpacks other bytes"
done
[ "$(xz -dc <"$samples/instructions.champsim.xz" | cksum)" = "$(cksum <"$dir/champsim")" ] ||
	echo "(ChampSim's sample has registers and branches, or there is no xz)"

# Threads and address spaces go through csv; other formats say that they went.
gives 0 "$PAGESCOPE" import "$samples/instructions.cloudsuite.zst" -o "$dir/spaces.pst"
gives 0 "$PAGESCOPE" export --to csv "$dir/spaces.pst" -o "$dir/spaces.csv"
gives 0 "$PAGESCOPE" import "$dir/spaces.csv" -o "$dir/back.pst"
[ "$(digest "$dir/back.pst")" = "$(digest "$dir/spaces.pst")" ] || complain 'csv: threads or spaces differ'
gives 0 "$PAGESCOPE" export --to lackey "$samples/view.txt" -o "$dir/view.lackey"
says 'lackey has no room for: 2 events (2 switch), 2 threads (all are one)'
grep -q ' times' "$dir/err" || complain 'lackey: times are lost and not said'
# the view was made of lackey's sample, with its own count of instructions
sed '/^==/d; s/^ M \(.*\)/ L \1\n S \1/' "$samples/lackey.txt" | cmp -s - "$dir/view.lackey" ||
	complain "the view of lackey's sample is not lackey's sample"
gives 0 "$PAGESCOPE" info "$samples/samples.perf.txt"
grep -q 'faults  *30$' "$dir/out" || complain 'perf: not the 30 faults of 60 lines'
says '1 sample without an address'

# Objects laid out: another number of bytes, the same requests
gives 0 "$PAGESCOPE" import --set oracle.as=object "$dir/oracle" -o "$dir/objects.pst"
gives 0 "$PAGESCOPE" import "$dir/oracle" -o "$dir/pages.pst"
[ "$(table "$dir/objects.pst" | cut -d, -f2 | sort -u | wc -l)" -ge \
	"$(table "$dir/pages.pst" | cut -d, -f2 | sort -u | wc -l)" ] || complain 'objects share addresses'

# A real program: what lackey says is what comes out again, and its counts
if command -v valgrind >/dev/null &&
	valgrind --tool=lackey --trace-mem=yes --log-file="$dir/v.txt" true >"$dir/out" 2>&1; then
	gives 0 "$PAGESCOPE" export --to lackey "$dir/v.txt" -o "$dir/v.lackey"
	grep '^[I ]' "$dir/v.txt" | sed 's/^\(..[SLM ]*\) *0*\([0-9a-f]\{8,\}\)/\1\2/' >"$dir/v.want"
	sed 's/^I  /I /' "$dir/v.lackey" >"$dir/v.got"
	sed 's/^I  /I /' "$dir/v.want" | cmp -s - "$dir/v.got" || {
		complain "lackey's own text comes back another"
		sed 's/^I  /I /' "$dir/v.want" | diff - "$dir/v.got" | head -n 5
	}
	for kind in 'I' ' L' ' S' ' M'; do
		[ "$(grep -c "^$kind" "$dir/v.txt")" -eq "$(grep -c "^$kind" "$dir/v.lackey")" ] ||
			complain "lackey: another number of \"$kind\" lines"
	done
else
	echo 'no valgrind here: its own output is not tested'
fi
# What perf prints of faults here, if it may record
if command -v perf >/dev/null &&
	perf record -q -o "$dir/perf.data" -d -c 1 -e page-faults:u true >"$dir/out" 2>&1 &&
	perf script -i "$dir/perf.data" -F +addr,+pid >"$dir/perf.txt" 2>"$dir/err" &&
	[ -s "$dir/perf.txt" ]; then
	gives 0 "$PAGESCOPE" import "$dir/perf.txt" -o "$dir/perf.pst"
	"$PAGESCOPE" dump "$dir/perf.pst" | awk '$2 == "fault" { print $3 }' >"$dir/got"
	sed 's/.*faults[^ ]*: *\([0-9a-f]*\).*/\1/' "$dir/perf.txt" >"$dir/want"
	cmp -s "$dir/want" "$dir/got" || {
		complain "perf's faults: others"
		diff "$dir/want" "$dir/got" | head -n 5
	}
else
	echo 'perf records no faults here: its own text is not tested'
fi

# Usage and failures; half a file is not left behind
gives 2 "$PAGESCOPE" export
gives 2 "$PAGESCOPE" export --to lackey "$dir/text.pst"
says 'where to?'
gives 2 "$PAGESCOPE" export "$dir/text.pst" -o "$dir/x"
says 'into which format?'
gives 2 "$PAGESCOPE" export --to lackey "$dir/text.pst" -o "$dir/text.pst"
says 'the output is the input'
gives 2 "$PAGESCOPE" export --to lacky "$dir/text.pst" -o "$dir/x"
says 'unknown format "lacky"; did you mean "lackey"?'
gives 2 "$PAGESCOPE" export --to lackey --set champsim.ip=1 "$dir/text.pst" -o "$dir/x"
gives 2 "$PAGESCOPE" export --to champsim --set champsim.ipp=1 "$dir/text.pst" -o "$dir/x"
for format in lackey champsim oracle; do
	gives 125 "$PAGESCOPE" export --to $format generate:uniform,n=100000 -o /dev/full
	says 'No space left on device'
done
{
	head -n 50 "$samples/lackey.txt"
	echo rubbish
} >"$dir/bad"
gives 125 "$PAGESCOPE" export --to csv "$dir/bad" -o "$dir/half"
[ ! -e "$dir/half" ] || complain 'half a file is left behind'
TMPDIR=$dir/none gives 125 "$PAGESCOPE" export --to oracle "$dir/text.pst" -o -
says "$dir/none: a temporary file"
gives 0 "$PAGESCOPE" export -n 10 --to din "$dir/text.pst" -o "$dir/ten"
[ "$(wc -l <"$dir/ten")" -eq 10 ] || complain '-n 10: not ten lines'
exit $failed
