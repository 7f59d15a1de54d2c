/* Visual entailment (paper section 4.1, SNLI-VE): does the image entail, contradict or leave open what the text says?
 * [IMG] regions [CLS] text [SEP], the sum of both pooled rows, two layers. */
#include "model/input.h"
#include "tasks/labels.h"
#include <string.h>

enum { HIDDEN_OF_BASE = 2048 }; /* the paper's width of the first layer, for a hidden size of 768 */

static int put(struct downstream *d, struct arena *a, struct batch *b, const struct record *r, int32_t *text,
               int32_t *image, struct err *e)
{
    struct batch_image picture;
    struct batch_text statement;

    if (input_text(a, d->config, r->fields, "text", &statement, e) || downstream_image(d, a, r->fields, &picture, e))
        return -1;
    int64_t s = batch_add_pair(b, batch_add_image(b, &picture, NULL), &statement);
    *text = batch_pool_text(b, s);
    *image = batch_pool_image(b, s);
    return 0;
}

static int configure(struct downstream *d, struct model_config *c, struct err *e)
{
    c->label_hidden = c->hidden >= 768 ? HIDDEN_OF_BASE : 2 * c->hidden;
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

const struct downstream_kind entailment_task = {
    .name = "entailment",
    .summary = "does the image entail the text",
    .metric = "accuracy",
    .uses_images = true,
    .defaults = { .lr = 1e-5, .beta2 = 0.999, .weight_decay = 0, .warmup = 0.06, .epochs = 10, .schedule = "linear" },
    .configure = configure,
    .prepare = prepare,
    .add = add,
    .evaluate = evaluate,
    .predict = predict,
};
