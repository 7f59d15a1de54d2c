#ifndef IMAGE_DRAW_H
#define IMAGE_DRAW_H
#include "image/image.h"

/* A rectangle's outline `thick` pixels wide, clipped to the picture. Colour 0xRRGGBB. */
void draw_box(struct image *m, float x1, float y1, float x2, float y2, int thick, uint32_t colour);
/* Text in a 5x7 font, `size` pixels a dot, on a filled ground; its top left corner at (x, y), moved inside the picture.
 * Letters are drawn in one case; what the font lacks is a blank. */
void draw_label(struct image *m, int x, int y, int size, const char *text, uint32_t colour, uint32_t ground);
enum { LABEL_HEIGHT = 11 }; /* times size */
/* A size at which labels can be read when the whole picture is shown: 1, and more for large ones. */
int draw_label_size(const struct image *m);
/* A colour for a class number: neighbours differ clearly. */
uint32_t draw_colour(int number);
#endif
