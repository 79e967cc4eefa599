#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Documents of every kind with odd numbers, texts, rows and members in them
# (tests/odd-results), given to every verb that reads documents: no crash, no
# endless loop, and a message with each failure.
set -u
: "${PAGESCOPE:?}"
odd=$(pwd)/tests/odd-results
srcdir=$(cd "${srcdir:-.}" && pwd)
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "FAIL: $*"
	failed=1
}

# makes FILE WORD...: a document
makes()
{
	local file=$1
	shift
	"$PAGESCOPE" "$@" -o "$file" >out 2>&1 || complain "$*: $(cat out)"
}

makes t.pst import generate:mix,n=300
makes replay.json replay t.pst
makes who.json replay t.pst --by page,function,mapping
makes two.json replay t.pst --machine zen4 --machine skylake-sp
makes curve.json curve t.pst --policy lru,opt --by mapping
makes sampled.json curve t.pst --method aet
makes ways.json curve t.pst --associativity
makes sweep sweep t.pst -P 'tlb.l2.ways=4..16 x2' -P 'seed=1,2'
makes advice.json advise tlb memory generate:uniform,n=300,pages=20
"$PAGESCOPE" stat -o stat.json -- true >out 2>&1 || rm -f stat.json
timeout -k 5 200 "$odd" "${ODD_TIMES:-8}" ./*.json sweep/sweep.json \
	"$srcdir"/tests/corpus/result/*.json || complain 'odd documents'
exit $failed
