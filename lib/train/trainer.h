#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H
#include "model/task.h"
#include "train/comm.h"
#include "train/schedule.h"

/* The loop of every training: batches, steps, measurements, checkpoints, signals. */
struct train_opts {
    struct comm *comm;      /* the ranks; NULL: one */
    const char *output;     /* directory of the model and, meanwhile, of its checkpoints */
    const char *vocabulary; /* directory whose vocab.json and merges.txt go with the model */
    bool resume;            /* go on from the newest checkpoint, if there is one */
    struct schedule schedule;
    double lr, beta1, beta2, eps, weight_decay, clip;
    int64_t rows;         /* of a packed batch, at least */
    int64_t accumulate;   /* batches of an optimizer step */
    double average;       /* decay of a moving average of the parameters, which becomes the model; 0: none */
    bool recompute;       /* activations are computed again for the backward pass: less memory, the same numbers */
    bool share_optimizer; /* each rank keeps the moments of a part of the parameters */
    uint64_t seed;
    int64_t loaders; /* threads that read and mask; 0: one beside a CPU, up to eight beside an accelerator */
    int64_t save_every, keep, log_every;
    int64_t eval_every; /* steps between measurements on held-out examples; 0: none */
    int64_t patience;   /* stop after so many measurements without a better one; 0: never */
    const char *log;    /* JSON Lines, or NULL */
};
/* Trains m, whose parameters have their first values. The model in `output` is the last one, or, with evaluations, the
 * best one by the task's metric. SIGINT, SIGTERM and SIGUSR1 finish the step, save and return ERR_SAVED. A run that was
 * stopped or killed and resumed ends with the same bytes as one that was not. */
int train_run(struct model *m, const struct task *t, const struct train_opts *o, struct err *e);
/* What a run would do, printed on standard output: parameters, memory, examples, rows and time of an epoch. */
int train_plan(struct model *m, const struct task *t, const struct train_opts *o, struct err *e);
/* Steps that draw every example `epochs` times, from the mean size of the first ones. */
int train_steps(struct model *m, const struct task *t, const struct train_opts *o, double epochs, int64_t *steps,
                struct err *e);
#endif
