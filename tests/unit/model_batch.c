/* The packed batch: layout, positions, locations, targets, contrastive groups. And the configuration on disk. */
#include "core/file.h"
#include "model/model.h"
#include "tap.h"
#include "toy.h"
#include <unistd.h>

static struct arena arena;
static struct rng rng;
static struct model_config c;
static struct batch b;

static void test_image(void)
{
    struct batch_image image = toy_image(&arena, &c, &rng, 3);
    uint8_t masked[3] = { 0, 1, 0 };
    int64_t F = c.features;

    batch_clear(&b);
    is_int(batch_add_image(&b, &image, NULL), 0, "the first image");
    is_int(batch_add_image(&b, &image, masked), 1, "the second image");
    is_int(batch_image_rows(&b, 1), 4, "has [IMG] and its regions");
    double mean = 0, rest = 0, zeros = 0;
    for (int i = 0; i < 3; i++) mean += image.features[i * F + 5] / 3;
    near(b.feature[5], mean, 1e-6, "[IMG] is the mean of the features");
    rest = (image.features[5] + image.features[2 * F + 5]) / 2;
    near(b.feature[4 * F + 5], rest, 1e-6, "over the regions that are not masked");
    for (int k = 0; k < F; k++) zeros += fabsf(b.feature[6 * F + k]);
    ok(zeros == 0, "a masked region's feature is zero");
    ok(!memcmp(b.location, (const float[]){ 0, 0, 1, 1, 1 }, 20), "[IMG] is everywhere");
    const float *box = image.boxes + 4, *at = b.location + 30;
    near(at[0], box[0] / 100, 1e-6, "a masked region keeps its place: x1 / W");
    near(at[3], box[3] / 50, 1e-6, "y2 / H");
    near(at[4], (box[2] - box[0]) * (box[3] - box[1]) / 5000, 1e-6, "and area");
    struct batch_image many = toy_image(&arena, &c, &rng, 9);
    is_int(batch_image_rows(&b, batch_add_image(&b, &many, NULL)), 7, "an image is cut to max_regions");
}

static void test_pair(void)
{
    struct batch_image image = toy_image(&arena, &c, &rng, 3);
    struct batch_text text = toy_text(&arena, &c, &rng, 5), longer = toy_text(&arena, &c, &rng, 50);

    batch_clear(&b);
    int64_t i = batch_add_image(&b, &image, NULL), s = batch_add_pair(&b, i, &text);
    is_int(batch_sequence_rows(&b, s), 4 + 7, "[IMG] regions [CLS] text [SEP]");
    is_int(b.prefix[s], 11, "and every row sees all of it");
    ok(b.source[0] == -1 && b.source[3] == -4 && b.source[4] == 0 && b.source[10] == 6, "image first, then text");
    ok(b.id[0] == c.cls_id && b.position[0] == 2 && b.id[6] == c.sep_id && b.position[6] == 8,
       "positions count from 2");
    ok(b.id[1] == text.tokens[0] && b.id[5] == text.tokens[4], "the tokens");
    int64_t t = batch_add_pair(&b, -1, &longer);
    is_int(batch_sequence_rows(&b, t), c.max_text, "a long text is cut to max_text");
    is_int(b.id[b.n_text - 1], c.sep_id, "and still ends in [SEP]");
    int64_t v = batch_add_pair(&b, i, NULL);
    is_int(batch_sequence_rows(&b, v), 4, "an image alone");
    is_int(b.n_regions, 4, "its regions are stored once");
    is_int(b.longest, c.max_text, "the longest sequence is known");
    int32_t cls = batch_pool_text(&b, s), img = batch_pool_image(&b, v);
    is_int(b.cls_row[cls], 4, "the row of [CLS]");
    is_int(b.img_row[img], b.start[v], "the row of [IMG]");
    int64_t two = batch_add_text_pair(&b, -1, &longer, &text);
    is_int(batch_sequence_rows(&b, two), c.max_text, "two texts are cut to fit");
    is_int(b.id[b.n_text - 2], text.tokens[4], "at the cost of the longer one");
}

static void test_generation(void)
{
    struct batch_image image = toy_image(&arena, &c, &rng, 2);
    struct batch_text text = toy_text(&arena, &c, &rng, 4);

    batch_clear(&b);
    batch_add_generation(&b, batch_add_image(&b, &image, NULL), NULL, &text);
    is_int(b.prefix[0], 3, "the caption sees the image");
    is_int(b.n_rows, 9, "[IMG] regions [CLS] caption [SEP]");
    is_int(b.lm[BATCH_SEQ2SEQ].n, 5, "every caption row but the last predicts");
    is_int(b.lm[BATCH_SEQ2SEQ].row[0], 3, "[CLS] predicts");
    is_int(b.lm[BATCH_SEQ2SEQ].label[0], text.tokens[0], "the first token");
    is_int(b.lm[BATCH_SEQ2SEQ].label[4], c.sep_id, "the last token predicts the end");
}

static bool counts_from(const int32_t *position, int from, int n)
{
    for (int i = 0; i < n; i++) {
        if (position[i] != from + i) return false;
    }
    return true;
}

/* What is seen, in pieces, and a target with and without room for its end symbol. */
static void test_parts(void)
{
    struct batch_text t[3];
    struct batch_part source[2] = { { .starts = true, .ends = true }, { .ends = true, .goes_on = true } }, tags = { 0 };

    for (int i = 0; i < 3; i++) t[i] = toy_text(&arena, &c, &rng, 3 + i);
    source[0].text = t[0];
    source[1].text = t[1];
    batch_clear(&b);
    batch_add_parts(&b, -1, source, 2, &t[2], 7);
    is_int(b.n_rows, 5 + 5 + 7, "[CLS] text [SEP] text [SEP], [CLS] target end");
    is_int(b.prefix[0], 10, "the target sees what was before it");
    ok(counts_from(b.position, 2, 10), "positions of what goes on go on");
    ok(counts_from(b.position + 10, 2, 7), "the target's begin anew, at its [CLS]");
    is_int(b.lm[BATCH_SEQ2SEQ].n, 6, "all of the target is predicted, and its end");
    is_int(b.id[16], batch_end_symbol(&c), "which is the last row");
    batch_clear(&b);
    batch_add_parts(&b, -1, source, 2, &t[2], 6);
    is_int(b.n_rows, 10 + 6, "a target without room for its end");
    is_int(b.lm[BATCH_SEQ2SEQ].n, 5, "is predicted without it");
    is_int(b.lm[BATCH_SEQ2SEQ].label[4], t[2].tokens[4], "to its last token");
    source[1].goes_on = false;
    tags.text = t[1];
    batch_clear(&b);
    batch_add_parts(&b, -1, source, 2, NULL, 0);
    ok(counts_from(b.position, 2, 5) && counts_from(b.position + 5, 3, 5),
       "positions of a new piece begin behind [CLS]'s");
    batch_clear(&b);
    batch_add_parts(&b, -1, &tags, 1, NULL, 0);
    ok(counts_from(b.position, 2, 4), "tags, which have no [CLS], begin in its place");
}

static void test_targets(void)
{
    struct batch_image image = toy_image(&arena, &c, &rng, 3);
    struct batch_text text = toy_text(&arena, &c, &rng, 3);
    uint8_t masked[3] = { 1, 0, 1 };
    int32_t labels[3] = { -1, 9, -1 };

    batch_clear(&b);
    int64_t s = batch_add_mlm(&b, batch_add_image(&b, &image, masked), &text, labels);
    batch_add_region_targets(&b, s, &image, masked);
    is_int(b.lm[BATCH_MLM].n, 1, "one masked token");
    is_int(b.lm[BATCH_MLM].row[0], 4 + 2, "at its row");
    is_int(b.n_masked, 2, "two masked regions");
    is_int(b.masked_row[1], 3, "at their rows");
    ok(!memcmp(b.masked_feature + c.features, image.features + 2 * c.features, 12 * 4),
       "with the features that they had");
    is_int(b.n_probs, 2, "and class probabilities");
    image.class_probs = NULL;
    batch_add_region_targets(&b, s, &image, masked);
    is_int(b.n_probs, 2, "an image without class probabilities has none");
}

static void test_cmcl(void)
{
    struct batch_image images[2] = { toy_image(&arena, &c, &rng, 3), toy_image(&arena, &c, &rng, 2) };
    struct batch_text texts[6];

    for (int i = 0; i < 6; i++) texts[i] = toy_text(&arena, &c, &rng, 2 + i);
    struct batch_cmcl x = { .image = images[0],
                            .text = texts[0],
                            .n_positives = 1,
                            .positives = texts + 1,
                            .n_negatives = 2,
                            .negatives = texts + 2,
                            .n_texts = 2,
                            .texts = texts + 4,
                            .n_images = 1,
                            .images = images + 1 };
    batch_clear(&b);
    batch_add_cmcl(&b, &x);
    is_int(b.n_sequences, 4 + 3 + 2, "joint ones; image and two texts alone; text and image alone");
    is_int(b.n_groups, 1, "one group");
    is_int(b.n_scores, 7, "a score for each");
    int positives = 0;
    for (int i = 0; i < 7; i++) positives += b.positive[i];
    is_int(positives, 5, "the negatives are negative");
    ok(!b.positive[5] && !b.positive[6], "in their places, after all positives");
    ok(b.score_img[2] == b.score_img[3] && b.score_cls[2] != b.score_cls[3], "retrieved texts meet the image alone");
    x.each = true;
    int64_t rows = b.n_rows;
    batch_clear(&b);
    batch_add_cmcl(&b, &x);
    is_int(b.n_groups, 5, "each positive can have a group of its own");
    is_int(b.n_scores, 5 * 3, "with all negatives");
    bool good = true;
    for (int g = 0; g < 5; g++)
        good = good && b.positive[3 * g] && !b.positive[3 * g + 1] && !b.positive[3 * g + 2] &&
               b.score_cls[3 * g + 1] == b.score_cls[1];
    ok(good, "the same ones");
    is_int(b.n_rows, rows, "at no more rows");
    x.each = false;
    x.n_texts = x.n_images = 0;
    batch_clear(&b);
    batch_add_cmcl(&b, &x);
    is_int(b.n_sequences, 4, "without retrieved ones there are no single passes");
}

/* Every kind of row, target and score; k varies the sizes. */
static void add_example(struct batch *to, int k, struct rng r)
{
    struct batch_image image = toy_image(&arena, &c, &r, 2 + k % 3), other = toy_image(&arena, &c, &r, 1 + k % 2);
    struct batch_text text = toy_text(&arena, &c, &r, 3 + k), wrong = toy_text(&arena, &c, &r, 2 + k);
    struct batch_cmcl group = { .image = image,
                                .text = text,
                                .n_negatives = 1,
                                .negatives = &wrong,
                                .n_images = 1,
                                .images = &other,
                                .each = k % 2 };
    uint8_t masked[6] = { 1, k % 2 };

    int64_t at = batch_add_image(to, &image, masked), s = batch_add_pair(to, at, &text);
    batch_add_region_targets(to, s, &image, masked);
    batch_add_generation(to, at, NULL, &wrong);
    batch_add_mlm(to, -1, &text, text.tokens);
    batch_add_cmcl(to, &group);
    batch_add_example(to, batch_pool_text(to, s), k % 2 ? -1 : batch_pool_image(to, s), k);
}

static bool same(const void *x, const void *y, int64_t n, size_t size)
{
    return !n || !memcmp(x, y, (size_t)n * size);
}

static bool same_rows(const struct batch *x, const struct batch *y)
{
    return x->n_rows == y->n_rows && x->n_text == y->n_text && x->n_regions == y->n_regions &&
           x->n_images == y->n_images && x->n_sequences == y->n_sequences && x->longest == y->longest &&
           same(x->id, y->id, x->n_text, 4) && same(x->position, y->position, x->n_text, 4) &&
           same(x->feature, y->feature, x->n_regions * c.features, 4) &&
           same(x->location, y->location, x->n_regions * 5, 4) && same(x->image, y->image, x->n_images + 1, 8) &&
           same(x->source, y->source, x->n_rows, 4) && same(x->start, y->start, x->n_sequences + 1, 4) &&
           same(x->prefix, y->prefix, x->n_sequences, 4);
}

static bool same_targets(const struct batch *x, const struct batch *y)
{
    bool good = x->n_masked == y->n_masked && x->n_probs == y->n_probs;

    for (int i = 0; i < BATCH_LM_KINDS; i++)
        good = good && x->lm[i].n == y->lm[i].n && same(x->lm[i].row, y->lm[i].row, x->lm[i].n, 4) &&
               same(x->lm[i].label, y->lm[i].label, x->lm[i].n, 4);
    return good && same(x->masked_row, y->masked_row, x->n_masked, 4) &&
           same(x->masked_feature, y->masked_feature, x->n_masked * c.features, 4) &&
           same(x->probs_row, y->probs_row, x->n_probs, 4) && same(x->probs, y->probs, x->n_probs * c.classes, 4);
}

static bool same_scores(const struct batch *x, const struct batch *y)
{
    return x->n_cls == y->n_cls && x->n_img == y->n_img && x->n_scores == y->n_scores && x->n_groups == y->n_groups &&
           x->n_examples == y->n_examples && same(x->cls_row, y->cls_row, x->n_cls, 4) &&
           same(x->img_row, y->img_row, x->n_img, 4) && same(x->score_cls, y->score_cls, x->n_scores, 4) &&
           same(x->score_img, y->score_img, x->n_scores, 4) && same(x->positive, y->positive, x->n_scores, 4) &&
           same(x->group, y->group, x->n_groups + 1, 4) && same(x->example_cls, y->example_cls, x->n_examples, 4) &&
           same(x->example_img, y->example_img, x->n_examples, 4) &&
           same(x->example_label, y->example_label, x->n_examples, 4);
}

static void test_append(void)
{
    struct batch apart, joined;

    batch_init(&apart, &c);
    batch_init(&joined, &c);
    batch_clear(&b);
    for (int k = 0; k < 5; k++) {
        struct rng r;
        rng_init(&r, 3, (uint64_t)k);
        add_example(&b, k, r);
        batch_clear(&apart);
        add_example(&apart, k, r);
        batch_append(&joined, &apart);
    }
    ok(same_rows(&b, &joined), "examples made apart and joined have the rows of examples made together");
    ok(same_targets(&b, &joined), "the targets too");
    ok(same_scores(&b, &joined), "and the scores and examples");
    batch_release(&apart);
    batch_release(&joined);
}

static void test_config(void)
{
    char dir[] = "/tmp/unimo-config.XXXXXX";
    struct err e = { 0 };
    struct model_config d = { 0 };
    struct str text = { 0 };

    if (!mkdtemp(dir)) return;
    char *path = path_join(dir, "config.json");
    model_config_set_labels(&c, (const char *const[]){ "yes", "no" }, 2);
    struct value *v = model_config_value(&c);
    value_print(v, &text);
    struct out *o = out_open(path, &e);
    out_write(o, text.data, text.n, &e);
    out_commit(o, &e);
    is_int(model_config_load(&d, path, &e), 0, "a written configuration is read");
    ok(d.hidden == c.hidden && d.mask_id == c.mask_id && d.init_std == c.init_std &&
           d.has_match_head == c.has_match_head && d.n_labels == 2 && !strcmp(d.labels[1], "no"),
       "and is the same");
    d.heads = 3;
    is_int(model_config_check(&d, &e), -1, "a hidden size that is no multiple of the heads is refused");
    is_str(e.text, "\"hidden_size\": 32 is no multiple of the 3 heads", "with a message");
    unlink(path);
    rmdir(dir);
    free(path);
    value_free(v);
    str_release(&text);
    model_config_release(&d);
}

static void test_sizes(void)
{
    struct model_config base, large;
    struct err e = { 0 };

    model_config_named(&base, "base", &e);
    model_config_named(&large, "large", &e);
    is_int(model_count(&base), 127457625, "parameters of base");
    is_int(model_count(&large), 359616601, "parameters of large");
    is_int(model_config_named(&base, "huge", &e), -1, "there is no other size of the paper");
}

int main(void)
{
    c = toy_config();
    rng_init(&rng, 1, 1);
    batch_init(&b, &c);
    test_image();
    test_pair();
    test_generation();
    test_parts();
    test_targets();
    test_cmcl();
    test_append();
    test_config();
    test_sizes();
    batch_release(&b);
    model_config_release(&c);
    arena_release(&arena);
    return done();
}
