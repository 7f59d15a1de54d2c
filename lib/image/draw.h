#ifndef IMAGE_DRAW_H
#define IMAGE_DRAW_H
#include "image/image.h"

/* A rectangle's outline `thick` pixels wide, clipped to the picture. Colour 0xRRGGBB. */
void draw_box(struct image *m, float x1, float y1, float x2, float y2, int thick, uint32_t colour);
/* Text in a 5x7 font on a filled ground, its top left corner at (x, y), moved inside the picture. Letters are drawn in
 * one case; what the font lacks is a blank. */
void draw_label(struct image *m, int x, int y, const char *text, uint32_t colour, uint32_t ground);
/* A colour for a class number: neighbours differ clearly. */
uint32_t draw_colour(int number);
#endif
