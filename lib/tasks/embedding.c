/* Vectors of texts and of images alone, so that a text's product with its own image's is larger than with others: for
 * searching in collections that are too large for a joint pass over every pair. Trained by the contrastive loss on both
 * sides, with the cosine of the vectors. */
#include "core/mem.h"
#include "model/input.h"
#include "score/retrieval.h"
#include "tasks/gallery.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- training ---- */

static int read_pair(struct downstream *d, struct arena *a, int64_t i, struct batch_text *text,
                     struct batch_image *image, char **name, struct err *e)
{
    struct record *r;
    const char *id;

    if (store_get(d->train, i, &r, e)) return -1;
    int rc = value_get_string(r->fields, "image", &id, e) || input_text(a, d->config, r->fields, "text", text, e) ||
                     downstream_image(d, a, r->fields, image, e)
                 ? -1
                 : 0;
    if (!rc) *name = arena_strdup(a, id);
    else record_bad(r, e);
    record_free(r);
    return rc;
}

/* A pair and others of other images, each text and each image in a pass of its own: the text among all images, the
 * image among all texts. */
static int add(void *arg, struct batch *b, int collection, int64_t i, struct rng *r, struct arena *a, struct err *e)
{
    struct downstream *d = arg;
    int64_t n = d->o.negatives + 1;
    int32_t *cls = arena_new(a, int32_t, n), *img = arena_new(a, int32_t, n);
    char *own = NULL, *name;

    for (int64_t k = 0; k < n; k++) {
        struct batch_text text;
        struct batch_image image;
        if (read_pair(d, a, k ? rng_below(r, store_count(d->train)) : i, &text, &image, &name, e)) return -1;
        for (int tries = 0; k && !strcmp(name, own); tries++) {
            if (tries == 100) return err_set(e, ERR_INPUT, "found no pair with another image than %s", err_quote(own));
            if (read_pair(d, a, rng_below(r, store_count(d->train)), &text, &image, &name, e)) return -1;
        }
        if (!k) own = name;
        cls[k] = batch_pool_text(b, batch_add_pair(b, -1, &text));
        img[k] = batch_pool_image(b, batch_add_pair(b, batch_add_image(b, &image, NULL), NULL));
    }
    for (int64_t k = 0; k < n; k++) batch_add_score(b, cls[0], img[k], k == 0);
    batch_end_group(b);
    for (int64_t k = 0; k < n; k++) batch_add_score(b, cls[k], img[0], k == 0);
    batch_end_group(b);
    return 0;
}

/* A temperature of cosines is kept, unless it is one that nobody chose; one of products is none for cosines. */
static int configure(struct downstream *d, struct model_config *c, struct err *e)
{
    c->learns_tau = c->learns_tau && c->cosine;
    if (!c->cosine || (c->tau >= 1 && !c->learns_tau)) c->tau = 0.07f;
    c->has_match_head = false;
    c->cosine = true;
    return 0;
}

static void prepare(struct downstream *d, struct task *t)
{
    t->step.weight[LOSS_CMCL] = 1;
}

static int evaluate(void *arg, struct model *m, struct scratch *s, struct value *report, double *score, struct err *e)
{
    struct downstream *d = arg;
    struct gallery g;
    struct batch b;
    int64_t n = downstream_dev_count(d), H = d->config->hidden;
    struct batch_text *texts = mem_new(struct batch_text, n + 1);
    int64_t *gold = mem_new(int64_t, n + 1);
    float *vectors = mem_new(float, n *H + 1), *scores = NULL;

    batch_init(&b, d->config);
    int rc = gallery_open_dev(&g, d, texts, gold, e) || gallery_embed(&g, m, s, &b, d->o.rows, e) ? -1 : 0;
    if (!rc) rc = gallery_texts(m, s, &b, texts, n, d->o.rows, vectors, e);
    if (!rc) {
        struct recall t2i, i2t;
        scores = mem_new(float, n *g.n + 1);
        gallery_products(&g, vectors, n, H, scores);
        retrieval_recall(&t2i, &i2t, scores, gold, n, g.n);
        value_set(report, "text_to_image_r1", value_real(t2i.at1));
        value_set(report, "image_to_text_r1", value_real(i2t.at1));
        *score = (t2i.at1 + i2t.at1) / 2;
    }
    batch_release(&b);
    gallery_release(&g);
    free(texts);
    free(gold);
    free(vectors);
    free(scores);
    return rc;
}

/* ---- predicting ---- */

struct embedding {
    struct downstream *d;
    struct model *m;
    struct scratch s;
    struct batch batch;
    struct arena arena;
    int64_t n, cap, cap_image;
    const char **id;
    bool *is_image; /* else a text */
    struct writer *out;
};

static int take(struct embedding *x, const struct record *r, struct err *e)
{
    struct batch_text text;
    struct batch_image image;
    bool has_features = record_tensor(r, "features") != NULL;

    if (has_features ? input_image(&x->arena, x->d->config, r, false, &image, e)
                     : input_text(&x->arena, x->d->config, r->fields, "text", &text, e))
        return -1;
    if (has_features)
        batch_pool_image(&x->batch, batch_add_pair(&x->batch, batch_add_image(&x->batch, &image, NULL), NULL));
    else batch_pool_text(&x->batch, batch_add_pair(&x->batch, -1, &text));
    mem_reserve(&x->id, &x->cap, x->n + 1);
    mem_reserve(&x->is_image, &x->cap_image, x->n + 1);
    x->id[x->n] = arena_strdup(&x->arena, record_id(r));
    x->is_image[x->n++] = has_features;
    return 0;
}

static int put(struct embedding *x, const char *id, float *v, struct err *e)
{
    struct record *r = record_new();
    int64_t H = x->d->config->hidden;
    double sum = 0;

    for (int64_t i = 0; i < H; i++) sum += (double)v[i] * (double)v[i];
    for (int64_t i = 0; i < H; i++) v[i] = (float)((double)v[i] / fmax(sqrt(sum), 1e-12));
    value_set(r->fields, "id", value_str(id));
    record_set_tensor(r, "embedding", DT_F32, 1, &H, v);
    return writer_give(x->out, r, e);
}

static int flush(struct embedding *x, struct err *e)
{
    int64_t H = x->d->config->hidden, text = 0, image = 0;
    float *texts = mem_new(float, x->n *H + 1), *images = mem_new(float, x->n *H + 1);
    int rc = x->n ? model_pool(x->m, &x->s, &x->batch, texts, images, e) : 0;

    for (int64_t i = 0; i < x->n && !rc; i++)
        rc = put(x, x->id[i], x->is_image[i] ? images + image++ * H : texts + text++ * H, e);
    free(texts);
    free(images);
    x->n = 0;
    batch_clear(&x->batch);
    arena_reset(&x->arena);
    return rc;
}

static int predict(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e)
{
    struct embedding x = { .d = d, .m = m, .out = out };
    struct record *r;
    int got = 1;

    scratch_init(&x.s, m->device);
    batch_init(&x.batch, d->config);
    while (got > 0) {
        if ((got = reader_next(in, &r, e)) > 0) {
            if (take(&x, r, e)) got = reader_bad(in, r, e) ? -1 : 1;
            record_free(r);
        }
        if (got < 0 || (got && x.batch.n_rows < d->o.rows)) continue;
        if (flush(&x, e)) got = -1;
    }
    free(x.id);
    free(x.is_image);
    arena_release(&x.arena);
    batch_release(&x.batch);
    scratch_release(&x.s);
    return got;
}

const struct downstream_kind embedding_tasks[] = {
    { .name = "embed",
      .summary = "vectors of texts and of images alone, for searching",
      .metric = { { "retrieval", "r1" } },
      .uses_images = true,
      .predicts_from_images = true,
      .fits_any_model = true,
      .defaults = { { .lr = 1e-5,
                      .beta2 = 0.98,
                      .weight_decay = 0.01,
                      .warmup = 0.06,
                      .epochs = 10,
                      .schedule = "linear" },
                    { .lr = 5e-6,
                      .beta2 = 0.98,
                      .weight_decay = 0.01,
                      .warmup = 0.06,
                      .epochs = 10,
                      .schedule = "linear" } },
      .configure = configure,
      .prepare = prepare,
      .add = add,
      .evaluate = evaluate,
      .predict = predict },
    { 0 },
};
