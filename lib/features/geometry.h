#ifndef FEATURES_GEOMETRY_H
#define FEATURES_GEOMETRY_H
#include "stream/record.h"

/* How a file writes boxes and sizes. Releases differ and rarely say so; AUTO is decided from the file's first pictures,
 * and every later one must fit what was decided. */
enum size_order { SIZE_AUTO, SIZE_WH, SIZE_HW };
enum box_order { BOX_AUTO, BOX_XYXY, BOX_XYWH, BOX_YXYX };
enum box_unit { UNIT_AUTO, UNIT_PIXELS, UNIT_FRACTION };
struct geometry {
    enum size_order sizes;
    enum box_order order;
    enum box_unit unit;
};
#define SIZE_NAMES "auto|wh|hw"
#define BOX_NAMES "auto|xyxy|xywh|yxyx"
#define UNIT_NAMES "auto|pixels|fraction"
int geometry_choice(const char *name, const char *names); /* place of a word in "a|b|c" */
void geometry_print(struct geometry g, struct str *out);

/* What n boxes of a picture leave possible: a mask over all combinations of the three. a, b: the two sizes as the file
 * gives them. Values beyond the border by up to one pixel are allowed (widths with +1). */
uint32_t geometry_possible(const float *boxes, int64_t n, double a, double b);
/* The preferred combination that the mask allows and g leaves open, or an error that says what the boxes contradict.
 * Preferred: fractions before pixels, which they also fit as, xyxy before the others, `sizes` as the form has them. */
int geometry_decide(struct geometry *g, uint32_t possible, enum size_order sizes, struct err *e);
bool geometry_allows(uint32_t possible, struct geometry g);
/* Turns boxes into x1, y1, x2, y2 in pixels, in place. */
void geometry_apply(float *boxes, int64_t n, struct geometry g, double width, double height);
#endif
