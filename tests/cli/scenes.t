#!/bin/bash
# The corpus generator: repeatable, independent of threads, exact boxes, balanced labels, held-out compositions.
. "$(dirname "$0")/../lib/lib.sh"
command -v jq >/dev/null || t_skip_all "jq is not installed"

make="unimo-scenes --seed 3 --train 60 --dev 4 --test 30 --images 8 --texts 12"
t_run $make -j1 -o one
t_exit 0 "a corpus is made"
t_run $make -j3 -o three
t_ok "its bytes do not depend on threads" diff -r one three
for f in one/*.jsonl.zst; do unimo-view "$f"; done >records.jsonl || exit 1
t_ok "nor what it says on the processor" [ "$(cksum <records.jsonl)" = "1193906111 227666" ]
t_run unimo-scenes --seed 3 --train 20 --dev 0 --test 0 --images 0 --texts 0 -o fewer
t_ok "nor a scene on how many there are" cmp one/train/train-000007.jpg fewer/train/train-000007.jpg
t_run unimo-scenes --seed 4 --train 20 --dev 0 --test 0 --images 0 --texts 0 -o other
t_ok "another seed makes other scenes" sh -c '! cmp -s one/train/train-000007.jpg other/train/train-000007.jpg'
t_run unimo-view --check one/*.jsonl.zst
t_exit 0 "every stream is good"
t_ok "five different captions a picture" sh -c 'unimo-view one/train.jsonl.zst | jq -se "all(.[]; .captions | length == 5 and (unique | length) == 5)"'
t_ok "three different questions a picture" sh -c 'unimo-view one/*.questions.jsonl.zst | jq -se "group_by(.image) | length == 94 and all(.[]; length == 3 and (map(.text) | unique | length) == 3)"'
t_ok "boxes lie in the picture" sh -c 'unimo-view one/train.jsonl.zst | jq -se "all(.[].objects[].box; .[0] >= 0 and .[1] >= 0 and .[2] <= 256 and .[3] <= 192 and .[0] < .[2] and .[1] < .[3])"'
t_ok "labels are balanced" sh -c 'unimo-view one/test.entailment.jsonl.zst | jq -se "group_by(.label) | length == 3 and all(.[]; length == 30)"'
pairs='[.[] | [.objects[].class] | unique | . as $c | range(length) as $i | range($i + 1; length) as $j | $c[$i] + "+" + $c[$j]] | unique'
unimo-view one/train.jsonl.zst | jq -s "$pairs" >seen.json
t_ok "test scenes have pairs of classes never seen in training" sh -c \
    'unimo-view one/test.jsonl.zst | jq -se --slurpfile seen seen.json "all(.[]; [.objects[].class] | unique | . as \$c | [range(length) as \$i | range(\$i + 1; length) as \$j | \$c[\$i] + \"+\" + \$c[\$j]] - \$seen[0] | length > 0)"'
t_run unimo-scenes -o one/train.jsonl.zst
t_fails "a file in the way"
t_run unimo-scenes --train 5 --sprites one/train.jsonl.zst -o bad
t_fails "a stream without sprites"
t_ok "and nothing is made of it" [ ! -e bad/train.jsonl.zst ]
touch fewer/train/{mine.jpg,train-7.jpg,train-000007.JPG}
t_run unimo-scenes --seed 3 --train 2 --dev 0 --test 0 --images 0 --texts 0 -o fewer
t_ok "a smaller corpus in the same folder leaves no pictures of the larger one, and what is not of them" \
    [ "$(ls fewer/train | tr '\n' ' ')" = "mine.jpg train-000000.jpg train-000001.jpg train-000007.JPG train-7.jpg " ]
rm one/train/train-000007.jpg
mkdir one/train/train-000007.jpg
t_run unimo-scenes --seed 4 --train 20 --dev 0 --test 0 --images 0 --texts 0 -j1 -o one
t_fails "a corpus that takes the place of another, and cannot be finished"
t_ok "leaves no streams that speak of the other's pictures" [ -z "$(ls one | grep '^train.*zst')" -a -e one/dev.jsonl.zst ]
t_run unimo-scenes --train 0 --dev 0 --test 0 --images 0 --texts 0 -o nothing
t_fails "a corpus of nothing"
t_ok "is not begun" [ ! -e nothing ]
t_run unimo-scenes
t_exit 2 "the folder is required"
t_done
