#ifndef TASKS_PANELS_H
#define TASKS_PANELS_H
#include "core/err.h"
#include "core/str.h"
#include <stdint.h>

/* One word and how its attention is spread over the regions of a picture. */
struct panel {
    struct str word;
    int n;        /* its tokens */
    float whole;  /* what went to the image at all */
    float *share; /* [regions], sum 1; borrowed */
};
/* Writes folder/id.jpg (path_of_id()): the picture once for each word, bright where its attention went,
 * the region that got most outlined. boxes [n_boxes, 4] in pixels. */
int panels_save(const char *folder, const char *id, const char *picture, const float *boxes, int64_t n_boxes,
                const struct panel *words, int n_words, struct err *e);
#endif
