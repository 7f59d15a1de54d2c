#!/bin/bash
# Calls that hardly ever fail do, one after the other, by tests/lib/failing.c: each run ends well with the whole output,
# or with one line, status 1, and what was there before.
. "$(dirname "$0")/../lib/lib.sh"
. "$top/tests/lib/corpus.sh"
failing=${UNIMO_BUILD:-$top/build/release}/tests/lib/failing.so
[ -e "$failing" ] || t_skip_all "nothing is preloaded beside a sanitizer or an emulator"
export OMP_NUM_THREADS=1 GOMP_SPINCOUNT=1000

corpus >corpus.log 2>&1 || { t_last=corpus; cp corpus.log "$err"; }
t_ok "a small corpus is made" [ -s tiny.json ]
pretrain="unimo-pretrain $model --device cpu -j 1 --loaders 1 --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst --rows 128"
$pretrain --steps 1 -o model 2>/dev/null

t_failing() { # CALL:ERRNO:N CMD...
    local what=$1
    shift
    t_run env LD_PRELOAD="$failing" FAIL="$what" FAIL_TOLD=told timeout 60 "$@"
}

# Whether the last run ended as it may; where/ is compared with old/ and whole/.
judge() {
    local same=whole
    [ "$rc" = 0 ] && [ -s "$err" ] && return 1
    if [ "$rc" != 0 ]; then
        same=old
        [ "$rc" = 1 ] && [ "$(wc -l <"$err")" = 1 ] && grep -q "^$1: ." "$err" || return 1
    fi
    diff -r "$same" where >/dev/null || { [ "$rc" = 1 ] && [ "$complete" ] && diff -r whole where >/dev/null; }
}

# KINDS CMD...: fails the calls of each kind, the further ones by and by less densely. CMD writes into where/.
sweep() {
    local kinds=$1 kind n bad
    shift
    rm -rf where whole
    cp -r old where
    "$@" >/dev/null 2>&1
    mv where whole
    for kind in $kinds; do
        complete= # an output that is complete may stand although its directory, or what it replaced, made trouble
        case $kind in sync* | close* | unlink*) complete=y ;; esac
        bad=
        for ((n = 1; n < 1000000; n += n / 2 + 1)); do
            rm -rf where told
            cp -r old where
            t_failing "$kind:$n" "$@"
            [ -e told ] || break
            judge "$1" || { bad=y; break; }
        done
        t_ok "$1 $2: $kind, up to the $n." [ ! "$bad" -a "$n" -gt 1 ]
    done
}

mkdir old
printf old >old/out
unimo-view scenes/dev.pairs.jsonl.zst | jq -r .text >texts.txt
files="open:24 read:5 read:short write:28 write:short rename:5 sync:5 close:5"
sweep "alloc:12 alloc:12+ $files" unimo-view --pack -o where/out corpus/dev.regions.zst corpus/dev.pairs.zst
sweep "alloc:12 alloc:12+ thread:11 $files" unimo-tokenize -j 2 -m corpus/vocabulary -o where/out scenes/dev.pairs.jsonl.zst
sweep "alloc:12 $files" unimo-score -m sacrebleu -o where/out texts.txt texts.txt
sweep "$files" unimo-regionfeat --device cpu -j 2 -n 2 -o where/out scenes/dev.jsonl.zst
sweep "$files" unimo-predict --device cpu -j 2 -n 4 -t retrieval -m model --images corpus/dev.regions.zst -o where/out corpus/dev.pairs.zst
cp -r corpus/vocabulary old/vocabulary
sweep "alloc:12 make:28 $files" unimo-tokenize --learn -j 1 --vocab-size 300 -F text -o where/vocabulary scenes/dev.pairs.jsonl.zst

# A file system whose directories cannot change places in one step, as NFS.
rm -rf where
cp -r old where
FAIL_PATH=where/vocabulary t_failing rename:22:2 unimo-tokenize --learn -j 1 --vocab-size 300 -F text -o where/vocabulary scenes/dev.pairs.jsonl.zst
t_exit 0 "a directory is replaced in two steps"
t_ok "and nothing else is there" diff -r whole where

# What cannot be looked into is not nothing.
FAIL_PATH=dev.regions t_failing open:24:1 unimo-view --pack -o out corpus/dev.regions.zst
t_fails "an input that cannot be described"
t_err 'dev.regions.zst: cannot open: Too many open files'
t_failing list:5:4 unimo-regionfeat -o out scenes/dev
t_fails "a folder that can be listed in part"
t_err 'scenes/dev: cannot list: Input/output error'
find model -name trainer.json | xargs sha256sum >before
FAIL_PATH=checkpoints t_failing list:13:1 $pretrain --resume --steps 2 --log log -o model
t_fails "checkpoints that cannot be listed"
t_err 'model/checkpoints: cannot list: Permission denied'
t_ok "nothing is begun anew" sha256sum --status -c before
t_failing thread:11+:1 $pretrain --steps 1 -o other
t_fails "training without a second thread"
t_err 'cannot start a thread'

# OpenMP, which ends the program when it cannot start a thread, is content with those that there are.
predict="unimo-predict --device cpu -n 4 -t retrieval -m model --images corpus/dev.regions.zst corpus/dev.pairs.zst"
$predict -j 2 -o two 2>/dev/null
t_failing thread:11+:1 $predict -j 2 -o one
t_exit 0 "prediction without a second thread"
t_same one two "comes to the same"

# A part of Link Grammar's dictionary is not all of it.
FAIL_PATH=4.0.knowledge t_failing open:24:1 unimo-rewrite --learn -o rewriter scenes/dev.pairs.jsonl.zst
t_fails "a dictionary that can be read in part"
t_err "English dictionary: .*4.0.knowledge"

# What an earlier run left is not dropped for want of memory.
unimo-regionfeat --device cpu -o part --append scenes/dev 2>/dev/null
cp part before
FAIL_BYTES=$(zstdcat part | wc -c) t_failing alloc:12:1 unimo-regionfeat --device cpu -o part --append scenes/test
t_fails "to add to a file without the memory for what it has"
t_err '^unimo-regionfeat: part.partial: not enough memory'
t_same part before "it stands as it was"
t_run unimo-regionfeat --device cpu -o part --append scenes/test
t_ok "it has what was added and what it had" [ "$(zstdcat part | wc -l)" = 12 ]

# A limit of memory, from one that is too low to one that is enough, is no crash in the libraries either.
bad=
for ((limit = 40000; limit < 2000000; limit += limit / 20)); do
    t_run bash -c "ulimit -c 0 -v $limit; exec $predict -j 1"
    [ "$rc" = 0 ] && break
    [ "$rc" -lt 128 -a "$(wc -l <"$err")" = 1 ] || { bad=y; break; }
done
t_ok "limits of memory below $limit KiB: one line each" [ ! "$bad" -a "$rc" = 0 ]
t_done
