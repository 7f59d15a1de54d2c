#ifndef SCORE_DATA_H
#define SCORE_DATA_H
#include "score/boxes.h"
#include "score/captions.h"
#include "score/join.h"
#include "score/matrix.h"
#include "score/tally.h"
#include "score/tuples.h"

/* Everything that can be asked for; zero is the default of each. */
struct score_opts {
    struct join_files files;
    const char *images;   /* retrieval: the images that were scored */
    const char *ties;     /* mid, min, max, id */
    const char *prepare;  /* of predictions and references, as a field's script does it (prepare.h), or NULL */
    const char *tokenize; /* of captions: ptb, or split at white space */
    const char *vqa;      /* the normaliser's version: 2017 or 2021 */
    const char *bleu_tokenize, *smooth; /* of sacreBLEU */
    double smooth_value;                /* 0: sacreBLEU's default */
    bool lowercase, effective_order;
    int max_order;          /* 0: 4 */
    bool no_stem;           /* of ROUGE */
    const char *exceptions; /* of ROUGE-1.5.5: a directory of WordNet's *.exc */
    const char *wordnet;    /* of METEOR and SPICE: a directory, or "none"; NULL: Debian's */
    const char *paraphrases, *meteor_modules;
    int threads;    /* 0: all processors */
    bool ref_scale; /* figures are the reference program's own instead of percent */
};

/* What metrics work on: those parts that their rows in metrics.c name. */
struct score_data {
    const struct score_opts *o;
    struct join texts;        /* predictions with labels or texts, */
    struct captions captions; /* and the same as words */
    struct matrix matrix;     /* scores of texts and images */
    struct boxes boxes;       /* found and true ones */
    struct tuples tuples;     /* of scene graphs */
};
#endif
