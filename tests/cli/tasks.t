#!/bin/bash
# Every downstream task on a tiny model: trains, is measured where it is, predicts; settings travel with the model; decoding's options.
. "$(dirname "$0")/../lib/lib.sh"
. "$top/tests/lib/corpus.sh"

corpus >corpus.log 2>&1 || { t_last=corpus; cp corpus.log "$err"; }
unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst --rows 256 --lr 1e-3 --steps 3 -j 2 -o model 2>/dev/null
images="--images corpus/train.regions.zst --images corpus/dev.regions.zst"
finetune="unimo-finetune -m model --rows 256 --lr 1e-3 --log-every 1 -j 2 --steps 4 --eval-every 2 --log log"
tokenize() { unimo-tokenize -m corpus/vocabulary -F text,text_pair,target,turns,tags -o "$1" "$2"; }

# Answers to questions, each given by ten people.
unimo-view scenes/train.entailment.jsonl.zst | jq -c '{id, image, text, label: (if .label == "entailment" then "yes" else "no" end)}
    | .answers = [.label, .label, .label, "maybe", .label, .label, .label, .label, .label, .label]' >vqa.jsonl
tokenize vqa.zst vqa.jsonl
t_run $finetune -t vqa --train vqa.zst $images --min-answers 3 -o vqa
t_exit 0 "vqa"
t_ok "its labels are the answers that were right often enough" sh -c '[ "$(jq -c "[.labels, .label_soft, .label_product]" vqa/config.json)" = "[[\"no\",\"yes\"],true,true]" ]'
t_run unimo-predict -m vqa $images --plain -o vqa.pred vqa.zst
t_ok "answers, each with its own probability" sh -c 'jq -se "length == 72 and all(.pred == (.probs | to_entries | max_by(.value).key))" vqa.pred'
t_run $finetune -t vqa --train vqa.zst $images --min-answers 100 -o none
t_fails "no answer that is right so often"

# Numbers.
unimo-view scenes/train.entailment.jsonl.zst | jq -c '{id, text, text_pair: .text, label: (.text | length / 20)}' >number.jsonl
tokenize number.zst number.jsonl
t_run $finetune -t stsb --train number.zst --steps 60 --head-lr 10 -o stsb
t_exit 0 "a number for two texts"
t_run unimo-predict -m stsb --plain -o number.pred number.zst
t_ok "which comes near the truth" sh -c 'jq -se "all(.pred | type == \"number\") and (map(.pred) | add / length | . > 1.5 and . < 3.5)" number.pred'
t_run $finetune -t regress --train vqa.zst -o x
t_fails "labels that are no numbers"
t_err '"label"'

# One text or two.
jq -c '.text_pair = "Is it so?"' vqa.jsonl >pair.jsonl
tokenize pair.zst pair.jsonl
for task in sst2 cola mnli classify pair; do
    case $task in mnli | pair) examples=pair.zst ;; *) examples=vqa.zst ;; esac
    t_run $finetune -t $task --train $examples --dev $examples -o $task
    t_exit 0 "$task"
done
t_ok "is measured" sh -c 'jq -se "map(select(.accuracy)) | length == 2" log'
t_run unimo-finetune -m pair -t stsb --rows 256 --steps 1 --train number.zst -o after
t_exit 0 "a model of another task to begin with: its classifier is left out"
t_run $finetune -t pair --train vqa.zst -o x
t_err 'no "text_pair" \(a text was expected\)'
t_run unimo-predict -m mnli vqa.zst
t_err 'record 1: no "text_pair" \(a text was expected\)'

# Texts.
unimo-view scenes/train.entailment.jsonl.zst | jq -c '{id, text, target: (.text | split(" ") | reverse | join(" ")), turns: [.text, .label, .id]}' >seq.jsonl
tokenize seq.zst seq.jsonl
jq -c '.text_pair = "a dog"' seq.jsonl >two.jsonl
tokenize two.zst two.jsonl
for task in cnndm gigaword squad-qg coqa generate; do
    case $task in squad-qg) examples=two.zst ;; *) examples=seq.zst ;; esac
    t_run $finetune -t $task --train $examples --dev $examples --eval-limit 6 --max-length 9 --min-length 2 -o $task
    t_exit 0 "$task"
    t_run unimo-predict -m $task -n 6 --plain -o $task.pred $examples
    t_ok "$task writes" sh -c 'jq -se "length == 6 and all(.pred | type == \"string\")" '$task.pred
done
t_run $finetune -t squad-qg --train seq.zst -o x
t_err 'no "text_pair" \(a text was expected\)'
unimo-tokenize -m corpus/vocabulary -F text,target -o half.zst two.jsonl
t_run $finetune -t generate --train half.zst -o x
t_err 'no "text_pair_tokens" \(unimo-tokenize adds it\)'
t_ok "settings travel with the model" sh -c '[ "$(jq -c "[.ends_with_mask, .task_options.beam, .task_options.max_length, .task_options.block_trigrams]" cnndm/config.json)" = "[true,5,9,1]" ]'
t_ok "so do tables of speakers" sh -c '[ "$(jq .dialog_embeddings coqa/config.json)" = true ]'
jq -c '.refs = [.text, .target + " " + .label, .id]' seq.jsonl >answered.jsonl
tokenize answered.zst answered.jsonl
t_run $finetune -t coqa --train seq.zst --dev answered.zst --max-length 9 --log answered.log -o answered
unimo-predict -m answered -o answered.pred answered.zst
t_run unimo-score -m coqa --json answered.pred answered.zst
t_ok "the model is chosen by the figure that is reported, against all references" \
    jq -en --argjson want "$(jq '.f1' "$out")" '([inputs.f1 // empty] | max) as $f1 | $want > 0 and ($f1 - $want | fabs) < 1e-9' answered.log
unimo-predict -m coqa -n 12 --plain -j 1 --rows 200 seq.zst | jq -c .pred >one
unimo-predict -m coqa -n 12 --plain -j 2 seq.zst | jq -c .pred >two
t_same one two "threads and batches change no text"
t_run unimo-predict -m generate -n 4 --plain --n-best 3 -o best seq.zst
t_ok "several texts, best first" sh -c 'jq -se "all((.n_best | length) == 3 and .pred == .n_best[0].pred and (.n_best | map(.score) | . == (sort | reverse)))" best'
printf 'a red ball\na blue ball\nnothing\n' >closed
t_run unimo-predict -m generate -n 6 --plain --vocab closed -o closed.pred seq.zst
t_ok "nothing but a text of a closed set" sh -c '! jq -r .pred closed.pred | grep -vxFf closed'
t_ok "in each of them" [ -s closed.pred ]
printf 'the quick brown fox jumps over the lazy dog and runs away\nthe quick brown fox jumps over the lazy dog and comes back again\n' >long
t_run unimo-predict -m generate -n 6 --plain --vocab long -o long.pred seq.zst
t_ok "a whole one, though it is longer than what the model writes otherwise" sh -c '[ "$(jq -r .pred long.pred | grep -cxFf long)" = 6 ]'
seq 100 | tr '\n' ' ' >too-long
t_run unimo-predict -m generate --vocab too-long seq.zst
t_fails "a text that the model cannot hold"
t_err 'too-long: line 1: a text of [0-9]+ tokens .expected at most 62.'
t_run unimo-predict -m sst2 --vocab closed vqa.zst
t_exit 2 "a closed set of texts for a task that does not write"
unimo-predict -m generate -n 6 --plain --samples 3 --top-p 0.9 --seed 3 seq.zst >s1
unimo-predict -m generate -n 6 --plain --samples 3 --top-p 0.9 --seed 3 --rows 100 -j 1 seq.zst >s2
unimo-predict -m generate -n 6 --plain --samples 3 --top-p 0.9 --seed 4 seq.zst >s3
t_same s1 s2 "samples are the same whatever the batch"
t_ok "and others with another seed" sh -c '! cmp -s s1 s3'
: >nothing
t_run unimo-predict -m generate --vocab nothing seq.zst
t_fails "an empty closed set"
t_run unimo-predict -m generate --samples 2 --vocab closed seq.zst
t_exit 2 "samples of a closed set"

# A vocabulary that is not the model's.
cp -r generate mixed
unimo-tokenize --learn --vocab-size 300 -F text -o other scenes/train.pairs.jsonl.zst
cp other/vocab.json other/merges.txt mixed
t_run unimo-predict -m mixed -n 1 --plain seq.zst
t_fails "another vocabulary than the model's"
t_err 'mixed: the vocabulary has 300 tokens .the model has 400.'
t_run unimo-finetune -m mixed -t generate --train seq.zst --steps 1 -o x
t_fails "also when it is to learn"

# Images that are the user's choice are not forgotten when predicting.
t_run $finetune -t pair --train pair.zst $images --steps 1 -o pair-seen
t_run unimo-predict -m pair-seen pair.zst
t_exit 2 "a model that learnt from images is not used without"
t_err '^unimo-predict: --images: the model has learnt from images$'
t_run unimo-predict -m pair-seen $images --plain -n 3 pair.zst
t_exit 0 "with them it is"

# Settings with which nothing could be seen, learnt or written.
t_run $finetune -t generate --train seq.zst --max-target 1 -o x
t_exit 2 "a target without a token"
t_run $finetune -t generate --train seq.zst --max-source 2 -o x
t_exit 2 "a source without a token"
t_run unimo-predict -m generate --max-source 0 seq.zst
t_exit 2 "also when predicting"
for setting in beam=0 beam=1e9 max_length=0 max_source=1 'length_penalty="none"'; do
    cp -r generate odd
    jq ".task_options.$setting" generate/config.json >odd/config.json
    t_run unimo-predict -m odd -n 1 --plain seq.zst
    t_fails "a model that says $setting"
    t_err "odd/config.json: \"task_options\": \"${setting%=*}\": expected a number from"
    rm -r odd
done

# Tags before captions.
unimo-view corpus/train.pairs.zst | jq -c '.tags = "ball box tree" | del(.tokens, .units)' >tags.jsonl
tokenize tags.zst tags.jsonl
t_run $finetune -t captioning --train tags.zst $images -o tags
t_exit 0 "captions of images with tags"
for s in train dev; do unimo-tokenize -m corpus/vocabulary -F classes -o named.$s.zst corpus/$s.regions.zst; done
captioning() { # MODEL OPTION...
    unimo-finetune -m model -t captioning --train corpus/train.pairs.zst --rows 256 --lr 1e-3 --steps 4 -j 2 -o "$@" 2>/dev/null
}
captioning untagged $images
captioning named --images named.train.zst --images named.dev.zst --tag-score 0.1
captioning unsure --images named.train.zst --images named.dev.zst --tag-score 1
t_ok "names of regions are tags" sh -c '[ -s named/model.safetensors ] && ! cmp -s untagged/model.safetensors named/model.safetensors'
t_same untagged/model.safetensors unsure/model.safetensors "where the detector was sure of them"
for s in train dev; do
    unimo-view --base64 corpus/$s.regions.zst | jq -c '.tags = ([.classes, .scores] | transpose | map(select(.[1] >= 0.1)[0]) | join(" "))' | unimo-view --pack -o joined.zst
    unimo-tokenize -m corpus/vocabulary -F tags -o tagged.$s.zst joined.zst
done
captioning tagged --images tagged.train.zst --images tagged.dev.zst
t_same tagged/model.safetensors named/model.safetensors "names are one text, with spaces"
t_ok "how sure travels with the model" [ "$(jq .task_options.tag_score named/config.json)" = 0.1 ]

# Vectors, two stages, hard negatives.
t_run $finetune -t embed --train corpus/train.pairs.zst --dev corpus/dev.pairs.zst $images --negatives 3 -o embed
t_exit 0 "vectors"
t_run unimo-predict -m embed -o vectors.zst corpus/test.regions.zst corpus/test.pairs.zst
t_ok "of images and of texts" sh -c 'unimo-view --stats vectors.zst | grep -q "embedding: in 36, F32 \[32\]"'
unimo-predict -m embed -o vectors.zst corpus/train.regions.zst corpus/dev.pairs.zst
unimo-predict -m embed -t retrieval --candidates 1 --images corpus/train.regions.zst -o below.zst corpus/dev.pairs.zst
for f in vectors below; do unimo-view --base64 $f.zst >$f.jsonl; done
cat >order.py <<'PY'
import base64, json, struct
def read(path, name):
    for line in open(path):
        r = json.loads(line)
        data = base64.b64decode(r["tensors"][name]["base64"])
        yield r["id"], struct.unpack("<%df" % (len(data) // 4), data)
vectors = dict(read("vectors.jsonl", "embedding"))
images = [v for k, v in vectors.items() if "#" not in k]
lost = 0
for text, scores in read("below.jsonl", "scores"):
    at = [i for i in range(len(images)) if scores[i] < -1000]
    near = [sum(x * y for x, y in zip(vectors[text], images[i])) for i in at]
    order = sorted(range(len(at)), key=lambda k: -near[k])
    lost += sum(scores[at[a]] <= scores[at[b]] and near[a] - near[b] > 2e-6 for a, b in zip(order, order[1:]))
print(lost, len(images))
PY
t_ok "images below the candidates keep their order" [ "$(python3 order.py)" = "0 24" ]
t_run $finetune -t retrieval --train corpus/train.pairs.zst $images --negatives 2 -o retrieval
joint="unimo-predict -m retrieval --images corpus/test.regions.zst --plain --n-best 6"
$joint corpus/test.pairs.zst >all
$joint --candidates 6 corpus/test.pairs.zst >staged
t_ok "as many candidates as images: the same ranking and scores" cmp all staged
t_run $joint --candidates 2 -o two corpus/test.pairs.zst
t_ok "two candidates: their joint scores, the others below" sh -c 'jq -se "all((.scores[:2] | all(. > -1000)) and (.scores[2:] | all(. < -1000)))" two'
$joint corpus/test.pairs.zst >proposed.jsonl
$joint --among proposed.jsonl corpus/test.pairs.zst >among
t_ok "among all images: the same ranking and scores" cmp all among
jq -c '.images |= .[3:5]' proposed.jsonl >some.jsonl
t_run $joint --among some.jsonl corpus/test.pairs.zst
t_ok "among two: those first, by their joint scores" jq -se --slurpfile all all '[., $all] | transpose | all(.[0].images[:2] == .[1].images[3:5] and .[0].scores[:2] == .[1].scores[3:5] and .[0].scores[2] == -10000)' "$out"
head -3 proposed.jsonl >few.jsonl
t_run $joint --among few.jsonl corpus/test.pairs.zst
t_fails "a text for which nothing was proposed"
t_run unimo-predict -m retrieval --images corpus/train.regions.zst --n-best 5 -o mined.zst corpus/train.pairs.zst
t_run $finetune -t retrieval --train corpus/train.pairs.zst $images --negatives 2 --hard mined.zst --hard-share 1 -o hard
t_exit 0 "hard negatives"
t_ok "make another model" sh -c '! cmp -s hard/model.safetensors retrieval/model.safetensors'

# Held-out texts are compared with their own images, though there are the training's too.
for task in retrieval embed; do
    t_run $finetune -t $task --train corpus/train.pairs.zst --dev corpus/dev.pairs.zst $images --negatives 2 --steps 2 --eval-every 2 --log measured.log -o measured
    unimo-predict -m measured -t retrieval $([ $task = embed ] && echo --candidates 1) --images corpus/dev.regions.zst -o measured.zst corpus/dev.pairs.zst
    unimo-score -m retrieval --images corpus/dev.regions.zst --format json measured.zst >measured.json
    t_ok "$task is measured as it is scored" jq -en '[inputs] | map(select(.text_to_image_r1).text_to_image_r1) + map(select(.metric == "text_to_image").r1) | length == 2 and (.[0] - .[1] | fabs < 1e-6)' measured.log measured.json
    rm -r measured
done

# The temperature of cosines.
unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst --rows 256 --steps 2 -j 2 --score cosine --learn-temperature -o learnt 2>/dev/null
t_run unimo-finetune -m learnt -t embed --train corpus/train.pairs.zst $images --negatives 2 --rows 256 --steps 1 -j 2 -o warm
t_ok "one that was learnt is kept" [ "$(jq .match_temperature warm/config.json)" = 1 ]
t_ok "else it is that of the field" jq -e '.match_temperature - 0.07 | fabs < 1e-6' embed/config.json
unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst --rows 256 --steps 2 -j 2 --lr 0.1 --temperature 0.5 --learn-temperature -o products 2>/dev/null
t_run unimo-finetune -m products -t embed --train corpus/train.pairs.zst $images --negatives 2 --rows 256 --steps 1 -j 2 -o apart
t_ok "also where one for products was learnt" jq -e '(.match_temperature - 0.07 | fabs < 1e-6) and (.match_learns_temperature | not)' apart/config.json

# Adversarial training.
unimo-view scenes/train.entailment.jsonl.zst | jq -c . >ve.jsonl
tokenize ve.zst ve.jsonl
for task in entailment captioning; do
    [ $task = entailment ] && train=ve.zst || train=corpus/train.pairs.zst
    t_run $finetune -t $task --adversarial --train $train $images --steps 2 -o adv-$task
    t_exit 0 "adversarial $task"
done
t_run $finetune -t entailment --adversarial --train ve.zst $images --steps 2 -o adv-again
t_ok "the same model again" cmp adv-entailment/model.safetensors adv-again/model.safetensors
case ${UNIMO_BUILD:-} in
*/arm64-*) ;; # the library's sums depend on how many threads there are
*)
    t_run $finetune -t entailment --adversarial --train ve.zst $images --steps 2 -j 1 -o adv-alone
    t_ok "and with one thread" cmp adv-entailment/model.safetensors adv-alone/model.safetensors
    ;;
esac
t_run $finetune -t entailment --train ve.zst $images --steps 2 -o clean
for o in adv-steps adv-lr adv-norm adv-kl; do
    t_run $finetune -t entailment --train ve.zst $images --$o 1 -o off
    t_exit 2 "without --adversarial its settings are refused"
    t_err "^unimo-finetune: --$o: goes with --adversarial$"
done
t_ok "with it the model is another one" sh -c '! cmp -s clean/model.safetensors adv-entailment/model.safetensors'
t_run $finetune -t stsb --adversarial --train number.zst -o x
t_exit 2 "no adversarial training for numbers"
t_run $finetune -t entailment --adversarial --adv-steps 0 --train ve.zst $images -o none
t_exit 2 "no steps of the moves are not the paper's four"

# Rates, freezing, early stop.
t_run $finetune -t pair --train pair.zst --layer-decay 0.5 --head-lr 3 --freeze 1 -o frozen
t_exit 0 "rates by layer"
cat >same.py <<'PY'
import array, json, struct, sys
def load(p):
    d = open(p + "/model.safetensors", "rb").read(); n = struct.unpack("<Q", d[:8])[0]; h = json.loads(d[8:8 + n])
    return {k: d[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]] for k, v in h.items() if k != "__metadata__"}
a, b = load("model"), load(sys.argv[1])
for k in sorted(set(a) & set(b)):
    moved = max(abs(x - y) for x, y in zip(array.array("f", a[k]), array.array("f", b[k])))
    print(k, "same" if a[k] == b[k] else "other", round(moved / 1e-3, 2)) # in learning rates
PY
python3 same.py frozen >same.txt
t_ok "frozen layers stay" sh -c 'grep -E "embeddings|layer\.0\." same.txt | grep -vq other && ! grep -E "embeddings|layer\.0\." same.txt | grep -q other'
t_ok "the others do not" grep -q "layer.1.*query.weight other" same.txt
t_run $finetune -t pair --train pair.zst --freeze 2 -o frozen-all
python3 same.py frozen-all >same-all.txt
t_ok "of a model whose layers are all frozen the poolers learn" sh -c 'grep -q "text_pooler.*weight other" same-all.txt && ! grep -E "embeddings|layer" same-all.txt | grep -v lm_head | grep -q other'
t_run unimo-finetune -m model -t retrieval --train corpus/train.pairs.zst $images --negatives 2 --weight-decay 0 --lr 1e-3 --layer-decay 0.5 --head-lr 3 --rows 128 --steps 1 --precision f32 -o rated
python3 same.py rated >moved.txt
t_ok "each layer has half of the rate of the next, the heads thrice the rate" sh -c 'grep -qx "unimo.embeddings.word_embeddings.weight other 0.25" moved.txt && grep -qx "unimo.encoder.layer.0.output.LayerNorm.weight other 0.5" moved.txt && grep -qx "unimo.encoder.layer.1.output.LayerNorm.weight other 1.0" moved.txt && grep -qx "unimo.text_pooler.dense.weight other 1.0" moved.txt && grep -qx "match_head.weight other 3.0" moved.txt'
t_run $finetune -t pair --train pair.zst --patience 2 -o early
t_exit 2 "an early stop goes by held-out examples"
t_run $finetune -t pair --train pair.zst --dev pair.zst --lr -0.5 -o early
t_exit 2 "less than nothing is no rate"
t_err "^unimo-finetune: --lr \"-0.5\": not a number from 0 to 10, nor -1$"
t_run $finetune -t pair --train pair.zst --dev pair.zst --lr 0 --steps 40 --patience 2 --log-every 4 -o early
t_exit 0 "no better model for two measurements"
t_ok "ends the training" sh -c '[ "$(jq -s "map(select(.accuracy)) | last.step" log)" = 6 ]'
t_ok "whose last steps are in the log, too" sh -c '[ "$(jq -cs "map(select(.lr).step)" log)" = "[4,6]" ]'
t_run $finetune -t pair --train pair.zst --dev pair.zst --lr 0 --steps 40 --patience 2 --resume -o early
t_exit 0 "and so it stays when resumed"
t_done
