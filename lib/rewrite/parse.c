/* Sentences by Link Grammar. Captions are often noun phrases, which a grammar of sentences refuses or misreads: these
 * are tried again as "There is ...". Words are handed over one by one with single blanks, so that every word of a
 * linkage is found in the text by its position. */
#include "rewrite/parse.h"
#include "core/str.h"
#include "rewrite/inflect.h"
#include "rewrite/kinds.h"
#include <link-grammar/link-includes.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORDS_MAX = 60,      /* of a sentence: longer ones take seconds */
    WORD_BYTES_MAX = 60, /* of a word */
    LINKAGES = 20        /* the cheapest of these is taken */
};

struct dictionary {
    Dictionary english;
};
struct parser {
    struct dictionary *dictionary;
    Parse_Options options;
    locale_t locale; /* C.UTF-8, for this thread while it parses */
    struct str sentence;
};

/* Bytes that Link Grammar wants, and more: it does not look whether it got them. */
enum { DICTIONARY_ROOM = 32 << 20, SENTENCE_ROOM = 32 << 20 };

static void be_quiet(lg_errinfo *info, void *arg)
{
}

/* Keeps the first error: a dictionary without one of its files may be given out all the same. */
static void note_error(lg_errinfo *info, void *first)
{
    struct str *s = first;

    if (info->severity <= lg_Error && !s->n) str_add_bytes(s, info->text, strcspn(info->text, "\n"));
}

struct dictionary *dictionary_open(struct err *e)
{
    struct str why = { 0 };

    lg_error_set_handler(note_error, &why);
    mem_expect(DICTIONARY_ROOM);
    Dictionary english = dictionary_create_lang("en");
    lg_error_set_handler(be_quiet, NULL);
    if (!english || why.n) {
        err_set(e, ERR_IO,
                "cannot load Link Grammar's English dictionary%s%s (the package link-grammar-dictionaries-en has it)",
                why.n ? ": " : "", str_c(&why));
        if (english) dictionary_delete(english);
        str_release(&why);
        return NULL;
    }
    struct dictionary *d = mem_new(struct dictionary, 1);
    d->english = english;
    return d;
}

void dictionary_free(struct dictionary *d)
{
    if (!d) return;
    dictionary_delete(d->english);
    free(d);
}

struct parser *parser_new(struct dictionary *d, int time_limit)
{
    struct parser *p = mem_new(struct parser, 1);

    p->dictionary = d;
    p->locale = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
    p->options = parse_options_create();
    parse_options_set_verbosity(p->options, 0);
    parse_options_set_linkage_limit(p->options, LINKAGES);
    parse_options_set_spell_guess(p->options, 0);
    parse_options_set_short_length(
        p->options, 8); /* words apart, for links that seldom reach far: half the default saves an eighth of the time */
    parse_options_set_max_null_count(p->options, 0);
    parse_options_set_max_parse_time(p->options, time_limit);
    parse_options_set_max_memory(p->options, 512 << 20);
    return p;
}

void parser_free(struct parser *p)
{
    if (!p) return;
    parse_options_delete(p->options);
    if (p->locale) freelocale(p->locale);
    str_release(&p->sentence);
    free(p);
}

/* ---- from the text to Link Grammar's sentence and back ---- */

/* The word as it is written, but for apostrophes: the dictionary has straight ones. */
static void add_word(struct str *out, const char *s, size_t n)
{
    for (size_t i = 0, mark; i < n; i += mark ? mark : 1) {
        mark = apostrophe_at(s, n, i);
        str_add_char(out, mark ? '\'' : s[i]);
    }
}

/* Where each word begins in the sentence; -1 for punctuation that is left out. False when nothing is left: an empty
 * sentence ends Link Grammar, and us with it. */
static bool write_sentence(struct parser *p, const char *prefix, const struct words *w, const char *text, int from,
                           int to, int32_t *start)
{
    bool any = false;

    str_clear(&p->sentence);
    str_add(&p->sentence, prefix);
    for (int i = from; i < to; i++) {
        const struct word *x = &w->at[i];
        start[i - from] = -1;
        if (x->class == WORD_PUNCTUATION && !strchr(",.?!:", x->lower[0])) continue;
        if (p->sentence.n && p->sentence.data[p->sentence.n - 1] != ' ') str_add_char(&p->sentence, ' ');
        start[i - from] = (int32_t)p->sentence.n;
        any = any || x->class != WORD_PUNCTUATION;
        if (i == from && *prefix && x->to - x->from > 0 && (x->to - x->from == 1 || text[x->from + 1] >= 'a'))
            str_add(&p->sentence, x->lower);
        else add_word(&p->sentence, text + x->from, (size_t)(x->to - x->from));
    }
    return any;
}

static void copy_cut(char *out, size_t size, const char *from, size_t n)
{
    if (n > size - 1) n = size - 1;
    memcpy(out, from, n);
    out[n] = 0;
}

static int word_at(const int32_t *start, int n, int64_t byte)
{
    int found = -1;

    for (int i = 0; i < n; i++) {
        if (start[i] >= 0 && start[i] <= byte) found = i;
    }
    return found;
}

static enum word_class class_of_subscript(const char *word)
{
    const char *dot = strrchr(word, '.');

    if (!dot || !dot[1] || strstr(word, "[?]")) return WORD_OTHER; /* [?]: a word that the dictionary does not have */
    switch (dot[1]) {
    case 'n':
    case 's':
    case 'p':
    case 'f':
    case 'b':
    case 'l':
    case 'm':
        return WORD_NOUN;
    case 'a':
        return WORD_ADJECTIVE;
    case 'v':
    case 'g':
    case 'q':
    case 'w':
        return WORD_VERB;
    case 'e':
        return WORD_ADVERB;
    case 'r':
        return WORD_PREPOSITION;
    case 'd':
        return WORD_DETERMINER;
    case 'j':
        return WORD_CONJUNCTION;
    default:
        return WORD_OTHER;
    }
}

/* A list of bare nouns can be read as an order ("house, yellow ducks and ..."): captions give none, and paint nothing.
 */
static bool is_misread(Linkage l)
{
    bool misread = false;

    for (LinkIdx i = 0; i < linkage_get_num_links(l) && !misread; i++)
        misread = str_starts(linkage_get_link_label(l, i), "Wi");
    for (WordIdx i = 0; i < linkage_get_num_words(l) && !misread; i++) {
        const char *word = linkage_get_word(l, i), *dot = strrchr(word, '.');
        char plain[16];
        if (!dot || dot[1] != 'v' || (size_t)(dot - word) >= sizeof plain) continue;
        copy_cut(plain, sizeof plain, word, (size_t)(dot - word));
        misread = word_is_colour(plain);
    }
    return misread;
}

static void read_linkage(Linkage l, struct parse *out, struct words *w, int from, int to, const int32_t *start,
                         bool classes, struct arena *a)
{
    int n_words = (int)linkage_get_num_words(l), n_links = (int)linkage_get_num_links(l);
    int *ours = arena_new(a, int, n_words + 1);

    for (int i = 0; i < n_words; i++) {
        ours[i] = word_at(start, to - from, (int64_t)linkage_get_word_byte_start(l, (WordIdx)i));
        if (i == 0 || i == n_words - 1) ours[i] = -1; /* the walls */
        if (ours[i] < 0) continue;
        struct word *x = &w->at[from + ours[i]];
        if (classes && x->class == WORD_OTHER) x->class = class_of_subscript(linkage_get_word(l, (WordIdx)i));
    }
    out->at = arena_new(a, struct parse_link, n_links + 1);
    for (int i = 0; i < n_links; i++) {
        int left = (int)linkage_get_link_lword(l, (LinkIdx)i), right = (int)linkage_get_link_rword(l, (LinkIdx)i);
        const char *label = linkage_get_link_label(l, (LinkIdx)i);
        struct parse_link *x = &out->at[out->n];
        if (left < 0 || right >= n_words || (left == 0 && ours[left] < 0) || ours[right] < 0 ||
            ours[left] == ours[right])
            continue;
        *x = (struct parse_link){ ours[left] < 0 ? -1 : from + ours[left], from + ours[right], "", "" };
        while (*label && !(*label >= 'A' && *label <= 'Z') && *label != '_') label++;
        size_t m = strspn(label, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        copy_cut(x->stem, sizeof x->stem, label, m);
        copy_cut(x->rest, sizeof x->rest, label + m, strlen(label + m));
        out->n++;
    }
}

/* True when the sentence parsed completely; the best linkage is then in out. */
static bool try_sentence(struct parser *p, struct parse *out, struct words *w, const char *text, int from, int to,
                         const char *prefix, struct arena *a)
{
    int32_t *start = arena_new(a, int32_t, to - from + 1);
    bool parsed = false;

    if (!write_sentence(p, prefix, w, text, from, to, start)) return false;
    mem_expect(SENTENCE_ROOM);
    Sentence s = sentence_create(str_c(&p->sentence), p->dictionary->english);
    if (!s) return false;
    parse_options_reset_resources(p->options);
    if (sentence_split(s, p->options) >= 0 && sentence_parse(s, p->options) > 0 && sentence_num_valid_linkages(s) > 0 &&
        sentence_null_count(s) == 0) {
        Linkage l = linkage_create(0, s, p->options);
        if (l) {
            read_linkage(l, out, w, from, to, start, false, a);
            for (int i = 0; i < out->n && !*prefix && !parsed; i++) {
                const char *stem = out->at[i].stem;
                parsed = (stem[0] == 'S' && strcmp(stem, "SJ")) || !strcmp(stem, "PF");
            }
            parsed = (parsed || *prefix) && !is_misread(l);
            out->n = 0;
            read_linkage(l, out, w, from, to, start, parsed, a);
            linkage_delete(l);
        }
    }
    sentence_delete(s);
    return parsed;
}

/* Whether the words seem to hold a finite verb: "is", or a word right after what looks like a noun. A wrong guess costs
 * a second parse. */
static bool may_be_clause(const struct words *w, int from, int to)
{
    for (int i = from; i < to; i++) {
        const struct word *x = &w->at[i], *before = i > from ? x - 1 : NULL;
        int kind;
        if (x->class == WORD_AUXILIARY || x->class == WORD_PRONOUN) return true;
        if (x->class != WORD_OTHER || !before || (before->class != WORD_OTHER && before->class != WORD_ADVERB))
            continue;
        if (!word_is_colour(before->lower) && !attribute_kind_of(before->lower, &kind) && !str_ends(x->lower, "ing") &&
            !str_ends(x->lower, "ed"))
            return true;
    }
    return false;
}

static bool begins_plural(const struct words *w, int from, int to)
{
    const struct word *last = NULL;

    for (int i = from; i < to; i++) {
        const struct word *x = &w->at[i];
        if (x->class == WORD_NUMBER && word_number(x->lower) != 1) return true;
        if (!strcmp(x->lower, "several") || !strcmp(x->lower, "many") || !strcmp(x->lower, "some") ||
            !strcmp(x->lower, "various"))
            return true;
        if (x->class == WORD_PREPOSITION || x->class == WORD_PUNCTUATION || x->class == WORD_CONJUNCTION ||
            str_ends(x->lower, "ing"))
            break;
        last = x;
    }
    return last && noun_is_plural(last->lower);
}

void parser_run(struct parser *p, struct parse *out, struct words *w, const char *text, int from, int to,
                struct arena *a)
{
    locale_t before;

    *out = (struct parse){ 0 };
    if (to - from > WORDS_MAX || from >= to) return;
    for (int i = from; i < to; i++) {
        if (w->at[i].to - w->at[i].from > WORD_BYTES_MAX) return;
    }
    before = uselocale(p->locale ? p->locale : LC_GLOBAL_LOCALE);
    bool clause_first = may_be_clause(w, from, to);
    for (int attempt = 0; attempt < 3 && out->kind == PARSE_PATTERN; attempt++) {
        bool as_clause = clause_first == (attempt != 1);
        /* dear constructions cost a third of the time and are rarely needed: only when all else failed */
        parse_options_set_disjunct_cost(p->options, attempt < 2 ? 1.5f : 2.7f);
        const char *prefix = as_clause ? "" : begins_plural(w, from, to) ? "There are " : "There is ";
        *out = (struct parse){ 0 };
        if (try_sentence(p, out, w, text, from, to, prefix, a)) out->kind = as_clause ? PARSE_FULL : PARSE_REPAIRED;
        else *out = (struct parse){ 0 };
    }
    uselocale(before);
}
