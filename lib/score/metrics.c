#include "score/metrics.h"
#include "core/log.h"
#include "core/mem.h"
#include "score/answers.h"
#include "score/average_precision.h"
#include "score/bleu.h"
#include "score/cider.h"
#include "score/correlation.h"
#include "score/labels.h"
#include "score/meteor.h"
#include "score/prepare.h"
#include "score/report.h"
#include "score/retrieval.h"
#include "score/rouge155.h"
#include "score/rouge_google.h"
#include "score/rouge_l.h"
#include "score/sacrebleu.h"
#include "score/spice.h"
#include "score/vqa.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXTS = 1,
    WORDS = 2,
    MATRIX = 4,
    BOXES = 8,
    TUPLES = 16,
    NO_REFS = 32 /* items without references are fine */,
    RUNS = 64 /* of words */,
    NUMBERS = 128 /* texts are numbers */,
    ONE_REF = 256 /* of each item */
};
enum { PARTS = 2 }; /* a metric may have: the two directions of retrieval */

static const struct metric {
    const char *name;
    int needs;
    /* Fills the tallies of the metric's parts; their number, or -1. */
    int (*count)(const struct score_data *d, struct tally parts[PARTS], struct err *e);
} metrics[] = {
    { "accuracy", TEXTS, accuracy_count },
    { "matthews", TEXTS | ONE_REF, matthews_count },
    { "f1", TEXTS | ONE_REF, f1_count },
    { "pearson", TEXTS | NUMBERS | ONE_REF, pearson_count },
    { "spearman", TEXTS | NUMBERS | ONE_REF, spearman_count },
    { "vqa", TEXTS, vqa_count },
    { "bleu", TEXTS | WORDS, bleu_count },
    { "rouge-l", TEXTS | WORDS, rouge_l_count },
    { "cider", TEXTS | WORDS | RUNS, cider_count },
    { "cider-original", TEXTS | WORDS | RUNS, cider_original_count },
    { "meteor", TEXTS | WORDS, meteor_count },
    { "spice", TUPLES, spice_count },
    { "sacrebleu", TEXTS, sacrebleu_count },
    { "rouge", TEXTS, rouge155_count },
    { "rouge-google", TEXTS, rouge_google_count },
    { "squad", TEXTS | NO_REFS, squad_count },
    { "squad2", TEXTS | NO_REFS, squad2_count },
    { "coqa", TEXTS, coqa_count },
    { "retrieval", MATRIX, retrieval_count },
    { "ap-coco", BOXES, coco_count },
    { "ap-voc", BOXES, voc_count },
};
enum { N_METRICS = sizeof metrics / sizeof *metrics };

void metrics_names(struct str *out)
{
    for (int i = 0; i < N_METRICS; i++) str_addf(out, "%s%s", i ? ", " : "", metrics[i].name);
}

static const struct metric *find(const char *name, size_t n)
{
    for (int i = 0; i < N_METRICS; i++) {
        if (strlen(metrics[i].name) == n && !memcmp(metrics[i].name, name, n)) return &metrics[i];
    }
    return NULL;
}

bool metrics_known(const char *name)
{
    return find(name, strlen(name)) != NULL;
}

enum { LIST_MAX = 64 };
struct list {
    int n;
    const struct metric *at[LIST_MAX];
};

static int parse_list(struct list *l, const char *text, struct err *e)
{
    for (const char *p = text; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        size_t n = strcspn(p, ",");
        const struct metric *m = find(p, n);
        if (m && l->n < LIST_MAX) {
            l->at[l->n++] = m;
            continue;
        }
        struct str known = { 0 };
        char *copy = mem_strndup(p, n);
        metrics_names(&known);
        err_set(e, ERR_USAGE, "--metrics: no metric %s (there are %s)", err_quote(copy), str_c(&known));
        free(copy);
        str_release(&known);
        return -1;
    }
    return 0;
}

static int check_files(const struct score_request *q, int needs, struct err *e)
{
    const struct score_opts *o = &q->opts;
    int inputs = !strcmp(o->files.pred, "-") + (o->images && !strcmp(o->images, "-")), kinds = 0;

    for (int i = 0; i < o->files.n_refs; i++) inputs += !strcmp(o->files.refs[i], "-");
    if (q->compare) inputs += !strcmp(q->compare, "-");
    if (needs & (TEXTS | BOXES) && !o->files.n_refs) return err_set(e, ERR_USAGE, "REF: references were expected");
    if (needs & MATRIX && !o->images && !o->files.n_refs)
        return err_set(
            e, ERR_USAGE,
            "--images: the images that were scored are required (or REF: the right image of each text, for triples)");
    for (int kind = TEXTS; kind <= TUPLES; kind *= 2) kinds += kind != WORDS && (needs & kind) != 0;
    if (inputs > 1 || (inputs && (kinds > 1 || q->compare)))
        return err_set(e, ERR_USAGE, "-: standard input can be read once");
    return 0;
}

/* ---- what they work on ---- */

static int check_refs(const struct join *j, struct err *e)
{
    for (int64_t i = 0; i < j->n; i++) {
        if (!j->items[i].n_refs) return err_set(e, ERR_INPUT, "id %s has no reference text", err_quote(j->id[i]));
    }
    return 0;
}

static int check_one_ref(const struct join *j, struct err *e)
{
    for (int64_t i = 0; i < j->n; i++) {
        if (j->items[i].n_refs > 1)
            return err_set(e, ERR_INPUT, "id %s has %d references (one was expected)", err_quote(j->id[i]),
                           j->items[i].n_refs);
    }
    return 0;
}

static bool has_separator(const char *text)
{
    return strpbrk(text, "\r\v\f") || strstr(text, "\xC2\x85") || strstr(text, "\u2028") || strstr(text, "\u2029");
}

static void warn_of_separators(const struct join *j)
{
    int64_t found = 0;

    for (int64_t i = 0; i < j->n; i++) {
        found += has_separator(j->items[i].pred);
        for (int r = 0; r < j->items[i].n_refs; r++) found += has_separator(j->items[i].refs[r]);
    }
    if (found)
        log_line("warning: %lld texts hold a line separator, which is a blank here and shifts lines in coco-caption",
                 (long long)found);
}

/* A correlation is the same on any scale, so that its value cannot show the mistake. A rating's scale ends at 10. */
static void warn_of_percent(const struct join *j)
{
    double pred, ref, most = 0;

    for (int64_t i = 0; i < j->n; i++) {
        if (!str_to_double(j->items[i].refs[0], 0, 100, &ref)) return;
        if (!j->items[i].is_missing && !str_to_double(j->items[i].pred, 0, 1, &pred)) return;
        if (ref > most) most = ref;
    }
    if (most > 10)
        log_line("warning: references look like percent (up to %g), predictions like fractions (0 to 1)", most);
}

static int read_data(struct score_data *d, int needs, struct err *e)
{
    const struct score_opts *o = d->o;

    if (needs & TEXTS) {
        if (join_read(&d->texts, &o->files, e)) return -1;
        if (!(needs & NO_REFS) && check_refs(&d->texts, e)) return -1;
        if (o->prepare && prepare_items(&d->texts, o->prepare, e)) return -1;
        if (needs & NUMBERS) warn_of_percent(&d->texts);
    }
    if (needs & WORDS) {
        bool is_split = (o->tokenize && !strcmp(o->tokenize, "split")) || (o->prepare && prepare_splits(o->prepare));
        if (!is_split) warn_of_separators(&d->texts);
        captions_make(&d->captions, d->texts.items, d->texts.n, is_split ? CAPTIONS_SPLIT : CAPTIONS_PTB,
                      needs & RUNS ? NGRAM_MAX : 0, o->threads);
    }
    if (needs & MATRIX && (o->images ? matrix_read(&d->matrix, o->files.pred, o->images, e)
                                     : matrix_read_triples(&d->matrix, o->files.pred, o->files.refs[0], e)))
        return -1;
    if (needs & BOXES && boxes_read(&d->boxes, o->files.pred, o->files.refs[0], e)) return -1;
    if (needs & TUPLES && tuples_read(&d->tuples, o->files.pred, o->files.n_refs ? o->files.refs[0] : NULL, e))
        return -1;
    return 0;
}

static void data_release(struct score_data *d)
{
    join_release(&d->texts);
    captions_release(&d->captions);
    matrix_release(&d->matrix);
    boxes_release(&d->boxes);
    tuples_release(&d->tuples);
}

/* ---- what they found ---- */

struct scored { /* a system's */
    struct score_opts opts;
    struct score_data d;
    struct tally parts[LIST_MAX][PARTS];
    int n_parts[LIST_MAX];
    double seconds[LIST_MAX];
};

/* Fields by which a metric's own script breaks its figures down, and those that a preparation needs. */
static void add_notes(struct join_files *f, const struct list *l, const char *prepare)
{
    static const char *const own[][2] = { { "vqa", "question_type" }, { "vqa", "answer_type" }, { "coqa", "source" } };
    const char *add[4];
    int n = 0;

    for (size_t k = 0; k < sizeof own / sizeof *own; k++) {
        bool wanted = false;
        for (int i = 0; i < l->n; i++) wanted |= !strcmp(l->at[i]->name, own[k][0]);
        if (wanted) add[n++] = own[k][1];
    }
    if (prepare && prepare_splits(prepare) && n < 4) add[n++] = "source";
    for (int k = 0; k < n; k++) {
        bool known = false;
        for (int i = 0; i < f->n_notes; i++) known |= !strcmp(f->notes[i], add[k]);
        if (!known && f->n_notes < JOIN_NOTES) f->notes[f->n_notes++] = add[k];
    }
}

static int score_system(struct scored *s, const struct list *l, int needs, struct err *e)
{
    s->d.o = &s->opts;
    int rc = read_data(&s->d, needs, e);

    for (int i = 0; i < l->n && !rc; i++) {
        double began = clock_seconds();
        if (l->at[i]->needs & ONE_REF) rc = check_one_ref(&s->d.texts, e);
        if (!rc) s->n_parts[i] = l->at[i]->count(&s->d, s->parts[i], e);
        s->seconds[i] = clock_seconds() - began;
        if (rc || s->n_parts[i] < 0) rc = err_in(e, "%s", l->at[i]->name);
    }
    return rc;
}

static void scored_free(struct scored *s)
{
    if (!s) return;
    for (int i = 0; i < LIST_MAX; i++) {
        for (int k = 0; k < PARTS; k++) tally_release(&s->parts[i][k]);
    }
    data_release(&s->d);
    free(s);
}

static void set_counts(struct value *v, const struct scored *s)
{
    const struct join *j = &s->d.texts;
    struct value *counts = value_object();
    char digest[24];

    value_set(counts, "missing", value_int(j->missing));
    value_set(counts, "unknown", value_int(j->unknown));
    value_set(counts, "empty", value_int(j->empty));
    if (s->d.captions.n) value_set(counts, "untokenizable", value_int(s->d.captions.n_dropped));
    value_set(v, "counts", counts);
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)j->digest);
    value_set(v, "references", value_str(digest));
}

static int check_comparable(const struct scored *a, const struct scored *b, const struct list *l, bool swaps,
                            struct err *e)
{
    for (int i = 0; i < l->n; i++) {
        for (int p = 0; p < a->n_parts[i]; p++) {
            const struct tally *x = &a->parts[i][p], *y = &b->parts[i][p];
            bool same = x->n == y->n;
            for (int64_t k = 0; same && k < x->n; k++) same = !strcmp(x->ids[k], y->ids[k]);
            if (!same) return err_set(e, ERR_INPUT, "--compare: %s: the systems answer different items", x->name);
            if (swaps && !x->stats)
                return err_set(e, ERR_USAGE, "--test ar: %s is no function of sums over items; bs can test it",
                               x->name);
        }
    }
    return 0;
}

/* Asked for, but no reference has it: a slip of the pen. */
static int check_by(const struct score_request *q, const struct join *j, struct err *e)
{
    for (int k = 0; k < q->opts.files.n_notes && k < j->n_notes; k++) {
        if (!j->notes[k].words.n)
            return err_set(e, ERR_INPUT, "--by: no reference has a field %s", err_quote(j->notes[k].name));
    }
    return 0;
}

static void report_all(const struct score_request *q, const struct list *l, const struct scored *a,
                       const struct scored *b, struct score_result *out)
{
    const struct join *j = &a->d.texts;
    struct report_opts ro = { .ref_scale = q->opts.ref_scale, .ci = q->ci, .test = q->test, .swaps = q->swaps };

    for (int i = 0; i < l->n; i++) {
        bool has_notes = (l->at[i]->needs & TEXTS) != 0;
        ro.n_by = has_notes ? j->n_notes : 0;
        ro.names = a->opts.files.notes;
        for (int k = 0; k < ro.n_by; k++) {
            ro.words[k] = &j->notes[k].words;
            ro.of[k] = j->notes[k].of;
        }
        for (int p = 0; p < a->n_parts[i]; p++) {
            const struct tally *t = &a->parts[i][p];
            bool are_of_texts = t->items || (t->n == j->n && t->ids == j->id); /* not a preparation's */
            ro.n_by = has_notes && are_of_texts ? j->n_notes : 0;
            struct value *v = report_tally(t, b ? &b->parts[i][p] : NULL, &ro);
            if (has_notes) set_counts(v, a);
            if (q->times) value_set(v, "seconds", value_real(a->seconds[i]));
            value_push(out->metrics, v);
            for (int64_t k = 0; out->each && t->ids && k < t->n; k++)
                value_push(out->each, report_item(t, k, q->opts.ref_scale));
        }
    }
}

static int explain_item(const struct score_request *q, const struct list *l, const struct scored *s,
                        struct score_result *out, struct err *e)
{
    bool found = false;

    for (int i = 0; i < l->n; i++) {
        for (int p = 0; p < s->n_parts[i]; p++) {
            const struct tally *t = &s->parts[i][p];
            for (int64_t k = 0; t->ids && k < t->n; k++) {
                if (strcmp(t->ids[k], q->explain)) continue;
                value_push(out->metrics, report_explain(t, k, q->opts.ref_scale));
                found = true;
            }
        }
    }
    return found ? 0 : err_set(e, ERR_INPUT, "--explain: no item %s", err_quote(q->explain));
}

int metrics_compute(const struct score_request *q, struct score_result *out, struct err *e)
{
    struct list l = { 0 };
    struct scored *a = NULL, *b = NULL;
    int needs = 0, rc = -1;

    *out = (struct score_result){ value_array(), q->each ? value_array() : NULL };
    if (parse_list(&l, q->metrics, e)) return -1;
    for (int i = 0; i < l.n; i++) needs |= l.at[i]->needs;
    for (int i = 0; i < l.n; i++) {
        if (!(l.at[i]->needs & NO_REFS)) needs &= ~NO_REFS;
    }
    if (check_files(q, needs, e)) return -1;
    a = mem_new(struct scored, 1);
    a->opts = q->opts;
    add_notes(&a->opts.files, &l, q->opts.prepare);
    if (score_system(a, &l, needs, e) || check_by(q, &a->d.texts, e)) goto out;
    if (q->compare) {
        b = mem_new(struct scored, 1);
        b->opts = a->opts;
        b->opts.files.pred = q->compare;
        if (score_system(b, &l, needs, e) || check_comparable(a, b, &l, q->swaps, e)) goto out;
    }
    if (q->explain) {
        rc = explain_item(q, &l, a, out, e);
    } else {
        report_all(q, &l, a, b, out);
        rc = 0;
    }
out:
    scored_free(a);
    scored_free(b);
    return rc;
}

void metrics_release(struct score_result *r)
{
    value_free(r->metrics);
    value_free(r->each);
    *r = (struct score_result){ 0 };
}
