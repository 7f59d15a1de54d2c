#!/bin/bash
# Metrics that no installed program can be asked for, against plain restatements of their definitions, on random inputs.
. "$(dirname "$0")/../lib/lib.sh"
command -v python3 >/dev/null || t_skip_all "no Python"
for metric in voc spice; do
    : >log
    for seed in 1 2 3 4 5 6 7 8; do
        python3 "$top/tests/cli/score_restated.py" "$metric" "$seed" >>log 2>&1
        rc=$?
        [ "$rc" = 0 ] || break
    done
    [ "$rc" = 77 ] && echo "# $metric left out: no WordNet" && continue
    t_ok "$metric: eight random inputs, scored as restated" [ "$rc" = 0 ]
    [ "$rc" = 0 ] || sed "s/^/# seed $seed: /" log
done
t_done
