#ifndef FEATURES_NPY_H
#define FEATURES_NPY_H
#include "core/dtype.h"
#include "core/err.h"
#include "core/str.h"
#include "stream/limits.h"

/* One array of NumPy's format (NEP 1: a magic, a Python literal with type, order and shape, the values). */
struct npy {
    enum dtype dtype; /* DT_NONE: an array of Python objects, pickled in data */
    int rank;
    int64_t shape[LIMIT_RANK], n; /* n: elements */
    const void *data;             /* row-major; inside the bytes that were parsed, or owned */
    int64_t bytes;
    void *owned;
};
/* Values in column-major order are put into row-major order. */
int npy_parse(struct npy *a, const uint8_t *data, int64_t n, struct err *e);
void npy_release(struct npy *a);
/* Appends the array as np.save() writes it (version 1.0). dtype DT_NONE: a 0-d object whose pickle is data[bytes]. */
void npy_print(struct str *out, enum dtype t, int rank, const int64_t *shape, const void *data, int64_t bytes);
/* NumPy's name of a type without its byte order ("f4"), and back; NULL and DT_NONE for what records do not have. */
const char *npy_type_name(enum dtype t);
enum dtype npy_type(const char *name, size_t n);
/* The only value of an array as a whole number within [min, max]. */
int npy_integer(const struct npy *a, int64_t min, int64_t max, int64_t *out, struct err *e);
#endif
