#ifndef MODEL_BATCH_H
#define MODEL_BATCH_H
#include "model/config.h"
#include <stdint.h>

/* A packed batch in host memory: no padding. It is a list of sequences of rows; a row is a text token or an image
 * region. Row i of a sequence sees row j when j < prefix or j <= i. All targets of all objectives refer to rows of the
 * batch. One batch is one pass through the encoder; everything in it is computed together (model_step() in model.h).
 *
 * Use: batch_init() once, then for each step batch_clear(), batch_add_...(), model_step(). One object, one thread. */

/* A text: tokens without [CLS] and [SEP]. Borrowed. */
struct batch_text {
    int64_t n;
    const int32_t *tokens; /* [n], each in [0, vocab) */
    const int32_t *units; /* [n]: 0 starts a unit (word or phrase), 1 continues it, -1: of none; NULL: each is a unit */
};
/* The regions of an image. Borrowed. */
struct batch_image {
    int64_t n;                /* at least 1 */
    const float *features;    /* [n, config.features] */
    const float *boxes;       /* [n, 4]: x1, y1, x2, y2 in pixels */
    const float *class_probs; /* [n, config.classes], or NULL: no MRC targets */
    float width, height;      /* of the image, pixels */
};

struct batch_lm { /* rows whose next or own token is predicted */
    int64_t n, cap, cap_label;
    int32_t *row, *label;
};
enum { BATCH_MLM, BATCH_SEQ2SEQ, BATCH_LM_KINDS };
enum { BATCH_LOCATION = 5 }; /* numbers that say where a region is: batch_add_image() */

struct batch {
    const struct model_config *config;
    /* tokens and regions; regions are stored once and may be used by several sequences */
    int64_t n_text, cap_id, cap_position;
    int32_t *id, *position; /* [n_text] */
    int64_t cap_role, cap_turn;
    int32_t *role, *turn; /* [n_text] in a dialog, -1: none; unused unless config.has_dialog */
    int64_t n_regions, cap_feature, cap_location;
    float *feature;  /* [n_regions, features]; [IMG] rows are regions too */
    float *location; /* [n_regions, BATCH_LOCATION] */
    int64_t n_images, cap_image;
    int64_t *image; /* [n_images + 1] first region ([IMG]) of each image */
    /* sequences */
    int64_t n_rows, cap_row;
    int32_t *source; /* [n_rows] text k as k, region j as -1 - j */
    int64_t n_sequences, cap_start, cap_prefix;
    int32_t *start, *prefix; /* [n_sequences + 1], [n_sequences] */
    int64_t longest;
    /* targets */
    struct batch_lm lm[BATCH_LM_KINDS];
    int64_t n_masked, cap_masked, cap_target;
    int32_t *masked_row;   /* [n_masked] rows of masked regions */
    float *masked_feature; /* [n_masked, features] what they were */
    int64_t n_probs, cap_probs_row, cap_probs;
    int32_t *probs_row; /* [n_probs] those of them with class probabilities */
    float *probs;       /* [n_probs, classes] */
    /* pooled rows: [CLS] and [IMG] */
    int64_t n_cls, cap_cls, n_img, cap_img;
    int32_t *cls_row, *img_row;
    /* scores of pairs of pooled rows, in groups with positives and negatives */
    int64_t n_scores, cap_score_cls, cap_score_img, cap_positive;
    int32_t *score_cls, *score_img; /* [n_scores] indices into cls_row and img_row */
    int32_t *positive;              /* [n_scores] 1 or 0 */
    int64_t n_groups, cap_group;
    int32_t *group; /* [n_groups + 1] */
    /* examples of a classifier */
    int64_t n_examples, cap_example_cls, cap_example_img, cap_example_label;
    int32_t *example_cls, *example_img; /* [n_examples] pooled rows; -1: none */
    int32_t *example_label;             /* [n_examples]; -1: unknown */
    int64_t n_targets, cap_example_target;
    float *example_target; /* [n_targets, n_labels]: of each example, or none (label_regression, label_soft) */
};
void batch_init(struct batch *b, const struct model_config *c); /* c stays the caller's and must outlive b */
void batch_clear(struct batch *b);
void batch_release(struct batch *b);
/* Puts everything of `from`, a batch of the same configuration, behind what b has: examples made apart become one
 * batch. */
void batch_append(struct batch *b, const struct batch *from);

/* ---- building blocks ---- */

/* Puts an image's [IMG] and regions into the table (the first max_regions of them) and returns its number, for use in
 * one or more sequences. masked [n] (or NULL): regions whose feature is replaced by zeros; [IMG] is the mean of the
 * others with location [0,0,1,1,1]. Locations are [x1/W, y1/H, x2/W, y2/H, area/(WH)], clamped to [0,1]. */
int64_t batch_add_image(struct batch *b, const struct batch_image *image, const uint8_t *masked);
int64_t batch_image_rows(const struct batch *b, int64_t image); /* regions and [IMG] */

/* The rows of one text with everything said, as the objectives produce them. */
struct batch_rows {
    int64_t n;
    int32_t *id, *position;
    int32_t *label;       /* [n] token predicted at the row, -1: none; NULL: none at all */
    int64_t prefix;       /* text rows seen by every row of the sequence; n: full attention */
    int lm;               /* BATCH_MLM or BATCH_SEQ2SEQ: which loss the labels belong to */
    int32_t *role, *turn; /* [n] or NULL */
};
/* Adds a sequence: the image's rows (image -1: none), then the text's (text NULL or n = 0: none). Returns its number.
 */
int64_t batch_add_sequence(struct batch *b, int64_t image, const struct batch_rows *text);
int64_t batch_sequence_rows(const struct batch *b, int64_t sequence);

/* ---- whole sequences ---- */

/* [IMG] regions [CLS] text [SEP], full attention, no targets. image -1 or text NULL: only the other part.
 * The text is cut to max_text. */
int64_t batch_add_pair(struct batch *b, int64_t image, const struct batch_text *text);
/* [IMG] regions (image -1: none) [CLS] a [SEP] b [SEP]; the longer one loses tokens until they fit. */
int64_t batch_add_text_pair(struct batch *b, int64_t image, const struct batch_text *first,
                            const struct batch_text *second);
/* The same sequence as batch_add_pair() with MLM labels: tokens as replaced by mlm_mask(), labels [n] original token or
 * -1. */
int64_t batch_add_mlm(struct batch *b, int64_t image, const struct batch_text *text, const int32_t *labels);
/* Image and optional source text seen by all, then [CLS] target [SEP] left to right with next-token labels; positions
 * of the target restart at 2. */
int64_t batch_add_generation(struct batch *b, int64_t image, const struct batch_text *source,
                             const struct batch_text *target);
/* One piece of what is seen before a text is written. */
struct batch_part {
    struct batch_text text;
    bool starts, ends; /* [CLS] before it, [SEP] behind it */
    bool goes_on;      /* its positions continue those of the part before; else they begin anew, at 3 behind a [CLS] */
    int role, turn;    /* in a dialog */
};
enum { BATCH_ROLES = 3, BATCH_TURNS = 16 }; /* rows of the two tables */
/* Image (-1: none) and parts, seen by all, then [CLS] target and the end symbol, from left to right, positions from 2,
 * role and turn 0. The target takes max_target rows at most: when it is longer its end symbol is lost, as in the
 * published code. target NULL: only what is seen, for decoding. */
int64_t batch_add_parts(struct batch *b, int64_t image, const struct batch_part *parts, int n,
                        const struct batch_text *target, int64_t max_target);
int32_t batch_end_symbol(const struct model_config *c);
/* Region targets of an image masked in the given sequence: rows, features, class probabilities. */
void batch_add_region_targets(struct batch *b, int64_t sequence, const struct batch_image *image,
                              const uint8_t *masked);

/* ---- pooled rows, scores, examples ---- */

/* The [CLS] / [IMG] row of a sequence as input of a pooler; returns its index. The sequence must have the part. */
int32_t batch_pool_text(struct batch *b, int64_t sequence);
int32_t batch_pool_image(struct batch *b, int64_t sequence);
/* One score of the open group: text and image are pooled indices, of the same sequence (joint) or of two (single). */
void batch_add_score(struct batch *b, int32_t text, int32_t image, bool positive);
void batch_end_group(struct batch *b);
void batch_add_example(struct batch *b, int32_t text, int32_t image, int32_t label);
/* Of the example added last: target [n_labels]. */
void batch_add_target(struct batch *b, const float *target);

/* One contrastive example (spec of CMCL in unimo-pretrain(1)): joint passes of the image with its text, the positives
 * and the negatives; when there is something related, single passes of image, text and the related ones. Adds one
 * group, the paper's sum over positives, or one for each positive. */
struct batch_cmcl {
    struct batch_image image;
    struct batch_text text;
    int64_t n_positives, n_negatives, n_texts, n_images;
    const struct batch_text *positives, *negatives; /* rewritten texts */
    const struct batch_text *texts;                 /* retrieved texts, count as positives */
    const struct batch_image *images;               /* retrieved images, count as positives */
    bool each; /* a group for each positive with all the negatives, instead of one group with all of them */
};
void batch_add_cmcl(struct batch *b, const struct batch_cmcl *x);
#endif
