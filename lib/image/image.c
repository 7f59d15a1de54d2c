#include "image/image.h"
#include "core/mem.h"
#include <stdlib.h>

int image_check(int width, int height, struct err *e)
{
    if (width < 1 || height < 1 || width > IMAGE_SIDE_MAX || height > IMAGE_SIDE_MAX ||
        (int64_t)width * height > IMAGE_PIXELS_MAX)
        return err_set(e, ERR_INPUT, "a picture of %d x %d (at most %lld pixels)", width, height, IMAGE_PIXELS_MAX);
    return 0;
}

int image_init(struct image *m, int width, int height, struct err *e)
{
    *m = (struct image){ 0 };
    if (image_check(width, height, e)) return -1;
    m->rgb = mem_try((size_t)width * (size_t)height, 3);
    if (!m->rgb) return err_set(e, ERR_IO, "not enough memory for a picture of %d x %d", width, height);
    m->width = width;
    m->height = height;
    return 0;
}

void image_release(struct image *m)
{
    free(m->rgb);
    *m = (struct image){ 0 };
}
