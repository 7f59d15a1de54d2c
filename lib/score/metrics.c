#include "score/metrics.h"
#include "core/mem.h"
#include "score/accuracy.h"
#include "score/bleu.h"
#include "score/cider.h"
#include "score/join.h"
#include "score/matrix.h"
#include "score/retrieval.h"
#include "stream/reader.h"
#include <stdlib.h>
#include <string.h>

static struct value *begin(const char *metric, int64_t n)
{
    struct value *v = value_object();

    value_set(v, "metric", value_str(metric));
    value_set(v, "n", value_int(n));
    return v;
}

static void add_each(struct value *each, const char *id, const char *figure, double x)
{
    if (!each) return;
    struct value *v = value_object();
    value_set(v, "id", value_str(id));
    value_set(v, figure, value_real(x));
    value_push(each, v);
}

static int need_ref(const struct score_files *f, struct err *e)
{
    return f->ref ? 0 : err_set(e, ERR_USAGE, "REF: references were expected");
}

static int run_accuracy(const struct score_files *f, struct value *out, struct value *each, struct err *e)
{
    struct join j;

    if (need_ref(f, e) || join_read(&j, f->pred, f->ref, f->field, false, e)) return -1;
    const char **pred = arena_new(&j.arena, const char *, j.n), **gold = arena_new(&j.arena, const char *, j.n);
    for (int64_t i = 0; i < j.n; i++) {
        pred[i] = j.items[i].pred;
        gold[i] = j.items[i].refs[0];
        add_each(each, j.id[i], "accuracy", !strcmp(pred[i], gold[i]) ? 100 : 0);
    }
    struct value *v = begin("accuracy", j.n);
    value_set(v, "score", value_real(accuracy(pred, gold, j.n)));
    value_push(out, v);
    join_release(&j);
    return 0;
}

static int run_bleu(const struct score_files *f, struct value *out, struct value *each, struct err *e)
{
    static const char *const names[NGRAM_MAX] = { "bleu1", "bleu2", "bleu3", "bleu4" };
    struct join j;
    double all[NGRAM_MAX];

    if (need_ref(f, e) || join_read(&j, f->pred, f->ref, f->field, true, e)) return -1;
    double *one = mem_new(double, NGRAM_MAX * j.n);
    bleu(j.items, j.n, all, one);
    struct value *v = begin("bleu", j.n);
    for (int k = 0; k < NGRAM_MAX; k++) value_set(v, names[k], value_real(100 * all[k]));
    value_push(out, v);
    for (int64_t i = 0; i < j.n; i++) add_each(each, j.id[i], "bleu4", 100 * one[NGRAM_MAX * i + 3]);
    free(one);
    join_release(&j);
    return 0;
}

static int run_cider(const struct score_files *f, struct value *out, struct value *each, struct err *e)
{
    struct join j;

    if (need_ref(f, e) || join_read(&j, f->pred, f->ref, f->field, true, e)) return -1;
    double *one = mem_new(double, j.n);
    struct value *v = begin("cider", j.n);
    value_set(v, "score", value_real(cider_d(j.items, j.n, one)));
    value_push(out, v);
    for (int64_t i = 0; i < j.n; i++) add_each(each, j.id[i], "cider", one[i]);
    free(one);
    join_release(&j);
    return 0;
}

static void push_recall(struct value *out, const char *name, const struct recall *r)
{
    struct value *v = begin(name, r->n);

    value_set(v, "r1", value_real(r->at1));
    value_set(v, "r5", value_real(r->at5));
    value_set(v, "r10", value_real(r->at10));
    value_set(v, "mean_rank", value_real(r->mean_rank));
    value_set(v, "median_rank", value_real(r->median_rank));
    value_set(v, "ties", value_int(r->ties));
    value_push(out, v);
}

static int run_retrieval(const struct score_files *f, struct value *out, struct value *each, struct err *e)
{
    struct matrix m;
    struct recall texts, images;

    (void)each;
    if (!f->images && !f->ref)
        return err_set(e, ERR_USAGE, "--images: the images that were scored are required (or REF: the right image of each text, for triples)");
    if (f->images ? matrix_read(&m, f->pred, f->images, e) : matrix_read_triples(&m, f->pred, f->ref, e)) return -1;
    retrieval_recall(&texts, &images, m.scores, m.gold, m.n_texts, m.n_images);
    push_recall(out, "text_to_image", &texts);
    push_recall(out, "image_to_text", &images);
    matrix_release(&m);
    return 0;
}

static const struct metric {
    const char *name;
    int (*run)(const struct score_files *f, struct value *out, struct value *each, struct err *e);
} metrics[] = { { "accuracy", run_accuracy }, { "bleu", run_bleu }, { "cider", run_cider }, { "retrieval", run_retrieval } };

static int run_named(const char *name, size_t n, const struct score_files *f, struct value *out, struct value *each, struct err *e)
{
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
        if (strlen(metrics[i].name) == n && !memcmp(metrics[i].name, name, n)) return metrics[i].run(f, out, each, e);
    }
    char *copy = mem_strndup(name, n);
    err_set(e, ERR_USAGE, "--metrics: no metric %s (expected accuracy, bleu, cider or retrieval)", err_quote(copy));
    free(copy);
    return -1;
}

int metrics_compute(const char *list, const struct score_files *files, struct value *out, struct value *each, struct err *e)
{
    for (const char *p = list;;) {
        size_t n = strcspn(p, ",");
        if (run_named(p, n, files, out, each, e)) return -1;
        if (!p[n]) return 0;
        p += n + 1;
    }
}
