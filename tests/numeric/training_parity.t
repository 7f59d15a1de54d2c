#!/bin/bash
# Trainings of a few steps against PyTorch's optimizer: losses, norms and rates of the log, and the parameters at the end.
. "$(dirname "$0")/../lib/lib.sh"
. "$top/tests/lib/corpus.sh"

t_python PyTorch "$top/tests/numeric/model_parity.py" check
corpus >corpus.log 2>&1 || { t_last=corpus; cp corpus.log "$err"; }
jq '.initializer_range = 0.2' tiny.json >config.json
cat >texts.jsonl <<'END'
{"id":"a","text":"","tokens":[10,11,12,13],"target":"","target_tokens":[20,21]}
{"id":"b","text":"","tokens":[30,31],"target":"","target_tokens":[40,41,42,43,44,45,46,47]}
END
common="--rows 1 --accumulate 2 --dropout 0 --log-every 1 --precision f32 -j 2" # a record in each batch, both in each step
unimo-pretrain --config config.json --vocab corpus/vocabulary --texts texts.jsonl --lr 0 --steps 1 $common -o begun 2>/dev/null

compare() { # WHAT KIND RESULT OPTIONS
    t_last="training_parity.py $2 $4" rc=0
    $python "$top/tests/numeric/training_parity.py" "$2" begun "$3" "$3.log" texts.jsonl "$4" >"$out" 2>"$err" || rc=$?
    [ "$rc" = 0 ] || sed 's/^/# /' "$out"
    t_exit 0 "$1"
}
tune="unimo-finetune -t generate -m begun --train texts.jsonl --eval-every 0 --steps 10 --lr 1e-2 --warmup 0.3 --weight-decay 0.1 --clip 0.5 $common"
t_run $tune --log tuned.log -o tuned
compare "fine-tuning" generate tuned '{"steps": 10, "lr": 1e-2, "warmup": 3, "decay": 0.1, "clip": 0.5, "beta1": 0.9, "beta2": 0.98, "epsilon": 1e-6, "smoothing": 0.1}'
t_run $tune --beta2 0.9 --smoothing 0.3 --layer-decay 0.5 --head-lr 3 --freeze 1 --log rated.log -o rated
compare "with rates of layers and heads" generate rated '{"steps": 10, "lr": 1e-2, "warmup": 3, "decay": 0.1, "clip": 0.5, "beta1": 0.9, "beta2": 0.9, "epsilon": 1e-6, "smoothing": 0.3, "layer_decay": 0.5, "head_lr": 3, "freeze": 1}'
t_run unimo-pretrain --init begun --texts texts.jsonl --mlm 0 --steps 8 --warmup 2 --lr 2e-2 --beta1 0.8 --beta2 0.9 --epsilon 1e-4 --weight-decay 0.2 --clip 0.3 \
    --average 0.5 $common --log trained.log -o trained
compare "pre-training, and an average" pretrain trained '{"steps": 8, "lr": 2e-2, "warmup": 2, "decay": 0.2, "clip": 0.3, "beta1": 0.8, "beta2": 0.9, "epsilon": 1e-4, "average": 0.5}'
t_done
