#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Presets load, what `config show` prints loads back to the same, and wrong
# configurations are refused with file, line, option and what is allowed.
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

# refused STATUS TEXT CONFIG-ARGUMENT...
refused()
{
	local status=$1 text=$2
	shift 2
	"$PAGESCOPE" config "$@" >out 2>err
	[ $? -eq "$status" ] || complain "config $*: status is not $status"
	[ "$(wc -l <err)" -eq 1 ] || complain "config $*: not one line: $(cat err)"
	grep -qF -- "$text" err || complain "config $*: no '$text' in: $(cat err)"
}

"$PAGESCOPE" config list >presets || complain "config list fails"
for name in haswell broadwell skylake-sp cascadelake-sp icelake-sp alder-lake \
	sapphire-rapids zen1 zen-plus zen2 zen3 zen4 zen5 neoverse-n1 neoverse-n2 \
	neoverse-v1 neoverse-v2 m1 riscv-sv39 simulator textbook; do
	grep -q "^$name " presets || complain "config list: no $name"
	"$PAGESCOPE" config show "$name" >one.cfg || complain "$name: not shown"
	"$PAGESCOPE" config show --config one.cfg >two.cfg || complain "$name: not read back"
	cmp -s one.cfg two.cfg || complain "$name: reads back as another machine"
done

# Every preset that there is loads, and each line of it that sets a figure says
# where that comes from: the maker, a measurement, or nobody
presets=${srcdir:-.}/models/presets
[ "${presets#/}" != "$presets" ] || presets=$OLDPWD/$presets
[ "$(find "$presets" -name '*.cfg' | wc -l)" = "$(grep -vc '^default ' presets)" ] ||
	complain "config list does not name all presets"
for file in "$presets"/*.cfg; do
	"$PAGESCOPE" config show --config "$file" >out 2>err || complain "$file: $(cat err)"
	awk '/^#/ || /about =/ || /(entries|size) = 0; };$/ { next }
		/= [0-9"]/ && !/\/\/.*\[[VMA]\]/ { print; bad = 1 }
		END { exit bad }' "$file" >out || complain "$file: no origin: $(cat out)"
	grep -q 'about = ".*"' "$file" || complain "$file: does not say what it is"
done

# This host: each figure is marked, and it loads back as it is
"$PAGESCOPE" config detect >host.cfg 2>err || complain "config detect: $(cat err)"
[ "$(grep ' = ' host.cfg | grep -v ' = {$' | grep -vcE '; // \[[DA]\] ')" -eq 0 ] ||
	complain "config detect: a figure without origin: $(grep ' = ' host.cfg | grep -v '{$' | grep -vE '; // \[[DA]\] ')"
grep -q '\[D\] ' host.cfg || complain 'config detect: detects nothing'
"$PAGESCOPE" config show --config host.cfg | sed 's,; //.*,;,' >one.cfg
sed '/^#/d; /^$/d; s,; //.*,;,' host.cfg | diff - one.cfg >out ||
	complain "config detect: loads as another machine: $(head -n 4 out)"
for level in 1 2 3; do
	file=/sys/devices/system/cpu/cpu0/cache/index$level
	if [ ! -r $file/size ] || [ "$(cat $file/level)" != $level ]; then
		continue
	fi
	size=$(($(sed 's/K$/ * 1024/; s/M$/ * 1048576/' $file/size)))
	grep -q "size = $size; // \[D\]" host.cfg ||
		complain "config detect: no cache of $size bytes"
done
[ ! -r /sys/devices/system/cpu/online ] ||
	grep -q "cores = $(getconf _NPROCESSORS_ONLN); // \[D\]" host.cfg ||
	complain "config detect: not $(getconf _NPROCESSORS_ONLN) cores"
refused 2 'config detect' detect zen4

"$PAGESCOPE" config show >default.cfg || complain "the default is not shown"
cmp -s default.cfg one.cfg && complain "a preset shows the default machine"

# Published shapes (ANCHORS.md, section 4)
shape()
{
	"$PAGESCOPE" config show "$1" | awk -v part="$2" '
		$2 == "=" && $3 == "{" { name = $1 }
		$1 == "entries" && name == part { entries = $3 + 0 }
		$1 == "ways" && name == part { print entries "x" $3 + 0; exit }'
}
while read -r preset part want; do
	got=$(shape "$preset" "$part")
	[ "$got" = "$want" ] || complain "$preset: $part is $got, not $want"
done <<-END
	skylake-sp l1d 64x4
	skylake-sp l1d-2m 32x4
	skylake-sp l2 1536x12
	sapphire-rapids l1d 96x6
	zen2 l1d 64x0
	zen4 l1d 72x0
	zen5 l2 4096x16
	neoverse-n1 l2 1280x5
	neoverse-v2 l2 2048x8
	simulator l1d 64x4
	simulator l2 1536x12
	haswell l2 1024x8
	broadwell l2 1536x6
	broadwell l2-1g 16x4
	zen1 l2 1536x12
	alder-lake l1d 96x6
	riscv-sv39 l1d 40x0
	m1 l1d 160x0
	m1 l2 3072x12
END

# Layers: preset, then file, then --set
printf 'tlb = { l1d = { entries = 80; ways = 5; }; };\n' >layer.cfg
"$PAGESCOPE" config show zen4 --config layer.cfg --set tlb.l1i.entries=99 >out
grep -A1 '	l1d = {' out | grep -q '= 80;' || complain "--config does not cover the preset"
grep -A1 '	l1i = {' out | grep -q '= 99;' || complain "--set does not cover"
"$PAGESCOPE" config show zen4 --config layer.cfg --set tlb.l1d.entries=90 >out
grep -A1 '	l1d = {' out | grep -q '= 90;' || complain "--set does not cover --config"

cat >ways.cfg <<-END
	tlb = {
		l1d = {
			ways = 5;
		};
	};
END
refused 125 "ways.cfg:3: tlb.l1d.ways: 5" show --config ways.cfg
refused 2 "--set tlb.l2.ways=7: tlb.l2.ways: 7" show --set tlb.l2.ways=7
refused 2 "power of two" show --set tlb.l2.replacement=plru
refused 2 "allowed: lru, plru, nru, clock, fifo, random, srrip, brrip, drrip, lip, bip, mru" \
	show --set pwc.pde.replacement=lur
refused 2 "--set tlb.l2.sector=3: tlb.l2.sector: 3; allowed: 1 to 64, powers of two" \
	show --set tlb.l2.sector=3
refused 2 "tlb.l1d.coalesce: 6; allowed: 1 to 8" show --set tlb.l1d.coalesce=6
refused 2 "allowed with sector = 4: 1" show --set tlb.l2.sector=4 --set tlb.l2.coalesce=4
refused 2 "1 to 1024" show --set machine.cores=0
refused 2 "recorded" show --set machine.placement=anywhere
refused 2 "1 to 64" show --set walker.count=65
refused 2 "sequential" show --set tlb.prefetch.kind=next
refused 2 "2 to 1048576" show --set tlb.range.least=1
printf 'tlb = {\n l2 = {\n  coalesce = 3;\n };\n};\n' >coalesce.cfg
refused 125 "coalesce.cfg:3: tlb.l2.coalesce: 3" show --config coalesce.cfg
for level in l1d l1i l2; do
	refused 2 "--set tlb.$level.sizes=2m: tlb.$level.sizes: no array of this level holds pages of 4k; allowed: 4k, " \
		show --set "tlb.$level.sizes=2m"
done
refused 2 "0 to 8192" show --set tlb.l1d.entries=9000
refused 2 'did you mean "tlb.l1d.entries"' show --set tlb.l1d.entrees=9
refused 2 'allowed: radix' show --set table.kind=radish
refused 2 "inverted needs memory.size" show --set table.kind=inverted
refused 2 "table.hashed.pages: 3; allowed: 1, 2, 4, 8, 16 or 32" \
	show --set table.kind=hashed --set table.hashed.pages=3
refused 2 "table.hashed.load: 2; allowed: 0.05 to 0.95" \
	show --set table.kind=hashed --set table.hashed.load=2
refused 2 "table.cuckoo.entries: 100 is not a power of two" \
	show --set table.kind=cuckoo --set table.cuckoo.entries=100
refused 2 "--set table.nested.guest=nested: table.nested.guest: \"nested\" would nest without an end" \
	show --set table.kind=nested --set table.nested.guest=nested
refused 2 "table.shadow.shadow: \"inverted\"; allowed:" \
	show --set table.kind=shadow --set table.shadow.shadow=inverted
refused 2 "allowed: up to 1000" show --set table.kind=nested \
	--set table.nested.guest=hashed --set table.nested.host=hashed
refused 2 "--set table.host.hashed.pages=5: table.host.hashed.pages: 5; allowed" \
	show --set table.kind=nested --set table.nested.host=hashed \
	--set table.host.hashed.pages=5
refused 2 "pages.granule: \"8k\" is not one of 4k, 16k, 64k" show --set pages.granule=8k
while read -r option allowed; do
	refused 2 "--set $option: ${option%=*}: not with a pages.granule of 16k or 64k; allowed: $allowed" \
		show --set pages.granule=64k --set numa.nodes=2 --set "$option"
done <<-END
	pages.policy=thp recorded, 4k, 2m, block
	pages.policy=1g recorded, 4k, 2m, block
	table.kind=flat all but flat
	table.levels=5 3, 4
END
refused 2 "tlb.prefetch.kind: recency is not with entries of several pages" \
	show --set tlb.prefetch.kind=recency --set tlb.l2.coalesce=4
printf 'pages = {\n\tgranule = "16k";\n\tpolicy = "thp";\n};\n' >granule.cfg
refused 125 "granule.cfg:3: pages.policy: not with" show --config granule.cfg
refused 2 "table.nested.tlb.ways: 3" show --set table.nested.tlb.ways=3
printf 'table = {\n\tkind = "nested";\n\tnested = { host = "shadow"; };\n};\n' >cycle.cfg
refused 125 "cycle.cfg:3: table.nested.host: \"shadow\"" show --config cycle.cfg
refused 2 "--set cache.l1d.size=1000: cache.l1d.size: 1000 bytes are not a whole number of sets of 8 lines of 64 bytes; allowed: a multiple of 512" \
	show --set cache.l1d.size=1000
refused 2 "--set cache.l2.line=48: cache.l2.line: 48 is not a power" \
	show --set cache.l2.line=48
refused 2 "cache.l3.ways: plru needs a power of two" \
	show --set cache.l3.ways=3 --set cache.l3.size=12M \
	--set cache.l3.replacement=plru
refused 2 'did you mean "zen4"?' show zen44
refused 2 "no such preset" show ../presets/zen4
refused 2 'did you mean "list"?' lost
refused 2 "config list" xyzzy
printf 'tlb = {\n' >broken.cfg
refused 125 "broken.cfg:" show --config broken.cfg
PAGESCOPE_PRESETS=/nonexistent refused 125 "/nonexistent" list

exit $failed
