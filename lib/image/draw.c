#include "image/draw.h"
#include <string.h>

enum { GLYPH_WIDTH = 5, GLYPH_HEIGHT = 7 };
/* Columns of each glyph, lowest bit at the top. */
static const uint8_t letters[26][GLYPH_WIDTH] = {
    { 0x20, 0x54, 0x54, 0x54, 0x78 }, { 0x7f, 0x48, 0x44, 0x44, 0x38 }, { 0x38, 0x44, 0x44, 0x44, 0x20 },
    { 0x38, 0x44, 0x44, 0x48, 0x7f }, { 0x38, 0x54, 0x54, 0x54, 0x18 }, { 0x08, 0x7e, 0x09, 0x01, 0x02 },
    { 0x0c, 0x52, 0x52, 0x52, 0x3e }, { 0x7f, 0x08, 0x04, 0x04, 0x78 }, { 0x00, 0x44, 0x7d, 0x40, 0x00 },
    { 0x20, 0x40, 0x44, 0x3d, 0x00 }, { 0x7f, 0x10, 0x28, 0x44, 0x00 }, { 0x00, 0x41, 0x7f, 0x40, 0x00 },
    { 0x7c, 0x04, 0x18, 0x04, 0x78 }, { 0x7c, 0x08, 0x04, 0x04, 0x78 }, { 0x38, 0x44, 0x44, 0x44, 0x38 },
    { 0x7c, 0x14, 0x14, 0x14, 0x08 }, { 0x08, 0x14, 0x14, 0x18, 0x7c }, { 0x7c, 0x08, 0x04, 0x04, 0x08 },
    { 0x48, 0x54, 0x54, 0x54, 0x20 }, { 0x04, 0x3f, 0x44, 0x40, 0x20 }, { 0x3c, 0x40, 0x40, 0x20, 0x7c },
    { 0x1c, 0x20, 0x40, 0x20, 0x1c }, { 0x3c, 0x40, 0x30, 0x40, 0x3c }, { 0x44, 0x28, 0x10, 0x28, 0x44 },
    { 0x0c, 0x50, 0x50, 0x50, 0x3c }, { 0x44, 0x64, 0x54, 0x4c, 0x44 },
};
static const uint8_t digits[10][GLYPH_WIDTH] = {
    { 0x3e, 0x51, 0x49, 0x45, 0x3e }, { 0x00, 0x42, 0x7f, 0x40, 0x00 }, { 0x42, 0x61, 0x51, 0x49, 0x46 },
    { 0x21, 0x41, 0x45, 0x4b, 0x31 }, { 0x18, 0x14, 0x12, 0x7f, 0x10 }, { 0x27, 0x45, 0x45, 0x45, 0x39 },
    { 0x3c, 0x4a, 0x49, 0x49, 0x30 }, { 0x01, 0x71, 0x09, 0x05, 0x03 }, { 0x36, 0x49, 0x49, 0x49, 0x36 },
    { 0x06, 0x49, 0x49, 0x29, 0x1e },
};
static const uint8_t period[GLYPH_WIDTH] = { 0x00, 0x60, 0x60, 0x00, 0x00 },
                     hyphen[GLYPH_WIDTH] = { 0x08, 0x08, 0x08, 0x08, 0x08 };
static const uint8_t blank[GLYPH_WIDTH];

static const uint8_t *glyph(char c)
{
    if (c >= 'a' && c <= 'z') return letters[c - 'a'];
    if (c >= 'A' && c <= 'Z') return letters[c - 'A'];
    if (c >= '0' && c <= '9') return digits[c - '0'];
    return c == '.' ? period : c == '-' ? hyphen : blank;
}

static void fill(struct image *m, int x1, int y1, int x2, int y2, uint32_t colour)
{
    x1 = x1 < 0 ? 0 : x1;
    y1 = y1 < 0 ? 0 : y1;
    x2 = x2 > m->width ? m->width : x2;
    y2 = y2 > m->height ? m->height : y2;
    for (int y = y1; y < y2; y++) {
        for (int x = x1; x < x2; x++) {
            uint8_t *p = m->rgb + ((size_t)y * (size_t)m->width + (size_t)x) * 3;
            for (int c = 0; c < 3; c++) p[c] = (uint8_t)(colour >> (16 - 8 * c));
        }
    }
}

static int clamp(float x, int limit)
{
    return !(x > 0) ? 0 : x > (float)limit ? limit : (int)x;
}

void draw_box(struct image *m, float x1, float y1, float x2, float y2, int thick, uint32_t colour)
{
    int left = clamp(x1, m->width), top = clamp(y1, m->height), right = clamp(x2, m->width),
        bottom = clamp(y2, m->height);

    fill(m, left, top, right, top + thick, colour);
    fill(m, left, bottom - thick, right, bottom, colour);
    fill(m, left, top, left + thick, bottom, colour);
    fill(m, right - thick, top, right, bottom, colour);
}

int draw_label_size(const struct image *m)
{
    int side = m->width > m->height ? m->width : m->height;

    return side < 1200 ? 1 : (side + 300) / 750;
}

void draw_label(struct image *m, int x, int y, int size, const char *text, uint32_t colour, uint32_t ground)
{
    int n = (int)strlen(text), width = (n * (GLYPH_WIDTH + 1) + 3) * size, height = LABEL_HEIGHT * size;

    if (x + width > m->width) x = m->width - width;
    if (y + height > m->height) y = m->height - height;
    x = x < 0 ? 0 : x;
    y = y < 0 ? 0 : y;
    fill(m, x, y, x + width, y + height, ground);
    for (int i = 0; i < n; i++) {
        const uint8_t *g = glyph(text[i]);
        for (int c = 0; c < GLYPH_WIDTH; c++) {
            for (int r = 0; r < GLYPH_HEIGHT; r++) {
                int px = x + (2 + i * (GLYPH_WIDTH + 1) + c) * size, py = y + (2 + r) * size;
                if (g[c] >> r & 1) fill(m, px, py, px + size, py + size, colour);
            }
        }
    }
}

uint32_t draw_colour(int number)
{
    static const uint32_t colours[] = { 0xe6194b, 0x3cb44b, 0x0082c8, 0xf58231, 0x911eb4,
                                        0x008080, 0xd2b100, 0xaa6e28, 0x800000, 0x000080 };

    return colours[(unsigned)number % (sizeof colours / sizeof *colours)];
}
