#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H
#include "core/err.h"
#include "stream/value.h"

/* What config.json says about a model (unimo-model(5)): sizes, special tokens, heads, and what a fine-tuned model is
 * for. */
enum { CONFIG_LABELS_MAX = 4096, CONFIG_LAYERS_MAX = 256 };
/* So that the longest sequence fits into the 65535 rows of op_attention_forward(): a text in pieces with [CLS] and
 * [SEP] around each token, or document, turns and target of a dialog; and an image before them. */
enum { CONFIG_REGIONS_MAX = 4096, CONFIG_TEXT_MAX = 16384 };
/* Of a text's [CLS]: RoBERTa, whose weights a model may begin with, counts positions from its pad id + 1. */
enum { CONFIG_FIRST_POSITION = 2 };
struct model_config {
    int layers, hidden, heads, inner; /* inner: width of the feed-forward layer */
    int vocab, positions; /* positions: rows of the table, of which texts use those from CONFIG_FIRST_POSITION on */
    float norm_eps, dropout, attention_dropout, init_std;
    float location_std; /* init_std of the boxes' projection; 0: the same */
    int cls_id, pad_id, sep_id, unk_id, mask_id;
    int features;    /* width of a region's feature vector */
    int classes;     /* detector classes of the MRC head, 0 = background included */
    int max_regions; /* regions of an image that are used, without [IMG] */
    int max_text;    /* tokens of a text that are used, specials included; at most positions - CONFIG_FIRST_POSITION */
    bool has_region_heads; /* MRC and MRFR: pre-training only */
    bool has_match_head;   /* scalar score of a pair: CMCL and retrieval */
    bool cosine;      /* the score of a pair is the cosine of the pooled vectors instead of w . (text * image) + b */
    float tau;        /* temperature of the contrastive loss */
    bool learns_tau;  /* the temperature is tau / exp(s) with a parameter s, which begins at 0 */
    char task[32];    /* "" for a pre-trained model, else the name of the task it was fine-tuned for */
    int n_labels;     /* of the classifier head; 0: none */
    char **labels;    /* [n_labels] names, owned */
    int label_hidden; /* width of the classifier's first layer; 0: it has one layer */
    /* What the classifier is: by default the sum of the pooled rows, no activation, one label out of all (softmax). */
    bool label_product;    /* the product of the pooled rows instead (where there are both) */
    bool label_relu;       /* ReLU behind the first layer */
    bool label_regression; /* one number and its squared error; n_labels is 1 */
    bool label_soft;       /* a probability for each label on its own (sigmoid, binary cross-entropy) */
    float label_dropout;   /* before the last layer; -1: as everywhere */
    bool ends_with_mask;   /* written texts end with the mask token (text generation) instead of [SEP] (captions) */
    bool has_dialog;       /* tables of roles and turns beside words and positions */
    struct value *task_options; /* what the task wants to remember (an object) or NULL; owned */
};

/* "base" and "large" are the paper's, "small" (4 layers of 256) is the demo's, "tiny" (2 of 64) the tests'. vocab,
 * features and classes are the paper's and may be changed. -1 for an unknown name. */
int model_config_named(struct model_config *c, const char *name, struct err *e);
/* Sets vocab and the ids that depend on it (mask_id = vocab - 1). */
void model_config_vocab(struct model_config *c, int vocab);
/* Everything that must hold: ranges, hidden a multiple of heads and of 16, ... */
int model_config_check(const struct model_config *c, struct err *e);
/* Reads config.json: ours (model_type "unimo") or RoBERTa's ("roberta"; the image sizes keep the values of *c given).
 */
int model_config_load(struct model_config *c, const char *path, struct err *e);
struct value *
model_config_value(const struct model_config *c); /* what is written to config.json; the caller frees it */
void model_config_copy(struct model_config *to, const struct model_config *from);
void model_config_set_labels(struct model_config *c, const char *const *labels, int n);
/* As after pre-training: no task, no classifier, nothing that a task remembers. */
void model_config_forget_task(struct model_config *c);
void model_config_release(struct model_config *c);
#endif
