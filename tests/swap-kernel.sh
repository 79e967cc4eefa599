#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Swap with the running kernel as judge: seeded programs that fork and send pages to
# swap and back (MADV_PAGEOUT, MADV_WILLNEED) are validated while swap is on memory
# (zram), with and without read-ahead, and on a drive.
set -u
: "${PAGESCOPE:?}"
target=$PWD/tests/validate-target
control=/sys/class/zram-control
cluster=/proc/sys/vm/page-cluster
seeds=${SWAP_SEEDS:-1}

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
# Nor does a test change the host's huge pages meanwhile.
huge=/sys/kernel/mm/transparent_hugepage/enabled
[ ! -r $huge ] || { exec 7<$huge && flock -s 7; }

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
# On one processor: what another one has just touched is not on the lists yet, from
# which pages are sent out.
cpu=$(taskset -cp $$ | sed 's/.*: *\([0-9]*\).*/\1/')
# agrees SEED KIND: each figure is what the kernel counted
agrees()
{
	taskset -c "$cpu" timeout -k 5 60 "$PAGESCOPE" validate -e step -o "$dir/r.json" -- \
		"$target" "$1" 30 "$2" 2 >"$dir/out" 2>"$dir/err" 8>&- 9>&-
}

# judge WHERE PAGE-CLUSTER KIND
judge()
{
	local seed waits=0 found=0 more
	echo "$2" >$cluster
	swapon "$1" || { echo "no swap on $1"; return; }
	for seed in $(seq "$seeds"); do
		seed=$((seed + 10))
		agrees $seed "$3" || agrees $seed "$3" || {
			echo "seed $seed on $1, page-cluster $2:"
			"$PAGESCOPE" report --table validate "$dir/r.json" |
				grep -v ' pass$'
			head -3 "$dir/err"
			failed=1
		}
		more=$("$PAGESCOPE" report --get fault.swap "$dir/r.json")
		waits=$((waits + more))
		more=$("$PAGESCOPE" report --get fault.swap-cache "$dir/r.json")
		found=$((found + more))
	done
	swapoff "$1"
	echo "$1, page-cluster $2: $waits majors, $found found in the cache"
	[ $((waits + found)) -gt 0 ] || { echo "nothing was swapped"; failed=1; }
}

judge "/dev/zram$number" 0 swap
judge "/dev/zram$number" 3 swap
if [ -n "$loop" ]; then
	judge "$loop" 3 drive
else
	echo "no loop device: a drive is not judged"
fi
exit $failed
