/* Searching an index term by term: scores are added up in the order of the sorted terms, so that sums are the same on
 * every run. */
#include "rewrite/tfidf.h"
#include "stream/safetensors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct texts { /* strings i at [start[i], start[i + 1]) of bytes */
    const int64_t *start;
    const char *bytes;
    int64_t n;
};
struct tfidf {
    struct safetensors file;
    struct texts ids, texts, facts, terms, group_names;
    const int64_t *group_start, *posting_start;
    const int32_t *group_documents, *group, *posting_document;
    const float *posting_weight, *idf;
    int64_t n; /* documents */
    struct map by_id, by_group;
};

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

static int texts_of(const struct tfidf *x, struct texts *t, const char *starts, const char *bytes, int64_t n,
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

static int floats_of(const struct tfidf *x, const char *name, int64_t n, const float **out, struct err *e)
{
    const void *data = NULL;
    int64_t m = 0;

    if (tensor_of(x, name, DT_F32, &data, &m, e)) return -1;
    *out = data;
    if (m != n)
        return err_set(e, ERR_INPUT, "tensor \"%s\" has %lld elements (%lld were expected)", name, (long long)m,
                       (long long)n);
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite((*out)[i]))
            return err_set(e, ERR_INPUT, "tensor \"%s\": element %lld is not finite", name, (long long)i);
    }
    return 0;
}

static int compare_text(const struct texts *t, int64_t i, const char *s, size_t n)
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

    if (!format || strcmp(format, "unimo-rewrite index 1"))
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
        floats_of(x, "posting_weight", postings, &x->posting_weight, e) || floats_of(x, "idf", n_terms, &x->idf, e))
        return -1;
    if (n != x->n)
        return err_set(e, ERR_INPUT, "tensor \"group\" has %lld elements (%lld were expected)", (long long)n,
                       (long long)x->n);
    for (int64_t i = 0; i + 1 < n_terms; i++) {
        if (compare_text(&x->terms, i, x->terms.bytes + x->terms.start[i + 1],
                         (size_t)(x->terms.start[i + 2] - x->terms.start[i + 1])) >= 0)
            return err_set(e, ERR_INPUT, "terms are not in order");
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
    if (check(x, e)) {
        err_in(e, "%s", path);
        tfidf_close(x);
        return NULL;
    }
    for (int64_t i = 0; i < x->n; i++)
        *map_put(&x->by_id, x->ids.bytes + x->ids.start[i], (size_t)(x->ids.start[i + 1] - x->ids.start[i]), NULL) = i;
    for (int64_t i = 0; i < x->group_names.n; i++) {
        const int64_t *start = x->group_names.start;
        *map_put(&x->by_group, x->group_names.bytes + start[i], (size_t)(start[i + 1] - start[i]), NULL) = i;
    }
    return x;
}

void tfidf_close(struct tfidf *x)
{
    if (!x) return;
    safetensors_close(&x->file);
    map_release(&x->by_id);
    map_release(&x->by_group);
    free(x);
}

int64_t tfidf_count(const struct tfidf *x)
{
    return x->n;
}

int64_t tfidf_find(const struct tfidf *x, const char *id)
{
    const int64_t *i = map_find(&x->by_id, id, strlen(id));

    return i ? *i : -1;
}

static const char *text_at(const struct texts *t, int64_t i, struct arena *a)
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
    const int64_t *i = map_find(&x->by_group, name, strlen(name));

    return i ? (int32_t)*i : -1;
}

int64_t tfidf_group_documents(const struct tfidf *x, int32_t group, const int32_t **out)
{
    *out = x->group_documents + x->group_start[group];
    return x->group_start[group + 1] - x->group_start[group];
}

/* ---- searching ---- */

void tfidf_search_init(struct tfidf_search *s, const struct tfidf *x)
{
    s->score = mem_new(float, x->n + 1);
    s->touched = mem_new(int32_t, x->n + 1);
    s->n = 0;
}

void tfidf_search_release(struct tfidf_search *s)
{
    free(s->score);
    free(s->touched);
    *s = (struct tfidf_search){ 0 };
}

static int64_t term_number(const struct tfidf *x, const char *term)
{
    int64_t low = 0, high = x->terms.n;
    size_t n = strlen(term);

    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = compare_text(&x->terms, middle, term, n);
        if (!order) return middle;
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return -1;
}

struct query_term {
    int64_t term;
    int count;
};

static int by_term(const void *a, const void *b)
{
    const struct query_term *x = a, *y = b;

    return (x->term > y->term) - (x->term < y->term);
}

static bool is_better(struct tfidf_hit a, struct tfidf_hit b)
{
    return a.score > b.score || (a.score == b.score && a.document < b.document);
}

/* out[0, n) is a heap with the worst on top. */
static void sink(struct tfidf_hit *out, int n, int i)
{
    for (;;) {
        int worst = i, left = 2 * i + 1;
        for (int k = left; k < left + 2 && k < n; k++) {
            if (is_better(out[worst], out[k])) worst = k;
        }
        if (worst == i) return;
        struct tfidf_hit swap = out[i];
        out[i] = out[worst];
        out[worst] = swap;
        i = worst;
    }
}

int tfidf_best(struct tfidf_search *s, const struct tfidf *x, const char *const *terms, int n_terms,
               struct tfidf_hit *out, int k)
{
    struct query_term *query = mem_new(struct query_term, n_terms + 1);
    double length = 0;
    int n = 0, m = 0;

    for (int i = 0; i < n_terms; i++) {
        int64_t t = term_number(x, terms[i]);
        if (t >= 0) query[n++] = (struct query_term){ t, 1 };
    }
    qsort(query, (size_t)n, sizeof *query, by_term);
    for (int i = 0; i < n; i++) {
        if (m && query[m - 1].term == query[i].term) query[m - 1].count++;
        else query[m++] = query[i];
    }
    for (int i = 0; i < m; i++) length += pow((1 + log(query[i].count)) * x->idf[query[i].term], 2);
    s->n = 0;
    for (int i = 0; i < m; i++) {
        float w = (float)((1 + log(query[i].count)) * x->idf[query[i].term] / sqrt(length));
        for (int64_t p = x->posting_start[query[i].term]; p < x->posting_start[query[i].term + 1]; p++) {
            int32_t d = x->posting_document[p];
            if (s->score[d] == 0) s->touched[s->n++] = d;
            s->score[d] += w * x->posting_weight[p];
            if (s->score[d] == 0) s->score[d] = 1e-30f; /* touched once only */
        }
    }
    free(query);
    n = 0;
    for (int64_t i = 0; i < s->n; i++) {
        struct tfidf_hit hit = { s->touched[i], s->score[s->touched[i]] };
        s->score[hit.document] = 0;
        if (n < k) {
            out[n++] = hit;
            if (n == k) {
                for (int j = n / 2 - 1; j >= 0; j--) sink(out, n, j);
            }
        } else if (k && is_better(hit, out[0])) {
            out[0] = hit;
            sink(out, n, 0);
        }
    }
    if (n < k) {
        for (int j = n / 2 - 1; j >= 0; j--) sink(out, n, j);
    }
    for (int j = n - 1; j > 0; j--) { /* the worst to the end, again and again */
        struct tfidf_hit swap = out[0];
        out[0] = out[j];
        out[j] = swap;
        sink(out, j, 0);
    }
    return n;
}
