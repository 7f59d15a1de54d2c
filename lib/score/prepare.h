#ifndef SCORE_PREPARE_H
#define SCORE_PREPARE_H
#include "score/join.h"

/* What the field's scripts do to texts before they score them (the tasks of UniLM and ERNIE-GEN, which UNIMO uses):
 * - cnndm, gigaword mend the tokens of predictions; sentences at [X_SEP] and <S_SEP>; repeated and very short sentences
 *   go, 100 tokens stay (cnndm); 1 becomes # (gigaword);
 * - qg, qg-eval, of questions: lower case; one item for all references of the same "source", with its last prediction;
 *   qg-eval mends the predictions' tokens and leaves the references as they are;
 * - qg-raw, ours, makes of questions as SQuAD has them what those scripts expect: both sides are tokenized;
 * - coqa: the spaced contractions of generated answers. */
int prepare_items(struct join *j, const char *how, struct err *e);
bool prepare_known(const char *how);
/* Whether captions are scored by their words as they stand. */
bool prepare_splits(const char *how);
#endif
