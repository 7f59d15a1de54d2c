#include "model/rates.h"
#include "core/str.h"
#include <math.h>
#include <stdio.h>

static bool is_pooler(const char *name)
{
    return str_starts(name, "unimo.text_pooler.") || str_starts(name, "unimo.image_pooler.");
}

/* Where a parameter is: 0 embeddings, 1 .. layers, layers + 1: a head. */
static int depth(const struct model *m, const char *name)
{
    int layers = m->config.layers;

    for (int i = 0; i < layers; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "unimo.encoder.layer.%d.", i);
        if (str_starts(name, prefix)) return i + 1;
    }
    if (is_pooler(name)) return layers;
    return str_starts(name, "unimo.") ? 0 : layers + 1;
}

void model_set_rates(struct model *m, const struct rates *r)
{
    int layers = m->config.layers;

    for (int i = 0; i < m->params.n; i++) {
        struct param *p = &m->params.at[i];
        int at = depth(m, p->name);
        bool is_frozen = r->freeze && at <= r->freeze && !is_pooler(p->name);
        if (at > layers) p->lr_scale = (float)r->head;
        else p->lr_scale = is_frozen ? 0 : (float)pow(r->decay, layers - at);
    }
}
