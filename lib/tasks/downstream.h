#ifndef TASKS_DOWNSTREAM_H
#define TASKS_DOWNSTREAM_H
#include "core/mem.h"
#include "model/decode.h"
#include "model/task.h"
#include "stream/reader.h"
#include "stream/store.h"
#include "stream/writer.h"

/* The downstream tasks of the paper: one row and one file each. A task says what its examples look like, which head and
 * loss they use, how the model is measured on held-out examples, and how it predicts. */
struct file_list {
    int n;
    const char *const *at;
};
struct downstream_opts {
    struct file_list train, dev, images; /* images: streams of region features that examples name */
    struct file_list choices;            /* retrieval: fields with texts of which the best for the image is predicted */
    const char *vocabulary;              /* directory, for tasks that write text */
    int64_t negatives;                   /* retrieval: wrong images, and as many wrong texts, of an example */
    int64_t eval_limit;                  /* held-out examples that are used; 0: all */
    int64_t rows;                        /* of a packed batch */
    struct decode_opts decode;
};
struct downstream_defaults { /* of training, from the paper where it says them */
    double lr, beta2, weight_decay, warmup, epochs;
    const char *schedule;
};
struct downstream {
    const struct downstream_kind *kind;
    struct downstream_opts o;
    const struct model_config *config; /* of the model in use */
    struct store *train, *dev, *images;
    struct arena measuring; /* of evaluate() */
    struct bpe *bpe;        /* NULL unless the task writes text */
};
struct downstream_kind {
    const char *name, *summary, *metric;
    bool uses_images;          /* examples name images */
    bool predicts_from_images; /* what predict() reads are the images themselves */
    struct downstream_defaults defaults;
    /* Of a task with labels (labels.h): adds a record's sequence and names the pooled rows of its example (-1: none).
     */
    int (*put)(struct downstream *d, struct arena *a, struct batch *b, const struct record *r, int32_t *text,
               int32_t *image, struct err *e);
    /* Heads and labels of the model; called before the model is made, with d->train open. */
    int (*configure)(struct downstream *d, struct model_config *c, struct err *e);
    void (*prepare)(struct task *t); /* losses and their weights */
    int (*add)(void *downstream, struct batch *b, int collection, int64_t i, struct rng *r, struct arena *a,
               struct err *e);
    int (*evaluate)(void *downstream, struct model *m, struct scratch *s, struct value *report, double *score,
                    struct err *e);
    int (*predict)(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e);
};
extern const struct downstream_kind retrieval_task, captioning_task, entailment_task, classification_task;
/* By name; an error lists the names. The table ends with NULL. */
extern const struct downstream_kind *const downstream_kinds[];
const struct downstream_kind *downstream_find(const char *name, struct err *e);

/* Opens whatever is named in *o. */
int downstream_open(struct downstream *d, const struct downstream_kind *kind, const struct downstream_opts *o,
                    struct err *e);
/* The task that the trainer sees; c is the configuration of the model that is trained and stays the caller's. */
void downstream_task(struct downstream *d, struct task *t, const struct model_config *c);
void downstream_release(struct downstream *d);

/* For the tasks' own files: the image and the text of a record, memory from the arena. */
int downstream_image(const struct downstream *d, struct arena *a, const struct value *fields, struct batch_image *image,
                     struct err *e);
/* Held-out examples in use. */
int64_t downstream_dev_count(const struct downstream *d);
#endif
