#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What is no input, and what takes no output, given to the verbs that read
# results and plans: an error that names the file and what is wrong, and nothing
# that was there is lost.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

complain()
{
	echo "FAIL: $*"
	failed=1
}

# fails PATTERN WORD...: status 125, one message, and that one
fails()
{
	local pattern=$1 got
	shift
	"$PAGESCOPE" "$@" >out 2>err </dev/null
	got=$?
	[ $got -eq 125 ] || complain "$*: status $got, not 125: $(cat err)"
	[ "$(grep -c . err)" = 1 ] || complain "$*: it says $(cat err)"
	grep -q "^pagescope: .*$pattern" err || complain "$*: it says $(cat err)"
}

"$PAGESCOPE" import generate:mix,n=20000 -o t.pst || complain 'no trace'
"$PAGESCOPE" replay t.pst -o r.json || complain 'no result'
"$PAGESCOPE" sweep t.pst -P 'tlb.l2.ways=4..16 x2' -o sweep >out || complain 'no sweep'
cp sweep/plan.json .
: >empty
mkdir directory
head -c 20000 t.pst >cut.pst
head -c 20000 r.json >cut.json
echo '{}' >object.json
sed 's/"value": [0-9]*,/"value": 1e300,/' r.json >large.json

# Traces
for verb in curve advise 'advise memory' validate 'sweep plan -P seed=1,2'; do
	for case in 'empty:empty: empty' 'directory:directory: Is a directory' \
		'missing:missing: No such file' \
		'cut.pst:cut.pst: ends after 20000 bytes'; do
		# shellcheck disable=SC2086
		fails "${case#*:}" $verb "${case%%:*}"
	done
done
for verb in curve validate 'sweep plan -P seed=1,2' replay; do
	# shellcheck disable=SC2086
	fails 'r.json: JSON, not a trace' $verb r.json
done
cmp -s sweep/plan.json plan.json || complain 'a plan of no trace took the place of one'

# Results
for verb in 'report' 'diff r.json' 'diff r.json r.json --' 'explain --result' \
	plot 'artifact made' advise; do
	for case in 'directory:directory: Is a directory' \
		'missing:missing: No such file' \
		'cut.json:cut.json:[0-9]*:[0-9]*: not JSON' \
		'object.json:object.json: not a pagescope result' \
		'large.json:large.json: values\..*: 1e+300 is out of range'; do
		# shellcheck disable=SC2086
		fails "${case#*:}" $verb "${case%%:*}"
		rm -rf made
	done
done
for verb in report 'diff r.json' 'explain --result' plot 'artifact made'; do
	# shellcheck disable=SC2086
	fails 't.pst: a compressed trace, not a result' $verb t.pst
	rm -rf made
done
fails 'r.json: this result holds no memory curve' advise memory r.json
fails 'r.json: this result holds no memory curve' advise memory r.json -o made.json

# Of an artifact nothing is made that cannot be finished
mkdir other
cp t.pst other
fails 'missing: No such file' artifact made r.json --trace missing
fails 'r.json: JSON, not a trace' artifact made r.json --trace r.json
fails 'two traces are called t.pst' artifact made r.json --trace t.pst --trace other/t.pst
[ ! -e made ] || complain 'artifact: a part of it is there'

# A plan whose numbers are none
for name in seed memory max_accesses; do
	cp -r sweep odd
	sed "s/\"$name\": 0/\"$name\": \"x\"/" sweep/plan.json >odd/plan.json
	fails "odd/plan.json: is no plan (its $name is no number)" sweep run odd
	rm -rf odd
done

# No room for the output, whose errors are told once.  (A device of our own:
# sweep merge put a file in its place, once.)
full=/dev/full
if mknod full c 1 7 2>/dev/null && ! echo 2>/dev/null >full; then
	full=full
	fails "$full: No space left on device" sweep merge sweep -o $full
	[ -c $full ] || complain 'sweep merge: a file in the place of a device'
fi
for line in 'curve t.pst' 'advise tlb t.pst' 'replay t.pst'; do
	# shellcheck disable=SC2086
	fails "$full: No space left on device" $line -o $full
done
fails "$full: No space left on device" advise huge-pages t.pst --ranges $full
lines=('curve t.pst' 'advise tlb t.pst' 'explain walk.count' 'sweep merge sweep'
	'diff --all r.json r.json' 'replay t.pst -o -' 'sweep merge sweep -o -'
	'sweep submit sweep --slurm --dry-run')
! gnuplot --version >out 2>&1 || lines+=('plot --kind misses --format terminal r.json')
for line in "${lines[@]}"; do
	# shellcheck disable=SC2086
	"$PAGESCOPE" $line >$full 2>err
	got=$?
	[ "$got $(cat err)" = '125 pagescope: standard output: No space left on device' ] ||
		complain "$line, full: status $got, $(cat err)"
	# shellcheck disable=SC2086
	"$PAGESCOPE" $line >&- 2>err
	got=$?
	[ "$got $(cat err)" = '125 pagescope: standard output: Bad file descriptor' ] ||
		complain "$line, closed: status $got, $(cat err)"
	# (the reader is to be gone first)
	# shellcheck disable=SC2086
	(sleep 0.2; "$PAGESCOPE" $line 2>err; echo $? >status) | true
	[ "$(cat status err)" = 141 ] || complain "$line, no reader: $(cat status err)"
done
exit $failed
