#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# `validate` with the running kernel as judge: seeded programs that map, touch,
# protect, advise, move, lock, unmap and fork; each figure that is compared must
# be what the kernel counted.  And what it says where it cannot tell.
set -u
target=$(dirname "$PAGESCOPE")/tests/validate-target
work=$(mktemp -d "${TMPDIR:-/tmp}/pagescope-validate.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0
# just linked, its pages may still be on their way to the disk
sync -f "$target" 2>/dev/null

skip()
{
	echo "skipped: $1"
	exit 77
}

complain()
{
	echo "$*"
	failures=$((failures + 1))
}

# agrees WHAT FIGURES ENGINE COMMAND...: all agree, at least so many of them.
agrees()
{
	local what=$1 least=$2 engine=$3 status passed
	shift 3
	timeout -k 5 60 "$PAGESCOPE" validate -e "$engine" -o "$work/r.json" -- \
		"$@" >"$work/out" 2>"$work/err"
	status=$?
	passed=$("$PAGESCOPE" report --get validate.passed "$work/r.json")
	if [ "$status" != 0 ] || [ "${passed:-0}" -lt "$least" ]; then
		complain "$what, $engine: status $status, $passed figures agree"
		cat "$work/err"
		"$PAGESCOPE" report --table validate "$work/r.json"
	fi
}

# refuses STATUS WORDS ARGUMENT...
refuses()
{
	local wanted=$1 words=$2 status
	shift 2
	timeout -k 5 60 "$PAGESCOPE" validate "$@" >"$work/out" 2>"$work/err"
	status=$?
	if [ "$status" != "$wanted" ] || ! grep -q "$words" "$work/err"; then
		complain "validate $*: status $status, not $wanted, or other words:"
		cat "$work/err"
	fi
}

engines=
for engine in step cache; do
	timeout -k 5 60 "$PAGESCOPE" record -e $engine -o "$work/t.pst" -- true \
		2>/dev/null && engines="$engines $engine"
done
[ -n "$engines" ] || skip "neither the step nor the cache engine works here"
grep -q '^VmPTE' /proc/self/status || skip "the kernel tells no VmPTE"

for engine in $engines; do
	case $engine in
	step) least=9 ;;
	*) least=6 ;;
	esac
	agrees true $least "$engine" true
	for seed in 2 3 4 5; do
		agrees "seed $seed" $least "$engine" "$target" $seed 40
	done
	agrees "two processes" $((2 * least)) "$engine" "$target" 6 30 fork
	# what fork shares is each one's in part
	"$PAGESCOPE" report --table validate --format csv "$work/r.json" |
		awk -F, '$2 == "rss.anon.bytes" { rss[$1] = $4 }
			$2 == "pss.anon.bytes" {
				n += $7 == "yes"; less += $4 < rss[$1] * 0.9
			}
			END { exit !(n == 2 && less) }' ||
		complain "pss.anon.bytes, $engine: $(cat "$work/out")"
done

# A wrong prediction is told: a policy that the host did not have.
"$PAGESCOPE" record -e "${engines##* }" -o "$work/t.pst" -- \
	"$target" 3 40 2>/dev/null
"$PAGESCOPE" validate "$work/t.pst" >"$work/out" || complain "a trace"
grep -q 'rss.anon.bytes.*pass' "$work/out" || complain "no rss.anon.bytes"
"$PAGESCOPE" validate "$work/t.pst" --set pages.zero-page=no >"$work/out" &&
	complain "without a zero page: status 0"
grep -q 'DIFFERS' "$work/out" || complain "without a zero page nothing differs"
"$PAGESCOPE" replay "$work/t.pst" --set pages.zero-page=no |
	grep -q 'What differs may be what you ask for' ||
	complain "a what-if differs without a word"
"$PAGESCOPE" validate "$work/t.pst" --set pages.policy=2m -o "$work/r.json"
[ "$("$PAGESCOPE" report --get validate.differs "$work/r.json")" = 0 ] ||
	complain "what if all pages were of 2M is compared"
"$PAGESCOPE" validate "$work/t.pst" --set ksm.run=yes --set ksm.rate=1 \
	--set ksm.sleep=100us --set ksm.tick=0 >"$work/out" ||
	complain "what if pages were merged is compared"
grep -q 'ksm.bytes  *- ' "$work/out" && grep -q 'did not' "$work/out" ||
	[ "$(cat /sys/kernel/mm/ksm/run 2>/dev/null)" = 1 ] ||
	complain "no reason why merging is not compared: $(cat "$work/out")"
"$PAGESCOPE" report --table validate --format csv "$work/r.json" |
	grep -q '^[0-9]*,mapped.bytes,[0-9]*,[0-9]*,0' || complain "csv"
"$PAGESCOPE" replay "$work/t.pst" | grep -q 'what the kernel counted' ||
	complain "replay's report does not show the kernel's counts"
"$PAGESCOPE" dump --accesses=no "$work/t.pst" |
	grep -q 'counter 0 +0 status.VmPTE [0-9]* end' || complain "dump"

# info tells what the trace keeps of it: as many as dump shows; also of a trace
# without its end, which has no totals.
kept_as_dumped()
{
	local what starts ends between pages cached
	"$PAGESCOPE" dump --accesses=no --recover "$1" >"$work/dump" 2>/dev/null
	"$PAGESCOPE" info "$1" >"$work/info" 2>/dev/null
	starts=$(grep -c ' counter .* start' "$work/dump")
	ends=$(grep -c ' counter .* end' "$work/dump")
	between=$(grep ' counter ' "$work/dump" | grep -vcE ' (start|end)')
	cached=$(grep -c ' cached ' "$work/dump")
	pages=$(($(sed -nE 's/.* content [0-9a-f]+ \+([0-9a-f]+)000 .*/+0x\1/p' "$work/dump" |
		tr -d '\n')))
	what="$starts as programs began"
	[ "$ends" = 0 ] || what="$what, $ends before they ended"
	[ "$between" = 0 ] || what="$what, $between in between at [0-9]* moment"
	grep -q "^kernel counts  $what" "$work/info" ||
		complain "info $1: not $what: $(grep '^kernel c' "$work/info")"
	[ "$cached" = 0 ] || grep -q "^page cache     $cached looks" "$work/info" ||
		complain "info $1: not $cached looks at the page cache"
	[ "$pages" = 0 ] || grep -q "^contents       $pages hashes" "$work/info" ||
		complain "info $1: not $pages hashes: $(grep '^contents' "$work/info")"
}
kept_as_dumped "$work/t.pst"
"$PAGESCOPE" record -e "${engines##* }" -o "$work/u.pst" -- \
	"$target" 3 4000 2>/dev/null
head -c $(($(wc -c <"$work/u.pst") - 60)) "$work/u.pst" >"$work/cut.pst"
kept_as_dumped "$work/cut.pst"
"$PAGESCOPE" info generate:mix,n=9 | grep -qE '^(kernel counts|contents|page cache)' &&
	complain "generate has none of the kernel's counts, and info tells some"

# Merging, where ksmd is ours: what is merged at the end is what the kernel has.
# Who reads the pipe puts all back when it is closed, also by SIGKILL.
ksm=/sys/kernel/mm/ksm
merging()
{
	local scan sleep
	[ -w $ksm/run ] || {
		echo "merging: skipped: its settings are root's"
		return
	}
	exec 4>"/tmp/pagescope-ksm.lock"
	flock 4
	[ "$(cat $ksm/run)" != 1 ] || {
		echo "merging: skipped: ksmd works for somebody else"
		return
	}
	scan=$(cat $ksm/pages_to_scan) sleep=$(cat $ksm/sleep_millisecs)
	exec 5> >(
		trap '' INT TERM HUP
		cat >/dev/null
		echo 2 >$ksm/run
		echo 0 >$ksm/run
		echo "$scan" >$ksm/pages_to_scan
		echo "$sleep" >$ksm/sleep_millisecs
	)
	echo 1000 >$ksm/pages_to_scan
	echo 20 >$ksm/sleep_millisecs
	echo 1 >$ksm/run
	"$PAGESCOPE" record -e cache --contents 100 --counters 200 \
		-o "$work/m.pst" -- "$target" 7 800 merge 4>&- 5>&- 2>"$work/err" ||
		complain "merging: $(cat "$work/err")"
	exec 5>&-
	"$PAGESCOPE" validate "$work/m.pst" >"$work/out" ||
		complain "merging: $(cat "$work/out")"
	grep -q 'ksm.bytes *[1-9].*pass' "$work/out" ||
		complain "merging: nothing was merged: $(cat "$work/out")"
	"$PAGESCOPE" replay "$work/m.pst" --no-symbols -o "$work/r.json"
	[ "$("$PAGESCOPE" report --get ksm.saved.bytes "$work/r.json")" -gt 1000000 ] ||
		complain "merging: hardly anything saved"
	kept_as_dumped "$work/m.pst"
	grep -q '^contents ' "$work/info" || complain "info: no contents"
	"$PAGESCOPE" dump --accesses=no "$work/m.pst" |
		grep -q 'counter 0 +0 status.VmRSS [0-9]*$' ||
		complain "no counts at intervals"
	flock -u 4
}
case $engines in
*cache*) merging ;;
esac

refuses 125 "none of the kernel's own counts" generate:mix,n=1000
refuses 2 'which trace' -e step
refuses 2 'one trace' a.pst b.pst
refuses 125 'No such file' "$work/none.pst"
refuses 127 'nonesuch' -- nonesuch
[ "$failures" = 0 ]
