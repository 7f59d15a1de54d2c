#ifndef SCORE_TEXTS_H
#define SCORE_TEXTS_H
#include "core/mem.h"
#include "core/str.h"
#include "score/item.h"

/* The texts of items made into other texts (tokenized, say), by threads. */
struct texts_maker {
    size_t room; /* bytes that a thread has to itself, zeroed */
    void (*open)(void *room, const void *arg);
    /* Appends what becomes of the first text; those that follow it among the predictions or the references are behind
     * it, and then NULL. */
    void (*make)(void *room, const char *const *text, struct str *out);
    void (*close)(void *room);
};
struct texts {
    int64_t n;
    struct score_item *items; /* [n] with the texts that were made */
    struct arena *arenas;     /* [threads] they lie in */
    const char **refs;
    int threads;
};
/* threads 0: all processors. */
void texts_make(struct texts *t, const struct score_item *items, int64_t n, int threads,
                const struct texts_maker *maker, const void *arg);
void texts_release(struct texts *t);
#endif
