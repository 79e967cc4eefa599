#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A stepped program does what it does alone: same output, same status, also
# with signals, SIGTRAP of its own, threads and forks.  The fault engine sees
# as many faults as getrusage.
set -u
: "${PAGESCOPE:?}"
target=$(pwd)/tests/step-target
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "FAIL: $*"
	failed=1
}

# Does this engine work here?
works()
{
	"$PAGESCOPE" check >check.txt 2>&1
	grep -Eq "^ *$1 +yes" check.txt
}

same()
{
	local alone stepped
	timeout 20 "$target" "$@" >alone.txt 2>/dev/null
	alone=$?
	timeout 60 "$PAGESCOPE" record -e step -o t.pst -- "$target" "$@" \
		>stepped.txt 2>err
	stepped=$?
	[ $alone -eq $stepped ] || complain "$*: status $stepped, alone $alone"
	diff alone.txt stepped.txt || complain "$*: its output differs"
}

if works step; then
	same trap 2>/dev/null
	same signals 2>/dev/null
	same processes
	# Let go while it runs, by a bound
	for n in 100 3000 9000; do
		timeout 60 "$PAGESCOPE" record -e step -n $n -o t.pst -- \
			"$target" processes >stepped.txt 2>err
		[ $? -eq 13 ] || complain "-n $n: status: $(cat err)"
		diff alone.txt stepped.txt || complain "-n $n: output differs"
	done
else
	echo "step does not work here: $(grep step check.txt)"
fi

# faults N: records N touched pages; prints the address, those there, those in
# all, and what getrusage says of both
faults()
{
	timeout 60 setarch -R "$PAGESCOPE" record -e faults -o f.pst -- \
		"$target" touch "$1" >out 2>err || complain "faults: $(cat err)"
	read -r at touched total <out
	"$PAGESCOPE" dump f.pst |
		awk -v at="$at" -v n="$1" '
			function hex(text,   i, v) {
				for (i = 1; i <= length(text); i++)
					v = v * 16 + index("0123456789abcdef",
						substr(text, i, 1)) - 1
				return v
			}
			BEGIN { start = hex(substr(at, 3)) }
			$2 == "fault" {
				all++
				v = hex($3)
				if (v >= start && v < start + n * 4096)
					there++
			}
			END { print there + 0, all + 0 }' >counted
	read -r there all <counted
	[ "$there $touched" = "$1 $1" ] ||
		complain "$1 pages: $there faults there, getrusage $touched"
	grep -q lost err && complain "lost: $(cat err)"
	# What the exec itself takes getrusage counts and perf does not
	echo "$1 pages: perf $all, getrusage $total"
	difference=$((total - all))
}

if works faults; then
	faults 100
	first=$difference
	faults 20000
	[ "$first" -eq "$difference" ] ||
		complain "getrusage - perf: $first, then $difference"
	if [ "$first" -lt 0 ] || [ "$first" -ge 100 ]; then
		complain "getrusage - perf is $first"
	fi
else
	echo "faults does not work here: $(grep faults check.txt)"
fi
exit $failed
