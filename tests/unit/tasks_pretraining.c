/* What pre-training makes of a pair: which modality is masked, how often which objective, how many texts and images
 * enter a contrastive group. */
#include "stream/writer.h"
#include "tap.h"
#include "tasks/pretraining.h"
#include "toy.h"
#include <unistd.h>

enum { DRAWS = 100000, IMAGES = 6, REGIONS = 4 };
static char dir[] = "/tmp/unimo-pretraining.XXXXXX";
static struct model_config c;

static void add_tokens(struct value *fields, int first, int n)
{
    struct value *tokens = value_array(), *units = value_array();

    for (int i = 0; i < n; i++) {
        value_push(tokens, value_int(4 + (first + i) % 50));
        value_push(units, value_int(0));
    }
    value_set(fields, "tokens", tokens);
    value_set(fields, "units", units);
}

static void add_texts(struct value *fields, const char *name, int n)
{
    struct value *array = value_array();

    for (int i = 0; i < n; i++) {
        struct value *x = value_object();
        add_tokens(x, 10 + i, 5);
        value_push(array, x);
    }
    value_set(fields, name, array);
}

static void add_ids(struct value *fields, const char *name, const char *prefix, int n)
{
    struct value *array = value_array();

    for (int i = 0; i < n; i++) {
        char id[32];
        snprintf(id, sizeof id, "%s%d", prefix, i);
        value_push(array, value_str(id));
    }
    value_set(fields, name, array);
}

static struct record *new_record(const char *prefix, int i)
{
    struct record *r = record_new();
    char id[32];

    snprintf(id, sizeof id, "%s%d", prefix, i);
    value_set(r->fields, "id", value_str(id));
    return r;
}

static void put(struct writer *w, struct record *r)
{
    struct err e = { 0 };

    if (writer_put(w, r, &e)) printf("# %s\n", e.text);
    record_free(r);
}

static void make_images(void)
{
    struct err e = { 0 };
    struct writer *w = writer_open("images", NULL, &e);
    float features[REGIONS * 12] = { 1 }, probs[REGIONS * 7] = { 1 }, boxes[REGIONS * 4];

    for (int i = 0; i < REGIONS; i++) /* far apart: no region is masked because of another */
        memcpy(boxes + 4 * i, (const float[]){ (float)(20 * i), 0, (float)(20 * i + 10), 10 }, 16);
    for (int i = 0; i < IMAGES; i++) {
        struct record *r = new_record("image", i);
        value_set(r->fields, "width", value_int(100));
        value_set(r->fields, "height", value_int(50));
        record_set_tensor(r, "boxes", DT_F32, 2, (const int64_t[]){ REGIONS, 4 }, boxes);
        record_set_tensor(r, "features", DT_F32, 2, (const int64_t[]){ REGIONS, 12 }, features);
        record_set_tensor(r, "class_probs", DT_F32, 2, (const int64_t[]){ REGIONS, 7 }, probs);
        put(w, r);
    }
    writer_close(w, &e);
}

static void make_texts(void)
{
    struct err e = { 0 };
    struct writer *w = writer_open("texts", NULL, &e), *pairs = writer_open("pairs", NULL, &e);

    for (int i = 0; i < 5; i++) {
        struct record *r = new_record("text", i);
        add_tokens(r->fields, i, 6);
        put(w, r);
    }
    struct record *r = new_record("pair", 0);
    value_set(r->fields, "image", value_str("image0"));
    add_tokens(r->fields, 0, 20);
    add_texts(r->fields, "negatives", 12);
    add_texts(r->fields, "positives", 3);
    add_ids(r->fields, "related_texts", "text", 5);
    add_ids(r->fields, "related_images", "image", 4);
    put(pairs, r);
    writer_close(w, &e);
    writer_close(pairs, &e);
}

static struct pretraining_opts options(void)
{
    static const char *const pairs[] = { "pairs" }, *const images[] = { "images" }, *const texts[] = { "texts" };

    return (struct pretraining_opts){ .files = { { 1, pairs }, { 1, images }, { 1, texts } },
                                      .features = { 1, images },
                                      .share = { 1, 1, 1 },
                                      .weight = { 1, 1, 1, 1, 1 },
                                      .seq2seq_share = 0.3,
                                      .cmcl_share = 0.2,
                                      .mlm = mlm_defaults,
                                      .seq2seq = seq2seq_defaults,
                                      .visual = visual_defaults,
                                      .cmcl = { 2, 6, 3, 2, false } };
}

/* What a draw of the pair put into the batch. */
struct found {
    int64_t masked_text, masked_image, both, generated, groups, wrong_groups;
};

static bool is_right_group(const struct batch *b)
{
    int64_t positives = 0;

    for (int64_t i = 0; i < b->n_scores; i++) positives += b->positive[i];
    /* the pair, 2 rewritten, 3 related texts, 2 related images; 6 negatives; the image and the text alone; the masked
     * pass */
    return b->n_groups == 1 && positives == 1 + 2 + 3 + 2 && b->n_scores == positives + 6 &&
           b->n_sequences == 1 + (1 + 2 + 6) + 1 + 3 + 1 + 2 && b->n_images == 1 + 1 + 2;
}

static void draw_pairs(const struct pretraining_opts *o, int draws, struct found *f)
{
    struct arena arena = { 0 };
    struct err e = { 0 };
    struct task t;
    struct batch b;
    struct pretraining *p = pretraining_open(&t, o, &c, &e);

    if (!p || pretraining_complete(p, &c, &e)) {
        printf("# %s\n", e.text);
        exit(1);
    }
    *f = (struct found){ 0 };
    batch_init(&b, &c);
    for (int i = 0; i < draws; i++) {
        struct rng r;
        rng_init(&r, 3, (uint64_t)i);
        batch_clear(&b);
        if (t.add(t.arg, &b, PRETRAINING_PAIRS, 0, &r, &arena, &e)) break;
        arena_reset(&arena);
        bool text = b.lm[BATCH_MLM].n || b.lm[BATCH_SEQ2SEQ].n, image = b.n_masked > 0;
        f->masked_text += text;
        f->masked_image += image;
        f->both += text && image;
        f->generated += b.lm[BATCH_SEQ2SEQ].n > 0;
        f->groups += b.n_groups > 0;
        f->wrong_groups += b.n_groups && !is_right_group(&b);
    }
    if (e.code) printf("# %s\n", e.text);
    batch_release(&b);
    arena_release(&arena);
    pretraining_close(p);
}

int main(void)
{
    struct found f;

    if (!mkdtemp(dir) || chdir(dir)) return 1;
    c = toy_config();
    make_images();
    make_texts();
    struct pretraining_opts o = options();
    draw_pairs(&o, DRAWS, &f);
    is_int(f.masked_text + f.masked_image, DRAWS, "each pair is masked in one modality");
    is_int(f.both, 0, "and only one");
    near((double)f.masked_image / DRAWS, 0.5, 0.005, "each half of the time");
    near((double)f.generated / (double)f.masked_text, 0.3, 0.007, "texts are generated as often as asked for");
    near((double)f.groups / DRAWS, 0.2, 0.005, "so many pairs have a contrastive group");
    is_int(f.wrong_groups, 0, "of as many positives, negatives and related examples as asked for");
    o.mask_both = true;
    o.cmcl.positives = 10;
    draw_pairs(&o, 2000, &f);
    is_int(f.both, 2000, "both modalities in one pass");
    is_int(f.wrong_groups, f.groups, "when more positives are wanted than there are, all are taken");
    o.weight[LOSS_MLM] = o.weight[LOSS_MRC] = o.weight[LOSS_MRFR] = o.weight[LOSS_CMCL] = 0;
    draw_pairs(&o, 2000, &f);
    is_int(f.generated, 2000, "an objective with a weight of 0 is never drawn");
    is_int(f.groups + f.masked_image, 0, "nor are groups or masked regions");
    unlink("images");
    unlink("texts");
    unlink("pairs");
    rmdir(dir);
    model_config_release(&c);
    return done();
}
