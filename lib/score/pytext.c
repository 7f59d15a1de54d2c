#include "score/pytext.h"
#include "score/unicode.h"
#include <string.h>

/* The length of the character at p, at least 1, and whether it is white space. */
static size_t look(const char *p, bool *is_space)
{
    uint32_t c;

    if ((unsigned char)*p < 0x80) {
        *is_space = unicode_is_space((unsigned char)*p);
        return 1;
    }
    int n = utf8_decode(p, strnlen(p, 4), &c);
    *is_space = n && unicode_is_space(c);
    return n ? (size_t)n : 1;
}

const char *py_word(const char **p, size_t *n)
{
    const char *at = *p, *from;
    size_t step;
    bool is_space;

    while (*at && (step = look(at, &is_space), is_space)) at += step;
    for (from = at; *at && (step = look(at, &is_space), !is_space);) at += step;
    *p = at;
    *n = (size_t)(at - from);
    return at > from ? from : NULL;
}

void py_strip(struct str *out, const char *text)
{
    const char *p = text, *first = NULL, *end = NULL, *word;
    size_t n;

    while ((word = py_word(&p, &n))) {
        if (!first) first = word;
        end = word + n;
    }
    if (first) str_add_bytes(out, first, (size_t)(end - first));
}

void py_squeeze(struct str *out, const char *text)
{
    const char *p = text, *word;
    size_t n;

    for (bool is_first = true; (word = py_word(&p, &n)); is_first = false) {
        if (!is_first) str_add_char(out, ' ');
        str_add_bytes(out, word, n);
    }
}
