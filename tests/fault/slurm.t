#!/bin/bash
# The Slurm job files on a cluster of this one machine: a job that is told to stop saves, goes back into the queue, resumes and ends with
# the bytes of one that was not; an array of shards joins to the whole. Needs root, slurm-wlm and munge.
. "$(dirname "$0")/../lib/lib.sh"
. "$top/tests/lib/corpus.sh"

for p in slurmctld slurmd munged sbatch; do command -v $p >/dev/null || [ -x /usr/sbin/$p ] || t_skip_all "no $p"; done
[ "$(id -u)" = 0 ] || t_skip_all "not root"
PATH=$PATH:/usr/sbin
host=$(hostname -s)
dir=$t_dir/slurm
mkdir -p "$dir"/{state,spool,munge}
chmod 755 "$t_dir" "$dir"
dd if=/dev/urandom of="$dir/munge/key" bs=128 count=1 2>/dev/null
chmod 700 "$dir/munge" && chmod 600 "$dir/munge/key"
munged --force --key-file "$dir/munge/key" --socket "$dir/munge/socket" --pid-file "$dir/munge/pid" --log-file "$dir/munge/log" \
    --seed-file "$dir/munge/seed" >/dev/null 2>&1 || t_skip_all "munged does not start here"
cat >"$dir/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=16817
SlurmdPort=16818
AuthInfo=socket=$dir/munge/socket
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=sched_min_interval=100000
KillWait=5
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE:4
END
export SLURM_CONF=$dir/slurm.conf
stop() { kill $(cat "$dir/slurmd.pid" "$dir/slurmctld.pid" "$dir/munge/pid" 2>/dev/null) 2>/dev/null; }
trap 'stop; sleep 0.3; rm -rf "$t_dir"' EXIT
slurmctld && slurmd -N "$host" || { t_ok "the daemons start" false; t_done; }
wait_for() { for _ in $(seq 150); do ! eval "$1" || return 0; sleep 0.2; done; return 1; }
t_ok "a cluster of one machine is up" wait_for 'sinfo -h -o %T | grep -q idle'

corpus >corpus.log 2>&1 || { t_last=corpus; cp corpus.log "$err"; }
train="unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst \
 --texts corpus/texts.zst --rows 256 --lr 1e-3 --steps 3000 --save-every 5 -j 1"
t_run $train -o straight
t_exit 0 "a training without Slurm"
state() { scontrol -o show job "$job" | grep -o 'JobState=[A-Z]*'; }
job=$(sbatch --parsable --export=ALL "$top/scripts/slurm/train.sbatch" $train --log run.log -o run)
t_ok "is submitted as a job" [ -n "$job" ]
t_ok "and trains" wait_for '[ -d run/checkpoints ] && ls run/checkpoints | grep -q step-'
scancel --signal=USR1 "$job"
t_ok "told to stop, it goes back into the queue" wait_for 'state | grep -qE "PENDING|REQUEUE"'
t_ok "having saved" grep -q 'saved, run again with --resume' "unimo-$job.log"
t_ok "but is not finished" [ ! -e run/model.safetensors ]
scontrol update jobid="$job" StartTime=now
t_ok "later it resumes and ends" wait_for 'state | grep -q COMPLETED'
t_same straight/model.safetensors run/model.safetensors "with the bytes of the one that never stopped"

# Two ranks under srun, where Slurm and Open MPI understand each other.
if timeout 5 srun --mpi=list 2>&1 </dev/null | grep -q pmix && [ -e "$(dirname "$(command -v unimo-pretrain)")/../lib/unimo/libunimo-mpi.so" ]; then
    t_run env SRUN=--mpi=pmix sbatch --wait --parsable --ntasks=2 "$top/scripts/slurm/train.sbatch" $train --steps 20 --precision f32 --log ranks.log -o ranks
    t_exit 0 "two ranks"
    t_run $train --steps 20 --precision f32 --accumulate 2 --log one.log -o one
    t_ok "do the steps of one that accumulates two" jq -en --slurpfile a ranks.log --slurpfile b one.log '($a[-1].loss - $b[-1].loss | fabs) < 1e-5 and $a[-1].rows == $b[-1].rows'
fi

job=$(sbatch --parsable --array=0-2 --cpus-per-task=1 "$top/scripts/slurm/shards.sbatch" parts unimo-tokenize -m corpus/vocabulary scenes/texts.jsonl.zst)
t_ok "an array of shards ends" wait_for '[ "$(ls parts/*.part.zst 2>/dev/null | wc -l)" = 3 ] && [ -z "$(squeue -h)" ]'
cat parts/*.part.zst >whole.zst
unimo-view whole.zst | sort >a
unimo-view corpus/texts.zst | sort >b
t_same a b "and joins to the whole"
t_done
