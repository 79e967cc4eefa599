#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# count-tests.sh DIRECTORY: read automake's result files (NAME.trs, NAME.log)
# below it and print "N passed, N failed, N skipped"; status 1 if any failed or
# there is none.  A cmocka program counts as its tests, a script as one; a
# program that failed without naming a test (a crash) counts as one failure.
set -u
passed=0 failed=0 skipped=0

# The number in cmocka's "[  PASSED  ] 11 test(s)."; 0 if it is not there
counted()
{
	local n
	n=$(sed -nE "s/.*\[  $2 +\] ([0-9]+) test\(s\).*/\1/p" "$1" | head -n 1)
	echo "${n:-0}"
}

while read -r trs; do
	log=${trs%.trs}.log
	result=$(sed -n 's/^:global-test-result: //p' "$trs")
	p=$(counted "$log" PASSED) f=$(counted "$log" FAILED) s=$(counted "$log" SKIPPED)
	case $result in
	PASS) [ $((p + f + s)) -gt 0 ] || p=1 ;;
	SKIP)
		[ $((p + f + s)) -gt 0 ] || s=1
		echo "skipped: $(basename "$log" .log): $(grep -v '^SKIP ' "$log" | grep . | tail -n 1)"
		;;
	*)
		[ "$f" -gt 0 ] || f=1
		echo "failed: $(basename "$log" .log) ($log)"
		;;
	esac
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done < <(find "$1" -name '*.trs' | sort)
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
