#!/bin/bash
# unimo-pretrain: objectives, logs, checkpoints, signals, wrong inputs.
. "$(dirname "$0")/../lib/lib.sh"
. "$top/tests/lib/corpus.sh"

corpus >corpus.log 2>&1 || { t_last=corpus; cp corpus.log "$err"; }
t_ok "a small corpus is made" [ -s tiny.json ]
data="--vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst --images corpus/images.regions.zst --texts corpus/texts.zst"
pretrain="unimo-pretrain $model $data --rows 256 --lr 1e-3 --log-every 1 --seed 7 -j 2"

t_run $pretrain --dry-run
t_exit 0 "a dry run"
t_out '^parameters	[0-9]{5}'
t_out '^pairs	120 records'
t_out '^time in all here	[0-9.]+ (s|min|h|days)$'

bytes_each() { sed -n "s/^parameters\t//p; s/^memory of parameters.*\t\(.*\) MB/\1/p" "$out" | paste -sd' ' | awk '{ printf "%d", $2 * 1e6 / $1 + 0.5 }'; }
large="unimo-pretrain --config small --vocab corpus/vocabulary --texts corpus/texts.zst --rows 64 --dry-run -j 2"
t_run $large --precision bf16
t_ok "16 bytes for each parameter" [ "$(bytes_each)" = 16 ]
t_run $large --average 0.9
t_ok "and 4 for an average of it" [ "$(bytes_each)" = 20 ]

t_run $pretrain --steps 8 --log log -o whole
t_exit 0 "eight steps on pairs, images and texts"
t_ok "leave a model" [ -s whole/model.safetensors -a -s whole/config.json -a -s whole/vocab.json -a -s whole/merges.txt ]
t_ok "that is a sound file" unimo-view --check --finite corpus/train.pairs.zst
t_ok "and eight lines of the log" [ "$(wc -l <log)" = 8 ]
t_ok "with every objective" sh -c 'jq -se "map(keys) | add | contains([\"mlm\",\"seq2seq\",\"mrc\",\"mrfr\",\"cmcl\"])" log'
t_ok "and finite numbers" sh -c 'jq -e "(.loss|type)==\"number\" and .gradient_norm > 0 and .lr >= 0" log >/dev/null'

t_run $pretrain --steps 2 --profile -o profiled
t_ok "--profile tells each operation's share and the rest's" sh -c 'grep -Eq "% .* calls  linear_forward .*GFLOP/s" "$1" && grep -Eq "% .* calls  host" "$1"' sh "$err"
t_run $pretrain --steps 8 -o again
t_same whole/model.safetensors again/model.safetensors "the same run gives the same bytes"
t_run $pretrain --steps 8 --seed 8 -o other
t_ok "another seed gives others" sh -c '! cmp -s whole/model.safetensors other/model.safetensors'

for o in mlm seq2seq mrc mrfr cmcl; do
    t_run $pretrain --steps 2 --$o 0 --log off.log -o "off-$o"
    t_ok "--$o 0 switches it off" sh -c '[ -s off.log ] && ! grep -q "\"'$o'\":" off.log'
done
t_run unimo-pretrain $model --vocab corpus/vocabulary --texts corpus/texts.zst --rows 128 --steps 2 --log texts.log -o texts
t_ok "texts alone are enough" sh -c '! grep -qE "mrc|cmcl" texts.log && grep -q mlm texts.log'
t_run unimo-pretrain $model --vocab corpus/vocabulary --images corpus/images.regions.zst --rows 128 --steps 2 --log images.log -o images
t_ok "so are images" sh -c '! grep -qE "mlm|cmcl" images.log && grep -q mrfr images.log'
t_run $pretrain --score cosine --temperature 0.07 --masking both --generation pieces --accumulate 2 --steps 2 -o variant
t_exit 0 "the variants work"
t_run unimo-pretrain $data --init whole --rows 256 --steps 1 -o from
t_exit 0 "--init takes a model of ours"
t_err '43 matched, 0 missing, 0 unexpected|[0-9]+ matched, 0 missing, 0 unexpected'


# A learnt temperature is a factor of where it began, for one kind of score.
init="unimo-pretrain $data --rows 256 --steps 1 --learn-temperature --score cosine"
t_run $init $model --temperature 0.5 --lr 0.1 -o learnt
for other in "--temperature 0.07" "--temperature 0.5 --score product"; do
    t_run $init --init learnt --lr 0 $other -o onward
    t_err '^missing +match_log_scale'
    rm -r onward
done
t_run $init --init learnt --lr 0 --temperature 0.5 -o onward
t_err '^matched +match_log_scale'

t_run $pretrain --steps 4 --dev-pairs corpus/dev.pairs.zst --features corpus/dev.regions.zst --dev-texts corpus/texts.zst --eval-every 2 --log dev.log -o dev
t_ok "held-out losses are measured while training and at the end" jq -en 'input as $a | [inputs | select(.dev_mlm)] | map(.step) == [2, 4] and all(.[]; .dev_mlm > 0 and .dev_cmcl > 0 and .dev_mrfr > 0)' dev.log
t_run $pretrain --steps 4 -o nodev --features corpus/dev.regions.zst
t_same dev/model.safetensors nodev/model.safetensors "which changes nothing in the model"

t_run $pretrain --steps 6 --average 0.9 --save-every 3 -o averaged
t_exit 0 "a moving average of the parameters"
t_run $pretrain --steps 6 -o plain6
t_ok "makes another model" sh -c '! cmp -s averaged/model.safetensors plain6/model.safetensors'
t_same plain6/checkpoints/step-000000006/model.safetensors averaged/checkpoints/step-000000006/model.safetensors "of the same parameters"
cp -r averaged resumed6
rm -r resumed6/checkpoints/step-000000006 resumed6/model.safetensors
t_run $pretrain --steps 6 --average 0.9 --save-every 3 --resume -o resumed6
t_same averaged/model.safetensors resumed6/model.safetensors "and is resumed with them"
held="--texts corpus/texts.zst --dev-texts corpus/texts.zst --rows 256 -j 2"
t_run unimo-pretrain $model --vocab corpus/vocabulary $held --lr 1e-2 --steps 6 --average 0.9 --log held.log -o held
t_run unimo-pretrain --init held $held --lr 0 --steps 1 --log same.log -o same
t_ok "which are what is measured" jq -en '[inputs | select(.dev_mlm).dev_mlm] | length == 2 and (.[0] - .[1] | fabs < 1e-4)' held.log same.log

# Vocabularies in the forms of others.
mkdir fast gpt2 fairseq
cp corpus/vocabulary/tokenizer.json fast
cp corpus/vocabulary/vocab.json gpt2/encoder.json
cp corpus/vocabulary/merges.txt gpt2/vocab.bpe
jq -c 'del(.["<s>", "<pad>", "</s>", "<unk>", "<mask>"]) | map_values(. - 4)' corpus/vocabulary/vocab.json >fairseq/vocab.json
cp corpus/vocabulary/merges.txt fairseq
jq -r 'length as $n | range($n - 1; -1; -1) | "\(.) 1"' fairseq/vocab.json >fairseq/dict.txt
t_run unimo-pretrain $model --vocab corpus/vocabulary --texts corpus/texts.zst --rows 128 --steps 1 -o usual
for form in fast gpt2 fairseq; do
    t_run unimo-pretrain $model --vocab $form --texts corpus/texts.zst --rows 128 --steps 1 -o of-$form
    t_exit 0 "a vocabulary: $form"
    unimo-tokenize -m $form --plain scenes/dev.pairs.jsonl.zst >by-form
    unimo-tokenize -m of-$form --plain scenes/dev.pairs.jsonl.zst >by-model
    t_same by-form by-model "which the model keeps"
    [ $form = fairseq ] || t_same usual/model.safetensors of-$form/model.safetensors "the same ids, the same model"
done
t_ok "fairseq's ids are others" sh -c '! cmp -s usual/vocab.json of-fairseq/vocab.json && [ "$(jq -c "[.\"<s>\", .\"<mask>\"]" of-fairseq/vocab.json)" = "$(jq -c "[.\"<s>\", .\"<mask>\"]" usual/vocab.json)" ]'

# Files in parts, patterns.
unimo-view corpus/texts.zst | sed -n 1,20p >part-a.jsonl
unimo-view corpus/texts.zst | sed -n '21,$p' >part-b.jsonl
texts="unimo-pretrain $model --vocab corpus/vocabulary --rows 128 --steps 3"
t_run $texts --texts corpus/texts.zst -o one
t_run $texts --texts part-a.jsonl --texts part-b.jsonl -o parts
t_same one/model.safetensors parts/model.safetensors "parts of a collection are the same as the whole"
t_run $texts --texts 'part-?.jsonl' -o pattern
t_same one/model.safetensors pattern/model.safetensors "a pattern stands for them"
mkfifo texts.fifo
unimo-view corpus/texts.zst >texts.fifo &
t_run $texts --texts texts.fifo -o piped
t_same one/model.safetensors piped/model.safetensors "and a pipe is read like a file"

# Held-out pairs whose images are not there, and none when the run goes on.
held_out="unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst --rows 256 --steps 6 --save-every 3"
t_run $held_out --dev-pairs corpus/dev.pairs.zst -o unheld
t_fails "held-out pairs whose images are not there"
t_err 'dev.pairs.zst: record "dev-000000#0": no record with id "dev-000000"'
t_ok "before the training begins" [ ! -e unheld ]
t_run $held_out --dev-texts corpus/texts.zst -o held-out
cp -r held-out less
rm -r less/checkpoints/step-000000006 less/model.safetensors
t_run $held_out --resume -o less
t_same held-out/model.safetensors less/model.safetensors "a run goes on without held-out texts, and ends with the same bytes"

# Stopping and resuming.
t_run $pretrain --steps 40 -o straight
(trap '' HUP INT; exec $pretrain --steps 40 --save-every 5 -o stopped >/dev/null 2>&1) & # as nohup starts it, and a script in the background
for _ in $(seq 500); do [ -d stopped/checkpoints/step-000000005 ] && break; sleep 0.01; done
kill -HUP $!
kill -INT $!
kill -INT $!
sleep 0.2
kill -TERM $! 2>/dev/null
wait $!
stopped=$?
t_ok "a signal lets the step end, saves and exits with 75; what nohup or a script hides does nothing (got $stopped)" [ $stopped = 75 -o $stopped = 0 ]
t_run $pretrain --steps 40 --save-every 5 -o stopped
t_fails "without --resume, a directory with checkpoints is refused"
t_err 'resume goes on'
t_run $pretrain --steps 40 --save-every 5 --lr 2e-3 --resume -o stopped
t_exit 2 "--resume with another learning rate is refused"
t_err '^unimo-pretrain: --lr: is 0.002'
t_run $pretrain --steps 40 --save-every 5 --resume --profile -o stopped
t_exit 0 "--resume goes on, and may tell where the time goes"
t_same straight/model.safetensors stopped/model.safetensors "and ends with the same bytes"
t_ok "keeping two checkpoints" sh -c '[ $(ls stopped/checkpoints | wc -l) = 2 ]'
touch -d '2001-01-01' stopped/model.safetensors
t_run $pretrain --steps 40 --save-every 5 --resume -o stopped
t_exit 0 "a finished run has nothing to do"
t_ok "and does nothing" [ "$(stat -c %Y stopped/model.safetensors)" -lt 1000000000 ]

# A model that was removed comes back, and a run that was stopped before its end does not miss it.
t_run $texts --texts corpus/texts.zst --dev-texts corpus/texts.zst --eval-every 1 --save-every 2 -o removed
mkdir kept && mv removed/model.safetensors kept
t_run $texts --texts corpus/texts.zst --dev-texts corpus/texts.zst --eval-every 1 --save-every 2 --resume -o removed
t_same kept/model.safetensors removed/model.safetensors "a finished run publishes its model again"
rm -r removed/model.safetensors removed/checkpoints/step-000000003
t_run $texts --texts corpus/texts.zst --dev-texts corpus/texts.zst --eval-every 1 --save-every 2 --resume -o removed
t_ok "one that was not finished has nothing to say about it" [ "$rc" = 0 -a ! -s "$err" ]

# A step that is saved is not saved again when a signal comes: there may be little time left.
t_run $texts --texts corpus/texts.zst --save-every 2 -o early
rm -r early/checkpoints/step-000000003 early/model.safetensors
inode=$(stat -c %i early/checkpoints/step-000000002/trainer.json)
$texts --texts texts.fifo --resume -o early 2>early.err &
exec 3>texts.fifo # it is being read
kill -TERM $!
unimo-view corpus/texts.zst >&3
exec 3>&-
wait $!
t_ok "a signal before the first step ends it with 75" [ $? = 75 -a "$(grep -c 'stopped after step 2 of 3; saved' early.err)" = 1 ]
t_ok "and the checkpoint that it began at stays" [ "$(stat -c %i early/checkpoints/step-000000002/trainer.json)" = "$inode" ]

# A terminal is told how fast the steps of this run are, not those before it.
if script -qec true /dev/null >/dev/null 2>&1; then
    t_run $texts --texts corpus/texts.zst --steps 1 -o far
    rm far/model.safetensors && mv far/checkpoints/step-000000001 far/checkpoints/step-000500000
    jq -c '.step = 500000 | .finished = false' far/checkpoints/*/trainer.json >trainer.json && cp trainer.json far/checkpoints/step-000500000
    t_run script -qec "$texts --texts corpus/texts.zst --steps 500200 --resume -o far" typescript
    t_ok "a resumed run does not count the steps before it as its own" sh -c 'tr "\r" "\n" <typescript | sed -n "s/.* steps, \(.*\)\/s, .* s left .*/\1/p" | awk "{ n++; bad += \$1 > 1e5 } END { exit !n || bad }"'
fi

# A log of any size is gone on with.
if [ "${UNIMO_LONG-}" ]; then
    printf '{"step":1,"text":"%01000000d"}\n' 0 >line
    for _ in $(seq 1100); do cat line; done >long.log
    echo '{"step":3}' >>long.log
    t_run $texts --texts corpus/texts.zst --save-every 2 -o long
    rm -r long/model.safetensors long/checkpoints/step-000000003
    t_run $texts --texts corpus/texts.zst --log-every 1 --resume --log long.log -o long
    t_exit 0 "more than a GiB of log"
    t_ok "but for the lines of later steps" sh -c 'tail -n 2 long.log | cut -c 1-9 | tr "\n" " " | grep -qx "{\"step\":1 {\"step\":3 " && tail -n 1 long.log | grep -q rows'
    rm line long.log
fi

# One run at a time writes; what cannot be written to is found at once, what cannot be removed stays.
$texts --texts corpus/texts.zst --steps 100000 --save-every 1 --log-every 1 --log first.log -o locked 2>/dev/null &
first=$!
for _ in $(seq 500); do [ -d locked/checkpoints/step-000000002 ] && break; sleep 0.01; done
t_run timeout 60 $texts --texts corpus/texts.zst --steps 100000 --log first.log --resume -o locked
t_fails "a second run in the same directory"
t_err '^unimo-pretrain: locked: another training is writing there'
t_ok "does not disturb the first" kill -9 $first
wait $first 2>/dev/null
t_ok "nor its log" [ "$(head -n 1 first.log | jq .step)" = 1 ]
touch locked/checkpoints/step-000000000 locked/.model.safetensors.aB3dE6 locked/.mine.aB3dE6
t_run timeout 60 $texts --texts corpus/texts.zst --steps 1 --resume -o locked
t_exit 0 "a killed one leaves nothing in the way"
t_err '^unimo-pretrain: locked/checkpoints/step-000000000: cannot remove: Not a directory; training goes on$'
t_ok "no lock is left, nor a model that was being published" [ ! -e locked/checkpoints/.lock -a ! -e locked/.model.safetensors.aB3dE6 -a -e locked/.mine.aB3dE6 ]
if mkdir fixed && mount -t tmpfs none fixed 2>/dev/null && mkdir fixed/model && mount -o remount,ro fixed; then
    t_run $texts --texts corpus/texts.zst --log unwritten.log -o fixed/model
    t_fails "an output that is read-only"
    t_ok "is refused before the first step" [ ! -s unwritten.log ]
fi
umount fixed 2>/dev/null

# Collections in shards, as array jobs make them; a run goes on with the same records in other files, and with no others.
for i in 0 1 2; do unimo-tokenize -m corpus/vocabulary --shard $i/3 -o shard.$i.zst scenes/texts.jsonl.zst; done
sharded="unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/train.regions.zst --rows 128 --steps 12 --save-every 5"
t_run $sharded --texts 'shard.?.zst' -o shards
cp -r shards resumed
rm -r resumed/checkpoints/step-000000012 resumed/model.safetensors
cp -r resumed refused
cat shard.?.zst >joined.zst
t_run $sharded --texts joined.zst --resume -o resumed
t_same shards/model.safetensors resumed/model.safetensors "a run on shards is resumed on the joined ones, with the same bytes"
t_run $sharded --texts shard.1.zst --texts shard.0.zst --texts shard.2.zst --resume -o refused
t_fails "in another order they are refused"
t_err 'texts: other contents, or in another order'
t_run $sharded --texts joined.zst --features corpus/dev.regions.zst --resume -o refused
t_fails "so are other features"

# Numbers that are none.
unimo-view --base64 corpus/images.regions.zst | jq -c '.tensors.features |= (.dtype = "BF16" | .base64 |= gsub("[^=]{8}"; "il6KXope"))' | unimo-view --pack -o huge.zst
t_run unimo-pretrain $model --vocab corpus/vocabulary --images huge.zst --rows 64 --steps 9 -o huge
t_fails "features whose squares overflow"
t_err 'step 1: the loss "mrfr" is not finite; records "images-'
unimo-view --base64 corpus/images.regions.zst | jq -c '.tensors.features |= (.dtype = "BF16" | .base64 |= gsub("[^=]{8}"; "gEeAR4BH"))' | unimo-view --pack -o large.zst
for far in huge large; do
    held="unimo-pretrain $model --vocab corpus/vocabulary --images corpus/images.regions.zst --dev-images $far.zst --rows 64 --steps 4 --eval-every 1 --save-every 3"
    t_run $held --log held.$far.log -o held.$far
    rm -r held.$far/checkpoints/step-000000004 held.$far/model.safetensors
    t_run $held --resume -o held.$far
    t_exit 0 "a run is resumed whose held-out loss was $(tail -n 1 held.$far.log | jq -c .dev_mrfr)"
done
t_run unimo-pretrain $model --vocab corpus/vocabulary --images corpus/images.regions.zst --rows 64 --steps 9 --mrfr 1e3 --lr 10 --beta2 0 --warmup 0 --clip 0 -o steep
t_fails "steps that are not"
t_err 'step [0-9]: the (loss "[a-z]+"|gradient of [a-z ]+) is not finite; records "images-'

# A reader of the log that goes away, and a full disk.
mkfifo pipe
head -c 10 pipe >/dev/null &
t_run timeout 60 $pretrain --steps 6 --log pipe -o reader
t_exit 0 "the training outlives the reader of its log"
t_err 'training goes on without a log'
if mkdir small && mount -t tmpfs -o size=100k none small 2>/dev/null; then
    t_run $pretrain --steps 4 -o small/model
    t_exit 1 "a full disk is an error"
    t_err 'No space left'
    t_ok "and leaves no file that looks complete" [ ! -e small/model/model.safetensors ]
    umount small
fi

# Wrong inputs.
jq -nc '{id: "a", tokens: [-5]}' >first.jsonl
echo '{"step":1}' >earlier.log
t_run unimo-pretrain $model --vocab corpus/vocabulary --texts first.jsonl --rows 64 --steps 3 --log earlier.log -o unbegun
t_fails "a bad record at the beginning"
t_ok "no directory is made for it, and an earlier log stays" [ ! -e unbegun -a "$(cat earlier.log)" = '{"step":1}' ]
jq '.max_position_embeddings = 65535 | .max_text = 65533' tiny.json >long.json
t_run unimo-pretrain --config "$t_dir/long.json" --vocab corpus/vocabulary --texts corpus/texts.zst --steps 1 -o x
t_fails "texts whose pieces would not fit into a sequence"
t_err '"max_position_embeddings".*16386'
t_run unimo-pretrain -o x
t_exit 2 "data and vocabulary are required"
cp -r whole begun
rm -rf begun/checkpoints
t_run unimo-pretrain $data --init begun --rows 256 --steps 1 -o begun
t_err 'begun: is both input and output'
t_same whole/model.safetensors begun/model.safetensors "the model to begin with is not overwritten"
cp corpus/texts.zst same.zst
t_run unimo-pretrain --config tiny --vocab corpus/vocabulary --texts same.zst --log same.zst -o x
t_err 'same.zst: is both input and output'
t_same corpus/texts.zst same.zst "nor data by a log"
for o in "--mlm 0 --seq2seq 0 --mrc 0 --mrfr 0 --cmcl 0" "--beta1 1" "--beta2 1" "--average 1"; do
    t_run timeout 20 $pretrain $o -o x
    t_exit 2 "$o leaves nothing to learn"
    t_fails "$o"
done
t_run $pretrain --eval-every 5 -o x
t_err '^unimo-pretrain: --eval-every: goes with --dev-[*]$'
t_run $pretrain --mix 1:2 -o x
t_exit 2 "--mix wants three numbers"
t_run $pretrain --mix 0:0:0 -o x
t_fails "shares of nothing"
t_run unimo-pretrain --config huge --vocab corpus/vocabulary --texts corpus/texts.zst -o x
t_exit 2 "an unknown size"
t_run unimo-pretrain $model --vocab corpus/vocabulary --pairs scenes/train.pairs.jsonl.zst --features corpus/train.regions.zst -o x
t_fails "pairs without negatives"
t_err 'unimo-rewrite adds them'
unimo-view corpus/train.pairs.zst | jq -c '.negatives = []' >none.jsonl
t_run unimo-pretrain $model --vocab corpus/vocabulary --pairs none.jsonl --features corpus/train.regions.zst --steps 1 -o x
t_fails "pairs whose negatives are none"
t_err 'none.jsonl: no "negatives" for contrastive learning'
unimo-view corpus/train.pairs.zst | jq -c 'if input_line_number > 1 then . else del(.negatives) end' >some.jsonl
t_run unimo-pretrain $model --vocab corpus/vocabulary --pairs some.jsonl --features corpus/train.regions.zst --steps 1 -o some
t_exit 0 "one pair may be without"
t_run unimo-pretrain $model --vocab corpus/vocabulary --pairs scenes/train.pairs.jsonl.zst --features corpus/train.regions.zst --cmcl 0 -o x
t_fails "pairs without tokens"
t_err 'unimo-tokenize adds it'
t_run unimo-pretrain $model --vocab corpus/vocabulary --pairs corpus/train.pairs.zst --features corpus/test.regions.zst -o x
t_fails "features of other images"
t_err 'record "train-'
head -c 3000 corpus/train.pairs.zst >cut.zst
t_run unimo-pretrain $model --vocab corpus/vocabulary --pairs cut.zst --features corpus/train.regions.zst -o x
t_fails "a truncated stream"
t_err 'cut.zst'
t_done
