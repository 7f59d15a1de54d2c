/* Beam search. The inputs are encoded once, and their keys and values kept; each step adds one row for each live
 * hypothesis to the same caches. A hypothesis is a list of cache rows, so that nothing is copied when beams are
 * reordered. As in the published code: each live hypothesis proposes its `beam` best tokens; the score of a candidate
 * of n tokens is log p / ((5 + n) / 6)^alpha; finished ones stay in the pool with their score; the search for an input
 * ends when the pool holds nothing but finished ones. */
#include "model/decode.h"
#include "core/mem.h"
#include "model/heads.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct decode_opts decode_defaults = { .beam = 5, .min_length = 5, .max_length = 50, .length_penalty = 0.6f };

struct hypothesis {
    int32_t *tokens, *slots; /* [max_length + 1]: [CLS] and what follows; the cache row of each */
    int n;                   /* tokens, [CLS] included */
    double log_prob, score;
    bool is_finished;
};
struct search {
    struct model *m;
    struct scratch *s;
    const struct batch *b;
    const struct decode_opts *o;
    int max_length, k;              /* k: proposals of a hypothesis */
    int64_t n_prefix, slots_used;   /* cache rows */
    struct tensor *key, *value;     /* [layers] of [cache rows, H] */
    struct tensor bias, bias_early; /* output bias without, and until min_length also without [SEP] */
    struct hypothesis *pool, *next; /* [n_sequences, beam] */
    int *n_pool;                    /* [n_sequences] */
    int64_t n_live;
    int64_t *live;         /* [n_live] indices into pool */
    float *proposed_value; /* [n_live, k] */
    int32_t *proposed_token;
};

/* ---- the device's part ---- */

static const struct step_opts no_training;

/* Runs the inputs through the encoder for their keys and values; the last layer needs no more than those. */
static void encode_inputs(struct search *x)
{
    struct model *m = x->m;
    struct packed p;
    struct encoder_saved saved;
    int64_t T = x->n_prefix, H = m->config.hidden;

    packed_upload(&p, x->s, x->b);
    int32_t *rows = mem_new(int32_t, T + 1);
    for (int64_t i = 0; i < T; i++) rows[i] = (int32_t)i;
    struct tensor slot = scratch_upload(x->s, tensor_1d(rows, DT_I32, T)),
                  h = encoder_embed(m, x->s, &p, &no_training, &saved);
    free(rows);
    for (int l = 0; l < m->config.layers; l++) {
        struct transformer_opts o = encoder_opts(m, &no_training, l);
        struct transformer_saved kept;
        int64_t mark = scratch_mark(x->s);
        struct tensor qkv = scratch_2d(x->s, h.dtype, T, 3 * H), context = scratch_2d(x->s, h.dtype, T, H);
        struct tensor lse = scratch_2d(x->s, DT_F32, T, o.heads);
        transformer_qkv(&m->params, &m->layer[l], qkv, h);
        op_cache_rows(m->device, x->key[l], x->value[l], qkv, slot);
        if (l + 1 == m->config.layers) break;
        op_attention_forward(m->device, context, lse, qkv, p.sequences, o.heads, transformer_scale(H, o.heads),
                             (struct dropout){ 0 });
        transformer_after(&m->params, &m->layer[l], &o, x->s, h, h, context, &kept);
        scratch_back_to(x->s, mark);
    }
}

/* One row for each live hypothesis: tables of what it sees, as the host arranged them. */
struct step_input {
    struct tensor id, position, slot, slots, lengths;
};

static struct tensor step_forward(struct search *x, const struct step_input *in)
{
    struct model *m = x->m;
    int64_t B = in->id.n, H = m->config.hidden;
    enum dtype t = m->params.compute;
    struct tensor h = scratch_2d(x->s, t, B, H);

    encoder_embed_text(m, h, scratch_2d(x->s, DT_F32, B, H), scratch_2d(x->s, DT_F32, B, 2), in->id, in->position);
    for (int l = 0; l < m->config.layers; l++) {
        struct transformer_opts o = encoder_opts(m, &no_training, l);
        struct transformer_saved kept;
        int64_t mark = scratch_mark(x->s);
        struct tensor qkv = scratch_2d(x->s, t, B, 3 * H), context = scratch_2d(x->s, t, B, H);
        transformer_qkv(&m->params, &m->layer[l], qkv, h);
        op_cache_rows(m->device, x->key[l], x->value[l], qkv, in->slot);
        op_attention_cached(m->device, context, qkv, x->key[l], x->value[l], in->slots, in->lengths, o.heads,
                            transformer_scale(H, o.heads));
        transformer_after(&m->params, &m->layer[l], &o, x->s, h, h, context, &kept);
        scratch_back_to(x->s, mark);
    }
    return h;
}

static void propose(struct search *x, struct tensor h, int length)
{
    struct model *m = x->m;
    int64_t B = h.shape[0], V = m->config.vocab;
    struct tensor logits = scratch_2d(x->s, DT_F32, B, V), log_prob = scratch_2d(x->s, DT_F32, B, V);
    struct tensor value = scratch_2d(x->s, DT_F32, B, x->k), token = scratch_2d(x->s, DT_I32, B, x->k);

    head_lm_logits(m, x->s, logits, h, length < x->o->min_length ? x->bias_early : x->bias);
    op_log_softmax(m->device, log_prob, logits);
    op_top_k(m->device, value, token, log_prob);
    op_download(m->device, x->proposed_value, value.data, tensor_bytes(value));
    op_download(m->device, x->proposed_token, token.data, tensor_bytes(token));
}

/* ---- the host's part ---- */

static int64_t prefix_rows(const struct search *x, int64_t sequence)
{
    return x->b->start[sequence + 1] - x->b->start[sequence];
}

static struct step_input step_input(struct search *x)
{
    int64_t B = x->n_live, L = x->b->longest + x->pool[x->live[0]].n;
    int32_t *all = mem_new(int32_t, B * (4 + L));
    int32_t *id = all, *position = all + B, *slot = all + 2 * B, *lengths = all + 3 * B, *slots = all + 4 * B;

    for (int64_t i = 0; i < B; i++) {
        struct hypothesis *h = &x->pool[x->live[i]];
        int64_t sequence = x->live[i] / x->o->beam, n = prefix_rows(x, sequence);
        id[i] = h->tokens[h->n - 1];
        position[i] = 2 + h->n - 1;
        slot[i] = h->slots[h->n - 1] = (int32_t)x->slots_used++;
        lengths[i] = (int32_t)(n + h->n);
        for (int64_t k = 0; k < n; k++) slots[i * L + k] = x->b->start[sequence] + (int32_t)k;
        memcpy(slots + i * L + n, h->slots, (size_t)h->n * sizeof *slots);
    }
    struct tensor dev = scratch_upload(x->s, tensor_1d(all, DT_I32, B * (4 + L)));
    struct step_input in = { .id = tensor_rows(dev, 0, B),
                             .position = tensor_rows(dev, B, B),
                             .slot = tensor_rows(dev, 2 * B, B),
                             .lengths = tensor_rows(dev, 3 * B, B),
                             .slots = tensor_view2(tensor_rows(dev, 4 * B, B * L), B, L) };
    free(all);
    return in;
}

struct candidate {
    double log_prob, score;
    int64_t from;  /* hypothesis in the pool */
    int32_t token; /* -1: a finished one as it is */
};

static double normalised(const struct search *x, double log_prob, int n)
{
    return log_prob / pow((5.0 + n) / 6.0, x->o->length_penalty);
}

/* Whether the token would end a trigram that the hypothesis has already. */
static bool repeats_trigram(const struct hypothesis *h, int32_t token)
{
    const int32_t *t = h->tokens;

    for (int i = 1; i + 2 < h->n; i++) {
        if (t[i] == t[h->n - 2] && t[i + 1] == t[h->n - 1] && t[i + 2] == token) return true;
    }
    return false;
}

static int better_first(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;

    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return (x->token > y->token) - (x->token < y->token);
}

static void copy_hypothesis(struct hypothesis *to, const struct hypothesis *from)
{
    int32_t *tokens = to->tokens, *slots = to->slots;

    memcpy(tokens, from->tokens, (size_t)from->n * sizeof *tokens);
    memcpy(slots, from->slots, (size_t)from->n * sizeof *slots);
    *to = *from;
    to->tokens = tokens;
    to->slots = slots;
}

static void extend(const struct search *x, struct hypothesis *to, const struct candidate *c)
{
    copy_hypothesis(to, &x->pool[c->from]);
    if (c->token < 0) return;
    to->log_prob = c->log_prob;
    to->score = c->score;
    to->is_finished = c->token == x->m->config.sep_id;
    to->tokens[to->n++] = c->token;
}

/* The next pool of one input. first: index of its first live hypothesis. */
static int64_t choose(struct search *x, int64_t sequence, int64_t live, struct candidate *c)
{
    int64_t beam = x->o->beam, n = 0;

    for (int64_t i = sequence * beam; i < sequence * beam + x->n_pool[sequence]; i++) {
        const struct hypothesis *h = &x->pool[i];
        if (h->is_finished) c[n++] = (struct candidate){ h->log_prob, h->score, i, -1 };
        for (int k = 0; !h->is_finished && k < x->k; k++) {
            int32_t token = x->proposed_token[live * x->k + k];
            double log_prob = h->log_prob + (double)x->proposed_value[live * x->k + k];
            if (x->o->block_trigrams && repeats_trigram(h, token)) log_prob -= 65000;
            c[n++] = (struct candidate){ log_prob, normalised(x, log_prob, h->n), i, token };
        }
        live += !h->is_finished;
    }
    qsort(c, (size_t)n, sizeof *c, better_first);
    if (n > beam) n = beam;
    for (int64_t i = 0; i < n; i++) extend(x, &x->next[sequence * beam + i], &c[i]);
    x->n_pool[sequence] = (int)n;
    return live;
}

static void choose_all(struct search *x)
{
    int64_t live = 0, beam = x->o->beam;
    struct candidate *c = mem_new(struct candidate, beam * x->k + beam);

    for (int64_t i = 0; i < x->b->n_sequences; i++) live = choose(x, i, live, c);
    free(c);
    struct hypothesis *old = x->pool;
    x->pool = x->next;
    x->next = old;
    x->n_live = 0;
    for (int64_t i = 0; i < x->b->n_sequences; i++) {
        for (int64_t k = i * beam; k < i * beam + x->n_pool[i]; k++) {
            if (!x->pool[k].is_finished) x->live[x->n_live++] = k;
        }
    }
}

/* ---- the search ---- */

static struct hypothesis *hypotheses_new(int64_t n, int length)
{
    struct hypothesis *h = mem_new(struct hypothesis, n);

    for (int64_t i = 0; i < n; i++) {
        h[i].tokens = mem_new(int32_t, length);
        h[i].slots = mem_new(int32_t, length);
    }
    return h;
}

static void hypotheses_free(struct hypothesis *h, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        free(h[i].tokens);
        free(h[i].slots);
    }
    free(h);
}

/* [CLS], padding, unknown and mask are never said. */
static void make_biases(struct search *x)
{
    const struct model_config *c = &x->m->config;
    const int never[] = { c->cls_id, c->pad_id, c->unk_id, c->mask_id };
    struct tensor bias = params_f32(&x->m->params, x->m->lm_bias);
    float *host = mem_new(float, bias.n);

    op_download(x->m->device, host, bias.data, tensor_bytes(bias));
    for (int i = 0; i < 4; i++) host[never[i]] = -1e18f;
    x->bias = scratch_upload(x->s, tensor_1d(host, DT_F32, bias.n));
    host[c->sep_id] = -1e18f;
    x->bias_early = scratch_upload(x->s, tensor_1d(host, DT_F32, bias.n));
    free(host);
}

static void begin(struct search *x)
{
    int64_t n = x->b->n_sequences, beam = x->o->beam, H = x->m->config.hidden, capacity;
    enum dtype t = x->m->params.compute;
    int layers = x->m->config.layers;

    x->max_length = x->o->max_length < x->m->config.positions - 3 ? x->o->max_length : x->m->config.positions - 3;
    x->k = x->o->beam < x->m->config.vocab ? x->o->beam : x->m->config.vocab;
    x->n_prefix = x->slots_used = x->b->n_rows;
    capacity = x->n_prefix + n * beam * (x->max_length + 1);
    x->key = mem_new(struct tensor, layers);
    x->value = mem_new(struct tensor, layers);
    for (int l = 0; l < layers; l++) {
        x->key[l] = scratch_2d(x->s, t, capacity, H);
        x->value[l] = scratch_2d(x->s, t, capacity, H);
    }
    x->pool = hypotheses_new(n * beam, x->max_length + 2);
    x->next = hypotheses_new(n * beam, x->max_length + 2);
    x->n_pool = mem_new(int, n);
    x->live = mem_new(int64_t, n * beam);
    x->proposed_value = mem_new(float, n *beam * x->k);
    x->proposed_token = mem_new(int32_t, n * beam * x->k);
    for (int64_t i = 0; i < n; i++) {
        struct hypothesis *h = &x->pool[i * beam];
        h->tokens[h->n++] = x->m->config.cls_id;
        x->n_pool[i] = 1;
        x->live[x->n_live++] = i * beam;
    }
    make_biases(x);
}

static void end(struct search *x)
{
    int64_t n = x->b->n_sequences * x->o->beam;

    hypotheses_free(x->pool, n);
    hypotheses_free(x->next, n);
    free(x->n_pool);
    free(x->live);
    free(x->proposed_value);
    free(x->proposed_token);
    free(x->key);
    free(x->value);
}

/* The best of the pool, finished or cut off by max_length. */
static void deliver(const struct search *x, struct decode_text *out)
{
    for (int64_t i = 0; i < x->b->n_sequences; i++) {
        const struct hypothesis *best = &x->pool[i * x->o->beam];
        int64_t n = best->n - 1 - (best->is_finished ? 1 : 0);
        out[i] = (struct decode_text){ mem_new(int32_t, n + 1), n, (float)best->score };
        memcpy(out[i].tokens, best->tokens + 1, (size_t)n * sizeof(int32_t));
    }
}

int model_decode(struct model *m, struct scratch *s, const struct batch *b, const struct decode_opts *o,
                 struct decode_text *out, struct err *e)
{
    struct search x = { .m = m, .s = s, .b = b, .o = o };

    if (!b->n_sequences) return 0;
    scratch_reset(s);
    begin(&x);
    int64_t mark = scratch_mark(s);
    encode_inputs(&x);
    scratch_back_to(s, mark);
    for (int length = 0; length < x.max_length && x.n_live; length++) {
        struct step_input in = step_input(&x);
        propose(&x, step_forward(&x, &in), length);
        if (m->device->why[0]) break;
        choose_all(&x);
        scratch_back_to(s, mark);
    }
    int rc = device_check(m->device, e);
    if (!rc) deliver(&x, out);
    end(&x);
    return rc;
}

void decode_release(struct decode_text *out, int64_t n)
{
    for (int64_t i = 0; i < n; i++) free(out[i].tokens);
}
