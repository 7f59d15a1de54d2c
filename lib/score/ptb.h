#ifndef SCORE_PTB_H
#define SCORE_PTB_H
#include "core/str.h"

/* The tokenizer of coco-caption (the Stanford tokenizer for the Penn Treebank's conventions, lower-cased), one text at a time.
 * Covered: words with their contractions, numbers, dates, fractions, money, abbreviations and acronyms, hyphenated words, web and mail
 * addresses, quotes, brackets, dashes, ellipses, symbols, common emoticons. Bytes that are not UTF-8 and characters beyond the
 * BMP are dropped, as there. */

/* Appends the tokens of text, separated by single spaces. */
void ptb_tokenize(const char *text, size_t n, struct str *out);
/* The same without the punctuation that coco-caption drops. */
void ptb_words(const char *text, size_t n, struct str *out);
#endif
