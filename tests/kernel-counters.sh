#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The kernel's counters of the host, in table kernel.counters, move as a known
# program's faults do: dd with a buffer of 9M takes 2,048 faults more than with one
# of 1M, whatever records it.  Of the processes' own (rusage) that is to be within
# what recorders differ by, and what is predicted but for
# where libraries lie (ASLR); others use the host, so that it
# had at least as many.
set -u
work=$(mktemp -d "${TMPDIR:-/tmp}/pagescope-counters.XXXXXX")
trap 'rm -rf "$work"' EXIT
failed=0 tried=0

complain()
{
	echo "FAIL: $*"
	failed=1
}

if grep -q '\[always\]' /sys/kernel/mm/transparent_hugepage/enabled 2>/dev/null; then
	echo "skipped: huge pages for all: a buffer takes few faults"
	exit 77
fi

# look ENGINE SIZE COUNTER COLUMN: 4 measured, 5 predicted
look()
{
	"$PAGESCOPE" report --table kernel.counters --format csv \
		"$work/$1-$2.json" | awk -F, -v name="$3" -v column="$4" \
		'$1 == name { print int($column); found = 1 }
		END { if (!found) print "none" }'
}

# moves ENGINE COUNTER COLUMN LEAST MOST
moves()
{
	local small large
	small=$(look "$1" 1M "$2" "$3")
	large=$(look "$1" 9M "$2" "$3")
	case $small$large in
	*[!0-9]* | '')
		complain "$1: $2, column $3: \"$small\", \"$large\""
		return
		;;
	esac
	echo "$1: $2, column $3: $small and $large"
	if [ $((large - small)) -lt "$4" ] || [ $((large - small)) -gt "$5" ]; then
		complain "$1: $2, column $3: $((large - small)) more"
	fi
}

for engine in cache step valgrind faults; do
	for size in 1M 9M; do
		"$PAGESCOPE" record -e $engine -o "$work/t.pst" -- \
			dd if=/dev/zero of=/dev/null bs=$size count=1 \
			>"$work/out" 2>&1 || continue 2
		"$PAGESCOPE" replay "$work/t.pst" --no-symbols \
			-o "$work/$engine-$size.json" 2>"$work/out" || {
			complain "$engine: $(cat "$work/out")"
			continue 2
		}
	done
	tried=$((tried + 1))
	# cache and step tell of each process what it used, in table validate
	case $engine in
	cache | step) moves $engine vmstat.pgfault 5 2032 2064; least=2048 ;;
	# the host is looked at when these have told something: behind the first
	# of the program's faults
	*) moves $engine rusage.minflt 4 1950 2150; least=512 ;;
	esac
	[ "$(look $engine 9M vmstat.pgfault 4)" -ge "$least" ] ||
		complain "$engine: the host had fewer faults than the program"
done
[ $tried -gt 0 ] || {
	echo "skipped: no engine works here: $(cat "$work/out")"
	exit 77
}
exit $failed
