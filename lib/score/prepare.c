#include "score/prepare.h"
#include "core/str.h"
#include "core/unicode.h"
#include "score/ptb.h"
#include "score/pytext.h"
#include "score/unicode.h"
#include <stdlib.h>
#include <string.h>

/* ---- tokens ---- */

struct tokens {
    int64_t n, cap;
    char **at;                /* owned */
    int64_t last_n, cap_last; /* bytes of the last one, and of its room */
};

static void push(struct tokens *t, const char *word, size_t n)
{
    mem_reserve(&t->at, &t->cap, t->n + 1);
    t->at[t->n++] = mem_strndup(word, n);
    t->last_n = (int64_t)n;
    t->cap_last = t->last_n + 1;
}

static void push_word(struct tokens *t, const char *word)
{
    push(t, word, strlen(word));
}

/* More of the last token, which may become as long as the text. */
static void extend(struct tokens *t, const char *more)
{
    char **last = &t->at[t->n - 1];
    int64_t n = (int64_t)strlen(more);

    mem_reserve(last, &t->cap_last, t->last_n + n + 1);
    memcpy(*last + t->last_n, more, (size_t)n + 1);
    t->last_n += n;
}

static void clear(struct tokens *t)
{
    for (int64_t i = 0; i < t->n; i++) free(t->at[i]);
    t->n = 0;
}

static void release(struct tokens *t)
{
    clear(t);
    free(t->at);
}

static void split(struct tokens *t, const char *text)
{
    const char *word;
    size_t n;

    clear(t);
    while ((word = py_word(&text, &n))) push(t, word, n);
}

static void join_tokens(const struct tokens *t, int64_t n, struct str *out)
{
    for (int64_t i = 0; i < n; i++) str_addf(out, "%s%s", i ? " " : "", t->at[i]);
}

/* ---- what tokens are ---- */

#define PUNCTUATION "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

static bool is_mark(char c)
{
    return c && strchr(PUNCTUATION, c);
}

/* As Python's isdigit(): also superscripts and digits in circles and the like. */
static bool is_digit(uint32_t c)
{
    static const uint32_t digits[][2] = {
        { 0xB2, 0xB3 },     { 0xB9, 0xB9 },       { 0x1369, 0x1371 },   { 0x19DA, 0x19DA },   { 0x2070, 0x2070 },
        { 0x2074, 0x2079 }, { 0x2080, 0x2089 },   { 0x2460, 0x2468 },   { 0x2474, 0x247C },   { 0x2488, 0x2490 },
        { 0x24EA, 0x24EA }, { 0x24F5, 0x24FD },   { 0x24FF, 0x24FF },   { 0x2776, 0x277E },   { 0x2780, 0x2788 },
        { 0x278A, 0x2792 }, { 0x10A40, 0x10A43 }, { 0x10E60, 0x10E68 }, { 0x11052, 0x1105A }, { 0x1F100, 0x1F10A },
    };

    for (size_t i = 0; i < sizeof digits / sizeof *digits; i++) {
        if (c >= digits[i][0] && c <= digits[i][1]) return true;
    }
    return unicode_is_decimal(c);
}

/* Digits of any script, with commas where they may be; not empty. */
static bool is_number(const char *word, bool commas)
{
    uint32_t c;

    if (!*word) return false;
    for (const char *p = word; *p;) {
        int n = utf8_decode(p, strnlen(p, 4), &c);
        if (!n || !(is_digit(c) || (commas && c == ','))) return false;
        p += n;
    }
    return true;
}

static bool is_capital(const char *word)
{
    uint32_t c;
    int n = utf8_decode(word, strnlen(word, 4), &c);

    return n && !word[n] && unicode_is_capital(c);
}

static bool is(const struct tokens *t, int64_t i, const char *word)
{
    return i < t->n && !strcmp(t->at[i], word);
}

/* ---- mending ---- */

struct mending {
    struct tokens in, out;
    bool escapes;                                       /* brackets in small letters, and more */
    bool in_quote, in_single, after_dash, after_number; /* after_number: digits and commas that were joined */
    struct ptb *ptb;                                    /* of raw questions */
};

static const char *escaped(const struct mending *m, const char *word)
{
    static const char *const pairs[][3] = { { "(", "-LRB-", "-lrb-" }, { ")", "-RRB-", "-rrb-" },
                                            { "[", "-LSB-", "-lsb-" }, { "]", "-RSB-", "-rsb-" },
                                            { "{", "-LCB-", "-lcb-" }, { "}", "-RCB-", "-rcb-" },
                                            { "[UNK]", NULL, "UNK" },  { "&", NULL, "&amp;" },
                                            { "<", NULL, "&lt;" },     { ">", NULL, "&gt;" } };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (!strcmp(word, pairs[i][0])) return pairs[i][m->escapes ? 2 : 1];
    }
    return NULL;
}

/* An apostrophe: of n't, of 's 'd 'll, or a quotation mark. Returns how many tokens were used. */
static int64_t mend_apostrophe(struct mending *m, int64_t i)
{
    struct tokens *out = &m->out;
    size_t n = out->n ? strlen(out->at[out->n - 1]) : 0;

    if (n && out->at[out->n - 1][n - 1] == 'n' && is(&m->in, i + 1, "t")) {
        out->at[out->n - 1][n - 1] = 0;
        push_word(out, "n't");
        return 2;
    }
    if (is(&m->in, i + 1, "s") || is(&m->in, i + 1, "d") || is(&m->in, i + 1, "ll")) {
        push_word(out, "'");
        extend(out, m->in.at[i + 1]);
        return 2;
    }
    push_word(out, m->in_single ? "'" : "`");
    m->in_single = !m->in_single;
    return 1;
}

/* A period: of an ellipsis, a number, an acronym. 0: none of these. */
static int64_t mend_period(struct mending *m, int64_t i)
{
    struct tokens *out = &m->out;
    const char *before = out->n ? out->at[out->n - 1] : "";

    if (is(&m->in, i + 1, ".") && is(&m->in, i + 2, ".")) {
        push_word(out, "...");
        return 3;
    }
    if (is_number(before, false) && i + 1 < m->in.n && is_number(m->in.at[i + 1], false)) {
        extend(out, ".");
        extend(out, m->in.at[i + 1]);
        return 2;
    }
    if (is_capital(before) && i + 2 < m->in.n && is_capital(m->in.at[i + 1]) && is(&m->in, i + 2, ".")) {
        int64_t end = i + 3;
        while (end + 2 < m->in.n && is_capital(m->in.at[end + 1]) && is(&m->in, end + 2, ".")) end += 2;
        for (int64_t k = i; k < end; k++) extend(out, m->in.at[k]);
        return 2; /* as the script has it: what was joined comes again */
    }
    return 0;
}

static int64_t mend_dash(struct mending *m, int64_t i)
{
    struct tokens *out = &m->out;

    if (is(&m->in, i + 1, "-")) {
        push_word(out, "--");
        return 2;
    }
    bool is_inside = i > 0 && i + 1 < m->in.n;
    bool is_marks = out->n && out->last_n < (int64_t)sizeof PUNCTUATION && strstr(PUNCTUATION, out->at[out->n - 1]);
    if (is_inside && !is_marks && !is_mark(*m->in.at[i + 1])) {
        extend(out, "-");
        m->after_dash = true;
    } else {
        push_word(out, "-");
    }
    return 1;
}

static int64_t mend_token(struct mending *m, int64_t i)
{
    struct tokens *out = &m->out;
    const char *word = m->in.at[i], *other = escaped(m, word);
    bool follows_dash = m->after_dash, follows_number = m->after_number;
    int64_t used;

    m->after_dash = m->after_number = false;
    if (other) {
        push_word(out, other);
        return 1;
    }
    if (!strcmp(word, "\"")) {
        push_word(out, m->in_quote ? "''" : "``");
        m->in_quote = !m->in_quote;
        return 1;
    }
    if (!strcmp(word, "'")) return mend_apostrophe(m, i);
    if (!strcmp(word, ".") && (used = mend_period(m, i))) return used;
    if (!strcmp(word, ",") && out->n && (follows_number || is_number(out->at[out->n - 1], true)) && i + 1 < m->in.n &&
        is_number(m->in.at[i + 1], true)) {
        m->after_number = true;
        extend(out, ",");
        extend(out, m->in.at[i + 1]);
        return 2;
    }
    if (!strcmp(word, "-")) return mend_dash(m, i);
    if (follows_dash && out->n && !is_mark(*word)) extend(out, word);
    else push_word(out, word);
    return 1;
}

/* m->out: the tokens of the text, mended. */
static void mend(struct mending *m, const char *text, size_t n)
{
    char *copy = mem_strndup(text, n);

    split(&m->in, copy);
    free(copy);
    clear(&m->out);
    m->in_quote = m->in_single = m->after_dash = m->after_number = false;
    for (int64_t i = 0; i < m->in.n;) i += mend_token(m, i);
}

static const char *keep(struct join *j, const struct str *s)
{
    return arena_strndup(&j->arena, str_c(s), s->n);
}

/* ---- summaries ---- */

enum { SHORTEST = 5, LONGEST = 100 };

/* Whether more than 70 % of the tokens' different words, in lower case, were seen; then they count as seen. */
static bool is_repeated(const struct tokens *t, struct map *seen)
{
    struct map own = { 0 };
    struct str lower = { 0 };
    int64_t old = 0;

    for (int64_t i = 0; i < t->n; i++) {
        bool is_new;
        str_clear(&lower);
        unicode_add_lowered(&lower, t->at[i], strlen(t->at[i]));
        map_put(&own, str_c(&lower), lower.n, &is_new);
        old += is_new && map_find(seen, str_c(&lower), lower.n);
    }
    bool repeated = (double)old / (double)own.n > 0.7;
    for (int64_t i = 0; i < own.n; i++) map_put(seen, own.at[i].key, own.at[i].n, NULL);
    map_release(&own);
    str_release(&lower);
    return repeated;
}

static void prepare_summary(struct mending *m, const char *text, struct str *out)
{
    struct map seen = { 0 };
    int64_t left = LONGEST;

    for (const char *p = text; p && left > 0;) {
        const char *end = strstr(p, "[X_SEP]");
        mend(m, p, end ? (size_t)(end - p) : strlen(p));
        p = end ? end + 7 : NULL;
        struct str sentence = { 0 };
        join_tokens(&m->out, m->out.n, &sentence);
        split(&m->out, str_c(&sentence)); /* what was joined may hold blanks no more, and no empty tokens */
        str_release(&sentence);
        if (m->out.n < SHORTEST || is_repeated(&m->out, &seen)) continue;
        int64_t n = m->out.n < left ? m->out.n : left;
        if (out->n) str_add_char(out, '\n');
        join_tokens(&m->out, n, out);
        left -= n;
    }
    map_release(&seen);
}

static void replace_all(struct str *out, const char *text, const char *from, const char *to)
{
    for (const char *at; (at = strstr(text, from)); text = at + strlen(from)) {
        str_add_bytes(out, text, (size_t)(at - text));
        str_add(out, to);
    }
    str_add(out, text);
}

static void prepare_headline(struct mending *m, const char *text, struct str *out)
{
    struct str joined = { 0 };

    mend(m, text, strlen(text));
    join_tokens(&m->out, m->out.n, &joined);
    replace_all(out, str_c(&joined), "1", "#");
    str_release(&joined);
}

/* ---- questions and answers ---- */

static void lower_stripped(const char *text, struct str *out)
{
    struct str s = { 0 };

    py_strip(&s, text);
    unicode_add_lowered(out, str_c(&s), s.n);
    str_release(&s);
}

/* Undoes WordPiece: ##x belongs to the token before it. */
static void join_pieces(const char *text, struct str *out)
{
    struct tokens t = { 0 };

    split(&t, text);
    for (int64_t i = 0; i < t.n; i++) {
        bool is_piece = i && str_starts(t.at[i], "##");
        if (i && !is_piece) str_add_char(out, ' ');
        str_add(out, t.at[i] + (is_piece ? 2 : 0));
    }
    release(&t);
}

static void prepare_question(struct mending *m, const char *text, bool is_ref, bool mends, struct str *out)
{
    struct str s = { 0 };

    if (is_ref && mends) {
        py_strip(out, text);
    } else if (is_ref) {
        join_pieces(text, &s);
        unicode_add_lowered(out, str_c(&s), s.n);
    } else if (mends) {
        mend(m, text, strlen(text));
        join_tokens(&m->out, m->out.n, &s);
        unicode_add_lowered(out, str_c(&s), s.n);
    } else {
        lower_stripped(text, out);
    }
    str_release(&s);
}

static void prepare_answer(const char *text, struct str *out)
{
    static const char *const pairs[][2] = {
        { " ' s ", "'s " }, { " ' ll ", "'ll " }, { " ' re ", "'re " }, { "n ' t ", "n't " }
    };
    struct str from = { 0 };

    str_add(&from, text);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        str_clear(out);
        replace_all(out, str_c(&from), pairs[i][0], pairs[i][1]);
        str_clear(&from);
        str_add_bytes(&from, str_c(out), out->n);
    }
    str_release(&from);
}

/* ---- items ---- */

enum how { NONE, CNNDM, GIGAWORD, QG, QG_EVAL, QG_RAW, COQA };
static enum how how_of(const char *name)
{
    static const char *const names[] = { "none", "cnndm", "gigaword", "qg", "qg-eval", "qg-raw", "coqa" };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!strcmp(name, names[i])) return (enum how)i;
    }
    return NONE;
}

bool prepare_known(const char *how)
{
    return how_of(how) != NONE;
}

bool prepare_splits(const char *how)
{
    return how_of(how) == QG || how_of(how) == QG_EVAL || how_of(how) == QG_RAW;
}

static void prepare_text(enum how how, struct mending *m, const char *text, bool is_ref, struct str *out)
{
    str_clear(out);
    if (how == CNNDM && !is_ref) {
        prepare_summary(m, text, out);
    } else if (how == CNNDM || how == GIGAWORD) {
        struct str s = { 0 };
        if (is_ref) py_strip(&s, text);
        if (is_ref) replace_all(out, str_c(&s), " <S_SEP> ", "\n");
        else prepare_headline(m, text, out);
        str_release(&s);
    } else if (how == COQA && !is_ref) {
        prepare_answer(text, out);
    } else if (how == QG || how == QG_EVAL) {
        prepare_question(m, text, is_ref, how == QG_EVAL, out);
    } else if (how == QG_RAW) {
        ptb_tokenize(m->ptb, (const char *const[]){ text, NULL }, out);
    } else {
        str_add(out, text);
    }
}

/* One item for each source, in the order in which they come, with all references and the last prediction. */
static int group_by_source(struct join *j, struct err *e)
{
    int note = join_note(j, "source");
    struct map keys = { 0 };
    struct str key = { 0 };
    int64_t *n_refs = mem_new(int64_t, j->n + 1), *group = mem_new(int64_t, j->n + 1);
    int rc = 0;

    for (int64_t i = 0; i < j->n && !rc; i++) {
        int32_t word = note < 0 ? -1 : j->notes[note].of[i];
        if (word < 0)
            rc = err_set(e, ERR_INPUT, "id %s: \"source\" is required to prepare questions", err_quote(j->id[i]));
        if (rc) break;
        bool is_new;
        str_clear(&key);
        lower_stripped(j->notes[note].words.at[word].key, &key);
        int64_t *at = map_put(&keys, str_c(&key), key.n, &is_new);
        if (is_new) *at = keys.n - 1;
        group[i] = *at;
        n_refs[group[i]] += j->items[i].n_refs;
    }
    struct score_item *items = arena_new(&j->arena, struct score_item, keys.n + 1);
    const char **ids = arena_new(&j->arena, const char *, keys.n + 1);
    const char ***refs = mem_new(const char **, keys.n + 1);
    for (int64_t g = 0; g < keys.n && !rc; g++) {
        refs[g] = arena_new(&j->arena, const char *, n_refs[g] + 1);
        ids[g] = arena_strndup(&j->arena, keys.at[g].key, keys.at[g].n);
    }
    for (int64_t i = 0; i < j->n && !rc; i++) {
        struct score_item *to = &items[group[i]];
        memcpy(refs[group[i]] + to->n_refs, j->items[i].refs, (size_t)j->items[i].n_refs * sizeof **refs);
        *to = (struct score_item){ j->items[i].pred, refs[group[i]], to->n_refs + j->items[i].n_refs,
                                   j->items[i].is_missing };
    }
    if (!rc) {
        j->n = keys.n;
        j->items = items;
        j->id = ids;
        j->n_notes = 0; /* were of the questions */
    }
    free(refs);
    free(n_refs);
    free(group);
    map_release(&keys);
    str_release(&key);
    return rc;
}

int prepare_items(struct join *j, const char *name, struct err *e)
{
    enum how how = how_of(name);
    struct mending m = { .escapes = how == GIGAWORD || how == QG_EVAL, .ptb = how == QG_RAW ? ptb_new() : NULL };
    struct str out = { 0 };

    for (int64_t i = 0; i < j->n; i++) {
        struct score_item *item = &j->items[i];
        const char **refs = arena_new(&j->arena, const char *, item->n_refs + 1);
        for (int r = 0; r < item->n_refs; r++) {
            prepare_text(how, &m, item->refs[r], true, &out);
            refs[r] = keep(j, &out);
        }
        prepare_text(how, &m, item->pred, false, &out);
        *item = (struct score_item){ keep(j, &out), refs, item->n_refs, item->is_missing };
    }
    release(&m.in);
    release(&m.out);
    ptb_free(m.ptb);
    str_release(&out);
    return prepare_splits(name) ? group_by_source(j, e) : 0;
}
