/* Rows taken by index, and added by index. */
#include "compute/cuda/common.cuh"

enum { THREADS = 256, WARPS = THREADS / WARP };

/* A warp a row: one stretch read, one written. */
static __global__ void gather(struct array y, struct array x, const int32_t *index, int64_t n, int64_t h, bool adds)
{
    int64_t i = blockIdx.x * (int64_t)WARPS + threadIdx.x / WARP;
    float v[EIGHT], old[EIGHT];

    if (i >= n) return;
    int64_t from = index[i];
    for (int64_t c = threadIdx.x % WARP * EIGHT; c < h; c += WARP * EIGHT) {
        load8(v, x, from * h + c, from < 0 ? 0 : h - c);
        if (adds) load8(old, y, i * h + c, h - c);
        for (int k = 0; k < EIGHT; k++) v[k] += adds ? old[k] : 0;
        store8(y, i * h + c, h - c, v);
    }
}

int cuda_gather_rows(struct device *d, struct tensor y, struct tensor x, struct tensor index, bool add)
{
    return launch(d, "gather_rows", gather, pieces(index.n, WARPS), THREADS, 0, array_of(y), array_of(x), i32(index),
                  index.n, y.shape[1], add);
}

/* ---- scatter: sums in the order of the index, without atomics on floats ----
 *
 * The rows that go to each target are put side by side, in order: counted, given a place each, and each target's list
 * sorted. That makes one list of all rows, which is cut into pieces of PIECE rows, a block each, so that a target with
 * many (a position, [MASK]) takes as many blocks as its rows do. A block adds the rows of a target that lies in its
 * piece; of one that was cut it leaves a part, and the parts are added in order. What is read and written are the rows
 * and the targets themselves and a few numbers each. Most wait for memory that is far apart: a thread reads eight rows,
 * or parts, before it adds the first. */

enum { PIECE = 32, SCAN = 1024, WINDOW = 1 << 16 /* rows that a long list is sorted for at a time */ };

static __global__ void count_rows(int *count, const int32_t *index, int64_t n)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;

    if (i < n && index[i] >= 0) atomicAdd(&count[index[i]], 1);
}

/* first[t] = running sum of count[0..t), by one block; count becomes zero again. */
static __global__ void __launch_bounds__(SCAN) running_sum(int *first, int *count, int64_t n)
{
    __shared__ int sums[SCAN];
    int total = 0, own = threadIdx.x;

    for (int64_t from = 0; from < n; from += SCAN * EIGHT) {
        int64_t at = from + own * EIGHT;
        int c[EIGHT], sum = 0;
#pragma unroll
        for (int k = 0; k < EIGHT; k++) c[k] = at + k < n ? count[at + k] : 0;
#pragma unroll
        for (int k = 0; k < EIGHT; k++) sum += c[k];
        sums[own] = sum;
        __syncthreads();
        for (int k = 1; k < SCAN; k *= 2) {
            int before = own >= k ? sums[own - k] : 0;
            __syncthreads();
            sums[own] += before;
            __syncthreads();
        }
        int begin = total + sums[own] - sum;
        for (int k = 0; k < EIGHT && at + k < n; k++) {
            first[at + k] = begin;
            count[at + k] = 0;
            begin += c[k];
        }
        total += sums[SCAN - 1];
        __syncthreads();
    }
    if (own == 0) first[n] = total;
}

static __global__ void place_rows(int *list, int *count, const int *first, const int32_t *index, int64_t n)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;

    if (i < n && index[i] >= 0) list[first[index[i]] + atomicAdd(&count[index[i]], 1)] = (int)i;
}

/* What scatter works with: targets t have rows list[first[t] .. first[t + 1]) in any order, the same of `order` in
 * order. */
struct scatter {
    int *count, *first, *list, *order, *many, *n_many; /* many: targets of more rows than a warp sorts */
    const int32_t *index;
    float *part; /* [pieces, 2, H]: of the target that was cut before the piece, and after it */
    int64_t targets, n, h;
};

/* A warp a target. */
static __global__ void sort_few(struct scatter s)
{
    int64_t t = blockIdx.x * (int64_t)WARPS + threadIdx.x / WARP;
    int lane = threadIdx.x % WARP, rank = 0;

    if (t >= s.targets) return;
    int from = s.first[t], m = s.first[t + 1] - from;
    if (m > WARP && lane == 0) s.many[atomicAdd(s.n_many, 1)] = (int)t;
    if (m == 0 || m > WARP) return;
    int own = lane < m ? s.list[from + lane] : 0;
    for (int k = 0; k < m; k++) rank += __shfl_sync(~0u, own, k) < own;
    if (lane < m) s.order[from + rank] = own;
}

/* A block a target: a bit for each row, read out in order. */
static __global__ void sort_many(struct scatter s)
{
    enum { WORDS = WINDOW / 32, OWN = WORDS / THREADS };
    __shared__ unsigned bits[WORDS];
    __shared__ int sums[THREADS];

    if ((int)blockIdx.x >= *s.n_many) return;
    int t = s.many[blockIdx.x], to = s.first[t], from = to, m = s.first[t + 1] - from;
    for (int64_t window = 0; window < s.n; window += WINDOW) {
        for (int i = threadIdx.x; i < WORDS; i += THREADS) bits[i] = 0;
        __syncthreads();
        for (int i = threadIdx.x; i < m; i += THREADS) {
            int64_t row = s.list[from + i] - window;
            if (row >= 0 && row < WINDOW) atomicOr(&bits[row / 32], 1u << row % 32);
        }
        __syncthreads();
        int sum = 0;
        for (int i = 0; i < OWN; i++) sum += __popc(bits[threadIdx.x * OWN + i]);
        sums[threadIdx.x] = sum;
        __syncthreads();
        int at = to;
        for (int i = 0; i < THREADS; i++) {
            if (i < (int)threadIdx.x) at += sums[i];
            to += sums[i];
        }
        for (int i = threadIdx.x * OWN; i < (int)(threadIdx.x + 1) * OWN; i++) {
            for (unsigned left = bits[i]; left; left &= left - 1)
                s.order[at++] = (int)window + i * 32 + __ffs(left) - 1;
        }
        __syncthreads();
    }
}

enum { SUM_THREADS = 128 /* eight columns each */, AHEAD = 8 /* rows that are read before the first is added */ };

/* sum += rows [from, to) of a list, from column c on. BF16 is unpacked when all are under way: each would be waited for
 * where it depends on a condition. */
template <bool HALVES>
static __device__ inline void add_rows(float sum[EIGHT], const struct array &y, const int *rows, int from, int to,
                                       int64_t c, int64_t h)
{
    struct eight<HALVES> taken[AHEAD];
    float v[EIGHT];

    for (; from < to; from += AHEAD) {
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            if (from + i < to) take8(taken[i], y, rows[from + i] * h + c, h - c);
        }
#pragma unroll
        for (int i = 0; i < AHEAD; i++) {
            if (from + i >= to) break;
            give8(v, taken[i]);
#pragma unroll
            for (int k = 0; k < EIGHT; k++) sum[k] += v[k];
        }
    }
}

template <bool HALVES>
static __global__ void __launch_bounds__(SUM_THREADS) sum_pieces(struct array x, struct array y, struct scatter s)
{
    __shared__ int rows[PIECE], targets[PIECE];
    int from = (int)blockIdx.x * PIECE, n = min(s.first[s.targets] - from, (int)PIECE), to;
    const struct array part = { s.part, false, true };

    if ((int)threadIdx.x < n) {
        rows[threadIdx.x] = s.order[from + threadIdx.x];
        targets[threadIdx.x] = s.index[rows[threadIdx.x]];
    }
    __syncthreads();
    for (int i = 0; i < n; i = to) {
        int64_t t = targets[i];
        for (to = i + 1; to < n && targets[to] == t;) to++;
        bool is_begun = i == 0 && s.first[t] < from, is_cut = is_begun || (to == n && s.first[t + 1] > from + n);
        for (int64_t c = threadIdx.x * EIGHT; c < s.h; c += SUM_THREADS * EIGHT) {
            float sum[EIGHT] = {};
            if (!is_cut) load8(sum, x, t * s.h + c, s.h - c);
            add_rows<HALVES>(sum, y, rows, i, to, c, s.h);
            if (is_cut) store8(part, (2 * (int64_t)blockIdx.x + !is_begun) * s.h + c, s.h - c, sum);
            else store8(x, t * s.h + c, s.h - c, sum);
        }
    }
}

/* A block a piece: the target that begins in it and goes on after it, if there is one. */
template <bool HALVES>
static __global__ void __launch_bounds__(SUM_THREADS) add_pieces(struct array x, struct scatter s)
{
    int64_t piece = blockIdx.x, last = (piece + 1) * PIECE - 1;

    if (last + 1 >= s.first[s.targets]) return;
    int64_t t = s.index[s.order[last]], end = s.first[t + 1];
    if (s.first[t] < piece * PIECE || end <= last + 1) return;
    for (int64_t c = threadIdx.x * EIGHT; c < s.h; c += SUM_THREADS * EIGHT) {
        float sum[EIGHT], v[AHEAD][EIGHT];
        load8(sum, x, t * s.h + c, s.h - c);
        for (int64_t i = piece; i * PIECE < end; i += AHEAD) {
#pragma unroll
            for (int a = 0; a < AHEAD; a++) {
                int64_t at = 2 * (i + a) + (i + a == piece); /* after the cut, and of the others before it */
                if ((i + a) * PIECE < end) vector8<HALVES>(v[a], s.part, at * s.h + c, s.h - c);
            }
#pragma unroll
            for (int a = 0; a < AHEAD; a++) {
                if ((i + a) * PIECE >= end) break;
#pragma unroll
                for (int k = 0; k < EIGHT; k++) sum[k] += v[a][k];
            }
        }
        store8(x, t * s.h + c, s.h - c, sum);
    }
}

/* Memory for it, all but the index; count and n_many become zero. */
static int scatter_open(struct device *d, struct scatter *s)
{
    int64_t counts = s->targets + 1, most = least(s->targets, s->n / WARP) + 1;

    s->part = (float *)gpu_room(d, ROOM_PARTIAL, 2 * (int64_t)pieces(s->n, PIECE) * s->h * 4);
    s->count = (int *)gpu_room(d, ROOM_ROWS, (2 * counts + 2 * s->n + most) * 4);
    if (!s->part || !s->count) return -1;
    s->n_many = s->count + s->targets;
    s->first = s->n_many + 1;
    s->list = s->first + counts;
    s->order = s->list + s->n;
    s->many = s->order + s->n;
    return gpu_check(d, "scatter_add_rows", cudaMemsetAsync(s->count, 0, (size_t)counts * 4, gpu_queue(d)));
}

int cuda_scatter_add_rows(struct device *d, struct tensor x, struct tensor y, struct tensor index)
{
    const char *row = "scatter_add_rows";
    struct scatter s = {};

    s.index = i32(index);
    s.targets = x.shape[0];
    s.n = index.n;
    s.h = y.shape[1];
    bool halves = are_halves(s.h, array_of(y));
    if (!s.targets || !s.n) return 0;
    if (scatter_open(d, &s)) return -1;
    unsigned by_row = pieces(s.n, THREADS), cuts = pieces(s.n, PIECE), many = (unsigned)least(s.targets, s.n / WARP);
    if (launch(d, row, count_rows, by_row, THREADS, 0, s.count, s.index, s.n) ||
        launch(d, row, running_sum, 1, SCAN, 0, s.first, s.count, s.targets) ||
        launch(d, row, place_rows, by_row, THREADS, 0, s.list, s.count, s.first, s.index, s.n) ||
        launch(d, row, sort_few, pieces(s.targets, WARPS), THREADS, 0, s) ||
        (many && launch(d, row, sort_many, many, THREADS, 0, s)) ||
        launch(d, row, halves ? sum_pieces<true> : sum_pieces<false>, cuts, SUM_THREADS, 0, array_of(x), array_of(y),
               s))
        return -1;
    return launch(d, row, halves ? add_pieces<true> : add_pieces<false>, cuts, SUM_THREADS, 0, array_of(x), s);
}
