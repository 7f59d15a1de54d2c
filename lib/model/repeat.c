#include "model/repeat.h"
#include "core/mem.h"
#include <stdlib.h>
#include <string.h>

/* Whether two words are the same but for the space before them. */
static bool same(const struct str *text, const size_t *start, int a, int b)
{
    const char *x = text->data + start[a], *y = text->data + start[b];
    size_t n = start[a + 1] - start[a], m = start[b + 1] - start[b];

    if (n && *x == ' ') x++, n--;
    if (m && *y == ' ') y++, m--;
    return n == m && !memcmp(x, y, n);
}

bool repeats_words(const struct bpe *b, const int32_t *tokens, int n, int32_t token)
{
    struct str text = { 0 };
    size_t *start = mem_new(size_t, n + 2); /* of each word in the text, and its end */
    int words = 0;
    bool repeats = false;

    for (int i = 0; i <= n; i++) {
        size_t at = text.n;
        bpe_decode(b, i < n ? &tokens[i] : &token, 1, &text);
        if (i == 0 || (text.n > at && text.data[at] == ' ')) start[words++] = at;
    }
    start[words] = text.n;
    for (int i = 0; i + 3 < words && !repeats; i++)
        repeats = same(&text, start, i, words - 3) && same(&text, start, i + 1, words - 2) &&
                  same(&text, start, i + 2, words - 1);
    free(start);
    str_release(&text);
    return repeats;
}
