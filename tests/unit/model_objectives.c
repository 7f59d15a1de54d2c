/* The samplers of the objectives: exact properties of every draw, and statistics over many. */
#include "model/cmcl.h"
#include "model/mlm.h"
#include "model/seq2seq.h"
#include "model/visual.h"
#include "tap.h"
#include "toy.h"

static struct arena arena;
static struct model_config c;

static void test_mlm(void)
{
    enum { N = 200, ROUNDS = 2000 };
    struct rng r;
    int64_t masks = 0, randoms = 0, kept = 0, chosen = 0, spans = 0, wrong_count = 0, broken_units = 0;

    rng_init(&r, 7, 1);
    c.vocab = 50265;
    c.mask_id = 50264;
    for (int round = 0; round < ROUNDS; round++) {
        arena_reset(&arena);
        struct batch_text text = toy_text(&arena, &c, &r, N);
        int32_t *tokens = arena_new(&arena, int32_t, N), *labels = arena_new(&arena, int32_t, N);
        memcpy(tokens, text.tokens, N * sizeof *tokens);
        int64_t got = mlm_mask(&r, &c, &mlm_defaults, N, tokens, text.units, labels), cuts = 0;
        wrong_count += got != 31; /* ceil(0.15 * 202) */
        for (int i = 0; i < N; i++) {
            bool is_chosen = labels[i] >= 0, follows = i && labels[i - 1] >= 0;
            if (!is_chosen && tokens[i] != text.tokens[i]) wrong_count++;
            if (is_chosen && labels[i] != text.tokens[i]) wrong_count++;
            if (i && text.units[i] == 1 && is_chosen != follows) cuts++;
            spans += is_chosen && !follows;
            chosen += is_chosen;
            if (!is_chosen) continue;
            if (tokens[i] == c.mask_id) masks++;
            else if (tokens[i] == labels[i]) kept++;
            else randoms++;
        }
        broken_units += cuts > 1;
    }
    is_int(wrong_count, 0, "mlm: 15 % of the tokens, rounded up, and the labels are the tokens that were there");
    is_int(broken_units, 0, "mlm: at most one unit is cut, where the budget ends");
    near((double)masks / (double)chosen, 0.8, 0.01, "mlm: 80 % become [MASK]");
    near((double)randoms / (double)chosen, 0.1, 0.01, "mlm: 10 % a random token");
    near((double)kept / (double)chosen, 0.1, 0.01, "mlm: 10 % stay");
    /* a span is 3.19 units of 1.5 tokens; the last of a text is cut by the budget, and spans can meet */
    double length = (double)chosen / (double)spans;
    ok(length > 3.6 && length < 5.2, "mlm: spans of several units (mean %.2f tokens)", length);
    int32_t one = 9, label;
    is_int(mlm_mask(&r, &c, &mlm_defaults, 1, &one, NULL, &label), 1, "mlm: a text of one token");
    is_int(mlm_mask(&r, &c, &mlm_defaults, 0, &one, NULL, &label), 0, "mlm: an empty text");
}

/* Span lengths in units, from texts so long that spans hardly ever meet and with a budget of one span. */
static void test_span_lengths(void)
{
    enum { N = 4000, ROUNDS = 3000 };
    struct mlm_opts o = { .ratio = 10.0 / (N + 2), .p = 0.2, .max_span = 10 };
    int32_t *tokens = mem_new(int32_t, N), *labels = mem_new(int32_t, N);
    int64_t first[11] = { 0 };
    struct rng r;

    rng_init(&r, 8, 1);
    for (int round = 0; round < ROUNDS; round++) {
        /* with a budget of 10 tokens in single-token units, a run of 10 is one span of 10 or spans that met */
        mlm_mask(&r, &c, &o, N, tokens, NULL, labels);
        for (int i = 0, run = 0; i <= N; i++) {
            if (i < N && labels[i] >= 0) run++;
            else if (run) {
                first[run > 10 ? 10 : run]++;
                run = 0;
            }
        }
        memset(tokens, 0, N * sizeof *tokens);
    }
    /* a run of 1 comes from l = 0 or 1 (or the budget's end): P = (0.2 + 0.16) / (1 - 0.8^11) = 0.394 */
    double ones = 0, all = 0;
    for (int i = 1; i <= 10; i++) all += (double)first[i];
    ones = (double)first[1] / all;
    ok(ones > 0.38 && ones < 0.48, "mlm: l = 0 counts as 1 (runs of one: %.3f)", ones);
    ok(first[2] > first[3] && first[3] > first[4], "mlm: short spans are the more frequent");
    free(tokens);
    free(labels);
}

/* Whether the rows are a possible split of the text. */
static bool split_holds(const struct batch_rows *x, const struct batch_text *text, int64_t *n_target)
{
    uint8_t seen[512] = { 0 };
    bool good = x->id[0] == c.cls_id && x->position[0] == 2 && x->id[x->prefix - 1] == c.sep_id &&
                x->position[x->prefix - 1] == text->n + 3;

    *n_target = 0;
    for (int64_t i = 1; i < x->n; i++) {
        bool in_target = i >= x->prefix;
        if (i == x->prefix - 1) continue;
        if (x->id[i] == c.cls_id)
            good = good && in_target && x->label[i] == x->id[i + 1] && x->position[i] == x->position[i + 1] - 1;
        else if (x->id[i] == c.sep_id) good = good && x->label[i] == -1 && x->position[i] == x->position[i - 1] + 1;
        else {
            int64_t at = x->position[i] - 3;
            good = good && at >= 0 && at < text->n && text->tokens[at] == x->id[i] && !seen[at]++;
            good = good && x->label[i] == (in_target ? x->id[i + 1] : -1);
            *n_target += in_target;
        }
    }
    for (int64_t i = 0; i < text->n; i++) good = good && seen[i];
    return good;
}

static void test_seq2seq(void)
{
    struct rng r;
    int64_t all = 0, target = 0, bad = 0, n_target, whole = 0;

    rng_init(&r, 9, 1);
    c.max_text = 512;
    c.positions = 514;
    for (int round = 0; round < 2000; round++) {
        arena_reset(&arena);
        int64_t n = 40 + rng_below(&r, 400);
        struct batch_text text = toy_text(&arena, &c, &r, n);
        struct batch_rows x = seq2seq_split(&arena, &r, &c, &seq2seq_defaults, &text);
        bad += !split_holds(&x, &text, &n_target);
        bad += n_target < (n + 3) / 4 || n_target > (n + 3) / 4 + 3;
        all += n;
        target += n_target;
    }
    is_int(bad, 0, "seq2seq: source and target share the text out, with its positions and the next tokens as labels");
    near((double)target / (double)all, 0.25, 0.02, "seq2seq: a quarter is target");
    for (int64_t n = 0; n < 13; n++) {
        struct batch_text text = toy_text(&arena, &c, &r, n);
        struct batch_rows x = seq2seq_split(&arena, &r, &c, &seq2seq_defaults, &text);
        whole += split_holds(&x, &text, &n_target) && n_target == n && x.prefix == 2;
    }
    is_int(whole, 13, "seq2seq: a short text is all target");
    struct seq2seq_opts two = seq2seq_defaults;
    two.two_granularities = true;
    all = target = bad = 0;
    for (int round = 0; round < 1000; round++) {
        arena_reset(&arena);
        struct batch_text text = toy_text(&arena, &c, &r, 300);
        struct batch_rows x = seq2seq_split(&arena, &r, &c, &two, &text);
        bad += !split_holds(&x, &text, &n_target);
        all += 300;
        target += n_target;
    }
    is_int(bad, 0, "seq2seq: so do two granularities");
    ok((double)target / (double)all > 0.2 && (double)target / (double)all < 0.35, "seq2seq: about a quarter (%.3f)",
       (double)target / (double)all);
}

static void test_visual(void)
{
    const float a[4] = { 0, 0, 10, 10 }, half[4] = { 5, 0, 15, 10 }, far[4] = { 20, 20, 30, 30 };
    const float boxes[12] = { 0, 0, 10, 10, 1, 0, 11, 10, 50, 50, 60, 60 };
    struct rng r;
    int64_t together = 0, alone = 0, none = 0, anchors = 0;

    near(visual_overlap(a, half), 1.0 / 3, 1e-12, "visual: intersection over union");
    near(visual_overlap(a, a), 1, 0, "visual: of a box with itself");
    near(visual_overlap(a, far), 0, 0, "visual: of two apart");
    rng_init(&r, 10, 1);
    for (int i = 0; i < 20000; i++) {
        uint8_t m[3];
        none += !visual_mask(&r, &visual_defaults, 3, boxes, m);
        together += m[0] == m[1];
        alone += m[2];
    }
    is_int(none, 0, "visual: at least one region is masked");
    is_int(together, 20000, "visual: regions that overlap are masked together");
    near((double)alone / 20000, 0.15 + 0.85 * 0.85 * 0.85 / 3, 0.01,
         "visual: an anchor with probability 0.15, or the only one");
    float apart[400];
    for (int i = 0; i < 100; i++)
        memcpy(apart + 4 * i, (const float[]){ (float)(20 * i), 0, (float)(20 * i + 10), 10 }, 16);
    for (int i = 0; i < 1000; i++) {
        uint8_t m[100];
        anchors += visual_mask(&r, &visual_defaults, 100, apart, m);
    }
    near((double)anchors / 1e5, 0.15, 0.005, "visual: 15 % of regions without overlap");
}

static void test_cmcl(void)
{
    struct rng r;
    int64_t picked[5], count[10] = { 0 };
    bool twice = false;

    rng_init(&r, 11, 1);
    for (int i = 0; i < 10000; i++) {
        int64_t n = cmcl_draw(&r, 10, 5, picked);
        for (int64_t k = 0; k < n; k++) {
            count[picked[k]]++;
            for (int64_t j = 0; j < k; j++) twice = twice || picked[j] == picked[k];
        }
    }
    ok(!twice, "cmcl: no example is drawn twice");
    for (int i = 0; i < 10; i += 9) near((double)count[i] / 1e4, 0.5, 0.03, "cmcl: each as often as the others");
    is_int(cmcl_draw(&r, 3, 5, picked), 3, "cmcl: all when there are fewer than wanted");
    is_int(cmcl_draw(&r, 0, 5, picked), 0, "cmcl: none when there are none");
}

int main(void)
{
    c = toy_config();
    test_mlm();
    test_span_lengths();
    test_seq2seq();
    test_visual();
    test_cmcl();
    arena_release(&arena);
    return done();
}
