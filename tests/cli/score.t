#!/bin/bash
# unimo-score against the values of the reference programs, and with wrong inputs.
. "$(dirname "$0")/../lib/lib.sh"
g=$top/tests/golden/score
close() { awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; exit !(d < 1e-9 && d > -1e-9) }'; }

t_run unimo-score -m bleu,cider --each each "$g/caption.pred.jsonl" "$g/caption.ref.jsonl"
t_exit 0 "captions"
for k in 1 2 3 4; do
    t_ok "BLEU-$k" close "$(jq -s ".[0].bleu$k / 100" "$out")" "$(jq ".Bleu_$k.value" "$g/caption.expected.json")"
done
t_ok "CIDEr-D" close "$(jq -s '.[1].score' "$out")" "$(jq .CIDEr.value "$g/caption.expected.json")"
t_ok "CIDEr-D of each" sh -c 'jq -c "select(.cider != null)" each | jq -se --slurpfile want "$1" "map([.id, .cider]) as \$got | (\$want | map({(.id): .cider}) | add) as \$w
    | all(\$got[]; (.[1] - \$w[.[0]]) as \$d | \$d < 1e-9 and \$d > -1e-9)"' sh "$g/caption.each.jsonl"
t_ok "BLEU-4 of each" sh -c 'jq -c "select(.bleu4 != null)" each | jq -se --slurpfile want "$1" "map([.id, .bleu4]) as \$got | (\$want | map({(.id): .bleu4}) | add) as \$w
    | all(\$got[]; (.[1] / 100 - \$w[.[0]]) as \$d | \$d < 1e-9 and \$d > -1e-9)"' sh "$g/caption.each.jsonl"

for f in flickr_like_40x5 one_caption_each_30 tiny_6x5_below_10; do
    t_run unimo-score -m retrieval "$g/$f.scores.jsonl" "$g/$f.map.jsonl"
    for k in 1 5 10; do
        t_ok "$f: text to image R@$k" close "$(jq -s ".[0].r$k / 100" "$out")" "$(jq ".$f.\"img_recall@$k\"" "$g/retrieval.expected.json")"
        t_ok "$f: image to text R@$k" close "$(jq -s ".[1].r$k / 100" "$out")" "$(jq ".$f.\"cap_recall@$k\"" "$g/retrieval.expected.json")"
    done
    t_ok "$f: mean ranks" close "$(jq -s ".[0].mean_rank" "$out")" "$(jq ".$f.img_avg_rank" "$g/retrieval.expected.json")"
done
shuf --random-source="$g/README.md" "$g/tiny_6x5_below_10.scores.jsonl" >shuffled
unimo-score -m retrieval "$g/tiny_6x5_below_10.scores.jsonl" "$g/tiny_6x5_below_10.map.jsonl" >a
unimo-score -m retrieval shuffled "$g/tiny_6x5_below_10.map.jsonl" >b
t_same a b "the order of the records does not matter"
jq -c '.score = 1' "$g/tiny_6x5_below_10.scores.jsonl" >flat
t_run unimo-score -m retrieval flat "$g/tiny_6x5_below_10.map.jsonl"
t_ok "where everything ties, nothing is found" sh -c 'jq -se ".[0].r1 == 0 and .[0].ties == 30 and .[0].mean_rank == 3.5" "$1"' sh "$out"

t_run unimo-score -m retrieval --each ranks "$g/tiny_6x5_below_10.scores.jsonl" "$g/tiny_6x5_below_10.map.jsonl"
t_ok "the mean of each text's rank is the mean rank" sh -c 'jq -s "map(.text_to_image_rank | numbers) | length == 30 and (add / 30 - \$want | fabs) < 1e-9" --argjson want "$(jq -s ".[0].mean_rank" "$1")" -e ranks' sh "$out"
t_ok "each image has a rank too" sh -c '[ "$(jq -c "select(.image_to_text_rank)" ranks | wc -l)" = 6 ]'

printf '{"id":"a","pred":"yes"}\n{"id":"b","pred":"no"}\n{"id":"c","pred":2}\n' >pred
printf '{"id":"c","label":2}\n{"id":"a","label":"yes"}\n{"id":"b","label":"maybe"}\n' >ref
t_run unimo-score -m accuracy pred ref
t_ok "accuracy by id, numbers as they are written" sh -c 'jq -e ".score > 66.66 and .score < 66.67 and .n == 3" "$1"' sh "$out"
t_run unimo-score -m accuracy --format table pred ref
t_out '^accuracy +score +66.67$'
t_run unimo-score -m accuracy --format tsv pred ref
t_ok "tabs and every digit" sh -c '[ "$(sed -n 2p "$1")" = "accuracy	score	66.66666666666667" ]' sh "$out"
t_run unimo-score -m accuracy -o scores.json pred ref
t_ok "-o writes JSON Lines with a signature" jq -e '.metric == "accuracy" and .signature == "exact|x100"' scores.json
printf '{"id":"c","answer":2}\n{"id":"a","answer":"no"}\n{"id":"b","answer":"no"}\n' >answers
t_run unimo-score -m accuracy --field answer pred answers
t_ok "--field names the label" sh -c 'jq -e ".score > 66.66 and .score < 66.67" "$1"' sh "$out"
t_run unimo-score -m accuracy --field nothing pred answers
t_err 'answers: record 1: "nothing": expected a string or a whole number'
t_run unimo-score -m accuracy - -
t_exit 2 "standard input cannot be both"
t_run unimo-score -m accuracy,bleu - ref
t_exit 2 "nor be read for labels and again for texts"
t_run sh -c 'zstd -q -c pred | unimo-score -m accuracy - ref'
t_exit 0 "a compressed stream from standard input"
printf '{"id":"i","pred":"a dog"}\n{"id":"j","pred":"two cats"}\n' >caps
printf '{"id":"i#0","image":"i","text":"A dog."}\n{"id":"j#0","image":"j","text":"Two cats"}\n{"id":"i#1","image":"i","text":"The dog!"}\n' >pairs
t_run unimo-score -m bleu caps pairs
t_ok "pairs are grouped by image" sh -c 'jq -e ".n == 2 and .bleu1 > 99.99" "$1"' sh "$out"

t_run sh -c 'unimo-score -m bleu,cider - pairs <caps'
t_exit 0 "two metrics of captions from standard input"
t_ok "in the order asked for" sh -c '[ "$(jq -r .metric "$1" | tr "\n" " ")" = "bleu cider " ]' sh "$out"
printf '{"id":"i","refs":[]}\n{"id":"j","refs":["x"]}\n' >none
t_run unimo-score -m bleu caps none
t_fails "an empty list of references"
t_err 'none: record 1: "refs": expected an array'
if command -v perl >/dev/null; then
    t_run "$top/scripts/unicode-ranges"
    t_same "$out" "$top/lib/score/unicode_ranges.h" "the tables are what their script makes"
fi

printf '{"id":"a","pred":"yes\\u0000"}\n{"id":"b","pred":"no"}\n{"id":"c","pred":2}\n' >null
t_run unimo-score -m accuracy null ref
t_fails "the character 0 in a label"
t_err 'null: record 1: "pred": holds the character 0'

head -2 pred >missing
t_run unimo-score -m accuracy missing ref
t_fails "a missing id"
t_err 'no prediction for id "c"'
(cat pred; head -1 pred) >twice
t_run unimo-score -m accuracy twice ref
t_fails "an id twice"
t_err 'twice: record 4: id "a"'
echo '{"id":"z","pred":"no"}' >>missing
t_run unimo-score -m accuracy missing ref
t_fails "an unknown id"
t_err 'id "z" has no reference'
t_run unimo-score -m accuracy pred
t_exit 2 "references are required"
t_run unimo-score -m sparkle pred ref
t_exit 2 "an unknown metric"
t_run unimo-score pred ref
t_exit 2 "no metric"
t_run unimo-score -m retrieval pred
t_exit 2 "retrieval without images"
head -20 "$g/tiny_6x5_below_10.scores.jsonl" >part
t_run unimo-score -m retrieval part "$g/tiny_6x5_below_10.map.jsonl"
t_fails "a pair without a score"
: >empty
t_run unimo-score -m accuracy empty ref
t_fails "an empty input"
head -c 40 pred | zstd -q >cut.zst
head -c -3 cut.zst >cut2.zst
t_run unimo-score -m accuracy cut2.zst ref
t_fails "a truncated one"
t_run sh -c 'unimo-score -m accuracy pred ref >/dev/full'
t_fails "a full disk"
t_done
