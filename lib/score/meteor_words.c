#include "score/meteor_words.h"
#include "core/str.h"
#include "score/synonyms.h"
#include <libstemmer.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static bool is_function_word(const char *word)
{
    static const char *const words[] = {
        "the",  ",",     ".",    "to",    "of",     "and",   "a",     "in",     "that",  "for",  "\"",     "on",
        "is",   "'s",    "it",   "with",  "was",    "as",    "said",  "at",     "he",    "by",   "be",     "from",
        "have", "has",   "are",  "his",   "but",    "an",    "this",  "not",    "i",     "will", "\u2019", "they",
        ")",    "-rrb-", "(",    "-lrb-", "who",    "their", "had",   "we",     "which", "were", "been",   "more",
        "or",   "s",     "its",  "would", "about",  "new",   "one",   "after",  "you",   ":",    "also",   "up",
        "when", "there", "than", "$",     "all",    "out",   "her",   "people", "she",   "year", "two",    "-",
        "can",  "if",    "last", "first", "\u201c", "over",  "other", "\u201d", "into",  "some", "what",   "so",
        "--",   "no",    "time", "years", "could",  "?",     "'t",    "\u2014", "'",
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!strcmp(words[i], word)) return true;
    }
    return false;
}

static int32_t stem_of(struct meteor_lexicon *l, const char *word, size_t n)
{
    const sb_symbol *stem = sb_stemmer_stem(l->stemmer, (const sb_symbol *)word, (int)n);
    bool is_new;
    int64_t *at =
        map_put(&l->stems, stem ? (const char *)stem : word, stem ? (size_t)sb_stemmer_length(l->stemmer) : n, &is_new);

    if (is_new) *at = l->stems.n - 1;
    return (int32_t)*at;
}

int32_t meteor_word(struct meteor_lexicon *l, const char *word, size_t n)
{
    bool is_new;
    int64_t *at = map_put(&l->numbers, word, n, &is_new);
    uint32_t found[SYNONYMS_MAX];

    if (!is_new) return (int32_t)*at;
    int32_t number = (int32_t)(*at = l->numbers.n - 1);
    mem_reserve(&l->words, &l->cap, l->numbers.n);
    struct meteor_word *w = &l->words[number];
    *w =
        (struct meteor_word){ .stem = stem_of(l, word, n), .is_function = is_function_word(l->numbers.at[number].key) };
    if (!l->synonyms) return number;
    w->n_synsets = synonyms_of(l->synonyms, word, n, found);
    w->synsets = arena_new(&l->arena, uint32_t, w->n_synsets + 1);
    memcpy(w->synsets, found, (size_t)w->n_synsets * sizeof *found);
    for (int i = 0; i < w->n_synsets; i++) w->mask |= 1ull << (found[i] * 0x9E3779B1u >> 26);
    return number;
}

/* ---- the table of paraphrases ---- */

enum { PHRASE_MAX = 64 };

/* The phrase's words, or none where one is unknown; its words joined by spaces in key. */
static int read_phrase(const struct meteor_lexicon *l, const char *text, int32_t words[PHRASE_MAX], struct str *key)
{
    int found = 0;

    str_clear(key);
    for (const char *at = text + strspn(text, " \t\r"); *at; at += strspn(at, " \t\r")) {
        size_t n = strcspn(at, " \t\r");
        const int64_t *number = map_find(&l->numbers, at, n);
        if (!number || found == PHRASE_MAX) return 0;
        if (found) str_add_char(key, ' ');
        str_add_bytes(key, at, n);
        words[found++] = (int32_t)*number;
        at += n;
    }
    return found;
}

static void add_paraphrase(struct meteor_lexicon *l, const char *phrase, const char *other, struct str *key)
{
    int32_t words[PHRASE_MAX], others[PHRASE_MAX];
    int n = read_phrase(l, other, others, key), n_phrase = n ? read_phrase(l, phrase, words, key) : 0;
    bool is_new;

    if (!n_phrase) return;
    int64_t *at = map_put(&l->paraphrased, str_c(key), key->n, &is_new);
    if (is_new) *at = l->paraphrased.n - 1;
    int64_t i = *at;
    mem_reserve(&l->others, &l->cap_others, i + 1);
    struct meteor_others *o = &l->others[i];
    mem_reserve(&o->at, &o->cap, o->n + 1);
    int32_t *kept = arena_new(&l->arena, int32_t, n);
    memcpy(kept, others, (size_t)n * sizeof *kept);
    o->at[o->n++] = (struct meteor_phrase){ n, kept };
    if (n_phrase > l->longest) l->longest = n_phrase;
}

/* 1 with a line, 0 at the end, -1. */
static int next_line(gzFile f, struct str *line)
{
    char part[4096];

    str_clear(line);
    while (gzgets(f, part, sizeof part)) {
        str_add(line, part);
        if (line->n > 1 << 20) return -1;
        if (line->n && line->data[line->n - 1] == '\n') {
            line->data[--line->n] = 0;
            return 1;
        }
    }
    return gzeof(f) ? line->n > 0 : -1;
}

int meteor_lexicon_add_paraphrases(struct meteor_lexicon *l, const char *path, struct err *e)
{
    gzFile f = gzopen(path, "rb");
    struct str line[3] = { 0 }, key = { 0 };
    int64_t lines = 0;
    int got = 1, state;

    if (!f) return err_errno(e, "%s", path);
    gzbuffer(f, 1 << 17);
    while ((got = next_line(f, &line[lines % 3])) > 0) {
        if (++lines % 3 == 0) add_paraphrase(l, str_c(&line[1]), str_c(&line[2]), &key);
    }
    const char *why = gzerror(f, &state);
    if (state != Z_OK && state != Z_STREAM_END) got = err_set(e, ERR_INPUT, "%s", why); /* it begins with the path */
    else if (got < 0) err_set(e, ERR_INPUT, "%s: a line of more than a megabyte", path);
    else if (!lines || lines % 3)
        got = err_set(e, ERR_INPUT, "%s: %lld lines: expected a probability, a phrase and a paraphrase in turn", path,
                      (long long)lines);
    gzclose(f);
    for (int i = 0; i < 3; i++) str_release(&line[i]);
    str_release(&key);
    return got;
}

int meteor_lexicon_open(struct meteor_lexicon *l, const char *wordnet, struct err *e)
{
    *l = (struct meteor_lexicon){ .stemmer = sb_stemmer_new("english", "UTF_8") };
    if (!l->stemmer) return err_set(e, ERR_IO, "libstemmer has no English stemmer");
    return !wordnet || (l->synonyms = synonyms_open(wordnet, e)) ? 0 : -1;
}

void meteor_lexicon_release(struct meteor_lexicon *l)
{
    map_release(&l->numbers);
    map_release(&l->stems);
    for (int64_t i = 0; i < l->paraphrased.n; i++) free(l->others[i].at);
    map_release(&l->paraphrased);
    free(l->others);
    free(l->words);
    synonyms_close(l->synonyms);
    if (l->stemmer) sb_stemmer_delete(l->stemmer);
    arena_release(&l->arena);
    *l = (struct meteor_lexicon){ 0 };
}
