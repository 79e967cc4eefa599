#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Frames, colours, nodes and kinds of memory, as a user gets them: closed forms,
# laws, and what is refused.
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

# replay NAME TRACE OPTION...
replay()
{
	local name=$1 trace=$2 option sets=()
	shift 2
	for option; do
		sets+=(--set "$option")
	done
	"$PAGESCOPE" replay --no-symbols -o "$name.json" "$trace" "${sets[@]}" ||
		complain "$name: replay failed"
}

get()
{
	"$PAGESCOPE" report --get "$2" "$1.json"
}

# is NAME VALUE WANTED; same NAME OTHER VALUE...
is()
{
	local got
	got=$(get "$1" "$2")
	[ "$got" = "$3" ] || complain "$1: $2 is $got, not $3"
}

same()
{
	local one=$1 two=$2 value
	shift 2
	for value; do
		is "$two" "$value" "$(get "$one" "$value")"
	done
}

between()
{
	local got
	got=$(get "$1" "$2")
	awk -v x="$got" -v low="$3" -v high="$4" \
		'BEGIN { exit !(x != "" && x + 0 >= low && x + 0 <= high) }' ||
		complain "$1: $2 is $got, not in $3 .. $4"
}

# cell NAME TABLE ROW COLUMN: of the row whose first column is that
cell()
{
	"$PAGESCOPE" report --format csv --table "$2" "$1.json" |
		awk -F, -v row="$3" -v n="$4" '$1 == row { print $n }'
}

random=generate:uniform,n=300000,pages=40000,seed=2
plain=(cache.walks=none pages.zero-page=no)

# Where frames come from changes nothing but where they are
replay ascending "$random" "${plain[@]}"
for order in random buddy; do
	replay $order "$random" "${plain[@]}" memory.order=$order
	same ascending $order tlb.l1d.misses walk.count walk.cycles fault.minor \
		footprint.bytes table.bytes
done
is buddy frames.begun 0
is buddy frames.fragmentation.2m -1.0

# The more of memory was in use before, the fewer large pages: those that are
# left are all that THP gets
last=1000000
for aged in 0 0.3 0.6; do
	replay aged "$random" memory.order=buddy memory.start=aged memory.aged=$aged \
		memory.size=1G pages.policy=thp pages.zero-page=no
	is aged frames.begun "$(awk -v a=$aged 'BEGIN { print int(a * 262144) }')"
	small=$(get aged fault.minor)
	[ "$aged" = 0 ] && last=$small
	[ "$small" -ge "$last" ] || complain "aged $aged: $small faults, not more than $last"
	last=$small
done
replay aged0 "$random" memory.order=buddy memory.start=aged memory.aged=0 memory.size=1G
replay fresh "$random" memory.order=buddy memory.size=1G
same aged0 fresh frames.free.pages frames.unusable.2m

# Free blocks of a file: 100 of 4K and 40 of 4M
echo "Node 0, zone   Normal    100 0 0 0 0 0 0 0 0 0 40" >buddyinfo
replay file generate:sequential,n=1000,pages=1000,stride=4096 memory.order=buddy \
	memory.start=file memory.buddyinfo=buddyinfo pages.zero-page=no
# 1000 pages, and the root and three tables, of which one is of 2 MiB more
is file frames.free.pages "$((100 + 40 * 1024 - 1000 - 3 - $(get file table.bytes) / 4096 + 2))"

# Colours: a contiguous program that fits has no conflicts where they follow its
# addresses; drawn ones give each page a colour of its own by chance
fits=generate:sequential,n=20480,pages=1024,stride=4096
one=(cache.l1d.size=0 cache.l1i.size=0 cache.l3.size=0 cache.l2.size=4M
	cache.data=yes cache.classify=yes "${plain[@]}")
for ways in 1 4 16; do
	replay colouring $fits "${one[@]}" cache.l2.ways=$ways memory.colour=colouring
	is colouring cache.l2.misses 1024
	is colouring cache.l2.misses.compulsory 1024
	is colouring cache.l2.misses.conflict 0
	is colouring colour.count $((1024 / ways))
	replay drawn $fits "${one[@]}" cache.l2.ways=$ways memory.colour=random
	is drawn cache.l2.misses.capacity 0
	[ "$(get drawn cache.l2.misses.conflict)" -gt 1000 ] || complain "no conflicts"
	# pages of 16K and 64K have a quarter, a sixteenth of the colours
	for granule in 16k 64k; do
		[ $ways-$granule != 16-64k ] || continue
		replay coarse $fits "${one[@]}" cache.l2.ways=$ways memory.colour=colouring \
			pages.granule=$granule
		is coarse cache.l2.misses.conflict 0
		is coarse cache.l2.misses 1024
		is coarse colour.count $((1024 / ways * 4 / ${granule%k}))
		is coarse colour.strayed 0
		replay drawn $fits "${one[@]}" cache.l2.ways=$ways memory.colour=random \
			pages.granule=$granule
		[ "$(get drawn cache.l2.misses.conflict)" -gt 1000 ] ||
			complain "no conflicts of $granule"
	done
done

# Nodes: moving only the tables changes cycles of walks and nothing else, and by
# what the share of remote references says
for tables in local remote interleave upper-pinned leaf-beside-data replicated migrate; do
	replay "$tables" "$random" "${plain[@]}" numa.nodes=4 numa.tables=$tables
	same local "$tables" tlb.l1d.misses tlb.l2.misses walk.count walk.references \
		fault.minor footprint.bytes table.bytes walk.faulted.references \
		memory.references
	all=$((200 * $(get "$tables" numa.walk.local) + 400 * $(get "$tables" numa.walk.remote)))
	[ $(($(get "$tables" walk.cycles) + $(get "$tables" walk.faulted.cycles))) -eq "$all" ] ||
		complain "$tables: cycles are not those of its references"
done
is replicated table.frame.bytes $((4 * $(get local table.frame.bytes)))
is migrate table.frame.bytes "$(get local table.frame.bytes)"
for tables in local leaf-beside-data replicated migrate; do
	is $tables numa.walk.remote 0
done
is remote numa.walk.local 0
is remote walk.cycles $((2 * $(get local walk.cycles)))
# (N-1)/N of the references to the last level are remote; with all above pinned
# to where the thread is, only those
for tables in interleave upper-pinned; do
	awk -v local="$(cell $tables numa.walks 1 2)" -v remote="$(cell $tables numa.walks 1 3)" \
		'BEGIN { x = remote / (local + remote); exit !(x > 0.74 && x < 0.76) }' ||
		complain "$tables: not 3 of 4 remote on the last level"
done
is upper-pinned numa.walk.remote "$(cell upper-pinned numa.walks 1 3)"
# Guest and host tables cost the same when remote, and add: RR = LR + RL - LL
for guest in local remote; do
	for host in local remote; do
		replay "$guest-$host" "$random" "${plain[@]}" table.kind=nested numa.nodes=2 \
			numa.tables=$guest numa.host-tables=$host
		same local-local "$guest-$host" walk.count tlb.l1d.misses fault.minor
	done
done
for dearer in 'remote-remote local-remote' 'local-remote local-local'; do
	read -r more less <<<"$dearer"
	[ "$(get "$more" walk.cycles)" -gt "$(get "$less" walk.cycles)" ] ||
		complain "tables of guest and host: $more costs no more than $less"
done
awk -v rr="$(get remote-remote walk.cycles)" -v lr="$(get local-remote walk.cycles)" \
	-v rl="$(get remote-local walk.cycles)" -v ll="$(get local-local walk.cycles)" \
	'BEGIN { x = rr / (lr + rl - ll); exit !(x > 0.96 && x < 1.04) }' ||
	complain "costs of remote tables of guest and host do not add"
is local-local numa.walk.remote 0
is remote-remote numa.walk.local 0
replay moving "$random" "${plain[@]}" numa.nodes=2 numa.tables=replicated numa.move=50000
is moving numa.walk.remote 0
# Copies of a guest's tables, its host's or both: whose entries are local. Level by
# level, host's from 8 up: the other's are as they were
for guest in local replicated; do
	for host in local replicated; do
		replay "$guest-$host" "$random" "${plain[@]}" table.kind=nested numa.nodes=2 \
			numa.tables=$guest numa.host-tables=$host numa.move=50000
		same local-local "$guest-$host" walk.count tlb.l1d.misses fault.minor
	done
done
remote()
{
	"$PAGESCOPE" report --format csv --table numa.walks "$1.json" |
		awk -F, -v host="$2" '$1 ~ /^[0-9]/ && ($1 >= 8) == (host == "host") { n += $3 } END { print n + 0 }'
}
for what in guest host; do
	[ "$(remote local-local $what)" -gt 10000 ] || complain "no remote entries of $what"
	[ "$(remote replicated-replicated $what)" = 0 ] || complain "copies, and remote entries of $what"
done
[ "$(remote replicated-local guest)" = 0 ] || complain "copies of a guest, and remote entries of it"
[ "$(remote local-replicated host)" = 0 ] || complain "copies of a host, and remote entries of it"
[ "$(remote local-replicated guest)" = "$(remote local-local guest)" ] ||
	complain "copies of a host, and entries of the guest are elsewhere"
is replicated-replicated table.frame.bytes $((2 * $(get local-local table.frame.bytes)))
is local-replicated nested.host.frames $((2 * $(get local-local nested.host.frames)))
is local-replicated numa.host-tables.copies "$(get local-local nested.host.frames)"
is local-replicated numa.host-tables.writes "$(get local-replicated nested.host.writes)"
# ... or they go to who walks them, once it stays there
replay followed "$random" "${plain[@]}" table.kind=nested numa.nodes=2 numa.move=150000 \
	numa.tables=migrate numa.host-tables=migrate
replay left "$random" "${plain[@]}" table.kind=nested numa.nodes=2 numa.move=150000
for value in numa.tables.moved numa.host-tables.moved; do
	[ "$(get followed $value)" -gt 4 ] || complain "no page of a table moved: $value"
done
[ $((2 * $(get followed numa.walk.remote))) -lt "$(get left numa.walk.remote)" ] ||
	complain "tables of a guest or host do not move to who walks them"
# Pages of tables of 16K and 64K move as one, and lie in frames of 2M
for granule in 16k 64k; do
	replay granule "$random" "${plain[@]}" numa.nodes=2 numa.move=150000 pages.granule=$granule
	replay moves "$random" "${plain[@]}" numa.nodes=2 numa.move=150000 pages.granule=$granule \
		numa.tables=migrate
	same granule moves walk.count walk.references fault.minor table.bytes table.frame.bytes
	[ $((2 * $(get moves numa.walk.remote))) -lt "$(get granule numa.walk.remote)" ] ||
		complain "tables of $granule do not move"
	[ "$(get moves numa.tables.moved)" -le $((2 * $(get moves table.pages))) ] ||
		complain "of $granule more moved than there are"
	replay framed "$random" "${plain[@]}" pages.granule=$granule table.frames=2m
	replay loose "$random" "${plain[@]}" pages.granule=$granule
	same loose framed walk.count walk.references fault.minor table.bytes table.pages
	is framed table.frame.count 1
done
replay moved "$random" "${plain[@]}" numa.nodes=2 numa.move=50000
[ "$(get moved numa.walk.remote)" -gt 100000 ] || complain "threads do not move"

# Hinting faults bring data to who uses it
replay stays "$random" cache.data=yes numa.nodes=2 numa.move=150000
replay goes "$random" cache.data=yes numa.nodes=2 numa.move=150000 \
	numa.data=migrate numa.scan-min=10us
[ "$(get goes numa.hints.moved)" -gt 1000 ] || complain "no page moved"
[ "$(get goes numa.data.remote)" -lt "$(get stays numa.data.remote)" ] ||
	complain "moved pages are as remote as before"
# ... also those of a guest, whose memory has less room than the host's
for kind in radix nested; do
	replay $kind "$random" cache.data=yes numa.nodes=2 numa.move=60000 memory.size=1G \
		numa.data=migrate numa.scan-min=10us table.kind=$kind table.nested.host-pages=1g
done
same radix nested walk.count numa.hints.faults numa.hints.moved
[ "$(get nested numa.hints.moved)" -gt 3000 ] || complain "no page of a guest moved"
# ... of granules: each page moves as one
replay fine "$random" cache.data=yes numa.nodes=2 numa.move=60000 numa.data=migrate numa.scan-min=10us
for granule in 16k 64k; do
	replay coarse "$random" cache.data=yes numa.nodes=2 numa.move=60000 numa.data=migrate \
		numa.scan-min=10us pages.granule=$granule
	pages=$(($(get coarse footprint.bytes) / 1024 / ${granule%k}))
	awk -v moved="$(get coarse numa.hints.moved)" -v pages=$pages \
		'BEGIN { exit !(moved > 2 * pages && moved < 6 * pages) }' ||
		complain "$(get coarse numa.hints.moved) of $pages pages of $granule moved"
done
replay never "$random" cache.data=yes numa.nodes=2 numa.move=150000 numa.data=migrate
is never numa.hints.moved 0

# Memory that is not cached: each access goes out. Stores of 8 bytes in order to
# write-combining memory are one write in eight.
replay uncached generate:sequential,n=4096,pages=8,stride=8 cache.data=yes \
	memory.attributes=uc:0x0-0xffffffffffff cache.walks=none
[ $(($(get uncached memory.uc.loads) + $(get uncached memory.uc.stores))) -eq 4096 ] ||
	complain "uncached: not each access is counted"
is uncached memory.references $((4096 + $(get uncached memory.walk.references)))
is uncached cache.l1d.accesses 0

replay aside generate:sequential,n=4096,pages=8,stride=8 memory.attributes=uc:0x0-0xffffffffffff
"$PAGESCOPE" report --get memory.uc.loads aside.json >out 2>err
[ $? -eq 3 ] && grep -q 'cache.data' err ||
	complain "uncached without cache.data is counted: $(cat out err)"

# Virtually indexed as physically indexed where no way is larger than a page
replay physical "$random" cache.data=yes
replay virtual "$random" cache.data=yes cache.virtual=yes
same physical virtual cache.l1d.misses cache.l2.misses cache.l3.misses memory.references
is virtual cache.synonyms.found 0
# and where it is, one mapping of each frame makes no synonyms
wide=(cache.data=yes cache.virtual=yes cache.l1d.size=128K cache.l1d.ways=4)
replay alone "$random" "${wide[@]}" pages.zero-page=no
is alone cache.synonyms.found 0
[ "$(get alone cache.synonyms.mismatched)" -gt 0 ] || complain "no index differs"
replay bits "$random" "${wide[@]}" memory.colour=colouring pages.zero-page=no
is bits cache.synonyms.mismatched 0
# the zero page is mapped many times
replay zero "$random" "${wide[@]}"
[ "$(get zero cache.synonyms.found)" -gt 1000 ] || complain "no synonyms of the zero page"

# What is refused: one line that names option, value and what is allowed
refused()
{
	local text=$1 option sets=()
	shift
	for option; do
		sets+=(--set "$option")
	done
	"$PAGESCOPE" config show "${sets[@]}" >out 2>err
	[ $? -eq 2 ] || complain "config $*: status is not 2"
	[ "$(wc -l <err)" -eq 1 ] || complain "config $*: not one line: $(cat err)"
	grep -qF -- "$text" err || complain "config $*: no '$text' in: $(cat err)"
}
refused "memory.start: aged needs memory.order=buddy" memory.start=aged
refused "aged needs a memory.size" memory.order=buddy memory.start=aged
refused "file needs memory.buddyinfo=FILE" memory.order=buddy memory.start=file
refused "memory.partitions: 3 does not divide the 16 colours" memory.colour=partition \
	memory.partitions=3
refused "memory.colour: random: cache.l2 has no colours: its sets * line must be a multiple of 64K" \
	memory.colour=random pages.granule=64k cache.l2.size=512K
refused "memory.colour: random: cache.l3 has no colours" memory.colour=random \
	memory.colour-cache=l3 cache.l3.size=0
refused "--set numa.distances=10 20 20: numa.distances: \"10 20 20\" has 3 numbers, not 4" \
	numa.nodes=2 "numa.distances=10 20 20"
refused "--set numa.distances=20 10 10 20: numa.distances: node 0 is at 10 from node 1, at 20 from itself" \
	numa.nodes=2 "numa.distances=20 10 10 20"
refused "numa.bind: 4 is no node; allowed: 0 to 3" numa.nodes=4 numa.bind=4
refused "numa.node: 7 is no node; allowed: 0 to 3" numa.nodes=4 numa.node=7
refused "numa.load: 0.5 is no number from 1 to 1000" numa.nodes=2 "numa.load=1 0.5"
refused "numa.weights: \"0 0\" is 0 of every node; allowed" numa.nodes=2 "numa.weights=0 0"
for groups in a =x a= ,, a=1, a=1,b; do
	refused "reclaim.groups: \"$groups\" is not GROUP=PROCESS" memory.size=1M \
		reclaim.policy=lru reclaim.scope=group "reclaim.groups=$groups"
done
refused "memory.size: 8192 bytes are less than a page for each of 3 nodes" numa.nodes=3 \
	memory.size=8K
refused "numa.topology: \"none.xml\"" numa.topology=none.xml
refused "1 to 64" numa.nodes=65
refused "cache.exclusive: l3: cache.inclusive must be no" cache.exclusive=l3 cache.inclusive=yes
refused "cache.exclusive: all: cache.walks" cache.exclusive=all cache.walks=l2
refused "memory.attributes: \"ro:[heap]\"; allowed: uc:, wc: or wb:" memory.attributes=ro:[heap]
printf 'numa = {\n\tnodes = 2;\n\tdistances = "10 20";\n};\n' >numa.cfg
"$PAGESCOPE" config show --config numa.cfg >out 2>err && complain "numa.cfg is taken"
grep -qF "numa.cfg:3: numa.distances:" err || complain "no place in: $(cat err)"
exit $failed
