#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The residency engine: pages, frames and sizes of a known pattern
# (residency-target.c) against what the program itself reads from pagemap.
set -u
export LC_ALL=C
: "${PAGESCOPE:?}"
target=${PAGESCOPE%/*}/tests/residency-target
dir=$(mktemp -d) || exit 99
pid=
# shellcheck disable=SC2317
cleanup()
{
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "$*"
	failed=1
}

# next STAGE: the target's own view up to there goes to its.STAGE
next()
{
	local line
	: >"its.$1"
	while read -r -t 20 line <&3; do
		[ "$line" = "$1" ] && return
		echo "$line" >>"its.$1"
	done
	complain "the target did not come to $1"
	exit 1
}

# pages TRACE: "ADDRESS FRAME" of each resident page of the area at its end
pages()
{
	"$PAGESCOPE" dump "$1" >dump.txt
	python3 - <<-'EOF'
		pages = {}
		for line in open("dump.txt"):
		    word = line.split()
		    if word[1] != "resident":
		        continue
		    start, length = int(word[2], 16), int(word[3][1:], 16)
		    more = dict(w.split("=") for w in word[4:] if "=" in w)
		    flags = int(more.get("flags", "0"), 16)
		    frame = int(more.get("value", "0"), 16)
		    for at in range(start, start + length, 4096):
		        if not 0x20000000 <= at < 0x21000000:
		            continue
		        if flags & 0x104:
		            pages.pop(at, None)
		        else:
		            pages[at] = (frame + at - start if frame else 0)
		for at in sorted(pages):
		    print("%x %x" % (at, pages[at]))
	EOF
}

if ! command -v python3 >/dev/null; then
	echo 'skipped: python3 is not here'
	exit 77
fi
if ! "$PAGESCOPE" record -e residency -o t.pst -- sleep 0.3 2>err; then
	echo "skipped: residency does not work here: $(cat err)"
	exit 77
fi

mkfifo go said
"$target" <go >said 2>/dev/null &
pid=$!
exec 4>go 3<said
next touched
[ "$(wc -l <its.touched)" -ge $((64 + 8 + 32)) ] || complain 'the target is wrong'

# A running process, all at once: exactly what it sees itself
"$PAGESCOPE" record -e residency -p $pid --duration 0.3 -o t.pst 2>err ||
	complain "-p: $(cat err)"
pages t.pst >ours
diff its.touched ours >difference || complain "touched: $(head -5 difference)"
"$PAGESCOPE" verify t.pst >err 2>&1 || complain "verify: $(cat err)"

# What comes and goes between two looks of one recording
"$PAGESCOPE" record -e residency --residency 20 -p $pid --duration 1 \
	-o t.pst 2>err &
recorder=$!
sleep 0.4
echo >&4
next punched
wait $recorder || complain "punch: $(cat err)"
pages t.pst >ours
diff its.punched ours >difference || complain "punched: $(head -5 difference)"
[ $(($(wc -l <its.touched) - $(wc -l <its.punched))) = 4 ] ||
	complain 'not 4 touched pages were punched'
grep -q 'resident 20000000 .*flags=100' dump.txt || complain 'the hole is not told'

# Sizes: 2M pages as smaps counts them
large=$(awk '/^20400000-/ { here = 1 } /^[0-9a-f]+-/ && !/^20[4-7]/ { here = 0 }
	here && /AnonHugePages/ { n += $2 } END { print n * 1024 }' \
	/proc/$pid/smaps)
ours=$("$PAGESCOPE" dump t.pst | python3 -c 'import sys
n = 0
for line in sys.stdin:
    word = line.split()
    if word[1] == "resident" and 0x20400000 <= int(word[2], 16) < 0x20800000:
        flags = [w for w in word if w.startswith("flags=")]
        if flags and int(flags[0][6:], 16) & 64:
            n += int(word[3][1:], 16)
print(n)')
[ "$ours" = "${large:-0}" ] || complain "large pages: $ours, smaps says $large"
[ "$ours" != 0 ] || echo 'no transparent large pages here: not compared'

# Sums over time, as text and as a value
"$PAGESCOPE" replay t.pst -o r.json || complain 'replay failed'
looks=$("$PAGESCOPE" report --get residency.looks r.json)
[ "$looks" -ge 10 ] || complain "only $looks looks"
now=$("$PAGESCOPE" report --get residency.bytes r.json)
peak=$("$PAGESCOPE" report --get residency.bytes.peak r.json)
[ $((peak - now)) -ge 16384 ] || complain "peak $peak, at the end $now"
rss=$(awk '/^Rss/ { print $2 * 1024 }' /proc/$pid/smaps_rollup)
# (the kernel's own pages, vdso and vvar, are not in both)
awk -v a="$rss" -v b="$now" 'BEGIN { d = a - b; exit !(d < 65536 && d > -65536) }' ||
	complain "resident $now, the kernel says $rss"
"$PAGESCOPE" report r.json | grep -q 'Resident memory' || complain 'no report'

# Estimates are asked for, and marked
"$PAGESCOPE" report --get residency.referenced.bytes r.json >out 2>&1
grep -qi 'not recorded' out || complain "referenced: $(cat out)"
"$PAGESCOPE" record -e residency --residency 50 --referenced -p $pid \
	--duration 0.3 -o t.pst 2>err || complain "--referenced: $(cat err)"
"$PAGESCOPE" info t.pst | grep -q '40 % too low' || complain 'not marked'
exec 4>&-
wait $pid
pid=

# Without root the frames are hidden, and it says so; pages and sizes are shown
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	chmod 755 "$dir"
	mkdir -m 777 free
	if setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$PAGESCOPE" record -e residency --residency 20 \
		-o free/t.pst -- sleep 0.3 2>err; then
		grep -q 'frames are hidden' err ||
			complain "without root: $(cat err)"
		"$PAGESCOPE" info free/t.pst | grep -q 'frames *hidden' ||
			complain 'info: not said to be hidden'
		"$PAGESCOPE" dump free/t.pst | grep resident |
			grep -q 'value=[1-9a-f]' && complain 'a frame without root'
	else
		echo "without root: not tested: $(cat err)"
	fi
fi

# Beside an engine for accesses; a replay takes sizes and frames from there on
if "$PAGESCOPE" record -e valgrind --residency 1 -o t.pst -- "$target" \
	</dev/null >out 2>err; then
	"$PAGESCOPE" dump --no-accesses t.pst >dump.txt
	grep -q ' look ' dump.txt || complain 'beside valgrind: no look'
	"$PAGESCOPE" replay t.pst --set memory.order=recorded -o r.json ||
		complain 'replay with recorded frames failed'
	if grep -q 'value=[1-9a-f]' dump.txt; then
		n=$("$PAGESCOPE" report --get frames.recorded r.json)
		[ "$n" -ge 32 ] || complain "only $n frames are the real ones"
	fi
	n=$("$PAGESCOPE" report --get pages.recorded.large r.json 2>/dev/null)
	if [ "$ours" != 0 ]; then
		[ "${n:-0}" -ge 1 ] || complain 'no recorded 2M page in the replay'
	fi
	"$PAGESCOPE" replay t.pst --set pages.policy=4k -o r.json
	"$PAGESCOPE" report --get pages.recorded.large r.json >out 2>&1 &&
		complain 'pages.policy=4k took 2M pages'
	"$PAGESCOPE" replay t.pst -j 0 -o j0.json
	"$PAGESCOPE" replay t.pst -j 3 -o j3.json
	cmp j0.json j3.json || complain '-j changed the result'
else
	echo "beside valgrind: not tested: $(cat err)"
fi
exit $failed
