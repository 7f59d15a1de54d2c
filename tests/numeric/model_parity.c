/* Against an independent model in PyTorch (model_parity.py): hidden states, every loss and every gradient of a small
 * UNIMO, and the hidden states and logits of a RoBERTa with Hugging Face's names that --init reads. On the reference
 * and on the fast back end. */
#include "core/file.h"
#include "model/heads.h"
#include "model/mlm.h"
#include "model/seq2seq.h"
#include "model/visual.h"
#include "python.h"
#include "stream/safetensors.h"
#include "tap.h"
#include "toy.h"
#include <unistd.h>

static const char script[] = "tests/numeric/model_parity.py";
static char dir[] = "/tmp/unimo-parity.XXXXXX";
static struct arena arena;

static void fill_batch(struct batch *b, struct model *m)
{
    struct model_config *c = &m->config;
    struct rng r;
    uint8_t masked[5];

    rng_init(&r, 4, 4);
    struct batch_image image = toy_image(&arena, c, &r, 5), other = toy_image(&arena, c, &r, 3);
    struct batch_text t[6];
    for (int i = 0; i < 6; i++) t[i] = toy_text(&arena, c, &r, 5 + 3 * i);
    int32_t *labels = arena_new(&arena, int32_t, 99), *tokens = arena_new(&arena, int32_t, 99);
    memcpy(tokens, t[5].tokens, (size_t)t[5].n * sizeof *tokens);
    struct batch_text corrupted = { t[5].n, tokens, t[5].units };
    mlm_mask(&r, c, &mlm_defaults, corrupted.n, tokens, corrupted.units, labels);
    visual_mask(&r, &visual_defaults, 5, image.boxes, masked);
    int64_t s = batch_add_mlm(b, batch_add_image(b, &image, masked), &corrupted, labels);
    batch_add_region_targets(b, s, &image, masked);
    batch_add_cmcl(b, &(struct batch_cmcl){
                          .image = image, .text = t[0], .n_positives = 0, .n_negatives = 2, .negatives = t + 1 });
    batch_add_cmcl(b, &(struct batch_cmcl){ .image = other,
                                            .text = t[3],
                                            .n_positives = 1,
                                            .positives = t + 4,
                                            .n_negatives = 1,
                                            .negatives = t + 1,
                                            .n_texts = 1,
                                            .texts = t + 2,
                                            .n_images = 1,
                                            .images = &image });
    batch_add_cmcl(b, &(struct batch_cmcl){ .image = image,
                                            .text = t[4],
                                            .each = true,
                                            .n_positives = 1,
                                            .positives = t + 3,
                                            .n_negatives = 2,
                                            .negatives = t,
                                            .n_texts = 1,
                                            .texts = t + 2 });
    struct batch_rows rows = seq2seq_split(&arena, &r, c, &seq2seq_defaults, &t[5]);
    batch_add_sequence(b, batch_add_image(b, &other, NULL), &rows);
    batch_add_generation(b, -1, &t[2], &t[1]);
    int64_t pair = batch_add_pair(b, 0, &t[1]), alone = batch_add_pair(b, -1, &t[2]);
    batch_add_example(b, batch_pool_text(b, pair), batch_pool_image(b, pair), 2);
    batch_add_example(b, batch_pool_text(b, alone), -1, 0);
}

/* The file under construction. */
static struct safetensor items[256];
static int n_items;
static void put(const char *name, enum dtype t, int64_t a, int64_t b, const void *data)
{
    items[n_items++] = (struct safetensor){ name, t, b ? 2 : 1, { a, b }, data, a * (b ? b : 1) * 4, a * (b ? b : 1) };
}

static void put_batch(const struct batch *b)
{
    int64_t F = b->config->features;

    put("id", DT_I32, b->n_text, 0, b->id);
    put("position", DT_I32, b->n_text, 0, b->position);
    put("feature", DT_F32, b->n_regions, F, b->feature);
    put("location", DT_F32, b->n_regions, 5, b->location);
    put("source", DT_I32, b->n_rows, 0, b->source);
    put("start", DT_I32, b->n_sequences + 1, 0, b->start);
    put("prefix", DT_I32, b->n_sequences, 0, b->prefix);
    put("mlm_row", DT_I32, b->lm[0].n, 0, b->lm[0].row);
    put("mlm_label", DT_I32, b->lm[0].n, 0, b->lm[0].label);
    put("seq2seq_row", DT_I32, b->lm[1].n, 0, b->lm[1].row);
    put("seq2seq_label", DT_I32, b->lm[1].n, 0, b->lm[1].label);
    put("masked_row", DT_I32, b->n_masked, 0, b->masked_row);
    put("masked_feature", DT_F32, b->n_masked, F, b->masked_feature);
    put("probs_row", DT_I32, b->n_probs, 0, b->probs_row);
    put("probs", DT_F32, b->n_probs, b->config->classes, b->probs);
    put("cls_row", DT_I32, b->n_cls, 0, b->cls_row);
    put("img_row", DT_I32, b->n_img, 0, b->img_row);
    put("score_cls", DT_I32, b->n_scores, 0, b->score_cls);
    put("score_img", DT_I32, b->n_scores, 0, b->score_img);
    put("positive", DT_I32, b->n_scores, 0, b->positive);
    put("group", DT_I32, b->n_groups + 1, 0, b->group);
    put("example_cls", DT_I32, b->n_examples, 0, b->example_cls);
    put("example_img", DT_I32, b->n_examples, 0, b->example_img);
    put("example_label", DT_I32, b->n_examples, 0, b->example_label);
}

/* One step with the weights; keeps the gradients as items. */
static void run_step(struct model *m, struct scratch *s, const struct batch *b, struct step_opts *o, const char *name,
                     const float *weight, float losses[LOSS_COUNT])
{
    struct losses l = { 0 };
    struct err e = { 0 };

    memcpy(o->weight, weight, sizeof o->weight);
    op_fill(m->device, m->params.grad, 0);
    ok(!model_step(m, s, b, o, &l, &e), "a step with %s %s", name, e.text);
    for (int i = 0; i < LOSS_COUNT; i++) {
        if (l.n[i]) losses[i] = (float)(l.sum[i] / (double)l.n[i]);
    }
    for (int i = 0; i < m->params.n; i++) {
        struct tensor g = params_grad(&m->params, i);
        struct str full = { 0 };
        str_addf(&full, "grad_%s.%s", name, m->params.at[i].name);
        float *copy = arena_new(&arena, float, g.n);
        op_download(m->device, copy, g.data, tensor_bytes(g));
        put(arena_strdup(&arena, str_c(&full)), DT_F32, g.n, 0, copy);
        str_release(&full);
    }
}

static const float with_cmcl[LOSS_COUNT] = { 1, 0.5f, 2, 0.3f, 1, 0, 0.7f },
                   with_match[LOSS_COUNT] = { 0, 0, 0, 0, 0, 1, 0 };

/* cosine: the other score of a pair, with a learnt temperature. */
static void open_toy(struct model *m, struct device *d, enum dtype compute, bool cosine)
{
    struct model_config c = toy_config();
    struct err e = { 0 };

    c.dropout = c.attention_dropout = 0;
    c.label_hidden = 8;
    c.cosine = c.learns_tau = cosine;
    c.tau = cosine ? 0.07f : 1;
    model_config_set_labels(&c, (const char *const[]){ "a", "b", "c" }, 3);
    if (model_open(m, &c, d, compute, true, &e)) printf("# %s\n", e.text);
    params_init(&m->params, 3);
    model_config_release(&c);
}

static void test_unimo(const char *interpreter, const char *device, bool cosine, float losses[LOSS_COUNT])
{
    struct err e = { 0 };
    struct device *d = device_open(device, 1, &e);
    struct model m;
    struct scratch s;
    struct batch b;
    struct step_opts o = { .train = true, .smoothing = 0.1f, .margin = 0.2f, .gamma = 1 };

    open_toy(&m, d, DT_F32, cosine);
    scratch_init(&s, d);
    batch_init(&b, &m.config);
    fill_batch(&b, &m);
    n_items = 0;
    put_batch(&b);
    float *hidden = arena_new(&arena, float, b.n_rows *m.config.hidden);
    ok(!model_hidden(&m, &s, &b, hidden, &e), "hidden states %s", e.text);
    put("hidden", DT_F32, b.n_rows, m.config.hidden, hidden);
    run_step(&m, &s, &b, &o, "cmcl", with_cmcl, losses);
    run_step(&m, &s, &b, &o, "match", with_match, losses);
    put("losses", DT_F32, LOSS_COUNT, 0, losses);
    put("weight_cmcl", DT_F32, LOSS_COUNT, 0, with_cmcl);
    put("weight_match", DT_F32, LOSS_COUNT, 0, with_match);
    const float options[3] = { o.smoothing, o.margin, o.gamma };
    put("options", DT_F32, 3, 0, options);
    char *path = path_join(dir, "case.safetensors");
    ok(!model_save(&m, dir, &e) && !safetensors_save(path, items, n_items, NULL, 0, &e), "written for PyTorch %s",
       e.text);
    ok(python(interpreter, script, "unimo", dir) == 0,
       "%s%s: hidden states, losses and gradients are PyTorch's to 1e-4", device, cosine ? ", cosine" : "");
    free(path);
    scratch_release(&s);
    batch_release(&b);
    model_release(&m);
    device_close(d);
}

/* BF16 products give nearly the same losses. */
static void test_half(const float want[LOSS_COUNT])
{
    struct err e = { 0 };
    struct device *d = device_open("cpu", 2, &e);
    struct model m;
    struct scratch s;
    struct batch b;
    struct step_opts o = { .train = true, .smoothing = 0.1f };
    struct losses l = { 0 };

    open_toy(&m, d, DT_BF16, false);
    scratch_init(&s, d);
    batch_init(&b, &m.config);
    fill_batch(&b, &m);
    memcpy(o.weight, with_cmcl, sizeof o.weight);
    ok(!model_step(&m, &s, &b, &o, &l, &e), "a step in bf16 %s", e.text);
    for (int i = 0; i < LOSS_COUNT; i++) {
        if (l.n[i]) near(l.sum[i] / (double)l.n[i], (double)want[i], 0.05, loss_names[i]);
    }
    scratch_release(&s);
    batch_release(&b);
    model_release(&m);
    device_close(d);
}

static double largest_gap(const float *got, const struct safetensor *want)
{
    const float *w = want->data;
    double gap = 0, most = 0;

    for (int64_t i = 0; i < want->n; i++) {
        gap = fmax(gap, fabs((double)got[i] - (double)w[i]));
        most = fmax(most, fabs((double)w[i]));
    }
    return gap / most;
}

static void compare_roberta(struct model *m, const struct safetensors *expect)
{
    const struct safetensor *ids = safetensors_find(expect, "ids"), *hidden = safetensors_find(expect, "hidden");
    const struct safetensor *logits = safetensors_find(expect, "logits");
    struct batch_text text = { ids->n, ids->data, NULL };
    struct err e = { 0 };
    struct scratch s;
    struct batch b;

    scratch_init(&s, m->device);
    batch_init(&b, &m->config);
    batch_add_pair(&b, -1, &text);
    float *got = arena_new(&arena, float, hidden->n), *scores = arena_new(&arena, float, logits->n);
    ok(!model_hidden(m, &s, &b, got, &e), "hidden states %s", e.text);
    double gap = largest_gap(got, hidden);
    ok(gap < 1e-5, "RoBERTa's hidden states (off by %.2g)", gap);
    struct tensor x = scratch_upload(&s, tensor_2d(got, DT_F32, hidden->shape[0], hidden->shape[1]));
    struct tensor y = scratch_2d(&s, DT_F32, logits->shape[0], logits->shape[1]);
    head_lm_logits(m, y, head_lm_transform(m, &s, x), 0, (struct tensor){ 0 });
    op_download(m->device, scores, y.data, tensor_bytes(y));
    gap = largest_gap(scores, logits);
    ok(gap < 1e-5, "RoBERTa's logits (off by %.2g)", gap);
    scratch_release(&s);
    batch_release(&b);
}

static void test_roberta(const char *interpreter)
{
    struct err e = { 0 };
    struct device *d = device_open("cpu", 1, &e);
    struct model_config c = { 0 };
    struct params_report report = { 0 };
    struct safetensors expect;
    struct model m;

    ok(python(interpreter, script, "roberta", dir) == 0, "PyTorch makes a RoBERTa");
    char *config = path_join(dir, "config.json"), *path = path_join(dir, "expect.safetensors");
    ok(!model_config_load(&c, config, &e) && !model_open(&m, &c, d, DT_F32, false, &e), "its configuration is read %s",
       e.text);
    params_init(&m.params, 1);
    ok(!model_load_init(&m, dir, &report, &e), "its parameters are read %s", e.text);
    is_int(report.matched, 5 + 3 * 16 + 4 - 1 + 1, "all of the text part are there");
    is_int(report.missing, 6 + 4, "the image part and the poolers are not");
    is_int(report.unexpected, 2, "its pooler is not ours");
    ok(report.text.n && strstr(report.text.data, "added      roberta.embeddings.token_type_embeddings.weight "),
       "its token type is added");
    if (!safetensors_open(&expect, path, &e)) {
        compare_roberta(&m, &expect);
        safetensors_close(&expect);
    }
    str_release(&report.text);
    model_release(&m);
    model_config_release(&c);
    device_close(d);
    free(config);
    free(path);
}

int main(void)
{
    const char *interpreter = find_python(script);
    float losses[LOSS_COUNT] = { 0 };
    struct err e = { 0 };

    if (!mkdtemp(dir)) return 1;
    test_unimo(interpreter, "ref", true, losses);
    test_unimo(interpreter, "cpu", true, losses);
    test_unimo(interpreter, "ref", false, losses);
    test_unimo(interpreter, "cpu", false, losses);
    test_half(losses);
    test_roberta(interpreter);
    dir_remove(dir, &e);
    arena_release(&arena);
    return done();
}
