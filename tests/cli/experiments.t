#!/bin/bash
# Each experiment from made-up files under the names of the published ones to the paper's figures beside ours.
. "$(dirname "$0")/../lib/lib.sh"

command -v python3 >/dev/null || t_skip_all "python3 is not installed"
python3 "$top/tests/lib/public_files.py" data || t_skip_all "python3 failed"
cd data || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL T # of the make that runs the tests
BIN=$(dirname "$(command -v unimo-predict)")

# The published names.
glue() { mkdir -p "glue/$1" && cp "$2" "glue/$1/train.tsv" && cp "$2" "glue/$1/$3"; }
glue SST-2 SST-2-train.tsv dev.tsv
glue CoLA CoLA-train.tsv dev.tsv
glue STS-B STS-B-train.tsv dev.tsv
glue MNLI MNLI-train.tsv dev_matched.tsv
cp MNLI-train.tsv glue/MNLI/dev_mismatched.tsv
mkdir news lines squad coqa ve vqa
mkdir news/cnn news/dailymail news/dailymail/stories && cp -r stories news/cnn/stories && mv "$(ls news/cnn/stories/* | head -1)" news/dailymail/stories
for s in train val test; do cp list.txt news/all_$s.txt; done
for s in train dev test; do cp train.src lines/$s.src && cp train.tgt lines/$s.tgt && cp titles.txt squad/doclist-$s.txt && cp snli_ve.jsonl ve/snli_ve_$s.jsonl; done
cp squad.json squad/train-v1.1.json
jq '.data |= map(.title += "!")' squad.json >squad/dev-v1.1.json
cp coqa.json coqa/coqa-train-v1.0.json && cp coqa.json coqa/coqa-dev-v1.0.json
for s in train val; do
    sed "s/train2014/${s}2014/" questions.json >vqa/v2_OpenEnded_mscoco_${s}2014_questions.json
    sed "s/train2014/${s}2014/" annotations.json >vqa/v2_mscoco_${s}2014_annotations.json
done
jq '.questions |= map(.question_id += 1) | .data_subtype = "test-dev2015"' questions.json >vqa/v2_OpenEnded_mscoco_test-dev2015_questions.json
jq '.questions |= map(.question_id += 500000)' vqa/v2_OpenEnded_mscoco_val2014_questions.json >x && mv x vqa/v2_OpenEnded_mscoco_val2014_questions.json
jq '.annotations |= map(.question_id += 500000)' vqa/v2_mscoco_val2014_annotations.json >x && mv x vqa/v2_mscoco_val2014_annotations.json
"$top/scripts/import/unimo-lines" coco-features unimo-coco.txt | unimo-view --pack -o files.zst # images called as their files

cat >tiny.json <<'J'
{"model_type": "unimo", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 320,
 "max_position_embeddings": 66, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "unk_token_id": 3, "mask_token_id": 319,
 "image_feature_size": 16, "image_class_size": 8, "max_regions": 12, "max_text": 64, "label_hidden": 0}
J
"$top/scripts/import/parallel" train.src train.tgt >gigaword.jsonl
unimo-tokenize --learn --vocab-size 320 -F text,target -o vocabulary gigaword.jsonl 2>/dev/null
unimo-tokenize -m vocabulary -o texts.zst gigaword.jsonl
t_run unimo-pretrain --config tiny.json --vocab vocabulary --texts texts.zst --rows 200 --steps 1 --cmcl 0 -j 2 -o model
t_exit 0 "a model"

experiment() { # NAME FOLDER LINES_OF_TABLE ARGUMENT...
    local name=$1 folder=$2 lines=$3
    shift 3
    t_run make -s -f "$top/scripts/experiments/$name.mk" "BIN=$BIN" DATA=$folder MODEL=model T=2 ROWS=200 BATCHES=4 "$@"
    t_exit 0 "$name"
    t_ok "$name: the paper's figures beside ours" awk -F'  +' -v n="$lines" '
        NR == 2 { bad = $3 != "paper" || $4 != "ours" } NR > 2 { rows++; if ($3 !~ /^[0-9.]+$/ || $4 !~ /^-?[0-9.]+$/) bad = 1 }
        END { exit bad || rows != n }' "$out"
}
few='OPTIONS=--steps 2 --lr 1e-3'
short="$few --max-length 6 --min-length 1"
seen="FEATURES=bua.tsv"
one="RATES=1e-3 SEEDS=1"
experiment cnndm news 3 "$short"
experiment gigaword lines 3 "$short"
experiment squad-qg squad 3 "$short"
experiment coqa coqa 1 "$short"
experiment sst2 glue 1 "$few" RATES="1e-3 2e-3" SEEDS="1 2"
t_ok "of several seeds the median and the range" grep -Eq '^dev +accuracy +95.1 +[0-9.]+ +2: [0-9.]+ to [0-9.]+$' "$out"
t_ok "of all combinations" [ "$(ls sst2/runs | wc -l)" = 4 ]
t_ok "which are known to be trained" [ "$(ls sst2/runs/*/trained | wc -l)" = 4 ]
# What is there already is not taken for the product of something else.
again="make -s -f $top/scripts/experiments/sst2.mk BIN=$BIN T=2 ROWS=200 BATCHES=4"
t_run $again DATA=glue MODEL=model "$few --dropout 0.2" RATES=1e-3
t_ok "other options want another folder" sh -c '[ "$1" = 2 ] && grep -q "^sst2/options: is \"OPTIONS=--steps 2 --lr 1e-3\", not .*: set D to another folder$" "$2"' sh "$rc" "$err"
t_run $again DATA=glue MODEL=vocabulary/../model "$few" RATES=1e-3
t_ok "so does another model" sh -c '[ "$1" = 2 ] && grep -q "^sst2/inputs: is \"DATA=glue MODEL=model\", not " "$2"' sh "$rc" "$err"
t_run $again DATA=glue MODEL=model "$few" RATES=1e-3 SEEDS=1
t_ok "fewer seeds make another table" grep -Eq '^dev +accuracy +95.1 +[0-9.]+ +1$' "$out"
t_ok "of the rates that are asked for" grep -q lr1e-3 sst2/best.seed1
experiment cola glue/CoLA 1 "$few" $one
experiment stsb glue/STS-B 1 "$few" $one
experiment mnli glue 2 "$few" $one
experiment snli-ve ve 2 "$few" FEATURES=unimo.tsv FROM=unimo
experiment vqa vqa 1 "$few --min-answers 1" "$seen"
t_ok "vqa: what the server takes" jq -e 'length == 12 and all(has("answer"))' vqa/test-dev.submission
mkdir cut && cp vqa/*.json cut
head -c 2500 vqa/v2_mscoco_val2014_annotations.json >cut/v2_mscoco_val2014_annotations.json
t_run make -s -f "$top/scripts/experiments/vqa.mk" "BIN=$BIN" DATA=cut MODEL=model "$seen" D=cut cut/train.jsonl
t_ok "vqa: annotations that end early end it" sh -c '[ "$1" != 0 ] && grep -q "^vqa: cut/v2_mscoco_val2014_annotations.json: " "$2"' sh "$rc" "$err"
t_ok "leave no examples" [ ! -e cut/train.jsonl ]
experiment coco . 2 "$short" "$seen"
experiment coco . 2 "$short" REGIONS=files.zst D=files
t_ok "images are called as in their features" sh -c 'grep -q "\"image\": \"11\"" coco/test.jsonl && grep -q "\"image\": \"COCO_train2014_000000000011\"" files/test.jsonl'
experiment flickr30k . 6 "$few --negatives 2" FEATURES=unimo.tsv FROM=unimo
t_run make -s -f "$top/scripts/experiments/flickr30k.mk" "BIN=$BIN" DATA=. MODEL=model FEATURES=unimo.tsv FROM=unimo zero-shot
t_ok "flickr30k: zero-shot" jq -se 'length == 2 and all(.r1 >= 0)' "$out"

# Before the training; when it was stopped; another row; what is missing.
t_run make -s -f "$top/scripts/experiments/cola.mk" "BIN=$BIN" DATA=glue MODEL=model T=2 BATCHES=4 D=planned --dry-run
t_exit 0 "--dry-run"
for what in steps 'rows in all' "memory of a step's activations" 'time in all here'; do t_out "^$what	"; done
t_ok "one of fifteen trainings, which it does not begin" sh -c 'grep -q "^trainings like this	15$" "$1" && [ ! -d planned/runs ]' sh "$out"
t_run make -s -f "$top/scripts/experiments/sst2.mk" "BIN=$BIN" DATA=glue MODEL=model T=2 BATCHES=4 ROW=base-pairs-only "$few" RATES="1e-3 2e-3" SEEDS="1 2" -W sst2/scores/dev.seed1.json
t_ok "another row of the paper" grep -q ' 82.0 ' "$out"
t_run make -s -f "$top/scripts/experiments/sst2.mk" "BIN=$BIN" DATA=glue
t_ok "without a model it says so" sh -c '[ "$1" = 2 ] && grep -q "MODEL is not set" "$2"' sh "$rc" "$err"
# The job files, with stand-ins for Slurm's commands: a training that is told to stop saves, and the job goes back into the queue.
mkdir standins
printf '#!/bin/sh\necho $$ >rank.pid\nexec "$@"\n' >standins/srun
printf '#!/bin/sh\necho "$@" >>queue\n' >standins/scontrol
printf '#!/bin/sh\n' >standins/sleep
chmod +x standins/*
job() {
    PATH=$PWD/standins:$PATH SLURM_JOB_ID=7 SLURM_NTASKS=1 SLURM_CPUS_PER_TASK=1 bash "$top/scripts/experiments/cola.sbatch" "BIN=$BIN" DATA=glue MODEL=model ROWS=200 BATCHES=4 \
        RATES=1e-3 SEEDS=1 D=jobs "OPTIONS=--steps 2000 --log-every 1 --eval-every 500"
}
ln -s "$top/scripts" scripts # a job starts in the folder of the sources
job >job.log 2>&1 &
for _ in $(seq 500); do ls jobs/runs/*/model.safetensors >/dev/null 2>&1 && break; /bin/sleep 0.02; done
kill -USR1 "$(cat rank.pid)"
wait $!
t_ok "a job that is told to stop goes back into the queue" [ "$(cat queue)" = "requeue 7" ]
t_ok "having saved" grep -q 'saved, run again' job.log
t_run job
t_exit 0 "and ends later"
t_ok "after all of its steps" [ "$(cat jobs/runs/*/log | jq -s last.step)" = 2000 ]
t_ok "with the paper's figure beside ours" grep -q '^dev .* 65.4 ' "$out"
for f in "$top"/scripts/experiments/*.mk; do
    name=$(basename "$f" .mk)
    [ "$name" = experiment ] || t_ok "$name has a job file" grep -q "scripts/experiments/job $name " "${f%.mk}.sbatch"
done
t_done
