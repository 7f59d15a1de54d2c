#ifndef SCORE_EXPLAIN_H
#define SCORE_EXPLAIN_H
#include "score/data.h"

/* Adds the words of item i's prediction and references, and the runs of words that match, longest first. */
void captions_explain(const struct captions *c, int64_t i, struct value *out);
/* How captions were tokenized. */
void captions_signature(const struct score_data *d, struct str *out);
#endif
