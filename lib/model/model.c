#include "model/model.h"
#include "core/file.h"
#include "core/mem.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_layers(struct model *m)
{
    const struct model_config *c = &m->config;

    m->layer = mem_new(struct transformer, c->layers);
    for (int i = 0; i < c->layers; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "unimo.encoder.layer.%d", i);
        m->layer[i] = transformer_add(&m->params, prefix, c->hidden, c->inner, c->init_std);
    }
}

static void add_heads(struct model *m)
{
    const struct model_config *c = &m->config;
    struct params *p = &m->params;
    int64_t H = c->hidden, V = c->vocab;

    m->text_pooler = linear_add(p, "unimo.text_pooler.dense", H, H, c->init_std);
    m->image_pooler = linear_add(p, "unimo.image_pooler.dense", H, H, c->init_std);
    m->lm_dense = linear_add(p, "lm_head.dense", H, H, c->init_std);
    m->lm_norm = norm_add(p, "lm_head.layer_norm", H);
    m->lm_bias = params_add(p, "lm_head.bias", INIT_ZERO, 0, 1, &V);
    m->mrc = m->mrfr = m->match = m->label_dense = m->label_out = LINEAR_ABSENT;
    if (c->has_region_heads) {
        m->mrc = linear_add(p, "mrc_head", c->classes, H, c->init_std);
        m->mrfr = linear_add(p, "mrfr_head", c->features, H, c->init_std);
    }
    m->log_scale = c->learns_tau ? params_add(p, "match_log_scale", INIT_ZERO, 0, 1, (const int64_t[]){ 1 }) : -1;
    if (c->has_match_head) m->match = linear_add(p, "match_head", 1, H, c->init_std);
    if (c->n_labels && c->label_hidden)
        m->label_dense = linear_add(p, "classifier.dense", c->label_hidden, H, c->init_std);
    if (c->n_labels)
        m->label_out =
            linear_add(p, "classifier.out_proj", c->n_labels, c->label_hidden ? c->label_hidden : H, c->init_std);
}

/* Lays out the parameters of m->config. */
static void declare(struct model *m)
{
    const struct model_config *c = &m->config;
    struct params *p = &m->params;
    int64_t H = c->hidden;

    m->word = params_add(p, "unimo.embeddings.word_embeddings.weight", INIT_TRUNC_NORMAL, c->init_std, 2,
                         (const int64_t[]){ c->vocab, H });
    m->position = params_add(p, "unimo.embeddings.position_embeddings.weight", INIT_TRUNC_NORMAL, c->init_std, 2,
                             (const int64_t[]){ c->positions, H });
    m->role = m->turn = -1;
    if (c->has_dialog) {
        m->role = params_add(p, "unimo.embeddings.role_embeddings.weight", INIT_TRUNC_NORMAL, c->init_std, 2,
                             (const int64_t[]){ BATCH_ROLES, H });
        m->turn = params_add(p, "unimo.embeddings.turn_embeddings.weight", INIT_TRUNC_NORMAL, c->init_std, 2,
                             (const int64_t[]){ BATCH_TURNS, H });
    }
    m->text_norm = norm_add(p, "unimo.embeddings.LayerNorm", H);
    m->feature = linear_add(p, "unimo.image_embeddings.feature", H, c->features, c->init_std);
    m->location = linear_add(p, "unimo.image_embeddings.location", H, BATCH_LOCATION,
                             c->location_std > 0 ? c->location_std : c->init_std);
    m->image_norm = norm_add(p, "unimo.image_embeddings.LayerNorm", H);
    add_layers(m);
    add_heads(m);
}

int model_open(struct model *m, const struct model_config *c, struct device *d, enum dtype compute, bool training,
               struct err *e)
{
    *m = (struct model){ .device = d };
    if (model_config_check(c, e)) return -1;
    model_config_copy(&m->config, c);
    declare(m);
    params_build(&m->params, d, compute, training);
    if (!device_check(d, e)) return 0;
    err_in(e, "a model of %lld parameters", (long long)params_count(&m->params));
    model_release(m);
    return -1;
}

int64_t model_count(const struct model_config *c)
{
    struct model m = { 0 };

    model_config_copy(&m.config, c);
    declare(&m);
    int64_t n = params_count(&m.params);
    model_release(&m);
    return n;
}

int model_open_dir(struct model *m, const char *dir, struct device *d, enum dtype compute, bool training, struct err *e)
{
    char *config = path_join(dir, "config.json"), *weights = path_join(dir, "model.safetensors");
    struct model_config c = { 0 };
    struct safetensors s;
    int rc = model_config_load(&c, config, e);

    *m = (struct model){ 0 };
    if (!rc) rc = safetensors_open(&s, weights, e);
    if (!rc) {
        safetensors_expect(&s);
        rc = model_open(m, &c, d, compute, training, e) ? err_in(e, "%s", config) : 0;
        if (!rc && !params_map(&m->params, &s) && params_load(&m->params, &s, NULL, NULL, true, NULL, e))
            rc = err_in(e, "%s", weights);
        safetensors_close(&s);
    }
    if (rc) model_release(m);
    model_config_release(&c);
    free(config);
    free(weights);
    return rc;
}

int model_save(const struct model *m, const char *dir, struct err *e)
{
    char *config = path_join(dir, "config.json"), *weights = path_join(dir, "model.safetensors");
    struct value *v = model_config_value(&m->config);
    int rc = value_save(v, config, e);

    if (!rc) rc = params_save(&m->params, weights, false, e);
    value_free(v);
    free(config);
    free(weights);
    return rc;
}

void model_release(struct model *m)
{
    params_release(&m->params);
    free(m->layer);
    model_config_release(&m->config);
    *m = (struct model){ 0 };
}

enum dtype model_precision(const char *name, const struct device *d)
{
    if (!strcmp(name, "bf16")) return DT_BF16;
    return !strcmp(name, "auto") && device_has_bf16(d) ? DT_BF16 : DT_F32;
}
