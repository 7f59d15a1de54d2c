#!/bin/bash
# unimo-finetune and unimo-predict: every task end to end on a tiny model, the best model is kept, resuming, wrong inputs.
. "$(dirname "$0")/../lib/lib.sh"
. "$top/tests/lib/corpus.sh"

corpus >corpus.log 2>&1 || { t_last=corpus; cp corpus.log "$err"; }
t_ok "a small corpus is made" [ -s tiny.json ]
t_run unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst --rows 256 --lr 1e-3 --steps 5 -j 2 -o model
t_exit 0 "a model to begin with"
images="--images corpus/train.regions.zst --images corpus/dev.regions.zst"
finetune="unimo-finetune -m model --rows 256 --lr 1e-3 --log-every 1 -j 2"

t_run $finetune -t entailment --train corpus/train.entailment.zst --dev corpus/dev.entailment.zst $images --epochs 2 --eval-every 4 --log log -o entailment
t_exit 0 "entailment"
t_ok "has three labels in the order of their bytes" sh -c '[ "$(jq -c .labels entailment/config.json)" = "[\"contradiction\",\"entailment\",\"neutral\"]" ]'
t_ok "is measured" sh -c 'jq -se "map(select(.accuracy)) | length > 1 and all(.accuracy >= 0 and .accuracy <= 100)" log'
best=$(jq -s '[.[] | select(.accuracy)] | (map(.accuracy) | max) as $m | map(select(.accuracy == $m))[0].step' log)
t_ok "and the best model is the one that is kept" [ "$(jq .best_step entailment/checkpoints/*/trainer.json)" = "$best" ]
t_run unimo-predict -m entailment $images -o pred.zst corpus/dev.entailment.zst
t_exit 0 "predicts"
t_ok "every record, in order" sh -c 'for f in pred.zst corpus/dev.entailment.zst; do unimo-view $f | jq -r .id >$f.ids; done; cmp pred.zst.ids corpus/dev.entailment.zst.ids'
t_ok "with probabilities that add up to 1" sh -c 'unimo-view pred.zst | jq -se "all((.probs | add | . > 0.999 and . < 1.001) and (.pred as \$p | .probs | to_entries | max_by(.value).key == \$p))"'
unimo-view pred.zst | jq -r .pred >pred.labels
unimo-view corpus/dev.entailment.zst | jq -r .label >gold.labels
t_ok "as often right as was measured" [ "$(jq -s 'map(select(.accuracy).accuracy) | max * 18 / 100 | round' log)" = "$(paste -d= pred.labels gold.labels | awk -F= '$1 == $2' | wc -l)" ]
t_run unimo-predict -m entailment $images --rows 40 -j 1 -o small.zst corpus/dev.entailment.zst
t_ok "the size of a batch changes no prediction" sh -c 'for f in pred small; do unimo-view $f.zst | jq -r .pred >$f.txt; done; cmp pred.txt small.txt'
mkfifo train.fifo
cat corpus/train.entailment.zst >train.fifo &
t_run timeout 60 $finetune -t entailment --train train.fifo $images --steps 2 -o piped
t_exit 0 "examples may come through a pipe, which gives them once"
t_run $finetune -t entailment --train corpus/train.entailment.zst $images --steps 2 -o read
t_same read/model.safetensors piped/model.safetensors "to the same model"

t_run $finetune -t captioning --train corpus/train.pairs.zst --dev corpus/dev.pairs.zst $images --steps 6 --eval-every 3 --max-length 12 --log log -o captioning
t_exit 0 "captioning"
t_ok "is measured by CIDEr-D" sh -c 'jq -se "map(select(.cider)) | length == 2" log'
t_run unimo-predict -m captioning --max-length 12 -o captions.zst corpus/test.regions.zst
t_exit 0 "writes captions"
t_ok "one for each image" sh -c '[ $(unimo-view captions.zst | jq -r "select(.pred|type==\"string\") | .id" | sort -u | wc -l) = 6 ]'
for b in 1 4; do unimo-predict -m captioning --beam $b --min-length 1 --max-length 8 --rows $((b * 40)) --plain corpus/test.regions.zst >"beam$b"; done
unimo-predict -m captioning --beam 4 --min-length 1 --max-length 8 --plain corpus/test.regions.zst >beam4.whole
t_ok "the batch changes no caption" sh -c 'for f in beam4 beam4.whole; do jq -r .pred $f >$f.txt; done; cmp beam4.txt beam4.whole.txt'

t_run $finetune -t retrieval --train corpus/train.pairs.zst --dev corpus/dev.pairs.zst $images --steps 4 --eval-every 2 --eval-limit 10 --negatives 3 --log log -o retrieval
t_exit 0 "retrieval"
t_ok "is measured both ways" sh -c 'jq -se "map(select(.text_to_image_r1 != null and .image_to_text_r1 != null)) | length == 2" log'
t_run unimo-predict -m retrieval --images corpus/test.regions.zst -o scores.zst corpus/test.pairs.zst
t_exit 0 "scores texts against images"
t_ok "30 texts, 6 images" sh -c 'unimo-view --stats scores.zst | grep -q "scores: in 30, F32 \[6\]"'
t_run unimo-predict -t retrieval -m model --images corpus/test.regions.zst -o zero.zst corpus/test.pairs.zst
t_exit 0 "so does a pre-trained model"

unimo-view scenes/train.entailment.jsonl.zst | jq -c '{id, text, text_pair: .label, label: (.text | length % 2)}' >two.jsonl
unimo-tokenize -m corpus/vocabulary -o two.zst two.jsonl
t_run $finetune -t classify --train two.zst --dev two.zst --steps 4 -o classification
t_exit 0 "classification of pairs of texts, labels as numbers"
t_run unimo-predict -m classification -o classes.zst two.zst
t_ok "predicts them" sh -c '[ $(unimo-view classes.zst | jq -r .pred | grep -c "^[01]$") = 72 ]'

# A fine-tuned model that is pre-trained on is a pre-trained one again.
for task in entailment captioning; do
    t_run unimo-pretrain --init $task --texts corpus/texts.zst --rows 128 --steps 1 -o anew
    t_exit 0 "pre-training goes on from a model for $task"
    t_ok "which knows of no task any more" jq -e 'has("task") or has("labels") or has("task_options") or .label_hidden > 0 | not' anew/config.json
    rm -r anew
done

# Stopping and resuming with the best model in mind.
run="$finetune -t entailment --train corpus/train.entailment.zst --dev corpus/dev.entailment.zst $images --steps 30 --eval-every 5 --save-every 4 --resume"
t_run $run --log straight.log -o straight
$run --log stopped.log -o stopped >/dev/null 2>&1 &
for _ in $(seq 500); do [ -d stopped/checkpoints/step-000000008 ] && break; sleep 0.01; done
kill -9 $!
wait $! 2>/dev/null
t_run $run --log stopped.log -o stopped
t_same straight/model.safetensors stopped/model.safetensors "killed and resumed: the same best model"
t_ok "and the same measurements" sh -c 'for f in straight stopped; do jq -c "select(.accuracy)" $f.log >$f.acc; done; cmp straight.acc stopped.acc'

rm stopped/model.safetensors
t_run $run --log stopped.log -o stopped
t_exit 0 "when the best model was removed"
t_ok "another one takes its place" sh -c '[ -s stopped/model.safetensors ] && grep -q "is forgotten" "$0"' "$err"

# Which of two texts fits the image?
t_run unimo-tokenize -m corpus/vocabulary -F text,other -o swaps.zst scenes/test.swaps.jsonl.zst
t_run unimo-predict -m retrieval --images corpus/test.regions.zst --choice text --choice other --plain swaps.zst
t_ok "--choice names the field with the better score" jq -en '[inputs | (.scores[0] >= .scores[1]) == (.pred == "text")] | length >= 2 and all' "$out"
unimo-view scenes/test.swaps.jsonl.zst >refs.jsonl
t_run sh -c 'unimo-score --metrics accuracy --format json "$0" refs.jsonl' "$out"
t_ok "which is scored as a label" jq -e '.score >= 0 and .score <= 100' "$out"

# Wrong inputs.
while read -r task option value; do
    t_run unimo-finetune -t $task -m model --train corpus/train.pairs.zst $images $option $value -o x
    t_exit 2 "$option for $task"
    t_err "^unimo-finetune: $option: means nothing to $task\$"
done <<'EOF'
entailment --max-length 9
captioning --negatives 3
captioning --hard corpus/train.pairs.zst
embed --gamma 2
sst2 --min-answers 2
generate --tag-score 0.5
EOF
t_run $finetune -t origami --train corpus/train.pairs.zst -o x
t_exit 2 "an unknown task"
t_err 'retrieval, captioning, cnndm, .*, entailment, sst2'
t_run $finetune -t entailment --train corpus/train.entailment.zst -o x
t_fails "entailment without images"
for task in entailment captioning retrieval embed; do
    dev=corpus/dev.$([ $task = entailment ] && echo entailment || echo pairs).zst
    t_run $finetune -t $task --train ${dev/dev/train} --dev $dev --images corpus/train.regions.zst --steps 9 --eval-every 9 -o early
    t_fails "$task: held-out images that are not there"
    t_err 'dev\..*: record "dev-000000.*: no record with id "dev-000000"'
    t_ok "before the training begins" [ ! -e early ]
done
unimo-view corpus/dev.entailment.zst | jq -c 'if .id == "dev-000003/n" then del(.label) else . end' >unlabelled.jsonl
t_run $finetune -t entailment --train corpus/train.entailment.zst --dev unlabelled.jsonl $images --steps 9 --eval-every 9 -o early
t_fails "held-out examples that do not say what is right"
t_err '^unimo-finetune: unlabelled.jsonl: record "dev-000003/n": "label"'
t_ok "before the training begins" [ ! -e early ]
jq -c '{id, tokens, text, text_pair: .text, text_pair_tokens: .tokens, label: (if .id == "dev-000003/n" then "much" else 3.5 end)}' unlabelled.jsonl >words.jsonl
jq -c '.label = 2' words.jsonl >numbers.jsonl
t_run $finetune -t stsb --train numbers.jsonl --dev words.jsonl --steps 9 --eval-every 9 -o early
t_err '^unimo-finetune: words.jsonl: record "dev-000003/n": "label": expected a number'
t_ok "nor numbers where those are wanted" [ ! -e early ]
t_run $finetune -t captioning --train corpus/train.pairs.zst --dev corpus/dev.pairs.zst --eval-limit 3 $images --steps 9 -o early
t_fails "held-out captions of one image"
t_err 'captions of one image'
t_ok "are refused before the training, too" [ ! -e early ]
unimo-view corpus/test.pairs.zst | jq -c 'if .id == "test-000003#2" then .tokens[0] = -7 else . end' >bad.jsonl
for task in captioning retrieval embed; do # the last two join an example with others
    t_run $finetune -t $task --train corpus/train.pairs.zst --train bad.jsonl $images --images corpus/test.regions.zst --epochs 2 --eval-every 0 -o bad
    t_fails "$task: a bad record of the second file"
    t_err '^unimo-finetune: bad.jsonl: record "test-000003#2": '
done
t_run $finetune -t retrieval --train corpus/train.pairs.zst --dev corpus/dev.pairs.zst --dev bad.jsonl $images --images corpus/test.regions.zst --steps 1 -o bad
t_err '^unimo-finetune: bad.jsonl: record "test-000003#2": '
t_run $finetune -t generate --train corpus/train.pairs.zst -o x
t_err 'no "target" \(a text was expected\)'
t_run $finetune -t entailment --train corpus/train.pairs.zst $images -o x
t_fails "examples without labels"
t_err '"label"'
cp -r model same
rm -rf same/checkpoints
t_run unimo-finetune -t retrieval -m same --train corpus/train.pairs.zst $images --steps 1 -o ./same/
t_err 'same/: is both input and output'
mkdir linked && ln -s ../same/model.safetensors linked/model.safetensors
t_run unimo-finetune -t retrieval -m same --train corpus/train.pairs.zst $images --steps 1 -o linked
t_err 'linked/model.safetensors: is both input and output'
t_same model/model.safetensors same/model.safetensors "the model to begin with is not overwritten, nor by a link to it"
cp corpus/train.pairs.zst same.zst
t_run $finetune -t retrieval --train same.zst $images --steps 1 --log same.zst -o x
t_err 'same.zst: is both input and output'
t_same corpus/train.pairs.zst same.zst "nor data by a log"
t_run unimo-predict -m model --images corpus/test.regions.zst corpus/test.pairs.zst
t_exit 2 "a pre-trained model does not know its task"
t_run unimo-predict -t entailment -m retrieval --images corpus/test.regions.zst corpus/test.pairs.zst
t_exit 2 "a model without the head"
t_run unimo-predict -m retrieval --images corpus/test.regions.zst scenes/test.pairs.jsonl.zst
t_fails "texts without tokens"
unimo-view corpus/test.pairs.zst | jq -c 'if input_line_number == 3 then .tokens[0] = 99999 else . end' >bad.jsonl
t_run unimo-predict -m retrieval --images corpus/test.regions.zst -o x.zst bad.jsonl
t_fails "a token that is not in the vocabulary"
t_ok "leaves no output" [ ! -e x.zst ]
t_run unimo-predict -m retrieval --images corpus/test.regions.zst --skip-bad -o x.zst bad.jsonl
t_ok "--skip-bad leaves out one of 30" sh -c '[ $(unimo-view x.zst | wc -l) = 29 ]'
t_err '1 .*record'
: >empty
t_run unimo-predict -m retrieval --images corpus/test.regions.zst empty
t_fails "an empty input"
t_run unimo-predict -m no-such-model corpus/test.pairs.zst
t_fails "a model that is not there"
t_run sh -c 'unimo-predict -m captioning --plain corpus/test.regions.zst | head -c 10'
t_ok "a closed pipe ends it quietly" [ ! -s "$err" ]
t_run sh -c 'unimo-predict -m captioning --plain corpus/test.regions.zst >/dev/full'
t_fails "a full disk"
t_done
