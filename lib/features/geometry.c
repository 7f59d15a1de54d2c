#include "features/geometry.h"
#include <string.h>

int geometry_choice(const char *name, const char *names)
{
    int place = 0;
    size_t n = strlen(name);

    for (const char *at = names; at; at = strchr(at, '|'), place++) {
        at += *at == '|';
        if (!strncmp(at, name, n) && (at[n] == '|' || !at[n])) return place;
    }
    return 0;
}

static const char *const size_names[] = { "auto", "width, height", "height, width" };
static const char *const box_names[] = { "auto", "x1, y1, x2, y2", "x, y, width, height", "y1, x1, y2, x2" };
static const char *const unit_names[] = { "auto", "pixels", "fractions of the picture" };

void geometry_print(struct geometry g, struct str *out)
{
    str_addf(out, "boxes are %s in %s; sizes are %s", box_names[g.order], unit_names[g.unit], size_names[g.sizes]);
}

static uint32_t bit(enum size_order s, enum box_order o, enum box_unit u)
{
    return 1u << (((int)s - 1) * 6 + ((int)o - 1) * 2 + ((int)u - 1));
}

static bool fits(const float *b, enum box_order o, double width, double height, double margin)
{
    double x1 = b[o == BOX_YXYX], y1 = b[o != BOX_YXYX], x2 = b[o == BOX_YXYX ? 3 : 2], y2 = b[o == BOX_YXYX ? 2 : 3];

    if (o == BOX_XYWH) x2 += x1, y2 += y1;
    return x1 >= -margin && y1 >= -margin && x2 >= x1 - margin && y2 >= y1 - margin && x2 <= width + margin &&
           y2 <= height + margin;
}

uint32_t geometry_possible(const float *boxes, int64_t n, double a, double b)
{
    uint32_t mask = 0;

    for (int s = SIZE_WH; s <= SIZE_HW; s++) {
        for (int o = BOX_XYXY; o <= BOX_YXYX; o++) {
            for (int u = UNIT_PIXELS; u <= UNIT_FRACTION; u++) {
                double width = u == UNIT_FRACTION ? 1
                               : s == SIZE_WH     ? a
                                                  : b,
                       height = u == UNIT_FRACTION ? 1
                                : s == SIZE_WH     ? b
                                                   : a,
                       margin = u == UNIT_FRACTION ? 0.01 : 1;
                bool is_possible = true;
                for (int64_t i = 0; i < n && is_possible; i++)
                    is_possible = fits(boxes + 4 * i, (enum box_order)o, width, height, margin);
                if (is_possible) mask |= bit((enum size_order)s, (enum box_order)o, (enum box_unit)u);
            }
        }
    }
    return mask;
}

bool geometry_allows(uint32_t possible, struct geometry g)
{
    return possible & bit(g.sizes, g.order, g.unit);
}

int geometry_decide(struct geometry *g, uint32_t possible, enum size_order sizes, struct err *e)
{
    const enum size_order by_size[] = { sizes == SIZE_HW ? SIZE_HW : SIZE_WH, sizes == SIZE_HW ? SIZE_WH : SIZE_HW };
    struct str wanted = { 0 };

    /* what fits as fractions also fits as pixels: so fractions are asked for first */
    for (int u = UNIT_FRACTION; u >= UNIT_PIXELS; u--) {
        for (int o = BOX_XYXY; o <= BOX_YXYX; o++) {
            for (int s = 0; s < 2; s++) {
                struct geometry try = { by_size[s], (enum box_order)o, (enum box_unit)u };
                bool is_open = (!g->sizes || g->sizes == try.sizes) && (!g->order || g->order == try.order) &&
                               (!g->unit || g->unit == try.unit);
                if (!is_open || !(possible & bit(try.sizes, try.order, try.unit))) continue;
                *g = try;
                return 0;
            }
        }
    }
    geometry_print(*g, &wanted);
    err_set(e, ERR_INPUT, "boxes that do not fit (%s)", str_c(&wanted));
    str_release(&wanted);
    return -1;
}

void geometry_apply(float *boxes, int64_t n, struct geometry g, double width, double height)
{
    if (g.order == BOX_XYXY && g.unit == UNIT_PIXELS) return;
    for (int64_t i = 0; i < n; i++) {
        float *b = boxes + 4 * i, was[4];
        memcpy(was, b, sizeof was);
        if (g.order == BOX_YXYX) b[0] = was[1], b[1] = was[0], b[2] = was[3], b[3] = was[2];
        if (g.order == BOX_XYWH) b[2] = was[0] + was[2], b[3] = was[1] + was[3];
        for (int k = 0; k < 4 && g.unit == UNIT_FRACTION; k++) b[k] = (float)((double)b[k] * (k % 2 ? height : width));
    }
}
