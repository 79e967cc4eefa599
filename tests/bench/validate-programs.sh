#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the kernel counts of real programs, beside what is predicted: sort, a matrix
# transposed, a hash join, sqlite3, a compiler; each recorded REPEAT times by the
# engine cache (ENGINE names another).  A line each, and all figures that differ.
# The status is 1 where any does.
set -u
: "${PAGESCOPE:?}"
work=$(mktemp -d "${TMPDIR:-/tmp}/pagescope-validate.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 99
failed=0

cat >transpose.c <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
	size_t n = 700;
	double *a = malloc(n * n * 8), *b = malloc(n * n * 8);
	for (size_t i = 0; i < n * n; i++)
		a[i] = (double)i;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			b[j * n + i] = a[i * n + j];
	printf("%f\n", b[5]);
}
END
cat >join.c <<'END'
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
struct entry { uint64_t key, value; struct entry *next; };
int main(void)
{
	size_t n = 60000, buckets = 1 << 15;
	struct entry **table = calloc(buckets, sizeof(*table));
	uint64_t state = 1, sum = 0;
	for (size_t i = 0; i < n; i++) {
		struct entry *entry = malloc(sizeof(*entry));
		state = state * 6364136223846793005u + 1;
		*entry = (struct entry){ state >> 40, i, table[(state >> 40) % buckets] };
		table[entry->key % buckets] = entry;
	}
	for (size_t i = 0; i < n; i++) {
		state = state * 6364136223846793005u + 1;
		for (struct entry *entry = table[(state >> 40) % buckets]; entry; entry = entry->next)
			sum += entry->key == state >> 40 ? entry->value : 0;
	}
	printf("%ju\n", (uintmax_t)sum);
}
END
cat >query.sql <<'END'
create table t(a integer primary key, b integer, c text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 8000)
	insert into t select i, (i * 7919) % 1000, hex(i) from n;
create index x on t(b);
select count(*), sum(t.a) from t join t u on t.b = u.b where t.a < 300;
END
cat >plain.c <<'END'
int f(int a) { int s = 0; for (int i = 0; i < a; i++) s += i * a; return s; }
int g(void) { return f(7) * f(8); }
END
awk 'BEGIN { srand(1); for (i = 0; i < 40000; i++) print int(rand() * 1e9) }' >numbers
cc=${CC:-cc}
if ! $cc -O2 -o transpose transpose.c || ! $cc -O2 -o join join.c; then
	echo "no compiler"
	exit 77
fi

try() # NAME COMMAND...
{
	local name=$1 status differs
	shift
	command -v "$1" >/dev/null || {
		echo "$name: not here"
		return
	}
	for ((i = 0; i < ${REPEAT:-3}; i++)); do
		timeout 120 "$PAGESCOPE" validate -e "${ENGINE:-cache}" -- "$@" \
			>out 2>err </dev/null
		status=$?
		differs=$(grep DIFFERS out)
		echo "$name: $(grep 'figures are' out | sed 's/^ *//')"
		[ $status -eq 0 ] && continue
		failed=1
		echo "status $status: ${differs:-$(cat err)}"
	done
}

try sort sort -o /dev/null numbers
try transpose ./transpose
try join ./join
try sqlite3 sqlite3 :memory: -init query.sql .quit
try compiler "$($cc -print-prog-name=cc1)" -quiet -O1 plain.c -o /dev/null
try shell sh -c 'for i in 1 2 3; do cat numbers | wc -l; done'
exit $failed
