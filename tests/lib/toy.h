/* A toy model configuration and toy data for tests of the model: everything small, drawn from fixed seeds. */
#ifndef TOY_H
#define TOY_H
#include "core/mem.h"
#include "core/rng.h"
#include "model/batch.h"

static inline struct model_config toy_config(void)
{
    struct model_config c;
    struct err e = { 0 };

    model_config_named(&c, "tiny", &e);
    c.layers = 2;
    c.hidden = 32;
    c.heads = 2;
    c.inner = 48;
    c.positions = 40;
    c.max_text = 36;
    c.max_regions = 6;
    c.features = 12;
    c.classes = 7;
    c.init_std = 0.2f; /* large enough that every part matters */
    c.has_region_heads = c.has_match_head = true;
    model_config_vocab(&c, 61);
    return c;
}

static inline struct batch_text toy_text(struct arena *a, const struct model_config *c, struct rng *r, int64_t n)
{
    int32_t *tokens = arena_new(a, int32_t, n + 1), *units = arena_new(a, int32_t, n + 1);

    for (int64_t i = 0; i < n; i++) {
        tokens[i] = (int32_t)(4 + rng_below(r, c->vocab - 5));
        units[i] = i && rng_below(r, 3) == 0;
    }
    return (struct batch_text){ n, tokens, units };
}

static inline struct batch_image toy_image(struct arena *a, const struct model_config *c, struct rng *r, int64_t n)
{
    float *features = arena_new(a, float, n * c->features), *boxes = arena_new(a, float, n * 4);
    float *probs = arena_new(a, float, n * c->classes);

    for (int64_t i = 0; i < n * c->features; i++) features[i] = (float)rng_normal(r);
    for (int64_t i = 0; i < n; i++) {
        double x = 60 * rng_uniform(r), y = 30 * rng_uniform(r), sum = 0;
        float *box = boxes + 4 * i, *p = probs + i * c->classes;
        box[0] = (float)x;
        box[1] = (float)y;
        box[2] = (float)(x + 40 * rng_uniform(r));
        box[3] = (float)(y + 20 * rng_uniform(r));
        for (int k = 0; k < c->classes; k++) sum += p[k] = (float)rng_uniform(r);
        for (int k = 0; k < c->classes; k++) p[k] = (float)(p[k] / sum);
    }
    return (struct batch_image){ n, features, boxes, probs, 100, 50 };
}
#endif
