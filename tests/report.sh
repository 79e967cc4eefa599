#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The report verb: whole reports against tests/golden (UPDATE_GOLDEN=1 writes
# them anew), single values, tables, formats, and documents that are broken.
set -u
: "${PAGESCOPE:?}"
make_result=${PAGESCOPE%/*}/tests/make-result
golden=${srcdir:-.}/tests/golden
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0

complain()
{
	echo "$*"
	failed=1
}

# expect STATUS STDOUT STDERR-PATTERN ARGUMENT...: stdout is exact
expect()
{
	local status=$1 out=$2 err=$3 got said
	shift 3
	said=$("$PAGESCOPE" report "$@" 2>"$dir/err" </dev/null)
	got=$?
	[ $got -eq "$status" ] || complain "report $*: status $got, not $status"
	[ "$said" = "$out" ] || complain "report $*: \"$said\", not \"$out\""
	if [ -z "$err" ]; then
		[ ! -s "$dir/err" ] || complain "report $*: $(cat "$dir/err")"
	else
		[ "$(wc -l <"$dir/err")" -eq 1 ] ||
			complain "report $*: not one line: $(cat "$dir/err")"
		grep -qe "$err" "$dir/err" ||
			complain "report $*: no \"$err\": $(cat "$dir/err")"
	fi
}

# At the end of a pipe, where complain must be heard
shopt -s lastpipe

# same NAME: stdin is what tests/golden/NAME holds
same()
{
	sed 's/^  pagescope: [0-9.]*$/  pagescope: VERSION/' >"$dir/out"
	if [ -n "${UPDATE_GOLDEN:-}" ]; then
		mkdir -p "$golden" && cp "$dir/out" "$golden/$1"
	else
		diff -u "$golden/$1" "$dir/out" || complain "$1: differs"
	fi
}

# A trace of five accesses that came from elsewhere: its own name, rows for
# accesses and not for parts of one, shares of one whole
printf 'I  04001000,3\n L 1ffeffe7e8,8\n S 1ffeffe7e0,8\nI  04001003,5\n M 0421c7cc,4\n' >"$dir/few"
(cd "$dir" && "$PAGESCOPE" replay few -o few.json) || complain 'few: no replay'
"$PAGESCOPE" report "$dir/few.json" 2>&1 | same report-few.txt

# One access, of which nobody says who made it
printf ' L 1000,4\n' >"$dir/one"
"$PAGESCOPE" replay "$dir/one" >"$dir/out"
for said in '  1 access; how many instructions made it is not known.' \
	'  Every access needs a page walk.' \
	'  The kernel takes 1 minor page fault: anonymous, written first.'; do
	grep -qxF "$said" "$dir/out" || complain "one: not said: $said"
done
grep -q 'The function' "$dir/out" && complain 'one: a function that is not known'

for kind in full quiet empty blind bare machines; do
	"$make_result" $kind "$dir/$kind.json" || exit 99
	"$PAGESCOPE" report "$dir/$kind.json" 2>&1 | same report-$kind.txt
	[ "$("$PAGESCOPE" report "$dir/$kind.json" | awk 'length > 100' | wc -l)" -eq 0 ] ||
		complain "$kind: lines longer than 100 columns"
	"$PAGESCOPE" report "$dir/$kind.json" | grep -n ' $' &&
		complain "$kind: blanks at the end of a line"
	"$PAGESCOPE" report --format json "$dir/$kind.json" |
		cmp - "$dir/$kind.json" || complain "$kind: json is not the document"
done
full=$dir/full.json

# A command that spans lines, and one with quotes: one line, as bash takes it
sed "s|\"-9\", \"corpus of texts.tar\"|\"a\\\\nb\", \"it's\"|" "$dir/full.json" >"$dir/lines.json"
"$PAGESCOPE" report "$dir/lines.json" >"$dir/out"
[ "$(head -n 1 "$dir/out")" = "/usr/bin/gzip \$'a\\nb' 'it'\\''s' on skylake-sp" ] ||
	complain "a command of lines: $(head -n 2 "$dir/out")"

"$PAGESCOPE" report --format csv "$dir/machines.json" | same report-machines.csv
"$PAGESCOPE" report -m radix "$dir/machines.json" | same report-machine.txt
"$PAGESCOPE" report --top 2 "$full" | sed -n '/^Functions/,/^$/p' | same report-top.txt
"$PAGESCOPE" report --format csv "$dir/blind.json" | same report-values.csv
"$PAGESCOPE" report --format csv --table functions "$full" | same report-functions.csv
"$PAGESCOPE" report --table walk.levels "$full" | same report-levels.txt
"$PAGESCOPE" report --format json --table walk.levels "$full" | same report-levels.json
"$PAGESCOPE" report "$full" >"$dir/text"
"$PAGESCOPE" report <"$full" | cmp - "$dir/text" ||
	complain 'standard input: differs from the file'

expect 0 1199000 '' --get walk.count "$full"
expect 0 38.1985 '' --get walk.latency.mean "$full"
expect 0 65 '' --get tlb.l1d.entries "$full"
expect 0 'none recorded' '' --get paging.mappings "$dir/blind.json"
expect 3 '' 'fault.major is not known: files are' --get fault.major "$full"
expect 125 '' 'no value or option "walk.cuont"; did you mean "walk.count"?$' \
	--get walk.cuont "$full"
expect 125 '' 'no table "function"; did you mean "functions"?$' --table function "$full"
expect 2 '' 'no format "txet"; did you mean "text"?$' --format txet "$full"
expect 2 '' 'one result at a time' "$full" "$full"

# Broken documents: one error that names the file and the place
head -c 3000 "$full" >"$dir/cut.json"
expect 125 '' "^pagescope: $dir/cut.json:[0-9]*:[0-9]*: not JSON: " "$dir/cut.json"
: >"$dir/none.json"
expect 125 '' "^pagescope: $dir/none.json:1:[0-9]*: not JSON: " "$dir/none.json"
sed 's/"walk.count": {"value": 1199000/"walk.count": {"value": [1]/' "$full" >"$dir/type.json"
expect 125 '' "type.json: values.walk.count: needs a \"value\"" "$dir/type.json"
sed 's/"tables": {/"tables": {"x": {"columns": 3, "rows": []},/' "$full" >"$dir/table.json"
expect 125 '' 'table.json: tables.x.columns: a list of columns' "$dir/table.json"
expect 125 '' "^pagescope: $dir/nowhere.json: No such file" "$dir/nowhere.json"
expect 125 '' "^pagescope: $dir: Is a directory" "$dir"
printf '\050\265\057\375zzzzzzzz' >"$dir/t.pst"
expect 125 '' 'a compressed trace, not a result' "$dir/t.pst"

"$PAGESCOPE" report "$full" >/dev/full 2>"$dir/err"
[ $? -eq 125 ] || complain 'a full disk did not fail'
grep -q 'No space left\|a write failed' "$dir/err" || complain 'a full disk was not said'

# Colours only on a terminal, and not where they are not wanted
if command -v script >/dev/null; then
	run="'$PAGESCOPE' report '$full'"
	TERM=xterm script -qec "$run" /dev/null </dev/null >"$dir/tty"
	grep -q "$(printf '\033')\[1m" "$dir/tty" || complain 'no colours on a terminal'
	TERM=xterm NO_COLOR=1 script -qec "$run" /dev/null </dev/null >"$dir/tty"
	grep -q "$(printf '\033')" "$dir/tty" && complain 'colours despite NO_COLOR'
fi
exit $failed
