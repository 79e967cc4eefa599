#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The hooks engine: programs with known accesses (hooks-target.c) are built with
# `pagescope cc`, recorded, and each page's accesses counted, by kind and size.
set -u
export LC_ALL=C
: "${PAGESCOPE:?}"
srcdir=$(cd "${srcdir:-.}" && pwd)
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "$*"
	failed=1
}

build()
{
	"$PAGESCOPE" cc "$@" -O1 -o target "$srcdir/tests/hooks-target.c" \
		-pthread 2>err || complain "cc $*: $(cat err)"
}

# counts TRACE: "page kind size number" of the area; for a range, any size
counts()
{
	"$PAGESCOPE" dump --no-events "$1" | awk '
		length($3) == 8 && $3 ~ /^2000|^2003|^2001|^2002/ {
			page = substr($3, 4, 2)
			n[page " " $2 " " $4]++
		}
		END { for (key in n) print key, n[key] }' | sort
}

# is WHAT LINE...: the counts of t.pst are these lines
is()
{
	local what=$1
	shift
	printf '%s\n' "$@" | sort >expected
	counts t.pst >got
	diff expected got >difference ||
		complain "$what: $(cat difference)"
}

# record WHAT STATUS ARGUMENT...: output and status are the program's own
record()
{
	local what=$1 status=$2 got
	shift 2
	# (the shell tells of signals)
	(
		./target "$@" >native 2>&1
		exit $?
	) 2>/dev/null
	"$PAGESCOPE" record -e hooks -o t.pst -- ./target "$@" >out 2>err
	got=$?
	[ "$got" = "$status" ] ||
		complain "$what: status $got, not $status: $(cat err)"
	# ticks are counted by the program, and differ
	grep -v ticks native | diff - <(grep -v ticks out) >difference ||
		complain "$what: the output changed: $(cat difference)"
	"$PAGESCOPE" verify t.pst >err 2>&1 || complain "$what: $(cat err)"
}

plain_counts()
{
	local page size i
	i=0
	for size in 1 2 4 8 16; do
		printf '%02x store %d 100\n' $i $size
		printf '%02x load %d 100\n' $((i + 1)) $size
		i=$((i + 2))
	done
	page=12
	for size in 1 2 4 8; do
		printf '%02x store %d 2\n' $page $size
		printf '%02x load %d 2\n' $page $size
		printf '%02x modify %d 9\n' $page $size
		page=$((page + 1))
	done
}

try_compiler()
{
	local i lines
	build "$@" --
	./target plain | grep -q WRONG && complain "$*: $(./target plain)"
	record "$* plain" 0 plain
	case " $* " in
	*clang*)
		# Its coverage knows plain loads and stores: no ranges, no
		# modifies.  Copies become loads and stores of 16 bytes.
		plain_counts | grep -v modify | sort >plain
		counts t.pst | grep -Ev '^0[ab] |modify' | diff plain - \
			>difference || complain "$* plain: $(cat difference)"
		;;
	*)
		mapfile -t lines < <(plain_counts)
		is "$* plain" "${lines[@]}" '0a load 104 100' '0b store 104 100'
		;;
	esac
	record "$* threads" 0 threads
	counts t.pst | grep -v '^0f' >got
	for i in 10 11 12 13; do
		echo "$i store 8 100000"
	done | diff - got >difference || complain "$* threads: $(cat difference)"
	# Each page is one thread's
	"$PAGESCOPE" dump --no-events t.pst |
		awk '$2 == "store" && $3 ~ /^2001[0-3]...$/ { print $1, substr($3, 4, 2) }' |
		sort | uniq -c | awk '{ print $1 }' | uniq -c >got
	[ "$(tr -s ' ' <got)" = ' 4 100000' ] ||
		complain "$* threads: by thread: $(cat got)"
	record "$* forks" 0 forks
	counts t.pst | grep -v '^0f' >got
	for i in 10 11 12 13; do
		echo "$i store 8 100000"
	done | diff - got >difference || complain "$* forks: $(cat difference)"
	[ "$("$PAGESCOPE" dump --no-accesses t.pst | grep -c ' fork ')" = 3 ] ||
		complain "$* forks: $("$PAGESCOPE" dump --no-accesses t.pst)"
	# However it ends, all is there
	while read -r what status times; do
		record "$* $what" "$status" "$what"
		[ "$(counts t.pst | grep '^10')" = "10 store 8 $times" ] ||
			complain "$* $what: $(counts t.pst)"
	done <<-EOF
		return 0 100000
		quick 4 100000
		abort 134 100000
		killed 137 100000
		fault 139 100000
		foreign 0 100000
		exec 0 200000
	EOF
	record "$* signals" 0 signals
	times=$(sed -n 's/ticks //p' out)
	[ "${times:-0}" -gt 20 ] || complain "$* signals: only $times ticks"
	counts t.pst | grep -v '^0f' >got
	printf '%s\n' '10 store 8 1500000' "14 store 4 $((40 * times))" |
		diff - got >difference || complain "$* signals: $(cat difference)"
}

if ! command -v gcc >/dev/null; then
	echo "skipped: there is no gcc"
	exit 77
fi
build --
if ! "$PAGESCOPE" record -e hooks -o t.pst -- ./target plain >out 2>err; then
	echo "skipped: the hooks engine does not work here: $(cat err)"
	exit 77
fi
try_compiler --compiler gcc
if command -v clang >/dev/null; then
	try_compiler --compiler clang
	build --compiler clang --hooks thread --
	record 'clang thread' 0 plain
	plain_counts | sort >plain
	# One range is a memcpy of the C library to this compiler
	counts t.pst | grep -v '^0[ab] ' | diff plain - >difference ||
		complain "clang thread: $(cat difference)"
else
	echo "no clang: that part is left out"
fi

# As a library, static, and a plugin: its hooks are the program's
build --runtime shared --
record shared 0 plain
grep -q . t.pst || complain 'shared: nothing'
counts t.pst | grep -q '^06 store 8 100$' || complain "shared: $(counts t.pst)"
build --
"$PAGESCOPE" cc -- -O1 -shared -fPIC -o plugin.so \
	"$srcdir/tests/hooks-plugin.c" || complain 'plugin: cc failed'
record plugin 0 plugin ./plugin.so
is plugin '10 store 2 500'
# ... also in a program that has none
gcc -O1 -o target "$srcdir/tests/hooks-target.c" -pthread
record 'plugin alone' 0 plugin ./plugin.so
is 'plugin alone' '10 store 2 500'
if echo 'int main(void) { return 0; }' | gcc -static -xc - -o s 2>/dev/null; then
	"$PAGESCOPE" cc -- -static -O1 -o target \
		"$srcdir/tests/hooks-target.c" -pthread 2>/dev/null ||
		complain 'static: cc failed'
	record static 0 threads
	counts t.pst | grep -q '^13 store 8 100000$' ||
		complain "static: $(counts t.pst)"
else
	echo "no static C library: that part is left out"
fi

# No hooks: said, and partial
gcc -O1 -o target "$srcdir/tests/hooks-target.c" -pthread
"$PAGESCOPE" record -e hooks -o t.pst -- ./target plain >out 2>err
[ $? = 3 ] || complain "no hooks: status is not 3: $(cat err)"
grep -q 'pagescope cc' err || complain "no hooks: $(cat err)"

# The mappings: announced before the first access, gone afterwards
build --
record map 0 map
"$PAGESCOPE" dump t.pst | awk '
	/ map 21000000 \+40000 / { mapped = NR }
	/ unmap 21000000 \+40000/ { gone = NR }
	$2 == "store" && $3 ~ /^210[0-3]?...0*$/ && length($3) == 8 {
		n++
		if (!mapped) early++
		if (gone) late++
	}
	END { print (mapped > 0), (gone > 0), n, early + 0, late + 0 }' >got
[ "$(cat got)" = '1 1 64 0 0' ] || complain "map: $(cat got)"

# --no-follow: the children are not recorded
"$PAGESCOPE" record -e hooks --no-follow -o t.pst -- ./target forks >out 2>err
[ "$(counts t.pst | grep -v '^0f')" = '13 store 8 100000' ] ||
	complain "--no-follow: $(counts t.pst)"

# Bounds and the kinds
"$PAGESCOPE" record -e hooks -n 1000 -o t.pst -- ./target threads >out 2>err ||
	complain "-n: $(cat err)"
"$PAGESCOPE" record -e hooks --kinds data -o t.pst -- ./target plain >out 2>err
"$PAGESCOPE" dump --no-events t.pst | grep -q fetch && complain 'data: a fetch'
"$PAGESCOPE" record -e hooks --kinds fetch -o t.pst -- ./target plain >out 2>err
"$PAGESCOPE" dump --no-events t.pst | grep -qv fetch && complain 'fetch: data'

# The recorder is killed: the program goes on and ends as ever
"$PAGESCOPE" record -e hooks -o t.pst -- ./target long >out 2>err &
recorder=$!
sleep 0.3
kill -KILL $recorder || complain 'recorder killed: it had ended'
wait $recorder 2>/dev/null
for _ in $(seq 100); do
	grep -q '^done$' out && break
	sleep 0.1
done
grep -q '^done$' out || complain 'recorder killed: the program hangs'

# Two recordings of the same are the same
if setarch -R true 2>/dev/null; then
	for i in 1 2; do
		setarch -R "$PAGESCOPE" record -e hooks -o $i.pst -- \
			./target map >out 2>err || complain "$(cat err)"
		"$PAGESCOPE" info $i.pst | grep digest >digest$i
	done
	cmp digest1 digest2 || complain 'two recordings differ'
else
	echo "no setarch -R: two recordings are not compared"
fi
exit $failed
