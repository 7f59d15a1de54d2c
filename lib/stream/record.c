#include "stream/record.h"
#include "core/base64.h"
#include "core/mem.h"
#include "stream/block.h"
#include "stream/descriptor.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct record *record_new(void)
{
    struct record *r = mem_new(struct record, 1);

    r->fields = value_object();
    return r;
}

static void tensor_release(struct record_tensor *t)
{
    free(t->name);
    free(t->owned);
}

void record_free(struct record *r)
{
    if (!r) return;
    value_free(r->fields);
    for (int i = 0; i < r->n_tensors; i++) tensor_release(&r->tensors[i]);
    free(r->tensors);
    block_release(r->block);
    free(r);
}

struct record *record_copy(const struct record *r)
{
    struct record *copy = mem_new(struct record, 1);

    copy->fields = value_copy(r->fields);
    copy->number = r->number;
    copy->file = r->file;
    for (int i = 0; i < r->n_tensors; i++) {
        const struct record_tensor *t = &r->tensors[i];
        record_set_tensor(copy, t->name, t->dtype, t->rank, t->shape, t->data);
    }
    return copy;
}

const char *record_id(const struct record *r)
{
    const char *id = value_text(value_get(r->fields, "id"), NULL);

    return id ? id : "";
}

int record_bad(const struct record *r, struct err *e)
{
    return err_in(e, "%s: record %s", r->file, err_quote(record_id(r)));
}

int record_string(const struct record *r, const char *field, const char **out, struct err *e)
{
    return value_get_string(r->fields, field, out, e);
}

static int find(const struct record *r, const char *name)
{
    for (int i = 0; i < r->n_tensors; i++) {
        if (!strcmp(r->tensors[i].name, name)) return i;
    }
    return -1;
}

const struct record_tensor *record_tensor(const struct record *r, const char *name)
{
    int i = find(r, name);

    return i < 0 ? NULL : &r->tensors[i];
}

static void print_shape(struct str *s, int rank, const int64_t *shape)
{
    str_add_char(s, '[');
    for (int i = 0; i < rank; i++) {
        if (i) str_add_char(s, ',');
        if (shape[i] < 0) str_add_char(s, '*');
        else str_addf(s, "%" PRId64, shape[i]);
    }
    str_add_char(s, ']');
}

static int wrong_shape(const struct record_tensor *t, int rank, const int64_t *shape, struct err *e)
{
    struct str s = { 0 };

    str_addf(&s, "tensor \"%s\" is ", t->name);
    print_shape(&s, t->rank, t->shape);
    str_add(&s, " (");
    print_shape(&s, rank, shape);
    str_add(&s, " was expected)");
    err_set(e, ERR_INPUT, "%s", s.data);
    str_release(&s);
    return -1;
}

int record_tensor_shaped(const struct record *r, const char *name, enum dtype dtype, int rank, const int64_t *shape,
                         const struct record_tensor **out, struct err *e)
{
    const struct record_tensor *t = record_tensor(r, name);

    if (!t) return err_set(e, ERR_INPUT, "no tensor \"%s\"", name);
    if (dtype != DT_NONE && t->dtype != dtype)
        return err_set(e, ERR_INPUT, "tensor \"%s\" is %s (%s was expected)", name, dtype_name(t->dtype),
                       dtype_name(dtype));
    if (t->rank != rank) return wrong_shape(t, rank, shape, e);
    for (int i = 0; i < rank; i++) {
        if (shape[i] >= 0 && shape[i] != t->shape[i]) return wrong_shape(t, rank, shape, e);
    }
    *out = t;
    return 0;
}

int record_tensor_f32(const struct record *r, const char *name, int rank, const int64_t *shape, float **out, int64_t *n,
                      struct err *e)
{
    const struct record_tensor *t;

    *out = NULL;
    if (record_tensor_shaped(r, name, DT_NONE, rank, shape, &t, e)) return -1;
    if (!dtype_is_float(t->dtype))
        return err_set(e, ERR_INPUT, "tensor \"%s\" is %s (a float type was expected)", name, dtype_name(t->dtype));
    *n = t->bytes / dtype_size(t->dtype);
    *out = mem_try((size_t)*n, sizeof(float));
    if (!*out) return err_set(e, ERR_IO, "not enough memory for tensor \"%s\"", name);
    dtype_to_f32(*out, t->data, t->dtype, *n);
    return 0;
}

void record_drop_tensor(struct record *r, const char *name)
{
    int i = find(r, name);

    if (i < 0) return;
    tensor_release(&r->tensors[i]);
    memmove(&r->tensors[i], &r->tensors[i + 1], (size_t)(--r->n_tensors - i) * sizeof *r->tensors);
}

void record_set_tensor(struct record *r, const char *name, enum dtype dtype, int rank, const int64_t *shape,
                       const void *data)
{
    struct record_tensor t = { .dtype = dtype, .rank = rank, .bytes = dtype_size(dtype) };
    int at = find(r, name);

    for (int i = 0; i < rank; i++) {
        t.shape[i] = shape[i];
        t.bytes *= shape[i];
    }
    t.owned = mem_alloc((size_t)t.bytes + 1, 1);
    if (t.bytes) memcpy(t.owned, data, (size_t)t.bytes);
    t.data = t.owned;
    t.name = mem_strdup(name);
    if (at >= 0) {
        tensor_release(&r->tensors[at]);
    } else {
        at = r->n_tensors++;
        int64_t cap = at;
        mem_reserve(&r->tensors, &cap, at + 1);
    }
    r->tensors[at] = t;
}

struct block *block_new(uint8_t *data, int64_t bytes)
{
    struct block *b = mem_new(struct block, 1);

    *b = (struct block){ .holders = 1, .bytes = bytes, .data = data };
    return b;
}

void block_release(struct block *b)
{
    if (!b || atomic_fetch_sub(&b->holders, 1) > 1) return;
    free(b->data);
    free(b);
}

/* One descriptor: {"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}. */
static int read_place(struct record_tensor *t, const struct value *d, int64_t *offset, struct err *e)
{
    struct value *offsets;

    if (value_get_array(d, "data_offsets", &offsets, e)) return -1;
    const struct value *from = value_at(offsets, 0), *to = value_at(offsets, 1);
    if (value_count(offsets) != 2 || !value_is_int(from) || !value_is_int(to))
        return err_set(e, ERR_INPUT, "bad data_offsets");
    if (*offset < 0 && value_integer(from) >= 0) *offset = value_integer(from);
    if (value_integer(from) != *offset || value_integer(to) - *offset != t->bytes)
        return err_set(e, ERR_INPUT, "data_offsets [%" PRId64 ",%" PRId64 "] ([%" PRId64 ",%" PRId64 "] was expected)",
                       value_integer(from), value_integer(to), *offset, *offset + t->bytes);
    *offset += t->bytes;
    return 0;
}

/* {"dtype":"F32","shape":[2,3],"base64":"..."}: the tensor is in the line itself. */
static int read_inline(struct record_tensor *t, const struct value *coded, struct err *e)
{
    int64_t n;
    const char *text = value_text(coded, &n);

    if (!text) return err_set(e, ERR_INPUT, "\"base64\": expected a string");
    if (base64_bytes(text, (size_t)n) != t->bytes)
        return err_set(e, ERR_INPUT, "\"base64\": %" PRId64 " bytes (expected %" PRId64 ")",
                       base64_bytes(text, (size_t)n), t->bytes);
    t->owned = mem_alloc((size_t)t->bytes + 1, 1);
    t->data = t->owned;
    return base64_decode(t->owned, text, (size_t)n) ? 0 : err_set(e, ERR_INPUT, "\"base64\": is no base64");
}

/* Tensors lie in the block without padding; one that is not aligned to its elements is copied out. */
static void bind(struct record_tensor *t, struct block *b, int64_t offset)
{
    const uint8_t *at = b->data + offset;

    if ((uintptr_t)at % (size_t)dtype_size(t->dtype)) {
        t->owned = mem_alloc((size_t)t->bytes + 1, 1);
        memcpy(t->owned, at, (size_t)t->bytes);
        at = t->owned;
    }
    t->data = at;
}

static int read_tensor(struct record_tensor *t, const struct value *d, struct block *b, int64_t *offset, bool skip,
                       struct err *e)
{
    const struct value *coded = value_get(d, "base64");
    int64_t elements;

    if (descriptor_read(d, &t->dtype, &t->rank, t->shape, &elements, e)) return -1;
    t->bytes = elements * dtype_size(t->dtype);
    if (coded) return skip ? 0 : read_inline(t, coded, e);
    if (!b && !skip) return err_set(e, ERR_INPUT, "without a frame that holds it");
    if (read_place(t, d, offset, e)) return -1;
    if (skip) return 0;
    if (*offset > b->bytes) return err_set(e, ERR_INPUT, "ends at byte %" PRId64 " of %" PRId64, *offset, b->bytes);
    bind(t, b, *offset - t->bytes);
    return 0;
}

static int read_tensors(struct record *r, const struct value *tensors, struct block *b, int64_t *offset, bool skip,
                        struct err *e)
{
    int64_t n = value_count(tensors);

    if (!value_is_object(tensors)) return err_set(e, ERR_INPUT, "\"tensors\" is not an object");
    if (n > LIMIT_TENSORS) return err_set(e, ERR_INPUT, "%" PRId64 " tensors (at most %d)", n, LIMIT_TENSORS);
    if (!skip) r->tensors = mem_new(struct record_tensor, n + 1);
    for (int64_t i = 0; i < n; i++) {
        struct record_tensor t = { 0 };
        struct value *d;
        const char *name = value_key(tensors, i, &d);
        if (read_tensor(&t, d, b, offset, skip, e)) {
            free(t.owned);
            return err_in(e, "tensor %s", err_quote(name));
        }
        if (skip) continue;
        t.name = mem_strdup(name);
        r->tensors[r->n_tensors++] = t;
    }
    return 0;
}

int block_record(struct record **out, const char *line, int64_t n, struct block *b, int64_t *offset, bool skip_tensors,
                 struct err *e)
{
    struct value *fields = value_parse(line, n, e);
    int64_t anywhere = -1;

    *out = NULL;
    if (!fields) return -1;
    struct record *r = mem_new(struct record, 1);
    r->fields = fields;
    const struct value *id = value_get(fields, "id"), *tensors = value_get(fields, "tensors");
    int rc = 0;
    int64_t id_bytes = 0;
    if (!value_is_object(fields)) rc = err_set(e, ERR_INPUT, "not a JSON object");
    else if (id && !value_text(id, &id_bytes) && !value_is_int(id))
        rc = err_set(e, ERR_INPUT, "\"id\" is not a string");
    else if (id && !value_is_int(id) && !value_text(id, NULL))
        rc = err_set(e, ERR_INPUT, "\"id\": holds the character 0");
    else if (id_bytes > LIMIT_ID_BYTES)
        rc = err_set(e, ERR_INPUT, "an id of %" PRId64 " bytes (at most %d)", id_bytes, LIMIT_ID_BYTES);
    else if (tensors) rc = read_tensors(r, tensors, b, offset ? offset : &anywhere, skip_tensors, e);
    if (rc) {
        record_free(r);
        return -1;
    }
    if (tensors) value_drop(fields, "tensors");
    if (r->n_tensors && b) {
        atomic_fetch_add(&b->holders, 1);
        r->block = b;
    }
    *out = r;
    return 0;
}

void block_print(const struct record *r, int64_t *offset, struct str *out)
{
    value_print(r->fields, out);
    if (!r->n_tensors) return;
    out->n--; /* the closing brace */
    str_add(out, value_count(r->fields) ? ",\"tensors\":{" : "\"tensors\":{");
    for (int i = 0; i < r->n_tensors; i++) {
        const struct record_tensor *t = &r->tensors[i];
        struct value *name = value_str(t->name);
        if (i) str_add_char(out, ',');
        value_print(name, out);
        value_free(name);
        str_addf(out, ":{\"dtype\":\"%s\",\"shape\":", dtype_name(t->dtype));
        print_shape(out, t->rank, t->shape);
        str_addf(out, ",\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", *offset, *offset + t->bytes);
        *offset += t->bytes;
    }
    str_add(out, "}}");
}
