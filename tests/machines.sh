#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Several machines in one run: each is what it is alone, byte for byte, at any
# -j; how they are named; what report and its formats make of them.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "$*"
	failed=1
}

# refused STATUS TEXT VERB ARGUMENT...: one line that says so
refused()
{
	local status=$1 text=$2 got
	shift 2
	"$PAGESCOPE" "$@" >out 2>err
	got=$?
	[ $got -eq "$status" ] || complain "$*: status $got, not $status"
	[ "$(wc -l <err)" -eq 1 ] || complain "$*: not one line: $(cat err)"
	grep -qF -- "$text" err || complain "$*: no '$text' in: $(cat err)"
}

# Without who and how: what was asked for has other names
counts()
{
	sed '/^  "provenance": {/,/^  }/d'
}

trace=generate:mix,n=300K,pages=20000,seed=5
"$PAGESCOPE" import "$trace" -o mix.pst || complain 'no trace'
"$PAGESCOPE" config show zen3 >mine.cfg
common='--set memory.latency=300 --seed 7'
several='-m skylake-sp -m zen4:pages.policy=2m -m big=simulator:tlb.l2.entries=3072,tlb.l2.ways=12 -m mine.cfg -m :pages.policy=thp -m nested=zen4:table.kind=nested'

# shellcheck disable=SC2086
"$PAGESCOPE" replay mix.pst $common $several -o all.json || complain 'several: failed'
for j in 0 1 2 3 8; do
	# shellcheck disable=SC2086
	"$PAGESCOPE" replay mix.pst $common $several -j $j -o other.json
	cmp -s all.json other.json || complain "several: -j $j gives other bytes"
done

# alone NAME OPTION...: the machine of that name is what the options give
alone()
{
	local name=$1
	shift
	# shellcheck disable=SC2086
	"$PAGESCOPE" replay mix.pst $common "$@" -o alone.json || complain "$name: failed"
	counts <alone.json >want
	"$PAGESCOPE" report -m "$name" --format json all.json | counts >got
	cmp -s want got || complain "$name: differs from alone: $(diff want got | head -n 4)"
	[ "$(wc -l <want)" -gt 100 ] || complain "$name: an empty result"
}
alone skylake-sp --cpu skylake-sp
alone zen4:pages.policy=2m --cpu zen4 --set pages.policy=2m
alone big --cpu simulator --set tlb.l2.entries=3072 --set tlb.l2.ways=12
alone mine.cfg --config mine.cfg
alone nested --cpu zen4 --set table.kind=nested
alone default:pages.policy=thp --set pages.policy=thp

# One --machine is --cpu
# What the cycles leave out is told, where faults differ, and only there.
"$PAGESCOPE" replay mix.pst -m zen4 -m large=zen4:pages.policy=2m |
	tr '\n' ' ' | grep -q 'page faults.*the time of a fault is not in' ||
	complain 'faults that differ are not told'
"$PAGESCOPE" replay mix.pst -m zen4 -m skylake-sp |
	grep -q 'the time of a fault' && complain 'faults that do not differ are told'

"$PAGESCOPE" replay mix.pst -m zen4 -o one.json
"$PAGESCOPE" replay mix.pst --cpu zen4 -o cpu.json
diff one.json cpu.json | grep '^[<>]' | grep -v '"command"' &&
	complain 'one --machine is not --cpu'
"$PAGESCOPE" replay mix.pst -m zen4:pages.policy=2m -o one.json
"$PAGESCOPE" report one.json | head -n 1 | grep -q 'on zen4:pages.policy=2m$' ||
	complain "one machine: its name is lost: $("$PAGESCOPE" report one.json | head -n 1)"

# What it is based on may be changed too; own options are above --set
"$PAGESCOPE" replay mix.pst --cpu zen5 --set tlb.l1d.entries=80 -m :tlb.l1d.entries=40 -m b=: \
	-o own.json || complain 'own options: failed'
[ "$("$PAGESCOPE" report -m zen5:tlb.l1d.entries=40 --get tlb.l1d.entries own.json)" = 40 ] ||
	complain 'own options are not above --set'
[ "$("$PAGESCOPE" report -m b --get tlb.l1d.entries own.json)" = 80 ] ||
	complain '--set does not hold for all'
[ "$("$PAGESCOPE" report -m b --get tlb.l2.entries own.json)" = 4096 ] ||
	complain 'a machine without a name is not that of --cpu'

refused 2 'did you mean "zen4"?' replay mix.pst -m zen44 -m zen3
refused 2 '--machine zen4:tlb.l2.ways=7: tlb.l2.ways: 7' replay mix.pst -m zen4:tlb.l2.ways=7
refused 2 'did you mean "tlb.l2.entries"?' replay mix.pst -m zen4:tlb.l2.entrees=7
refused 2 'is no OPTION=VALUE' replay mix.pst -m zen4:
refused 2 'is no OPTION=VALUE' replay mix.pst -m zen4:seed
refused 2 '--machine zen4: twice' replay mix.pst -m zen4 -m zen4
refused 2 'write :tlb.l2.entries=7' replay mix.pst -m tlb.l2.entries=7
refused 2 '--cpu zen3: every --machine names its own' replay mix.pst --cpu zen3 -m zen4
refused 2 'an empty label' replay mix.pst -m =zen4
refused 125 'nowhere.cfg' replay mix.pst -m nowhere.cfg -m zen4
refused 2 'is of several machines' report --get walk.count all.json
refused 2 'no machine "zen44"' report -m zen44 all.json
refused 2 'is of one machine' report -m zen4 cpu.json
refused 125 'did you mean "walk.levels"?' report --table walk.level all.json

# Formats: a column for each machine, tables with the machine's name in front
"$PAGESCOPE" report --format csv all.json >values.csv
[ "$(head -n 1 values.csv)" = \
	'name,unit,skylake-sp,zen4:pages.policy=2m,big,mine.cfg,default:pages.policy=thp,nested' ] ||
	complain "csv: the heading is $(head -n 1 values.csv)"
[ "$(grep -c '^walk.count,' values.csv)" -eq 1 ] || complain 'csv: no walk.count'
for name in skylake-sp big; do
	want=$("$PAGESCOPE" report -m $name --get walk.count all.json)
	grep '^walk.count,walks,' values.csv | grep -q ",$want\(,\|\$\)" ||
		complain "csv: not $name's walks"
done
"$PAGESCOPE" report --format csv --table walk.levels all.json >levels.csv
[ "$(head -n 1 levels.csv | cut -d, -f 1-3)" = machine,level,references ] ||
	complain 'csv: tables have no machine in front'
[ "$(cut -d, -f 1 levels.csv | sort -u | wc -l)" -eq 7 ] || complain 'csv: not all machines'
"$PAGESCOPE" report --format json all.json | cmp - all.json || complain 'json is not the document'
"$PAGESCOPE" report all.json >text || complain 'no report'
for said in 'What differs' 'Side by side' 'Against skylake-sp' 'Options that differ' \
	'^  E  default:pages.policy=thp ' '^  tlb.l1d.entries '; do
	grep -q "$said" text || complain "the report does not say: $said"
done
[ "$(awk 'length > 100' text | wc -l)" -eq 0 ] || complain 'the report is too wide'
# shellcheck disable=SC2086
"$PAGESCOPE" replay mix.pst $common $several >printed
sed '/^Provenance/,$d' text >a
sed '/^Provenance/,$d' printed >b
cmp -s a b || complain 'replay prints another report'

# The same machine twice differs in nothing
"$PAGESCOPE" replay mix.pst -m a=zen4 -m b=zen4 >text
grep -q 'costs the same on all of them' text || complain 'two alike: not said'
grep -q 'Options that differ' text && complain 'two alike: options differ'

# Documents that are broken
sed '0,/"name": "big"/s//"name": "skylake-sp"/' all.json >twice.json
refused 125 'twice.json: machines[2].name: "skylake-sp" is that of another one too' report twice.json
sed '0,/"name": "big"/s//"name": 3/' all.json >number.json
refused 125 'number.json: machines[2].name: a text is needed' report number.json
exit $failed
