#!/bin/bash
# Rewriting: what is added, that it is right and repeatable, translators of every temper, and learnt directories.
. "$(dirname "$0")/../lib/lib.sh"
command -v jq >/dev/null || t_skip_all "jq is not installed"
[ -d /usr/share/wordnet ] || t_skip_all "wordnet-base is not installed"

n=0
pair() { n=$((n + 1)); printf '{"id":"p%d","text":"%s","image":"%s"}\n' $n "$2" "$1"; }
{
    pair i1 "A red car to the left of a blue bus in the city."; pair i1 "A coach near a red automobile in a big city."
    pair i2 "Two brown dogs on the beach."; pair i2 "Brown dogs at the beach."
    pair i3 "A red car to the left of a green truck in the city."; pair i3 "A small dog near a red car in the city."
    pair i4 "An orange cat on a wooden chair."; pair i4 "A cat sitting on a chair."
    pair i5 "A man riding a brown horse in a field."; pair i5 "A woman holding a yellow umbrella in the snow."
    pair i6 "A white airplane above green hills."; pair i6 "A plane flying above the hills."
} >pairs.jsonl
cat >features.jsonl <<'E2'
{"id":"i1","classes":["car","bus"]}
{"id":"i2","classes":["dog","dog"]}
{"id":"i3","classes":["car","truck","dog"]}
{"id":"i4","classes":["cat","chair"]}
{"id":"i5","classes":[]}
E2
for t in "A dog runs on the sand." "Cars and buses fill the city." "Cats sleep on chairs." "The stock market fell."; do n=$((n + 1)); printf '{"id":"t%d","text":"%s"}\n' $n "$t"; done >texts.jsonl

t_run unimo-rewrite --learn -o model --images features.jsonl --texts texts.jsonl pairs.jsonl
t_exit 0 "learning"
t_ok "makes four files" sh -c '[ "$(ls model | tr "\n" " ")" = "captions.safetensors images.safetensors lexicon.json texts.safetensors " ]'
t_run unimo-rewrite --learn -o model3 -j3 --images features.jsonl --texts texts.jsonl pairs.jsonl
t_ok "the same with three threads" diff -r model model3
t_run unimo-view --check model/captions.safetensors
t_exit 0 "an index is a good safetensors file"

t_run unimo-rewrite -m model -o out.zst pairs.jsonl
t_exit 0 "rewriting"
t_run unimo-rewrite -m model -j3 -o out3.zst pairs.jsonl
t_same out.zst out3.zst "the same with three threads"
t_run unimo-rewrite -m model --seed 2 --plain -o other.jsonl pairs.jsonl
unimo-view out.zst >out.jsonl
t_ok "another seed draws others" sh -c '! cmp -s out.jsonl other.jsonl'
t_ok "every pair has every field" jq -se 'all(.[]; has("id") and has("text") and has("image") and has("scene_graph") and has("phrases") and has("positives") and has("negatives") and
    has("related_texts") and has("related_images"))' out.jsonl
t_ok "a graph" jq -se '.[0].scene_graph | .parse == "repaired" and [.objects[].name] == ["car", "bus", "city"] and .objects[0].attributes[0].name == "red" and
    .relations[0] == {subject: 0, relation: "to the left of", object: 1, span: [10, 24]}' out.jsonl
t_ok "spans are of the text" jq -se 'all(.[]; .text as $t | all(.scene_graph.objects[]; .span as $s | $t[$s[0]:$s[1]] | ascii_downcase | startswith("pe") or length > 2))' out.jsonl
t_ok "phrases" jq -se '.[0] | .text as $t | [.phrases[] | . as $p | $t[$p[0]:$p[1]]] == ["red car", "to the left of", "blue bus"]' out.jsonl
t_ok "the other caption of the image is a positive" jq -se '.[0].positives == [{text: "A coach near a red automobile in a big city.", source: "same-image", score: 0.3636}]' out.jsonl
t_ok "negatives of three levels" jq -se '[.[].negatives[].level] | unique == ["phrase", "sentence", "word"]' out.jsonl
t_ok "never the caption or one of its image" jq -se '. as $all | all(.[]; . as $r | [$all[] | select(.image == $r.image) | .text] as $own | all(.negatives[]; .text as $t | $own | index($t) == null))' out.jsonl
t_ok "never twice" jq -se 'all(.[]; [.negatives[].text] | length == (unique | length))' out.jsonl
t_ok "edits say what became what" jq -se '.[0] | .text as $t | [.negatives[] | select(.level == "word")] | length > 3 and all(.[]; . as $n | .edit.span as $s |
    $t[$s[0]:$s[1]] == .edit.from and ($n.text | contains($n.edit.to)))' out.jsonl
t_ok "left becomes right" jq -se '.[0].negatives | any(.text == "A red car to the right of a blue bus in the city.")' out.jsonl
t_ok "no synonym takes a place" jq -se '.[0].negatives | all(.text | contains("automobile to") or contains("blue coach") | not)' out.jsonl
t_ok "a sentence names its source" jq -se '[.[].negatives[] | select(.level == "sentence")] | length > 5 and all(.[]; (.source | startswith("p")) and .score > 0 and .score <= 1)' out.jsonl
t_ok "the nearest text by its words" jq -se '.[2].related_texts[0] == "t13" and .[7].related_texts[0] == "t15"' out.jsonl
t_ok "the nearest image by its classes, never itself" jq -se '.[0].related_images == ["i3"] and .[5].related_images[0] == "i2" and .[8].related_images == []' out.jsonl

{ sed -n 1p pairs.jsonl; sed -n 2p pairs.jsonl | jq -c '.text += "\u0000 and a dog"'; } >nul.jsonl
t_run unimo-rewrite -m model --plain nul.jsonl
t_err 'nul.jsonl: record 2: "text": holds the character 0$'
t_run unimo-rewrite -m model --skip-bad --plain nul.jsonl
t_ok "a text that would be cut is refused" sh -c '[ "$(wc -l <"$1")" = 1 ]' sh "$out"
printf '{"id":"a\\u0000b","text":"A dog."}\n' >nul.jsonl
t_run unimo-view nul.jsonl
t_err 'record 1: "id": holds the character 0$'

t_run unimo-rewrite -m model --negatives 4 --sentence-share 0 --positives 0 --related 0 --plain pairs.jsonl
t_ok "numbers are kept" sh -c 'jq -se "all(.[]; (.negatives | length <= 4) and all(.negatives[]; .level != \"sentence\") and .positives == [] and .related_texts == [])" "$1"' sh "$out"
t_run unimo-rewrite -m model --sentence-share 1 --negatives 3 --plain pairs.jsonl
t_ok "sentences alone" sh -c 'jq -se "all(.[]; all(.negatives[]; .level == \"sentence\")) and (.[0].negatives | length == 3)" "$1"' sh "$out"
t_run unimo-rewrite -m model --same-image no --limit 2 --plain pairs.jsonl
t_ok "--same-image no, --limit" sh -c 'jq -se "length == 2 and all(.[]; .positives == [])" "$1"' sh "$out"
t_run unimo-rewrite -m model --shard 1/3 --plain pairs.jsonl
t_ok "--shard" sh -c '[ "$(jq -r .id "$1" | tr "\n" " ")" = "p2 p5 p8 p11 " ]' sh "$out"
# images by attributes, of several files, and by mean features
printf '%s\n' '{"id":"a","classes":["car","cat"],"attributes":["red","red"],"scores":[0.9,0.1]}' '{"id":"b","classes":["car"],"attributes":["blue"],"scores":[0.9]}' \
    '{"id":"c","classes":["cat"],"attributes":["red"],"scores":[0.9]}' >more.jsonl
echo '{"id":"i1","classes":["car"],"attributes":["blue"],"scores":[0.9]}' >less.jsonl
t_run unimo-rewrite --learn -o attributes --images more.jsonl --images less.jsonl pairs.jsonl
t_exit 0 "two files of images"
t_run unimo-rewrite -m attributes --limit 1 --plain pairs.jsonl
t_ok "the same class of the same colour first, what is hardly seen not at all" jq -e '.related_images == ["b", "a"]' "$out"
t_run unimo-rewrite -m attributes --image-score features --plain pairs.jsonl
t_fails "no mean features were learnt"
t_run unimo-rewrite --learn --mean-features -o means --images more.jsonl pairs.jsonl
t_exit 1 "images without features"
image() { printf '{"id":"%s","classes":["car"],"tensors":{"features":{"dtype":"F32","shape":[1,3],"base64":"%s"}}}\n' "$@"; }
image a AACAPwAAAAAAAAAA i1 AACAPwAAgD8AAAAA b AAAAAAAAgD/NzMw9 c AAAAAAAAAAAAAIA/ | unimo-view --pack -o features.zst # 1,0,0; 1,1,0; 0,1,0.1; 0,0,1
t_run unimo-rewrite --learn --mean-features -o means --images features.zst pairs.jsonl
t_exit 0 "mean features"
t_run unimo-rewrite -m means --image-score features --limit 3 --plain pairs.jsonl
t_ok "the nearest by their cosine, none that has none" jq -se '.[0].related_images == ["a", "b", "c"]' "$out"
t_ok "one that was not learnt by what its captions name" jq -se '.[2].related_images == []' "$out"
{ image i1 AACAPwAAAAAAAAAA | tee wide.jsonl; sed 's/i1/b/; s/1,3/1,2/; s/AACAPwAAAAAAAAAA/AACAPwAAAAA=/' wide.jsonl; sed s/i1/c/ wide.jsonl; } | unimo-view --pack -o widths.zst
t_run unimo-rewrite --learn --mean-features -o widths --images widths.zst pairs.jsonl
t_fails "features of two widths"
t_err 'widths.zst: record 2: tensor "features" is 2 wide \(expected 3'
t_run unimo-rewrite --learn --mean-features --skip-bad -o widths --images widths.zst pairs.jsonl
t_exit 0 "are skipped as any bad record"
t_run unimo-rewrite -m widths --image-score features --limit 1 --plain pairs.jsonl
t_ok "and the others are there" jq -e '.related_images == ["c"]' "$out"
t_run unimo-rewrite -m means --mean-features pairs.jsonl
t_exit 2 "--mean-features goes with --learn"
for o in "--positives 1" "--kinds object" "--translator cat" "--seed 2" --plain; do
    t_run unimo-rewrite --learn -o no $o pairs.jsonl
    t_err "^unimo-rewrite: ${o%% *}: does not go with --learn$"
done
t_run unimo-rewrite -m model --translator-time 5 pairs.jsonl
t_err '^unimo-rewrite: --translator-time: goes with --translator$'
cp -r means broken-means
head -c 100 means/means.safetensors >broken-means/means.safetensors
t_run unimo-rewrite -m broken-means --image-score features pairs.jsonl
t_fails "cut mean features"

t_run unimo-rewrite -m model --plain texts.jsonl
t_ok "texts without images get graphs and images alone" sh -c 'jq -se "all(.[]; has(\"scene_graph\") and has(\"phrases\") and has(\"related_images\") and (has(\"negatives\") or has(\"positives\") | not)) and
    .[0].related_images[0] == \"i2\"" "$1"' sh "$out"
t_run unimo-rewrite -m model --wordnet none --time-limit 30 --plain pairs.jsonl
t_exit 0 "without WordNet"
t_ok "there are negatives too" sh -c 'jq -se "all(.[]; .negatives | length > 0)" "$1"' sh "$out"
t_run env LC_ALL=de_DE.UTF-8 unimo-rewrite -m model -o german.zst pairs.jsonl
t_same out.zst german.zst "the locale does not matter"

# translators
t_run unimo-rewrite -m model --same-image no --translator 'sed s/city/town/' --translator 'sed "s/^A /One /"' --plain pairs.jsonl
t_exit 0 "translators"
t_ok "give positives with their source" sh -c 'jq -se ".[0].positives == [{text: \"A red car to the left of a blue bus in the town.\", source: \"sed s/city/town/\", score: 0.0714}] or
    (.[0].positives | length > 0 and all(.[]; .source | startswith(\"sed\")))" "$1"' sh "$out"
t_run unimo-rewrite -m model --same-image no --translator cat --plain pairs.jsonl
t_ok "the same words are no positive" sh -c 'jq -se "all(.[]; .positives == [])" "$1"' sh "$out"
t_run unimo-rewrite -m model --same-image no --translator 'sed "s/red/blue/; s/dogs/cats/"' --plain pairs.jsonl
t_ok "nor what changed the scene" sh -c 'jq -se "all(.[]; .positives == [])" "$1"' sh "$out"
t_run unimo-rewrite -m model --same-image no --translator 'sed "s/ a / *a /"' --plain pairs.jsonl
t_ok "nor words with marks" sh -c 'jq -se "all(.[]; .positives == [])" "$1"' sh "$out"
t_run unimo-rewrite -m model --translator 'exit 7' -o bad.zst pairs.jsonl
t_exit 1 "a translator that dies"
t_err '^unimo-rewrite: translator "exit 7": '
t_ok "leaves nothing" [ ! -e bad.zst ]
t_run unimo-rewrite -m model --translator 'sed 1d' --skip-bad -o bad.zst pairs.jsonl
t_fails "one that drops a line"
{ cat pairs.jsonl; jq -nc '{id: "long", image: "i", text: ("a red car " * 8000)}, (range(40) | {id: "t\(.)", text: "A red car \(.)."}, {id: "p\(.)", image: "p\(.)", text: "A blue car \(.)."})'; } >mixed.jsonl
t_run unimo-rewrite -m model --translator 'echo >>starts; cat' --skip-bad -o mixed.zst mixed.jsonl
t_ok "a batch with a bad record and texts without images is translated once" [ "$(wc -l <starts)" = 1 ]
t_run unimo-rewrite -m model --translator 'cat >/dev/null; sleep 60' --translator-time 0.3 -o bad.zst pairs.jsonl
t_fails "one that hangs"
t_err 'within 0.3 s'
t_run unimo-rewrite -m model --same-image no --translator 'if [ -e once ]; then rm once; exit 1; else sed s/city/town/; fi' -o again.zst pairs.jsonl
touch once
t_run unimo-rewrite -m model --same-image no --translator 'if [ -e once ]; then rm once; exit 1; else sed s/city/town/; fi' -o again2.zst pairs.jsonl
t_ok "one that dies once is started again" cmp <(unimo-view again.zst) <(unimo-view again2.zst)
if command -v apertium >/dev/null && apertium -l 2>/dev/null | grep -q eng-cat; then
    t_run unimo-rewrite -m model --same-image no --translator 'apertium eng-cat | apertium cat-eng' --plain pairs.jsonl
    t_exit 0 "Apertium"
fi

# bad input
t_run unimo-rewrite -m nowhere pairs.jsonl
t_fails "no such directory"
t_run unimo-rewrite pairs.jsonl
t_exit 2 "-m is required"
t_run unimo-rewrite -m model --images features.jsonl pairs.jsonl
t_exit 2 "--images goes with --learn"
t_run unimo-rewrite -m model --same-image maybe pairs.jsonl
t_exit 2 "a wrong choice"
t_run unimo-rewrite -m model --wordnet nowhere pairs.jsonl
t_fails "no such WordNet"
printf '{"id":"a","image":"i1"}\n{"id":"b","text":"A dog.","image":"i1"}\n' >bad.jsonl
t_run unimo-rewrite -m model --plain bad.jsonl
t_exit 1 "a record without text"
t_err '^unimo-rewrite: bad.jsonl: record 1: .*text'
t_run unimo-rewrite -m model --skip-bad --plain bad.jsonl
t_ok "--skip-bad keeps the other" sh -c '[ "$(jq -r .id "$1")" = b ]' sh "$out"
t_run unimo-rewrite --learn -o model2 bad.jsonl
t_exit 1 "nothing is learnt from it"
t_ok "and no directory is left" [ ! -e model2 ]
mkdir -p own/photos
t_run unimo-rewrite --learn -o own pairs.jsonl
t_err '^unimo-rewrite: own: holds "photos" and would be replaced'
t_ok "a folder of somebody's own is left alone" [ -d own/photos ]
printf '{"id":"a","text":"A dog.","image":"i1"}\n{"id":"a","text":"A cat.","image":"i1"}\n' >twice.jsonl
t_run unimo-rewrite --learn -o model2 twice.jsonl
t_err 'record 2: the id "a" occurs twice'
cp -r model broken
head -c 700 model/captions.safetensors >broken/captions.safetensors
t_run unimo-rewrite -m broken pairs.jsonl
t_fails "a cut index"
cp model/captions.safetensors broken/captions.safetensors
echo '{"objects":{"dog":"many"}}' >broken/lexicon.json
t_run unimo-rewrite -m broken pairs.jsonl
t_fails "a bad lexicon"
t_err 'broken/lexicon.json: objects: "dog": a count was expected'
t_done
