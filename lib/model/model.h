#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H
#include "model/batch.h"
#include "nn/transformer.h"

/* A UNIMO model on a device: configuration and parameters. Parameter names are those of unimo-model(5). */
struct model {
    struct model_config config;
    struct device *device;
    struct params params;
    int word, position;
    int role, turn; /* tables of a dialog's speakers; -1: absent */
    struct norm text_norm, image_norm;
    struct linear feature, location;
    struct transformer *layer; /* [config.layers] */
    struct linear text_pooler, image_pooler;
    struct linear lm_dense;
    struct norm lm_norm;
    int lm_bias;
    struct linear mrc, mrfr, match;       /* w = -1: absent */
    int log_scale;                        /* of the contrastive loss's scores, or -1 */
    struct linear label_dense, label_out; /* likewise; no label_dense: one layer */
};

/* Builds the model of a configuration (which is copied) with undefined parameters; params_init(), model_load() or
 * model_load_init() give them values. compute: DT_F32 or DT_BF16. training: with gradients and moments. */
int model_open(struct model *m, const struct model_config *c, struct device *d, enum dtype compute, bool training,
               struct err *e);
/* Parameters of such a model, without making it. */
int64_t model_count(const struct model_config *c);
/* Opens a model directory written by model_save(): config.json and model.safetensors. Everything must be there. */
int model_open_dir(struct model *m, const char *dir, struct device *d, enum dtype compute, bool training,
                   struct err *e);
/* --init DIR: values for whatever has the same name and shape, from a directory of ours or RoBERTa's (Hugging Face
 * names, with or without the "roberta." prefix, LayerNorm.gamma/beta too). Others keep their values, and so does a
 * learnt temperature unless DIR's config.json begins it at the same one for the same score. report says what matched,
 * is missing here or there. RoBERTa's token type row is added to every position. */
int model_load_init(struct model *m, const char *dir, struct params_report *report, struct err *e);
/* config.json and model.safetensors into an existing directory. */
int model_save(const struct model *m, const char *dir, struct err *e);
void model_release(struct model *m);
/* The compute type for --precision auto|f32|bf16 on a device. */
enum dtype model_precision(const char *name, const struct device *d);

/* ---- a step ---- */

enum loss { LOSS_MLM, LOSS_SEQ2SEQ, LOSS_MRC, LOSS_MRFR, LOSS_CMCL, LOSS_MATCH, LOSS_LABEL, LOSS_COUNT };
extern const char *const loss_names[LOSS_COUNT]; /* "mlm", "seq2seq", "mrc", "mrfr", "cmcl", "match", "label" */

struct step_opts {
    bool train;               /* dropout, backward pass: adds into the gradients of params */
    uint64_t seed, number;    /* name the dropout masks; number differs between micro-batches and ranks */
    float weight[LOSS_COUNT]; /* of each loss; 0: not computed at all */
    /* Of the whole optimizer step, over its micro-batches and ranks: gradients are divided by these, so that their sum
     * is that of one large batch. 0: by the batch's own. */
    int64_t targets[LOSS_COUNT];
    bool recompute; /* keep each layer's input only, and compute the rest again for the backward pass */
    /* Or NULL. Told while backward runs, from the last layer to the first: no more will be added in this step to these
     * elements of params.grad. */
    void (*finished)(void *arg, int64_t from, int64_t n);
    void *finished_arg;
    const struct adversary *adversary; /* adversarial.h; NULL: none */
    float smoothing;                   /* label smoothing of the seq2seq loss */
    float margin, gamma;               /* of the circle loss (LOSS_MATCH) */
};
/* Sums over targets on the host: the mean of a loss is sum / n. Per target: MLM and seq2seq: cross-entropy of a token;
 * MRC: of a region; MRFR: squared distance of a region divided by the feature width; CMCL and match: of a group; label:
 * of an example. */
struct losses {
    double sum[LOSS_COUNT];
    int64_t n[LOSS_COUNT];
};
/* A step's sums on the device, each in its own place: of each kind of LM targets one for each part that is computed at
 * a time, and one of each other loss; an adversary's passes have fewer. */
enum { LM_PARTS_MAX = 126, LOSS_SUMS_MAX = BATCH_LM_KINDS * LM_PARTS_MAX + 4 };
struct loss_sums {
    struct tensor slots; /* F32 [LOSS_SUMS_MAX] */
    int n;
    enum loss of[LOSS_SUMS_MAX];
    int64_t targets[LOSS_COUNT];
};
/* One packed pass forward, all losses with a weight and a target in the batch, and with opts.train backward. The
 * gradient is that of sum over losses of weight * mean. CMCL's and match's groups are the same in a batch: give
 * one of them a weight. Reuses all of s (resets it first). out is added to. Waits for the device (through
 * device_check()). */
int model_step(struct model *m, struct scratch *s, const struct batch *b, const struct step_opts *o, struct losses *out,
               struct err *e);
/* The same without waiting, but for an adversary's moves: sums->slots is the caller's. What is there when the device is
 * done, model_losses() adds to out. */
void model_begin_step(struct model *m, struct scratch *s, const struct batch *b, const struct step_opts *o,
                      struct loss_sums *sums);
void model_losses(const struct model *m, const struct loss_sums *sums, const float slots[], struct losses *out);
/* How many targets each loss with a weight has in the batch. */
void model_targets(const struct batch *b, const float weight[LOSS_COUNT], int64_t n[LOSS_COUNT]);
/* Floating-point operations of a training step over the batch: products and attention, forward and backward; what is
 * computed twice is counted once. */
double model_flops(const struct model_config *c, const struct batch *b, const float weight[LOSS_COUNT]);
double losses_total(const struct losses *l, const float weight[LOSS_COUNT]); /* sum of weight * mean */

/* ---- without training ---- */

/* Encodes a batch and returns, in host memory that the caller provides (or NULL), the scores of its pairs [n_scores],
 * or the log probabilities of its examples' labels [n_examples, n_labels] (label_regression: the numbers; label_soft:
 * the log odds of each label). */
int model_predict(struct model *m, struct scratch *s, const struct batch *b, float *scores, float *log_probs,
                  struct err *e);
/* The pooled rows of a batch on the host, F32 (or NULL): texts [n_cls, hidden], images [n_img, hidden]. */
int model_pool(struct model *m, struct scratch *s, const struct batch *b, float *texts, float *images, struct err *e);
/* Hidden states of all rows [n_rows, hidden] F32 on the host, for tests and tools. */
int model_hidden(struct model *m, struct scratch *s, const struct batch *b, float *hidden, struct err *e);
#endif
