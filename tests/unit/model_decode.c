/* Beam search against the same search by brute force, without any cache: every row computed anew by the whole model. */
#include "model/decode.h"
#include "model/heads.h"
#include "model/repeat.h"
#include "tap.h"
#include "text/byte_symbols.h"
#include "toy.h"

static struct arena arena;
static struct model m;
static struct scratch s;
static struct batch_image images[3];
static struct batch_text sources[3];

/* Log probabilities of the next token after [CLS] tokens, with what decoding never says left out. */
static void next_log_probs(int input, const int32_t *tokens, int n, bool early, double *out)
{
    struct model_config *c = &m.config;
    struct err e = { 0 };
    struct batch b;

    batch_init(&b, c);
    batch_add_generation(&b, batch_add_image(&b, &images[input], NULL), input == 1 ? NULL : &sources[input],
                         &(struct batch_text){ n, tokens, NULL });
    float *hidden = mem_new(float, b.n_rows * c->hidden), *logits = mem_new(float, c->vocab);
    if (model_hidden(&m, &s, &b, hidden, &e)) printf("# %s\n", e.text);
    struct tensor x = scratch_upload(&s, tensor_2d(hidden + (b.n_rows - 2) * c->hidden, DT_F32, 1, c->hidden));
    struct tensor y = scratch_2d(&s, DT_F32, 1, c->vocab);
    head_lm_logits(&m, y, head_lm_transform(&m, &s, x), 0, (struct tensor){ 0 });
    op_download(m.device, logits, y.data, tensor_bytes(y));
    double sum = 0;
    for (int v = 0; v < c->vocab; v++) {
        bool never = v == c->cls_id || v == c->pad_id || v == c->unk_id || v == c->mask_id || (early && v == c->sep_id);
        out[v] = never ? -INFINITY : (double)logits[v];
        sum += exp(out[v]);
    }
    for (int v = 0; v < c->vocab; v++) out[v] -= log(sum);
    free(hidden);
    free(logits);
    batch_release(&b);
}

static int best_of(const double *p, int n)
{
    int best = 0;

    for (int i = 1; i < n; i++) {
        if (p[i] > p[best]) best = i;
    }
    return best;
}

static void decode(const struct decode_opts *o, struct decode_text out[3])
{
    struct err e = { 0 };
    struct batch b;

    batch_init(&b, &m.config);
    for (int i = 0; i < 3; i++) batch_add_pair(&b, batch_add_image(&b, &images[i], NULL), i == 1 ? NULL : &sources[i]);
    ok(!model_decode(&m, &s, &b, o, out, &e), "decoding %s", e.text);
    batch_release(&b);
}

static void test_greedy(void)
{
    struct decode_opts o = { .beam = 1, .min_length = 2, .max_length = 12, .length_penalty = 0.6f, .n_best = 1 };
    struct decode_text out[3];

    decode(&o, out);
    for (int input = 0; input < 3; input++) {
        double p[64], total = 0;
        int32_t tokens[16];
        int n = 0, token = -1;
        while (n < 12) {
            next_log_probs(input, tokens, n, n < 2, p);
            token = best_of(p, m.config.vocab);
            total += p[token];
            if (token == m.config.sep_id) break;
            tokens[n++] = token;
        }
        is_int(out[input].n, n, "a beam of one is greedy: length");
        ok(!memcmp(out[input].tokens, tokens, (size_t)n * sizeof *tokens), "and tokens");
        int said = n + (token == m.config.sep_id);
        near((double)out[input].score, total / pow((5.0 + said) / 6, 0.6), 1e-4, "and score");
    }
    decode_release(out, 3);
}

/* Of all texts of two symbols at most, the best: a beam as wide as the vocabulary finds it. */
static void test_exhaustive(void)
{
    struct decode_opts o = { .beam = 61, .min_length = 0, .max_length = 2, .length_penalty = 1 };
    struct decode_text out[3];

    decode(&o, out);
    for (int input = 0; input < 3; input++) {
        double p[64], q[64], best;
        int V = m.config.vocab;
        next_log_probs(input, NULL, 0, false, p);
        best = p[m.config.sep_id];
        for (int32_t v = 0; v < V; v++) {
            if (v == m.config.sep_id || p[v] == -INFINITY) continue;
            next_log_probs(input, &v, 1, false, q);
            for (int w = 0; w < V; w++) best = fmax(best, (p[v] + q[w]) / (7.0 / 6));
        }
        near((double)out[input].score, best, 1e-4, "a full beam finds the best of all");
    }
    decode_release(out, 3);
}

static void test_limits(void)
{
    struct decode_opts o = { .beam = 4, .n_best = 1, .min_length = 6, .max_length = 20 };
    struct decode_text out[3];
    bool is_short = false;

    decode(&o, out);
    for (int i = 0; i < 3; i++) is_short = is_short || out[i].n < 6 || out[i].n > 20;
    ok(!is_short, "lengths are kept");
    decode_release(out, 3);
}

static void test_n_best(void)
{
    struct decode_opts o = { .beam = 6, .n_best = 4, .max_length = 8, .length_penalty = 0.6f };
    struct decode_text many[12], one[3];
    bool is_sorted = true, is_first = true, differ = true;

    decode(&o, many);
    o.n_best = 1;
    decode(&o, one);
    for (int i = 0; i < 3; i++) {
        const struct decode_text *t = &many[4 * i];
        is_first = is_first && t->n == one[i].n && !memcmp(t->tokens, one[i].tokens, (size_t)t->n * 4);
        for (int k = 1; k < 4; k++) {
            is_sorted = is_sorted && t[k].tokens && t[k].score <= t[k - 1].score;
            differ = differ && (t[k].n != t[k - 1].n || memcmp(t[k].tokens, t[k - 1].tokens, (size_t)t[k].n * 4));
        }
    }
    ok(is_sorted && differ, "several texts, different ones, best first");
    ok(is_first, "of which the first is the one");
    decode_release(many, 12);
    decode_release(one, 3);
}

/* Log probability of a whole text, its end included. */
static double log_prob_of(int input, const int32_t *tokens, int n)
{
    double p[64], sum = 0;

    for (int k = 0; k <= n; k++) {
        next_log_probs(input, tokens, k, false, p);
        sum += p[k < n ? tokens[k] : m.config.sep_id];
    }
    return sum;
}

static void test_answers(void)
{
    static const int32_t texts[][3] = { { 10, 11, 12 }, { 10, 11, 0 }, { 10, 13, 0 }, { 20, 0, 0 }, { 21, 22, 23 } };
    static const int length[] = { 3, 2, 2, 1, 3 };
    struct answers only = { 0 };
    struct decode_opts o = { .beam = 5, .n_best = 5, .min_length = 4, .max_length = 9, .only = &only };
    struct decode_text out[15];

    for (int i = 0; i < 5; i++) answers_add(&only, texts[i], length[i]);
    decode(&o, out);
    for (int input = 0; input < 3; input++) {
        double best = -INFINITY;
        bool are_answers = true;
        for (int k = 0; k < 5; k++) {
            bool found = false;
            const struct decode_text *t = &out[5 * input + k];
            for (int i = 0; i < 5; i++)
                found = found || (t->n == length[i] && !memcmp(t->tokens, texts[i], (size_t)t->n * 4));
            are_answers = are_answers && found;
            best = fmax(best, log_prob_of(input, texts[k], length[k]));
        }
        ok(are_answers, "every text is one of the closed set");
        near((double)out[5 * input].score, best, 1e-4, "and the first is the likeliest of them");
    }
    decode_release(out, 15);
    answers_release(&only);
}

static void test_samples(void)
{
    const uint64_t keys[3] = { 7, 8, 9 };
    struct decode_opts o = { .beam = 4,
                             .n_best = 4,
                             .max_length = 8,
                             .is_sampled = true,
                             .sample = { .top_p = 0.9, .temperature = 1.5 },
                             .seed = 5,
                             .key = keys };
    struct decode_text all[12], again[12], one[4];
    struct batch b;
    struct err e = { 0 };
    bool same = true, vary = false, alone = true;

    decode(&o, all);
    decode(&o, again);
    batch_init(&b, &m.config);
    batch_add_pair(&b, batch_add_image(&b, &images[1], NULL), NULL);
    o.key = keys + 1;
    ok(!model_decode(&m, &s, &b, &o, one, &e), "alone");
    batch_release(&b);
    for (int i = 0; i < 12; i++) {
        same = same && all[i].n == again[i].n && !memcmp(all[i].tokens, again[i].tokens, (size_t)all[i].n * 4);
        vary =
            vary || (i && (all[i].n != all[i - 1].n || memcmp(all[i].tokens, all[i - 1].tokens, (size_t)all[i].n * 4)));
    }
    for (int k = 0; k < 4; k++)
        alone = alone && one[k].n == all[4 + k].n && !memcmp(one[k].tokens, all[4 + k].tokens, (size_t)one[k].n * 4);
    ok(same, "the same seed draws the same texts");
    ok(vary, "which differ from each other");
    ok(alone, "and do not depend on the other inputs");
    decode_release(all, 12);
    decode_release(again, 12);
    decode_release(one, 4);
    o = (struct decode_opts){ .beam = 1, .n_best = 1, .max_length = 8 };
    decode(&o, again);
    o.is_sampled = true;
    o.key = keys;
    o.sample = (struct sample_opts){ .top_k = 1, .top_p = 1, .temperature = 1 };
    decode(&o, all);
    same = true;
    for (int i = 0; i < 3; i++)
        same = same && all[i].n == again[i].n && !memcmp(all[i].tokens, again[i].tokens, (size_t)all[i].n * 4);
    ok(same, "the likeliest token alone is greedy");
    decode_release(all, 3);
    decode_release(again, 3);
}

/* 20,000 draws from four tokens. */
static void test_sample_token(void)
{
    const double p[4] = { 0.1, 0.4, 0.2, 0.3 };
    const struct {
        struct sample_opts o;
        double want[4];
        const char *what;
    } cases[] = { { { 0, 1, 1 }, { 0.1, 0.4, 0.2, 0.3 }, "all" },
                  { { 2, 1, 1 }, { 0, 4 / 7.0, 0, 3 / 7.0 }, "top 2" },
                  { { 0, 0.75, 1 }, { 0, 4 / 9.0, 2 / 9.0, 3 / 9.0 }, "top p" },
                  { { 0, 1, 0.5 }, { 1 / 30.0, 16 / 30.0, 4 / 30.0, 9 / 30.0 }, "temperature" } };
    float log_prob[4];
    struct rng r;

    rng_init(&r, 1, 1);
    for (int i = 0; i < 4; i++) log_prob[i] = (float)log(p[i]);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        int n[4] = { 0 };
        double worst = 0;
        for (int i = 0; i < 20000; i++) n[sample_token(&r, &cases[c].o, log_prob, 4)]++;
        for (int i = 0; i < 4; i++) {
            double off = fabs(n[i] / 20000.0 - cases[c].want[i]); /* fmax() here crashes gcc 12 for aarch64 */
            worst = off > worst ? off : worst;
        }
        ok(worst < 0.015, "shares of draws: %s (off by %.4f)", cases[c].what, worst);
    }
}

/* A vocabulary of bytes: each word here is a space and a letter. */
static struct bpe *byte_vocabulary(void)
{
    struct str text = { 0 };
    struct err e = { 0 };
    uint8_t order[256];

    byte_symbols_in_order(order);
    str_add(&text, "{\"<s>\":0");
    for (int i = 0; i < 256; i++) {
        str_add(&text, order[i] == '"' || order[i] == '\\' ? ",\"\\" : ",\"");
        byte_symbols_write((const char *)&order[i], 1, &text);
        str_addf(&text, "\":%d", i + 1);
    }
    str_add(&text, "}");
    struct bpe *b = bpe_parse(text.data, text.n, "", 0, &e);
    ok(b != NULL, "a vocabulary %s", e.text);
    str_release(&text);
    return b;
}

static void test_repeats(void)
{
    struct bpe *b = byte_vocabulary();
    const struct {
        const char *said, *next;
        bool repeats;
    } cases[] = { { "a b c d a b ", "c", true },     { "x a b c y a b ", "c", true },
                  { "x a b c y a b ", "d", false },  { "x a bc y a b", "c", false },
                  { "x a b cd y a b ", "c", false }, { "x a b c y a b c", "d", false },
                  { "x a b c y a b d", "c", false }, { "a b ", "c", false },
                  { "a a a ", "a", true },           { "", "a", false } };

    for (size_t i = 0; b && i < sizeof cases / sizeof *cases; i++) {
        struct encoding said = { 0 }, next = { 0 };
        bpe_encode(b, &said, cases[i].said, strlen(cases[i].said));
        bpe_encode(b, &next, cases[i].next, strlen(cases[i].next));
        ok(repeats_words(b, said.ids, (int)said.n, next.ids[0]) == cases[i].repeats, "\"%s\" and \"%s\"", cases[i].said,
           cases[i].next);
        encoding_release(&said);
        encoding_release(&next);
    }
    bpe_free(b);
}

int main(int argc, char **argv)
{
    struct err e = { 0 };
    struct model_config c = toy_config();
    struct device *d = device_open(argc > 1 ? argv[1] : "cpu", 1, &e);
    struct rng r;

    if (!d || model_open(&m, &c, d, DT_F32, false, &e)) return 1;
    params_init(&m.params, 12);
    scratch_init(&s, d);
    rng_init(&r, 3, 3);
    for (int i = 0; i < 3; i++) {
        images[i] = toy_image(&arena, &c, &r, 2 + i);
        sources[i] = toy_text(&arena, &c, &r, 3 + 2 * i);
    }
    test_greedy();
    test_exhaustive();
    test_limits();
    test_n_best();
    test_answers();
    test_samples();
    test_sample_token();
    test_repeats();
    scratch_release(&s);
    model_release(&m);
    device_close(d);
    arena_release(&arena);
    return done();
}
