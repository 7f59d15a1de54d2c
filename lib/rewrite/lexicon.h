#ifndef REWRITE_LEXICON_H
#define REWRITE_LEXICON_H
#include "core/err.h"
#include "core/hash.h"
#include "core/rng.h"
#include "rewrite/scene_graph.h"
#include "rewrite/tfidf.h"

/* The strings of a corpus' scene graphs with their counts: what replacements are drawn from. Of each kind the 200,000
 * most frequent are kept, those of up to 100 bytes. */
enum lexicon_kind {
    LEX_OBJECTS,    /* "dog" */
    LEX_BARE,       /* objects in the singular without an article: "grass", and "dog" in "dog on a beach" */
    LEX_PROPER,     /* objects that are written as names: "eiffel tower" of "Eiffel Tower" */
    LEX_ATTRIBUTES, /* "red" */
    LEX_RELATIONS,  /* "to the left of", "ride" */
    LEX_VERBS,      /* forms of verbs that took an object: "riding" */
    LEX_PHRASES,    /* an object with its attributes: "large red\tdog" */
    LEX_PLACES,     /* where a picture was taken: "in the desert\tdesert" */
    LEX_ALIASES,    /* pairs of names that captions of one image use for one thing: "coach\tbus", in byte order */
    LEX_KINDS
};
enum { LEX_FILES = 64 }; /* more than WordNet has lexicographers' files */
struct lexicon {
    struct map kinds[LEX_KINDS];
    struct drawing { /* made by lexicon_load(): entries by file and in byte order, with running sums of their counts */
        int64_t n, top; /* top: the largest count */
        const char **text;
        int64_t *sum;                 /* [n + 1] of the entries before each */
        int64_t first[LEX_FILES + 1]; /* of each of WordNet's files; entries without one come first */
    } drawings[LEX_KINDS];
};
/* Whether relation i says where all of it is: "in the desert". */
bool relation_is_place(const struct scene_graph *g, int i);
void lexicon_add(struct lexicon *l, const struct scene_graph *g);
/* Finds names for one thing: they share many images and hardly ever a caption. */
int lexicon_add_aliases(struct lexicon *l, struct tfidf_builder *captions, struct err *e);
int lexicon_save(struct lexicon *l, const char *path, struct err *e);
int lexicon_load(struct lexicon *l, const char *path, const struct wordnet *wordnet,
                 struct err *e); /* wordnet may be NULL */
void lexicon_release(struct lexicon *l);

/* How common an entry is, from 0 to 1. */
double lexicon_commonness(const struct lexicon *l, enum lexicon_kind kind, const char *text);
int64_t lexicon_count(const struct lexicon *l, enum lexicon_kind kind, const char *text);
bool lexicon_is_alias(const struct lexicon *l, const char *a, const char *b);
/* An entry by its frequency (its square root: rare ones get a chance) among those of a file (objects and phrases only),
 * or, of file -1, among all; NULL when there is none. */
const char *lexicon_draw(const struct lexicon *l, enum lexicon_kind kind, int file, struct rng *r);
#endif
