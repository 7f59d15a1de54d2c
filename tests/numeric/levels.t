#!/bin/bash
# The same code on lesser processors: the kernels of each level with the matrix library held to it, which below AVX-512 has
# no products of bf16; and, where qemu is installed, a processor that has no more than AVX2.
. "$(dirname "$0")/../lib/lib.sh"

agree() { # WHAT TRIALS COMMAND...: its own lines are shown when it fails
    local what=$1 trials=$2 t
    shift 2
    for t in "ops.t cpu $trials" "model_steps.t emulated"; do
        t_run "$@" "$UNIMO_BUILD"/tests/numeric/$t
        t_exit 0 "${t%%.*} on $what"
        [ "$rc" = 0 ] || grep -E '^not ok|^#' "$out" | sed 's/^/# /' | head -20
    done
}
held() { # OUR LEVEL, THE LIBRARY'S
    agree "$1" 4 env UNIMO_CPU="$1" ONEDNN_MAX_CPU_ISA="$2"
}
[ "$(uname -m)" = x86_64 ] || t_skip_all "the levels are those of x86-64"
held v1 SSE41
held v3 AVX2
held v4 AVX512_CORE
agree "fewer threads than processors" 4 env OMP_THREAD_LIMIT=1
qemu=$(command -v qemu-x86_64-static || command -v qemu-x86_64)
[ "$qemu" ] || { echo "# no qemu: no processor is emulated"; t_done; }
case $UNIMO_BUILD in */san-*) echo "# no memory for an emulator and a sanitizer"; t_done ;; esac
agree "a processor with AVX2" 3 "$qemu" -cpu max
t_done
