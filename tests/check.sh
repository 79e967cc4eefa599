#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# pagescope check against what the shell sees itself.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
failed=0

complain()
{
	echo "$*"
	failed=1
}

"$PAGESCOPE" check >"$dir/text" 2>"$dir/err"
status=$?
case $status in
0) grep -q 'No engine can record' "$dir/text" && complain 'status 0, but no engine' ;;
3) grep -q 'No engine can record' "$dir/text" || complain 'status 3, but an engine' ;;
*) complain "check: status $status" ;;
esac
[ ! -s "$dir/err" ] || complain "check says on stderr: $(cat "$dir/err")"
"$PAGESCOPE" check --json >"$dir/json"
[ $? -eq $status ] || complain 'another status with --json'
grep -q "Linux $(uname -r)" "$dir/text" || complain 'another kernel than uname'
for engine in $("$PAGESCOPE" help record 2>/dev/null |
	sed -n '/^Engines:/,/^$/s/^  \([a-z][a-z0-9-]*\) .*/\1/p'); do
	sed '/^Host/,$d' "$dir/text" | grep -qE "^  $engine +(yes|no) " ||
		complain "the engine $engine is not tried"
done
if command -v valgrind >/dev/null; then
	grep -qE "^  valgrind +yes +$(valgrind --version)$" "$dir/text" ||
		complain 'valgrind is here'
fi
# A host without programs: what is missing comes with a fix.
mkdir "$dir/none"
env PATH="$dir/none" "$PAGESCOPE" check >"$dir/bare"
grep -q 'fix: apt-get install gnuplot-nox' "$dir/bare" || complain 'gnuplot without PATH'
if command -v python3 >/dev/null; then
	python3 -c 'import json, sys
d = json.load(open(sys.argv[1]))
assert d["pagescope"] and isinstance(d["can_record"], bool)
for f in d["engines"] + d["host"]:
    assert f["name"] and f.get("state", "yes") in ("yes", "no", "limited")
assert {"cpu", "ptrace", "counters"} <= {f["name"] for f in d["host"]}' "$dir/json" ||
		complain 'the JSON is not as it should be'
fi
"$PAGESCOPE" check extra 2>/dev/null
[ $? -eq 2 ] || complain 'an argument was taken'
"$PAGESCOPE" check >/dev/full 2>/dev/null
[ $? -eq 125 ] || complain 'a full disk was not noticed'
"$PAGESCOPE" check --json >/dev/full 2>/dev/null
[ $? -eq 125 ] || complain 'a full disk was not noticed with --json'
exit $failed
