/* Image-text retrieval (paper section 4.1, Flickr30k): every pair of a text and an image is scored by a joint pass.
 * Training ranks the right pair above the same text with other images and the same image with other texts (circle
 * loss). */
#include "score/retrieval.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "model/input.h"
#include "tasks/downstream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- training ---- */

static int read_pair(struct downstream *d, struct arena *a, int64_t i, struct batch_text *text, const char **image,
                     struct err *e)
{
    struct record *r;
    const char *name;

    if (store_get(d->train, i, &r, e)) return -1;
    int rc =
        value_get_string(r->fields, "image", &name, e) || input_text(a, d->config, r->fields, "text", text, e) ? -1 : 0;
    if (!rc) *image = arena_strdup(a, name);
    record_free(r);
    return rc;
}

/* A pair whose image is not the given one. Images with nearly all of the pairs are no use, so the search is bounded. */
static int read_other(struct downstream *d, struct arena *a, const char *not_image, struct rng *r,
                      struct batch_text *text, const char **image, struct err *e)
{
    for (int tries = 0; tries < 100; tries++) {
        if (read_pair(d, a, rng_below(r, store_count(d->train)), text, image, e)) return -1;
        if (strcmp(*image, not_image)) return 0;
    }
    return err_set(e, ERR_INPUT, "found no pair with another image than %s", err_quote(not_image));
}

static void add_score(struct batch *b, int64_t image, const struct batch_text *text, bool positive)
{
    int64_t s = batch_add_pair(b, image, text);

    batch_add_score(b, batch_pool_text(b, s), batch_pool_image(b, s), positive);
}

/* Two groups with the same positive: against other images, and against other texts. */
static int add(void *arg, struct batch *b, int collection, int64_t i, struct rng *r, struct arena *a, struct err *e)
{
    struct downstream *d = arg;
    struct batch_text text, other;
    struct batch_image picture, other_picture;
    const char *name, *other_name;

    (void)collection;
    if (read_pair(d, a, i, &text, &name, e) || input_image_id(a, d->config, d->images, name, false, &picture, e))
        return -1;
    int64_t image = batch_add_image(b, &picture, NULL), joint = batch_add_pair(b, image, &text);
    int32_t cls = batch_pool_text(b, joint), img = batch_pool_image(b, joint);
    batch_add_score(b, cls, img, true);
    for (int64_t k = 0; k < d->o.negatives; k++) {
        if (read_other(d, a, name, r, &other, &other_name, e) ||
            input_image_id(a, d->config, d->images, other_name, false, &other_picture, e))
            return -1;
        add_score(b, batch_add_image(b, &other_picture, NULL), &text, false);
    }
    batch_end_group(b);
    batch_add_score(b, cls, img, true);
    for (int64_t k = 0; k < d->o.negatives; k++) {
        if (read_other(d, a, name, r, &other, &other_name, e)) return -1;
        add_score(b, image, &other, false);
    }
    batch_end_group(b);
    return 0;
}

static int configure(struct downstream *d, struct model_config *c, struct err *e)
{
    (void)d;
    (void)e;
    c->has_match_head = true;
    return 0;
}

static void prepare(struct task *t)
{
    t->step.weight[LOSS_MATCH] = 1;
    t->step.margin = 0.2f;
    t->step.gamma = 1;
}

/* ---- scoring all pairs ---- */

struct gallery { /* all images, in the order of the stream */
    int64_t n;
    struct batch_image *at;
    struct arena arena;
    struct map index; /* of ids */
};

static int gallery_open(struct gallery *g, const struct downstream *d, struct err *e)
{
    *g = (struct gallery){ .at = mem_new(struct batch_image, store_count(d->images)) };
    for (int64_t i = 0; i < store_count(d->images); i++) {
        const char *id = store_id(d->images, i);
        struct record *r;
        if (store_get(d->images, i, &r, e)) return -1;
        int rc = input_image(&g->arena, d->config, r, false, &g->at[i], e);
        if (rc) err_in(e, "%s: record %s", d->o.images.at[0], err_quote(id));
        record_free(r);
        if (rc) return -1;
        *map_put(&g->index, id, strlen(id), NULL) = i;
        g->n = i + 1;
    }
    return 0;
}

static void gallery_release(struct gallery *g)
{
    map_release(&g->index);
    arena_release(&g->arena);
    free(g->at);
}

/* Scores of some texts with all images: out[n_texts][n_images]. Images come outermost, so that a batch embeds each of
 * its images once for all the texts. */
static int score_texts(struct model *m, struct scratch *s, struct batch *b, const struct gallery *g,
                       const struct batch_text *texts, int64_t n, int64_t rows, float *out, struct err *e)
{
    int64_t first = 0;
    float *scores = mem_new(float, n * g->n + 1);
    int rc = 0;

    batch_clear(b);
    for (int64_t i = 0; i < g->n && !rc; i++) {
        int64_t image = batch_add_image(b, &g->at[i], NULL);
        for (int64_t k = 0; k < n; k++) add_score(b, image, &texts[k], false);
        if (b->n_rows < rows && i + 1 < g->n) continue;
        batch_end_group(b);
        rc = model_predict(m, s, b, scores, NULL, e);
        for (int64_t q = 0; q < b->n_scores && !rc; q++) out[q % n * g->n + first + q / n] = scores[q];
        first = i + 1;
        batch_clear(b);
    }
    free(scores);
    return rc;
}

enum { TEXTS = 16 }; /* scored together */

static int find_gold(const struct gallery *g, const struct record *r, int64_t *gold, struct err *e)
{
    const char *image;

    if (value_get_string(r->fields, "image", &image, e)) return -1;
    const int64_t *at = map_find(&g->index, image, strlen(image));
    if (!at) return err_set(e, ERR_INPUT, "image %s is not among the images", err_quote(image));
    *gold = *at;
    return 0;
}

static int evaluate(void *arg, struct model *m, struct scratch *s, struct value *report, double *score, struct err *e)
{
    struct downstream *d = arg;
    struct gallery g;
    struct batch b;
    int64_t n = downstream_dev_count(d);
    struct batch_text *texts = mem_new(struct batch_text, n + 1);
    int64_t *gold = mem_new(int64_t, n + 1);
    float *scores = NULL;
    int rc = gallery_open(&g, d, e);

    batch_init(&b, d->config);
    if (!rc) scores = mem_new(float, n *g.n + 1);
    for (int64_t i = 0; i < n && !rc; i++) {
        struct record *r;
        if ((rc = store_get(d->dev, i, &r, e))) break;
        rc = input_text(&d->measuring, d->config, r->fields, "text", &texts[i], e) || find_gold(&g, r, &gold[i], e)
                 ? err_in(e, "%s: record %s", d->o.dev.at[0], err_quote(record_id(r)))
                 : 0;
        record_free(r);
    }
    for (int64_t i = 0; i < n && !rc; i += TEXTS)
        rc = score_texts(m, s, &b, &g, texts + i, n - i < TEXTS ? n - i : TEXTS, d->o.rows, scores + i * g.n, e);
    if (!rc) {
        struct recall t2i, i2t;
        retrieval_recall(&t2i, &i2t, scores, gold, n, g.n);
        value_set(report, "text_to_image_r1", value_real(t2i.at1));
        value_set(report, "image_to_text_r1", value_real(i2t.at1));
        *score = (t2i.at1 + i2t.at1) / 2;
    }
    batch_release(&b);
    gallery_release(&g);
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

static int write_scores(const struct record *from, const float *scores, int64_t n, struct writer *out, struct err *e)
{
    struct record *r = record_new();

    if (!r->fields) r->fields = value_object();
    value_set(r->fields, "id", value_str(record_id(from)));
    if (value_get(from->fields, "image")) value_set(r->fields, "image", value_copy(value_get(from->fields, "image")));
    record_set_tensor(r, "scores", DT_F32, 1, &n, scores);
    int rc = writer_put(out, r, e);
    record_free(r);
    return rc;
}

static int flush(struct pending *p, struct model *m, struct scratch *s, struct batch *b, const struct gallery *g,
                 int64_t rows, struct writer *out, struct err *e)
{
    float *scores = mem_new(float, p->n * g->n + 1);
    int rc = p->n ? score_texts(m, s, b, g, p->text, p->n, rows, scores, e) : 0;

    for (int64_t i = 0; i < p->n; i++) {
        if (!rc) rc = write_scores(p->record[i], scores + i * g->n, g->n, out, e);
        record_free(p->record[i]);
    }
    p->n = 0;
    arena_reset(&p->arena);
    free(scores);
    return rc;
}

/* Scores of a record's texts, one of each field, with its own image. */
static int score_choices(struct downstream *d, struct model *m, struct scratch *s, struct batch *b, struct arena *a,
                         const struct record *r, float *scores, struct err *e)
{
    struct batch_image image;
    struct batch_text text;

    if (downstream_image(d, a, r->fields, &image, e)) return -1;
    batch_clear(b);
    int64_t at = batch_add_image(b, &image, NULL);
    for (int i = 0; i < d->o.choices.n; i++) {
        if (input_text(a, d->config, r->fields, d->o.choices.at[i], &text, e)) return -1;
        add_score(b, at, &text, false);
    }
    batch_end_group(b);
    return model_predict(m, s, b, scores, NULL, e);
}

static int write_choice(const struct downstream *d, const struct record *from, const float *scores, struct writer *out,
                        struct err *e)
{
    struct record *r = record_new();
    struct value *all = value_array();
    int best = 0;

    for (int i = 0; i < d->o.choices.n; i++) {
        value_push(all, value_real((double)scores[i]));
        if (scores[i] > scores[best]) best = i;
    }
    if (!r->fields) r->fields = value_object();
    value_set(r->fields, "id", value_str(record_id(from)));
    value_set(r->fields, "pred", value_str(d->o.choices.at[best]));
    value_set(r->fields, "scores", all);
    int rc = writer_put(out, r, e);
    record_free(r);
    return rc;
}

static int choose(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e)
{
    float *scores = mem_new(float, d->o.choices.n);
    struct arena arena = { 0 };
    struct scratch s;
    struct batch b;
    struct record *r;
    int got;

    scratch_init(&s, m->device);
    batch_init(&b, d->config);
    while ((got = reader_next(in, &r, e)) > 0) {
        if (score_choices(d, m, &s, &b, &arena, r, scores, e)) got = reader_bad(in, r, e) ? -1 : 1;
        else if (write_choice(d, r, scores, out, e)) got = -1;
        record_free(r);
        arena_reset(&arena);
        if (got < 0) break;
    }
    arena_release(&arena);
    batch_release(&b);
    scratch_release(&s);
    free(scores);
    return got;
}

static int predict(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e)
{
    if (d->o.choices.n) return choose(d, m, in, out, e);
    struct gallery g;
    struct pending p = { 0 };
    struct scratch s;
    struct batch b;
    struct progress progress;
    struct record *r;
    int64_t done = 0;
    int got = gallery_open(&g, d, e) ? -1 : 1;

    scratch_init(&s, m->device);
    batch_init(&b, d->config);
    progress_begin(&progress, "texts", -1);
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
        if (flush(&p, m, &s, &b, &g, d->o.rows, out, e)) got = -1;
        progress_step(&progress, done, NULL);
    }
    progress_end(&progress);
    for (int64_t i = 0; i < p.n; i++) record_free(p.record[i]);
    arena_release(&p.arena);
    batch_release(&b);
    scratch_release(&s);
    gallery_release(&g);
    return got;
}

const struct downstream_kind retrieval_task = {
    .name = "retrieval",
    .summary = "images for texts and texts for images",
    .metric = "r1",
    .uses_images = true,
    .defaults = { .lr = 5e-6, .beta2 = 0.98, .weight_decay = 0.1, .warmup = 0, .epochs = 40, .schedule = "linear" },
    .configure = configure,
    .prepare = prepare,
    .add = add,
    .evaluate = evaluate,
    .predict = predict,
};
