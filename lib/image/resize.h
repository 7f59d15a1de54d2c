#ifndef IMAGE_RESIZE_H
#define IMAGE_RESIZE_H
#include "image/image.h"

/* Bilinear with half-pixel centres and no anti-aliasing, in float (what detectors were trained on):
 * out[height][width][3], RGB order. Pixels of out are step_x and step_y pixels of m apart: 0 for the ratio of the
 * sizes, else what they were before the sizes were rounded (OpenCV with fx and fy). */
void resize_bilinear(float *out, int width, int height, const struct image *m, float step_x, float step_y);

/* RGBA by averaging over the source area of each output pixel (colours weighted by alpha); bilinear where it enlarges.
 * out[height][width][4], in[in_height][in_width][4]. */
void resize_rgba(uint8_t *out, int width, int height, const uint8_t *in, int in_width, int in_height);
#endif
