/* The best documents of a query, exactly, by MaxScore (Turtle and Flood 1995) in windows of documents: the terms whose
 * best weights together cannot lift a document above the k-th best yet are left for later; the others are added up, and
 * a document becomes a candidate at the moment when its sum, with the most that is left, would do. Then the rest is
 * looked up for the candidates, or added up too where they are many. Bounds come from blocks of postings.
 *
 * Scores are sums of whole numbers of 2^-30: in whatever order terms are added the sum is the same, a bound of rounded
 * weights is above every rounded weight, and equal scores are equal. */
#include "rewrite/tfidf_file.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW = 1 << 15,       /* documents, whose scores stay in a cache */
    FIRST_WINDOW = 1 << 10, /* smaller, so that there is soon something to beat */
    LOOKUP_COST = 16        /* of one candidate in one list, in postings that are added up */
};

struct posting_list {
    int64_t term, next, end; /* postings [next, end) of the window; up to last in all */
    int64_t last;
    float weight;   /* of the query, times 2^30 */
    uint32_t bound; /* of a document of the window */
    int count;      /* in the query */
    bool is_added;  /* in this window */
};

void tfidf_search_release(struct tfidf_search *s)
{
    free(s->score);
    free(s->candidate);
    free(s->list);
    free(s->best);
    *s = (struct tfidf_search){ 0 };
}

static int64_t term_number(const struct tfidf *x, const char *term)
{
    int64_t low = 0, high = x->terms.n;
    size_t n = strlen(term);

    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int order = tfidf_compare(&x->terms, middle, term, n);
        if (!order) return middle;
        if (order < 0) low = middle + 1;
        else high = middle;
    }
    return -1;
}

static int by_term(const void *a, const void *b)
{
    const struct posting_list *x = a, *y = b;

    return (x->term > y->term) - (x->term < y->term);
}

/* The query's terms that the index has, each once, with weights of unit length; their number. */
static int make_lists(struct tfidf_search *s, const struct tfidf *x, const char *const *terms, int n_terms)
{
    double length = 0;
    int n = 0, m = 0;

    mem_reserve(&s->list, &s->cap, n_terms + 1);
    for (int i = 0; i < n_terms; i++) {
        int64_t t = term_number(x, terms[i]);
        if (t >= 0) s->list[n++] = (struct posting_list){ .term = t, .count = 1 };
    }
    qsort(s->list, (size_t)n, sizeof *s->list, by_term);
    for (int i = 0; i < n; i++) {
        if (m && s->list[m - 1].term == s->list[i].term) s->list[m - 1].count++;
        else s->list[m++] = s->list[i];
    }
    for (int i = 0; i < m; i++) length += pow((1 + log(s->list[i].count)) * x->idf[s->list[i].term], 2);
    for (int i = 0; i < m; i++) {
        struct posting_list *l = &s->list[i];
        l->weight = (float)((1 + log(l->count)) * x->idf[l->term] / sqrt(length)) * TFIDF_ONE;
        l->next = x->posting_start[l->term];
        l->last = x->posting_start[l->term + 1];
    }
    return m;
}

/* Never 0: a document that has a term is found. */
static uint32_t scored(float weight, float w)
{
    return 1 + (uint32_t)(int32_t)(weight * w);
}

/* The first posting of [from, last) whose document is not below d. */
static int64_t seek(const int32_t *document, int64_t from, int64_t last, int64_t d)
{
    int64_t step = 1, low = from, high;

    if (from >= last || document[from] >= d) return from;
    while (low + step < last && document[low + step] < d) {
        low += step;
        step *= 2;
    }
    high = low + step < last ? low + step : last;
    while (low + 1 < high) { /* document[low] < d, and high is the end or not below d */
        int64_t middle = low + (high - low) / 2;
        if (document[middle] < d) low = middle;
        else high = middle;
    }
    return high;
}

/* ---- the best so far: a heap with the worst on top ---- */

struct best {
    uint64_t *at; /* the score above, the complement of the position below: a better one is larger */
    int n, k;
};

/* Puts x in place of at[i]. */
static void sink(uint64_t *at, int n, int i, uint64_t x)
{
    for (int child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && at[child + 1] < at[child];
        if (at[child] >= x) break;
        at[i] = at[child];
    }
    at[i] = x;
}

static void offer(struct best *b, int32_t document, uint32_t score)
{
    uint64_t x = (uint64_t)score << 32 | ~(uint32_t)document;

    if (b->n < b->k) {
        b->at[b->n++] = x;
        for (int j = b->n / 2 - 1; b->n == b->k && j >= 0; j--) sink(b->at, b->n, j, b->at[j]);
    } else if (x > b->at[0]) {
        sink(b->at, b->n, 0, x);
    }
}

/* From the best to the worst. */
static void read_best(struct best *b, struct tfidf_hit *out)
{
    for (int j = b->n / 2 - 1; j >= 0; j--) sink(b->at, b->n, j, b->at[j]);
    for (int n = b->n; n; n--) {
        out[n - 1] = (struct tfidf_hit){ (int32_t) ~(uint32_t)b->at[0], (uint32_t)(b->at[0] >> 32) };
        sink(b->at, n - 1, 0, b->at[n - 1]);
    }
}

/* A later document must score above this; 0: any that has a term of the query. */
static uint32_t threshold(const struct best *b)
{
    return b->n == b->k ? (uint32_t)(b->at[0] >> 32) : 0;
}

/* ---- a window ---- */

static uint32_t block_bound(const struct tfidf *x, const struct posting_list *l)
{
    float top = 0;

    if (l->next == l->end) return 0;
    for (int64_t b = l->next / TFIDF_BLOCK; b <= (l->end - 1) / TFIDF_BLOCK; b++) {
        if (x->block_top[b] > top) top = x->block_top[b];
    }
    return scored(l->weight, top < x->term_top[l->term] ? top : x->term_top[l->term]);
}

static int by_bound(const void *a, const void *b)
{
    const struct posting_list *x = a, *y = b;

    return x->bound != y->bound ? (x->bound > y->bound) - (x->bound < y->bound) : by_term(a, b);
}

static void sort_lists(struct posting_list *list, int n)
{
    for (int i = 1; i < n; i++) { /* nearly in order as a rule */
        struct posting_list l = list[i];
        int k = i;
        for (; k && by_bound(&list[k - 1], &l) > 0; k--) list[k] = list[k - 1];
        list[k] = l;
    }
}

/* How many of the lists, from the least on, cannot lift a document above the threshold together. */
static int count_optional(const struct posting_list *list, int n, uint32_t above, uint64_t *sum)
{
    int m = 0;

    *sum = 0;
    while (m < n && *sum + list[m].bound <= above) *sum += list[m++].bound;
    return m;
}

/* Adds the list's postings of the window to the scores; documents that get above `least` become candidates. */
static int add_up(struct tfidf_search *s, const struct tfidf *x, struct posting_list *l, int32_t base, uint32_t least,
                  int n)
{
    const int32_t *document = x->posting_document;
    const float *weight = x->posting_weight;
    uint32_t *score = s->score, *candidate = s->candidate;
    float w = l->weight;
    int64_t end = l->end;

    l->is_added = true;
    for (int64_t p = l->next; p < end; p++) {
        uint32_t d = (uint32_t)(document[p] - base), before = score[d], after = before + scored(w, weight[p]);
        score[d] = after;
        candidate[n] = d;
        n += (before <= least) & (after > least);
    }
    return n;
}

/* Candidates that can still get above the threshold. */
static int keep(struct tfidf_search *s, int n, uint64_t rest, uint32_t above)
{
    int m = 0;

    for (int i = 0; i < n; i++) {
        uint32_t d = s->candidate[i];
        s->candidate[m] = d;
        m += s->score[d] + rest > above;
    }
    return m;
}

static void look_up(struct tfidf_search *s, const struct tfidf *x, const struct posting_list *l, int32_t base, int n)
{
    for (int i = 0; i < n; i++) {
        int32_t document = base + (int32_t)s->candidate[i];
        int64_t p = seek(x->posting_document, l->next, l->end, document);
        if (p < l->end && x->posting_document[p] == document)
            s->score[s->candidate[i]] += scored(l->weight, x->posting_weight[p]);
    }
}

/* Scores of 0 again, where lists were added up. */
static void forget(struct tfidf_search *s, const struct tfidf *x, const struct posting_list *list, int n, int32_t base)
{
    const int32_t *document = x->posting_document;
    int64_t postings = 0;

    for (int i = 0; i < n; i++) postings += list[i].is_added ? list[i].end - list[i].next : 0;
    if (postings > WINDOW / 8) {
        memset(s->score, 0, WINDOW * sizeof *s->score);
        return;
    }
    for (int i = 0; i < n; i++) {
        int64_t end = list[i].is_added ? list[i].end : 0;
        for (int64_t p = list[i].next; p < end; p++) s->score[document[p] - base] = 0;
    }
}

static void search_window(struct tfidf_search *s, const struct tfidf *x, int n_lists, int32_t base, int64_t size,
                          struct best *b)
{
    struct posting_list *list = s->list;
    uint32_t above = threshold(b);
    uint64_t rest = 0;
    int n = 0;

    for (int i = 0; i < n_lists; i++) {
        struct posting_list *l = &list[i];
        l->next = seek(x->posting_document, l->next, l->last, base);
        l->end = seek(x->posting_document, l->next, l->last, base + size);
        l->bound = block_bound(x, l);
        l->is_added = false;
    }
    sort_lists(list, n_lists);
    int optional = count_optional(list, n_lists, above, &rest);
    for (int i = optional; i < n_lists; i++) n = add_up(s, x, &list[i], base, above - (uint32_t)rest, n);
    for (int i = optional - 1; i >= 0 && n; i--) {
        struct posting_list *l = &list[i];
        n = keep(s, n, rest, above);
        rest -= l->bound;
        if (n * (int64_t)LOOKUP_COST < l->end - l->next) look_up(s, x, l, base, n);
        else add_up(s, x, l, base, UINT32_MAX, n);
    }
    for (int i = 0; i < n; i++) offer(b, base + (int32_t)s->candidate[i], s->score[s->candidate[i]]);
    forget(s, x, list, n_lists, base);
    for (int i = 0; i < n_lists; i++) list[i].next = list[i].end;
}

/* The next document that one of the lists has which must have one of the best. */
static int64_t next_document(const struct tfidf *x, struct posting_list *list, int n, const struct best *b)
{
    int64_t base = x->n;
    uint64_t sum;

    for (int i = 0; i < n; i++) list[i].bound = scored(list[i].weight, x->term_top[list[i].term]);
    sort_lists(list, n);
    for (int i = count_optional(list, n, threshold(b), &sum); i < n; i++) {
        if (list[i].next < list[i].last && x->posting_document[list[i].next] < base)
            base = x->posting_document[list[i].next];
    }
    return base;
}

int tfidf_best(struct tfidf_search *s, const struct tfidf *x, const char *const *terms, int n_terms,
               struct tfidf_hit *out, int k)
{
    int n = k > 0 ? make_lists(s, x, terms, n_terms) : 0;
    int64_t size = FIRST_WINDOW;

    if (!s->score) s->score = mem_new(uint32_t, WINDOW);
    if (!s->candidate) s->candidate = mem_new(uint32_t, WINDOW + 1);
    mem_reserve(&s->best, &s->cap_best, k + 1);
    struct best b = { s->best, 0, k };
    for (int64_t base; n && (base = next_document(x, s->list, n, &b)) < x->n;) {
        search_window(s, x, n, (int32_t)base, size, &b);
        if (size < WINDOW) size *= 2;
    }
    read_best(&b, out);
    return b.n;
}
