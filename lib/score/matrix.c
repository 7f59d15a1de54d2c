#include "score/matrix.h"
#include "core/hash.h"
#include "core/mem.h"
#include "stream/reader.h"
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct matrix *m;
    int64_t cap_scores, cap_gold;
    bool *seen; /* of triples */
};

static int add_image(void *arg, const struct record *r, struct err *e)
{
    struct reading *x = arg;
    bool is_new;
    int64_t *at = map_put(&x->m->images, record_id(r), strlen(record_id(r)), &is_new);

    if (!is_new) return err_set(e, ERR_INPUT, "image %s is there twice", err_quote(record_id(r)));
    *at = x->m->images.n - 1;
    return 0;
}

enum {
    PAIRS_MAX = 1 << 30
}; /* 4 GiB of scores, 8 of triples: every pair of COCO's 5,000 test images and 25,000 captions is an eighth */

static int too_many(struct err *e)
{
    return err_set(e, ERR_INPUT, "more than %d pairs", PAIRS_MAX);
}

static int add_text(void *arg, const struct record *r, struct err *e)
{
    struct reading *x = arg;
    struct matrix *m = x->m;
    const struct record_tensor *t;
    const char *image;
    bool is_new;

    if (value_get_string(r->fields, "image", &image, e)) return -1;
    if (record_tensor_shaped(r, "scores", DT_F32, 1, (const int64_t[]){ x->m->images.n }, &t, e)) return -1;
    const int64_t *gold = map_find(&x->m->images, image, strlen(image));
    if (!gold) return err_set(e, ERR_INPUT, "image %s is not among the images", err_quote(image));
    map_put(&x->m->texts, record_id(r), strlen(record_id(r)), &is_new);
    if (!is_new) return err_set(e, ERR_INPUT, "text %s is there twice", err_quote(record_id(r)));
    const float *s = t->data;
    for (int64_t i = 0; i < x->m->images.n; i++) {
        if (isnan(s[i])) return err_set(e, ERR_INPUT, "tensor \"scores\": NaN at %" PRId64, i);
    }
    if (m->n_texts >= PAIRS_MAX / m->images.n) return too_many(e);
    if (mem_reserve_try(&m->scores, &x->cap_scores, (m->n_texts + 1) * m->images.n))
        return err_set(e, ERR_IO, "out of memory");
    mem_reserve(&m->gold, &x->cap_gold, m->n_texts + 1);
    memcpy(m->scores + m->n_texts * x->m->images.n, s, (size_t)x->m->images.n * sizeof *s);
    m->gold[m->n_texts++] = *gold;
    return 0;
}

static int finish(struct reading *x, int rc, struct err *e)
{
    x->m->n_images = x->m->images.n;
    if (!rc && (!x->m->n_texts || !x->m->images.n)) rc = err_set(e, ERR_INPUT, "no scores");
    free(x->seen);
    if (rc) matrix_release(x->m);
    return rc;
}

int matrix_read(struct matrix *m, const char *pred, const char *images, struct err *e)
{
    struct reading x = { .m = m };

    *m = (struct matrix){ 0 };
    int rc = reader_each(images, &(struct reader_opts){ .skip_tensors = true }, add_image, &x, e);
    if (!rc) rc = reader_each(pred, &(struct reader_opts){ .skip_tensors = false }, add_text, &x, e);
    return finish(&x, rc, e);
}

/* ---- triples ---- */

static int read_name(const struct record *r, const char *field, struct str *name, struct err *e)
{
    const struct value *v = value_get(r->fields, field);
    const char *text = value_text(v, NULL);

    str_clear(name);
    if (text) str_add(name, text);
    else if (value_is_int(v)) value_print(v, name);
    else if (value_is_string(v)) return err_set(e, ERR_INPUT, "\"%s\": holds the character 0", field);
    else return err_set(e, ERR_INPUT, "\"%s\": expected a string or a whole number", field);
    return 0;
}

/* The number of a name; -1 when it is not known and add is false. */
static int64_t number_of(struct map *names, const struct str *name, bool add, bool *is_new)
{
    *is_new = false;
    int64_t *at = add ? map_put(names, str_c(name), name->n, is_new) : map_find(names, str_c(name), name->n);

    if (!at) return -1;
    if (*is_new) *at = names->n - 1;
    return *at;
}

static int add_truth(void *arg, const struct record *r, struct err *e)
{
    struct reading *x = arg;
    struct str name = { 0 };
    bool is_new_text = false, is_new;
    int rc = read_name(r, "text", &name, e);

    if (!rc) number_of(&x->m->texts, &name, true, &is_new_text);
    if (!rc && !is_new_text) rc = err_set(e, ERR_INPUT, "text %s is there twice", err_quote(str_c(&name)));
    if (!rc) rc = read_name(r, "image", &name, e);
    if (!rc) {
        mem_reserve(&x->m->gold, &x->cap_gold, x->m->texts.n);
        x->m->gold[x->m->texts.n - 1] = number_of(&x->m->images, &name, true, &is_new);
    }
    str_release(&name);
    return rc;
}

static int add_triple(void *arg, const struct record *r, struct err *e)
{
    struct reading *x = arg;
    struct str name = { 0 };
    int64_t text = -1, image = -1;
    double score;
    bool is_new;
    int rc = read_name(r, "text", &name, e);

    if (!rc && (text = number_of(&x->m->texts, &name, false, &is_new)) < 0)
        rc = err_set(e, ERR_INPUT, "text %s has no right image", err_quote(str_c(&name)));
    if (!rc) rc = read_name(r, "image", &name, e);
    if (!rc && (image = number_of(&x->m->images, &name, false, &is_new)) < 0)
        rc = err_set(e, ERR_INPUT, "image %s is no text's", err_quote(str_c(&name)));
    if (!rc) rc = value_get_real(r->fields, "score", -DBL_MAX, DBL_MAX, &score, e);
    str_release(&name);
    if (rc) return -1;
    int64_t at = text * x->m->images.n + image;
    if (x->seen[at]) return err_set(e, ERR_INPUT, "the pair is there twice");
    x->seen[at] = true;
    x->m->exact[at] = score;
    return 0;
}

int matrix_read_triples(struct matrix *m, const char *pred, const char *truth, struct err *e)
{
    struct reading x = { .m = m };

    *m = (struct matrix){ 0 };
    int rc = reader_each(truth, &(struct reader_opts){ .skip_tensors = true }, add_truth, &x, e);
    int64_t n = m->texts.n * m->images.n;
    m->n_texts = m->texts.n;
    if (!rc && n > PAIRS_MAX) rc = too_many(e);
    if (!rc) {
        m->exact = mem_try((size_t)n + 1, sizeof *m->exact);
        x.seen = mem_try((size_t)n + 1, sizeof *x.seen);
        if (!m->exact || !x.seen) rc = err_set(e, ERR_IO, "out of memory");
        if (!rc) rc = reader_each(pred, &(struct reader_opts){ .skip_tensors = true }, add_triple, &x, e);
    }
    for (int64_t i = 0; i < n && !rc; i++) {
        if (!x.seen[i])
            rc = err_set(e, ERR_INPUT, "%s: no score for text %s and image %s", pred,
                         err_quote(m->texts.at[i / m->images.n].key), err_quote(m->images.at[i % m->images.n].key));
    }
    return finish(&x, rc, e);
}

const double *matrix_row(const struct matrix *m, int64_t text, double *room)
{
    if (m->exact) return m->exact + text * m->n_images;
    const float *row = m->scores + text * m->n_images;
    for (int64_t i = 0; i < m->n_images; i++) room[i] = row[i];
    return room;
}

void matrix_release(struct matrix *m)
{
    free(m->scores);
    free(m->exact);
    free(m->gold);
    map_release(&m->texts);
    map_release(&m->images);
    *m = (struct matrix){ 0 };
}
