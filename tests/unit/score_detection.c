/* Average precision against cases worked out by hand. */
#include "score/detection.h"
#include "tap.h"

#define TRUTH(i, c, x)                                                                                                 \
    {                                                                                                                  \
        i, c, { x, 0, x + 10, 10 }, 0                                                                                  \
    }
#define FOUND(i, c, x, s)                                                                                              \
    {                                                                                                                  \
        i, c, { x, 0, x + 10, 10 }, s                                                                                  \
    }

int main(void)
{
    const struct scored_box truth[] = { TRUTH(0, 1, 0), TRUTH(0, 1, 100), TRUTH(1, 1, 0), TRUTH(1, 2, 50) };
    const struct scored_box right[] = { FOUND(0, 1, 0, 0.9f), FOUND(0, 1, 100, 0.8f), FOUND(1, 1, 0, 0.7f),
                                        FOUND(1, 2, 50, 0.1f) };
    near(detection_ap(right, 4, truth, 4, 4, 0.5), 1, 1e-12, "all found");
    near(detection_ap(right, 0, truth, 4, 4, 0.5), 0, 1e-12, "none found");
    near(detection_ap(right, 4, truth, 0, 4, 0.5), 0, 1e-12, "no truth");
    near(detection_ap(right, 3, truth, 4, 4, 0.5), 0.5, 1e-12,
         "one of two classes: classes without truth do not count, one never found does");

    /* of class 1: right 0.9, wrong 0.85, right 0.8, then one is missed: recall 1/3 at precision 1, 2/3 at 2/3 */
    const struct scored_box mixed[] = { FOUND(0, 1, 0, 0.9f), FOUND(0, 1, 200, 0.85f), FOUND(0, 1, 100, 0.8f) };
    near(detection_ap(mixed, 3, truth, 3, 4, 0.5), 1 / 3.0 + 1 / 3.0 * (2 / 3.0), 1e-12, "a wrong one in between");
    /* wrong 0.95, right, right: precision 0, 1/2, 2/3; its envelope is 2/3 from the start */
    const struct scored_box late[] = { FOUND(0, 1, 200, 0.95f), FOUND(0, 1, 0, 0.9f), FOUND(0, 1, 100, 0.8f) };
    near(detection_ap(late, 3, truth, 3, 4, 0.5), 2 / 3.0 * (2 / 3.0), 1e-12, "the envelope of precision");
    const struct scored_box twice[] = { FOUND(0, 1, 0, 0.9f), FOUND(0, 1, 1, 0.85f), FOUND(0, 1, 100, 0.8f),
                                        FOUND(1, 1, 0, 0.7f) };
    near(detection_ap(twice, 4, truth, 3, 4, 0.5), 1 / 3.0 + 2 / 3.0 * 0.75, 1e-12, "found twice: the second is wrong");
    const struct scored_box elsewhere[] = { FOUND(1, 1, 100, 0.9f), FOUND(0, 2, 100, 0.9f) };
    near(detection_ap(elsewhere, 2, truth, 3, 4, 0.5), 0, 1e-12, "another picture or class does not count");

    const struct scored_box shifted[] = { FOUND(0, 1, 2.5f, 0.9f) }; /* IoU 7.5 / 12.5 = 0.6 */
    near(detection_ap(shifted, 1, truth, 1, 4, 0.5), 1, 1e-12, "an IoU of 0.6 is enough for 0.5");
    near(detection_ap(shifted, 1, truth, 1, 4, 0.65), 0, 1e-12, "but not for 0.65");
    const struct scored_box half[] = { { 0, 1, { 0, 0, 10, 5 }, 1 } }; /* IoU exactly 0.5 */
    near(detection_ap(half, 1, truth, 1, 4, 0.5), 0, 1e-12, "the threshold itself is not above it");
    /* ties: in the order given */
    const struct scored_box tied[] = { FOUND(0, 1, 200, 0.5f), FOUND(0, 1, 0, 0.5f) };
    near(detection_ap(tied, 2, truth, 1, 4, 0.5), 0.5, 1e-12, "equal scores keep their order");
    return done();
}
