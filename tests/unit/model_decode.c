/* Beam search against the same search by brute force, without any cache: every row computed anew by the whole model. */
#include "model/decode.h"
#include "model/heads.h"
#include "tap.h"
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
    head_lm_logits(&m, &s, y, x, (struct tensor){ 0 });
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
    struct decode_opts o = { .beam = 1, .min_length = 2, .max_length = 12, .length_penalty = 0.6f };
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
    struct decode_opts o = { .beam = 4, .min_length = 6, .max_length = 20, .block_trigrams = true };
    struct decode_text out[3], plain[3];
    bool repeats = false, repeated = false, is_short = false;
    float *bias = params_f32(&m.params, m.lm_bias).data;

    for (int i = 10; i < 14; i++) bias[i] = 30; /* little else is said */
    decode(&o, out);
    o.block_trigrams = false;
    decode(&o, plain);
    for (int i = 0; i < 3; i++) {
        is_short = is_short || out[i].n < 6 || out[i].n > 20;
        for (int64_t a = 0; a + 2 < out[i].n; a++) {
            for (int64_t b = a + 1; b + 2 < out[i].n; b++)
                repeats = repeats || !memcmp(out[i].tokens + a, out[i].tokens + b, 12);
        }
        for (int64_t a = 0; a + 2 < plain[i].n; a++) {
            for (int64_t b = a + 1; b + 2 < plain[i].n; b++)
                repeated = repeated || !memcmp(plain[i].tokens + a, plain[i].tokens + b, 12);
        }
    }
    ok(!is_short, "lengths are kept");
    ok(repeated, "(this model repeats itself)");
    ok(!repeats, "unless trigrams are blocked");
    decode_release(out, 3);
    decode_release(plain, 3);
}

int main(void)
{
    struct err e = { 0 };
    struct model_config c = toy_config();
    struct device *d = device_open("cpu", 1, &e);
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
    scratch_release(&s);
    model_release(&m);
    device_close(d);
    arena_release(&arena);
    return done();
}
