/* What the two forms of attention share: attention.cu takes any head size and type, attention_tiles.cu BF16 heads of up
 * to 128 on tensor cores. */
#ifndef COMPUTE_CUDA_ATTENTION_CUH
#define COMPUTE_CUDA_ATTENTION_CUH
#include "compute/cuda/common.cuh"

struct attention {
    struct array qkv, out, dout, dqkv;
    float *lse;
    const float *delta; /* [T,N]: sums of dout out over a head, for backward */
    const int32_t *start, *prefix;
    int64_t n, longest; /* sequences; rows of the longest */
    int64_t h;
    int d, heads;
    float scale;
    struct mask mask;
};

/* One block's sequence: rows [from, from + len), prefix at most len. */
struct stretch {
    int64_t from;
    int len, prefix;
};
static __device__ inline struct stretch stretch_of(const struct attention &p)
{
    int64_t from = p.start[blockIdx.x];
    int len = (int)(p.start[blockIdx.x + 1] - from), prefix = p.prefix[blockIdx.x];

    return stretch{ from, len, prefix < len ? prefix : len };
}
/* The dropout element of score (row of the batch, head, key of the sequence); keys run on. */
static __device__ inline uint64_t element_of(const struct attention &p, int64_t row, int head, int key)
{
    return ((uint64_t)(row * p.heads + head) << 16) + (uint64_t)key;
}

bool tiles_take(const struct attention &p);
int tiles_forward(struct device *d, const struct attention &p);
int tiles_backward(struct device *d, const struct attention &p);
#endif
