#ifndef COMPUTE_OPS_H
#define COMPUTE_OPS_H
#include "compute/tensor.h"
#ifdef __cplusplus
extern "C" {
#endif

/* The table of operations: everything above this floor computes through it and nothing else.
 *
 * Sizes, with the same letters everywhere: T rows, S sequences, H hidden, N heads, D head size, V vocabulary,
 * K classes, R regions, I and O inputs and outputs of a linear layer.
 *
 * Operations are enqueued; a back end may run them later, in order. The host sees results only through
 * `download`, the one row that waits. op_x() checks shapes, dtypes and aliasing once for all back ends, then
 * calls row x. The first failure is kept in the device and later operations do nothing: device_check() reports it.
 *
 * Activations are F32 or BF16 (sums inside are always f32 or better); parameters' gradients, statistics and losses are
 * F32. "Adds" means that the result is added to what is there (gradients of parameters); everything else is
 * overwritten. Any first dimension may be 0. */

struct device {
    const struct ops *ops;
    void *impl;    /* the back end's own state */
    void *queue;   /* the CUDA stream of a GPU; NULL on a CPU */
    char why[512]; /* the first failure; "" while all is well */
    int threads;
    bool has_bf16;           /* bf16 products are at least as fast as f32 ones */
    uint64_t param_epoch;    /* counts params_changed(), for back ends that keep packed parameters */
    struct profile *profile; /* compute/profile.h; NULL: none is kept */
    bool is_host;            /* its memory is the host's: the host may read it, and what is not touched costs nothing */
    bool trains;             /* parameters change at every step, by device_will_train() */
};

/* Dropout: keep with probability 1 - p and scale by 1 / (1 - p). Element i is kept when draw i of the Philox stream
 * named by (seed, step, site) is >= p: word i % 4 of philox4x32(counter {lo(i/4), hi(i/4), site, lo(step)}, key
 * {lo(seed), hi(seed) ^ hi(step)}), compared as u < p * 2^32 -> dropped. p = 0: nothing is dropped and nothing drawn.
 * The mask is never stored: backward draws it again. */
struct dropout {
    float p;
    uint32_t site;
    uint64_t seed, step;
};

/* The sequences of a packed batch: sequence s owns rows start[s] .. start[s+1]; row i of it sees row j when
 * j < prefix[s] or j <= i (positions inside the sequence). */
enum { SEQUENCE_ROWS_MAX = 65535 }; /* attention's dropout has 16 bits for the key's place in its sequence */
struct sequences {
    int64_t n;            /* S */
    int64_t longest;      /* rows of the longest sequence, known to the host: at most SEQUENCE_ROWS_MAX */
    struct tensor start;  /* I32 [S+1] */
    struct tensor prefix; /* I32 [S] */
};

enum linear_flags {
    LINEAR_PARAM = 1, /* w is a parameter: it stays the same until op_params_changed(), so packed copies may be kept */
    LINEAR_ADD = 2    /* add to the output instead of overwriting it */
};

struct conv {
    int stride, pad, dilation;
};

/* One segment of the flat parameter buffers: elements [from, from + n). */
struct adamw_segment {
    int64_t from, n;
    float lr_scale, weight_decay;
};
struct adamw {
    float lr, beta1, beta2, eps;
    int64_t step;     /* counts from 1, for bias correction */
    float max_norm;   /* clip the gradient's global norm to this; 0: no clipping */
    float grad_scale; /* gradients are multiplied by this first (1 / accumulation steps, say) */
};

#define OPS_ABI 3
struct ops {
    int abi;
    const char *name; /* "ref", "cpu", "cuda" */
    void (*close)(struct device *d);
#define ROW(name, args) int(*name) args;
#include "compute/ops.def"
#undef ROW
};
#define ROW(name, args) void op_##name args;
#include "compute/ops.def"
#undef ROW

#ifdef __cplusplus
}
#endif
#endif
