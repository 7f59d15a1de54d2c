#!/bin/bash
# Every command of README.md's tour runs, in order, in an empty folder.
. "$(dirname "$0")/../lib/lib.sh"
awk '/^```sh/ { on = 1; next } /^```/ { on = 0 } on' "$top/README.md" >commands
t_ok "README has commands" [ "$(wc -l <commands)" -gt 8 ]
while read -r line; do
    t_run bash -o pipefail -c "$line"
    t_exit 0 "$line"
    case $line in
    *'jq -r .pred') t_ok "captions are written" [ "$(wc -l <"$out")" = 10 ] ;;
    *.tokens) t_ok "tokens are shown" grep -qE '^\[[0-9]+(,[0-9]+)+\]$' "$out" ;;
    esac
done <commands
# So do those of unimo(7) for one's own data, with the vocabulary and the model of the tour.
cp -r scenes/test photos
unimo-view scenes/test.pairs.jsonl.zst | jq -r '[.image + ".jpg", .text] | @tsv' >captions.tsv
awk '/^\.Sh/ { own = $2 == "YOUR" && $3 == "OWN" } own && /^\.Ed/ { on = 0 } on { gsub(/\\e/, "\\"); print } own && /^\.Bd/ { on = 1 }' "$top/man/unimo.7" >commands
t_ok "unimo(7) has commands for one's own data" [ "$(wc -l <commands)" = 9 ]
while read -r line; do
    t_run bash -o pipefail -c "$line"
    t_exit 0 "$line"
done <commands
t_ok "each picture is described" [ "$(wc -l <described.tsv)" = 10 ]
t_ok "and has features in the field's form" [ "$(wc -l <regions.tsv)" = 10 ]
make -s -C "$top" help | sed 's/ .*//' >targets
printf 'bench-%s\n' $(ls "$top/tests/bench") >>targets
grep -oE '`make [a-z0-9-]+' "$top/README.md" | sed 's/.* //' | sort -u >named
t_ok "make has every target that README names" sh -c '[ "$(wc -l <named)" -gt 10 ] && ! grep -vxFf targets named >&2'
t_ok "the set-up commands exist" sh -c 'cd "$1" && scripts/setup -n && make -n check demo >/dev/null' sh "$top"
t_ok "and are what CI runs" grep -q 'scripts/setup' "$top/.ci/run"
t_done
