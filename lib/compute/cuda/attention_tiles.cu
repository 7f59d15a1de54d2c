/* Attention on tensor cores, in the manner of FlashAttention (Dao et al. 2022; FlashAttention-2, 2023): BF16 operands,
 * F32 sums, scores only ever in registers.
 *
 * A block of four warps has 64 rows of one head of one sequence, 16 a warp, and walks the other side in tiles that are
 * copied into shared memory while the tile before is computed with (two buffers). Tiles that nobody may see are not
 * visited. The products are mma.sync m16n8k16; what comes out of one product in registers is, rounded to BF16, the left
 * operand of the next, so that nothing passes through memory. Rows in shared memory are 16 bytes longer than their
 * data: eight rows then lie in different banks, and ldmatrix takes them at once.
 *
 * Backward runs two kernels, one with blocks of queries (dq), one with blocks of keys (dk, dv), each with the scores
 * computed again: seven products instead of five, but every sum has one writer and a fixed order, without atomics.
 *
 * Device memory: q, k, v, out (and their gradients) once each, k and v again for every 64 queries, out of the cache.
 * Heads are 32, 64 or 128 wide; what is in between is computed as the next with zeros. */
#include "compute/cuda/attention.cuh"

enum { WARPS = 4, THREADS = WARPS * WARP, ROWS = 64 /* of a block */, PAD = 8 };
static const float log2e = 1.44269504f;

/* Rows of the other side at a time in backward. Wide heads take half: registers hold two sums of 16 x D where keys have
 * the block, and shared memory is 99 KiB on most GPUs. */
template <int D> static constexpr int other_tile = D > 64 ? 32 : 64;
/* Blocks of backward that a multiprocessor has at once: as many as its registers allow with hardly any kept in memory.
 */
template <int D> static constexpr int by_queries = D > 64 ? 3 : 4;
template <int D> static constexpr int by_keys = D > 64 ? 2 : 3;

static __device__ inline uint16_t *half_at(const struct array &x, int64_t i)
{
    return (uint16_t *)x.data + i;
}

/* Begins to copy n rows of d elements (the tile's other rows and columns become zero). */
template <int D, int N>
static __device__ inline void copy_tile(uint16_t *to, const uint16_t *from, int64_t stride, int n, int d)
{
    for (int i = threadIdx.x; i < N * (D / 8); i += THREADS) {
        int row = i / (D / 8), c = i % (D / 8) * 8;
        bool is_there = row < n && c < d;
        copy_begin(to + row * (D + PAD) + c, is_there ? from + row * stride + c : from, is_there);
    }
}

/* The same of tile t of a head's keys and values, to the buffers for even or for odd tiles: k, v; k, v. */
template <int D, int N>
static __device__ inline void fetch_keys(uint16_t *kv, const uint16_t *base, int t, int64_t len,
                                         const struct attention &p)
{
    enum { TILE = N * (D + PAD) };
    uint16_t *to = kv + t % 2 * 2 * TILE;
    const uint16_t *from = base + (int64_t)t * N * 3 * p.h;
    int left = (int)(len - t * N);

    copy_tile<D, N>(to, from + p.h, 3 * p.h, left, p.d);
    copy_tile<D, N>(to + TILE, from + 2 * p.h, 3 * p.h, left, p.d);
    copies_close();
}

/* s[16, 8 N] (+)= a b' for the warp's 16 rows of a and N * 8 rows of b, both D wide in shared memory. */
template <int D, int N> static __device__ inline void multiply_rows(float s[N][4], const uint16_t *a, const uint16_t *b)
{
    int lane = threadIdx.x % WARP;

#pragma unroll
    for (int n = 0; n < N; n++) s[n][0] = s[n][1] = s[n][2] = s[n][3] = 0;
#pragma unroll
    for (int k = 0; k < D; k += 16) {
        uint32_t left[4], right[4];
        load_matrices(left, a + (threadIdx.x / WARP * 16 + lane % 16) * (D + PAD) + k + lane / 16 * 8);
#pragma unroll
        for (int n = 0; n < N; n += 2) {
            load_matrices(right, b + (n * 8 + lane % 8 + lane / 16 * 8) * (D + PAD) + k + lane / 8 % 2 * 8);
            multiply_add(s[n], left, right[0], right[1]);
            multiply_add(s[n + 1], left, right[2], right[3]);
        }
    }
}

/* sum[16, D] += p b for p[16, 8 N] in registers and N * 8 rows of b in shared memory. */
template <int D, int N>
static __device__ inline void multiply_columns(float sum[D / 8][4], const float p[N][4], const uint16_t *b)
{
    int lane = threadIdx.x % WARP;

#pragma unroll
    for (int k = 0; k < N; k += 2) {
        uint32_t right[4];
        const uint32_t left[4] = { to_bf16x2(p[k][0], p[k][1]), to_bf16x2(p[k][2], p[k][3]),
                                   to_bf16x2(p[k + 1][0], p[k + 1][1]), to_bf16x2(p[k + 1][2], p[k + 1][3]) };
#pragma unroll
        for (int n = 0; n < D / 8; n += 2) {
            load_matrices_transposed(right, b + (k * 8 + lane % 16) * (D + PAD) + n * 8 + lane / 16 * 8);
            multiply_add(sum[n], left, right[0], right[1]);
            multiply_add(sum[n + 1], left, right[2], right[3]);
        }
    }
}

/* Writes the warp's 16 rows of a block's n. */
template <int D>
static __device__ inline void write_rows(uint16_t *to, int64_t stride, const float v[D / 8][4], int n, int d,
                                         float factor0, float factor1)
{
    int lane = threadIdx.x % WARP, row = threadIdx.x / WARP * 16 + lane / 4;

#pragma unroll
    for (int i = 0; i < D / 8; i++) {
        int c = i * 8 + lane % 4 * 2;
        if (c >= d) break;
        if (row < n) *(uint32_t *)(to + row * stride + c) = to_bf16x2(v[i][0] * factor0, v[i][1] * factor0);
        if (row + 8 < n) *(uint32_t *)(to + (row + 8) * stride + c) = to_bf16x2(v[i][2] * factor1, v[i][3] * factor1);
    }
}

/* ---- dropout of a lane's four scores, one draw of four per lane ---- */

/* Rows are queries: a draw is four neighbouring keys of a row, two lanes have them; one draws for the first row, the
 * other for the eighth after it, and they give each other the bits. */
static __device__ inline void row_factors(float f[4], const struct attention &p, int64_t row, int head, int key)
{
    int lane = threadIdx.x % WARP, is_odd = lane % 2;
    uint32_t kept = kept4(element_of(p, row + 8 * is_odd, head, key + lane % 4 / 2 * 4) / 4, p.mask) << 4 * is_odd;

    kept |= __shfl_xor_sync(~0u, kept, 1);
#pragma unroll
    for (int i = 0; i < 4; i++) f[i] = factor_of(kept, i / 2 * 4 + 2 * is_odd + i % 2, p.mask);
}

/* Rows are keys: a draw is four neighbouring rows of a column, four lanes have them; each draws for one of the four
 * (column, upper or lower rows), and they exchange the bits. */
static __device__ inline void column_factors(float f[4], const struct attention &p, int64_t row, int head, int key)
{
    int lane = threadIdx.x % WARP, own = lane / 4 % 4;
    uint64_t i = element_of(p, row + lane % 4 * 2 + own % 2, head, key + lane / 16 * 4 + own / 2 * 8);
    uint32_t kept = kept4(i / 4, p.mask) << 4 * own;

    kept |= __shfl_xor_sync(~0u, kept, 4);
    kept |= __shfl_xor_sync(~0u, kept, 8);
#pragma unroll
    for (int e = 0; e < 4; e++) f[e] = factor_of(kept, 4 * e + own, p.mask);
}

/* ---- forward ---- */

static __device__ inline bool sees(const struct stretch &s, int i, int j)
{
    return j < s.len && (j < s.prefix || j <= i);
}
/* Whether all of the 64 rows from i on see all keys below j. */
static __device__ inline bool all_see(const struct stretch &s, int i, int j)
{
    return j <= max(s.prefix, i + 1);
}
/* How far the 64 rows from i on see. */
static __device__ inline int seen(const struct stretch &s, int i)
{
    return max(s.prefix, min(i + (int)ROWS, s.len));
}

template <int N> static __device__ inline void scale_scores(float s[N][4], float factor)
{
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) s[n][e] *= factor;
    }
}
/* What a lane's rows i and i + 8 don't see of keys j, j + 1 and every eight on: tiles at the edge alone have such. */
template <int N> static __device__ inline void hide_keys(float w[N][4], const struct stretch &s, int i, int j)
{
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            if (!sees(s, i + e / 2 * 8, j + n * 8 + e % 2)) w[n][e] = -INFINITY;
        }
    }
}
/* The same with keys for rows: j and j + 8, of the queries i, i + 1 and every eight on. */
template <int N> static __device__ inline void hide_queries(float w[N][4], const struct stretch &s, int i, int j)
{
#pragma unroll
    for (int n = 0; n < N; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
            int query = i + n * 8 + e % 2;
            if (query >= s.len || !sees(s, query, j + e / 2 * 8)) w[n][e] = -INFINITY;
        }
    }
}

/* Softmax of one tile along with those before: s becomes weights (base 2), sums shrink to the new maximum. */
template <int D>
static __device__ inline void soften(float s[8][4], float out[D / 8][4], float max_of[2], float total[2])
{
#pragma unroll
    for (int r = 0; r < 2; r++) {
        float top = max_of[r];
#pragma unroll
        for (int n = 0; n < 8; n++) top = fmaxf(top, fmaxf(s[n][2 * r], s[n][2 * r + 1]));
        top = fmaxf(top, __shfl_xor_sync(~0u, top, 1));
        top = fmaxf(top, __shfl_xor_sync(~0u, top, 2));
        float shrink = quick_exp2(max_of[r] - top);
        total[r] *= shrink;
#pragma unroll
        for (int n = 0; n < 8; n++) {
            s[n][2 * r] = quick_exp2(s[n][2 * r] - top);
            s[n][2 * r + 1] = quick_exp2(s[n][2 * r + 1] - top);
            total[r] += s[n][2 * r] + s[n][2 * r + 1];
        }
#pragma unroll
        for (int n = 0; n < D / 8; n++) {
            out[n][2 * r] *= shrink;
            out[n][2 * r + 1] *= shrink;
        }
        max_of[r] = top;
    }
}

template <int D> static __global__ void __launch_bounds__(THREADS) forward(struct attention p)
{
    enum { TILE = ROWS * (D + PAD) };
    uint16_t *q = (uint16_t *)shared_memory(), *kv = q + TILE; /* k, v; k, v */
    struct stretch s = stretch_of(p);
    int q0 = blockIdx.y * ROWS, head = blockIdx.z, lane = threadIdx.x % WARP;
    int own = q0 + threadIdx.x / WARP * 16 + lane / 4; /* and own + 8 */
    int64_t h3 = 3 * p.h;

    if (q0 >= s.len) return;
    const uint16_t *base = half_at(p.qkv, s.from * h3 + head * p.d);
    int tiles = (seen(s, q0) + ROWS - 1) / ROWS;
    float out[D / 8][4] = {}, max_of[2] = { -INFINITY, -INFINITY }, total[2] = {};
    copy_tile<D, ROWS>(q, base + q0 * h3, h3, s.len - q0, p.d);
    fetch_keys<D, ROWS>(kv, base, 0, s.len, p);
    for (int t = 0; t < tiles; t++) {
        const uint16_t *k = kv + t % 2 * 2 * TILE;
        float w[8][4];
        if (t + 1 < tiles) fetch_keys<D, ROWS>(kv, base, t + 1, s.len, p);
        if (t + 1 < tiles) copies_wait<1>();
        else copies_wait<0>();
        __syncthreads();
        multiply_rows<D, 8>(w, q, k);
        scale_scores<8>(w, p.scale * log2e);
        if (!all_see(s, q0, (t + 1) * ROWS)) hide_keys<8>(w, s, own, t * ROWS + lane % 4 * 2);
        soften<D>(w, out, max_of, total);
        if (p.mask.is_on) {
#pragma unroll
            for (int n = 0; n < 8; n++) {
                float f[4];
                row_factors(f, p, s.from + own, head, t * ROWS + n * 8);
#pragma unroll
                for (int e = 0; e < 4; e++) w[n][e] *= f[e];
            }
        }
        multiply_columns<D, 8>(out, w, k + TILE);
        __syncthreads(); /* the next copies go where this tile was */
    }
#pragma unroll
    for (int r = 0; r < 2; r++) {
        total[r] += __shfl_xor_sync(~0u, total[r], 1);
        total[r] += __shfl_xor_sync(~0u, total[r], 2);
        if (lane % 4 == 0 && own + 8 * r < s.len)
            p.lse[(s.from + own + 8 * r) * p.heads + head] = max_of[r] / log2e + logf(total[r]);
    }
    write_rows<D>(half_at(p.out, (s.from + q0) * p.h + head * p.d), p.h, out, s.len - q0, p.d, 1 / total[0],
                  1 / total[1]);
}

/* ---- backward ---- */

/* From a score and the gradient of its (dropped) probability: the probability with its factor, and the score's slope.
 * Scores and lse are to the base 2 here. */
static __device__ inline void slopes(float *score, float *dprob, float factor, float lse, float delta)
{
    float prob = quick_exp2(*score - lse);

    *score = prob * factor;
    *dprob = prob * (*dprob * factor - delta);
}

template <int D> static __global__ void __launch_bounds__(THREADS, by_queries<D>) backward_queries(struct attention p)
{
    enum { TILE = ROWS * (D + PAD), KEYS = other_tile<D>, PART = KEYS * (D + PAD), N = KEYS / 8 };
    uint16_t *q = (uint16_t *)shared_memory(), *dout = q + TILE, *kv = dout + TILE;
    struct stretch s = stretch_of(p);
    int q0 = blockIdx.y * ROWS, head = blockIdx.z, lane = threadIdx.x % WARP;
    int own = q0 + threadIdx.x / WARP * 16 + lane / 4;
    int64_t h3 = 3 * p.h;
    float dq[D / 8][4] = {}, lse[2] = {}, delta[2] = {};

    if (q0 >= s.len) return;
    const uint16_t *base = half_at(p.qkv, s.from * h3 + head * p.d);
    int tiles = (seen(s, q0) + KEYS - 1) / KEYS;
    copy_tile<D, ROWS>(q, base + q0 * h3, h3, s.len - q0, p.d);
    copy_tile<D, ROWS>(dout, half_at(p.dout, (s.from + q0) * p.h + head * p.d), p.h, s.len - q0, p.d);
    fetch_keys<D, KEYS>(kv, base, 0, s.len, p);
    for (int r = 0; r < 2; r++) {
        int64_t at = (s.from + own + 8 * r) * p.heads + head;
        if (own + 8 * r < s.len) lse[r] = p.lse[at] * log2e, delta[r] = p.delta[at];
    }
    for (int t = 0; t < tiles; t++) {
        const uint16_t *k = kv + t % 2 * 2 * PART;
        float w[N][4], dw[N][4], f[4] = { 1, 1, 1, 1 };
        if (t + 1 < tiles) fetch_keys<D, KEYS>(kv, base, t + 1, s.len, p);
        if (t + 1 < tiles) copies_wait<1>();
        else copies_wait<0>();
        __syncthreads();
        multiply_rows<D, N>(w, q, k);
        multiply_rows<D, N>(dw, dout, k + PART);
        scale_scores<N>(w, p.scale * log2e);
        if (!all_see(s, q0, (t + 1) * KEYS)) hide_keys<N>(w, s, own, t * KEYS + lane % 4 * 2);
#pragma unroll
        for (int n = 0; n < N; n++) {
            if (p.mask.is_on) row_factors(f, p, s.from + own, head, t * KEYS + n * 8);
#pragma unroll
            for (int e = 0; e < 4; e++) slopes(&w[n][e], &dw[n][e], f[e], lse[e / 2], delta[e / 2]);
        }
        multiply_columns<D, N>(dq, dw, k);
        __syncthreads();
    }
    write_rows<D>(half_at(p.dqkv, (s.from + q0) * h3 + head * p.d), h3, dq, s.len - q0, p.d, p.scale, p.scale);
}

template <int D> static __global__ void __launch_bounds__(THREADS, by_keys<D>) backward_keys(struct attention p)
{
    enum { TILE = ROWS * (D + PAD), QUERIES = other_tile<D>, PART = QUERIES * (D + PAD), N = QUERIES / 8 };
    uint16_t *k = (uint16_t *)shared_memory(), *v = k + TILE, *qd = v + TILE; /* q, dout; q, dout */
    float *sums = (float *)(qd + 4 * PART);                                   /* lse, delta; lse, delta */
    struct stretch s = stretch_of(p);
    int k0 = blockIdx.y * ROWS, head = blockIdx.z, lane = threadIdx.x % WARP, first = k0 < s.prefix ? 0 : k0 / QUERIES;
    int own = k0 + threadIdx.x / WARP * 16 + lane / 4, tiles = (s.len + QUERIES - 1) / QUERIES;
    int64_t h3 = 3 * p.h;
    float dk[D / 8][4] = {}, dv[D / 8][4] = {};

    if (k0 >= s.len) return;
    const uint16_t *base = half_at(p.qkv, s.from * h3 + head * p.d);
    const uint16_t *from = half_at(p.dout, s.from * p.h + head * p.d);
    auto fetch = [&](int t) {
        uint16_t *to = qd + t % 2 * 2 * PART;
        copy_tile<D, QUERIES>(to, base + t * QUERIES * h3, h3, s.len - t * QUERIES, p.d);
        copy_tile<D, QUERIES>(to + PART, from + t * QUERIES * p.h, p.h, s.len - t * QUERIES, p.d);
        if (threadIdx.x < 2 * QUERIES) {
            int i = t * QUERIES + threadIdx.x % QUERIES;
            int64_t at = (s.from + i) * p.heads + head;
            const float *sum = threadIdx.x < QUERIES ? p.lse : p.delta;
            copy_begin(sums + t % 2 * 2 * QUERIES + threadIdx.x, i < s.len ? sum + at : sum, i < s.len);
        }
        copies_close();
    };
    copy_tile<D, ROWS>(k, base + k0 * h3 + p.h, h3, s.len - k0, p.d);
    copy_tile<D, ROWS>(v, base + k0 * h3 + 2 * p.h, h3, s.len - k0, p.d);
    fetch(first);
    for (int t = first; t < tiles; t++) {
        const uint16_t *q = qd + t % 2 * 2 * PART;
        float w[N][4], dw[N][4], f[4] = { 1, 1, 1, 1 };
        if (t + 1 < tiles) fetch(t + 1);
        if (t + 1 < tiles) copies_wait<1>();
        else copies_wait<0>();
        __syncthreads();
        multiply_rows<D, N>(w, k, q);
        multiply_rows<D, N>(dw, v, q + PART);
        scale_scores<N>(w, p.scale * log2e);
        if ((t + 1) * QUERIES > s.len || !all_see(s, t * QUERIES, k0 + ROWS))
            hide_queries<N>(w, s, t * QUERIES + lane % 4 * 2, own);
#pragma unroll
        for (int n = 0; n < N; n++) {
            const float *lse = sums + t % 2 * 2 * QUERIES + n * 8 + lane % 4 * 2, *delta = lse + QUERIES;
            if (p.mask.is_on) column_factors(f, p, s.from + t * QUERIES + n * 8, head, k0 + threadIdx.x / WARP * 16);
#pragma unroll
            for (int e = 0; e < 4; e++) slopes(&w[n][e], &dw[n][e], f[e], lse[e % 2] * log2e, delta[e % 2]);
        }
        multiply_columns<D, N>(dv, w, q + PART);
        multiply_columns<D, N>(dk, dw, q);
        __syncthreads();
    }
    uint16_t *to = half_at(p.dqkv, (s.from + k0) * h3 + p.h + head * p.d);
    write_rows<D>(to, h3, dk, s.len - k0, p.d, p.scale, p.scale);
    write_rows<D>(to + p.h, h3, dv, s.len - k0, p.d, 1, 1);
}

/* ---- launches ---- */

bool tiles_take(const struct attention &p)
{
    bool is_aligned = p.qkv.is_wide && p.out.is_wide && (!p.dout.data || (p.dout.is_wide && p.dqkv.is_wide));

    return p.qkv.is_half && is_aligned && p.d % 8 == 0 && p.h % 8 == 0 && p.d <= 128;
}

/* rows: of D elements in shared memory, all tiles of the kernel; and so many sums. */
template <class K>
static int run(struct device *d, const char *row, K kernel, int rows, int D, int sums, const struct attention &p)
{
    int bytes = rows * (D + PAD) * 2 + sums * 4;

    gpu_queue(d); /* the attribute is the current device's */
    if (gpu_check(d, row, cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes))) return -1;
    return launch(d, row, kernel, dim3((unsigned)p.n, pieces(p.longest, ROWS), (unsigned)p.heads), THREADS,
                  (size_t)bytes, p);
}

template <int D> static int forward_of(struct device *d, const struct attention &p)
{
    return run(d, "attention_forward", forward<D>, 5 * ROWS, D, 0, p);
}

template <int D> static int backward_of(struct device *d, const struct attention &p)
{
    if (run(d, "attention_backward", backward_queries<D>, 2 * ROWS + 4 * other_tile<D>, D, 0, p)) return -1;
    return run(d, "attention_backward", backward_keys<D>, 2 * ROWS + 4 * other_tile<D>, D, 4 * other_tile<D>, p);
}

int tiles_forward(struct device *d, const struct attention &p)
{
    return p.d <= 32 ? forward_of<32>(d, p) : p.d <= 64 ? forward_of<64>(d, p) : forward_of<128>(d, p);
}

int tiles_backward(struct device *d, const struct attention &p)
{
    return p.d <= 32 ? backward_of<32>(d, p) : p.d <= 64 ? backward_of<64>(d, p) : backward_of<128>(d, p);
}
