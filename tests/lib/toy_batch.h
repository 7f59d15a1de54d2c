/* A batch with every kind of example and target, for tests of whole steps. */
#ifndef TOY_BATCH_H
#define TOY_BATCH_H
#include "model/cmcl.h"
#include "model/mlm.h"
#include "model/seq2seq.h"
#include "model/visual.h"
#include "toy.h"
#include <string.h>

static inline void toy_masked_pair(struct batch *b, struct arena *a, struct rng *r)
{
    const struct model_config *c = b->config;
    struct batch_image image = toy_image(a, c, r, 5);
    struct batch_text text = toy_text(a, c, r, 9);
    int32_t *labels = arena_new(a, int32_t, text.n), *tokens = arena_new(a, int32_t, text.n);
    uint8_t masked[5];

    memcpy(tokens, text.tokens, (size_t)text.n * sizeof *tokens);
    text.tokens = tokens;
    mlm_mask(r, c, &mlm_defaults, text.n, tokens, text.units, labels);
    visual_mask(r, &visual_defaults, 5, image.boxes, masked);
    int64_t s = batch_add_mlm(b, batch_add_image(b, &image, masked), &text, labels);
    batch_add_region_targets(b, s, &image, masked);
}

static inline void toy_cmcl(struct batch *b, struct arena *a, struct rng *r)
{
    const struct model_config *c = b->config;
    struct batch_image images[2] = { toy_image(a, c, r, 3), toy_image(a, c, r, 4) };
    struct batch_text t[5];

    for (int i = 0; i < 5; i++) t[i] = toy_text(a, c, r, 4 + i);
    batch_add_cmcl(b, &(struct batch_cmcl){ .image = images[0],
                                            .text = t[0],
                                            .n_positives = 1,
                                            .positives = t + 1,
                                            .n_negatives = 2,
                                            .negatives = t + 2,
                                            .n_texts = 1,
                                            .texts = t + 4,
                                            .n_images = 1,
                                            .images = images + 1 });
}

static inline void toy_generation(struct batch *b, struct arena *a, struct rng *r)
{
    const struct model_config *c = b->config;
    struct batch_image image = toy_image(a, c, r, 3);
    struct batch_text text = toy_text(a, c, r, 20);
    struct batch_rows rows = seq2seq_split(a, r, c, &seq2seq_defaults, &text);

    batch_add_sequence(b, batch_add_image(b, &image, NULL), &rows);
    batch_add_generation(b, -1, &text, &(struct batch_text){ .n = 5, .tokens = text.tokens });
}

static inline void toy_examples(struct batch *b, struct arena *a, struct rng *r)
{
    const struct model_config *c = b->config;
    struct batch_image image = toy_image(a, c, r, 3);
    struct batch_text text = toy_text(a, c, r, 6);
    int64_t s = batch_add_pair(b, batch_add_image(b, &image, NULL), &text), t = batch_add_pair(b, -1, &text);

    batch_add_example(b, batch_pool_text(b, s), batch_pool_image(b, s), 1);
    batch_add_example(b, batch_pool_text(b, t), -1, 0);
}

static inline void toy_batch(struct batch *b, struct arena *a, struct rng *r)
{
    toy_masked_pair(b, a, r);
    toy_cmcl(b, a, r);
    toy_generation(b, a, r);
    toy_examples(b, a, r);
}
/* Examples for the heads of downstream tasks, as the configuration has them. */
static inline void toy_labels(struct batch *b, struct arena *a, struct rng *r, bool has_images)
{
    const struct model_config *c = b->config;

    for (int i = 0; i < 3; i++) {
        struct batch_image image = toy_image(a, c, r, 3);
        struct batch_text text = toy_text(a, c, r, 5);
        int64_t s = batch_add_pair(b, has_images ? batch_add_image(b, &image, NULL) : -1, &text);
        float target[3];
        for (int k = 0; k < 3; k++) target[k] = (float)rng_uniform(r);
        batch_add_example(b, batch_pool_text(b, s), has_images ? batch_pool_image(b, s) : -1, i);
        if (c->label_soft || c->label_regression) batch_add_target(b, target);
    }
}

/* Dialogs, the second one cut: no end symbol. */
static inline void toy_dialog(struct batch *b, struct arena *a, struct rng *r)
{
    const struct model_config *c = b->config;
    struct batch_part parts[4] = {
        { .starts = true, .role = 0, .turn = 2 },
        { .text = toy_text(a, c, r, 4), .ends = true, .role = 2 },
        { .text = toy_text(a, c, r, 3), .ends = true, .turn = 2 },
        { .text = toy_text(a, c, r, 3), .ends = true, .goes_on = true, .role = 1, .turn = 1 }
    };
    struct batch_text target = toy_text(a, c, r, 4);

    batch_add_parts(b, -1, parts, 4, &target, 20);
    batch_add_parts(b, -1, parts, 2, &target, 4);
}
#endif
