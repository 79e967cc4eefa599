#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The tree keeps its rules (STYLE.md): who includes whom, names, lengths, lists.
# The Valgrind tool is freestanding and is left out where that matters.
set -u
cd "${srcdir:-.}" || exit 99
failed=0
rooms='analyzer tracers traces models reports tests'
limit_lines=1000
limit_function=60

complain()
{
	echo "$*"
	failed=1
}

# Files of the rooms that exist, by the endings given
files()
{
	local room ending
	for room in $rooms; do
		[ -d "$room" ] || continue
		for ending; do
			find "$room" -name "*.$ending" ! -name '.*' | sort
		done
	done
}

# A room includes its own headers and the base's.  Only analyzer/main.c and
# cmd-*.c see all rooms; tests may look everywhere.
includes()
{
	local file room seen
	files c h | while read -r file; do
		room=${file%%/*}
		case $file in
		analyzer/main.c | analyzer/cmd-*.c | tests/*) continue ;;
		esac
		sed -n 's/^ *# *include *"\([^"]*\)".*/\1/p' "$file" |
			while read -r seen; do
				case $seen in
				"$room"/* | analyzer/*) ;;
				*/*) echo "$file: includes $seen of another room" ;;
				esac
			done
	done
}

# The longest function, by our layout: from { to } in the first column.  A
# flat switch may be longer.
functions()
{
	files c h | xargs awk -v limit=$limit_function '
		FNR == 1 { start = 0 }
		/^{/ { start = FNR; flat = 0 }
		/^\tswitch/ { flat = 1 }
		/^}/ {
			if (start && FNR - start - 1 > limit && !flat)
				printf "%s:%d: %d lines in one function\n",
					FILENAME, start, FNR - start - 1
			start = 0
		}'
}

each_header_alone()
{
	local header
	files h | grep -v valgrind | while read -r header; do
		${CC:-cc} -std=gnu11 -fsyntax-only -I. -x c "$header" 2>&1 |
			sed "s,^,$header alone: ,"
	done
}

said=$(
	includes
	functions
	each_header_alone
	files c h | sed 's,.*/,,' | sort | uniq -d | sed 's/$/: two files of this name/'
	files c h | xargs wc -l | awk -v limit=$limit_lines '
		$2 != "total" && $1 > limit { print $2 ": " $1 " lines" }'
	files c h sh py gp | xargs grep -L 'SPDX-License-Identifier: GPL-2.0-or-later' |
		sed 's/$/: no SPDX line/'
	# what one machine alone has
	files c h sh py md gp cfg | grep -v '^tests/structure.sh$' |
		xargs grep -nE '(^|[^A-Za-z0-9_.$])/(work|home|root|usr/local)/' |
		sed 's/$/: a path of one machine/'
	files c h | grep -vE '^(analyzer/main.c|tests/)' | grep -v valgrind |
		xargs grep -nE '(^|[^_a-zA-Z])(exit|abort|alloca) ?\(' |
		sed 's/$/: not here/'
	files c h | grep -v valgrind | xargs grep -nE '^typedef struct|^#if 0' | sed 's/$/: not here/'
)
[ -z "$said" ] || complain "$said"

# What is in the tree is in the lists
unlisted=$(files c h sh | while read -r file; do
	grep -qF "$file" Makefile.am || echo "$file: not in Makefile.am"
done)
[ -z "$unlisted" ] || complain "$unlisted"

for room in $rooms; do
	[ -f "$room/README.md" ] || continue
	[ "$(wc -l <"$room/README.md")" -le 30 ] ||
		complain "$room/README.md: longer than 30 lines"
done
exit $failed
