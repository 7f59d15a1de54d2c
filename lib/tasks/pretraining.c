#include "tasks/pretraining.h"
#include "core/mem.h"
#include "model/input.h"
#include <stdlib.h>
#include <string.h>

struct pretraining {
    struct pretraining_opts o;
    const struct model_config *config;
    struct store *collection[PRETRAINING_COLLECTIONS], *dev[PRETRAINING_COLLECTIONS], *features;
};

/* An example on its way into a batch. */
struct adding {
    struct pretraining *p;
    struct batch *b;
    struct rng *r;
    struct arena *a;
};

/* ---- masked and generated ---- */

static int64_t add_mlm(struct adding *x, int64_t image, const struct batch_text *text)
{
    int64_t limit = x->p->config->max_text - 2, n = text->n < limit ? text->n : limit;
    int32_t *tokens = arena_new(x->a, int32_t, n + 1), *labels = arena_new(x->a, int32_t, n + 1);

    for (int64_t i = 0; i < n; i++) tokens[i] = text->tokens[i];
    mlm_mask(x->r, x->p->config, &x->p->o.mlm, n, tokens, text->units, labels);
    return batch_add_mlm(x->b, image, &(struct batch_text){ n, tokens, text->units }, labels);
}

static int64_t add_text_objective(struct adding *x, int64_t image, const struct batch_text *text)
{
    const float *w = x->p->o.weight;
    bool generates = w[LOSS_SEQ2SEQ] != 0 && (w[LOSS_MLM] == 0 || rng_uniform(x->r) < x->p->o.seq2seq_share);

    if (!generates) return add_mlm(x, image, text);
    struct batch_rows rows = seq2seq_split(x->a, x->r, x->p->config, &x->p->o.seq2seq, text);
    return batch_add_sequence(x->b, image, &rows);
}

/* One pass with something to predict in the text, in the image or in both; either may be NULL. */
static void add_masked(struct adding *x, const struct batch_image *image, const struct batch_text *text)
{
    const float *w = x->p->o.weight;
    bool of_text = text && (w[LOSS_MLM] != 0 || w[LOSS_SEQ2SEQ] != 0),
         of_image = image && (w[LOSS_MRC] != 0 || w[LOSS_MRFR] != 0);
    uint8_t *masked = NULL;

    if (of_text && of_image && !x->p->o.mask_both) {
        of_text = rng_below(x->r, 2);
        of_image = !of_text;
    }
    if (!of_text && !of_image) return;
    if (of_image) {
        masked = arena_new(x->a, uint8_t, image->n);
        visual_mask(x->r, &x->p->o.visual, image->n, image->boxes, masked);
    }
    int64_t at = image ? batch_add_image(x->b, image, masked) : -1;
    int64_t s = of_text ? add_text_objective(x, at, text) : batch_add_pair(x->b, at, text);
    if (of_image) batch_add_region_targets(x->b, s, image, masked);
}

/* ---- the contrastive group ---- */

/* Draws up to `want` of the record's texts under a name. */
static int draw_texts(struct adding *x, const struct record *rec, const char *name, int64_t want,
                      const struct batch_text **out, int64_t *n, struct err *e)
{
    struct batch_text *all, *some;
    int64_t have;

    if (input_texts(x->a, x->p->config, rec->fields, name, &all, &have, e)) return -1;
    int64_t *picked = arena_new(x->a, int64_t, have + 1);
    *n = cmcl_draw(x->r, have, want, picked);
    *out = some = arena_new(x->a, struct batch_text, *n + 1);
    for (int64_t i = 0; i < *n; i++) some[i] = all[picked[i]];
    return 0;
}

static int draw_ids(struct adding *x, const struct record *rec, const char *name, int64_t want, const char ***out,
                    int64_t *n, struct err *e)
{
    const char **all;
    int64_t have;

    if (input_ids(x->a, rec->fields, name, &all, &have, e)) return -1;
    int64_t *picked = arena_new(x->a, int64_t, have + 1);
    *n = cmcl_draw(x->r, have, want, picked);
    *out = arena_new(x->a, const char *, *n + 1);
    for (int64_t i = 0; i < *n; i++) (*out)[i] = all[picked[i]];
    return 0;
}

static int related_texts(struct adding *x, const struct record *rec, struct batch_cmcl *g, struct err *e)
{
    struct store *texts = x->p->collection[PRETRAINING_TEXTS];
    const char **ids;

    if (!texts || draw_ids(x, rec, "related_texts", x->p->o.cmcl.texts, &ids, &g->n_texts, e)) return texts ? -1 : 0;
    struct batch_text *t = arena_new(x->a, struct batch_text, g->n_texts + 1);
    for (int64_t i = 0; i < g->n_texts; i++) {
        struct record *other;
        if (store_get_id(texts, ids[i], &other, e)) return -1;
        int rc = input_text(x->a, x->p->config, other->fields, "text", &t[i], e);
        record_free(other);
        if (rc) return err_in(e, "text %s", err_quote(ids[i]));
    }
    g->texts = t;
    return 0;
}

static int related_images(struct adding *x, const struct record *rec, struct batch_cmcl *g, struct err *e)
{
    struct store *images = x->p->collection[PRETRAINING_IMAGES];
    const char **ids;

    if (draw_ids(x, rec, "related_images", x->p->o.cmcl.images, &ids, &g->n_images, e)) return -1;
    struct batch_image *m = arena_new(x->a, struct batch_image, g->n_images + 1);
    for (int64_t i = 0; i < g->n_images; i++) {
        struct store *from = images && store_find(images, ids[i]) >= 0 ? images : x->p->features;
        if (input_image_id(x->a, x->p->config, from, ids[i], false, &m[i], e)) return -1;
    }
    g->images = m;
    return 0;
}

static int add_group(struct adding *x, const struct record *rec, const struct batch_image *image,
                     const struct batch_text *text, struct err *e)
{
    struct batch_cmcl g = { .image = *image, .text = *text, .each = x->p->o.cmcl.each };

    if (draw_texts(x, rec, "negatives", x->p->o.cmcl.negatives, &g.negatives, &g.n_negatives, e) ||
        draw_texts(x, rec, "positives", x->p->o.cmcl.positives, &g.positives, &g.n_positives, e) ||
        related_texts(x, rec, &g, e) || related_images(x, rec, &g, e))
        return -1;
    if (g.n_negatives) batch_add_cmcl(x->b, &g);
    return 0;
}

/* ---- examples ---- */

static int add_pair(struct adding *x, const struct record *rec, struct err *e)
{
    struct batch_image image;
    struct batch_text text;
    const char *id;

    if (value_get_string(rec->fields, "image", &id, e) ||
        input_text(x->a, x->p->config, rec->fields, "text", &text, e) ||
        input_image_id(x->a, x->p->config, x->p->features, id, x->p->o.weight[LOSS_MRC] != 0, &image, e))
        return -1;
    add_masked(x, &image, &text);
    bool contrasts = x->p->o.weight[LOSS_CMCL] != 0 && rng_uniform(x->r) < x->p->o.cmcl_share;
    return contrasts ? add_group(x, rec, &image, &text, e) : 0;
}

static int add_record(struct adding *x, int collection, const struct record *rec, struct err *e)
{
    struct batch_image image;
    struct batch_text text;

    if (collection == PRETRAINING_PAIRS) return add_pair(x, rec, e);
    if (collection == PRETRAINING_IMAGES) {
        if (input_image(x->a, x->p->config, rec, x->p->o.weight[LOSS_MRC] != 0, &image, e)) return -1;
        add_masked(x, &image, NULL);
        return 0;
    }
    if (input_text(x->a, x->p->config, rec->fields, "text", &text, e)) return -1;
    add_masked(x, NULL, &text);
    return 0;
}

static int add(void *arg, struct batch *b, int collection, int64_t i, struct rng *r, struct arena *a, struct err *e)
{
    struct pretraining *p = arg;
    struct record *rec;

    if (store_get(p->collection[collection], i, &rec, e)) return -1;
    int rc = add_record(&(struct adding){ p, b, r, a }, collection, rec, e);
    if (rc) record_bad(rec, e);
    record_free(rec);
    return rc;
}

/* ---- measuring ---- */

enum { RNG_DEV = 0x6465 };

static int add_held_out(struct pretraining *p, struct batch *b, int collection, int64_t i, struct arena *a,
                        struct err *e)
{
    struct record *rec;
    struct rng r;

    rng_init(&r, 0, rng_stream(RNG_DEV, (uint64_t)collection, (uint64_t)i));
    if (store_get(p->dev[collection], i, &rec, e)) return -1;
    int rc = add_record(&(struct adding){ p, b, &r, a }, collection, rec, e);
    if (rc) record_bad(rec, e);
    record_free(rec);
    arena_reset(a);
    return rc;
}

/* The losses over every held-out example, masked the same way each time; m NULL: only reads them. */
static int measure(struct pretraining *p, struct model *m, struct scratch *s, struct batch *b, struct losses *out,
                   struct err *e)
{
    struct step_opts so = { 0 };
    struct arena arena = { 0 };
    int rc = 0;

    memcpy(so.weight, p->o.weight, sizeof so.weight);
    for (int c = 0; c < PRETRAINING_COLLECTIONS; c++) {
        int64_t n = p->dev[c] ? store_count(p->dev[c]) : 0;
        for (int64_t i = 0; i < n && !rc; i++) {
            rc = add_held_out(p, b, c, i, &arena, e);
            if (rc || (b->n_rows < p->o.rows && i + 1 < n) || !b->n_rows) continue;
            if (m) rc = model_step(m, s, b, &so, out, e);
            batch_clear(b);
        }
    }
    arena_release(&arena);
    return rc;
}

/* What is wrong with held-out examples is said before the training, not when it is over. */
static int check_held_out(struct pretraining *p, const struct model_config *c, struct err *e)
{
    struct batch b;

    batch_init(&b, c);
    int rc = measure(p, NULL, NULL, &b, NULL, e);
    batch_release(&b);
    return rc;
}

static int evaluate(void *arg, struct model *m, struct scratch *s, struct value *report, double *score, struct err *e)
{
    struct pretraining *p = arg;
    struct losses losses = { 0 };
    struct batch b;

    batch_init(&b, p->config);
    int rc = measure(p, m, s, &b, &losses, e);
    batch_release(&b);
    for (int i = 0; i < LOSS_COUNT && !rc; i++) {
        struct str name = { 0 };
        str_addf(&name, "dev_%s", loss_names[i]);
        if (losses.n[i]) value_set(report, str_c(&name), value_real(losses.sum[i] / (double)losses.n[i]));
        str_release(&name);
    }
    *score = -losses_total(&losses, p->o.weight);
    return rc;
}

static const char *id(void *arg, int collection, int64_t i)
{
    struct pretraining *p = arg;
    return store_id(p->collection[collection], i);
}

/* ---- opening ---- */

static const char *const names[PRETRAINING_COLLECTIONS] = { "pairs", "images", "texts" };

/* Without rewritten negatives a contrastive group says nothing: better to hear it now than never. Nearly always the
 * first pair has some. */
static int check_pairs(struct pretraining *p, struct err *e)
{
    struct store *pairs = p->collection[PRETRAINING_PAIRS];
    bool has = !pairs || p->o.weight[LOSS_CMCL] == 0;

    for (int64_t i = 0; !has && i < store_count(pairs); i++) {
        struct record *rec;
        if (store_get(pairs, i, &rec, e)) return -1;
        has = value_count(value_get(rec->fields, "negatives")) > 0;
        record_free(rec);
    }
    return has ? 0
               : err_set(
                     e, ERR_INPUT,
                     "%s: no \"negatives\" for contrastive learning (unimo-rewrite adds them; --cmcl 0 does without)",
                     p->o.files[0].at[0]);
}

static int open_collections(struct pretraining *p, struct task *t, struct err *e)
{
    double total = 0;

    for (int i = 0; i < PRETRAINING_COLLECTIONS; i++) {
        t->at[i] = (struct task_collection){ .name = names[i], .share = p->o.share[i] };
        if (!p->o.files[i].n) continue;
        p->collection[i] = store_open(p->o.files[i].at, p->o.files[i].n, 0, e);
        if (!p->collection[i]) return -1;
        t->at[i].n = store_count(p->collection[i]);
        t->at[i].store = p->collection[i];
        if (!t->at[i].n) return err_set(e, ERR_INPUT, "--%s: no records", names[i]);
        total += t->at[i].share;
    }
    if (total <= 0) return err_set(e, ERR_USAGE, "--mix: gives no collection a share");
    for (int i = 0; i < PRETRAINING_COLLECTIONS; i++) {
        if (!p->o.dev[i].n) continue;
        if (!(p->dev[i] = store_open(p->o.dev[i].at, p->o.dev[i].n, 0, e))) return -1;
        t->evaluate = evaluate;
        t->metric = "dev_score";
        t->keeps_last = true;
    }
    if (!p->collection[PRETRAINING_PAIRS] && !p->dev[PRETRAINING_PAIRS]) return 0;
    if (!p->o.features.n) return err_set(e, ERR_USAGE, "--features: the regions of the pairs' images were expected");
    t->referred = p->features = store_open(p->o.features.at, p->o.features.n, 0, e);
    return p->features ? check_pairs(p, e) : -1;
}

struct pretraining *pretraining_open(struct task *t, const struct pretraining_opts *o, const struct model_config *c,
                                     struct err *e)
{
    struct pretraining *p = mem_new(struct pretraining, 1);

    *t = (struct task){
        .name = "pretraining", .n_collections = PRETRAINING_COLLECTIONS, .add = add, .id = id, .arg = p
    };
    p->o = *o;
    p->config = c;
    memcpy(t->step.weight, o->weight, sizeof o->weight);
    if (!open_collections(p, t, e)) return p;
    pretraining_close(p);
    return NULL;
}

int pretraining_complete(struct pretraining *p, struct model_config *c, struct err *e)
{
    struct store *from = p->features ? p->features : p->collection[PRETRAINING_IMAGES];
    struct record *r;
    int classes = 0;

    if (!from) return model_config_check(c, e) ? -1 : check_held_out(p, c, e);
    if (!store_count(from)) return err_set(e, ERR_INPUT, "%s: no records", p->o.features.at[0]);
    if (store_get(from, 0, &r, e)) return -1;
    int rc = input_image_sizes(r, &c->features, &classes, e);
    if (rc) record_bad(r, e);
    record_free(r);
    if (classes) c->classes = classes;
    return rc || model_config_check(c, e) ? -1 : check_held_out(p, c, e);
}

void pretraining_close(struct pretraining *p)
{
    if (!p) return;
    for (int i = 0; i < PRETRAINING_COLLECTIONS; i++) {
        store_close(p->collection[i]);
        store_close(p->dev[i]);
    }
    store_close(p->features);
    free(p);
}
