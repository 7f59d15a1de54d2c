#!/bin/bash
# Every benchmark runs to its end, at sizes that measure nothing, and prints figures; without PyTorch (UNIMO_PEERS) and without a GPU.
. "$(dirname "$0")/../lib/lib.sh"
command -v python3 >/dev/null || t_skip_all "no python3"
mkdir build nothing
ln -s "$(realpath "$UNIMO_BUILD")/tests" build/tests
export UNIMO_BIN UNIMO_BUILD=$t_dir/build UNIMO_BENCH_QUICK=1 UNIMO_PEERS='' UNIMO_BACKEND_DIR=$t_dir/nothing
for bench in "$top"/tests/bench/*; do
    name=${bench##*/}
    t_run timeout 300 "$bench"
    t_exit 0 "$name ends"
    grep -qE "^$name: (skipped|left out)" "$out" || t_ok "$name prints figures" [ "$(grep -cE '[0-9]\.[0-9]' "$out")" -gt 2 ]
    ! grep -q 'Table(' "$bench" || [ ! -e "build/bench/$name.json" ] || t_ok "$name writes them as JSON" jq -e 'length > 2 and all(.ours | type == "number")' "build/bench/$name.json"
done
t_done
