/* Opening an index: everything that a search relies on is checked once, so that no file leads it astray. */
#include "rewrite/tfidf_file.h"
#include <stdlib.h>
#include <string.h>

static int tensor_of(const struct tfidf *x, const char *name, enum dtype dtype, const void **data, int64_t *n,
                     struct err *e)
{
    const struct safetensor *t = safetensors_find(&x->file, name);

    if (!t) return err_set(e, ERR_INPUT, "no tensor \"%s\"", name);
    if (t->dtype != dtype || t->rank != 1)
        return err_set(e, ERR_INPUT, "tensor \"%s\" is not one row of %s", name, dtype_name(dtype));
    if ((uintptr_t)t->data % (uintptr_t)dtype_size(dtype))
        return err_set(e, ERR_INPUT, "tensor \"%s\" is not aligned", name);
    *data = t->data;
    *n = t->n;
    return 0;
}

/* Offsets [n + 1] from 0 to `total`, never falling. */
static int starts_of(const struct tfidf *x, const char *name, int64_t n, int64_t total, const int64_t **out,
                     struct err *e)
{
    const void *data = NULL;
    int64_t m = 0;

    if (tensor_of(x, name, DT_I64, &data, &m, e)) return -1;
    const int64_t *start = data;
    bool good = m == n + 1 && start[0] == 0 && start[m - 1] == total;
    for (int64_t i = 0; i + 1 < m && good; i++) good = start[i] <= start[i + 1];
    if (!good)
        return err_set(e, ERR_INPUT, "tensor \"%s\" does not divide %lld elements in %lld parts", name,
                       (long long)total, (long long)n);
    *out = start;
    return 0;
}

static int texts_of(const struct tfidf *x, struct tfidf_strings *t, const char *starts, const char *bytes, int64_t n,
                    struct err *e)
{
    const void *data = NULL;
    int64_t total = 0;

    if (tensor_of(x, bytes, DT_U8, &data, &total, e) || starts_of(x, starts, n, total, &t->start, e)) return -1;
    t->bytes = data;
    t->n = n;
    return 0;
}

static int documents_of(const struct tfidf *x, const char *name, int64_t lowest, int64_t limit, const int32_t **out,
                        int64_t *n, struct err *e)
{
    const void *data = NULL;

    if (tensor_of(x, name, DT_I32, &data, n, e)) return -1;
    *out = data;
    for (int64_t i = 0; i < *n; i++) {
        if ((*out)[i] < lowest || (*out)[i] >= limit)
            return err_set(e, ERR_INPUT, "tensor \"%s\": element %lld is out of range", name, (long long)i);
    }
    return 0;
}

static int floats_of(const struct tfidf *x, const char *name, int64_t n, float top, const float **out, struct err *e)
{
    const void *data = NULL;
    int64_t m = 0;

    if (tensor_of(x, name, DT_F32, &data, &m, e)) return -1;
    *out = data;
    if (m != n)
        return err_set(e, ERR_INPUT, "tensor \"%s\" has %lld elements (%lld were expected)", name, (long long)m,
                       (long long)n);
    for (int64_t i = 0; i < n; i++) {
        if (!((*out)[i] >= 0 && (*out)[i] <= top))
            return err_set(e, ERR_INPUT, "tensor \"%s\": element %lld is out of range", name, (long long)i);
    }
    return 0;
}

static int slots_of(const struct tfidf *x, const char *name, int64_t n, struct slots *out, struct err *e)
{
    const void *data = NULL;
    int64_t m = 0;

    if (tensor_of(x, name, DT_I64, &data, &m, e)) return -1;
    *out = (struct slots){ .n = n, .n_slots = m, .slot = (int64_t *)(uintptr_t)data }; /* only ever read */
    if (!slots_check(out))
        return err_set(e, ERR_INPUT, "tensor \"%s\" is no table of %lld numbers", name, (long long)n);
    return 0;
}

int tfidf_compare(const struct tfidf_strings *t, int64_t i, const char *s, size_t n)
{
    size_t m = (size_t)(t->start[i + 1] - t->start[i]), k = m < n ? m : n;
    int order = k ? memcmp(t->bytes + t->start[i], s, k) : 0;

    return order ? order : (m > n) - (m < n);
}

static int check(struct tfidf *x, struct err *e)
{
    const char *format = safetensors_metadata(&x->file, "format");
    const struct safetensor *ids = safetensors_find(&x->file, "id_start"),
                            *terms = safetensors_find(&x->file, "term_start"),
                            *groups = safetensors_find(&x->file, "group_start");
    int64_t postings = 0, grouped = 0, n = 0;

    if (!format || strcmp(format, TFIDF_FORMAT))
        return err_set(e, ERR_INPUT, "not an index of unimo-rewrite (metadata \"format\")");
    if (!ids || !terms || !groups || ids->n < 1 || terms->n < 1 || groups->n < 1 || ids->n > INT32_MAX ||
        terms->n > INT32_MAX || groups->n > INT32_MAX)
        return err_set(e, ERR_INPUT, "the offsets of an index are missing");
    x->n = ids->n - 1;
    int64_t n_terms = terms->n - 1, n_groups = groups->n - 1;
    if (texts_of(x, &x->ids, "id_start", "ids", x->n, e) || texts_of(x, &x->texts, "text_start", "texts", x->n, e) ||
        texts_of(x, &x->facts, "fact_start", "facts", x->n, e) ||
        texts_of(x, &x->terms, "term_start", "terms", n_terms, e) ||
        texts_of(x, &x->group_names, "group_name_start", "group_names", n_groups, e) ||
        documents_of(x, "group", -1, n_groups, &x->group, &n, e) ||
        documents_of(x, "group_documents", 0, x->n, &x->group_documents, &grouped, e) ||
        documents_of(x, "posting_document", 0, x->n, &x->posting_document, &postings, e) ||
        starts_of(x, "group_start", n_groups, grouped, &x->group_start, e) ||
        starts_of(x, "posting_start", n_terms, postings, &x->posting_start, e) ||
        floats_of(x, "posting_weight", postings, 1.001f, &x->posting_weight, e) ||
        floats_of(x, "idf", n_terms, 1000, &x->idf, e) || slots_of(x, "id_slots", x->n, &x->by_id, e) ||
        slots_of(x, "group_slots", n_groups, &x->by_group, e))
        return -1;
    if (n != x->n)
        return err_set(e, ERR_INPUT, "tensor \"group\" has %lld elements (%lld were expected)", (long long)n,
                       (long long)x->n);
    for (int64_t i = 0; i + 1 < n_terms; i++) {
        if (tfidf_compare(&x->terms, i, x->terms.bytes + x->terms.start[i + 1],
                          (size_t)(x->terms.start[i + 2] - x->terms.start[i + 1])) >= 0)
            return err_set(e, ERR_INPUT, "terms are not in order");
    }
    return 0;
}

/* Documents of a term in order, and the largest weights. */
static int read_postings(struct tfidf *x, struct err *e)
{
    int64_t postings = x->posting_start[x->terms.n];

    x->term_top = mem_new(float, x->terms.n + 1);
    x->block_top = mem_new(float, postings / TFIDF_BLOCK + 1);
    for (int64_t t = 0; t < x->terms.n; t++) {
        for (int64_t p = x->posting_start[t]; p < x->posting_start[t + 1]; p++) {
            float w = x->posting_weight[p];
            if (p > x->posting_start[t] && x->posting_document[p] <= x->posting_document[p - 1])
                return err_set(e, ERR_INPUT, "tensor \"posting_document\": element %lld is out of order", (long long)p);
            if (w > x->term_top[t]) x->term_top[t] = w;
            if (w > x->block_top[p / TFIDF_BLOCK]) x->block_top[p / TFIDF_BLOCK] = w;
        }
    }
    return 0;
}

struct tfidf *tfidf_open(const char *path, struct err *e)
{
    struct tfidf *x = mem_new(struct tfidf, 1);

    if (safetensors_open(&x->file, path, e)) {
        free(x);
        return NULL;
    }
    if (!check(x, e) && !read_postings(x, e)) return x;
    err_in(e, "%s", path);
    tfidf_close(x);
    return NULL;
}

void tfidf_close(struct tfidf *x)
{
    if (!x) return;
    safetensors_close(&x->file);
    free(x->term_top);
    free(x->block_top);
    free(x);
}

int64_t tfidf_count(const struct tfidf *x)
{
    return x->n;
}

static int64_t find(const struct slots *s, const struct tfidf_strings *t, const char *key)
{
    size_t n = strlen(key);
    uint64_t hash = hash64(key, n, 0), at = hash;

    for (int64_t i; (i = slots_next(s, hash, &at)) >= 0;) {
        if (!tfidf_compare(t, i, key, n)) return i;
    }
    return -1;
}

int64_t tfidf_find(const struct tfidf *x, const char *id)
{
    return find(&x->by_id, &x->ids, id);
}

static const char *text_at(const struct tfidf_strings *t, int64_t i, struct arena *a)
{
    return arena_strndup(a, t->bytes + t->start[i], (size_t)(t->start[i + 1] - t->start[i]));
}

const char *tfidf_id(const struct tfidf *x, int64_t i, struct arena *a)
{
    return text_at(&x->ids, i, a);
}

const char *tfidf_text(const struct tfidf *x, int64_t i, struct arena *a)
{
    return text_at(&x->texts, i, a);
}

const char *tfidf_facts(const struct tfidf *x, int64_t i, struct arena *a)
{
    return text_at(&x->facts, i, a);
}

int32_t tfidf_group(const struct tfidf *x, int64_t i)
{
    return x->group[i];
}

int32_t tfidf_group_find(const struct tfidf *x, const char *name)
{
    return (int32_t)find(&x->by_group, &x->group_names, name);
}

int64_t tfidf_group_documents(const struct tfidf *x, int32_t group, const int32_t **out)
{
    *out = x->group_documents + x->group_start[group];
    return x->group_start[group + 1] - x->group_start[group];
}
