#include "stream/descriptor.h"

int descriptor_read(const struct value *d, enum dtype *dtype, int *rank, int64_t shape[LIMIT_RANK], int64_t *n,
                    struct err *e)
{
    struct value *sizes;
    const char *name;

    if (value_get_string(d, "dtype", &name, e) || value_get_array(d, "shape", &sizes, e)) return -1;
    *dtype = dtype_from_name(name);
    if (*dtype == DT_NONE) return err_set(e, ERR_INPUT, "unknown dtype %s", err_quote(name));
    if (value_count(sizes) > LIMIT_RANK)
        return err_set(e, ERR_INPUT, "%d dimensions (at most %d)", (int)value_count(sizes), LIMIT_RANK);
    *rank = (int)value_count(sizes);
    *n = 1;
    for (int i = 0; i < *rank; i++) {
        const struct value *v = value_at(sizes, i);
        shape[i] = value_integer(v);
        if (!value_is_int(v) || shape[i] < 0 || __builtin_mul_overflow(*n, shape[i], n) || *n > LIMIT_ELEMENTS)
            return err_set(e, ERR_INPUT, "a bad shape");
    }
    return 0;
}

struct value *descriptor_new(enum dtype dtype, int rank, const int64_t *shape)
{
    struct value *d = value_object(), *sizes = value_array();

    for (int i = 0; i < rank; i++) value_push(sizes, value_int(shape[i]));
    value_set(d, "dtype", value_str(dtype_name(dtype)));
    value_set(d, "shape", sizes);
    return d;
}
