/* Which regions are kept: the rule of the bottom-up-attention release on cases worked out by hand. */
#include "detect/select.h"
#include "tap.h"
#include "toy_detector.h"

enum { N = 4, CLASSES = 3 };
/* Boxes 0 and 1 overlap by IoU 0.82, the others stand alone. Columns: background, class 1, class 2. */
static struct box proposals[N] = { { 0, 0, 100, 100 }, { 0, 0, 100, 82 }, { 200, 0, 260, 60 }, { 300, 300, 310, 310 } };
static struct box refined[N] = {
    { 0, 0, 100, 100 }, { 0, 200, 100, 300 }, { 200, 0, 260, 60 }, { 300, 300, 310, 310 }
};
static float probs[N * CLASSES] = { 0.1f, 0.6f, 0.3f, 0.1f, 0.5f, 0.4f, 0.7f, 0.25f, 0.05f, 0.95f, 0.03f, 0.02f };
static float attributes[N * 3] = { 0.9f, 0.04f, 0.06f, 0.2f, 0.5f, 0.3f, 0.2f, 0.3f, 0.5f, 0, 1, 0 };

static const struct detections seen = {
    .n = N, .proposals = proposals, .refined = refined, .probs = probs, .attribute_probs = attributes
};

static void expect(const struct detect_config *c, struct select_opts o, const char *order, const char *what)
{
    struct selection s;
    char got[32] = "";

    select_regions(&s, &seen, c, &o);
    for (int64_t i = 0; i < s.n && i < 20; i++) got[i] = (char)('0' + s.at[i]);
    is_str(got, order, what);
    selection_release(&s);
}

int main(void)
{
    struct detect_config c = { 0 };
    struct selection s;

    toy_names(&c, CLASSES, 3);
    select_regions(&s, &seen, &c, &(struct select_opts){ .min = 0, .max = 100, .threshold = 0, .nms = 0.3f });
    is_int(s.n, N, "without a threshold all are kept");
    /* class 1: 0 suppresses 1; class 2: 1 is better than 0 and suppresses it. So 1 has its confidence from class 2. */
    near(s.confidence[0], 0.6, 1e-6, "the surest has its class's probability");
    near(s.confidence[1], 0.4, 1e-6, "a box suppressed in one class has its confidence from another");
    ok(s.at[0] == 0 && s.at[1] == 1 && s.at[2] == 2 && s.at[3] == 3, "by falling confidence");
    is_int(s.class_of[1], 1, "its name is still that of its most likely class");
    is_int(s.class_of[3], 1, "the background is no name, however likely");
    ok(s.attribute_of[0] == 2 && s.attribute_of[1] == 1 && s.attribute_of[2] == 2 && s.attribute_of[3] == 1,
       "nor is none an attribute");
    selection_release(&s);

    expect(&c, (struct select_opts){ 0, 100, 0.2f, 0.3f, false }, "012", "those of at least 0.2 are kept");
    expect(&c, (struct select_opts){ 0, 100, 0.25f, 0.3f, false }, "012",
           "a confidence equal to the threshold is kept");
    expect(&c, (struct select_opts){ 4, 100, 0.2f, 0.3f, false }, "0123", "at least MIN, however unsure");
    expect(&c, (struct select_opts){ 10, 100, 0.2f, 0.3f, false }, "0123", "but not more than there are");
    expect(&c, (struct select_opts){ 0, 2, 0.2f, 0.3f, false }, "01", "at most MAX, the surest");
    expect(&c, (struct select_opts){ 2, 2, 0.9f, 0.3f, false }, "01", "a fixed number");
    expect(&c, (struct select_opts){ 0, 100, 0.99f, 0.3f, false }, "", "none may be left");
    expect(&c, (struct select_opts){ 0, 100, 0.45f, 0.3f, true }, "01",
           "refined boxes that do not meet both keep class 1");
    expect(&c, (struct select_opts){ 0, 100, 0.45f, 0.9f, false }, "01",
           "and so do proposals below the suppression's threshold");
    expect(&c, (struct select_opts){ 0, 100, 0.45f, 0.82f, false }, "01", "an IoU equal to it does not suppress");
    expect(&c, (struct select_opts){ 0, 100, 0.45f, 0.81f, false }, "0", "a larger one does");

    for (int i = 0; i < N; i++) probs[i * CLASSES + 1] = probs[i * CLASSES + 2] = 0.3f;
    expect(&c, (struct select_opts){ 0, 100, 0, 1, false }, "0123", "ties are in the order of the proposals");
    struct detections none = { 0 };
    select_regions(&s, &none, &c, &(struct select_opts){ .min = 10, .max = 100 });
    is_int(s.n, 0, "nothing comes of nothing");
    selection_release(&s);
    detect_config_release(&c);
    return done();
}
