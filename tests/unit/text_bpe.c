/* Vocabularies in memory: what is refused and why, merging against the plain definition, units, decoding. */
#include "core/mem.h"
#include "tap.h"
#include "text/byte_symbols.h"
#include "text/fields.h"

static const char good_merges[] = "#version: 0.2\n\xc4\xa0 t\nh e\n\xc4\xa0t he\na a\naa a\naa aa\na b\nb a\n# #\n";

/* A vocabulary of 4 special tokens, the bytes but `without`, the merges' results and <mask>. */
static void make_vocab(struct str *s, int without)
{
    static const char *const more[] = { "\xc4\xa0t", "he", "\xc4\xa0the", "aa", "aaa", "aaaa", "ab", "ba", "##" };
    uint8_t order[256];
    int id = 0;

    byte_symbols_in_order(order);
    str_add(s, "{");
    for (int i = 0; i < 4; i++) str_addf(s, "\"<%d>\":%d,", i, id++);
    for (int i = 0; i < 256; i++) {
        if (order[i] == without) continue;
        str_add(s, order[i] == '"' || order[i] == '\\' ? "\"\\" : "\"");
        byte_symbols_write((const char *)&order[i], 1, s);
        str_addf(s, "\":%d,", id++);
    }
    for (int i = 0; i < 9; i++) str_addf(s, "\"%s\":%d,", more[i], id++);
    str_addf(s, "\"<mask>\":%d}", id);
}

static void is_refused(const char *vocab, const char *merges, const char *want, const char *what)
{
    struct err e = { 0 };
    struct bpe *b = bpe_parse(vocab, strlen(vocab), merges, strlen(merges), &e);

    is_str(b ? "accepted" : e.text, want, what);
    bpe_free(b);
}

static void check_refusals(const char *vocab)
{
    struct str s = { 0 };

    is_refused("[]", "", "vocab.json: not an object of at least 256 tokens", "an array");
    is_refused("{", "", "vocab.json: bad JSON at byte 1: a string was expected as key", "broken JSON");
    make_vocab(&s, 'q');
    is_refused(s.data, "", "vocab.json: no token for the byte 0x71, \"q\"", "a byte without token");
    str_clear(&s);
    make_vocab(&s, -1);
    memcpy(strstr(s.data, "\"b\":69,"), "\"b\": 7,", 7);
    is_refused(s.data, "",
               "vocab.json: token \"b\": its id is not a whole number from 0 to 269 that no other token has",
               "an id given twice");
    is_refused(vocab, "a b\na  b\n", "merges.txt: line 2: not two tokens with one space between them", "two spaces");
    is_refused(vocab, "ab\n", "merges.txt: line 1: not two tokens with one space between them", "no space");
    is_refused(vocab, "#version: 0.2\na c\n", "merges.txt: line 2: token \"ac\" is not in the vocabulary",
               "a merge without token");
    is_refused(vocab, "a zz\n", "merges.txt: line 1: token \"zz\" is not in the vocabulary", "an unknown token");
    is_refused(vocab, "a b\na a\na b\n", "merges.txt: line 3: the same merge as merge 1", "a merge given twice");
    is_refused(vocab, "a b\n\na a\n", "merges.txt: line 2: an empty line", "an empty line");
    str_release(&s);
}

/* The definition: merge the listed pair of lowest rank, leftmost first, until there is none. Over tokens as strings. */
static int64_t naive(const struct bpe *b, const char *text, size_t n, int32_t *ids)
{
    static const char *const merges[][2] = { { " ", "t" },   { "h", "e" }, { " t", "he" }, { "a", "a" }, { "aa", "a" },
                                             { "aa", "aa" }, { "a", "b" }, { "b", "a" },   { "#", "#" } };
    char(*token)[8] = calloc(n + 1, 8);

    for (size_t i = 0; i < n; i++) token[i][0] = text[i];
    for (;;) {
        int best = -1;
        size_t where = 0;
        for (int m = 0; m < 9 && best < 0; m++) {
            for (size_t i = 0; i + 1 < n && best < 0; i++) {
                if (strcmp(token[i], merges[m][0]) || strcmp(token[i + 1], merges[m][1])) continue;
                best = m;
                where = i;
            }
        }
        if (best < 0) break;
        snprintf(token[where], 8, "%s%s", merges[best][0], merges[best][1]);
        memmove(token + where + 1, token + where + 2, (n - where - 2) * 8);
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        struct str symbols = { 0 };
        byte_symbols_write(token[i], strlen(token[i]), &symbols);
        ids[i] = bpe_id(b, symbols.data);
        str_release(&symbols);
    }
    free(token);
    return (int64_t)n;
}

static void check_merging(const struct bpe *b)
{
    struct encoding c = { 0 };
    int32_t want[400];
    int differences = 0;

    for (int i = 0; i < 300; i++) {
        char text[400];
        size_t n = (size_t)i + 1;
        for (size_t k = 0; k < n; k++) text[k] = "ab"[(k * k / 7 + k * (size_t)i / 5 + (k % 11 == 3)) % 2];
        int64_t got = naive(b, text, n, want);
        for (int twice = 0; twice < 2; twice++) {
            bpe_encode(b, &c, text, n);
            if (c.n != got || memcmp(c.ids, want, (size_t)got * sizeof *want)) differences++;
        }
    }
    is_int(differences, 0, "as the definition, for words of 1 to 300 letters");
    encoding_release(&c);
}

static void is_encoded(const struct bpe *b, const char *text, size_t n, const char *want_tokens, const char *want_units)
{
    struct encoding c = { 0 };
    struct str tokens = { 0 }, units = { 0 }, back = { 0 };

    bpe_encode(b, &c, text, n);
    for (int64_t i = 0; i < c.n; i++) {
        if (i) str_add_char(&tokens, '|');
        bpe_decode(b, &c.ids[i], 1, &tokens);
        str_addf(&units, "%d", c.units[i]);
    }
    bpe_decode(b, c.ids, c.n, &back);
    ok(back.n == n && !memcmp(str_c(&back), text, n), "decodes to the same %d bytes", (int)n);
    is_str(str_c(&tokens), want_tokens, "tokens");
    is_str(str_c(&units), want_units, "units");
    encoding_release(&c);
    str_release(&tokens);
    str_release(&units);
    str_release(&back);
}

static void check_phrases(const struct bpe *b)
{
    static const char text[] = "the ab, x2 \xc3\xa9 the end";
    struct encoding c = { 0 };
    struct err e = { 0 };
    struct str units = { 0 };

    struct value *phrases = value_parse("[[0,6],[8,12]]", 14, &e);
    bpe_encode(b, &c, text, strlen(text));
    is_int(units_join(&c, b, text, (int64_t)strlen(text), phrases, &e), 0, "phrases are taken");
    for (int64_t i = 0; i < c.n; i++) str_addf(&units, "%d", c.units[i]);
    is_str(units.data, "0111001111100111", "and their words are one unit each");
    value_free(phrases);
    phrases = value_parse("[[0,3],[8,21]]", 14, &e);
    is_int(units_join(&c, b, text, (int64_t)strlen(text), phrases, &e), -1, "one that ends behind the text is not");
    is_str(e.text, "\"phrases\": entry 1 is not [from, to) within the 20 characters of the text",
           "and the message says which");
    value_free(phrases);
    encoding_release(&c);
    str_release(&units);
}

int main(void)
{
    struct str vocab = { 0 };
    struct err e = { 0 };

    make_vocab(&vocab, -1);
    check_refusals(vocab.data);
    struct bpe *b = bpe_parse(vocab.data, vocab.n, good_merges, strlen(good_merges), &e);
    if (!ok(b != NULL, "a good vocabulary %s", e.text)) return done();
    is_int(bpe_size(b), 270, "its size");
    is_int(bpe_id(b, "<mask>"), 269, "the id of a special token");
    is_int(bpe_id(b, "\xc4\xa0the"), 262, "and of a merged one");
    is_int(bpe_id(b, "nope"), -1, "and of none");
    ok(bpe_is_special(b, 0) && bpe_is_special(b, 269) && !bpe_is_special(b, 4) && !bpe_is_special(b, 262),
       "which ones are special");
    check_merging(b);
    is_encoded(b, "", 0, "", "");
    is_encoded(b, " the the", 8, " the| the", "00");
    is_encoded(b, "x2 don's ##!\n", 13, "x|2| |d|o|n|'|s| |##|!|\n", "010111110110");
    is_encoded(b,
               "a\0\xff\xc3"
               "ab",
               6, "a|", "00110"); /* is_str() sees the tokens up to the NUL */
    struct str s = { 0 };
    bpe_decode(b, (const int32_t[]){ 0, 262, 3, 269 }, 4, &s);
    is_str(s.data, " the", "special tokens give nothing");
    str_release(&s);
    check_phrases(b);
    bpe_free(b);
    str_release(&vocab);
    return done();
}
