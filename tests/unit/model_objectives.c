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
    enum { N = 200, ROUNDS = 4000 }; /* 124,000 tokens are chosen */
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

/* Special tokens within a text are never masked, even when nothing else is left. */
static void test_special_tokens(void)
{
    enum { N = 12 };
    static const int32_t units[N] = { -1, 0, 1, -1, 0, -1, -1, 0, 1, 1, 0, -1 }, none[2] = { -1, -1 };
    int64_t wrong = 0, all = 0;
    struct rng r;

    rng_init(&r, 15, 1);
    for (int round = 0; round < 1000; round++) {
        int32_t tokens[N], labels[N];
        for (int i = 0; i < N; i++) tokens[i] = 10 + i;
        all += mlm_mask(&r, &c, &(struct mlm_opts){ 0.9, 0.2, 10 }, N, tokens, units, labels) == 7;
        for (int i = 0; i < N; i++) wrong += units[i] < 0 && (labels[i] >= 0 || tokens[i] != 10 + i);
    }
    is_int(wrong, 0, "mlm: special tokens stay");
    is_int(all, 1000, "mlm: all of the others can be chosen");
    int32_t tokens[2] = { 5, 6 }, labels[2];
    is_int(mlm_mask(&r, &c, &mlm_defaults, 2, tokens, none, labels), 0, "mlm: a text of special tokens only");
}

/* The random tokens are drawn from all but [CLS], padding, [SEP] and unknown. */
static void test_random_tokens(void)
{
    enum { N = 30, ROUNDS = 20000, V = 24 };
    int64_t count[V] = { 0 }, draws = 0, special = 0;
    double off = 0;
    struct rng r;

    rng_init(&r, 13, 1);
    c.vocab = V;
    c.mask_id = V - 1;
    for (int round = 0; round < ROUNDS; round++) {
        int32_t tokens[N], labels[N];
        for (int i = 0; i < N; i++) tokens[i] = 4;
        mlm_mask(&r, &c, &mlm_defaults, N, tokens, NULL, labels);
        for (int i = 0; i < N; i++) {
            if (tokens[i] == 4 || tokens[i] == c.mask_id) continue;
            special += tokens[i] < 4;
            count[tokens[i]]++;
            draws++;
        }
    }
    for (int i = 5; i < V - 1; i++) off = fmax(off, fabs((double)count[i] / (double)draws * (V - 6) - 1));
    is_int(special, 0, "mlm: a random token is none of the first four");
    ok(off < 0.1, "mlm: and each other one as often (off by %.3f)", off);
}

/* Pearson's statistic of counts against their expectation, divided by the degrees of freedom: near 1 when they agree.
 */
static double chi_square(const int64_t *count, const double *p, int n, double draws)
{
    double sum = 0;

    for (int i = 0; i < n; i++) sum += pow((double)count[i] - p[i] * draws, 2) / (p[i] * draws);
    return sum / (n - 1);
}

static void test_span_lengths(void)
{
    enum { DRAWS = 100000 };
    int64_t count[10] = { 0 };
    double p[10], all = 1 - pow(0.8, 11);
    struct rng r;

    rng_init(&r, 8, 1);
    for (int i = 0; i < DRAWS; i++) count[mlm_span(&r, &mlm_defaults) - 1]++;
    for (int l = 1; l <= 10; l++) p[l - 1] = (0.2 * pow(0.8, l) + (l == 1 ? 0.2 : 0)) / all;
    ok(chi_square(count, p, 10, DRAWS) < 2.2, "mlm: span lengths are geometric, cut at 10, 0 counts as 1 (%.2f)",
       chi_square(count, p, 10, DRAWS));
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

/* Lengths of the fragments of a text so long that the last one, which the budget cuts, does not count. */
static void test_fragments(void)
{
    enum { N = 8000, ROUNDS = 1000, SHORTEST = 4, LENGTHS = 29 };
    int64_t count[LENGTHS] = { 0 }, draws = 0, wrong = 0;
    struct rng r;

    rng_init(&r, 12, 1);
    c.max_text = N + 2;
    c.positions = N + 4;
    for (int round = 0; round < ROUNDS; round++) {
        arena_reset(&arena);
        struct batch_text text = toy_text(&arena, &c, &r, N);
        struct batch_rows x = seq2seq_split(&arena, &r, &c, &seq2seq_defaults, &text);
        for (int64_t i = x.prefix, from = i; i < x.n; i++) {
            if (x.id[i] == c.cls_id) from = i;
            if (x.id[i] != c.sep_id) continue;
            int64_t l = i - from - 1;
            /* neighbours that touch stay two fragments, so nothing is longer */
            if (l < SHORTEST || l >= SHORTEST + LENGTHS) wrong++;
            else count[l - SHORTEST]++, draws++;
        }
    }
    /* long fragments find room a little less often, the budget's end shortens one in a hundred */
    is_int(wrong, 0, "seq2seq: fragments of 4 to 32 tokens");
    ok(draws > 100000, "seq2seq: %d fragments", (int)draws);
    double most = 0;
    for (int i = 0; i < LENGTHS; i++) most = fmax(most, fabs((double)count[i] / (double)draws * LENGTHS - 1));
    ok(most < 0.2, "seq2seq: all lengths nearly alike (off by %.3f at most)", most);
    c.max_text = 512;
    c.positions = 514;
}

/* Lengths of the pieces of long texts that are whole, in turns of source and target. */
static void test_pieces(void)
{
    enum { N = 4000, ROUNDS = 600, LONGEST = 97 };
    static const int range[2][4] = { { 3, 12, 12, 96 }, { 1, 4, 4, 32 } }; /* source, target: short, long */
    struct seq2seq_opts two = seq2seq_defaults;
    int64_t count[2][LONGEST] = { 0 }, draws[2] = { 0 }, first = 0, wrong = 0;
    struct rng r;

    two.two_granularities = true;
    rng_init(&r, 14, 1);
    c.max_text = N + 2;
    c.positions = N + 4;
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t in_target[N] = { 0 };
        arena_reset(&arena);
        struct batch_text text = toy_text(&arena, &c, &r, N);
        struct batch_rows x = seq2seq_split(&arena, &r, &c, &two, &text);
        for (int64_t i = x.prefix; i < x.n; i++) {
            if (x.id[i] != c.cls_id && x.id[i] != c.sep_id) in_target[x.position[i] - 3] = 1;
        }
        first += in_target[0];
        for (int64_t from = 0, i = 1; i < N; i++) {
            int kind = in_target[from];
            if (in_target[i] == kind) continue;
            if (i - from >= LONGEST) wrong++;
            else count[kind][i - from]++, draws[kind]++;
            from = i;
        }
    }
    for (int kind = 0; kind < 2; kind++) {
        double p[LONGEST] = { 0 };
        const int *l = range[kind];
        for (int i = l[0]; i <= l[1]; i++) p[i] += 0.4 / (l[1] - l[0] + 1);
        for (int i = l[2]; i <= l[3]; i++) p[i] += 0.6 / (l[3] - l[2] + 1);
        double fit = chi_square(count[kind] + l[0], p + l[0], l[3] - l[0] + 1, (double)draws[kind]);
        ok(fit < 1.6, "seq2seq: lengths of pieces of %s (%.2f)", kind ? "target" : "source", fit);
    }
    is_int(wrong, 0, "seq2seq: none is longer");
    near((double)first / ROUNDS, 0.5, 0.07, "seq2seq: half of the texts begin with target");
    c.max_text = 512;
    c.positions = 514;
}

static void test_overlap(void)
{
    const float a[4] = { 0, 0, 10, 10 }, half[4] = { 5, 0, 15, 10 }, far[4] = { 20, 20, 30, 30 };

    near(visual_overlap(a, half), 1.0 / 3, 1e-12, "visual: intersection over union");
    near(visual_overlap(a, a), 1, 0, "visual: of a box with itself");
    near(visual_overlap(a, far), 0, 0, "visual: of two apart");
}

/* Intersection over union of boxes with whole corners, counted cell by cell. */
static double counted_overlap(const float *a, const float *b)
{
    int both = 0, either = 0;

    for (int x = 0; x < 40; x++) {
        for (int y = 0; y < 40; y++) {
            bool in_a = x >= (int)a[0] && x < (int)a[2] && y >= (int)a[1] && y < (int)a[3];
            bool in_b = x >= (int)b[0] && x < (int)b[2] && y >= (int)b[1] && y < (int)b[3];
            both += in_a && in_b;
            either += in_a || in_b;
        }
    }
    return either ? (double)both / either : 0;
}

/* How often a region is masked, from the rule: it or one that overlaps it is an anchor, with probability 0.15 each;
 * when there is none at all, one of the n regions is drawn. */
static double expected_share(int overlapping, int n)
{
    return 1 - pow(0.85, overlapping) + pow(0.85, n) * overlapping / n;
}

static void test_visual(void)
{
    enum { N = 12, DRAWS = 100000 };
    float boxes[4 * N];
    int64_t count[N] = { 0 }, none = 0;
    int overlapping[N] = { 0 }, most = 0;
    double off = 0;
    struct rng r;

    rng_init(&r, 10, 1);
    for (int i = 0; i < N; i++) {
        int x = (int)rng_below(&r, 20), y = (int)rng_below(&r, 20);
        const float box[4] = { (float)x, (float)y, (float)(x + 8 + rng_below(&r, 12)),
                               (float)(y + 8 + rng_below(&r, 12)) };
        memcpy(boxes + 4 * i, box, sizeof box);
    }
    for (int i = 0; i < N; i++) {
        for (int k = 0; k < N; k++) overlapping[i] += counted_overlap(boxes + 4 * i, boxes + 4 * k) > 0.3;
        most = overlapping[i] > most ? overlapping[i] : most;
    }
    for (int d = 0; d < DRAWS; d++) {
        uint8_t m[N];
        none += !visual_mask(&r, &visual_defaults, N, boxes, m);
        for (int i = 0; i < N; i++) count[i] += m[i];
    }
    for (int i = 0; i < N; i++) off = fmax(off, fabs((double)count[i] / DRAWS - expected_share(overlapping[i], N)));
    is_int(none, 0, "visual: at least one region is masked");
    ok(most > 3, "visual: some of the boxes overlap (%d at most)", most);
    ok(off < 0.006, "visual: each is masked as often as it or what overlaps it is an anchor (off by %.4f)", off);
}

static void test_cmcl(void)
{
    struct rng r;
    enum { DRAWS = 100000 };
    int64_t picked[5], count[10] = { 0 };
    double off = 0;
    bool twice = false;

    rng_init(&r, 11, 1);
    for (int i = 0; i < DRAWS; i++) {
        int64_t n = cmcl_draw(&r, 10, 5, picked);
        for (int64_t k = 0; k < n; k++) {
            count[picked[k]]++;
            for (int64_t j = 0; j < k; j++) twice = twice || picked[j] == picked[k];
        }
    }
    ok(!twice, "cmcl: no example is drawn twice");
    for (int i = 0; i < 10; i++) off = fmax(off, fabs((double)count[i] / DRAWS - 0.5));
    ok(off < 0.005, "cmcl: each as often as the others (off by %.4f)", off);
    is_int(cmcl_draw(&r, 3, 5, picked), 3, "cmcl: all when there are fewer than wanted");
    is_int(cmcl_draw(&r, 0, 5, picked), 0, "cmcl: none when there are none");
}

int main(void)
{
    c = toy_config();
    test_mlm();
    test_special_tokens();
    test_random_tokens();
    test_span_lengths();
    test_seq2seq();
    test_fragments();
    test_pieces();
    test_overlap();
    test_visual();
    test_cmcl();
    arena_release(&arena);
    return done();
}
