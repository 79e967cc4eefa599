#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The program's own part of the command line: verbs, help, exit statuses, the
# end of the output.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0

# expect STATUS STDOUT-PATTERN STDERR-PATTERN ARGUMENT...
expect()
{
	local status=$1 out=$2 err=$3 got
	shift 3
	"$PAGESCOPE" "$@" >"$dir/out" 2>"$dir/err" </dev/null
	got=$?
	if [ $got -ne "$status" ]; then
		echo "pagescope $*: status $got, not $status"
		failed=1
	fi
	check "$dir/out" "$out" "stdout of: pagescope $*"
	check "$dir/err" "$err" "stderr of: pagescope $*"
}

# The file is empty where the pattern is, else it has such a line.
check()
{
	if [ -z "$2" ] && [ -s "$1" ]; then
		echo "$3: should be empty:"
		cat "$1"
		failed=1
	elif [ -n "$2" ] && ! grep -qe "$2" "$1"; then
		echo "$3: has no \"$2\":"
		cat "$1"
		failed=1
	fi
}

expect 2 '' '^pagescope: no verb given; see "pagescope help"$'
expect 2 '' '^pagescope: unknown verb "repaly"; did you mean "replay"?$' repaly
expect 2 '' '^pagescope: unknown verb "xyzzy"; see "pagescope help"$' xyzzy
expect 2 '' '^pagescope: unknown option "-x": a verb comes first' -x
expect 0 '^pagescope [0-9.]*$' '' --version
expect 0 '^usage: pagescope VERB' '' --help
expect 0 '^usage: pagescope VERB' '' help
expect 0 '^usage: pagescope replay ' '' help replay
expect 0 '^usage: pagescope replay ' '' replay --help
expect 2 '' '^pagescope: help: unknown verb "repaly"; did you mean "replay"?$' \
	help repaly
expect 2 '' '^pagescope: help: one verb at a time, not "b" too$' help a b
expect 2 '' '"--ass"; did you mean "--as"?$' help --ass man
expect 2 '' '"--as" needs a value$' help --as
expect 2 '' 'help: --as: "mna" is not one of text, man, ' help --as mna

# An empty value is refused, not taken for none
expect 2 '' '^pagescope: replay: --config: is empty$' replay --config '' x.pst
expect 2 '' '^pagescope: record: --output: is empty$' record -o '' -- true
expect 2 '' '^pagescope: record: --engine: is empty$' record -e '' -- true
expect 2 '' '^pagescope: plot: --kind: is empty$' plot --kind= x.json
expect 2 '' '^pagescope: report: --format: is empty$' report --format= x.json
expect 2 '' '^pagescope: cc: --compiler: is empty$' cc --compiler '' x.c

# A wrong word of the command line, found only later, is usage too
expect 2 '' 'unknown option "tlb.l3"' replay --set tlb.l3=1 generate:uniform
expect 2 '' 'did you mean "skylake-sp"?' replay --cpu skylake-ps generate:uniform
expect 2 '' 'unknown format "cvs"; did you mean "csv"?$' \
	import --from cvs x -o "$dir/x.pst"
expect 2 '' 'unknown option "csv.bas"; did you mean "csv.base"?$' \
	import --from csv --set csv.bas=16 x -o "$dir/x.pst"

# How long one batch took nobody knows: it was told as 0.000 s
printf ' L 1000,4\n' >"$dir/one"
expect 0 '^time  *not known: all is in one batch$' '' info "$dir/one"
expect 0 '"time_ns": null' '' info --json "$dir/one"

# A full disk, a closed output and a reader who leaves
for form in text man completion; do
	"$PAGESCOPE" help --as $form >/dev/full 2>"$dir/err"
	if [ $? -ne 125 ]; then
		echo "help --as $form to /dev/full did not fail"
		failed=1
	fi
	check "$dir/err" '^pagescope: standard output: No space left on device$' \
		"stderr of: help --as $form >/dev/full"
done
"$PAGESCOPE" help >&- 2>"$dir/err"
if [ $? -ne 125 ]; then
	echo "help to a closed output did not fail"
	failed=1
fi
check "$dir/err" '^pagescope: standard output: ' "stderr of: help >&-"
# (true is gone before the shell has slept)
{ sleep 0.3; "$PAGESCOPE" help --as completion 2>"$dir/err"; echo $? >"$dir/status"; } | true
if [ "$(cat "$dir/status")" -ne 141 ]; then
	echo "a broken pipe: status $(cat "$dir/status"), not 141"
	failed=1
fi
check "$dir/err" '' "stderr of: help | true"

# What helps humans is complete: each verb in the overview and the completion
"$PAGESCOPE" help >"$dir/overview"
"$PAGESCOPE" help --as completion >"$dir/completion"
bash -n "$dir/completion" || failed=1
for verb in $("$PAGESCOPE" help --as names); do
	check "$dir/overview" "^  $verb  *[a-z]" "overview"
	check "$dir/completion" "^	$verb) options=" "completion"
done

# complete WORD... -- EXPECTED: what bash offers for the last word
complete_is()
{
	local expected=${!#} got
	got=$(
		# shellcheck disable=SC1091
		. "$dir/completion"
		COMP_WORDS=("${@:1:$#-1}")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_pagescope
		echo "${COMPREPLY[*]}"
	)
	if [ "$got" != "$expected" ]; then
		echo "completion of \"${*:1:$#-1}\": \"$got\", not \"$expected\""
		failed=1
	fi
}
complete_is pagescope repl replay
complete_is pagescope help repl replay
complete_is pagescope help --a --as
complete_is pagescope help --as t text
complete_is pagescope help --as = m man
complete_is pagescope help --as = 'text man completion examples names'
complete_is pagescope replay FILE ''
complete_is pagescope import --from lac lackey
complete_is pagescope export --to lac lackey
complete_is pagescope record -e val valgrind
complete_is pagescope record -e valgrind,fau valgrind,faults
complete_is pagescope plot --kind misses,hea misses,heatmap
complete_is pagescope report --format c csv
complete_is pagescope config '' 'list show detect'
PATH=${PAGESCOPE%/*}:$PATH
complete_is pagescope replay --cpu = skyl skylake-sp
complete_is pagescope config show zen4 zen4
complete_is pagescope replay --cpu def default
complete_is pagescope replay --machine zen-p zen-plus
complete_is pagescope plot --kind col colours

exit $failed
