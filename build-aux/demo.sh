#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# demo.sh DIRECTORY: the tour of ./dev demo.  Records a real program with every
# access, fault and mapping change, replays it on a preset machine, prints the
# report and leaves plots with their data and scripts in DIRECTORY.
set -eu
out=${1:?}
mkdir -p "$out"
cd "$out"
out=$PWD

# Say what is run, run it, say how long it took.
run()
{
	local start=$SECONDS status=0
	printf '\n$ pagescope %s\n' "$*"
	pagescope "$@" || status=$?
	[ $((SECONDS - start)) -lt 2 ] || printf '(%d s)\n' $((SECONDS - start))
	return $status
}

cat >demo.sql <<'END'
-- A table of 100,000 rows of 200 bytes in memory, an index over scattered
-- keys, then lookups all over it.
CREATE TABLE item(id INTEGER PRIMARY KEY, key INTEGER, text BLOB);
WITH RECURSIVE n(i) AS
	(VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
INSERT INTO item SELECT i, (i * 7919) % 1000003, zeroblob(200) FROM n;
CREATE INDEX by_key ON item(key);
WITH RECURSIVE n(i) AS
	(VALUES(1) UNION ALL SELECT (i * 48271) % 2147483647 FROM n LIMIT 50000)
SELECT count(*), sum(length(text)) FROM n
JOIN item ON key = ((i % 100000 + 1) * 7919) % 1000003;
END

run check || true
# Where perf events are not allowed, the faults are left to the model.
engines=auto
! pagescope check | grep -q '^  faults  *yes' || engines=auto,faults
run record -e $engines -o sqlite.pst -- sqlite3 :memory: '.read demo.sql'
run info sqlite.pst
run replay sqlite.pst --cpu skylake-sp -o sqlite.json
run report sqlite.json
run plot sqlite.json -o "$out"
run replay sqlite.pst --cpu skylake-sp --set pages.policy=2m -o sqlite-2m.json
printf '\n%-26s %15s %15s\n' 'on skylake-sp' 'as it is' 'all pages 2M'
for value in tlb.l1d.misses walk.count translation.cycles fault.minor \
	table.bytes.peak; do
	printf '%-26s %15s %15s\n' $value \
		"$(pagescope report --get $value sqlite.json)" \
		"$(pagescope report --get $value sqlite-2m.json)"
done
printf '\nIn %s:\n' "$out"
ls -l "$out"
