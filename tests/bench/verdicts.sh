#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Verdicts, measured after: what advise huge-pages predicts for twelve programs,
# beside what huge pages do to their processor time here.  A row each:
#
#	program  seconds  predicted (low to high)  measured (low to high)  error
#
# Direction: both have the same sign, or both are within 3 % of no change.  The
# error is within 10 points.  A program for which there is no prediction is
# wrong on both.  What was measured is uncertain by more than 10 points: noisy,
# said beside the row, and not forgiven.
#
# Sizes and rounds of most of them, and maps' work between its mappings, were
# chosen after results were seen, and the model was looked at beside fork, join,
# stencil, transpose and tree, too: none of them is held out.
#
# Needs root (transparent_hugepage is switched for the runs, and back), and a
# calibrated machine, which it makes unless HOST_CFG names one.  In a guest that
# tells its host of free memory (free page reporting) that is switched off, too,
# for the host takes blocks of 2M alone, and a fault in one that it took costs ten
# times as much.  Status 0: all right on both.  VERDICTS_OUT: the two counts go
# there.
set -u
: "${PAGESCOPE:?}"
target=${PAGESCOPE%/*}/tests/verdict-target
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
host=${HOST_CFG:-$dir/host.cfg}
n=0 right=0 near=0

[ "$(id -u)" -eq 0 ] || {
	echo "verdicts: only as root (transparent_hugepage)"
	exit 77
}

# Who reads the pipe puts it back when that is closed, also by SIGKILL.
reporting=/sys/module/page_reporting/parameters/page_reporting_order
if [ -w $reporting ]; then
	order=$(cat $reporting)
	exec 5> >(
		trap '' INT TERM HUP
		cat >/dev/null
		echo "$order" >$reporting
	)
	echo 11 >$reporting
fi
[ -e "$host" ] || "$PAGESCOPE" calibrate -o "$host"

get()
{
	"$PAGESCOPE" report --get "$1" "$dir/r.json"
}

programs='random 128 1
chase 64 2
stream 128 2
sparse 128 300000
small 32 300
maps 256 4
join 64 1
transpose 128 1
stencil 128 1
fork 128 2
tree 16 4
sort 8 1'
while read -r name mib rounds; do
	[ -z "${ONLY-}" ] || [[ " $ONLY " == *" $name "* ]] || continue
	n=$((n + 1))
	"$PAGESCOPE" validate --runtime --allow-huge --repeat "${REPEAT:-7}" \
		--config "$host" -o "$dir/r.json" -- \
		"$target" "$name" "$mib" "$rounds" >/dev/null 2>"$dir/err" </dev/null
	[ $? -le 3 ] || {
		printf '%-10s %s\n' "$name" "$(tail -n 1 "$dir/err")"
		continue
	}
	printf '%s\n' "$name" "$(get runtime.small.ns)" \
		"$(get huge.always.change)" "$(get huge.always.low)" \
		"$(get huge.always.high)" "$(get runtime.measured.change)" \
		"$(get runtime.measured.low)" "$(get runtime.measured.high)" |
		paste -sd' ' | awk '
		function sign(x) { return x < 0 ? -1 : x > 0 ? 1 : 0 }
		function small(x) { return x >= -3 && x <= 3 }
		{
			right = small($3) && small($6) || sign($3) * sign($6) > 0
			error = $3 - $6
			near = error <= 10 && error >= -10
			printf "%-10s %6.2f s  predicted %+7.1f %% (%+.1f to %+.1f)  measured %+7.1f %% (%+.1f to %+.1f)  error %+6.1f  %s%s%s\n",
				$1, $2 / 1e9, $3, $4, $5, $6, $7, $8, error,
				(right ? "direction right" : "WRONG DIRECTION"),
				(near ? "" : ", ERROR ABOVE 10"),
				($8 - $7 > 10 ? ", noisy" : "")
			exit right + 2 * near
		}'
	case $? in
	3) right=$((right + 1)) near=$((near + 1)) ;;
	2) near=$((near + 1)) ;;
	1) right=$((right + 1)) ;;
	esac
done <<<"$programs"
echo "$n programs: direction right of $right, within 10 points $near"
[ -z "${VERDICTS_OUT-}" ] || echo "$right $near" >"$VERDICTS_OUT"
[ $right -eq $n ] && [ $near -eq $n ]
