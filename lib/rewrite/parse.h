#ifndef REWRITE_PARSE_H
#define REWRITE_PARSE_H
#include "core/err.h"
#include "rewrite/words.h"

/* Link Grammar's English dictionary, shared by the parsers of all threads. */
struct dictionary;
struct dictionary *dictionary_open(struct err *e);
void dictionary_free(struct dictionary *d);

/* One per thread. */
struct parser;
struct parser *parser_new(struct dictionary *d, int time_limit); /* seconds for a sentence */
void parser_free(struct parser *p);

/* How a sentence was understood. */
enum parse_kind {
    PARSE_PATTERN, /* not at all: whoever reads on works by patterns */
    PARSE_FULL,
    PARSE_REPAIRED /* with "There is" or "There are" in front of a noun phrase */
};
/* A link between words `left` < `right` of the text; its label is the upper-case stem of Link Grammar's name ("A",
 * "MV", "SJ") and the lower-case rest ("p", "ls"). -1 stands for a word that was put in front ("is"). */
struct parse_link {
    int left, right;
    char stem[6], rest[8];
};
struct parse {
    enum parse_kind kind;
    int n;
    struct parse_link *at;
};
/* Parses words [from, to) and gives each word that was still WORD_OTHER its class. Links live in the arena. A sentence
 * that does not parse completely within the time is no error: kind says so. */
void parser_run(struct parser *p, struct parse *out, struct words *w, const char *text, int from, int to,
                struct arena *a);
#endif
