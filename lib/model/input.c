#include "model/input.h"
#include "core/str.h"
#include <math.h>
#include <string.h>

static int to_ints(struct arena *a, const struct value *array, const char *key, int64_t min, int64_t max, int64_t limit,
                   const int32_t **out, int64_t *n, struct err *e)
{
    *n = value_count(array) < limit ? value_count(array) : limit;
    int32_t *v = arena_new(a, int32_t, *n + 1);
    for (int64_t i = 0; i < *n; i++) {
        struct value *x = value_at(array, i);
        int64_t k = value_integer(x);
        if (!value_is_int(x) || k < min || k > max)
            return err_set(e, ERR_INPUT, "\"%s\": element %lld is no integer from %lld to %lld", key, (long long)i,
                           (long long)min, (long long)max);
        v[i] = (int32_t)k;
    }
    *out = v;
    return 0;
}

/* An array of integers in [min, max] of at most limit used elements. */
static int read_ints(struct arena *a, const struct value *fields, const char *key, int64_t min, int64_t max,
                     int64_t limit, const int32_t **out, int64_t *n, struct err *e)
{
    struct value *array;

    if (value_get_array(fields, key, &array, e)) return -1;
    return to_ints(a, array, key, min, max, limit, out, n, e);
}

static int read_text(struct arena *a, const struct model_config *c, const struct value *fields, const char *tokens,
                     const char *units, struct batch_text *out, struct err *e)
{
    int64_t n_units;

    *out = (struct batch_text){ 0 };
    if (!value_get(fields, tokens)) return err_set(e, ERR_INPUT, "no \"%s\" (unimo-tokenize adds it)", tokens);
    if (read_ints(a, fields, tokens, 0, c->vocab - 1, c->max_text, &out->tokens, &out->n, e)) return -1;
    if (!value_get(fields, units)) return 0;
    if (read_ints(a, fields, units, -1, 1, c->max_text, &out->units, &n_units, e)) return -1;
    if (n_units != out->n)
        return err_set(e, ERR_INPUT, "\"%s\": %lld elements (expected as many as \"%s\": %lld)", units,
                       (long long)n_units, tokens, (long long)out->n);
    return 0;
}

int input_text(struct arena *a, const struct model_config *c, const struct value *fields, const char *field,
               struct batch_text *out, struct err *e)
{
    struct str tokens = { 0 }, units = { 0 };
    const char *prefix = strcmp(field, "text") ? field : "";

    str_addf(&tokens, "%s%stokens", prefix, *prefix ? "_" : "");
    str_addf(&units, "%s%sunits", prefix, *prefix ? "_" : "");
    bool is_there = value_get(fields, str_c(&tokens)) || value_get(fields, field);
    int rc = !is_there ? err_set(e, ERR_INPUT, "no \"%s\" (a text was expected)", field)
                       : read_text(a, c, fields, str_c(&tokens), str_c(&units), out, e);
    str_release(&tokens);
    str_release(&units);
    return rc;
}

/* The named array, or none; 0 elements when absent. */
static int find_array(const struct value *fields, const char *key, const struct value **array, int64_t *n,
                      struct err *e)
{
    *array = value_get(fields, key);
    *n = *array ? value_count(*array) : 0;
    return *array && !value_is_array(*array) ? err_set(e, ERR_INPUT, "\"%s\": expected an array", key) : 0;
}

int input_texts(struct arena *a, const struct model_config *c, const struct value *fields, const char *array,
                struct batch_text **out, int64_t *n, struct err *e)
{
    const struct value *v;

    if (find_array(fields, array, &v, n, e)) return -1;
    *out = arena_new(a, struct batch_text, *n + 1);
    for (int64_t i = 0; i < *n; i++) {
        if (read_text(a, c, value_at(v, i), "tokens", "units", &(*out)[i], e))
            return err_in(e, "\"%s\": element %lld", array, (long long)i);
    }
    return 0;
}

int input_strings(struct arena *a, const struct model_config *c, const struct value *fields, const char *field,
                  struct batch_text **out, int64_t *n, struct err *e)
{
    struct str key = { 0 };
    const struct value *v;

    str_addf(&key, "%s_tokens", field);
    int rc = find_array(fields, key.data, &v, n, e);
    if (!rc && !*n && value_count(value_get(fields, field)))
        rc = err_set(e, ERR_INPUT, "no \"%s\" (unimo-tokenize adds it)", key.data);
    *out = arena_new(a, struct batch_text, *n + 1);
    for (int64_t i = 0; i < *n && !rc; i++) {
        struct batch_text *t = &(*out)[i];
        if (!value_is_array(value_at(v, i)))
            rc = err_set(e, ERR_INPUT, "\"%s\": element %lld is no array", key.data, (long long)i);
        else rc = to_ints(a, value_at(v, i), key.data, 0, c->vocab - 1, c->max_text, &t->tokens, &t->n, e);
    }
    str_release(&key);
    return rc;
}

int input_ids(struct arena *a, const struct value *fields, const char *array, const char ***out, int64_t *n,
              struct err *e)
{
    const struct value *v;

    if (find_array(fields, array, &v, n, e)) return -1;
    *out = arena_new(a, const char *, *n + 1);
    for (int64_t i = 0; i < *n; i++) {
        (*out)[i] = value_text(value_at(v, i), NULL);
        if (!(*out)[i])
            return err_set(e, ERR_INPUT, "\"%s\": element %lld is no string (or has the character 0)", array,
                           (long long)i);
    }
    return 0;
}

/* The first rows of a float tensor [n or more, width] as finite f32 in the arena. */
static int read_rows(struct arena *a, const struct record *r, const char *name, int64_t all, int64_t n, int64_t width,
                     const float **out, struct err *e)
{
    const struct record_tensor *t;

    if (record_tensor_shaped(r, name, DT_NONE, 2, (const int64_t[]){ all, width }, &t, e)) return -1;
    if (!dtype_is_float(t->dtype))
        return err_set(e, ERR_INPUT, "tensor \"%s\": dtype %s (expected a float type)", name, dtype_name(t->dtype));
    float *v = arena_new(a, float, n *width);
    dtype_to_f32(v, t->data, t->dtype, n * width);
    for (int64_t i = 0; i < n * width; i++) {
        if (!isfinite(v[i]))
            return err_set(e, ERR_INPUT, "tensor \"%s\": row %lld has a value that is not finite", name,
                           (long long)(i / width));
    }
    *out = v;
    return 0;
}

int input_image(struct arena *a, const struct model_config *c, const struct record *r, bool probs,
                struct batch_image *out, struct err *e)
{
    const struct record_tensor *boxes;
    double width, height;

    *out = (struct batch_image){ 0 };
    if (value_get_real(r->fields, "width", 1, 1e6, &width, e) ||
        value_get_real(r->fields, "height", 1, 1e6, &height, e))
        return -1;
    if (record_tensor_shaped(r, "boxes", DT_NONE, 2, (const int64_t[]){ -1, 4 }, &boxes, e)) return -1;
    int64_t all = boxes->shape[0];
    if (!all) return err_set(e, ERR_INPUT, "image %s has no regions (expected 1 or more)", err_quote(record_id(r)));
    out->n = all < c->max_regions ? all : c->max_regions;
    out->width = (float)width;
    out->height = (float)height;
    if (read_rows(a, r, "boxes", all, out->n, 4, &out->boxes, e)) return -1;
    if (read_rows(a, r, "features", all, out->n, c->features, &out->features, e)) return -1;
    if (!probs || !record_tensor(r, "class_probs")) return 0;
    return read_rows(a, r, "class_probs", all, out->n, c->classes, &out->class_probs, e);
}

int input_image_sizes(const struct record *r, int *features, int *classes, struct err *e)
{
    const struct record_tensor *f, *k = record_tensor(r, "class_probs");

    if (record_tensor_shaped(r, "features", DT_NONE, 2, (const int64_t[]){ -1, -1 }, &f, e)) return -1;
    if (k && record_tensor_shaped(r, "class_probs", DT_NONE, 2, (const int64_t[]){ -1, -1 }, &k, e)) return -1;
    if (f->shape[1] < 1 || f->shape[1] > 65536 || (k && (k->shape[1] < 2 || k->shape[1] > 1 << 20)))
        return err_set(e, ERR_INPUT, "\"features\" or \"class_probs\": unlikely width");
    *features = (int)f->shape[1];
    *classes = k ? (int)k->shape[1] : 0;
    return 0;
}

int input_image_id(struct arena *a, const struct model_config *c, struct store *s, const char *id, bool probs,
                   struct batch_image *out, struct err *e)
{
    struct record *r;

    if (store_get_id(s, id, &r, e)) return -1;
    int rc = input_image(a, c, r, probs, out, e);
    if (rc) err_in(e, "image %s", err_quote(id));
    record_free(r);
    return rc;
}
