#!/bin/bash
# kill -9 during pre-training at random moments, resuming each time: the result is byte-identical to an uninterrupted run's.
# Five moments, or twenty with UNIMO_LONG=1.
. "$(dirname "$0")/../lib/lib.sh"
. "$top/tests/lib/corpus.sh"

corpus >corpus.log 2>&1 || { t_last=corpus; cp corpus.log "$err"; }
t_ok "a small corpus is made" [ -s tiny.json ]
moments=${UNIMO_LONG:+20}
moments=${moments:-5}
steps=$((moments * 200))
pretrain="unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst \
 --texts corpus/texts.zst --rows 256 --lr 1e-3 --log-every 1 -j 2 --steps $steps --save-every 5 --resume"
t_run $pretrain --log whole.log -o whole
t_exit 0 "an uninterrupted run"

killed=0
RANDOM=11
for _ in $(seq "$moments"); do
    $pretrain --log killed.log -o killed >/dev/null 2>&1 &
    sleep "0.$(printf %03d $((RANDOM % 500 + 50)))"
    kill -9 $! 2>/dev/null && killed=$((killed + 1))
    wait $! 2>/dev/null
done
t_ok "killed $killed times, each time before the end" [ "$killed" = "$moments" -a ! -e killed/model.safetensors ]
t_run $pretrain --log killed.log -o killed
t_exit 0 "and resumed to the end"
t_same whole/model.safetensors killed/model.safetensors "the model is the same to the byte"
t_same whole/checkpoints/step-$(printf %09d $steps)/optimizer.safetensors killed/checkpoints/step-$(printf %09d $steps)/optimizer.safetensors "so are the moments"
for f in whole killed; do jq -c '{step, loss, gradient_norm}' $f.log >$f.losses; done
t_same whole.losses killed.losses "and the log, but for times"
t_ok "nothing is left over beside the checkpoints" sh -c '[ -z "$(find killed -name ".*" -not -path killed)" ]'
t_done
