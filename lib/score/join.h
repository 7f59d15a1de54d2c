#ifndef SCORE_JOIN_H
#define SCORE_JOIN_H
#include "core/err.h"
#include "core/hash.h"
#include "core/mem.h"
#include "score/item.h"

/* Predictions and references joined by id, never by position: an id that is missing, unknown or there twice is an error
 * unless `missing` says otherwise. Files are streams, JSON Lines or the field's own forms (forms.h). */
enum join_missing {
    JOIN_ERROR,
    JOIN_ZERO, /* a missing prediction is wrong; an unknown one is ignored */
    JOIN_SKIP  /* its item is left out */
};
enum { JOIN_REFS = 16, JOIN_NOTES = 8 };
struct join_files {
    const char *pred;
    const char *refs[JOIN_REFS]; /* those of one id are taken together, in the order of the files */
    int n_refs;
    const char *field; /* of references that are plain records: a string, a number or an array of these */
    const char *form;  /* auto or a name of forms.h */
    const char *notes[JOIN_NOTES];
    int n_notes; /* fields of the references that are kept as words */
    enum join_missing missing;
};
struct join {
    int64_t n;
    const char **id; /* in the order of the references */
    struct score_item *items;
    struct { /* as asked for in notes */
        const char *name;
        struct map words; /* in order of appearance */
        int32_t *of;      /* [n] the item's word; -1: it has none */
    } notes[JOIN_NOTES];
    int n_notes;
    int64_t missing, unknown, empty; /* predictions */
    uint64_t digest;                 /* of ids and references, whatever their order */
    struct map ids;                  /* keeps the ids */
    struct arena arena;              /* and all else */
};
/* Predictions are records {"id", "pred"}. References are {"id", "refs": [...]}; or records with the field; or, where
 * that is absent, texts {"image", "text"}: all texts of an image are its references, its id is the prediction's.
 * Numbers are compared as they are written. */
int join_read(struct join *j, const struct join_files *f, struct err *e);
/* A note's index, or -1. */
int join_note(const struct join *j, const char *name);
void join_release(struct join *j);
#endif
