#ifndef REWRITE_INFLECT_H
#define REWRITE_INFLECT_H
#include "core/mem.h"
#include <stdbool.h>

/* English nouns and articles by rule, with a table of irregular nouns. Words are in lower case; results live in the
 * arena. */
const char *noun_singular(const char *word, struct arena *a); /* "buses" -> "bus"; singular words as they are */
const char *noun_plural(const char *word, struct arena *a);   /* of a singular word, also "stop sign" */
bool noun_is_plural(const char *word);      /* by its form: "dogs", "children", not "bus"; false for "sheep" */
bool noun_is_invariant(const char *word);   /* "sheep", "fish": both */
bool noun_is_plural_only(const char *word); /* "glasses", "jeans" */

/* "an" before this word, by its sound ("hour", not "unicorn"). */
bool takes_an(const char *word);

/* The base form of a verb form by rule: "riding" -> "ride", "stands" -> "stand". is_verb (may be NULL) says whether a
 * candidate is a verb. */
const char *verb_lemma(const char *word, struct arena *a, bool (*is_verb)(void *arg, const char *word), void *arg);
#endif
