/* Tasks with a classifier on the pooled rows (paper section 4): texts, pairs of texts, and texts with images; one label
 * out of all, a number, or answers that are each right to some degree. */
#include "core/hash.h"
#include "core/mem.h"
#include "model/input.h"
#include "tasks/downstream.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A label may be written as a string or as a whole number. */
static int read_label(const struct record *r, char out[256], struct err *e)
{
    const struct value *v = value_get(r->fields, "label");
    const char *text = value_text(v, NULL);
    struct str s = { 0 };

    if (!text && value_is_string(v)) return err_set(e, ERR_INPUT, "\"label\": holds the character 0");
    if (!text && !value_is_int(v)) return err_set(e, ERR_INPUT, "\"label\": expected a string or a whole number");
    if (text) str_add(&s, text);
    else value_print(v, &s);
    bool fits = s.n < 256;
    if (fits) memcpy(out, str_c(&s), s.n + 1);
    str_release(&s);
    return fits ? 0 : err_set(e, ERR_INPUT, "\"label\": longer than 255 bytes");
}

enum { LABELS_SEEN_MAX = 1 << 20 };

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* ---- what is seen ---- */

/* [IMG] regions where there are some, [CLS] text [SEP], perhaps text_pair [SEP]. */
static int put(struct downstream *d, struct arena *a, struct batch *b, const struct record *r, int32_t *cls,
               int32_t *img, struct err *e)
{
    struct batch_text first, second;
    struct batch_image picture;
    bool has_image,
        is_pair = d->kind->needs_pair || value_get(r->fields, "text_pair") || value_get(r->fields, "text_pair_tokens");

    if (input_text(a, d->config, r->fields, "text", &first, e) ||
        (is_pair && input_text(a, d->config, r->fields, "text_pair", &second, e)) ||
        downstream_maybe_image(d, a, r->fields, &picture, &has_image, e))
        return -1;
    int64_t image = has_image ? batch_add_image(b, &picture, NULL) : -1;
    int64_t s = is_pair ? batch_add_text_pair(b, image, &first, &second) : batch_add_pair(b, image, &first);
    *cls = batch_pool_text(b, s);
    *img = has_image ? batch_pool_image(b, s) : -1;
    return 0;
}

/* ---- labels ---- */

/* The labels of the training stream that are right often enough, in the order of their bytes. */
static int set_labels(struct downstream *d, struct model_config *c, const struct map *seen, int64_t at_least,
                      struct err *e)
{
    const char **names = mem_new(const char *, seen->n + 1);
    int64_t n = 0;
    int rc = 0;

    for (int64_t i = 0; i < seen->n; i++) {
        if (seen->at[i].value >= at_least) names[n++] = seen->at[i].key;
    }
    if (n < 2) rc = err_set(e, ERR_INPUT, "%s: %lld labels (expected 2 or more)", d->o.train.at[0], (long long)n);
    else if (n > CONFIG_LABELS_MAX)
        rc = err_set(e, ERR_INPUT, "%s: %lld different labels (expected at most %d)", d->o.train.at[0], (long long)n,
                     CONFIG_LABELS_MAX);
    if (!rc) {
        qsort(names, (size_t)n, sizeof *names, compare);
        model_config_set_labels(c, names, (int)n);
    }
    free(names);
    return rc;
}

/* From the store: a pipe gives its records once. */
static int find_labels(struct downstream *d, struct model_config *c, int64_t at_least, struct err *e)
{
    struct map seen = { 0 };
    char label[256];
    int rc = 0;

    for (int64_t i = 0; i < store_count(d->train) && !rc; i++) {
        struct record *r;
        if ((rc = store_get(d->train, i, &r, e))) break;
        if ((rc = read_label(r, label, e))) record_bad(r, e);
        else ++*map_put(&seen, label, strlen(label), NULL);
        record_free(r);
        if (seen.n > LABELS_SEEN_MAX) rc = err_set(e, ERR_INPUT, "more than %d different labels", LABELS_SEEN_MAX);
    }
    if (!rc) rc = set_labels(d, c, &seen, at_least, e);
    map_release(&seen);
    return rc;
}

/* The paper's first layers: 2048 wide for a hidden size of 768. */
static int hidden_width(const struct model_config *c)
{
    return c->hidden >= 768 ? 2048 : 2 * c->hidden;
}

static int configure(struct downstream *d, struct model_config *c, struct err *e)
{
    return find_labels(d, c, 1, e);
}

/* SNLI-VE: the sum of both pooled rows, two layers without an activation between them. */
static int configure_entailment(struct downstream *d, struct model_config *c, struct err *e)
{
    c->label_hidden = hidden_width(c);
    return find_labels(d, c, 1, e);
}

/* VQA: the product of both pooled rows, two layers with ReLU and much dropout, as ERNIE-ViL has them: the authors'
 * code for this task was never published. */
static int configure_vqa(struct downstream *d, struct model_config *c, struct err *e)
{
    c->label_hidden = hidden_width(c);
    c->label_product = c->label_relu = c->label_soft = true;
    c->label_dropout = c->dropout > 0 ? 0.5f : -1;
    return find_labels(d, c, d->o.min_answers, e);
}

static int configure_number(struct downstream *d, struct model_config *c, struct err *e)
{
    c->label_regression = true;
    model_config_set_labels(c, (const char *const[]){ "number" }, 1);
    return 0;
}

static int find_label(const struct model_config *c, const char *label)
{
    int from = 0, to = c->n_labels; /* they are sorted */

    while (from < to) {
        int middle = (from + to) / 2, order = strcmp(c->labels[middle], label);
        if (!order) return middle;
        if (order < 0) from = middle + 1;
        else to = middle;
    }
    return -1;
}

static int label_index(const struct model_config *c, const struct record *r, int *index, struct err *e)
{
    char label[256];

    if (read_label(r, label, e)) return -1;
    *index = find_label(c, label);
    if (*index >= 0) return 0;
    return err_set(e, ERR_INPUT, "\"label\": %s is none of the model's %d labels", err_quote(label), c->n_labels);
}

/* How right each answer is when some of ten people gave it, as the field trains with it (Anderson et al. 2018); the
 * ten agree on nothing when their answers are too rare to be labels, and the target is all zeros. */
static int read_answers(const struct model_config *c, const struct record *r, float *target, struct err *e)
{
    static const float right[] = { 0, 0.3f, 0.6f, 0.9f, 1 };
    struct value *answers;

    if (value_get_array(r->fields, "answers", &answers, e)) return -1;
    for (int64_t i = 0; i < value_count(answers); i++) {
        const char *text = value_text(value_at(answers, i), NULL);
        if (!text)
            return err_set(e, ERR_INPUT, "\"answers\": element %lld is no string (or has the character 0)",
                           (long long)i);
        int at = find_label(c, text);
        if (at >= 0) target[at]++;
    }
    for (int i = 0; i < c->n_labels; i++) target[i] = right[target[i] < 4 ? (int)target[i] : 4];
    return 0;
}

/* Number or answers of a record, in the arena; NULL for one label. */
static int read_target(const struct downstream *d, struct arena *a, const struct record *r, int *label, float **target,
                       struct err *e)
{
    const char *text = value_text(value_get(r->fields, "label"), NULL);
    double number;

    *target = NULL;
    *label = 0;
    if (d->kind->labels == LABEL_CLASS) return label_index(d->config, r, label, e);
    *target = arena_new(a, float, d->config->n_labels);
    if (d->kind->labels == LABEL_ANSWERS) return read_answers(d->config, r, *target, e);
    bool is_written = text && str_to_double(text, -1e30, 1e30, &number); /* as the scorer takes it */
    if (!is_written && value_get_real(r->fields, "label", -1e30, 1e30, &number, e)) return -1;
    **target = (float)number;
    return 0;
}

static void prepare(struct downstream *d, struct task *t)
{
    t->step.weight[LOSS_LABEL] = 1;
}

static int add(void *downstream, struct batch *b, int collection, int64_t i, struct rng *draws, struct arena *a,
               struct err *e)
{
    struct downstream *d = downstream;
    struct record *r;
    int32_t text = -1, image = -1;
    int label = 0;
    float *target;

    if (store_get(d->train, i, &r, e)) return -1;
    int rc = read_target(d, a, r, &label, &target, e);
    if (!rc) rc = put(d, a, b, r, &text, &image, e);
    if (rc) record_bad(r, e);
    record_free(r);
    if (rc) return -1;
    batch_add_example(b, text, image, label);
    if (target) batch_add_target(b, target);
    return 0;
}

static const char *truth(const struct downstream_kind *k)
{
    return k->labels == LABEL_ANSWERS ? "answers" : "label";
}

static int evaluate(void *arg, struct model *m, struct scratch *s, struct value *report, double *score, struct err *e)
{
    struct downstream *d = arg;

    return downstream_measure(d, m, report, score, e);
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

    if (put(x->d, &x->arena, &x->batch, r, &text, &image, e)) return -1;
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

enum { SHOWN = 10 }; /* labels whose probability is written, when there are more than SHOWN of them */

/* The probability of each label, or of the likeliest ones. */
static struct value *probabilities(const struct model_config *c, const float *x)
{
    struct value *probs = value_object();
    int n = c->n_labels <= SHOWN ? c->n_labels : SHOWN, last = -1;

    for (int k = 0; k < n; k++) {
        int at = k;
        if (c->n_labels > SHOWN) { /* the next below the last one */
            at = -1;
            for (int i = 0; i < c->n_labels; i++) {
                bool is_after = last < 0 || x[i] < x[last] || (x[i] == x[last] && i > last);
                if (is_after && (at < 0 || x[i] > x[at])) at = i;
            }
            if (at < 0) break; /* not a number among them */
            last = at;
        }
        double p = c->label_soft ? 1 / (1 + exp(-(double)x[at])) : exp((double)x[at]);
        value_set(probs, c->labels[at], value_real(round(p * 1e6) / 1e6));
    }
    return probs;
}

static int write_prediction(const struct model_config *c, const char *id, const float *x, struct writer *out,
                            struct err *e)
{
    struct record *r = record_new();

    value_set(r->fields, "id", value_str(id));
    if (c->label_regression) value_set(r->fields, "pred", value_real((double)*x));
    else {
        value_set(r->fields, "pred", value_str(c->labels[best_of(x, c->n_labels)]));
        value_set(r->fields, "probs", probabilities(c, x));
    }
    return writer_give(out, r, e);
}

static int predict(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e)
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

static int show(struct downstream *d, struct arena *a, struct batch *b, const struct record *r,
                const struct value *said, struct err *e)
{
    int32_t text, image;

    return put(d, a, b, r, &text, &image, e);
}

/* ---- the tasks ---- */

#define CLASSIFIES                                                                                                     \
    .prepare = prepare, .add = add, .evaluate = evaluate, .truth = truth, .predict = predict, .show = show
#define GLUE .lr = 2e-5, .beta2 = 0.98, .weight_decay = 0, .warmup = 0.06, .epochs = 10, .schedule = "linear"
#define VISUAL(rate) .lr = (rate), .weight_decay = 0, .warmup = 0.06, .epochs = 10, .schedule = "linear"
#define ADVERSARIAL .adv_steps = 4, .adv_lr = 0.05, .adv_max_norm = 0.4

const struct downstream_kind labels_tasks[] = {
    { .name = "vqa",
      .summary = "the answer to a question about an image (VQA v2)",
      .metric = { { "vqa", "score" }, { "accuracy", "score" } },
      .uses_images = true,
      .labels = LABEL_ANSWERS,
      .defaults = { { VISUAL(5e-5), .beta2 = 0.98 }, { VISUAL(2e-5), .beta2 = 0.98 } },
      .configure = configure_vqa,
      CLASSIFIES },
    { .name = "entailment",
      .summary = "does an image entail what a text says (SNLI-VE)",
      .metric = { { "accuracy", "score" } },
      .uses_images = true,
      .defaults = { { VISUAL(1e-5), .beta2 = 0.999, ADVERSARIAL }, { VISUAL(1e-5), .beta2 = 0.999, ADVERSARIAL } },
      .configure = configure_entailment,
      CLASSIFIES },
    { .name = "sst2",
      .summary = "is a sentence positive or negative (SST-2)",
      .metric = { { "accuracy", "score" } },
      .defaults = { { GLUE }, { GLUE } },
      .configure = configure,
      CLASSIFIES },
    { .name = "mnli",
      .summary = "does a sentence follow from another (MNLI)",
      .needs_pair = true,
      .metric = { { "accuracy", "score" } },
      .defaults = { { GLUE }, { GLUE } },
      .configure = configure,
      CLASSIFIES },
    { .name = "cola",
      .summary = "is a sentence grammatical (CoLA)",
      .metric = { { "matthews", "score" }, { "accuracy", "score" } },
      .defaults = { { GLUE }, { GLUE } },
      .configure = configure,
      CLASSIFIES },
    { .name = "stsb",
      .summary = "how alike two sentences are, from 0 to 5 (STS-B)",
      .needs_pair = true,
      .metric = { { "spearman", "p_and_sp" } },
      .labels = LABEL_NUMBER,
      .defaults = { { GLUE }, { GLUE } },
      .configure = configure_number,
      CLASSIFIES },
    { .name = "classify",
      .summary = "the label of a text, perhaps with an image",
      .metric = { { "accuracy", "score" } },
      .defaults = { { GLUE }, { GLUE } },
      .configure = configure,
      CLASSIFIES },
    { .name = "pair",
      .summary = "the label of two texts, perhaps with an image",
      .needs_pair = true,
      .metric = { { "accuracy", "score" } },
      .defaults = { { GLUE }, { GLUE } },
      .configure = configure,
      CLASSIFIES },
    { .name = "regress",
      .summary = "a number for a text or two, perhaps with an image",
      .metric = { { "pearson", "score" } },
      .labels = LABEL_NUMBER,
      .defaults = { { GLUE }, { GLUE } },
      .configure = configure_number,
      CLASSIFIES },
    { 0 },
};
