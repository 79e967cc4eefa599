#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# 200 MB of text through a pipe, by each importer of text: memory stays flat.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
importer=
cleanup()
{
	[ -z "$importer" ] || kill -KILL "$importer" 2>/dev/null
	rm -rf "$dir"
}
trap cleanup EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "FAIL: $*"
	failed=1
}

# import N LINES FORMAT: N of these lines, over and over; the highest resident
# KiB before the end of the input goes to peak
import()
{
	local i
	rm -f in
	mkfifo in
	"$PAGESCOPE" import --from "$3" in -o t.pst 2>err &
	importer=$!
	exec 9>in
	yes "$2" 2>/dev/null | head -n "$1" >&9
	# It reads from the pipe what is left, and then waits for more.
	for ((i = 0; i < 100; i++)); do
		grep -qs '^State:.S' "/proc/$importer/status" && break
		sleep 0.05
	done
	sleep 0.2
	sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' \
		"/proc/$importer/status" >peak 2>>err
	exec 9>&-
	wait $importer
	status=$?
	importer=
	[ $status -eq 0 ] || complain "$3: status $status: $(cat err)"
}

# flat FORMAT N LINES: N of them take no more than 16 MiB over half as many (that is
# 100 MB less of text)
flat()
{
	local format=$1 n=$2 half all
	import $((n / 2)) "$3" "$format"
	half=$(cat peak)
	import "$n" "$3" "$format"
	all=$(cat peak)
	if [ "${all:-0}" -eq 0 ] || [ "$all" -gt $((half + 16384)) ]; then
		complain "$format: $half KiB for half of it, $all for all"
	fi
	"$PAGESCOPE" info --json t.pst >said
	grep -q "\"accesses\": $n" said ||
		complain "$format: not $n accesses: $(grep accesses said)"
	echo "$format: $half KiB, then $all KiB"
}

flat lackey 15000000 "I  04001000,4
 L 1ffeff00,08
 S 1ffeff10,8
 M 1ffeff20,4
 S 10000,08"
flat din 18000000 "0 1ffeff0012
1 1ffeff0012
2 40100000
0 10000001"
flat hex 24000000 "1ffeff00
1ffeff01
40100000
1000"
exit $failed
