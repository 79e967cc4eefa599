#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A second reader, written from FORMAT.md alone, reads the same from traces.
set -u
failed=0
for tool in python3 zstd; do
	command -v $tool >/dev/null || {
		echo "$tool is not installed: the second reader can not run"
		exit 77
	}
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

complain()
{
	echo "$*"
	failed=1
}

# compare TRACE: accesses and events as told by the two readers
compare()
{
	python3 "${srcdir:-.}/tests/second-reader.py" "$dir/$1.pst" >"$dir/second" || {
		complain "$1: the second reader failed"
		return
	}
	"$PAGESCOPE" dump --format csv "$dir/$1.pst" >"$dir/first" ||
		complain "$1: dump failed"
	grep -v '^event' "$dir/second" | cmp - "$dir/first" ||
		complain "$1: other accesses"
	"$PAGESCOPE" dump --no-accesses "$dir/$1.pst" |
		awk '{ print "event", $1, $2, $3, $4 }' >"$dir/first"
	grep '^event' "$dir/second" | cmp - "$dir/first" ||
		complain "$1: other events"
	[ "$(wc -l <"$dir/second")" -gt "$2" ] || complain "$1: hardly anything in it"
}

"$PAGESCOPE" record -e faults,valgrind -o "$dir/valgrind.pst" -- \
	sh -c 'ls / >/dev/null; exit 0' 2>"$dir/err" || complain "record: $(cat "$dir/err")"
compare valgrind 100000
"$PAGESCOPE" record -e step -n 20000 -o "$dir/step.pst" -- true 2>"$dir/err" ||
	complain "record: $(cat "$dir/err")"
compare step 20000
"$PAGESCOPE" import generate:mix,n=50000,pages=4096,seed=3 -o "$dir/mix.pst"
compare mix 50000

# What of the head no checksum covers: version, byte order, size of pages
for ((byte = 24; byte < 32; byte++)); do
	cp "$dir/mix.pst" "$dir/bad.pst"
	printf '\x63' | dd of="$dir/bad.pst" bs=1 seek=$byte conv=notrunc status=none
	"$PAGESCOPE" verify "$dir/bad.pst" >"$dir/first" 2>&1
	[ $? -eq 125 ] || complain "byte $byte of the head: $(cat "$dir/first")"
done
exit $failed
