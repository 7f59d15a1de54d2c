#ifndef MODEL_VOCABULARY_H
#define MODEL_VOCABULARY_H
#include "model/config.h"

/* Sets vocab and the ids of the special tokens from DIR/vocab.json: <s>, <pad>, </s>, <unk>, <mask>. */
int vocabulary_read(struct model_config *c, const char *dir, struct err *e);
#endif
