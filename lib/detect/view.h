#ifndef DETECT_VIEW_H
#define DETECT_VIEW_H
#include "core/pool.h"
#include "detect/config.h"
#include "image/image.h"

/* A picture as the network sees it: resized, less the mean, in the order of channels that config.json says. */
struct view {
    int width, height;             /* of the picture */
    int input_width, input_height; /* of the input */
    float scale[2];                /* input pixels per picture pixel along x and y */
    float *pixels;                 /* [input_height][input_width][3], owned */
};
/* Size to which a picture is resized, and input pixels per picture pixel along x and y: with exact_scale the same,
 * unless a side of a very long picture would fall below INPUT_SIDE_MIN; else what the rounded sides come to. */
enum { INPUT_SIDE_MIN = 32 };
void view_size(const struct detect_config *c, int width, int height, int *w, int *h, float scale[2]);
/* m is the picture, or a part of its size as jpeg_decode_part() makes it; width and height are those of the whole. */
void view_make(struct view *v, const struct detect_config *c, const struct image *m, int width, int height);
/* From a JPEG. With `shrinks` it is decoded at the smallest of 1/2, 1/4, 1/8 of its size that has no fewer pixels than
 * the input along either side, if any. `memory`, if not NULL, bounds what
 * all threads unpack at once. */
int view_load(struct view *v, const struct detect_config *c, const char *path, bool shrinks, struct budget *memory,
              struct err *e);
void view_release(struct view *v);
#endif
