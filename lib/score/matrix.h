#ifndef SCORE_MATRIX_H
#define SCORE_MATRIX_H
#include "core/err.h"
#include "core/hash.h"
#include <stdint.h>

/* Scores of all pairs of texts and images. */
struct matrix {
    int64_t n_texts, n_images;
    float *scores;            /* [n_texts][n_images], of tensors; NULL: */
    double *exact;            /* the same, of numbers in decimal */
    int64_t *gold;            /* [n_texts] */
    struct map texts, images; /* their ids, in order */
};
/* From records of unimo-predict: "image" (the right one) and a tensor "scores" F32 [n_images] in the order of the
 * records of the stream `images`. */
int matrix_read(struct matrix *m, const char *pred, const char *images, struct err *e);
/* From records {"text","image","score"}, each pair exactly once, and a stream of {"text","image"}, the right image of
 * each text. Texts and images are named by strings or whole numbers. */
int matrix_read_triples(struct matrix *m, const char *pred, const char *truth, struct err *e);
/* A text's scores: exact ones, or others widened in room [n_images]. */
const double *matrix_row(const struct matrix *m, int64_t text, double *room);
void matrix_release(struct matrix *m);
#endif
