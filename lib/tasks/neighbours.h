#ifndef TASKS_NEIGHBOURS_H
#define TASKS_NEIGHBOURS_H
#include "core/mem.h"
#include "core/rng.h"
#include "stream/store.h"

/* Hard negatives of retrieval: for each text the images that a model took for its own, as unimo-predict --n-best writes
 * them: records {"id" of the text, "image", "images": [ids, best first]}. Thread-safe once open. */
struct neighbours;
struct neighbours *neighbours_open(const char *path, struct store *train, struct err *e);
/* A wrong image of the text, copied into the arena, or NULL when it has none. */
int neighbours_image(struct neighbours *n, const char *text, struct rng *r, struct arena *a, const char **image,
                     struct err *e);
/* A training example whose image is the given one; -1: none. */
int64_t neighbours_text(const struct neighbours *n, const char *image, struct rng *r);
void neighbours_close(struct neighbours *n); /* NULL is fine */
#endif
