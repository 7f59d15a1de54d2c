#include "tasks/pretraining.h"
#include "core/mem.h"
#include "model/input.h"
#include <stdlib.h>
#include <string.h>

struct pretraining {
    struct pretraining_opts o;
    const struct model_config *config;
    struct store *collection[PRETRAINING_COLLECTIONS], *features;
    struct arena arena; /* of the example that is being added */
};

/* ---- masked and generated ---- */

static int64_t add_mlm(struct pretraining *p, struct batch *b, int64_t image, const struct batch_text *text,
                       struct rng *r)
{
    int64_t limit = p->config->max_text - 2, n = text->n < limit ? text->n : limit;
    int32_t *tokens = arena_new(&p->arena, int32_t, n + 1), *labels = arena_new(&p->arena, int32_t, n + 1);

    for (int64_t i = 0; i < n; i++) tokens[i] = text->tokens[i];
    mlm_mask(r, p->config, &p->o.mlm, n, tokens, text->units, labels);
    return batch_add_mlm(b, image, &(struct batch_text){ n, tokens, text->units }, labels);
}

static int64_t add_text_objective(struct pretraining *p, struct batch *b, int64_t image, const struct batch_text *text,
                                  struct rng *r)
{
    const float *w = p->o.weight;
    bool generates = w[LOSS_SEQ2SEQ] != 0 && (w[LOSS_MLM] == 0 || rng_uniform(r) < p->o.seq2seq_share);

    if (!generates) return add_mlm(p, b, image, text, r);
    struct batch_rows rows = seq2seq_split(&p->arena, r, p->config, &p->o.seq2seq, text);
    return batch_add_sequence(b, image, &rows);
}

/* One pass with something to predict in the text, in the image or in both; either may be NULL. */
static void add_masked(struct pretraining *p, struct batch *b, const struct batch_image *image,
                       const struct batch_text *text, struct rng *r)
{
    const float *w = p->o.weight;
    bool of_text = text && (w[LOSS_MLM] != 0 || w[LOSS_SEQ2SEQ] != 0),
         of_image = image && (w[LOSS_MRC] != 0 || w[LOSS_MRFR] != 0);
    uint8_t *masked = NULL;

    if (of_text && of_image && !p->o.mask_both) {
        of_text = rng_below(r, 2);
        of_image = !of_text;
    }
    if (!of_text && !of_image) return;
    if (of_image) {
        masked = arena_new(&p->arena, uint8_t, image->n);
        visual_mask(r, &p->o.visual, image->n, image->boxes, masked);
    }
    int64_t at = image ? batch_add_image(b, image, masked) : -1;
    int64_t s = of_text ? add_text_objective(p, b, at, text, r) : batch_add_pair(b, at, text);
    if (of_image) batch_add_region_targets(b, s, image, masked);
}

/* ---- the contrastive group ---- */

/* Draws up to `want` of the record's texts under a name. */
static int draw_texts(struct pretraining *p, const struct record *rec, const char *name, int64_t want, struct rng *r,
                      const struct batch_text **out, int64_t *n, struct err *e)
{
    struct batch_text *all, *some;
    int64_t have;

    if (input_texts(&p->arena, p->config, rec->fields, name, &all, &have, e)) return -1;
    int64_t *picked = arena_new(&p->arena, int64_t, have + 1);
    *n = cmcl_draw(r, have, want, picked);
    *out = some = arena_new(&p->arena, struct batch_text, *n + 1);
    for (int64_t i = 0; i < *n; i++) some[i] = all[picked[i]];
    return 0;
}

static int draw_ids(struct pretraining *p, const struct record *rec, const char *name, int64_t want, struct rng *r,
                    const char ***out, int64_t *n, struct err *e)
{
    const char **all;
    int64_t have;

    if (input_ids(&p->arena, rec->fields, name, &all, &have, e)) return -1;
    int64_t *picked = arena_new(&p->arena, int64_t, have + 1);
    *n = cmcl_draw(r, have, want, picked);
    *out = arena_new(&p->arena, const char *, *n + 1);
    for (int64_t i = 0; i < *n; i++) (*out)[i] = all[picked[i]];
    return 0;
}

static int related_texts(struct pretraining *p, const struct record *rec, struct rng *r, struct batch_cmcl *x,
                         struct err *e)
{
    struct store *texts = p->collection[PRETRAINING_TEXTS];
    const char **ids;

    if (!texts || draw_ids(p, rec, "related_texts", p->o.cmcl.texts, r, &ids, &x->n_texts, e)) return texts ? -1 : 0;
    struct batch_text *t = arena_new(&p->arena, struct batch_text, x->n_texts + 1);
    for (int64_t i = 0; i < x->n_texts; i++) {
        struct record *other;
        if (store_get_id(texts, ids[i], &other, e)) return -1;
        int rc = input_text(&p->arena, p->config, other->fields, "text", &t[i], e);
        record_free(other);
        if (rc) return err_in(e, "text %s", err_quote(ids[i]));
    }
    x->texts = t;
    return 0;
}

static int related_images(struct pretraining *p, const struct record *rec, struct rng *r, struct batch_cmcl *x,
                          struct err *e)
{
    struct store *images = p->collection[PRETRAINING_IMAGES];
    const char **ids;

    if (draw_ids(p, rec, "related_images", p->o.cmcl.images, r, &ids, &x->n_images, e)) return -1;
    struct batch_image *m = arena_new(&p->arena, struct batch_image, x->n_images + 1);
    for (int64_t i = 0; i < x->n_images; i++) {
        struct store *from = images && store_find(images, ids[i]) >= 0 ? images : p->features;
        if (input_image_id(&p->arena, p->config, from, ids[i], false, &m[i], e)) return -1;
    }
    x->images = m;
    return 0;
}

static int add_group(struct pretraining *p, struct batch *b, const struct record *rec, const struct batch_image *image,
                     const struct batch_text *text, struct rng *r, struct err *e)
{
    struct batch_cmcl x = { .image = *image, .text = *text, .each = p->o.cmcl.each };

    if (draw_texts(p, rec, "negatives", p->o.cmcl.negatives, r, &x.negatives, &x.n_negatives, e) ||
        draw_texts(p, rec, "positives", p->o.cmcl.positives, r, &x.positives, &x.n_positives, e) ||
        related_texts(p, rec, r, &x, e) || related_images(p, rec, r, &x, e))
        return -1;
    if (x.n_negatives) batch_add_cmcl(b, &x);
    return 0;
}

/* ---- examples ---- */

static int add_pair(struct pretraining *p, struct batch *b, const struct record *rec, struct rng *r, struct err *e)
{
    struct batch_image image;
    struct batch_text text;
    const char *id;

    if (value_get_string(rec->fields, "image", &id, e) ||
        input_text(&p->arena, p->config, rec->fields, "text", &text, e) ||
        input_image_id(&p->arena, p->config, p->features, id, p->o.weight[LOSS_MRC] != 0, &image, e))
        return -1;
    add_masked(p, b, &image, &text, r);
    bool contrasts = p->o.weight[LOSS_CMCL] != 0 && rng_uniform(r) < p->o.cmcl_share;
    return contrasts ? add_group(p, b, rec, &image, &text, r, e) : 0;
}

static int add_record(struct pretraining *p, struct batch *b, int collection, const struct record *rec, struct rng *r,
                      struct err *e)
{
    struct batch_image image;
    struct batch_text text;

    if (collection == PRETRAINING_PAIRS) return add_pair(p, b, rec, r, e);
    if (collection == PRETRAINING_IMAGES) {
        if (input_image(&p->arena, p->config, rec, p->o.weight[LOSS_MRC] != 0, &image, e)) return -1;
        add_masked(p, b, &image, NULL, r);
        return 0;
    }
    if (input_text(&p->arena, p->config, rec->fields, "text", &text, e)) return -1;
    add_masked(p, b, NULL, &text, r);
    return 0;
}

static int add(void *arg, struct batch *b, int collection, int64_t i, struct rng *r, struct err *e)
{
    struct pretraining *p = arg;
    struct record *rec;

    arena_reset(&p->arena);
    if (store_get(p->collection[collection], i, &rec, e)) return -1;
    int rc = add_record(p, b, collection, rec, r, e);
    record_free(rec);
    return rc;
}

static const char *id(void *arg, int collection, int64_t i)
{
    struct pretraining *p = arg;
    return store_id(p->collection[collection], i);
}

/* ---- opening ---- */

static const char *const names[PRETRAINING_COLLECTIONS] = { "pairs", "images", "texts" };

/* Without rewritten negatives a contrastive group says nothing: better to hear it now than never. */
static int check_pairs(struct pretraining *p, struct err *e)
{
    struct store *pairs = p->collection[PRETRAINING_PAIRS];
    struct record *rec;

    if (!pairs || p->o.weight[LOSS_CMCL] == 0) return 0;
    if (store_get(pairs, 0, &rec, e)) return -1;
    bool has = value_get(rec->fields, "negatives");
    record_free(rec);
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
        if (!t->at[i].n) return err_set(e, ERR_INPUT, "--%s: no records", names[i]);
        total += t->at[i].share;
    }
    if (total <= 0) return err_set(e, ERR_USAGE, "--mix: gives no collection a share");
    if (!p->collection[PRETRAINING_PAIRS]) return 0;
    if (!p->o.features.n) return err_set(e, ERR_USAGE, "--features: the regions of the pairs' images were expected");
    p->features = store_open(p->o.features.at, p->o.features.n, 0, e);
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

void pretraining_close(struct pretraining *p)
{
    if (!p) return;
    for (int i = 0; i < PRETRAINING_COLLECTIONS; i++) {
        if (p->collection[i]) store_close(p->collection[i]);
    }
    if (p->features) store_close(p->features);
    arena_release(&p->arena);
    free(p);
}
