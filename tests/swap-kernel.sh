#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Swap with the running kernel as judge: seeded programs that fork and send pages to
# swap and back (MADV_PAGEOUT, MADV_WILLNEED) are validated while swap is on memory
# (zram), on a drive, and on a drive that says it turns, with and without read-ahead.
set -u
: "${PAGESCOPE:?}"
target=$PWD/tests/validate-target
control=/sys/class/zram-control
cluster=/proc/sys/vm/page-cluster
seeds=${SWAP_SEEDS:-2}

skip()
{
	echo "$*"
	exit 77
}

[ "$(id -u)" -eq 0 ] || skip "needs root"
[ -r $control/hot_add ] || skip "no zram to swap to"
timeout -k 5 60 "$PAGESCOPE" record -e step -o /dev/null -- true 2>/dev/null ||
	skip "the step engine does not work here"
# One test at a time has swap of its own.
exec 8>/tmp/pagescope-swap.lock
flock 8
[ "$(wc -l </proc/swaps)" -le 1 ] || skip "this host swaps already"

dir=$(mktemp -d) || exit 99
number=$(cat $control/hot_add) || skip "no new zram device"
loop=$(losetup -f) || loop=
was=$(cat $cluster)

# Takes all away when the test is over, also by SIGKILL: descriptor 9 is closed
# then.  It waits for that in a session of its own.
# shellcheck disable=SC2317 # called by a shell of its own
take_away()
{
	read -r _
	for device in "/dev/zram$number" "$loop"; do
		for _ in $(seq 50); do
			grep -q "^$device " /proc/swaps || break
			swapoff "$device" 2>/dev/null || sleep 0.1
		done
	done
	echo "$was" >"$cluster"
	[ -z "$loop" ] || losetup -d "$loop"
	echo 1 >"/sys/block/zram$number/reset"
	echo "$number" >"$control/hot_remove"
	umount "$dir/memory"
	rm -rf "$dir"
}
export -f take_away
export number loop dir control cluster was
mkfifo "$dir/alive" && mkdir "$dir/memory" || exit 99
setsid bash -c take_away <"$dir/alive" 2>/dev/null &
keeper=$!
exec 9>"$dir/alive"
trap 'exec 9>&-; wait "$keeper"' EXIT

{ echo 256M >"/sys/block/zram$number/disksize" && mkswap "/dev/zram$number"; } \
	>/dev/null 2>&1 || skip "no zram device"
# A drive: a file in memory behind a loop device
{ mount -t tmpfs -o size=80m tmpfs "$dir/memory" &&
	truncate -s 64M "$dir/memory/drive" &&
	losetup "$loop" "$dir/memory/drive" && mkswap "$loop"; } >/dev/null 2>&1 ||
	loop=

failed=0
# agrees SEED CHILDREN: each figure is what the kernel counted
agrees()
{
	timeout -k 5 60 "$PAGESCOPE" validate -e step -o "$dir/r.json" -- \
		"$target" "$1" 40 swap "$2" >"$dir/out" 2>"$dir/err" 8>&- 9>&-
}

# judge WHERE PAGE-CLUSTER TURNS
judge()
{
	local seed majors=0 ahead=0 more
	echo "$2" >$cluster
	[ -z "$3" ] || echo "$3" >"/sys/block/${1#/dev/}/queue/rotational"
	swapon "$1" || { echo "no swap on $1"; return; }
	for seed in $(seq "$seeds"); do
		seed=$((seed + $2 * 100 + ${3:-0} * 1000))
		agrees $seed 2 || agrees $seed 2 || {
			echo "seed $seed on $1, page-cluster $2, turns ${3:--}:"
			grep -E 'DIFFERS|agree' "$dir/out"
			head -3 "$dir/err"
			failed=1
		}
		more=$("$PAGESCOPE" report --get fault.major "$dir/r.json")
		majors=$((majors + more))
		more=$("$PAGESCOPE" report --get swap.read-ahead "$dir/r.json")
		ahead=$((ahead + more))
	done
	swapoff "$1"
	echo "$1, page-cluster $2, turns ${3:--}: $majors majors, $ahead read ahead"
	[ "$majors" -gt 0 ] || { echo "nothing was swapped"; failed=1; }
}

judge "/dev/zram$number" 0 ""
judge "/dev/zram$number" 3 ""
if [ -n "$loop" ]; then
	judge "$loop" 0 0
	judge "$loop" 3 0
	judge "$loop" 3 1
else
	echo "no loop device: a drive is not judged"
fi
exit $failed
