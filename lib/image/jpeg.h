#ifndef IMAGE_JPEG_H
#define IMAGE_JPEG_H
#include "image/image.h"
#include <stddef.h>

/* Decodes a JPEG: baseline and progressive, gray, YCbCr, RGB, CMYK and YCCK (as Adobe writes them), turned as its EXIF
 * orientation says. Corrupt data is an error, also when libjpeg could guess on. Sizes are checked before memory is
 * asked for. */
int jpeg_decode(struct image *m, const uint8_t *data, size_t n, struct err *e);
int jpeg_load(struct image *m, const char *path, struct err *e);
#define JPEG_FILE_MAX ((size_t)512 << 20)
/* The size of the picture that jpeg_decode() gives, from the headers alone; refuses what it would refuse for them. */
int jpeg_size(const uint8_t *data, size_t n, int *width, int *height, struct err *e);
/* The picture at 1/part of its size (1, 2, 4 or 8; sides are rounded up): the decoder leaves out what is finer, which
 * takes less time and memory and smooths as it should. */
int jpeg_decode_part(struct image *m, const uint8_t *data, size_t n, int part, struct err *e);
/* Bytes that this takes, of a picture of the size that jpeg_size() said: the pixels, twice where they are turned, and
 * all coefficients of one that comes in several scans, as progressive ones do, whatever the part. */
int64_t jpeg_memory(const uint8_t *data, size_t n, int width, int height, int part);
/* Encodes at quality 1..100 (4:2:0) into a fresh heap buffer. Same pixels, same bytes. */
int jpeg_encode(const struct image *m, int quality, uint8_t **data, size_t *n, struct err *e);
int jpeg_save(const struct image *m, const char *path, int quality, struct err *e);
#endif
