/* Which of a record's texts fits its own image best, by the joint score of retrieval. */
#include "tasks/choice.h"
#include "core/mem.h"
#include "model/input.h"
#include <stdlib.h>

/* Scores of a record's texts, one of each field, with its own image. */
static int score_choices(struct downstream *d, struct model *m, struct scratch *s, struct batch *b, struct arena *a,
                         const struct record *r, float *scores, struct err *e)
{
    struct batch_image image;
    struct batch_text text;

    if (downstream_image(d, a, r->fields, &image, e)) return -1;
    batch_clear(b);
    int64_t at = batch_add_image(b, &image, NULL);
    for (int i = 0; i < d->o.choices.n; i++) {
        if (input_text(a, d->config, r->fields, d->o.choices.at[i], &text, e)) return -1;
        int64_t pair = batch_add_pair(b, at, &text);
        batch_add_score(b, batch_pool_text(b, pair), batch_pool_image(b, pair), false);
    }
    batch_end_group(b);
    return model_predict(m, s, b, scores, NULL, e);
}

static int write_choice(const struct downstream *d, const struct record *from, const float *scores, struct writer *out,
                        struct err *e)
{
    struct record *r = record_new();
    struct value *all = value_array();
    int best = 0;

    for (int i = 0; i < d->o.choices.n; i++) {
        value_push(all, value_real((double)scores[i]));
        if (scores[i] > scores[best]) best = i;
    }
    value_set(r->fields, "id", value_str(record_id(from)));
    value_set(r->fields, "pred", value_str(d->o.choices.at[best]));
    value_set(r->fields, "scores", all);
    return writer_give(out, r, e);
}

int choice_predict(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e)
{
    float *scores = mem_new(float, d->o.choices.n);
    struct arena arena = { 0 };
    struct scratch s;
    struct batch b;
    struct record *r;
    int got;

    scratch_init(&s, m->device);
    batch_init(&b, d->config);
    while ((got = reader_next(in, &r, e)) > 0) {
        if (score_choices(d, m, &s, &b, &arena, r, scores, e)) got = reader_bad(in, r, e) ? -1 : 1;
        else if (write_choice(d, r, scores, out, e)) got = -1;
        record_free(r);
        arena_reset(&arena);
        if (got < 0) break;
    }
    arena_release(&arena);
    batch_release(&b);
    scratch_release(&s);
    free(scores);
    return got;
}
