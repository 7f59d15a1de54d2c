/* lib/compute/cuda/blas.cu for the host: products as plain loops, small ones by the kernel for what the library
 * refuses. */
#include "compute/cuda/blas.cuh"
#include "core/dtype.h"

int blas_open(struct device *, struct gpu *)
{
    return 0;
}
void blas_close(struct gpu *)
{
}

static double element(const void *p, enum dtype t, int64_t i)
{
    return t == DT_BF16 ? bf16_to_f32(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}

int blas_product(struct device *d, const struct product &q)
{
    struct product p = q;

    if (p.m * p.n * p.k < 20000) return plain_product(d, q);

    p.a = emulate_view(p.a);
    p.b = emulate_view(p.b);
    p.out = emulate_view(p.out);
    p.bias = (const float *)emulate_view(p.bias);
    for (int64_t i = 0; i < p.m; i++) {
        for (int64_t j = 0; j < p.n; j++) {
            int64_t at = i * p.out_stride + j;
            double sum = p.adds ? element(p.out, p.out_type, at) : 0;
            if (p.bias) sum += p.bias[j];
            for (int64_t k = 0; k < p.k; k++)
                sum += element(p.a, p.in_type, p.a_turned ? k * p.a_stride + i : i * p.a_stride + k) *
                       element(p.b, p.in_type, p.b_turned ? j * p.b_stride + k : k * p.b_stride + j);
            if (p.relu && sum < 0) sum = 0;
            if (p.out_type == DT_BF16) ((uint16_t *)p.out)[at] = f32_to_bf16((float)sum);
            else ((float *)p.out)[at] = (float)sum;
        }
    }
    return 0;
}

/* Refused for odd widths, so that both ways are taken. */
int blas_product_sums(struct device *d, const struct product &p, float *sums, bool *has_sums)
{
    const void *a = emulate_view(p.a);

    *has_sums = p.m % 2 == 0;
    for (int64_t i = 0; i < p.m && *has_sums; i++) {
        double sum = 0;
        for (int64_t k = 0; k < p.k; k++) sum += element(a, p.in_type, k * p.a_stride + i);
        ((float *)emulate_view(sums))[i] = (float)sum;
    }
    return blas_product(d, p);
}
