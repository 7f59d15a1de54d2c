/* Every image is compared with every other: features are dense, and an index would only approximate. Vectors are kept
 * in half precision, which moves a cosine by less than a thousandth and halves what is read. */
#include "rewrite/means.h"
#include "core/spool.h"
#include "stream/safetensors.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEANS_FORMAT "unimo-rewrite means 1"
enum { WIDTH_MAX = 1 << 16 };

struct means_builder {
    struct spool *spool;
    int64_t n, width;
    uint16_t *half;
};

struct means_builder *means_builder_new(const char *dir, struct err *e)
{
    struct means_builder *b = mem_new(struct means_builder, 1);

    b->spool = spool_new(dir, e);
    if (b->spool) return b;
    free(b);
    return NULL;
}

int means_of(const struct record *r, const float **out, int64_t *width, struct arena *a, struct err *e)
{
    const struct record_tensor *t;
    double length = 0;

    if (record_tensor_shaped(r, "features", DT_NONE, 2, (const int64_t[]){ -1, -1 }, &t, e)) return -1;
    int64_t n = t->shape[0], d = t->shape[1];
    if (!n || d < 1 || d > WIDTH_MAX)
        return err_set(e, ERR_INPUT, "tensor \"features\": %lld rows of %lld (expected some)", (long long)n,
                       (long long)d);
    if (!dtype_is_float(t->dtype))
        return err_set(e, ERR_INPUT, "tensor \"features\": dtype %s (expected a float type)", dtype_name(t->dtype));
    float *row = arena_new(a, float, d), *mean = arena_new(a, float, d);
    for (int64_t i = 0; i < n; i++) {
        dtype_to_f32(row, (const char *)t->data + i * d * dtype_size(t->dtype), t->dtype, d);
        for (int64_t k = 0; k < d; k++) mean[k] += row[k] / (float)n;
    }
    for (int64_t k = 0; k < d; k++) length += (double)mean[k] * (double)mean[k];
    if (!isfinite(length)) return err_set(e, ERR_INPUT, "tensor \"features\" has a value that is not finite");
    for (int64_t k = 0; k < d && length > 0; k++) mean[k] = (float)((double)mean[k] / sqrt(length));
    *out = mean;
    *width = d;
    return 0;
}

int means_builder_fits(const struct means_builder *b, int64_t width, struct err *e)
{
    if (!b->n || width == b->width) return 0;
    return err_set(e, ERR_INPUT, "tensor \"features\" is %lld wide (expected %lld, as in the image before)",
                   (long long)width, (long long)b->width);
}

int means_builder_add(struct means_builder *b, const float *mean, int64_t width, struct err *e)
{
    if (!b->n) {
        b->width = width;
        b->half = mem_new(uint16_t, width);
    }
    assert(width == b->width);
    dtype_from_f32(b->half, DT_F16, mean, width);
    b->n++;
    return spool_add(b->spool, b->half, sizeof *b->half * (size_t)width, e);
}

int means_builder_save(struct means_builder *b, const char *path, struct err *e)
{
    static const char *const meta[] = { "format", MEANS_FORMAT };
    const void *data = spool_map(b->spool, e);
    struct safetensor t = { .name = "means",
                            .dtype = DT_F16,
                            .rank = 2,
                            .shape = { b->n, b->width },
                            .data = data,
                            .bytes = spool_bytes(b->spool),
                            .n = b->n * b->width };

    return data ? safetensors_save(path, &t, 1, meta, 1, e) : -1;
}

void means_builder_free(struct means_builder *b)
{
    if (!b) return;
    spool_free(b->spool);
    free(b->half);
    free(b);
}

/* ---- asking ---- */

struct means {
    struct safetensors file;
    const uint16_t *at;
    int64_t n, width;
};

static int check(struct means *m, int64_t images, struct err *e)
{
    const struct safetensor *t = safetensors_find(&m->file, "means");
    const char *format = safetensors_metadata(&m->file, "format");

    if (!format || strcmp(format, MEANS_FORMAT) || !t || t->dtype != DT_F16 || t->rank != 2 || t->shape[1] < 1 ||
        t->shape[1] > WIDTH_MAX)
        return err_set(e, ERR_INPUT, "not mean features as unimo-rewrite --learn --mean-features makes them");
    if (t->shape[0] != images)
        return err_set(e, ERR_INPUT, "%lld images (expected %lld, as in images.safetensors)", (long long)t->shape[0],
                       (long long)images);
    m->at = t->data;
    m->n = t->shape[0];
    m->width = t->shape[1];
    return 0;
}

struct means *means_open(const char *path, int64_t images, struct err *e)
{
    struct means *m = mem_new(struct means, 1);

    if (safetensors_open(&m->file, path, e)) {
        free(m);
        return NULL;
    }
    if (!check(m, images, e)) return m;
    err_in(e, "%s", path);
    means_close(m);
    return NULL;
}

void means_close(struct means *m)
{
    if (!m) return;
    safetensors_close(&m->file);
    free(m);
}

struct near {
    float score;
    int32_t image;
};

static bool is_better(struct near x, struct near y)
{
    return x.score != y.score ? x.score > y.score : x.image < y.image;
}

/* The worst of a heap is at its root: puts x there and lets it sink. */
static void replace_worst(struct near *heap, int n, struct near x)
{
    int i = 0;

    for (int child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && is_better(heap[child], heap[child + 1])) child++;
        if (!is_better(x, heap[child])) break;
        heap[i] = heap[child];
    }
    heap[i] = x;
}

static int by_nearness(const void *a, const void *b)
{
    return is_better(*(const struct near *)a, *(const struct near *)b) ? -1 : 1;
}

static float product(const float *a, const float *b, int64_t n)
{
    float part[8] = { 0 }, sum = 0; /* eight sums, in a fixed order: for the vector units */

    for (int64_t i = 0; i + 8 <= n; i += 8) {
        for (int k = 0; k < 8; k++) part[k] += a[i + k] * b[i + k];
    }
    for (int64_t i = n - n % 8; i < n; i++) sum += a[i] * b[i];
    for (int k = 0; k < 8; k++) sum += part[k];
    return sum;
}

int means_best(const struct means *m, int64_t i, int32_t *out, int k, struct arena *a)
{
    float *query = arena_new(a, float, m->width), *row = arena_new(a, float, m->width);
    struct near *heap = arena_new(a, struct near, k + 1);
    int n = 0;

    dtype_to_f32(query, m->at + i * m->width, DT_F16, m->width);
    for (int64_t j = 0; j < m->n && k > 0; j++) {
        if (j == i) continue;
        dtype_to_f32(row, m->at + j * m->width, DT_F16, m->width);
        float cosine = product(query, row, m->width);
        struct near x = { cosine >= -1.5f ? cosine : -2, (int32_t)j }; /* not a number: the farthest */
        if (n < k) {
            heap[n++] = x;
            if (n == k) qsort(heap, (size_t)n, sizeof *heap, by_nearness); /* falling: reversed it is a heap */
            for (int l = 0; n == k && l < n / 2; l++) {
                struct near swap = heap[l];
                heap[l] = heap[n - 1 - l];
                heap[n - 1 - l] = swap;
            }
        } else if (is_better(x, heap[0])) {
            replace_worst(heap, n, x);
        }
    }
    if (n) qsort(heap, (size_t)n, sizeof *heap, by_nearness);
    for (int l = 0; l < n; l++) out[l] = heap[l].image;
    return n;
}
