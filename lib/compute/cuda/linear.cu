/* Linear layers: the products are the library's (blas.cu); sums over rows are ours, in two halves with a fixed order:
 * chunks of rows, then the chunks. */
#include "compute/cuda/blas.cuh"

int cuda_linear_forward(struct device *d, struct tensor y, struct tensor x, struct tensor w, struct tensor b, int flags)
{
    int64_t rows = x.shape[0], in = x.shape[1], out = w.shape[0];

    return blas_product(d, product{ rows, out, in, x.data, w.data, y.data, in, in, out, false, true, x.dtype, y.dtype,
                                    f32(b), (flags & LINEAR_ADD) != 0, false });
}

int cuda_linear_backward_input(struct device *d, struct tensor dx, struct tensor dy, struct tensor w, int flags)
{
    int64_t rows = dy.shape[0], in = w.shape[1], out = w.shape[0];

    return blas_product(d, product{ rows, in, out, dy.data, w.data, dx.data, out, in, in, false, false, dy.dtype,
                                    dx.dtype, NULL, (flags & LINEAR_ADD) != 0, false });
}

/* The gradient of the bias comes out of the product that reads dy anyway, where the library can do that. */
int cuda_linear_backward_weight(struct device *d, struct tensor dw, struct tensor db, struct tensor dy, struct tensor x)
{
    const char *row = "linear_backward_weight";
    int64_t rows = dy.shape[0], in = x.shape[1], out = dy.shape[1];
    const struct product p = { out, in,   rows,  dy.data,  x.data, dw.data, out,  in,
                               in,  true, false, dy.dtype, DT_F32, NULL,    true, false };
    bool has_sums = false;

    if (!db.data) return blas_product(d, p);
    float *sums = (float *)gpu_room(d, ROOM_BIAS, out * 4);
    if (!sums || blas_product_sums(d, p, sums, &has_sums)) return -1;
    return has_sums ? add_partials(d, row, f32(db), sums, 1, out) : column_sums(d, row, db, dy);
}

/* ---- sums over rows ---- */

enum { SUM_WARPS = 8, SUM_WIDTH = WARP * EIGHT };

/* part[chunk, c] = sum of x[t, c] over the chunk's rows: a block has 256 columns, a warp every eighth row, so that a
 * row of a warp is one stretch of 512 bytes (BF16). */
template <bool HALVES>
static __global__ void sum_chunks(float *part, struct array x, int64_t rows, int64_t width, int64_t each)
{
    __shared__ float sums[SUM_WARPS][SUM_WIDTH];
    int64_t c = blockIdx.x * (int64_t)SUM_WIDTH + threadIdx.x % WARP * EIGHT, from = blockIdx.y * each;
    int64_t to = from + each < rows ? from + each : rows;
    int warp = threadIdx.x / WARP, at = threadIdx.x % WARP * EIGHT;
    float sum[EIGHT] = {}, v[EIGHT];

    if (c >= width) to = from; /* nothing is there; the block goes on together */
#pragma unroll 8
    for (int64_t t = from + warp; t < to; t += SUM_WARPS) {
        load8<HALVES>(v, x, t * width + c, width - c);
#pragma unroll
        for (int k = 0; k < EIGHT; k++) sum[k] += v[k];
    }
    for (int k = 0; k < EIGHT; k++) sums[warp][at + k] = sum[k];
    __syncthreads();
    c = blockIdx.x * (int64_t)SUM_WIDTH + threadIdx.x;
    if (c >= width) return;
    float total = 0;
    for (int w = 0; w < SUM_WARPS; w++) total += sums[w][threadIdx.x];
    part[blockIdx.y * width + c] = total;
}

int column_sums(struct device *d, const char *row, struct tensor db, struct tensor dy)
{
    int64_t width = db.n, rows = dy.n / width, chunks = chunks_of(rows);
    float *part = (float *)gpu_room(d, ROOM_PARTIAL, chunks * width * 4);

    if (!part) return -1;
    if (launch(d, row, are_halves(width, array_of(dy)) ? sum_chunks<true> : sum_chunks<false>,
               dim3(pieces(width, SUM_WIDTH), (unsigned)chunks), SUM_WARPS * WARP, 0, part, array_of(dy), rows, width,
               (int64_t)pieces(rows, chunks)))
        return -1;
    return add_partials(d, row, f32(db), part, chunks, width);
}

/* A block has 32 columns; its eight warps take every eighth part. */
static __global__ void add_parts(float *out, const float *part, int64_t n, int64_t width)
{
    __shared__ float sums[SUM_WARPS][WARP];
    int64_t c = blockIdx.x * (int64_t)WARP + threadIdx.x % WARP;
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    float sum = 0;

#pragma unroll 4
    for (int64_t i = warp; i < n; i += SUM_WARPS) sum += c < width ? part[i * width + c] : 0;
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp || c >= width) return;
    for (int w = 1; w < SUM_WARPS; w++) sum += sums[w][lane];
    out[c] += sum;
}

int add_partials(struct device *d, const char *row, float *out, const float *part, int64_t n, int64_t width)
{
    return launch(d, row, add_parts, pieces(width, WARP), SUM_WARPS * WARP, 0, out, part, n, width);
}
