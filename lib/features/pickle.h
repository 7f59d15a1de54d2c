#ifndef FEATURES_PICKLE_H
#define FEATURES_PICKLE_H
#include "core/mem.h"
#include "features/npy.h"

/* Python's pickles as data: a tree of what they would build. Nothing is run: names of functions and classes stay names,
 * and only those that NumPy's arrays need are let through; any other is refused by name. Protocols 0 to 5, as far as
 * arrays, containers, strings and numbers need them. */
enum item_kind { ITEM_NONE, ITEM_INT, ITEM_REAL, ITEM_TEXT, ITEM_BYTES, ITEM_LIST, ITEM_DICT, ITEM_NAME, ITEM_CALL };
struct item {
    enum item_kind kind;
    int64_t integer; /* also true and false */
    double real;
    const char *text; /* TEXT, BYTES; NAME: "module name" */
    int64_t n;        /* bytes of text; members */
    int64_t cap;
    struct item **at;   /* LIST (also tuples), DICT: key, value, key, ...; CALL: function, arguments */
    struct item *state; /* what BUILD gave a CALL, or NULL */
};
/* Items live in the arena and point into data. */
struct item *pickle_parse(struct arena *a, const uint8_t *data, int64_t n, struct err *e);
const struct item *item_get(const struct item *dict, const char *key); /* NULL when absent */
/* An array of NumPy (or one of its scalars) as data in the arena; dtype DT_NONE: an array of one object, in *object. */
int item_array(struct arena *a, const struct item *i, struct npy *out, const struct item **object, struct err *e);

/* Writing, protocol 3: the pickle of a 0-d array that holds a dictionary of one-dimensional arrays. */
struct pickle_entry {
    const char *key;
    enum dtype dtype;
    int64_t n;
    const void *data;
};
void pickle_print(struct str *out, const struct pickle_entry *at, int n);
#endif
