/* Captioning (paper section 4.1, COCO): [IMG] regions, all seen, then [CLS] caption [SEP] left to right; beam search.
 */
#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "model/input.h"
#include "score/cider.h"
#include "tasks/downstream.h"
#include "text/bpe.h"
#include "text/unicode.h"
#include <stdlib.h>
#include <string.h>

static int add(void *arg, struct batch *b, int collection, int64_t i, struct rng *r, struct arena *a, struct err *e)
{
    struct downstream *d = arg;
    struct batch_image image;
    struct batch_text text;
    struct record *rec;

    (void)collection;
    (void)r;
    if (store_get(d->train, i, &rec, e)) return -1;
    int rc = input_text(a, d->config, rec->fields, "text", &text, e) || downstream_image(d, a, rec->fields, &image, e)
                 ? -1
                 : 0;
    record_free(rec);
    if (!rc) batch_add_generation(b, batch_add_image(b, &image, NULL), NULL, &text);
    return rc;
}

static int configure(struct downstream *d, struct model_config *c, struct err *e)
{
    (void)d;
    (void)c;
    (void)e;
    return 0;
}

static void prepare(struct task *t)
{
    t->step.weight[LOSS_SEQ2SEQ] = 1;
    t->step.smoothing = 0.1f;
}

/* ---- writing captions ---- */

struct caption {
    char *text; /* owned */
    float score;
};

/* Captions of the batch's images, which is then empty. out[n_sequences]. */
static int decode(struct downstream *d, struct model *m, struct scratch *s, struct batch *b, struct caption *out,
                  struct err *e)
{
    int64_t n = b->n_sequences;
    struct decode_text *texts = mem_new(struct decode_text, n + 1);
    int rc = model_decode(m, s, b, &d->o.decode, texts, e);

    for (int64_t i = 0; i < n && !rc; i++) {
        struct str bytes = { 0 }, text = { 0 };
        bpe_decode(d->bpe, texts[i].tokens, texts[i].n, &bytes);
        unicode_repair(str_c(&bytes), bytes.n, &text);
        const char *t = str_c(&text);
        size_t length = text.n;
        while (length && *t == ' ') t++, length--;
        while (length && t[length - 1] == ' ') length--;
        out[i] = (struct caption){ mem_strndup(t, length), texts[i].score };
        str_release(&text);
        str_release(&bytes);
    }
    decode_release(texts, rc ? 0 : n);
    free(texts);
    batch_clear(b);
    return rc;
}

/* ---- measuring ---- */

struct refs { /* the captions of one image */
    int n;
    const char **at;
    int64_t cap;
};

/* Groups the held-out captions by image, in order of first appearance. */
static int read_refs(struct downstream *d, struct map *images, struct refs **refs, struct err *e)
{
    int64_t cap = 0;

    for (int64_t i = 0; i < downstream_dev_count(d); i++) {
        struct record *r;
        const char *image, *text;
        bool is_new;
        if (store_get(d->dev, i, &r, e)) return -1;
        int rc = value_get_string(r->fields, "image", &image, e) || value_get_string(r->fields, "text", &text, e)
                     ? err_in(e, "%s: record %s", d->o.dev.at[0], err_quote(record_id(r)))
                     : 0;
        if (!rc) {
            int64_t *at = map_put(images, image, strlen(image), &is_new);
            if (is_new) *at = images->n - 1;
            mem_reserve(refs, &cap, images->n);
            struct refs *x = &(*refs)[*at];
            mem_reserve(&x->at, &x->cap, x->n + 1);
            x->at[x->n++] = arena_strdup(&d->measuring, text);
        }
        record_free(r);
        if (rc) return -1;
    }
    return 0;
}

static int caption_all(struct downstream *d, struct model *m, struct scratch *s, const struct map *images,
                       struct caption *out, struct err *e)
{
    struct batch b;
    int64_t first = 0;
    int rc = 0;

    batch_init(&b, d->config);
    for (int64_t i = 0; i < images->n && !rc; i++) {
        struct batch_image image;
        rc = input_image_id(&d->measuring, d->config, d->images, images->at[i].key, false, &image, e);
        if (!rc) batch_add_pair(&b, batch_add_image(&b, &image, NULL), NULL);
        if (rc || (b.n_rows * d->o.decode.beam < d->o.rows && i + 1 < images->n)) continue;
        rc = decode(d, m, s, &b, out + first, e);
        first = i + 1;
    }
    batch_release(&b);
    return rc;
}

static int evaluate(void *arg, struct model *m, struct scratch *s, struct value *report, double *score, struct err *e)
{
    struct downstream *d = arg;
    struct map images = { 0 };
    struct refs *refs = NULL;
    int rc = read_refs(d, &images, &refs, e);
    struct caption *captions = mem_new(struct caption, images.n + 1);

    (void)report;
    if (!rc) rc = caption_all(d, m, s, &images, captions, e);
    if (!rc) {
        struct score_item *items = mem_new(struct score_item, images.n + 1);
        for (int64_t i = 0; i < images.n; i++)
            items[i] = (struct score_item){ .pred = captions[i].text, .refs = refs[i].at, .n_refs = refs[i].n };
        *score = cider_d(items, images.n, NULL);
        free(items);
    }
    for (int64_t i = 0; i < images.n; i++) {
        free(captions[i].text);
        free(refs[i].at);
    }
    free(captions);
    free(refs);
    map_release(&images);
    return rc;
}

/* ---- predicting ---- */

static int write_captions(const struct caption *c, int64_t n, const char *ids, struct writer *out, struct err *e)
{
    int rc = 0;

    for (int64_t i = 0; i < n && !rc; i++, ids += strlen(ids) + 1) {
        struct record *r = record_new();
        if (!r->fields) r->fields = value_object();
        value_set(r->fields, "id", value_str(ids));
        value_set(r->fields, "pred", value_str(c[i].text));
        value_set(r->fields, "score", value_real((double)c[i].score));
        rc = writer_put(out, r, e);
        record_free(r);
    }
    return rc;
}

static int predict(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e)
{
    struct scratch s;
    struct batch b;
    struct arena arena = { 0 };
    struct str ids = { 0 };
    struct record *r;
    int got = 1;

    scratch_init(&s, m->device);
    batch_init(&b, d->config);
    while (got > 0) {
        struct batch_image image;
        if ((got = reader_next(in, &r, e)) > 0) {
            if (input_image(&arena, d->config, r, false, &image, e)) got = reader_bad(in, r, e) ? -1 : 1;
            else {
                batch_add_pair(&b, batch_add_image(&b, &image, NULL), NULL);
                str_add_bytes(&ids, record_id(r), strlen(record_id(r)) + 1);
            }
            record_free(r);
        }
        if (got < 0 || (got && b.n_rows * d->o.decode.beam < d->o.rows)) continue;
        int64_t n = b.n_sequences;
        struct caption *captions = mem_new(struct caption, n + 1);
        if (decode(d, m, &s, &b, captions, e) || write_captions(captions, n, str_c(&ids), out, e)) got = -1;
        for (int64_t i = 0; i < n; i++) free(captions[i].text);
        free(captions);
        str_clear(&ids);
        arena_reset(&arena);
    }
    str_release(&ids);
    arena_release(&arena);
    batch_release(&b);
    scratch_release(&s);
    return got;
}

const struct downstream_kind captioning_task = {
    .name = "captioning",
    .summary = "a text that says what an image shows",
    .metric = "cider",
    .uses_images = true,
    .predicts_from_images = true,
    .defaults = { .lr = 7e-6, .beta2 = 0.98, .weight_decay = 0.01, .warmup = 0.06, .epochs = 20, .schedule = "linear" },
    .configure = configure,
    .prepare = prepare,
    .add = add,
    .evaluate = evaluate,
    .predict = predict,
};
