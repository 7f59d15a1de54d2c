#!/bin/bash
# Edited captions are still English and say something else: checked against hand-made graphs, WordNet and a new parse.
. "$(dirname "$0")/../lib/lib.sh"
command -v python3 >/dev/null || t_skip_all "python3 is not installed"
command -v jq >/dev/null || t_skip_all "jq is not installed"
[ -d /usr/share/wordnet ] || t_skip_all "wordnet-base is not installed"

gold=$top/tests/golden/rewrite/captions.txt
cut -f1 "$gold" | jq -Rc '{id: "c\(input_line_number)", text: ., image: "i\(input_line_number)"}' >captions.jsonl
unimo-rewrite --learn -o model captions.jsonl
# Every kind of edit, "several" apart: the checker knows one edit a caption.
t_run unimo-rewrite -m model --sentence-share 0 --negatives 12 --plain -o edited.jsonl captions.jsonl
t_exit 0 "editing"
jq -c '.id as $id | .negatives | to_entries[] | {id: "\($id)/\(.key)", text: .value.text}' edited.jsonl >texts.jsonl
t_run unimo-rewrite -m model --plain -o parsed.jsonl texts.jsonl
t_exit 0 "and parsing what came out"
t_run python3 "$top/tests/lib/negatives_check.py" "$gold" edited.jsonl parsed.jsonl
t_exit 0 "checking"
share() { awk -v field="$1" -v least="$2" '{ good = $1 > 3000 && $field >= least } END { exit !good }' "$out"; }
t_ok "at least 98 % are grammatical" share 3 98
t_ok "and 99 % of another meaning" share 6 99
jq -c '.negatives |= map(.text |= sub("^A "; "An "))' edited.jsonl >wrong.jsonl
t_run python3 "$top/tests/lib/negatives_check.py" "$gold" wrong.jsonl parsed.jsonl
t_ok "wrong articles are seen" sh -c '! awk "{ exit !(\$3 >= 90) }" "$1"' sh "$out"

# The kinds of edit and their weights.
kinds() { jq -r '.negatives[].edit.kind' "$out" | sort -u | tr '\n' ' '; }
t_run unimo-rewrite -m model --sentence-share 0 --kinds attribute-swap,object-swap,relation --plain captions.jsonl
t_ok "only the kinds that were asked for" [ "$(kinds)" = "attribute swap object swap relation " ]
t_run unimo-rewrite -m model --sentence-share 0 --kinds several --negatives 5 --plain captions.jsonl
t_ok "two words at once" jq -se '[.[].negatives[]] | length > 1000 and all(.[]; .edit.kind == "several" and (.edit.from | contains(", ")))' "$out"
t_run unimo-rewrite -m model --sentence-share 0 --kinds 'object=3,attribute' --negatives 4 --plain captions.jsonl
t_ok "by their weights" jq -se 'all(.[]; [.negatives[].edit.kind] | length < 4 or (index("attribute") == null) or (map(select(. == "object")) | length) == 3 or
    (map(select(. == "object")) | length) < 3)' "$out"
printf '%s\n' "A dog is above a car." "A cat is below a bus." | jq -Rc '{id: "\(input_line_number)", text: ., image: .}' >places.jsonl
unimo-rewrite --learn -o places places.jsonl
t_run unimo-rewrite -m places --sentence-share 0 --kinds relation --plain places.jsonl
t_ok "relations give way to opposites that the corpus has" [ "$(jq -r '.negatives[].edit.to' "$out" | tr '\n' ' ')" = "below above " ]
t_run unimo-rewrite -m model --kinds object,nothing --plain captions.jsonl
t_exit 2 "an unknown kind"
t_err '^unimo-rewrite: --kinds: "nothing" is no kind of edit'
for list in "" object, ,object =3; do
    t_run unimo-rewrite -m model --kinds "$list" --plain captions.jsonl
    t_err '^unimo-rewrite: --kinds: ".*" is no kind of edit$'
done
t_run unimo-rewrite -m model --kinds object=lots --plain captions.jsonl
t_exit 2 "a wrong weight"
t_done
