#ifndef MODEL_ENCODER_H
#define MODEL_ENCODER_H
#include "model/packed.h"

/* From a packed batch to hidden states and back. Private to lib/model. */
struct encoder_saved {
    struct tensor feature;              /* in the compute type */
    struct tensor text_sum, text_stats; /* before the norm */
    struct tensor image_sum, image_stats;
    struct transformer_saved *layer; /* [layers], owned; NULL without training */
};
/* Numbers of the dropout sites: fixed, as a change would change every run. */
enum { SITE_EMBEDDING = 0, SITE_MATCH = 1, SITE_LABEL = 2, SITE_LAYERS = 16 };

/* Of a pass without losses, dropout and backward. */
extern const struct step_opts encoder_no_training;

struct dropout encoder_drop(const struct model *m, const struct step_opts *o, uint32_t site);
struct transformer_opts encoder_opts(const struct model *m, const struct step_opts *o, int layer);

/* The first layer's input x[n_rows, H]; saved gets what backward needs. */
struct tensor encoder_embed(const struct model *m, struct scratch *s, const struct packed *p, const struct step_opts *o,
                            struct encoder_saved *saved);
/* hidden[n_rows, H] in the compute type. saved (or NULL: no backward follows) is released with encoder_release(). */
struct tensor encoder_forward(const struct model *m, struct scratch *s, const struct packed *p,
                              const struct step_opts *o, struct encoder_saved *saved);
/* hidden[rows.n, H] of some rows only, without training: the last layer computes no more than they need. */
struct tensor encoder_forward_rows(const struct model *m, struct scratch *s, const struct packed *p,
                                   struct tensor rows);
/* dhidden is used up. */
void encoder_backward(const struct model *m, struct scratch *s, const struct packed *p, const struct step_opts *o,
                      struct tensor dhidden, const struct encoder_saved *saved);
void encoder_release(struct encoder_saved *saved);

/* Text embeddings before dropout: y[n,H] of p's tokens, positions and speakers, for decoding and for the encoder. sum
 * and stats as saved. */
void encoder_embed_text(const struct model *m, struct tensor y, struct tensor sum, struct tensor stats,
                        const struct packed *p);
#endif
