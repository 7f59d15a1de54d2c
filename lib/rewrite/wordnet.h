#ifndef REWRITE_WORDNET_H
#define REWRITE_WORDNET_H
#include "core/err.h"
#include "core/mem.h"
#include <stdbool.h>
#include <stdint.h>

/* WordNet 3.0 as Debian's wordnet-base installs it: index.* and data.* files, mapped. Words are in lower case, parts of
 * a word of several joined by blanks. Reading is thread-safe. */
struct wordnet;
enum wordnet_pos { WN_NOUN, WN_VERB, WN_ADJECTIVE, WN_POS };
#define WORDNET_DIR "/usr/share/wordnet"
struct wordnet *wordnet_open(const char *dir, struct err *e);
void wordnet_close(struct wordnet *w); /* NULL is fine */

bool wordnet_knows(const struct wordnet *w, enum wordnet_pos pos, const char *word);
int wordnet_uses(const struct wordnet *w, enum wordnet_pos pos,
                 const char *word); /* senses that were seen in WordNet's own texts: 0 for a rare word */
bool wordnet_is_unique(const struct wordnet *w, const char *noun); /* its first sense is one of its kind: "paris" */
/* An irregular plural's singular from noun.exc, in the arena, or NULL. */
const char *wordnet_exception(const struct wordnet *w, const char *plural, struct arena *a);

/* The base form of a verb's form, by rules and by what WordNet knows. w may be NULL. */
const char *wordnet_verb_lemma(const struct wordnet *w, const char *form, struct arena *a);

/* The lexicographer's file of the word's most likely thing one can see: animal, artifact, body, food, object, person,
 * plant ... or, when it names nothing of these, that of its first sense; -1 for an unknown word. */
enum {
    LEX_ANIMAL = 5,
    LEX_ARTIFACT = 6,
    LEX_BODY = 8,
    LEX_FOOD = 13,
    LEX_GROUP = 14,
    LEX_LOCATION = 15,
    LEX_OBJECT = 17,
    LEX_PERSON = 18,
    LEX_PLANT = 20,
    LEX_SUBSTANCE = 27
};
int wordnet_file(const struct wordnet *w, const char *noun);

/* What a word may mean, as sorted sets of synsets: the synsets themselves, and what is more general. */
struct meaning {
    int n_own, n_all;
    uint32_t *own, *all; /* in the arena */
};
void wordnet_meaning(const struct wordnet *w, struct meaning *m, enum wordnet_pos pos, const char *word, int most,
                     int up, struct arena *a); /* most: of its first senses, 0: of all in use; up: generations of what
                                                * is more general, 0: all */
/* Same synset, or the first is more general than the second. */
bool meaning_covers(const struct meaning *general, const struct meaning *special);
/* Or the other way round. */
bool meaning_related(const struct meaning *a, const struct meaning *b);

/* Words for other kinds of the same thing ("dog" -> "wolf", "fox"), single words in use only, in the arena; returns
 * their number. */
int wordnet_siblings(const struct wordnet *w, const char *noun, const char ***out, struct arena *a);
/* Opposites of an adjective, its own or its cluster's ("tiny" -> "large"). */
int wordnet_antonyms(const struct wordnet *w, const char *adjective, const char ***out, struct arena *a);
#endif
