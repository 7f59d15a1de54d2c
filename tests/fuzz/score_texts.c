/* Any bytes as texts: every tokenizer, normaliser and stemmer of the scorer must end, give what is not longer than can
 * be explained, and know no yesterday. The first byte chooses. */
#include "core/mem.h"
#include "core/unicode.h"
#include "score/meteor_text.h"
#include "score/porter.h"
#include "score/pytext.h"
#include "score/sacrebleu.h"
#include <stdlib.h>
#include <string.h>

static void transform(int kind, const char *text, struct str *out)
{
    static const char *const tokenizers[] = { "13a", "intl", "char", "zh", "none" };

    if (kind < 5) sacrebleu_tokenize(tokenizers[kind], text, out);
    else if (kind == 5) meteor_normalise(text, out);
    else if (kind == 6) py_squeeze(out, text);
    else if (kind == 7) py_strip(out, text);
    else unicode_add_lowered(out, text, strlen(text));
}

static void stem(const char *text)
{
    char word[256];
    size_t n = 0;

    for (; *text && n < sizeof word; text++) {
        if ((*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9')) word[n++] = *text;
    }
    char again[256];
    memcpy(again, word, n);
    if (n && (porter_perl(word, n) > n || porter_nltk(again, n) > n)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size) return 0;
    char *text = mem_strndup((const char *)data + 1, size - 1);
    struct str a = { 0 }, b = { 0 };
    bool valid = utf8_valid(text, strlen(text));

    transform(data[0] % 9, text, &a);
    transform(data[0] % 9, text, &b);
    if (a.n != b.n || (a.n && memcmp(a.data, b.data, a.n))) abort();
    if (a.n > 16 * size + 64 || (valid && !utf8_valid(str_c(&a), a.n))) abort();
    stem(text);
    str_release(&a);
    str_release(&b);
    free(text);
    return 0;
}
