#ifndef SCORE_PYTEXT_H
#define SCORE_PYTEXT_H
#include "core/str.h"

/* Text as the reference programs' Python sees it. */

/* The next part between white space (Unicode's) from *p on, or NULL; *p moves behind it. */
const char *py_word(const char **p, size_t *n);
/* Appends the text without white space at its ends. */
void py_strip(struct str *out, const char *text);
/* Appends the words of text with single spaces between them. */
void py_squeeze(struct str *out, const char *text);
#endif
