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
	# Attached to for a while: unharmed
	sh -c 'i=0; while [ ! -e stop ]; do i=$((i + 1)); done; echo unharmed
		exit 9' >attached.txt 2>&1 &
	pid=$!
	"$PAGESCOPE" record -e step --duration 300ms -o t.pst -p $pid 2>err ||
		complain "-p: status $?: $(cat err)"
	grep -q 'recorded [1-9][0-9]* accesses' err || complain "-p: $(cat err)"
	touch stop
	wait $pid
	[ "$? $(cat attached.txt)" = "9 unharmed" ] ||
		complain "-p: the target was harmed: $(cat attached.txt)"
	# The first interrupt saves; the command runs on, its status is told
	"$PAGESCOPE" record -e step -o i.pst -- sh -c \
		'trap "" INT; while [ ! -e go ]; do sleep 0.1; done; exit 6' \
		2>err >/dev/null &
	pid=$!
	sleep 0.7
	kill -INT $pid
	sleep 0.3
	touch go
	wait $pid
	status=$?
	[ $status -eq 6 ] || complain "interrupted: status $status: $(cat err)"
	"$PAGESCOPE" verify i.pst >/dev/null 2>err ||
		complain "interrupted: $(cat err)"
	# An event that libpfm4 knows and this host has not
	"$PAGESCOPE" record -e skl::DTLB_LOAD_MISSES -o t.pst -- true 2>err &&
		complain "DTLB_LOAD_MISSES was taken"
	grep -q 'no such event\|libpfm4' err || complain "event: $(cat err)"
else
	echo "step does not work here: $(grep step check.txt)"
fi

# faults N [ENGINES]: records N touched pages; prints the address, those there, those in
# all, and what getrusage says of both
faults()
{
	timeout 100 setarch -R "$PAGESCOPE" record -e "${2-faults}" -o f.pst -- \
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
	# (Under Valgrind and the code cache getrusage tells their own, too.)
	[[ ${2-} != valgrind* && ${2-} != cache* ]] || touched=$1
	[ "$there $touched" = "$1 $1" ] ||
		complain "$1 pages: $there faults there, getrusage $touched"
	grep -q lost err && complain "lost: $(cat err)"
	# What the exec itself takes getrusage counts and perf does not
	echo "$1 pages: perf $all, getrusage $total"
	difference=$((total - all))
}

# accessed N: the recorded accesses touch just the pages that faulted there
accessed()
{
	"$PAGESCOPE" dump --format csv f.pst | awk -F, -v at="$at" -v n="$1" '
		function hex(text,   i, v) {
			for (i = 1; i <= length(text); i++)
				v = v * 16 + index("0123456789abcdef",
					substr(text, i, 1)) - 1
			return v
		}
		BEGIN { start = hex(substr(at, 3)) }
		$3 == "store" && $4 >= start && $4 < start + n * 4096 {
			page[int(($4 - start) / 4096)]++
		}
		END { for (p in page) pages++; print pages + 0 }' >counted
	[ "$(cat counted)" = "$1" ] ||
		complain "$1 pages: stores to $(cat counted) of them"
}

if works faults; then
	# The program's file need not be in the page cache, nor stay there
	for try in 1 2 3 4; do
		faults 100
		first=$difference
		faults 20000
		[ "$first" -eq "$difference" ] && break
		[ $try -lt 4 ] ||
			complain "getrusage - perf: $first, then $difference"
	done
	if [ "$first" -lt 0 ] || [ "$first" -ge 100 ]; then
		complain "getrusage - perf is $first"
	fi
	# Beside an engine for accesses: the same faults, and its stores are to
	# just those pages
	if works step; then
		for try in 1 2 3 4; do
			faults 100 step,faults
			[ "$difference" -eq "$first" ] && break
			[ $try -lt 4 ] ||
				complain "step,faults: getrusage - perf: $difference, alone $first"
		done
		accessed 100
	fi
	if works valgrind; then
		faults 100 valgrind,faults
		[ "$all" -gt 100 ] || complain "valgrind,faults: $all in all"
		accessed 100
	fi
	# What the code cache itself touches is not told
	if works cache && works step; then
		faults 20000 step,faults
		expected=$all
		for try in 1 2 3 4; do
			faults 20000 cache,faults
			[ "$all" -lt $((expected + 100)) ] &&
				[ "$all" -gt $((expected - 100)) ] && break
			[ $try -lt 4 ] ||
				complain "cache,faults: $all in all, step,faults $expected"
		done
		accessed 20000
	fi
else
	echo "faults does not work here: $(grep faults check.txt)"
fi

# Targets that nobody could foresee are asked for, without a stop each, where
# there is another processor to answer on
if works cache && [ "$(nproc)" -gt 1 ]; then
	many=$(dirname "$target")/cache-target
	for try in 1 2 3 4; do
		"$PAGESCOPE" record -e cache --count --verbose -- "$many" many \
			>out 2>err
		status=$?
		[ $status -eq 7 ] || complain "many: status $status: $(cat err)"
		asked=$(sed -n 's/.*asked \([0-9]*\).*/\1/p' err)
		[ "${asked:-0}" -gt 1000 ] && break
		[ $try -lt 4 ] || complain "many: asked ${asked:-nothing}"
	done
else
	echo "no questions: cache does not work here, or one processor"
fi
exit $failed
