#ifndef IMAGE_JPEG_H
#define IMAGE_JPEG_H
#include "image/image.h"

/* Decodes a JPEG: baseline and progressive, gray, YCbCr, RGB, CMYK and YCCK (as Adobe writes them), turned as its EXIF
 * orientation says. Corrupt data is an error, also when libjpeg could guess on. Sizes are checked before memory is
 * asked for. */
int jpeg_decode(struct image *m, const uint8_t *data, size_t n, struct err *e);
int jpeg_load(struct image *m, const char *path, struct err *e);
/* Encodes at quality 1..100 (4:2:0) into a fresh heap buffer. Same pixels, same bytes. */
int jpeg_encode(const struct image *m, int quality, uint8_t **data, size_t *n, struct err *e);
int jpeg_save(const struct image *m, const char *path, int quality, struct err *e);
#endif
