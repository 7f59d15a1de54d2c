/* Layer norm, alone and fused with residual and dropout. A warp has a row: rows up to 1024 wide stay in its registers,
 * so that memory is read once and written once; wider rows are read again, from the cache. Kernels of N: rows of N
 * times 256 columns, BF16 (see are_halves); 0: of any width and type.
 *
 * Backward gives dx by rows and dg, db by columns. Both come from one pass over dy and x: a block has a chunk of rows,
 * each lane keeps the columns' sums of its warp's rows in registers, and the block writes one partial row. */
#include "compute/cuda/common.cuh"

enum { WARPS = 8, STEP = WARP * EIGHT, KEPT = 4 /* steps of 256 columns in registers */ };

/* N for rows of h, or 0; halves: whether the arrays are. */
static int steps_of(int64_t h, bool halves, const float *g, const float *b)
{
    bool is_even = halves && h % STEP == 0 && h <= KEPT * STEP && (uintptr_t)g % 16 == 0 && (uintptr_t)b % 16 == 0;

    return is_even ? (int)(h / STEP) : 0;
}

/* ---- forward ---- */

struct norm_in {
    struct array y, sum, x, sub; /* sum: x + dropout(sub), where a kernel MIXES them */
    float *stats;
    const float *g, *b;
    float eps;
    int64_t rows, h;
    struct mask mask;
};

/* v + dropout(s), as the sum has it, which is written. */
template <bool HALVES>
static __device__ inline void mix8(float v[EIGHT], float s[EIGHT], const struct norm_in &p, int64_t at, int64_t left)
{
    drop8<HALVES>(s, (uint64_t)at, p.mask);
#pragma unroll
    for (int k = 0; k < EIGHT; k++) v[k] += s[k];
    round8<HALVES>(v, p.sum);
    store8<HALVES>(p.sum, at, left, v);
}

template <bool HALVES>
static __device__ inline void finish8(const struct norm_in &p, const float v[EIGHT], int64_t at, int64_t c, float mean,
                                      float rstd)
{
    float g[EIGHT], b[EIGHT];

    vector8<HALVES>(g, p.g, c, p.h - c);
    vector8<HALVES>(b, p.b, c, p.h - c);
#pragma unroll
    for (int k = 0; k < EIGHT; k++) g[k] = (v[k] - mean) * rstd * g[k] + b[k];
    store8<HALVES>(p.y, at, p.h - c, g);
}

static __device__ inline float squares8(const float v[EIGHT], float mean, int64_t left)
{
    float sum = 0;

#pragma unroll
    for (int k = 0; k < EIGHT; k++) sum += k < left ? (v[k] - mean) * (v[k] - mean) : 0;
    return sum;
}

static __device__ inline void note_stats(const struct norm_in &p, int64_t t, float mean, float rstd)
{
    if (threadIdx.x % WARP) return;
    p.stats[2 * t] = mean;
    p.stats[2 * t + 1] = rstd;
}

template <int N, bool MIXES> static __global__ void norm_kept(struct norm_in p)
{
    enum { STEPS = N ? N : KEPT };
    int64_t t = blockIdx.x * (int64_t)WARPS + threadIdx.x / WARP, c = threadIdx.x % WARP * EIGHT, from = t * p.h + c;
    int64_t left = (N ? N * STEP : p.h) - c;
    float v[STEPS][EIGHT], s[STEPS][EIGHT], sum = 0, squares = 0;

    if (t >= p.rows) return;
#pragma unroll
    for (int i = 0; i < STEPS; i++) { /* all that is read is under way before the first is used */
        if (!N && i * STEP >= left) break;
        load8<(N > 0)>(v[i], p.x, from + i * STEP, left - i * STEP);
        if (MIXES) load8<(N > 0)>(s[i], p.sub, from + i * STEP, left - i * STEP);
    }
#pragma unroll
    for (int i = 0; i < STEPS; i++) {
        if (!N && i * STEP >= left) break;
        if (MIXES) mix8<(N > 0)>(v[i], s[i], p, from + i * STEP, left - i * STEP);
#pragma unroll
        for (int k = 0; k < EIGHT; k++) sum += v[i][k];
    }
    float mean = warp_sum(sum) / p.h;
#pragma unroll
    for (int i = 0; i < STEPS; i++) {
        if (N || i * STEP < left) squares += squares8(v[i], mean, N ? (int64_t)EIGHT : left - i * STEP);
    }
    float rstd = 1 / sqrtf(warp_sum(squares) / p.h + p.eps);
    note_stats(p, t, mean, rstd);
#pragma unroll
    for (int i = 0; i < STEPS; i++) {
        if (N || i * STEP < left) finish8<(N > 0)>(p, v[i], from + i * STEP, c + i * STEP, mean, rstd);
    }
}

/* The same for any width: the sum is stored first and read again by the thread that wrote it. */
template <bool MIXES> static __global__ void norm_wide(struct norm_in p)
{
    int64_t t = blockIdx.x * (int64_t)WARPS + threadIdx.x / WARP, first = threadIdx.x % WARP * EIGHT;
    const struct array &row = MIXES ? p.sum : p.x;
    float v[EIGHT], s[EIGHT], sum = 0, squares = 0;

    if (t >= p.rows) return;
    for (int64_t c = first; c < p.h; c += STEP) {
        load8(v, p.x, t * p.h + c, p.h - c);
        if (MIXES) load8(s, p.sub, t * p.h + c, p.h - c);
        if (MIXES) mix8<false>(v, s, p, t * p.h + c, p.h - c);
        for (int k = 0; k < EIGHT; k++) sum += v[k];
    }
    float mean = warp_sum(sum) / p.h;
    for (int64_t c = first; c < p.h; c += STEP) {
        load8(v, row, t * p.h + c, p.h - c);
        squares += squares8(v, mean, p.h - c);
    }
    float rstd = 1 / sqrtf(warp_sum(squares) / p.h + p.eps);
    note_stats(p, t, mean, rstd);
    for (int64_t c = first; c < p.h; c += STEP) {
        load8(v, row, t * p.h + c, p.h - c);
        finish8<false>(p, v, t * p.h + c, c, mean, rstd);
    }
}

template <bool MIXES> static int forward(struct device *d, const char *row, const struct norm_in &p)
{
    void (*const kept[])(struct norm_in) = { norm_kept<0, MIXES>, norm_kept<1, MIXES>, norm_kept<2, MIXES>,
                                             norm_kept<3, MIXES>, norm_kept<4, MIXES> };
    int n = steps_of(p.h, are_halves(p.h, p.y, p.sum, p.x, p.sub), p.g, p.b);

    return launch(d, row, p.h <= KEPT * STEP ? kept[n] : norm_wide<MIXES>, pieces(p.rows, WARPS), WARPS * WARP, 0, p);
}

int cuda_layer_norm_forward(struct device *d, struct tensor y, struct tensor stats, struct tensor x, struct tensor g,
                            struct tensor b, float eps)
{
    return forward<false>(d, "layer_norm_forward",
                          norm_in{ array_of(y), array{}, array_of(x), array{}, f32(stats), f32(g), f32(b), eps,
                                   x.shape[0], x.shape[1], mask{} });
}

/* ---- backward ---- */

struct norm_back {
    struct array dx, dsub, dy, x; /* dsub: dx through the mask, or data NULL */
    const float *stats, *g;
    float *part; /* [chunks, 2, H]: sums of dg, then of db */
    int64_t rows, h, each;
    struct mask mask;
};

/* dx = rstd (dn - (sum + n dot)), with n the normalised value, dn = dy g, and the sums' means: rounded as in the sum,
 * as the difference is nothing in a row of one, and a contracted product's rounding error times rstd would be left. */
template <bool HALVES>
static __device__ inline void slope8(const struct norm_back &p, const float dy[EIGHT], const float n[EIGHT], int64_t at,
                                     int64_t c, float sum, float dot, float rstd)
{
    float g[EIGHT];

    vector8<HALVES>(g, p.g, c, p.h - c);
#pragma unroll
    for (int k = 0; k < EIGHT; k++) g[k] = rstd * (__fmul_rn(dy[k], g[k]) - (sum + n[k] * dot));
    round8<HALVES>(g, p.dx);
    store8<HALVES>(p.dx, at, p.h - c, g);
    if (!p.dsub.data) return;
    drop8<HALVES>(g, (uint64_t)at, p.mask);
    store8<HALVES>(p.dsub, at, p.h - c, g);
}

/* Sums of dn and dn n over eight columns. */
template <bool HALVES>
static __device__ inline void dots8(const struct norm_back &p, const float dy[EIGHT], const float n[EIGHT], int64_t c,
                                    float *sum, float *dot)
{
    float g[EIGHT];

    vector8<HALVES>(g, p.g, c, p.h - c);
#pragma unroll
    for (int k = 0; k < EIGHT; k++) {
        *sum += dy[k] * g[k];
        *dot += dy[k] * g[k] * n[k];
    }
}

static __device__ inline void normalise8(float x[EIGHT], float mean, float rstd)
{
#pragma unroll
    for (int k = 0; k < EIGHT; k++) x[k] = (x[k] - mean) * rstd;
}

/* One step of 256 columns of the block's partial row: the warps' sums in order. */
static __device__ inline void write_part(float *part, const float own[EIGHT], int64_t first, int64_t h)
{
    __shared__ float sums[WARPS][STEP];

    for (int k = 0; k < EIGHT; k++) sums[threadIdx.x / WARP][threadIdx.x % WARP * EIGHT + k] = own[k];
    __syncthreads();
    float total = 0;
    for (int w = 0; w < WARPS; w++) total += sums[w][threadIdx.x];
    if (first + threadIdx.x < h) part[first + threadIdx.x] = total;
    __syncthreads();
}

template <int N>
static __global__ void __launch_bounds__(WARPS *WARP, N > 0 && N < KEPT ? 2 : 1) norm_back_kept(struct norm_back p)
{
    enum { STEPS = N ? N : KEPT };
    int64_t c = threadIdx.x % WARP * EIGHT, from = blockIdx.x * p.each, left = (N ? N * STEP : p.h) - c;
    int64_t to = from + p.each < p.rows ? from + p.each : p.rows;
    float dg[STEPS][EIGHT] = {}, db[STEPS][EIGHT] = {}, n[EIGHT], dn[EIGHT];
    struct eight<(N > 0)> x[STEPS], dy[STEPS];

    for (int64_t t = from + threadIdx.x / WARP; t < to; t += WARPS) {
        float mean = p.stats[2 * t], rstd = p.stats[2 * t + 1], sum = 0, dot = 0;
#pragma unroll
        for (int i = 0; i < STEPS; i++) {
            if (!N && i * STEP >= left) break;
            take8(x[i], p.x, t * p.h + c + i * STEP, left - i * STEP);
            take8(dy[i], p.dy, t * p.h + c + i * STEP, left - i * STEP);
        }
#pragma unroll
        for (int i = 0; i < STEPS; i++) {
            if (!N && i * STEP >= left) break;
            give8(n, x[i]);
            give8(dn, dy[i]);
            normalise8(n, mean, rstd);
            dots8<(N > 0)>(p, dn, n, c + i * STEP, &sum, &dot);
        }
        sum = warp_sum(sum) / p.h;
        dot = warp_sum(dot) / p.h;
#pragma unroll
        for (int i = 0; i < STEPS; i++) {
            if (!N && i * STEP >= left) break;
            give8(n, x[i]);
            give8(dn, dy[i]);
            normalise8(n, mean, rstd);
            slope8<(N > 0)>(p, dn, n, t * p.h + c + i * STEP, c + i * STEP, sum, dot, rstd);
#pragma unroll
            for (int k = 0; k < EIGHT; k++) {
                dg[i][k] += dn[k] * n[k];
                db[i][k] += dn[k];
            }
        }
    }
    float *part = p.part + blockIdx.x * 2 * p.h;
#pragma unroll
    for (int i = 0; i < STEPS; i++) {
        write_part(part, dg[i], i * STEP, p.h);
        write_part(part + p.h, db[i], i * STEP, p.h);
    }
}

static __global__ void norm_back_wide(struct norm_back p)
{
    int64_t first = threadIdx.x % WARP * EIGHT, from = blockIdx.x * p.each;
    int64_t to = from + p.each < p.rows ? from + p.each : p.rows;
    float x[EIGHT], dy[EIGHT], *part = p.part + blockIdx.x * 2 * p.h;

    /* Columns first: dx may be dy. */
    for (int64_t start = 0; start < p.h; start += STEP) {
        float dg[EIGHT] = {}, db[EIGHT] = {};
        for (int64_t t = from + threadIdx.x / WARP; t < to; t += WARPS) {
            load8(x, p.x, t * p.h + start + first, p.h - start - first);
            load8(dy, p.dy, t * p.h + start + first, p.h - start - first);
            for (int k = 0; k < EIGHT; k++) {
                dg[k] += dy[k] * (x[k] - p.stats[2 * t]) * p.stats[2 * t + 1];
                db[k] += dy[k];
            }
        }
        write_part(part, dg, start, p.h);
        write_part(part + p.h, db, start, p.h);
    }
    for (int64_t t = from + threadIdx.x / WARP; t < to; t += WARPS) {
        float mean = p.stats[2 * t], rstd = p.stats[2 * t + 1], sum = 0, dot = 0;
        for (int64_t c = first; c < p.h; c += STEP) {
            load8(x, p.x, t * p.h + c, p.h - c);
            load8(dy, p.dy, t * p.h + c, p.h - c);
            normalise8(x, mean, rstd);
            dots8<false>(p, dy, x, c, &sum, &dot);
        }
        sum = warp_sum(sum) / p.h;
        dot = warp_sum(dot) / p.h;
        for (int64_t c = first; c < p.h; c += STEP) {
            load8(x, p.x, t * p.h + c, p.h - c);
            load8(dy, p.dy, t * p.h + c, p.h - c);
            normalise8(x, mean, rstd);
            slope8<false>(p, dy, x, t * p.h + c, c, sum, dot, rstd);
        }
    }
}

static __global__ void add_norm_parts(float *dg, float *db, const float *part, int64_t n, int64_t h)
{
    __shared__ float sums[WARPS][WARP];
    int64_t c = blockIdx.x * (int64_t)WARP + threadIdx.x % WARP;
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    float sum = 0;

#pragma unroll 4
    for (int64_t i = warp; i < n; i += WARPS) sum += c < 2 * h ? part[i * 2 * h + c] : 0;
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp || c >= 2 * h) return;
    for (int w = 1; w < WARPS; w++) sum += sums[w][lane];
    if (c < h) dg[c] += sum;
    else db[c - h] += sum;
}

static int backward(struct device *d, const char *row, struct norm_back p, float *dg, float *db)
{
    void (*const kept[])(struct norm_back) = { norm_back_kept<0>, norm_back_kept<1>, norm_back_kept<2>,
                                               norm_back_kept<3>, norm_back_kept<4> };
    int64_t chunks = chunks_of(p.rows);
    int n = steps_of(p.h, are_halves(p.h, p.dx, p.dsub, p.dy, p.x), p.g, NULL);

    p.each = pieces(p.rows, chunks);
    p.part = (float *)gpu_room(d, ROOM_PARTIAL, chunks * 2 * p.h * 4);
    if (!p.part || launch(d, row, p.h <= KEPT * STEP ? kept[n] : norm_back_wide, (unsigned)chunks, WARPS * WARP, 0, p))
        return -1;
    return launch(d, row, add_norm_parts, pieces(2 * p.h, WARP), WARPS * WARP, 0, dg, db, (const float *)p.part, chunks,
                  p.h);
}

int cuda_layer_norm_backward(struct device *d, struct tensor dx, struct tensor dg, struct tensor db, struct tensor dy,
                             struct tensor x, struct tensor stats, struct tensor g)
{
    return backward(d, "layer_norm_backward",
                    norm_back{ array_of(dx), array{}, array_of(dy), array_of(x), f32(stats), f32(g), NULL, x.shape[0],
                               x.shape[1], 0, mask{} },
                    f32(dg), f32(db));
}

/* ---- with residual and dropout ---- */

int cuda_residual_norm_forward(struct device *d, struct tensor y, struct tensor sum, struct tensor stats,
                               struct tensor residual, struct tensor sub, struct tensor g, struct tensor b, float eps,
                               struct dropout drop)
{
    return forward<true>(d, "residual_norm_forward",
                         norm_in{ array_of(y), array_of(sum), array_of(residual), array_of(sub), f32(stats), f32(g),
                                  f32(b), eps, sum.shape[0], sum.shape[1], mask_of(drop) });
}

int cuda_residual_norm_backward(struct device *d, struct tensor dresidual, struct tensor dsub, struct tensor dg,
                                struct tensor db, struct tensor dy, struct tensor sum, struct tensor stats,
                                struct tensor g, struct dropout drop)
{
    return backward(d, "residual_norm_backward",
                    norm_back{ array_of(dresidual), array_of(dsub), array_of(dy), array_of(sum), f32(stats), f32(g),
                               NULL, sum.shape[0], sum.shape[1], 0, mask_of(drop) },
                    f32(dg), f32(db));
}
