#include "tasks/panels.h"
#include "core/file.h"
#include "core/mem.h"
#include "image/draw.h"
#include "image/jpeg.h"
#include "image/resize.h"
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 240, COLUMNS = 4, GAP = 4, HEIGHT_MAX = 720 };
static const float DARK = 0.2f; /* what is left of a picture's light where nobody looked */

/* One small copy of the picture, RGBA. */
struct thumbnail {
    int width, height;
    float scale_x, scale_y; /* its pixels per pixel of the picture */
    uint8_t *rgba;
};

static int thumbnail(struct thumbnail *t, const char *path, struct err *e)
{
    struct image m;

    if (jpeg_load(&m, path, e)) return -1;
    int64_t pixels = (int64_t)m.width * m.height, height = (int64_t)WIDTH * m.height / m.width;
    uint8_t *rgba = mem_try((size_t)pixels, 4);
    if (!rgba) {
        image_release(&m);
        return err_set(e, ERR_IO, "%s: not enough memory for it", path);
    }
    for (int64_t i = 0; i < pixels; i++) {
        memcpy(rgba + 4 * i, m.rgb + 3 * i, 3);
        rgba[4 * i + 3] = 255;
    }
    t->width = WIDTH;
    t->height = height < 1 ? 1 : height > HEIGHT_MAX ? HEIGHT_MAX : (int)height;
    t->scale_x = (float)t->width / (float)m.width;
    t->scale_y = (float)t->height / (float)m.height;
    t->rgba = mem_new(uint8_t, (int64_t)t->width * t->height * 4);
    resize_rgba(t->rgba, t->width, t->height, rgba, m.width, m.height);
    free(rgba);
    image_release(&m);
    return 0;
}

static const float *best_box(const struct panel *w, const float *boxes, int64_t n)
{
    int64_t best = 0;

    for (int64_t i = 1; i < n; i++) {
        if (w->share[i] > w->share[best]) best = i;
    }
    return boxes + 4 * best;
}

/* The light at a pixel: the largest share of a region there, relative to the largest of all. */
static float light(const struct panel *w, const float *boxes, int64_t n, float x, float y, float most)
{
    float here = 0;

    for (int64_t i = 0; i < n; i++) {
        const float *b = boxes + 4 * i;
        if (x >= b[0] && x <= b[2] && y >= b[1] && y <= b[3] && w->share[i] > here) here = w->share[i];
    }
    return most > 0 ? DARK + (1 - DARK) * here / most : DARK;
}

static void draw_panel(struct image *m, int left, int top, const struct thumbnail *t, const struct panel *w,
                       const float *boxes, int64_t n)
{
    float most = 0;
    struct str label = { 0 };

    for (int64_t i = 0; i < n; i++) most = w->share[i] > most ? w->share[i] : most;
    for (int y = 0; y < t->height; y++) {
        for (int x = 0; x < t->width; x++) {
            float l = light(w, boxes, n, ((float)x + 0.5f) / t->scale_x, ((float)y + 0.5f) / t->scale_y, most);
            const uint8_t *from = t->rgba + 4 * ((int64_t)y * t->width + x);
            uint8_t *to = m->rgb + 3 * ((int64_t)(top + y) * m->width + left + x);
            for (int c = 0; c < 3; c++) to[c] = (uint8_t)((float)from[c] * l + 0.5f);
        }
    }
    if (n) {
        const float *b = best_box(w, boxes, n);
        float x1 = b[0] * t->scale_x, y1 = b[1] * t->scale_y, x2 = b[2] * t->scale_x, y2 = b[3] * t->scale_y;
        x2 = x2 > (float)t->width ? (float)t->width : x2;
        y2 = y2 > (float)t->height ? (float)t->height : y2;
        draw_box(m, (float)left + x1, (float)top + y1, (float)left + x2, (float)top + y2, 2, draw_colour(0));
    }
    str_addf(&label, "%s %.0f", str_c(&w->word) + (str_c(&w->word)[0] == ' '), 100 * (double)w->whole);
    draw_label(m, left, top, 1, label.data, 0xffffff, 0x000000);
    str_release(&label);
}

int panels_save(const char *folder, const char *id, const char *picture, const float *boxes, int64_t n_boxes,
                const struct panel *words, int n_words, struct err *e)
{
    struct thumbnail t = { 0 };
    struct image m;
    int columns = n_words < COLUMNS ? n_words : COLUMNS, rows = columns ? (n_words + columns - 1) / columns : 0;

    if (!n_words) return 0;
    if (thumbnail(&t, picture, e)) return -1;
    int rc = image_init(&m, columns * (t.width + GAP) - GAP, rows * (t.height + GAP) - GAP, e);
    for (int i = 0; i < n_words && !rc; i++)
        draw_panel(&m, i % columns * (t.width + GAP), i / columns * (t.height + GAP), &t, &words[i], boxes, n_boxes);
    if (!rc) {
        char *path = path_of_id(folder, id, ".jpg");
        rc = jpeg_save(&m, path, 85, e);
        free(path);
        image_release(&m);
    }
    free(t.rgba);
    return rc;
}
