/* Losses. A block has a row: one pass for the sums (of exponentials against a running maximum), one for the gradient,
 * which finds the row in the cache. Traffic in device memory: logits once in, gradients once out. Rows of a vocabulary
 * are seldom multiples of 16 bytes, so that neighbours in a warp have neighbouring elements; a thread reads OWN of them
 * before it uses the first. */
#include "compute/cuda/common.cuh"

enum { THREADS = 256, MANY = 1024, OWN = 8 };
static const float log2e = 1.44269504f;

/* Sum of exp(v - max) so far. */
struct running {
    float max, sum;
};
/* Elements that are not there are -INFINITY; NaN shows. */
static __device__ inline void run_on(struct running *r, const float v[OWN])
{
    float max = r->max;

#pragma unroll
    for (int k = 0; k < OWN; k++) max = fmaxf(max, v[k]);
    if (max > r->max) {
        r->sum *= quick_exp2((r->max - max) * log2e);
        r->max = max;
    }
#pragma unroll
    for (int k = 0; k < OWN; k++) r->sum += v[k] == -INFINITY ? 0 : quick_exp2((v[k] - max) * log2e);
}
static __device__ inline float block_lse(struct running r)
{
    float max = block_max(r.max);
    float sum = block_sum(r.max > -INFINITY || r.sum != r.sum ? r.sum * expf(r.max - max) : 0);

    return max + logf(sum);
}

/* Elements c, c + the block's threads, ... of the row's n. */
template <bool HALF>
static __device__ inline void load_own(float v[OWN], const struct array &x, int64_t from, int64_t c, int64_t n)
{
#pragma unroll
    for (int k = 0; k < OWN; k++, c += blockDim.x) {
        v[k] = -INFINITY;
        if (c < n && HALF) v[k] = from_bf16(((const uint16_t *)x.data)[from + c]);
        else if (c < n) v[k] = ((const float *)x.data)[from + c];
    }
}

/* The row's log of the sum of exponentials; with plain, also its plain sum. */
template <bool HALF> static __device__ inline float lse_of(const struct array &x, int64_t from, int64_t n, float *plain)
{
    struct running r = { -INFINITY, 0 };
    float v[OWN], sum = 0;

    for (int64_t c = threadIdx.x; c < n; c += OWN * blockDim.x) {
        load_own<HALF>(v, x, from, c, n);
        run_on(&r, v);
#pragma unroll
        for (int k = 0; k < OWN; k++) sum += c + k * (int64_t)blockDim.x < n ? v[k] : 0;
    }
    if (plain) *plain = block_sum(sum);
    return block_lse(r);
}
static __device__ inline float row_lse(const struct array &x, int64_t from, int64_t n)
{
    return x.is_half ? lse_of<true>(x, from, n, NULL) : lse_of<false>(x, from, n, NULL);
}

template <bool HALF>
static __global__ void __launch_bounds__(MANY)
    cross_entropy(float *loss, struct array dlogits, struct array logits, const int32_t *labels, int64_t n,
                  float smoothing, float scale)
{
    int64_t t = blockIdx.x, from = t * n;
    int label = labels[t];
    float v[OWN], sum, lse = lse_of<HALF>(logits, from, n, &sum), each = smoothing / n;

    if (threadIdx.x == 0)
        loss[t] = label < 0 ? 0 : lse - (1 - smoothing) * get(logits, from + label) - smoothing * sum / n;
    if (!dlogits.data) return;
    __syncthreads(); /* dlogits may be logits */
    for (int64_t c = threadIdx.x; c < n; c += OWN * blockDim.x) {
        load_own<HALF>(v, logits, from, c, n);
#pragma unroll
        for (int k = 0; k < OWN; k++) {
            int64_t at = c + k * (int64_t)blockDim.x;
            float target = at == label ? 1 - smoothing + each : each;
            if (at < n) put(dlogits, from + at, label < 0 ? 0 : scale * (quick_exp2((v[k] - lse) * log2e) - target));
        }
    }
}

/* Threads of a block: as many as leave the rows that are worked on in the cache. Registers let a multiprocessor have
 * 1,024 threads: of an H200, 132 rows of 50,265 in F32 or 264 in BF16, 27 MB each. */
static int threads_for(struct tensor logits)
{
    if (logits.shape[1] <= OWN * THREADS) return THREADS;
    return logits.dtype == DT_BF16 ? MANY / 2 : MANY;
}

int cuda_cross_entropy(struct device *d, struct tensor loss, struct tensor dlogits, struct tensor logits,
                       struct tensor labels, float smoothing, float scale)
{
    return launch(d, "cross_entropy", logits.dtype == DT_BF16 ? cross_entropy<true> : cross_entropy<false>,
                  (unsigned)logits.shape[0], threads_for(logits), 0, f32(loss), array_of(dlogits), array_of(logits),
                  i32(labels), logits.shape[1], smoothing, scale);
}

static __global__ void soft_cross_entropy(float *loss, struct array dlogits, struct array logits, const float *target,
                                          int64_t n, float scale)
{
    int64_t from = blockIdx.x * n;
    float lse = row_lse(logits, from, n), mass = 0, sum = 0;

    for (int64_t c = threadIdx.x; c < n; c += THREADS) {
        mass += target[from + c];
        sum -= target[from + c] * (get(logits, from + c) - lse);
    }
    mass = block_sum(mass);
    sum = block_sum(sum);
    if (threadIdx.x == 0) loss[blockIdx.x] = sum;
    for (int64_t c = threadIdx.x; dlogits.data && c < n; c += THREADS)
        put(dlogits, from + c, scale * (mass * expf(get(logits, from + c) - lse) - target[from + c]));
}

int cuda_soft_cross_entropy(struct device *d, struct tensor loss, struct tensor dlogits, struct tensor logits,
                            struct tensor target, float scale)
{
    return launch(d, "soft_cross_entropy", soft_cross_entropy, (unsigned)logits.shape[0], THREADS, 0, f32(loss),
                  array_of(dlogits), array_of(logits), (const float *)f32(target), logits.shape[1], scale);
}

static __global__ void symmetric_kl(float *loss, float *da, float *db, struct array a, struct array b, int64_t n,
                                    float scale)
{
    int64_t from = blockIdx.x * n;
    float la = row_lse(a, from, n), lb = row_lse(b, from, n), sum = 0, mean_p = 0, mean_q = 0;

    for (int64_t i = from + threadIdx.x; i < from + n; i += THREADS) {
        float lp = get(a, i) - la, lq = get(b, i) - lb, p = expf(lp), q = expf(lq);
        sum += (p - q) * (lp - lq);
        mean_p += p * (lp - lq);
        mean_q += q * (lp - lq);
    }
    sum = block_sum(sum);
    mean_p = block_sum(mean_p);
    mean_q = block_sum(mean_q);
    if (threadIdx.x == 0) loss[blockIdx.x] = sum;
    for (int64_t i = from + threadIdx.x; i < from + n; i += THREADS) {
        float lp = get(a, i) - la, lq = get(b, i) - lb, p = expf(lp), q = expf(lq);
        da[i] += scale * (p * (lp - lq - mean_p) + p - q);
        db[i] += scale * (q * (lq - lp + mean_q) + q - p);
    }
}

int cuda_symmetric_kl(struct device *d, struct tensor loss, struct tensor da, struct tensor db, struct tensor a,
                      struct tensor b, float scale)
{
    return launch(d, "symmetric_kl", symmetric_kl, (unsigned)a.shape[0], THREADS, 0, f32(loss), f32(da), f32(db),
                  array_of(a), array_of(b), a.shape[1], scale);
}

/* ---- losses that are sums over a row's elements ---- */

struct terms {
    float *loss;
    struct array dx, x;
    const float *target, *weight; /* weight: of elements, of rows, or NULL */
    int64_t n;
    float beta, scale;
};

/* F::of(x, target, weight, p, &slope) is an element's loss. */
template <class F> static __global__ void sum_terms(struct terms p)
{
    int64_t from = blockIdx.x * p.n;
    float sum = 0;

    for (int64_t i = from + threadIdx.x; i < from + p.n; i += THREADS) {
        float slope, w = !p.weight ? 1 : F::by_rows ? p.weight[blockIdx.x] : p.weight[i];
        sum += w * F::of(get(p.x, i), p.target[i], p.beta, &slope);
        if (p.dx.data) put(p.dx, i, p.scale * w * slope);
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) p.loss[blockIdx.x] = sum;
}

struct squared {
    enum { by_rows = 0 };
    static __device__ inline float of(float x, float target, float, float *slope)
    {
        float gap = x - target;

        *slope = 2 * gap;
        return gap * gap;
    }
};
struct binary {
    enum { by_rows = 0 };
    static __device__ inline float of(float x, float target, float, float *slope)
    {
        *slope = 1 / (1 + expf(-x)) - target;
        return fmaxf(x, 0) - x * target + log1pf(expf(-fabsf(x)));
    }
};
struct smooth {
    enum { by_rows = 1 };
    static __device__ inline float of(float x, float target, float beta, float *slope)
    {
        float gap = x - target, size = fabsf(gap);

        *slope = size < beta ? gap / beta : gap > 0 ? 1 : -1;
        return size < beta ? 0.5f * gap * gap / beta : size - 0.5f * beta;
    }
};

template <class F>
static int run_terms(struct device *d, const char *row, struct tensor loss, struct tensor dx, struct tensor x,
                     struct tensor target, struct tensor weight, float beta, float scale)
{
    return launch(
        d, row, sum_terms<F>, (unsigned)x.shape[0], THREADS, 0,
        terms{ f32(loss), array_of(dx), array_of(x), f32(target), f32(weight), x.n / x.shape[0], beta, scale });
}

int cuda_squared_error(struct device *d, struct tensor loss, struct tensor dx, struct tensor x, struct tensor target,
                       float scale)
{
    return run_terms<squared>(d, "squared_error", loss, dx, x, target, tensor{}, 0, scale);
}

int cuda_binary_cross_entropy(struct device *d, struct tensor loss, struct tensor dx, struct tensor x,
                              struct tensor target, struct tensor weight, float scale)
{
    return run_terms<binary>(d, "binary_cross_entropy", loss, dx, x, target, weight, 0, scale);
}

int cuda_smooth_l1(struct device *d, struct tensor loss, struct tensor dx, struct tensor x, struct tensor target,
                   struct tensor weight, float beta, float scale)
{
    return run_terms<smooth>(d, "smooth_l1", loss, dx, x, target, weight, beta, scale);
}

/* ---- groups of scores: a few dozen each, a thread a group, in double as on the CPU ---- */

struct groups {
    float *loss, *dscores, *part; /* part[G]: the gradient of inv_tau by groups, or NULL */
    const float *scores;
    const int32_t *start, *positive;
    int64_t n;
    float a, b, scale; /* inv_tau; or margin, gamma */
};

static __device__ inline double group_lse(const struct groups &p, int from, int to, bool only_positive)
{
    double max = -INFINITY, sum = 0;

    for (int i = from; i < to; i++) {
        if (!only_positive || p.positive[i]) max = fmax(max, p.scores[i] * (double)p.a);
    }
    for (int i = from; i < to; i++) {
        if (!only_positive || p.positive[i]) sum += exp(p.scores[i] * (double)p.a - max);
    }
    return sum > 0 ? max + log(sum) : -INFINITY;
}

static __global__ void group_contrastive(struct groups p)
{
    int64_t g = blockIdx.x * (int64_t)THREADS + threadIdx.x;

    if (g >= p.n) return;
    int from = p.start[g], to = p.start[g + 1];
    double all = group_lse(p, from, to, false), good = group_lse(p, from, to, true), dfactor = 0;
    bool counts = good > -INFINITY;
    p.loss[g] = counts ? (float)(all - good) : 0;
    for (int i = from; i < to; i++) {
        double x = p.scores[i] * (double)p.a;
        double slope = counts ? exp(x - all) - (p.positive[i] ? exp(x - good) : 0) : 0;
        dfactor += slope * p.scores[i] * p.scale;
        if (p.dscores) p.dscores[i] = (float)(p.scale * slope * p.a);
    }
    if (p.part) p.part[g] = (float)dfactor;
}

int cuda_group_contrastive(struct device *d, struct tensor loss, struct tensor dscores, struct tensor dinv_tau,
                           struct tensor scores, struct tensor start, struct tensor positive, float inv_tau,
                           float scale)
{
    float *part = dinv_tau.data ? (float *)gpu_room(d, ROOM_PARTIAL, loss.n * 4) : NULL;

    if (dinv_tau.data && !part) return -1;
    if (launch(
            d, "group_contrastive", group_contrastive, pieces(loss.n, THREADS), THREADS, 0,
            groups{ f32(loss), f32(dscores), part, f32(scores), i32(start), i32(positive), loss.n, inv_tau, 0, scale }))
        return -1;
    return part ? add_partials(d, "group_contrastive", f32(dinv_tau), part, loss.n, 1) : 0;
}

static __device__ inline double circle_exponent(struct groups p, int i, double *slope)
{
    double s = p.scores[i], margin = p.a, weight = fmax(p.positive[i] ? 1 + margin - s : s + margin, 0.0);

    *slope = p.positive[i] ? -p.b * weight : p.b * weight;
    return *slope * (s - (p.positive[i] ? 1 - margin : margin));
}

static __device__ double circle_lse(struct groups p, int from, int to, bool of_positive)
{
    double max = -INFINITY, sum = 0, slope;

    for (int i = from; i < to; i++) {
        if ((p.positive[i] != 0) == of_positive) max = fmax(max, circle_exponent(p, i, &slope));
    }
    for (int i = from; i < to; i++) {
        if ((p.positive[i] != 0) == of_positive) sum += exp(circle_exponent(p, i, &slope) - max);
    }
    return sum > 0 ? max + log(sum) : -INFINITY;
}

static __global__ void group_circle(struct groups p)
{
    int64_t g = blockIdx.x * (int64_t)THREADS + threadIdx.x;

    if (g >= p.n) return;
    int from = p.start[g], to = p.start[g + 1];
    double good = circle_lse(p, from, to, true), bad = circle_lse(p, from, to, false), both = good + bad;
    p.loss[g] = (float)(fmax(both, 0.0) + log1p(exp(-fabs(both))));
    for (int i = from; p.dscores && i < to; i++) {
        double slope, x = circle_exponent(p, i, &slope);
        double share = exp(x - (p.positive[i] ? good : bad)) / (1 + exp(-both));
        p.dscores[i] = (float)(p.scale * share * slope);
    }
}

int cuda_group_circle(struct device *d, struct tensor loss, struct tensor dscores, struct tensor scores,
                      struct tensor start, struct tensor positive, float margin, float gamma, float scale)
{
    return launch(
        d, "group_circle", group_circle, pieces(loss.n, THREADS), THREADS, 0,
        groups{ f32(loss), f32(dscores), NULL, f32(scores), i32(start), i32(positive), loss.n, margin, gamma, scale });
}

/* ---- what decoding asks for ---- */

static __global__ void log_softmax(struct array y, struct array x, int64_t n)
{
    int64_t from = blockIdx.x * n;
    float v[EIGHT], lse = row_lse(x, from, n);

    for (int64_t c = threadIdx.x * EIGHT; c < n; c += THREADS * EIGHT) {
        load8(v, x, from + c, n - c);
#pragma unroll
        for (int k = 0; k < EIGHT; k++) v[k] -= lse;
        store8(y, from + c, n - c, v);
    }
}

int cuda_log_softmax(struct device *d, struct tensor y, struct tensor x)
{
    return launch(d, "log_softmax", log_softmax, (unsigned)x.shape[0], THREADS, 0, array_of(y), array_of(x),
                  x.shape[1]);
}

/* Whether (a, i) comes before (b, k): larger values first, then smaller columns. */
static __device__ inline bool comes_before(float a, int i, float b, int k)
{
    return a > b || (a == b && i < k);
}

/* The first in that order among the block's candidates, to every thread; column -1: none. */
static __device__ inline void block_best(float *value, int *column)
{
    __shared__ float values[WARP];
    __shared__ int columns[WARP];

    for (int round = 0; round < 2; round++) {
        for (int k = WARP / 2; k; k /= 2) {
            float v = __shfl_xor_sync(~0u, *value, k);
            int c = __shfl_xor_sync(~0u, *column, k);
            if (c >= 0 && (*column < 0 || comes_before(v, c, *value, *column))) *value = v, *column = c;
        }
        if (round) return;
        __syncthreads();
        if (threadIdx.x % WARP == 0) values[threadIdx.x / WARP] = *value, columns[threadIdx.x / WARP] = *column;
        __syncthreads();
        bool is_there = threadIdx.x % WARP < THREADS / WARP;
        *value = is_there ? values[threadIdx.x % WARP] : 0;
        *column = is_there ? columns[threadIdx.x % WARP] : -1;
    }
}

/* What was found in the columns before, in order. */
struct found {
    const float *value; /* [n,k], or NULL */
    const int32_t *column;
};

/* k times the best of what comes after the last one: the row stays in the cache. */
static __global__ void top_columns(float *value, int32_t *column, float *lse, struct array x, struct found before,
                                   int64_t n, int64_t k, int first)
{
    int64_t from = blockIdx.x * n, own = blockIdx.x * k, next = 0; /* next: of what was found before */
    float all = row_lse(x, from, n), last = INFINITY, v[OWN];
    int last_column = -1;

    for (int64_t i = 0; i < k; i++) {
        float best = 0;
        int at = -1;
        for (int64_t c = threadIdx.x; c < n; c += OWN * THREADS) {
            if (x.is_half) load_own<true>(v, x, from, c, n);
            else load_own<false>(v, x, from, c, n);
#pragma unroll
            for (int j = 0; j < OWN; j++) {
                int now = first + (int)c + j * THREADS;
                if (c + j * THREADS < n && (last_column < 0 || comes_before(last, last_column, v[j], now)) &&
                    (at < 0 || comes_before(v[j], now, best, at)))
                    best = v[j], at = now;
            }
        }
        block_best(&best, &at);
        if (before.value && (at < 0 || before.value[own + next] >= best))
            best = before.value[own + next], at = before.column[own + next], next++;
        else last = best, last_column = at;
        if (threadIdx.x) continue;
        value[own + i] = at < 0 ? -INFINITY : best; /* none left: NaN is not larger than anything */
        column[own + i] = at < 0 ? 0 : at;
    }
    if (threadIdx.x) return;
    float old = before.value ? lse[blockIdx.x] : -INFINITY, most = fmaxf(all, old);
    lse[blockIdx.x] = before.value ? most + logf(expf(all - most) + expf(old - most)) : all;
}

int cuda_top_columns(struct device *d, struct tensor value, struct tensor column, struct tensor lse, struct tensor x,
                     int64_t from)
{
    size_t bytes = (size_t)value.n * 4;
    struct found before = { NULL, NULL };

    if (from) {
        char *room = (char *)gpu_room(d, ROOM_PARTIAL, 2 * (int64_t)bytes);
        cudaStream_t queue = gpu_queue(d);
        if (!room ||
            gpu_check(d, "top_columns", cudaMemcpyAsync(room, value.data, bytes, cudaMemcpyDeviceToDevice, queue)) ||
            gpu_check(d, "top_columns",
                      cudaMemcpyAsync(room + bytes, column.data, bytes, cudaMemcpyDeviceToDevice, queue)))
            return -1;
        before = found{ (const float *)room, (const int32_t *)(room + bytes) };
    }
    return launch(d, "top_columns", top_columns, (unsigned)x.shape[0], THREADS, 0, f32(value), i32(column), f32(lse),
                  array_of(x), before, x.shape[1], value.shape[1], (int)from);
}
