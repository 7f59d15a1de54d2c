#ifndef SCORE_PTB_H
#define SCORE_PTB_H
#include "core/str.h"

/* The tokenizer of coco-caption: Stanford's for the conventions of the Penn Treebank (3.4.1), lower-cased. Its rules
 * are tables of patterns (lexer.h) in ptb.c.
 *
 * Some rules look at what follows a text: in coco-caption, all texts form one stream, a line each. So a text is the
 * first of several, which a NULL ends. Two things differ from coco-caption: a line end of any kind within a text is a
 * blank here (there, all but \n shift the texts that follow by a line), and a tag in angle brackets ends on its line. A
 * token has at most LEXER_REACH units. */
struct ptb;
struct ptb *ptb_new(void);
void ptb_free(struct ptb *p);
/* UTF-16 units of texts so far that no rule takes (emoji, say): they are dropped. */
int64_t ptb_dropped(const struct ptb *p);

/* Appends the tokens of the first text, separated by single spaces. A token may hold a no-break space (U+00A0) where
 * the text had a blank. */
void ptb_tokenize(struct ptb *p, const char *const *texts, struct str *out);

/* Appends the tokens that metrics count, those that are no punctuation which coco-caption drops, each followed by one
 * space. Where a token holds blanks, its words are separated by a newline each. */
void ptb_words(struct ptb *p, const char *const *texts, struct str *out);
#endif
