#!/bin/bash
# unimo-score as a program: inputs of every form, what it prints, and wrong inputs. (The figures: tests/unit/score_golden.c.)
. "$(dirname "$0")/../lib/lib.sh"
g=$top/tests/golden/score
holds() { # FILE FILTER...: the filter is true of the lines as an array
    local file=$1
    shift
    jq -se "$@" "$file" >/dev/null
}

# ---- labels ----
printf '{"id":"a","pred":"yes"}\n{"id":"b","pred":"no"}\n{"id":"c","pred":2}\n' >pred
printf '{"id":"c","label":2,"kind":"x"}\n{"id":"a","label":"yes","kind":"y"}\n{"id":"b","label":"maybe","kind":"x"}\n' >ref
t_run unimo-score -m accuracy pred ref
t_ok "accuracy by id, numbers as they are written" holds "$out" '.[0].score > 66.66 and .[0].score < 66.67 and .[0].n == 3'
t_ok "with a signature and a digest of the references" holds "$out" '.[0].signature == "exact" and (.[0].references | length) == 16'
unimo-score -m accuracy pred ref >a
tac ref >reversed
unimo-score -m accuracy pred reversed >b
t_same a b "the order of the references does not matter"
t_run unimo-score -m accuracy --format table pred ref
t_out '^accuracy +score +66.67$'
t_out '^accuracy +n +3$'
t_run unimo-score -m accuracy --format tsv pred ref
t_out '^accuracy	score	66\.6666666666666[67]$'
t_run unimo-score -m accuracy --scale ref --json pred ref
t_ok "--scale ref: as the reference program prints it" holds "$out" '.[0].score < 0.667 and .[0].printed.score == "0.6667" and .[0].scale == "reference"'
t_run unimo-score -m accuracy --json --format json pred ref
t_exit 0 "what is said twice"
t_run unimo-score -m accuracy --json --format table pred ref
t_err "^unimo-score: --json: does not go with --format table$"
t_run unimo-score -m accuracy -m f1,matthews pred ref
t_ok "-m may be repeated" holds "$out" 'map(.metric) == ["accuracy", "f1", "matthews"]'
t_run unimo-score -m accuracy -o scores.json pred ref
t_ok "-o writes JSON Lines" holds scores.json '.[0].metric == "accuracy"'
t_run unimo-score -m accuracy --by kind pred ref
t_ok "--by breaks figures down" holds "$out" '.[0].by.kind.x == {"n":2,"score":50} and .[0].by.kind.y.score == 100'
unimo-score -m rouge pred ref | jq '.rouge1' >whole
jq -c '.kind = "x"' ref >alike
t_run unimo-score -m rouge --by kind pred alike
t_ok "ROUGE-1.5.5, too, though its items have an order of their own" holds "$out" --slurpfile whole whole '.[0].by.kind.x | .n == 3 and .rouge1 == $whole[0]'
t_run unimo-score -m rouge --by kind pred ref
t_ok "as if each part were all" holds "$out" '.[0].by.kind | .y.rouge1 == 100 and .x.n == 2'
jq -nc 'range(30) | {id: ., pred: (. * 7 % 10 / 10)}' >rates
jq -nc 'range(30) | {id: ., label: (. * 3 % 8 / 10), third: (if . < 2 then "two" else . % 3 end)}' >thirds
for part in two 0 1 2; do
    jq -c --arg p "$part" 'select((.third | tostring) == $p)' thirds >of
    unimo-score -m pearson,spearman --missing zero rates of | jq -c "[\"$part\", .score]"
done >alone
unimo-score -m pearson,spearman --by third rates thirds | jq -sc '("two", "0", "1", "2") as $p | .[] | [$p, .by.third[$p].score]' >parts
t_same parts alone "--by: the correlations of a part are those of its items alone, to the last bit"
seq 0 99999 | sed 's/.*/{"id":&,"pred":&}/' >many
seq 0 99999 | sed 's/.*/{"id":&,"label":&,"name":"n&"}/' >names
t_ok "--by: as many parts as items take no time that goes by the square" \
    sh -c 'timeout 20 unimo-score -m accuracy,f1,pearson,spearman --by name many names | jq -se "length == 4 and .[0].by.name.n99999.score == 100"'
head -2000 many >some
head -2000 names | jq -c '.label = (.id * 7 % 1999 | tostring)' >other
unimo-score -m rouge --ci bootstrap -j 1 some other >a
unimo-score -m rouge --ci bootstrap -j 3 some other >b
t_same a b "the resamples of ROUGE-1.5.5 are the same in any number of threads"
t_run unimo-score -m accuracy --by knid pred ref
t_fails "a field that no reference has"
t_err '^unimo-score: --by: no reference has a field "knid"$'
printf '{"id":"c","answer":2}\n{"id":"a","answer":"no"}\n{"id":"b","answer":["none","no"]}\n' >answers
t_run unimo-score -m accuracy --field answer pred answers
t_ok "--field names the label; of several any will do" holds "$out" '.[0].score > 66.66 and .[0].score < 66.67'
for metric in matthews f1 pearson spearman; do
    t_run unimo-score -m $metric --field answer pred answers
    t_err "^unimo-score: $metric: id \"b\" has 2 references \(one was expected\)$"
done
printf '{ "\\u0069d" :"c", "the \\"answer\\"":2.0 }\n{"id": "\\u0061" , "the \\"answer\\"" : "y\\u0065s"}\n{"id":"b","the \\"answer\\"":[2,"no"]}\n' >spaced
sed 's/"pred":2/"pred" : 2.0/' pred >real
t_run unimo-score -m accuracy --field 'the "answer"' real spaced
t_ok "however JSON writes it, and whatever it is called" holds "$out" '.[0].score == 100'
t_run unimo-score -m accuracy --per-item each pred ref
t_ok "--per-item" holds each 'length == 3 and (map({(.id): .score}) | add) == {"a":100,"b":0,"c":100}'
cp pred same
t_run unimo-score -m accuracy --per-item same same ref
t_err 'same: is both input and output'
t_run unimo-score -m accuracy --compare same -o same pred ref
t_same pred same "an input is not written over"
t_run unimo-score -m accuracy --per-item both -o both pred ref
t_exit 2 "nor one product over the other"
t_run unimo-score -m accuracy --by kind --format table pred ref
t_ok "a table has the parts, too" sh -c 'grep -q "^accuracy  *score\[kind=x\]  *50.00$" "$1" && grep -q "^accuracy  *n\[kind=x\]  *2$" "$1"' sh "$out"
t_run unimo-score -m accuracy,f1 --by kind --format tsv pred ref
t_ok "so have tabs, and what is not a number" sh -c 'grep -q "^accuracy	score\[kind=y\]	100.0$" "$1" && grep -q "^f1	f1	nan$" "$1"' sh "$out"
t_run unimo-score -m accuracy --compare pred --format table pred ref
t_out '^accuracy  *score .* against [0-9.]+, equal$'
t_run unimo-score -m accuracy --test ar pred ref
t_exit 2 "--test goes with --compare"
t_run unimo-score -m accuracy --time pred ref
t_ok "--time" holds "$out" '.[0].seconds >= 0'

# ---- numbers ----
printf '{"id":"a","pred":0.2}\n{"id":"b","pred":0.9}\n{"id":"c","pred":0.4}\n' >fractions
printf '{"id":"a","label":11}\n{"id":"b","label":100}\n{"id":"c","label":35.5}\n' >percents
printf '{"id":"a","label":0}\n{"id":"b","label":10}\n{"id":"c","label":3.5}\n' >ratings
printf '{"id":"a","pred":2}\n{"id":"b","pred":90}\n{"id":"c","pred":40}\n' >same
t_run unimo-score -m pearson,spearman fractions percents
t_exit 0 "references in percent are no error"
t_err 'warning: references look like percent \(up to 100\), predictions like fractions \(0 to 1\)$'
t_ok "and told once" test "$(wc -l <"$err")" = 1
t_run unimo-score -m pearson,spearman fractions ratings
t_ok "no warning of ratings from 0 to 10" test ! -s "$err"
t_run unimo-score -m pearson same percents
t_ok "nor where both are percent" test ! -s "$err"

# 0.1 three times is more than 0.3, so that the mean is no member
printf '{"id":"a","pred":0.1}\n{"id":"b","pred":0.1}\n{"id":"c","pred":0.1}\n' >constant
t_run unimo-score -m pearson,spearman constant ratings
t_ok "no correlation with a constant" holds "$out" 'all(.score == "nan")'
t_run unimo-score -m pearson,spearman --format tsv constant ratings
t_out '^pearson	score	nan$'
for power in 1e200 1e-200; do
    sed "s/0[.]\([0-9]\)/\1$power/" fractions >extreme
    t_run unimo-score -m pearson extreme ratings
    t_ok "numbers whose squares are none: times $power" holds "$out" '.[0].score > 99.7 and .[0].score < 99.8'
done

t_run unimo-score -m list
t_out 'accuracy, matthews.*meteor.*ap-voc'

# ---- what is missing ----
head -2 pred >missing
t_run unimo-score -m accuracy missing ref
t_fails "a missing id"
t_err 'no prediction for id "c"'
t_run unimo-score -m accuracy --missing zero missing ref
t_ok "--missing zero: it is wrong" holds "$out" '.[0].n == 3 and .[0].score < 33.4 and .[0].counts.missing == 1'
t_run unimo-score -m accuracy --missing skip missing ref
t_ok "--missing skip: it is left out" holds "$out" '.[0].n == 2 and .[0].score == 50'
echo '{"id":"z","pred":"no"}' >>missing
t_run unimo-score -m accuracy missing ref
t_fails "an unknown id"
t_err 'id "z" has no reference'
t_run unimo-score -m accuracy --missing zero missing ref
t_ok "is ignored and counted" holds "$out" '.[0].counts.unknown == 1'
(cat pred; head -1 pred) >twice
t_run unimo-score -m accuracy --missing zero twice ref
t_fails "an id twice"
t_err 'twice: record 4: id "a"'
t_run unimo-score -m accuracy --field nothing pred answers
t_err 'answers: record 1: "nothing": expected a string or a number'
printf '{"id":"a","pred":"yes\\u0000"}\n{"id":"b","pred":"no"}\n{"id":"c","pred":2}\n' >null
t_run unimo-score -m accuracy null ref
t_err 'null: record 1: "pred": holds the character 0'

# ---- captions ----
printf '{"id":"i","pred":"a dog"}\n{"id":"j","pred":"two cats"}\n' >caps
printf '{"id":"i#0","image":"i","text":"A dog."}\n{"id":"j#0","image":"j","text":"Two cats"}\n{"id":"i#1","image":"i","text":"The dog!"}\n' >pairs
t_run unimo-score -m bleu,cider,rouge-l,meteor caps pairs
t_ok "pairs are grouped by image, metrics in the order asked for" holds "$out" 'map(.metric) == ["bleu","cider","rouge-l","meteor"] and .[0].bleu1 > 99.99 and all(.n == 2)'
printf '{"id":"i","pred":"a dog \\ud83d\\ude00"}\n{"id":"j","pred":"two cats"}\n' >emoji
t_run unimo-score -m bleu emoji pairs
t_ok "characters that the tokenizer drops are counted" holds "$out" '.[0].counts.untokenizable == 2 and .[0].bleu1 > 99.99'
t_run sh -c 'unimo-score -m bleu,cider - pairs <caps'
t_exit 0 "two metrics of captions from standard input"
t_run sh -c 'zstd -q -c pred | unimo-score -m accuracy - ref'
t_exit 0 "a compressed stream from standard input"
printf '{"id":"i","refs":["..."]}\n{"id":"j","refs":["cats"]}\n' >wordless
tail -1 emoji | sed 's/two cats/a dog/' >only
t_run unimo-score -m rouge-l --missing zero only wordless
t_ok "no prediction is wrong, even where a reference has no words" holds "$out" '.[0].counts.missing == 1 and .[0].score == 0'
t_run unimo-score -m bleu --explain i --per-item each-one caps pairs
t_exit 2 "one item's figures and a file of every item's"
t_err '^unimo-score: --per-item: does not go with --explain'
t_ok "and no empty file" test ! -e each-one
t_run unimo-score -m bleu --explain i --format tsv caps pairs
t_exit 2 "what led to figures, between tabs"
t_err '^unimo-score: --explain: --format tsv has figures alone [(]expected table or json[)]'
t_run unimo-score -m bleu,meteor,cider --explain i caps pairs
t_ok "--explain: words, matches, alignments" holds "$out" '.[0].pred == ["a","dog"] and .[0].matches[0] == "a dog" and .[1].refs[0].matches[1].module == "exact" and (.[2].similarity | length) == 2'
printf '{"id":"i","pred":"1,000 1,,000 1,,,5 a,,5 a,5 5. x.,y 3-4-a ,-5 5,a &amp;x 7."}\n' >marks
printf '{"id":"i","refs":["a"]}\n' >marked
t_run unimo-score -m sacrebleu --explain i marks marked
t_ok "13a: marks in a row and beside digits, as sacreBLEU divides them" holds "$out" \
    '.[0].pred | join(" ") == "1,000 1 , , 000 1 , , ,5 a , ,5 a , 5 5 . x . , y 3 - 4 - a , -5 5 , a & x 7 ."'
t_run unimo-score -m sacrebleu --bleu-tokenize zh --explain i marks marked
t_ok "zh: the ends of a text are no characters" holds "$out" '.[0].pred | .[-1] == "7." and .[0] == "1,000"'
t_run unimo-score -m bleu --explain nobody caps pairs
t_fails "an unknown item"
head -1 caps >one
head -1 pairs >onepair
t_run unimo-score -m cider one onepair
t_fails "CIDEr of one item"
t_err 'one item alone would score 0'
printf '{"id":"i","refs":[]}\n{"id":"j","refs":["x"]}\n' >none
t_run unimo-score -m bleu caps none
t_err 'id "i" has no reference text'
printf '0.5\na dog\na hound\n' | gzip >para.gz
printf '{"id":"i","pred":"a hound"}\n{"id":"j","pred":"two cats"}\n' >hound
t_run unimo-score -m meteor --paraphrases para.gz --wordnet none hound pairs
t_ok "a table of paraphrases, as METEOR packs it" holds "$out" '.[0].score > 70 and (.[0].signature | contains("paraphrase"))'
printf '0.5\nboat a running\nship\n0.5\nboat boat\nship\n' | gzip >near.gz
printf '{"id":"i","pred":"ship"}\n{"id":"j","pred":"two cats sat"}\n' >ship
for refs in '"boat a running","boat boat"' '"boat boat"' '"boat a running"'; do
    printf '{"id":"i","refs":[%s]}\n{"id":"j","refs":["two cats"]}\n' "$refs" >ships
    unimo-score -m meteor --tokenize split --paraphrases near.gz --wordnet none ship ships | jq .score
done >nearly
t_ok "METEOR: 0.6 is better than 0.6 less a bit of rounding" jq -se '.[0] == .[1] and .[0] != .[2]' nearly
printf '0.5\na dog\n' >para
t_run unimo-score -m meteor --paraphrases para caps pairs
t_err 'para: 2 lines'
for i in $(seq 900); do printf '0.5\ndog %s\nhound %s\n' "$i" "$((i * 7919 % 3001))"; done | gzip >whole.gz
passed=
for share in 20 35 50 65 80 95; do
    head -c $(($(stat -c %s whole.gz) * share / 100)) whole.gz >cut.gz
    t_run unimo-score -m meteor --paraphrases cut.gz --wordnet none hound pairs
    [ "$rc" = 1 ] && grep -q ' cut.gz: unexpected end of file$' "$err" || passed="$passed $share"
done
t_ok "a table that was cut short is refused wherever it was (passed:$passed)" [ -z "$passed" ]
case ${UNIMO_BUILD-} in *san*) bounded=: ;; *) bounded="ulimit -v 1000000" ;; esac # a sanitizer reserves more
letters() { # SEED N: so many words, each one of eight letters
    awk -v x="$1" -v n="$2" 'BEGIN { for (i = 0; i < n; i++) { x = (x * 16807) % 2147483647; printf "%s%c", i ? " " : "", 97 + int(x / 1000) % 8 } }'
}
printf '{"id":"1","pred":"%s"}\n' "$(letters 1 2000)" >long
printf '{"id":"1","refs":["%s"]}\n' "$(letters 2 2000)" >longs
t_ok "METEOR of two long texts of few words takes no memory for matches that no alignment has" \
    sh -c '($1 && timeout 60 unimo-score -m meteor --tokenize split -j 1 long longs) | jq -e ".score > 42.0814522 and .score < 42.0814523"' sh "$bounded"
echo '{"id":1,"pred":"AT & T ( [UNK] ) < >"}' >marks
echo '{"id":1,"source":"s","label":"at &amp; t -lrb- unk -rrb- &lt; &gt;"}' >escaped
t_run unimo-score -m bleu --prepare qg-eval marks escaped
t_ok "qg-eval: brackets, ampersands, angles and unknown words are written as in the references" holds "$out" '.[0].bleu4 > 99.999'
echo '{"id":1,"pred":"What didn'"'"'t the \"U.S.\" (then) want?"}' >asked
echo '{"id":1,"source":"s","target":"what did n'"'"'t the `` u.s. '"''"' -lrb- then -rrb- want ?"}' >tokens
jq -c '{id, source: "s", target: .pred}' asked >same
t_run unimo-score -m bleu --prepare qg-raw --field target asked tokens
t_ok "qg-raw: questions as SQuAD has them are tokenized as the published references are" holds "$out" '.[0].bleu4 > 99.999'
t_run unimo-score -m bleu,rouge-l --prepare qg-raw --field target asked same
t_ok "and so are the references" holds "$out" '.[0].bleu4 > 99.999 and .[1].score == 100'
for chain in '1 , ' 'a - '; do
    printf '{"id":1,"pred":"%s"}\n' "$(yes "$chain" | head -100000 | tr -d '\n')" >chained
    t_ok "a prediction of '$chain' again and again is mended in time that goes by its length" \
        sh -c 'timeout 20 unimo-score -m bleu --prepare qg-eval chained escaped >/dev/null'
done
t_run unimo-score -m meteor --wordnet /nowhere caps pairs
t_fails "no WordNet"

# ---- the field's own files ----
jq -s '{images: [], annotations: map({image_id: .image, caption: .text, id: .id})}' pairs >captions.json
jq -s 'map({image_id: .id, caption: .pred})' caps >results.json
unimo-score -m bleu,cider caps pairs >a
unimo-score -m bleu,cider results.json captions.json >b
t_same a b "COCO's results and annotations"
jq -s '{annotations: map({image_id: 7, question_id: .id, question_type, answer_type, answers: (.refs | to_entries | map({answer: .value, answer_id: .key}))})}' "$g/vqa/ref.jsonl" >vqa.json
jq -s 'map({question_id: .id, answer: .pred})' "$g/vqa/pred.jsonl" >vqa-results.json
unimo-score -m vqa "$g/vqa/pred.jsonl" "$g/vqa/ref.jsonl" >a
unimo-score -m vqa vqa-results.json vqa.json >b
t_same a b "VQA's results and annotations, with their types"
t_run unimo-score -m vqa --scale ref vqa-results.json vqa.json
t_ok "whose script prints percent" holds "$out" --slurpfile percent a '.[0].score == $percent[0].score and .[0].printed == $percent[0].printed'
# 7 of 48 questions at 0.9 are 13.125 %, but for what the script's additions round
jq -nc 'range(48) | {id: ., pred: "y"}' >ys
jq -nc 'range(48) as $k | {id: $k, refs: [range(10) | if . < 3 and $k < 7 then "y" else "n" end]}' >tie
t_run unimo-score -m vqa ys tie
t_ok "a tie is rounded as the script rounds it" holds "$out" '.[0].printed.score == "13.13"'
jq '.annotations += [.annotations[3]]' vqa.json >twice.json
t_run unimo-score -m vqa vqa-results.json twice.json
t_err 'twice.json: entry 100: id "[0-9]+" is there twice'
jq -s '{version: "v2.0", data: [{title: "t", paragraphs: [{context: "c", qas: map({id, question: "q", is_impossible: (.refs == []), answers: (.refs | map({text: ., answer_start: 0}))})}]}]}' "$g/qa/squad2_ref.jsonl" >squad.json
jq -s 'map({(.id): .pred}) | add' "$g/qa/squad2_pred.jsonl" >squad-pred.json
unimo-score -m squad2 "$g/qa/squad2_pred.jsonl" "$g/qa/squad2_ref.jsonl" >a
unimo-score -m squad2 squad-pred.json squad.json >b
t_same a b "SQuAD's data set and predictions"
cat >coqa.json <<'END'
{"version":"1.0","data":[{"source":"cnn","id":"s1","story":"...","answers":[{"input_text":"a dog","turn_id":1},{"input_text":"no","turn_id":2}],
 "additional_answers":{"0":[{"input_text":"dog","turn_id":1},{"input_text":"nope","turn_id":2}]}}]}
END
echo '[{"id":"s1","turn_id":1,"answer":"the dog"},{"id":"s1","turn_id":2,"answer":"yes"}]' >coqa-pred.json
t_run unimo-score -m coqa coqa-pred.json coqa.json
t_ok "CoQA's, by turn and domain" holds "$out" '.[0].n == 2 and .[0].f1 == 50 and .[0].domains.news.f1 == 50 and .[0].domains.in_domain.n == 2'
printf 'A dog.\nTwo cats\n' >system.txt
printf 'A dog.\nTwo cats run\n' >first.txt
printf 'The dog\nSome cats\n' >second.txt
t_run unimo-score -m sacrebleu system.txt first.txt second.txt
t_ok "plain parallel text, several references" holds "$out" '.[0].n == 2 and .[0].precision1 == 100 and (.[0].signature | startswith("nrefs:2|case:mixed"))'
printf 'A dog.\n' >short.txt
t_run unimo-score -m sacrebleu short.txt first.txt
t_fails "fewer lines than the references"
printf 'x\ta dog\ny\ttwo cats\n' >p.tsv
printf 'x\ta dog\tthe dog\ny\ttwo cats\n' >r.tsv
printf 'x\t%s\n' "$(head -c 1000000 /dev/zero | tr '\0' x)ing" >endless.tsv
t_run timeout 60 unimo-score -m rouge,rouge-google endless.tsv endless.tsv
t_ok "a word of a million letters" holds "$out" 'all(.rouge1 == 100)'
printf 'x\tdog\ta dog on grass\n' >either.tsv
printf 'x\ta dog\n' >short.tsv
t_run unimo-score -m rouge-google short.tsv either.tsv
t_ok "rouge_score: of two references with the same F the first" holds "$out" '.[0].rouge1_precision == 50 and .[0].rouge1_recall == 100'
t_run unimo-score -m rouge p.tsv r.tsv
t_ok "TSV with more than one reference" holds "$out" '.[0].n == 2 and .[0].rouge1 > 80'
printf 'x\n' >bad.tsv
t_run unimo-score -m rouge bad.tsv r.tsv
t_err 'bad.tsv: line 1: 1 fields: expected an id and a text'
printf 'x\ta dog\ny\tz%s\n' "$(printf '\t%d' $(seq 2000))" >wide.tsv
t_run unimo-score -m rouge p.tsv wide.tsv
t_err 'wide.tsv: line 2: 2002 fields \(at most 1024\)'
printf 'x\xff\n' >bad.txt
t_run unimo-score -m rouge bad.txt first.txt
t_err 'bad.txt: line 1: is not UTF-8'
printf 'a\tyes\r\nb\tno\r\n' >returns.tsv
printf 'a\tyes\nb\tno' >newlines.tsv
printf 'yes\r\nno\r\n' >returns.txt
printf 'yes\nno' >newlines.txt
for form in txt tsv; do
    t_run unimo-score -m accuracy returns.$form newlines.$form
    t_ok "$form: a carriage return belongs to the end of its line" holds "$out" '.[0].score == 100'
    printf '\357\273\277' | cat - newlines.$form >marked.$form
    t_run unimo-score -m accuracy marked.$form newlines.$form
    t_err "marked.$form: line 1: starts with a byte-order mark"
done
echo '{"a":1}' >odd.json
t_run unimo-score -m squad odd.json squad.json
t_fails "a document of no known form"
jq -s '{images: (map(.image) | unique | map({id: .})), categories: (map(.category) | unique | to_entries | map({id: (.key + 1), name: .value})),
    annotations: map({image_id: .image, category_id: ({"car":1,"chair":2,"dog":3,"person":4}[.category]), bbox: .bbox_xywh, area, iscrowd, id})}' "$g/detection/gt.jsonl" >instances.json
jq -s --slurpfile gt instances.json 'map(select(.image as $i | any($gt[0].images[]; .id == $i)) | {image_id: .image, category_id: ({"car":1,"chair":2,"dog":3,"person":4}[.category]), bbox: .bbox_xywh, score})' "$g/detection/det.jsonl" >detections.json
t_run unimo-score -m ap-coco detections.json instances.json
t_ok "COCO's boxes" holds "$out" '.[0].AP50 > 30 and (.[0].by_category | keys) == ["car","chair","dog","person"]'
jq '. + [{image_id: 99999, category_id: 1, bbox: [0,0,1,1], score: 1}]' detections.json >stray.json
t_run unimo-score -m ap-coco stray.json instances.json
t_err 'image "99999" is not in the annotations'

# ---- confidence ----
t_run unimo-score -m accuracy,matthews --ci bootstrap:200:7 "$g/glue/cola_pred.jsonl" "$g/glue/cola_ref.jsonl"
t_ok "--ci: intervals around the figures" holds "$out" 'all(.ci.score.low < .score and .score < .ci.score.high) and (.[0].signature | endswith("|bs:200|seed:7"))'
cp "$out" a
t_run unimo-score -m accuracy,matthews --ci bootstrap:200:7 "$g/glue/cola_pred.jsonl" "$g/glue/cola_ref.jsonl"
t_same a "$out" "the same seed gives the same intervals"
jq -c '.pred = "1"' "$g/glue/cola_pred.jsonl" >ones
t_run unimo-score -m accuracy --compare ones --test ar:500 "$g/glue/cola_pred.jsonl" "$g/glue/cola_ref.jsonl"
t_ok "--compare: a real difference is unlikely by chance" holds "$out" '.[0].compare.p.score < 0.01 and .[0].compare.score < .[0].score'
t_run unimo-score -m spearman --compare "$g/glue/stsb_pred.jsonl" --test ar "$g/glue/stsb_pred.jsonl" "$g/glue/stsb_ref.jsonl"
t_exit 2 "randomisation needs sums"
t_run unimo-score -m pearson,spearman --ci bootstrap --compare same fractions ratings
t_ok "resamples without a correlation say nothing" holds "$out" 'all(.ci.score.low - .ci.score.mean < 1e-9 and .ci.score.mean - .ci.score.high < 1e-9 and .compare.p.score > 0)'
t_run unimo-score -m f1 --format table --ci bootstrap --compare pred pred ref
t_out '^f1 +f1 +nan ± nan  against nan, p = nan$'
t_run unimo-score -m accuracy --ci bootstrap:0 pred ref
t_exit 2 "no resamples"
t_run unimo-score -m accuracy --ci google:10:4294967296 pred ref
t_exit 2 "a seed that numpy.random.seed does not take"
t_run unimo-score -m accuracy --ci bootstrap --scale ref --format table pred ref
t_out '^accuracy +score +0.6667 ± 0[.][0-9]{4}$'
t_run unimo-score -m accuracy --ci jackknife pred ref
t_exit 2 "an unknown kind of interval"
t_run unimo-score -m accuracy --test x --compare pred pred ref
t_exit 2 "an unknown test"

# ---- retrieval ----
scores=$g/retrieval/tiny_6x5_below_10_scores.jsonl map=$g/retrieval/tiny_6x5_below_10_map.jsonl
shuf --random-source="$g/README.md" "$scores" >shuffled
unimo-score -m retrieval "$scores" "$map" >a
unimo-score -m retrieval shuffled "$map" >b
t_same a b "the order of the records does not matter"
jq -c '.score = 1' "$scores" >flat
t_run unimo-score -m retrieval flat "$map"
t_ok "where everything ties, nothing is found" holds "$out" '.[0].r1 == 0 and .[0].ties == 30 and .[0].mean_rank == 3.5'
t_run unimo-score -m retrieval --ties min flat "$map"
t_ok "unless ties are taken for wins" holds "$out" '.[0].r1 == 100 and .[0].signature == "ties:min"'
t_run unimo-score -m retrieval --per-item ranks "$scores" "$map"
t_ok "the mean of each text's rank is the mean rank" holds ranks --argjson want "$(jq -s '.[0].mean_rank' "$out")" 'map(select(.metric == "text_to_image") | .mean_rank) | length == 30 and (add / 30 - $want | fabs) < 1e-9'
t_ok "each image has a rank too" holds ranks 'map(select(.metric == "image_to_text")) | length == 6'
printf '{"text":"%s","image":"%s"}\n' a x b y >pairs
printf '{"text":"%s","image":"%s","score":%s}\n' a x 0.30000000000000004 a y 0.3 b x -2e300 b y 1e300 >near
t_run unimo-score -m retrieval near pairs
t_ok "scores in decimal that differ in the last bit of a double, or are beyond single precision, are not equal" holds "$out" '.[0].r1 == 100 and .[0].ties == 0 and .[1].r1 == 100 and .[1].ties == 0'
head -20 "$scores" >part
t_run unimo-score -m retrieval part "$map"
t_fails "a pair without a score"
# ---- scene graphs ----
printf '{"id":"i","scene_graph":{"objects":[{"name":"dog","attributes":[{"name":"red"}]},{"name":"car","attributes":[]}],"relations":[{"subject":0,"relation":"on","object":1}]}}\n' >graphs
printf '{"id":"r","image":"i","tuples":[["dog"],["dog","red"],["automobile"],["dog","automobile","on"]]}\n' >tuples
t_run unimo-score -m spice graphs tuples
t_ok "SPICE: our parser's graphs against tuples, synonyms known" holds "$out" '.[0].score == 100 and .[0].relation == 100 and .[0].color == 100'
t_run unimo-score -m spice --wordnet none graphs tuples
t_ok "and unknown" holds "$out" '.[0].score == 50'

# ---- boxes ----
printf '{"image":1,"category":"dog","bbox":[0,0,200,200]}\n{"image":2,"category":"dog","bbox":[0,0,20,20]}\n' >boxes
printf '{"image":1,"category":"dog","bbox":[0,0,200,200],"score":0.5}\n{"image":2,"category":"cat","bbox":[0,0,20,20],"score":0.5}\n' >seen
for scale in percent ref; do
    t_run unimo-score -m ap-coco --scale $scale --ci bootstrap:100 seen boxes
    t_ok "$scale: -1 where there is nothing to find" holds "$out" '.[0] | .AP_medium == -1 and .by_category.cat.AP == -1 and (.printed.AP_medium | tonumber) == -1'
    t_ok "which no interval counts" holds "$out" '.[0] | .ci.AP_small.low == 0 and .ci.AP_small.mean == 0'
    t_ok "and categories have the scale of the whole" holds "$out" '.[0] | .by_category.dog.AP == .AP'
done
seq 0 9999 | sed 's/.*/{"image":"i&","category":"c&","bbox":[1,2,30,40],"score":0.5}/' >apart
echo '[{' >cut.json
t_run unimo-score -m ap-coco apart cut.json
t_err '^unimo-score: cut.json: bad JSON'
t_ok "as many categories as images take no memory that goes by their product" \
    sh -c '($1 && timeout 60 unimo-score -m ap-coco,ap-voc apart apart) | jq -se ".[0].AP > 99.999 and .[1].mAP == 100 and (.[1].by_category | length) == 10000"' sh "$bounded"

# ---- wrong use ----
if command -v perl >/dev/null; then
    t_run "$top/scripts/unicode-ranges"
    t_same "$out" "$top/lib/score/unicode_ranges.h" "the tables are what their script makes"
fi
t_run unimo-score -m accuracy - -
t_exit 2 "standard input cannot be both"
t_run unimo-score -m accuracy,retrieval - ref
t_exit 2 "nor be read in two ways"
t_run unimo-score -m accuracy pred
t_exit 2 "references are required"
t_run unimo-score -m sparkle pred ref
t_exit 2 "an unknown metric"
t_run unimo-score pred ref
t_exit 2 "no metric"
t_run unimo-score -m retrieval pred
t_exit 2 "retrieval without images"
for o in "--vqa 2021" "--wordnet none" "--meteor-modules exact" "--smooth floor" "--lowercase" "--max-order 4" "--no-stem" "--exceptions ." "--images ref" "--ties min"; do
    t_run unimo-score -m bleu,accuracy $o pred ref
    t_exit 2 "$o changes neither metric"
    t_err "^unimo-score: ${o%% *}: is for [a-z, -]+$"
done
t_run unimo-score -m rouge,rouge-google --tokenize split pred ref
t_err '^unimo-score: --tokenize: is for bleu, rouge-l, cider, cider-original, meteor$'
t_run unimo-score -m sacrebleu --smooth-value 0.5 pred ref
t_err '^unimo-score: --smooth-value: goes with --smooth floor or add-k$'
t_run unimo-score -m sacrebleu --bleu-tokenize x pred ref
t_exit 2 "an unknown tokenizer"
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
