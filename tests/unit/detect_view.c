/* Pictures as the network sees them: whole, and decoded at a part of their size. */
#include "core/file.h"
#include "core/mem.h"
#include "detect/view.h"
#include "image/jpeg.h"
#include "tap.h"
#include <math.h>
#include <unistd.h>

/* Smooth enough that a decoder that leaves out what is fine changes little. */
static struct image waves(int width, int height)
{
    struct err e = { 0 };
    struct image m;

    if (image_init(&m, width, height, &e)) abort();
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            uint8_t *p = m.rgb + (y * width + x) * 3;
            p[0] = (uint8_t)(128 + 100 * sin(x * 9.0 / width));
            p[1] = (uint8_t)(128 + 100 * sin(y * 7.0 / height));
            p[2] = (uint8_t)(128 + 100 * sin((x + y) * 5.0 / (width + height)));
        }
    }
    return m;
}

static double largest_gap(const struct view *a, const struct view *b)
{
    double gap = 0;

    for (int64_t i = 0; i < 3LL * a->input_width * a->input_height; i++)
        gap = fmax(gap, fabsf(a->pixels[i] - b->pixels[i]));
    return gap;
}

static void shrunk(const char *path, struct detect_config *c, int width, int height)
{
    struct image m = waves(width, height);
    struct view whole, part;
    struct err e = { 0 };

    ok(!jpeg_save(&m, path, 95, &e) && !view_load(&whole, c, path, false, NULL, &e) &&
           !view_load(&part, c, path, true, NULL, &e),
       "%d x %d %s", width, height, e.text);
    ok(part.width == width && part.height == height && part.input_width == whole.input_width &&
           part.input_height == whole.input_height && part.scale[0] == whole.scale[0],
       "sizes are those of the whole picture, also when less was decoded");
    double gap = largest_gap(&whole, &part);
    ok(gap > 0 && gap < 4, "and pixels are where they were (at most %.2f of 255 apart)", gap);
    view_release(&whole);
    view_release(&part);
    image_release(&m);
}

int main(void)
{
    char dir[] = "/tmp/unimo-view.XXXXXX";
    struct detect_config c = { .scale = { 1, 1, 1 }, .short_side = 96, .long_side = 160 };
    struct err e = { 0 };
    struct budget memory;

    if (!mkdtemp(dir)) return 1;
    char *path = path_join(dir, "a.jpg");
    for (int exact = 0; exact < 2; exact++) {
        c.is_exact_scale = exact;
        shrunk(path, &c, 401, 307);  /* 1/2, sides not divisible */
        shrunk(path, &c, 900, 1150); /* 1/4 */
        shrunk(path, &c, 1601, 777); /* 1/8 */
    }
    struct image m = waves(150, 140);
    struct view a, b;
    budget_init(&memory, 1); /* one alone may be larger */
    ok(!jpeg_save(&m, path, 95, &e) && !view_load(&a, &c, path, false, &memory, &e) &&
           !view_load(&b, &c, path, true, &memory, &e),
       "a picture that is not twice the input's size %s", e.text);
    ok(largest_gap(&a, &b) <= 0, "is decoded whole");
    ok(!memory.held, "memory that was taken is given back");
    view_release(&a);
    view_release(&b);
    ok(view_load(&a, &c, dir, true, &memory, &e) == -1 && !a.pixels && !memory.held, "what is no file: %s", e.text);
    budget_release(&memory);
    image_release(&m);
    free(path);
    err_clear(&e);
    dir_remove(dir, &e);
    return done();
}
