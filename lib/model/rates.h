#ifndef MODEL_RATES_H
#define MODEL_RATES_H
#include "model/model.h"

/* Learning rates of fine-tuning, as shares of the largest one. */
struct rates {
    double decay; /* of each layer as a share of the layer's above it: 1 */
    double head;  /* of the heads: 1 */
    int freeze;   /* so many layers, and the embeddings below them, stay as they are: 0 */
};
/* To be called before training begins. Embeddings count as the layer below the first, poolers as the last one,
 * but they are never frozen. */
void model_set_rates(struct model *m, const struct rates *r);
#endif
