#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The examples of the man pages do what they say: each line that starts with
# "pagescope" is run, verb by verb in the order of VERBS, in a directory with
#	FILE        something to compress
#	trace.pst   a recording, result.json a result (made as needed below)
#	machines.json  a result of two machines (skylake-sp, zen4)
#	trace.txt   the same kind of thing in valgrind lackey's format
# A line whose remark above holds "(not tested)" is left out.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0
n=0

cd "$dir" || exit 99
mkdir bin
ln -s "$PAGESCOPE" bin/pagescope
PATH=$dir/bin:$PATH
seq 1 3000 >FILE
{
	echo '==1== a comment'
	for ((i = 0; i < 1000; i++)); do
		printf 'I  %08x,4\n L %08x,8\n' $((0x401000 + i * 4)) \
			$((0x10000000 + i * 64))
	done
} >trace.txt
verbs=$(pagescope help --as names)

has()
{
	[[ $'\n'$verbs$'\n' == *$'\n'$1$'\n'* ]]
}

try()
{
	timeout 120 bash -o pipefail -c "$1" </dev/null >log 2>&1
	local status=$?
	n=$((n + 1))
	# "No engine works here" is an answer.
	[[ $status -eq 3 && $1 == 'pagescope check'* ]] && return
	if [ $status -ne 0 ]; then
		echo "$2: \"$1\": status $status"
		tail -n 20 log
		failed=1
	fi
}

has import && try 'pagescope import --from lackey trace.txt -o trace.pst' setup
has replay && pagescope replay --help | grep -q -- --output && [ -f trace.pst ] &&
	try 'pagescope replay trace.pst -o result.json' setup &&
	try 'pagescope replay trace.pst -m skylake-sp -m zen4 -o machines.json' setup
for verb in $verbs; do
	[ "$verb" != plot ] || command -v gnuplot >/dev/null || continue
	tested=yes
	while IFS= read -r line; do
		case $line in
		'#'*'(not tested)'*) tested=no ;;
		'#'*) ;;
		pagescope*)
			[ $tested = yes ] && try "$line" "$verb"
			tested=yes
			;;
		esac
	done < <(pagescope help --as examples "$verb")
done
[ $n -gt 0 ] || failed=1
echo "$n commands run"
exit $failed
