#ifndef MODEL_VOCABULARY_H
#define MODEL_VOCABULARY_H
#include "model/config.h"

/* Sets vocab and the ids of the special tokens <s>, <pad>, </s>, <unk>, <mask> from a directory that bpe_load() takes.
 */
int vocabulary_read(struct model_config *c, const char *dir, struct err *e);
/* Writes vocab.json and merges.txt into one directory from another: copies, or what other forms say. */
int vocabulary_copy(const char *from, const char *to, struct err *e);
#endif
