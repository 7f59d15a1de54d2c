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

const struct downstream_kind entailment_task = {
    .name = "entailment",
    .summary = "does the image entail the text",
    .metric = "accuracy",
    .uses_images = true,
    .defaults = { .lr = 1e-5, .beta2 = 0.999, .weight_decay = 0, .warmup = 0.06, .epochs = 10, .schedule = "linear" },
    .put = put,
    .configure = configure,
    .prepare = labels_prepare,
    .add = labels_add,
    .evaluate = labels_evaluate,
    .predict = labels_predict,
};
