#!/bin/bash
# unimo-tokenize: learn, encode, decode; any bytes; ids as the peers have them; records, phrases, threads, shards; what is refused.
. "$(dirname "$0")/../lib/lib.sh"
for tool in zstd jq; do command -v $tool >/dev/null || t_skip_all "$tool is not installed"; done

# ---- learning, on the manual pages ----
cat "$top"/man/*.[157] >corpus
t_run unimo-tokenize --learn --lines --vocab-size 1000 -o vocab corpus
t_exit 0 "a vocabulary is learnt"
t_ok "without a word" [ ! -s "$err" ]
t_ok "of the size wanted, ids in order" sh -c 'jq -e "length == 1000 and ([.[]] == [range(1000)])" vocab/vocab.json'
t_ok "special tokens have the ids of RoBERTa's" sh -c \
    'jq -e ".[\"<s>\"] == 0 and .[\"<pad>\"] == 1 and .[\"</s>\"] == 2 and .[\"<unk>\"] == 3 and .[\"!\"] == 4 and .[\"<mask>\"] == 999" vocab/vocab.json'
t_ok "merges.txt has the first line that other tools expect" sh -c '[ "$(head -1 vocab/merges.txt)" = "#version: 0.2" ] && [ "$(wc -l <vocab/merges.txt)" = 740 ]'
jq -cRn '[inputs] | to_entries[] | {id: "\(.key)", text: .value}' corpus >corpus.jsonl
t_run unimo-tokenize --learn --vocab-size 1000 -o again corpus.jsonl
t_ok "from records the same one" diff -r vocab again
t_run unimo-tokenize --learn --lines --vocab-size 100000 -o big corpus
t_exit 0 "too few pairs for the size wanted"
t_err '^unimo-tokenize: big: [0-9]+ tokens: no other pair occurs 2 times$'
printf 'low low low lower lower newest newest newest widest widest\n' >tiny
t_run unimo-tokenize --learn --lines --vocab-size 269 -o tiny.vocab tiny
t_ok "the most frequent pairs first, ties by ids" sh -c 'tail -n +2 tiny.vocab/merges.txt | tr "\n" "," | grep -qx "e s,l o,es t,lo w,Ġ low,e w,n ew,Ġ new,"'
t_run unimo-tokenize --learn --lines --vocab-size 300 -o tiny tiny
t_fails "a file in the way of the directory"
t_ok "stays as it was" grep -q widest tiny
mkdir mine
echo thesis >mine/notes.txt
t_run unimo-tokenize --learn --lines --vocab-size 300 -o mine no-such-file
t_err '^unimo-tokenize: mine: holds "notes.txt" and would be replaced \(expected: .* vocab.json, merges.txt, tokenizer.json\)'
t_ok "a folder of somebody's own is left alone, before anything is read" grep -q thesis mine/notes.txt
rm mine/notes.txt
ln -s mine link
t_run unimo-tokenize --learn --lines --vocab-size 300 -o link tiny.vocab/vocab.json
t_ok "an empty one is filled, also behind a symbolic link" [ -f mine/vocab.json -a -L link ]
t_run unimo-tokenize --learn -o none tiny.vocab/vocab.json
t_fails "nothing to learn from"
t_ok "and no directory" [ ! -e none ]

# ---- any bytes ----
{ cat corpus; for i in $(seq 0 255); do printf "\\x$(printf %02x "$i")"; done; head -c 200000 "$(command -v unimo-tokenize)"; printf '\xf0\x9f\n\xff\0\xc3\n\n  \n'; } >bytes
t_run unimo-tokenize -m vocab --lines -j1 -o bytes.zst bytes
t_exit 0 "any bytes are encoded"
t_run unimo-tokenize -m vocab --lines --decode -j3 bytes.zst
t_same "$out" bytes "and decoded to the same"
t_run unimo-tokenize -m vocab --lines -j4 -o bytes4.zst bytes
t_ok "threads change nothing" sh -c 'unimo-view bytes.zst >one && unimo-view bytes4.zst | cmp - one && [ -s one ]'
for i in 0 1 2; do unimo-tokenize -m vocab --lines --shard $i/3 --plain bytes; done | jq -c '[(.id | tonumber), .tokens]' | sort >shards
unimo-tokenize -m vocab --lines --plain bytes | jq -c '[(.id | tonumber), .tokens]' | sort >whole
t_same shards whole "shards are the whole"
t_run sh -c 'unimo-tokenize -m vocab --lines --plain --limit 3 bytes | wc -l'
t_out '^3$'
printf 'no newline at the end' >last
t_run sh -c 'unimo-tokenize -m vocab --lines last | unimo-tokenize -m vocab --lines --decode'
t_out '^no newline at the end$'
t_run sh -c 'printf "a\377b\n" | unimo-tokenize -m vocab --lines --plain'
t_ok "text is UTF-8 whatever the bytes" sh -c 'jq -e ".text == \"a\ufffdb\" and .id == \"1\" and (.tokens | length) == 3" "$1"' sh "$out"

# ---- GPT-2's vocabulary ----
mkdir gpt2
zstd -qdc "$top/testdata/gpt2/vocab.json.zst" >gpt2/vocab.json
zstd -qdc "$top/testdata/gpt2/merges.txt.zst" >gpt2/merges.txt
t_run unimo-tokenize -m gpt2 --plain "$top/testdata/gpt2/golden.jsonl.zst"
t_exit 0 "426 texts in many scripts"
jq -c 'select(.tokens != .ids) | .id' "$out" >wrong
t_ok "have the ids that tiktoken and Hugging Face give them" [ ! -s wrong ]
t_ok "(all of them)" sh -c '[ "$(wc -l <"$1")" = 426 ]' sh "$out"
cp "$out" golden.tokens
t_run unimo-tokenize -m gpt2 --plain --decode golden.tokens
t_ok "and decode to the texts, NUL and all" cmp "$out" golden.tokens
{ head -c 750000 "$(command -v unimo-tokenize)" | base64 -w0 | tr -d '+/=0-9' | head -c 700000; head -c 300000 /dev/zero | tr '\0' a; } >long
t_ok "a long word takes seconds at most" timeout 20 unimo-tokenize -m gpt2 --lines -o long.zst long
t_run unimo-tokenize -m gpt2 --lines --decode long.zst
echo >>long
t_same "$out" long "and comes back"

head -c 10000000 /dev/zero | tr '\0' a >long
case ${UNIMO_BUILD-}:$(command -v python3) in
*san*) echo "# a sanitizer's own memory is not measured" ;;
*:) echo "# memory is not measured: python3 is not installed" ;;
*)
    few=$(t_peak unimo-tokenize -m gpt2 --lines -j1 -o long.zst last)
    all=$(t_peak unimo-tokenize -m gpt2 --lines -j1 -o long.zst long)
    t_ok "one of 10 MB takes $((all - few)) KiB, less than 16 times its size" [ "${few:-0}" -gt 0 -a $((all - few)) -gt 0 -a $((all - few)) -lt 156250 ]
    ;;
esac

case ${UNIMO_BUILD-} in
*san*) ;;
*)
    for kib in $(seq 8000 250 16000); do
        (ulimit -v "$kib" && unimo-tokenize -m gpt2 --lines -j1 last) >/dev/null 2>memory.log
        [ $? -lt 128 ] || break
    done
    t_ok "too little memory ends the program, not a signal" [ "$kib" = 16000 ]
    ;;
esac
if [ "${UNIMO_LONG-}" ]; then # a minute, and 2 GB
    t_run sh -c 'yes | head -n 128000001 | unimo-tokenize -m vocab --lines -o many.zst'
    t_fails "more records than an index can name"
    t_err '^unimo-tokenize: more than 128000000 records \(make several streams\)$'
fi

# ---- records ----
cat >record.jsonl <<'J'
{"id":"a","text":"A red dog's in New York City, ok","text_pair":"Yes","phrases":[[2,9],[15,28]],"label":"x","positives":[{"text":"Two dogs","phrases":[[0,8]]}],"negatives":[],"captions":["a b","c"],"q":"mp3 é"}
J
t_run unimo-tokenize -m gpt2 --plain record.jsonl
t_exit 0 "records"
t_ok "text, pair and what the rewriter makes" sh -c 'jq -ce ".tokens == [32,2266,3290,338,287,968,1971,2254,11,12876] and .text_pair_tokens == [5297] and .text_pair_units == [0] and .positives[0].tokens == [7571,6844]" "$1"' sh "$out"
t_ok "a phrase is one unit, a contraction is of its word" sh -c 'jq -ce ".units == [0,0,1,1,0,0,1,1,0,0] and .positives[0].units == [0,1]" "$1"' sh "$out"
t_ok "the rest stays, in order" sh -c 'jq -ce "keys_unsorted[:9] == [\"id\",\"text\",\"text_pair\",\"phrases\",\"label\",\"positives\",\"negatives\",\"captions\",\"q\"] and (has(\"captions_tokens\") | not)" "$1"' sh "$out"
t_run unimo-tokenize -m gpt2 --plain -F captions,q record.jsonl
t_ok "other fields by name" sh -c 'jq -ce ".captions_tokens == [[64,275],[66]] and .captions_units == [[0,0],[0]] and .q_tokens == [3149,18,38251] and .q_units == [0,1,0] and (has(\"tokens\") | not)" "$1"' sh "$out"
jq -c 'del(.q, .captions)' "$out" >decode.jsonl
t_run unimo-tokenize -m gpt2 --plain --decode -F captions,q decode.jsonl
t_ok "and back" sh -c 'jq -ce ".captions == [\"a b\",\"c\"] and .q == \"mp3 é\"" "$1"' sh "$out"
t_run unimo-tokenize -m gpt2 --plain -F text,positives --max-length 4 record.jsonl
t_ok "--max-length truncates" sh -c 'jq -ce "(.tokens | length) == 4 and (.units | length) == 4" "$1"' sh "$out"
cut() { # N TEXT PAIR -> tokens left of each
    jq -cn --arg a "$2" --arg b "$3" '{text: $a, text_pair: $b}' | unimo-tokenize -m gpt2 --plain --max-length "$1" |
        jq -c '[(.tokens | length), (.units | length), (.text_pair_tokens | length), (.text_pair_units | length)]'
}
for case in "9 a,b,c,d,e x:8,8,1,1" "6 a,b,c,d,e x,y,z,w:3,3,3,3" "7 a,b,c,d,e x,y,z,w:4,4,3,3" "4 a x,y,z:1,1,3,3" "1 a,b x,y:1,1,0,0" "20 a,b x,y:3,3,3,3"; do
    set -- ${case%%:*}
    t_ok "of a pair the longer one is cut: $case" [ "$(cut "$1" "$2" "$3")" = "[${case##*:}]" ]
done
# A line that is written as this program writes lines is added to; another is parsed, and gives the same.
cat >written.jsonl <<'J'
{"id":"1","text":"","text_pair":"q\"uote\nand \u0001 é","tags":["a b","c\\d",""],"units":5,"x":[1,"a",{"b":[[]]},-2],"tokens":[7]}
{"positives":[{"units":[],"text":"Two dogs","z":{}},{"text":"A \"dog\"","tokens":null}],"text":"mp3","id":2}
{"id":"3","phrases":[[0,5]],"text":"A dog here","negatives":[]}
J
sed 's/":/" : /g; s/A dog/\\u0041 dog/; s/é/\\u00e9/' written.jsonl >spaced.jsonl
for options in "" "-F tags,text_pair --max-length 2" "-F text_pair,text --max-length 3"; do
    unimo-tokenize -m gpt2 --skip-bad $options --plain written.jsonl >lines 2>lines.log
    unimo-tokenize -m gpt2 --skip-bad $options --plain spaced.jsonl >parsed 2>parsed.log
    t_same lines parsed "lines and parsed records give the same: $options"
done
t_run unimo-tokenize -m gpt2 --plain written.jsonl
t_ok "what is there already is replaced where it stands" sh -c 'jq -ce "if .id == \"1\" then keys_unsorted == [\"id\",\"text\",\"text_pair\",\"tags\",\"units\",\"x\",\"tokens\",\"text_pair_tokens\",\"text_pair_units\",\"tags_tokens\",\"tags_units\"] and .tokens == [] and (.tags_tokens | length) == 3 else true end" "$1" | sort -u | grep -qx true' sh "$out"
t_ok "also within a list" sh -c 'sed -n 2p "$1" | jq -ce ".positives == [{units:[0,0],text:\"Two dogs\",z:{},tokens:[7571,6844]},{text:\"A \\\"dog\\\"\",tokens:[32,366,9703,1],units:[0,0,0,0]}]"' sh "$out"
printf '{"text":"a dog","tokens":"two dogs"}\n{"text":"a dog"}\n{"tokens":[7]}\n' >named.jsonl
t_run unimo-tokenize -m gpt2 --plain --skip-bad -F text,tokens named.jsonl
t_ok "a field named as a result is read as it came" sh -c 'jq -c "[.tokens, .tokens_tokens]" "$1" | tr -d "\n" | grep -qxF "[[64,3290],[11545,6844]][[64,3290],null]"' sh "$out"
printf '{"text":"a dog","tokens":[{"text":"two dogs"},{"text":"x","units":[]}],"z":1}\n' >named.jsonl
for fields in text,tokens tokens,text; do
    t_run unimo-tokenize -m gpt2 --plain -F $fields named.jsonl
    t_out '^\{"text":"a dog","tokens":\[64,3290\],"z":1,"units":\[0,0\]\}$'
done
printf '{"text":"good"}\n{"text":bad}\n' >half.jsonl
t_run unimo-tokenize -m gpt2 --plain --skip-bad half.jsonl
t_ok "one of two skipped is not all" sh -c '[ "$(wc -l <"$1")" = 1 ]' sh "$out"
t_run unimo-tokenize -m gpt2 -o tokens.zst record.jsonl
t_run unimo-view --header tokens.zst
t_out '"program":"?unimo-tokenize|unimo-tokenize'

# ---- the other forms of a vocabulary ----
mkdir hf
cp vocab/tokenizer.json hf
t_run unimo-tokenize -m hf --lines -j1 -o hf.zst bytes
t_exit 0 "the tokenizer.json that was learnt serves alone"
t_ok "and gives the same tokens" sh -c 'unimo-view hf.zst >one && unimo-view bytes.zst | cmp - one && [ -s one ]'
mkdir released
cp gpt2/vocab.json released/encoder.json
cp gpt2/merges.txt released/vocab.bpe
t_run unimo-tokenize -m released --plain "$top/testdata/gpt2/golden.jsonl.zst"
t_same "$out" golden.tokens "GPT-2's files under their own names"
# fairseq's order: here that of the merges backwards, so that ids differ from GPT-2's.
{ seq 50256 -1 0 | sed 's/$/ 1/'; echo "madeupword0000 0"; } >released/dict.txt
t_run unimo-tokenize -m released --plain "$top/testdata/gpt2/golden.jsonl.zst"
t_ok "with fairseq's dict.txt: ids by its lines, after <s> <pad> </s> <unk>" \
    sh -c '[ "$(jq -c "select(.tokens != [.ids[] | 50256 - . + 4])" "$1" | wc -l)" = 0 ] && [ "$(wc -l <"$1")" = 426 ]' sh "$out"
official=${UNIMO_OFFICIAL_VOCAB:-$top/../shared/data/gpt2/unimo_en.vocab.txt}
if [ -r "$official" ]; then
    mkdir unimo
    for f in encoder.json vocab.bpe; do cp released/$f unimo/unimo_en.$f; done
    cp "$official" unimo
    t_run unimo-tokenize -m unimo --plain "$top/testdata/gpt2/golden.jsonl.zst"
    jq -Rcn '[inputs] | to_entries | map({key: .value, value: .key}) | from_entries' "$official" >order
    t_ok "in the published order, ids are the line numbers of UNIMO's list" sh -c \
        '[ "$(jq -c --slurpfile order order "select(.tokens != [.ids[] | \$order[0][tostring]])" "$1" | wc -l)" = 0 ] && [ "$(wc -l <"$1")" = 426 ]' sh "$out"
else
    echo "# the published order of ids is not here (UNIMO_OFFICIAL_VOCAB names it): left out"
fi
printf '1 1\n1 2\n' >released/dict.txt
t_run unimo-tokenize -m released record.jsonl
t_exit 1 "a broken dict.txt"
t_err '^unimo-tokenize: released: dict.txt: line 2: id "1" a second time$'

# ---- what is refused ----
no() { # MESSAGE(regex) INPUT OPTION...
    printf '%s\n' "$2" >bad.jsonl
    t_run unimo-tokenize -m vocab "${@:3}" bad.jsonl
    t_exit 1 "refused: $2"
    t_err "$1"
}
no '^unimo-tokenize: bad.jsonl: record 1: no "text" or other field \(a text was expected\)$' '{"id":"1"}'
no 'record 1: no "q" \(a text was expected\)$' '{"id":"1","text":"x"}' -F q
no 'record 1: "text" is not a string or an array of texts$' '{"id":"1","text":7}'
no 'record 1: "positives": entry 1: no "text" \(a string was expected\)$' '{"positives":[{"text":"a"},{"txt":"b"}]}'
no 'record 1: "phrases": entry 0 is not \[from, to\) within the 1 characters of the text$' '{"text":"é","phrases":[[0,2]]}'
no 'record 1: "phrases" is not an array$' '{"text":"x","phrases":"y"}'
no 'record 1: "tokens": token 1 is not a whole number from 0 to 999$' '{"tokens":[1,1000]}' --decode
no 'record 1: "tokens": token 0 is not' '{"tokens":["a"]}' --decode
no 'record 1: no "tokens" or other field \(token ids were expected\)$' '{"id":"1"}' --decode
no 'record 1: "tokens" is not an array$' '{"tokens":3}' --decode --lines
no '^unimo-tokenize: every record was skipped' '{"id":"1"}' --skip-bad
printf '{"id":"1"}\n{"id":"2","text":"x"}\n' >some.jsonl
t_run unimo-tokenize -m vocab --skip-bad --plain some.jsonl
t_exit 0 "--skip-bad skips"
t_err '^unimo-tokenize: 1 records skipped \(first: some.jsonl: record 1: no "text"'
t_ok "and goes on" jq -e '.id == "2"' "$out"
t_run unimo-tokenize -m vocab --lines "$top/testdata/gpt2/golden.jsonl.zst"
t_exit 1 "a compressed file is no plain text"
t_err 'zstd data \(plain text was expected\)$'
: >empty
t_run unimo-tokenize -m vocab --lines -F target bytes
t_exit 2 "plain text has no fields"
t_err '^unimo-tokenize: --fields: plain text'
t_run unimo-tokenize -m vocab --lines empty
t_exit 1 "nor is nothing"
t_run unimo-tokenize -m vocab --lines -o corpus corpus
t_fails "output = input"
t_run sh -c 'unimo-tokenize -m vocab --lines --decode bytes.zst >/dev/full'
t_fails "a full disk"
t_run sh -c 'yes "some text" | unimo-tokenize -m vocab --lines --plain | head -1'
t_exit 0 "a reader that goes away"
t_ok "ends it without a word" [ ! -s "$err" ]
usage() { t_run unimo-tokenize "$@"; t_exit 2 "$*"; }
usage corpus
usage --learn corpus
usage --learn -m vocab -o x corpus
usage --learn --decode -o x corpus
usage --learn --vocab-size 260 -o x corpus
usage --learn --max-length 3 -o x corpus
usage -m vocab --decode --max-length 3 corpus
usage -m vocab --min-count 2 corpus
usage --learn --plain -o x corpus
usage -m vocab --decode --lines --plain corpus
usage -m vocab -F a,,b corpus
usage -m vocab --shard 3/3 corpus
mkdir broken
cp gpt2/merges.txt broken
t_run unimo-tokenize -m broken record.jsonl
t_exit 1 "no vocab.json"
t_err '^unimo-tokenize: broken/vocab.json: cannot open'
jq -c 'del(.["q"])' gpt2/vocab.json >broken/vocab.json
t_run unimo-tokenize -m broken record.jsonl
t_exit 1 "a hole in the ids"
t_err '^unimo-tokenize: broken: vocab.json: token ".*": its id is not a whole number from 0 to 50255 '
cp gpt2/vocab.json broken
>broken/merges.txt
t_run unimo-tokenize -m broken --lines last
t_fails "an empty file of merges"
t_err '^unimo-tokenize: broken/merges.txt: is empty$'
printf 'Ġ t\nĠ zzzz\n' >broken/merges.txt
t_run unimo-tokenize -m broken record.jsonl
t_err '^unimo-tokenize: broken: merges.txt: line 2: token "zzzz" is not in the vocabulary$'

t_done
