/* One record after another: graph, positives, negatives, neighbours. All draws are named by the seed, the record's id
 * and its text, so that neither threads nor order matter. */
#include "rewrite/rewriter.h"
#include "core/file.h"
#include "core/str.h"
#include "rewrite/retrieve.h"
#include "rewrite/translate.h"
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 1 << 16, BATCH = 16, TRANSLATED_BATCH = 512, RNG_REWRITE = 0x72657772 };

struct worker {
    struct parser *parser;
    struct names names;
    struct tfidf_search search;
    struct arena arena;    /* of a record */
    struct map translated; /* text -> first of its results in the batch */
    const char **results;  /* [texts][translators] */
    struct arena batch;
};
struct rewriter {
    struct rewriter_opts o;
    struct dictionary *dictionary;
    struct wordnet *wordnet;
    struct lexicon lexicon;
    struct tfidf *captions, *texts, *images;
    struct means *means; /* of images, when they are compared by them */
    struct worker *workers;
};

/* An index of the directory; one that was not learnt is no error. */
static int open_index(struct tfidf **x, const char *dir, const char *name, bool required, struct err *e)
{
    char *path = path_join(dir, name);
    int is_there = required ? 1 : file_exists(path, e);

    if (is_there > 0 && !(*x = tfidf_open(path, e))) is_there = -1;
    free(path);
    return is_there < 0 ? -1 : 0;
}

static int open_means(struct rewriter *w, struct err *e)
{
    char *path = path_join(w->o.dir, "means.safetensors");
    int rc = -1;

    if (!w->images) err_set(e, ERR_INPUT, "%s: was learnt without --images", w->o.dir);
    else if ((w->means = means_open(path, tfidf_count(w->images), e))) rc = 0;
    free(path);
    return rc;
}

struct rewriter *rewriter_open(const struct rewriter_opts *o, struct err *e)
{
    struct rewriter *w = mem_new(struct rewriter, 1);
    char *lexicon = path_join(o->dir, "lexicon.json");
    int rc = 0;

    w->o = *o;
    if (o->wordnet && !(w->wordnet = wordnet_open(o->wordnet, e))) rc = -1;
    if (!rc) rc = lexicon_load(&w->lexicon, lexicon, w->wordnet, e);
    if (!rc) rc = open_index(&w->captions, o->dir, "captions.safetensors", true, e);
    if (!rc) rc = open_index(&w->texts, o->dir, "texts.safetensors", false, e);
    if (!rc) rc = open_index(&w->images, o->dir, "images.safetensors", false, e);
    if (!rc && o->by_features) rc = open_means(w, e);
    if (!rc && !(w->dictionary = dictionary_open(e))) rc = -1;
    free(lexicon);
    w->workers = mem_new(struct worker, o->threads);
    for (int i = 0; i < o->threads && !rc; i++) {
        struct worker *k = &w->workers[i];
        k->parser = parser_new(w->dictionary, o->time_limit);
        k->names = (struct names){ .wordnet = w->wordnet, .lexicon = &w->lexicon };
    }
    if (!rc) return w;
    rewriter_close(w);
    return NULL;
}

void rewriter_close(struct rewriter *w)
{
    if (!w) return;
    for (int i = 0; i < w->o.threads && w->workers; i++) {
        struct worker *k = &w->workers[i];
        parser_free(k->parser);
        names_release(&k->names);
        tfidf_search_release(&k->search);
        arena_release(&k->arena);
        arena_release(&k->batch);
        map_release(&k->translated);
    }
    free(w->workers);
    tfidf_close(w->captions);
    tfidf_close(w->texts);
    tfidf_close(w->images);
    means_close(w->means);
    lexicon_release(&w->lexicon);
    wordnet_close(w->wordnet);
    dictionary_free(w->dictionary);
    free(w);
}

int rewriter_batch(const struct rewriter *w)
{
    return w->o.n_translators ? TRANSLATED_BATCH : BATCH;
}

static struct value *rounded(double score)
{
    return value_real((double)(int64_t)(score * 10000 + 0.5) / 10000);
}

/* ---- positives ---- */

struct positive {
    const char *text, *source;
    double score;
};

static int by_score(const void *a, const void *b)
{
    const struct positive *x = a, *y = b;

    return x->score != y->score ? (x->score < y->score ? 1 : -1) : strcmp(x->text, y->text);
}

/* The share of words that the first text does not have: of good translations, the freer one teaches more.
 */
static double novelty(const struct words *w, const struct words *other)
{
    int fresh = 0;

    for (int i = 0; i < other->n; i++) {
        bool found = false;
        for (int k = 0; k < w->n && !found; k++) found = !strcmp(w->at[k].lower, other->at[i].lower);
        fresh += !found;
    }
    return other->n ? (double)fresh / other->n : 0;
}

static bool is_among(const struct positive *p, int n, const char *text)
{
    for (int i = 0; i < n; i++) {
        if (!strcmp(p[i].text, text)) return true;
    }
    return false;
}

static struct value *positives_of(struct rewriter *w, struct worker *k, const struct scene_graph *g, int32_t group,
                                  struct rng *r)
{
    enum { SIBLINGS_MAX = 256 }; /* captions of the image that are looked at: of thousands any stretch is as good */
    struct value *list = value_array();
    const int64_t *translated = map_find(&k->translated, g->text, strlen(g->text));
    const int32_t *documents = NULL;
    int64_t n_documents = w->o.same_image && group >= 0 ? tfidf_group_documents(w->captions, group, &documents) : 0;
    if (n_documents > SIBLINGS_MAX) {
        documents += rng_below(r, n_documents - SIBLINGS_MAX + 1);
        n_documents = SIBLINGS_MAX;
    }
    struct positive *p = arena_new(&k->arena, struct positive, w->o.n_translators + n_documents + 1);
    struct words words;
    int n = 0;

    for (int t = 0; t < w->o.n_translators && translated; t++) {
        const char *text = k->results[*translated * w->o.n_translators + t];
        struct scene_graph other;
        if (!translation_is_usable(g->text, text) || is_among(p, n, text)) continue;
        scene_graph_make(&other, text, k->parser, w->wordnet, &k->arena);
        if (!scene_graph_agrees(g, &other, w->wordnet, &k->arena)) continue;
        p[n++] = (struct positive){ text, w->o.translators[t], novelty(&g->words, &other.words) };
    }
    if (n) qsort(p, (size_t)n, sizeof *p, by_score);
    int start = n;
    for (int64_t i = 0; i < n_documents; i++) {
        const char *text = tfidf_text(w->captions, documents[i], &k->arena);
        if (!strcmp(text, g->text) || is_among(p, n, text)) continue;
        words_split(&words, text, &k->arena);
        p[n++] = (struct positive){ text, "same-image", novelty(&g->words, &words) };
    }
    for (int i = n - 1; i > start; i--) {
        int64_t j = start + rng_below(r, i - start + 1);
        struct positive swap = p[i];
        p[i] = p[j];
        p[j] = swap;
    }
    for (int i = 0; i < n && i < w->o.positives; i++) {
        struct value *v = value_object();
        value_set(v, "text", value_str(p[i].text));
        value_set(v, "source", value_str(p[i].source));
        value_set(v, "score", rounded(p[i].score));
        value_push(list, v);
    }
    return list;
}

/* ---- negatives ---- */

static struct value *negative_value(const struct scene_graph *g, const struct negative *x)
{
    struct value *v = value_object();

    value_set(v, "text", value_str(x->text));
    value_set(v, "level", value_str(level_names[x->level]));
    if (x->level == LEVEL_SENTENCE) {
        value_set(v, "source", value_str(x->id));
    } else {
        struct value *edit = value_object(), *span = value_array();
        value_push(span, value_int(text_code_points(g->text, g->words.at[x->span_from].from)));
        value_push(span, value_int(text_code_points(g->text, g->words.at[x->span_to - 1].to)));
        value_set(edit, "kind", value_str(x->kind));
        value_set(edit, "from", value_str(x->from));
        value_set(edit, "to", value_str(x->to));
        value_set(edit, "span", span);
        value_set(v, "edit", edit);
    }
    value_set(v, "score", rounded(x->score));
    return v;
}

/* What the caption and, as far as they were learnt, the other captions of its image say. */
static struct facts facts_of(const struct rewriter *w, struct worker *k, const struct scene_graph *g, int32_t group)
{
    enum { CAPTIONS_MAX = 64 };
    struct facts facts = { 0 };
    struct str own = { 0 };
    const int32_t *documents;
    int64_t known = group >= 0 ? tfidf_group_documents(w->captions, group, &documents) : 0;

    facts_print(g, &own);
    facts_add(&facts, str_c(&own), &k->arena);
    str_release(&own);
    for (int64_t i = 0; i < known && i < CAPTIONS_MAX; i++)
        facts_add(&facts, tfidf_facts(w->captions, documents[i], &k->arena), &k->arena);
    return facts;
}

static struct value *negatives_of(struct rewriter *w, struct worker *k, const struct scene_graph *g, int32_t group,
                                  const struct facts *facts, struct rng *r)
{
    struct value *list = value_array();
    int want = w->o.negatives, sentences_wanted = (int)(want * w->o.sentence_share + 0.5);
    struct negative *all = arena_new(&k->arena, struct negative, want + 1); /* edits, then sentences */
    struct substitution s = { g, facts, &w->lexicon, w->wordnet, &k->names, &k->arena, { 0 } };
    memcpy(s.weight, w->o.weight, sizeof s.weight);
    if (!want) return list;
    int n_edits = w->o.sentence_share < 1 ? substitute(&s, all, want, r) : 0;
    if (n_edits > want - sentences_wanted) n_edits = want - sentences_wanted;
    /* what one level cannot give, the other may */
    int n = w->o.sentence_share > 0
                ? sentence_negatives(&k->search, w->captions, g, group, facts, &k->names, all, n_edits, want, &k->arena)
                : n_edits;
    for (int i = n_edits; i < n; i++) value_push(list, negative_value(g, &all[i]));
    for (int i = 0; i < n_edits; i++) value_push(list, negative_value(g, &all[i]));
    return list;
}

/* ---- records ---- */

static int rewrite_record(struct rewriter *w, struct worker *k, struct record *r, struct err *e)
{
    const char *text, *image = NULL, **terms;
    struct scene_graph g;
    struct rng draws;

    arena_reset(&k->arena);
    if (record_string(r, "text", &text, e) || value_opt_string(r->fields, "image", &image, e)) return -1;
    if (strlen(text) > TEXT_MAX)
        return err_set(e, ERR_INPUT, "text has %zu bytes (at most %d)", strlen(text), TEXT_MAX);
    text = arena_strdup(&k->arena, text); /* the record's own may move when fields are added */
    if (image) image = arena_strdup(&k->arena, image);
    rng_init(&draws, w->o.seed,
             rng_stream(RNG_REWRITE, hash64(record_id(r), strlen(record_id(r)), 0), hash64(text, strlen(text), 0)));
    scene_graph_make(&g, text, k->parser, w->wordnet, &k->arena);
    value_set(r->fields, "scene_graph", scene_graph_value(&g));
    value_set(r->fields, "phrases", scene_graph_phrases(&g));
    int32_t group = image ? tfidf_group_find(w->captions, image) : -1;
    struct facts facts = facts_of(w, k, &g, group);
    if (image) {
        value_set(r->fields, "positives", positives_of(w, k, &g, group, &draws));
        value_set(r->fields, "negatives", negatives_of(w, k, &g, group, &facts, &draws));
        if (w->texts) {
            int n = graph_terms(&g, &terms, &k->arena);
            value_set(r->fields, "related_texts",
                      related_ids(&k->search, w->texts, terms, n, record_id(r), w->o.related, &k->arena));
        }
    }
    int64_t known = w->means && image ? tfidf_find(w->images, image) : -1;
    if (known >= 0) {
        value_set(r->fields, "related_images",
                  related_by_features(w->means, w->images, known, w->o.related, &k->arena));
    } else if (w->images) {
        int n = image_query(w->images, image ? image : "", &facts, &terms, &k->arena);
        value_set(r->fields, "related_images",
                  related_ids(&k->search, w->images, terms, n, image ? image : "", w->o.related, &k->arena));
    }
    return 0;
}

/* The text of a record that translators are given, or NULL: that of a pair which is not too long. */
static const char *text_to_translate(const struct record *r)
{
    const char *text = value_text(value_get(r->fields, "text"), NULL);

    return text && value_get(r->fields, "image") && strlen(text) <= TEXT_MAX ? text : NULL;
}

/* All texts of pairs in the batch through all translators. One record that is tried again alone finds its results still
 * there. */
static int translate_batch(struct rewriter *w, struct worker *k, struct record **r, int n, struct err *e)
{
    int n_texts = 0, m = w->o.n_translators;
    const char **texts, **results;

    if (n == 1 && k->translated.n) {
        const char *text = text_to_translate(r[0]);
        if (!text || map_find(&k->translated, text, strlen(text))) return 0;
    }
    map_clear(&k->translated);
    arena_reset(&k->batch);
    texts = arena_new(&k->batch, const char *, n + 1);
    for (int i = 0; i < n; i++) {
        const char *text = text_to_translate(r[i]);
        bool is_new = false;
        if (!text) continue;
        int64_t *at = map_put(&k->translated, text, strlen(text), &is_new);
        if (!is_new) continue;
        *at = n_texts;
        texts[n_texts++] = arena_strdup(&k->batch, text);
    }
    if (!n_texts) return 0;
    k->results = arena_new(&k->batch, const char *, (int64_t)n_texts *m);
    results = arena_new(&k->batch, const char *, n_texts + 1);
    for (int t = 0; t < m; t++) {
        if (translate_lines(w->o.translators[t], texts, n_texts, results, w->o.translator_seconds, &k->batch, e)) {
            map_clear(&k->translated);
            return -1;
        }
        for (int i = 0; i < n_texts; i++) k->results[i * m + t] = results[i];
    }
    return 0;
}

int rewriter_work(void *rewriter, struct record **r, int n, int worker, struct err *e)
{
    struct rewriter *w = rewriter;
    struct worker *k = &w->workers[worker];

    if (w->o.n_translators && w->o.positives && translate_batch(w, k, r, n, e)) return -1;
    for (int i = 0; i < n; i++) {
        if (rewrite_record(w, k, r[i], e)) return -1;
    }
    return 0;
}
