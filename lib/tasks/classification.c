/* Text classification (paper section 4.2: SST-2, MNLI, CoLA): one text or two, the pooled [CLS] row, one layer. */
#include "model/input.h"
#include "tasks/labels.h"

static int put(struct downstream *d, struct arena *a, struct batch *b, const struct record *r, int32_t *text,
               int32_t *image, struct err *e)
{
    struct batch_text first, second;

    (void)image;
    if (input_text(a, d->config, r->fields, "text", &first, e)) return -1;
    bool is_pair = value_get(r->fields, "text_pair");
    if (is_pair && input_text(a, d->config, r->fields, "text_pair", &second, e)) return -1;
    *text = batch_pool_text(b, is_pair ? batch_add_text_pair(b, &first, &second) : batch_add_pair(b, -1, &first));
    return 0;
}

static int configure(struct downstream *d, struct model_config *c, struct err *e)
{
    c->label_hidden = 0;
    return labels_configure(d, c, e);
}

static void prepare(struct task *t)
{
    t->step.weight[LOSS_LABEL] = 1;
}

static int add(void *d, struct batch *b, int collection, int64_t i, struct rng *r, struct err *e)
{
    (void)collection;
    (void)r;
    return labels_add(d, b, i, put, e);
}

static int evaluate(void *d, struct model *m, struct scratch *s, struct value *report, double *score, struct err *e)
{
    (void)report;
    return labels_evaluate(d, m, s, put, score, e);
}

static int predict(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e)
{
    return labels_predict(d, m, in, out, put, e);
}

const struct downstream_kind classification_task = {
    .name = "classification",
    .summary = "the label of a text or of a pair of texts",
    .metric = "accuracy",
    .defaults = { .lr = 2e-5, .beta2 = 0.98, .weight_decay = 0, .warmup = 0.06, .epochs = 10, .schedule = "linear" },
    .configure = configure,
    .prepare = prepare,
    .add = add,
    .evaluate = evaluate,
    .predict = predict,
};
