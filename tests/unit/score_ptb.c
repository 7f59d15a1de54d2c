/* The tokenizer on the captions of the golden file (tokens of the reference program), and any bytes. */
#include "core/file.h"
#include "core/rng.h"
#include "score/ptb.h"
#include "stream/reader.h"
#include "tap.h"

static void goldens(void)
{
    const char *path = "tests/golden/score/caption.tokens.jsonl";
    struct err e = { 0 };
    struct reader *in = reader_open(&path, 1, NULL, &e);
    struct record *r;
    int n = 0, good = 0, kept = 0;

    while (in && reader_next(in, &r, &e) > 0) {
        int64_t length;
        const char *text = value_text(value_get(r->fields, "text"), &length);
        struct str tokens = { 0 }, words = { 0 };
        ptb_tokenize(text, (size_t)length, &tokens);
        ptb_words(text, (size_t)length, &words);
        bool same = !strcmp(str_c(&tokens), value_text(value_get(r->fields, "ptb"), NULL));
        if (!same) printf("# %s\n#   got  %s\n", text, str_c(&tokens));
        good += same;
        kept += !strcmp(str_c(&words), value_text(value_get(r->fields, "kept"), NULL));
        n++;
        str_release(&tokens);
        str_release(&words);
        record_free(r);
    }
    reader_close(in);
    ok(n == 273, "there are golden captions (%d)", n);
    is_int(good, n, "the tokens are the reference's");
    is_int(kept, n, "and so are the words that metrics see");
}

static void is_tokens(const char *text, const char *want)
{
    struct str s = { 0 };

    ptb_tokenize(text, strlen(text), &s);
    is_str(str_c(&s), want, text);
    str_release(&s);
}

static void any_bytes(void)
{
    struct rng r;
    int64_t lines = 0;

    rng_init(&r, 4, 2);
    for (int i = 0; i < 3000; i++) {
        char text[40];
        struct str s = { 0 };
        size_t n = (size_t)rng_below(&r, sizeof text);
        for (size_t k = 0; k < n; k++) text[k] = rng_below(&r, 2) ? "'.,-/@&<n1a\"("[rng_below(&r, 13)] : (char)rng_below(&r, 256);
        ptb_words(text, n, &s);
        lines += utf8_valid(str_c(&s), s.n) && !memchr(str_c(&s), '\n', s.n);
        str_release(&s);
    }
    is_int(lines, 3000, "any bytes give words of UTF-8 on one line");
}

int main(void)
{
    goldens();
    is_tokens("", "");
    is_tokens("A dog can't find Bob's ball.", "a dog ca n't find bob 's ball .");
    is_tokens("\"red-and-white\" (3) 1/2", "`` red-and-white '' -lrb- 3 -rrb- 1/2");
    is_tokens("$5.00 at 10:30am in the U.S.A. today", "$ 5.00 at 10:30 am in the u.s.a. today");
    is_tokens("he/she saw Mr. Smith... cannot", "he/she saw mr. smith ... can not");
    any_bytes();
    return done();
}
