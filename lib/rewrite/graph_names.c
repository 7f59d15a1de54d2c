/* Names of persons, animals and places: what is written with a capital and means one of its kind. */
#include "rewrite/graph_work.h"
#include "rewrite/inflect.h"
#include <string.h>

static bool is_capitalised(const struct graph_work *k, int i)
{
    return word_is_capitalised(&k->w->at[i], k->g->text);
}

static bool is_known(const struct graph_work *k, const char *lower)
{
    return wordnet_knows(k->wordnet, WN_NOUN, lower) || wordnet_knows(k->wordnet, WN_NOUN, noun_singular(lower, k->a));
}

/* "a Chihuahua", "two Jeeps": one of several, and no name. */
static bool is_of_several(const struct graph_work *k, int i)
{
    while (--i >= k->from && (k->w->at[i].class == WORD_ADJECTIVE || k->w->at[i].class == WORD_NOUN)) continue;
    if (i < k->from) return false;
    enum word_class class = k->w->at[i].class;
    bool is_own = word_is_one_of(k->w->at[i].lower, " the my your his her its our their ");

    return class == WORD_NUMBER || (class == WORD_DETERMINER && !is_own);
}

static bool is_name(const struct graph_work *k, int i)
{
    const char *lower = k->w->at[i].lower;

    if (!is_capitalised(k, i)) return false;
    if (wordnet_is_unique(k->wordnet, lower)) return true;
    return i > k->from && (!is_known(k, lower) || word_is_one_of(k->w->at[i - 1].lower, " named called "));
}

bool graph_is_name(const struct graph_work *k, int from, int to)
{
    if (!k->wordnet || is_of_several(k, from)) return false;
    return is_name(k, to - 1) ||
           (to - from > 1 && is_capitalised(k, to - 1) && is_name(k, to - 2)); /* "Eiffel Tower" */
}

int graph_epithet(const struct graph_work *k, int from, int to)
{
    int i = to;

    if (!k->wordnet || is_of_several(k, from)) return to;
    while (i > from && is_capitalised(k, i - 1)) i--;
    /* a word that nobody uses may be a name, too: milo is a kind of grain */
    bool is_called = i > from && i < to && (is_name(k, i) || !wordnet_uses(k->wordnet, WN_NOUN, k->w->at[i].lower));
    return is_called ? i : to;
}
