/* Matrix products by cuBLASLt: bias, ReLU and the gradient of the bias in the epilogue, so that an output is written,
 * and its gradient read, once. The exact GELU (with erf) and its gradient stay kernels of their own: the library's
 * epilogues are the tanh approximation. The library sees matrices column by column, so that our out[m,n] = a b is its
 * out' = b' a'. Heuristics for a shape are asked once and kept,
 * refusals too. */
#include "compute/cuda/blas.cuh"
#include <cublasLt.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEPT = 512, WORKSPACE = 32 << 20 /* NVIDIA's advice for Hopper */, BIAS_ALIGN = 16 };
enum { THREADS = 256, SPREAD = 1 << 20 /* multiplications from which on factors are aligned */ };

/* What decides about an algorithm. */
struct shape {
    int64_t m, n, k, a_stride, b_stride, out_stride;
    int a_turned, b_turned, in_type, out_type, epilogue, adds, a_align, b_align, out_align;
};
struct kept {
    struct shape shape;
    bool is_used, is_refused;
    cublasLtMatmulAlgo_t algorithm;
};
struct blas {
    cublasLtHandle_t handle;
    void *workspace;
    struct kept kept[KEPT];
};

static int failed(struct device *d, const char *what, cublasStatus_t s)
{
    if (!d->why[0]) snprintf(d->why, sizeof d->why, "%s: cuBLASLt: %s", what, cublasLtGetStatusString(s));
    return -1;
}

int blas_open(struct device *d, struct gpu *g)
{
    struct blas *b = (struct blas *)calloc(1, sizeof *b);

    if (!b) return -1;
    g->blas = b;
    cublasStatus_t s = cublasLtCreate(&b->handle);
    if (s != CUBLAS_STATUS_SUCCESS) return failed(d, "open", s);
    return cuda_allocate(d, &b->workspace, WORKSPACE);
}

void blas_close(struct gpu *g)
{
    struct blas *b = (struct blas *)g->blas;

    if (!b) return;
    cudaFree(b->workspace);
    if (b->handle) cublasLtDestroy(b->handle);
    free(b);
}

/* ---- factors that are not aligned ----
 *
 * Rows of BF16 at no multiples of 16 bytes (gradients of a vocabulary's logits) the library multiplies at a fraction of
 * its rate, or refuses: they are copied apart first, which takes a fraction of the product. */

/* Eight columns a thread; what is added to a row is zero. */
static __global__ void spread_rows(struct array to, struct array from, int64_t rows, int64_t width, int64_t stride,
                                   int64_t wide)
{
    int64_t c = (blockIdx.x * (int64_t)THREADS + threadIdx.x) * EIGHT;
    float v[EIGHT];

    if (c >= wide) return;
    for (int64_t t = blockIdx.y; t < rows; t += gridDim.y) {
        load8(v, from, t * stride + c, width - c);
        store8<true>(to, t * wide + c, EIGHT, v);
    }
}

static int spread(struct device *d, const void **at, int64_t *stride, int64_t rows, int64_t width, enum room room)
{
    int64_t wide = pieces(width, EIGHT) * (int64_t)EIGHT;

    if (*stride % EIGHT == 0 && (uintptr_t)*at % 16 == 0) return 0;
    void *to = gpu_room(d, room, rows * wide * 2);
    if (!to ||
        launch(d, "matrix product", spread_rows, dim3(pieces(wide, THREADS * EIGHT), (unsigned)least(rows, 65535)),
               THREADS, 0, array{ to, true, true }, array{ (void *)*at, true, false }, rows, width, *stride, wide))
        return -1;
    *at = to;
    *stride = wide;
    return 0;
}

static int spread_factors(struct device *d, struct product *p)
{
    if (p->in_type != DT_BF16 || p->m * p->n * p->k < SPREAD) return 0;
    if (spread(d, &p->a, &p->a_stride, p->a_turned ? p->k : p->m, p->a_turned ? p->m : p->k, ROOM_LEFT)) return -1;
    return spread(d, &p->b, &p->b_stride, p->b_turned ? p->n : p->k, p->b_turned ? p->k : p->n, ROOM_RIGHT);
}

/* ---- one product ---- */

static cudaDataType_t type(enum dtype t)
{
    return t == DT_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

/* The largest power of two up to 256 that the address is a multiple of: the library assumes 256 unless it is told. */
static uint32_t alignment(const void *p)
{
    uint32_t a = 256;

    while ((uintptr_t)p % a) a /= 2;
    return a;
}

struct descriptors {
    cublasLtMatmulDesc_t op;
    cublasLtMatrixLayout_t a, b, out;
};

/* What is done with an output element, and the vector [n] for it that is read, or for BGRADB [m] written: their b is
 * our a. */
struct ending {
    cublasLtEpilogue_t epilogue;
    const void *bias;
};

static struct ending ending_of(const struct product &p, const void *bias)
{
    if (bias) return ending{ p.relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS, bias };
    return ending{ p.relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT, NULL };
}

static cublasStatus_t describe(struct descriptors *x, const struct product &p, const struct ending &end)
{
    cublasOperation_t turn_a = p.a_turned ? CUBLAS_OP_T : CUBLAS_OP_N, turn_b = p.b_turned ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasLtEpilogue_t epilogue = end.epilogue;
    const void *bias = end.bias;
    cudaDataType_t in = type(p.in_type), out = type(p.out_type);

    cublasStatus_t s = cublasLtMatmulDescCreate(&x->op, CUBLAS_COMPUTE_32F, CUDA_R_32F);
    if (!s) s = cublasLtMatmulDescSetAttribute(x->op, CUBLASLT_MATMUL_DESC_TRANSA, &turn_b, sizeof turn_b);
    if (!s) s = cublasLtMatmulDescSetAttribute(x->op, CUBLASLT_MATMUL_DESC_TRANSB, &turn_a, sizeof turn_a);
    if (!s) s = cublasLtMatmulDescSetAttribute(x->op, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    if (!s && bias) s = cublasLtMatmulDescSetAttribute(x->op, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
    if (!s && bias) s = cublasLtMatmulDescSetAttribute(x->op, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, &out, sizeof out);
    if (!s)
        s = p.b_turned ? cublasLtMatrixLayoutCreate(&x->b, in, (uint64_t)p.k, (uint64_t)p.n, p.b_stride)
                       : cublasLtMatrixLayoutCreate(&x->b, in, (uint64_t)p.n, (uint64_t)p.k, p.b_stride);
    if (!s)
        s = p.a_turned ? cublasLtMatrixLayoutCreate(&x->a, in, (uint64_t)p.m, (uint64_t)p.k, p.a_stride)
                       : cublasLtMatrixLayoutCreate(&x->a, in, (uint64_t)p.k, (uint64_t)p.m, p.a_stride);
    if (!s) s = cublasLtMatrixLayoutCreate(&x->out, out, (uint64_t)p.n, (uint64_t)p.m, p.out_stride);
    return s;
}

static void release(struct descriptors *x)
{
    if (x->out) cublasLtMatrixLayoutDestroy(x->out);
    if (x->b) cublasLtMatrixLayoutDestroy(x->b);
    if (x->a) cublasLtMatrixLayoutDestroy(x->a);
    if (x->op) cublasLtMatmulDescDestroy(x->op);
}

/* Refused by the heuristic, or at the call that it was for. */
static bool is_refused(cublasStatus_t s)
{
    return s == CUBLAS_STATUS_NOT_SUPPORTED || s == CUBLAS_STATUS_INVALID_VALUE;
}

static cublasStatus_t ask(const struct blas *b, const struct descriptors *x, const struct shape *k, struct kept *to)
{
    cublasLtMatmulPreference_t wish = NULL;
    cublasLtMatmulHeuristicResult_t found = {};
    size_t workspace = WORKSPACE;
    uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE; /* parts of a sum are F32 until they are added */
    uint32_t a = (uint32_t)k->b_align, c = (uint32_t)k->a_align, out = (uint32_t)k->out_align; /* theirs: a is our b */
    int n = 0;

    cublasStatus_t s = cublasLtMatmulPreferenceCreate(&wish);
    if (!s)
        s = cublasLtMatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                                 sizeof workspace);
    if (!s)
        s = cublasLtMatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions,
                                                 sizeof reductions);
    if (!s) s = cublasLtMatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &a, sizeof a);
    if (!s) s = cublasLtMatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &c, sizeof c);
    if (!s)
        s = cublasLtMatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &out, sizeof out);
    if (!s)
        s = cublasLtMatmulPreferenceSetAttribute(wish, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &out, sizeof out);
    if (!s) s = cublasLtMatmulAlgoGetHeuristic(b->handle, x->op, x->b, x->a, x->out, x->out, wish, 1, &found, &n);
    bool is_none = is_refused(s) || (!s && !n);
    if (wish) cublasLtMatmulPreferenceDestroy(wish);
    if (!s || is_none) *to = kept{ *k, true, is_none, found.algo };
    return is_none ? CUBLAS_STATUS_NOT_SUPPORTED : s;
}

/* The place of a shape in the table; whatever was there gives way. */
static struct kept *place_of(struct blas *b, const struct shape *k)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < sizeof *k; i++) h = (h ^ ((const unsigned char *)k)[i]) * 1099511628211u;
    return &b->kept[(h >> 20) % KEPT];
}

static cublasStatus_t run(struct device *d, struct product p, const struct ending &end)
{
    struct blas *b = (struct blas *)gpu_of(d)->blas;
    struct descriptors x = {};
    struct shape k;
    const float one = 1, add = p.adds;

    if (spread_factors(d, &p)) return CUBLAS_STATUS_ALLOC_FAILED;
    memset(&k, 0, sizeof k); /* compared by bytes */
    k.m = p.m, k.n = p.n, k.k = p.k;
    k.a_stride = p.a_stride, k.b_stride = p.b_stride, k.out_stride = p.out_stride;
    k.a_turned = p.a_turned, k.b_turned = p.b_turned, k.in_type = p.in_type, k.out_type = p.out_type;
    k.epilogue = end.epilogue, k.adds = p.adds;
    k.a_align = (int)alignment(p.a), k.b_align = (int)alignment(p.b), k.out_align = (int)alignment(p.out);
    struct kept *at = place_of(b, &k);
    cublasStatus_t s = describe(&x, p, end);
    if (!s && (!at->is_used || memcmp(&at->shape, &k, sizeof k))) s = ask(b, &x, &k, at);
    else if (!s && at->is_refused) s = CUBLAS_STATUS_NOT_SUPPORTED;
    if (!s)
        s = cublasLtMatmul(b->handle, x.op, &one, p.b, x.b, p.a, x.a, &add, p.out, x.out, p.out, x.out, &at->algorithm,
                           b->workspace, WORKSPACE, gpu_queue(d));
    release(&x);
    return s;
}

/* What the library refuses is multiplied by a kernel of our own. */
static int finish(struct device *d, const struct product &p, cublasStatus_t s)
{
    char what[160];

    if (is_refused(s)) {
        cudaGetLastError(); /* what it tried may have left one */
        return plain_product(d, p);
    }
    if (!s) return gpu_check(d, "matrix product", cudaGetLastError());
    snprintf(what, sizeof what, "product %s[%lld,%lld]%s [%lld,%lld]%s, rows %lld, %lld, %lld apart",
             p.in_type == DT_BF16 ? "BF16" : "F32", (long long)p.m, (long long)p.k, p.a_turned ? " turned" : "",
             (long long)p.k, (long long)p.n, p.b_turned ? " turned" : "", (long long)p.a_stride, (long long)p.b_stride,
             (long long)p.out_stride);
    return failed(d, what, s);
}

/* The epilogue takes a bias of the output's type, and reads it 16 bytes at a time: no preference tells it of less. */
static const void *bias_for(struct device *d, const struct product &p)
{
    if (!p.bias || (p.out_type == DT_F32 && alignment(p.bias) >= BIAS_ALIGN)) return p.bias;
    struct tensor from = { (void *)(uintptr_t)p.bias, p.n, { p.n, 1, 1, 1 }, 1, DT_F32 }, to = from;
    to.data = gpu_room(d, ROOM_BIAS, p.n * 4);
    to.dtype = p.out_type;
    return to.data && !cuda_convert(d, to, from) ? to.data : NULL;
}

int blas_product(struct device *d, const struct product &p)
{
    const void *bias = bias_for(d, p);
    return p.bias && !bias ? -1 : finish(d, p, run(d, p, ending_of(p, bias)));
}

int blas_product_sums(struct device *d, const struct product &p, float *sums, bool *has_sums)
{
    cublasStatus_t s = run(d, p, ending{ CUBLASLT_EPILOGUE_BGRADB, sums });

    *has_sums = s == CUBLAS_STATUS_SUCCESS;
    return is_refused(s) ? blas_product(d, p) : finish(d, p, s);
}
