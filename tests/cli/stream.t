#!/bin/bash
# Streams seen by the tools that everybody has: zstd, zstdcat, jq, cat; and by unimo-view.
. "$(dirname "$0")/../lib/lib.sh"
for tool in zstd jq; do command -v $tool >/dev/null || t_skip_all "$tool is not installed"; done

for i in 1 2 3 4 5; do printf '{"id":"r%d","text":"caf\\u00e9 %d","n":%d.5}\n' $i $i $i; done >plain.jsonl
t_run unimo-view plain.jsonl
t_exit 0 "plain JSON Lines are read"
t_ok "and printed" sh -c 'jq -se ".[2].text == \"café 3\"" "$1"' sh "$out"
zstd -q plain.jsonl
t_run unimo-view plain.jsonl.zst
t_exit 0 "foreign zstd is read"
t_ok "to the same records" sh -c 'unimo-view plain.jsonl | cmp -s - "$1"' sh "$out"
t_run sh -c 'zstdcat plain.jsonl.zst | unimo-view -'
t_exit 0 "standard input too"
# pzstd puts a frame of its own before each part of a file, wherever in a line that begins.
part() { printf '\x50\x2a\x4d\x18\x04\0\0\0abcd'; zstd -qc; }
{ head -c 50 plain.jsonl | part; tail -c +51 plain.jsonl | head -c 60 | part; tail -c +111 plain.jsonl | head -c -1 | part; } >parts.zst
t_run unimo-view parts.zst
t_ok "other programs' frames may stand within a line" sh -c 'unimo-view plain.jsonl | cmp - "$1"' sh "$out"
sed 's/"id":"r/"id":"q/' plain.jsonl | unimo-view --pack -o ours.zst
cat parts.zst ours.zst parts.zst >joined.zst
t_run unimo-view joined.zst
t_ok "a stream of ours ends a line without newline" sh -c 'jq -r .id "$1" | tr -d "\n" | grep -qx r1r2r3r4r5q1q2q3q4q5r1r2r3r4r5' sh "$out"
t_run sh -c '{ printf "\357\273\277"; cat plain.jsonl; } | zstd -qc | unimo-view'
t_fails "a byte-order mark within zstd"
t_err 'record 1: bad JSON at byte 0: a byte-order mark '
t_run sh -c 'zstd -qc --long=28 <plain.jsonl | unimo-view'
t_fails "a window larger than zstd takes unasked"
t_err 'standard input: zstd data of a window above 128 MiB \(use zstd -dc --long=31 FILE \|\)$'
# Named pipes are opened once: who writes into one that is closed again is killed, and who opens it twice waits for ever.
sed 's/"id":"r/"id":"p/' plain.jsonl >other.jsonl
mkfifo pipe
for try in 1 2 3 4 5; do
    cat other.jsonl >pipe &
    t_run timeout 20 unimo-view --pack -o "packed.$try" plain.jsonl pipe
    [ "$rc" = 0 ] || break
    kill $! 2>/dev/null
done
t_exit 0 "named pipes are read"
t_ok "to their last record" sh -c '[ "$(unimo-view packed.5 | jq -r .id | tr "\n" " ")" = "r1 r2 r3 r4 r5 p1 p2 p3 p4 p5 " ]'
t_run unimo-view --select r2 --select r4 plain.jsonl
t_ok "--select picks" sh -c '[ "$(jq -r .id "$1" | tr "\n" " ")" = "r2 r4 " ]' sh "$out"
t_run unimo-view --select r2 --select r2 plain.jsonl
t_ok "an id may be given twice" sh -c '[ "$(jq -r .id "$1")" = r2 ]' sh "$out"
t_run unimo-view --select r1 --select r5 --limit 1 plain.jsonl
t_ok "what is behind the limit is not missed" sh -c '[ "$(jq -r .id "$1")" = r1 ]' sh "$out"
t_run unimo-view --select nobody plain.jsonl
t_exit 1 "an id that is not there is an error"
t_err '^unimo-view: no record with id "nobody"$'
t_run unimo-view --select r2 --select r2 plain.jsonl
t_exit 0 "an id that is asked for twice is there once"
t_run unimo-view --select r2 --select nobody --limit 1 plain.jsonl
t_exit 0 "nor is an id missed behind the limit"
unimo-view --pack -o ours.zst plain.jsonl
for report in --stats --check --header --index; do
    unimo-view $report ours.zst >printed
    t_run unimo-view $report -o report ours.zst
    t_ok "$report goes where --output says" sh -c 'cmp -s printed report && [ ! -s "$1" ]' sh "$out"
    rm report
    t_run unimo-view $report --limit 1 plain.jsonl
    t_err '^unimo-view: --limit: goes with records'
done
t_run unimo-view --check -o report no-such-file
t_ok "what is bad, too" sh -c '[ "$1" = 1 ] && grep -q "^bad: no-such-file: cannot open" report' sh "$rc"
t_run unimo-view --stats plain.jsonl
t_out '^field n: in 5, number, values 1.5 to 5.5, mean 3.5$'
t_run unimo-view --check plain.jsonl plain.jsonl.zst
t_exit 0 "--check of good files"
head -c 30 plain.jsonl.zst >cut.zst
t_run unimo-view --check plain.jsonl cut.zst
t_exit 1 "--check of a cut one"
t_out '^plain.jsonl: good, 5 records$'
t_out '^bad: cut.zst: '
t_run unimo-view --header plain.jsonl
t_fails "a foreign file has no provenance"
t_run unimo-view --limit 2 plain.jsonl
t_ok "--limit stops" sh -c '[ "$(wc -l <"$1")" = 2 ]' sh "$out"
t_run sh -c 'yes "{\"x\":1}" | head -100000 | unimo-view - | head -1'
t_exit 0 "a reader that goes away ends the filter quietly"
t_ok "without a word" [ ! -s "$err" ]
t_run sh -c 'unimo-view plain.jsonl >/dev/full'
t_exit 1 "a full disk is an error"
t_err 'No space left on device'
cp plain.jsonl same.jsonl
t_run unimo-view -o same.jsonl same.jsonl
t_exit 1 "input = output is refused"
t_same plain.jsonl same.jsonl "and the file is as it was"
# Tensors as text, for other programs, and back.
printf '{"id":"a","tensors":{"x":{"dtype":"F32","shape":[1,2],"base64":"AACAPwAAAEA="},"y":{"dtype":"I32","shape":[0],"base64":""}}}\n' >text.jsonl
t_run unimo-view --tensor x text.jsonl
t_out '^1 2$'
# 2^53 + 1 and -2^63, 2^31 - 1, a third.
printf '{"id":"a","tensors":{"i":{"dtype":"I64","shape":[2],"base64":"AQAAAAAAIAAAAAAAAAAAgA=="},"j":{"dtype":"I32","shape":[1],"base64":"////fw=="},"d":{"dtype":"F64","shape":[1],"base64":"VVVVVVVV1T8="}}}\n' >digits.jsonl
t_run sh -c 'for name in i j d; do unimo-view --tensor $name digits.jsonl; done | tr "\n" " "'
t_out '^9007199254740993 -9223372036854775808 2147483647 0.33333333333333331 $'
unimo-view --tensor x text.jsonl >printed
t_run unimo-view --tensor x -o values text.jsonl
t_ok "into a file, too" sh -c '[ -s values ] && cmp -s printed values && [ ! -s "$1" ]' sh "$out"
t_run unimo-view --pack -o packed.zst text.jsonl
t_exit 0 "tensors in the line are packed"
t_run unimo-view --check packed.zst
t_exit 0 "into frames"
t_run unimo-view --base64 packed.zst
t_same "$out" text.jsonl "and come back as they were"
for bad in 's/AEA=/AEA/' 's/AEA=/A*A=/' 's/1,2/1,3/' 's/"AACAPwAAAEA="/5/' 's/,"base64":"AACAPwAAAEA="//'; do
    sed "$bad" text.jsonl >bad.jsonl
    t_run unimo-view bad.jsonl
    t_fails "what is no tensor: $bad"
    t_err 'bad.jsonl: record 1: tensor "x"'
done
# Into a pipe blocks begin small, and grow.
seq 6000 | sed 's/.*/{"id":"&"}/' | unimo-view --pack - | cat >piped.zst
t_run unimo-view --index piped.zst
awk '/^block/ { n = n " " $3 } END { print n }' "$out" >sizes
t_ok "a pipe's blocks are of 64 records, 128, ..." grep -qx ' 64 128 256 512 1024 2048 1968' sizes
# Of a large file only the index is read.
head -c 40000000 /dev/urandom | base64 -w 10000 | sed 's/.*/{"x":"&"}/' | unimo-view --pack -o large.zst -
peak=$(t_peak unimo-view --index large.zst)
t_ok "the index of a file of $(wc -c <large.zst) bytes takes $peak KiB" [ "$peak" -lt 32768 ]
mkfifo named
cat piped.zst >named &
t_run unimo-view --index named
t_exit 0 "and a pipe has one, too"

# ---- models ----
model=$top/testdata/detector
t_run unimo-view --stats "$model"
t_out '^tensor predict.class.bias: in 1, [BF0-9]* \[[0-9]*\], values '
t_run unimo-view --check --finite "$model" "$model/model.safetensors"
t_ok "a model's directory stands for its parameters" sh -c '[ "$(grep -c ": good, [0-9]* tensors$" "$1")" = 2 ]' sh "$out"
unimo-view --stats "$model" | grep 'tensor predict.class.weight:' >told
t_run unimo-view -t predict.class.weight -o values "$model"
t_ok "a parameter's values, a row a line" awk 'NR == FNR { match($0, /\[[0-9]+,[0-9]+\]/); split(substr($0, RSTART + 1, RLENGTH - 2), n, ","); next } \
    NF != n[2] { exit 1 } { rows++ } END { if (rows != n[1]) exit 1 }' told values
unimo-view --stats "$model" | grep ^tensor | sort -g -k 10 | grep -o ' to [^,]*' | cut -c5- >largest
t_ok "the manual's way to the largest values" sh -c 'grep -qx "unimo-view --stats model | grep ^tensor | sort -g -k 10" "$1" && [ -s largest ] && sort -gc largest' sh "$top/man/unimo-view.1"
t_run unimo-view -t nothing "$model"
t_fails "no such parameter"
t_err 'detector: no tensor "nothing"$'
t_run unimo-view "$model"
t_err 'detector: is a model, not a stream \(see --stats, --check and --tensor\)$'
t_done
