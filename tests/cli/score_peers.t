#!/bin/bash
# Metrics against the programs that they take the place of, on texts, boxes and numbers made to be hard: those that are installed for python3,
# or for the Python that PYTHON names.
. "$(dirname "$0")/../lib/lib.sh"
python=${PYTHON:-python3}
command -v "$python" >/dev/null || t_skip_all "no Python"
for peer in sacrebleu:3 significance:1 rouge-google:2 rouge:1 captions:1 meteor:1 boxes:4 labels:4; do
    t_run "$python" "$top/tests/cli/score_peers.py" "${peer%:*}" "${peer#*:}"
    if [ "$rc" = 77 ]; then
        echo "# ${peer%:*} left out: $(tail -1 "$out")"
        continue
    fi
    t_exit 0 "${peer%:*}: $(tail -1 "$out")"
    [ "$rc" = 0 ] || cat "$out"
done
[ "$t_n" -gt 0 ] || t_skip_all "none of the other programs is installed"
t_done
