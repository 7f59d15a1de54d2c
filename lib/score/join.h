#ifndef SCORE_JOIN_H
#define SCORE_JOIN_H
#include "core/err.h"
#include "core/hash.h"
#include "core/mem.h"
#include "score/item.h"

/* Predictions and references joined by id, never by position: an id that is missing, unknown or there twice is an
 * error. */
struct join {
    int64_t n;
    const char **id; /* in the order of the references */
    struct score_item *items;
    struct map ids;     /* keeps the ids */
    struct arena arena; /* and all else */
};
/* Predictions are records {"id", "pred"}. References are {"id", "refs": [...]}; or records with the field (a string or
 * a whole number), the one reference; or, when by_image, texts {"image", "text"}: all texts of an image are its
 * references, its id is the prediction's. Numbers are compared as they are written. */
int join_read(struct join *j, const char *pred, const char *ref, const char *field, bool by_image, struct err *e);
void join_release(struct join *j);
#endif
