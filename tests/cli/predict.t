#!/bin/bash
# unimo-predict on one record of the command line, and what words looked at.
. "$(dirname "$0")/../lib/lib.sh"
. "$top/tests/lib/corpus.sh"

corpus >corpus.log 2>&1 || { t_last=corpus; cp corpus.log "$err"; }
unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst --rows 256 --lr 1e-3 --steps 3 -j 2 -o model 2>/dev/null
images="--images corpus/train.regions.zst"
finetune="unimo-finetune -m model --rows 256 --lr 1e-3 --steps 3 -j 2"
$finetune -t captioning --train corpus/train.pairs.zst $images --max-length 9 -o captioning
$finetune -t entailment --train corpus/train.entailment.zst $images -o entailment
$finetune -t retrieval --train corpus/train.pairs.zst $images --negatives 2 -o retrieval
unimo-view corpus/train.entailment.zst | jq -c '{id, text, text_pair: .text, turns: [.text, .label, .id], target: .text, label: .label}' >texts.jsonl
unimo-tokenize -m corpus/vocabulary -o texts.zst texts.jsonl
$finetune -t pair --train texts.zst -o pair
$finetune -t coqa --train texts.zst --max-length 6 -o coqa
jpeg=scenes/$(unimo-view -n 1 scenes/test.jsonl.zst | jq -r .image)
id=$(basename "$jpeg" .jpg)
statement="There is a red ball."

# The same as by the long way.
unimo-regionfeat --max-boxes 12 --feature-dtype f32 -o long.zst "$jpeg"
t_run unimo-predict -m captioning --image "$jpeg" --max-boxes 12
t_exit 0 "a caption for a JPEG"
cp "$out" one
unimo-predict -m captioning --plain long.zst >two
t_same one two "as through unimo-regionfeat"
t_run unimo-predict -m entailment --image "$jpeg" --text "$statement" --max-boxes 12
t_exit 0 "a label for a JPEG and a text"
cp "$out" one
jq -nc --arg text "$statement" --arg image "$id" '{id: "1", image: $image, text: $text}' | unimo-tokenize -m corpus/vocabulary | unimo-predict -m entailment --images long.zst --plain >two
t_same one two "as through unimo-regionfeat and unimo-tokenize"
t_run unimo-predict -m pair --text "$statement" --text-pair "a ball"
t_ok "two texts" jq -e '.probs | length == 3' "$out"
t_run unimo-predict -m coqa --text "$statement" --turn "What is there?" --turn "a ball" --turn "Which colour?"
t_ok "a question in a conversation" jq -e '.pred | type == "string"' "$out"
long=$(printf 'a red ball %.0s' $(seq 40))
for q in "$long" "blue $long"; do unimo-predict -m coqa --text "$statement" --turn "$q" | jq .score; done >asked
t_ok "a question that is too long is seen from its beginning on" [ "$(sort -u asked | wc -l)" = 2 ]
t_run unimo-predict -m retrieval --text "$statement" --images corpus/test.regions.zst
t_ok "images for a text" jq -e '(.images | length) == 6 and .scores == (.scores | sort | reverse)' "$out"
t_run unimo-predict -m retrieval --text "$statement" --image "$jpeg"
t_ok "the score of one pair" jq -e '.images == ["'"$id"'"]' "$out"
t_run unimo-predict -m model -t embed --text "$statement" -o vector.zst
t_ok "a vector" sh -c '[ "$(unimo-view --tensor embedding vector.zst | wc -w)" = 32 ]'

# What words looked at.
t_run unimo-predict -m captioning --image "$jpeg" --max-boxes 12 --explain seen
t_exit 0 "--explain"
t_ok "says for each word of the caption where it looked" jq -e '([.looked_at[].word] | join("")) == (.pred | gsub(" "; ""))
    and all(.looked_at[]; .image >= 0 and .image <= 1 and (.regions | length) == 3 and (.regions | map(.share) | add) <= 1.001 and (.regions[0].class | type) == "string")' "$out"
t_ok "and draws it" sh -c '[ "$(head -c 2 "seen/$1.jpg" | od -An -tx1 | tr -d " ")" = ffd8 ]' sh "$id"
unimo-regionfeat --max-boxes 12 -o scenes/regions.zst scenes/dev.jsonl.zst
unimo-tokenize -m corpus/vocabulary -o dev.entailment.zst scenes/dev.entailment.jsonl.zst
t_run unimo-predict -m entailment --images scenes/regions.zst --explain folder -n 5 --plain dev.entailment.zst
t_exit 0 "of the records of a stream"
t_ok "in order, each with its own" sh -c '[ "$(jq -r .id "$1")" = "$(unimo-view -n 5 dev.entailment.zst | jq -r .id)" ] && [ "$(ls folder | wc -l)" = 5 ]' sh "$out"
unimo-predict -m entailment --images scenes/regions.zst -n 5 --plain dev.entailment.zst >plain
jq -c 'del(.looked_at)' "$out" >explained
t_same plain explained "and with the same predictions"

cp scenes/regions.zst same.zst
t_run unimo-predict -m entailment --images same.zst -o same.zst dev.entailment.zst
t_err 'same.zst: is both input and output'
t_same scenes/regions.zst same.zst "region features are no place for predictions"
cp seen/*.jpg picture.jpg
t_run unimo-predict -m captioning --image picture.jpg --max-boxes 12 --explain .
t_err ' \.: is both input and output'
t_same seen/*.jpg picture.jpg "nor is a picture's folder one for drawings"

# Pictures are relative to the folder of the file with their regions; none is drawn over, whatever record's drawing it would be.
t_run unimo-predict -m captioning --explain captioned -n 2 --plain scenes/regions.zst
t_exit 0 "pictures of region features that are the input"
t_ok "all are drawn" [ "$(ls captioned | wc -l)" = 2 ]
mkdir -p away/first away/second
unimo-view -n 2 scenes/test.jsonl.zst >pictures
cp "scenes/$(sed -n 1p pictures | jq -r .image)" away/first/b.jpg
cp "scenes/$(sed -n 2p pictures | jq -r .image)" away/second/a.jpg
printf '{"id":"%s","image":"%s"}\n' a first/b.jpg b second/a.jpg >away/pictures.jsonl
unimo-regionfeat --max-boxes 12 -o away/regions.zst away/pictures.jsonl
printf '{"id":"%s/x","image":"%s","text":"There is a ball."}\n' a a b b | unimo-tokenize -m corpus/vocabulary -o away.zst
t_run unimo-predict -m entailment --images scenes/regions.zst --images away/regions.zst --explain looked --plain away.zst
t_exit 0 "and of the second of two files"
cp away/second/a.jpg kept.jpg
mkdir drawings
ln away/second/a.jpg drawings/a.jpg
t_run unimo-predict -m captioning --skip-bad --explain drawings --plain away/regions.zst
t_fails "a picture under the name of another record's drawing"
t_err 'unimo-predict: away/second/a.jpg: is both input and output'
t_same kept.jpg away/second/a.jpg "stays as it is"
rm away/second/a.jpg
t_run unimo-predict -m captioning --explain no --plain away/regions.zst
t_fails "a picture that is missing"
t_err '^unimo-predict: away/regions.zst: record 2: away/second/a.jpg: is not there'
t_ok "is told before anything is drawn" [ ! -e no ]
t_run unimo-predict -m captioning --skip-bad --explain first --plain away/regions.zst
t_ok "or skipped" sh -c '[ "$1" = 0 ] && [ "$(jq -r .id "$2")" = a ] && ls first | grep -qx a.jpg && grep -q "1 records without a picture skipped" "$3"' sh "$rc" "$out" "$err"
head -c 400 drawings/a.jpg >away/second/a.jpg
t_run unimo-predict -m captioning --skip-bad --explain first --plain away/regions.zst
t_ok "as one that is broken" sh -c '[ "$1" = 0 ] && [ "$(jq -r .id "$2")" = a ] && grep -q "1 records without a picture skipped .*away/second/a.jpg" "$3"' sh "$rc" "$out" "$err"
mv away/first/b.jpg away/b.jpg
t_run unimo-predict -m captioning --skip-bad --explain first --plain away/regions.zst
t_fails "but not all records are"
mv away/b.jpg away/first/b.jpg
cp kept.jpg away/second/a.jpg
{ unimo-view -n 1 away.zst && echo '{"id":' && unimo-view away.zst | tail -n 1; } >broken.jsonl
t_run unimo-predict -m entailment --images away/regions.zst --skip-bad --explain looked --plain broken.jsonl
t_ok "records that are passed over are not explained" sh -c '[ "$1" = 0 ] && [ "$(wc -l <"$2")" = 2 ] && [ "$(grep -c "1 records skipped" "$3")" = 1 ]' sh "$rc" "$out" "$err"

# A model in use is mapped; one that is cut short meanwhile is an error as others are.
cp -r model cut
mkfifo records
unimo-predict -m cut -t embed -o cut.zst records 2>"$err" &
predict=$!
exec 5>records
for _ in $(seq 2000); do grep -q cut/model.safetensors /proc/$predict/maps 2>/dev/null && break; sleep 0.01; done
t_ok "a model is mapped" grep -q cut/model.safetensors /proc/$predict/maps
: >cut/model.safetensors
jq -nc '{id: "1", text: "", tokens: [300, 301]}' >&5
exec 5>&-
rc=0 t_last="unimo-predict -m cut"
wait $predict || rc=$?
t_fails "cut short under it, it ends the program"
t_err '^unimo-predict: a file in use was cut short'
t_ok "and nothing is left of the output" sh -c '[ -z "$(ls -A | grep cut.zst)" ]'

t_run env UNIMO_CPU=v9 unimo-predict -m entailment --images corpus/test.regions.zst corpus/test.pairs.zst
t_fails "a level that no processor has"
t_err 'UNIMO_CPU: "v9": no level'
t_run env UNIMO_CPU= unimo-predict -m entailment --images corpus/test.regions.zst --plain -n 1 corpus/test.pairs.zst
t_exit 0 "an empty one is none"

# A prediction without its example's id is worth nothing.
unimo-view -n 2 corpus/test.pairs.zst | jq -c '.id = input_line_number' >numbered.jsonl
t_run unimo-predict -m entailment --images corpus/test.regions.zst numbered.jsonl
t_err '^unimo-predict: numbered.jsonl: record 1: "id" is not a string$'
unimo-view -n 2 corpus/test.pairs.zst | jq -c 'if input_line_number == 1 then del(.id) else . end' >numbered.jsonl
t_run unimo-predict -m entailment --images corpus/test.regions.zst --skip-bad --plain numbered.jsonl
t_ok "--skip-bad takes the others" jq -e '.id | length > 0' "$out"
t_err '1 records skipped \(first: numbered.jsonl: record 1: no "id" \(a string was expected\)\)'
unimo-view -n 2 corpus/test.pairs.zst | jq -c 'del(.id)' >numbered.jsonl
t_run unimo-predict -m entailment --images corpus/test.regions.zst --skip-bad -o none.zst numbered.jsonl
t_exit 1 "but where it leaves none, that is an error"
t_err '^unimo-predict: every record was skipped'
t_ok "and nothing is written" [ ! -e none.zst ]

# A long run that is killed goes on where it was.
pairs="corpus/train.pairs.zst corpus/test.pairs.zst"
all="unimo-predict -m retrieval --images corpus/test.regions.zst --images corpus/train.regions.zst --images corpus/dev.regions.zst --append -j 1 --rows 1"
t_run $all -o whole.zst $pairs
t_exit 0 "many texts with many images"
for try in 1 2 3 4 5; do
    rm -f part.zst part.zst.partial
    $all -o part.zst $pairs 2>/dev/null &
    for _ in $(seq 2000); do [ "$(stat -c %s part.zst.partial 2>/dev/null || echo 0)" -gt 4000 ] && break; sleep 0.002; done
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
    [ -f part.zst.partial ] && break
done
t_ok "killed in the middle, it leaves a part" [ -f part.zst.partial ]
t_run $all -o part.zst $pairs
t_exit 0 "which is gone on with"
t_same whole.zst part.zst "to the same bytes"
cp -r retrieval changing
grow="unimo-predict -m changing --images same.zst --append -o grown.zst corpus/test.pairs.zst"
cp corpus/test.regions.zst same.zst
t_run $grow
t_exit 0 "predictions of a model"
$finetune -t retrieval --train corpus/train.pairs.zst $images --negatives 2 --seed 2 -o again
cp again/model.safetensors changing
t_run $grow
t_fails "are not gone on with by another one of its name"
t_err '^unimo-predict: grown.zst.partial: was begun by another program, with other options or from other data'
cp retrieval/model.safetensors changing
t_run $grow
t_exit 0 "but by the same"
cp corpus/train.regions.zst same.zst
t_run $grow
t_fails "nor with other images of that name"
t_run unimo-predict -m retrieval --images corpus/test.regions.zst --append --plain -o x corpus/test.pairs.zst
t_exit 2 "--append needs a stream"

# What does not fit.
usage() { # REGEX OPTIONS...
    local regex=$1
    shift
    t_run unimo-predict "$@"
    t_exit 2 "refused: ${*: -3}"
    t_err "$regex"
}
usage 'command line already' -m pair --text a texts.zst
usage '--image: is required for entailment' -m entailment --images corpus/test.regions.zst --text a
usage '--text: is required for entailment' -m entailment --image "$jpeg"
usage 'goes with --text' -m pair --text-pair a
usage '--text: is required for entailment' -m entailment --image "$jpeg"
usage '--image: is required for entailment' -m entailment --text a
usage '--image: is required for captioning' -m captioning --text a
usage '--temperature: goes with --samples' -m captioning --temperature 2 scenes/regions.zst
usage '--seed: goes with --samples' -m captioning --seed 2 scenes/regions.zst
usage '--max-boxes: goes with --image' -m captioning --max-boxes 36 scenes/regions.zst
usage 'does not go with --images' -m captioning --image "$jpeg" --images long.zst
usage 'reads its input twice' -m captioning --explain x -
usage 'one by one' -m model -t embed --explain x --text a
usage '--choice: means nothing to pair' -m pair --choice text texts.zst
usage '--n-best: means nothing to pair' -m pair --n-best 2 texts.zst
usage '--beam: means nothing to retrieval' -m retrieval --images corpus/test.regions.zst --beam 2 corpus/test.pairs.zst
usage '--candidates: means nothing to embed' -m model -t embed --candidates 2 corpus/test.pairs.zst
usage '--turn: means nothing to pair' -m pair --text a --text-pair b --turn c
usage '--n-best: does not go with --choice' -m retrieval --images corpus/test.regions.zst --choice text --n-best 2 corpus/test.pairs.zst
usage 'not UTF-8' -m pair --text $'\xff'
t_run unimo-predict -m captioning --image nowhere.jpg
t_fails "a picture that is not there"
t_err '^unimo-predict: nowhere.jpg: cannot open'
t_run unimo-predict -m captioning --image texts.jsonl
t_fails "what is no picture"
t_run unimo-predict -m pair --text "$statement" --text-pair b --explain x
t_fails "words without an image"
t_run unimo-predict -m entailment --images corpus/train.regions.zst --explain x -n 1 corpus/train.entailment.zst
t_fails "pictures that cannot be found"
t_done
