#ifndef SCORE_METEOR_TEXT_H
#define SCORE_METEOR_TEXT_H
#include "core/str.h"

/* METEOR 1.5's normaliser for English with punctuation kept (-norm): appends the words, in lower case, with single
 * spaces between them. */
void meteor_normalise(const char *text, struct str *out);
#endif
