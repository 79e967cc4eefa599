#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The gates of STYLE.md, section 12, all by one command: ./dev check [GATE...].
# Each gate builds in a directory of its own below build/; what it said is in
# build/gate-NAME.log.
set -u
tree=$PWD
jobs=$(nproc)
gates='format shell gcc clang cppcheck tidy address thread dist clean'

sources()
{
	git ls-files '*.c' '*.h'
}

# configured_make NAME CONFIGURE-ARGUMENT... -- MAKE-ARGUMENT...
configured_make()
{
	local dir=build/gate-$1 options=()
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	mkdir -p "$dir"
	(cd "$dir" && "$tree/configure" -q "${options[@]}") &&
		make -s -C "$dir" -j "$jobs" &&
		make -s -C "$dir" -j "$jobs" "$@"
}

gate_format()
{
	sources | xargs clang-format --dry-run --Werror
}

# (2317: it does not see that a trap calls a function.)
gate_shell()
{
	git ls-files | while read -r file; do
		! head -c 64 "$file" | grep -qa '^#!/bin/\(ba\)\?sh' || echo "$file"
	done | xargs shellcheck -e SC2317
}

# Tests are compiled too, run by the other gates.
gate_gcc()
{
	configured_make gcc CC=gcc --enable-werror -- check TESTS=
}

gate_clang()
{
	configured_make clang CC="clang -Wno-unused-command-line-argument" \
		--enable-werror -- check TESTS=
}

# Left out: what holds with both our compilers (right shifts of negatives, NULL
# in variadic calls); registries end with NULL, which must be looked at before
# any other bound; labels of one piece of assembly, which it takes for objects of
# their own; and what it takes for uninitialised or a single object while
# clang-analyzer and the sanitizers see better.
gate_cppcheck()
{
	sources | grep '\.c$' | grep -v valgrind |
		xargs cppcheck --quiet --std=c11 --error-exitcode=1 -j "$jobs" -I. \
			--enable=warning,performance,portability --inline-suppr \
			--suppress=missingIncludeSystem \
			--suppress=shiftTooManyBitsSigned \
			--suppress=arrayIndexThenCheck --suppress=objectIndex \
			--suppress=comparePointers \
			--suppress=uninitvar --suppress=varFuncNullUB \
			--suppress=unknownMacro \
			--suppress=invalidFunctionArg \
			--suppress=ignoredReturnValue --library=gnu
}

# (mpi: words.)
# shellcheck disable=SC2086
tidy()
{
	clang-tidy --quiet --warnings-as-errors='*' "$@" -- -std=gnu11 -I. \
		-Ibuild -DHAVE_CONFIG_H -DPRESETS_DIR='"."' -DENGINES_DIR='"."' \
		-DHOOKS_DIR='"."' -mcx16 $mpi
}

# What needs MPI is looked at where it is built.
gate_tidy()
{
	local without='valgrind|^tests/'
	mpi=$(sed -n 's/^MPI_CFLAGS = //p' build/Makefile)
	[ -n "$mpi" ] || without="$without|curve-mpi"
	export mpi
	export -f tidy
	sources | grep '\.c$' | grep -vE "$without" |
		xargs -P "$jobs" -n 4 bash -c 'tidy "$@"' tidy
}

gate_address()
{
	configured_make address --enable-sanitizers=address,undefined \
		--enable-werror CFLAGS='-g -O1' -- check
}

# Where threads meet: the tests that the list in Makefile.am names.
gate_thread()
{
	local threaded
	# (What remakes the Makefile prints, too.)
	make -s -C build Makefile &&
		threaded=$(make -s -C build print-threaded) &&
		configured_make thread --enable-sanitizers=thread CFLAGS='-g -O1' -- \
			check TESTS="$threaded"
}

gate_dist()
{
	make -s -C build distcheck
}

gate_clean()
{
	local status
	status=$(git status --porcelain)
	[ -z "$status" ] || {
		echo "$status"
		return 1
	}
}

[ $# -gt 0 ] || read -ra list <<<"$gates"
[ $# -eq 0 ] || list=("$@")
failed=
mkdir -p build
for gate in "${list[@]}"; do
	[[ " $gates " == *" $gate "* ]] || {
		echo "dev: no gate \"$gate\"; there are: $gates" >&2
		exit 2
	}
	start=$SECONDS
	if "gate_$gate" >"build/gate-$gate.log" 2>&1; then
		printf '%-9s ok      (%d s)\n' "$gate" $((SECONDS - start))
	else
		printf '%-9s FAILED  (%d s), build/gate-%s.log:\n' "$gate" \
			$((SECONDS - start)) "$gate"
		tail -n 25 "build/gate-$gate.log" | sed 's/^/    /'
		failed="$failed $gate"
	fi
done
[ -z "$failed" ] || {
	echo "failed:$failed"
	exit 1
}
echo "all gates passed"
