#!/bin/bash
# What scripts/real.mk compares with: bags of words and chance; how the records are made; and that a folder is for one choice of settings.
. "$(dirname "$0")/../lib/lib.sh"

command -v python3 >/dev/null || t_skip_all "python3 is not installed"
bags=$top/scripts/bag-of-words
jq -nc 'range(24) | {id: "t\(.)", image: "i\(. % 4)", text: "the \(["cat", "dog"][. % 2]) number \(.)", label: ["meows", "barks"][. % 2]}' >train.jsonl
jq -nc 'range(6) | {id: "q\(.)", image: "i\(. % 4)", text: "one \(["cat", "dog"][. % 2]) more", label: ["meows", "barks"][. % 2]}' >test.jsonl
t_run "$bags" classify train.jsonl test.jsonl
t_ok "a word decides" jq -se --slurpfile truth test.jsonl 'map(.pred) == ($truth | map(.label))' "$out"
zstd -q train.jsonl
cp "$out" plain
t_run "$bags" classify train.jsonl.zst test.jsonl
t_same plain "$out" "streams are read as well"
t_run "$bags" copy label train.jsonl test.jsonl
t_ok "the likest record is copied from" jq -se --slurpfile truth test.jsonl 'map(.pred) == ($truth | map(.label))' "$out"
t_run "$bags" chance label train.jsonl test.jsonl
t_ok "the commonest label" jq -se 'length == 6 and (map(.pred) | unique | length) == 1' "$out"

# Regions: sure ones count, and the first in any case.
jq -nc 'range(4) | {id: "i\(.)", image: "folder/i\(.).jpg", classes: [["cat", "dog"][. % 2], "tree"], scores: [0.05, 0.01]}' >images.jsonl
t_run "$bags" copy text train.jsonl images.jsonl images.jsonl
t_ok "captions by what was seen" jq -se 'map(.pred | test("cat")) == [true, false, true, false]' "$out"
head -n 2 images.jsonl >two.jsonl
jq -c 'select(.image == "i0" or .image == "i1")' test.jsonl >texts.jsonl
"$bags" rank texts.jsonl two.jsonl | unimo-view --pack -o ranked.zst
t_run unimo-score -m retrieval --images two.jsonl ranked.zst
t_ok "images by the names of what was seen" jq -se 'map(.r1) == [100, 100]' "$out"
# What is there already is not taken for the product of other settings.
run() { t_run make -s --no-print-directory -C "$top" -f "scripts/$1.mk" BIN="$BIN" D="$t_dir/$1" "${@:2}"; }
BIN=${UNIMO_BIN:-$top/build/release/bin}
run demo SEED=1 "$t_dir/demo/settings"
run demo SEED=2 "$t_dir/demo/scenes/test.jsonl.zst"
t_ok "demo: another seed wants another folder" sh -c '[ "$1" = 2 ] && grep -q "/demo/settings: is \"SEED=1\", not \"SEED=2\": set D to another folder$" "$2"' sh "$rc" "$err"
mkdir -p real/runs/1 real/runs/2 real/others
for x in retrieval.scenes retrieval.clip-art captioning.scenes captioning.clip-art vqa.scenes vqa.clip-art entailment.scenes entailment.clip-art classify.reviews generate.synopses; do
    for f in runs/1/$x runs/2/$x others/$x.words others/$x.chance; do
        echo "{\"metric\":\"cider\",\"score\":$((${#f} - 5)),\"r1\":7,\"rougeL\":7}" | sed "s/\"r1\":7/\"r1\":$(echo $f | tr -cd 12)0/" >real/$f.json
    done
done
known=$(find "$t_dir/real" -name '*.json' -printf '-o %p ')
run real SEEDS="1 2" $known
t_ok "real: the mean of two seeds, and their spread" grep -Eq '^retrieval +scenes +R@1, both directions +15.0 \(10.0\)' "$out"
run real SEEDS=2 $known
t_ok "and one of them alone" grep -Eq '^retrieval +scenes +R@1, both directions +20.0 \(0.0\)' "$out"
for name in study study-swap; do
    variant=$([ $name = study ] && echo full || echo random) known=
    for s in 1 2; do
        mkdir -p $name/runs/$variant.$s
        echo "{\"run\":\"$variant.$s\",\"zero_shot\":$s}" >$name/runs/$variant.$s/scores.json
        known="$known -o $t_dir/$name/runs/$variant.$s/scores.json"
    done
    run $name VARIANTS=$variant SEEDS="1 2" $known
    t_ok "$name: a table of two seeds" grep -Eq "^$variant +1.5 \\(1\\)" "$out"
    run $name VARIANTS=$variant SEEDS=2 $known
    t_ok "and of one of them alone" grep -Eq "^$variant +2 \\(0\\)" "$out"
done
t_run "$bags" guess train.jsonl
t_exit 1 "an unknown verb"

# Packages: one of several with a synopsis and a description; all of one source in one split.
printf 'Package: libx1\nSource: x (1.0)\nPackage: x-dev\nSource: x\nPackage: libx1\nDescription-md5: 0\nDescription-en: a library\n It does\n much.\n .\n More.\n\nPackage: x-dev\nDescription-md5: 1\nDescription-en: files of a library\n Headers.\n\nPackage: empty\nDescription-en: nothing\n\n' |
    "$top/scripts/real-records" synopses
cat *.synopses.jsonl >all.jsonl
t_ok "synopses" jq -se '. == [{id: "libx1", text: "It does much. More.", target: "a library"}, {id: "x-dev", text: "Headers.", target: "files of a library"}]' all.jsonl
t_ok "of one split" [ "$(find . -name '*.synopses.jsonl' -size +0 | wc -l)" = 1 ]
mkdir -p stamps/animals svg/food png/food
: >stamps/animals/cat.png
printf 'A cat.\nde.utf8=Eine Katze.\n' >stamps/animals/cat.txt
for n in 1 2; do
    printf '<svg><cc:Work rdf:about=""><dc:title>red_apple 0%s</dc:title></cc:Work></svg>' $n >svg/food/apple$n.svg
    : >png/food/apple$n.png
done
t_run "$top/scripts/real-records" drawings stamps svg png
t_ok "drawings by their titles, each once" [ "$(cut -f 2 "$out" | paste -sd' ')" = "animals-cat food-apple1" ]
t_ok "a series' number is no part of a title" sh -c 'cat *.titles.part | jq -se "map(.text) | sort == [\"A cat\", \"red apple\"]"'
t_ok "questions about them" sh -c 'cat *.kinds.part | jq -se "map(select(.text | test(\"^What\")).label) | sort == [\"animals\", \"food\"]"'
t_done
