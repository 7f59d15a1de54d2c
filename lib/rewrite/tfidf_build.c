/* Building an index: documents are added one by one, postings grow by term, weights are computed when all are known. */
#include "core/str.h"
#include "rewrite/tfidf.h"
#include "stream/safetensors.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct posting {
    int32_t document, count;
};
struct strings { /* many strings in one buffer */
    struct str bytes;
    int64_t *start, n, cap;
};
struct tfidf_builder {
    struct map terms; /* term -> number */
    struct list {
        struct posting *at;
        int64_t n, cap;
    } * lists; /* by number */
    int64_t cap_lists;
    struct map groups; /* name -> number */
    int32_t *group;    /* of each document */
    int64_t cap_group;
    struct strings ids, texts, facts;
};

struct tfidf_builder *tfidf_builder_new(void)
{
    return mem_new(struct tfidf_builder, 1);
}

static void add_string(struct strings *s, const char *text)
{
    mem_reserve(&s->start, &s->cap, s->n + 2);
    str_add(&s->bytes, text);
    s->start[++s->n] = (int64_t)s->bytes.n;
}

void tfidf_builder_add(struct tfidf_builder *b, const struct tfidf_document *d)
{
    int32_t number = (int32_t)b->ids.n;

    add_string(&b->ids, d->id);
    add_string(&b->texts, d->text);
    add_string(&b->facts, d->facts);
    mem_reserve(&b->group, &b->cap_group, number + 1);
    b->group[number] = -1;
    if (*d->group) {
        bool is_new;
        int64_t *g = map_put(&b->groups, d->group, strlen(d->group), &is_new);
        if (is_new) *g = b->groups.n - 1;
        b->group[number] = (int32_t)*g;
    }
    for (int i = 0; i < d->n_terms; i++) {
        bool is_new;
        int64_t *t = map_put(&b->terms, d->terms[i], strlen(d->terms[i]), &is_new);
        if (is_new) *t = b->terms.n - 1;
        mem_reserve(&b->lists, &b->cap_lists, b->terms.n);
        struct list *l = &b->lists[*t];
        if (l->n && l->at[l->n - 1].document == number) {
            l->at[l->n - 1].count++;
            continue;
        }
        mem_reserve(&l->at, &l->cap, l->n + 1);
        l->at[l->n++] = (struct posting){ number, 1 };
    }
}

void tfidf_builder_free(struct tfidf_builder *b)
{
    if (!b) return;
    for (int64_t i = 0; i < b->terms.n; i++) free(b->lists[i].at);
    free(b->lists);
    map_release(&b->terms);
    map_release(&b->groups);
    free(b->group);
    for (int i = 0; i < 3; i++) {
        struct strings *s = i == 0 ? &b->ids : i == 1 ? &b->texts : &b->facts;
        str_release(&s->bytes);
        free(s->start);
    }
    free(b);
}

/* Documents by group: start[g] .. start[g + 1] of docs. */
static void by_group(const struct tfidf_builder *b, int64_t *start, int32_t *docs)
{
    for (int64_t i = 0; i < b->ids.n; i++) {
        if (b->group[i] >= 0) start[b->group[i] + 1]++;
    }
    for (int64_t g = 0; g < b->groups.n; g++) start[g + 1] += start[g];
    int64_t *at = mem_new(int64_t, b->groups.n + 1);
    for (int64_t i = 0; i < b->ids.n; i++) {
        if (b->group[i] >= 0) docs[start[b->group[i]] + at[b->group[i]]++] = (int32_t)i;
    }
    free(at);
}

void tfidf_builder_groups(const struct tfidf_builder *b, void (*visit)(void *arg, const char *const *facts, int n),
                          void *arg)
{
    int64_t *start = mem_new(int64_t, b->groups.n + 1);
    int32_t *docs = mem_new(int32_t, b->ids.n + 1);
    struct arena a = { 0 };

    by_group(b, start, docs);
    for (int64_t g = 0; g < b->groups.n; g++) {
        int n = (int)(start[g + 1] - start[g]);
        const char **facts = arena_new(&a, const char *, n + 1);
        for (int i = 0; i < n; i++) {
            int32_t d = docs[start[g] + i];
            facts[i] = arena_strndup(&a, b->facts.bytes.data ? b->facts.bytes.data + b->facts.start[d] : "",
                                     (size_t)(b->facts.start[d + 1] - b->facts.start[d]));
        }
        visit(arg, facts, n);
        arena_reset(&a);
    }
    arena_release(&a);
    free(start);
    free(docs);
}

static int by_key(const void *a, const void *b, void *map)
{
    const struct map *m = map;
    const struct map_entry *x = &m->at[*(const int32_t *)a], *y = &m->at[*(const int32_t *)b];

    return strcmp(x->key, y->key);
}

/* Terms by their bytes. */
static int32_t *sorted_terms(struct map *m)
{
    int32_t *order = mem_new(int32_t, m->n + 1);

    for (int64_t i = 0; i < m->n; i++) order[i] = (int32_t)i;
    qsort_r(order, (size_t)m->n, sizeof *order, by_key, m);
    return order;
}

static void add_tensor(struct safetensor *t, int *n, const char *name, enum dtype dtype, const void *data,
                       int64_t elements)
{
    t[(*n)++] = (struct safetensor){ .name = name,
                                     .dtype = dtype,
                                     .rank = 1,
                                     .shape = { elements },
                                     .data = data,
                                     .bytes = elements * dtype_size(dtype),
                                     .n = elements };
}

static double inverse_frequency(int64_t documents, int64_t with_term)
{
    return log((double)(documents + 1) / (double)(with_term + 1)) + 1;
}

int tfidf_builder_save(struct tfidf_builder *b, const char *path, struct err *e)
{
    int64_t n_terms = b->terms.n, n = b->ids.n, postings = 0, at = 0;
    int32_t *order = sorted_terms(&b->terms);
    struct strings terms = { 0 }, groups = { 0 };
    double *length = mem_new(double, n + 1);
    static int64_t zero[1];

    for (int64_t t = 0; t < n_terms; t++) postings += b->lists[t].n;
    int64_t *start = mem_new(int64_t, n_terms + 1), *group_start = mem_new(int64_t, b->groups.n + 1);
    int32_t *document = mem_new(int32_t, postings + 1), *group_docs = mem_new(int32_t, n + 1);
    float *weight = mem_new(float, postings + 1), *idf = mem_new(float, n_terms + 1);
    for (int64_t k = 0; k < n_terms; k++) {
        const struct list *l = &b->lists[order[k]];
        idf[k] = (float)inverse_frequency(n, l->n);
        for (int64_t i = 0; i < l->n; i++) {
            double w = (1 + log((double)l->at[i].count)) * idf[k];
            length[l->at[i].document] += w * w;
        }
    }
    for (int64_t k = 0; k < n_terms; k++) {
        const struct list *l = &b->lists[order[k]];
        add_string(&terms, b->terms.at[order[k]].key);
        for (int64_t i = 0; i < l->n; i++, at++) {
            document[at] = l->at[i].document;
            weight[at] = (float)((1 + log((double)l->at[i].count)) * idf[k] / sqrt(length[l->at[i].document]));
        }
        start[k + 1] = at;
    }
    for (int64_t g = 0; g < b->groups.n; g++) add_string(&groups, b->groups.at[g].key);
    by_group(b, group_start, group_docs);

    struct safetensor t[20];
    int m = 0;
    add_tensor(t, &m, "id_start", DT_I64, b->ids.start ? b->ids.start : zero, n + 1);
    add_tensor(t, &m, "text_start", DT_I64, b->texts.start ? b->texts.start : zero, n + 1);
    add_tensor(t, &m, "fact_start", DT_I64, b->facts.start ? b->facts.start : zero, n + 1);
    add_tensor(t, &m, "term_start", DT_I64, terms.start ? terms.start : zero, n_terms + 1);
    add_tensor(t, &m, "group_name_start", DT_I64, groups.start ? groups.start : zero, b->groups.n + 1);
    add_tensor(t, &m, "group_start", DT_I64, group_start, b->groups.n + 1);
    add_tensor(t, &m, "posting_start", DT_I64, start, n_terms + 1);
    add_tensor(t, &m, "group_documents", DT_I32, group_docs, group_start[b->groups.n]);
    add_tensor(t, &m, "group", DT_I32, b->group ? b->group : (int32_t *)zero, n);
    add_tensor(t, &m, "posting_document", DT_I32, document, postings);
    add_tensor(t, &m, "posting_weight", DT_F32, weight, postings);
    add_tensor(t, &m, "idf", DT_F32, idf, n_terms);
    add_tensor(t, &m, "ids", DT_U8, str_c(&b->ids.bytes), (int64_t)b->ids.bytes.n);
    add_tensor(t, &m, "texts", DT_U8, str_c(&b->texts.bytes), (int64_t)b->texts.bytes.n);
    add_tensor(t, &m, "facts", DT_U8, str_c(&b->facts.bytes), (int64_t)b->facts.bytes.n);
    add_tensor(t, &m, "terms", DT_U8, str_c(&terms.bytes), (int64_t)terms.bytes.n);
    add_tensor(t, &m, "group_names", DT_U8, str_c(&groups.bytes), (int64_t)groups.bytes.n);
    static const char *const meta[] = { "format", "unimo-rewrite index 1" };
    int rc = safetensors_save(path, t, m, meta, 1, e);
    free(order);
    free(length);
    free(start);
    free(group_start);
    free(document);
    free(group_docs);
    free(weight);
    free(idf);
    str_release(&terms.bytes);
    free(terms.start);
    str_release(&groups.bytes);
    free(groups.start);
    return rc;
}
