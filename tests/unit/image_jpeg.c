/* Pictures: decoding what cameras write, orientation, refusing what is broken, resizing. */
#include "core/file.h"
#include "core/mem.h"
#include "image/draw.h"
#include "image/jpeg.h"
#include "image/resize.h"
#include "tap.h"

/* A picture whose quarters are red, green, blue, white. */
static struct image quarters(int w, int h)
{
    static const uint8_t colour[4][3] = { { 255, 0, 0 }, { 0, 255, 0 }, { 0, 0, 255 }, { 255, 255, 255 } };
    struct err e = { 0 };
    struct image m;

    image_init(&m, w, h, &e);
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) memcpy(m.rgb + (y * w + x) * 3, colour[(y >= h / 2) * 2 + (x >= w / 2)], 3);
    }
    return m;
}

/* The letter of the nearest corner colour at (x, y). */
static char at(const struct image *m, int x, int y)
{
    const uint8_t *p = m->rgb + (y * m->width + x) * 3;

    if (p[0] > 150 && p[1] > 150) return 'w';
    return p[0] > 150 ? 'r' : p[1] > 150 ? 'g' : p[2] > 150 ? 'b' : '?';
}

static void corners(const uint8_t *data, size_t n, const char *want, int width)
{
    struct err e = { 0 };
    struct image m;
    char got[5] = "";

    if (jpeg_decode(&m, data, n, &e)) {
        ok(false, "%s", e.text);
        return;
    }
    int r = m.width - 5, b = m.height - 5;
    got[0] = at(&m, 4, 4);
    got[1] = at(&m, r, 4);
    got[2] = at(&m, 4, b);
    got[3] = at(&m, r, b);
    is_str(got, want, "corners are where they belong");
    is_int(m.width, width, "and sides");
    image_release(&m);
}

static void orientations(const uint8_t *data, size_t n)
{
    /* corners top left, top right, bottom left, bottom right when shown, for each orientation of the same stored
     * picture rg/bw */
    static const char *const shown[] = { "rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb" };
    uint8_t exif[] = { 0xff, 0xe1, 0, 34,   'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8,
                       0,    1,    1, 0x12, 0,   3,   0,   0,   0, 1, 0,   0,   0, 0,  0, 0, 0, 0 };
    uint8_t *with = mem_new(uint8_t, n + sizeof exif + 2), *at;

    for (int o = 1; o <= 8; o++) {
        for (int way = 0; way < 3; way++) { /* a short; behind 0xff, as any marker may be; a long */
            at = with;
            exif[23] = way == 2 ? 4 : 3;
            exif[29] = (uint8_t)(way == 2 ? 0 : o);
            exif[31] = (uint8_t)(way == 2 ? o : 0);
            *at++ = data[0];
            *at++ = data[1];
            for (int i = 0; i < 2 && way == 1; i++) *at++ = 0xff;
            memcpy(at, exif, sizeof exif);
            memcpy(at + sizeof exif, data + 2, n - 2);
            corners(with, (size_t)(at - with) + sizeof exif + n - 2, shown[o - 1], o < 5 ? 48 : 32);
        }
    }
    free(with);
}

/* Decoded at 1/2, 1/4, 1/8: the colours are where they were, and the size is what jpeg_size() says, divided. */
static void parts(const uint8_t *data, size_t n)
{
    for (int part = 1; part <= 8; part *= 2) {
        struct err e = { 0 };
        struct image m;
        int width, height;
        if (!ok(!jpeg_size(data, n, &width, &height, &e) && !jpeg_decode_part(&m, data, n, part, &e), "1/%d %s", part,
                e.text))
            continue;
        ok(m.width == (width + part - 1) / part && m.height == (height + part - 1) / part, "is %d x %d", m.width,
           m.height);
        char got[5] = { at(&m, 0, 0), at(&m, m.width - 1, 0), at(&m, 0, m.height - 1),
                        at(&m, m.width - 1, m.height - 1) };
        is_str(got, "rgbw", "with the same corners");
        image_release(&m);
    }
}

/* What decoding takes of memory, of pictures of 128 x 96 pixels that other encoders made. */
static void memory(void)
{
    static const struct {
        const char *path;
        int part;
        int64_t bytes;
    } cases[] = { { "testdata/jpeg/baseline.jpg", 1, 3 * 12288 },    { "testdata/jpeg/baseline.jpg", 8, 3 * 192 },
                  { "testdata/jpeg/gray.jpg", 1, 3 * 12288 },        { "testdata/jpeg/cmyk.jpg", 1, 7 * 12288 },
                  { "testdata/jpeg/progressive.jpg", 1, 6 * 12288 }, { "testdata/jpeg/progressive.jpg", 8, 37440 } };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err e = { 0 };
        int width = 0, height = 0;
        size_t n = 0;
        char *data = file_load(cases[i].path, JPEG_FILE_MAX, &n, &e);
        ok(data && !jpeg_size((uint8_t *)data, n, &width, &height, &e), "%s at 1/%d %s", cases[i].path, cases[i].part,
           e.text);
        is_int(data ? jpeg_memory((uint8_t *)data, n, width, height, cases[i].part) : -1, cases[i].bytes,
               "takes so many bytes");
        free(data);
    }
}

int main(void)
{
    struct err e = { 0 };
    struct image m = quarters(48, 32), back;
    uint8_t *data;
    size_t n;

    is_int(jpeg_encode(&m, 95, &data, &n, &e), 0, "encode");
    corners(data, n, "rgbw", 48);
    orientations(data, n);
    parts(data, n);
    memory();
    int refused = 0, accepted = 0;
    for (size_t cut = 0; cut < n; cut += 7) {
        err_clear(&e);
        if (jpeg_decode(&back, data, cut, &e)) refused++;
        else accepted++, image_release(&back);
    }
    is_int(accepted, 0, "a cut picture is an error wherever it is cut");
    int width = 4711, height = 4711;
    err_clear(&e);
    jpeg_size(data, 20, &width, &height, &e);
    is_str(e.text, "corrupt JPEG: it ends before its picture begins", "before its size, too");
    err_clear(&e);
    jpeg_size((const uint8_t[]){ 0xff, 0xd8, 0xff, 0xd9 }, 4, &width, &height, &e);
    is_str(e.text, "corrupt JPEG: it ends before its picture begins", "as is one of no segments");
    err_clear(&e);
    ok(jpeg_decode(&back, (const uint8_t *)"hello, world", 12, &e) == -1, "so is what is no JPEG: %s", e.text);
    uint8_t *bomb = mem_new(uint8_t, n);
    memcpy(bomb, data, n);
    for (size_t i = 2; i + 9 < n; i++) { /* the frame header says 65500 x 65500 */
        if (bomb[i] != 0xff || bomb[i + 1] != 0xc0) continue;
        bomb[i + 5] = bomb[i + 7] = 0xff;
        bomb[i + 6] = bomb[i + 8] = 0xdc;
        break;
    }
    err_clear(&e);
    ok(jpeg_decode(&back, bomb, n, &e) == -1, "a decompression bomb is refused: %s", e.text);
    free(bomb);

    float small[2 * 2 * 3];
    resize_bilinear(small, 2, 2, &m, 0, 0);
    ok(fabsf(small[0] - 255) < 1e-3f && fabsf(small[1]) < 1e-3f, "bilinear takes the centres");
    uint8_t rgba[16] = { 255, 0, 0, 255, 0, 255, 0, 0, 255, 0, 0, 255, 0, 255, 0, 0 }, one[4];
    resize_rgba(one, 1, 1, rgba, 2, 2);
    ok(one[0] == 255 && one[1] == 0 && one[3] == 128, "what is transparent does not colour the mean (%d %d %d)", one[0],
       one[1], one[3]);
    draw_box(&m, -10, -10, 1e9f, NAN, 2, 0xffffff);
    draw_label(&m, 1000, -5, 3, "a red car", 0xffffff, 0);
    ok(true, "drawing stays inside");
    image_release(&m);
    free(data);
    return done();
}
