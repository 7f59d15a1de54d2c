#ifndef MODEL_PACKED_H
#define MODEL_PACKED_H
#include "model/model.h"

/* A batch on the device: the arrays of struct batch as tensors, all uploaded in one piece. Private to lib/model. */
struct packed {
    int64_t n_rows, n_text, n_regions;
    struct sequences sequences;
    struct tensor id, position;              /* [n_text] */
    struct tensor text_move, feature_move;   /* added to text embeddings [n_text, H] and features, F32, or none */
    struct tensor dtext_move, dfeature_move; /* where their gradients go, or none */
    struct tensor role, turn;                /* the same, or none without dialog */
    struct tensor feature, location;         /* [n_regions, features], [n_regions, BATCH_LOCATION] F32 */
    struct tensor source;                    /* [n_rows] row of (texts, then regions) */
    struct tensor lm_row[BATCH_LM_KINDS], lm_label[BATCH_LM_KINDS];
    struct tensor masked_row, masked_feature, probs_row, probs;
    struct tensor cls_row, img_row;
    struct tensor score_cls, score_img, positive, group;
    struct tensor example_cls, example_img, example_label, example_target;
};
/* In the scratch memory. */
void packed_upload(struct packed *p, struct scratch *s, const struct batch *b);
#endif
