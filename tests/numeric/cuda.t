#!/bin/bash
# The CUDA back end without a GPU: the plugin loads and says that there is none; its kernels, compiled for the host
# (tests/emulated), agree with the reference in every operation, in whole steps, in decoding and in the detector.
. "$(dirname "$0")/../lib/lib.sh"

plugin=$UNIMO_BUILD/lib/unimo/libunimo-cuda.so
if [ -f "$plugin" ]; then
    nm -D --defined-only "$plugin" | awk '$2 != "A" { print $3 }' >exported
    echo unimo_cuda_open >wanted
    t_same exported wanted "the plugin exports one symbol"
    t_ok "and needs no CUDA runtime beside itself" sh -c '! ldd "$1" | grep -q libcudart' sh "$plugin"
    t_run env CUDA_VISIBLE_DEVICES= unimo-predict --device cuda -m none
    t_fails "no device"
    t_err '^unimo-predict: --device cuda: no usable GPU: no device \('
fi
case ${UNIMO_BUILD-}:$(command -v jq) in
*san* | *:) ;;
*)
    if [ -f "$plugin" ]; then
        t_run "$top/tests/gpu/pack" "$t_dir/packed.tar.gz"
        t_exit 0 "what a machine with a GPU and little else needs is packed"
        tar xf packed.tar.gz
        t_run env CUDA_VISIBLE_DEVICES= unimo-gpu/tests/gpu/run build/tests/numeric/ops.t ref 3
        t_exit 0 "and runs where it is unpacked"
    else
        t_run "$top/tests/gpu/pack" "$t_dir/packed.tar.gz"
        t_fails "without the back end there is nothing to pack"
    fi
    ;;
esac
# What runs on a GPU may fail or hang there: what the others found is told nevertheless.
mkdir -p fake/tests/numeric fake/tests/unit fake/tests/speed kept
cat >fake/tests/numeric/ops.t <<'EOF'
#!/bin/sh
echo "ok 1 - fill f32 (worst: nmse 0, row 0)"
[ "$2" = 0 ] || sleep 60
EOF
printf '#!/bin/sh\necho ok 1\necho "# why"\necho not ok 2\nexit 1\n' >fake/tests/numeric/devices.t
cat >fake/tests/speed/cuda.t <<'EOF'
#!/bin/sh
one() { echo "{\"what\":\"$1\",\"ms\":1,\"tflops\":0,\"gbytes\":0,\"of_floor\":1}"; }
one copy
[ -n "$3" ] || { echo "# part first" && one first && echo "# part second" && echo "# why" && kill -9 $$; }
echo "# part third" && one third
EOF
chmod +x fake/tests/*/*.t
t_run env UNIMO_BUILD="$t_dir/fake" OUT="$t_dir/kept" LIMIT=3 "$top/tests/gpu/check"
t_exit 1 "a test that hangs fails"
t_out '^not ok - every operation against the reference \(out of time after'
t_out '^not ok - decoding'
t_ok "what was printed is kept" grep -q '^ok 1 - fill' kept/check.txt
cat >fake/tests/numeric/ops.t <<'EOF'
#!/bin/sh
echo "ok 1 - fill f32 (worst: nmse 0, row 0)"
[ "$1" = cuda ] || exit 0
[ "$2" ] || exit 1
[ "$2" = 0 ] || { echo $$ >own && exec sleep 60; }
EOF
t_run env UNIMO_BUILD="$t_dir/fake" OUT="$t_dir/kept" LIMIT=3 "$top/tests/gpu/check"
t_exit 1 "an operation that hangs on its own fails"
t_out '^not ok - operations on their own'
t_ok "and is ended with the others" sh -c '[ -s own ] && ! kill -0 "$(cat own)"'
printf '#!/bin/sh\nexec sleep 60\n' >fake/nvidia-smi
chmod +x fake/nvidia-smi
t_run env PATH="$t_dir/fake:$PATH" UNIMO_BUILD="$t_dir/fake" OUT="$t_dir/kept" "$top/tests/bench/cuda"
t_exit 1 "a measurement that fails does"
t_ok "the others are in the table" sh -c 'for x in first third; do grep -q "^$x  *1.000" "$1" || exit; done' sh "$out"
t_err 'tests/speed/cuda.t cuda 65536: second: killed by signal 9, .*: why$'
t_ok "and their lines are kept" sh -c '[ "$(grep -c tflops "$1")" = 4 ]' sh kept/cuda.jsonl
mkdir empty
t_run env UNIMO_BACKEND_DIR="$t_dir/empty" unimo-predict --device cuda -m none
t_fails "no plugin"
t_err 'no CUDA back end built'
mkdir driver
echo 'int cuInit;' | gcc -shared -x c -o driver/libcuda.so.1 -
t_run env UNIMO_BACKEND_DIR="$t_dir/empty" LD_LIBRARY_PATH="$t_dir/driver" unimo-predict -m none
t_err '^unimo-predict: no CUDA back end built .*: the CPU is used$'
t_run env UNIMO_BACKEND_DIR="$t_dir/empty" LD_LIBRARY_PATH="$t_dir/driver" unimo-predict --device cpu -m none
t_fails "nothing is said where the CPU was asked for"
echo "not a library" >empty/libunimo-cuda.so
t_run env UNIMO_BACKEND_DIR="$t_dir/empty" unimo-predict --device cuda -m none
t_fails "a broken plugin"
t_err 'cannot load the CUDA back end: '

export UNIMO_BACKEND_DIR=$UNIMO_BUILD/tests/emulated
[ -f "$UNIMO_BACKEND_DIR/libunimo-cuda.so" ] || { echo "# no C++ compiler: the kernels are not tested"; t_done; }
t_run unimo-predict --device cuda:1 -m none
t_fails "a device that is not there"
t_err 'no device 1 \(there is 1\)'
agree() { # TEST ARGS: its own lines are shown when it fails
    t_run "$UNIMO_BUILD/tests/$1.t" "${@:2}"
    t_exit 0 "$1 agrees on the emulated device"
    [ "$rc" = 0 ] || grep -E '^not ok|^#' "$out" | sed 's/^/# /' | head -20
}
agree numeric/ops cuda
agree numeric/devices cuda 3
agree numeric/detect_devices cuda
agree unit/model_decode cuda
t_run "$top/tests/gpu/resume" cpu # as tests/gpu/check runs it on a GPU: the emulated device takes minutes
t_exit 0 "the test of resuming passes on the CPU"
t_done
