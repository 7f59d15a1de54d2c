#ifndef TEXT_BYTE_SYMBOLS_H
#define TEXT_BYTE_SYMBOLS_H
#include "core/str.h"
#include <stdint.h>

/* GPT-2 writes each byte as one printable character, so that vocabularies are text: the 188 printable ones of Latin-1
 * as themselves, the others, in order, as U+0100 and on (a space is U+0120). */
uint32_t byte_symbol(uint8_t byte);
int byte_of_symbol(uint32_t code); /* -1 when the character stands for no byte */

/* All 256 bytes in the order of their symbols: the order of ids in GPT-2's vocabulary and ours. */
void byte_symbols_in_order(uint8_t bytes[256]);

/* Appends the symbols of n bytes as UTF-8. */
void byte_symbols_write(const char *bytes, size_t n, struct str *out);
/* Appends the bytes that the symbols stand for; false, with *out as it was, when one stands for none. */
bool byte_symbols_read(const char *symbols, size_t n, struct str *out);
#endif
