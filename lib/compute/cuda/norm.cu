/* Layer norm, alone and fused with residual and dropout. A warp has a row: rows up to 1024 wide stay in its registers,
 * so that memory is read once and written once; wider rows are read again, from the cache.
 *
 * Backward gives dx by rows and dg, db by columns. Both come from one pass over dy and x: a block has a chunk of rows,
 * each lane keeps the columns' sums of its warp's rows in registers, and the block writes one partial row. */
#include "compute/cuda/common.cuh"

enum { WARPS = 8, STEP = WARP * EIGHT, KEPT = 4 /* steps of 256 columns in registers */ };

/* ---- forward ---- */

struct norm_in {
    struct array y, sum, x, sub; /* sub: to be added to x, or data NULL: then sum is x */
    float *stats;
    const float *g, *b;
    float eps;
    int64_t rows, h;
    struct mask mask;
};

/* Eight values of the row before the norm, made from x and sub. */
static __device__ inline void sum8(float v[EIGHT], const struct norm_in &p, int64_t at, int64_t left)
{
    float s[EIGHT];

    load8(v, p.x, at, left);
    if (!p.sub.data) return;
    load8(s, p.sub, at, left);
    drop8(s, (uint64_t)at, p.mask);
#pragma unroll
    for (int k = 0; k < EIGHT; k++) v[k] = rounded(p.sum, v[k] + s[k]);
    store8(p.sum, at, left, v);
}

static __device__ inline void finish8(const struct norm_in &p, const float v[EIGHT], int64_t at, int64_t c, float mean,
                                      float rstd)
{
    float g[EIGHT], b[EIGHT];

    load8(g, array{ (void *)p.g, false, (uintptr_t)p.g % 16 == 0 }, c, p.h - c);
    load8(b, array{ (void *)p.b, false, (uintptr_t)p.b % 16 == 0 }, c, p.h - c);
#pragma unroll
    for (int k = 0; k < EIGHT; k++) g[k] = (v[k] - mean) * rstd * g[k] + b[k];
    store8(p.y, at, p.h - c, g);
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

static __global__ void norm_kept(struct norm_in p)
{
    int64_t t = blockIdx.x * (int64_t)WARPS + threadIdx.x / WARP, c = threadIdx.x % WARP * EIGHT, from = t * p.h + c;
    float v[KEPT][EIGHT], sum = 0, squares = 0;

    if (t >= p.rows) return;
#pragma unroll
    for (int i = 0; i < KEPT; i++) {
        if (c + i * STEP >= p.h) break;
        sum8(v[i], p, from + i * STEP, p.h - c - i * STEP);
#pragma unroll
        for (int k = 0; k < EIGHT; k++) sum += v[i][k];
    }
    float mean = warp_sum(sum) / p.h;
#pragma unroll
    for (int i = 0; i < KEPT; i++) {
        if (c + i * STEP < p.h) squares += squares8(v[i], mean, p.h - c - i * STEP);
    }
    float rstd = 1 / sqrtf(warp_sum(squares) / p.h + p.eps);
    note_stats(p, t, mean, rstd);
#pragma unroll
    for (int i = 0; i < KEPT; i++) {
        if (c + i * STEP < p.h) finish8(p, v[i], from + i * STEP, c + i * STEP, mean, rstd);
    }
}

/* The same for any width: the sum is stored first and read again by the thread that wrote it. */
static __global__ void norm_wide(struct norm_in p)
{
    int64_t t = blockIdx.x * (int64_t)WARPS + threadIdx.x / WARP, first = threadIdx.x % WARP * EIGHT;
    const struct array &row = p.sub.data ? p.sum : p.x;
    float v[EIGHT], sum = 0, squares = 0;

    if (t >= p.rows) return;
    for (int64_t c = first; c < p.h; c += STEP) {
        sum8(v, p, t * p.h + c, p.h - c);
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
        finish8(p, v, t * p.h + c, c, mean, rstd);
    }
}

static int forward(struct device *d, const char *row, const struct norm_in &p)
{
    return launch(d, row, p.h <= KEPT * STEP ? norm_kept : norm_wide, pieces(p.rows, WARPS), WARPS * WARP, 0, p);
}

int cuda_layer_norm_forward(struct device *d, struct tensor y, struct tensor stats, struct tensor x, struct tensor g,
                            struct tensor b, float eps)
{
    return forward(d, "layer_norm_forward",
                   norm_in{ array_of(y), array_of(x), array_of(x), array{}, f32(stats), f32(g), f32(b), eps, x.shape[0],
                            x.shape[1], mask{} });
}

/* ---- backward ---- */

struct norm_back {
    struct array dx, dsub, dy, x; /* dsub: dx through the mask, or data NULL */
    const float *stats, *g;
    float *part; /* [chunks, 2, H]: sums of dg, then of db */
    int64_t rows, h, each;
    struct mask mask;
};

/* dx = rstd (dn - (sum + n dot) / H), with n the normalised value and dn = dy g: rounded as in the sum, as the
 * difference is nothing in a row of one, and a contracted product's rounding error times rstd would be left. */
static __device__ inline void slope8(const struct norm_back &p, const float dy[EIGHT], const float n[EIGHT], int64_t at,
                                     int64_t c, float sum, float dot, float rstd)
{
    float g[EIGHT];

    load8(g, array{ (void *)p.g, false, (uintptr_t)p.g % 16 == 0 }, c, p.h - c);
#pragma unroll
    for (int k = 0; k < EIGHT; k++) g[k] = rounded(p.dx, rstd * (__fmul_rn(dy[k], g[k]) - (sum + n[k] * dot) / p.h));
    store8(p.dx, at, p.h - c, g);
    if (!p.dsub.data) return;
    drop8(g, (uint64_t)at, p.mask);
    store8(p.dsub, at, p.h - c, g);
}

/* Sums of dn and dn n over eight columns; x becomes n. */
static __device__ inline void dots8(const struct norm_back &p, const float dy[EIGHT], float x[EIGHT], int64_t c,
                                    float mean, float rstd, float *sum, float *dot)
{
    float g[EIGHT];

    load8(g, array{ (void *)p.g, false, (uintptr_t)p.g % 16 == 0 }, c, p.h - c);
#pragma unroll
    for (int k = 0; k < EIGHT; k++) {
        x[k] = (x[k] - mean) * rstd;
        *sum += dy[k] * g[k];
        *dot += dy[k] * g[k] * x[k];
    }
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

static __global__ void __launch_bounds__(WARPS *WARP) norm_back_kept(struct norm_back p)
{
    int64_t c = threadIdx.x % WARP * EIGHT, from = blockIdx.x * p.each;
    int64_t to = from + p.each < p.rows ? from + p.each : p.rows;
    float dg[KEPT][EIGHT] = {}, db[KEPT][EIGHT] = {}, x[KEPT][EIGHT], dy[KEPT][EIGHT];

    for (int64_t t = from + threadIdx.x / WARP; t < to; t += WARPS) {
        float mean = p.stats[2 * t], rstd = p.stats[2 * t + 1], sum = 0, dot = 0;
#pragma unroll
        for (int i = 0; i < KEPT; i++) {
            int64_t left = p.h - c - i * STEP;
            if (left <= 0) break;
            load8(x[i], p.x, t * p.h + c + i * STEP, left);
            load8(dy[i], p.dy, t * p.h + c + i * STEP, left);
        }
#pragma unroll
        for (int i = 0; i < KEPT; i++) {
            if (c + i * STEP < p.h) dots8(p, dy[i], x[i], c + i * STEP, mean, rstd, &sum, &dot);
        }
        sum = warp_sum(sum);
        dot = warp_sum(dot);
#pragma unroll
        for (int i = 0; i < KEPT; i++) {
            if (c + i * STEP >= p.h) break;
            slope8(p, dy[i], x[i], t * p.h + c + i * STEP, c + i * STEP, sum, dot, rstd);
#pragma unroll
            for (int k = 0; k < EIGHT; k++) {
                dg[i][k] += dy[i][k] * x[i][k];
                db[i][k] += dy[i][k];
            }
        }
    }
    float *part = p.part + blockIdx.x * 2 * p.h;
#pragma unroll
    for (int i = 0; i < KEPT; i++) {
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
            dots8(p, dy, x, c, mean, rstd, &sum, &dot);
        }
        sum = warp_sum(sum);
        dot = warp_sum(dot);
        for (int64_t c = first; c < p.h; c += STEP) {
            load8(x, p.x, t * p.h + c, p.h - c);
            load8(dy, p.dy, t * p.h + c, p.h - c);
            for (int k = 0; k < EIGHT; k++) x[k] = (x[k] - mean) * rstd;
            slope8(p, dy, x, t * p.h + c, c, sum, dot, rstd);
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
    int64_t chunks = chunks_of(p.rows);

    p.each = pieces(p.rows, chunks);
    p.part = (float *)gpu_room(d, ROOM_PARTIAL, chunks * 2 * p.h * 4);
    if (!p.part ||
        launch(d, row, p.h <= KEPT * STEP ? norm_back_kept : norm_back_wide, (unsigned)chunks, WARPS * WARP, 0, p))
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
    return forward(d, "residual_norm_forward",
                   norm_in{ array_of(y), array_of(sum), array_of(residual), array_of(sub), f32(stats), f32(g), f32(b),
                            eps, sum.shape[0], sum.shape[1], mask_of(drop) });
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
