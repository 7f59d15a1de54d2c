#ifndef SCORE_PORTER_H
#define SCORE_PORTER_H
#include <stddef.h>

/* Porter's stemmer (1980) in the two variants that scorers use. A word is of a-z and 0-9, shortened in place (a stem is
 * never longer than its word); the result is its new length, and it is not NUL-terminated. */
size_t porter_perl(char *word, size_t n); /* as ROUGE-1.5.5.pl has it */
size_t porter_nltk(char *word, size_t n); /* as NLTK's default mode, for google's rouge_score */
#endif
