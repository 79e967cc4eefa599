#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Whole programs, the running kernel as judge.  Each runs twice at the same
# addresses (no ASLR): alone, for every page fault that the kernel takes for it,
# and recorded, for those that the model predicts from its accesses.  Page by
# page the two must be as many: the first touch of a page, the copy after its
# read, each neighbour that fault-around brought.
#
# The recorded run has the kernel's faults, too, but not those of fetches, as
# translated code runs elsewhere: each must have been predicted, and the model may
# have had no others but of the vdso and the stacks of children, where the
# recorder itself reads and writes.
#
# What makes two runs differ is kept out: restartable sequences, which the
# recorder refuses (the kernel writes there after a fork), marks of read-ahead,
# which fault-around leaves out (the runs before clear them), V8's random numbers.
set -u
work=$(mktemp -d "${TMPDIR:-/tmp}/pagescope-programs.XXXXXX")
trap 'rm -rf "$work"' EXIT
export GLIBC_TUNABLES=glibc.pthread.rseq=0
failures=0 compared=0
slack=0 # faults that may differ: threads that race for a page fault both

skip()
{
	echo "skipped: $1"
	exit 77
}

get()
{
	"$PAGESCOPE" report --get "$1" "$work/r.json"
}

# pages: how often each page stands in the input, one "0x1000" a line.
pages()
{
	sort | uniq -c | awk '{ print $2, $1 }'
}

natively()
{
	setarch -R "$PAGESCOPE" record -e faults -o "$work/n.pst" -- "$@" \
		>"$work/out" 2>"$work/err" &&
		"$PAGESCOPE" dump --no-accesses "$work/n.pst" |
		awk '$2 == "fault" { sub(/...$/, "000", $3); print "0x" $3 }' |
			pages >"$work/kernel"
}

recorded()
{
	setarch -R "$PAGESCOPE" record -e cache,faults -o "$work/t.pst" -- "$@" \
		>"$work/out" 2>"$work/err" &&
		"$PAGESCOPE" replay "$work/t.pst" --no-symbols \
			--set pages.list=1000000 -o "$work/r.json" \
			2>>"$work/err" &&
		"$PAGESCOPE" report --format csv --table faults.list \
			"$work/r.json" |
		awk -F, 'NR > 1 { print $1 }' | pages >"$work/model"
}

# others: predicted faults that the recorder itself does not explain.
others()
{
	"$PAGESCOPE" report --format csv --table faults.differ "$work/r.json" |
		awk -F, 'NR > 1 && $5 != "[vdso]" && $5 != "[stack]"' | wc -l
}

agree()
{
	local unpredicted others
	natively "$@" || return 1
	recorded "$@" || return 1
	unpredicted=$(get fault.recorded.unpredicted)
	others=$(others)
	if [ "$unpredicted" -gt "$slack" ] || [ "$others" -gt "$slack" ]; then
		echo "$1: $unpredicted faults of the recorded run were not" \
			"predicted, $others more were"
		return 1
	fi
	diff "$work/kernel" "$work/model" >"$work/diff"
	if [ "$(grep -c '^[<>]' "$work/diff")" -gt "$slack" ]; then
		echo "$1: pages with other counts of faults (< the kernel):"
		head -20 "$work/diff"
		return 1
	fi
}

# compare NAME CMD...: another process that holds a page locked, or the timing of
# signals, makes a difference now and then: it counts if it comes again.
compare()
{
	local name=$1
	shift
	if ! command -v "$1" >/dev/null; then
		echo "$name: $1 is not installed here"
		return
	fi
	"$@" >/dev/null 2>&1
	for _ in 1 2 3 4; do
		if agree "$@"; then
			compared=$((compared + 1))
			echo "$name: $(get fault.minor) faults, $(get fault.anon) anon," \
				"$(get fault.cow) cow, $(get fault.file) file," \
				"$(get fault.reuse) reuse, $(get fault.zero) zero"
			return
		fi
	done
	cat "$work/err" >&2
	failures=$((failures + 1))
}

setarch -R true 2>/dev/null || skip "addresses cannot be made the same here"
setarch -R "$PAGESCOPE" record -e cache,faults -o "$work/t.pst" -- true \
	>/dev/null 2>"$work/err" || skip "$(tail -1 "$work/err")"

printf 'int printf(const char *, ...);\nint main(void) { return printf("x"); }\n' \
	>"$work/hello.c"
head -c 300000 "$PAGESCOPE" >"$work/data"
# pyenv and the like put a script there that runs other programs.
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null)
# shellcheck disable=SC2016 # for the shell that is compared
compare sh sh -c 'for i in 1 2 3; do x=$x$i; done; echo $x'
compare ls ls -l /
# shellcheck disable=SC2016
compare fork sh -c '(x=1; echo $x); (ls / | cat); x=2'
compare cc1 "$(gcc -print-prog-name=cc1 2>/dev/null || echo cc1)" -quiet -O2 \
	"$work/hello.c" -o "$work/hello.s"
compare python "${python:-python3}" -S -c 'print(sum(range(1000)))'
compare sqlite sqlite3 :memory: 'create table t(a, b);
	with recursive c(x) as (values(1) union all select x + 1 from c where x < 500)
	insert into t select x, x * x from c; select sum(b) from t;'
compare gzip gzip -c "$work/data"
slack=8
compare node node --v8-pool-size=0 --jitless --single-threaded \
	--random-seed=1 -e "1 + 1"
[ "$compared" -gt 0 ] || [ "$failures" -gt 0 ] || skip "no program to compare"
[ "$failures" = 0 ]
