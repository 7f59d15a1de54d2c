/* Products that the library has no kernel for (odd strides of BF16, say): a thread an element, right for any shape. */
#include "compute/cuda/blas.cuh"

enum { THREADS = 256 };

static __global__ void multiply(struct product p)
{
    int64_t i = blockIdx.x * (int64_t)THREADS + threadIdx.x, row = i / p.n, column = i % p.n;
    struct array a = { (void *)p.a, p.in_type == DT_BF16, false }, b = { (void *)p.b, p.in_type == DT_BF16, false };
    struct array out = { p.out, p.out_type == DT_BF16, false };

    if (i >= p.m * p.n) return;
    float sum = p.adds ? get(out, row * p.out_stride + column) : 0;
    if (p.bias) sum += p.bias[column];
    for (int64_t k = 0; k < p.k; k++)
        sum += get(a, p.a_turned ? k * p.a_stride + row : row * p.a_stride + k) *
               get(b, p.b_turned ? column * p.b_stride + k : k * p.b_stride + column);
    put(out, row * p.out_stride + column, p.relu && sum < 0 ? 0 : sum);
}

int plain_product(struct device *d, const struct product &p)
{
    return launch(d, "matrix product", multiply, pieces(p.m * p.n, THREADS), THREADS, 0, p);
}
