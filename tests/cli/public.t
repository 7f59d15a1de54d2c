#!/bin/bash
# Every task of the paper from made-up files of its public form: imported, tokenized, trained, resumed, predicted, scored, exported.
. "$(dirname "$0")/../lib/lib.sh"

command -v python3 >/dev/null || t_skip_all "python3 is not installed"
import=$top/scripts/import
python3 "$top/tests/lib/public_files.py" data || t_skip_all "python3 failed"
cd data || exit 1
has_metric() { unimo-score --help | grep -E 'metrics LIST|^  {20}' | tr ',;' '  ' | grep -qw "$1"; }

# Importers: how many records, and one of them.
imported() { # NAME RECORDS FILTER COMMAND...
    local name=$1 n=$2 filter=$3
    shift 3
    t_run "$@"
    cp "$out" "$name.jsonl"
    t_exit 0 "$name is imported"
    t_ok "$name: $n records with what they had" jq -se "length == $n and ($filter)" "$name.jsonl"
}
imported coco-train 16 '.[0] == {id: "0", image: "1", text: .[0].text} and .[14].id == "14"' "$import/karpathy" --image %d dataset_coco.json train
imported coco-dev 4 'all(.image | test("^(9|10)$"))' "$import/karpathy" --image %d dataset_coco.json val
imported coco-test 2 'all((.image | test("^(11|12)$")) and .id == .image and (.refs | length) == 2)' "$import/karpathy" --image %d --by-image dataset_coco.json test
imported coco-train-files 16 '.[0].image == "COCO_train2014_000000000001"' "$import/karpathy" dataset_coco.json train
imported coco-dev-files 4 'all(.image | test("^COCO_train2014_0{9}0(09|10)$"))' "$import/karpathy" dataset_coco.json val
imported coco-test-files 2 'all(.id == .image)' "$import/karpathy" --by-image dataset_coco.json test
imported flickr-train 14 '.[0].image == "100000"' "$import/karpathy" dataset_flickr30k.json train
imported flickr-uniter 14 '.[0].image == "flickr30k_000000100000"' "$import/karpathy" --image flickr30k_%012d dataset_flickr30k.json train
imported flickr-dev 6 'all(.text | length > 5)' "$import/karpathy" dataset_flickr30k.json val
imported captions-uniter 12 '.[0].image == "coco_train2014_000000000001"' "$import/coco-captions" --image %l captions_train2014.json
imported captions 12 '.[0].id == "100" and .[0].image == "COCO_train2014_000000000001" and all(.text | endswith("."))' "$import/coco-captions" captions_train2014.json
imported vqa-files 12 '.[0].image == "COCO_train2014_000000000001"' "$import/vqa" questions.json annotations.json
imported vqa 12 '.[0].id == "1000" and .[0].image == "1" and all(.answers[0] == .label and .answers[1] == "don'"'"'t know" and .answers[2] == .label)' \
    "$import/vqa" --image %d questions.json annotations.json
imported vqa-test 12 '.[0].id == "12000" and (.[0] | has("label") | not)' "$import/vqa" --image %d questions.json
imported snli-ve 9 '.[0] == {id: "100000.jpg#0r1e", image: "100000", text: .[0].text, label: "entailment"}' "$import/snli-ve" snli_ve.jsonl
imported snli-ve-named 9 '.[0].image == "f/0000100000.jpg"' "$import/snli-ve" --image f/%010d.jpg snli_ve.jsonl
imported sst2 12 '.[3] == {id: "3", text: "a \"charming and moving film 3 ", label: "1"}' "$import/glue" sst2 SST-2-train.tsv
imported sst2-test 4 '.[3].id == "3" and (.[0] | has("label") | not)' "$import/glue" sst2 SST-2-test.tsv
imported cola 12 '.[1].text == "The dog sleeps." and .[0].label == "0"' "$import/glue" cola CoLA-train.tsv
imported mnli 12 '.[1].text_pair == "A dog is blue." and .[1].label == "contradiction"' "$import/glue" mnli MNLI-train.tsv
imported stsb 12 '.[1].label == 0.4' "$import/glue" stsb STS-B-train.tsv
imported gigaword 12 '.[11].id == "11" and all(.target | endswith(" seen"))' "$import/parallel" train.src train.tgt
imported unilm-qg 12 'all(.text_pair as $a | .text | contains($a) and (contains("SEP") | not)) and (map(.source) | unique | length) == (map([.text, .text_pair]) | unique | length)' "$import/parallel" --split ' [SEP] ' qg.src train.tgt
jq -c '{id, pred: .target}' unilm-qg.jsonl >unilm-qg.pred
t_run unimo-score -m bleu --prepare qg --field target unilm-qg.pred unilm-qg.jsonl
t_exit 0 "UniLM's questions are grouped by what they ask about"
imported cnndm 12 'all((.target | test(" \\[X_SEP\\] it was ")) and (.text | test("^The .* \\. It was .* \\.$")))' "$import/cnndm" stories list.txt
imported squad-qg 12 '.[0].id == "Things-0" and all(.target | endswith("?"))' "$import/squad-qg" --titles titles.txt squad.json
imported coqa 24 '.[1].id == "story0#2" and (.[1].turns | length) == 3 and (.[1].refs | length) == 2' "$import/coqa" coqa.json
jq '.data[1].title = "Beyonc\u00e9 things"' squad.json >named.json
printf 'Beyonc%%C3%%A9_things\r\n\n' >named.txt
imported squad-named 12 'all(.id | startswith("Other things-"))' "$import/squad-qg" --titles named.txt named.json
gzip -k squad.json
t_run "$import/squad-qg" --titles titles.txt squad.json.gz
t_same "$out" squad-qg.jsonl "gzip files are read too"

# Answers are normalised as predictions are by the metric, oddities of its list of contractions included.
jq -c '.annotations |= map(.answers |= map(.answer = (["lets go", "somebody'"'"'d", "Couldnt'"'"'ve a dog", "couldntve", "im", "two, 2,000", "none", "a.b.", "dont", "ow'"'"'s'"'"'at"][.answer_id - 1])))' annotations.json >odd.json
imported odd-answers 12 '.[0].answers == ["lets go", "somebodyd", "couldn'"'"'t'"'"'ve dog", "couldntve", "im", "2 2000", "0", "ab", "don'"'"'t", "'"'"'ow'"'"'s'"'"'at"]' "$import/vqa" questions.json odd.json

printf 'a \rb\nc\r\n' >cr.src
printf 'one\ntwo\n' >cr.tgt
imported returns 2 '.[1] == {id: "1", text: "c", target: "two"} and .[0].text == "a \rb"' "$import/parallel" cr.src cr.tgt

# Large files need no memory: some 20 MB in 64.
python3 -c '
import json
x = json.load(open("dataset_coco.json"))
x["images"] = [dict(y, filename=f"{k}-{n}.jpg") for n in range(4000) for k, y in enumerate(x["images"])]
json.dump(x, open("large.json", "w"))
x = json.load(open("squad.json"))
x["data"] = [dict(y, title=str(n)) for n in range(5000) for y in x["data"]]
json.dump(x, open("large-squad.json", "w"))'
t_ok "a large file" [ "$(stat -c %s large-squad.json)" -gt 15000000 ]
t_ok "of images is read piece by piece" sh -c 'ulimit -v 65536 && "$1" large.json train | tail -n 1 | grep -q "7-3999"' sh "$import/karpathy"
t_ok "of articles, too" sh -c 'ulimit -v 65536 && "$1" large-squad.json | wc -l | grep -qx 120000' sh "$import/squad-qg"
rm large*.json

# The authors' own lines.
imported unimo-flickr 12 '.[0] == {id: "0", image: "100000", tokens: [4, 5, 6, 7, 8]}' "$import/unimo-lines" flickr-captions unimo-flickr.txt
imported unimo-ve 12 '.[1].label == "1"' "$import/unimo-lines" snli-ve unimo-ve.txt
imported unimo-coco 12 '.[0].image == "COCO_train2014_000000000001" and .[0].units == [0, 1, 0, 0, 1]' "$import/unimo-lines" coco unimo-coco.txt
imported unimo-objects 12 '.[0].tags_tokens == [7, 8]' "$import/unimo-lines" coco-objects unimo-objects.txt
imported unimo-class 12 '.[1] == {id: "q1", text: "some text 1", label: "1"}' "$import/unimo-lines" classification unimo-class.tsv
{ printf 'text_a\ttext_b\tlabel\n' && for i in $(seq 9); do printf 'a dog runs\ta %s runs\t%d.%d00\n' $i $((i % 5)) $i; done; } >unimo-numbers.tsv
imported unimo-numbers 9 '.[0].label == "1.100"' "$import/unimo-lines" classification unimo-numbers.tsv
imported unimo-seq2seq 12 '.[7].tokens[0] == 5 and (.[0].text_pair_tokens | length) == 1' "$import/unimo-lines" seq2seq --vocab unimo.vocab.txt unimo-seq2seq.tsv
imported unimo-dialog 12 '(.[0].turns_tokens | map(length)) == [2, 1, 1]' "$import/unimo-lines" seq2seq --vocab unimo.vocab.txt unimo-dialog.tsv

# Features.
for form in bua unimo; do
    t_run unimo-regionfeat --from $form -o $form.zst $form.tsv
    t_exit 0 "features: $form"
done
for of in coco:unimo-coco ve:unimo-ve; do
    kind=${of%:*}-features
    "$import/unimo-lines" ${kind/#ve/snli-ve} ${of#*:}.txt >${of#*:}.features
    t_run unimo-view --pack -o ${of#*:}.zst ${of#*:}.features
    t_exit 0 "features in lines with texts: ${of#*:}"
    unimo-view --tensor features ${of#*:}.zst >${of#*:}.values
    unimo-view --tensor features bua.zst >bua.values
    t_same bua.values ${of#*:}.values "with the same numbers"
done
# What is not as it should be is one line.
fails() { # WHAT REGEX COMMAND...
    local what=$1 regex=$2
    shift 2
    t_run "$@"
    t_fails "$what"
    t_err "$regex"
}
head -c 900 dataset_coco.json >cut.json
fails "a file that ends early" 'cut.json' "$import/karpathy" cut.json train
fails "another file" 'images' "$import/karpathy" squad.json train
fails "a missing file" 'No such file' "$import/coqa" nowhere.json
fails "a form of images' names without the image" 'expected %s, %l, %d' "$import/karpathy" --image x dataset_coco.json train
fails "a form that there is not" 'expected %s, %l, %d' "$import/vqa" --image %s%x questions.json
sed 's/Flickr30K_ID": "1[0-9]*"/Flickr30K_ID": "x"/' snli_ve.jsonl >unnumbered.jsonl
fails "an image without a number" "unnumbered.jsonl: item 1: no number at the end of 'x'" "$import/snli-ve" --image %d unnumbered.jsonl
fails "a question without annotation" 'questions.json' sh -c 'jq "del(.annotations[0])" annotations.json >fewer.json; "$1" questions.json fewer.json >/dev/null' sh "$import/vqa"
head -c 900 annotations.json >cut-annotations.json
fails "annotations that end early, said of them" '^vqa: cut-annotations.json: ' sh -c '"$1" questions.json cut-annotations.json >/dev/null' sh "$import/vqa"
jq 'del(.annotations[3].answers)' annotations.json >silent.json
fails "an annotation without answers" "^vqa: silent.json: item 4: no 'answers'" sh -c '"$1" questions.json silent.json >/dev/null' sh "$import/vqa"
{ for _ in $(seq 2000); do echo a good line; done && printf 'bad \377\n'; } >latin.src
tr -d '\377' <latin.src >latin.tgt
fails "a file that is not UTF-8, not the one beside it" '^parallel: latin.src: ' sh -c '"$1" latin.src latin.tgt >/dev/null' sh "$import/parallel"
fails "fewer targets than sources" 'train.part: 3 lines' sh -c 'head -3 train.tgt >train.part; "$1" train.src train.part >/dev/null' sh "$import/parallel"
fails "an unknown task" 'expected one of' "$import/glue" sst3 SST-2-train.tsv
fails "a row with too few columns" 'line 3' sh -c 'sed 3s/.1$// SST-2-train.tsv >short.tsv; "$1" sst2 short.tsv >/dev/null' sh "$import/glue"
fails "a row with too many columns" 'line 3: 3 columns .expected 2' sh -c 'sed "3s/ /	/" SST-2-train.tsv >long.tsv; "$1" sst2 long.tsv >/dev/null' sh "$import/glue"
fails "a score that is no number" "line 3: 'nan' is no score" sh -c 'sed "3s/[0-9.]*$/nan/" STS-B-train.tsv >unscored.tsv; "$1" stsb unscored.tsv >/dev/null' sh "$import/glue"
printf 'Things\nOther_things\nAbsent\n' >absent.txt
fails "a title that is in no file" '^squad-qg: absent.txt: 1 of 3 titles are in no file .the first: .Absent..$' sh -c '"$1" --titles absent.txt squad.json >/dev/null' sh "$import/squad-qg"
fails "an option that there is not" '--split' "$import/karpathy" --split x y
for s in "$import"/* "$top"/scripts/export/*; do
    [[ $s == *.py ]] && continue
    t_run "$s" --help
    t_exit 0 "${s##*/} says how it is used"
    t_out "^usage: "
done

# A model for all of them.
cat >tiny.json <<'J'
{"model_type": "unimo", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 320,
 "max_position_embeddings": 66, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "unk_token_id": 3, "mask_token_id": 319,
 "image_feature_size": 16, "image_class_size": 8, "max_regions": 12, "max_text": 64, "label_hidden": 0}
J
unimo-tokenize --learn --vocab-size 320 -F text,target -o vocabulary coco-train.jsonl gigaword.jsonl squad-qg.jsonl 2>/dev/null
for f in *.jsonl; do
    case $f in unimo-class.jsonl | unimo-numbers.jsonl) ;; unimo-*) cp "$f" "${f%.jsonl}.tok" && continue ;; esac
    case $f in snli_ve.jsonl | unnumbered.jsonl | coco-test*.jsonl) continue ;; esac
    unimo-tokenize -m vocabulary -o "${f%.jsonl}.tok" "$f"
done
t_run unimo-pretrain --config tiny.json --vocab vocabulary --pairs coco-train.tok --features bua.zst --rows 200 --steps 2 --cmcl 0 -j 2 -o model
t_exit 0 "a model"

# Trains for four steps; does the last two again; predicts; is scored. Until the scorer has a metric, accuracy or nothing stands for it.
task() { # TASK TRAIN DEV TEST METRIC FIELD [OPTIONS...]
    local task=$1 train=$2 dev=$3 test=$4 metric=$5 field=$6 dir=run-$1-$2
    shift 6
    local images=() learn=()
    [[ " $* " == *" --images "* ]] && images=(--images "${@: -1}")
    [ $task = stsb ] && ! has_metric pearson || learn=(--dev $dev.tok --eval-every 2)
    learn=(unimo-finetune -t $task -m model --train $train.tok "${learn[@]}" --rows 200 --lr 1e-3 --steps 4 --save-every 2 --keep 2 -j 2 --resume -o $dir "$@")
    t_run "${learn[@]}"
    t_exit 0 "$task learns from $train"
    mv $dir/checkpoints/step-000000004 whole
    t_run "${learn[@]}"
    t_same whole/model.safetensors $dir/checkpoints/step-000000004/model.safetensors "and resumes to the same bytes"
    rm -r whole
    [ -f $test.tok ] || cp $test.jsonl $test.tok
    t_run unimo-predict -m $dir "${images[@]}" -o $dir.pred $test.tok
    t_exit 0 "and predicts"
    jq -c "{id, refs: (.refs // (if .$field | type == \"array\" then .$field else [.$field] end) | map(tostring))}" $test.jsonl >$dir.refs
    [ $task != stsb ] || has_metric $metric || return
    has_metric $metric || metric=accuracy
    t_run unimo-score --metrics $metric $dir.pred $dir.refs
    t_exit 0 "and is scored by $metric"
}
task vqa vqa vqa vqa vqa answers --min-answers 1 --images bua.zst
task captioning coco-train coco-dev coco-test bleu refs --max-length 8 --images bua.zst
task entailment snli-ve snli-ve snli-ve accuracy label --images unimo.zst
task sst2 sst2 sst2 sst2 accuracy label
task mnli mnli mnli mnli accuracy label
task cola cola cola cola matthews label
task stsb stsb stsb stsb pearson label
task cnndm cnndm cnndm cnndm bleu target --min-length 1 --max-length 8
task gigaword gigaword gigaword gigaword bleu target --min-length 1 --max-length 8
task squad-qg squad-qg squad-qg squad-qg bleu target --min-length 1 --max-length 8
task coqa coqa coqa coqa bleu target --max-length 8
task stsb unimo-numbers unimo-numbers unimo-numbers pearson label
task captioning unimo-coco coco-dev-files coco-test-files bleu refs --max-length 8 --images unimo-coco.zst
task generate unimo-seq2seq gigaword gigaword bleu target --max-length 8
task coqa unimo-dialog coqa coqa bleu target --max-length 8
t_run unimo-finetune -t retrieval -m model --train flickr-train.tok --dev flickr-dev.tok --negatives 2 --rows 200 --steps 2 -j 2 --images unimo.zst -o retrieval
t_exit 0 "retrieval learns"
unimo-predict -m retrieval --images unimo.zst -o retrieval.pred flickr-dev.tok
t_run unimo-score --metrics retrieval --images unimo.zst retrieval.pred
t_exit 0 "and is scored"

# What servers take.
export=$top/scripts/export
unimo-predict -m run-vqa-vqa --images bua.zst vqa-test.tok | "$export/vqa" >vqa.json
t_ok "VQA's form" jq -e 'length == 12 and all(keys == ["answer", "question_id"] and (.question_id | type == "number")) and .[0].question_id == 12000' vqa.json
"$export/coco" run-captioning-coco-train.pred >coco.json
t_ok "COCO's form" jq -e 'length == 2 and .[0].image_id == 11 and all(.caption | type == "string")' coco.json
"$export/coqa" run-coqa-coqa.pred >coqa.out
t_ok "CoQA's form" jq -e 'length == 24 and .[1].id == "story0" and .[1].turn_id == 2' coqa.out
unimo-predict -m run-sst2-sst2 -o sst2.pred sst2-test.tok
t_run "$export/glue" glue.zip SST-2=sst2.pred STS-B=run-stsb-stsb.pred
t_exit 0 "GLUE's zip"
t_ok "with its tables" python3 -c '
import zipfile
z = zipfile.ZipFile("glue.zip")
assert z.namelist() == ["SST-2.tsv", "STS-B.tsv"]
rows = z.read("SST-2.tsv").decode().split("\n")
assert rows[0] == "index\tprediction" and len(rows) == 6 and all(r.split("\t")[1] in ("0", "1") for r in rows[1:5])'
cp glue.zip first.zip
"$export/glue" glue.zip SST-2=sst2.pred STS-B=run-stsb-stsb.pred
t_same first.zip glue.zip "the same bytes again"
t_run "$export/glue" SST-2=sst2.pred CoLA=sst2.pred
t_exit 2 "no file to write to"
t_run "$export/glue" x.zip SST-3=sst2.pred
t_fails "a table that GLUE has not"
t_run "$export/vqa" sst2.tok
t_fails "records without predictions"
printf '{"id":"0","pred":1.5}\n{"id":"1","pred":"nan"}\n' >nan.pred
t_run "$export/glue" x.zip STS-B=nan.pred
t_fails "a score that is none"
t_err "nan.pred: index 1: 'nan' is no score"
printf '{"id":"COCO_val2014_000000000042","pred":"a cat"}\n{"id":"dogs/42","pred":"a dog"}\n' >twice.pred
t_run "$export/coco" twice.pred
t_exit 1 "two captions of one image"
t_err 'image_id 42: two predictions'
printf '{"id":"a#1","pred":"x"}\n{"id":"b#1","pred":"y"}\n{"id":"a#1","pred":"z"}\n' | "$export/coqa" - >coqa.twice 2>coqa.err
t_ok "two answers of one turn, not of two" grep -q 'id a, turn_id 1: two predictions' coqa.err
t_done
