#ifndef SCORE_FORMS_H
#define SCORE_FORMS_H
#include "stream/value.h"

/* Predictions and references in the files that the field uses, as calls with what they hold:
 *   records   streams and JSON Lines (unimo-records(5)); read by join.c itself
 *   document  one JSON text: annotations and results of COCO captions and VQA; data sets and predictions of SQuAD and
 *             CoQA (whose ids here are STORY#TURN)
 *   text      plain text: line k is item k, counted from 1
 *   tsv       ID <tab> TEXT [<tab> TEXT]... */
struct forms_sink {
    void *arg;
    /* All texts of an id: of predictions exactly one. */
    int (*put)(void *arg, const char *id, const char *const *texts, int n, struct err *e);
    /* One of an id's texts, of which others may have come: COCO's references are an entry each. */
    int (*add)(void *arg, const char *id, const char *text, struct err *e);
    int (*note)(void *arg, const char *id, const char *name, const char *word); /* may be NULL */
};
/* Which form a file has by its name: .json, .txt, .tsv; else records. */
const char *forms_guess(const char *path);
int forms_read(const char *path, const char *form, bool is_pred, const struct forms_sink *sink, struct err *e);
#endif
