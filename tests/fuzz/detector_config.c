/* config.json of a detector. What is read is printed and read again to the same; what is small enough is built and
 * looks at a picture. */
#include "toy_detector.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char *text_of(const struct detect_config *c)
{
    struct str s = { 0 };
    struct value *v = detect_config_print(c);

    value_print(v, &s);
    value_free(v);
    return s.data;
}

static int read_text(struct detect_config *c, const char *text, size_t n, struct err *e)
{
    struct value *v = value_parse(text, (int64_t)n, e);
    int rc = v ? detect_config_read(c, v, e) : -1;

    value_free(v);
    if (rc && !e->text[0]) abort();
    return rc;
}

static bool is_small(const struct detect_config *c)
{
    int64_t blocks = c->head.blocks;

    for (int i = 0; i < c->n_stages; i++) blocks += c->stages[i].blocks;
    return detect_config_parameters(c) < 8000 && c->long_side <= 64 && c->post_nms <= 20 && c->pre_nms <= 500 &&
           c->roi_size <= 8 && blocks < 12;
}

/* Takes c over. */
static void look(struct detect_config c)
{
    static struct device *device;
    struct err e = { 0 };
    struct detector d = { .config = c };
    struct image m = toy_picture(30, 20, 1);
    struct detections x;

    if (!device) device = device_open("ref", 1, &e);
    detector_build(&d, device, DT_F32, false);
    toy_values(&d, 1);
    if (toy_run(&d, &x, &m, 1, &e)) abort();
    for (int64_t i = 0; i < x.n; i++) {
        struct box b = x.proposals[i];
        if (!(b.x1 >= 0 && b.y1 >= 0 && b.x2 <= 30 && b.y2 <= 20)) abort();
    }
    detections_release(&x);
    image_release(&m);
    detector_release(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err e = { 0 };
    struct detect_config c, back;

    if (read_text(&c, (const char *)data, n, &e)) return 0;
    char *once = text_of(&c);
    if (read_text(&back, once, strlen(once), &e)) abort();
    char *again = text_of(&back);
    if (strcmp(once, again)) abort();
    free(once);
    free(again);
    detect_config_release(&back);
    if (is_small(&c)) look(c);
    else detect_config_release(&c);
    return 0;
}
