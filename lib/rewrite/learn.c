/* Learning: graphs are made by all threads, and added up in the order of the records. */
#include "core/file.h"
#include "core/log.h"
#include "core/pool.h"
#include "core/str.h"
#include "rewrite/retrieve.h"
#include "rewrite/rewriter.h"
#include <stdlib.h>
#include <string.h>

enum { BATCH = 32, TEXT_MAX = 1 << 16, MEMORY = 256 << 20 /* bytes of postings at once: of 3 million captions */ };

enum what { PAIRS, TEXTS, IMAGES };
struct job {
    int n;
    struct learnt {
        struct record *record;
        struct scene_graph graph;
        int n_terms;
        const char **terms;
        const char *text, *image;
        const float *mean; /* of an image's features, when they are kept */
        int64_t width;
        struct err bad;
    } at[BATCH];
    struct arena arena;
};
struct learner {
    enum what what;
    struct reader *in;
    struct lexicon *lexicon;
    struct tfidf_builder *index;
    struct means_builder *means; /* of images, or NULL */
    struct parser **parsers;     /* [threads]; NULL: texts and images are not parsed */
    const struct wordnet *wordnet;
    struct progress progress;
    bool is_over;
    int64_t done;
};

static void job_free(struct job *j)
{
    for (int i = 0; i < j->n; i++) record_free(j->at[i].record);
    arena_release(&j->arena);
    free(j);
}

static int next_job(void *arg, void **out, struct err *e)
{
    struct learner *l = arg;
    struct job *j = mem_new(struct job, 1);

    while (j->n < BATCH && !l->is_over) {
        int got = reader_next(l->in, &j->at[j->n].record, e);
        if (got < 0) {
            job_free(j);
            return -1;
        }
        if (got) j->n++;
        else l->is_over = true;
    }
    if (!j->n) {
        job_free(j);
        return 0;
    }
    *out = j;
    return 1;
}

static int understand(struct learner *l, struct learnt *x, int worker, struct arena *a, struct err *e)
{
    struct value *fields = x->record->fields;
    const char *id;
    struct words w;

    x->image = "";
    if (value_get_string(fields, "id", &id, e)) return -1;
    if (!*id) return err_set(e, ERR_INPUT, "\"id\" is empty (a name was expected)");
    if (l->what == IMAGES) {
        struct str s = { 0 };
        x->n_terms = image_terms(x->record, &x->terms, a, e);
        for (int i = 0; i < x->n_terms; i++) str_addf(&s, "%s%s", i ? "\n" : "", x->terms[i]);
        x->text = arena_strdup(a, str_c(&s));
        str_release(&s);
        if (x->n_terms < 0) return -1;
        return l->means ? means_of(x->record, &x->mean, &x->width, a, e) : 0;
    }
    if (record_string(x->record, "text", &x->text, e) ||
        (l->what == PAIRS && value_get_string(fields, "image", &x->image, e)))
        return -1;
    if (strlen(x->text) > TEXT_MAX)
        return err_set(e, ERR_INPUT, "text has %zu bytes (at most %d)", strlen(x->text), TEXT_MAX);
    if (l->what == PAIRS) scene_graph_make(&x->graph, x->text, l->parsers[worker], l->wordnet, a);
    words_split(&w, x->text, a); /* not the graph's: terms must not depend on a parse */
    x->n_terms = text_terms(&w, l->what == TEXTS ? TERMS_BY_CONTENT : TERMS_BY_WORDING, &x->terms, a);
    return 0;
}

static int work_job(void *arg, void *job, int worker, struct err *e)
{
    struct learner *l = arg;
    struct job *j = job;

    for (int i = 0; i < j->n; i++) understand(l, &j->at[i], worker, &j->arena, &j->at[i].bad);
    return 0;
}

/* Adds a text that was understood; one that cannot be used is x->bad. */
static int add_learnt(struct learner *l, struct learnt *x, struct err *e)
{
    const char *id = record_id(x->record);
    struct str facts = { 0 };

    int has = x->bad.code ? 0 : tfidf_builder_has(l->index, id, e);
    if (has < 0) return -1;
    if (has) err_set(&x->bad, ERR_INPUT, "the id %s occurs twice", err_quote(id));
    if (!x->bad.code && l->means) means_builder_fits(l->means, x->width, &x->bad);
    if (x->bad.code) {
        int rc = reader_bad(l->in, x->record, &x->bad);
        if (rc) *e = x->bad;
        return rc;
    }
    if (l->what == PAIRS) {
        lexicon_add(l->lexicon, &x->graph);
        facts_print(&x->graph, &facts);
    }
    int rc = tfidf_builder_add(
        l->index, &(struct tfidf_document){ id, x->image, x->text, str_c(&facts), x->n_terms, x->terms }, e);
    str_release(&facts);
    return rc || !l->means ? rc : means_builder_add(l->means, x->mean, x->width, e);
}

static int done_job(void *arg, void *job, bool failed, struct err *e)
{
    struct learner *l = arg;
    struct job *j = job;
    int rc = 0;

    for (int i = 0; i < j->n && !failed && !rc; i++) rc = add_learnt(l, &j->at[i], e);
    l->done += j->n;
    progress_step(&l->progress, l->done, NULL);
    job_free(j);
    return rc;
}

/* Reads one collection into a fresh index. */
static int learn_collection(struct learner *l, const char *const *paths, int n, const struct reader_opts *how,
                            const char *dir, int threads, struct err *e)
{
    struct pipeline p = { next_job, work_job, done_job, l, threads, 2 * threads + 2 };

    l->index = tfidf_builder_new(dir, e);
    l->in = l->index ? reader_open(paths, n, how, e) : NULL;
    if (!l->in) return -1;
    progress_begin(&l->progress, l->what == IMAGES ? "images" : l->what == TEXTS ? "texts" : "pairs", -1);
    int rc = pipeline_run(&p, e);
    progress_end(&l->progress);
    if (!rc && reader_count(l->in) <= reader_skipped(l->in))
        rc = err_set(e, ERR_INPUT, "there is nothing to learn from: no usable record");
    reader_close(l->in);
    return rc;
}

static int save_index(struct tfidf_builder *index, const char *dir, const char *name, struct err *e)
{
    char *path = path_join(dir, name);
    int rc = tfidf_builder_save(index, path, MEMORY, e);

    free(path);
    return rc;
}

/* means: a file for the mean features of images, or NULL. */
static int learn_other(enum what what, const char *const *inputs, int n, const char *dir, const char *name,
                       const char *means, const struct reader_opts *how, int threads, struct err *e)
{
    struct learner l = { .what = what };
    struct reader_opts opts = { .skip_bad = how->skip_bad, .skip_tensors = !means };
    int rc = means && !(l.means = means_builder_new(dir, e)) ? -1 : 0;

    if (!rc) rc = learn_collection(&l, inputs, n, &opts, dir, threads, e);
    if (!rc) rc = save_index(l.index, dir, name, e);
    if (!rc && means) {
        char *path = path_join(dir, means);
        rc = means_builder_save(l.means, path, e);
        free(path);
    }
    tfidf_builder_free(l.index);
    means_builder_free(l.means);
    return rc;
}

int rewriter_learn(const struct rewriter_opts *o, const struct rewriter_inputs *in, const struct reader_opts *how,
                   struct err *e)
{
    struct lexicon lexicon = { 0 };
    struct learner l = { .what = PAIRS, .lexicon = &lexicon };
    struct wordnet *wordnet = o->wordnet ? wordnet_open(o->wordnet, e) : NULL;
    struct dictionary *dictionary = o->wordnet && !wordnet ? NULL : dictionary_open(e);
    static const char *const ours[] = { "lexicon.json",       "captions.safetensors", "texts.safetensors",
                                        "images.safetensors", "means.safetensors",    NULL };
    struct outdir *out = dictionary ? outdir_open(o->dir, ours, e) : NULL;
    int rc = out ? 0 : -1;

    l.wordnet = wordnet;
    l.parsers = mem_new(struct parser *, o->threads);
    for (int i = 0; i < o->threads && !rc; i++) l.parsers[i] = parser_new(dictionary, o->time_limit);
    if (!rc) rc = learn_collection(&l, in->pairs, in->n_pairs, how, outdir_path(out), o->threads, e);
    if (!rc) {
        char *path = path_join(outdir_path(out), "lexicon.json");
        rc = lexicon_add_aliases(&lexicon, l.index, e);
        if (!rc) rc = lexicon_save(&lexicon, path, e);
        free(path);
    }
    if (!rc) rc = save_index(l.index, outdir_path(out), "captions.safetensors", e);
    if (!rc && in->n_images)
        rc = learn_other(IMAGES, in->images, in->n_images, outdir_path(out), "images.safetensors",
                         in->mean_features ? "means.safetensors" : NULL, how, o->threads, e);
    if (!rc && in->n_texts)
        rc =
            learn_other(TEXTS, in->texts, in->n_texts, outdir_path(out), "texts.safetensors", NULL, how, o->threads, e);
    if (!rc) rc = outdir_commit(out, e);
    else outdir_abort(out);
    for (int i = 0; i < o->threads; i++) parser_free(l.parsers[i]);
    free(l.parsers);
    tfidf_builder_free(l.index);
    lexicon_release(&lexicon);
    wordnet_close(wordnet);
    dictionary_free(dictionary);
    return rc;
}
