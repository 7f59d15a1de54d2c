/* Attention over packed sequences for any head size and type: a warp has one query row (or, for gradients of keys and
 * values, one key row) of one head, its lanes have 32 rows of the other side at a time. Scores live in registers:
 * softmax runs along with a running maximum (Milakov and Gimelshein, "Online normalizer calculation for softmax",
 * 2018), and backward computes them again from lse. Heads wider than 256 take several rounds. This is the form for F32
 * and for decoding; BF16 goes to attention_tiles.cu. */
#include "compute/cuda/attention.cuh"

enum { WARPS = 4, ROUND = 8 /* columns a lane has in a round */, COLUMNS = WARP * ROUND };

static __device__ inline float dot(const struct array &a, int64_t i, const struct array &b, int64_t k, int d)
{
    float u[EIGHT], v[EIGHT], sum = 0;

    for (int c = 0; c < d; c += EIGHT) {
        load8(u, a, i + c, d - c);
        load8(v, b, k + c, d - c);
#pragma unroll
        for (int x = 0; x < EIGHT; x++) sum += u[x] * v[x];
    }
    return sum;
}

/* The factor of one score's dropout. */
static __device__ inline float score_factor(const struct attention &p, int64_t row, int head, int key)
{
    uint64_t i = element_of(p, row, head, key);

    return p.mask.is_on ? factor_of(kept4(i / 4, p.mask), i % 4, p.mask) : 1;
}

/* sum[r] += the 32 lanes' weight times element at(j) + c of x for the lane's columns c, j < n. */
template <class At>
static __device__ inline void add_rows(float sum[ROUND], float weight, const struct array &x, At at, int n, int first,
                                       int d)
{
    for (int j = 0; j < n; j++) {
        float w = __shfl_sync(~0u, weight, j);
        int64_t from = at(j);
#pragma unroll
        for (int r = 0; r < ROUND; r++) {
            int c = first + r * WARP;
            if (c < d) sum[r] += w * get(x, from + c);
        }
    }
}

static __device__ inline void write_round(const struct array &y, int64_t at, const float v[ROUND], float factor,
                                          int first, int d)
{
#pragma unroll
    for (int r = 0; r < ROUND; r++) {
        int c = first + r * WARP;
        if (c < d) put(y, at + c, v[r] * factor);
    }
}

/* One query against n keys: out[d] and the log of the denominator. key(j), value(j) say where row j begins. */
template <class Key, class Value, class Factor>
static __device__ inline float attend(const struct attention &p, struct array k, struct array v, int64_t query,
                                      int64_t to, int n, Key key, Value value, Factor factor)
{
    int lane = threadIdx.x % WARP;
    float lse = -INFINITY;

    for (int first = 0; first < p.d; first += COLUMNS) {
        float sum[ROUND] = {}, max = -INFINITY, total = 0;
        for (int j0 = 0; j0 < n; j0 += WARP) {
            int j = j0 + lane;
            float score = j < n ? p.scale * dot(p.qkv, query, k, key(j), p.d) : -INFINITY;
            float now = fmaxf(max, warp_max(score)), shrink = expf(max - now), weight = expf(score - now);
            total = total * shrink + warp_sum(weight);
            max = now;
            if (j < n) weight *= factor(j);
#pragma unroll
            for (int r = 0; r < ROUND; r++) sum[r] *= shrink;
            add_rows(
                sum, weight, v, [=](int x) { return value(j0 + x); }, min(n - j0, (int)WARP), first + lane, p.d);
        }
        write_round(p.out, to, sum, total > 0 ? 1 / total : 0, first + lane, p.d);
        lse = max + logf(total);
    }
    return lse;
}

/* The row of the sequence that this warp has; past the end for warps without one. */
static __device__ inline int own_row()
{
    return blockIdx.y * WARPS + threadIdx.x / WARP;
}

static __global__ void forward(struct attention p)
{
    struct stretch s = stretch_of(p);
    int i = own_row(), head = blockIdx.z;
    int64_t h = p.h, row = s.from + i, column = (int64_t)head * p.d;

    if (i >= s.len) return;
    float lse = attend(
        p, p.qkv, p.qkv, row * 3 * h + column, row * h + column, max(s.prefix, i + 1),
        [=](int j) { return (s.from + j) * 3 * h + h + column; },
        [=](int j) { return (s.from + j) * 3 * h + 2 * h + column; },
        [=](int j) { return score_factor(p, row, head, j); });
    if (threadIdx.x % WARP == 0) p.lse[row * p.heads + head] = lse;
}

static __global__ void sum_delta(float *delta, struct attention p, int64_t n)
{
    int64_t i = blockIdx.x * (int64_t)(WARPS * WARP) + threadIdx.x;

    if (i < n) delta[i] = dot(p.dout, i * p.d, p.out, i * p.d, p.d); /* H is heads times d */
}

/* Probability of key j for query i, and the gradient of its score. */
static __device__ inline float slope(const struct attention &p, const struct stretch &s, int i, int j, int head,
                                     float *weight)
{
    int64_t row = s.from + i, key = (s.from + j) * 3 * p.h + p.h, column = (int64_t)head * p.d;
    float score = p.scale * dot(p.qkv, row * 3 * p.h + column, p.qkv, key + column, p.d);
    float prob = expf(score - p.lse[row * p.heads + head]), keep = score_factor(p, row, head, j);
    float dprob = dot(p.dout, row * p.h + column, p.qkv, key + p.h + column, p.d);

    *weight = prob * keep;
    return p.scale * prob * (dprob * keep - p.delta[row * p.heads + head]);
}

static __global__ void backward_queries(struct attention p)
{
    struct stretch s = stretch_of(p);
    int i = own_row(), head = blockIdx.z, lane = threadIdx.x % WARP;
    int64_t h = p.h, column = (int64_t)head * p.d;

    if (i >= s.len) return;
    int n = max(s.prefix, i + 1);
    for (int first = 0; first < p.d; first += COLUMNS) {
        float dq[ROUND] = {}, ignored;
        for (int j0 = 0; j0 < n; j0 += WARP) {
            float ds = j0 + lane < n ? slope(p, s, i, j0 + lane, head, &ignored) : 0;
            add_rows(
                dq, ds, p.qkv, [=](int x) { return (s.from + j0 + x) * 3 * h + h + column; }, min(n - j0, (int)WARP),
                first + lane, p.d);
        }
        write_round(p.dqkv, (s.from + i) * 3 * h + column, dq, 1, first + lane, p.d);
    }
}

static __global__ void backward_keys(struct attention p)
{
    struct stretch s = stretch_of(p);
    int j = own_row(), head = blockIdx.z, lane = threadIdx.x % WARP;
    int64_t h = p.h, column = (int64_t)head * p.d;

    if (j >= s.len) return;
    for (int first = 0; first < p.d; first += COLUMNS) {
        float dk[ROUND] = {}, dv[ROUND] = {};
        for (int i0 = j < s.prefix ? 0 : j; i0 < s.len; i0 += WARP) { /* the first row that sees this key */
            float weight = 0, ds = i0 + lane < s.len ? slope(p, s, i0 + lane, j, head, &weight) : 0;
            int n = min(s.len - i0, (int)WARP);
            add_rows(
                dk, ds, p.qkv, [=](int x) { return (s.from + i0 + x) * 3 * h + column; }, n, first + lane, p.d);
            add_rows(
                dv, weight, p.dout, [=](int x) { return (s.from + i0 + x) * h + column; }, n, first + lane, p.d);
        }
        write_round(p.dqkv, (s.from + j) * 3 * h + h + column, dk, 1, first + lane, p.d);
        write_round(p.dqkv, (s.from + j) * 3 * h + 2 * h + column, dv, 1, first + lane, p.d);
    }
}

static struct attention attention_of(struct tensor out, struct tensor lse, struct tensor qkv, struct sequences seq,
                                     int heads, float scale, struct dropout drop)
{
    struct attention p = {};

    p.qkv = array_of(qkv);
    p.out = array_of(out);
    p.lse = f32(lse);
    p.start = i32(seq.start);
    p.prefix = i32(seq.prefix);
    p.n = seq.n;
    p.longest = seq.longest;
    p.h = out.shape[1];
    p.d = (int)(p.h / heads);
    p.heads = heads;
    p.scale = scale;
    p.mask = mask_of(drop);
    return p;
}

static dim3 grid_of(const struct attention &p)
{
    return dim3((unsigned)p.n, pieces(p.longest, WARPS), (unsigned)p.heads);
}

int cuda_attention_forward(struct device *d, struct tensor out, struct tensor lse, struct tensor qkv,
                           struct sequences seq, int heads, float scale, struct dropout drop)
{
    struct attention p = attention_of(out, lse, qkv, seq, heads, scale, drop);

    if (tiles_take(p)) return tiles_forward(d, p);
    return launch(d, "attention_forward", forward, grid_of(p), WARPS * WARP, 0, p);
}

int cuda_attention_backward(struct device *d, struct tensor dqkv, struct tensor dout, struct tensor out,
                            struct tensor qkv, struct tensor lse, struct sequences seq, int heads, float scale,
                            struct dropout drop)
{
    struct attention p = attention_of(out, lse, qkv, seq, heads, scale, drop);
    float *delta = (float *)gpu_room(d, ROOM_PARTIAL, lse.n * 4);

    if (!delta) return -1;
    p.dout = array_of(dout);
    p.dqkv = array_of(dqkv);
    p.delta = delta;
    if (launch(d, "attention_backward", sum_delta, pieces(lse.n, WARPS * WARP), WARPS * WARP, 0, delta, p, lse.n))
        return -1;
    if (tiles_take(p)) return tiles_backward(d, p);
    if (launch(d, "attention_backward", backward_queries, grid_of(p), WARPS * WARP, 0, p)) return -1;
    return launch(d, "attention_backward", backward_keys, grid_of(p), WARPS * WARP, 0, p);
}

/* ---- decoding ---- */

static __global__ void attend_cached(struct attention p, struct array k, struct array v, const int32_t *slots,
                                     const int32_t *lengths, int64_t width, int64_t n)
{
    int64_t i = blockIdx.x * (int64_t)WARPS + threadIdx.x / WARP, beam = i / p.heads, column = i % p.heads * p.d,
            h = p.h;

    if (i >= n) return;
    const int32_t *slot = slots + beam * width;
    auto row = [=](int j) { return slot[j] * h + column; };
    attend(p, k, v, beam * 3 * h + column, beam * h + column, lengths[beam], row, row, [](int) { return 1.0f; });
}

int cuda_attention_cached(struct device *d, struct tensor out, struct tensor qkv, struct tensor k, struct tensor v,
                          struct tensor slots, struct tensor lengths, int heads, float scale)
{
    struct attention p = attention_of(out, tensor{}, qkv, sequences{}, heads, scale, dropout{});
    int64_t n = out.shape[0] * heads;

    return launch(d, "attention_cached", attend_cached, pieces(n, WARPS), WARPS * WARP, 0, p, array_of(k), array_of(v),
                  (const int32_t *)i32(slots), (const int32_t *)i32(lengths), slots.shape[1], n);
}

static __global__ void put_in_cache(struct array k, struct array v, struct array qkv, const int32_t *slot, int64_t h,
                                    int64_t n)
{
    int64_t i = blockIdx.x * (int64_t)(WARPS * WARP) + threadIdx.x, b = i / h, c = i % h;

    if (i >= n) return;
    put(k, slot[b] * h + c, get(qkv, b * 3 * h + h + c));
    put(v, slot[b] * h + c, get(qkv, b * 3 * h + 2 * h + c));
}

int cuda_cache_rows(struct device *d, struct tensor k, struct tensor v, struct tensor qkv, struct tensor slot)
{
    int64_t h = k.shape[1], n = slot.n * h;

    return launch(d, "cache_rows", put_in_cache, pieces(n, WARPS * WARP), WARPS * WARP, 0, array_of(k), array_of(v),
                  array_of(qkv), (const int32_t *)i32(slot), h, n);
}
