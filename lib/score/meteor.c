#include "score/meteor.h"
#include "core/pool.h"
#include "score/explain.h"
#include "score/meteor_align.h"
#include "score/meteor_text.h"
#include "score/synonyms.h"
#include "score/texts.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Statistics: words and function words of both sides, matched ones by module, chunks. */
enum {
    HYP,
    REF,
    HYP_FUNCTION,
    REF_FUNCTION,
    MATCHED, /* by module: content words of the hypothesis, of the reference, function words of these */
    CHUNKS = MATCHED + 4 * METEOR_MODULES,
    WIDTH
};
static const double alpha = 0.85, beta = 0.20, penalty = 0.60, delta = 0.75,
                    weights[METEOR_MODULES] = { 1.0, 0.6, 0.8, 0.6 };

/* Sums are added in METEOR's order, content words of all modules first: the last bit decides which of two references is
 * the best, and with it what the whole's figure is made of. */
static double compute(const double *s)
{
    double matched[2] = { 0, 0 }, words[2] = { 0, 0 };

    for (int side = 0; side < 2; side++) {
        for (int part = 0; part < 2; part++) {
            for (int k = 0; k < METEOR_MODULES; k++) {
                double n = s[MATCHED + 4 * k + 2 * part + side];
                matched[side] += weights[k] * n * (part ? 1 - delta : delta);
                words[side] += n;
            }
        }
    }
    double p = matched[0] / (delta * (s[HYP] - s[HYP_FUNCTION]) + (1 - delta) * s[HYP_FUNCTION]),
           r = matched[1] / (delta * (s[REF] - s[REF_FUNCTION]) + (1 - delta) * s[REF_FUNCTION]),
           mean = 1 / ((1 - alpha) / p + alpha / r), scattered = s[CHUNKS] / ((words[0] + words[1]) / 2);
    double score = mean * (1 - penalty * pow(s[CHUNKS] > 0 ? scattered : 0, beta));

    return isnan(score) ? 0 : score;
}

static void finish(const struct tally *t, const double *sum, double n, double *out)
{
    (void)t, (void)n;
    out[0] = compute(sum);
}

/* ---- texts ---- */

struct meteor {
    struct meteor_lexicon lexicon;
    unsigned modules;
    struct meteor_text *preds, *refs;
    const int64_t *ref_start;
    struct meteor_aligner *aligners; /* [threads] */
    struct arena arena;
    double *stats;
};

/* The caption's words as coco-caption hands them over; its wrapper takes ||| out of hypotheses. */
static const char *join_words(struct meteor *m, const struct captions *c, const struct sentence *s, bool is_pred,
                              struct str *room)
{
    str_clear(room);
    for (int64_t i = 0; i < s->n_words; i++) {
        if (i) str_add_char(room, ' ');
        for (const char *p = captions_word(c, s->words[i]); *p; p++) {
            if (is_pred && str_starts(p, "|||")) p += 2;
            else str_add_char(room, *p);
        }
    }
    return arena_strndup(&m->arena, str_c(room), room->n);
}

static void add_text(struct meteor *m, const char *text, struct meteor_text *out)
{
    int n = 0;

    for (const char *p = text; *p; p++) n += *p == ' ';
    int32_t *words = arena_new(&m->arena, int32_t, n + 2);
    n = 0;
    for (const char *p = text; *p; p += *p == ' ') {
        size_t length = strcspn(p, " ");
        words[n++] = meteor_word(&m->lexicon, p, length);
        p += length;
    }
    *out = (struct meteor_text){ n, words };
}

static void normalise(void *room, const char *const *text, struct str *out)
{
    meteor_normalise(*text, out);
}

static void add_texts(struct meteor *m, const struct captions *c, int threads)
{
    static const struct texts_maker normaliser = { .make = normalise };
    struct score_item *items = mem_new(struct score_item, c->n + 1);
    struct texts texts;
    struct str room = { 0 };

    m->preds = mem_new(struct meteor_text, c->n + 1);
    m->refs = mem_new(struct meteor_text, c->ref_start[c->n] + 1);
    m->ref_start = c->ref_start;
    for (int64_t i = 0; i < c->n; i++) {
        int64_t n;
        const struct sentence *from = captions_refs(c, i, &n);
        const char **refs = arena_new(&m->arena, const char *, n + 1);
        for (int64_t r = 0; r < n; r++) refs[r] = join_words(m, c, &from[r], false, &room);
        items[i] = (struct score_item){ join_words(m, c, &c->preds[i], true, &room), refs, (int)n, false };
    }
    texts_make(&texts, items, c->n, threads, &normaliser, NULL);
    for (int64_t i = 0; i < c->n; i++) {
        add_text(m, texts.items[i].pred, &m->preds[i]);
        for (int r = 0; r < texts.items[i].n_refs; r++)
            add_text(m, texts.items[i].refs[r], &m->refs[c->ref_start[i] + r]);
    }
    texts_release(&texts);
    str_release(&room);
    free(items);
}

/* ---- statistics of an alignment ---- */

static int count_function(const struct meteor_lexicon *l, const int32_t *words, int n)
{
    int count = 0;

    for (int i = 0; i < n; i++) count += l->words[words[i]].is_function;
    return count;
}

static void count_alignment(const struct meteor *m, const struct meteor_aligner *a, struct meteor_text hyp,
                            struct meteor_text ref, double *row)
{
    const struct meteor_lexicon *l = &m->lexicon;
    int hyp_matched = 0, ref_matched = 0, chunks = 0;

    memset(row, 0, WIDTH * sizeof *row);
    row[HYP] = hyp.n;
    row[REF] = ref.n;
    row[HYP_FUNCTION] = count_function(l, hyp.words, hyp.n);
    row[REF_FUNCTION] = count_function(l, ref.words, ref.n);
    for (int k = 0; k < a->n_chosen; k++) {
        const struct meteor_match *x = &a->chosen[k];
        double *at = row + MATCHED + 4 * x->module;
        int hyp_function = count_function(l, hyp.words + x->hyp, x->hyp_n),
            ref_function = count_function(l, ref.words + x->ref, x->ref_n);
        at[0] += x->hyp_n - hyp_function;
        at[1] += x->ref_n - ref_function;
        at[2] += hyp_function;
        at[3] += ref_function;
        hyp_matched += x->hyp_n;
        ref_matched += x->ref_n;
        const struct meteor_match *before = k ? x - 1 : NULL;
        chunks += !before || before->ref + before->ref_n != x->ref || before->hyp + before->hyp_n != x->hyp;
    }
    bool is_perfect = chunks == 1 && hyp_matched == hyp.n && ref_matched == ref.n;
    row[CHUNKS] = is_perfect ? 0 : chunks;
}

/* The statistics of the first of the best references. */
static int score_item(int64_t i, int worker, void *arg, struct err *e)
{
    struct meteor *m = arg;
    struct meteor_aligner *a = &m->aligners[worker];
    double best = -1, row[WIDTH];

    for (int64_t r = m->ref_start[i]; r < m->ref_start[i + 1]; r++) {
        meteor_align(a, m->preds[i], m->refs[r]);
        count_alignment(m, a, m->preds[i], m->refs[r], row);
        double score = compute(row);
        if (score <= best) continue;
        best = score;
        memcpy(m->stats + i * WIDTH, row, sizeof row);
    }
    return 0;
}

/* ---- telling ---- */

static struct value *words_of(const struct meteor *m, struct meteor_text t, int from, int n)
{
    struct str s = { 0 };

    for (int i = from; i < from + n; i++)
        str_addf(&s, "%s%s", i > from ? " " : "", m->lexicon.numbers.at[t.words[i]].key);
    struct value *v = value_str(str_c(&s));
    str_release(&s);
    return v;
}

static void explain(const struct tally *t, int64_t i, struct value *out)
{
    static const char *const names[] = { "exact", "stem", "synonym", "paraphrase" };
    struct meteor *m = t->more;
    struct meteor_aligner *a = &m->aligners[0];
    struct value *refs = value_array();

    value_set(out, "pred", words_of(m, m->preds[i], 0, m->preds[i].n));
    for (int64_t r = m->ref_start[i]; r < m->ref_start[i + 1]; r++) {
        struct value *v = value_object(), *matches = value_array();
        double row[WIDTH];
        meteor_align(a, m->preds[i], m->refs[r]);
        count_alignment(m, a, m->preds[i], m->refs[r], row);
        for (int k = 0; k < a->n_chosen; k++) {
            const struct meteor_match *x = &a->chosen[k];
            struct value *match = value_object();
            value_set(match, "ref", words_of(m, m->refs[r], x->ref, x->ref_n));
            value_set(match, "pred", words_of(m, m->preds[i], x->hyp, x->hyp_n));
            value_set(match, "module", value_str(names[x->module]));
            value_push(matches, match);
        }
        value_set(v, "ref", words_of(m, m->refs[r], 0, m->refs[r].n));
        value_set(v, "score", value_real(100 * compute(row)));
        value_set(v, "chunks", value_int((int64_t)row[CHUNKS]));
        value_set(v, "matches", matches);
        value_push(refs, v);
    }
    value_set(out, "refs", refs);
}

static int threads_of(const struct score_data *d)
{
    return d->o->threads ? d->o->threads : pool_cpus();
}

static void meteor_free(void *own)
{
    struct meteor *m = own;

    meteor_lexicon_release(&m->lexicon);
    for (int i = 0; m->aligners && i < 1024 && m->aligners[i].lexicon; i++) meteor_aligner_release(&m->aligners[i]);
    free(m->aligners);
    free(m->preds);
    free(m->refs);
    arena_release(&m->arena);
    free(m);
}

/* exact,stem,synonym,paraphrase; by default those whose tables are there. */
static int read_modules(const char *list, bool synonyms, bool paraphrases, unsigned *out, struct err *e)
{
    static const char *const names[METEOR_MODULES] = { "exact", "stem", "synonym", "paraphrase" };

    *out = list ? 0 : 3u | (unsigned)synonyms << METEOR_SYNONYM | (unsigned)paraphrases << METEOR_PARAPHRASE;
    for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        size_t n = strcspn(p, ",");
        int at = -1;
        for (int k = 0; k < METEOR_MODULES; k++) {
            if (strlen(names[k]) == n && !memcmp(names[k], p, n)) at = k;
        }
        if (at < 0) return err_set(e, ERR_USAGE, "--meteor-modules: exact, stem, synonym, paraphrase joined by commas");
        *out |= 1u << at;
    }
    if (*out >> METEOR_PARAPHRASE & 1 && !paraphrases)
        return err_set(e, ERR_USAGE, "--meteor-modules: paraphrase needs a table (--paraphrases)");
    return 0;
}

static void add_signature(const struct score_data *d, const struct meteor *m, struct str *out)
{
    captions_signature(d, out);
    str_addf(out, "|meteor-1.5|en|rank|norm|exact%s%s%s|agg:corpus", m->modules & 2 ? "+stem" : "",
             m->modules & 4 ? "+synonym" : "", m->modules & 8 ? "+paraphrase" : "|para:none");
}

int meteor_count(const struct score_data *d, struct tally *out, struct err *e)
{
    const struct score_opts *o = d->o;
    const char *wordnet = o->wordnet ? o->wordnet : SYNONYMS_DIR;
    struct meteor *m = mem_new(struct meteor, 1);
    int threads = threads_of(d);

    tally_begin(out, "meteor", d->captions.n, d->texts.id, WIDTH);
    tally_figure(out, "score", 100, 1, 3);
    out->finish = finish;
    out->explain = explain;
    out->more = m;
    out->release = meteor_free;
    m->stats = out->stats;
    if (!strcmp(wordnet, "none")) wordnet = NULL;
    if (read_modules(o->meteor_modules, wordnet, o->paraphrases, &m->modules, e) ||
        meteor_lexicon_open(&m->lexicon, m->modules >> METEOR_SYNONYM & 1 ? wordnet : NULL, e))
        return -1;
    add_texts(m, &d->captions, threads);
    if (m->modules >> METEOR_PARAPHRASE & 1 && meteor_lexicon_add_paraphrases(&m->lexicon, o->paraphrases, e))
        return -1;
    m->aligners = mem_new(struct meteor_aligner, threads + 1);
    for (int i = 0; i < threads; i++)
        m->aligners[i] = (struct meteor_aligner){ .lexicon = &m->lexicon, .modules = m->modules };
    add_signature(d, m, &out->signature);
    return pool_for(d->captions.n, 16, threads, score_item, m, e) ? -1 : 1;
}
