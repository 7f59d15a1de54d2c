/* --init: parameters from a directory of ours or from a RoBERTa in Hugging Face's layout. What RoBERTa calls its
 * tensors differs from our names by the prefix "roberta." for "unimo.", sometimes by no prefix at all, in old files by
 * gamma and beta for a norm's weight and bias, and by where the output bias of the tied LM head is kept. */
#include "core/mem.h"
#include "model/model.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct names {
    const struct safetensors *file;
    const struct params *params;
    bool has_temperature; /* the file's, counted from where the model's begins */
    char buffer[2 * PARAM_NAME_MAX];
};

/* The candidate when the file has it. */
static const char *present(struct names *x, const char *prefix, const char *name)
{
    size_t n = strlen(name);

    snprintf(x->buffer, sizeof x->buffer, "%s%s", prefix, name);
    if (safetensors_find(x->file, x->buffer)) return x->buffer;
    bool is_norm = str_ends(name, "LayerNorm.weight") || str_ends(name, "LayerNorm.bias") ||
                   str_ends(name, "layer_norm.weight") || str_ends(name, "layer_norm.bias");
    if (!is_norm) return NULL;
    bool is_bias = str_ends(name, "bias");
    snprintf(x->buffer, sizeof x->buffer, "%s%.*s%s", prefix, (int)(n - strlen(is_bias ? "bias" : "weight")), name,
             is_bias ? "beta" : "gamma");
    return safetensors_find(x->file, x->buffer) ? x->buffer : NULL;
}

/* The classifier of another task is left where it is. */
static bool fits(const struct names *x, const char *name, const char *theirs)
{
    const struct param *p = &x->params->at[params_find(x->params, name)];
    const struct safetensor *t = safetensors_find(x->file, theirs);

    return t->rank == p->rank && !memcmp(t->shape, p->shape, (size_t)p->rank * sizeof *p->shape);
}

static const char *find_name(const char *name, void *arg)
{
    struct names *x = arg;
    const char *got = present(x, "", name);

    if (!got && str_starts(name, "unimo.")) {
        const char *rest = name + strlen("unimo.");
        got = present(x, "roberta.", rest);
        if (!got) got = present(x, "", rest);
    }
    if (got && str_starts(name, "classifier.") && !fits(x, name, got)) return NULL;
    if (!strcmp(name, "match_log_scale") && !x->has_temperature) return NULL;
    if (!got && !strcmp(name, "lm_head.bias")) got = present(x, "", "lm_head.decoder.bias");
    return got;
}

/* What was learnt is a factor of the temperature that it began with, for scores of one kind. */
static bool same_temperature(const struct model_config *c, const char *dir)
{
    char *path = path_join(dir, "config.json");
    struct model_config theirs = { 0 };
    struct err none = { 0 };
    bool is = !model_config_load(&theirs, path, &none) && theirs.cosine == c->cosine && theirs.tau == c->tau;

    model_config_release(&theirs);
    free(path);
    return is;
}

/* A tensor that went into a parameter of another name is not unexpected. */
static void tell_added(struct params_report *to, const char *name)
{
    struct str line = { 0 };

    str_addf(&line, "unexpected %s ", name);
    char *at = to && to->text.n ? strstr(to->text.data, line.data) : NULL;
    if (at) {
        memcpy(at, "added     ", strlen("unexpected"));
        to->unexpected--;
    }
    str_release(&line);
}

/* RoBERTa has one token type, whose row is added at every position: the position table takes it over. */
static int add_token_type(struct model *m, const struct safetensors *s, struct params_report *report, struct err *e)
{
    const struct safetensor *t = safetensors_find(s, "roberta.embeddings.token_type_embeddings.weight");
    struct tensor position = params_f32(&m->params, m->position);
    int64_t H = m->config.hidden;

    if (!t) t = safetensors_find(s, "embeddings.token_type_embeddings.weight");
    if (!t) return 0;
    if (t->rank != 2 || t->shape[0] < 1 || t->shape[1] != H || !dtype_is_float(t->dtype))
        return err_set(e, ERR_INPUT, "tensor %s: expected floats of shape [1,%lld]", err_quote(t->name), (long long)H);
    float *row = mem_new(float, H), *table = mem_new(float, position.n);
    bool any = false;
    dtype_to_f32(row, t->data, t->dtype, H);
    op_download(m->device, table, position.data, tensor_bytes(position));
    for (int64_t i = 0; i < position.n; i++) {
        table[i] += row[i % H];
        any = any || row[i % H] != 0;
    }
    if (any) {
        op_upload(m->device, position.data, table, tensor_bytes(position));
        params_changed(&m->params);
    }
    free(row);
    free(table);
    tell_added(report, t->name);
    return device_check(m->device, e);
}

int model_load_init(struct model *m, const char *dir, struct params_report *report, struct err *e)
{
    char *weights = path_join(dir, "model.safetensors");
    struct safetensors s;
    int rc = safetensors_open(&s, weights, e);

    if (!rc) {
        struct names names = { .file = &s, .params = &m->params };
        names.has_temperature = m->log_scale >= 0 && same_temperature(&m->config, dir);
        rc = params_load(&m->params, &s, find_name, &names, false, report, e);
        if (!rc) rc = add_token_type(m, &s, report, e);
        if (!rc && report && !report->matched)
            rc = err_set(e, ERR_INPUT, "no tensor has a name of this model or of RoBERTa");
        if (rc) err_in(e, "%s", weights);
        safetensors_close(&s);
    }
    free(weights);
    return rc;
}
