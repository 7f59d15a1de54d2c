/* layer.t THREADS HIDDEN HEADS VOCABULARY TEXTS LENGTH f32|bf16: the limits of this machine, then each part of a
 * training step on TEXTS texts of LENGTH rows: a layer's products, attention, norms, the head, the optimizer. One JSON
 * object a line: the part, its seconds (median and least of several runs), operations, and the bytes it has to read and
 * write. What tests/bench/layer compares with floors and its peer. */
#include "compute/backend.h"
#include "core/log.h"
#include "core/rng.h"
#include "core/str.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 9, INNER = 4, MASKED = 7 /* one row in so many has a target */ };

struct bench {
    struct device *d;
    struct scratch s;
    enum dtype t;
    int64_t T, H, V, n; /* rows, hidden, vocabulary, rows with a target */
    int heads;
    struct sequences seq;
    struct dropout drop;
    struct tensor x, y, sub, sum, dsub, stats, g, b, dg, db; /* rows of H, and what a norm has */
    struct tensor wide, act, dwide, qkv, dqkv, lse;
    struct tensor w, dw, u, du, logits, dlogits, label,
        loss;                          /* w: the largest matrix, V x H; layers use its first part */
    struct tensor p, m, v, square_sum; /* of the optimizer; its gradient is dw */
};

static const struct tensor none;

/* The first elements of a tensor as a matrix. */
static struct tensor as(struct tensor x, int64_t a, int64_t b)
{
    x.n = a * b;
    return tensor_view2(x, a, b);
}

/* ---- parts; each returns its operations, or 0, and sets the bytes ---- */

typedef double part(struct bench *k, double *bytes);

static double bytes_of(int n, const struct tensor *x)
{
    double sum = 0;

    for (int i = 0; i < n; i++) sum += (double)tensor_bytes(x[i]);
    return sum;
}
#define BYTES(...)                                                                                                     \
    bytes_of((int)(sizeof((struct tensor[]){ __VA_ARGS__ }) / sizeof(struct tensor)), (struct tensor[]){ __VA_ARGS__ })

static double forward(struct bench *k, struct tensor y, struct tensor x, double *bytes)
{
    struct tensor w = as(k->w, y.shape[1], x.shape[1]), b = tensor_rows(k->b, 0, y.shape[1]);

    op_linear_forward(k->d, y, x, w, b, LINEAR_PARAM);
    *bytes = BYTES(y, x, w);
    return 2.0 * (double)w.n * (double)x.shape[0];
}

static double backward_input(struct bench *k, struct tensor dx, struct tensor dy, double *bytes)
{
    struct tensor w = as(k->w, dy.shape[1], dx.shape[1]);

    op_linear_backward_input(k->d, dx, dy, w, LINEAR_PARAM);
    *bytes = BYTES(dx, dy, w);
    return 2.0 * (double)w.n * (double)dx.shape[0];
}

static double backward_weight(struct bench *k, struct tensor dy, struct tensor x, double *bytes)
{
    struct tensor dw = as(k->dw, dy.shape[1], x.shape[1]), db = tensor_rows(k->db, 0, dy.shape[1]);

    op_linear_backward_weight(k->d, dw, db, dy, x);
    *bytes = BYTES(dw, dw, dy, x);
    return 2.0 * (double)dw.n * (double)x.shape[0];
}

static double qkv_forward(struct bench *k, double *bytes)
{
    return forward(k, k->qkv, k->x, bytes);
}
static double qkv_input(struct bench *k, double *bytes)
{
    return backward_input(k, k->y, k->dqkv, bytes);
}
static double qkv_weight(struct bench *k, double *bytes)
{
    return backward_weight(k, k->dqkv, k->x, bytes);
}
static double out_forward(struct bench *k, double *bytes)
{
    return forward(k, k->y, k->x, bytes);
}
static double out_input(struct bench *k, double *bytes)
{
    return backward_input(k, k->y, k->x, bytes);
}
static double out_weight(struct bench *k, double *bytes)
{
    return backward_weight(k, k->y, k->x, bytes);
}
static double ffn_in_forward(struct bench *k, double *bytes)
{
    return forward(k, k->wide, k->x, bytes);
}
static double ffn_in_input(struct bench *k, double *bytes)
{
    return backward_input(k, k->y, k->dwide, bytes);
}
static double ffn_in_weight(struct bench *k, double *bytes)
{
    return backward_weight(k, k->dwide, k->x, bytes);
}
static double ffn_out_forward(struct bench *k, double *bytes)
{
    return forward(k, k->y, k->wide, bytes);
}
static double ffn_out_input(struct bench *k, double *bytes)
{
    return backward_input(k, k->dwide, k->x, bytes);
}
static double ffn_out_weight(struct bench *k, double *bytes)
{
    return backward_weight(k, k->x, k->wide, bytes);
}
static double attention_forward(struct bench *k, double *bytes)
{
    op_attention_forward(k->d, k->y, k->lse, k->qkv, k->seq, k->heads, 0.125f, k->drop);
    *bytes = BYTES(k->y, k->lse, k->qkv);
    return 4.0 * (double)k->x.n * (double)k->seq.longest;
}
static double attention_backward(struct bench *k, double *bytes)
{
    op_attention_backward(k->d, k->dqkv, k->x, k->y, k->qkv, k->lse, k->seq, k->heads, 0.125f, k->drop);
    *bytes = BYTES(k->dqkv, k->x, k->y, k->qkv, k->lse);
    return 8.0 * (double)k->x.n * (double)k->seq.longest;
}
static double norm_forward(struct bench *k, double *bytes)
{
    op_residual_norm_forward(k->d, k->y, k->sum, k->stats, k->x, k->sub, tensor_rows(k->g, 0, k->H),
                             tensor_rows(k->b, 0, k->H), 1e-5f, k->drop);
    *bytes = BYTES(k->y, k->sum, k->stats, k->x, k->sub);
    return 0;
}
static double norm_backward(struct bench *k, double *bytes)
{
    op_residual_norm_backward(k->d, k->y, k->dsub, tensor_rows(k->dg, 0, k->H), tensor_rows(k->db, 0, k->H), k->x,
                              k->sum, k->stats, tensor_rows(k->g, 0, k->H), k->drop);
    *bytes = BYTES(k->y, k->dsub, k->x, k->sum, k->stats);
    return 0;
}
static double gelu_forward(struct bench *k, double *bytes)
{
    op_gelu_forward(k->d, k->act, k->wide);
    *bytes = BYTES(k->act, k->wide);
    return 0;
}
static double gelu_backward(struct bench *k, double *bytes)
{
    op_gelu_backward(k->d, k->dwide, k->act, k->dwide, k->wide);
    *bytes = BYTES(k->dwide, k->act, k->dwide, k->wide);
    return 0;
}
static double dropout(struct bench *k, double *bytes)
{
    op_dropout_forward(k->d, k->y, k->x, k->drop);
    *bytes = BYTES(k->y, k->x);
    return 0;
}
static double head_forward(struct bench *k, double *bytes)
{
    op_linear_forward(k->d, k->logits, k->u, k->w, none, LINEAR_PARAM);
    *bytes = BYTES(k->logits, k->u, k->w);
    return 2.0 * (double)k->w.n * (double)k->n;
}
static double head_loss(struct bench *k, double *bytes)
{
    op_cross_entropy(k->d, k->loss, k->dlogits, k->logits, k->label, 0, 1);
    *bytes = BYTES(k->dlogits, k->logits);
    return 0;
}
static double head_input(struct bench *k, double *bytes)
{
    op_linear_backward_input(k->d, k->du, k->dlogits, k->w, LINEAR_PARAM);
    *bytes = BYTES(k->du, k->dlogits, k->w);
    return 2.0 * (double)k->w.n * (double)k->n;
}
static double head_weight(struct bench *k, double *bytes)
{
    op_linear_backward_weight(k->d, k->dw, none, k->dlogits, k->u);
    *bytes = BYTES(k->dw, k->dw, k->dlogits, k->u);
    return 2.0 * (double)k->w.n * (double)k->n;
}
static double optimizer(struct bench *k, double *bytes)
{
    struct adamw_segment all = { 0, k->p.n, 1, 0.01f };
    struct tensor grad = tensor_view1(k->dw);

    op_sum_of_squares(k->d, k->square_sum, grad);
    op_adamw(k->d, k->p, (struct tensor){ 0 }, grad, k->m, k->v, k->square_sum, &all, 1,
             (struct adamw){ 1e-4f, 0.9f, 0.98f, 1e-6f, 10, 1, 1 });
    *bytes = BYTES(k->p, k->p, grad, grad, k->m, k->m, k->v, k->v);
    return 0;
}
static double copy(struct bench *k, double *bytes)
{
    op_convert(k->d, k->m, k->p);
    *bytes = BYTES(k->m, k->p);
    return 0;
}

static const struct {
    const char *name;
    part *run;
} parts[] = { { "copy", copy },
              { "qkv, forward", qkv_forward },
              { "qkv, gradient of input", qkv_input },
              { "qkv, gradient of weight", qkv_weight },
              { "attention out, forward", out_forward },
              { "attention out, gradient of input", out_input },
              { "attention out, gradient of weight", out_weight },
              { "ffn in, forward", ffn_in_forward },
              { "ffn in, gradient of input", ffn_in_input },
              { "ffn in, gradient of weight", ffn_in_weight },
              { "ffn out, forward", ffn_out_forward },
              { "ffn out, gradient of input", ffn_out_input },
              { "ffn out, gradient of weight", ffn_out_weight },
              { "attention, forward", attention_forward },
              { "attention, backward", attention_backward },
              { "residual + dropout + norm, forward", norm_forward },
              { "residual + dropout + norm, backward", norm_backward },
              { "gelu, forward", gelu_forward },
              { "gelu, backward", gelu_backward },
              { "dropout", dropout },
              { "head, forward", head_forward },
              { "head, loss and its gradient", head_loss },
              { "head, gradient of input", head_input },
              { "head, gradient of weight", head_weight },
              { "optimizer", optimizer } };

/* ---- measuring ---- */

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(struct bench *k, const char *name, part *run)
{
    double seconds[RUNS], bytes = 0, flops = run(k, &bytes);

    op_sync(k->d);
    for (int i = 0; i < RUNS; i++) {
        double start = clock_seconds();
        run(k, &bytes);
        op_sync(k->d);
        seconds[i] = clock_seconds() - start;
    }
    qsort(seconds, RUNS, sizeof *seconds, ascending);
    printf("{\"part\": \"%s\", \"seconds\": %.9f, \"least\": %.9f, \"flops\": %.0f, \"bytes\": %.0f}\n", name,
           seconds[RUNS / 2], seconds[0], flops, bytes);
    fflush(stdout);
}

/* ---- set up ---- */

/* Small numbers around 0, the same in every run. */
static struct tensor fresh(struct bench *k, enum dtype t, int64_t a, int64_t b, double size)
{
    struct tensor exact = scratch_2d(&k->s, DT_F32, 1 << 12, 1), x = scratch_2d(&k->s, t, a, b);
    float *host = malloc((size_t)tensor_bytes(exact));
    struct rng r;

    if (!host) abort();
    rng_init(&r, 1, 2);
    for (int64_t i = 0; i < exact.n; i++) host[i] = (float)(size * rng_normal(&r));
    op_upload(k->d, exact.data, host, tensor_bytes(exact));
    for (int64_t i = 0; i < x.n; i += exact.n) {
        struct tensor piece = tensor_rows(tensor_view1(x), i, i + exact.n < x.n ? exact.n : x.n - i);
        op_convert(k->d, piece, tensor_rows(tensor_view1(exact), 0, piece.n));
    }
    free(host);
    return x;
}

static struct tensor numbers(struct bench *k, int64_t n, int64_t first, int64_t step)
{
    int32_t *host = malloc((size_t)(n * 4));

    if (!host) abort();
    for (int64_t i = 0; i < n; i++) host[i] = (int32_t)(first + i * step);
    struct tensor x = scratch_upload(&k->s, tensor_1d(host, DT_I32, n));
    free(host);
    return x;
}

static void set_up(struct bench *k, int64_t texts, int64_t length)
{
    int64_t T = k->T = texts * length, H = k->H, wide = INNER * H;
    struct tensor *rows[] = { &k->x, &k->y, &k->sub, &k->sum, &k->dsub }, *wides[] = { &k->wide, &k->act, &k->dwide };

    k->n = T / MASKED;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) *rows[i] = fresh(k, k->t, T, H, 1);
    for (size_t i = 0; i < sizeof wides / sizeof *wides; i++) *wides[i] = fresh(k, k->t, T, wide, 1);
    k->qkv = fresh(k, k->t, T, 3 * H, 1);
    k->dqkv = fresh(k, k->t, T, 3 * H, 0.1);
    k->lse = fresh(k, DT_F32, T, k->heads, 1);
    k->stats = fresh(k, DT_F32, T, 2, 1);
    k->g = tensor_view1(fresh(k, DT_F32, 1, wide, 1));
    k->b = tensor_view1(fresh(k, DT_F32, 1, wide, 0.1));
    k->dg = tensor_view1(fresh(k, DT_F32, 1, wide, 0));
    k->db = tensor_view1(fresh(k, DT_F32, 1, wide, 0));
    k->w = fresh(k, k->t, k->V, H, 0.02);
    k->dw = fresh(k, DT_F32, k->V, H, 0.01);
    k->u = fresh(k, k->t, k->n, H, 1);
    k->du = fresh(k, k->t, k->n, H, 1);
    k->logits = fresh(k, DT_F32, k->n, k->V, 1);
    k->dlogits = k->t == DT_F32 ? k->logits : fresh(k, k->t, k->n, k->V, 0);
    k->loss = scratch_1d(&k->s, DT_F32, k->n);
    k->label = numbers(k, k->n, 0, 1);
    k->p = tensor_view1(fresh(k, DT_F32, k->V, H, 0.02));
    k->m = tensor_view1(fresh(k, DT_F32, k->V, H, 0));
    k->v = tensor_view1(fresh(k, DT_F32, k->V, H, 0));
    k->square_sum = scratch_1d(&k->s, DT_F32, 1);
    k->seq = (struct sequences){ texts, length, numbers(k, texts + 1, 0, length), { 0 } };
    k->seq.prefix = numbers(k, texts, length, 0);
}

/* The fastest product there is: square, in the cache. */
static void measure_limit(struct bench *k)
{
    enum { N = 1024, TRIES = 40 };
    struct tensor x = fresh(k, k->t, N, N, 1), w = fresh(k, k->t, N, N, 1), y = fresh(k, k->t, N, N, 1);
    double best = INFINITY;

    for (int i = 0; i < TRIES; i++) {
        double start = clock_seconds();
        op_linear_forward(k->d, y, x, w, none, LINEAR_PARAM);
        op_sync(k->d);
        double seconds = clock_seconds() - start;
        if (i && seconds < best) best = seconds;
    }
    printf("{\"part\": \"product\", \"seconds\": %.9f, \"least\": %.9f, \"flops\": %.0f, \"bytes\": 0}\n", best, best,
           2.0 * N * N * N);
}

/* THREADS HIDDEN HEADS VOCABULARY TEXTS LENGTH */
static bool read_sizes(char **argv, int64_t size[6])
{
    for (int i = 0; i < 6; i++) {
        if (!str_to_int(argv[i], 1, 1 << 20, &size[i])) return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    struct bench k = { .drop = { 0.1f, 1, 2, 3 } };
    int64_t size[6];

    if (argc < 8 || !read_sizes(argv + 1, size)) {
        fprintf(stderr, "layer: THREADS HIDDEN HEADS VOCABULARY TEXTS LENGTH f32|bf16 [PART] were expected\n");
        return 2;
    }
    if (!(k.d = device_open("cpu", (int)size[0], &e))) {
        fprintf(stderr, "layer: %s\n", e.text);
        return 1;
    }
    k.H = size[1];
    k.heads = (int)size[2];
    k.V = size[3];
    k.t = strcmp(argv[7], "bf16") ? DT_F32 : DT_BF16;
    scratch_init(&k.s, k.d);
    set_up(&k, size[4], size[5]);
    measure_limit(&k);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (argc < 9 || strstr(parts[i].name, argv[8])) measure(&k, parts[i].name, parts[i].run);
    }
    int rc = device_check(k.d, &e);
    if (rc) fprintf(stderr, "layer: %s\n", e.text);
    scratch_release(&k.s);
    device_close(k.d);
    return rc != 0;
}
