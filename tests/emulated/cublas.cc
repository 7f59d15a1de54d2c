/* cuBLASLt for the host, as its manual has it: matrices column by column, d = op(a) op(b) (+ d), then the epilogue.
 * What the library leaves undefined or a GPU would trap on ends the program: shapes that do not fit, addresses less
 * aligned than the heuristic was told, a bias that is not aligned to 16 bytes. What it may refuse is refused now and
 * then: strides of BF16 that are no multiple of 4 bytes, sums beside a product of odd width, the smallest products. And
 * where partial sums may have the output's type, they have. */
#include "core/dtype.h"
#include <cublasLt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct emulated_matmul {
    cublasOperation_t turn_a, turn_b;
    cublasLtEpilogue_t epilogue;
    const void *bias;
    int bias_type; /* -1: the output's */
};
struct emulated_layout {
    cudaDataType_t type;
    int64_t rows, cols, ld;
};
enum { A, B, C, D, MATRICES };
struct emulated_preference {
    size_t workspace;
    uint32_t align[MATRICES], reductions;
};
/* What an algorithm relies on, inside cublasLtMatmulAlgo_t. */
struct algorithm {
    uint32_t align[MATRICES], reductions;
    int32_t epilogue;
};
static_assert(sizeof(struct algorithm) <= sizeof(cublasLtMatmulAlgo_t), "an algorithm fits");
enum { BIAS_ALIGN = 16, SMALLEST = 1000, WORKSPACE = 1 << 20 };

[[noreturn]] static void fail(const char *why)
{
    fprintf(stderr, "emulated cuBLASLt: %s\n", why);
    abort();
}

const char *cublasLtGetStatusString(cublasStatus_t s)
{
    return s == CUBLAS_STATUS_NOT_SUPPORTED ? "not supported" : s ? "invalid value" : "success";
}
cublasStatus_t cublasLtCreate(cublasLtHandle_t *h)
{
    static char handle;

    *h = (cublasLtHandle_t)&handle;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

/* ---- descriptions ---- */

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *x, cublasComputeType_t compute, cudaDataType_t scale)
{
    if (compute != CUBLAS_COMPUTE_32F || scale != CUDA_R_32F) return CUBLAS_STATUS_INVALID_VALUE;
    *x = (cublasLtMatmulDesc_t)malloc(sizeof **x);
    if (!*x) return CUBLAS_STATUS_ALLOC_FAILED;
    **x = emulated_matmul{ CUBLAS_OP_N, CUBLAS_OP_N, CUBLASLT_EPILOGUE_DEFAULT, NULL, -1 };
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t x)
{
    free(x);
    return CUBLAS_STATUS_SUCCESS;
}

static cublasStatus_t set(void *to, size_t room, const void *value, size_t bytes)
{
    if (bytes != room) return CUBLAS_STATUS_INVALID_VALUE;
    memcpy(to, value, bytes);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t x, cublasLtMatmulDescAttributes_t what,
                                              const void *value, size_t bytes)
{
    switch (what) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
        return set(&x->turn_a, 4, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
        return set(&x->turn_b, 4, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
        return set(&x->epilogue, 4, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
        return set(&x->bias, sizeof x->bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
        return set(&x->bias_type, 4, value, bytes);
    }
    return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *x, cudaDataType_t type, uint64_t rows, uint64_t cols,
                                          int64_t ld)
{
    *x = (cublasLtMatrixLayout_t)malloc(sizeof **x);
    if (!*x) return CUBLAS_STATUS_ALLOC_FAILED;
    **x = emulated_layout{ type, (int64_t)rows, (int64_t)cols, ld };
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t x)
{
    free(x);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *x)
{
    *x = (cublasLtMatmulPreference_t)malloc(sizeof **x);
    if (!*x) return CUBLAS_STATUS_ALLOC_FAILED;
    **x = emulated_preference{ 0, { 256, 256, 256, 256 }, CUBLASLT_REDUCTION_SCHEME_MASK };
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t x)
{
    free(x);
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t x,
                                                    cublasLtMatmulPreferenceAttributes_t what, const void *value,
                                                    size_t bytes)
{
    if (what == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return set(&x->workspace, sizeof x->workspace, value, bytes);
    if (what == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) return set(&x->reductions, 4, value, bytes);
    int which = what - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
    return which < MATRICES ? set(&x->align[which], 4, value, bytes) : CUBLAS_STATUS_INVALID_VALUE;
}

/* ---- products ---- */

/* Inputs of one type, and an output of that type or F32; shapes that fit together. */
static void check_shapes(cublasLtMatmulDesc_t op, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                         cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d)
{
    int64_t k = op->turn_a ? a->rows : a->cols;
    cublasLtMatrixLayout_t all[MATRICES] = { a, b, c, d };

    for (cublasLtMatrixLayout_t x : all) {
        if (x->rows < 1 || x->cols < 1 || x->ld < x->rows) fail("a matrix without elements, or of overlapping columns");
    }
    if ((op->turn_a ? a->cols : a->rows) != d->rows || (op->turn_b ? b->rows : b->cols) != d->cols ||
        (op->turn_b ? b->cols : b->rows) != k)
        fail("factors that do not fit");
    if (memcmp(c, d, sizeof *c)) fail("c is not d");
    if (a->type != b->type || (d->type != a->type && d->type != CUDA_R_32F)) fail("types that do not fit");
    if (op->bias_type >= 0 && op->bias_type != (int)d->type) fail("a bias of another type than the output");
}

static int64_t size_of(cudaDataType_t t)
{
    return t == CUDA_R_16BF ? 2 : 4;
}
static bool is_odd(cublasLtMatrixLayout_t x, uint32_t align)
{
    return (x->ld * size_of(x->type)) % 4 || align % 4;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t op, cublasLtMatrixLayout_t a,
                                              cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c,
                                              cublasLtMatrixLayout_t d, cublasLtMatmulPreference_t wish, int most,
                                              cublasLtMatmulHeuristicResult_t *found, int *n)
{
    struct algorithm x = { {}, wish->reductions, op->epilogue };

    check_shapes(op, a, b, c, d);
    memcpy(x.align, wish->align, sizeof x.align);
    *n = 0;
    if (most < 1) return CUBLAS_STATUS_INVALID_VALUE;
    if (is_odd(a, x.align[A]) || is_odd(b, x.align[B]) || is_odd(d, x.align[D])) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (op->epilogue == CUBLASLT_EPILOGUE_BGRADB && d->cols % 2) return CUBLAS_STATUS_INVALID_VALUE;
    if (d->rows * d->cols * (op->turn_a ? a->rows : a->cols) < SMALLEST) return CUBLAS_STATUS_SUCCESS; /* none found */
    if (wish->workspace < WORKSPACE) fail("less working memory than the library asks for");
    memcpy(&found->algo, &x, sizeof x);
    found->workspaceSize = WORKSPACE;
    *n = 1;
    return CUBLAS_STATUS_SUCCESS;
}

static double get(const void *p, int type, int64_t i)
{
    return type == CUDA_R_16BF ? bf16_to_f32(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}
static void put(void *p, int type, int64_t i, double v)
{
    if (type == CUDA_R_16BF) ((uint16_t *)p)[i] = f32_to_bf16((float)v);
    else ((float *)p)[i] = (float)v;
}

static void check_call(const struct algorithm *x, cublasLtMatmulDesc_t op, const void *const at[MATRICES])
{
    for (int i = 0; i < MATRICES; i++) {
        if ((uintptr_t)at[i] % x->align[i]) fail("a matrix is less aligned than the heuristic was told");
    }
    if (x->epilogue != (int32_t)op->epilogue) fail("an algorithm for another epilogue");
    bool has_vector = op->epilogue != CUBLASLT_EPILOGUE_DEFAULT && op->epilogue != CUBLASLT_EPILOGUE_RELU;
    if (has_vector != (op->bias != NULL)) fail("an epilogue without its vector, or a vector without its epilogue");
    if ((uintptr_t)op->bias % BIAS_ALIGN) fail("misaligned address: a bias is read 16 bytes at a time");
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t op, const void *alpha, const void *a,
                              cublasLtMatrixLayout_t al, const void *b, cublasLtMatrixLayout_t bl, const void *beta,
                              const void *c, cublasLtMatrixLayout_t cl, void *d, cublasLtMatrixLayout_t dl,
                              const cublasLtMatmulAlgo_t *algorithm, void *workspace, size_t workspace_bytes,
                              cudaStream_t)
{
    const void *const at[MATRICES] = { a, b, c, d };
    int64_t depth = op->turn_a ? al->rows : al->cols;
    struct algorithm x;

    memcpy(&x, algorithm, sizeof x);
    check_shapes(op, al, bl, cl, dl);
    check_call(&x, op, at);
    if (!workspace || workspace_bytes < WORKSPACE || c != d) fail("no working memory, or not in place");
    const void *from_a = emulate_view(a), *from_b = emulate_view(b);
    void *to = emulate_view(d), *vector = emulate_view(op->bias);
    bool is_rounded = dl->type == CUDA_R_16BF &&
                      x.reductions & (CUBLASLT_REDUCTION_SCHEME_INPLACE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE);
    for (int64_t j = 0; j < dl->cols; j++) {
        double column = 0;
        for (int64_t k = 0; k < depth; k++)
            column += get(from_b, bl->type, op->turn_b ? j + k * bl->ld : k + j * bl->ld);
        if (op->epilogue == CUBLASLT_EPILOGUE_BGRADB) put(vector, dl->type, j, column);
        for (int64_t i = 0; i < dl->rows; i++) {
            double sum = 0;
            for (int64_t k = 0; k < depth; k++) {
                sum += get(from_a, al->type, op->turn_a ? k + i * al->ld : i + k * al->ld) *
                       get(from_b, bl->type, op->turn_b ? j + k * bl->ld : k + j * bl->ld);
                if (is_rounded) sum = bf16_to_f32(f32_to_bf16((float)sum));
            }
            sum *= *(const float *)alpha;
            if (*(const float *)beta != 0) sum += *(const float *)beta * get(to, dl->type, i + j * dl->ld);
            if (op->epilogue & CUBLASLT_EPILOGUE_BIAS) sum += get(vector, dl->type, i);
            if (op->epilogue & CUBLASLT_EPILOGUE_RELU && sum < 0) sum = 0;
            put(to, dl->type, i + j * dl->ld, sum);
        }
    }
    return CUBLAS_STATUS_SUCCESS;
}
