#ifndef SCORE_SACREBLEU_H
#define SCORE_SACREBLEU_H
#include "score/data.h"

/* Corpus BLEU as sacreBLEU 2.6 computes it, with its tokenizers, smoothing and signature. Percent. Each item's is its
 * sentence BLEU with effective order. */
int sacrebleu_count(const struct score_data *d, struct tally *out, struct err *e);
/* The names of the tokenizers: 13a, intl, char, zh, none. */
bool sacrebleu_tokenizer_known(const char *name);
/* Appends the text's tokens, blanks between them. */
void sacrebleu_tokenize(const char *tokenizer, const char *text, struct str *out);
#endif
