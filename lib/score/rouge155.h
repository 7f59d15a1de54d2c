#ifndef SCORE_ROUGE155_H
#define SCORE_ROUGE155_H
#include "score/data.h"

/* ROUGE-1, -2 and -L as ROUGE-1.5.5.pl -c 95 -m -r 1000 -n 2 -a prints them: bytes, Perl's Porter stemmer, figures
 * rounded to five decimals where it rounds, averages that are means of 1,000 bootstrap resamples drawn as Perl draws
 * them, with its own confidence intervals. A text's lines are its sentences. */
int rouge155_count(const struct score_data *d, struct tally *out, struct err *e);
#endif
