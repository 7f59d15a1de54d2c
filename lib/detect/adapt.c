/* Training that begins with another detector's parameters: the network is the same, the names are others. */
#include "core/mem.h"
#include "detect/detector.h"
#include <stdlib.h>
#include <string.h>

static int check_trainable(const struct detect_config *c, struct err *e)
{
    if (c->roi_align) return err_set(e, ERR_INPUT, "a detector with RoIAlign cannot be trained on (RoIPool can)");
    bool has_groups = c->head.cardinality > 1;
    for (int i = 0; i < c->n_stages; i++) has_groups = has_groups || c->stages[i].cardinality > 1;
    return has_groups ? err_set(e, ERR_INPUT, "a ResNeXt cannot be trained on (a ResNet can)") : 0;
}

int detector_adapt_config(struct detect_config *c, const struct detect_config *from, struct err *e)
{
    if (check_trainable(from, e)) return -1;
    *c = *from;
    c->classes = c->attributes = (struct names){ 0 };
    return 0;
}

/* The names whose rows a parameter has, and its rows for each; NULL: it has nothing to do with names. */
static const struct names *names_of(const struct detector *d, int param, int64_t *rows)
{
    const struct detect_config *c = &d->config;
    bool is_box = c->boxes_per_class && (param == d->box || param == d->box_bias);

    *rows = is_box ? 4 : 1;
    if (is_box || param == d->cls || param == d->cls_bias) return &c->classes;
    if (d->attribute < 0) return NULL;
    if (param == d->attribute_class) return &c->classes;
    return param == d->attribute || param == d->attribute_out_bias ? &c->attributes : NULL;
}

static void copy_rows(struct detector *d, const struct detector *from, int to, int source)
{
    const struct param *p = &d->params.at[to], *q = &from->params.at[source];
    int64_t rows, width = p->n / p->shape[0];
    const struct names *names = names_of(d, to, &rows), *theirs = names_of(from, source, &rows);
    float *own = mem_new(float, p->n), *other = mem_new(float, q->n);

    op_download(d->device, own, params_f32(&d->params, to).data, p->n * 4);
    op_download(d->device, other, params_f32(&from->params, source).data, q->n * 4);
    if (!names) memcpy(own, other, (size_t)p->n * sizeof *own);
    for (int i = 0; names && i < names->n; i++) {
        int k = names_find(theirs, names->at[i]);
        if (k >= 0) memcpy(own + i * rows * width, other + k * rows * width, (size_t)(rows * width) * sizeof *own);
    }
    op_upload(d->device, params_f32(&d->params, to).data, own, p->n * 4);
    op_sync(d->device);
    free(own);
    free(other);
}

void detector_adapt(struct detector *d, const struct detector *from)
{
    for (int i = 0; i < d->params.n; i++) {
        struct param *p = &d->params.at[i];
        bool is_early = !strncmp(p->name, "stem.", 5) || !strncmp(p->name, "res2.", 5);
        if (!d->config.groups && is_early) p->lr_scale = 0;
        copy_rows(d, from, i, params_find(&from->params, p->name));
    }
    params_changed(&d->params);
}
