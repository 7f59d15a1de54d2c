#ifndef TASKS_GALLERY_H
#define TASKS_GALLERY_H
#include "core/hash.h"
#include "tasks/downstream.h"

/* Images to be compared with texts: jointly, by a pass over every pair, or one by one, by the vectors of both alone, as
 * contrastive learning trained them. */
struct gallery {
    int64_t n;
    struct batch_image *at;
    struct arena arena;
    struct map index; /* of ids */
    float *vector;    /* [n, hidden] of each image alone, after gallery_embed() */
};
/* All images of the stream, in its order. */
int gallery_open(struct gallery *g, const struct downstream *d, struct err *e);
/* The images that the held-out examples in use name, each once; texts[downstream_dev_count()] are theirs, image gold[i]
 * is the one of text i. */
int gallery_open_dev(struct gallery *g, struct downstream *d, struct batch_text *texts, int64_t *gold, struct err *e);
void gallery_release(struct gallery *g);
int gallery_embed(struct gallery *g, struct model *m, struct scratch *s, struct batch *b, int64_t rows, struct err *e);

/* Vectors of texts alone [n, hidden], such that the score of a pair is the product with the image's vector. */
int gallery_texts(struct model *m, struct scratch *s, struct batch *b, const struct batch_text *texts, int64_t n,
                  int64_t rows, float *out, struct err *e);
/* scores [n texts, n images] of vectors. */
void gallery_products(const struct gallery *g, const float *texts, int64_t n, int64_t hidden, float *scores);
/* Joint scores of texts with images: out[n][g->n]. wanted [n][g->n] or NULL (all): others keep what is in out. */
int gallery_joint(const struct gallery *g, struct model *m, struct scratch *s, struct batch *b,
                  const struct batch_text *texts, int64_t n, int64_t rows, const uint8_t *wanted, float *out,
                  struct err *e);
#define GALLERY_BELOW (-1e4f) /* no joint score is as low */
/* In two stages: of each row of scores, from vectors, the `candidates` best are replaced by joint scores, the others
 * moved below all that a joint pass gives, in their order: between three times GALLERY_BELOW and once. */
int gallery_rerank(const struct gallery *g, struct model *m, struct scratch *s, struct batch *b,
                   const struct batch_text *texts, int64_t n, int64_t rows, int64_t candidates, float *scores,
                   struct err *e);
/* The k best of scores [n], best first; ties by place. */
void gallery_best(const float *scores, int64_t n, int64_t k, int64_t *best);
#endif
