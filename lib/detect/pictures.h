#ifndef DETECT_PICTURES_H
#define DETECT_PICTURES_H
#include "core/err.h"
#include <stdbool.h>
#include <stdint.h>

/* The pictures that operands name: JPEG files, folders of them (sorted by name), or streams of image records. The id of
 * a picture from a file is its name without the ending. */
struct item {
    char *id, *path, *name; /* name: for the field "image" */
};
struct items {
    int64_t n, cap;
    struct item *at;
};
int items_add(struct items *all, const char *path, bool skip_bad, struct err *e);
/* Fails when two pictures have one id. */
int items_differ(const struct items *all, struct err *e);
/* Keeps those that `keeps` wants, in order. */
void items_filter(struct items *all, bool (*keeps)(void *arg, int64_t i, const struct item *x), void *arg);
void items_release(struct items *all);
#endif
