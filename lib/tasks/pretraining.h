#ifndef TASKS_PRETRAINING_H
#define TASKS_PRETRAINING_H
#include "model/cmcl.h"
#include "model/mlm.h"
#include "model/seq2seq.h"
#include "model/task.h"
#include "model/visual.h"

/* Pre-training on pairs, images and texts together (paper section 3): masked language modelling or generation of the
 * text, masked regions of the image, and for pairs a contrastive group of rewritten and retrieved examples. */
enum pretraining_collection { PRETRAINING_PAIRS, PRETRAINING_IMAGES, PRETRAINING_TEXTS, PRETRAINING_COLLECTIONS };
struct pretraining_files { /* or patterns */
    int n;
    const char *const *at;
};
struct pretraining_opts {
    struct pretraining_files files[PRETRAINING_COLLECTIONS],
        features;                                          /* streams; features: regions of the pairs' images */
    struct pretraining_files dev[PRETRAINING_COLLECTIONS]; /* held out: their losses are measured */
    int64_t rows;                                          /* of a packed batch when measuring */
    double share[PRETRAINING_COLLECTIONS];
    float weight[LOSS_COUNT]; /* of mlm, seq2seq, mrc, mrfr, cmcl; 0: off */
    double seq2seq_share;     /* of the texts that are generated instead of masked */
    bool mask_both;           /* text and regions of a pair in one pass, instead of one of the two */
    double cmcl_share;        /* of the pairs that get a contrastive group */
    struct mlm_opts mlm;
    struct seq2seq_opts seq2seq;
    struct visual_opts visual;
    struct cmcl_opts cmcl;
};
struct pretraining;
/* Opens the collections and fills *t, whose arg is the returned object. c is borrowed and may be completed until the
 * first example is asked for. NULL on error. */
struct pretraining *pretraining_open(struct task *t, const struct pretraining_opts *o, const struct model_config *c,
                                     struct err *e);
/* Sets the configuration's feature width and number of classes to those of the data, and checks it and all held-out
 * examples. */
int pretraining_complete(struct pretraining *p, struct model_config *c, struct err *e);
void pretraining_close(struct pretraining *p); /* NULL is fine */
#endif
