/* The one door to the vendor's matrix products. */
#ifndef COMPUTE_CUDA_BLAS_CUH
#define COMPUTE_CUDA_BLAS_CUH
#include "compute/cuda/common.cuh"

/* out[m,n] = a[m,k] b[k,n] (+ out) (+ bias[n]) (then max(0, .)), rows `stride` elements apart. Turned: a is stored as
 * [k,m], b as [n,k]. Sums are F32; F32 inputs are multiplied as F32. */
struct product {
    int64_t m, n, k;
    const void *a, *b;
    void *out;
    int64_t a_stride, b_stride, out_stride;
    bool a_turned, b_turned;
    enum dtype in_type, out_type;
    const float *bias; /* or NULL */
    bool adds, relu;
};
int blas_product(struct device *d, const struct product &p);
/* The same, and where the library can in the same pass, sums[m] = the sums of a's columns, a turned: *has_sums says
 * whether. */
int blas_product_sums(struct device *d, const struct product &p, float *sums, bool *has_sums);
/* The same by a kernel of our own, for what the library refuses (product.cu). */
int plain_product(struct device *d, const struct product &p);
int blas_open(struct device *d, struct gpu *g);
void blas_close(struct gpu *g);
#endif
