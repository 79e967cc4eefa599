#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck disable=SC2016 # the commands are for another shell
# Real programs do the same with and without `record -e cache`: output, messages,
# status and files.  For 60 seconds, or REAL_SECONDS of them; what did not come
# to its turn is told.  Two recordings of one program are the same trace.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0
tried=0
left=
mkdir "$dir/alone" "$dir/watched"
if ! "$PAGESCOPE" record -e cache -o "$dir/t.pst" -- true 2>"$dir/err"; then
	echo "skipped: the cache engine does not work here: $(cat "$dir/err")"
	exit 77
fi

complain()
{
	echo "FAIL: $*"
	failed=1
}

# What they work on
mkdir "$dir/in"
for ((i = 0; i < 6000; i++)); do
	echo "$i $((i * 7919 % 10007)) line of text number $((i % 97))"
done >"$dir/in/text"
cat >"$dir/in/p.c" <<'END'
#include <stdio.h>
int main(void) { for (int i = 0; i < 9; i++) printf("%d\n", i * i); return 3; }
END
cat >"$dir/in/p.cc" <<'END'
#include <stdexcept>
#include <cstdio>
int main() { try { throw std::runtime_error("x"); } catch (std::exception &e) { std::puts(e.what()); } }
END
cat >"$dir/in/p.py" <<'END'
import hashlib, json
print(sum(i * i for i in range(9999)), hashlib.md5(json.dumps(list(range(99))).encode()).hexdigest())
END
cat >"$dir/in/p.js" <<'END'
function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2) }
let s = 0
for (let r = 0; r < 9; r++) { const g = new Function('x', 'return x*' + r + '+1'); for (let i = 0; i < 9999; i++) s += g(i) }
console.log(f(20), s)
END
cat >"$dir/in/P.java" <<'END'
public class P { public static void main(String[] a) { long s = 0; for (int i = 0; i < 20000; i++) s += i % 7; System.out.println(s); } }
END
printf 'all: a b\n\t@echo done\na b:\n\t@echo $@; wc -c <../in/text\n' >"$dir/in/makefile"
tar cf "$dir/in/t.tar" -C "$dir/in" text p.c

run() # HOW COMMAND: in a directory of its own
{
	local how=$1
	shift
	cd "$dir/$how" || exit 99
	rm -rf ./*
	(
		unset PAGESCOPE MAKEFLAGS MFLAGS MAKELEVEL
		ulimit -c 0
		if [ "$how" = watched ]; then
			exec timeout 100 "$pagescope" record -e cache --count \
				-- sh -c "$1"
		else
			exec timeout 100 sh -c "$1"
		fi
	) >out 2>err <../in/text
	echo $? >status
	sed -i '/^pagescope: counted/d' err
	cd "$dir" || exit 99
}

try() # PROGRAM COMMAND
{
	if ! command -v "$1" >/dev/null; then
		echo "not here: $1"
		return
	fi
	if [ $SECONDS -ge "${REAL_SECONDS:-60}" ]; then
		left="$left $1"
		return
	fi
	tried=$((tried + 1))
	run alone "$2"
	run watched "$2"
	diff -rq alone watched >differ || {
		complain "$1: $2: $(cat differ)"
		diff -r alone watched | head -5
	}
}

pagescope=$PAGESCOPE
try gzip 'gzip -9c ../in/text'
try gunzip 'gzip -c ../in/text >f.gz; gunzip f.gz'
try sqlite3 'sqlite3 f.db "create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where x<999) insert into t select x,x*7%101 from c; select b,count(*),sum(a) from t group by b"'
# Its switches compare before they jump; code that is written while it runs
try node 'node ../in/p.js'
try gcc 'gcc -fsanitize=address -o f ../in/p.c && ASAN_OPTIONS=detect_leaks=0 ./f; rm f'
try gcc 'gcc -fsanitize=thread -o f ../in/p.c && ./f; rm f'
try bzip2 'bzip2 -c ../in/text'
try xz 'xz -0 -c ../in/text'
try awk 'awk "{ n += NF } END { print n, NR }" ../in/text'
try sed 'sed -n "s/text/TEXT/gp" ../in/text'
try sort 'sort -k2n ../in/text | tee f | tail -3'
try grep 'grep -c "9[0-9]$" ../in/text; grep -q nothing ../in/text'
try bash 'bash -c "for i in 1 2 3; do (echo \$i; exit \$i); echo \$?; done; wait; kill -TERM \$\$"'
try diff 'head -99 ../in/text | diff - ../in/p.c'
try make 'make -f ../in/makefile'
try tar 'tar xf ../in/t.tar'
try bc 'echo "scale=99; 4*a(1)" | bc -l'
try perl 'perl -e '\''$h{$_ % 97} += $_ for 1..9999; print "$_=$h{$_}\n" for sort keys %h'\'''
try openssl 'openssl dgst -sha256 <../in/text; openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff -iv 00112233445566778899aabbccddeeff -in ../in/text'
try as 'printf "_start: mov \$3, %%edi\n mov \$60, %%eax\n syscall\n" | as -o f.o'
try ld 'printf ".globl _start\n_start: mov \$3, %%edi\n mov \$60, %%eax\n syscall\n" | as -o f.o && ld -o f f.o && ./f'
try objdump 'objdump -d /bin/true | tail -99'
try find 'find ../in | sort | xargs -n 2 echo'
try git 'git init -q . && git -c user.name=a -c user.email=b@c hash-object ../in/text'
try gcc 'gcc -O2 -o f ../in/p.c && ./f'
try g++ 'g++ -O1 -o f ../in/p.cc && ./f'
try python3 'python3 -S -E ../in/p.py'
try gdb 'gdb -nx --version'
try luajit 'luajit -e "local s = 0; for i = 1, 1e6 do s = s + i % 7 end; print(s)"'
try java 'java -Xshare:auto -XX:TieredStopAtLevel=1 -XX:-UsePerfData -Xmx64m ../in/P.java'
[ -z "$left" ] || echo "no time for:$left"
echo "$tried programs in $SECONDS s"
[ $tried -ge 8 ] || complain 'hardly anything was tried'

# One process, the same layout, the same environment: the same trace
digest()
{
	env -i setarch -R "$PAGESCOPE" record -e cache -o t.pst -- \
		"$gzip" -9c in/text >out 2>err ||
		complain "record: $(cat err)"
	"$PAGESCOPE" info --json t.pst | grep '"digest"'
}
if gzip=$(command -v gzip) && command -v setarch >/dev/null; then
	first=$(digest)
	second=$(digest)
	[ -n "$first" ] || complain 'no digest'
	[ "$first" = "$second" ] || complain "digests: $first $second"
fi
exit $failed
