#!/bin/bash
# The Slurm job files on a cluster of this one machine: a training that a job of higher priority preempts saves, goes back into the queue,
# resumes and ends with the bytes of one that was not; so does one that is told that its time is nearly over; a rank that dies ends its job;
# an array of shards joins to the whole. Needs root, slurm-wlm and munge. With UNIMO_LONG=1 also a real time limit (two minutes).
. "$(dirname "$0")/../lib/lib.sh"
. "$top/tests/lib/corpus.sh"

for p in slurmctld slurmd munged sbatch; do command -v $p >/dev/null || [ -x /usr/sbin/$p ] || t_skip_all "no $p"; done
[ "$(id -u)" = 0 ] || t_skip_all "not root"
PATH=$PATH:/usr/sbin
host=$(hostname -s)
dir=$t_dir/slurm
mkdir -p "$dir"/{state,spool,munge}
chmod 755 "$t_dir" "$dir"
port=$((16800 + $$ % 8000 * 2))
dd if=/dev/urandom of="$dir/munge/key" bs=128 count=1 2>/dev/null
chmod 700 "$dir/munge" && chmod 600 "$dir/munge/key"
munged --force --key-file "$dir/munge/key" --socket "$dir/munge/socket" --pid-file "$dir/munge/pid" --log-file "$dir/munge/log" \
    --seed-file "$dir/munge/seed" >/dev/null 2>&1 || t_skip_all "munged does not start here"
cat >"$dir/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmctldPort=$port
SlurmdPort=$((port + 1))
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
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=5
ReturnToService=2
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=1000
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes=$host MaxTime=INFINITE State=UP PriorityTier=2
END
export SLURM_CONF=$dir/slurm.conf
stop() { # and wait: they write into the folder to the end
    pids=$(cat "$dir/slurmd.pid" "$dir/slurmctld.pid" "$dir/munge/pid" 2>/dev/null)
    for _ in $(seq 300); do kill ${pids:-} 2>/dev/null || break; sleep 0.1; done
}
trap 'stop; rm -rf "$t_dir"' EXIT
slurmctld && slurmd -N "$host" || { t_ok "the daemons start" false; t_done; }
wait_for() { for _ in $(seq "${2:-600}"); do ! eval "$1" || return 0; sleep 0.1; done; return 1; } # CONDITION [TENTHS OF A SECOND]
t_ok "a cluster of one machine is up" wait_for 'sinfo -h -o %T 2>/dev/null | grep -q idle'
[ "$t_bad" = 0 ] || { tail -n 3 "$dir"/*.log | sed 's/^/# /'; stop; t_done; }

corpus >corpus.log 2>&1 || { t_last=corpus; cp corpus.log "$err"; }
train="unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst \
 --texts corpus/texts.zst --rows 256 --lr 1e-3 --save-every 5 -j 1"
t_run $train --steps 12000 -o straight
t_exit 0 "a training without Slurm"
submit() { job=$(sbatch --parsable "$@"); }
state() { scontrol -o show job "$job" | grep -o 'JobState=[A-Z]*'; }
ended() { state | grep -qE 'COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL'; }
saved() { ls "$1/checkpoints" 2>/dev/null | grep -q step-; }
# A job that was put back is not to begin before some time has passed; slurmd takes it again from the next second on.
again() { sleep 1.1; scontrol update jobid="$job" StartTime=now 2>/dev/null; state | grep -qE 'RUNNING|COMPL'; }
resumes() { # FOLDER: the job in the queue ends like the one that was never stopped
    t_ok "having saved" grep -q 'saved, run again with --resume' "unimo-$job.log"
    t_ok "but is not finished" [ ! -e "$1/model.safetensors" ]
    t_ok "later it begins again" wait_for again
    t_ok "and ends" wait_for 'state | grep -q COMPLETED' 6000
    t_same straight/model.safetensors "$1/model.safetensors" "with the bytes of the one that never stopped"
}

submit "$top/scripts/slurm/train.sbatch" $train --steps 12000 -o run
t_ok "a training is submitted, and trains" wait_for 'saved run'
urgent=$(sbatch --parsable --partition=urgent --exclusive --output=urgent.log --wrap 'echo done')
t_ok "preempted by a more urgent job, it goes back into the queue" wait_for 'state | grep -qE "PENDING|REQUEUE"'
t_ok "which the other job uses" wait_for 'grep -q done urgent.log 2>/dev/null'
resumes run

submit "$top/scripts/slurm/train.sbatch" $train --steps 1000000 -o cancelled
t_ok "another trains" wait_for 'saved cancelled'
scancel "$job"
t_ok "cancelled, it saves" wait_for 'grep -q "saved, run again with --resume" "unimo-$job.log"'
t_ok "and ends" wait_for 'state | grep -q CANCELLED'
sleep 2
t_ok "for good" eval 'state | grep -q CANCELLED'

submit "$top/scripts/slurm/train.sbatch" $train --steps 12000 -o told
t_ok "another trains" wait_for 'saved told'
scancel --signal=USR1 "$job" # as Slurm does before the time limit
t_ok "told to stop, it goes back into the queue" wait_for 'state | grep -qE "PENDING|REQUEUE"'
resumes told

if [ "${UNIMO_LONG-}" ]; then
    submit --time=1 --signal=USR1@30 "$top/scripts/slurm/train.sbatch" $train --steps 1000000 -o limited
    t_ok "one minute is given" wait_for 'saved limited'
    t_ok "before it is over, the job is back in the queue" eval "wait_for 'state | grep -qE \"PENDING|REQUEUE\"' || wait_for 'state | grep -qE \"PENDING|REQUEUE\"'"
    t_ok "having saved" grep -q 'saved, run again with --resume' "unimo-$job.log"
    scancel "$job"
fi

# Two ranks under srun, where Slurm and Open MPI understand each other.
if timeout 5 srun --mpi=list 2>&1 </dev/null | grep -q pmix && [ -e "$(dirname "$(command -v unimo-pretrain)")/../lib/unimo/libunimo-mpi.so" ]; then
    export SRUN=--mpi=pmix
    submit --ntasks=2 "$top/scripts/slurm/train.sbatch" $train --steps 20 --precision f32 --log ranks.log -o ranks
    t_ok "two ranks" wait_for 'state | grep -q COMPLETED' 6000
    t_run $train --steps 20 --precision f32 --accumulate 2 --log one.log -o one
    t_ok "do the steps of one that accumulates two" jq -en --slurpfile a ranks.log --slurpfile b one.log '($a[-1].loss - $b[-1].loss | fabs) < 1e-5 and $a[-1].rows == $b[-1].rows'
    submit --ntasks=2 "$top/scripts/slurm/train.sbatch" $train --steps 100000 -o died
    t_ok "two more train" wait_for 'saved died'
    kill -9 "$(pgrep -f -n -- "unimo-pretrain --config $t_dir.* -o died --resume\$")"
    t_ok "when one dies, the job ends" wait_for ended
    t_ok "as failed, with a line that says so" grep -q 'task [01]: Killed' "unimo-$job.log"
    t_run $train --steps 1 --accumulate 2 --resume -o died
    t_exit 0 "and leaves a checkpoint that one rank can go on from"
fi

submit --array=0-2 --cpus-per-task=1 "$top/scripts/slurm/shards.sbatch" parts unimo-tokenize -m corpus/vocabulary scenes/texts.jsonl.zst
t_ok "an array of shards ends" wait_for '[ "$(ls parts/*.part.zst 2>/dev/null | wc -l)" = 3 ] && [ -z "$(squeue -h)" ]'
cat parts/*.part.zst >whole.zst
unimo-view whole.zst | sort >a
unimo-view corpus/texts.zst | sort >b
t_same a b "and joins to the whole"
first=$(ls parts/*.part.zst | head -n 1)
rm "$first"
for part in 0-0 1-3; do
    submit --array=$part --output=part.log "$top/scripts/slurm/shards.sbatch" parts unimo-tokenize -m corpus/vocabulary scenes/texts.jsonl.zst
    t_ok "a part of the array" wait_for '[ -z "$(squeue -h)" ]'
    t_ok "makes no shards of another size" [ ! -e "$first" -a "$(ls parts | wc -l)" = 2 -a "$(grep -c '0-N was expected\|of another size' part.log)" != 0 ]
done
submit --array=0-2 --cpus-per-task=1 "$top/scripts/slurm/shards.sbatch" parts unimo-tokenize -m corpus/vocabulary scenes/texts.jsonl.zst
t_ok "all of it makes the one that is missing" wait_for '[ -e "$first" ] && [ -z "$(squeue -h)" ]'
cat parts/*.part.zst | cmp -s - whole.zst
t_ok "as it was" [ $? = 0 ]
stop
t_done
