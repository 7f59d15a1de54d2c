#ifndef REWRITE_NOUNS_H
#define REWRITE_NOUNS_H
#include <stdbool.h>

/* Nouns are in the singular and in lower case; of several words the last counts. */

/* Names of one animal, young and grown ("kitten", "cat"), and of things that people call either ("lamp", "light"). */
bool nouns_are_kin(const char *a, const char *b);
/* Nouns that name nothing one can see by itself, but a side, a part of a whole, a time or a measure: "left", "set". */
bool noun_is_abstract(const char *noun);
/* Nouns that say where a picture was taken: "beach", "street". */
bool noun_is_place(const char *noun);
/* Whether two places may be in one picture: "beach", "sea". False when one is no place. */
bool places_may_agree(const char *a, const char *b);

/* What a word says about any person by sex and age; 0 for words that name none or a trade ("surfer"). */
enum { PERSON = 1, PERSON_MALE = 2, PERSON_FEMALE = 4, PERSON_GROWN = 8, PERSON_YOUNG = 16 };
int person_traits(const char *noun);
/* Whether one person may be both: not a man and a woman, a man and a child. */
bool persons_may_agree(int a, int b);
#endif
