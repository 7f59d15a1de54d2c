#ifndef MODEL_HEADS_H
#define MODEL_HEADS_H
#include "model/encoder.h"

/* The heads on the hidden states: each computes its loss over its rows of the batch and, in training, adds to dhidden
 * and to the parameters' gradients. Private to lib/model. */

struct head_run {
    const struct model *m;
    struct scratch *s;
    const struct packed *p;
    const struct step_opts *o;
    struct tensor hidden, dhidden; /* dhidden: none without training */
    struct loss_sums *sums;        /* none without losses */
};
/* The factor of a loss's gradient when it is a mean over n. */
float head_scale(const struct step_opts *o, enum loss kind, int64_t n);
void head_sum(const struct head_run *r, enum loss kind, struct tensor losses);

void head_lm(const struct head_run *r, int kind); /* BATCH_MLM or BATCH_SEQ2SEQ */
void head_regions(const struct head_run *r);      /* MRC and MRFR */
void head_pooled(const struct head_run *r);       /* CMCL, match, label */

/* One head in three steps, for objectives that compare several passes: of the classifier (LOSS_LABEL) or of the LM head
 * on the rows with a next token (LOSS_SEQ2SEQ). */
struct lm_saved {
    struct tensor x, wide, act, stats, u;
};
struct pool {
    struct linear l;
    struct tensor row, x, g, dg;
};
/* x is the sum or the product of the pooled rows; one layer on dropout(x), or two with dropout before the second. */
struct labels {
    struct tensor text, image; /* [n,H] the factors of a product, else none */
    struct tensor x, wide;     /* [n,H]; [n,label_hidden] or none */
    struct tensor last;        /* x or wide, dropped out */
    struct tensor logits;      /* [n,n_labels] F32 */
};
struct head_logits {
    enum loss kind;
    struct tensor logits; /* F32 [n, classes] */
    struct lm_saved lm;
    struct pool text, image;
    struct labels labels;
};
void head_logits_forward(const struct head_run *r, enum loss kind, struct head_logits *h);
/* loss [n] and dlogits F32, overwritten, times scale. */
void head_logits_loss(const struct head_run *r, const struct head_logits *h, struct tensor loss, struct tensor dlogits,
                      float scale);
void head_logits_backward(const struct head_run *r, struct head_logits *h, struct tensor dlogits);
/* Those of the classifier, which are in pooled.c. */
void head_labels_forward(const struct head_run *r, struct head_logits *h);
void head_labels_loss(const struct head_run *r, const struct head_logits *h, struct tensor loss, struct tensor dlogits,
                      float scale);
void head_labels_backward(const struct head_run *r, struct head_logits *h, struct tensor dlogits);

/* Without gradients: rows x[n,H] as the word table sees them; their logits, F32, for as many words as logits has
 * columns, the first of them `from`. bias [V] replaces the output bias when given (else none). */
struct tensor head_lm_transform(const struct model *m, struct scratch *s, struct tensor x);
void head_lm_logits(const struct model *m, struct tensor logits, struct tensor u, int64_t from, struct tensor bias);
/* Pooled vectors F32 [n_cls, H] and [n_img, H]. */
void head_pool(const struct head_run *r, struct tensor *texts, struct tensor *images);
/* scores F32 [n_scores, 1] and log probabilities F32 [n_examples, n_labels], where the batch has such; else none. */
void head_predict(const struct head_run *r, struct tensor *scores, struct tensor *log_probs);
#endif
