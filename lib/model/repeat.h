#ifndef MODEL_REPEAT_H
#define MODEL_REPEAT_H
#include "text/bpe.h"

/* Whether the text of tokens[n] and token would end in three words that stand in it before, one after another, as the
 * published code asks it: a token whose text begins with a space begins a word; the last word counts as far as it is
 * written. */
bool repeats_words(const struct bpe *b, const int32_t *tokens, int n, int32_t token);
#endif
