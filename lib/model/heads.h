#ifndef MODEL_HEADS_H
#define MODEL_HEADS_H
#include "model/encoder.h"

/* The heads on the hidden states: each computes its loss over its rows of the batch and, in training, adds to dhidden
 * and to the parameters' gradients. Private to lib/model. */

/* Sums of losses, each in its own place, fetched together at the end of the step. */
enum { TALLY_MAX = 256 };
struct tally {
    struct tensor slots; /* F32 [TALLY_MAX] */
    int n;
    enum loss of[TALLY_MAX];
};
struct head_run {
    const struct model *m;
    struct scratch *s;
    const struct packed *p;
    const struct step_opts *o;
    struct tensor hidden, dhidden; /* dhidden: none without training */
    struct tally *tally;
};
/* The factor of a loss's gradient when it is a mean over n. */
float head_scale(const struct head_run *r, enum loss kind, int64_t n);
void head_tally(const struct head_run *r, enum loss kind, struct tensor losses);

void head_lm(const struct head_run *r, int kind); /* BATCH_MLM or BATCH_SEQ2SEQ */
void head_regions(const struct head_run *r);      /* MRC and MRFR */
void head_pooled(const struct head_run *r);       /* CMCL, match, label */

/* Logits F32 [n,V] of rows x [n,H], without gradients; bias replaces the output bias when given (else none). */
void head_lm_logits(const struct model *m, struct scratch *s, struct tensor logits, struct tensor x,
                    struct tensor bias);
/* Pooled vectors F32 [n_cls, H] and [n_img, H]. */
void head_pool(const struct head_run *r, struct tensor *texts, struct tensor *images);
/* scores F32 [n_scores, 1] and log probabilities F32 [n_examples, n_labels], where the batch has such; else none. */
void head_predict(const struct head_run *r, struct tensor *scores, struct tensor *log_probs);
#endif
