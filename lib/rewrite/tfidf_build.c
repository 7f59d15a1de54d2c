/* Building an index: what documents say is kept on disk as it comes, each document's terms after it; when all are
 * known, the terms are read once for the lengths, and once for as many postings as fit the memory, term by term. */
#include "core/spool.h"
#include "core/str.h"
#include "rewrite/tfidf_file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct strings { /* string i ends where start[i + 1] is */
    struct spool *bytes, *start;
};
struct term {
    int64_t documents;     /* that have it */
    int64_t latest;        /* of them */
    int32_t place, number; /* in `forward` of the latest; in byte order, when all are known */
};
struct occurrence {
    int32_t term, count;
};
struct tfidf_builder {
    struct strings ids, texts, facts;
    struct spool *forward, *lengths, *group; /* occurrence; int32: how many of a document; int32 */
    struct slots by_id;
    struct map terms, groups; /* name -> number, in order of appearance */
    struct term *term;        /* [terms] */
    int64_t cap_term;
    struct occurrence *document;
    int64_t cap_document, postings;
};

static int open_strings(struct strings *s, const char *dir, struct err *e)
{
    int64_t zero = 0;

    if (!(s->bytes = spool_new(dir, e)) || !(s->start = spool_new(dir, e))) return -1;
    return spool_add(s->start, &zero, sizeof zero, e);
}

static void free_strings(struct strings *s)
{
    spool_free(s->bytes);
    spool_free(s->start);
}

static int add_string(struct strings *s, const char *text, struct err *e)
{
    if (spool_add(s->bytes, text, strlen(text), e)) return -1;
    int64_t end = spool_bytes(s->bytes);
    return spool_add(s->start, &end, sizeof end, e);
}

struct tfidf_builder *tfidf_builder_new(const char *dir, struct err *e)
{
    struct tfidf_builder *b = mem_new(struct tfidf_builder, 1);

    if (!open_strings(&b->ids, dir, e) && !open_strings(&b->texts, dir, e) && !open_strings(&b->facts, dir, e) &&
        (b->forward = spool_new(dir, e)) && (b->lengths = spool_new(dir, e)) && (b->group = spool_new(dir, e)))
        return b;
    tfidf_builder_free(b);
    return NULL;
}

void tfidf_builder_free(struct tfidf_builder *b)
{
    if (!b) return;
    free_strings(&b->ids);
    free_strings(&b->texts);
    free_strings(&b->facts);
    spool_free(b->forward);
    spool_free(b->lengths);
    spool_free(b->group);
    slots_release(&b->by_id);
    map_release(&b->terms);
    map_release(&b->groups);
    free(b->term);
    free(b->document);
    free(b);
}

int tfidf_builder_has(struct tfidf_builder *b, const char *id, struct err *e)
{
    size_t n = strlen(id);
    uint64_t hash = hash64(id, n, 0), at = hash;
    int64_t span[2];

    for (int64_t i; (i = slots_next(&b->by_id, hash, &at)) >= 0;) {
        if (b->by_id.hash[i] != hash) continue;
        if (spool_read(b->ids.start, i * (int64_t)sizeof *span, span, sizeof span, e)) return -1;
        if ((size_t)(span[1] - span[0]) != n) continue;
        char *other = mem_new(char, n + 1);
        int rc = spool_read(b->ids.bytes, span[0], other, n, e);
        bool same = !rc && !memcmp(other, id, n);
        free(other);
        if (rc || same) return rc ? -1 : 1;
    }
    return 0;
}

/* The document's terms, each once, in order of appearance; their number. */
static int32_t count_terms(struct tfidf_builder *b, const struct tfidf_document *d)
{
    int32_t n = 0;

    mem_reserve(&b->document, &b->cap_document, d->n_terms + 1);
    for (int i = 0; i < d->n_terms; i++) {
        bool is_new;
        int64_t *number = map_put(&b->terms, d->terms[i], strlen(d->terms[i]), &is_new);
        if (is_new) *number = b->terms.n - 1;
        mem_reserve(&b->term, &b->cap_term, b->terms.n);
        struct term *t = &b->term[*number];
        if (t->documents && t->latest == b->by_id.n) {
            b->document[t->place].count++;
            continue;
        }
        t->documents++;
        t->latest = b->by_id.n;
        t->place = n;
        b->document[n++] = (struct occurrence){ (int32_t)*number, 1 };
    }
    return n;
}

int tfidf_builder_add(struct tfidf_builder *b, const struct tfidf_document *d, struct err *e)
{
    int32_t group = -1, n = count_terms(b, d);

    if (*d->group) {
        bool is_new;
        int64_t *g = map_put(&b->groups, d->group, strlen(d->group), &is_new);
        if (is_new) *g = b->groups.n - 1;
        group = (int32_t)*g;
    }
    slots_add(&b->by_id, hash64(d->id, strlen(d->id), 0));
    b->postings += n;
    if (b->by_id.n >= INT32_MAX || b->terms.n >= INT32_MAX)
        return err_set(e, ERR_IO, "more than %d documents or terms", INT32_MAX - 1);
    return add_string(&b->ids, d->id, e) || add_string(&b->texts, d->text, e) || add_string(&b->facts, d->facts, e) ||
                   spool_add(b->forward, b->document, sizeof *b->document * (size_t)n, e) ||
                   spool_add(b->lengths, &n, sizeof n, e) || spool_add(b->group, &group, sizeof group, e)
               ? -1
               : 0;
}

/* Documents by group: start[g] .. start[g + 1] of docs; both the caller's to free. */
static int by_group(struct tfidf_builder *b, int64_t **start, int32_t **docs, struct err *e)
{
    const int32_t *group = spool_map(b->group, e);
    int64_t *at = mem_new(int64_t, b->groups.n + 2);

    *start = mem_new(int64_t, b->groups.n + 1);
    *docs = mem_new(int32_t, b->by_id.n + 1);
    for (int64_t i = 0; i < b->by_id.n && group; i++) at[group[i] + 2]++;
    at[1] = 0; /* documents without a group */
    for (int64_t g = 0; g < b->groups.n; g++) (*start)[g + 1] = at[g + 2] += at[g + 1];
    for (int64_t i = 0; i < b->by_id.n && group; i++) {
        if (group[i] >= 0) (*docs)[at[group[i] + 1]++] = (int32_t)i;
    }
    free(at);
    return group ? 0 : -1;
}

int tfidf_builder_groups(struct tfidf_builder *b, void (*visit)(void *arg, const char *const *facts, int n), void *arg,
                         struct err *e)
{
    const int64_t *fact_start = spool_map(b->facts.start, e);
    const char *bytes = fact_start ? spool_map(b->facts.bytes, e) : NULL;
    int64_t *start = NULL;
    int32_t *docs = NULL;
    struct arena a = { 0 };
    int rc = bytes ? by_group(b, &start, &docs, e) : -1;

    for (int64_t g = 0; g < b->groups.n && !rc; g++) {
        int n = (int)(start[g + 1] - start[g]);
        const char **facts = arena_new(&a, const char *, n + 1);
        for (int i = 0; i < n; i++) {
            const int64_t *at = &fact_start[docs[start[g] + i]];
            facts[i] = arena_strndup(&a, bytes + at[0], (size_t)(at[1] - at[0]));
        }
        visit(arg, facts, n);
        arena_reset(&a);
    }
    arena_release(&a);
    free(start);
    free(docs);
    return rc;
}

/* ---- saving ---- */

static int by_key(const void *a, const void *b, void *map)
{
    const struct map *m = map;

    return strcmp(m->at[*(const int32_t *)a].key, m->at[*(const int32_t *)b].key);
}

/* Terms in byte order. */
static int32_t *sorted_terms(struct map *m)
{
    int32_t *order = mem_new(int32_t, m->n + 1);

    for (int64_t i = 0; i < m->n; i++) order[i] = (int32_t)i;
    qsort_r(order, (size_t)m->n, sizeof *order, by_key, m);
    return order;
}

struct saving {
    struct tfidf_builder *b;
    const struct occurrence *forward;
    const int32_t *lengths;
    int32_t *order; /* [terms] in byte order: their numbers */
    float *idf;     /* [terms] in byte order */
    float *scale;   /* [documents] 1 / length of the vector */
    int64_t *start; /* [terms + 1] postings */
    struct spool *document, *weight;
};

static double term_weight(const struct saving *s, struct occurrence o)
{
    return (1 + log((double)o.count)) * (double)s->idf[s->b->term[o.term].number];
}

static void weigh(struct saving *s)
{
    const struct occurrence *o = s->forward;
    struct tfidf_builder *b = s->b;

    for (int64_t k = 0; k < b->terms.n; k++) {
        struct term *t = &b->term[s->order[k]];
        t->number = (int32_t)k;
        s->idf[k] = (float)(log((double)(b->by_id.n + 1) / (double)(t->documents + 1)) + 1);
        s->start[k + 1] = s->start[k] + t->documents;
    }
    for (int64_t d = 0; d < b->by_id.n; d++) {
        double sum = 0;
        for (int32_t i = 0; i < s->lengths[d]; i++, o++) sum += pow(term_weight(s, *o), 2);
        s->scale[d] = sum > 0 ? (float)(1 / sqrt(sum)) : 0;
    }
}

/* The postings of terms [from, to) in byte order, in one pass over all documents. */
static int write_postings(struct saving *s, int64_t from, int64_t to, struct err *e)
{
    int64_t first = s->start[from], n = s->start[to] - first;
    int32_t *document = mem_new(int32_t, n + 1);
    float *weight = mem_new(float, n + 1);
    int64_t *at = mem_new(int64_t, to - from + 1);
    const struct occurrence *o = s->forward;

    for (int64_t k = from; k < to; k++) at[k - from] = s->start[k] - first;
    for (int64_t d = 0; d < s->b->by_id.n; d++) {
        for (int32_t i = 0; i < s->lengths[d]; i++, o++) {
            int32_t k = s->b->term[o->term].number;
            if (k < from || k >= to) continue;
            int64_t p = at[k - from]++;
            document[p] = (int32_t)d;
            weight[p] = (float)(term_weight(s, *o) * (double)s->scale[d]);
        }
    }
    int rc = spool_add(s->document, document, sizeof *document * (size_t)n, e) ||
                     spool_add(s->weight, weight, sizeof *weight * (size_t)n, e)
                 ? -1
                 : 0;
    free(document);
    free(weight);
    free(at);
    return rc;
}

static int write_all_postings(struct saving *s, int64_t memory, struct err *e)
{
    int64_t n = s->b->terms.n, most = memory / (int64_t)(sizeof(int32_t) + sizeof(float)), to;
    int rc = 0;

    for (int64_t from = 0; from < n && !rc; from = to) {
        to = from + 1;
        while (to < n && s->start[to + 1] - s->start[from] <= most) to++;
        rc = write_postings(s, from, to, e);
    }
    return rc;
}

struct tensors {
    int n;
    struct safetensor at[24];
};

static void add_tensor(struct tensors *t, const char *name, enum dtype dtype, const void *data, int64_t elements)
{
    t->at[t->n++] = (struct safetensor){ .name = name,
                                         .dtype = dtype,
                                         .rank = 1,
                                         .shape = { elements },
                                         .data = data,
                                         .bytes = elements * dtype_size(dtype),
                                         .n = elements };
}

static int add_spool(struct tensors *t, const char *name, enum dtype dtype, struct spool *s, struct err *e)
{
    const void *data = spool_map(s, e);

    add_tensor(t, name, dtype, data, spool_bytes(s) / dtype_size(dtype));
    return data ? 0 : -1;
}

/* Keys in an order of numbers (NULL: as they are) as strings. */
struct keys {
    struct str bytes;
    int64_t *start;
};

static void gather_keys(struct keys *k, const struct map *m, const int32_t *order)
{
    k->start = mem_new(int64_t, m->n + 1);
    for (int64_t i = 0; i < m->n; i++) {
        const struct map_entry *x = &m->at[order ? order[i] : i];
        str_add_bytes(&k->bytes, x->key, x->n);
        k->start[i + 1] = (int64_t)k->bytes.n;
    }
}

static void release_keys(struct keys *k)
{
    str_release(&k->bytes);
    free(k->start);
}

static int write_file(struct saving *s, const char *path, struct err *e)
{
    static const char *const meta[] = { "format", TFIDF_FORMAT };
    struct tfidf_builder *b = s->b;
    struct tensors t = { 0 };
    struct keys terms = { 0 }, groups = { 0 };
    struct slots by_group_name = { 0 };
    int64_t *group_start = NULL, n_terms = b->terms.n, n_groups = b->groups.n;
    int32_t *group_docs = NULL;

    gather_keys(&terms, &b->terms, s->order);
    gather_keys(&groups, &b->groups, NULL);
    for (int64_t g = 0; g < n_groups; g++) slots_add(&by_group_name, b->groups.at[g].hash);
    int rc = by_group(b, &group_start, &group_docs, e);
    /* eight bytes an element first: so that all are aligned */
    if (!rc) {
        rc = add_spool(&t, "id_start", DT_I64, b->ids.start, e) ||
             add_spool(&t, "text_start", DT_I64, b->texts.start, e) ||
             add_spool(&t, "fact_start", DT_I64, b->facts.start, e);
        add_tensor(&t, "term_start", DT_I64, terms.start, n_terms + 1);
        add_tensor(&t, "group_name_start", DT_I64, groups.start, n_groups + 1);
        add_tensor(&t, "group_start", DT_I64, group_start, n_groups + 1);
        add_tensor(&t, "posting_start", DT_I64, s->start, n_terms + 1);
        add_tensor(&t, "id_slots", DT_I64, b->by_id.slot, b->by_id.n_slots);
        add_tensor(&t, "group_slots", DT_I64, by_group_name.slot, by_group_name.n_slots);
        add_tensor(&t, "group_documents", DT_I32, group_docs, group_start[n_groups]);
    }
    if (!rc)
        rc = add_spool(&t, "group", DT_I32, b->group, e) || add_spool(&t, "posting_document", DT_I32, s->document, e) ||
             add_spool(&t, "posting_weight", DT_F32, s->weight, e);
    if (!rc) {
        add_tensor(&t, "idf", DT_F32, s->idf, n_terms);
        rc = add_spool(&t, "ids", DT_U8, b->ids.bytes, e) || add_spool(&t, "texts", DT_U8, b->texts.bytes, e) ||
             add_spool(&t, "facts", DT_U8, b->facts.bytes, e);
        add_tensor(&t, "terms", DT_U8, str_c(&terms.bytes), (int64_t)terms.bytes.n);
        add_tensor(&t, "group_names", DT_U8, str_c(&groups.bytes), (int64_t)groups.bytes.n);
    }
    rc = rc ? -1 : safetensors_save(path, t.at, t.n, meta, 1, e);
    release_keys(&terms);
    release_keys(&groups);
    slots_release(&by_group_name);
    free(group_start);
    free(group_docs);
    return rc;
}

int tfidf_builder_save(struct tfidf_builder *b, const char *path, int64_t memory, struct err *e)
{
    char *dir = mem_strndup(path, (size_t)(path_base(path) - path));
    struct saving s = { .b = b };
    int rc = -1;

    s.order = sorted_terms(&b->terms);
    s.idf = mem_new(float, b->terms.n + 1);
    s.scale = mem_new(float, b->by_id.n + 1);
    s.start = mem_new(int64_t, b->terms.n + 1);
    s.document = spool_new(*dir ? dir : ".", e);
    s.weight = s.document ? spool_new(*dir ? dir : ".", e) : NULL;
    if (s.weight && (s.forward = spool_map(b->forward, e)) && (s.lengths = spool_map(b->lengths, e))) {
        weigh(&s);
        rc = write_all_postings(&s, memory, e);
        if (!rc) rc = write_file(&s, path, e);
    }
    spool_free(s.document);
    spool_free(s.weight);
    free(s.order);
    free(s.idf);
    free(s.scale);
    free(s.start);
    free(dir);
    return rc;
}
