#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Curves on the ranks of an MPI job are those of one process, to the last byte.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 99
failed=0

"$PAGESCOPE" curve --mpi generate:uniform,n=1000,pages=10 -o r.json 2>err
case $? in
0) ;;
2)
	grep -q 'built without MPI' err || { cat err; exit 1; }
	grep -q 'configure --with-mpi' err || { cat err; exit 1; }
	echo 'this build is without MPI (configure --with-mpi): not tested'
	exit 77
	;;
*)
	cat err
	exit 1
	;;
esac
command -v mpirun >/dev/null || {
	echo 'there is no mpirun (openmpi-bin): not tested'
	exit 77
}
# mpirun does not like root, nor more ranks than cores
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

run()
{
	timeout 60 mpirun --oversubscribe -n "$@"
}

mix=generate:mix,n=5M,pages=30000,seed=4
"$PAGESCOPE" curve $mix --policy lru,fifo --sizes '9 points' -o one.json || failed=1
for ranks in 2 3; do
	run $ranks "$PAGESCOPE" curve --mpi $mix --policy lru,fifo --sizes '9 points' -o r.json 2>err || {
		echo "$ranks ranks fail: $(cat err)"
		failed=1
	}
	cmp -s one.json r.json || {
		echo "$ranks ranks: another result: $(diff one.json r.json | head -20)"
		failed=1
	}
done
# a fault of rank 0 ends them all, with its status
run 2 "$PAGESCOPE" curve --mpi no-such-file.pst -o r.json 2>err
[ $? -eq 125 ] || { echo "no file: $(cat err)"; failed=1; }
grep -q 'no-such-file' err || { echo "no file: $(cat err)"; failed=1; }
exit $failed
