/* What the kernels share: the device's state, launches with their check, arrays of either float type, reductions, and
 * the draws of dropout. Everything computes in F32; sums run in an order that depends on shapes alone. */
#ifndef COMPUTE_CUDA_COMMON_CUH
#define COMPUTE_CUDA_COMMON_CUH
#include "compute/cuda/device.cuh"
#include "compute/ops.h"

/* Every row, as the table has it. */
#define ROW(name, args) int cuda_##name args;
#include "compute/ops.def"
#undef ROW

/* ---- state ---- */

/* Working memory on the device that grows and is kept: one piece per purpose, so that rows never wait for each other.
 */
enum room {
    ROOM_PARTIAL,
    ROOM_BIAS,
    ROOM_PATCHES,
    ROOM_FILTER,
    ROOM_ROWS,
    ROOM_SEGMENTS,
    ROOM_LEFT,
    ROOM_RIGHT,
    ROOM_COUNT
};

struct staging;
struct gpu {
    int index;
    cudaStream_t queue; /* all work of this device, in order */
    bool syncs;         /* UNIMO_SYNC=1: wait after each row, so that a fault names its row */
    struct {
        void *data;
        int64_t bytes;
    } room[ROOM_COUNT];
    struct staging *staging; /* pinned memory between the host's and the device's */
    void *blas;
};
static inline struct gpu *gpu_of(struct device *d)
{
    return (struct gpu *)d->impl;
}
/* The device's queue, after making it this thread's device. */
cudaStream_t gpu_queue(struct device *d);
/* NULL with d->why set when there is no memory. */
void *gpu_room(struct device *d, enum room which, int64_t bytes);
/* 0, or -1 with d->why set from the runtime's error; after every launch, with the row's name. */
int gpu_check(struct device *d, const char *row, cudaError_t error);

/* Launches and checks: launch(d, "row", kernel, grid, threads, shared bytes, arguments...). There are no captured
 * graphs: a training step of 12 layers has 340 launches and 200 products (counted on the emulated device), some
 * microseconds of the host's time each, which runs ahead of a step of some 0.1 s on 65,536 rows and waits once; and
 * packed batches hardly ever repeat a shape. */
template <class K, class... A>
static inline int launch(struct device *d, const char *row, K kernel, dim3 grid, int threads, size_t shared, A... args)
{
    start(kernel, grid, threads, shared, gpu_queue(d), args...);
    return gpu_check(d, row, cudaGetLastError());
}

static inline int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}
/* Pieces of size `each` that n elements make. */
static inline unsigned pieces(int64_t n, int64_t each)
{
    return (unsigned)((n + each - 1) / each);
}

/* ---- arrays of F32 or BF16 ---- */

/* The type is looked at when an element is: the branch is the same for a whole launch. */
struct array {
    void *data;
    bool is_half, is_wide; /* is_wide: begins at a multiple of 16 bytes */
};
static inline struct array array_of(struct tensor x)
{
    return array{ x.data, x.dtype == DT_BF16, (uintptr_t)x.data % 16 == 0 };
}
static inline float *f32(struct tensor x)
{
    return (float *)x.data;
}
static inline int32_t *i32(struct tensor x)
{
    return (int32_t *)x.data;
}

static __device__ inline float from_bf16(uint32_t v)
{
    return __uint_as_float(v << 16);
}
static __device__ inline float get(const struct array &x, int64_t i)
{
    return x.is_half ? from_bf16(((const uint16_t *)x.data)[i]) : ((const float *)x.data)[i];
}
static __device__ inline void put(const struct array &x, int64_t i, float v)
{
    if (x.is_half) ((uint16_t *)x.data)[i] = to_bf16(v);
    else ((float *)x.data)[i] = v;
}

/* Kernels step through arrays by eights: 16 bytes of BF16 in one access, or 32 of F32 in two. Elements [i, i + 8), of
 * which `left` are there; the others read as zero and are not written.
 *
 * HALVES: all eight are there, are BF16 and begin at a multiple of 16 bytes (see are_halves). The access is then one
 * instruction and no branch, so that a thread has those of its next eights under way while it waits for the first; a
 * kernel that waits for memory is compiled for such arrays and for all. */
enum { EIGHT = 8 };
static __device__ inline void unpack8(float v[EIGHT], uint4 q)
{
    const uint32_t pair[4] = { q.x, q.y, q.z, q.w };

#pragma unroll
    for (int k = 0; k < 4; k++) {
        v[2 * k] = from_bf16(pair[k]);
        v[2 * k + 1] = __uint_as_float(pair[k] & 0xffff0000u);
    }
}
static __device__ inline uint4 pack8(const float v[EIGHT])
{
    return make_uint4(to_bf16x2(v[0], v[1]), to_bf16x2(v[2], v[3]), to_bf16x2(v[4], v[5]), to_bf16x2(v[6], v[7]));
}
template <bool HALVES = false>
static __device__ inline void load8(float v[EIGHT], const struct array &x, int64_t i, int64_t left)
{
    if (HALVES || (x.is_wide && left >= EIGHT && i % EIGHT == 0)) {
        if (HALVES || x.is_half) {
            unpack8(v, *(const uint4 *)((const uint16_t *)x.data + i));
        } else {
            float4 a = *(const float4 *)((const float *)x.data + i),
                   b = *(const float4 *)((const float *)x.data + i + 4);
            v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
            v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
        }
        return;
    }
    if constexpr (!HALVES) {
#pragma unroll
        for (int k = 0; k < EIGHT; k++) v[k] = k < left ? get(x, i + k) : 0;
    }
}
template <bool HALVES = false>
static __device__ inline void store8(const struct array &x, int64_t i, int64_t left, const float v[EIGHT])
{
    if (HALVES || (x.is_wide && left >= EIGHT && i % EIGHT == 0)) {
        if (HALVES || x.is_half) {
            *(uint4 *)((uint16_t *)x.data + i) = pack8(v);
        } else {
            *(float4 *)((float *)x.data + i) = make_float4(v[0], v[1], v[2], v[3]);
            *(float4 *)((float *)x.data + i + 4) = make_float4(v[4], v[5], v[6], v[7]);
        }
        return;
    }
    if constexpr (!HALVES) {
#pragma unroll
        for (int k = 0; k < EIGHT; k++) {
            if (k < left) put(x, i + k, v[k]);
        }
    }
}
/* Eight elements between their uses: BF16 as they came, which takes half the registers. */
template <bool HALVES> struct eight {
    float v[EIGHT];
};
template <> struct eight<true> {
    uint4 v;
};
static __device__ inline void take8(struct eight<false> &to, const struct array &x, int64_t i, int64_t left)
{
    load8(to.v, x, i, left);
}
static __device__ inline void take8(struct eight<true> &to, const struct array &x, int64_t i, int64_t)
{
    to.v = *(const uint4 *)((const uint16_t *)x.data + i);
}
static __device__ inline void give8(float v[EIGHT], const struct eight<false> &from)
{
#pragma unroll
    for (int k = 0; k < EIGHT; k++) v[k] = from.v[k];
}
static __device__ inline void give8(float v[EIGHT], const struct eight<true> &from)
{
    unpack8(v, from.v);
}

/* Whether rows of that width of all these arrays (or none in their place) are whole eights of BF16 and aligned. */
template <class... A> static inline bool are_halves(int64_t width, const A &...x)
{
    return width % EIGHT == 0 && (... && (!x.data || (x.is_half && x.is_wide)));
}
/* Eight numbers of a vector that nothing writes meanwhile, in two accesses beside arrays that are halves. */
template <bool HALVES> static __device__ inline void vector8(float v[EIGHT], const float *x, int64_t i, int64_t left)
{
    if (!HALVES) return load8(v, array{ (void *)x, false, (uintptr_t)x % 16 == 0 }, i, left);
    float4 a = __ldg((const float4 *)(x + i)), b = __ldg((const float4 *)(x + i) + 1);
    v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
    v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}
/* v as it will be read again after being stored in x. */
template <bool HALVES> static __device__ inline void round8(float v[EIGHT], const struct array &x)
{
    if (HALVES || x.is_half) unpack8(v, pack8(v));
}

/* ---- reductions: fixed trees, every thread gets the result ---- */

enum { WARP = 32 };
static __device__ inline float warp_sum(float v)
{
#pragma unroll
    for (int k = WARP / 2; k; k /= 2) v += __shfl_xor_sync(~0u, v, k);
    return v;
}
static __device__ inline float warp_max(float v)
{
#pragma unroll
    for (int k = WARP / 2; k; k /= 2) v = fmaxf(v, __shfl_xor_sync(~0u, v, k));
    return v;
}
/* Of the whole block (a multiple of 32 threads, at most 1024). */
static __device__ inline float block_sum(float v)
{
    __shared__ float part[WARP];

    v = warp_sum(v);
    __syncthreads(); /* part may still be read from the time before */
    if (threadIdx.x % WARP == 0) part[threadIdx.x / WARP] = v;
    __syncthreads();
    return warp_sum(threadIdx.x % WARP < blockDim.x / WARP ? part[threadIdx.x % WARP] : 0);
}
static __device__ inline float block_max(float v)
{
    __shared__ float part[WARP];

    v = warp_max(v);
    __syncthreads();
    if (threadIdx.x % WARP == 0) part[threadIdx.x / WARP] = v;
    __syncthreads();
    return warp_max(threadIdx.x % WARP < blockDim.x / WARP ? part[threadIdx.x % WARP] : -INFINITY);
}

/* out[c] += sum over i of part[i,c], i < n, c < width: the second half of every sum over rows (see pointwise.cu). */
int add_partials(struct device *d, const char *row, float *out, const float *part, int64_t n, int64_t width);
/* Rows are cut into this many chunks at most when columns are summed, each chunk at least CHUNK_ROWS rows. */
enum { CHUNKS = 264, CHUNK_ROWS = 16 };
static inline int64_t chunks_of(int64_t rows)
{
    return least(pieces(rows, CHUNK_ROWS), CHUNKS);
}
/* db[O] += sums of the columns of dy[T,O] (linear.cu). */
int column_sums(struct device *d, const char *row, struct tensor db, struct tensor dy);

/* ---- dropout: Philox4x32-10, the same draws as the CPU's ---- */

struct mask {
    uint32_t limit; /* draws below it are dropped */
    float keep;     /* what the others are multiplied by */
    uint32_t site, step, key[2];
    bool is_on;
};
static inline struct mask mask_of(struct dropout drop)
{
    double bound = (double)drop.p * 4294967296.0;
    uint32_t limit = bound >= 4294967296.0 ? ~0u : (uint32_t)bound;

    if (bound < 4294967296.0 && bound > limit) limit++;
    return mask{ limit,
                 1 / (1 - drop.p),
                 drop.site,
                 (uint32_t)drop.step,
                 { (uint32_t)drop.seed, (uint32_t)(drop.seed >> 32) ^ (uint32_t)(drop.step >> 32) },
                 drop.p > 0 };
}
/* Whether elements 4 block .. 4 block + 3 are kept, a bit each. */
static __device__ inline uint32_t kept4(uint64_t block, const struct mask &m)
{
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = m.site, c3 = m.step, k0 = m.key[0], k1 = m.key[1];

#pragma unroll
    for (int round = 0; round < 10; round++) {
        uint32_t a1 = __umulhi(c0, 0xD2511F53u), a0 = c0 * 0xD2511F53u;
        uint32_t b1 = __umulhi(c2, 0xCD9E8D57u), b0 = c2 * 0xCD9E8D57u;
        c0 = b1 ^ c1 ^ k0;
        c2 = a1 ^ c3 ^ k1;
        c1 = b0;
        c3 = a0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return (c0 >= m.limit) | (c1 >= m.limit) << 1 | (c2 >= m.limit) << 2 | (c3 >= m.limit) << 3;
}
static __device__ inline float factor_of(uint32_t kept, int which, const struct mask &m)
{
    return kept >> which & 1 ? m.keep : 0;
}
/* v[k] *= the factor of element i + k; any i, a multiple of 8 with HALVES. */
template <bool HALVES = false> static __device__ inline void drop8(float v[EIGHT], uint64_t i, const struct mask &m)
{
    if (!m.is_on) return;
    if (HALVES || i % 4 == 0) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            uint32_t kept = kept4(i / 4 + half, m);
#pragma unroll
            for (int k = 0; k < 4; k++) v[4 * half + k] *= factor_of(kept, k, m);
        }
        return;
    }
    if constexpr (!HALVES) {
#pragma unroll
        for (int k = 0; k < EIGHT; k++) v[k] *= factor_of(kept4((i + k) / 4, m), (i + k) % 4, m);
    }
}
#endif
