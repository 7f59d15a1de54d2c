#ifndef SCORE_LEXER_H
#define SCORE_LEXER_H
#include <stdint.h>

/* Patterns tried together at one place of a text of UTF-16 units: the longest match wins, what must follow included; of
 * equally long ones the pattern that stands first.
 *
 * In a pattern, ASCII letters match both cases, except between brackets. [a-z] [^x] sets; ( | ) * + ? {2,4} as usual;
 * {name} another pattern; \l letter, \d digit, \u capital (also between brackets); \n \t \r \f; \xHH a unit by number;
 * \ before anything else takes it as it is. A period stands for itself. Patterns are ours: a mistake in one is a bug,
 * not an error. */
struct lexer_rule {
    const char *body;  /* what is matched */
    const char *ahead; /* what must follow it, or NULL; of several ways to divide, the longest body */
};
struct lexer_name {
    const char *name, *pattern;
};
struct lexer;
/* names ends with a row of NULLs. */
struct lexer *lexer_new(const struct lexer_rule *rules, int n_rules, const struct lexer_name *names);
void lexer_free(struct lexer *l);

/* Longest match that is looked for, in units: keeps the time for any text linear. */
enum { LEXER_REACH = 4096 };

/* The number of units of the match at text[0], without what follows it, and its rule; 0 when nothing matches. */
int64_t lexer_match(struct lexer *l, const uint16_t *text, int64_t n, int *rule);
#endif
