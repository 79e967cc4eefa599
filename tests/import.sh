#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pagescope import: what dump prints again equals what awk makes of the text;
# packed input, standard input, several inputs, statuses and messages.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0

complain()
{
	echo "$*"
	failed=1
}

same()
{
	cmp -s "$1" "$2" || {
		complain "$3"
		diff "$1" "$2" | head -n 5
	}
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

# A loop of 5 instructions over an array, one of them across a page
awk 'BEGIN {
	print "==1== Lackey"
	for (i = 0; i < 40000; i++) {
		printf "I  %08x,4\n L %08x,8\n", 4198400, 268435456 + i * 24
		printf "I  %08x,3\n S %010x,4\n", 4198404, 137438953472 - i % 7 * 4
		printf "I  %08x,5\nI  %08x,2\n M %08x,16\n", 4198407, 4198410, 4096 * (i % 100)
		printf "I  %08x,6\n", 4202493
	}
	print "==1== end"
}' >"$dir/a.txt"
# what dump must print: comments gone, the fetch at 0x401ffd in two
awk '/^==/ { next }
	$2 == "00401ffd,6" { print "I  00401ffd,3"; print "I  00402000,3"; next }
	{ print }' "$dir/a.txt" | sed 's/^ \([LSM]\) 00*\([0-9a-f]\{8\}\)/ \1 \2/' >"$dir/a.want"

gives 0 "$PAGESCOPE" import --from lackey "$dir/a.txt" -o "$dir/a.pst"
"$PAGESCOPE" dump --format lackey "$dir/a.pst" >"$dir/a.got"
same "$dir/a.want" "$dir/a.got" 'lackey, imported and dumped, differs'
gives 0 "$PAGESCOPE" verify "$dir/a.pst"
# data have the pc of the instruction before them
"$PAGESCOPE" dump "$dir/a.pst" | awk '$2 == "fetch" { pc = $3 } $5 != "pc=" pc { bad++ }
	END { exit bad > 0 }' || complain 'lackey: data with another pc than the fetch before'

# Packed, from standard input, by recognition: the same content
digest()
{
	"$PAGESCOPE" verify "$1" | sed 's/.*accesses/accesses/'
}
for pack in 'cat' 'gzip -c' 'xz -0 -c' 'zstd -q -c'; do
	command -v "${pack%% *}" >/dev/null || {
		echo "no ${pack%% *} here: its input is not tested"
		continue
	}
	$pack "$dir/a.txt" >"$dir/packed"
	gives 0 "$PAGESCOPE" import "$dir/packed" -o "$dir/b.pst"
	[ "$(digest "$dir/b.pst")" = "$(digest "$dir/a.pst")" ] ||
		complain "$pack: another digest"
	"$PAGESCOPE" import - -o "$dir/b.pst" <"$dir/packed" || complain "$pack: from stdin"
	[ "$(digest "$dir/b.pst")" = "$(digest "$dir/a.pst")" ] ||
		complain "$pack from stdin: another digest"
	[ "$pack" = cat ] && continue
	head -c $(($(wc -c <"$dir/packed") * 2 / 3)) "$dir/packed" >"$dir/cut"
	gives 125 "$PAGESCOPE" import --from lackey "$dir/cut" -o "$dir/b.pst"
	says 'data is cut off at byte'
	[ ! -e "$dir/b.pst" ] || complain "$pack: a trace of cut input is left behind"
	gives 3 "$PAGESCOPE" import -k --from lackey "$dir/cut" -o "$dir/b.pst"
	"$PAGESCOPE" dump --format lackey "$dir/b.pst" >"$dir/b.got"
	[ -s "$dir/b.got" ] || complain "$pack: nothing of cut input"
	head -n "$(wc -l <"$dir/b.got")" "$dir/a.want" >"$dir/b.want"
	same "$dir/b.want" "$dir/b.got" "$pack: cut input is not a prefix"
done
# one byte at a time
head -n 300 "$dir/a.txt" >"$dir/few"
gives 0 "$PAGESCOPE" import "$dir/few" -o "$dir/few.pst"
dd if="$dir/few" bs=1 status=none | "$PAGESCOPE" import - -o "$dir/b.pst" ||
	complain 'a slow pipe'
[ "$(digest "$dir/b.pst")" = "$(digest "$dir/few.pst")" ] ||
	complain 'a slow pipe: another digest'

# Lines longer than the buffer: the same however they come
{
	printf '==%300000s\nI  %70000s1000,4\nI  2000,4\n' x ' '
	printf ' L 3000,8%70000s\n L 4000,8%400s\n=%600000s\n S 5000,8\n' ' ' ' ' y
} >"$dir/long"
gives 3 "$PAGESCOPE" import -k --from lackey "$dir/long" -o "$dir/long.pst"
says '3 bad records skipped'
[ "$("$PAGESCOPE" dump "$dir/long.pst" | grep -c pc=)" -eq 3 ] || complain 'long lines: not three accesses'
dd if="$dir/long" bs=777 status=none | "$PAGESCOPE" import -k --from lackey - -o "$dir/b.pst" 2>"$dir/err"
[ "$(digest "$dir/b.pst")" = "$(digest "$dir/long.pst")" ] || complain 'long lines by a pipe: another digest'

# Two inputs are one trace
gives 0 "$PAGESCOPE" import "$dir/few" "$dir/few" -o "$dir/b.pst"
"$PAGESCOPE" dump --format lackey "$dir/few.pst" >"$dir/few.got"
"$PAGESCOPE" dump --format lackey "$dir/b.pst" >"$dir/b.got"
cat "$dir/few.got" "$dir/few.got" >"$dir/b.want"
same "$dir/b.want" "$dir/b.got" 'two inputs'

# A name that is not UTF-8, which JSON cannot hold
name=$dir/$'b\xff'
cp "$dir/few" "$name"
gives 0 "$PAGESCOPE" import "$name" -o "$dir/b.pst"
"$PAGESCOPE" info "$dir/b.pst" | grep -qF 'b\xff' || complain 'a name of any bytes'

# Told to stop while the input is quiet: what has come is saved
mkfifo "$dir/pipe"
"$PAGESCOPE" import - -o "$dir/b.pst" <"$dir/pipe" &
exec 9>"$dir/pipe"
cat "$dir/few" >&9
sleep 0.5
kill -TERM $!
wait $!
[ $? -eq 3 ] || complain 'stopped: not status 3'
exec 9>&-
gives 0 "$PAGESCOPE" verify "$dir/b.pst"
[ "$(digest "$dir/b.pst")" = "$(digest "$dir/few.pst")" ] || complain 'stopped: not what had come'

# din, and csv as dump prints them
"$PAGESCOPE" dump --format din "$dir/few.pst" >"$dir/few.din"
gives 0 "$PAGESCOPE" import --from din "$dir/few.din" -o "$dir/b.pst"
"$PAGESCOPE" dump --format din "$dir/b.pst" >"$dir/b.din"
same "$dir/few.din" "$dir/b.din" 'din, imported and dumped, differs'
"$PAGESCOPE" dump --format csv "$dir/few.pst" >"$dir/few.csv"
gives 0 "$PAGESCOPE" import --from csv --set csv.column=address --set csv.pc-column=pc \
	--set csv.size-column=size --set csv.kind-column=kind "$dir/few.csv" -o "$dir/b.pst"
"$PAGESCOPE" dump --format csv "$dir/b.pst" >"$dir/b.csv"
same "$dir/few.csv" "$dir/b.csv" 'csv, imported and dumped, differs'

# A byte order mark is no part of the first line: not of an address, a header,
# another format; but of a record it may be
mark=$'\xef\xbb\xbf'
while IFS='|' read -r from text want; do
	printf '%s%b' "$mark" "$text" >"$dir/mark"
	gives 0 "$PAGESCOPE" import --from "$from" "$dir/mark" -o "$dir/b.pst"
	gives 0 "$PAGESCOPE" dump "$dir/b.pst"
	[ "$(cut -d' ' -f2-3 "$dir/out" | tr '\n' ' ')" = "$want " ] ||
		complain "a mark before $from $text: $(cat "$dir/out")"
done <<-'END'
	auto|0x1000\n0x2000\n|load 1000 load 2000
	csv|0x1000\n0x2000\n|load 1000 load 2000
	auto|address,kind\r\n0x1000,r\r\n0x2000,w\r\n|load 1000 store 2000
	auto|I  1000,4\n L 2000,8\n|fetch 1000 load 2000
	lackey|I  1000,4\n L 2000,8\n|fetch 1000 load 2000
END
{
	printf '%s\0\0\0\0\0' "$mark"
	head -c 56 /dev/zero
} >"$dir/mark"
gives 0 "$PAGESCOPE" import --from champsim "$dir/mark" -o "$dir/b.pst"
gives 0 "$PAGESCOPE" dump "$dir/b.pst"
grep -q 'fetch bfbbef ' "$dir/out" || complain "a record that begins like a mark: $(cat "$dir/out")"

# What looks like a number and is none does not name a column
printf -- '-5\n10\n' >"$dir/bad"
gives 125 "$PAGESCOPE" import --from csv "$dir/bad" -o "$dir/b.pst"
says "$dir/bad:1: the address is no number"

# Bad lines, bad usage
sed '100s/.*/rubbish/; 200s/,.*/,/' "$dir/few" >"$dir/bad"
gives 125 "$PAGESCOPE" import "$dir/bad" -o "$dir/b.pst"
says "$dir/bad:100: neither an I, L, S or M line nor a comment: \"rubbish\""
gives 3 "$PAGESCOPE" import --keep-going "$dir/bad" -o "$dir/b.pst"
says '2 bad records skipped'
gives 0 "$PAGESCOPE" info "$dir/b.pst"
grep -q "records: 2" "$dir/out" || complain 'info does not tell the losses'
gives 3 "$PAGESCOPE" replay "$dir/b.pst" -o "$dir/b.json"
grep -q 'made with losses' "$dir/b.json" || complain 'replay does not tell the losses'
gives 2 "$PAGESCOPE" import
gives 2 "$PAGESCOPE" import "$dir/few"
gives 2 "$PAGESCOPE" import "$dir/few" -o "$dir/few"
says 'the output is one of the inputs'
gives 2 "$PAGESCOPE" import generate:mix "$dir/few" -o "$dir/b.pst"
gives 125 "$PAGESCOPE" import "$dir/none" -o "$dir/b.pst"
says "$dir/none: No such file or directory"
gives 125 "$PAGESCOPE" import "$dir" -o "$dir/b.pst"
says "$dir: Is a directory"
gives 125 "$PAGESCOPE" import "$dir/a.pst" -o "$dir/b.pst"
says 'is a pagescope trace already'
gives 125 "$PAGESCOPE" import --from lackey "$dir/few" -o /dev/full

# Made up: the same from the same spec, of the length asked for
gives 0 "$PAGESCOPE" import generate:mix,n=100000,pages=5000,seed=3 -o "$dir/g.pst"
gives 0 "$PAGESCOPE" import generate:mix,n=100000,pages=5000,seed=3 -o "$dir/h.pst"
cmp -s "$dir/g.pst" "$dir/h.pst" || complain 'generate: the same spec, other bytes'
[ "$("$PAGESCOPE" dump --format csv "$dir/g.pst" | wc -l)" -eq 100001 ] ||
	complain 'generate: not the length asked for'

# info and dump take them without a trace in between
gives 0 "$PAGESCOPE" dump --format lackey "$dir/a.txt"
same "$dir/a.want" "$dir/out" 'dump of a foreign trace differs'
gives 0 "$PAGESCOPE" info --json generate:chase,n=12345
grep -q '"accesses": 12345' "$dir/out" || complain 'info of a generator: not its length'

# A real program, if there is valgrind: nothing of lackey's output is refused
if command -v valgrind >/dev/null &&
	valgrind --tool=lackey --trace-mem=yes --log-file="$dir/v.txt" true >"$dir/out" 2>&1; then
	gives 0 "$PAGESCOPE" import "$dir/v.txt" -o "$dir/v.pst"
	awk '$1 ~ /^[ILSM]$/ { n[$1]++ } END { print n["L"] + 0, n["S"] + 0, n["M"] + 0, n["I"] + 0 }' \
		"$dir/v.txt" >"$dir/v.want"
	"$PAGESCOPE" info --json "$dir/v.pst" | tr -d '", ' | awk -F: '
		/^loads:/ { l = $2 } /^stores:/ { s = $2 } /^modifies:/ { m = $2 }
		/^instructions:/ { i = $2 } END { print l, s, m, i }' >"$dir/v.got"
	same "$dir/v.want" "$dir/v.got" 'lackey of a real program: other counts'
else
	echo 'no valgrind here: its own output is not tested'
fi

# Traces of SPEC programs, if they are beside the tree: awk counts the same
traces=${srcdir:-.}/../shared/data/address
if [ -d "$traces" ]; then
	for trace in "$traces"/*.gz; do
		gives 0 "$PAGESCOPE" import "$trace" -o "$dir/s.pst"
		zcat "$trace" | awk '{ n[$1]++; i += $3 } END { print n["l"], n["s"], i }' >"$dir/s.want"
		"$PAGESCOPE" info --json "$dir/s.pst" | tr -d '", ' | awk -F: '
			/^loads:/ { l = $2 } /^stores:/ { s = $2 }
			/^instructions:/ && $2 > 0 { i = $2 } END { print l, s, i }' >"$dir/s.got"
		same "$dir/s.want" "$dir/s.got" "$trace: other counts"
		zcat "$trace" | awk '{ sub(/^0x0*/, "", $2); print $1 == "l" ? 0 : 1, $2 == "" ? 0 : $2 }' >"$dir/s.want"
		"$PAGESCOPE" dump --format din "$dir/s.pst" >"$dir/s.got"
		same "$dir/s.want" "$dir/s.got" "$trace: other accesses"
	done
else
	echo 'no traces beside the tree: they are not tested'
fi
exit $failed
