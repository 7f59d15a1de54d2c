#include "tasks/explain.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/log.h"
#include "detect/annotations.h"
#include "model/input.h"
#include "model/look.h"
#include "tasks/panels.h"
#include "text/bpe.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 64, TOP = 3 };

struct explaining {
    struct downstream *d;
    struct model *m;
    struct bpe *bpe;
    struct scratch s;
    struct batch batch;
    struct arena arena;
    const char *folder;
    bool skips; /* bad records */
    int64_t done, skipped;
    struct err first_bad;
    /* of the record at hand */
    struct record *image; /* its regions */
    int64_t regions;
    int n_words;
    struct panel words[WORDS_MAX];
};

/* ---- words ---- */

/* Adds row i's attention to each region, and what went to the image at all. */
static void add_attention(const struct explaining *x, const float *share, int64_t i, struct panel *w)
{
    const struct batch *b = &x->batch;

    for (int64_t j = 0; j < b->n_rows; j++) {
        int64_t region = -1 - (int64_t)b->source[j];
        if (b->source[j] >= 0) continue;
        w->whole += share[i * b->n_rows + j];
        if (region > 0) w->share[region - 1] += share[i * b->n_rows + j]; /* 0 is [IMG] */
    }
}

/* Tokens become words; of what is written, a word looks through the row before it, which predicts it. */
static void find_words(struct explaining *x, const float *share)
{
    const struct batch *b = &x->batch;
    bool writes = x->d->kind->writes_text, is_apart = true;
    int n_tokens = 0;

    x->n_words = 0;
    for (int64_t i = writes ? b->prefix[0] + 1 : 0; i < b->n_rows; i++) {
        int32_t token = b->source[i] < 0 ? -1 : b->id[b->source[i]];
        struct str text = { 0 };
        if (token < 0 || token >= bpe_size(x->bpe) || bpe_is_special(x->bpe, token)) {
            is_apart = true;
            continue;
        }
        bpe_decode(x->bpe, &token, 1, &text);
        bool begins = is_apart || str_c(&text)[0] == ' ';
        if (begins && x->n_words == WORDS_MAX) {
            str_release(&text);
            break;
        }
        if (begins) {
            x->words[x->n_words++] = (struct panel){ .share = arena_new(&x->arena, float, x->regions + 1) };
            n_tokens = 0;
        }
        struct panel *w = &x->words[x->n_words - 1];
        str_add_bytes(&w->word, str_c(&text), text.n);
        add_attention(x, share, writes ? i - 1 : i, w);
        w->n = ++n_tokens;
        is_apart = false;
        str_release(&text);
    }
}

/* Means over a word's tokens; regions as shares of what went to all regions. */
static void normalise(struct explaining *x)
{
    for (int k = 0; k < x->n_words; k++) {
        struct panel *w = &x->words[k];
        float sum = 0;
        for (int64_t i = 0; i < x->regions; i++) sum += w->share[i];
        for (int64_t i = 0; i < x->regions && sum > 0; i++) w->share[i] /= sum;
        w->whole /= (float)w->n;
    }
}

/* ---- in the record ---- */

/* The region with the largest share, but for those that are taken. */
static int64_t largest(const float *share, int64_t n, const int64_t *taken, int n_taken)
{
    int64_t best = -1;

    for (int64_t i = 0; i < n; i++) {
        bool is_free = true;
        for (int k = 0; k < n_taken; k++) is_free = is_free && taken[k] != i;
        if (is_free && (best < 0 || share[i] > share[best])) best = i;
    }
    return best;
}

static struct value *three_digits(float x)
{
    return value_real(round((double)x * 1000) / 1000);
}

static struct value *describe(const struct explaining *x, const struct panel *w)
{
    struct value *v = value_object(), *regions = value_array();
    const struct value *classes = value_get(x->image->fields, "classes");
    int64_t top[TOP];
    struct str word = { 0 };

    for (size_t i = 0; i < w->word.n; i++) {
        if (w->word.data[i] != ' ') str_add_char(&word, w->word.data[i]);
    }
    value_set(v, "word", value_str(utf8_valid(str_c(&word), word.n) ? str_c(&word) : "?"));
    value_set(v, "image", three_digits(w->whole));
    for (int k = 0; k < TOP && k < x->regions; k++) {
        struct value *r = value_object();
        int64_t at = top[k] = largest(w->share, x->regions, top, k);
        value_set(r, "region", value_int(at));
        if (at < value_count(classes)) value_set(r, "class", value_copy(value_at(classes, at)));
        value_set(r, "share", three_digits(w->share[at]));
        value_push(regions, r);
    }
    value_set(v, "regions", regions);
    str_release(&word);
    return v;
}

/* ---- a record ---- */

/* A record's image: itself, or the one that it names. The caller frees it. */
static int find_image(struct downstream *d, const struct record *r, struct record **image, struct err *e)
{
    const char *name;

    *image = NULL;
    if (record_tensor(r, "features")) *image = record_copy(r);
    else if (value_get_string(r->fields, "image", &name, e)) return -1;
    else if (!d->images) return err_set(e, ERR_USAGE, "--images: are required for --explain");
    else if (store_get_id(d->images, name, image, e)) return -1;
    return 0;
}

/* Its picture, which is relative to the folder of the file that the image's record is in. One that is not there is what
 * that record is wrong about, not a failure to read. */
static int find_picture(const struct record *image, char **path, struct err *e)
{
    const char *name;

    if (value_get_string(image->fields, "image", &name, e)) return -1;
    *path = picture_path(image->file, name);
    int is_there = file_exists(*path, e);
    if (is_there) return is_there < 0 ? -1 : 0;
    return err_set(e, ERR_INPUT, "%s: is not there (a picture was expected)", *path);
}

static int take_image(struct explaining *x, const struct record *r, struct err *e)
{
    if (find_image(x->d, r, &x->image, e)) return -1;
    const struct record_tensor *t = record_tensor(x->image, "boxes");
    if (!t || t->rank != 2) return err_set(e, ERR_INPUT, "no tensor \"boxes\" [n,4]");
    x->regions = t->shape[0] < x->d->config->max_regions ? t->shape[0] : x->d->config->max_regions;
    return 0;
}

static int paint(struct explaining *x, const char *id, struct err *e)
{
    char *picture = NULL;
    int64_t n;
    float *boxes;

    if (record_tensor_f32(x->image, "boxes", 2, (const int64_t[]){ -1, 4 }, &boxes, &n, e)) return -1;
    int rc = find_picture(x->image, &picture, e);
    if (!rc) rc = panels_save(x->folder, id, picture, boxes, x->regions, x->words, x->n_words, e);
    free(picture);
    free(boxes);
    return rc;
}

static int look(struct explaining *x, const struct record *r, const struct value *said, struct err *e)
{
    batch_clear(&x->batch);
    if (take_image(x, r, e) || x->d->kind->show(x->d, &x->arena, &x->batch, r, said, e)) return -1;
    int64_t T = x->batch.n_rows;
    float *share = mem_try((size_t)(T * T), sizeof *share);
    if (!share) return err_set(e, ERR_IO, "not enough memory for %lld rows", (long long)T);
    int rc = model_attention(x->m, &x->s, &x->batch, share, e);
    if (!rc) {
        find_words(x, share);
        normalise(x);
    }
    free(share);
    return rc;
}

static int explain_one(struct explaining *x, const struct record *r, struct record *prediction, struct writer *out,
                       struct err *e)
{
    struct value *all = value_array();
    int rc = look(x, r, value_get(prediction->fields, "pred"), e);

    for (int k = 0; k < x->n_words && !rc; k++) value_push(all, describe(x, &x->words[k]));
    value_set(prediction->fields, "looked_at", all);
    if (!rc) rc = paint(x, record_id(r), e);
    if (!rc) rc = writer_put(out, prediction, e);
    for (int k = 0; k < x->n_words; k++) str_release(&x->words[k].word);
    x->n_words = 0;
    record_free(x->image);
    x->image = NULL;
    arena_reset(&x->arena);
    return rc;
}

static int pass_over(struct explaining *x, const struct record *r, struct err *e)
{
    err_in(e, "%s: record %" PRId64, r->file, r->number);
    if (!x->skips || e->code != ERR_INPUT) return -1;
    if (!x->skipped++) x->first_bad = *e;
    err_clear(e);
    return 0;
}

/* Predictions have the inputs' ids; inputs that --skip-bad left out have none. */
static int explain_all(struct explaining *x, struct reader *in, struct reader *predictions, struct writer *out,
                       struct err *e)
{
    struct record *r, *p;
    int got;

    while ((got = reader_next(predictions, &p, e)) > 0) {
        bool is_done = false;
        while (!is_done && got > 0 && (got = reader_next(in, &r, e)) > 0) {
            is_done = !strcmp(record_id(r), record_id(p));
            if (is_done && explain_one(x, r, p, out, e) && pass_over(x, r, e)) got = -1;
            record_free(r);
        }
        record_free(p);
        if (got < 0) return -1;
        if (!is_done) return err_set(e, ERR_INPUT, "the input changed while it was read");
        x->done++;
    }
    if (got < 0 || !x->skipped) return got;
    if (x->skipped == x->done) return err_set(e, ERR_INPUT, "%s (and so every record was skipped)", x->first_bad.text);
    log_line("%" PRId64 " records without a picture skipped (first: %s)", x->skipped, x->first_bad.text);
    return 0;
}

/* ---- before the predictions ---- */

struct sparing {
    struct downstream *d;
    struct reader *in;
    const char *folder;
    struct map there; /* files that drawings would replace */
};

static int note_drawing(struct sparing *x, const struct record *r, struct err *e)
{
    struct file_key key;
    char *drawn = path_of_id(x->folder, record_id(r), ".jpg");

    if (file_key(&key, drawn)) map_put(&x->there, &key, sizeof key, NULL);
    free(drawn);
    return 0;
}

/* A record without a picture may be passed over, one whose picture would be lost may not. */
static int check_picture(struct sparing *x, const struct record *r, struct err *e)
{
    struct record *image;
    struct file_key key;
    char *picture = NULL;
    int rc = 0;

    if (find_image(x->d, r, &image, e) || find_picture(image, &picture, e)) rc = reader_bad(x->in, r, e);
    else if (out_spares_folder(x->folder, picture, e)) rc = -1;
    else if (file_key(&key, picture) && map_find(&x->there, &key, sizeof key))
        rc = err_set(e, ERR_INPUT, "%s: is both input and output", picture);
    free(picture);
    record_free(image);
    return rc;
}

static int each_input(struct sparing *x, const struct explain_from *from,
                      int (*each)(struct sparing *x, const struct record *r, struct err *e), struct err *e)
{
    struct record *r;
    int got = (x->in = reader_open(from->paths, from->n, &from->how, e)) ? 1 : -1;

    while (got > 0 && (got = reader_next(x->in, &r, e)) > 0) {
        if (each(x, r, e)) got = -1;
        record_free(r);
    }
    reader_close(x->in);
    return got;
}

int explain_spares(struct downstream *d, const struct explain_from *from, const char *folder, struct err *e)
{
    struct sparing x = { .d = d, .folder = folder };
    struct file_key key;
    bool is_there = file_key(&key, folder);
    int rc = (is_there && each_input(&x, from, note_drawing, e)) || each_input(&x, from, check_picture, e) ? -1 : 0;

    map_release(&x.there);
    return rc;
}

int explain(struct downstream *d, struct model *m, const struct explain_from *from, const char *predictions,
            const char *folder, struct writer *out, struct err *e)
{
    struct explaining x = { .d = d, .m = m, .folder = folder, .skips = from->how.skip_bad };
    struct reader *in = NULL, *pred = NULL;

    if (dir_make(folder, e)) return -1;
    if (!(x.bpe = bpe_load(d->o.vocabulary, e))) return -1;
    scratch_init(&x.s, m->device);
    batch_init(&x.batch, d->config);
    int rc = (in = reader_open(from->paths, from->n, &from->how, e)) && (pred = reader_open(&predictions, 1, NULL, e))
                 ? explain_all(&x, in, pred, out, e)
                 : -1;
    reader_close(in);
    reader_close(pred);
    batch_release(&x.batch);
    scratch_release(&x.s);
    arena_release(&x.arena);
    bpe_free(x.bpe);
    return rc;
}
