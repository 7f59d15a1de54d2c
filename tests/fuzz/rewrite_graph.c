/* Any text as a caption: its graph, its phrases and its negatives. Spans stay inside the text, and no negative is the
 * text itself. */
#include "core/str.h"
#include "rewrite/substitute.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { WANT = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct parser *parser; /* loading the dictionary takes longer than a run */
    static struct wordnet *wordnet;
    struct lexicon lexicon = { 0 };
    struct err e = { 0 };
    struct arena a = { 0 };
    struct negative negatives[WANT];
    struct scene_graph g;
    struct facts facts = { 0 };
    struct str own = { 0 };
    struct rng r;

    if (n > 2000 || !utf8_valid((const char *)data, n) || memchr(data, 0, n)) return 0;
    if (!parser) {
        struct dictionary *d = dictionary_open(&e);
        wordnet = wordnet_open(WORDNET_DIR, &e);
        if (d) parser = parser_new(d, 1);
    }
    const char *text = arena_strndup(&a, (const char *)data, n);
    scene_graph_make(&g, text, parser, wordnet, &a);
    for (int i = 0; i < g.words.n; i++) {
        if (g.words.at[i].from >= g.words.at[i].to || g.words.at[i].to > (int64_t)n ||
            (i && g.words.at[i].from < g.words.at[i - 1].to))
            abort();
    }
    for (int i = 0; i < g.n_objects; i++) {
        if (g.objects[i].phrase_from > g.objects[i].from || g.objects[i].from >= g.objects[i].to ||
            g.objects[i].to > g.words.n)
            abort();
    }
    value_free(scene_graph_value(&g));
    value_free(scene_graph_phrases(&g));
    struct names names = { .wordnet = wordnet, .lexicon = &lexicon };
    facts_print(&g, &own);
    facts_add(&facts, str_c(&own), &a);
    rng_init(&r, 1, 1);
    int found = substitute(&(struct substitution){ &g, &facts, &lexicon, wordnet, &names, &a }, negatives, WANT, &r);
    for (int i = 0; i < found; i++) {
        if (!strcmp(negatives[i].text, text) || !utf8_valid(negatives[i].text, strlen(negatives[i].text))) abort();
    }
    names_release(&names);
    lexicon_release(&lexicon);
    str_release(&own);
    arena_release(&a);
    return 0;
}
