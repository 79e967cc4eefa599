#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# sweep submit: shards by GNU parallel and by a Slurm array come to what one
# run comes to.  Slurm's daemons (munged, slurmctld, slurmd) are started here,
# on loopback, in a directory of their own.
set -u
: "${PAGESCOPE:?}"
dir=$(mktemp -d) || exit 99
daemons=()
finish()
{
	[ ${#daemons[@]} -eq 0 ] || kill "${daemons[@]}" 2>/dev/null
	wait
	rm -rf "$dir"
}
trap finish EXIT
cd "$dir" || exit 99
failed=0
ran=0

complain()
{
	echo "$*"
	failed=1
}

same()
{
	diff -r "whole/results" "$1/results" >differs || complain "$1: $(head -n 3 differs)"
	cmp whole/sweep.json "$1/sweep.json" || complain "$1: merged documents differ"
}

# plan DIRECTORY: a plan without results
plan()
{
	"$PAGESCOPE" sweep plan "${how[@]}" -o "$1" >out || complain "plan $1: failed"
}

"$PAGESCOPE" import generate:mix,n=50K,pages=9000,seed=5 -o mix.pst || complain 'no trace'
how=(mix.pst -P tlb.l2.entries 768..6144 x2 -L table.kind 'radix,hashed' --set memory.size=1G)
"$PAGESCOPE" sweep "${how[@]}" -o whole >out || complain 'sweep: failed'

# What it would start, and that nothing is started
plan "it's here"
mkdir bin
for tool in sbatch parallel; do
	printf '#!/bin/sh\necho started >>"%s/started"\nexit 7\n' "$dir" >bin/$tool
	chmod +x bin/$tool
done
for by in slurm parallel; do
	PATH=$dir/bin:$PATH "$PAGESCOPE" sweep submit "it's here" --$by --shards 3 --dry-run >$by.sh ||
		complain "--$by --dry-run: failed"
	sh -n $by.sh || complain "--$by: no script: $(cat $by.sh)"
	[ ! -e started ] || complain "--$by --dry-run: started something"
	[ ! -e "it's here/$by.sh" ] || complain "--$by --dry-run: wrote something"
	PATH=$dir/bin:$PATH "$PAGESCOPE" sweep submit "it's here" --$by >out 2>err
	[ $? -eq 125 ] || complain "--$by: its failure is not ours: $(cat err)"
	grep -q 'status 7; `pagescope sweep run. goes on' err || complain "--$by: $(cat err)"
	[ -e started ] || complain "--$by: did not start"
	rm -f started
done
grep -q '^#SBATCH --array=1-3$' slurm.sh || complain "no array: $(cat slurm.sh)"
# An array's element by hand, as Slurm would run it
SLURM_ARRAY_TASK_ID=2 sh slurm.sh >out || complain 'an element: failed'
grep -q '^[23] points: [23] run' out || complain "an element: $(cat out)"

if parallel --version 2>/dev/null | grep -q 'GNU parallel'; then
	ran=1
	plan by-parallel
	"$PAGESCOPE" sweep submit by-parallel --parallel --shards 3 >out 2>err ||
		complain "parallel: failed: $(cat out err)"
	[ "$(tail -n +2 by-parallel/joblog | wc -l)" -eq 3 ] || complain 'parallel: not 3 jobs'
	"$PAGESCOPE" sweep merge by-parallel >out || complain 'parallel: not all are there'
	same by-parallel
else
	echo 'GNU parallel is not installed: not tested'
fi

# ---- Slurm ----

slurm_is_here()
{
	local tool
	[ "$(id -u)" -eq 0 ] || {
		echo 'Slurm: not root: not tested'
		return 1
	}
	for tool in munged slurmctld slurmd sbatch squeue; do
		PATH=$PATH:/usr/sbin command -v $tool >/dev/null || {
			echo "Slurm: there is no $tool (apt-get install slurm-wlm): not tested"
			return 1
		}
	done
}

free_port()
{
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# wait_for SECONDS COMMAND...
wait_for()
{
	local turns=$(($1 * 10))
	shift
	while [ $turns -gt 0 ]; do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
		turns=$((turns - 1))
	done
	return 1
}

start_slurm()
{
	local host
	host=$(hostname -s)
	export PATH=$PATH:/usr/sbin SLURM_CONF=$dir/slurm/slurm.conf
	mkdir -p slurm/state slurm/spool
	chmod 755 "$dir"
	head -c 1024 /dev/urandom >slurm/munge.key
	chmod 400 slurm/munge.key
	cat >slurm/slurm.conf <<-END
		ClusterName=pagescope
		SlurmctldHost=$host(127.0.0.1)
		SlurmctldPort=$(free_port)
		SlurmdPort=$(free_port)
		SlurmUser=root
		SlurmdUser=root
		AuthType=auth/munge
		AuthInfo=socket=$dir/slurm/munge
		CredType=cred/munge
		StateSaveLocation=$dir/slurm/state
		SlurmdSpoolDir=$dir/slurm/spool
		SlurmctldPidFile=$dir/slurm/slurmctld.pid
		SlurmdPidFile=$dir/slurm/slurmd.pid
		SlurmctldLogFile=$dir/slurm/slurmctld.log
		SlurmdLogFile=$dir/slurm/slurmd.log
		ProctrackType=proctrack/pgid
		TaskPlugin=task/none
		SelectType=select/cons_tres
		SelectTypeParameters=CR_CPU
		SchedulerParameters=sched_interval=1,batch_sched_delay=0
		SwitchType=switch/none
		MpiDefault=none
		ReturnToService=2
		JobAcctGatherType=jobacct_gather/none
		AccountingStorageType=accounting_storage/none
		NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
		PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
	END
	munged --foreground --force --key-file="$dir/slurm/munge.key" --socket="$dir/slurm/munge" \
		--pid-file="$dir/slurm/munged.pid" --log-file="$dir/slurm/munged.log" \
		--seed-file="$dir/slurm/munged.seed" --num-threads=1 >slurm/munged.out 2>&1 &
	daemons+=($!)
	wait_for 5 test -S slurm/munge || return
	slurmctld -D >slurm/slurmctld.out 2>&1 &
	daemons+=($!)
	slurmd -D -N "$host" >slurm/slurmd.out 2>&1 &
	daemons+=($!)
	wait_for 20 sh -c 'sinfo -h -o %T | grep -qx idle'
}

queue_is_empty()
{
	[ -z "$(squeue -h)" ]
}

if slurm_is_here; then
	if start_slurm; then
		ran=1
		plan by-slurm
		"$PAGESCOPE" sweep submit by-slurm --slurm --shards 3 --sbatch=--time=5 >out 2>err ||
			complain "slurm: not submitted: $(cat out err)"
		wait_for 60 queue_is_empty || complain "slurm: does not end: $(squeue)"
		[ "$(find by-slurm -name 'slurm-*.log' | wc -l)" -eq 3 ] || complain "slurm: not 3 logs"
		"$PAGESCOPE" sweep merge by-slurm >out 2>err ||
			complain "slurm: not all are there: $(cat err by-slurm/slurm-*.log)"
		same by-slurm
	else
		echo "Slurm does not start here: not tested: $(tail -n 3 slurm/*.out slurm/*.log)"
	fi
fi
[ $failed -eq 0 ] || exit 1
[ $ran -eq 1 ] || exit 77
