#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# libpagescope: the example builds against the build tree and, by pkg-config
# alone, against an installation; its figures are the command's; the library
# defines public names only.
set -u
: "${PAGESCOPE:?}"
srcdir=$(cd "${srcdir:-.}" && pwd) || exit 99
build=${PAGESCOPE%/*}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0
unset MAKEFLAGS MAKELEVEL MFLAGS

complain()
{
	echo "$*"
	failed=1
}

if nm "$build/libpagescope.a" 2>/dev/null | grep -q '__[at]san_init\|__asan_report_load8'; then
	echo 'built with sanitizers, which the example is not'
	exit 77
fi
read -ra cc <<<"${CC:-cc}"
library=$build/analyzer/libpagescope.a
export PAGESCOPE_PRESETS=$srcdir/models/presets

# Public names and no others, and all that the header declares
nm -g --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort >"$dir/defined"
sed -n 's/^.*[ *]\(pagescope_[a-z_]*\)(.*/\1/p' "$srcdir/analyzer/pagescope.h" |
	sort -u >"$dir/declared"
diff "$dir/declared" "$dir/defined" || complain 'declared (<) and defined (>) are not the same'

# runs EXAMPLE: its figures are the command's
runs()
{
	local trace=generate:mix,n=20000,pages=3000,seed=7 walks half
	"$1" $trace >"$dir/out" 2>"$dir/err" || complain "$1: $(cat "$dir/err")"
	"$PAGESCOPE" replay $trace --cpu skylake-sp -o "$dir/a.json"
	"$PAGESCOPE" replay $trace --cpu skylake-sp --set tlb.l2.entries=768 -o "$dir/b.json"
	walks=$("$PAGESCOPE" report --get walk.count "$dir/a.json")
	half=$("$PAGESCOPE" report --get walk.count "$dir/b.json")
	grep -qx "tlb.l2.entries=1536: $walks walks, $("$PAGESCOPE" report --get translation.cycles "$dir/a.json") cycles" \
		"$dir/out" || complain "$1: not the command's $walks: $(cat "$dir/out")"
	grep -q "^tlb.l2.entries=768: $half walks" "$dir/out" || complain "$1: not $half: $(cat "$dir/out")"
	grep -qx "$("$PAGESCOPE" report --get accesses "$dir/a.json") accesses, $("$PAGESCOPE" report --get \
		footprint.pages "$dir/a.json") pages" "$dir/out" || complain "$1: pages: $(cat "$dir/out")"
	"$1" /dev/null/none >"$dir/out" 2>"$dir/err" && complain "$1: a trace that is not there"
	grep -q '^/dev/null/none' "$dir/err" || complain "$1: $(cat "$dir/err")"
}

export PKG_CONFIG_PATH=$build/analyzer
read -ra flags < <(pkg-config --libs pagescope)
"${cc[@]}" -Wall -Werror -I"$srcdir/analyzer" "$srcdir/tests/library-example.c" -o "$dir/tree" -L"$build/analyzer" \
	"${flags[@]}" || complain 'does not build against the build tree'
runs "$dir/tree"

make -s -C "$build" install-apilibDATA install-includeHEADERS install-pkgconfigDATA install-man3 \
	DESTDIR="$dir/root" >"$dir/log" 2>&1 || complain "install: $(cat "$dir/log")"
export PKG_CONFIG_SYSROOT_DIR=$dir/root
PKG_CONFIG_PATH=$(dirname "$(find "$dir/root" -name pagescope.pc)")
[ -n "$(find "$dir/root" -name libpagescope.3)" ] || complain 'no man page'
# what of other packages is not below the root
read -ra flags < <(pkg-config --cflags --libs pagescope | sed "s,-I$dir/root/usr/include[^ ]*,,g")
"${cc[@]}" -Wall -Werror "$srcdir/tests/library-example.c" -o "$dir/installed" "${flags[@]}" ||
	complain 'does not build against what is installed'
runs "$dir/installed"
[ "$(pkg-config --modversion pagescope)" = "$("$PAGESCOPE" --version | awk 'NR == 1 { print $2 }')" ] ||
	complain "another version: $(pkg-config --modversion pagescope)"

# All that is installed is in a Debian package, and all that a package is to have
# is installed
make -s -C "$build" install DESTDIR="$dir/all" prefix=/usr libdir=/usr/lib/x86_64-linux-gnu >"$dir/log" 2>&1 ||
	complain "install: $(cat "$dir/log")"
(cd "$dir/all" && find . -type f) | sed 's,^\./,,' | sort >"$dir/files"
cat "$srcdir"/debian/*.install | while read -r pattern; do
	(cd "$dir/all" && compgen -G "$pattern" >/dev/null) || echo "debian/*.install: nothing is $pattern"
	(cd "$dir/all" && compgen -G "$pattern" | xargs -I{} find {} -type f) >>"$dir/packed"
done >"$dir/said"
sort "$dir/packed" | uniq -d | sed 's/$/: in two packages/' >>"$dir/said"
sort -u "$dir/packed" | comm -23 "$dir/files" - | sed 's/$/: in no package/' >>"$dir/said"
[ ! -s "$dir/said" ] || complain "$(cat "$dir/said")"
[ "$(wc -l <"$dir/files")" -ge 40 ] || complain 'hardly anything is installed'

# C++ takes the header
if command -v c++ >/dev/null; then
	echo '#include "pagescope.h"' | c++ -Wall -Werror -fsyntax-only -I"$srcdir/analyzer" -x c++ - || complain 'no C++'
fi
exit $failed
