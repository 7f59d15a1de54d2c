/* The loader of vocabularies: the input is vocab.json, a NUL, merges.txt. What loads must encode any bytes and decode
 * them again. */
#include "text/bpe.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *vocab = (const char *)data, *middle = n ? memchr(vocab, 0, n) : NULL;
    size_t n_vocab = middle ? (size_t)(middle - vocab) : n, n_merges = middle ? n - n_vocab - 1 : 0;
    struct encoding c = { 0 };
    struct str back = { 0 };
    struct err e = { 0 };

    struct bpe *b = bpe_parse(vocab, n_vocab, middle ? middle + 1 : "", n_merges, &e);
    if (!b) {
        if (!e.text[0]) abort();
        return 0;
    }
    for (int twice = 0; twice < 2; twice++) { /* pieces come from the cache the second time */
        bpe_encode(b, &c, vocab, n);
        str_clear(&back);
        bpe_decode(b, c.ids, c.n, &back);
        if (back.n != n || (n && memcmp(back.data, data, n))) abort();
    }
    encoding_release(&c);
    str_release(&back);
    bpe_free(b);
    return 0;
}
