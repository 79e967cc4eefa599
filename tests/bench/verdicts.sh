#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Verdicts, measured after: what advise huge-pages predicts for twelve programs,
# beside what huge pages do to their processor time here.  A row each:
#
#	program  predicted  (low to high)  measured  error  direction
#
# Needs root (transparent_hugepage is switched for the runs, and back), and a
# calibrated machine, which it makes unless HOST_CFG names one.
set -u
: "${PAGESCOPE:?}"
target=${PAGESCOPE%/*}/tests/verdict-target
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
host=${HOST_CFG:-$dir/host.cfg}
bad=0 n=0

[ "$(id -u)" -eq 0 ] || {
	echo "verdicts: only as root (transparent_hugepage)"
	exit 77
}
[ -e "$host" ] || "$PAGESCOPE" calibrate --memory 128M -o "$host"

get()
{
	"$PAGESCOPE" report --get "$1" "$dir/r.json"
}

# Direction: faster, slower, or within 3 points of the same
programs='random 256 1
chase 256 1
stream 256 2
sparse 512 20000
small 64 40
maps 512 4
join 128 1
transpose 256 1
stencil 128 2
fork 128 2
tree 64 4
sort 32 1'
while read -r name mib rounds; do
	[ -z "${ONLY-}" ] || [[ " $ONLY " == *" $name "* ]] || continue
	"$PAGESCOPE" validate --runtime --allow-huge --repeat "${REPEAT:-5}" \
		--config "$host" -o "$dir/r.json" -- \
		"$target" "$name" "$mib" "$rounds" >/dev/null 2>"$dir/err" </dev/null
	[ $? -le 3 ] || {
		printf '%-10s %s\n' "$name" "$(tail -n 1 "$dir/err")"
		bad=$((bad + 1))
		continue
	}
	n=$((n + 1))
	printf '%-10s %s %s %s %s %s\n' "$name" "$(get huge.always.change)" \
		"$(get huge.always.low)" "$(get huge.always.high)" \
		"$(get runtime.measured.change)" "$(get runtime.small.ns)" |
		awk '
		function side(x) { return x < -3 ? -1 : x > 3 ? 1 : 0 }
		{
			wrong = side($2) * side($5) < 0 || (side($2) != side($5) &&
				($2 - $5 > 10 || $5 - $2 > 10))
			error = $2 - $5
			far = error > 10 || error < -10
			printf "%-10s %6.2f s  predicted %+7.1f %% (%+.1f to %+.1f)  measured %+7.1f %%  error %+6.1f points  %s%s\n",
				$1, $6 / 1e9, $2, $3, $4, $5, error,
				(wrong ? "WRONG DIRECTION" : "direction right"),
				(far ? ", error above 10" : "")
			exit wrong || far
		}' || bad=$((bad + 1))
done <<<"$programs"
echo "$n programs, $bad of them not within 10 points or another way"
