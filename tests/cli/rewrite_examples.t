#!/bin/bash
# Every command of unimo-rewrite(1)'s examples runs, in order, in one folder.
. "$(dirname "$0")/../lib/lib.sh"
command -v jq >/dev/null || t_skip_all "jq is not installed"
[ -d /usr/share/wordnet ] || t_skip_all "wordnet-base is not installed"

awk '/^\.Sh EXAMPLES/ { on = 1 } /^\.Sh SEE/ { on = 0 } /^\.Bd/ { in_block = on; next } /^\.Ed/ { in_block = 0 } in_block' "$top/man/unimo-rewrite.1" |
    sed 's/\\e/\\/g' >commands
t_ok "five pipelines" [ "$(grep -c '^\.Bd' <(sed -n '/^\.Sh EXAMPLES/,$p' "$top/man/unimo-rewrite.1"))" = 5 ]
unimo-scenes --train 12 --dev 0 --test 0 --images 6 --texts 20 -o scenes
cp scenes/train.pairs.jsonl.zst .
cp scenes/texts.jsonl.zst texts.jsonl.zst
unimo-regionfeat -o regions.jsonl.zst scenes/images.jsonl.zst
unimo-tokenize --learn --vocab-size 400 -F text -o vocabulary train.pairs.jsonl.zst
printf '%s\n' "A red car to the left of a blue bus in the city." "A man riding a brown horse along the beach." >captions.txt
while read -r line; do
    case $line in *apertium*) command -v apertium >/dev/null && apertium -l | grep -q eo-en || { echo "# left out: no Apertium"; continue; } ;; esac
    t_run bash -o pipefail -c "$line"
    t_exit 0 "$line"
    case $line in
    *attribute-swap*) t_ok "two swaps" [ "$(cut -f2 "$out" | sort | tr '\n' '/')" = "A blue bus to the left of a red car in the city./A blue car to the left of a red bus in the city./" ] ;;
    *relations*) t_ok "relations" grep -q "^man	ride	horse$" "$out" ;;
    cat*) t_ok "every pair is there" [ "$(zstdcat rewritten.jsonl.zst | jq -s 'length == 60 and all(.[]; has("related_texts") and has("related_images"))')" = true ] ;;
    esac
done <commands
t_done
