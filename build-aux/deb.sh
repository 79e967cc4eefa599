#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ./dev deb: the Debian packages, of a clean copy of what git has, in build/deb:
# built, looked at by lintian, unpacked and tried.  DEB_BUILD_OPTIONS=  runs the
# tests too.
set -eu
tree=$PWD
deb=$tree/build/deb
version=$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)

say()
{
	printf '== %s\n' "$*"
}

rm -rf "$deb"
mkdir -p "$deb/pagescope-$version"
git archive HEAD | tar -x -C "$deb/pagescope-$version"
git diff --quiet HEAD || say 'what is not committed is not in the package'
say "dpkg-buildpackage (log: build/deb/build.log)"
cd "$deb/pagescope-$version"
export DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS-nocheck}"
dpkg-buildpackage -us -uc -b >"$deb/build.log" 2>&1 || {
	tail -n 40 "$deb/build.log"
	exit 1
}
cd "$deb"
say lintian
lintian --fail-on error --allow-root pagescope_"$version"_*.changes
say 'unpacked and tried'
for package in pagescope_"$version"_*.deb libpagescope-dev_"$version"_*.deb; do
	dpkg-deb -x "$package" root
done
root/usr/bin/pagescope --version
root/usr/bin/pagescope replay generate:uniform,n=10000,pages=2000 \
	--config root/usr/share/pagescope/presets/zen4.cfg | sed -n 1,3p
man -l root/usr/share/man/man1/pagescope-top.1.gz >/dev/null
sed "s,^prefix=.*,prefix=$deb/root/usr," root/usr/lib/*/pkgconfig/pagescope.pc >pagescope.pc
sed -i "s,^libdir=.*,libdir=$(echo "$deb"/root/usr/lib/*-linux-gnu)," pagescope.pc
PKG_CONFIG_PATH=. pkg-config --exists pagescope
read -ra flags < <(PKG_CONFIG_PATH=. pkg-config --cflags --libs pagescope)
gcc -o example "$tree/tests/library-example.c" "${flags[@]}"
ls -- *.deb
