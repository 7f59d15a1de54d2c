/* Rows taken by index, and added by index. */
#include "compute/cuda/common.cuh"

enum { THREADS = 256, WARPS = THREADS / WARP, SORTED = 128 };

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
 * The rows that go to each target are counted and put side by side (a count, its running sum, a place each); within one
 * target's list they stand in any order. A block then has one target: a short list is sorted in shared memory, a long
 * one is found again by walking the whole index in order, and the rows are added one after the other. What is read and
 * written are the rows themselves and a few numbers each. */

static __global__ void count_rows(int *count, const int32_t *index, int64_t n)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;

    if (i < n && index[i] >= 0) atomicAdd(&count[index[i]], 1);
}

/* first[t] = running sum of count[0..t), by one block; count becomes zero again. */
static __global__ void running_sum(int *first, int *count, int64_t n)
{
    __shared__ int sums[1024];
    int total = 0, own = threadIdx.x;

    for (int64_t from = 0; from < n; from += 1024) {
        int c = from + own < n ? count[from + own] : 0;
        sums[own] = c;
        __syncthreads();
        for (int k = 1; k < 1024; k *= 2) {
            int before = own >= k ? sums[own - k] : 0;
            __syncthreads();
            sums[own] += before;
            __syncthreads();
        }
        if (from + own < n) {
            first[from + own] = total + sums[own] - c;
            count[from + own] = 0;
        }
        total += sums[1023];
        __syncthreads();
    }
    if (own == 0) first[n] = total;
}

static __global__ void place_rows(int *list, int *count, const int *first, const int32_t *index, int64_t n)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x;

    if (i < n && index[i] >= 0) list[first[index[i]] + atomicAdd(&count[index[i]], 1)] = (int)i;
}

/* x[to] += rows list[0..m) of y; each thread has eight columns at a time. */
static __device__ inline void add_list(struct array x, struct array y, int64_t to, const int *list, int m, int64_t h)
{
    float sum[EIGHT], v[EIGHT];

    for (int64_t c = threadIdx.x * EIGHT; c < h; c += THREADS * EIGHT) {
        load8(sum, x, to * h + c, h - c);
#pragma unroll 8
        for (int i = 0; i < m; i++) {
            load8(v, y, list[i] * h + c, h - c);
#pragma unroll
            for (int k = 0; k < EIGHT; k++) sum[k] += v[k];
        }
        store8(x, to * h + c, h - c, sum);
    }
}

/* The next rows of `to` in index order into list, from *at on; returns how many (fewer than SORTED + THREADS). */
static __device__ inline int next_rows(int *list, int64_t *at, const int32_t *index, int64_t n, int64_t to)
{
    __shared__ int before[WARPS + 1];
    int m = 0;

    for (; *at < n && m < SORTED; *at += THREADS) {
        int64_t i = *at + threadIdx.x;
        bool is_ours = i < n && index[i] == to;
        unsigned ours = __ballot_sync(~0u, is_ours);
        int warp = (int)threadIdx.x / WARP, rank = __popc(ours & ((1u << threadIdx.x % WARP) - 1));
        __syncthreads();
        if (threadIdx.x % WARP == 0) before[warp] = __popc(ours);
        __syncthreads();
        for (int w = 0; w < warp; w++) rank += before[w];
        int found = 0;
        for (int w = 0; w < WARPS; w++) found += before[w];
        if (is_ours) list[m + rank] = (int)i;
        m += found;
    }
    __syncthreads();
    return m;
}

static __global__ void scatter_add(struct array x, struct array y, const int *list, const int *first,
                                   const int32_t *index, int64_t n, int64_t h)
{
    __shared__ int own[SORTED], sorted[SORTED + THREADS];
    int64_t to = blockIdx.x, at = 0;
    int m = first[to + 1] - first[to];

    if (m == 0) return;
    if (m > SORTED) {
        while (at < n) {
            int found = next_rows(sorted, &at, index, n, to);
            add_list(x, y, to, sorted, found, h);
            __syncthreads();
        }
        return;
    }
    int k = (int)threadIdx.x, i = k < m ? list[first[to] + k] : 0, rank = 0;
    if (k < m) own[k] = i;
    __syncthreads();
    for (int other = 0; other < m; other++) rank += own[other] < i;
    if (k < m) sorted[rank] = i;
    __syncthreads();
    add_list(x, y, to, sorted, m, h);
}

int cuda_scatter_add_rows(struct device *d, struct tensor x, struct tensor y, struct tensor index)
{
    int64_t targets = x.shape[0], n = index.n;
    int *count = (int *)gpu_room(d, ROOM_ROWS, (2 * targets + 1 + n) * 4), *first = count + targets,
        *list = first + targets + 1;

    if (!targets) return 0;
    if (!count || gpu_check(d, "scatter_add_rows", cudaMemsetAsync(count, 0, (size_t)targets * 4, gpu_queue(d))))
        return -1;
    if (launch(d, "scatter_add_rows", count_rows, pieces(n, THREADS), THREADS, 0, count, i32(index), n) ||
        launch(d, "scatter_add_rows", running_sum, 1, 1024, 0, first, count, targets) ||
        launch(d, "scatter_add_rows", place_rows, pieces(n, THREADS), THREADS, 0, list, count, first, i32(index), n))
        return -1;
    return launch(d, "scatter_add_rows", scatter_add, (unsigned)targets, THREADS, 0, array_of(x), array_of(y), list,
                  first, i32(index), n, y.shape[1]);
}
