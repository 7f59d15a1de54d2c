#ifndef IMAGE_IMAGE_H
#define IMAGE_IMAGE_H
#include "core/err.h"
#include <stdint.h>

/* An 8-bit RGB picture, rows from the top, without padding. Zeroed is empty. */
struct image {
    int width, height;
    uint8_t *rgb; /* [height][width][3], owned */
};
enum { IMAGE_SIDE_MAX = 65500 };       /* the largest side of a JPEG */
#define IMAGE_PIXELS_MAX (256LL << 20) /* 768 MiB unpacked: above any camera, below a decompression bomb */

int image_check(int width, int height, struct err *e);                 /* -1 unless a picture may have this size */
int image_init(struct image *m, int width, int height, struct err *e); /* black */
void image_release(struct image *m);
#endif
