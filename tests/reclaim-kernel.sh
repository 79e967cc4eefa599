#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The whole way: a program that runs short of memory is recorded while the kernel
# reclaims in its memory group, and replay --memory must say how often it waited
# for swap.  What the group may hold is what it held; its libraries are others'.
set -u
: "${PAGESCOPE:?}"
groups=/sys/fs/cgroup/memory
control=/sys/class/zram-control

skip()
{
	echo "$*"
	exit 77
}

[ "$(id -u)" -eq 0 ] || skip "needs root"
[ -r $groups/memory.stat ] || skip "no memory groups of version 1 at $groups"
[ -r $control/hot_add ] || skip "no zram to swap to"
grep -qsv '^0x0000' /sys/kernel/mm/lru_gen/enabled &&
	skip "this kernel reclaims by generations (MGLRU)"
# One test at a time has swap of its own.
exec 8>/tmp/pagescope-swap.lock
flock 8
target=$PWD/tests/reclaim-target
dir=$(mktemp -d) || exit 99
group=$groups/pagescope-test-$$
number=$(cat $control/hot_add) || skip "no new zram device"
device=/dev/zram$number

# Takes all away when the test is over, also by SIGKILL: descriptor 9 is closed
# then.  It waits for that in a session of its own.
# shellcheck disable=SC2317 # called by a shell of its own
take_away()
{
	read -r _
	for _ in $(seq 50); do
		[ -d "$group" ] || break
		xargs -r kill -9 <"$group/cgroup.procs" 2>/dev/null
		rmdir "$group" 2>/dev/null || sleep 0.1
	done
	for _ in $(seq 50); do
		grep -q "^$device " /proc/swaps || break
		swapoff "$device" 2>/dev/null || sleep 0.1
	done
	echo 1 >"/sys/block/zram$number/reset"
	echo "$number" >"$control/hot_remove"
	rm -rf "$dir"
}
export -f take_away
export group device number control dir
mkfifo "$dir/alive" || exit 99
setsid bash -c take_away <"$dir/alive" 2>/dev/null &
keeper=$!
exec 9>"$dir/alive"
trap 'exec 9>&-; wait "$keeper"' EXIT

mkdir "$group" || skip "no group may be made in $groups"
{ echo 256M >"/sys/block/zram$number/disksize" && mkswap "$device" &&
	swapon -p 32000 "$device"; } >/dev/null 2>&1 ||
	skip "no swap on $device"

# predict PATTERN PAGES LIMIT: is it within 4 %?
predict()
{
	local trace=$dir/t.pst majors held swap
	echo $(($3 * 4096)) >"$group/memory.limit_in_bytes"
	# A shell joins the group first, so that all of the target is in it.
	# shellcheck disable=SC2016 # for that shell
	"$PAGESCOPE" record -e step -o "$trace" -- sh -c \
		'echo $$ >"$1/cgroup.procs"; exec "$0" "$@"' \
		"$target" "$group" "$1" "$2" 8000 "$2" \
		>"$dir/out" 2>"$dir/err" 9>&- ||
		{ cat "$dir/err"; return 1; }
	read -r majors held <"$dir/out"
	"$PAGESCOPE" replay --no-symbols --memory $((held * 4))K \
		--set reclaim.files=no -o "$dir/r.json" "$trace" 9>&- ||
		return 1
	swap=$("$PAGESCOPE" report --get fault.swap "$dir/r.json")
	echo "$1, $2 pages in $3 (held $held): $majors majors, predicted $swap"
	[ "$majors" -gt 100 ] &&
		[ $((swap * 100)) -ge $((majors * 96)) ] &&
		[ $((swap * 100)) -le $((majors * 104)) ]
}

failed=0
for run in "u 1600 1200" "h 1700 1200"; do
	# shellcheck disable=SC2086
	predict $run || predict $run || predict $run || failed=1
done
exit $failed
