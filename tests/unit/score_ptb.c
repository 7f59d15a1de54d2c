/* The tokenizer against the reference program's tokens, the rules that no golden line shows, and any bytes. */
#include "core/rng.h"
#include "score/ptb.h"
#include "stream/reader.h"
#include "tap.h"

static struct ptb *ptb;

struct lines {
    struct record *at[1000];
    int n;
};

static const char *field(const struct record *r, const char *name)
{
    return value_text(value_get(r->fields, name), NULL);
}

/* Tokens and words of every line; in the stream of all lines when in_stream. */
static void check_lines(const struct lines *l, bool in_stream, const char *what)
{
    int tokens_good = 0, words_good = 0;

    for (int i = 0; i < l->n; i++) {
        const char *texts[4] = { 0 }, *text = texts[0] = field(l->at[i], "text");
        for (int k = 1; k < 3 && in_stream && i + k < l->n; k++) texts[k] = field(l->at[i + k], "text");
        const char *want = in_stream ? field(l->at[i], "ptb_in_stream") : NULL;
        struct str tokens = { 0 }, words = { 0 }, kept = { 0 };
        if (!want) want = field(l->at[i], "ptb");
        ptb_tokenize(ptb, texts, &tokens);
        ptb_words(ptb, texts, &words);
        str_addf(&kept, "%s%s", field(l->at[i], "kept"), *field(l->at[i], "kept") ? " " : "");
        for (size_t k = 0; k + 1 < kept.n; k++) { /* words are split at no-break spaces too */
            if (!memcmp(kept.data + k, "\u00A0", 2))
                memmove(kept.data + k, kept.data + k + 1, kept.n - k), kept.n--, kept.data[k] = ' ';
        }
        bool same = !strcmp(str_c(&tokens), want);
        if (!same) printf("# %s\n#   got  %s\n#   want %s\n", text, str_c(&tokens), want);
        tokens_good += same;
        words_good += !strcmp(str_c(&words), str_c(&kept)) || in_stream;
        str_release(&tokens);
        str_release(&words);
        str_release(&kept);
    }
    is_int(tokens_good, l->n, what);
    if (!in_stream) is_int(words_good, l->n, "and the words that metrics count");
}

static void goldens(const char *path, int n, bool in_stream)
{
    struct err e = { 0 };
    struct reader *in = reader_open(&path, 1, NULL, &e);
    struct lines l = { 0 };

    while (in && l.n < 1000 && reader_next(in, &l.at[l.n], &e) > 0) l.n++;
    is_int(l.n, n, path);
    check_lines(&l, false, "each line alone gives the reference's tokens");
    if (in_stream) check_lines(&l, true, "and in a stream, where some rules look at the next line");
    for (int i = 0; i < l.n; i++) record_free(l.at[i]);
    reader_close(in);
}

static void is_tokens(const char *text, const char *want)
{
    struct str s = { 0 };

    ptb_tokenize(ptb, (const char *[]){ text, NULL }, &s);
    is_str(str_c(&s), want, want);
    str_release(&s);
}

/* Seen in the reference program's output. */
static void rules(void)
{
    static const char *const seen[][2] = {
        { "", "" },
        { "don\u2019t o\u2019neil n`t", "do n't o\u2019neil n`t" },
        { "<a href=\"x\">y</a> <a href=x>", "<a\u00A0href=\"x\"> y </a> < a href = x >" },
        { "(555) 123-4567", "-lrb-555-rrb-\u00A0123-4567" },
        { ":-) <:) >:( ^_^ (^_^) ^.^", ":--rrb- <:-rrb- >:-lrb- ^_^ -lrb-^_^-rrb- ^ . ^" },
        { "-- --- ---- -----", "-- -- -- -----" },
        { "\u00A2 \u00A3 \u20AC \u00A5 \u20A4", "cents # $ \u00A5 \u20A4" },
        { "12-inch., AT&amp;T., dog., x", "12-inch. , at&t. , dog. , x" },
        { "\u0391\u03A3 \u0391\u03A3\u0391 \u0130", "\u03B1\u03C2 \u03B1\u03C3\u03B1 i\u0307" },
        { "\u0391\u03A39-y \u0392_\u03A3 \u0391\u03A3.1", "\u03B1\u03C29-y \u03B2_\u03C2 \u03B1\u03C2 .1" },
        { "a \u00AD b\u00ADc 1-\u00AD", "a - bc 1-" },
        { "\xF0\x9F\x98\x80 a\xF0\x9F\x98\x80z", "a z" },
        { "one\ntwo\r\n\x0B\xC2\x85three", "one two three" },
        { "\xFF\xFEx\xC3", "x" },
        { "x_y _x_ -x", "x_y _ x _ - x" },
        { "\xC2\x91x\xC2\x92 \xC2\x93x\xC2\x94", "` x ' `` x ''" },
        { "a.b@c.org}", "a.b@c.org -rcb-" },
        { "http://a.b/{x}", "http://a.b/ -lcb- x -rcb-" },
        { "a\u00ADb.x ", "a\u00ADb.x" },
        { "+3555-1234 (55) 555-1234 (5555)", "+3555 -1234 -lrb-55-rrb-\u00A0555-1234 -lrb- 5555 -rrb-" },
        { "<a b=\"\u0391\u03A3 \xF0\x9F\x98\x80\">", "<a\u00A0b=\"\u03B1\u03C2\u00A0\xF0\x9F\x98\x80\">" },
        { "x \u00A0y.com", "x y.com" },
        { "\u0577\u00AD\u0D3D\u03A3\u07D9", "\u0577\u0D3D\u03C2\u07D9" },
    };

    for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) is_tokens(seen[i][0], seen[i][1]);
}

/* What follows may be several texts away. */
static void ahead(void)
{
    static const char *const texts[][4] = { { "x o.", "The", "y" }, { "x o.", "The" },     { "x o.", "", "The y" },
                                            { "ca.", "3" },         { "Canada-U.S", "x" }, { "Canada-U.S" } },
                             *const want[] = { "x o .", "x o.", "x o .", "ca.", "canada-u.s", "canada-u . s" };

    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct str s = { 0 };
        ptb_tokenize(ptb, texts[i], &s);
        is_str(str_c(&s), want[i], texts[i][1] ? texts[i][1] : "nothing ahead");
        str_release(&s);
    }
}

static void long_texts(void)
{
    enum { N = 300000 };
    static char text[N + 1];
    static const char *const repeated[] = { "<!a", "a.", "(555) ", "\"", "http://a", "x-", "U.S.-", "&amp" };

    for (size_t k = 0; k < sizeof repeated / sizeof *repeated; k++) {
        struct str s = { 0 };
        for (size_t i = 0, n = strlen(repeated[k]); i < N; i++) text[i] = repeated[k][i % n];
        ptb_tokenize(ptb, (const char *[]){ text, NULL }, &s);
        ok(s.n > N / 4, "a text of 300,000 bytes of %s", repeated[k]);
        str_release(&s);
    }
}

static void any_bytes(void)
{
    struct rng r;
    int64_t lines = 0;

    rng_init(&r, 4, 2);
    for (int i = 0; i < 3000; i++) {
        char text[41] = "", next[41] = "";
        struct str s = { 0 };
        for (int k = 0; k < 40; k++) {
            text[k] = rng_below(&r, 2) ? "'.,-/@&<n1a\"("[rng_below(&r, 13)] : (char)rng_below(&r, 256);
            next[k] = (char)rng_below(&r, 256);
        }
        ptb_words(ptb, (const char *[]){ text, next, NULL }, &s);
        lines += utf8_valid(str_c(&s), s.n) && (!s.n || s.data[s.n - 1] == ' ') && !strstr(str_c(&s), "  ");
        str_release(&s);
    }
    is_int(lines, 3000, "any bytes give words of UTF-8, each with one space behind it");
}

int main(void)
{
    ptb = ptb_new();
    goldens("tests/golden/score/ptb/tokens.jsonl", 580, true);
    goldens("tests/golden/score/caption/tokens.jsonl", 273, false);
    rules();
    ahead();
    long_texts();
    any_bytes();
    ptb_free(ptb);
    return done();
}
