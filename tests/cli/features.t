#!/bin/bash
# unimo-regionfeat --from, --to, --check: the field's files, as numpy writes and reads them, to streams and back.
. "$(dirname "$0")/../lib/lib.sh"
t_python numpy -c 'import numpy'
files() { "$python" "$top/tests/cli/features_files.py" "$@"; }
files write . || t_skip_all "numpy writes no files"
feat="unimo-regionfeat -j2"

for f in bua lxmert unimo milvlg uniter; do
    in=$f.tsv
    [ -d $f ] && in=$f
    t_run $feat --from $f -o $f.zst $in
    t_exit 0 "$f is read"
    t_ok "$f: as a stream" unimo-view --check $f.zst
    t_run $feat --to $f -o $f.back $f.zst
    t_exit 0 "$f is written"
    t_ok "$f: numpy reads the same to the last bit" files same $f $in $f.back
    t_run unimo-regionfeat -j1 --from $f -o $f.one $in
    t_same $f.zst $f.one "$f: whatever the threads"
    t_run unimo-regionfeat -j1 --to $f -o $f.again $f.zst
    t_ok "$f: twice the same" diff -r $f.back $f.again
done
t_ok "(the comparison can fail)" sh -c "! '$python' '$top/tests/cli/features_files.py' same bua bua.tsv xywh.tsv"
t_run $feat --from milvlg --to lxmert milvlg
tr -d '\r' <lxmert.tsv >plain.tsv
t_same "$out" plain.tsv "from one file of the field to another"
t_run $feat --to bua -o a.tsv unimo.zst
t_ok "a file that knows less" files same bua bua.tsv a.tsv
t_run sh -c 'unimo-regionfeat --to unimo -o x.tsv bua.zst'
t_fails "one that would have to know more"
t_err 'record 1: .*"class_probs"'
t_ok "leaves nothing" [ ! -e x.tsv ]
t_run $feat --to lxmert -o x.tsv unimo.zst
t_fails "no attributes"
t_run sh -c 'cat bua.tsv | unimo-regionfeat --from bua - | unimo-regionfeat --to bua >piped.tsv -'
t_ok "pipes" files same bua bua.tsv piped.tsv
t_run $feat --from milvlg -o older.zst older
unimo-view -t features older.zst >older.features
unimo-view -t features bua.zst >bua.features
t_ok "(they are there)" [ -s bua.features ]
t_same older.features bua.features "columns of features in older files are set upright"
for i in 0 1; do unimo-regionfeat --from bua --shard $i/2 -o part$i.zst bua.tsv; done
t_ok "shards" sh -c '[ "$(cat part0.zst part1.zst | unimo-view - | jq -r .id | tr "\n" " ")" = "1000 1002 1004 1001 1003 " ]'
t_run $feat --from bua --limit 2 --plain bua.tsv
t_ok "a limit" sh -c '[ "$(jq -r .id "$1" | tr "\n" " ")" = "1000 1001 " ]' sh "$out"
unimo-scenes --seed 5 --train 3 --dev 0 --test 0 --images 0 --texts 0 -o scenes && unimo-regionfeat -j1 -o ours.zst scenes/train
t_run $feat --to lxmert -o ours.tsv ours.zst
t_exit 0 "what unimo's own detector says"
t_run $feat --from lxmert -m "${UNIMO_BUILD:-$top/build/release}/share/unimo/detector" -o named.zst ours.tsv
t_ok "with the names of a detector" sh -c 'unimo-view named.zst | jq -c "[.id,.classes,.attributes]" >a; unimo-view ours.zst | jq -c "[.id,.classes,.attributes]" >b; [ -s a ] && cmp a b'

# how boxes and sizes are written
for f in xywh fractions swapped header; do
    t_run $feat --from bua -o $f.zst $f.tsv
    unimo-view -t boxes $f.zst >$f.boxes
done
unimo-view -t boxes bua.zst >bua.boxes
t_same swapped.boxes bua.boxes "height before width is seen"
t_same header.boxes bua.boxes "a line of names is stepped over"
close() { paste "$1" "$2" | awk 'NF { for (i = 1; i <= NF / 2; i++) { d = $i - $(i + NF / 2); if (d > 1e-3 || d < -1e-3) exit 1; n++ } } END { exit n < 80 }'; }
t_ok "corner and size instead of two corners" close xywh.boxes bua.boxes
t_ok "parts of the picture instead of pixels" close fractions.boxes bua.boxes
t_run $feat --from bua -o x.zst xywh.tsv
t_err 'xywh.tsv: boxes are x, y, width, height in pixels'
t_run $feat --from bua --box-order xyxy xywh.tsv
t_fails "boxes that are not what was said"
t_err 'xywh.tsv: .*boxes that do not fit \(boxes are x1, y1, x2, y2'
t_run $feat --from bua --box-order xywh --box-unit pixels --size-order wh -o said.zst xywh.tsv
t_ok "boxes that are" sh -c 'unimo-view -t boxes said.zst | cmp - xywh.boxes'
# boxes that fit in no way are their picture's fault, also among the first
"$python" -c "
import base64, sys
lines = open('bua.tsv').read().split('\n')
row = lines[1].split('\t')
row[4] = base64.b64encode(base64.b64decode(row[4])[:-4] + b'\0\0\xc0\x7f').decode()
lines[1] = '\t'.join(row)
open('nanbox.tsv', 'w').write('\n'.join(lines))"
t_run $feat --check --from bua nanbox.tsv
t_out '^pictures 4, bad 1$'
t_err '1 of 5 pictures are bad \(first: nanbox.tsv: line 2: boxes that do not fit'
t_run $feat --skip-bad --from bua -o nanbox.zst nanbox.tsv
t_exit 0 "a picture with a NaN in its boxes is skipped"
t_ok "and no other" [ "$(unimo-view nanbox.zst | jq -r .id | tr '\n' ' ')" = "1000 1002 1003 1004 " ]
{ yes "no line" | head -16; cat xywh.tsv; } >late.tsv
t_run $feat --skip-bad --from bua --box-order xywh -o late.zst late.tsv
t_ok "what was said of boxes holds where the first lines say nothing" sh -c 'unimo-view -t boxes late.zst | cmp - xywh.boxes'

# --check
t_run $feat --check --from lxmert lxmert.tsv
t_exit 0 "--check"
t_out '^pictures 5, bad 0$'
t_out '^regions 3 to 7 \(mean 5.00\); boxes beyond the picture 0, inside out 0$'
t_out '^features +F32 +64 +1600 .* 3.4e\+38 .* 0 +0$'
t_out 'sizes are height, width'
t_run $feat --check unimo.zst
t_out '^class_probs +F32 +17 +425 +0.0588'
{ head -2 bua.tsv; echo "one two"; tail -2 bua.tsv; } >holed.tsv
t_run $feat --check --from bua holed.tsv
t_exit 1 "--check of a file with a bad line"
t_out '^pictures 4, bad 1$'
t_err '1 of 5 pictures are bad \(first: holed.tsv: line 3: 1 fields'
"$python" -c "
import base64, numpy as np
b = np.array([[0, 0, 9, 9]], '<f4'); x = np.array([[np.nan, np.inf, 1]], '<f4')
e = lambda a: base64.b64encode(a.tobytes()).decode()
print('a', 10, 10, 1, e(b), e(x), sep='\t')" >nan.tsv
t_run $feat --check --from bua nan.tsv
t_out '^features +F32 +3 +3 +1 +1 +1 +0.0 +1 +1$'

# files of any length in the same memory: 0.2 GB here, 39 GB with UNIMO_LONG=1
pictures=${UNIMO_LONG:+100000}
export ASAN_OPTIONS=quarantine_size_mb=1:${ASAN_OPTIONS-} # what a sanitizer keeps of freed memory is no growth
t_run files flat "${pictures:-600}" unimo-regionfeat -j1 --from bua --to bua -
t_exit 0 "lines to lines: memory does not grow ($(cat "$out"))"
t_run files flat "${pictures:-600}" unimo-regionfeat -j2 --from bua -
t_exit 0 "lines to a stream ($(cat "$out"))"

# broken files
t_run $feat --from bua -o x.zst holed.tsv
t_fails "a bad line"
t_err '^unimo-regionfeat: holed.tsv: line 3: 1 fields \(bua lines have 6'
t_run $feat --from bua --skip-bad -o x.zst holed.tsv
t_exit 0 "is skipped"
t_err '1 of 5 pictures skipped'
cat bua.tsv bua.tsv >twice.tsv
t_run $feat --from bua -o y.zst twice.tsv
t_fails "a picture twice"
t_err '^unimo-regionfeat: twice.tsv: line [0-9]+: id "1000" for the second time$'
unimo-view --base64 bua.zst | jq -c '.id = "a/b"' | head -1 >slash.jsonl
t_run $feat --to milvlg -o slash slash.jsonl
t_err '^unimo-regionfeat: slash.jsonl: record 1: the id "a/b" is no file.s name'
t_run $feat --from bua --skip-bad -o y.zst twice.tsv
unimo-view y.zst | jq -r .id >ids
t_ok "counts once" [ "$(wc -l <ids)" = 5 ]
t_run $feat --from lxmert -o z.zst bua.tsv
t_fails "another form"
sed 's/AAAA/AA=A/' bua.tsv >b64.tsv
t_run $feat --from bua -o z.zst b64.tsv
t_fails "what is not base64"
gzip -kc bua.tsv >bua.tsv.gz
t_run $feat --from bua -o z.zst bua.tsv.gz
t_fails "gzip data"
head -c 1200 milvlg/1001.npz >cut.npz
for f in cut.npz bua.tsv empty.npz; do
    [ -e $f ] || : >$f
    t_run $feat --from milvlg -o z.zst $f
    t_fails "$f is no .npz"
    t_err "^unimo-regionfeat: $f: "
done
"$python" -c "
import numpy as np, os
class Evil:
    def __reduce__(self): return (os.mkdir, ('executed',))
np.savez('evil', x=np.ones((1, 2), 'f4'), bbox=np.array([[0, 0, 5, 5]], 'f4'), num_bbox=1, image_w=9, image_h=9, info={'objects_id': Evil()})"
t_run $feat --from milvlg -o z.zst evil.npz
t_fails "a pickle that would run something"
t_err 'evil.npz: info: a pickle that asks for "[a-z]+ mkdir", which is no array'
t_ok "runs nothing" [ ! -e executed ]
t_run $feat --to milvlg bua.zst
t_exit 2 "a folder to write .npz files into"
t_run $feat --to milvlg -o . bua.zst
t_fails "which has a name"
t_run $feat --to milvlg -o "$PWD" bua.zst
t_err 'holds ".*" and would be replaced .*\*\.npz'
t_ok "and nothing but such files" [ -f bua.zst ]
t_run sh -c 'unimo-regionfeat --to bua bua.zst >/dev/full'
t_fails "a full disk"
t_run $feat --from bua -o bua.tsv bua.tsv
t_fails "its own input"
cp bua.zst same.zst
t_run $feat --to bua -o same.zst same.zst
t_err 'same.zst: is both input and output'
t_same bua.zst same.zst "also when it is a stream"
t_run $feat --from bua --max-boxes 36 bua.tsv
t_err '^unimo-regionfeat: --max-boxes: goes with pictures'
t_run $feat --steps 5 bua.zst
t_err '^unimo-regionfeat: --steps: goes with --learn$'
t_run $feat --box-unit pixels bua.zst
t_err '^unimo-regionfeat: --box-unit: goes with --from bua, lxmert or unimo$'
t_run $feat --from milvlg --size-order hw -o z.zst milvlg
t_err '^unimo-regionfeat: --size-order: goes with --from bua, lxmert or unimo$'
for o in "--device cpu" "--precision f32" --profile; do
    t_run $feat --from bua $o -o z.zst bua.tsv
    t_err "^unimo-regionfeat: ${o%% *}: does not go with --from, --to or --check$"
done
for o in "-o z" "--to bua" --plain --skip-bad; do
    t_run $feat --check $o unimo.zst
    t_err "^unimo-regionfeat: --[a-z-]+: does not go with --check$"
done
t_run $feat --to bua --plain -o z.tsv bua.zst
t_err '^unimo-regionfeat: --plain: does not go with --to$'
t_run $feat --learn --limit 5 -o x bua.zst
t_err '^unimo-regionfeat: --limit: does not go with --learn$'
t_run $feat --learn --from bua -o x bua.tsv
t_exit 2 "nothing is learnt from features"
t_ok "nothing is left of what failed" [ ! -e z.zst ]
t_done
