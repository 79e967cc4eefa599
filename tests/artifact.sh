#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pagescope artifact: its figures and results are made again, elsewhere, to the
# same bytes and values; a changed one is found.
set -u
: "${PAGESCOPE:?}"
command -v gnuplot >/dev/null || {
	echo 'gnuplot is not installed'
	exit 77
}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
mkdir bin
ln -s "$PAGESCOPE" bin/pagescope
PATH=$dir/bin:$PATH
failed=0

complain()
{
	echo "$*"
	failed=1
}

pagescope import generate:mix,n=5000,pages=900,seed=3 -o 'a trace.pst' || exit 99
pagescope replay 'a trace.pst' --set tlb.l2.entries=768 -o "it's.json" || exit 99
pagescope replay generate:uniform,n=5000,pages=500 --cpu textbook -o made.json || exit 99
pagescope replay 'a trace.pst' -m textbook -m default -o two.json || exit 99
pagescope curve 'a trace.pst' --policy lru,fifo -o curve.json || exit 99
pagescope sweep generate:mix,n=5000,pages=700 -P tlb.l2.entries=384,768 -L table.kind radix,hashed -o swept \
	>/dev/null 2>&1 || exit 99
cp swept/sweep.json swept.json
pagescope replay generate:uniform,n=500,pages=50 --config <(echo) -o file.json || exit 99
pagescope artifact paper --trace 'a trace.pst' "it's.json" made.json two.json curve.json swept.json file.json \
	>out 2>err || complain "failed: $(cat err)"
grep -q '^paper: 6 results, [0-9]* figures' out || complain "said: $(cat out)"
[ -s err ] && complain "said too: $(cat err)"
for file in README.md appendix.tex figures.sh results.sh SHA256SUMS results/it_s.json options/made.txt traces/a_trace.pst \
	figures/two/cdf.pdf figures/made/misses.gp; do
	[ -s "paper/$file" ] || complain "no $file"
done
digest=$(grep -o '"digest": "[0-9a-f]*"' "it's.json" | cut -d'"' -f4)
grep -q "digest of the trace's content: ${digest:-none}" paper/README.md || complain 'no digest'
grep -qx -- "- expected walk.count: $(pagescope report --get walk.count made.json)" paper/README.md ||
	complain 'README.md: not what to expect'

mv paper elsewhere
sleep 1.1
(cd / && "$dir/elsewhere/figures.sh") >out 2>&1 || complain "figures.sh: $(cat out)"
grep -qx 'all figures are as they were' out || complain "figures.sh: $(cat out)"
elsewhere/results.sh >out 2>&1 || complain "results.sh: $(cat out)"
[ "$(grep -c ': the same$' out)" -eq 6 ] || complain "results.sh: $(cat out)"
[ -s elsewhere/again/swept/sweep.json ] || complain 'results.sh: the sweep was not made again'
[ "$(grep -c '^- made again by results.sh: yes$' elsewhere/README.md)" -eq 6 ] || complain 'README.md: what is made again'
# A result whose trace is not here, and one whose command is none of ours
pagescope artifact alone two.json 2>err >out || complain "alone: $(cat err)"
grep -q '^- made again by results.sh: no: its trace is not here' alone/README.md || complain 'alone: not said'
sed 's/"curve", /"run", "--", "touch", "hit", /' curve.json >evil.json
pagescope artifact evil --trace 'a trace.pst' evil.json >out 2>err || complain "evil: $(cat err)"
evil/results.sh >out 2>&1
[ ! -e evil/hit ] || complain 'a command of a result was run'
grep -q 'no: only what replay' evil/README.md || complain 'evil: not said'
# The appendix, as LaTeX has it
grep -q 'Artifact check-list' elsewhere/appendix.tex || complain 'no appendix'
grep -q "texttt{$(echo "${digest:-none}" | cut -c1-20)" elsewhere/appendix.tex || complain 'appendix: no digest'
if command -v pdflatex >/dev/null; then
	printf '\\documentclass{article}\\begin{document}\\input{elsewhere/appendix}\\end{document}\n' >paper.tex
	pdflatex -interaction=nonstopmode paper >/dev/null || complain "appendix: $(grep -A3 '^!' paper.log)"
else
	echo 'no LaTeX: the appendix is not set'
fi

# What is not the same is told
sed -i 's/"walk.count": {"value": /&1/' elsewhere/results/made.json
elsewhere/results.sh >out 2>&1 && complain 'results.sh: a changed result passes'
grep -q '^made: see again/made.diff$' out || complain "changed: $(cat out)"
sed -i '$s/^[0-9.]* /7 /' elsewhere/figures/made/misses.dat
elsewhere/figures.sh >out 2>&1 && complain 'figures.sh: changed data pass'

pagescope artifact elsewhere made.json 2>err && complain 'a directory that is full'
grep -q 'elsewhere is there and not an empty directory' err || complain "full: $(cat err)"
pagescope artifact new 2>err
[ $? -eq 2 ] || complain 'no results: status'
mkdir other && cp made.json other
pagescope artifact new made.json other/made.json 2>err && complain 'two of one name'
exit $failed
