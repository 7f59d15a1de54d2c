/* The optimiser on flat buffers: all parameters in one launch, whatever segments they make. */
#include "compute/cuda/common.cuh"
#include <stdlib.h>

enum {
    THREADS = 256,
    OWN = 4,
    EACH = THREADS * OWN * 4 /* elements a block */,
    SUM_EACH = THREADS * 16,
    SUM_BLOCKS = 1024
};

/* ---- sums: a block's partial each, then one block ---- */

static __global__ void partial_sums(float *part, struct array x, int64_t n, bool of_squares)
{
    float sum = 0, v[EIGHT];

    for (int64_t i = (blockIdx.x * (int64_t)THREADS + threadIdx.x) * EIGHT; i < n;
         i += gridDim.x * (int64_t)THREADS * EIGHT) {
        load8(v, x, i, n - i);
#pragma unroll
        for (int k = 0; k < EIGHT; k++) sum += of_squares ? v[k] * v[k] : v[k];
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) part[blockIdx.x] = sum;
}

static __global__ void whole_sum(float *out, const float *part, int n)
{
    float sum = 0;

    for (int i = threadIdx.x; i < n; i += THREADS) sum += part[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) out[0] = sum;
}

static int sum_of(struct device *d, const char *row, struct tensor out, struct tensor x, bool of_squares)
{
    int64_t blocks = x.n ? least(pieces(x.n, SUM_EACH), SUM_BLOCKS) : 1;
    float *part = (float *)gpu_room(d, ROOM_PARTIAL, blocks * 4);

    if (!part || launch(d, row, partial_sums, (unsigned)blocks, THREADS, 0, part, array_of(x), x.n, of_squares))
        return -1;
    return launch(d, row, whole_sum, 1, THREADS, 0, f32(out), (const float *)part, (int)blocks);
}

int cuda_sum(struct device *d, struct tensor total, struct tensor x)
{
    return sum_of(d, "sum", total, x, false);
}

int cuda_sum_of_squares(struct device *d, struct tensor out, struct tensor g)
{
    return sum_of(d, "sum_of_squares", out, g, true);
}

/* ---- AdamW ---- */

/* A segment as the kernel has it; its blocks are first .. first of the next. */
struct piece {
    int64_t from, n, first;
    float lr, decay;
};
struct adamw_in {
    float *p, *g, *m, *v;
    uint16_t *p16; /* or NULL */
    const float *square_sum;
    const struct piece *pieces;
    int n_pieces;
    float beta1, beta2, eps, c1, c2, max_norm, grad_scale; /* c: what the bias correction divides by */
};

/* 16 bytes read and 16 (18 with the BF16 copy) written per element. Each access of a warp is one stretch of 128 bytes,
 * and a thread reads four elements before it writes the first; that is as good as wide accesses, and needs no
 * alignment. */
static __global__ void adamw_step(struct adamw_in a)
{
    int low = 0, high = a.n_pieces - 1;
    float factor = a.grad_scale;

    while (low < high) { /* the last piece that begins at this block or before */
        int middle = (low + high + 1) / 2;
        if (a.pieces[middle].first <= blockIdx.x) low = middle;
        else high = middle - 1;
    }
    const struct piece s = a.pieces[low];
    if (a.square_sum && a.max_norm > 0) {
        float norm = sqrtf(a.square_sum[0]) * a.grad_scale;
        if (norm > a.max_norm) factor = a.grad_scale * a.max_norm / norm;
    }
    int64_t first = (blockIdx.x - s.first) * EACH + threadIdx.x;
    for (int64_t from = first; from < first + EACH; from += OWN * THREADS) {
        float g[OWN], p[OWN], m[OWN], v[OWN];
#pragma unroll
        for (int k = 0; k < OWN; k++) {
            int64_t at = s.from + from + k * THREADS;
            if (from + k * THREADS >= s.n) break;
            g[k] = a.g[at], p[k] = a.p[at], m[k] = a.m[at], v[k] = a.v[at];
        }
#pragma unroll
        for (int k = 0; k < OWN; k++) {
            int64_t at = s.from + from + k * THREADS;
            if (from + k * THREADS >= s.n) break;
            g[k] *= factor;
            m[k] = a.beta1 * m[k] + (1 - a.beta1) * g[k];
            v[k] = a.beta2 * v[k] + (1 - a.beta2) * g[k] * g[k];
            p[k] -= s.lr * ((m[k] / a.c1) / (sqrtf(v[k] / a.c2) + a.eps) + s.decay * p[k]);
            a.m[at] = m[k];
            a.v[at] = v[k];
            a.p[at] = p[k];
            a.g[at] = 0;
            if (a.p16) a.p16[at] = to_bf16(p[k]);
        }
    }
}

int cuda_adamw(struct device *d, struct tensor p, struct tensor p16, struct tensor g, struct tensor m, struct tensor v,
               struct tensor square_sum, const struct adamw_segment *segments, int n_segments, struct adamw a)
{
    struct piece *host = (struct piece *)malloc((size_t)(n_segments + 1) * sizeof *host);
    void *there = gpu_room(d, ROOM_SEGMENTS, (n_segments + 1) * (int64_t)sizeof *host);
    int64_t blocks = 0;
    int n = 0;

    if (!host || !there) {
        free(host);
        return -1;
    }
    for (int i = 0; i < n_segments; i++) {
        if (!segments[i].n) continue;
        host[n++] =
            piece{ segments[i].from, segments[i].n, blocks, a.lr * segments[i].lr_scale, segments[i].weight_decay };
        blocks += pieces(segments[i].n, EACH);
    }
    int rc = cuda_upload(d, there, host, n * (int64_t)sizeof *host);
    free(host);
    d->param_epoch++;
    if (rc || !blocks) return rc;
    return launch(d, "adamw", adamw_step, (unsigned)blocks, THREADS, 0,
                  adamw_in{ f32(p), f32(g), f32(m), f32(v), (uint16_t *)p16.data, f32(square_sum),
                            (const struct piece *)there, n, a.beta1, a.beta2, a.eps,
                            (float)(1 - pow((double)a.beta1, (double)a.step)),
                            (float)(1 - pow((double)a.beta2, (double)a.step)), a.max_norm, a.grad_scale });
}
