#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# mkregistry.sh HEADER STRUCT ARRAY SUFFIX [NAME...]
# Print the C file of a registry: an array of pointers to NAME_SUFFIX, in the
# order given, ended by NULL.  "-" in a name becomes "_".
set -eu
header=$1 struct=$2 array=$3 suffix=$4
shift 4
echo '/* Generated from a list in Makefile.am by build-aux/mkregistry.sh */'
printf '#include "%s"\n\n' "$header"
for name in "$@"; do
	printf 'extern const struct %s %s_%s;\n' "$struct" \
		"$(echo "$name" | tr - _)" "$suffix"
done
printf '\nconst struct %s *const %s[] = {\n' "$struct" "$array"
for name in "$@"; do
	printf '\t&%s_%s,\n' "$(echo "$name" | tr - _)" "$suffix"
done
printf '\tNULL,\n};\n'
