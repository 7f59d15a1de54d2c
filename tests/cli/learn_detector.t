#!/bin/bash
# unimo-regionfeat --learn: COCO's annotations, pictures of several sizes, augmentation, checkpoints, going on after a stop.
. "$(dirname "$0")/../lib/lib.sh"
command -v jq >/dev/null || t_skip_all "jq is not installed"
unimo-scenes --seed 6 --train 8 --dev 3 --test 0 --images 0 --texts 0 -j1 -o scenes || t_skip_all "unimo-scenes fails"
unimo-view scenes/train.jsonl.zst >train.jsonl
learn="unimo-regionfeat --learn --batch 2 --seed 3 -j1 --precision f32"

# the same boxes as COCO has them
jq -s '([.[].objects[].class] | reduce .[] as $c ([]; if index([$c]) then . else . + [$c] end)) as $classes
 | {images: [range(length) as $i | {id: (100 + $i), file_name: .[$i].image, width: 256, height: 192}],
    categories: [range($classes | length) as $k | {id: (7 + 2 * $k), name: $classes[$k]}],
    annotations: [range(length) as $i | .[$i].objects[] | .class as $c | .box as $b | {id: 1, image_id: (100 + $i), category_id: (7 + 2 * ($classes | index($c))),
      bbox: [$b[0], $b[1], $b[2] - $b[0], $b[3] - $b[1]], iscrowd: 0, attributes: .attributes}]}' train.jsonl >coco.json
t_run $learn --steps 3 -o stream scenes/train.jsonl.zst
t_exit 0 "from a stream"
t_run $learn --steps 3 -o scenes scenes/train.jsonl.zst
t_err '^unimo-regionfeat: scenes: holds ".*" and would be replaced'
t_ok "the pictures' folder is not where the detector goes" [ -f scenes/train.jsonl.zst ]
t_run $learn --steps 3 --images scenes -o coco coco.json
t_exit 0 "from COCO's annotations"
t_same coco/config.json stream/config.json "the same classes"
t_same coco/model.safetensors stream/model.safetensors "and the same detector"
jq -c '.annotations += [{image_id: 100, category_id: 7, bbox: [0, 0, 50, 50], iscrowd: 1}, {image_id: 101, category_id: 9, bbox: [5, 5, 0, 9]}]' coco.json >crowd.json
t_run $learn --steps 3 --images scenes -o crowd crowd.json
t_same crowd/model.safetensors stream/model.safetensors "crowds and empty boxes are left out"
jq -c '.annotations[].attributes |= (. + .[:1] + .)' coco.json >again.json
t_run $learn --steps 3 --images scenes -o again again.json
t_same again/model.safetensors stream/model.safetensors "an attribute that is named twice counts once"
{ printf '{"info": "'; head -c 270000000 /dev/zero | tr '\0' x; printf '", "annotations": '; jq -c .annotations coco.json; printf ', "images": '; jq -c .images coco.json
    printf ', "categories": '; jq -c .categories coco.json; echo '}'; } >large.json
t_run $learn --steps 3 --images scenes -o large large.json
t_same large/model.safetensors stream/model.safetensors "so are parts in another order, of a file as large as COCO's"
rm large.json
bad() { # WHAT FILTER REGEX
    jq -c "$2" coco.json >bad.json
    t_run $learn --steps 1 --images scenes -o bad bad.json
    t_fails "$1"
    t_err "$3"
}
bad "an image that is not there" '.annotations[3].image_id = 5' 'bad.json: annotation 4: no image of id 5'
bad "a category that is not there" '.annotations[3].category_id = 5' 'annotation 4: no category of id 5'
bad "an image twice" '.images[1].id = 100' 'image 2: the id 100 again'
bad "a box of three numbers" '.annotations[0].bbox = [1,2,3]' 'annotation 1: "bbox" is not four numbers'
bad "an attribute that would be cut" '.annotations[0].attributes = ["red\u0000"]' 'annotation 1: "attributes": holds the character 0'
bad "no images" '.images = []' 'no image'
bad "no categories" 'del(.categories)' 'categories'
t_run $learn --steps 1 -o bad coco.json
t_fails "pictures that are elsewhere"
t_ok "nothing is made" [ ! -e bad ]

# pictures of several sizes; augmentation
cp "$top"/testdata/jpeg/*.jpg scenes/
jq -c '.images[0].file_name = "gray.jpg" | .images[3].file_name = "baseline.jpg"' coco.json >mixed.json
t_run $learn --steps 4 --images scenes --log mixed.log --contrast 0.2 --saturation 0.3 --zoom 0.25 -o mixed mixed.json
t_exit 0 "pictures of several sizes are learnt from, in other colours and sizes"
t_run $learn --steps 4 --images scenes --contrast 0.2 --saturation 0.3 --zoom 0.25 -o mixed2 mixed.json
t_same mixed/model.safetensors mixed2/model.safetensors "the same way each time"
t_ok "the detector keeps its own size" jq -e '.input.short_side == 192 and .input.long_side == 256' mixed/config.json
t_run $learn --steps 4 --images scenes --contrast 0.2 --saturation 0.3 -o other mixed.json
t_ok "without a change of size it is another" sh -c '! cmp -s mixed/model.safetensors other/model.safetensors'

# three pictures of one size and one of another, without objects: before anything is learnt, the loss of attributes is ln n in the three
jq -c '.images = [.images[range(3)], {id: 1, file_name: "gray.jpg"}] | [.images[].id] as $i | .annotations |= map(select(.image_id as $k | $i | index($k)))' coco.json >four.json
t_run $learn --steps 1 --batch 4 --images scenes --log four.log -o four four.json
t_ok "each picture of a step counts as much, however many have its size" jq -se --slurpfile c four/config.json '(last.attribute / ($c[0].attributes | length | log)) as $part | $part > 0.72 and $part < 0.78' four.log

# another size of the input; a detector learnt on from another
t_run $learn --steps 1 --short-side 400 -o large scenes/train.jsonl.zst
t_exit 0 "a larger input"
t_ok "keeps its shape, and gets larger anchors" jq -e '.input.short_side == 400 and .input.long_side == 533 and .anchors.scales == [40, 62, 94, 188]' large/config.json
t_run $learn --steps 1 --short-side 400 --long-side 300 -o bad scenes/train.jsonl.zst
t_fails "a longer side that is shorter"
t_err '"long_side" 300 is less than "short_side" 400'
t_run $learn --steps 2 --lr 0 -m mixed --short-side 128 -o same scenes/train.jsonl.zst
t_exit 0 "a detector is learnt on from another"
t_same same/model.safetensors mixed/model.safetensors "and begins with its parameters"
t_ok "but another size" jq -e '.input.short_side == 128 and .input.long_side == 171 and .anchors.scales == [40, 62, 94]' same/config.json
first=$(jq -r '.classes[1]' mixed/config.json)
jq -c --arg first "$first" '.objects |= map(if .class == $first then .class = "unicorn" else . end)' train.jsonl | sed '1!G;h;$!d' >scenes/turned.jsonl
t_run $learn --steps 1 --lr 0 --seed 9 -m mixed -o turned scenes/turned.jsonl
t_exit 0 "with other classes in another order"
cat >rows.py <<'EOF'
import json, struct, sys
def rows(folder, name):
    config, data = json.load(open(folder + "/config.json")), open(folder + "/model.safetensors", "rb").read()
    n = struct.unpack("<Q", data[:8])[0]
    t = json.loads(data[8:8 + n])[name]
    at, end = (8 + n + x for x in t["data_offsets"])
    names = config["attributes" if t["shape"][0] == len(config["attributes"]) else "classes"]
    each = (end - at) // len(names)
    return {k: data[at + i * each:at + (i + 1) * each] for i, k in enumerate(names)}
for name in "predict.class.weight", "predict.class.bias", "predict.attribute.class.weight", "predict.attribute.weight":
    a, b = rows("mixed", name), rows("turned", name)
    assert list(a) != list(b) or name == "predict.attribute.weight"
    for k in b:
        assert k == "unicorn" if k not in a else a[k] == b[k], (name, k)
EOF
command -v python3 >/dev/null && t_ok "names that both have keep their rows" python3 rows.py
t_ok "the new one is there" jq -e '.classes | index("unicorn")' turned/config.json
jq -c '.regions.roi_align = true' mixed/config.json >aligned.json && cp -r mixed aligned && mv aligned.json aligned/config.json
t_run $learn --steps 1 -m aligned -o bad scenes/train.jsonl.zst
t_fails "one with RoIAlign"
t_err 'aligned: a detector with RoIAlign cannot be trained'
t_ok "nothing is made" [ ! -e bad ]

# A detector that finds another class the likeliest of all, and one that also has boxes of its own for each class: those
# of one class are the first detector's, those of the others lie elsewhere. The precision of that class is that of the first.
cat >own_boxes.py <<'EOF'
import json, os, struct, sys
source, the_class, other = sys.argv[1:]
config, data = json.load(open(source + "/config.json")), open(source + "/model.safetensors", "rb").read()
n = struct.unpack("<Q", data[:8])[0]
header = json.loads(data[8:8 + n])
names = sorted((k for k in header if k != "__metadata__"), key=lambda k: header[k]["data_offsets"])
values = {k: data[8 + n:][slice(*header[k]["data_offsets"])] for k in names}
numbers = lambda b: [struct.unpack("<f", b"\0\0" + b[i:i + 2])[0] for i in range(0, len(b), 2)]
coded = lambda x: b"".join(struct.pack("<f", v)[2:] for v in x)
for k in "predict.class.weight", "predict.class.bias":
    values[k] = coded(v / 8 for v in numbers(values[k]))
def save(folder):
    at, text = 0, dict(header)
    for k in names:
        text[k] = dict(header[k], data_offsets=[at, at + len(values[k])])
        at += len(values[k])
    text = json.dumps(text).encode()
    text += b" " * (-len(text) % 8)
    os.mkdir(folder)
    json.dump(config, open(folder + "/config.json", "w"))
    open(folder + "/model.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + b"".join(values[k] for k in names))
bias = numbers(values["predict.class.bias"])
bias[config["classes"].index(other)] += 2
values["predict.class.bias"] = coded(bias)
save("unsure")
config["regions"]["boxes_per_class"] = True
classes = config["classes"]
bias = numbers(values["predict.box.bias"])
values["predict.box.weight"] *= len(classes)
values["predict.box.bias"] = b"".join(coded(bias if c == the_class else [v + 99 for v in bias]) for c in classes)
for k in "predict.box.weight", "predict.box.bias":
    header[k]["shape"][0] *= len(classes)
save("own")
EOF
if command -v python3 >/dev/null; then
    frequent=$(jq -rs '[.[].objects[].class] | group_by(.) | max_by(length) | .[0]' train.jsonl)
    other=$(jq -rs --arg c "$frequent" '[.[].objects[].class | select(. != $c)][0]' train.jsonl)
    jq -c --arg c "$frequent" '.objects |= map(select(.class == $c))' train.jsonl >scenes/frequent.jsonl
    shared=${UNIMO_BUILD:-$top/build/release}/share/unimo/detector
    t_ok "(two detectors are made)" python3 own_boxes.py "$shared" "$frequent" "$other"
    for d in unsure own; do
        t_run $learn --steps 1 --lr 0 -m $d --dev scenes/frequent.jsonl -o $d.same scenes/train.jsonl.zst
        mv "$out" $d.ap
    done
    t_ok "precision is that of boxes refined for the class" sh -c 'cmp unsure.ap own.ap && ! grep -q "AP50 0.0000" own.ap'
fi

# stopped and gone on with
unimo-view scenes/train.jsonl.zst | head -3 >scenes/few.jsonl
run="$learn --steps 12 --dev scenes/few.jsonl --eval-every 4"
t_run $run --save-every 5 --log whole.log -o whole scenes/train.jsonl.zst
t_exit 0 "a training with checkpoints"
t_out '^AP50 [01]\.[0-9]+, AP [01]\.[0-9]+ on 3 images$'
t_ok "leaves none behind" [ ! -e whole.training ]
t_ok "its log has both precisions" jq -se '[.[] | select(.ap50 >= 0 and .ap >= 0 and .ap <= .ap50) | .step] == [4, 8, 12]' whole.log
for signal in KILL TERM; do
    name=cut-$signal
    $run --save-every 3 --log $name.log -o $name scenes/train.jsonl.zst >/dev/null 2>$name.err &
    pid=$!
    for _ in $(seq 300); do [ -e $name.training ] && break; sleep 0.1; done
    kill -$signal $pid 2>/dev/null
    wait $pid
    rc=$?
    if [ $signal = TERM ] && [ ! -e $name ]; then
        t_exit 75 "a signal saves and stops"
        t_ok "and says so" grep -q 'stopped after step [0-9]* of 12; saved, run again with --resume' $name.err
    fi
    t_ok "$signal: no detector yet, or all of it" sh -c '[ ! -e "$1" ] || [ -e "$1/model.safetensors" ]' sh $name
    [ -e $name ] || t_run $run --save-every 3 --resume --log $name.log -o $name scenes/train.jsonl.zst
    t_same $name/model.safetensors whole/model.safetensors "$signal: gone on with, it ends with the bytes of one that was not stopped"
done
t_ok "and with its log" cmp cut-TERM.log whole.log
mkdir -p x.training && cp whole/config.json x.training/
$run --save-every 2 -o x scenes/train.jsonl.zst >/dev/null 2>&1 &
pid=$!
for _ in $(seq 300); do [ -e x.training/trainer.json ] && break; sleep 0.1; done
kill -KILL $pid 2>/dev/null
wait $pid 2>/dev/null
if [ -e x.training/trainer.json ]; then
    t_run $run --lr 1e-4 --resume -o x scenes/train.jsonl.zst
    t_fails "other options cannot go on with it"
    t_err 'x.training/trainer.json: the saved run had another "lr"'
    unimo-view scenes/train.jsonl.zst | jq -c '.objects[0].box[2] += 1' >scenes/moved.jsonl
    t_run $run --resume -o x scenes/moved.jsonl
    t_fails "nor can other boxes"
    t_err 'x.training/trainer.json: the saved run had another "annotations"'
    head -c 1000 x.training/optimizer.safetensors >cut && mv cut x.training/optimizer.safetensors
    t_run $run --resume -o x scenes/train.jsonl.zst
    t_fails "a checkpoint that was cut short"
fi
t_run $run --resume -o fresh scenes/train.jsonl.zst
t_exit 0 "--resume without a checkpoint begins"
t_done
