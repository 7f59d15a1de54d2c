#ifndef SCORE_UNICODE_H
#define SCORE_UNICODE_H
#include "core/str.h"
#include <stdbool.h>

/* What the reference programs know of Unicode: the BMP as of version 6.1. */
bool unicode_is_letter(uint32_t c);
bool unicode_is_digit(uint32_t c);
bool unicode_is_capital(uint32_t c);
/* Blank as Python's str.split() sees it. */
bool unicode_is_space(uint32_t c);

/* Appends n UTF-16 units as lower-case UTF-8 (capital sigma becomes final sigma at the end of a word); half of a pair
 * becomes '?'. */
void unicode_add_lower(struct str *out, const uint16_t *text, int64_t n);
/* UTF-8 to UTF-16 units, at most n of them; what is not UTF-8 becomes U+FFFD byte by byte. Returns their number. */
int64_t unicode_to_utf16(uint16_t *out, const char *text, int64_t n);
#endif
