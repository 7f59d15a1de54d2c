/* What kernels ask of the machine beyond plain CUDA C++: starting, dynamic shared memory, and the instructions that
 * have no name in the language. tests/emulated has the same functions for the host's compiler, which runs the kernels
 * where there is no GPU; nothing else differs. */
#ifndef COMPUTE_CUDA_DEVICE_CUH
#define COMPUTE_CUDA_DEVICE_CUH
#include <cuda_runtime.h>
#include <stdint.h>

template <class... P, class... A>
static inline void start(void (*kernel)(P...), dim3 grid, int threads, size_t shared, cudaStream_t s, A... args)
{
    kernel<<<grid, threads, shared, s>>>(args...);
}

/* The block's dynamic shared memory, 16-byte aligned. */
static __device__ inline void *shared_memory()
{
    extern __shared__ __align__(16) unsigned char shared_bytes[];

    return shared_bytes;
}

/* ---- BF16: rounding to nearest even in one instruction ---- */

static __device__ inline uint16_t to_bf16(float v)
{
    uint16_t r;

    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(v));
    return r;
}

/* Two neighbours, the first in the low half. */
static __device__ inline uint32_t to_bf16x2(float first, float second)
{
    uint32_t r;

    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(second), "f"(first));
    return r;
}

/* ---- approximations in one instruction: off by some 2^-22 of the result; below 2^-126 is 0 ---- */

static __device__ inline float quick_exp2(float v)
{
    float r;

    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
    return r;
}
static __device__ inline float quick_inverse(float v)
{
    float r;

    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(v));
    return r;
}

/* ---- tensor cores: c[16,8] += a[16,16] b[16,8], BF16 in, F32 out, one warp together (mma.sync.m16n8k16) ---- */

/* Lane l holds, with g = l / 4 and t = l % 4: of c (g, 2t), (g, 2t+1), (g+8, 2t), (g+8, 2t+1); of a the pairs at (g,
 * 2t), (g+8, 2t), (g, 2t+8), (g+8, 2t+8); of b the pairs at rows 2t and 2t+8 of column g. */
static __device__ inline void multiply_add(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* Four 8 x 8 matrices of BF16 from shared memory: lane l gives the address of row l % 8 of matrix l / 8, and gets the
 * pair (l / 4, 2 (l % 4)) of each; transposed: of each one's transpose. */
static __device__ inline void load_matrices(uint32_t r[4], const uint16_t *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"((uint32_t)__cvta_generic_to_shared(row))
                 : "memory");
}
static __device__ inline void load_matrices_transposed(uint32_t r[4], const uint16_t *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"((uint32_t)__cvta_generic_to_shared(row))
                 : "memory");
}

/* ---- copies from device to shared memory under way while the block computes (cp.async) ---- */

/* 16 bytes, both sides aligned; not there: zeros, and nothing is read. */
static __device__ inline void copy_begin(uint16_t *to, const uint16_t *from, bool is_there)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((uint32_t)__cvta_generic_to_shared(to)),
                 "l"(__cvta_generic_to_global(from)), "r"(is_there ? 16 : 0)
                 : "memory");
}
/* The same of one number. */
static __device__ inline void copy_begin(float *to, const float *from, bool is_there)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"((uint32_t)__cvta_generic_to_shared(to)),
                 "l"(__cvta_generic_to_global(from)), "r"(is_there ? 4 : 0)
                 : "memory");
}
/* Those begun since the last close are a group. */
static __device__ inline void copies_close()
{
    asm volatile("cp.async.commit_group;" ::: "memory");
}
/* Waits for this thread's groups but the last `open` ones. */
template <int open> static __device__ inline void copies_wait()
{
    asm volatile("cp.async.wait_group %0;" ::"n"(open) : "memory");
}
#endif
