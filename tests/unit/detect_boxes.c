/* Boxes: overlap, suppression against the definition, deltas and back, anchors against the published generator's. */
#include "core/mem.h"
#include "core/rng.h"
#include "detect/boxes.h"
#include "tap.h"

static void overlaps(void)
{
    struct box a = { 0, 0, 10, 10 };

    near(box_iou(a, a, 0), 1, 1e-6, "a box overlaps itself");
    near(box_iou(a, (struct box){ 5, 0, 15, 10 }, 0), 50.0 / 150, 1e-6, "half a box beside it");
    near(box_iou(a, (struct box){ 2, 3, 4, 8 }, 0), 10.0 / 100, 1e-6, "a box inside");
    near(box_iou(a, (struct box){ 10, 0, 20, 10 }, 0), 0, 0, "touching is no overlap");
    near(box_iou(a, (struct box){ 10, 0, 20, 10 }, 1), 11.0 / (121 + 121 - 11), 1e-6,
         "with +1 the shared pixel column counts");
    near(box_iou(a, (struct box){ 30, 30, 40, 40 }, 1), 0, 0, "far away");
    near(box_iou((struct box){ 3, 3, 3, 3 }, (struct box){ 3, 3, 3, 3 }, 0), 0, 0, "a point has no overlap");
    struct box c = box_clip((struct box){ -5, 3, 200, 99 }, 100, 50, 1);
    ok(c.x1 == 0 && c.y1 == 3 && c.x2 == 99 && c.y2 == 49, "clipping with +1 ends at the last pixel");
    c = box_clip((struct box){ NAN, 3, INFINITY, -9 }, 100, 50, 0);
    ok(c.x1 >= 0 && c.x2 == 100 && c.y2 == 0, "and makes anything finite");
}

/* The definition: i is kept when no kept j of a better place overlaps it more. */
static int64_t brute_force(bool *kept, const struct box *b, const int64_t *order, int64_t n, float threshold,
                           int64_t most, float extra)
{
    int64_t count = 0;

    for (int64_t i = 0; i < n; i++) kept[i] = false;
    for (int64_t p = 0; p < n; p++) {
        bool is_free = count < most;
        for (int64_t q = 0; q < p; q++)
            is_free = is_free && !(kept[order[q]] && box_iou(b[order[p]], b[order[q]], extra) > threshold);
        kept[order[p]] = is_free;
        count += is_free;
    }
    return count;
}

static void suppression(void)
{
    enum { N = 120 };
    struct box b[N];
    int64_t order[N], keep[N];
    float score[N];
    bool want[N];
    struct rng r;
    int bad = 0;

    rng_init(&r, 1, 1);
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < N; i++) {
            float x = (float)rng_below(&r, 60), y = (float)rng_below(&r, 60);
            b[i] = (struct box){ x, y, x + 5 + (float)rng_below(&r, 30), y + 5 + (float)rng_below(&r, 30) };
            score[i] = (float)rng_below(&r, 20) / 20; /* with ties */
        }
        float threshold = 0.2f + 0.15f * (float)(round % 4), extra = (float)(round % 2);
        int64_t most = round % 5 ? N : 7, n = order_by_score(order, score, N, 0);
        for (int i = 1; i < N; i++)
            bad += score[order[i]] > score[order[i - 1]] ||
                   (score[order[i]] == score[order[i - 1]] && order[i] < order[i - 1]);
        int64_t count = nms(keep, b, order, n, threshold, most, extra),
                wanted = brute_force(want, b, order, n, threshold, most, extra);
        bad += count != wanted;
        for (int64_t i = 0; i < count; i++) bad += !want[keep[i]] || (i && score[keep[i]] > score[keep[i - 1]]);
    }
    is_int(bad, 0, "suppression keeps what the definition keeps, best first, ties by index");
    float odd[] = { 1, NAN, 3, 2 };
    is_int(order_by_score(order, odd, 4, 3), 3, "only the best three are asked for");
    ok(order[0] == 2 && order[1] == 3 && order[2] == 0, "and a NaN is last");
}

static void deltas(void)
{
    struct rng r;
    double worst = 0;
    float d[4];

    rng_init(&r, 2, 1);
    for (int i = 0; i < 500; i++) {
        float at[8];
        for (int k = 0; k < 8; k++) at[k] = (float)(100 * rng_uniform(&r));
        struct box a = { at[0], at[1], at[0] + 3 + at[2], at[1] + 3 + at[3] },
                   t = { at[4], at[5], at[4] + 3 + at[6], at[5] + 3 + at[7] };
        for (int extra = 0; extra < 2; extra++) {
            box_encode(d, a, t, (float)extra);
            struct box back = box_decode(d, a, (float)extra);
            worst = fmax(worst, fabs((double)back.x1 - t.x1) + fabs((double)back.y1 - t.y1));
            worst = fmax(worst, fabs((double)back.x2 - t.x2 - extra) +
                                    fabs((double)back.y2 - t.y2 - extra)); /* the published code's own round trip */
        }
    }
    ok(worst < 1e-3, "encoding and decoding are inverse (worst %.2g pixels)", worst);
    box_encode(d, (struct box){ 0, 0, 10, 20 }, (struct box){ 10, 10, 30, 20 }, 0);
    near(d[0], 1.5, 1e-6, "dx is in widths");
    near(d[1], 0.25, 1e-6, "dy is in heights");
    near(d[2], log(2), 1e-6, "dw is a logarithm");
    near(d[3], log(0.5), 1e-6, "and dh");
    struct box huge = box_decode((float[]){ 0, 0, 1e30f, 50 }, (struct box){ 0, 0, 16, 16 }, 0);
    near(huge.x2 - huge.x1, 1000, 1e-3, "a size cannot overflow");
}

static void anchors(void)
{
    /* what generate_anchors() of py-faster-rcnn gives for ratios 0.5, 1, 2 and scales 8, 16, 32 */
    static const float published[9][4] = { { -84, -40, 99, 55 }, { -176, -88, 191, 103 },  { -360, -184, 375, 199 },
                                           { -56, -56, 71, 71 }, { -120, -120, 135, 135 }, { -248, -248, 263, 263 },
                                           { -36, -80, 51, 95 }, { -80, -168, 95, 183 },   { -168, -344, 183, 359 } };
    struct detect_config c = { .stem_stride = 2,
                               .pool_kernel = 3,
                               .pool_stride = 2,
                               .n_stages = 2,
                               .stages = { { .stride = 2 }, { .stride = 2 } },
                               .anchors_caffe = true,
                               .n_scales = 3,
                               .scales = { 128, 256, 512 },
                               .n_ratios = 3,
                               .ratios = { 0.5f, 1, 2 } };
    struct box b[2 * 3 * 9];
    int bad = 0;

    is_int(detect_stride(&c), 16, "sixteen input pixels a cell");
    is_int(detect_anchors(&c), 9, "nine anchors a cell");
    anchors_make(b, &c, 2, 3);
    for (int k = 0; k < 9; k++)
        bad += b[k].x1 != published[k][0] || b[k].y1 != published[k][1] || b[k].x2 != published[k][2] ||
               b[k].y2 != published[k][3];
    is_int(bad, 0, "they are the published ones");
    ok(b[(1 * 3 + 2) * 9].x1 == published[0][0] + 32 && b[(1 * 3 + 2) * 9].y1 == published[0][1] + 16,
       "row 1, column 2 is moved by 16 and 32 pixels");
    c.anchors_caffe = false;
    anchors_make(b, &c, 1, 1);
    struct box flat = b[0], square = b[4];
    near((flat.x2 - flat.x1) * (flat.y2 - flat.y1), 128 * 128, 1e-4, "exact anchors keep their area");
    near((flat.y2 - flat.y1) / (flat.x2 - flat.x1), 0.5, 1e-5, "ratios are height over width");
    ok(square.x1 == 8 - 128 && square.y2 == 8 + 128, "and their centre is the cell's");
}

int main(void)
{
    overlaps();
    suppression();
    deltas();
    anchors();
    return done();
}
