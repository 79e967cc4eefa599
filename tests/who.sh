#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Who misses, walks and faults (replay --by): a program with known functions and
# data gives the split that it must; all tables add up to the totals, whatever
# the machine; stacks, pages and times do so too.
set -u
: "${PAGESCOPE:?}"
target=$PWD/tests/who-target
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "$*"
	failed=1
}

run()
{
	"$PAGESCOPE" "$@" >out 2>err || complain "$*: $(cat err)"
}

# table RESULT NAME: as CSV, without the heading
table()
{
	"$PAGESCOPE" report --format csv --table "$2" "$1" | sed 1d
}

# value RESULT NAME
value()
{
	"$PAGESCOPE" report --get "$2" "$1" 2>/dev/null
}

# adds_up RESULT TABLE...: in each, the last columns but one are l1d, l1i and l2
# misses, walks, cycles, minor and major faults
adds_up()
{
	local result=$1 name sums totals
	shift
	"$PAGESCOPE" report --format csv "$result" >values
	totals=$(for name in tlb.l1d.misses tlb.l1i.misses tlb.l2.misses walk.count \
		walk.cycles fault.minor fault.major; do
		awk -F, -v name=$name '$1 == name { printf "%d ", $2 }' values
	done)
	for name; do
		sums=$(table "$result" "$name" | awk -F, '
			{ for (i = 0; i < 7; i++) sum[i] += $(NF - 1 - i) }
			END { for (i = 6; i >= 0; i--) printf "%d ", sum[i] }')
		[ "$sums" = "$totals" ] ||
			complain "$result: $name adds up to $sums, not to $totals"
	done
}

# has RESULT TABLE WHAT: a line that begins with it
has()
{
	table "$1" "$2" | grep -q "^$3" ||
		complain "$1: $2 has no $3: $(table "$1" "$2" | head -5)"
}

tables='who.function who.line who.object who.mapping who.thread who.node who.path who.stacks'

# The known program: 1,000 pages of one array by a thread, 2,000 of another, and
# two blocks of the heap
if run record --heap -o known.pst -- "$target" 1000 2000 300; then
	run replay known.pst --cpu skylake-sp --by all -o known.json
	# shellcheck disable=SC2086
	adds_up known.json $tables
	# of its own accesses, the arrays' pages; misses of its stack may come on top
	for expected in 'touch_first 1000' 'touch_second 2000' 'touch_heap 900'; do
		# shellcheck disable=SC2086
		set -- $expected
		table known.json who.function | awk -F, -v name="$1" -v n="$2" '
			$1 == name && $3 >= n && $3 <= n + 8 && $6 >= n && $6 <= n + 8 &&
				$8 == n { good = 1 }
			END { exit !good }' ||
			complain "$1: $(table known.json who.function | grep "^$1")"
	done
	has known.json who.line "who-target.c:[0-9]*,touch_first,$target,1000,0,1000,1000,"
	has known.json who.line "who-target.c:[0-9]*,touch_second,$target,2000,0,2000,2000,"
	has known.json who.object "first_array,symbol,$target,16777216,0,1000,0,1000,1000,[0-9]*,1000,"
	has known.json who.object "second_array,symbol,$target,16777216,0,2000,0,2000,2000,[0-9]*,2000,"
	has known.json who.object "make_block (who-target.c:[0-9]*) < main.*,allocated,,1232896,1,300,0,300,300,"
	has known.json who.object "make_other (who-target.c:[0-9]*) < main.*,allocated,,2461696,1,600,0,600,600,"
	# the second thread touched the first array, and its own stack
	table known.json who.thread | awk -F, '
		$8 >= 1000 && $8 < 1020 { good = 1 } END { exit NR != 2 || !good }' ||
		complain "threads: $(table known.json who.thread)"
	# with what they call
	for expected in 'middle 2000 0' 'thread_run 1000 0' 'main 2900 0'; do
		# shellcheck disable=SC2086
		set -- $expected
		table known.json who.path | awk -F, -v name="$1" -v n="$2" '
			$1 == name && $8 >= n && $8 < n + 40 && $15 < 10 { good = 1 }
			END { exit !good }' ||
			complain "path: $(table known.json who.path | grep "^$1")"
	done
	# folded: the same walks, each stack with its callers
	run report --format folded --weight walks known.json
	cp out folded
	[ "$(awk '{ n += $NF } END { print n }' folded)" = "$(value known.json walk.count)" ] ||
		complain "folded: $(awk '{ n += $NF } END { print n }' folded) walks"
	grep -q ';main;middle;touch_second;.*second_array 2000$' folded ||
		complain "folded: $(grep touch_second folded)"
	# of the C library two frames, whatever they are called
	grep -q '^[^;]*;thread [0-9]*;[^;]*;[^;]*;[^;]*;thread_run;touch_first;.*first_array 1000$' folded ||
		complain "folded: $(grep touch_first folded)"
	# times add up too
	[ "$(table known.json who.time | awk -F, '{ n += $6 } END { print n }')" = \
		"$(value known.json walk.cycles)" ] || complain "who.time: walk cycles"
	# the hottest page has no more than a few of all misses: each was touched once
	[ "$(table known.json who.pages | head -1000 | wc -l)" = 1000 ] ||
		complain "who.pages: $(table known.json who.pages | wc -l) rows"
fi

# Other kinds of allocations, and a child that goes on where its parent was
run record --heap -o kinds.pst -- "$target" 1 1 1 200
run replay kinds.pst --cpu skylake-sp --by all -o kinds.json
# shellcheck disable=SC2086
adds_up kinds.json $tables
for kind in make_zeroed make_larger make_aligned; do
	has kinds.json who.object "$kind (who-target.c:[0-9]*) < .*,allocated,,[0-9]*,1,200,0,200,200,[0-9]*,200,"
done
has kinds.json who.object 'third_array,symbol,.*,200,0,200,200,[0-9]*,200,'
run report --format folded --weight faults_minor kinds.json
grep -q '^process [0-9]*;.*;main;.*in_child;touch_third;.*third_array 200$' out ||
	complain "child: $(grep touch_third out)"

# Whatever recorded it, data and allocations are the same (by name: L1d misses,
# walks, faults; of the rows that the program alone makes)
for engine in step cache valgrind; do
	"$PAGESCOPE" record -e $engine --heap -o $engine.pst -- "$target" 20 30 40 40 2>err ||
		continue
	run replay $engine.pst --cpu skylake-sp --by object,path -o $engine.json
	table $engine.json who.object | grep -E '^((first|second|third)_array|make_)' |
		awk -F, '{ print $1, $(NF - 7), $(NF - 4), $(NF - 2) }' | sort >$engine.objects
	cmp -s step.objects $engine.objects ||
		complain "$engine: $(diff step.objects $engine.objects)"
done
[ "$(wc -l <step.objects)" = 8 ] || complain "step: $(cat step.objects)"

# operator new is the caller's, not the C++ library's
cat >new.cc <<'END'
__attribute__((noinline)) char *make_new(unsigned long n)
{
	char *block = new char[n];
	__asm__ volatile("" ::: "memory");
	return block;
}
int main()
{
	volatile char *block = make_new(60 * 4096);
	for (int i = 0; i < 59; i++)
		block[i * 4096 + 4096 - ((unsigned long)block & 4095)] = 1;
}
END
if c++ -g -O1 -o new new.cc 2>/dev/null; then
	run record --heap -o new.pst -- ./new
	run replay new.pst --cpu skylake-sp --by object -o new.json
	table new.json who.object | grep -q '^make_new(unsigned long) (new.cc:[0-9]*),allocated,.*,59,0,59,59,' ||
		complain "new: $(table new.json who.object | grep allocated)"
fi

# Without --heap the blocks are what was mapped for them
run record -o plain.pst -- "$target" 10 20 300
run replay plain.pst --cpu skylake-sp --by object -o plain.json
"$PAGESCOPE" report --get who.allocations plain.json >out 2>&1
grep -q 'without --heap' out || complain "no allocations: $(cat out)"
[ "$(value kinds.json who.allocations)" -ge 7 ] ||
	complain "allocations: $(value kinds.json who.allocations)"
table plain.json who.object | grep -q allocated && complain "allocations without --heap"
table plain.json who.object | grep -q '^\[mmap [0-9]*\],mmap,.*,301,0,301,301,' ||
	complain "mmap: $(table plain.json who.object)"

# The law on all kinds of machines
i=0
for machine in zen4:pages.policy=2m skylake-sp:machine.cores=2,cache.data=true \
	neoverse-n1 zen2:tlb.prefetch.kind=distance skylake-sp:table.kind=hashed \
	zen4:numa.nodes=2,numa.data=interleave \
	zen4:memory.size=8M,reclaim.policy=lru,reclaim.device=nvme; do
	i=$((i + 1))
	run replay known.pst -m "$machine" --by object,thread,node,function -o law$i.json
	adds_up law$i.json who.function who.object who.thread who.node
done
# Half of the pages are on each of two nodes, and one of them runs
table law6.json who.node | awk -F, '{ n[$2] += $6; from[$1] } END {
	for (i in from) froms++
	exit n[0] + n[1] < 3900 || n[0] - n[1] > 100 || n[1] - n[0] > 100 || froms != 1 }' ||
	complain "interleaved: $(table law6.json who.node)"
# Threads that run on their nodes touch their own pages first
run replay known.pst -m zen4:numa.nodes=2,numa.threads=spread --by node,thread -o spread.json
table spread.json who.node | awk -F, '
	$1 == 1 && $2 == 1 && $8 >= 1000 && $8 < 1020 { good = 1 } END { exit !good }' ||
	complain "spread: $(table spread.json who.node)"

# What is not asked for is not there, and does not change the rest
run replay known.pst --cpu skylake-sp -o none.json
run replay known.pst --cpu skylake-sp --by function -o one.json
"$PAGESCOPE" report --format csv none.json >none.csv
"$PAGESCOPE" report --format csv one.json | grep -v ^who. >one.csv
cmp -s none.csv one.csv || complain "--by changes values: $(diff none.csv one.csv | head -5)"
adds_up one.json who.function
"$PAGESCOPE" report --format csv --table who.object one.json >out 2>&1 &&
	complain "objects without being asked for"
"$PAGESCOPE" replay known.pst --by shape >out 2>&1
[ $? = 2 ] || complain "--by shape: $(cat out)"
"$PAGESCOPE" report --format folded none.json >out 2>&1 && complain "folded without stacks"
grep -q -- '--by' out || complain "folded: $(cat out)"

# The same bytes at any number of threads
two=(-m zen4 -m "b=skylake-sp:pages.policy=thp")
run replay known.pst "${two[@]}" --by object,path -j 2 -o first.json
run replay known.pst "${two[@]}" --by object,path -j 0 -o again.json
for each in first again; do
	sed '/"command"/,/\]/d' $each.json >$each.bare
done
cmp -s first.bare again.bare || complain "--jobs changes results"

# Not into what runs already
"$PAGESCOPE" record --heap -p $$ -o none.pst >out 2>&1 && complain '--heap -p'
grep -q 'when a command starts' out || complain "--heap -p: $(cat out)"

exit $failed
