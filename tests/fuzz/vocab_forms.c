/* The other forms of a vocabulary: after a first byte 'D' vocab.json, dict.txt and merges.txt with NULs between them,
 * else tokenizer.json. What loads must encode any bytes and decode them again. */
#include "text/bpe.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* The part up to the next NUL, or the rest. */
static const char *part(const char **at, size_t *left, size_t *n)
{
    const char *from = *at, *end = *left ? memchr(from, 0, *left) : NULL;

    *n = end ? (size_t)(end - from) : *left;
    *at += *n + (end != NULL);
    *left -= *n + (end != NULL);
    return from;
}

static struct bpe *parse_dict(const char *at, size_t left, struct err *e)
{
    size_t n[3];
    const char *vocab = part(&at, &left, &n[0]), *dict = part(&at, &left, &n[1]), *merges = part(&at, &left, &n[2]);

    return bpe_parse_dict(vocab, n[0], merges, n[2], dict, n[1], e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *text = (const char *)data;
    struct encoding c = { 0 };
    struct str back = { 0 };
    struct err e = { 0 };

    bool is_dict = n && *text == 'D';
    struct bpe *b = is_dict ? parse_dict(text + 1, n - 1, &e) : bpe_parse_tokenizer(text, n, &e);
    if (!b) {
        if (!e.text[0]) abort();
        return 0;
    }
    bpe_encode(b, &c, text, n);
    bpe_decode(b, c.ids, c.n, &back);
    if (back.n != n || memcmp(back.data, text, n)) abort();
    encoding_release(&c);
    str_release(&back);
    bpe_free(b);
    return 0;
}
