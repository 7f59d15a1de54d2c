#ifndef CORE_UNICODE_H
#define CORE_UNICODE_H
#include "core/str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The classes that GPT-2's pattern speaks of: \p{L}, \p{N}, \s (the property White_Space) and all else. */
enum unicode_class { UNICODE_OTHER, UNICODE_LETTER, UNICODE_NUMBER, UNICODE_SPACE };

enum unicode_class unicode_class(uint32_t code);

/* The class and length of the character at s, n > 0 bytes. A byte that starts no valid UTF-8 is a character of
 * its own, UNICODE_OTHER (as U+FFFD would be). */
enum unicode_class unicode_next(const char *s, size_t n, size_t *length);

/* General categories P*, S*, N*, Nd and M*, as utf8proc has them. */
bool unicode_is_punctuation(uint32_t code);
bool unicode_is_symbol(uint32_t code);
bool unicode_is_number(uint32_t code);
bool unicode_is_decimal(uint32_t code);
bool unicode_is_mark(uint32_t code); /* M*: accents and the like, which belong to the character before */
/* Letters and signs that are capital or small. */
bool unicode_is_cased(uint32_t code);

/* The lower case of one character, where that is one character. */
uint32_t unicode_lower(uint32_t code);

/* Appends the text in lower case as Python's str.lower() does it: by the full mappings, with a capital sigma at the end
 * of a word as final sigma. What is not UTF-8 stays. */
void unicode_add_lowered(struct str *out, const char *s, size_t n);

/* Appends the text with letters and their accents in one character where there is one (NFC): e and U+0301 are é. What
 * is not UTF-8 stays as it is. */
void unicode_add_composed(struct str *out, const char *s, size_t n);

/* Appends the text with U+FFFD in place of what is not UTF-8: one for each maximal part of a character (the
 * practice that Unicode recommends and Python follows). */
void unicode_repair(const char *s, size_t n, struct str *out);
#endif
