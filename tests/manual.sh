#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Each verb has a man page that is built and installed, and every option of its
# --help is in the page; groff finds nothing wrong with it.
set -u
: "${PAGESCOPE:?}"
build=${PAGESCOPE%/*}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0

complain()
{
	echo "$*"
	failed=1
}

# "  -o, --output FILE" or "      --[no-]follow" -> output, follow
options()
{
	sed -nE 's/^ {2,6}(-., )?--(\[no-\])?([a-z0-9.-]+).*/\3/p'
}

troff_accepts()
{
	command -v groff >/dev/null || return
	groff -man -ww -Tutf8 "$1" >"$dir/shown" 2>"$dir/warnings"
	[ ! -s "$dir/warnings" ] || complain "$1: $(cat "$dir/warnings")"
}

for verb in $("$PAGESCOPE" help --as names); do
	page=$build/pagescope-$verb.1
	[ -s "$page" ] || {
		complain "$verb: no man page"
		continue
	}
	# undo what keeps troff off; bold and italics too
	sed -E 's/\\f[BIR]//g; s/\\-/-/g; s/\\&//g; s/\\://g; s/\\e/\\/g' "$page" >"$dir/plain"
	"$PAGESCOPE" "$verb" --help >"$dir/help" || complain "$verb: --help failed"
	n=0
	for option in $(options <"$dir/help"); do
		n=$((n + 1))
		grep -qE -e "^(-., )?--(\[no-\])?$option([ =].*)?$" "$dir/plain" ||
			complain "$verb: --$option is in --help, not in its page"
	done
	[ "$n" -gt 0 ] || complain "$verb: --help shows no option"
	grep -q "^$("$PAGESCOPE" help | sed -nE "s/^  $verb +([^ ].{10}).*/.*\1/p")" \
		"$dir/plain" || complain "$verb: its line of help is not in its page"
	for section in NAME SYNOPSIS DESCRIPTION OPTIONS 'SEE ALSO'; do
		grep -q "^.SH $section" "$dir/plain" || complain "$verb: no $section"
	done
	troff_accepts "$page"
done

# The pages that are there are those of the verbs
for page in "$build"/pagescope-*.1; do
	verb=${page##*/pagescope-}
	case $verb in trace.1 | result.1) continue ;; esac
	"$PAGESCOPE" help "${verb%.1}" >/dev/null || complain "$page: of no verb"
done
for verb in $("$PAGESCOPE" help --as names); do
	sed 's/\\-/-/g' "$build/pagescope.1" | grep -q "^.BR pagescope-$verb (1)" ||
		complain "pagescope.1 does not lead to $verb"
done
# Every table of a result stands in its page
result=${srcdir:-.}/reports/pagescope-result.5
sed 's/\\-/-/g' "$result" >"$dir/plain"
"$PAGESCOPE" replay generate:mix,n=9999,pages=300 --explain-walks 1 --by all -o "$dir/r.json"
"$PAGESCOPE" replay generate:mix,n=9999,pages=300 --memory 400K -o "$dir/less.json" \
	--set ksm.run=yes --set ksm.rate=1 --set bound.region=all \
	--set reclaim.scope=process
"$PAGESCOPE" replay generate:mix,n=9999,pages=3000 -o "$dir/huge.json" \
	--set pages.policy=thp --set pages.thp=always
# with the kernel's counts, where they can be recorded
"$PAGESCOPE" record -e cache -o "$dir/t.pst" -- true 2>"$dir/warnings" &&
	"$PAGESCOPE" replay "$dir/t.pst" --no-symbols -o "$dir/counted.json"
for made in "$dir/r.json" "$dir/m.json" "$dir/full.json" "$dir/less.json" \
	"$dir/huge.json" "$dir/counted.json"; do
	[ "$made" != "$dir/counted.json" ] || [ -s "$made" ] || continue
	case $made in
	*/m.json) "$build"/tests/make-result machines "$made" ;;
	*/full.json) "$build"/tests/make-result full "$made" ;;
	esac || complain "no result: $made"
	# names of tables open lines that end in {, below "tables"
	sed -nE '/^ *"tables": \{/,/^ *"machines"|^ *"name"/ s/^ *"([a-z0-9.-]+)": \{$/\1/p' "$made"
done | grep -v '^tables$' | sort -u >"$dir/tables"
[ "$(wc -l <"$dir/tables")" -gt 15 ] || complain "hardly any table: $(cat "$dir/tables")"
while read -r table; do
	grep -qE "^\.BR?( .*)?[ \"]$table( |\"|\$)" "$dir/plain" ||
		complain "pagescope-result(5) does not name the table $table"
done <"$dir/tables"
# Every value, too: on one line its first word and its last, as in
# .BR tlb.l1d.* ", " ... or of the words below it, .BR hits ,
"$PAGESCOPE" report --format csv "$dir/less.json" >"$dir/csv"
"$PAGESCOPE" report --format csv "$dir/huge.json" >>"$dir/csv"
[ ! -s "$dir/counted.json" ] ||
	"$PAGESCOPE" report --format csv "$dir/counted.json" >>"$dir/csv"
for group in thp khugepaged swap reclaim oom ksm bound validate files shared; do
	sed -nE "s/^($group\.[a-z0-9._-]+),.*/\1/p" "$dir/csv"
done | sort -u >"$dir/values"
# and of memory that is short, huge, merged or bounded
values()
{
	"$PAGESCOPE" replay generate:mix,n=99K,pages=1500 -o "$dir/r.json" "$@" ||
		complain "values $*: fails"
	"$PAGESCOPE" report --format csv "$dir/r.json" |
		grep -oE '^(bound|hugetlb|khugepaged|ksm|oom|reclaim|swap|thp|validate)\.[a-z0-9._-]+'
}
{
	values --memory 1M --set reclaim.swap-size=64K
	values --memory 1M --set reclaim.policy=mglru
	values --set pages.policy=thp --set khugepaged.sleep=1ms
	values --set pages.policy=buckets --set bound.region=all
	values --set ksm.rate=1 --set ksm.sleep=1us --set ksm.tick=0s --set ksm.scan-cost=0
	values --set hugetlb.pages-2m=1 --set hugetlb.pages-1g=1
} >>"$dir/values"
sort -u -o "$dir/values" "$dir/values"
[ "$(wc -l <"$dir/values")" -gt 70 ] || complain "few values: $(cat "$dir/values")"
while read -r value; do
	grep -qE "^\.BR?( .*)?[ \"]${value//./\\.}( |\"|\$)" "$dir/plain" ||
		complain "pagescope-result(5) does not name the value $value"
done <"$dir/values"
for page in "$build"/pagescope*.5 "$build/pagescope.1"; do
	[ -s "$page" ] || complain "$page: is empty"
	troff_accepts "$page"
done
exit $failed
