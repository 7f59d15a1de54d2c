/* Patterns: what each construct matches, the order of precedence, and where a match with something ahead is divided. */
#include "score/lexer.h"
#include "score/unicode.h"
#include "tap.h"

static const struct lexer_name names[] = { { "vowel", "[aeiou]" }, { "pair", "{vowel}{vowel}" }, { NULL, NULL } };

/* The first rule that matches text, and how far. */
static void matches(const struct lexer_rule *rules, int n_rules, const char *text, int want_rule, int want)
{
    struct lexer *l = lexer_new(rules, n_rules, names);
    uint16_t units[100];
    int rule = -1;
    int64_t n = unicode_to_utf16(units, text, (int64_t)strlen(text)), got = lexer_match(l, units, n, &rule);

    ok(got == want && (!want || rule == want_rule), "%s: %d units by rule %d (got %d by %d)", text, want, want_rule,
       (int)got, rule);
    lexer_free(l);
}

static void one(const char *pattern, const char *text, int want)
{
    printf("# %s\n", pattern);
    matches(&(struct lexer_rule){ pattern, NULL }, 1, text, 0, want);
}

int main(void)
{
    one("dog", "DoGs", 3);
    one("[d]og", "Dog", 0);
    one("a.b", "a.b", 3);
    one("a.b", "axb", 0);
    one("[^a-c]+", "xyzabc", 3);
    one("(ab|abc)d?", "abcd", 4);
    one("a{2}", "aaa", 2);
    one("a{2,3}", "aaaa", 3);
    one("a{2,3}", "a", 0);
    one("a{2,}", "aaaaa", 5);
    one("a{1,}", "aa", 2);
    one("(ab){0,2}c", "ababc", 5);
    one("{pair}x", "eax", 3);
    one("\\d+", "12\u0663x", 3);
    one("\\l+", "\u00E9\u4E2D\u00DF1", 3);
    one("\\u", "\u00C9", 1);
    one("\\u", "\u00E9", 0);
    one("[\\l_]+", "a_b c", 3);
    one("\\x41", "A", 1);
    one("\\*\\+[-x]", "*+-", 3);
    one("\u20AC|\u4E2D", "\u4E2D", 1);
    one("[^]", "-", 1);
    one("[^][^]", "\xF0\x9F\x98\x80", 2);
    one("x", "", 0);

    const struct lexer_rule order[] = {
        { "ab", NULL }, { "[a-z]+", NULL }, { "a", "bcd" }, { "[0-9]+", "x" }, { "[0-9]+", NULL }
    };
    matches(order, 5, "ab", 0, 2);
    matches(order, 5, "abc", 1, 3);
    matches(order, 5, "abcd", 1, 4);
    matches(order, 5, "12x", 3, 2);
    matches(order, 5, "12", 4, 2);
    const struct lexer_rule divided[] = { { "a*", "a*b" }, { "x(yx)*", "(yx)+z" } };
    matches(divided, 2, "aaab", 0, 3);
    matches(divided, 2, "xyxyxz", 1, 3);
    return done();
}
