#ifndef REWRITE_FIT_H
#define REWRITE_FIT_H
#include "rewrite/substitute.h"

/* What may stand where: replacements that keep the grammar and make the caption false. */

/* WordNet's file of a noun, by its last word when the whole is unknown; -1 without one. */
int sort_of(const struct substitution *s, const char *name);
/* Whether `name` can stand where o stands: counted where that is, bare where that is, of a sex that the caption's
 * pronouns allow, and nothing of the picture. from_lexicon: it is a name of the corpus, which tells how it is used. */
bool object_fits(const struct substitution *s, const struct graph_object *o, const char *name, bool from_lexicon);
/* Whether the attribute is said of things of this sort: only what lives is young, only what does not is new. */
bool attribute_suits(const char *attribute, int sort);
#endif
