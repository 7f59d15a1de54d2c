#include "rewrite/retrieve.h"
#include "rewrite/inflect.h"
#include "stream/value.h"
#include <string.h>

static bool is_term(const struct word *x, enum terms_by by)
{
    /* not the class that a parser gave: the same words must give the same terms everywhere */
    switch (x->class == WORD_PUNCTUATION ? WORD_PUNCTUATION : word_closed_class(x->lower)) {
    case WORD_OTHER:
        return true;
    case WORD_PREPOSITION:
    case WORD_NUMBER:
    case WORD_ADVERB:
        return by == TERMS_BY_WORDING;
    default:
        return false;
    }
}

int text_terms(const struct words *w, enum terms_by by, const char ***out, struct arena *a)
{
    int n = 0;

    *out = arena_new(a, const char *, w->n + 1);
    for (int i = 0; i < w->n; i++) {
        int preposition = by == TERMS_BY_CONTENT ? words_preposition(w, i, w->n) : 0;
        if (preposition > 1) i += preposition - 1; /* "to the left of": its words mean nothing alone */
        else if (is_term(&w->at[i], by)) (*out)[n++] = noun_singular(w->at[i].lower, a);
    }
    return n;
}

int graph_terms(const struct scene_graph *g, const char ***out, struct arena *a)
{
    const char **content;
    int n = text_terms(&g->words, TERMS_BY_CONTENT, &content, a), m = 0;

    *out = arena_new(a, const char *, 2 * g->words.n + 2);
    for (int i = 0; i < n; i++) (*out)[m++] = content[i];
    for (int i = 0; i < g->n_objects; i++) {
        for (int k = g->objects[i].from; k < g->objects[i].to; k++)
            (*out)[m++] = noun_singular(g->words.at[k].lower, a);
    }
    return m;
}

#define SURE 0.2 /* a region below is as likely noise */

static const char *joined(const char *attribute, const char *name, struct arena *a)
{
    size_t n = strlen(attribute), m = strlen(name);
    char *s = arena_new(a, char, (int64_t)(n + m + 2));

    memcpy(s, attribute, n);
    s[n] = ' ';
    memcpy(s + n + 1, name, m + 1);
    return s;
}

int image_terms(const struct record *r, const char ***out, struct arena *a, struct err *e)
{
    const struct value *attributes = value_get(r->fields, "attributes"), *scores = value_get(r->fields, "scores");
    struct value *classes;
    int n = 0;

    if (value_get_array(r->fields, "classes", &classes, e)) return -1;
    *out = arena_new(a, const char *, 2 * value_count(classes) + 1);
    for (int64_t i = 0; i < value_count(classes); i++) {
        const char *name = value_text(value_at(classes, i), NULL),
                   *attribute = value_text(value_at(attributes, i), NULL);
        const struct value *score = value_at(scores, i);
        if (!name)
            return err_set(e, ERR_INPUT, "classes: element %lld is not a string (or has the character 0)",
                           (long long)i);
        if (score && value_number(score) < SURE) continue;
        (*out)[n++] = arena_strdup(a, name);
        if (attribute && *attribute) (*out)[n++] = joined(attribute, name, a);
    }
    return n;
}

struct value *related_ids(struct tfidf_search *s, const struct tfidf *x, const char *const *terms, int n,
                          const char * not, int k, struct arena *a)
{
    struct value *ids = value_array();
    struct tfidf_hit *hits = arena_new(a, struct tfidf_hit, k + 2);
    int found = tfidf_best(s, x, terms, n, hits, k + 1), pushed = 0;

    for (int i = 0; i < found && pushed < k; i++) {
        const char *id = tfidf_id(x, hits[i].document, a);
        if (!strcmp(id, not )) continue;
        value_push(ids, value_str(id));
        pushed++;
    }
    return ids;
}

int image_query(const struct tfidf *images, const char *id, const struct facts *facts, const char ***out,
                struct arena *a)
{
    int64_t known = tfidf_find(images, id);
    int n = 0;

    if (known < 0) {
        *out = arena_new(a, const char *, facts->n + 1);
        for (int i = 0; i < facts->n; i++) {
            const struct fact *f = &facts->at[i];
            (*out)[n++] = f->attribute ? joined(f->attribute, f->name, a) : f->name;
        }
        return n;
    }
    const char *lines = tfidf_text(images, known, a);
    *out = arena_new(a, const char *, (int64_t)strlen(lines) + 1);
    for (const char *p = lines; *p;) {
        size_t m = strcspn(p, "\n");
        (*out)[n++] = arena_strndup(a, p, m);
        p += m + (p[m] == '\n');
    }
    return n;
}

struct value *related_by_features(const struct means *m, const struct tfidf *images, int64_t image, int k,
                                  struct arena *a)
{
    struct value *ids = value_array();
    int32_t *nearest = arena_new(a, int32_t, k + 1);
    int n = means_best(m, image, nearest, k, a);

    for (int i = 0; i < n; i++) value_push(ids, value_str(tfidf_id(images, nearest[i], a)));
    return ids;
}

static bool same_words(const char *const *a, int n_a, const char *const *b, int n_b)
{
    bool same = n_a == n_b;

    for (int i = 0; i < n_a && same; i++) same = !strcmp(a[i], b[i]);
    return same;
}

/* Whether a caption of another image can serve: it contradicts what is known, and is not the same words or one that was
 * taken. */
static bool is_negative(const struct tfidf *captions, int32_t document, int32_t group, const char *const *terms,
                        int n_terms, const struct facts *facts, struct names *names, const struct negative *out, int n,
                        const char **text, struct arena *a)
{
    struct facts claims = { 0 };
    const char **others;
    struct words w;

    if (group >= 0 && tfidf_group(captions, document) == group) return false;
    facts_add(&claims, tfidf_facts(captions, document, a), a);
    if (!facts_contradict(facts, &claims, names)) return false;
    *text = tfidf_text(captions, document, a);
    words_split(&w, *text, a);
    int n_others = text_terms(&w, TERMS_BY_WORDING, &others, a);
    if (same_words(terms, n_terms, others, n_others)) return false;
    for (int k = 0; k < n; k++) {
        if (!strcmp(out[k].text, *text)) return false;
    }
    return true;
}

int sentence_negatives(struct tfidf_search *s, const struct tfidf *captions, const struct scene_graph *g, int32_t group,
                       const struct facts *facts, struct names *names, struct negative *out, int n, int want,
                       struct arena *a)
{
    const char **terms, *text;
    int n_terms = text_terms(&g->words, TERMS_BY_WORDING, &terms, a), left = want - n, done = 0;

    /* few of the nearest fail, as a rule; then more are looked at */
    for (int k = 3 * left + 20; n < want && k <= 48 * left + 320; k *= 4) {
        struct tfidf_hit *hits = arena_new(a, struct tfidf_hit, k + 1);
        int found = tfidf_best(s, captions, terms, n_terms, hits, k);
        for (; done < found && n < want; done++) {
            if (!is_negative(captions, hits[done].document, group, terms, n_terms, facts, names, out, n, &text, a))
                continue;
            out[n++] = (struct negative){ .text = text,
                                          .level = LEVEL_SENTENCE,
                                          .score = (double)hits[done].score / (double)TFIDF_ONE,
                                          .id = tfidf_id(captions, hits[done].document, a) };
        }
        if (found < k) break;
    }
    return n;
}
