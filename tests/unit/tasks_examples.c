/* What the downstream tasks make of a record: rows, positions, targets, scores; and what the paper set for each task.
 */
#include "core/file.h"
#include "tap.h"
#include "tasks/downstream.h"
#include "toy.h"
#include <string.h>
#include <unistd.h>

enum { IMAGES = 5, REGIONS = 2 };
static char dir[] = "/tmp/unimo-examples.XXXXXX";
static struct model_config c;
static struct arena arena;
static struct batch b;

static void make_images(void)
{
    struct err e = { 0 };
    struct writer *w = writer_open("images", NULL, &e);

    for (int i = 0; i < IMAGES; i++) {
        struct record *r = record_new();
        float features[REGIONS * 12] = { 0 }, boxes[REGIONS * 4] = { 0, 0, 10, 10, 10, 10, 20, 20 };
        char id[16];
        snprintf(id, sizeof id, "i%d", i);
        for (int k = 0; k < REGIONS * 12; k++) features[k] = (float)i;
        value_set(r->fields, "id", value_str(id));
        value_set(r->fields, "width", value_int(100));
        value_set(r->fields, "height", value_int(50));
        record_set_tensor(r, "boxes", DT_F32, 2, (const int64_t[]){ REGIONS, 4 }, boxes);
        record_set_tensor(r, "features", DT_F32, 2, (const int64_t[]){ REGIONS, 12 }, features);
        if (writer_give(w, r, &e)) printf("# %s\n", e.text);
    }
    writer_close(w, &e);
}

/* The example that a task makes of the first of these records. */
static bool made(const char *task, const char *records, int64_t negatives)
{
    static const char *const train[] = { "train.jsonl" }, *const images[] = { "images" };
    struct downstream d = { .config = &c, .o = { .max_source = -1, .max_target = -1, .negatives = negatives } };
    struct err e = { 0 };
    struct rng r;
    FILE *f = fopen(train[0], "w");

    fputs(records, f);
    fclose(f);
    rng_init(&r, 1, 2);
    batch_clear(&b);
    d.kind = downstream_find(task, &e);
    d.train = store_open(train, 1, 0, &e);
    d.images = store_open(images, 1, 0, &e);
    int rc = d.kind && d.train && d.images ? d.kind->add(&d, &b, 0, 0, &r, &arena, &e) : -1;
    if (rc) printf("# %s\n", e.text);
    store_close(d.train);
    store_close(d.images);
    return !rc;
}

static void are(const int32_t *got, int64_t n, const int32_t *want, int64_t n_want, const char *what)
{
    bool same = n == n_want && !memcmp(got, want, (size_t)n * sizeof *got);

    ok(same, "%s", what);
    for (int64_t i = 0; i < n && !same; i++) printf("# %d: %d\n", (int)i, (int)got[i]);
}
#define ARE(got, n, what, ...)                                                                                         \
    are(got, n, (const int32_t[]){ __VA_ARGS__ }, sizeof(const int32_t[]){ __VA_ARGS__ } / sizeof(int32_t), what)

enum { CLS = 0, SEP = 2, MASK = 60 };

static void test_dialog(void)
{
    c.has_dialog = c.ends_with_mask = true;
    ok(made("coqa",
            "{\"id\": \"x\", \"text\": \"\", \"tokens\": [10, 11], \"turns\": [\"\", \"\", \"\"], \"turns_tokens\": "
            "[[20], [30, 31], [40]], \"target\": \"\", \"target_tokens\": [50]}",
            0),
       "a dialog");
    ARE(b.id, b.n_text, "[CLS], document, turns, then what is said", CLS, 10, 11, SEP, 20, SEP, 30, 31, SEP, 40, SEP,
        CLS, 50, MASK);
    ARE(b.position, b.n_text, "each but the turns begins anew", 2, 3, 4, 5, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4);
    ARE(b.role, b.n_text, "speakers alternate, the document is the third", 1, 2, 2, 2, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0);
    ARE(b.turn, b.n_text, "turns count down to the question's", 3, 0, 0, 0, 3, 3, 2, 2, 2, 1, 1, 0, 0, 0);
    is_int(b.prefix[0], 11, "all of it is seen");
    c.has_dialog = false;
}

static void test_question(void)
{
    c.max_text = 12;
    ok(made(
           "squad-qg",
           "{\"id\": \"x\", \"text\": \"\", \"tokens\": [10, 11, 12, 13, 14, 15, 16, 17, 18, 19], \"text_pair\": \"\", "
           "\"text_pair_tokens\": [20, 21], \"target\": \"\", \"target_tokens\": [30, 31]}",
           0),
       "a passage and its answer");
    ARE(b.id, b.n_text, "the passage is cut, the answer is not", CLS, 10, 11, 12, 13, 14, 15, 16, SEP, 20, 21, SEP, CLS,
        30, 31, MASK);
    ARE(b.lm[BATCH_SEQ2SEQ].label, b.lm[BATCH_SEQ2SEQ].n, "the question is predicted", 30, 31, MASK);
    c.max_text = 36;
    c.ends_with_mask = false;
}

static void test_caption(void)
{
    ok(made("captioning",
            "{\"id\": \"x\", \"image\": \"i3\", \"tags\": \"\", \"tags_tokens\": [40, 41], \"text\": \"\", \"tokens\": "
            "[10, 11]}",
            0),
       "a caption");
    ARE(b.id, b.n_text, "tags before it, [SEP] behind it", 40, 41, CLS, 10, 11, SEP);
    ARE(b.position, b.n_text, "both count from the first position", 2, 3, 2, 3, 4, 5);
    is_int(b.prefix[0], 1 + REGIONS + 2, "the image and the tags are seen");
    near(b.feature[0], 3, 0, "the image is the one that it names");
}

static void test_answers(void)
{
    model_config_set_labels(&c, (const char *const[]){ "a", "b", "c", "d", "e" }, 5);
    ok(made("vqa",
            "{\"id\": \"x\", \"image\": \"i1\", \"text\": \"\", \"tokens\": [10], \"label\": \"d\", \"answers\": "
            "[\"a\", \"b\", \"b\", \"c\", \"c\", \"c\", \"d\", \"d\", \"d\", \"d\", \"other\"]}",
            0),
       "a question with answers");
    near(b.example_target[0], 0.3, 1e-6, "one of ten said so");
    near(b.example_target[1], 0.6, 1e-6, "two");
    near(b.example_target[2], 0.9, 1e-6, "three");
    near(b.example_target[3], 1, 0, "four");
    near(b.example_target[4], 0, 0, "nobody");
    model_config_set_labels(&c, NULL, 0);
}

/* Pairs of one image and one text each, in which the text says which image is its own. */
static const char pairs[] = "{\"id\": \"0\", \"image\": \"i0\", \"text\": \"\", \"tokens\": [10]}\n"
                            "{\"id\": \"1\", \"image\": \"i1\", \"text\": \"\", \"tokens\": [11]}\n"
                            "{\"id\": \"2\", \"image\": \"i2\", \"text\": \"\", \"tokens\": [12]}\n"
                            "{\"id\": \"3\", \"image\": \"i0\", \"text\": \"\", \"tokens\": [13]}\n";

/* Word and image of a score. */
static void scored(int64_t score, int *word, int *image)
{
    int32_t region = -1 - b.source[b.img_row[b.score_img[score]]], cls = b.cls_row[b.score_cls[score]];

    *word = b.id[b.source[cls] + 1];
    *image = (int)b.feature[region * 12];
}

/* Two groups of the pair and n wrong ones: of its text with other images, and of its image with others' texts. */
static bool are_right_groups(int64_t n)
{
    bool good = b.n_groups == 2 && b.n_scores == 2 * (n + 1);

    for (int64_t i = 0; i < b.n_scores && good; i++) {
        int word, image;
        bool is_pair = i % (n + 1) == 0, by_text = i <= n;
        scored(i, &word, &image);
        good = good && (b.positive[i] != 0) == is_pair;
        if (is_pair) good = good && word == 10 && image == 0;
        else good = good && (by_text ? word == 10 && image != 0 : image == 0 && (word == 11 || word == 12));
    }
    return good;
}

static void test_pairs(void)
{
    c.has_match_head = true;
    ok(made("retrieval", pairs, 4), "a pair to be found");
    ok(are_right_groups(4), "against other images with its text, and other images' texts with its own");
    is_int(b.n_sequences, 1 + 2 * 4, "in joint passes");
    ok(made("embed", pairs, 4), "a pair of vectors");
    ok(are_right_groups(4), "against the same");
    is_int(b.n_sequences, 2 * (1 + 4), "in passes of their own");
}

/* ---- what the paper set ---- */

struct setting {
    const char *task;
    int large; /* 0: base */
    double lr, epochs, decay, beta2, warmup, smoothing;
    int source, target, least, most, beam;
    double penalty, adv_lr, adv_norm;
    bool blocks;
};
static const struct setting paper[] = {
    { "cnndm", 0, 4e-5, 20, 0.01, 0.98, 0.06, 0.1, 512, 128, 20, 128, 5, 0.6, 0, 0, true },
    { "cnndm", 1, 2e-5, 20, 0.01, 0.98, 0.06, 0.1, 512, 128, 20, 128, 6, 1.2, 0, 0, true },
    { "gigaword", 0, 3e-5, 10, 0.01, 0.98, 0.06, 0.1, 128, 32, 5, 32, 5, 0.6, 0, 0, false },
    { "gigaword", 1, 3e-5, 10, 0.01, 0.98, 0.06, 0.1, 128, 32, 5, 32, 6, 1.2, 0, 0, false },
    { "squad-qg", 0, 1.25e-5, 20, 0.01, 0.98, 0.06, 0.1, 416, 96, 5, 48, 5, 1.0, 0, 0, false },
    { "squad-qg", 1, 5e-6, 20, 0.01, 0.98, 0.06, 0.1, 416, 96, 5, 48, 6, 1.2, 0, 0, false },
    { "coqa", 0, 1e-5, 20, 0.01, 0.98, 0.06, 0.1, 480, 32, 0, 30, 3, 0, 0, 0, false },
    { "coqa", 1, 8e-6, 20, 0.01, 0.98, 0.06, 0.1, 480, 32, 0, 30, 3, 0, 0, 0, false },
    { "captioning", 0, 7e-6, 20, 0.01, 0.98, 0.06, 0.1, 0, 50, 5, 50, 5, 0.6, 0.03, 0, false },
    { "captioning", 1, 7e-6, 10, 0.01, 0.98, 0.06, 0.1, 0, 50, 5, 50, 5, 0.6, 0.05, 0.4, false },
    { "entailment", 0, 1e-5, 10, 0, 0.999, 0.06, 0, 0, 0, 0, 0, 0, 0, 0.05, 0.4, false },
    { "entailment", 1, 1e-5, 10, 0, 0.999, 0.06, 0, 0, 0, 0, 0, 0, 0, 0.05, 0.4, false },
    { "retrieval", 0, 5e-6, 40, 0.1, 0.98, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, false },
    { "retrieval", 1, 5e-6, 40, 0.1, 0.98, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, false },
    { "sst2", 0, 2e-5, 10, 0, 0.98, 0.06, 0, 0, 0, 0, 0, 0, 0, 0, 0, false },
    { "mnli", 1, 2e-5, 10, 0, 0.98, 0.06, 0, 0, 0, 0, 0, 0, 0, 0, 0, false },
    { "cola", 0, 2e-5, 10, 0, 0.98, 0.06, 0, 0, 0, 0, 0, 0, 0, 0, 0, false },
    { "stsb", 1, 2e-5, 10, 0, 0.98, 0.06, 0, 0, 0, 0, 0, 0, 0, 0, 0, false },
};

static bool agrees(const struct setting *s)
{
    struct err e = { 0 };
    struct model_config size;
    const struct downstream_kind *k = downstream_find(s->task, &e);

    if (!k || model_config_named(&size, s->large ? "large" : "base", &e)) return false;
    const struct downstream_defaults *d = downstream_defaults(k, &size);
    bool adversarial = d->adv_lr == s->adv_lr && d->adv_max_norm == s->adv_norm && d->adv_steps == (s->adv_lr > 0) * 4;
    bool writes = d->max_source == s->source && d->max_target == s->target && d->min_length == s->least &&
                  d->max_length == s->most && d->beam == s->beam && d->length_penalty == s->penalty &&
                  d->block_trigrams == s->blocks && d->smoothing == s->smoothing;
    return adversarial && writes && d->lr == s->lr && d->epochs == s->epochs && d->weight_decay == s->decay &&
           d->beta2 == s->beta2 && d->warmup == s->warmup &&
           !strcmp(d->schedule, strcmp(s->task, "retrieval") ? "linear" : "steps");
}

static void test_settings(void)
{
    for (size_t i = 0; i < sizeof paper / sizeof *paper; i++)
        ok(agrees(&paper[i]), "%s, %s: as published", paper[i].task, paper[i].large ? "large" : "base");
}

int main(void)
{
    if (!mkdtemp(dir) || chdir(dir)) return 1;
    c = toy_config();
    batch_init(&b, &c);
    make_images();
    test_dialog();
    test_question();
    test_caption();
    test_answers();
    test_pairs();
    test_settings();
    batch_release(&b);
    model_config_release(&c);
    arena_release(&arena);
    unlink("train.jsonl");
    unlink("images");
    if (chdir("/") || rmdir(dir)) return 1;
    return done();
}
