/* Any bytes as a caption: the tokenizer must end, and write UTF-8. */
#include "score/ptb.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = { 0 };

    ptb_words((const char *)data, size, &s);
    if (!utf8_valid(str_c(&s), s.n)) abort();
    str_release(&s);
    return 0;
}
