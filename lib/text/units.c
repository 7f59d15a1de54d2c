/* Units of whole phrases: named entities and the like are masked at once (UNIMO, section 2.3). */
#include "core/mem.h"
#include "text/fields.h"
#include <inttypes.h>
#include <stdlib.h>

/* start[i] = the byte where character i begins, and n for i = their number, which is returned. */
static int64_t find_characters(int32_t *start, const char *text, int64_t n)
{
    int64_t characters = 0;

    for (int64_t i = 0; i < n; i++) {
        if (((unsigned char)text[i] & 0xc0) != 0x80) start[characters++] = (int32_t)i;
    }
    start[characters] = (int32_t)n;
    return characters;
}

/* reach[i] = where the furthest phrase that begins at byte i ends. */
static int read_phrases(int32_t *reach, const int32_t *start, int64_t characters, const struct value *phrases,
                        struct err *e)
{
    for (int64_t i = 0; i < value_count(phrases); i++) {
        const struct value *span = value_at(phrases, i);
        bool is_pair = value_is_array(span) && value_count(span) == 2 && value_is_int(value_at(span, 0)) &&
                       value_is_int(value_at(span, 1));
        int64_t from = is_pair ? value_integer(value_at(span, 0)) : -1,
                to = is_pair ? value_integer(value_at(span, 1)) : -1;
        if (from < 0 || from >= to || to > characters)
            return err_set(e, ERR_INPUT,
                           "\"phrases\": entry %" PRId64 " is not [from, to) within the %" PRId64
                           " characters of the text",
                           i, characters);
        if (start[to] > reach[start[from]]) reach[start[from]] = start[to];
    }
    return 0;
}

/* A word goes on with the unit before it when one phrase contains where both begin: when the furthest end of the
 * phrases that begin up to the previous word lies behind this one. */
static void join_words(struct encoding *c, const struct bpe *b, const char *text, int64_t n, const int32_t *reach)
{
    int64_t at = 0, furthest = 0, seen = 0;

    for (int64_t i = 0; i < c->n; i++) {
        if (!c->units[i]) {
            int64_t word = at + (at + 1 < n && text[at] == ' '); /* behind the space in front of it */
            c->units[i] = furthest > word;
            for (; seen <= word; seen++) {
                if (reach[seen] > furthest) furthest = reach[seen];
            }
        }
        at += bpe_length(b, c->ids[i]);
    }
}

int units_join(struct encoding *c, const struct bpe *b, const char *text, int64_t n, const struct value *phrases,
               struct err *e)
{
    if (!phrases) return 0;
    if (!value_is_array(phrases)) return err_set(e, ERR_INPUT, "\"phrases\" is not an array");
    if (!value_count(phrases)) return 0;
    int32_t *start = mem_new(int32_t, n + 1), *reach = mem_new(int32_t, n + 1);
    int64_t characters = find_characters(start, text, n);
    int rc = read_phrases(reach, start, characters, phrases, e);

    if (!rc) join_words(c, b, text, n, reach);
    free(start);
    free(reach);
    return rc;
}
