/* lib/compute/cuda/device.cuh for the host: the same functions, each instruction spelt out as the PTX manual defines
 * it. */
#ifndef COMPUTE_CUDA_DEVICE_CUH
#define COMPUTE_CUDA_DEVICE_CUH
#include "core/dtype.h"
#include <cuda_runtime.h>
#include <functional>

void emulate_launch(dim3 grid, int threads, size_t shared, const std::function<void()> &thread);
void *shared_memory();

template <class... P, class... A>
static inline void start(void (*kernel)(P...), dim3 grid, int threads, size_t shared, cudaStream_t, A... args)
{
    emulate_launch(grid, threads, shared, [=] { kernel(args...); });
}

static inline uint16_t to_bf16(float v)
{
    return f32_to_bf16(v);
}
static inline uint32_t to_bf16x2(float first, float second)
{
    return (uint32_t)f32_to_bf16(first) | (uint32_t)f32_to_bf16(second) << 16;
}

static inline float quick_exp2(float v)
{
    return exp2f(v);
}
static inline float quick_inverse(float v)
{
    return 1 / v;
}

static inline float half_of(uint32_t pair, int which)
{
    return bf16_to_f32((uint16_t)(pair >> (16 * which)));
}

static inline void multiply_add(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1)
{
    const uint32_t own[6] = { a[0], a[1], a[2], a[3], b0, b1 };
    const char *all = (const char *)emulate_exchange(own, sizeof own);
    unsigned lane = threadIdx.x & 31;

    for (unsigned i = 0; i < 4; i++) {
        unsigned row = lane / 4 + 8 * (i / 2), column = 2 * (lane % 4) + i % 2;
        double sum = 0;
        for (unsigned k = 0; k < 16; k++) {
            const uint32_t *x = (const uint32_t *)(all + (row % 8 * 4 + k % 8 / 2) * EMULATED_EXCHANGE);
            const uint32_t *y = (const uint32_t *)(all + (column * 4 + k % 8 / 2) * EMULATED_EXCHANGE);
            sum += (double)half_of(x[row / 8 + 2 * (k / 8)], k % 2) * (double)half_of(y[4 + k / 8], k % 2);
        }
        c[i] = (float)(c[i] + sum);
    }
}

static inline void emulated_matrices(uint32_t r[4], const uint16_t *row, bool is_transposed)
{
    const char *all = (const char *)emulate_exchange(&row, sizeof row);
    unsigned lane = threadIdx.x & 31;

    for (unsigned m = 0; m < 4; m++) {
        uint16_t pair[2];
        for (unsigned i = 0; i < 2; i++) {
            unsigned y = lane / 4, x = 2 * (lane % 4) + i;
            const uint16_t *at;
            memcpy(&at, all + (8 * m + (is_transposed ? x : y)) * EMULATED_EXCHANGE, sizeof at);
            pair[i] = at[is_transposed ? y : x];
        }
        r[m] = pair[0] | (uint32_t)pair[1] << 16;
    }
    emulate_warp_barrier();
}
static inline void load_matrices(uint32_t r[4], const uint16_t *row)
{
    emulated_matrices(r, row, false);
}
static inline void load_matrices_transposed(uint32_t r[4], const uint16_t *row)
{
    emulated_matrices(r, row, true);
}

/* Copies arrive at the wait and not before. */
void emulate_copy_begin(void *to, const void *from, size_t bytes, bool is_there);
void emulate_copies_close();
void emulate_copies_wait(int open);
static inline void copy_begin(uint16_t *to, const uint16_t *from, bool is_there)
{
    emulate_copy_begin(to, from, 16, is_there);
}
static inline void copy_begin(float *to, const float *from, bool is_there)
{
    emulate_copy_begin(to, from, 4, is_there);
}
static inline void copies_close()
{
    emulate_copies_close();
}
template <int open> static inline void copies_wait()
{
    emulate_copies_wait(open);
}
#endif
