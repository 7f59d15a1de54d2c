/* Image-text retrieval (paper section 4.1, Flickr30k): every pair of a text and an image is scored by a joint pass.
 * Training ranks the right pair above the same text with other images and the same image with other texts (circle
 * loss). */
#include "score/retrieval.h"
#include "core/log.h"
#include "core/mem.h"
#include "model/input.h"
#include "tasks/choice.h"
#include "tasks/gallery.h"
#include "tasks/neighbours.h"
#include <stdlib.h>
#include <string.h>

/* ---- training ---- */

/* picture: the image's regions, or NULL when only its name is wanted. */
static int read_pair(struct downstream *d, struct arena *a, int64_t i, struct batch_text *text, const char **image,
                     struct batch_image *picture, struct err *e)
{
    struct record *r;
    const char *name;

    if (store_get(d->train, i, &r, e)) return -1;
    int rc =
        value_get_string(r->fields, "image", &name, e) || input_text(a, d->config, r->fields, "text", text, e) ? -1 : 0;
    if (!rc && picture) rc = input_image_id(a, d->config, d->images, name, false, picture, e);
    if (!rc) *image = arena_strdup(a, name);
    else record_bad(r, e);
    record_free(r);
    return rc;
}

/* A pair whose image is not the given one. Images with nearly all of the pairs are no use, so the search is bounded. */
static int read_other(struct downstream *d, struct arena *a, const char *not_image, struct rng *r,
                      struct batch_text *text, const char **image, struct err *e)
{
    for (int tries = 0; tries < 100; tries++) {
        if (read_pair(d, a, rng_below(r, store_count(d->train)), text, image, NULL, e)) return -1;
        if (strcmp(*image, not_image)) return 0;
    }
    return err_set(e, ERR_INPUT, "found no pair with another image than %s", err_quote(not_image));
}

static void add_score(struct batch *b, int64_t image, const struct batch_text *text)
{
    int64_t s = batch_add_pair(b, image, text);

    batch_add_score(b, batch_pool_text(b, s), batch_pool_image(b, s), false);
}

/* A wrong pair: a neighbour of the text, as often as asked for and where it has one, or any other. */
static int read_wrong(struct downstream *d, struct arena *a, int64_t i, const char *not_image, struct rng *r,
                      struct batch_text *text, const char **image, struct err *e)
{
    if (d->hard && rng_uniform(r) < d->o.hard) {
        if (neighbours_image(d->hard, store_id(d->train, i), r, a, image, e)) return -1;
        int64_t k = *image && strcmp(*image, not_image) ? neighbours_text(d->hard, *image, r) : -1;
        if (k >= 0) return read_pair(d, a, k, text, image, NULL, e);
    }
    return read_other(d, a, not_image, r, text, image, e);
}

/* Two groups with the same positive: against other images, and against other texts. */
static int add(void *arg, struct batch *b, int collection, int64_t i, struct rng *r, struct arena *a, struct err *e)
{
    struct downstream *d = arg;
    struct batch_text text, other;
    struct batch_image picture, other_picture;
    const char *name, *other_name;

    if (read_pair(d, a, i, &text, &name, &picture, e)) return -1;
    int64_t image = batch_add_image(b, &picture, NULL), joint = batch_add_pair(b, image, &text);
    int32_t cls = batch_pool_text(b, joint), img = batch_pool_image(b, joint);
    batch_add_score(b, cls, img, true);
    for (int64_t k = 0; k < d->o.negatives; k++) {
        if (read_wrong(d, a, i, name, r, &other, &other_name, e) ||
            input_image_id(a, d->config, d->images, other_name, false, &other_picture, e))
            return -1;
        add_score(b, batch_add_image(b, &other_picture, NULL), &text);
    }
    batch_end_group(b);
    batch_add_score(b, cls, img, true);
    for (int64_t k = 0; k < d->o.negatives; k++) {
        if (read_wrong(d, a, i, name, r, &other, &other_name, e)) return -1;
        add_score(b, image, &other);
    }
    batch_end_group(b);
    return 0;
}

static int configure(struct downstream *d, struct model_config *c, struct err *e)
{
    c->has_match_head = true;
    return 0;
}

static void prepare(struct downstream *d, struct task *t)
{
    t->step.weight[LOSS_MATCH] = 1;
    t->step.margin = 0.2f;
    t->step.gamma = 1;
}

/* ---- scoring ---- */

enum { TEXTS = 16 }; /* scored together */

struct scoring {
    struct downstream *d;
    struct model *m;
    struct scratch *s;
    struct batch batch;
    struct gallery gallery;
    float *vectors; /* [TEXTS, hidden] */
    struct store *among;
    uint8_t *wanted; /* [TEXTS, images] with among */
};

/* With the gallery open. */
static int scoring_begin(struct scoring *x, struct err *e)
{
    batch_init(&x->batch, x->d->config);
    if (x->d->o.among) {
        x->wanted = mem_new(uint8_t, TEXTS * x->gallery.n + 1);
        x->among = store_open(&x->d->o.among, 1, 0, e);
        return x->among ? store_index(x->among, e) : -1;
    }
    if (!x->d->o.candidates) return 0;
    x->vectors = mem_new(float, TEXTS * x->d->config->hidden);
    return gallery_embed(&x->gallery, x->m, x->s, &x->batch, x->d->o.rows, e);
}

static void scoring_release(struct scoring *x)
{
    batch_release(&x->batch);
    gallery_release(&x->gallery);
    free(x->vectors);
    free(x->wanted);
    store_close(x->among);
}

/* Scores of at most TEXTS texts with all images: out[n][images]. */
static int score_texts(struct scoring *x, const struct batch_text *texts, int64_t n, float *out, struct err *e)
{
    const struct gallery *g = &x->gallery;
    int64_t rows = x->d->o.rows;

    if (!x->d->o.candidates) return gallery_joint(g, x->m, x->s, &x->batch, texts, n, rows, NULL, out, e);
    if (gallery_texts(x->m, x->s, &x->batch, texts, n, rows, x->vectors, e)) return -1;
    gallery_products(g, x->vectors, n, x->d->config->hidden, out);
    return gallery_rerank(g, x->m, x->s, &x->batch, texts, n, rows, x->d->o.candidates, out, e);
}

static int evaluate(void *arg, struct model *m, struct scratch *s, struct value *report, double *score, struct err *e)
{
    struct downstream *d = arg;
    struct scoring x = { .d = d, .m = m, .s = s };
    int64_t n = downstream_dev_count(d), images = 0;
    struct batch_text *texts = mem_new(struct batch_text, n + 1);
    int64_t *gold = mem_new(int64_t, n + 1);
    float *scores = NULL;
    int rc = gallery_open_dev(&x.gallery, d, texts, gold, e) || scoring_begin(&x, e) ? -1 : 0;

    if (!rc) scores = mem_new(float, n *(images = x.gallery.n) + 1);
    for (int64_t i = 0; i < n && !rc; i += TEXTS)
        rc = score_texts(&x, texts + i, n - i < TEXTS ? n - i : TEXTS, scores + i * images, e);
    if (!rc) {
        struct recall t2i, i2t;
        retrieval_recall(&t2i, &i2t, scores, gold, n, images);
        value_set(report, "text_to_image_r1", value_real(t2i.at1));
        value_set(report, "image_to_text_r1", value_real(i2t.at1));
        *score = (t2i.at1 + i2t.at1) / 2;
    }
    scoring_release(&x);
    free(texts);
    free(gold);
    free(scores);
    return rc;
}

/* ---- predicting ---- */

struct pending { /* texts waiting to be scored */
    int64_t n;
    struct record *record[TEXTS];
    struct batch_text text[TEXTS];
    struct arena arena;
};

static int write_scores(const struct scoring *x, const struct record *from, const float *scores, struct writer *out,
                        struct err *e)
{
    struct record *r = record_new();
    int64_t n = x->gallery.n, top = x->d->o.n_best < n ? x->d->o.n_best : n;

    value_set(r->fields, "id", value_str(record_id(from)));
    if (value_get(from->fields, "image")) value_set(r->fields, "image", value_copy(value_get(from->fields, "image")));
    if (top > 0) {
        struct value *images = value_array(), *values = value_array();
        int64_t *best = mem_new(int64_t, top);
        gallery_best(scores, n, top, best);
        for (int64_t i = 0; i < top; i++) {
            value_push(images, value_str(x->gallery.index.at[best[i]].key));
            value_push(values, value_real((double)scores[best[i]]));
        }
        value_set(r->fields, "images", images);
        value_set(r->fields, "scores", values);
        free(best);
    } else record_set_tensor(r, "scores", DT_F32, 1, &n, scores);
    return writer_give(out, r, e);
}

/* The images that are named for a text. */
static int mark_wanted(struct scoring *x, const char *id, uint8_t *wanted, struct err *e)
{
    struct record *r;
    struct value *images;
    int rc = 0;

    if (store_get_id(x->among, id, &r, e)) return err_in(e, "%s", x->d->o.among);
    if (value_get_array(r->fields, "images", &images, e)) rc = -1;
    for (int64_t i = 0; !rc && i < value_count(images); i++) {
        const char *name = value_text(value_at(images, i), NULL);
        const int64_t *at = name ? map_find(&x->gallery.index, name, strlen(name)) : NULL;
        if (at) wanted[*at] = 1;
        else rc = err_set(e, ERR_INPUT, "image %s is not among the images", err_quote(name ? name : "?"));
    }
    record_free(r);
    return rc ? err_in(e, "%s: record %s", x->d->o.among, err_quote(id)) : 0;
}

/* Joint scores of the named images only; the others share the last place. */
static int score_named(struct scoring *x, const struct pending *p, float *scores, struct err *e)
{
    int64_t n = x->gallery.n;

    memset(x->wanted, 0, (size_t)(p->n * n));
    for (int64_t i = 0; i < p->n; i++) {
        if (mark_wanted(x, record_id(p->record[i]), x->wanted + i * n, e)) return -1;
    }
    for (int64_t i = 0; i < p->n * n; i++) scores[i] = GALLERY_BELOW;
    return gallery_joint(&x->gallery, x->m, x->s, &x->batch, p->text, p->n, x->d->o.rows, x->wanted, scores, e);
}

static int flush(struct scoring *x, struct pending *p, struct writer *out, struct err *e)
{
    int64_t n = x->gallery.n;
    float *scores = mem_new(float, p->n *n + 1);
    int rc = !p->n ? 0 : x->among ? score_named(x, p, scores, e) : score_texts(x, p->text, p->n, scores, e);

    for (int64_t i = 0; i < p->n; i++) {
        if (!rc) rc = write_scores(x, p->record[i], scores + i * n, out, e);
        record_free(p->record[i]);
    }
    p->n = 0;
    arena_reset(&p->arena);
    free(scores);
    return rc ? rc : writer_flush(out, e); /* a long run can go on from here */
}

static int predict(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e)
{
    if (d->o.choices.n) return choice_predict(d, m, in, out, e);
    struct scratch s;
    struct scoring x = { .d = d, .m = m, .s = &s };
    struct pending p = { 0 };
    struct progress progress;
    struct record *r;
    int64_t done = 0;

    scratch_init(&s, m->device);
    progress_begin(&progress, "texts", -1);
    int got = gallery_open(&x.gallery, d, e) || scoring_begin(&x, e) ? -1 : 1;
    while (got > 0) {
        if ((got = reader_next(in, &r, e)) > 0) {
            if (!input_text(&p.arena, d->config, r->fields, "text", &p.text[p.n], e)) p.record[p.n++] = r;
            else {
                got = reader_bad(in, r, e) ? -1 : 1;
                record_free(r);
            }
        }
        if (got < 0 || (got && p.n < TEXTS)) continue;
        done += p.n;
        if (flush(&x, &p, out, e)) got = -1;
        progress_step(&progress, done, NULL);
    }
    progress_end(&progress);
    for (int64_t i = 0; i < p.n; i++) record_free(p.record[i]);
    arena_release(&p.arena);
    scoring_release(&x);
    scratch_release(&s);
    return got;
}

static int show(struct downstream *d, struct arena *a, struct batch *b, const struct record *r,
                const struct value *said, struct err *e)
{
    struct batch_text text;
    struct batch_image image;

    if (input_text(a, d->config, r->fields, "text", &text, e) || downstream_image(d, a, r->fields, &image, e))
        return -1;
    batch_add_pair(b, batch_add_image(b, &image, NULL), &text);
    return 0;
}

/* The published schedule: a tenth of the rate after 60 % of the steps, again after 80 %. */
#define PAPER .lr = 5e-6, .beta2 = 0.98, .weight_decay = 0.1, .warmup = 0, .epochs = 40, .schedule = "steps"

const struct downstream_kind retrieval_tasks[] = {
    { .name = "retrieval",
      .summary = "images for texts and texts for images (Flickr30k)",
      .metric = { { "retrieval", "r1" } },
      .uses_images = true,
      .defaults = { { PAPER }, { PAPER } },
      .configure = configure,
      .prepare = prepare,
      .add = add,
      .evaluate = evaluate,
      .predict = predict,
      .show = show },
    { 0 },
};
