#ifndef CORE_BASE64_H
#define CORE_BASE64_H
#include "core/str.h"

/* Base64 (RFC 4648, section 4): bytes as text. */
void base64_add(struct str *out, const void *bytes, size_t n);
/* How many bytes n characters stand for; -1 when their number or their padding is wrong. */
int64_t base64_bytes(const char *text, size_t n);
/* Puts those bytes at out; false when a character is none of the alphabet's or unused bits are set. */
bool base64_decode(void *out, const char *text, size_t n);
#endif
