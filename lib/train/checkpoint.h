#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H
#include "train/sampler.h"

/* Where a training stands, on disk: OUTPUT/checkpoints/step-NNNNNNNNN is a whole model directory with
 * optimizer.safetensors and trainer.json. It is written beside and renamed, so a directory of that name is always
 * complete. */
struct checkpoint {
    int64_t step;                           /* steps done */
    int64_t streams;                        /* of the sampler: micro-batches of a step, over all ranks */
    int64_t (*drawn)[TASK_COLLECTIONS_MAX]; /* [streams] */
    double best;                            /* the best score on the held-out examples so far, -1 before the first */
    int64_t best_step;
    bool is_finished;
    params_fetch *fetch; /* when the ranks share the optimizer's state: brings it from them, by comm */
    struct comm *comm;
};
void checkpoint_init(struct checkpoint *c, int64_t streams);
void checkpoint_release(struct checkpoint *c);
/* Makes the place for checkpoints, for one run at a time: a descriptor, held to the end of the run, that an ended
 * process cannot leave behind; -1: it cannot be written to, or another run does. */
int checkpoint_begin(const char *output, struct err *e);
/* Fails when the finished model would overwrite the one to begin with (NULL: none): in its directory, or by links. */
int checkpoint_spares(const char *output, const char *model, struct err *e);
void checkpoint_end(const char *output, int lock);
/* Writes one and removes all but the newest `keep`; when old ones cannot be removed, that is said and nothing else.
 * vocabulary: the directory whose vocabulary files go along. */
int checkpoint_save(const struct checkpoint *c, const struct model *m, const struct task *t, const char *output,
                    const char *vocabulary, int64_t keep, struct err *e);
/* The step of the newest one, -1 when there is none. */
int checkpoint_newest(const char *output, int64_t *step, struct err *e);
/* Brings model, moments and state of a step back. The options and the collections must be those of the saved run, but
 * for options that cannot change the result. When the saved run had another number of streams, what it drew is dealt
 * out anew: the run goes on well, but not as it would have gone on. */
int checkpoint_load(struct checkpoint *c, struct model *m, const struct task *t, const char *output, int64_t step,
                    struct err *e);
/* The finished model, with averaged parameters where there are averages: config.json, model.safetensors and the
 * vocabulary in OUTPUT itself, the weights last. */
int checkpoint_publish(struct model *m, const char *output, const char *vocabulary, struct err *e);
#endif
