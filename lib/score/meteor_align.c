#include "score/meteor_align.h"
#include "score/synonyms.h"
#include <stdlib.h>
#include <string.h>

/* ---- matches ---- */

static void add_match(struct meteor_aligner *a, enum meteor_module module, int ref, int ref_n, int hyp, int hyp_n)
{
    mem_reserve(&a->matches, &a->cap_matches, a->n_matches + 1);
    a->matches[a->n_matches++] = (struct meteor_match){ module, ref, ref_n, hyp, hyp_n };
}

static bool fits(const struct meteor_lexicon *l, enum meteor_module module, int32_t x, int32_t y)
{
    if (module == METEOR_EXACT) return x == y;
    if (x == y) return false;
    const struct meteor_word *p = &l->words[x], *q = &l->words[y];
    if (module == METEOR_STEM) return p->stem == q->stem;
    return p->mask & q->mask && synonyms_meet(p->synsets, p->n_synsets, q->synsets, q->n_synsets);
}

static void match_words(struct meteor_aligner *a, enum meteor_module module, struct meteor_text hyp,
                        struct meteor_text ref)
{
    for (int j = 0; j < ref.n; j++) {
        for (int i = 0; i < hyp.n; i++) {
            if (fits(a->lexicon, module, ref.words[j], hyp.words[i])) add_match(a, module, j, 1, i, 1);
        }
    }
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
                    if (from_ref) add_match(a, METEOR_PARAPHRASE, i, n, j, p->n);
                    else add_match(a, METEOR_PARAPHRASE, j, p->n, i, n);
                }
            }
        }
    }
}

/* By place in the reference; those of one place in the order in which they were found. */
static void sort_matches(struct meteor_aligner *a, int ref_n)
{
    mem_reserve(&a->starts, &a->cap_starts, ref_n + 2);
    mem_reserve(&a->sorted, &a->cap_sorted, a->n_matches + 1);
    memset(a->starts, 0, (size_t)(ref_n + 2) * sizeof *a->starts);
    for (int m = 0; m < a->n_matches; m++) a->starts[a->matches[m].ref + 2]++;
    for (int j = 2; j <= ref_n; j++) a->starts[j] += a->starts[j - 1];
    for (int m = 0; m < a->n_matches; m++) a->sorted[a->starts[a->matches[m].ref + 1]++] = a->matches[m];
}

static void find_matches(struct meteor_aligner *a, struct meteor_text hyp, struct meteor_text ref)
{
    bool same = hyp.n == ref.n && !memcmp(hyp.words, ref.words, (size_t)hyp.n * sizeof *hyp.words);
    unsigned modules = same ? a->modules & -a->modules : a->modules; /* of equal texts the first alone looks for any */

    a->n_matches = 0;
    for (int module = METEOR_EXACT; module <= METEOR_SYNONYM; module++) {
        if (modules >> module & 1) match_words(a, (enum meteor_module)module, hyp, ref);
    }
    if (modules >> METEOR_PARAPHRASE & 1 && a->lexicon->longest) {
        match_phrases(a, ref, hyp, true);
        match_phrases(a, hyp, ref, false);
    }
    sort_matches(a, ref.n);
}

/* ---- the search ---- */

enum { BEAM = 40 };
struct choice { /* matches that a path took, the last first */
    int match;
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
struct search {
    struct meteor_aligner *a;
    int ref_n, hyp_n, words; /* words: of uint64_t in used */
    int *fixed;              /* [ref_n] the match that every path has here, or -1 */
    struct path *now, *then;
    int n_now, n_then;
    int64_t cap_now, cap_then;
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

static void keep_path(struct search *s, const struct path *p)
{
    mem_reserve(&s->then, &s->cap_then, s->n_then + 1);
    s->then[s->n_then++] = *p;
}

static bool is_better(const struct path *p, const struct path *q)
{
    if (p->weight != q->weight) return p->weight > q->weight;
    if (p->chunks != q->chunks) return p->chunks < q->chunks;
    return p->distance < q->distance;
}

/* Stable; the paths are few and often in order. */
static void sort_paths(struct path *p, int n)
{
    for (int i = 1; i < n; i++) {
        struct path x = p[i];
        int at = i;
        for (; at > 0 && is_better(&x, &p[at - 1]); at--) p[at] = p[at - 1];
        p[at] = x;
    }
}

/* Matches that nothing competes with are in every path. */
static void fix_matches(struct search *s, uint64_t *used)
{
    struct meteor_aligner *a = s->a;
    int *covers = arena_new(&a->arena, int, s->ref_n + s->hyp_n + 1);

    for (int m = 0; m < a->n_matches; m++) {
        for (int k = 0; k < a->sorted[m].ref_n; k++) covers[a->sorted[m].ref + k]++;
        for (int k = 0; k < a->sorted[m].hyp_n; k++) covers[s->ref_n + a->sorted[m].hyp + k]++;
    }
    for (int j = 0; j < s->ref_n; j++) {
        s->fixed[j] = -1;
        if (a->starts[j + 1] - a->starts[j] != 1) continue;
        const struct meteor_match *m = &a->sorted[a->starts[j]];
        bool alone = true;
        for (int k = 0; k < m->ref_n; k++) alone &= covers[m->ref + k] == 1;
        for (int k = 0; k < m->hyp_n; k++) alone &= covers[s->ref_n + m->hyp + k] == 1;
        if (!alone) continue;
        s->fixed[j] = a->starts[j];
        set_used(s, used, m);
    }
}

static int distance_of(const struct meteor_match *m)
{
    return m->ref > m->hyp ? m->ref - m->hyp : m->hyp - m->ref;
}

/* All ways on from a path at one word of the reference. */
static void go_on(struct search *s, struct path *p, int at)
{
    struct meteor_aligner *a = s->a;

    if (is_used(p->used, at)) {
        bool is_inside = at < p->next;
        if (!is_inside && s->fixed[at] < 0) return;
        if (!is_inside) {
            add_weights(p, &a->sorted[s->fixed[at]]);
            p->distance += distance_of(&a->sorted[s->fixed[at]]);
        }
        keep_path(s, p);
        return;
    }
    for (int m = a->starts[at]; m < a->starts[at + 1]; m++) {
        const struct meteor_match *match = &a->sorted[m];
        if (is_taken(s, p->used, match)) continue;
        struct path child = *p;
        child.used = arena_new(&a->arena, uint64_t, s->words);
        memcpy(child.used, p->used, (size_t)s->words * sizeof *child.used);
        set_used(s, child.used, match);
        child.choices = arena_new(&a->arena, struct choice, 1);
        *child.choices = (struct choice){ m, p->choices };
        add_weights(&child, match);
        p->distance += distance_of(match); /* to the parent's, as METEOR has it */
        keep_path(s, &child);
    }
    p->chunks += p->last_end != -1;
    p->last_end = -1;
    p->next = at + 1;
    keep_path(s, p);
}

static void search(struct search *s)
{
    struct path first = { .last_end = -1, .used = arena_new(&s->a->arena, uint64_t, s->words) };

    fix_matches(s, first.used);
    keep_path(s, &first);
    for (int at = 0; at <= s->ref_n; at++) {
        struct path *spare = s->now;
        int64_t cap = s->cap_now;
        s->now = s->then;
        s->n_now = s->n_then;
        s->cap_now = s->cap_then;
        s->then = spare;
        s->cap_then = cap;
        s->n_then = 0;
        sort_paths(s->now, s->n_now);
        for (int k = 0; k < s->n_now && k < BEAM; k++) {
            if (at < s->ref_n) {
                go_on(s, &s->now[k], at);
                continue;
            }
            s->now[k].chunks += s->now[k].last_end != -1;
            keep_path(s, &s->now[k]);
        }
        if (!s->n_then) return; /* the best so far is now[0] */
    }
    sort_paths(s->then, s->n_then);
}

static void take_path(struct search *s, const struct path *p)
{
    struct meteor_aligner *a = s->a;
    int *at = arena_new(&a->arena, int, s->ref_n + 1);

    for (int j = 0; j < s->ref_n; j++) at[j] = s->fixed[j];
    for (const struct choice *c = p->choices; c; c = c->before) at[a->sorted[c->match].ref] = c->match;
    a->n_chosen = 0;
    for (int j = 0; j < s->ref_n; j++) {
        if (at[j] < 0) continue;
        mem_reserve(&a->chosen, &a->cap_chosen, a->n_chosen + 1);
        a->chosen[a->n_chosen++] = a->sorted[at[j]];
    }
}

void meteor_align(struct meteor_aligner *a, struct meteor_text hyp, struct meteor_text ref)
{
    struct search s = { .a = a, .ref_n = ref.n, .hyp_n = hyp.n, .words = (ref.n + hyp.n) / 64 + 1 };

    find_matches(a, hyp, ref);
    s.fixed = arena_new(&a->arena, int, ref.n + 1);
    search(&s);
    take_path(&s, s.n_then ? &s.then[0] : &s.now[0]);
    free(s.now);
    free(s.then);
    arena_reset(&a->arena);
}

void meteor_aligner_release(struct meteor_aligner *a)
{
    free(a->chosen);
    free(a->matches);
    free(a->sorted);
    free(a->starts);
    arena_release(&a->arena);
    str_release(&a->key);
}
