#include "features/npy.h"
#include "core/mem.h"
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum dtype dtype;
} types[] = { { "f4", DT_F32 }, { "f2", DT_F16 }, { "f8", DT_F64 }, { "i8", DT_I64 }, { "i4", DT_I32 },
              { "i2", DT_I16 }, { "i1", DT_I8 },  { "u1", DT_U8 },  { "b1", DT_BOOL } };

const char *npy_type_name(enum dtype t)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].dtype == t) return types[i].name;
    }
    return NULL;
}

enum dtype npy_type(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (n == 2 && !memcmp(types[i].name, name, 2)) return types[i].dtype;
    }
    return DT_NONE;
}

/* The text after 'key': in the header's dictionary, or NULL. Keys and values hold no escapes, and no key occurs in
 * a value. */
static const char *member(const char *header, const char *key)
{
    const char *at = strstr(header, key);

    if (!at) return NULL;
    at += strlen(key);
    while (*at == ' ') at++;
    if (*at++ != ':') return NULL;
    while (*at == ' ') at++;
    return at;
}

static int parse_shape(struct npy *a, const char *at, struct err *e)
{
    if (!at || *at++ != '(') return err_set(e, ERR_INPUT, "an array without a shape");
    for (a->n = 1;;) {
        while (*at == ' ' || *at == ',') at++;
        if (*at == ')') return 0;
        int64_t size = 0;
        if (!isdigit((unsigned char)*at) || a->rank == LIMIT_RANK)
            return err_set(e, ERR_INPUT, "the shape of an array (at most %d numbers)", LIMIT_RANK);
        for (; isdigit((unsigned char)*at) && size <= LIMIT_ELEMENTS; at++) size = size * 10 + (*at - '0');
        if (*at == 'L') at++; /* as Python 2 wrote it */
        a->shape[a->rank++] = size;
        if (size > LIMIT_ELEMENTS || __builtin_mul_overflow(a->n, size, &a->n) || a->n > LIMIT_ELEMENTS)
            return err_set(e, ERR_INPUT, "an array of more than %lld elements", LIMIT_ELEMENTS);
    }
}

static int parse_type(struct npy *a, const char *at, struct err *e)
{
    const char *end = at && *at == '\'' ? strchr(at + 1, '\'') : NULL;

    if (!end) return err_set(e, ERR_INPUT, "an array without a type");
    size_t n = (size_t)(end - ++at);
    if (n == 2 && !memcmp(at, "|O", 2)) return 0;
    a->dtype = n == 3 && (*at == '<' || *at == '|') ? npy_type(at + 1, 2) : DT_NONE;
    if (a->dtype != DT_NONE) return 0;
    char name[16];
    size_t shown = n < sizeof name ? n : sizeof name - 1;
    memcpy(name, at, shown);
    name[shown] = 0;
    return err_set(e, ERR_INPUT, "an array of type %s", err_quote(name));
}

/* Element i of the row-major array lies where its indices lead in the column-major one. */
static int reorder(struct npy *a, struct err *e)
{
    int64_t size = dtype_size(a->dtype);

    if (!(a->owned = mem_try((size_t)a->bytes + 1, 1))) return err_set(e, ERR_IO, "not enough memory for an array");
    for (int64_t i = 0; i < a->n; i++) {
        int64_t left = i, from = 0, stride = a->n;
        for (int k = a->rank - 1; k >= 0; k--) {
            stride /= a->shape[k];
            from += left % a->shape[k] * stride;
            left /= a->shape[k];
        }
        memcpy((char *)a->owned + i * size, (const char *)a->data + from * size, (size_t)size);
    }
    a->data = a->owned;
    return 0;
}

static int parse_header(struct npy *a, const char *header, struct err *e)
{
    const char *order = member(header, "'fortran_order'");

    if (parse_type(a, member(header, "'descr'"), e) || parse_shape(a, member(header, "'shape'"), e)) return -1;
    bool is_columns = order && str_starts(order, "True");
    if (!order || (!is_columns && !str_starts(order, "False")))
        return err_set(e, ERR_INPUT, "an array without an order");
    if (a->dtype == DT_NONE) return 0;
    if (a->n * dtype_size(a->dtype) != a->bytes)
        return err_set(e, ERR_INPUT, "%" PRId64 " bytes for an array of %" PRId64 " elements", a->bytes, a->n);
    return is_columns && a->rank > 1 && a->n ? reorder(a, e) : 0;
}

int npy_parse(struct npy *a, const uint8_t *data, int64_t n, struct err *e)
{
    *a = (struct npy){ 0 };
    if (n < 10 || memcmp(data, "\x93NUMPY", 6) || data[6] < 1 || data[6] > 3)
        return err_set(e, ERR_INPUT, "not an array of NumPy");
    int64_t from = data[6] == 1 ? 10 : 12, length = data[8] | data[9] << 8;
    if (data[6] > 1 && n >= 12) length = load_u32(data + 8);
    if (n < from || length > n - from) return err_set(e, ERR_INPUT, "an array that is cut short");
    char *header = mem_strndup((const char *)data + from, (size_t)length);
    a->data = data + from + length;
    a->bytes = n - from - length;
    int rc = parse_header(a, header, e);
    free(header);
    if (rc) npy_release(a);
    return rc;
}

void npy_release(struct npy *a)
{
    free(a->owned);
    *a = (struct npy){ 0 };
}

void npy_print(struct str *out, enum dtype t, int rank, const int64_t *shape, const void *data, int64_t bytes)
{
    struct str header = { 0 };

    str_addf(&header, "{'descr': '%s%s', 'fortran_order': False, 'shape': (",
             t == DT_NONE || dtype_size(t) == 1 ? "|" : "<", t == DT_NONE ? "O" : npy_type_name(t));
    for (int i = 0; i < rank; i++) str_addf(&header, i ? ", %" PRId64 : "%" PRId64, shape[i]);
    str_add(&header, rank == 1 ? ",), }" : "), }");
    while ((10 + header.n + 1) % 64) str_add_char(&header, ' ');
    str_add_char(&header, '\n');
    const uint8_t length[2] = { (uint8_t)header.n, (uint8_t)(header.n >> 8) };
    str_add_bytes(out, "\x93NUMPY\1\0", 8);
    str_add_bytes(out, length, 2);
    str_add_bytes(out, header.data, header.n);
    str_add_bytes(out, data, (size_t)bytes);
    str_release(&header);
}

int npy_integer(const struct npy *a, int64_t min, int64_t max, int64_t *out, struct err *e)
{
    const uint8_t *p = a->data;
    double real;
    float single;

    if (a->n != 1 || a->dtype == DT_NONE) return err_set(e, ERR_INPUT, "not one number");
    switch (a->dtype) {
    case DT_I64:
        *out = (int64_t)load_u64(p);
        break;
    case DT_I32:
        *out = (int32_t)load_u32(p);
        break;
    case DT_I16:
        *out = (int16_t)(p[0] | p[1] << 8);
        break;
    case DT_U8:
        *out = p[0];
        break;
    case DT_F64:
        memcpy(&real, p, sizeof real);
        *out = real >= (double)min && real <= (double)max && real == floor(real) ? (int64_t)real : min - 1;
        break;
    default:
        dtype_to_f32(&single, p, a->dtype == DT_F16 ? DT_F16 : DT_F32, a->dtype == DT_F16 || a->dtype == DT_F32);
        if (a->dtype != DT_F16 && a->dtype != DT_F32) return err_set(e, ERR_INPUT, "not a whole number");
        *out = single >= (float)min && single <= (float)max && single == floorf(single) ? (int64_t)single : min - 1;
    }
    if (*out >= min && *out <= max) return 0;
    return err_set(e, ERR_INPUT, "not a whole number from %" PRId64 " to %" PRId64, min, max);
}
