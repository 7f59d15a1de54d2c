#!/bin/bash
# Scene graphs of captions that were graded by hand stay as good as they are.
. "$(dirname "$0")/../lib/lib.sh"
command -v python3 >/dev/null || t_skip_all "python3 is not installed"
command -v jq >/dev/null || t_skip_all "jq is not installed"
[ -d /usr/share/wordnet ] || t_skip_all "wordnet-base is not installed"

gold=$top/tests/golden/rewrite/captions.txt
cut -f1 "$gold" | jq -Rc '{id: "c\(input_line_number)", text: ., image: "i\(input_line_number)"}' >captions.jsonl
t_ok "300 captions" [ "$(wc -l <captions.jsonl)" = 300 ]
t_run unimo-rewrite --learn -o model captions.jsonl
t_exit 0 "learning"
t_run unimo-rewrite -m model --positives 0 --negatives 0 --plain -o graphs.jsonl captions.jsonl
t_exit 0 "graphs"
t_run python3 "$top/tests/lib/graph_f1.py" "$gold" graphs.jsonl
t_exit 0 "scoring"
f1() { awk -v name="$1:" -v least="$2" '$1 == name { good = $3 >= least } END { exit !good }' "$out"; }
t_ok "F1 of tuples is at least 0.93" f1 all 0.93
t_ok "and 0.92 on those that the parser was not improved with" f1 even 0.92
jq -c '.scene_graph.objects |= map(.name = "thing")' graphs.jsonl >wrong.jsonl
t_run python3 "$top/tests/lib/graph_f1.py" "$gold" wrong.jsonl
t_ok "graphs of nothing but things are far from it" grep -Eq "^all: F1 0[.][01]" "$out"
t_done
