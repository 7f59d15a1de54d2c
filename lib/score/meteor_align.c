#include "score/meteor_align.h"
#include "score/synonyms.h"
#include <stdlib.h>
#include <string.h>

/* ---- matches ---- */

static bool fits(const struct meteor_lexicon *l, enum meteor_module module, int32_t x, int32_t y)
{
    if (module == METEOR_EXACT) return x == y;
    if (x == y) return false;
    const struct meteor_word *p = &l->words[x], *q = &l->words[y];
    if (module == METEOR_STEM) return p->stem == q->stem;
    return p->mask & q->mask && synonyms_meet(p->synsets, p->n_synsets, q->synsets, q->n_synsets);
}

/* The words of the hypothesis that a word of the reference matches, of each module in their order. */
static void match_word(struct meteor_aligner *a, unsigned modules, int32_t word, struct meteor_text hyp)
{
    for (int module = METEOR_EXACT; module <= METEOR_SYNONYM; module++) {
        for (int i = 0; i < hyp.n && modules >> module & 1; i++) {
            if (!fits(a->lexicon, (enum meteor_module)module, word, hyp.words[i])) continue;
            mem_reserve(&a->singles, &a->cap_singles, a->n_singles + 1);
            a->singles[a->n_singles++] = (struct meteor_single){ (enum meteor_module)module, i };
        }
    }
}

/* What matches a word matches it wherever it is in the reference, so that it is found and kept once: a list for each
 * place would be the square of a long text. */
static void match_words(struct meteor_aligner *a, unsigned modules, struct meteor_text hyp, struct meteor_text ref)
{
    a->n_singles = a->n_kinds = 0;
    mem_reserve(&a->kind_of, &a->cap_kind_of, ref.n + 1);
    for (int j = 0; j < ref.n; j++) {
        int k = 0;
        while (k < a->n_kinds && a->kinds[k].word != ref.words[j]) k++;
        a->kind_of[j] = k;
        if (k < a->n_kinds) {
            a->kinds[k].times++;
            continue;
        }
        mem_reserve(&a->kinds, &a->cap_kinds, ++a->n_kinds);
        int64_t from = a->n_singles;
        match_word(a, modules, ref.words[j], hyp);
        a->kinds[k] = (struct meteor_kind){ ref.words[j], 1, from, a->n_singles };
    }
}

static void add_phrase(struct meteor_aligner *a, int ref, int ref_n, int hyp, int hyp_n)
{
    mem_reserve(&a->phrases, &a->cap_phrases, a->n_phrases + 1);
    a->phrases[a->n_phrases++] = (struct meteor_match){ METEOR_PARAPHRASE, ref, ref_n, hyp, hyp_n };
}

/* Every phrase of `from` that has paraphrases, where these occur in `to`. */
static void match_phrases(struct meteor_aligner *a, struct meteor_text from, struct meteor_text to, bool from_ref)
{
    const struct meteor_lexicon *l = a->lexicon;

    for (int i = 0; i < from.n; i++) {
        str_clear(&a->key);
        for (int n = 1; n <= l->longest && i + n <= from.n; n++) {
            const struct map_entry *word = &l->numbers.at[from.words[i + n - 1]];
            if (n > 1) str_add_char(&a->key, ' ');
            str_add_bytes(&a->key, word->key, word->n);
            const int64_t *at = map_find(&l->paraphrased, str_c(&a->key), a->key.n);
            const struct meteor_others *o = at ? &l->others[*at] : NULL;
            for (int64_t k = 0; o && k < o->n; k++) {
                const struct meteor_phrase *p = &o->at[k];
                for (int j = 0; j + p->n <= to.n; j++) {
                    if (memcmp(to.words + j, p->words, (size_t)p->n * sizeof *p->words)) continue;
                    if (from_ref) add_phrase(a, i, n, j, p->n);
                    else add_phrase(a, j, p->n, i, n);
                }
            }
        }
    }
}

/* By place in the reference; those of one place in the order in which they were found. */
static void sort_phrases(struct meteor_aligner *a, int ref_n)
{
    mem_reserve(&a->starts, &a->cap_starts, ref_n + 2);
    mem_reserve(&a->sorted, &a->cap_sorted, a->n_phrases + 1);
    memset(a->starts, 0, (size_t)(ref_n + 2) * sizeof *a->starts);
    for (int64_t m = 0; m < a->n_phrases; m++) a->starts[a->phrases[m].ref + 2]++;
    for (int j = 2; j <= ref_n; j++) a->starts[j] += a->starts[j - 1];
    for (int64_t m = 0; m < a->n_phrases; m++) a->sorted[a->starts[a->phrases[m].ref + 1]++] = a->phrases[m];
}

static void find_matches(struct meteor_aligner *a, struct meteor_text hyp, struct meteor_text ref)
{
    bool same = hyp.n == ref.n && !memcmp(hyp.words, ref.words, (size_t)hyp.n * sizeof *hyp.words);
    unsigned modules = same ? a->modules & -a->modules : a->modules; /* of equal texts the first alone looks for any */

    match_words(a, modules, hyp, ref);
    a->n_phrases = 0;
    if (modules >> METEOR_PARAPHRASE & 1 && a->lexicon->longest) {
        match_phrases(a, ref, hyp, true);
        match_phrases(a, hyp, ref, false);
    }
    sort_phrases(a, ref.n);
}

/* ---- the search ---- */

enum { BEAM = 40 };
struct choice { /* matches that a path took, the last first */
    struct meteor_match match;
    struct choice *before;
};
struct path {
    int weight, chunks, distance; /* weight: of both sides */
    int hyp_weight, ref_weight;
    int next;     /* where the match at hand ends in the reference */
    int last_end; /* and in the hypothesis; -1: no chunk is open */
    struct choice *choices;
    uint64_t *used; /* words of the reference, then of the hypothesis */
};
struct next_path { /* of one of the paths so far */
    struct path path;
    const struct path *from;
    struct meteor_match match; /* that it takes; ref_n 0: none */
};
struct search {
    struct meteor_aligner *a;
    int ref_n, hyp_n, words;    /* words: of uint64_t in used */
    struct meteor_match *fixed; /* [ref_n] the match that every path has here; ref_n 0: none */
    int n_now, n_then;
    struct path now[BEAM];
    struct next_path then[BEAM]; /* the best, in order */
    uint64_t *room;              /* [2][BEAM][words] for what paths have used */
};

static bool is_used(const uint64_t *used, int at)
{
    return used[at / 64] >> (at % 64) & 1;
}

static bool is_taken(const struct search *s, const uint64_t *used, const struct meteor_match *m)
{
    for (int k = 0; k < m->ref_n; k++) {
        if (is_used(used, m->ref + k)) return true;
    }
    for (int k = 0; k < m->hyp_n; k++) {
        if (is_used(used, s->ref_n + m->hyp + k)) return true;
    }
    return false;
}

static void set_used(const struct search *s, uint64_t *used, const struct meteor_match *m)
{
    for (int k = 0; k < m->ref_n; k++) used[(m->ref + k) / 64] |= 1ull << ((m->ref + k) % 64);
    for (int k = 0; k < m->hyp_n; k++) {
        int at = s->ref_n + m->hyp + k;
        used[at / 64] |= 1ull << (at % 64);
    }
}

/* METEOR adds fractions to whole numbers, so that single words of the weaker kinds add nothing. */
static void add_weights(struct path *p, const struct meteor_match *m)
{
    double weight = m->module == METEOR_EXACT ? 1 : 0.5;

    p->hyp_weight = (int)(p->hyp_weight + m->hyp_n * weight);
    p->ref_weight = (int)(p->ref_weight + m->ref_n * weight);
    p->weight = p->hyp_weight + p->ref_weight;
    p->chunks += p->last_end != -1 && p->last_end != m->hyp;
    p->next = m->ref + m->ref_n;
    p->last_end = m->hyp + m->hyp_n;
}

static bool is_better(const struct path *p, const struct path *q)
{
    if (p->weight != q->weight) return p->weight > q->weight;
    if (p->chunks != q->chunks) return p->chunks < q->chunks;
    return p->distance < q->distance;
}

/* Among the best, behind those that are as good; what is behind the beam can never become part of an alignment. */
static void keep_path(struct search *s, const struct path *p, const struct path *from, const struct meteor_match *match)
{
    if (s->n_then == BEAM && !is_better(p, &s->then[BEAM - 1].path)) return;
    int at = s->n_then < BEAM ? s->n_then++ : BEAM - 1;
    for (; at > 0 && is_better(p, &s->then[at - 1].path); at--) s->then[at] = s->then[at - 1];
    s->then[at] = (struct next_path){ *p, from, match ? *match : (struct meteor_match){ 0 } };
}

/* How many matches cover each word of the reference, then of the hypothesis. */
static int64_t *count_covers(struct search *s)
{
    struct meteor_aligner *a = s->a;
    int64_t *covers = arena_new(&a->arena, int64_t, s->ref_n + s->hyp_n + 1);

    for (int j = 0; j < s->ref_n; j++) covers[j] += a->kinds[a->kind_of[j]].to - a->kinds[a->kind_of[j]].from;
    for (int k = 0; k < a->n_kinds; k++) {
        for (int64_t i = a->kinds[k].from; i < a->kinds[k].to; i++)
            covers[s->ref_n + a->singles[i].hyp] += a->kinds[k].times;
    }
    for (int64_t m = 0; m < a->n_phrases; m++) {
        for (int k = 0; k < a->sorted[m].ref_n; k++) covers[a->sorted[m].ref + k]++;
        for (int k = 0; k < a->sorted[m].hyp_n; k++) covers[s->ref_n + a->sorted[m].hyp + k]++;
    }
    return covers;
}

/* Whether one match alone begins at a word of the reference. */
static bool only_match(const struct meteor_aligner *a, int at, struct meteor_match *out)
{
    const struct meteor_kind *k = &a->kinds[a->kind_of[at]];
    int64_t words = k->to - k->from;

    if (words + a->starts[at + 1] - a->starts[at] != 1) return false;
    *out = words ? (struct meteor_match){ a->singles[k->from].module, at, 1, a->singles[k->from].hyp, 1 }
                 : a->sorted[a->starts[at]];
    return true;
}

/* Matches that nothing competes with are in every path. */
static void fix_matches(struct search *s, uint64_t *used)
{
    const int64_t *covers = count_covers(s);

    for (int j = 0; j < s->ref_n; j++) {
        struct meteor_match m;
        if (!only_match(s->a, j, &m)) continue;
        bool alone = true;
        for (int k = 0; k < m.ref_n; k++) alone &= covers[m.ref + k] == 1;
        for (int k = 0; k < m.hyp_n; k++) alone &= covers[s->ref_n + m.hyp + k] == 1;
        if (!alone) continue;
        s->fixed[j] = m;
        set_used(s, used, &m);
    }
}

/* METEOR's integers begin again at the least when they are full, as those of very long texts are. */
static void add_distance(struct path *p, const struct meteor_match *m)
{
    p->distance = (int)((unsigned)p->distance + (unsigned)abs(m->ref - m->hyp));
}

/* A path takes one of the words that match. These are many where a long text has few different words, so that what is
 * worse than the beam is told from a few numbers. */
static void take_words(struct search *s, struct path *p, int at)
{
    const struct meteor_aligner *a = s->a;
    const struct meteor_kind *kind = &a->kinds[a->kind_of[at]];
    struct path child;
    int module = -1;

    for (int64_t i = kind->from; i < kind->to; i++) {
        const struct meteor_single *w = &a->singles[i];
        struct meteor_match match = { w->module, at, 1, w->hyp, 1 };
        if (is_used(p->used, s->ref_n + w->hyp)) continue;
        if (module != (int)w->module) {
            child = *p;
            add_weights(&child, &match);
            module = (int)w->module;
        }
        child.chunks = p->chunks + (p->last_end != -1 && p->last_end != w->hyp);
        child.distance = p->distance;
        child.last_end = w->hyp + 1;
        add_distance(p, &match); /* to the parent's, as METEOR has it */
        keep_path(s, &child, p, &match);
    }
}

static void take_phrases(struct search *s, struct path *p, int at)
{
    const struct meteor_aligner *a = s->a;

    for (int64_t i = a->starts[at]; i < a->starts[at + 1]; i++) {
        if (is_taken(s, p->used, &a->sorted[i])) continue;
        struct path child = *p;
        add_weights(&child, &a->sorted[i]);
        add_distance(p, &a->sorted[i]);
        keep_path(s, &child, p, &a->sorted[i]);
    }
}

/* All ways on from a path at one word of the reference. */
static void go_on(struct search *s, struct path *p, int at)
{
    if (is_used(p->used, at)) {
        bool is_inside = at < p->next;
        if (!is_inside && !s->fixed[at].ref_n) return;
        if (!is_inside) {
            add_weights(p, &s->fixed[at]);
            add_distance(p, &s->fixed[at]);
        }
        keep_path(s, p, p, NULL);
        return;
    }
    take_words(s, p, at);
    take_phrases(s, p, at);
    p->chunks += p->last_end != -1;
    p->last_end = -1;
    p->next = at + 1;
    keep_path(s, p, p, NULL);
}

/* The best of the next paths become the paths; side: which half of the room is free for what they have used. */
static void step(struct search *s, int side)
{
    struct arena *arena = &s->a->arena;
    struct path paths[BEAM];

    for (int k = 0; k < s->n_then; k++) {
        const struct next_path *x = &s->then[k];
        struct path *p = &paths[k];
        *p = x->path;
        p->used = s->room + ((int64_t)side * BEAM + k) * s->words;
        memcpy(p->used, x->from->used, (size_t)s->words * sizeof *p->used);
        p->choices = x->from->choices;
        if (!x->match.ref_n) continue;
        set_used(s, p->used, &x->match);
        p->choices = arena_new(arena, struct choice, 1);
        *p->choices = (struct choice){ x->match, x->from->choices };
    }
    memcpy(s->now, paths, (size_t)s->n_then * sizeof *paths);
    s->n_now = s->n_then;
    s->n_then = 0;
}

/* The best path is now[0] then. */
static void search(struct search *s)
{
    s->room = arena_new(&s->a->arena, uint64_t, 2 * (int64_t)BEAM * s->words);
    s->now[0] = (struct path){ .last_end = -1, .used = s->room };
    s->n_now = 1;
    fix_matches(s, s->room);
    for (int at = 0; at < s->ref_n; at++) {
        for (int k = 0; k < s->n_now; k++) go_on(s, &s->now[k], at);
        if (!s->n_then) return; /* they could not go on: the best so far */
        step(s, 1 - at % 2);
    }
    for (int k = 0; k < s->n_now; k++) {
        s->now[k].chunks += s->now[k].last_end != -1;
        keep_path(s, &s->now[k], &s->now[k], NULL);
    }
    step(s, 1 - s->ref_n % 2);
}

static void take_path(struct search *s, const struct path *p)
{
    struct meteor_aligner *a = s->a;

    for (const struct choice *c = p->choices; c; c = c->before) s->fixed[c->match.ref] = c->match;
    a->n_chosen = 0;
    mem_reserve(&a->chosen, &a->cap_chosen, s->ref_n);
    for (int j = 0; j < s->ref_n; j++) {
        if (s->fixed[j].ref_n) a->chosen[a->n_chosen++] = s->fixed[j];
    }
}

void meteor_align(struct meteor_aligner *a, struct meteor_text hyp, struct meteor_text ref)
{
    struct search s = { .a = a, .ref_n = ref.n, .hyp_n = hyp.n, .words = (ref.n + hyp.n) / 64 + 1 };

    find_matches(a, hyp, ref);
    s.fixed = arena_new(&a->arena, struct meteor_match, ref.n + 1);
    search(&s);
    take_path(&s, &s.now[0]);
    arena_reset(&a->arena);
}

void meteor_aligner_release(struct meteor_aligner *a)
{
    free(a->chosen);
    free(a->singles);
    free(a->kinds);
    free(a->kind_of);
    free(a->phrases);
    free(a->sorted);
    free(a->starts);
    arena_release(&a->arena);
    str_release(&a->key);
}
