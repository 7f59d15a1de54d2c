#include "score/metrics.h"
#include "core/mem.h"
#include "score/accuracy.h"
#include "score/bleu.h"
#include "score/cider.h"
#include "score/retrieval.h"
#include <stdlib.h>
#include <string.h>

enum { LABELS = 1, CAPTIONS = 2, MATRIX = 4 };

static const struct metric {
    const char *name;
    int needs; /* parts of struct score_data */
    void (*report)(const struct score_data *d, struct report *r);
} metrics[] = {
    { "accuracy", LABELS, accuracy_report },
    { "bleu", CAPTIONS, bleu_report },
    { "cider", CAPTIONS, cider_report },
    { "retrieval", MATRIX, retrieval_report },
};
enum { N_METRICS = sizeof metrics / sizeof *metrics };

static const struct metric *find(const char *name, size_t n, struct err *e)
{
    struct str known = { 0 };

    for (int i = 0; i < N_METRICS; i++) {
        if (strlen(metrics[i].name) == n && !memcmp(metrics[i].name, name, n)) return &metrics[i];
    }
    for (int i = 0; i < N_METRICS; i++) str_addf(&known, "%s%s", i ? ", " : "", metrics[i].name);
    char *copy = mem_strndup(name, n);
    err_set(e, ERR_USAGE, "--metrics: no metric %s (there are %s)", err_quote(copy), str_c(&known));
    free(copy);
    str_release(&known);
    return NULL;
}

bool metrics_known(const char *name)
{
    struct err e = { 0 };

    return find(name, strlen(name), &e) != NULL;
}

static int check_files(const struct score_files *f, int needs, struct err *e)
{
    const char *const paths[] = { f->pred, f->ref, f->images };
    int inputs = 0;

    if (needs & (LABELS | CAPTIONS) && !f->ref) return err_set(e, ERR_USAGE, "REF: references were expected");
    if (needs & MATRIX && !f->images && !f->ref)
        return err_set(
            e, ERR_USAGE,
            "--images: the images that were scored are required (or REF: the right image of each text, for triples)");
    for (int i = 0; i < 3; i++) inputs += paths[i] && !strcmp(paths[i], "-");
    bool is_read_again = (needs & (needs - 1)) != 0; /* more than one kind of input */
    if (inputs > 1 || (inputs && is_read_again)) return err_set(e, ERR_USAGE, "-: standard input can be read once");
    return 0;
}

static int read_data(struct score_data *d, const struct score_files *f, int needs, struct err *e)
{
    if (needs & LABELS && join_read(&d->labels, f->pred, f->ref, f->field, false, e)) return -1;
    if (needs & CAPTIONS) {
        if (join_read(&d->texts, f->pred, f->ref, f->field, true, e)) return -1;
        captions_make(&d->captions, d->texts.items, d->texts.n);
    }
    if (needs & MATRIX)
        return f->images ? matrix_read(&d->matrix, f->pred, f->images, e)
                         : matrix_read_triples(&d->matrix, f->pred, f->ref, e);
    return 0;
}

int metrics_compute(const char *list, const struct score_files *files, struct report *out, struct err *e)
{
    struct score_data d = { 0 };
    int needs = 0;

    for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        const struct metric *m = find(p, strcspn(p, ","), e);
        if (!m) return -1;
        needs |= m->needs;
    }
    if (check_files(files, needs, e)) return -1;
    int rc = read_data(&d, files, needs, e);
    for (const char *p = list; p && !rc; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        find(p, strcspn(p, ","), e)->report(&d, out);
    join_release(&d.labels);
    join_release(&d.texts);
    captions_release(&d.captions);
    matrix_release(&d.matrix);
    return rc;
}
