#!/bin/bash
# Training by several ranks under mpirun: the same steps as by one that accumulates, signals, a rank that fails, resuming.
. "$(dirname "$0")/../lib/lib.sh"
. "$top/tests/lib/corpus.sh"
export ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 # what the libraries of MPI leave behind is theirs

command -v mpirun >/dev/null || t_skip_all "no mpirun"
[ -e "$(dirname "$(command -v unimo-pretrain)")/../lib/unimo/libunimo-mpi.so" ] || t_skip_all "libunimo-mpi.so was not built (no mpicc)"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
mpirun="mpirun --oversubscribe --bind-to none -q"
corpus >corpus.log 2>&1 || { t_last=corpus; cp corpus.log "$err"; }
t_ok "a small corpus is made" [ -s tiny.json ]
pretrain="unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst \
 --images corpus/images.regions.zst --texts corpus/texts.zst --rows 256 --lr 1e-3 --log-every 1 -j 1 --precision f32"

t_run $pretrain --steps 12 --accumulate 4 --log 1.log -o 1
t_exit 0 "one rank that accumulates four batches"
t_run $mpirun -n 2 $pretrain --steps 12 --accumulate 2 --log 2.log -o 2
t_exit 0 "two ranks that accumulate two"
t_run $mpirun -n 4 $pretrain --steps 12 --log 4.log -o 4
t_exit 0 "four ranks"
for n in 2 4; do
    t_ok "$n ranks have the losses and gradients of one" jq -en --slurpfile a 1.log --slurpfile b $n.log \
        '($a|length) == 12 and ([range(12) | [$a[.], $b[.]] | (.[0].rows == .[1].rows) and
          ([.[0].loss - .[1].loss, .[0].gradient_norm - .[1].gradient_norm, .[0].cmcl - .[1].cmcl | fabs] | max < 1e-5)] | all)'
done
t_run $mpirun -n 4 $pretrain --steps 12 --log again.log -o again
t_same 4/model.safetensors again/model.safetensors "the same number of ranks gives the same bytes"
t_run $mpirun -n 4 $pretrain --steps 12 --shard-optimizer --save-every 6 --log sharded.log -o sharded
t_exit 0 "ranks that share the optimizer's state"
t_same 4/model.safetensors sharded/model.safetensors "end with the same bytes"
t_same 4/checkpoints/step-000000012/optimizer.safetensors sharded/checkpoints/step-000000012/optimizer.safetensors "and save all of it"
rm -r sharded/checkpoints/step-000000012 sharded/model.safetensors
cp -r sharded alone
t_run $mpirun -n 2 $pretrain --steps 12 --shard-optimizer --accumulate 2 --resume --log on2.log -o sharded
t_exit 0 "half as many go on from their checkpoint"
t_run $pretrain --steps 12 --accumulate 4 --resume --log on1.log -o alone
t_exit 0 "so does one that shares with nobody"
t_ok "with the losses of one that did it all" jq -en --slurpfile a 1.log --slurpfile b on2.log --slurpfile c on1.log \
    '($b|length) == 6 and ([range(6) | $a[6 + .].loss as $want | $b[.].loss - $want, $c[.].loss - $want | fabs] | max < 1e-5)'

# A plan is of all ranks together, too, and one says it.
plan() { sed -nE '/^(rows per step|rows in all|GFLOP per step|pairs|images|texts)\t/p' "$out"; }
t_run $pretrain --steps 12 --accumulate 2 --dry-run
plan >one.plan
t_run $mpirun -n 2 $pretrain --steps 12 --dry-run
plan >two.plan
t_ok "two ranks plan what one does that accumulates two" [ "$(wc -l <one.plan)" = 6 ]
t_same one.plan two.plan

t_run $mpirun -n 2 $pretrain --init 1 --steps 1 -o inited
t_ok "one says what of a model to begin with was matched" [ "$(grep -c ' matched, 0 missing' "$err")" = 1 ]

t_run $mpirun -n 2 $pretrain --steps 2 --profile -o profiled
t_ok "--profile prints one table of all ranks" [ "$(grep -cE '% .* s, .* s on rank [01] .* calls  (host|adamw)$|% .* s, .* s on rank [01] .* calls  linear_forward .*GFLOP/s' "$err")" = 3 ]

# Planning without a cluster.
t_run "$top/scripts/cluster-plan"
t_ok "the plan of the man page" sh -c 'grep -qxF "$(sed -n 2p "$1")" "$2"' sh "$out" "$top/man/unimo-cluster.7"
t_run "$top/scripts/cluster-plan" 0 350 25
t_exit 2 "of no GPU there is no plan"

# Epochs are of all ranks together.
finetune="unimo-finetune -m 1 -t embed --train corpus/train.pairs.zst --images corpus/train.regions.zst --rows 256 --negatives 3 --epochs 2 --log-every 1 -j 1"
$finetune --log one.log -o one 2>/dev/null
t_run $mpirun -n 2 $finetune --log two.log -o two
t_ok "two ranks pass over the examples in half the steps" jq -en --slurpfile a one.log --slurpfile b two.log \
    '($a | last.step) as $n | ($b | last.step) as $m | $n > 3 and ($n - 2 * $m | fabs) <= 1'

# Stopping by a signal to mpirun, and going on, also with other ranks.
$mpirun -n 2 $pretrain --steps 150 --accumulate 2 --save-every 5 -o stopped >stop.out 2>&1 &
for _ in $(seq 500); do [ -d stopped/checkpoints/step-000000005 ] && break; sleep 0.01; done
kill -USR1 $! && wait $!
stopped=$?
t_ok "SIGUSR1 to mpirun saves and ends with 75 (got $stopped)" [ $stopped = 75 -o $stopped = 0 ]
t_ok "which is said once" [ "$(grep -c 'stopped after step' stop.out)" = 1 ]
cp -r stopped other
t_run $pretrain --steps 150 --accumulate 4 --save-every 100 --resume --log resumed.log -o stopped
t_exit 0 "one rank goes on where two stopped"
t_run $pretrain --steps 150 --accumulate 4 --log straight.log -o straight
t_ok "and ends where one that was never stopped does, but for rounding" sh -c '
    a=$(tail -n 1 straight.log) b=$(tail -n 1 resumed.log)
    jq -en --argjson a "$a" --argjson b "$b" "\$a.step == 150 and \$b.step == 150 and \$a.rows == \$b.rows and (\$a.loss - \$b.loss | fabs) < 0.1"'
t_run $mpirun -n 3 $pretrain --steps 150 --save-every 100 --resume -o other
t_exit 0 "another number of batches a step goes on too"

# Ranks that see other files under the same name.
mkdir rank.0 rank.1
unimo-view corpus/texts.zst >rank.0/texts.jsonl
sed '1!G; h; $!d' rank.0/texts.jsonl >rank.1/texts.jsonl
t_run timeout 60 $mpirun -n 2 sh -c 'cd rank.$OMPI_COMM_WORLD_RANK && exec "$@"' sh unimo-pretrain $model --vocab "$t_dir/corpus/vocabulary" \
    --texts texts.jsonl --rows 64 --steps 2 -j 1 -o "$t_dir/unlike"
t_fails "another order of the records on one rank"
t_err 'rank 1: texts: other contents, or in another order, than those of rank 0'
t_ok "before the training begins" [ ! -e unlike ]

# Ranks that begin with other parameters, or that do not see the checkpoint that rank 0 goes on from.
cp -r 1 rank.0/init && cp -r 2 rank.1/init
ranked() { timeout 60 $mpirun -n 2 sh -c 'cd rank.$OMPI_COMM_WORLD_RANK && exec "$@"' sh unimo-pretrain $model --texts ../corpus/texts.zst --dev-texts ../corpus/texts.zst --eval-every 2 --rows 64 -j 1 --save-every 2 "$@"; }
t_run ranked --init init --steps 2 -o "$t_dir/begun"
t_exit 1 "another model to begin with on one rank"
t_err 'rank 1: the parameters to begin with are others than those of rank 0'
t_run ranked --vocab ../corpus/vocabulary --steps 4 -o "$t_dir/rank.0/seen"
cp -r rank.0/seen rank.1 && rm -r rank.1/seen/checkpoints/step-000000004
t_run ranked --vocab ../corpus/vocabulary --steps 6 --resume -o seen
t_fails "an older checkpoint on one rank"
t_err 'rank 1: seen/checkpoints/step-000000004/trainer.json: cannot open'
rm -r rank.1/seen/model.safetensors && cp -r rank.0/seen/checkpoints/step-000000004 rank.1/seen/checkpoints
t_run ranked --vocab ../corpus/vocabulary --steps 6 --resume -o seen
t_exit 0 "whether the best model is there, rank 0 says"

# What all ranks find, one says, with the status of one process; what one of them finds, that one.
t_run timeout 60 $mpirun -n 3 $pretrain --stepss 1 -o wrong
t_exit 2 "an option that there is not"
t_ok "is told once" [ "$(grep -c . "$err")" = 1 ]
t_run timeout 60 $mpirun -n 3 $pretrain --steps 12 -o 4
t_exit 2 "an output with checkpoints"
t_ok "is told once, too" [ "$(grep -c 'has checkpoints of an earlier run' "$err")" = 1 ]
t_run timeout 60 $mpirun -n 3 $pretrain --steps 1 --dev-texts nowhere --dry-run
t_fails "a file that there is not"
t_run timeout 60 env OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 $pretrain --steps 1 -o wrong
t_fails "one of two processes that MPI does not join"
t_err 'started as one of 2 processes, but MPI knows of no other'
t_run timeout 60 $mpirun -n 2 sh -c 'f=$1; shift; [ $OMPI_COMM_WORLD_RANK = 0 ] || f=nowhere; exec "$@" --texts $f' sh corpus/texts.zst $pretrain --steps 1 -o wrong
t_fails "a file that one rank has not"
t_err 'rank 1: nowhere: cannot open'

# A rank that fails, a rank that dies.
unimo-view corpus/texts.zst | jq -c 'if .id == "text-000031" then .tokens[0] = 100000 else . end' >bad.jsonl
t_run timeout 60 $mpirun -n 2 unimo-pretrain $model --vocab corpus/vocabulary --texts bad.jsonl --rows 256 -j 1 --steps 150 --save-every 1 -o failed
t_fails "a rank with a bad record ends the job"
t_err 'rank [01]: bad.jsonl: record "text-000031": '
${mpirun% -q} -n 2 $pretrain --steps 1500 --save-every 5 -o died >died.out 2>&1 &
for _ in $(seq 500); do [ -d died/checkpoints/step-000000005 ] && break; sleep 0.01; done
kill -9 "$(pgrep -n -P $!)"
wait $!
t_ok "a rank that dies ends the job" [ $? != 0 ]
t_ok "with a line that says which" [ "$(grep -c 'rank [01] .*exited on signal 9' died.out)" = 1 ]
t_run $mpirun -n 2 $pretrain --steps 20 --save-every 5 --resume -o died
t_ok "and leaves a checkpoint to go on from" [ "$(cat "$err" | grep -c 'step-')" = 0 -a -s died/model.safetensors ]

# Gradients on GPUs: emulated ones, whose streams run as late as they may (tests/emulated/nccl).
emulated=$UNIMO_BUILD/tests/emulated
if [ -f "$emulated/libunimo-nccl.so" ]; then
    mkdir -p gpu host
    ln -s "$(realpath "$(dirname "$(command -v unimo-pretrain)")/../lib/unimo/libunimo-mpi.so")" "$emulated/libunimo-cuda.so" "$emulated/libunimo-nccl.so" gpu
    ln -s "$t_dir/gpu/libunimo-mpi.so" "$emulated/libunimo-cuda.so" host
    sed 's/"num_attention_heads": 2/"num_attention_heads": 1/' tiny.json >wide.json # heads of 32
    on_gpu="${pretrain/tiny.json/wide.json} --device cuda --rows 64 --steps 3"
    t_run env UNIMO_BACKEND_DIR="$t_dir/gpu" $on_gpu --accumulate 2 --log gpu.1.log -o gpu.1
    t_exit 0 "one emulated GPU"
    for how in gpu host; do
        t_run env UNIMO_BACKEND_DIR="$t_dir/$how" $mpirun -n 2 $on_gpu --log $how.2.log -o $how.2
        t_exit 0 "two of them"
        t_ok "whose gradients are summed by $([ $how = gpu ] && echo NCCL || echo the host)" [ "$(grep -c 'by way of the host' "$err")" = $([ $how = gpu ]; echo $?) ]
        t_ok "they have the losses of one" jq -en --slurpfile a gpu.1.log --slurpfile b $how.2.log \
            '($b|length) == 3 and ([range(3) | $a[.].loss - $b[.].loss, $a[.].gradient_norm - $b[.].gradient_norm | fabs] | max < 1e-5)'
    done
    t_same gpu.2/model.safetensors host.2/model.safetensors "both ways give the same bytes"
    t_run env UNIMO_BACKEND_DIR="$t_dir/gpu" $mpirun -n 2 $on_gpu --shard-optimizer -o gpu.3
    t_same gpu.2/model.safetensors gpu.3/model.safetensors "so do GPUs that share the optimizer's state"
fi
t_done
