#ifndef SCORE_RETRIEVAL_H
#define SCORE_RETRIEVAL_H
#include "score/data.h"

/* Recall of image-text retrieval in percent, and ranks counted from 1. A tie counts as the mean of the ranks that it
 * spans. */
struct recall {
    double at1, at5, at10, mean_rank, median_rank;
    int64_t n, ties; /* queries; those whose right answer ties with a wrong one */
};
/* scores [n_texts][n_images], higher is better, no NaN; gold [n_texts]: the image of each text. Text to image: the rank
 * of the one right image. Image to text: the rank of the best of the image's texts; images without texts are left out.
 */
void retrieval_recall(struct recall *text_to_image, struct recall *image_to_text, const float *scores,
                      const int64_t *gold, int64_t n_texts, int64_t n_images);
/* Both directions, text to image and image to text, as UNIMO's recall_at_k; ties as asked for. */
int retrieval_count(const struct score_data *d, struct tally out[2], struct err *e);
#endif
