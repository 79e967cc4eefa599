#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The running kernel as judge of the whole way: small programs are run, for the
# kernel's count of their minor faults and table bytes, then recorded and
# replayed, for ours.  Both are differences between touching n pages and none, so
# that start-up does not matter.  Tolerance 0.
set -u
program=$(dirname "$PAGESCOPE")/tests/fault-programs
work=$(mktemp -d "${TMPDIR:-/tmp}/pagescope-faults.XXXXXX")
trap 'rm -rf "$work"' EXIT
failures=0
run=

skip()
{
	echo "skipped: $1"
	exit 77
}

# replayed ENGINE NAME PAGES: "MINOR POPULATED TABLES" of the recorded run.
replayed()
{
	# shellcheck disable=SC2086 # a command and its option, or nothing
	if ! $run "$PAGESCOPE" record -e "$1" -o "$work/t.pst" -- "$program" "$2" \
		"$3" quiet >"$work/out" 2>"$work/err" ||
		! "$PAGESCOPE" replay "$work/t.pst" --no-symbols \
			-o "$work/r.json" 2>>"$work/err"; then
		cat "$work/err" >&2
		return 1
	fi
	for value in fault.minor fault.populated table.bytes.peak; do
		"$PAGESCOPE" report --get $value "$work/r.json"
	done | tr '\n' ' '
}

# compare ENGINE NAME PAGES TABLES: TABLES "no" where they are not compared,
# because their peak is not what is left at the end.
compare()
{
	local kernel0 tables0 kernel tables none some
	read -r kernel0 tables0 < <("$program" "$2" 0)
	read -r kernel tables < <("$program" "$2" "$3")
	kernel=$((kernel - kernel0)) tables=$((tables - tables0))
	if ! none=$(replayed "$1" "$2" 0) || ! some=$(replayed "$1" "$2" "$3"); then
		failures=$((failures + 1))
		return
	fi
	# shellcheck disable=SC2086 # three numbers each
	set -- "$@" $none $some
	local minor=$(($8 + $9 - $5 - $6)) bytes=$((${10} - $7))
	if [ "$minor" != "$kernel" ] ||
		{ [ "$4" = yes ] && [ "$bytes" != "$tables" ]; }; then
		echo "$1 $2 $3: the kernel $kernel faults, $tables bytes of" \
			"tables; the model $minor, $bytes"
		failures=$((failures + 1))
	fi
}

[ -x "$program" ] || skip "tests/fault-programs is not built"
"$program" demand 16 | grep -q '^16 ' ||
	skip "the kernel's count is not that of 4K pages here"
compare valgrind demand 4096 yes
compare valgrind stride 5000 yes
compare valgrind sparse 300 yes
compare valgrind zero 4000 yes
compare valgrind dontneed 2048 no
compare valgrind protect 3000 yes
compare valgrind locked 16 yes
compare valgrind copied 2000 no
compare valgrind grown 3000 no
# Of a file that is mapped first and then read in part, what was read is no major
# fault: of 400 cold pages, half.  The file is where the test runs: tmpfs has no
# cold ones, and then there are none to compare.
read -r major _ < <("$program" filled 400)
if [ "${major:-0}" -gt 0 ]; then
	"$PAGESCOPE" record -e step -o "$work/t.pst" -- "$program" filled 400 \
		>"$work/out" 2>"$work/err" &&
		"$PAGESCOPE" replay "$work/t.pst" --no-symbols \
			-o "$work/r.json" 2>>"$work/err" || cat "$work/err"
	read -r same _ <"$work/out"
	model=$("$PAGESCOPE" report --get fault.major "$work/r.json")
	if [ "$major" != 200 ] || [ "$same" != 200 ] || [ "$model" != 200 ]; then
		echo "filled: major faults: $major alone, $same recorded;" \
			"the model $model; 200 of 400 were not read"
		failures=$((failures + 1))
	fi
fi
# The same layout each time, or start-up differs by a page.
if setarch -R true 2>/dev/null; then
	run="setarch -R"
	compare step demand 300 yes
	compare step sparse 60 yes
fi
[ "$failures" = 0 ]
