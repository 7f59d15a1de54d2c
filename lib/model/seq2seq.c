#include "model/seq2seq.h"
#include <math.h>

const struct seq2seq_opts seq2seq_defaults = { .ratio = 0.25, .min_fragment = 4, .max_fragment = 32 };

static int64_t draw_between(struct rng *r, int64_t from, int64_t to)
{
    return from + rng_below(r, to - from + 1);
}

static bool is_free(const uint8_t *cut, int64_t from, int64_t n)
{
    for (int64_t i = from; i < from + n; i++) {
        if (cut[i]) return false;
    }
    return true;
}

/* The form of the paper: marks fragments (1 opens one, 2 continues it) until the ratio is reached. A text of which that
 * is less than one fragment is not cut. */
static int64_t cut_fragments(struct rng *r, const struct seq2seq_opts *o, int64_t n, uint8_t *cut)
{
    int64_t budget = (int64_t)ceil(o->ratio * (double)n), used = 0;

    if (budget < o->min_fragment) return 0;
    for (int tries = 0; used < budget && tries < 1000; tries++) {
        int64_t l = draw_between(r, o->min_fragment, o->max_fragment), left = budget - used;
        if (l > left) l = left > o->min_fragment ? left : o->min_fragment;
        if (l > n) continue;
        int64_t from = rng_below(r, n - l + 1);
        if (!is_free(cut, from, l)) continue;
        for (int64_t i = 0; i < l; i++) cut[from + i] = i ? 2 : 1;
        used += l;
    }
    return used;
}

/* Source and target pieces by turns; short pieces with probability 0.4. */
static int64_t cut_alternating(struct rng *r, int64_t n, uint8_t *cut)
{
    bool is_target = rng_below(r, 2);
    int64_t used = 0, l;

    for (int64_t at = 0; at < n; at += l, is_target = !is_target) {
        bool is_short = rng_uniform(r) < 0.4;
        l = is_target ? draw_between(r, is_short ? 1 : 4, is_short ? 4 : 32)
                      : draw_between(r, is_short ? 3 : 12, is_short ? 12 : 96);
        if (l > n - at) l = n - at;
        for (int64_t i = 0; i < l && is_target; i++) cut[at + i] = i ? 2 : 1;
        if (is_target) used += l;
    }
    return used == n ? 0 : used;
}

static void put(struct batch_rows *rows, int32_t id, int64_t position, int32_t label)
{
    rows->id[rows->n] = id;
    rows->position[rows->n] = (int32_t)position;
    rows->label[rows->n++] = label;
}

enum { FIRST_TOKEN = CONFIG_FIRST_POSITION + 1 }; /* position of the text's first token; [CLS] is before it */

static void put_source(struct batch_rows *rows, const struct model_config *c, const int32_t *tokens, int64_t n,
                       const uint8_t *cut)
{
    put(rows, c->cls_id, FIRST_TOKEN - 1, -1);
    for (int64_t i = 0; i < n; i++) {
        if (!cut[i]) put(rows, tokens[i], FIRST_TOKEN + i, -1);
    }
    put(rows, c->sep_id, FIRST_TOKEN + n, -1);
    rows->prefix = rows->n;
}

static void put_targets(struct batch_rows *rows, const struct model_config *c, const int32_t *tokens, int64_t n,
                        const uint8_t *cut)
{
    for (int64_t i = 0; i < n; i++) {
        if (!cut[i]) continue;
        if (cut[i] == 1) put(rows, c->cls_id, FIRST_TOKEN + i - 1, tokens[i]);
        bool is_last = i + 1 == n || cut[i + 1] != 2;
        put(rows, tokens[i], FIRST_TOKEN + i, is_last ? c->sep_id : tokens[i + 1]);
        if (is_last) put(rows, c->sep_id, FIRST_TOKEN + i + 1, -1);
    }
}

struct batch_rows seq2seq_split(struct arena *a, struct rng *r, const struct model_config *c,
                                const struct seq2seq_opts *o, const struct batch_text *text)
{
    int64_t n = text->n < c->max_text - 2 ? text->n : c->max_text - 2;
    uint8_t *cut = arena_new(a, uint8_t, n + 1);

    if (!(o->two_granularities ? cut_alternating(r, n, cut) : cut_fragments(r, o, n, cut))) {
        for (int64_t i = 0; i < n; i++) cut[i] = i ? 2 : 1;
    }
    int64_t rows_max = 3 * n + 2; /* each token, and [CLS] and [SEP] around it at worst, and around the source */
    struct batch_rows rows = { .id = arena_new(a, int32_t, rows_max),
                               .position = arena_new(a, int32_t, rows_max),
                               .label = arena_new(a, int32_t, rows_max),
                               .lm = BATCH_SEQ2SEQ };
    put_source(&rows, c, text->tokens, n, cut);
    put_targets(&rows, c, text->tokens, n, cut);
    return rows;
}
