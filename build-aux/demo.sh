#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.sh DIRECTORY: the tour of ./dev demo.  Records a real program with every
# access, fault and mapping change, replays it on a preset machine, prints the
# report and leaves plots with their data and scripts in DIRECTORY.
set -eu
out=${1:?}
mkdir -p "$out"
cd "$out"
out=$PWD

# Say what is run, run it, say how long it took.
run()
{
	local start=$SECONDS status=0
	printf '\n$ %s\n' "$*"
	"$@" || status=$?
	[ $((SECONDS - start)) -lt 2 ] || printf '(%d s)\n' $((SECONDS - start))
	return $status
}

# Lines that compress like text does: words of a Zipf-like choice, seeded
awk 'BEGIN {
	srand(1)
	for (i = 0; i < 400000; i++) {
		line = ""
		for (k = 0; k < 3; k++)
			line = line sprintf("%x ", int(2 ^ (rand() * 20)))
		print line
	}
}' >data

run pagescope check || true
run pagescope record -e valgrind,faults -o gzip.pst -- gzip -9 -k -f data
run pagescope info gzip.pst
run pagescope replay gzip.pst --cpu skylake-sp -o gzip.json
run pagescope report gzip.json
run pagescope plot gzip.json -o .
run pagescope replay gzip.pst --cpu skylake-sp --set pages.policy=thp -o thp.json
printf '\nWith huge pages where they fit:\n'
for value in tlb.l2.misses walk.count walk.cycles fault.minor; do
	printf '  %-16s %14s -> %s\n' $value \
		"$(pagescope report --get $value gzip.json)" \
		"$(pagescope report --get $value thp.json)"
done
printf '\nIn %s:\n' "$out"
ls -l "$out"
