/* Any bytes as captions, split at the first NUL into one and the next: the tokenizer must end, write UTF-8, and know no
 * yesterday. */
#include "score/ptb.h"
#include "core/mem.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ptb *p;
    char *text = mem_strndup((const char *)data, size);
    size_t n = strlen(text);
    char *next = n < size ? mem_strndup((const char *)data + n + 1, size - n - 1) : NULL;
    const char *texts[] = { text, next, NULL }, *alone[] = { text, NULL };
    struct str s = { 0 }, again = { 0 };

    if (!p) p = ptb_new();
    ptb_words(p, texts, &s);
    ptb_tokenize(p, alone, &again);
    str_clear(&again);
    ptb_words(p, texts, &again);
    if (!utf8_valid(str_c(&s), s.n) || s.n != again.n || (s.n && memcmp(s.data, again.data, s.n))) abort();
    str_release(&s);
    str_release(&again);
    free(text);
    free(next);
    return 0;
}
