#ifndef MODEL_ADVERSARIAL_H
#define MODEL_ADVERSARIAL_H
#include "model/model.h"

/* Adversarial fine-tuning as the paper used it (VILLA, Gan et al. 2020): the batch is seen clean, with its texts moved
 * a little (words + positions; of a written text only its target), and with its images moved a little (region
 * features). Each of `steps` times, the moves go up the gradient of the loss by lr, normalised for each text and image,
 * and stay within max_norm. The published code measures the gradient's length there instead of the move's and lets
 * gradients run through earlier steps; we do as VILLA did. Objective: CE(clean) + sum over steps of (CE(text) +
 * CE(image)) / steps + kl (KL(clean, text) + KL(clean, image)) with symmetric KL. All passes share their dropout masks,
 * so that the clean one is needed once. */
struct adversary {
    int steps;      /* 4 */
    float lr;       /* 0.05 */
    float max_norm; /* 0: any */
    float init;     /* 0.4: first moves are uniform in +-init / sqrt(elements) */
    float kl;       /* 1 */
};
enum { ADVERSARY_STEPS_MAX = 16 };

/* model_begin_step() with o->adversary: for batches with targets of one kind, LOSS_LABEL (one label of many) or
 * LOSS_SEQ2SEQ. The loss is the objective. */
void adversarial_step(struct model *m, struct scratch *s, const struct batch *b, const struct step_opts *o,
                      struct loss_sums *sums);
/* One move of n elements: delta += lr grad / |grad|, then back to the ball of max_norm (0: none). */
void adversarial_move(float *delta, const float *grad, int64_t n, float lr, float max_norm);
#endif
