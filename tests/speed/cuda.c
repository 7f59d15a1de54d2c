/* Kernels and whole steps on a device (by default "cuda", or the argument's) against what the device can do: the rate
 * of a large bf16 product and the bandwidth of a large copy, measured first. One JSON line for each measurement;
 * tests/bench/cuda makes the table. DEVICE T PART: other than 65,536 rows; only the parts after that one. */
#include "core/log.h"
#include "detect/detector.h"
#include "model/decode.h"
#include "model/mlm.h"
#include "toy.h"
#include "toy_detector.h"

static struct device *d;
static struct scratch s;
static int64_t T = 65536;
static double peak, bandwidth; /* FLOP/s, bytes/s */
enum { H = 768, INNER = 3072, VOCAB = 50265, HEADS = 12, RUNS = 7 };

static void stop(const char *why)
{
    printf("# %s\n", why);
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Median seconds of a call: warmed up, then so many calls at a time that the wait for the end does not count. */
static double seconds_of(void (*call)(void))
{
    double run[RUNS];

    call();
    op_sync(d);
    double began = clock_seconds();
    call();
    op_sync(d);
    double once = clock_seconds() - began;
    int calls = once > 0.05 ? 1 : once > 0.005 ? 5 : 50;
    for (int i = 0; i < RUNS; i++) {
        began = clock_seconds();
        for (int k = 0; k < calls; k++) call();
        op_sync(d);
        run[i] = (clock_seconds() - began) / calls;
    }
    if (d->why[0]) stop(d->why);
    qsort(run, RUNS, sizeof *run, by_value);
    return run[RUNS / 2];
}

/* The share of the floor: the larger of what the operations and the bytes take at the measured rates. */
static void report(const char *what, double seconds, double flops, double bytes)
{
    double floor = fmax(peak > 0 ? flops / peak : 0, bandwidth > 0 ? bytes / bandwidth : 0);

    printf("{\"what\":\"%s\",\"ms\":%.4f,\"tflops\":%.1f,\"gbytes\":%.0f,\"of_floor\":%.3f}\n", what, seconds * 1e3,
           flops / seconds / 1e12, bytes / seconds / 1e9, floor / seconds);
    fflush(stdout);
}

static struct tensor drawn(struct tensor shape)
{
    static float *values;
    enum { N = 1 << 20 };
    struct rng r;

    if (!values) {
        values = mem_new(float, N);
        rng_init(&r, 1, 2);
        for (int i = 0; i < N; i++) values[i] = (float)rng_normal(&r);
    }
    struct tensor piece = scratch_1d(&s, DT_F32, N);
    op_upload(d, piece.data, values, tensor_bytes(piece));
    for (int64_t at = 0; at < shape.n; at += N) {
        int64_t n = shape.n - at < N ? shape.n - at : N;
        op_convert(d, tensor_rows(tensor_view1(shape), at, n), tensor_rows(piece, 0, n));
    }
    return shape;
}
static struct tensor half(int64_t a, int64_t b)
{
    return drawn(scratch_2d(&s, DT_BF16, a, b));
}
static struct tensor full(int64_t a, int64_t b)
{
    return drawn(scratch_2d(&s, DT_F32, a, b));
}
static struct tensor ints(const int32_t *v, int64_t n)
{
    return scratch_upload(&s, tensor_1d((void *)(uintptr_t)v, DT_I32, n));
}

/* ---- operations ---- */

static struct tensor x, y, z, w, g, b, stats, dw, db, dx, wide, act, qkv, dqkv, out, dout, lse, loss, labels;
static struct sequences seq;
static struct dropout drop = { .p = 0.1f, .site = 3, .seed = 5, .step = 7 };
static const struct tensor none;

static void product(void)
{
    op_linear_forward(d, z, x, y, none, 0);
}
static void copy(void)
{
    op_convert(d, y, x);
}
static void forward(void)
{
    op_linear_forward(d, wide, x, w, b, LINEAR_PARAM);
}
static void backward_input(void)
{
    op_linear_backward_input(d, dx, wide, w, LINEAR_PARAM);
}
static void backward_weight(void)
{
    op_linear_backward_weight(d, dw, db, wide, x);
}
static void logits(void)
{
    op_linear_forward(d, act, x, w, db, LINEAR_PARAM);
}
static void weight_alone(void)
{
    op_linear_backward_weight(d, dw, none, wide, x);
}
static void residual_forward(void)
{
    op_residual_norm_forward(d, z, y, stats, x, dx, g, b, 1e-5f, drop);
}
static void residual_backward(void)
{
    op_residual_norm_backward(d, dx, y, db, dw, z, x, stats, g, drop);
}
static void gelu_forward(void)
{
    op_gelu_forward(d, act, wide);
}
static void gelu_backward(void)
{
    op_gelu_backward(d, act, none, act, wide);
}
static void attention_forward(void)
{
    op_attention_forward(d, out, lse, qkv, seq, HEADS, 0.125f, drop);
}
static void attention_backward(void)
{
    op_attention_backward(d, dqkv, dout, out, qkv, lse, seq, HEADS, 0.125f, drop);
}
static void entropy(void)
{
    op_cross_entropy(d, loss, wide, act, labels, 0.1f, 0.5f);
}
static void scatter(void)
{
    op_scatter_add_rows(d, dw, x, labels);
}
static void gather(void)
{
    op_gather_rows(d, y, w, labels, false);
}
static struct tensor flat[5];
static void squares(void)
{
    op_sum_of_squares(d, loss, flat[1]);
}
static void adamw(void)
{
    const struct adamw_segment all = { 0, flat[0].n, 1, 0.01f };

    op_adamw(d, flat[0], flat[4], flat[1], flat[2], flat[3], loss, &all, 1,
             (struct adamw){ 1e-4f, 0.9f, 0.98f, 1e-6f, 3, 1, 1 });
}

static void ceilings(void)
{
    int64_t n = 8192, bytes = (int64_t)1 << 30;

    x = half(n, n), y = half(n, n), z = half(n, n);
    double t = seconds_of(product);
    peak = 2.0 * (double)n * (double)n * (double)n / t;
    report("product 8192 x 8192 x 8192, bf16", t, 2.0 * (double)n * (double)n * (double)n, 0);
    scratch_reset(&s);
    x = full(bytes / 4096, 1024), y = full(bytes / 4096, 1024);
    t = seconds_of(copy);
    bandwidth = 2.0 * (double)bytes / t;
    report("copy of 1 GiB", t, 0, 2.0 * (double)bytes);
    scratch_reset(&s);
}

static void linear_layer(const char *name, int64_t inputs, int64_t outputs)
{
    double flops = 2.0 * (double)T * (double)inputs * (double)outputs;
    char text[64];

    x = half(T, inputs), w = half(outputs, inputs), wide = half(T, outputs), dx = half(T, inputs);
    b = full(1, outputs), dw = full(outputs, inputs), db = full(1, outputs);
    b = tensor_view1(b), db = tensor_view1(db);
    snprintf(text, sizeof text, "%s forward", name);
    report(text, seconds_of(forward), flops, 0);
    snprintf(text, sizeof text, "%s input gradient", name);
    report(text, seconds_of(backward_input), flops, 0);
    snprintf(text, sizeof text, "%s weight gradient", name);
    report(text, seconds_of(backward_weight), flops, 0);
    snprintf(text, sizeof text, "%s weight gradient, no bias", name);
    report(text, seconds_of(weight_alone), flops, 0);
    scratch_reset(&s);
}

static void memory_bound(void)
{
    double rows = (double)T * H * 2, inner = (double)T * INNER * 2;

    x = half(T, H), y = half(T, H), z = half(T, H), dx = half(T, H), stats = full(T, 2);
    g = tensor_view1(full(1, H)), b = tensor_view1(full(1, H)), db = tensor_view1(full(1, H)),
    dw = tensor_view1(full(1, H));
    report("residual, dropout and norm, forward", seconds_of(residual_forward), 0, 4 * rows);
    report("residual, dropout and norm, backward", seconds_of(residual_backward), 0, 4 * rows);
    scratch_reset(&s);
    wide = half(T, INNER), act = half(T, INNER);
    report("GELU forward", seconds_of(gelu_forward), 0, 2 * inner);
    report("GELU backward", seconds_of(gelu_backward), 0, 3 * inner);
    scratch_reset(&s);
}

/* As in a step: logits in F32, their gradients in BF16, rows of both at no multiple of 16 bytes. */
static void vocabulary(void)
{
    int64_t n = T / 8;
    int32_t *label = mem_new(int32_t, T);
    struct rng r;

    rng_init(&r, 3, 3);
    for (int64_t i = 0; i < T; i++)
        label[i] = (int32_t)(rng_below(&r, 8) ? rng_below(&r, VOCAB) : VOCAB - 1); /* [MASK] */
    double flops = 2.0 * (double)n * H * VOCAB;
    act = full(n, VOCAB), wide = half(n, VOCAB), loss = scratch_1d(&s, DT_F32, n), labels = ints(label, n);
    report("cross-entropy of an eighth of the rows", seconds_of(entropy), 0, (double)n * VOCAB * (4 + 2));
    x = half(n, H), w = half(VOCAB, H), dx = half(n, H), dw = full(VOCAB, H), db = tensor_view1(full(1, VOCAB));
    report("logits of an eighth of the rows, forward", seconds_of(logits), flops, 0);
    report("logits of an eighth of the rows, input gradient", seconds_of(backward_input), flops, 0);
    report("logits of an eighth of the rows, weight gradient", seconds_of(backward_weight), flops, 0);
    scratch_reset(&s);
    x = half(T, H), y = half(T, H), w = half(VOCAB, H), dw = full(VOCAB, H), labels = ints(label, T);
    report("embedding forward", seconds_of(gather), 0, 2.0 * (double)T * H * 2);
    report("embedding backward", seconds_of(scatter), 0, (double)T * H * 2 + 2.0 * VOCAB * H * 4);
    scratch_reset(&s);
    free(label);
}

static void optimizer(void)
{
    int64_t n = 120 << 20;

    for (int i = 0; i < 4; i++) flat[i] = tensor_view1(full(n / 1024, 1024));
    op_multiply(d, flat[3], flat[3], flat[3]);
    flat[4] = tensor_view1(half(n / 1024, 1024));
    loss = scratch_1d(&s, DT_F32, 1);
    report("sum of squares of 126 M gradients", seconds_of(squares), 0, 4.0 * (double)n);
    report("AdamW of 126 M parameters", seconds_of(adamw), 0, 34.0 * (double)n);
    scratch_reset(&s);
}

/* Sequences of `low` to `high` rows, full attention. */
static void attention(const char *name, int64_t low, int64_t high)
{
    int32_t *start = mem_new(int32_t, T + 1), *prefix = mem_new(int32_t, T);
    double pairs = 0;
    char text[64];
    struct rng r;

    rng_init(&r, 4, 4);
    seq = (struct sequences){ 0 };
    for (int64_t at = 0; at < T; seq.n++) {
        int64_t n = low + rng_below(&r, high - low + 1);
        if (n > T - at) n = T - at;
        prefix[seq.n] = (int32_t)n;
        at += n;
        start[seq.n + 1] = (int32_t)at;
        pairs += (double)n * (double)n;
        if (n > seq.longest) seq.longest = n;
    }
    seq.start = ints(start, seq.n + 1), seq.prefix = ints(prefix, seq.n);
    qkv = half(T, 3 * H), dqkv = half(T, 3 * H), out = half(T, H), dout = half(T, H), lse = full(T, HEADS);
    for (int has_dropout = 0; has_dropout < 2; has_dropout++) {
        drop.p = has_dropout ? 0.1f : 0;
        snprintf(text, sizeof text, "attention, %s, forward%s", name, has_dropout ? ", dropout" : "");
        report(text, seconds_of(attention_forward), 4 * pairs * H, 8.0 * (double)T * H);
        snprintf(text, sizeof text, "attention, %s, backward%s", name, has_dropout ? ", dropout" : "");
        report(text, seconds_of(attention_backward), 10 * pairs * H, 16.0 * (double)T * H);
    }
    scratch_reset(&s);
    free(start);
    free(prefix);
}

/* ---- whole steps ---- */

static struct model model;
static struct batch batch;
static struct tensor square_sum;
static const float mlm_only[LOSS_COUNT] = { [LOSS_MLM] = 1 };

static void train_step(void)
{
    static int64_t k;
    struct step_opts o = { .train = true, .seed = 1, .number = (uint64_t)k };
    struct losses l = { 0 };
    struct err e = { 0 };

    memcpy(o.weight, mlm_only, sizeof o.weight);
    if (model_step(&model, &s, &batch, &o, &l, &e)) stop(e.text);
    params_step(
        &model.params,
        (struct adamw){
            .lr = 1e-4f, .beta1 = 0.9f, .beta2 = 0.98f, .eps = 1e-6f, .step = ++k, .max_norm = 1, .grad_scale = 1 },
        0.01f, square_sum);
}

static void open_model(const char *name, bool training)
{
    struct model_config c;
    struct err e = { 0 };

    if (model_config_named(&c, name, &e)) stop(e.text);
    model_config_vocab(&c, VOCAB);
    if (model_open(&model, &c, d, DT_BF16, training, &e)) stop(e.text);
    params_init(&model.params, 1);
    model_config_release(&c);
}

/* Masked texts of `low` to `high` rows. */
static void pretraining(const char *name, int64_t low, int64_t high)
{
    struct arena a = { 0 };
    struct rng r;
    char text[64];

    open_model(name, true);
    batch_init(&batch, &model.config);
    rng_init(&r, 5, 5);
    while (batch.n_rows < T) {
        struct batch_text t = toy_text(&a, &model.config, &r, low - 2 + rng_below(&r, high - low + 1));
        int32_t *label = arena_new(&a, int32_t, t.n), *token = arena_new(&a, int32_t, t.n);
        memcpy(token, t.tokens, (size_t)t.n * sizeof *token);
        mlm_mask(&r, &model.config, &mlm_defaults, t.n, token, t.units, label);
        t.tokens = token;
        batch_add_mlm(&batch, -1, &t, label);
    }
    op_allocate(d, &square_sum.data, 4);
    square_sum = tensor_1d(square_sum.data, DT_F32, 1);
    double t = seconds_of(train_step);
    snprintf(text, sizeof text, "%s, training step, %d to %d rows a text", name, (int)low, (int)high);
    report(text, t, model_flops(&model.config, &batch, mlm_only), 0);
    printf("{\"what\":\"%s\",\"rows\":%lld,\"rows_per_s\":%.0f}\n", text, (long long)batch.n_rows,
           (double)batch.n_rows / t);
    op_release(d, square_sum.data);
    batch_release(&batch);
    model_release(&model);
    arena_release(&a);
    scratch_release(&s);
    scratch_init(&s, d);
}

enum { PICTURES = 64, WORDS = 20 };
static void caption(void)
{
    struct decode_opts o = decode_defaults;
    struct decode_text text[PICTURES];
    struct err e = { 0 };

    o.min_length = o.max_length = WORDS;
    if (model_decode(&model, &s, &batch, &o, text, &e)) stop(e.text);
    decode_release(text, PICTURES);
}

static void captions(void)
{
    struct arena a = { 0 };
    struct rng r;

    open_model("base", false);
    batch_init(&batch, &model.config);
    rng_init(&r, 6, 6);
    for (int i = 0; i < PICTURES; i++) {
        struct batch_image image = toy_image(&a, &model.config, &r, 36);
        batch_add_pair(&batch, batch_add_image(&batch, &image, NULL), NULL);
    }
    double t = seconds_of(caption);
    printf("{\"what\":\"captions by beams of 5\",\"ms\":%.1f,\"tokens_per_s\":%.0f}\n", t * 1e3, PICTURES * WORDS / t);
    batch_release(&batch);
    model_release(&model);
    arena_release(&a);
    scratch_release(&s);
    scratch_init(&s, d);
}

static struct detector detector;
static struct image pictures[8];
static void detect(void)
{
    struct detections found[8];
    struct err e = { 0 };

    if (toy_run(&detector, found, pictures, 8, &e)) stop(e.text);
    for (int i = 0; i < 8; i++) detections_release(&found[i]);
}

static void detection(void)
{
    detect_config_field(&detector.config, 101);
    toy_names(&detector.config, 1601, 401);
    detector_build(&detector, d, DT_BF16, false);
    toy_values(&detector, 3);
    for (int i = 0; i < 8; i++) pictures[i] = toy_picture(1000, 600, (uint64_t)i);
    double t = seconds_of(detect);
    printf("{\"what\":\"ResNet-101 detector, 600 x 1000\",\"ms\":%.1f,\"pictures_per_s\":%.1f}\n", t * 1e3, 8 / t);
    for (int i = 0; i < 8; i++) image_release(&pictures[i]);
    detector_release(&detector);
}

/* What one of them fails at ends the program: those after it can be asked for alone. */
static void products(void)
{
    linear_layer("qkv", H, 3 * H);
    linear_layer("ffn in", H, INNER);
    linear_layer("ffn out", INNER, H);
}
static void attention_short(void)
{
    attention("128 rows", 128, 128);
}
static void attention_mixed(void)
{
    attention("32 to 512 rows", 32, 512);
}
static void attention_long(void)
{
    attention("512 rows", 512, 512);
}
static void base_short(void)
{
    pretraining("base", 128, 128);
}
static void base_mixed(void)
{
    pretraining("base", 32, 512);
}
static void large(void)
{
    pretraining("large", 128, 128);
}
static const struct {
    const char *name;
    void (*run)(void);
} parts[] = {
    { "products", products },
    { "memory", memory_bound },
    { "vocabulary", vocabulary },
    { "optimizer", optimizer },
    { "attention-short", attention_short },
    { "attention-mixed", attention_mixed },
    { "attention-long", attention_long },
    { "base-short", base_short },
    { "base-mixed", base_mixed },
    { "large", large },
    { "captions", captions },
    { "detection", detection },
};

int main(int argc, char **argv)
{
    struct err e = { 0 };

    d = device_open(argc > 1 ? argv[1] : "cuda", 0, &e);
    if (!d) stop(e.text);
    if (argc > 2) T = strtol(argv[2], NULL, 10);
    scratch_init(&s, d);
    ceilings();
    bool is_due = argc < 4;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (is_due) {
            printf("# part %s\n", parts[i].name);
            fflush(stdout);
            parts[i].run();
        }
        is_due = is_due || !strcmp(argv[3], parts[i].name);
    }
    scratch_release(&s);
    device_close(d);
    return 0;
}
