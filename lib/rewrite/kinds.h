#ifndef REWRITE_KINDS_H
#define REWRITE_KINDS_H
#include <stdbool.h>

/* Attributes and relations of which one excludes the other: colours, sizes, materials; left and right, above and below.
 */
enum contrast {
    CONTRAST_NONE,    /* of different kinds, or unknown: both may be true */
    CONTRAST_SAME,    /* other words for the same */
    CONTRAST_UNCLEAR, /* too close to tell ("pink", "purple") */
    CONTRAST_CONTRARY
};
enum contrast attributes_contrast(const char *a, const char *b);

/* The words that exclude this attribute, as a NULL-terminated table of classes of synonyms: "small little tiny".
 * n_classes 0 for an unknown word. */
struct attribute_kind {
    const char *name;
    int n;
    const char *const *classes;
};
const struct attribute_kind *attribute_kind_of(const char *word, int *class);

/* The i-th relation that cannot hold where this one does ("to the left of" -> "to the right of"), or NULL. */
const char *relation_opposite(const char *relation, int i);
/* Whether a R b and b R a exclude each other. */
bool relation_is_directed(const char *relation);
/* Whether both prepositions say the same ("next to", "beside"). */
bool prepositions_agree(const char *a, const char *b);
/* Whether what is done by one verb may as well be told by the other ("hold", "carry"): base forms. */
bool verbs_may_agree(const char *a, const char *b);
/* Whether the word is one of a list with blanks between. */
bool word_is_listed(const char *list, const char *word);
#endif
