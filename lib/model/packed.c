#include "model/packed.h"
#include "core/mem.h"
#include <stdlib.h>
#include <string.h>

enum { PACKED_ARRAYS = 32, PACKED_ALIGN = 256 };

/* The list of what goes where, filled first; then everything is copied together and sent at once. */
struct parcel {
    int n;
    int64_t bytes;
    struct {
        struct tensor *to;
        const void *from;
        int64_t at;
    } item[PACKED_ARRAYS];
};

static void add(struct parcel *p, struct tensor *to, const void *from, struct tensor shape)
{
    *to = shape;
    p->item[p->n].to = to;
    p->item[p->n].from = from;
    p->item[p->n++].at = p->bytes;
    p->bytes += (tensor_bytes(shape) + PACKED_ALIGN - 1) / PACKED_ALIGN * PACKED_ALIGN;
}

static void add_ints(struct parcel *p, struct tensor *to, const int32_t *from, int64_t n)
{
    add(p, to, from, tensor_1d(NULL, DT_I32, n));
}

static void add_floats(struct parcel *p, struct tensor *to, const float *from, int64_t n, int64_t width)
{
    add(p, to, from, tensor_2d(NULL, DT_F32, n, width));
}

static void send(struct parcel *p, struct scratch *s)
{
    struct tensor all = scratch_1d(s, DT_U8, p->bytes);
    char *host = s->device->is_host ? all.data : mem_new(char, p->bytes + 1);

    if (!host) return; /* the device says so */
    for (int i = 0; i < p->n; i++) {
        struct tensor *to = p->item[i].to;
        to->data = (char *)all.data + p->item[i].at;
        if (to->n) memcpy(host + p->item[i].at, p->item[i].from, (size_t)tensor_bytes(*to));
    }
    if (s->device->is_host) return;
    op_upload(s->device, all.data, host, p->bytes);
    free(host);
}

void packed_upload(struct packed *p, struct scratch *s, const struct batch *b)
{
    struct parcel x = { 0 };
    int64_t F = b->config->features, K = b->config->classes;
    int32_t *source = mem_new(int32_t, b->n_rows + 1);

    *p = (struct packed){ .n_rows = b->n_rows, .n_text = b->n_text, .n_regions = b->n_regions };
    p->sequences = (struct sequences){ .n = b->n_sequences, .longest = b->longest };
    for (int64_t i = 0; i < b->n_rows; i++)
        source[i] = b->source[i] >= 0 ? b->source[i] : (int32_t)(b->n_text + (-1 - (int64_t)b->source[i]));
    add_ints(&x, &p->sequences.start, b->start, b->n_sequences + 1);
    add_ints(&x, &p->sequences.prefix, b->prefix, b->n_sequences);
    add_ints(&x, &p->id, b->id, b->n_text);
    add_ints(&x, &p->position, b->position, b->n_text);
    if (b->config->has_dialog) {
        add_ints(&x, &p->role, b->role, b->n_text);
        add_ints(&x, &p->turn, b->turn, b->n_text);
    }
    add_floats(&x, &p->feature, b->feature, b->n_regions, F);
    add_floats(&x, &p->location, b->location, b->n_regions, BATCH_LOCATION);
    add_ints(&x, &p->source, source, b->n_rows);
    for (int k = 0; k < BATCH_LM_KINDS; k++) {
        add_ints(&x, &p->lm_row[k], b->lm[k].row, b->lm[k].n);
        add_ints(&x, &p->lm_label[k], b->lm[k].label, b->lm[k].n);
    }
    add_ints(&x, &p->masked_row, b->masked_row, b->n_masked);
    add_floats(&x, &p->masked_feature, b->masked_feature, b->n_masked, F);
    add_ints(&x, &p->probs_row, b->probs_row, b->n_probs);
    add_floats(&x, &p->probs, b->probs, b->n_probs, K);
    add_ints(&x, &p->cls_row, b->cls_row, b->n_cls);
    add_ints(&x, &p->img_row, b->img_row, b->n_img);
    add_ints(&x, &p->score_cls, b->score_cls, b->n_scores);
    add_ints(&x, &p->score_img, b->score_img, b->n_scores);
    add_ints(&x, &p->positive, b->positive, b->n_scores);
    add_ints(&x, &p->group, b->group, b->n_groups + 1);
    add_ints(&x, &p->example_cls, b->example_cls, b->n_examples);
    add_ints(&x, &p->example_img, b->example_img, b->n_examples);
    add_ints(&x, &p->example_label, b->example_label, b->n_examples);
    add_floats(&x, &p->example_target, b->example_target, b->n_targets, b->config->n_labels);
    send(&x, s);
    free(source);
}
