/* Beam search. The inputs are encoded once, and their keys and values kept; each step adds one row for each live
 * hypothesis to the same caches. A hypothesis is a list of cache rows, so that nothing is copied when beams are
 * reordered. As in the published code: each live hypothesis proposes its `beam` best tokens; the score of a candidate
 * of n tokens is log p / ((5 + n) / 6)^alpha; finished ones stay in the pool with their score; the search for an input
 * ends when the pool holds nothing but finished ones. */
#include "model/decode.h"
#include "core/hash.h"
#include "core/mem.h"
#include "model/heads.h"
#include "model/repeat.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct decode_opts decode_defaults = { .beam = 5,
                                             .n_best = 1,
                                             .min_length = 5,
                                             .max_length = 50,
                                             .length_penalty = 0.6f,
                                             .sample = { .top_p = 1, .temperature = 1 } };

enum {
    REPEATED = 65000, /* what a repeated trigram costs, in log probability */
    PART = 1024,      /* words whose logits are computed at a time, at least */
};

struct hypothesis {
    int32_t *tokens, *slots; /* [max_length + 1]: [CLS] and what follows; the cache row of each */
    int n;                   /* tokens, [CLS] included */
    double log_prob, score;
    bool is_finished;
    int64_t node; /* in the tree of answers */
};
struct search {
    struct model *m;
    struct scratch *s;
    const struct batch *b;
    const struct decode_opts *o;
    int max_length, k;              /* k: proposals of a hypothesis */
    int64_t n_prefix, slots_used;   /* cache rows */
    int64_t spare;                  /* and one that no hypothesis has */
    struct tensor *key, *value;     /* [layers] of [cache rows, H] */
    struct tensor writer;           /* role and turn of what is written: zeros for all rows, in a dialog */
    struct tensor bias, bias_early; /* output bias without, and until min_length also without [SEP] */
    struct hypothesis *pool, *next; /* [n_sequences, beam] */
    int *n_pool;                    /* [n_sequences] */
    int64_t n_live;
    int64_t *live;               /* [n_live] indices into pool */
    float *proposed_value, *lse; /* [n_live, k], [n_live] */
    int32_t *proposed_token;     /* -1: no proposal */
    float *log_prob;             /* [n_sequences * beam, V], where proposals are made by the host; else NULL */
};

/* ---- the device's part ---- */

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
                  h = encoder_embed(m, x->s, &p, &encoder_no_training, &saved);
    free(rows);
    for (int l = 0; l < m->config.layers; l++) {
        struct transformer_opts o = encoder_opts(m, &encoder_no_training, l);
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
    struct packed rows; /* id, position, role and turn */
    struct tensor slot, slots, lengths;
};

static struct tensor step_forward(struct search *x, const struct step_input *in)
{
    struct model *m = x->m;
    int64_t B = in->slot.n, H = m->config.hidden;
    enum dtype t = m->params.compute;
    struct tensor h = scratch_2d(x->s, t, B, H);

    encoder_embed_text(m, h, scratch_2d(x->s, DT_F32, B, H), scratch_2d(x->s, DT_F32, B, 2), &in->rows);
    for (int l = 0; l < m->config.layers; l++) {
        struct transformer_opts o = encoder_opts(m, &encoder_no_training, l);
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

static int32_t end_symbol(const struct search *x)
{
    return batch_end_symbol(&x->m->config);
}

/* Keeps a step among the likeliest k of so far n; returns how many there are. */
static int keep_step(float *value, int32_t *token, int n, int k, float p, int32_t t)
{
    int at = n;

    while (at && (p > value[at - 1] || (p == value[at - 1] && t < token[at - 1]))) at--;
    if (at == k) return n;
    if (n < k) n++;
    for (int i = n - 1; i > at; i--) value[i] = value[i - 1], token[i] = token[i - 1];
    value[at] = p;
    token[at] = t;
    return n;
}

/* The vocabulary comes in parts whose logits stay in a processor's cache; a GPU has more to do at once than that. */
static int64_t vocabulary_parts(const struct search *x)
{
    int64_t n = x->m->config.vocab / PART;

    return x->m->device->is_host && n > 1 ? n : 1;
}

/* The likeliest steps. */
static void propose_likeliest(struct search *x, struct tensor u, struct tensor bias)
{
    struct device *d = x->m->device;
    int64_t B = x->n_live, k = x->k, V = x->m->config.vocab, parts = vocabulary_parts(x);
    struct tensor value = scratch_2d(x->s, DT_F32, B, k), token = scratch_2d(x->s, DT_I32, B, k),
                  lse = scratch_1d(x->s, DT_F32, B);
    int64_t mark = scratch_mark(x->s);

    for (int64_t p = 0; p < parts; p++) {
        int64_t from = V * p / parts;
        struct tensor logits = scratch_2d(x->s, DT_F32, u.shape[0], V * (p + 1) / parts - from);
        head_lm_logits(x->m, logits, u, from, bias);
        op_top_columns(d, value, token, lse, tensor_rows(logits, 0, B), from);
        scratch_back_to(x->s, mark);
    }
    op_download(d, x->proposed_value, value.data, tensor_bytes(value));
    op_download(d, x->proposed_token, token.data, tensor_bytes(token));
    op_download(d, x->lse, lse.data, tensor_bytes(lse));
    for (int64_t i = 0; i < B * k; i++) x->proposed_value[i] -= x->lse[i / k];
}

/* The likeliest steps that lead to an answer. */
static void propose_answers(struct search *x, int64_t live)
{
    const struct answers_node *nodes = x->o->only->node, *from = &nodes[x->pool[x->live[live]].node];
    const float *log_prob = x->log_prob + live * x->m->config.vocab;
    float *value = x->proposed_value + live * x->k;
    int32_t *token = x->proposed_token + live * x->k;
    int n = 0;

    if (from->is_whole) n = keep_step(value, token, n, x->k, log_prob[end_symbol(x)], end_symbol(x));
    for (int64_t at = from->child; at; at = nodes[at].sibling)
        n = keep_step(value, token, n, x->k, log_prob[nodes[at].token], nodes[at].token);
    while (n < x->k) token[n++] = -1;
}

static void propose_sample(struct search *x, int64_t live)
{
    int64_t V = x->m->config.vocab, sequence = x->live[live] / x->o->beam, which = x->live[live] % x->o->beam;
    const float *log_prob = x->log_prob + live * V;
    struct rng r;

    rng_init(&r, x->o->seed,
             hash64(&(uint64_t[]){ x->o->key[sequence], (uint64_t)which, (uint64_t)x->pool[x->live[live]].n },
                    3 * sizeof(uint64_t), 0));
    x->proposed_token[live] = sample_token(&r, &x->o->sample, log_prob, V);
    x->proposed_value[live] = log_prob[x->proposed_token[live]];
}

/* Log probabilities of all words, for proposals that the host makes. */
static void fetch_log_probs(struct search *x, struct tensor u, struct tensor bias)
{
    struct device *d = x->m->device;
    int64_t V = x->m->config.vocab;
    struct tensor logits = scratch_2d(x->s, DT_F32, u.shape[0], V), log_prob = scratch_2d(x->s, DT_F32, x->n_live, V);

    head_lm_logits(x->m, logits, u, 0, bias);
    op_log_softmax(d, log_prob, tensor_rows(logits, 0, x->n_live));
    op_download(d, x->log_prob, log_prob.data, tensor_bytes(log_prob));
}

static void propose(struct search *x, struct tensor h, int length)
{
    struct tensor u = head_lm_transform(x->m, x->s, h),
                  bias = length < x->o->min_length && !x->o->only ? x->bias_early : x->bias;

    if (!x->log_prob) propose_likeliest(x, u, bias);
    else fetch_log_probs(x, u, bias);
    for (int64_t i = 0; x->log_prob && i < x->n_live && !x->m->device->why[0]; i++) {
        if (x->o->only) propose_answers(x, i);
        else propose_sample(x, i);
    }
}

/* ---- the host's part ---- */

static int64_t prefix_rows(const struct search *x, int64_t sequence)
{
    return x->b->start[sequence + 1] - x->b->start[sequence];
}

/* Products of a round number of rows are one product each; rows that make it round are seen by nobody. */
static int64_t rounded(int64_t n)
{
    int64_t r = 1;

    while (r < n && r < 16) r *= 2;
    return r < n ? (n + 15) / 16 * 16 : r;
}

static struct step_input step_input(struct search *x)
{
    int64_t B = rounded(x->n_live), L = x->b->longest + x->pool[x->live[0]].n;
    int32_t *all = mem_new(int32_t, B * (4 + L));
    int32_t *id = all, *position = all + B, *slot = all + 2 * B, *lengths = all + 3 * B, *slots = all + 4 * B;

    for (int64_t i = x->n_live; i < B; i++) {
        slot[i] = slots[i * L] = (int32_t)x->spare;
        lengths[i] = 1;
    }
    for (int64_t i = 0; i < x->n_live; i++) {
        struct hypothesis *h = &x->pool[x->live[i]];
        int64_t sequence = x->live[i] / x->o->beam, n = prefix_rows(x, sequence);
        id[i] = h->tokens[h->n - 1];
        position[i] = CONFIG_FIRST_POSITION + h->n - 1;
        slot[i] = h->slots[h->n - 1] = (int32_t)x->slots_used++;
        lengths[i] = (int32_t)(n + h->n);
        for (int64_t k = 0; k < n; k++) slots[i * L + k] = x->b->start[sequence] + (int32_t)k;
        memcpy(slots + i * L + n, h->slots, (size_t)h->n * sizeof *slots);
    }
    struct tensor dev = scratch_upload(x->s, tensor_1d(all, DT_I32, B * (4 + L)));
    struct packed rows = { .id = tensor_rows(dev, 0, B), .position = tensor_rows(dev, B, B) };
    if (x->m->config.has_dialog) rows.role = rows.turn = tensor_rows(x->writer, 0, B);
    struct step_input in = { .rows = rows,
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
    to->is_finished = c->token == end_symbol(x);
    if (x->o->only && !to->is_finished) to->node = answers_step(x->o->only, to->node, c->token);
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
            if (token < 0) break;
            if (x->o->unlike && token != end_symbol(x) && repeats_words(x->o->unlike, h->tokens + 1, h->n - 1, token))
                log_prob -= REPEATED;
            c[n++] = (struct candidate){ log_prob, normalised(x, log_prob, h->n), i, token };
        }
        live += !h->is_finished;
    }
    if (!x->o->is_sampled) qsort(c, (size_t)n, sizeof *c, better_first); /* else each goes its own way */
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

/* [CLS], padding, unknown and whichever of [SEP] and mask is not the end symbol are never said. */
static void make_biases(struct search *x)
{
    const struct model_config *c = &x->m->config;
    const int never[] = { c->cls_id, c->pad_id, c->unk_id, c->ends_with_mask ? c->sep_id : c->mask_id };
    struct tensor bias = params_f32(&x->m->params, x->m->lm_bias);
    float *host = mem_new(float, bias.n);

    op_download(x->m->device, host, bias.data, tensor_bytes(bias));
    for (int i = 0; i < 4; i++) host[never[i]] = -1e18f;
    x->bias = scratch_upload(x->s, tensor_1d(host, DT_F32, bias.n));
    host[end_symbol(x)] = -1e18f;
    x->bias_early = scratch_upload(x->s, tensor_1d(host, DT_F32, bias.n));
    free(host);
}

/* One hypothesis, [CLS], for each input; when texts are drawn, one for each of them. */
static void begin_hypotheses(struct search *x)
{
    int64_t n = x->b->n_sequences, beam = x->o->beam;

    x->pool = hypotheses_new(n * beam, x->max_length + 2);
    x->next = hypotheses_new(n * beam, x->max_length + 2);
    x->n_pool = mem_new(int, n);
    x->live = mem_new(int64_t, n * beam);
    for (int64_t i = 0; i < n; i++) {
        x->n_pool[i] = x->o->is_sampled ? x->o->beam : 1;
        for (int64_t k = i * beam; k < i * beam + x->n_pool[i]; k++) {
            struct hypothesis *h = &x->pool[k];
            h->tokens[h->n++] = x->m->config.cls_id;
            x->live[x->n_live++] = k;
        }
    }
}

static void begin_proposals(struct search *x)
{
    int64_t n = x->b->n_sequences * x->o->beam;
    int vocab = x->m->config.vocab;

    x->k = x->o->is_sampled ? 1 : x->o->beam < vocab ? x->o->beam : vocab;
    x->proposed_value = mem_new(float, n * x->k);
    x->proposed_token = mem_new(int32_t, n * x->k);
    x->lse = mem_new(float, n);
    if (x->o->is_sampled || x->o->only) x->log_prob = mem_new(float, n *vocab);
}

static void begin_cache(struct search *x)
{
    int layers = x->m->config.layers;
    int64_t H = x->m->config.hidden;

    x->n_prefix = x->slots_used = x->b->n_rows;
    x->spare = x->n_prefix + x->b->n_sequences * x->o->beam * (x->max_length + 1);
    x->key = mem_new(struct tensor, layers);
    x->value = mem_new(struct tensor, layers);
    for (int l = 0; l < layers; l++) {
        x->key[l] = scratch_2d(x->s, x->m->params.compute, x->spare + 1, H);
        x->value[l] = scratch_2d(x->s, x->m->params.compute, x->spare + 1, H);
    }
}

static void begin(struct search *x)
{
    int room = x->m->config.positions - CONFIG_FIRST_POSITION - 1; /* behind [CLS] */

    x->max_length = x->o->max_length < room ? x->o->max_length : room;
    begin_cache(x);
    begin_hypotheses(x);
    begin_proposals(x);
    if (x->m->config.has_dialog) {
        int64_t n = rounded(x->b->n_sequences * x->o->beam);
        int32_t *zeros = mem_new(int32_t, n);
        x->writer = scratch_upload(x->s, tensor_1d(zeros, DT_I32, n));
        free(zeros);
    }
    make_biases(x);
}

/* What a step takes, roughly: rows of a layer, tables of what they see, logits. */
static int64_t step_bytes(const struct search *x)
{
    const struct model_config *c = &x->m->config;
    int64_t rows = rounded(x->b->n_sequences * x->o->beam), words = c->vocab / vocabulary_parts(x) + 1;

    if (x->log_prob) words = 2 * c->vocab;
    return rows * (4 * words + 4 * (12 * c->hidden + 2 * c->inner) + 4 * (x->b->longest + x->max_length + 16)) +
           (1 << 20);
}

static void end(struct search *x)
{
    int64_t n = x->b->n_sequences * x->o->beam;

    hypotheses_free(x->pool, n);
    hypotheses_free(x->next, n);
    free(x->n_pool);
    free(x->live);
    free(x->log_prob);
    free(x->lse);
    free(x->proposed_value);
    free(x->proposed_token);
    free(x->key);
    free(x->value);
}

/* The best of each pool, finished or cut off by max_length. */
static void deliver(const struct search *x, struct decode_text *out)
{
    int n_best = x->o->n_best ? x->o->n_best : 1;

    for (int64_t i = 0; i < x->b->n_sequences * n_best; i++) {
        const struct hypothesis *h = &x->pool[i / n_best * x->o->beam + i % n_best];
        out[i] = (struct decode_text){ 0 };
        if (i % n_best >= x->n_pool[i / n_best]) continue;
        int64_t n = h->n - 1 - (h->is_finished ? 1 : 0);
        out[i] = (struct decode_text){ mem_new(int32_t, n + 1), n, (float)h->score };
        memcpy(out[i].tokens, h->tokens + 1, (size_t)n * sizeof(int32_t));
    }
}

int model_decode(struct model *m, struct scratch *s, const struct batch *b, const struct decode_opts *o,
                 struct decode_text *out, struct err *e)
{
    struct search x = { .m = m, .s = s, .b = b, .o = o };

    assert(o->n_best <= o->beam && (!o->only || o->only->n));
    if (!b->n_sequences) return 0;
    scratch_reset(s);
    begin(&x);
    scratch_reserve(s, step_bytes(&x)); /* the steps all take the same memory */
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
