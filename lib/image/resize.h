#ifndef IMAGE_RESIZE_H
#define IMAGE_RESIZE_H
#include "image/image.h"

/* Bilinear with half-pixel centres and no anti-aliasing, in float (what detectors were trained on):
 * out[height][width][3], RGB order. */
void resize_bilinear(float *out, int width, int height, const struct image *m);

/* RGBA by averaging over the source area of each output pixel (colours weighted by alpha); bilinear where it enlarges.
 * out[height][width][4], in[in_height][in_width][4]. */
void resize_rgba(uint8_t *out, int width, int height, const uint8_t *in, int in_width, int in_height);
#endif
