/* What the two stages are taught, on cases worked out by hand, and what bounds the samples. */
#include "core/mem.h"
#include "detect/targets.h"
#include "tap.h"

enum { ANCHORS = 6, MANY = 400 };

static void first_stage(void)
{
    /* against one object [10,10,50,50]: the same; IoU 0.8; IoU 0.5; apart; far outside the picture; apart */
    const struct box anchors[ANCHORS] = { { 10, 10, 50, 50 }, { 10, 10, 50, 42 },     { 10, 10, 50, 30 },
                                          { 60, 60, 90, 90 }, { 200, 200, 300, 300 }, { 60, 10, 90, 40 } };
    const struct annotation object = { .box = { 10, 10, 50, 50 }, .class_of = 3 },
                            thin = { .box = { 60, 60, 63, 63 }, .class_of = 1 };
    int8_t label[ANCHORS];
    float delta[4 * ANCHORS] = { 0 };
    struct rng r;

    rng_init(&r, 1, 1);
    is_int(rpn_targets(label, delta, anchors, ANCHORS, &object, 1, 100, 100, 128, 0, &r), 4,
           "two objects and two of background are sampled");
    ok(label[0] == 1 && label[1] == 1, "an IoU of 0.7 or more is an object");
    ok(label[2] == -1, "one between 0.3 and 0.7 is neither");
    ok(label[3] == 0 && label[5] == 0, "one below 0.3 is background");
    ok(label[4] == -1, "unless it lies outside the picture");
    struct box back = box_decode(delta + 4, anchors[1], 0);
    ok(fabsf(back.y2 - 50) < 1e-3f && fabsf(back.x1 - 10) < 1e-3f, "the deltas lead to the object");
    is_int(rpn_targets(label, delta, anchors, ANCHORS, &thin, 1, 100, 100, 128, 0, &r), 5,
           "an object that no anchor fits");
    is_int(label[3], 1, "is taught to the anchor that fits it best, however badly");
    is_int(rpn_targets(label, delta, anchors, ANCHORS, NULL, 0, 100, 100, 128, 0, &r), 5,
           "without objects all inside are background");
    is_int(rpn_targets(label, delta, anchors, ANCHORS, &object, 1, 100, 100, 2, 0, &r), 2,
           "no more than wanted are sampled");
    int objects = 0;
    for (int i = 0; i < ANCHORS; i++) objects += label[i] == 1;
    is_int(objects, 1, "at most half of them objects");
}

static void second_stage(void)
{
    const struct annotation objects[2] = { { .box = { 10, 10, 50, 50 }, .class_of = 3 },
                                           { .box = { 60, 60, 90, 90 }, .class_of = 5 } };
    const struct box proposals[4] = { { 10, 10, 50, 35 }, { 10, 10, 50, 29 }, { 58, 60, 90, 90 }, { 0, 60, 30, 90 } };
    struct region_target t[32];
    struct rng r;
    int at = 0;

    rng_init(&r, 1, 1);
    is_int(region_targets(t, proposals, 4, objects, 2, 32, 0, &r), 6, "the true boxes join the proposals");
    ok(t[0].class_of == 3 && t[0].object == 0, "an IoU of 0.5 or more is the object's class");
    ok(t[1].class_of == 0 && t[1].object == -1 && t[3].class_of == 0, "one below is background");
    ok(t[2].class_of == 5 && t[2].object == 1, "the best object counts");
    ok(t[4].class_of == 3 && t[5].class_of == 5 && t[4].delta[0] == 0 && t[4].delta[3] == 0,
       "a true box is taught to stay");
    near(t[0].delta[3], log(40.0 / 25) / 0.2, 1e-5, "deltas are scaled by 0.1, 0.1, 0.2, 0.2");
    is_int(region_targets(t, proposals, 0, objects, 0, 32, 0, &r), 0, "nothing comes of nothing");

    struct box *many = mem_new(struct box, MANY);
    for (int i = 0; i < MANY; i++) many[i] = i % 2 ? objects[0].box : proposals[3];
    int n = region_targets(t, many, MANY, objects, 2, 32, 0, &r), positive = 0;
    for (; at < n; at++) positive += t[at].class_of > 0;
    ok(n == 32 && positive == 16, "of many, half are objects (%d of %d)", positive, n);
    free(many);
}

/* Each anchor must have the same chance to be sampled. */
static void fairness(void)
{
    struct box anchors[40];
    int8_t label[40];
    float delta[160];
    int taken[40] = { 0 }, least = 10000, most = 0;
    struct rng r;

    for (int i = 0; i < 40; i++) anchors[i] = (struct box){ (float)i, 0, (float)i + 10, 10 };
    for (int round = 0; round < 4000; round++) {
        rng_init(&r, 3, (uint64_t)round);
        rpn_targets(label, delta, anchors, 40, NULL, 0, 60, 20, 10, 0, &r);
        for (int i = 0; i < 40; i++) taken[i] += label[i] == 0;
    }
    for (int i = 0; i < 40; i++) {
        least = taken[i] < least ? taken[i] : least;
        most = taken[i] > most ? taken[i] : most;
    }
    ok(least > 870 && most < 1130, "each is sampled a quarter of the times (%d to %d of 4000)", least, most);
}

int main(void)
{
    first_stage();
    second_stage();
    fairness();
    return done();
}
