#!/bin/bash
# Filters against the world: a disk that is full, a reader that goes away, Ctrl-C.
. "$(dirname "$0")/../lib/lib.sh"
. "$top/tests/lib/corpus.sh"

corpus >corpus.log 2>&1 || { t_last=corpus; cp corpus.log "$err"; }
t_ok "a small corpus is made" [ -s tiny.json ]
unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst --rows 128 --steps 1 -o model 2>/dev/null
unimo-view scenes/train.pairs.jsonl.zst | jq -c '. as $r | range(40) | . as $i | $r | .id += " \($i)"' | zstd -q >many.zst
regionfeat="unimo-regionfeat scenes/train.jsonl.zst"
tokenize="unimo-tokenize -m corpus/vocabulary many.zst"
predict="unimo-predict -t retrieval -m model --images corpus/train.regions.zst corpus/train.pairs.zst"
view="unimo-view many.zst"

# A full disk: one line, exit 1, nothing under the name and nothing beside it.
if mkdir small && mount -t tmpfs -o size=4k none small 2>/dev/null; then
    for c in "$regionfeat" "$tokenize" "$predict" "$view"; do
        t_run $c -o small/out
        t_fails "full disk: ${c%% *}"
        t_err 'No space left'
        t_ok "leaves nothing" [ -z "$(ls -A small)" ]
    done
    t_run unimo-scenes --train 20 -o small/scenes
    t_fails "full disk: unimo-scenes"
    t_run unimo-tokenize --learn --vocab-size 400 -o small/vocabulary many.zst
    t_fails "full disk: unimo-tokenize --learn"
    t_ok "leaves no vocabulary" [ ! -e small/vocabulary ]
    umount small
fi

# A reader that goes away: quiet.
for c in "$regionfeat" "$tokenize" "$predict" "$view"; do
    t_run bash -c "$c 2>messages | head -c 100 >/dev/null; [ \${PIPESTATUS[0]} = 141 -o \${PIPESTATUS[0]} = 0 ] && [ ! -s messages ]"
    t_exit 0 "closed pipe: ${c%% *} says nothing"
done

# Ctrl-C: the process ends by the signal, the unfinished output goes with it.
mkfifo never
exec 9<>never # a writer that writes nothing: the program waits for its input
for c in "unimo-tokenize -m corpus/vocabulary never" "unimo-view never" "unimo-predict -t retrieval -m model --images corpus/train.regions.zst never"; do
    mkdir -p where
    env --default-signal=INT $c -o where/out 2>messages & # a script ignores ^C for its background jobs
    for _ in $(seq 300); do [ -n "$(ls -A where)" ] && break; sleep 0.01; done
    kill -INT $!
    wait $!
    status=$?
    t_ok "Ctrl-C: ${c%% *} ends by the signal (got $status)" [ $status = 130 ]
    t_ok "and leaves nothing" [ -z "$(ls -A where)" ]
done
if [ "${UNIMO_BUILD##*/}" = release ]; then # a sanitizer handles crashes itself
    for signal in ABRT SEGV; do
        bash -c "ulimit -c 0; exec unimo-view never -o where/out" 2>messages &
        for _ in $(seq 300); do [ -n "$(ls -A where)" ] && break; sleep 0.01; done
        kill -$signal $!
        wait $! 2>/dev/null
        status=$?
        t_ok "a crash by SIG$signal ends by the signal (got $status)" [ $status -gt 128 ]
        t_ok "and leaves nothing" [ -z "$(ls -A where)" ]
    done
fi
bash -c "trap '' HUP INT; exec unimo-view never -o where/out" & # as nohup starts it, and a script in the background
for _ in $(seq 300); do [ -n "$(ls -A where)" ] && break; sleep 0.01; done
kill -HUP $!
kill -INT $!
sleep 0.2
kill -TERM $! 2>/dev/null
wait $!
status=$?
t_ok "what nohup started outlives its terminal, and a background job its script's ^C (got $status)" [ $status = 143 ]
exec 9>&-
t_done
