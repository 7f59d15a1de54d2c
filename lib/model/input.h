#ifndef MODEL_INPUT_H
#define MODEL_INPUT_H
#include "core/mem.h"
#include "model/batch.h"
#include "stream/record.h"
#include "stream/store.h"

/* From records of unimo-records(5) to texts and images of a batch, with every check. Memory comes from the arena;
 * errors name the field. */

/* `tokens` and `units` beside field `text`, `F_tokens` and `F_units` for another field F; the first config.max_text
 * tokens. */
int input_text(struct arena *a, const struct model_config *c, const struct value *fields, const char *field,
               struct batch_text *out, struct err *e);
/* An array of objects with `tokens` and `units` (positives, negatives): *n texts. Absent: 0. */
int input_texts(struct arena *a, const struct model_config *c, const struct value *fields, const char *array,
                struct batch_text **out, int64_t *n, struct err *e);
/* The tokens of an array of strings: `F_tokens`, one array for each. Absent: 0. */
int input_strings(struct arena *a, const struct model_config *c, const struct value *fields, const char *field,
                  struct batch_text **out, int64_t *n, struct err *e);
/* An array of strings (related_texts, related_images). Absent: 0. Strings are borrowed from the record. */
int input_ids(struct arena *a, const struct value *fields, const char *array, const char ***out, int64_t *n,
              struct err *e);
/* Tensors features, boxes, class_probs (wanted only when probs) and fields width, height; the first config.max_regions
 * regions. A record with 0 regions is an error that says so. */
int input_image(struct arena *a, const struct model_config *c, const struct record *r, bool probs,
                struct batch_image *out, struct err *e);
/* The width of the features and the number of classes (0: no class_probs) of a record. */
int input_image_sizes(const struct record *r, int *features, int *classes, struct err *e);
int input_image_id(struct arena *a, const struct model_config *c, struct store *s, const char *id, bool probs,
                   struct batch_image *out, struct err *e);
#endif
