#ifndef TASKS_DOWNSTREAM_H
#define TASKS_DOWNSTREAM_H
#include "core/mem.h"
#include "model/decode.h"
#include "model/task.h"
#include "stream/reader.h"
#include "stream/store.h"
#include "stream/writer.h"
#include <pthread.h>

/* The downstream tasks of the paper and their general forms: a row each, and a file for each family. A row says what
 * its examples look like, which head and loss they use, how the model is measured on held-out examples, and what the
 * paper trained it with. */
struct file_list {
    int n;
    const char *const *at;
};
struct downstream_opts {
    struct file_list train, dev, images; /* images: streams of region features that examples name */
    struct file_list choices;            /* retrieval: fields with texts of which the best for the image is predicted */
    const char *vocabulary;              /* directory, for tasks that write text */
    const char *only;                    /* file with the texts that may be written, one a line; NULL: any text */
    int64_t negatives;                   /* retrieval: wrong images, and as many wrong texts, of an example */
    double hard;                         /* retrieval: share of them that the mined neighbours give */
    const char *hard_file;               /* where those are, or NULL */
    int64_t candidates;                  /* retrieval: images that the joint pass scores for each text; 0: all */
    const char *among;                   /* retrieval: a stream that names for each text the images that the joint pass
                                          * scores, or NULL */
    int64_t min_answers;                 /* vqa: how often an answer must be the right one to become a label */
    int64_t eval_limit;                  /* held-out examples that are used; 0: all */
    int64_t rows;                        /* of a packed batch */
    /* -1: as the model says, or the paper for the task */
    int64_t beam, n_best, min_length, max_length, max_source, max_target;
    double length_penalty, tag_score;
    int block_trigrams;        /* 0, 1 or -1 */
    int64_t samples;           /* draws instead of a search, so many texts; 0: search */
    struct sample_opts sample; /* how they are drawn */
    uint64_t seed;             /* and from what */
};
struct downstream_defaults { /* of training, from the paper where it says them; a batch is of all its devices */
    double lr, beta2, weight_decay, warmup, epochs;
    const char *schedule;
    /* of tasks that write text */
    double smoothing, length_penalty;
    int max_source, max_target, min_length, max_length, beam;
    bool block_trigrams;
    double tag_score; /* of captions: how sure the detector was of what becomes a tag */
    /* of adversarial training: steps 0: none */
    int adv_steps;
    double adv_lr, adv_max_norm;
};
struct downstream_metric { /* a row of score/metrics.c and which of its figures counts */
    const char *metric, *figure;
};
struct downstream {
    const struct downstream_kind *kind;
    struct downstream_opts o;
    const struct model_config *config; /* of the model in use */
    struct store *train, *dev, *images;
    struct arena measuring; /* of evaluate() */
    struct bpe *bpe;        /* NULL unless the task writes text */
    pthread_mutex_t lock;   /* of what bpe encodes into, for all threads */
    struct encoding encoded;
    struct answers answers; /* what may be written */
    struct neighbours *hard;
};
enum label_kind { LABEL_CLASS, LABEL_NUMBER, LABEL_ANSWERS };
struct downstream_kind {
    const char *name, *summary;
    struct downstream_metric metric[4]; /* the first one that the scorer has */
    bool uses_images;                   /* examples name images */
    bool needs_pair;                    /* an example is two texts */
    bool predicts_from_images;          /* what predict() reads may be the images themselves */
    bool writes_text;
    bool fits_any_model;                    /* needs no head of its own */
    struct downstream_defaults defaults[2]; /* of the base and of the large model */
    enum label_kind labels;                 /* of tasks with a classifier (labels.h) */
    bool is_caption; /* of tasks that write text: "text" is what is written, "tags" come before it */
    bool is_dialog;  /* "turns" come after the source text */
    bool ends_with_sep;
    /* Heads and labels of the model, whose configuration knows of no task yet; called before the model is made, with
     * d->train open. */
    int (*configure)(struct downstream *d, struct model_config *c, struct err *e);
    void (*prepare)(struct downstream *d, struct task *t); /* losses and their weights */
    int (*add)(void *downstream, struct batch *b, int collection, int64_t i, struct rng *r, struct arena *a,
               struct err *e);
    int (*evaluate)(void *downstream, struct model *m, struct scratch *s, struct value *report, double *score,
                    struct err *e);
    /* The field of a held-out record without "refs" that says what is right; NULL: the image does, among all images. */
    const char *(*truth)(const struct downstream_kind *k);
    int (*predict)(struct downstream *d, struct model *m, struct reader *in, struct writer *out, struct err *e);
    /* Adds the sequence that the model sees of a record, with what it said (a text; NULL: nothing) where it writes, for
     * explain(); NULL: words and regions never meet. */
    int (*show)(struct downstream *d, struct arena *a, struct batch *b, const struct record *r,
                const struct value *said, struct err *e);
};
/* By name; an error lists the names. The rows of each family end with a NULL name; families with NULL. */
extern const struct downstream_kind retrieval_tasks[], generation_tasks[], labels_tasks[], embedding_tasks[];
extern const struct downstream_kind *const downstream_families[];
const struct downstream_kind *downstream_find(const char *name, struct err *e);
/* What the paper used for the task with a model of this size. */
const struct downstream_defaults *downstream_defaults(const struct downstream_kind *k, const struct model_config *c);

/* Opens whatever is named in *o. */
int downstream_open(struct downstream *d, const struct downstream_kind *kind, const struct downstream_opts *o,
                    struct err *e);
/* The task that the trainer sees; c is the configuration of the model that is trained and stays the caller's. */
void downstream_task(struct downstream *d, struct task *t, const struct model_config *c);
void downstream_release(struct downstream *d);
/* The task's heads, labels and settings, for a configuration that knows of no task yet. */
int downstream_configure(struct downstream *d, struct model_config *c, struct err *e);
/* Of a task that writes, whether its vocabulary is the model's. */
int downstream_check_vocabulary(const struct downstream *d, const struct model_config *c, struct err *e);
/* For prediction by a model of this configuration, which stays the caller's. */
int downstream_use(struct downstream *d, const struct model_config *c, struct err *e);

/* For the tasks' own files: the image that a record names, memory from the arena. */
int downstream_image(const struct downstream *d, struct arena *a, const struct value *fields, struct batch_image *image,
                     struct err *e);
/* The same when the record names one and there are images; has_image says so. */
int downstream_maybe_image(const struct downstream *d, struct arena *a, const struct value *fields,
                           struct batch_image *image, bool *has_image, struct err *e);
/* Held-out examples in use. */
int64_t downstream_dev_count(const struct downstream *d);
/* Whether the model can see them all, their texts and the images that they name, and be measured on what they say is
 * right. To be said before the training. */
int downstream_check_dev(struct downstream *d, struct err *e);
/* Whether a held-out record says what is right. */
int downstream_check_truth(const struct downstream *d, const struct record *r, struct err *e);
/* Measures by the scorer: predictions for the held-out records, with what they say is right; of captions: predictions
 * for their images, with all texts of an image. */
int downstream_measure(struct downstream *d, struct model *m, struct value *report, double *score, struct err *e);
const struct downstream_metric *downstream_metric(const struct downstream_kind *k);
#endif
