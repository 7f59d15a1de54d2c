#include "score/captions.h"
#include "core/mem.h"
#include "score/ptb.h"
#include "score/texts.h"
#include "score/unicode.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A run is known by the run without its last word, and that word. */
struct pair_slot {
    int32_t shorter, word, id; /* id: -1 free */
};
struct pairs {
    struct pair_slot *slot;
    int64_t n_slots; /* a power of two, at least twice n */
    int shift;       /* of a hash, to its log2(n_slots) topmost bits, which depend on the whole key */
    int32_t n;
};

struct making {
    struct captions *c;
    enum captions_tokens how;
    int orders;
    int32_t *single; /* [words] the run that is this word alone, + 1 */
    int64_t cap_single;
    struct pairs pairs;
    int32_t *words; /* of one text */
    int64_t cap_words;
    int32_t *runs; /* run that starts at each word */
    int64_t cap_runs;
    int64_t *last; /* of each run: where it is counted, in this text */
    int64_t cap_last, stamp;
    struct ngram *counts;
    int64_t cap_counts;
};

static struct pair_slot *pairs_slot(const struct pairs *p, int32_t shorter, int32_t word)
{
    uint64_t h = ((uint64_t)(uint32_t)shorter << 32 | (uint32_t)word) * 0x9E3779B97F4A7C15u;

    for (int64_t at = (int64_t)(h >> p->shift);; at = (at + 1) & (p->n_slots - 1)) {
        struct pair_slot *s = &p->slot[at];
        if (s->id < 0 || (s->shorter == shorter && s->word == word)) return s;
    }
}

static void pairs_grow(struct pairs *p)
{
    struct pairs bigger = { .n_slots = p->n_slots ? 2 * p->n_slots : 1 << 14,
                            .shift = p->n_slots ? p->shift - 1 : 50,
                            .n = p->n };

    bigger.slot = mem_new(struct pair_slot, bigger.n_slots);
    for (int64_t i = 0; i < bigger.n_slots; i++) bigger.slot[i].id = -1;
    for (int64_t i = 0; i < p->n_slots; i++) {
        if (p->slot[i].id >= 0) *pairs_slot(&bigger, p->slot[i].shorter, p->slot[i].word) = p->slot[i];
    }
    free(p->slot);
    *p = bigger;
}

static int32_t pairs_id(struct pairs *p, int32_t shorter, int32_t word)
{
    if (2 * ((int64_t)p->n + 1) > p->n_slots) pairs_grow(p);
    struct pair_slot *s = pairs_slot(p, shorter, word);

    if (s->id < 0) {
        assert(p->n < INT32_MAX);
        *s = (struct pair_slot){ shorter, word, p->n++ };
    }
    return s->id;
}

/* A word alone needs no search. */
static int32_t single_id(struct making *x, int32_t word)
{
    if (word >= x->cap_single) mem_reserve(&x->single, &x->cap_single, word + 1);
    if (!x->single[word]) {
        assert(x->pairs.n < INT32_MAX);
        x->single[word] = ++x->pairs.n;
    }
    return x->single[word] - 1;
}

/* Counts of the runs of one length; x->runs has those that are one word shorter, and gets these. */
static void count_runs(struct making *x, struct sentence *out, int64_t n, int k)
{
    int64_t found = 0, base = x->stamp;

    mem_reserve(&x->counts, &x->cap_counts, n + 1);
    for (int64_t i = 0; i + k < n; i++) {
        int32_t id = x->runs[i] = k ? pairs_id(&x->pairs, x->runs[i], x->words[i + k]) : single_id(x, x->words[i]);
        if (id >= x->cap_last) mem_reserve(&x->last, &x->cap_last, id + 1);
        if (x->last[id] > base) {
            x->counts[x->last[id] - base - 1].count++;
            continue;
        }
        x->counts[found++] = (struct ngram){ id, 1 };
        x->last[id] = base + found;
    }
    x->stamp += found;
    struct ngram *kept = arena_new(&x->c->arena, struct ngram, found);
    memcpy(kept, x->counts, (size_t)found * sizeof *kept);
    out->ngrams[k] = kept;
    out->n_ngrams[k] = found;
}

static int32_t word_number(struct making *x, const char *word, size_t n)
{
    bool is_new;
    int64_t *at = map_put(&x->c->vocabulary, word, n, &is_new);

    if (is_new) *at = x->c->vocabulary.n - 1;
    assert(*at < INT32_MAX);
    return (int32_t)*at;
}

static int64_t add_word(struct making *x, int64_t n, const char *word, size_t length)
{
    if (n >= x->cap_words) mem_reserve(&x->words, &x->cap_words, n + 1);
    x->words[n] = word_number(x, word, length);
    return n + 1;
}

/* Words, or tokens, of what ptb_words() wrote: tokens end in a space, and newlines divide their words. Returns their
 * number. */
static int64_t split_tokenized(struct making *x, const char *p, const char *ends)
{
    int64_t n = 0;

    while (*p) {
        size_t length = strcspn(p, ends);
        n = add_word(x, n, p, length);
        p += length + 1;
    }
    return n;
}

/* What is between white space, as Python's split() finds it; and between single spaces, empty parts as well. */
static int64_t split_at_space(struct making *x, const char *text)
{
    int64_t n = 0;
    const char *from = NULL;
    uint32_t c;

    for (const char *p = text;; p++) {
        int bytes = 1;
        while (from && *p > ' ' && *p < 0x7F) p++;
        if ((unsigned char)*p < 0x80) c = (unsigned char)*p;
        else bytes = utf8_decode(p, strnlen(p, 4), &c);
        bool is_space = !*p || (bytes && unicode_is_space(c));
        if (is_space && from) n = add_word(x, n, from, (size_t)(p - from));
        if (is_space) from = NULL;
        else if (!from) from = p;
        if (!*p) return n;
        p += bytes ? bytes - 1 : 0;
    }
}

static int64_t split_at_blank(struct making *x, const char *text)
{
    int64_t n = 0;

    for (const char *p = text;; p++) {
        size_t length = strcspn(p, " ");
        n = add_word(x, n, p, length);
        p += length;
        if (!*p) return n;
    }
}

static const int32_t *keep_words(struct making *x, int64_t n)
{
    int32_t *words = arena_new(&x->c->arena, int32_t, n);

    if (n) memcpy(words, x->words, (size_t)n * sizeof *words);
    return words;
}

static void make_sentence(struct making *x, struct sentence *out, const char *text)
{
    *out = (struct sentence){ 0 };
    if (x->how != CAPTIONS_PTB) {
        if (x->how == CAPTIONS_SPLIT) out->n_tokens = split_at_blank(x, text);
        out->tokens = keep_words(x, out->n_tokens);
        out->n_words = split_at_space(x, text);
        out->words = keep_words(x, out->n_words);
    } else {
        bool differ = strchr(text, '\n') != NULL;
        if (differ) out->n_tokens = split_tokenized(x, text, " ");
        if (differ) out->tokens = keep_words(x, out->n_tokens);
        out->n_words = split_tokenized(x, text, " \n");
        out->words = keep_words(x, out->n_words);
        if (!differ) out->n_tokens = out->n_words;
        if (!differ) out->tokens = out->words;
    }
    mem_reserve(&x->words, &x->cap_words, 1);
    mem_reserve(&x->runs, &x->cap_runs, out->n_words + 1);
    for (int k = 0; k < x->orders; k++) count_runs(x, out, out->n_words, k);
}

struct tokenizing { /* a thread's */
    struct ptb *ptb;
    int64_t *dropped;
};

static void open_ptb(void *room, const void *arg)
{
    *(struct tokenizing *)room = (struct tokenizing){ ptb_new(), (int64_t *)(uintptr_t)arg };
}

static void make_ptb(void *room, const char *const *text, struct str *out)
{
    ptb_words(((struct tokenizing *)room)->ptb, text, out);
}

static void close_ptb(void *room)
{
    struct tokenizing *x = room;

    *x->dropped += ptb_dropped(x->ptb);
    ptb_free(x->ptb);
}

void captions_make(struct captions *c, const struct score_item *items, int64_t n, enum captions_tokens how, int orders,
                   int threads)
{
    static const struct texts_maker tokenizer = { sizeof(struct tokenizing), open_ptb, make_ptb, close_ptb };
    struct making x = { .c = c, .how = how, .orders = orders };
    struct texts tokenized = { 0 };

    *c = (struct captions){ .n = n };
    c->preds = mem_new(struct sentence, n + 1);
    c->ref_start = mem_new(int64_t, n + 1);
    for (int64_t i = 0; i < n; i++) c->ref_start[i + 1] = c->ref_start[i] + items[i].n_refs;
    c->refs = mem_new(struct sentence, c->ref_start[n] + 1);
    if (how == CAPTIONS_PTB) {
        texts_make(&tokenized, items, n, threads, &tokenizer, &c->n_dropped);
        items = tokenized.items;
    }
    for (int64_t i = 0; i < n; i++) {
        make_sentence(&x, &c->preds[i], items[i].pred);
        for (int k = 0; k < items[i].n_refs; k++) make_sentence(&x, &c->refs[c->ref_start[i] + k], items[i].refs[k]);
    }
    texts_release(&tokenized);
    c->n_ngrams = x.pairs.n;
    free(x.pairs.slot);
    free(x.words);
    free(x.runs);
    free(x.last);
    free(x.single);
    free(x.counts);
}

void captions_release(struct captions *c)
{
    free(c->preds);
    free(c->refs);
    free(c->ref_start);
    map_release(&c->vocabulary);
    arena_release(&c->arena);
    *c = (struct captions){ 0 };
}

const char *captions_word(const struct captions *c, int32_t word)
{
    return c->vocabulary.at[word].key;
}

const struct sentence *captions_refs(const struct captions *c, int64_t i, int64_t *n)
{
    *n = c->ref_start[i + 1] - c->ref_start[i];
    return c->refs + c->ref_start[i];
}
