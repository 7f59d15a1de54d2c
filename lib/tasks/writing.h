#ifndef TASKS_WRITING_H
#define TASKS_WRITING_H
#include "tasks/downstream.h"

/* From decoded tokens to texts, for the tasks that write. */
struct written {
    char *text;  /* owned; NULL: there was no more */
    float score; /* length-normalised log probability */
};
/* [CLS], a token and [SEP]; [CLS] and a token: with less there is nothing to see or to learn. */
enum { WRITING_LEAST_SOURCE = 3, WRITING_LEAST_TARGET = 2 };
/* Whether a model's own settings are in the ranges of the options of the same names. */
int writing_check_settings(const struct model_config *c, struct err *e);
/* How texts are written: what the command line says, else the model's own settings, else the paper's. */
struct decode_opts writing_opts(const struct downstream *d);
/* Texts for the batch's inputs, which is then empty. out[n_sequences * o->n_best]. */
int writing_decode(struct downstream *d, struct model *m, struct scratch *s, struct batch *b,
                   const struct decode_opts *o, struct written *out, struct err *e);
/* The tokens of a text, at most limit of them, in the arena. Any thread may call it. */
struct batch_text writing_encode(struct downstream *d, struct arena *a, const char *text, size_t n, int64_t limit);
/* Reads --vocab into d->answers; the model's configuration is known. */
int writing_read_only(struct downstream *d, struct err *e);
/* Largest numbers of tokens of source and target, specials included. */
int64_t writing_max_source(const struct downstream *d);
int64_t writing_max_target(const struct downstream *d);
/* Regions whose names are seen with an image have at least this score. */
double writing_tag_score(const struct downstream *d);
/* What predictions need to know, for config.json's task_options. */
struct value *writing_settings(const struct downstream *d, const struct model_config *c);
#endif
