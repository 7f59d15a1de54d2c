#include "score/rouge_text.h"
#include <stdlib.h>
#include <string.h>

/* Where sentences end, in words. */
static int64_t find_ends(const char *text, int64_t *ends)
{
    int64_t words = 0, n = 0;

    for (const char *p = text; *p; p++) {
        words += *p == ' ';
        if (*p != '\n') continue;
        if (ends) ends[n] = words;
        n++;
    }
    return n;
}

static void note_ends(struct rouge_texts *t, int64_t at, const char *text)
{
    int64_t n = find_ends(text, NULL), *ends = arena_new(&t->arena, int64_t, n + 1);

    find_ends(text, ends);
    t->ends[at] = ends;
    t->n_sentences[at] = n;
}

void rouge_texts_make(struct rouge_texts *t, const struct score_item *items, int64_t n, int threads,
                      const struct texts_maker *maker, const void *arg)
{
    struct texts made;
    int64_t texts = n, at = n;

    *t = (struct rouge_texts){ 0 };
    for (int64_t i = 0; i < n; i++) texts += items[i].n_refs;
    t->ends = mem_new(const int64_t *, texts + 1);
    t->n_sentences = mem_new(int64_t, texts + 1);
    texts_make(&made, items, n, threads, maker, arg);
    for (int64_t i = 0; i < n; i++) {
        note_ends(t, i, made.items[i].pred);
        for (int k = 0; k < made.items[i].n_refs; k++) note_ends(t, at++, made.items[i].refs[k]);
    }
    captions_make(&t->words, made.items, n, CAPTIONS_WORDS, 2, 1);
    texts_release(&made);
}

void rouge_explain(const struct score_item *item, const struct texts_maker *maker, const void *arg, struct value *out)
{
    struct value *refs = value_array();
    struct texts made;

    texts_make(&made, item, 1, 1, maker, arg);
    value_set(out, "pred", value_str(made.items[0].pred));
    for (int r = 0; r < item->n_refs; r++) value_push(refs, value_str(made.items[0].refs[r]));
    value_set(out, "refs", refs);
    texts_release(&made);
}

void rouge_texts_release(struct rouge_texts *t)
{
    captions_release(&t->words);
    free(t->ends);
    free(t->n_sentences);
    arena_release(&t->arena);
}

struct rouge_text rouge_pred(const struct rouge_texts *t, int64_t item)
{
    return (struct rouge_text){ &t->words.preds[item], t->ends[item], t->n_sentences[item] };
}

struct rouge_text rouge_ref(const struct rouge_texts *t, int64_t ref)
{
    int64_t at = t->words.n + ref;

    return (struct rouge_text){ &t->words.refs[ref], t->ends[at], t->n_sentences[at] };
}

void rouge_room_release(struct rouge_room *r)
{
    free(r->left[0]);
    free(r->left[1]);
    free(r->table);
    free(r->hit);
}

int64_t rouge_shared(const struct sentence *a, const struct sentence *b, int n)
{
    int64_t shared = 0;

    for (int64_t i = 0; i < a->n_ngrams[n - 1]; i++) {
        struct ngram x = a->ngrams[n - 1][i];
        for (int64_t k = 0; k < b->n_ngrams[n - 1]; k++) {
            if (b->ngrams[n - 1][k].id != x.id) continue;
            shared += x.count < b->ngrams[n - 1][k].count ? x.count : b->ngrams[n - 1][k].count;
            break;
        }
    }
    return shared;
}

/* Lengths of common subsequences of the beginnings of a and b: [n_a + 1][n_b + 1]. */
static int32_t *fill_table(struct rouge_room *r, const int32_t *a, int64_t n_a, const int32_t *b, int64_t n_b)
{
    int64_t w = n_b + 1;

    mem_reserve(&r->table, &r->cap_table, (n_a + 1) * w);
    memset(r->table, 0, (size_t)w * sizeof *r->table);
    for (int64_t i = 0; i < n_a; i++) {
        int32_t *above = r->table + i * w, *row = above + w;
        row[0] = 0;
        for (int64_t k = 0; k < n_b; k++) {
            int32_t best = above[k + 1] > row[k] ? above[k + 1] : row[k];
            row[k + 1] = a[i] == b[k] ? above[k] + 1 : best;
        }
    }
    return r->table;
}

static void mark_lcs(struct rouge_room *r, const int32_t *a, int64_t n_a, const int32_t *b, int64_t n_b, bool *hit)
{
    const int32_t *table = fill_table(r, a, n_a, b, n_b);
    int64_t w = n_b + 1;

    for (int64_t i = n_a, k = n_b; i > 0 && k > 0;) {
        if (a[i - 1] == b[k - 1]) {
            hit[--i] = true;
            k--;
        } else if (table[i * w + k - 1] > table[(i - 1) * w + k]) {
            k--;
        } else {
            i--;
        }
    }
}

static void count_words(int32_t **left, int64_t *cap, const struct sentence *s, int sign)
{
    for (int64_t i = 0; i < s->n_words; i++) {
        mem_reserve(left, cap, s->words[i] + 1);
        (*left)[s->words[i]] = sign ? (*left)[s->words[i]] + 1 : 0;
    }
}

int64_t rouge_union_lcs(struct rouge_room *r, const struct rouge_text *ref, const struct rouge_text *pred)
{
    int64_t hits = 0, from = 0;

    for (int side = 0; side < 2; side++) {
        int64_t *cap = side ? &r->cap_words2 : &r->cap_words;
        count_words(&r->left[side], cap, ref->words, 0);
        count_words(&r->left[side], cap, pred->words, 0);
        count_words(&r->left[side], cap, side ? pred->words : ref->words, 1);
    }
    for (int64_t s = 0; s < ref->n_sentences; from = ref->ends[s++]) {
        const int32_t *words = ref->words->words + from;
        int64_t n = ref->ends[s] - from, at = 0;
        mem_reserve(&r->hit, &r->cap_hit, n + 1);
        memset(r->hit, 0, (size_t)n * sizeof *r->hit);
        for (int64_t p = 0; p < pred->n_sentences; at = pred->ends[p++])
            mark_lcs(r, words, n, pred->words->words + at, pred->ends[p] - at, r->hit);
        for (int64_t i = 0; i < n; i++) {
            if (!r->hit[i] || r->left[0][words[i]] <= 0 || r->left[1][words[i]] <= 0) continue;
            r->left[0][words[i]]--;
            r->left[1][words[i]]--;
            hits++;
        }
    }
    return hits;
}

int64_t rouge_lcs(struct rouge_room *r, const struct sentence *a, const struct sentence *b)
{
    return fill_table(r, a->words, a->n_words, b->words, b->n_words)[(a->n_words + 1) * (b->n_words + 1) - 1];
}
