#ifndef TEXT_FIELDS_H
#define TEXT_FIELDS_H
#include "stream/outline.h"
#include "stream/value.h"
#include "text/bpe.h"

/* The texts of a record, by the names of fields. A field is a string, an array of strings, or an array of objects each
 * with a string "text". A record needs at least one of the fields; the names of results are those of unimo-records(5):
 *   a field F that is a string or an array of strings    -> F_tokens, F_units beside it (tokens, units for "text")
 *   an object in an array                                -> tokens, units in it
 * "phrases" beside a "text", [[from, to) in characters], makes one unit of the words in each. */
enum { FIELDS_MAX = 32 };
struct key {
    char *text; /* without anything that JSON escapes */
    size_t n;
};
struct field {
    struct key name, tokens, units;
};
struct fields {
    int n;
    struct field at[FIELDS_MAX];
};
/* Names separated by commas. Free with fields_release(). */
int fields_parse(struct fields *f, const char *names, struct err *e);
void fields_release(struct fields *f);

/* Calls visit for every text. */
int fields_each(const struct fields *f, const struct outline *record,
                int (*visit)(void *arg, const char *text, int64_t n, struct err *e), void *arg, struct err *e);

/* What one thread encodes records with, again and again. Zero is valid and empty; it serves one vocabulary only. */
struct encoded {
    struct encoding all; /* texts of a record, one behind the other */
    int64_t n_texts, n_additions;
    struct encoded_text *texts;
    struct addition *additions;
    int64_t texts_cap, additions_cap;
    struct str room; /* a text without its escapes */
};
void encoded_release(struct encoded *x);
/* Appends the record with tokens and units to out, at most max_length of each text (0: all); "text" and "text_pair"
 * have that many together: the longer one loses its last token until they fit. */
int fields_encode(const struct fields *f, const struct outline *record, const struct bpe *b, struct encoded *x,
                  int64_t max_length, struct str *out, struct err *e);

/* Puts text where tokens are: the reverse, U+FFFD in place of what is not UTF-8. */
int fields_decode(const struct fields *f, struct value *record, const struct bpe *b, struct err *e);
/* The bytes behind an array of ids, appended to out. */
int fields_bytes(const struct value *tokens, const struct bpe *b, struct str *out, struct err *e);

/* Makes one unit of the words of each phrase of text, whose tokens are in c. phrases may be NULL. */
int units_join(struct encoding *c, const struct bpe *b, const char *text, int64_t n, const struct value *phrases,
               struct err *e);
#endif
