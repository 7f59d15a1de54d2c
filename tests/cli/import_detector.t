#!/bin/bash
# scripts/import-detector: one network in every public form of checkpoint becomes the same detector; what does not fit is refused.
. "$(dirname "$0")/../lib/lib.sh"
t_python numpy -c 'import numpy'
mkdir bin && ln -s "$(command -v "$python")" bin/python3 && PATH=$PWD/bin:$PATH
import=$top/scripts/import-detector
made() { "$python" -B "$top/tests/cli/checkpoints.py" "$@"; }
made write . || t_skip_all "numpy writes no files"

for f in a.caffemodel a.pkl a.npz a.safetensors old.pth milvlg.pth c4.pth vinvl.pth; do
    t_run "$import" $f "from-$f"
    t_exit 0 "$f is imported"
    t_ok "$f: nothing is missing or left over" sh -c '! grep -qE "^(missing|unexpected)" "$1" && [ "$(grep -c ^matched "$1")" -gt 80 ]' sh "$out"
done
t_run made torch .
if [ "$rc" = 0 ]; then
    t_run "$import" a.bin from-a.bin
    t_ok "what PyTorch itself writes" cmp from-a.bin/model.safetensors from-a.pkl/model.safetensors
fi
for f in a.npz a.safetensors old.pth; do t_same from-$f/model.safetensors from-a.pkl/model.safetensors "$f is a.pkl"; done
t_ok "norms are folded, classes put in our order" made folded . from-a.pkl/model.safetensors
t_ok "Caffe's, too, to rounding" made folded . from-a.caffemodel/model.safetensors
made_same() { t_ok "$3" made same "from-$1/model.safetensors" "from-$2/model.safetensors" ${4:+"$4"}; }
made_same milvlg.pth a.caffemodel "two logits an anchor: the release, whatever its names"
made_same vinvl.pth a.caffemodel "maskrcnn-benchmark's names"
made_same c4.pth a.pkl "detectron2's own head of attributes, without none"
made_same a.caffemodel a.pkl "deltas are scaled as ours are" 'predict.attribute|rpn.objectness'
for f in milvlg.pth:caffe c4.pth:c4 vinvl.pth:vinvl a.pkl:detectron2 a.caffemodel:caffe; do
    "$import" "${f%:*}" "styled-${f%:*}" >table
    t_ok "${f%:*} is seen to be ${f#*:}" grep -qx "style       ${f#*:}" table
done
t_ok "what the styles stand for" jq -se '(.[0].stem.pool_pad == 1) and .[0].regions.roi_unaligned and .[0].anchors.caffe and .[0].head.stride == 2 and .[0].input.mean[0] == 103.53 and .[1].regions.roi_samples == 2 and (.[1].attributes | length) == 5' from-vinvl.pth/config.json from-c4.pth/config.json
for f in milvlg vinvl c4; do
    t_run unimo-regionfeat -m from-$f.pth -o $f.zst "$top/testdata/jpeg/baseline.jpg"
    t_ok "$f looks at a picture" unimo-view --check --finite $f.zst
done
t_ok "the release's anchors, sizes and conventions" jq -e '.anchors == {caffe: true, scales: [64,128,256,512], ratios: [0.5,1,2]} and .input.exact_scale and .regions.min_side == 16 and .head.dilation == 2 and .stages[1].stride == 2' from-a.caffemodel/config.json
t_ok "the port's" jq -e '(.anchors.boxes | length) == 12 and .anchors.boxes[1] == [-32,-32,32,32] and .regions.min_side == 0 and (.anchors.caffe | not)' from-a.pkl/config.json
t_run unimo-regionfeat -m from-a.caffemodel -o caffe.zst "$top/testdata/jpeg"
t_exit 0 "the detector runs"
t_ok "and gives features" unimo-view --check --finite caffe.zst
t_run unimo-regionfeat -m from-a.pkl --max-boxes 36 --min-boxes 36 -o port.zst "$top/testdata/jpeg/baseline.jpg"
t_ok "so does the port's" sh -c 'unimo-view --check --finite port.zst && unimo-view port.zst | jq -e ".tensors.features.shape == [36, 24] and .tensors.class_probs.shape == [36, 6]"'
printf 'cup,mug\ndog\ntree\ncar\nsky\n' >objects
printf 'red\ngreen\ntall\nwet\n' >attributes
t_run "$import" --objects objects --attributes attributes a.pkl named
t_ok "names" jq -e '.classes == ["background","cup","dog","tree","car","sky"] and .attributes == ["none","red","green","tall","wet"]' named/config.json
t_run "$import" --align --half --background first --anchor-sizes 32,64,96,128 a.npz other
t_ok "options" jq -e '.regions.roi_align and .head.stride == 2 and .head.dilation == 1 and .anchors.boxes[1] == [-16,-16,16,16]' other/config.json

refused() { # WHAT REGEX ARGUMENTS...
    local what=$1 regex=$2
    shift 2
    t_run "$import" "$@"
    t_fails "$what"
    t_err "$regex"
}
refused "a pickle that would run something" 'evil.pkl: a pickle that asks for [a-z]+.mkdir, which is no array' evil.pkl x
t_ok "runs nothing" [ ! -e executed ]
refused "a wrong shape" 'wrong.npz: backbone.res3.0.conv2.weight: has the shape \[4, 4, 1, 1\], and \[4, 4, 3, 3\] was expected' wrong.npz x
refused "what is missing" 'less.npz: .* missing' less.npz x
grep -qx 'missing     res3.0.conv2.weight' "$out"
t_report $? "is in the table"
grep -qx 'unexpected  something.else' "$out"
t_report $? "as what is unexpected"
refused "too few names" 'attributes: 4 names, and the checkpoint has 5' --objects attributes a.pkl x
refused "a name that is taken" 'named: is there already' a.pkl named
refused "another kind of file" 'its name ends in none' objects x
for f in a.caffemodel a.pkl a.npz a.safetensors old.pth; do
    head -c 3000 $f >"cut-$f"
    refused "$f cut short" "^import-detector: cut-$f: " "cut-$f" x
done
t_ok "nothing is left of what failed" sh -c '[ ! -e x ] && [ -z "$(find . -maxdepth 1 -name ".x*")" ]'
t_run "$import" -h
t_ok "-h" grep -q '^usage: scripts/import-detector' "$out"
t_done
