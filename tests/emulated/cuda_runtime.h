/* As much of the CUDA runtime as the back end uses, for the host's C++ compiler: kernels run on the host, block by
 * block, each thread of a block on a stack of its own (emulate.cc). What a GPU would do wrong shows here too: a barrier
 * that not all threads reach, shared memory read before it is written, host code that touches device memory. */
#ifndef EMULATED_CUDA_RUNTIME_H
#define EMULATED_CUDA_RUNTIME_H
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __shared__ static
#define __align__(n) alignas(n)
#define __launch_bounds__(...)

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c)
    {
    }
};
extern dim3 threadIdx, blockIdx, blockDim, gridDim;
struct alignas(16) uint4 {
    uint32_t x, y, z, w;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
static inline float4 make_float4(float x, float y, float z, float w)
{
    return float4{ x, y, z, w };
}
static inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w)
{
    return uint4{ x, y, z, w };
}

/* ---- what threads do together ---- */

void emulate_block_barrier();
void emulate_warp_barrier();
/* Each lane of a warp gives `bytes` bytes; returns all 32 lanes' (those of absent lanes are zero). */
const void *emulate_exchange(const void *own, size_t bytes);
enum { EMULATED_EXCHANGE = 64 }; /* bytes from one lane to the next in what it returns */

static inline void __syncthreads()
{
    emulate_block_barrier();
}
static inline void __syncwarp()
{
    emulate_warp_barrier();
}
template <class T> static inline T emulated_lane(T own, unsigned lane)
{
    T got;

    memcpy(&got, (const char *)emulate_exchange(&own, sizeof own) + (lane & 31) * EMULATED_EXCHANGE, sizeof got);
    return got;
}
template <class T> static inline T __shfl_xor_sync(unsigned, T v, int mask)
{
    return emulated_lane(v, (threadIdx.x & 31) ^ (unsigned)mask);
}
template <class T> static inline T __shfl_sync(unsigned, T v, int lane)
{
    return emulated_lane(v, (unsigned)lane);
}
static inline unsigned __ballot_sync(unsigned, bool v)
{
    const char *all = (const char *)emulate_exchange(&v, sizeof v);
    unsigned r = 0;

    for (unsigned i = 0; i < 32; i++) r |= (unsigned)(all[i * EMULATED_EXCHANGE] != 0) << i;
    return r;
}
static inline int __popc(unsigned v)
{
    return __builtin_popcount(v);
}
static inline uint32_t __umulhi(uint32_t a, uint32_t b)
{
    return (uint32_t)((uint64_t)a * b >> 32);
}
static inline float __uint_as_float(uint32_t u)
{
    float f;

    memcpy(&f, &u, 4);
    return f;
}
static inline int atomicAdd(int *p, int v)
{
    int was = *p;

    *p += v;
    return was;
}
static inline unsigned atomicOr(unsigned *p, unsigned v)
{
    unsigned was = *p;

    *p |= v;
    return was;
}
static inline int __ffs(int v)
{
    return __builtin_ffs(v);
}
static inline float __fmul_rn(float a, float b)
{
    volatile float product = a * b; /* not contracted with what follows */

    return product;
}
template <class T> static inline T __ldg(const T *p)
{
    return *p;
}
static inline float rsqrtf(float v)
{
    return 1 / sqrtf(v);
}
template <class T> static inline T min(T a, T b)
{
    return b < a ? b : a;
}
template <class T> static inline T max(T a, T b)
{
    return a < b ? b : a;
}

/* ---- the host's side ---- */

enum cudaError_t { cudaSuccess, cudaErrorMemoryAllocation = 2, cudaErrorNoDevice = 100 };
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum cudaDeviceAttr { cudaDevAttrComputeCapabilityMajor = 75 };
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize = 8 };
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2 };
typedef struct emulated_stream *cudaStream_t;
typedef struct emulated_event *cudaEvent_t;

const char *cudaGetErrorString(cudaError_t e);
cudaError_t cudaGetLastError();
cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaSetDevice(int index);
cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr what, int index);
cudaError_t cudaMalloc(void **p, size_t n);
cudaError_t cudaFree(void *p);
cudaError_t cudaMallocHost(void **p, size_t n);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n, cudaMemcpyKind kind, cudaStream_t s);
cudaError_t cudaMemsetAsync(void *p, int value, size_t n, cudaStream_t s);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t s);
cudaError_t cudaStreamSynchronize(cudaStream_t s);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t e);
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s);
cudaError_t cudaEventSynchronize(cudaEvent_t e);
template <class F> static inline cudaError_t cudaFuncSetAttribute(F *, cudaFuncAttribute, int)
{
    return cudaSuccess;
}

/* Device memory may be touched by kernels alone; where the host's part of the runtime finds it (other addresses are
 * returned as they are). */
extern "C" __attribute__((visibility("default"))) void *emulate_view(const void *p);
#endif
