#!/bin/bash
# Texts and scores of unimo-predict against the published search without any cache in PyTorch: captions, texts, answers in conversations.
. "$(dirname "$0")/../lib/lib.sh"
. "$top/tests/lib/corpus.sh"

t_python PyTorch "$top/tests/numeric/model_parity.py" check
corpus >corpus.log 2>&1 || { t_last=corpus; cp corpus.log "$err"; }
unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst --rows 256 --lr 1e-3 --steps 3 -j 2 -o model 2>/dev/null
unimo-view corpus/train.entailment.zst | jq -c '{id, text, target: .text, turns: [.text, .label, (.id | split("-")[0])]}' >texts.jsonl
unimo-tokenize -m corpus/vocabulary -o texts.zst texts.jsonl
learn() { # TASK OPTION...
    local task=$1
    shift
    t_run unimo-finetune -t "$task" -m model --rows 256 --lr 5e-3 --steps 15 -j 2 "$@" -o "$task"
    t_exit 0 "$task"
}
learn captioning --train corpus/train.pairs.zst --images corpus/train.regions.zst
learn generate --train texts.zst
learn coqa --train texts.zst
unimo-view --base64 corpus/test.regions.zst | head -n 3 >images.jsonl
unimo-view texts.zst | head -n 4 >asked.jsonl

same() { # TASK BEAM N_BEST MIN MAX PENALTY BLOCKS
    local task=$1 input=texts.zst records=asked.jsonl n=2
    [ $task = captioning ] && input=corpus/test.regions.zst records=images.jsonl n=2
    unimo-predict -m $task --beam $2 --n-best $3 --min-length $4 --max-length $5 --length-penalty $6 --block-trigrams $7 -n $n --precision f32 --plain -j 2 \
        -o predictions $input
    t_last="beam_parity.py $*" rc=0
    $python "$top/tests/numeric/beam_parity.py" $task "$@" $records <predictions >"$out" 2>"$err" || rc=$?
    [ "$rc" = 0 ] || sed 's/^/# /' "$out"
    t_exit 0 "$*: the same texts and scores"
}
for task in captioning generate coqa; do
    same $task 4 4 2 8 0.6 no
    same $task 3 2 10 11 1.2 yes
done
same captioning 1 1 0 10 0.6 no
same generate 5 1 0 9 0 no
t_done
