#!/bin/bash
# unimo-regionfeat: a detector is learnt for a few steps, then applied to every kind of input and picture.
. "$(dirname "$0")/../lib/lib.sh"
command -v jq >/dev/null || t_skip_all "jq is not installed"
command -v python3 >/dev/null || t_skip_all "python3 is not installed"

unimo-scenes --seed 5 --train 24 --dev 4 --test 0 --images 0 --texts 0 -j1 -o scenes || t_skip_all "unimo-scenes fails"
unimo-view scenes/train.jsonl.zst | head -4 >scenes/few.jsonl # whose classes are all learnt
learn="unimo-regionfeat --learn --steps 3 --batch 2 --seed 7 -j1"
t_run $learn --dev scenes/few.jsonl --log log.jsonl -o detector scenes/train.jsonl.zst
t_exit 0 "a detector is learnt"
t_out '^AP50 [01]\.[0-9]+, AP [01]\.[0-9]+ on 4 images$'
[ -d detector ] || t_done
t_ok "its log has the losses and the precision" jq -se 'last | .step == 3 and .ap50 >= 0 and .objectness > 0 and .class > 0' log.jsonl
t_ok "its parameters are a safetensors file" unimo-view --check --finite detector/model.safetensors
t_ok "its classes are those of the pictures" sh -c 'unimo-view scenes/train.jsonl.zst | jq -se --slurpfile c detector/config.json "[.[].objects[].class] | unique - \$c[0].classes | length == 0"'
t_run $learn -o again scenes/train.jsonl.zst
t_ok "twice the same seed is twice the same detector" cmp detector/model.safetensors again/model.safetensors
t_run $learn --seed 8 -o other scenes/train.jsonl.zst
t_ok "another seed is another" sh -c '! cmp -s detector/model.safetensors other/model.safetensors'
t_run unimo-regionfeat --learn -o x scenes/train.jsonl.zst scenes/dev.jsonl.zst
t_exit 2 "one stream to learn from"
t_run unimo-regionfeat --learn scenes/train.jsonl.zst
t_exit 2 "a directory to learn into"
jq -c '.objects[0].class = "unicorn"' scenes/few.jsonl >scenes/unicorn.jsonl
t_run $learn --dev scenes/unicorn.jsonl -o x scenes/train.jsonl.zst
t_fails "a class of dev that is not learnt"
t_err 'record 1: object 1: class "unicorn"'
t_ok "nothing is made of it" [ ! -e x ]

feat="unimo-regionfeat -m detector -j1"
t_run $feat -o one.zst scenes/dev
t_exit 0 "a folder"
t_ok "every picture in the order of names" sh -c '[ "$(unimo-view one.zst | jq -r .id | tr "\n" " ")" = "dev-000000 dev-000001 dev-000002 dev-000003 " ]'
t_ok "the output is good" unimo-view --check --finite one.zst
t_run $feat -j2 -o two.zst scenes/dev
t_same one.zst two.zst "its bytes do not depend on threads"
t_ok "fields have their form" sh -c 'unimo-view one.zst | jq -se "length == 4 and all(.[]; .width == 256 and .height == 192 and (.scores | length) >= 10 and (.scores | length) == (.classes | length) and (.attributes | length) == (.scores | length) and .scores == (.scores | sort | reverse))"'
t_ok "tensors have their shapes" sh -c 'unimo-view one.zst | jq -se "length == 4 and all(.[]; (.scores | length) as \$n | .tensors.boxes == {dtype: \"F32\", shape: [\$n, 4]} and .tensors.features.dtype == \"F16\" and .tensors.features.shape[0] == \$n and .tensors.class_probs.shape[0] == \$n)"'
unimo-view -t boxes one.zst >boxes
t_ok "boxes lie in the picture" awk 'NF == 4 && ($1 < 0 || $2 < 0 || $3 > 256 || $4 > 192 || $1 > $3 || $2 > $4) { exit 1 } END { exit NR < 40 }' boxes
unimo-view -t class_probs one.zst >probs
t_ok "class probabilities sum to 1" awk 'NF > 4 { s = 0; for (i = 1; i <= NF; i++) s += $i; if (s < 0.99 || s > 1.01) exit 1; n++ } END { exit n < 40 }' probs

t_run $feat -o stream.zst scenes/dev.jsonl.zst
t_exit 0 "a stream"
for f in one stream; do unimo-view $f.zst | jq -c 'del(.image)' >$f.json; unimo-view -t features $f.zst >$f.features; done
t_ok "(they are there)" [ -s one.json -a -s one.features ]
t_same one.json stream.json "a stream gives what its pictures give"
t_same one.features stream.features "and the same features"
t_ok "image is as the stream says" sh -c 'unimo-view stream.zst | jq -se "length == 4 and all(.[]; .image == \"dev/\" + .id + \".jpg\")"'
cd scenes || exit 1
t_run sh -c 'zstdcat <dev.jsonl.zst 2>/dev/null | unimo-regionfeat -m ../detector -j1 -o ../pipe.zst -'
cd .. || exit 1
if command -v zstdcat >/dev/null; then
    unimo-view -t features pipe.zst >pipe.features
    t_same stream.features pipe.features "a pipe, relative to the working directory"
fi
t_run $feat --limit 2 -o limit.zst scenes/dev/dev-000003.jpg scenes/dev/dev-000001.jpg scenes/dev/dev-000002.jpg
t_ok "files, in the order given, the first two" sh -c '[ "$(unimo-view limit.zst | jq -r .id | tr "\n" " ")" = "dev-000003 dev-000001 " ]'
t_run $feat scenes/dev/dev-000001.jpg scenes/dev/dev-000001.jpg -o twice.zst
t_fails "the same id twice"
mkdir same
cp scenes/dev/dev-000002.jpg same/dev-000001.jpg
t_run $feat --shard 0/2 -o twice.zst scenes/dev same
t_fails "of one in another shard, too"
t_err '^unimo-regionfeat: same/dev-000001.jpg: id "dev-000001" is that of scenes/dev/dev-000001.jpg, too$'
for i in 0 1; do $feat --shard $i/2 -o part$i.zst scenes/dev; done
t_ok "shards are joined by cat" sh -c 'cat part0.zst part1.zst >parts.zst && unimo-view --check parts.zst && [ "$(unimo-view parts.zst | jq -r .id | sort | tr "\n" " ")" = "dev-000000 dev-000001 dev-000002 dev-000003 " ]'
t_run $feat --plain scenes/dev/dev-000001.jpg
t_ok "plain lines" jq -se 'length == 1 and .[0].id == "dev-000001"' "$out"

t_run $feat --min-boxes 5 --max-boxes 5 --boxes refined --feature-dtype f32 -o five.zst scenes/dev
t_ok "a fixed number of regions" sh -c 'unimo-view five.zst | jq -se "length == 4 and all(.[]; .tensors.features.dtype == \"F32\" and .tensors.boxes.shape[0] == 5)"'
t_run $feat --min-boxes 0 --threshold 1 -o none.zst scenes/dev/dev-000001.jpg
t_exit 0 "no region at all"
t_ok "is a record, too" sh -c 'unimo-view --check none.zst && unimo-view none.zst | jq -e ".tensors.features.shape[0] == 0 and .scores == []"'
t_run $feat --min-boxes 7 --max-boxes 6 scenes/dev
t_exit 2 "more at least than at most"
t_run $feat --nms 2 scenes/dev
t_exit 2 "an IoU above 1"
t_run $feat --draw drawn --threshold 0 -o drawn.zst scenes/dev
t_ok "--draw writes a picture for each" sh -c '[ "$(ls drawn | wc -l)" = 4 ] && ! cmp -s drawn/dev-000001.jpg scenes/dev/dev-000001.jpg'
cp scenes/dev/dev-000001.jpg drawn/other.jpg
t_run $feat --draw drawn/../drawn -o drawn.zst drawn
t_fails "a picture is not drawn over"
t_err 'drawn/dev-000000.jpg: is both input and output$'
t_ok "nor is the one that could have been, before it was seen" cmp drawn/other.jpg scenes/dev/dev-000001.jpg
t_run $feat -o drawn/other.jpg drawn/other.jpg
t_err 'is both input and output'
t_same drawn/other.jpg scenes/dev/dev-000001.jpg "nor replaced by its features"
t_run $feat -o redrawn.zst drawn
t_exit 0 "that are pictures again"

mkdir swapped
cp scenes/dev/dev-000001.jpg swapped/a.jpg
cp scenes/dev/dev-000002.jpg swapped/b.jpg
printf '{"id":"b","image":"a.jpg"}\n{"id":"a","image":"b.jpg"}\n' >swapped/list.jsonl
t_run $feat --draw swapped -o drawn.zst --shard 0/2 swapped/list.jsonl
t_fails "nor is one over another picture of the input, of any shard"
t_ok "they are as they were" sh -c 'cmp swapped/a.jpg scenes/dev/dev-000001.jpg && cmp swapped/b.jpg scenes/dev/dev-000002.jpg'
printf '{"id":"%s","image":"a.jpg"}\n' x/y x_y x%2Fy >swapped/like.jsonl
t_run $feat --draw alike -o drawn.zst swapped/like.jsonl
t_ok "each id has a drawing of its own" [ "$(ls alike | LC_ALL=C sort | tr '\n' ' ')" = "x%252Fy.jpg x%2Fy.jpg x_y.jpg " ]

# a run that was interrupted goes on, wherever that was, and ends with the bytes of one that was not
many="--min-boxes 48 --max-boxes 48 --feature-dtype f32"
grow="$feat $many --append"
t_run $feat $many -o whole.zst scenes/train
t_ok "(it has several blocks)" sh -c '[ "$(unimo-view --index whole.zst | grep -c ^block)" -gt 1 ]'
t_run $grow -o grown.zst scenes/train
t_same whole.zst grown.zst "--append alone changes nothing"
size=$(stat -c %s whole.zst)
worst=
for cut in 0 500 $((size / 2)) $((size * 9 / 10)) $((size - 1)) "$size"; do
    rm -f cut.zst
    head -c "$cut" whole.zst >cut.zst.partial
    $grow -o cut.zst scenes/train 2>>grow.err && cmp -s whole.zst cut.zst && [ ! -e cut.zst.partial ] || worst="$worst $cut"
done
t_ok "a part of any length becomes the whole (failed:${worst:- none})" [ -z "$worst" ]
$grow -o more.zst scenes/train/train-00000*.jpg
t_run $grow -o more.zst scenes/train
t_ok "an output is added to" sh -c 'for f in more whole; do { unimo-view $f.zst; unimo-view -t features $f.zst; } >$f.text; done; [ -s whole.text ] && cmp more.text whole.text'
t_run $grow -o again.zst scenes/train scenes/train/train-000003.jpg
t_fails "a picture twice is still an error"
rm -rf again.zst.partial
{ head -c $((size * 9 / 10)) whole.zst; head -c 4000 /dev/urandom; } >cut.zst.partial
rm -f cut.zst
t_run $grow -o cut.zst scenes/train
t_same whole.zst cut.zst "what follows the last good block is thrown away"
head -c $((size / 2)) whole.zst >cut.zst.partial
t_run $feat --append -o cut.zst scenes/train
t_fails "features of other options are not mixed in"
t_err 'other options'
head -c $((size / 2)) whole.zst >cut.zst.partial
mv detector kept && cp -r kept detector && cp other/model.safetensors detector
t_run $grow -o cut.zst scenes/train
t_fails "nor those of another detector of the same name"
t_err '^unimo-regionfeat: cut.zst.partial: was begun by another program, with other options or from other data'
rm -r detector cut.zst.partial && mv kept detector
t_run $feat --append scenes/train
t_exit 2 "--append needs a file"

# pictures that are large for the detector, at a part of their size: the same sizes, about the same regions
cp -r "${UNIMO_BUILD:-$top/build/release}/share/unimo/detector" half && sed -i 's/"short_side": 192/"short_side": 96/; s/"long_side": 256/"long_side": 128/' half/config.json
for how in "" --shrink; do
    t_run unimo-regionfeat -m half -j1 $how --threshold 0.5 --min-boxes 0 -o large$how.zst scenes/dev
    unimo-view large$how.zst | jq -c '[.width, .height]' >size$how
    unimo-view large$how.zst | jq -r '.id as $i | .classes | unique | .[] | "\($i) \(.)"' | sort >seen$how
done
t_same size size--shrink "--shrink: sizes are those of the whole pictures"
t_ok "and nearly the same is seen" sh -c '[ $(wc -l <seen) -gt 5 ] && [ $(comm -12 seen seen--shrink | wc -l) -ge $(($(wc -l <seen) - 2)) ]'
t_ok "but not to the last bit" sh -c '! cmp -s large.zst large--shrink.zst'

# the backbone's map instead of regions
t_run $feat --grid --max-boxes 60 --feature-dtype f32 -o grid.zst scenes/dev
t_exit 0 "a grid"
t_ok "its cells and their boxes" sh -c 'unimo-view --check --finite grid.zst && unimo-view grid.zst | jq -se "length == 4 and all(.[]; (.grid[0] * .grid[1]) as \$n | \$n <= 60 and \$n > 15 and .tensors.boxes.shape == [\$n, 4] and .tensors.features.shape == [\$n, 256])"'
unimo-view -t boxes grid.zst | awk 'NF { print $1, $2, $3, $4; if (++n == 48) exit }' >cells
t_ok "which cover the picture once" awk '{ a += ($3 - $1) * ($4 - $2) } END { exit !(NR > 15 && a > 256 * 192 - 1 && a < 256 * 192 + 1) }' cells
for o in "--min-boxes 1" "--threshold 0.1" "--nms 0.5" "--boxes refined" "--draw x"; do
    t_run $feat --grid $o -o no.zst scenes/dev
    t_err "^unimo-regionfeat: ${o%% *}: does not go with --grid$"
done
t_run $feat --seed 2 -o no.zst scenes/dev
t_err '^unimo-regionfeat: --seed: goes with --learn$'
t_run $learn --eval-every 1 -o no scenes/train.jsonl.zst
t_err '^unimo-regionfeat: --eval-every: goes with --dev$'

# every kind of JPEG
mkdir kinds
cp "$top"/testdata/jpeg/*.jpg kinds
exif='\377\341\000\042Exif\000\000MM\000*\000\000\000\010\000\001\001\022\000\003\000\000\000\001\000\006\000\000\000\000\000\000'
{ head -c 2 kinds/baseline.jpg; printf "$exif"; tail -c +3 kinds/baseline.jpg; } >kinds/turned.jpg
printf '%s' x >kinds/notes.txt
t_run $feat -o kinds.zst kinds
t_exit 0 "gray, CMYK, progressive and turned pictures; other files are left alone"
t_ok "all five" sh -c '[ "$(unimo-view kinds.zst | jq -r .id | tr "\n" " ")" = "baseline cmyk gray progressive turned " ]'
unimo-view -s turned kinds.zst >turned.json
t_ok "one that lies on its side is set upright" jq -e '.width == 96 and .height == 128' turned.json
for k in baseline progressive; do unimo-view -s $k kinds.zst | jq -c 'del(.id, .image)' >$k.json; done
t_ok "(they are there)" [ -s baseline.json ]
t_same baseline.json progressive.json "the same pixels give the same regions, baseline or progressive"

# broken ones
mkdir bad
cp kinds/baseline.jpg bad/a.jpg
echo "this is no picture" >bad/b.jpg
head -c 2000 kinds/baseline.jpg >bad/c.jpg
: >bad/d.jpg
for f in b c d; do
    t_run $feat -o bad.zst bad/$f.jpg
    t_exit 1 "$f.jpg is an error"
    t_fails "$f.jpg"
    t_err "^unimo-regionfeat: bad/$f.jpg: "
    t_ok "nothing is written" [ ! -e bad.zst ]
done
t_run $feat -o bad.zst bad
t_fails "a folder with a bad picture"
t_run $feat --skip-bad -o bad.zst bad
t_exit 0 "--skip-bad goes on"
t_err '3 of 4 images skipped \(first: bad/b.jpg: not a JPEG\)'
t_ok "with the good ones" sh -c 'unimo-view --check bad.zst && [ "$(unimo-view bad.zst | jq -r .id)" = a ]'
printf '{"id":"%s","image":"%s"}\n' a a.jpg x missing.jpg y a.jpg/missing.jpg >bad/missing.jsonl
t_run $feat --skip-bad -o bad.zst bad/missing.jsonl
t_exit 0 "a picture that is not there is a bad one"
t_err '2 of 3 images skipped \(first: bad/missing.jpg: cannot open'
mkdir -p unread/folder.jpg
cp bad/a.jpg unread
mkfifo unread/pipe.jpg
t_run timeout 60 $feat -o files.zst unread
t_exit 0 "of a folder, only files are pictures"
printf '{"id":"%s","image":"%s.jpg"}\n' a a f folder >unread/folder.jsonl
t_run $feat --skip-bad -o refused.zst unread/folder.jsonl
t_fails "what cannot be read is no bad picture"
t_err '^unimo-regionfeat: unread/folder.jpg: is a directory'
t_ok "nothing is written" [ ! -e refused.zst ]
mkdir odd
cp bad/a.jpg odd
ln -s loop.jpg odd/loop.jpg
cp bad/a.jpg "$(printf 'odd/z\377.jpg')"
t_run $feat -o odd.zst odd/z*.jpg
t_exit 1 "a name that is not UTF-8 is refused"
t_err 'a name that is not UTF-8 can be no id'
t_run $feat --skip-bad -o odd.zst odd
t_exit 0 "or skipped, as a link to itself is"
t_err '2 of 3 images skipped \(first: odd/loop.jpg: '
t_ok "with the good one" sh -c '[ "$(unimo-view odd.zst | jq -r .id)" = a ]'
t_run $feat --skip-bad bad/b.jpg bad/c.jpg
t_fails "all bad, also with --skip-bad"
printf '{"id":"1"}\n{"image":"b.jpg"}\n' >unusable.jsonl
t_run $feat --skip-bad -o unusable.zst unusable.jsonl
t_exit 1 "nor is a stream of nothing but bad records fine"
t_err 'unusable.jsonl: every record was skipped'
t_ok "and nothing is written" [ ! -e unusable.zst ]
: >empty.jsonl
t_run $feat empty.jsonl
t_fails "an empty stream"
mkdir nothing
t_run $feat nothing
t_fails "a folder without pictures"
echo '{"id":"a"}' >noimage.jsonl
t_run $feat noimage.jsonl
t_fails "a record without image"
t_err 'noimage.jsonl: record 1: .*image'
t_run unimo-regionfeat -m nothing scenes/dev
t_fails "a directory without a detector"
cp -r detector cut
head -c 5000 detector/model.safetensors >cut/model.safetensors
t_run unimo-regionfeat -m cut scenes/dev
t_fails "a detector that was cut short"
sed 's/"groups": 8/"groups": 7/' detector/config.json >cut/config.json
t_run unimo-regionfeat -m cut scenes/dev
t_fails "a configuration that cannot be"
t_err 'cut/config.json: .*groups'

# many pictures, one in a hundred of them bad: memory does not grow, but for their names; 100,000 with UNIMO_LONG=1
export ASAN_OPTIONS=quarantine_size_mb=1:${ASAN_OPTIONS-} # what a sanitizer keeps of freed memory is no growth
n=${UNIMO_LONG:+100000}
n=${n:-1000}
cp -r "${UNIMO_BUILD:-$top/build/release}/share/unimo/detector" tiny
sed -i 's/"short_side": 192/"short_side": 48/; s/"long_side": 256/"long_side": 64/; s/"post_nms": 48/"post_nms": 10/; s/"pre_nms": 400/"pre_nms": 60/' tiny/config.json
cp bad/c.jpg kinds/gray.jpg tiny
seq $n | awk '{ printf "{\"id\":\"%06d\",\"image\":\"%s\"}\n", $1, $1 % 100 ? "gray.jpg" : "c.jpg" }' >tiny/all.jsonl
many="unimo-regionfeat -m tiny -j1 --skip-bad --min-boxes 4 --max-boxes 4"
few=$(t_peak $many --limit $((n / 5)) -o few.zst tiny/all.jsonl 2>peak.err)
all=$(t_peak $many -o all.zst tiny/all.jsonl 2>peak.err)
t_ok "$n pictures in ${all:-?} KiB, a fifth of them in ${few:-?}" [ "${few:-0}" -gt 0 -a $((all - few)) -lt $((16384 + n / 2)) ]
t_ok "bad ones cost one line" grep -q "$((n / 100)) of $n images skipped (first: tiny/c.jpg: " peak.err
t_ok "all others are there" sh -c '[ "$(unimo-view all.zst | wc -l)" = $(($1 - $1 / 100)) ]' sh $n
t_run sh -c 'unimo-regionfeat -m detector scenes/dev >/dev/full'
t_fails "a full disk"
t_done
