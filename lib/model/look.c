#include "model/look.h"
#include "core/mem.h"
#include "model/encoder.h"
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A layer's queries, keys and log-sum-exps on the host. */
struct seen {
    int64_t hidden;
    int heads;
    float scale;
    float *qkv, *lse; /* [rows, 3 hidden], [rows, heads] */
};

static void add_row(const struct seen *x, int64_t i, int64_t visible, float weight, float *share)
{
    int64_t D = x->hidden / x->heads, width = 3 * x->hidden;

    for (int h = 0; h < x->heads; h++) {
        const float *q = x->qkv + i * width + h * D;
        for (int64_t j = 0; j < visible; j++) {
            const float *k = x->qkv + j * width + x->hidden + h * D;
            double score = 0;
            for (int64_t c = 0; c < D; c++) score += (double)q[c] * (double)k[c];
            share[j] += weight * (float)exp(score * (double)x->scale - (double)x->lse[i * x->heads + h]);
        }
    }
}

static void download(struct model *m, struct scratch *s, float *out, struct tensor x)
{
    struct tensor y = scratch_2d(s, DT_F32, x.shape[0], x.shape[1]);

    op_convert(m->device, y, x);
    op_download(m->device, out, y.data, tensor_bytes(y));
}

int model_attention(struct model *m, struct scratch *s, const struct batch *b, float *share, struct err *e)
{
    const struct model_config *c = &m->config;
    int64_t T = b->n_rows;
    struct encoder_saved saved;
    struct packed p;
    struct seen x = { .hidden = c->hidden,
                      .heads = c->heads,
                      .scale = transformer_scale(c->hidden, c->heads),
                      .qkv = mem_new(float, 3 * T * c->hidden),
                      .lse = mem_new(float, T * c->heads) };

    assert(b->n_sequences == 1);
    memset(share, 0, (size_t)(T * T) * sizeof *share);
    scratch_reset(s);
    packed_upload(&p, s, b);
    encoder_forward(m, s, &p, &encoder_no_training, &saved);
    for (int l = 0; l < c->layers && !m->device->why[0]; l++) {
        int64_t mark = scratch_mark(s);
        download(m, s, x.qkv, saved.layer[l].qkv);
        download(m, s, x.lse, saved.layer[l].lse);
        scratch_back_to(s, mark);
        for (int64_t i = 0; i < T; i++) {
            int64_t visible = i < b->prefix[0] ? b->prefix[0] : i + 1;
            add_row(&x, i, visible, 1 / (float)(c->layers * c->heads), share + i * T);
        }
    }
    encoder_release(&saved);
    free(x.qkv);
    free(x.lse);
    return device_check(m->device, e);
}
