/* Measuring on held-out examples is predicting and scoring, by the code behind unimo-predict and unimo-score: what is
 * to be predicted, the predictions and the references go through files without names. */
#include "core/hash.h"
#include "score/metrics.h"
#include "tasks/downstream.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct writer_opts quick = { .level = 1 };

/* ---- what is asked and what is right ---- */

static int put_object(struct writer *w, struct value *fields, struct err *e)
{
    struct record *r = record_new();

    value_free(r->fields);
    r->fields = fields;
    return writer_give(w, r, e);
}

/* The answers of a record: field, a string, a number or an array of strings. */
static int add_refs(struct value *refs, const struct value *fields, const char *field, struct err *e)
{
    const struct value *v = value_get(fields, field);
    const char *text = value_text(v, NULL);
    struct str s = { 0 };

    if (value_is_array(v)) {
        for (int64_t i = 0; i < value_count(v); i++) value_push(refs, value_copy(value_at(v, i)));
        return 0;
    }
    if (!text && !value_is_number(v))
        return err_set(e, ERR_INPUT, "\"%s\": %s", field,
                       value_is_string(v) ? "holds the character 0"
                                          : "expected a string, a number or an array of strings");
    if (text) str_add(&s, text);
    else value_print(v, &s);
    value_push(refs, value_str(str_c(&s)));
    str_release(&s);
    return 0;
}

/* The field that says what is right: where a record has several references, those, as the scorer takes them. */
static const char *truth_field(const struct downstream *d, const struct value *fields)
{
    return value_is_array(value_get(fields, "refs")) ? "refs" : d->kind->truth(d->kind);
}

struct question { /* an input and its references */
    const char *id;
    struct value *input, *refs;
};
struct questions {
    int64_t n, cap;
    struct question *at;
    struct map ids;
};

static void questions_release(struct questions *q)
{
    for (int64_t i = 0; i < q->n; i++) {
        value_free(q->at[i].input);
        value_free(q->at[i].refs);
    }
    free(q->at);
    map_release(&q->ids);
}

static int add_question(struct questions *q, const struct record *r, const char *field, bool by_image, struct err *e)
{
    const char *name = record_id(r);
    bool is_new;

    if (by_image && value_get_string(r->fields, "image", &name, e)) return -1;
    int64_t *at = map_put(&q->ids, name, strlen(name), &is_new);
    if (is_new) {
        *at = q->n;
        mem_reserve(&q->at, &q->cap, q->n + 1);
        struct question *x = &q->at[q->n++];
        *x = (struct question){ .input = value_copy(r->fields), .refs = value_array() };
        if (by_image) value_set(x->input, "id", value_str(name));
    }
    return add_refs(q->at[*at].refs, r->fields, field, e);
}

int downstream_check_truth(const struct downstream *d, const struct record *r, struct err *e)
{
    const char *field = truth_field(d, r->fields);
    struct value *refs = value_array();
    double number;
    int rc = add_refs(refs, r->fields, field, e);

    for (int64_t i = 0; i < value_count(refs) && !rc && d->kind->labels == LABEL_NUMBER; i++) {
        const char *text = value_text(value_at(refs, i), NULL);
        if (!text || !str_to_double(text, -1e30, 1e30, &number))
            rc = err_set(e, ERR_INPUT, "\"%s\": expected a number", field);
    }
    value_free(refs);
    return rc;
}

static int read_questions(struct questions *q, const struct downstream *d, struct err *e)
{
    int rc = 0;

    for (int64_t i = 0; i < downstream_dev_count(d) && !rc; i++) {
        struct record *r;
        if (store_get(d->dev, i, &r, e)) return -1;
        if (add_question(q, r, truth_field(d, r->fields), d->kind->is_caption, e)) rc = record_bad(r, e);
        record_free(r);
    }
    return rc;
}

static int write_questions(const struct questions *q, struct writer *input, struct writer *refs, struct err *e)
{
    for (int64_t i = 0; i < q->n; i++) {
        struct value *v = value_object();
        value_set(v, "id", value_str(q->ids.at[i].key));
        value_set(v, "refs", value_copy(q->at[i].refs));
        if (put_object(refs, v, e) || put_object(input, value_copy(q->at[i].input), e)) return -1;
    }
    return 0;
}

/* ---- asking and scoring ---- */

static int ask(struct downstream *d, struct model *m, const struct nameless *input, struct nameless *pred,
               struct err *e)
{
    const char *path = input->path;
    struct reader *in = reader_open(&path, 1, NULL, e);
    struct writer *out = in ? writer_open_nameless(pred, &quick, e) : NULL;
    int rc = writer_end(out, out ? d->kind->predict(d, m, in, out, e) : -1, e);

    reader_close(in);
    return rc;
}

static int read_figure(const struct downstream_metric *m, const struct value *metrics, double *score, struct err *e)
{
    for (int64_t i = 0; i < value_count(metrics); i++) {
        const struct value *v = value_get(value_at(metrics, i), m->figure);
        if (!v) continue;
        *score = value_number(v);
        return 0;
    }
    return err_set(e, ERR_INPUT, "the metric %s has no figure %s", m->metric, m->figure);
}

static int score_files(const struct downstream *d, const struct nameless *pred, const struct nameless *refs,
                       double *score, struct err *e)
{
    const struct downstream_metric *m = downstream_metric(d->kind);
    const struct score_request q = { .metrics = m->metric,
                                     .opts.files = { .pred = pred->path, .refs = { refs->path }, .n_refs = 1 } };
    struct score_result r;
    int rc = metrics_compute(&q, &r, e);

    if (!rc) rc = read_figure(m, r.metrics, score, e);
    metrics_release(&r);
    return rc;
}

int downstream_measure(struct downstream *d, struct model *m, struct value *report, double *score, struct err *e)
{
    struct nameless input = { .fd = -1 }, refs = { .fd = -1 }, pred = { .fd = -1 };
    struct questions q = { 0 };
    struct writer *to_input = NULL, *to_refs = NULL;
    int rc = read_questions(&q, d, e);

    if (!rc && !(to_input = writer_open_nameless(&input, &quick, e))) rc = -1;
    if (!rc && !(to_refs = writer_open_nameless(&refs, &quick, e))) rc = -1;
    if (!rc) rc = write_questions(&q, to_input, to_refs, e);
    rc = writer_end(to_input, rc, e);
    rc = writer_end(to_refs, rc, e);
    questions_release(&q);
    if (!rc) rc = ask(d, m, &input, &pred, e);
    if (!rc) rc = score_files(d, &pred, &refs, score, e);
    nameless_close(&input);
    nameless_close(&refs);
    nameless_close(&pred);
    return rc;
}
