/* config.json. Keys that Hugging Face's models have keep their names there, so that tools which look at such files find
 * their way; the others are ours. */
#include "model/config.h"
#include "core/mem.h"
#include "nn/params.h"
#include <stdlib.h>
#include <string.h>

static const struct size {
    const char *name;
    int layers, hidden, heads, inner, positions, max_text, max_regions;
} sizes[] = {
    { "base", 12, 768, 12, 3072, 514, 512, 100 },
    { "large", 24, 1024, 16, 4096, 514, 512, 100 },
    { "small", 4, 256, 4, 1024, 258, 128, 36 },
    { "tiny", 2, 64, 2, 128, 66, 64, 12 },
};

int model_config_named(struct model_config *c, const char *name, struct err *e)
{
    const struct size *s = NULL;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (!strcmp(sizes[i].name, name)) s = &sizes[i];
    }
    if (!s) return err_set(e, ERR_USAGE, "no size %s (base, large, small or tiny)", err_quote(name));
    *c = (struct model_config){
        .layers = s->layers,
        .hidden = s->hidden,
        .heads = s->heads,
        .inner = s->inner,
        .positions = s->positions,
        .norm_eps = 1e-5f,
        .dropout = 0.1f,
        .attention_dropout = 0.1f,
        .init_std = 0.02f,
        .cls_id = 0,
        .pad_id = 1,
        .sep_id = 2,
        .unk_id = 3,
        .features = 2048,
        .classes = 1601,
        .max_regions = s->max_regions,
        .max_text = s->max_text,
        .tau = 1,
        .label_dropout = -1,
    };
    model_config_vocab(c, 50265);
    return 0;
}

void model_config_vocab(struct model_config *c, int vocab)
{
    c->vocab = vocab;
    c->mask_id = vocab - 1;
}

/* The rows of config.json: one table for reading, checking and writing. */
#define AT(field) offsetof(struct model_config, field)
static const struct int_key {
    const char *key;
    size_t at;
    int64_t min, max;
    bool is_ours; /* not in a RoBERTa's file */
} int_keys[] = {
    { "hidden_size", AT(hidden), 16, 65536, false },
    { "num_hidden_layers", AT(layers), 1, CONFIG_LAYERS_MAX, false },
    { "num_attention_heads", AT(heads), 1, 1024, false },
    { "intermediate_size", AT(inner), 16, 1 << 20, false },
    { "vocab_size", AT(vocab), 6, 1 << 24, false },
    { "max_position_embeddings", AT(positions), 5, CONFIG_TEXT_MAX + 2, false },
    { "bos_token_id", AT(cls_id), 0, 1 << 24, false },
    { "pad_token_id", AT(pad_id), 0, 1 << 24, false },
    { "eos_token_id", AT(sep_id), 0, 1 << 24, false },
    { "unk_token_id", AT(unk_id), 0, 1 << 24, true },
    { "mask_token_id", AT(mask_id), 0, 1 << 24, true },
    { "image_feature_size", AT(features), 1, 65536, true },
    { "image_class_size", AT(classes), 2, 1 << 20, true },
    { "max_regions", AT(max_regions), 1, CONFIG_REGIONS_MAX, true },
    { "max_text", AT(max_text), 3, CONFIG_TEXT_MAX, true },
    { "label_hidden", AT(label_hidden), 0, 65536, true },
};
static const struct real_key {
    const char *key;
    size_t at;
    double min, max;
    bool is_ours;
} real_keys[] = {
    { "layer_norm_eps", AT(norm_eps), 1e-30, 1, false },
    { "hidden_dropout_prob", AT(dropout), 0, 0.99, false },
    { "attention_probs_dropout_prob", AT(attention_dropout), 0, 0.99, false },
    { "initializer_range", AT(init_std), 0, 10, false },
    { "location_initializer_range", AT(location_std), 0, 100, true },
    { "match_temperature", AT(tau), 1e-3, 1e3, true },
    { "label_dropout", AT(label_dropout), -1, 0.99, true },
};
static const struct bool_key {
    const char *key;
    size_t at;
} bool_keys[] = {
    { "region_heads", AT(has_region_heads) },
    { "match_head", AT(has_match_head) },
    { "match_cosine", AT(cosine) },
    { "match_learns_temperature", AT(learns_tau) },
    { "label_product", AT(label_product) },
    { "label_relu", AT(label_relu) },
    { "label_regression", AT(label_regression) },
    { "label_soft", AT(label_soft) },
    { "ends_with_mask", AT(ends_with_mask) },
    { "dialog_embeddings", AT(has_dialog) },
};
#define N_OF(a) ((int)(sizeof(a) / sizeof *(a)))
static void *member(struct model_config *c, size_t at)
{
    return (char *)c + at;
}

int model_config_check(const struct model_config *c, struct err *e)
{
    for (int i = 0; i < N_OF(int_keys); i++) {
        const struct int_key *k = &int_keys[i];
        int v = *(const int *)((const char *)c + k->at);
        if (v < k->min || v > k->max)
            return err_set(e, ERR_INPUT, "\"%s\": %d (expected %lld to %lld)", k->key, v, (long long)k->min,
                           (long long)k->max);
    }
    if (c->hidden % c->heads)
        return err_set(e, ERR_INPUT, "\"hidden_size\": %d is no multiple of the %d heads", c->hidden, c->heads);
    /* query, key and value are one product only when their parameters follow each other without gaps of alignment */
    if (c->hidden % PARAMS_ALIGN)
        return err_set(e, ERR_INPUT, "\"hidden_size\": %d (expected a multiple of %d)", c->hidden, PARAMS_ALIGN);
    if (c->max_text > c->positions - CONFIG_FIRST_POSITION)
        return err_set(e, ERR_INPUT, "\"max_text\": %d (expected at most max_position_embeddings - %d = %d)",
                       c->max_text, CONFIG_FIRST_POSITION, c->positions - CONFIG_FIRST_POSITION);
    if (c->label_regression && (c->n_labels > 1 || c->label_soft))
        return err_set(e, ERR_INPUT, "\"label_regression\": goes with one label and without \"label_soft\"");
    const int ids[] = { c->cls_id, c->pad_id, c->sep_id, c->unk_id, c->mask_id };
    for (int i = 0; i < N_OF(ids); i++) {
        if (ids[i] >= c->vocab)
            return err_set(e, ERR_INPUT, "special token %d is outside the vocabulary of %d", ids[i], c->vocab);
    }
    return 0;
}

static int read_labels(struct model_config *c, const struct value *v, struct err *e)
{
    struct value *labels = value_get(v, "labels");

    if (!labels) return 0;
    if (!value_is_array(labels) || value_count(labels) > CONFIG_LABELS_MAX)
        return err_set(e, ERR_INPUT, "\"labels\": expected an array of at most %d strings", CONFIG_LABELS_MAX);
    int n = (int)value_count(labels);
    const char **names = mem_new(const char *, n ? n : 1);
    int rc = 0;
    for (int i = 0; i < n && !rc; i++) {
        names[i] = value_text(value_at(labels, i), NULL);
        if (!names[i]) rc = err_set(e, ERR_INPUT, "\"labels\": expected an array of strings");
    }
    if (!rc) model_config_set_labels(c, names, n);
    free(names);
    return rc;
}

static int read_keys(struct model_config *c, const struct value *v, bool ours, struct err *e)
{
    for (int i = 0; i < N_OF(int_keys); i++) {
        const struct int_key *k = &int_keys[i];
        int64_t got;
        if (k->is_ours && !ours) continue;
        if (value_get_int(v, k->key, k->min, k->max, &got, e)) return -1;
        *(int *)member(c, k->at) = (int)got;
    }
    for (int i = 0; i < N_OF(real_keys); i++) {
        const struct real_key *k = &real_keys[i];
        double got = *(float *)member(c, k->at);
        if (k->is_ours && !ours) continue;
        if (value_opt_real(v, k->key, k->min, k->max, &got, e)) return -1;
        *(float *)member(c, k->at) = (float)got;
    }
    for (int i = 0; i < N_OF(bool_keys) && ours; i++) {
        if (value_opt_bool(v, bool_keys[i].key, member(c, bool_keys[i].at), e)) return -1;
    }
    return 0;
}

static int read_config(struct model_config *c, const struct value *v, struct err *e)
{
    const char *type = "", *act = "gelu", *task = "";

    if (!value_is_object(v)) return err_set(e, ERR_INPUT, "expected a JSON object");
    if (value_get_string(v, "model_type", &type, e)) return -1;
    bool ours = !strcmp(type, "unimo");
    if (!ours && strcmp(type, "roberta"))
        return err_set(e, ERR_INPUT, "\"model_type\": %s (expected \"unimo\" or \"roberta\")", err_quote(type));
    if (value_opt_string(v, "hidden_act", &act, e)) return -1;
    if (strcmp(act, "gelu")) return err_set(e, ERR_INPUT, "\"hidden_act\": %s (expected \"gelu\")", err_quote(act));
    if (read_keys(c, v, ours, e)) return -1;
    if (!ours) {
        model_config_vocab(c, c->vocab);
        c->max_text = c->positions - CONFIG_FIRST_POSITION;
        return model_config_check(c, e);
    }
    if (value_opt_string(v, "task", &task, e)) return -1;
    if (strlen(task) >= sizeof c->task) return err_set(e, ERR_INPUT, "\"task\": %s is no task", err_quote(task));
    memcpy(c->task, task, strlen(task) + 1);
    if (read_labels(c, v, e)) return -1;
    struct value *options = value_get(v, "task_options");
    if (options && !value_is_object(options)) return err_set(e, ERR_INPUT, "\"task_options\": expected an object");
    c->task_options = options ? value_copy(options) : NULL;
    return model_config_check(c, e);
}

int model_config_load(struct model_config *c, const char *path, struct err *e)
{
    struct value *v = value_load(path, e);
    struct model_config got = { 0 };

    if (!v) return -1;
    if (c->hidden) model_config_copy(&got, c);
    else model_config_named(&got, "base", e);
    int rc = read_config(&got, v, e);
    value_free(v);
    if (rc) {
        model_config_release(&got);
        return err_in(e, "%s", path);
    }
    model_config_release(c);
    *c = got;
    return 0;
}

struct value *model_config_value(const struct model_config *c)
{
    struct value *v = value_object(), *architectures = value_array();

    value_set(v, "model_type", value_str("unimo"));
    value_push(architectures, value_str("Unimo"));
    value_set(v, "architectures", architectures);
    value_set(v, "hidden_act", value_str("gelu"));
    value_set(v, "position_embedding_type", value_str("absolute"));
    for (int i = 0; i < N_OF(int_keys); i++)
        value_set(v, int_keys[i].key, value_int(*(const int *)((const char *)c + int_keys[i].at)));
    for (int i = 0; i < N_OF(real_keys); i++)
        value_set(v, real_keys[i].key, value_real((double)*(const float *)((const char *)c + real_keys[i].at)));
    for (int i = 0; i < N_OF(bool_keys); i++)
        value_set(v, bool_keys[i].key, value_bool(*(const bool *)((const char *)c + bool_keys[i].at)));
    if (c->task[0]) value_set(v, "task", value_str(c->task));
    if (c->n_labels) {
        struct value *labels = value_array();
        for (int i = 0; i < c->n_labels; i++) value_push(labels, value_str(c->labels[i]));
        value_set(v, "labels", labels);
    }
    if (c->task_options) value_set(v, "task_options", value_copy(c->task_options));
    return v;
}

void model_config_copy(struct model_config *to, const struct model_config *from)
{
    struct model_config c = *from;

    c.labels = NULL;
    c.n_labels = 0;
    c.task_options = from->task_options ? value_copy(from->task_options) : NULL;
    model_config_set_labels(&c, (const char *const *)from->labels, from->n_labels);
    *to = c;
}

void model_config_set_labels(struct model_config *c, const char *const *labels, int n)
{
    char **copy = n ? mem_new(char *, n) : NULL;

    for (int i = 0; i < n; i++) copy[i] = mem_strdup(labels[i]);
    for (int i = 0; i < c->n_labels; i++) free(c->labels[i]);
    free(c->labels);
    c->labels = copy;
    c->n_labels = n;
}

void model_config_forget_task(struct model_config *c)
{
    c->task[0] = 0;
    model_config_set_labels(c, NULL, 0);
    c->label_hidden = 0;
    c->label_product = c->label_relu = c->label_regression = c->label_soft = false;
    c->label_dropout = -1;
    c->ends_with_mask = c->has_dialog = false;
    value_free(c->task_options);
    c->task_options = NULL;
}

void model_config_release(struct model_config *c)
{
    model_config_set_labels(c, NULL, 0);
    value_free(c->task_options);
    *c = (struct model_config){ 0 };
}
