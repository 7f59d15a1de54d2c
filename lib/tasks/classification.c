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

const struct downstream_kind classification_task = {
    .name = "classification",
    .summary = "the label of a text or of a pair of texts",
    .metric = "accuracy",
    .defaults = { .lr = 2e-5, .beta2 = 0.98, .weight_decay = 0, .warmup = 0.06, .epochs = 10, .schedule = "linear" },
    .put = put,
    .configure = configure,
    .prepare = labels_prepare,
    .add = labels_add,
    .evaluate = labels_evaluate,
    .predict = labels_predict,
};
