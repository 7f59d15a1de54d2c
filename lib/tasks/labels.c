#include "tasks/labels.h"
#include "core/hash.h"
#include "core/mem.h"
#include "model/input.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A label may be written as a string or as a whole number. */
static int read_label(const struct record *r, char out[256], struct err *e)
{
    const struct value *v = value_get(r->fields, "label");
    const char *text = v ? value_text(v, NULL) : NULL;
    struct str s = { 0 };

    if (!text && !value_is_int(v)) return err_set(e, ERR_INPUT, "\"label\": expected a string or a whole number");
    if (text) str_add(&s, text);
    else value_print(v, &s);
    bool fits = s.n < 256;
    if (fits) memcpy(out, str_c(&s), s.n + 1);
    str_release(&s);
    return fits ? 0 : err_set(e, ERR_INPUT, "\"label\": longer than 255 bytes");
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int labels_configure(struct downstream *d, struct model_config *c, struct err *e)
{
    struct reader *in = reader_open(d->o.train.at, d->o.train.n, &(struct reader_opts){ .skip_tensors = true }, e);
    struct map seen = { 0 };
    struct record *r;
    char label[256];
    int got = in ? 1 : -1;

    while (got > 0 && (got = reader_next(in, &r, e)) > 0) {
        if (read_label(r, label, e)) got = err_in(e, "%s: record %lld", r->file, (long long)r->number);
        else map_put(&seen, label, strlen(label), NULL);
        record_free(r);
        if (seen.n > CONFIG_LABELS_MAX) got = err_set(e, ERR_INPUT, "more than %d different labels", CONFIG_LABELS_MAX);
    }
    reader_close(in);
    if (!got && seen.n < 2)
        got = err_set(e, ERR_INPUT, "%s: %lld labels (expected 2 or more)", d->o.train.at[0], (long long)seen.n);
    if (!got) {
        const char **names = mem_new(const char *, seen.n);
        for (int64_t i = 0; i < seen.n; i++) names[i] = seen.at[i].key;
        qsort(names, (size_t)seen.n, sizeof *names, compare);
        model_config_set_labels(c, names, (int)seen.n);
        free(names);
    }
    map_release(&seen);
    return got < 0 ? -1 : 0;
}

static int label_index(const struct model_config *c, const struct record *r, int *index, struct err *e)
{
    char label[256];

    if (read_label(r, label, e)) return -1;
    for (int i = 0; i < c->n_labels; i++) {
        if (!strcmp(c->labels[i], label)) {
            *index = i;
            return 0;
        }
    }
    return err_set(e, ERR_INPUT, "\"label\": %s is none of the model's %d labels", err_quote(label), c->n_labels);
}

void labels_prepare(struct task *t)
{
    t->step.weight[LOSS_LABEL] = 1;
}

int labels_add(void *downstream, struct batch *b, int collection, int64_t i, struct rng *draws, struct arena *a,
               struct err *e)
{
    struct downstream *d = downstream;
    struct record *r;
    int32_t text = -1, image = -1;
    int label = 0;

    (void)collection;
    (void)draws;
    if (store_get(d->train, i, &r, e)) return -1;
    int rc = label_index(d->config, r, &label, e);
    if (!rc) rc = d->kind->put(d, a, b, r, &text, &image, e);
    record_free(r);
    if (!rc) batch_add_example(b, text, image, label);
    return rc;
}

/* ---- running ---- */

struct run {
    struct downstream *d;
    struct model *m;
    struct scratch *s;
    struct batch batch;
    struct arena arena;
    float *log_probs;
    int64_t cap;
};

static int put_record(struct run *x, const struct record *r, struct err *e)
{
    int32_t text = -1, image = -1;

    if (x->d->kind->put(x->d, &x->arena, &x->batch, r, &text, &image, e)) return -1;
    batch_add_example(&x->batch, text, image, -1);
    return 0;
}

/* The log probabilities of the batch's examples, which is then empty again. */
static int flush(struct run *x, struct err *e)
{
    mem_reserve(&x->log_probs, &x->cap, x->batch.n_examples * x->m->config.n_labels + 1);
    int rc = x->batch.n_examples ? model_predict(x->m, x->s, &x->batch, NULL, x->log_probs, e) : 0;
    batch_clear(&x->batch);
    arena_reset(&x->arena);
    return rc;
}

static void run_begin(struct run *x)
{
    batch_init(&x->batch, x->d->config);
}

static void run_end(struct run *x)
{
    batch_release(&x->batch);
    arena_release(&x->arena);
    free(x->log_probs);
}

static int best_of(const float *p, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++) {
        if (p[i] > p[best]) best = i;
    }
    return best;
}

int labels_evaluate(void *downstream, struct model *m, struct scratch *s, struct value *report, double *score,
                    struct err *e)
{
    struct downstream *d = downstream;
    struct run x = { .d = d, .m = m, .s = s };
    int64_t n = downstream_dev_count(d), right = 0, first = 0;
    int *gold = mem_new(int, n + 1), rc = 0;

    (void)report;
    run_begin(&x);
    for (int64_t i = 0; i < n && !rc; i++) {
        struct record *r;
        if ((rc = store_get(d->dev, i, &r, e))) break;
        rc = label_index(d->config, r, &gold[i], e) || put_record(&x, r, e)
                 ? err_in(e, "%s: record %s", d->o.dev.at[0], err_quote(record_id(r)))
                 : 0;
        record_free(r);
        if (rc || (x.batch.n_rows < d->o.rows && i + 1 < n)) continue;
        int64_t many = x.batch.n_examples;
        rc = flush(&x, e);
        for (int64_t k = 0; k < many && !rc; k++)
            right += best_of(x.log_probs + k * d->config->n_labels, d->config->n_labels) == gold[first + k];
        first += many;
    }
    *score = n ? 100.0 * (double)right / (double)n : 0;
    run_end(&x);
    free(gold);
    return rc;
}

static int write_prediction(const struct model_config *c, const char *id, const float *log_probs, struct writer *out,
                            struct err *e)
{
    struct record *r = record_new();
    struct value *probs = value_object();

    if (!r->fields) r->fields = value_object();
    value_set(r->fields, "id", value_str(id));
    value_set(r->fields, "pred", value_str(c->labels[best_of(log_probs, c->n_labels)]));
    for (int i = 0; i < c->n_labels; i++)
        value_set(probs, c->labels[i], value_real(round(exp((double)log_probs[i]) * 1e6) / 1e6));
    value_set(r->fields, "probs", probs);
    int rc = writer_put(out, r, e);
    record_free(r);
    return rc;
}

int labels_predict(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e)
{
    struct scratch s;
    struct run x = { .d = d, .m = m, .s = &s };
    struct str ids = { 0 }; /* of the batch, NUL-terminated one after another */
    struct record *r;
    int got = 1;

    scratch_init(&s, m->device);
    run_begin(&x);
    while (got > 0) {
        if ((got = reader_next(in, &r, e)) > 0) {
            if (put_record(&x, r, e)) got = reader_bad(in, r, e) ? -1 : 1;
            else str_add_bytes(&ids, record_id(r), strlen(record_id(r)) + 1);
            record_free(r);
        }
        if (got < 0 || (got && x.batch.n_rows < d->o.rows)) continue;
        int64_t n = x.batch.n_examples;
        const char *id = str_c(&ids);
        if (flush(&x, e)) got = -1;
        for (int64_t k = 0; k < n && got >= 0; k++, id += strlen(id) + 1) {
            if (write_prediction(d->config, id, x.log_probs + k * d->config->n_labels, out, e)) got = -1;
        }
        str_clear(&ids);
    }
    str_release(&ids);
    run_end(&x);
    scratch_release(&s);
    return got;
}
