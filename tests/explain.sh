#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Walks told step by step: two worked out by hand, sums of all that are told
# against what the machine counts, and that telling changes nothing.
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

# By hand, on the textbook machine (no walk caches, no caches, memory at 100
# cycles; frames are given out from 0x40000000 on, one after the other):
# - 0x1ffeffe7e8 is 000000000 001111111 111110111 111111110 011111101000, so its
#   entries are 0, 0x7f = 127, 0x1f7 = 503 and 0x1fe = 510.  The root has the first
#   frame.  It is empty: the walk ends after its first entry, in a fault.  The
#   kernel takes frame ..1000 for the page, then ..2000, ..3000, ..4000 for the
#   three tables below the root.  Entries are 8 bytes: 127 * 8 = 0x3f8, 503 * 8 =
#   0xfb8, 510 * 8 = 0xff0.
# - 0x1ffeffd000 has the entries 0, 127, 503 and 509 (0xfe8): all tables are there,
#   the page is not, so the first walk reads all four.  Frame ..5000 is next.
# - the store to 0x1ffeffe7e0 between them is on the first page: the TLB has it.
printf ' L 1ffeffe7e8,8\n S 1ffeffe7e0,8\n L 1ffeffd000,8\n S 2000000000,8\n' >few
cat >want <<'END'
The first walks, step by step
  Walk 1: load of 0x1ffeffe7e8 (access 0, pc 0x0, space 0)
    level 4: PML4E at 0x40000000 (entry 0 of its table): in memory, 100 cycles
    no page is there: the kernel handles the fault
    level 4: PML4E at 0x40000000 (entry 0 of its table): in memory, 100 cycles
    level 3: PDPTE at 0x400023f8 (entry 127 of its table): in memory, 100 cycles
    level 2: PDE at 0x40003fb8 (entry 503 of its table): in memory, 100 cycles
    level 1: PTE at 0x40004ff0 (entry 510 of its table): in memory, 100 cycles
    = 0x400017e8 in a 4 KiB page, writable: 400 cycles

  Walk 2: load of 0x1ffeffd000 (access 2, pc 0x0, space 0)
    level 4: PML4E at 0x40000000 (entry 0 of its table): in memory, 100 cycles
    level 3: PDPTE at 0x400023f8 (entry 127 of its table): in memory, 100 cycles
    level 2: PDE at 0x40003fb8 (entry 503 of its table): in memory, 100 cycles
    level 1: PTE at 0x40004fe8 (entry 509 of its table): in memory, 100 cycles
    no page is there: the kernel handles the fault
    level 4: PML4E at 0x40000000 (entry 0 of its table): in memory, 100 cycles
    level 3: PDPTE at 0x400023f8 (entry 127 of its table): in memory, 100 cycles
    level 2: PDE at 0x40003fb8 (entry 503 of its table): in memory, 100 cycles
    level 1: PTE at 0x40004fe8 (entry 509 of its table): in memory, 100 cycles
    = 0x40005000 in a 4 KiB page, writable: 400 cycles

END
"$PAGESCOPE" replay few --cpu textbook --explain-walks 2 |
	sed -n '/^The first walks/,/^Accesses/p' | sed '/^Accesses/d' >got
diff want got || complain 'the walks worked out by hand are told otherwise'

# With a walk cache for each level and caches (the default machine): the second
# page's PDE is known, and its PTE lies in the line of the first one's
"$PAGESCOPE" replay few --explain-walks 9 -o few.json
"$PAGESCOPE" report --format csv --table walks.explained few.json | grep '^2,' >got
cat >want <<'END'
2,access,,0x1ffeffd000,load,,"access 2, pc 0x0, space 0"
2,ask,2,,hit,,pde
2,read,1,0x40004fe8,L1,4,entry 509 of its table
2,fault,,0x1ffeffd000,no page,,
2,ask,2,,hit,,pde
2,read,1,0x40004fe8,L1,4,entry 509 of its table
2,end,,0x40005000,4 KiB page,4,writable
END
diff want got || complain 'the second walk of the default machine is told otherwise'
[ "$("$PAGESCOPE" report --format csv --table walks.explained few.json | grep -c ',end,')" -eq 3 ] ||
	complain 'not all walks are told'

# same WHAT OPTION...: telling some walks, and all, changes nothing but the
# telling; and all that are told are what the machine counts
"$PAGESCOPE" import generate:mix,n=8000,pages=1500,seed=5 -o mix.pst
without()
{
	sed '/"command": \[/d; /^    "walks.explained": {/,/^    }/d; s/},$/}/; s/^\(  *}\)$/\1/' "$1"
}
same()
{
	local what=$1 walks n cycles references
	shift
	"$PAGESCOPE" replay mix.pst "$@" -o plain.json || complain "$what: failed"
	without plain.json >plain
	for n in 100 100000; do
		"$PAGESCOPE" replay mix.pst "$@" --explain-walks $n -o told.json
		without told.json | diff plain - >out || complain "$what: telling $n changes: $(head -n 5 out)"
	done
	"$PAGESCOPE" report --format csv --table walks.explained told.json >told.csv
	walks=$(grep -c ',end,' told.csv)
	[ "$walks" = "$("$PAGESCOPE" report --get walk.count told.json)" ] ||
		complain "$what: $walks walks are told, not all"
	cycles=$(awk -F, '$2 == "end" { sum += $6 } END { printf "%d", sum }' told.csv)
	[ "$cycles" = "$("$PAGESCOPE" report --get walk.cycles told.json)" ] ||
		complain "$what: $cycles cycles are told"
	references=$(grep -c ',read,' told.csv)
	[ "$references" = "$(($("$PAGESCOPE" report --get walk.references told.json) + $("$PAGESCOPE" report --get walk.faulted.references told.json)))" ] ||
		complain "$what: $references entries are told"
	# each walk costs what its last reads and its overhead do; of those beside
	# each other the slowest counts
	awk -F, '$2 == "access" || $2 == "fault" { sum = slowest = 0 }
		$2 == "read" && /beside/ { if ($6 > slowest) { sum += $6 - slowest; slowest = $6 } next }
		$2 == "read" { slowest = $6 }
		$2 == "read" || $2 == "overhead" || $2 == "wait" { sum += $6 }
		$2 == "end" && sum != $6 { print; bad = 1 }
		END { exit bad }' told.csv >out || complain "$what: a walk is not its parts: $(head -n 1 out)"
}
# asked NAME...: of what is beside the walk caches, each look and what came of it
# is told (of the machine that was told last)
asked()
{
	local name
	for name; do
		[ "$(grep -c "^[0-9]*,ask,[0-9]*,0x[0-9a-f]*,[a-z]*,,$name\$" told.csv)" = \
			"$("$PAGESCOPE" report --get "$name.lookups" told.json)" ] ||
			complain "$name: not all lookups are told"
		[ "$(grep -c "^[0-9]*,ask,[0-9]*,0x[0-9a-f]*,hit,,$name\$" told.csv)" = \
			"$("$PAGESCOPE" report --get "$name.hits" told.json)" ] ||
			complain "$name: not all hits are told"
	done
}
same default
same textbook --cpu textbook
same zen4 --cpu zen4 --set walker.overhead=7
same data --cpu skylake-sp --set cache.data=yes
same large --cpu skylake-sp --set pages.policy=thp
same uncached --set cache.walks=none
for kind in hashed inverted cuckoo nested shadow flat; do
	same $kind --set table.kind=$kind --set memory.size=64M
	case $kind in
	cuckoo) asked cwc.2m cwc.1g ;;
	nested) asked nested.tlb nested.pde nested.pdpte nested.pml4e ;;
	esac
done
# Two walks of a guest, in the order in which things are asked and read: the PTE
# of the second page is in the guest's last table (its PDE is known), whose frame
# the nested TLB knows, as it is that of the first page's PTE; the page itself is
# the host's third (0x40005000, ..5 of a table whose entries are 8 bytes: 0x28)
"$PAGESCOPE" replay few --set table.kind=nested --explain-walks 2 -o few.json
"$PAGESCOPE" report --format csv --table walks.explained few.json | grep '^2,' >got
cat >want <<'END'
2,access,,0x1ffeffd000,load,,"access 2, pc 0x0, space 0"
2,ask,2,,hit,,pde
2,ask,,0x40004fe8,hit,,nested.tlb
2,read,1,0x40008fe8,L1,4,entry 509 of its table
2,fault,,0x1ffeffd000,no page,,
2,ask,2,,hit,,pde
2,ask,,0x40004fe8,hit,,nested.tlb
2,read,1,0x40008fe8,L1,4,entry 509 of its table
2,ask,,0x40005000,miss,,nested.tlb
2,ask,2,0x40005000,hit,,nested.pde
2,read,1,0x40004028,L1,4,of the host
2,end,,0x40009000,4 KiB page,8,writable
END
diff want got || complain 'a walk of two dimensions is told otherwise'
same nodes --set numa.nodes=2 --set numa.tables=interleave
same wait --set walker.cycles-per-access=2

"$PAGESCOPE" replay mix.pst -m textbook -m zen4 --explain-walks 1 -o two.json
"$PAGESCOPE" report -m zen4 two.json | grep -q '^  Walk 1: ' || complain 'of two machines: not told'
"$PAGESCOPE" replay generate:uniform,n=1,pages=1 --explain-walks 5 >out
grep -q 'Walk 1:' out || complain 'one access: not told'
exit $failed
