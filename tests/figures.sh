#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Figures for papers: each kind in each format and style; the same bytes at
# another time; embedded fonts and no Type 3; texts that TeX takes; sizes.
set -u
: "${PAGESCOPE:?}"
make_result=${PAGESCOPE%/*}/tests/make-result
command -v gnuplot >/dev/null || {
	echo 'gnuplot is not installed'
	exit 77
}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "$*"
	failed=1
}

"$make_result" full full.json || exit 99
"$make_result" machines machines.json || exit 99
# wide STYLE: centimetres
wide()
{
	case $1 in
	page) echo 16 ;;
	column) echo 8.4 ;;
	double) echo 17.6 ;;
	slide) echo 25.4 ;;
	esac
}
for style in page column double slide; do
	formats=pdf
	[ $style != column ] || formats=pdf,png,svg,eps,tikz,epslatex
	for result in full machines; do
		"$PAGESCOPE" plot $result.json --style $style --format $formats -o $style/$result >out 2>err ||
			complain "$style $result: $(cat err)"
		# (a key of many machines is as wide as a column)
		grep -v 'nothing to plot\|is of one machine\|warning: .*difficulty\|^$' err && complain "$style $result: gnuplot says $(cat err)"
	done
	[ "$(grep -c '\.pdf$' out)" -ge 5 ] || complain "$style: hardly any figure"
	while read -r file; do
		[ -s "$file" ] || complain "$file: listed, but not there"
	done <out
	for file in "$style"/*/*.pdf; do
		width=$(grep -ao 'MediaBox \[[^]]*' "$file" | awk '{ print $5 }')
		awk -v got="$width" -v want="$(wide $style)" 'BEGIN { exit got / 72 * 2.54 - want > 0.06 ||
			want - got / 72 * 2.54 > 0.06 }' || complain "$file: $width points wide"
	done
done

# The scripts again, a second later: the same bytes
find column -type f ! -name '*.gp' -exec sha256sum {} + | sort -k2 >before
sleep 1.1
for script in column/*/*.gp; do
	(cd "${script%/*}" && LC_ALL=C.UTF-8 gnuplot "${script##*/}") 2>err || complain "$script: $(cat err)"
done
find column -type f ! -name '*.gp' -exec sha256sum {} + | sort -k2 >after
diff before after >out || complain "drawn again: other bytes: $(grep '^>' out | head)"
[ "$(grep -c '\.tikz$' after)" -ge 10 ] || complain 'hardly any tikz'

# Texts of TeX: nothing that it would read as a command
# shellcheck disable=SC2016 # a pattern
bad='(^|[^\\])[%&#$_]'
for file in column/*/*.tikz; do
	sed -n 's/^\\node\[gp node [^{]*{\(.*\)};$/\1/p' "$file" >texts
	[ -s texts ] || complain "$file: no texts"
	grep -E "$bad" texts && complain "$file: TeX would not take that"
done
for file in column/*/*-latex.tex; do
	sed -n 's/^.*\\strut{}\(.*\)}}%$/\1/p' "$file" >texts
	[ -s texts ] || complain "$file: no texts"
	grep -E "$bad" texts && complain "$file: TeX would not take that"
	grep -q '[(]D:20[1-9]\|CreationDate: [A-Z]' "${file%.tex}.eps" && complain "$file: a date in its picture"
done

if command -v pdffonts >/dev/null; then
	n=0
	for file in */*/*.pdf; do
		n=$((n + 1))
		pdffonts "$file" >fonts 2>/dev/null
		grep -q 'Type 3' fonts && complain "$file: a Type 3 font"
		awk 'NR > 2 { n++; if ($(NF - 4) != "yes") bad++ } END { exit !n || bad }' fonts ||
			complain "$file: a font is not embedded"
	done
	[ $n -gt 20 ] || complain 'hardly any PDF'
else
	echo 'pdffonts is not installed: fonts of PDFs are not tested'
fi
# set DOCUMENT: what LaTeX says of it, and its fonts
set_document()
{
	"$1" -interaction=nonstopmode "$2.tex" >/dev/null
	grep '^!\|not found' "$2.log" && complain "$2: LaTeX does not take it"
	[ "$1" = pdflatex ] || { dvips -q "$2.dvi" -o "$2.ps" && ps2pdf "$2.ps" "$2.pdf"; } || complain "$2: no PDF"
	grep -q 'output written on .* ('"$3 page" <(tr -d '\n' <"$2.log" | tr 'O' 'o') || complain "$2: not $3 pages"
	! command -v pdffonts >/dev/null || {
		pdffonts "$2.pdf" >fonts
		awk 'NR > 2 { n++; if (/Type 3/ || $(NF - 4) != "yes") bad++ } END { exit !n || bad }' fonts ||
			complain "$2: $(cat fonts)"
	}
}
# document PACKAGE FILE...: a page each, all that figures of papers need
document()
{
	printf '\\documentclass{article}\\usepackage{graphicx,color%s}\\begin{document}\n' "$1"
	shift
	for file; do
		printf '{\\graphicspath{{%s/}}\\noindent\\input{%s}}\\clearpage\n' "${file%/*}" "$file"
	done
	printf '\\end{document}\n'
}
"$PAGESCOPE" sweep generate:mix,n=5000,pages=500 -L tlb.l2.entries 768,1536 -L table.kind radix,hashed -o swept \
	>out 2>&1 || complain "sweep: $(cat out)"
"$PAGESCOPE" plot swept/sweep.json --kind sweep-map --style column --format tikz,epslatex -o column/swept >out ||
	complain 'no map of a sweep'
if command -v pdflatex >/dev/null && command -v kpsewhich >/dev/null && kpsewhich gnuplot-lua-tikz.sty >/dev/null; then
	# a map with an image beside, labels with a font, tics of its own, gnuplot's tics, several machines
	document ,gnuplot-lua-tikz column/full/{heatmap,cdf,latency}.tikz column/machines/levels.tikz \
		column/swept/sweep-map.tikz >tikz.tex
	set_document pdflatex tikz 5
	if command -v dvips >/dev/null && command -v ps2pdf >/dev/null; then
		document '' column/full/{heatmap,cdf}-latex.tex column/machines/levels-latex.tex \
			column/swept/sweep-map-latex.tex >eps.tex
		set_document latex eps 4
	else
		echo 'no dvips or ps2pdf: epslatex is not set'
	fi
else
	echo 'no LaTeX (texlive-latex-base, texlive-pictures): tikz and epslatex are not set'
fi
exit $failed
