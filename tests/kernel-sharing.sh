#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The running kernel as judge of who shares what: several processes of one
# program stand still while smaps and VmPTE are read; the same is recorded and
# replayed, and the model must have as much resident, private and in tables for
# each, and the same proportional share; and of each library's segments, which
# readelf names, the same in all of them.  The libraries are copies of our own, so
# that no process outside the trace shares them.
set -u
program=$(cd "$(dirname "$PAGESCOPE")" && pwd)/tests/share-programs
work=$(mktemp -d "${TMPDIR:-/tmp}/pagescope-sharing.XXXXXX")
trap 'rm -rf "$work"' EXIT
export GLIBC_TUNABLES=glibc.pthread.rseq=0 SMAPS=$work
failures=0

skip()
{
	echo "skipped: $1"
	exit 77
}

get()
{
	"$PAGESCOPE" report --get "$1" "$work/r.json"
}

# compare NAME CHILDREN CMD...: line by line, children in the order of their start.
compare()
{
	local name=$1 children=$2
	shift 2
	if ! setarch -R "$@" >"$work/out"; then
		echo "$name: the program failed"
		failures=$((failures + 1))
		return
	fi
	cp "$work/out" "$work/native"
	tail -n "$children" "$work/out" | cut -d' ' -f3- >"$work/kernel"
	if ! setarch -R "$PAGESCOPE" record -e cache -o "$work/t.pst" -- "$@" \
		>"$work/out" 2>"$work/err" ||
		! "$PAGESCOPE" replay "$work/t.pst" --no-symbols \
			-o "$work/r.json" 2>>"$work/err"; then
		cat "$work/err" >&2
		failures=$((failures + 1))
		return
	fi
	tail -n "$children" "$work/out" | cut -d' ' -f2 |
		while read -r pid; do
			"$PAGESCOPE" report --format csv --table processes \
				"$work/r.json" | awk -F, -v pid="$pid" \
				'$1 == pid { print $2, $3, $4, $8, $5 }'
		done >"$work/model"
	# smaps cuts each mapping's share to whole kB: 1 kB a mapping at most
	if ! paste -d' ' "$work/kernel" "$work/model" | awk '
		NF != 10 || $1 != $6 || $3 != $8 || $4 != $9 || $5 != $10 ||
			$7 < $2 || $7 > $2 + 40 * 1024 { bad = 1 }
		END { exit bad || !NR }'; then
		echo "$name: rss pss private tables anonymous, the kernel and the model:"
		paste -d' ' "$work/kernel" "$work/model"
		return 1
	fi
	echo "$name: $(head -1 "$work/kernel") ..."
}

# kernel_parts FILE CHILDREN: what the smaps of the last look say of its segments,
# as the table libraries does.  Of the writable one that is relro which readelf
# says, in whole pages.  Offsets are hexadecimal and of 8 digits in smaps, too.
kernel_parts()
{
	local file=$1 data relro size
	data=$(readelf -lW "$file" |
		awk '$1 == "LOAD" && $7 ~ /W/ { print $2 }')
	read -r relro size < <(readelf -lW "$file" |
		awk '$1 == "GNU_RELRO" { print $2, $6 }')
	data=$(printf '%08x' $((data & ~4095)))
	relro=$(printf '%08x' $(((relro + size) & ~4095)))
	tail -n "$2" "$work/native" | while read -r _ pid _; do
		cat "$work/smaps.$pid"
	done | awk -v file="$file" -v data="$data" -v relro="$relro" '
		/^[0-9a-f]+-[0-9a-f]+ / {
			own = $6 == file
			at = "x" $3
			part = at < "x" relro ? "relro" : "data"
			if (at < "x" data)
				part = "read-only"
			if ($2 ~ /x/)
				part = "text"
			next
		}
		own && $1 == "Rss:" { rss[part] += $2 }
		own && $1 == "Anonymous:" { anon[part] += $2 }
		own && /^Private_/ { private[part] += $2 }
		END {
			for (part in rss)
				if (rss[part])
					print part, rss[part] * 1024,
						private[part] * 1024,
						anon[part] * 1024
		}' | sort
}

# parts FILE CHILDREN: the same of the model
parts()
{
	kernel_parts "$1" "$2" >"$work/parts.kernel"
	"$PAGESCOPE" report --format csv --table libraries "$work/r.json" |
		awk -F, -v file="$1" '$1 == file && $9 == "elf" {
			print $2, $4, $6, $7 }' | sort >"$work/parts.model"
	if ! [ -s "$work/parts.kernel" ] ||
		! cmp -s "$work/parts.kernel" "$work/parts.model"; then
		echo "${1##*/}: segment rss private anonymous, the kernel and the model:"
		paste "$work/parts.kernel" "$work/parts.model"
		failures=$((failures + 1))
	fi
}

# What timing changes (a page held locked by another) counts if it comes again.
judge()
{
	for _ in 1 2 3; do
		compare "$@" && return
	done
	failures=$((failures + 1))
}

[ -x "$program" ] || skip "tests/share-programs is not built"
setarch -R true 2>/dev/null || skip "addresses cannot be made the same here"
loader=$(ldd "$program" | awk '/ld-linux/ { print $1 }')
libc=$(ldd "$program" | awk '$1 ~ /^libc\.so/ { print $3 }')
if ! [ -r "${loader:-}" ] || ! [ -r "${libc:-}" ]; then
	skip "no C library to copy"
fi
mkdir "$work/lib"
cp "$loader" "$work/lib/loader"
cp "$libc" "$work/lib"
cat "$work/lib"/* "$program" >/dev/null
judge library 4 "$program" library 4 "$work/lib/loader" "$work/lib"
parts "$work/lib/loader" 4
parts "$work/lib/${libc##*/}" 4
saved=$("$PAGESCOPE" report --format csv --table savings "$work/r.json" |
	awk -F, '$1 == "page cache" { print $2 }')
if [ "${saved:-0}" -le 1000000 ]; then
	echo "four processes of one library save only ${saved:-0} bytes"
	failures=$((failures + 1))
fi

# k processes that map n pages have k * n entries; each its own tables.  Of 2048
# pages one has 4 tables: those of the others could be the same, with rights alike.
judge memory 3 "$work/lib/loader" --library-path "$work/lib" "$program" \
	memory 3 2048
entries=$(get shared.entries) pages=$(get shared.pages)
if [ "$entries" != $((3 * 2048)) ] || [ "$pages" != 2048 ]; then
	echo "$entries entries for $pages pages: not 3 * 2048 for 2048"
	failures=$((failures + 1))
fi
[ "$failures" = 0 ]
