/* The classes of words: what the parser says, checked against number and place; patterns where it says nothing. */
#include "core/str.h"
#include "rewrite/graph_work.h"
#include "rewrite/inflect.h"
#include "rewrite/kinds.h"
#include <string.h>

bool word_is_one_of(const char *word, const char *list)
{
    char key[40];
    size_t n = strlen(word);

    if (n > 36) return false;
    key[0] = ' ';
    memcpy(key + 1, word, n);
    memcpy(key + n + 1, " ", 2);
    return strstr(list, key) != NULL;
}

bool graph_has_link(const struct graph_work *k, int left, int right, const char *stem)
{
    for (int i = 0; i < k->parse.n; i++) {
        const struct parse_link *l = &k->parse.at[i];
        if ((left < 0 || l->left == left) && (right < 0 || l->right == right) && !strcmp(l->stem, stem)) return true;
    }
    return false;
}

static bool is_known(const struct graph_work *k, enum wordnet_pos pos, const char *word)
{
    return k->wordnet && wordnet_knows(k->wordnet, pos, word);
}

/* Nouns that look like verbs in -ing. */
static bool is_thing_in_ing(const char *s)
{
    return word_is_one_of(
        s, " building ceiling wedding painting railing clothing evening morning crossing ring king string "
           "wing drawing sibling awning pudding lighting swing spring "
           "thing wing dwelling opening parking clearing icing topping filling seasoning stuffing "
           "frosting earring duckling ");
}

static enum word_class guess_class(const struct graph_work *k, int i)
{
    const char *s = k->w->at[i].lower;
    size_t n = strlen(s);
    bool before_end = i + 1 >= k->to || k->w->at[i + 1].class == WORD_PUNCTUATION ||
                      k->w->at[i + 1].class == WORD_PREPOSITION || k->w->at[i + 1].class == WORD_CONJUNCTION ||
                      k->w->at[i + 1].class == WORD_AUXILIARY;
    bool after_article =
        i > k->from && (k->w->at[i - 1].class == WORD_DETERMINER || k->w->at[i - 1].class == WORD_NUMBER);

    if (n > 4 && str_ends(s, "ing") && !after_article && !is_thing_in_ing(s)) return WORD_VERB;
    if (n > 4 && str_ends(s, "ly") && !is_known(k, WN_NOUN, s)) return WORD_ADVERB;
    if (word_is_colour(s)) return before_end && after_article ? WORD_NOUN : WORD_ADJECTIVE;
    if (n > 3 && str_ends(s, "ed") && !after_article && (i + 1 >= k->to || k->w->at[i + 1].class != WORD_OTHER))
        return WORD_VERB;
    if (before_end) return WORD_NOUN;
    if (k->wordnet && is_known(k, WN_ADJECTIVE, s) &&
        (!is_known(k, WN_NOUN, s) || wordnet_uses(k->wordnet, WN_ADJECTIVE, s) >= wordnet_uses(k->wordnet, WN_NOUN, s)))
        return WORD_ADJECTIVE;
    if (!k->wordnet && (str_ends(s, "y") || str_ends(s, "ful") || str_ends(s, "ous") || str_ends(s, "en") ||
                        word_is_one_of(s, " big small large huge little tiny old young new tall short long wooden ")))
        return WORD_ADJECTIVE;
    return WORD_NOUN;
}

/* Where the phrase that ends before word i begins: its article or number, or -1. */
static int article_before(const struct graph_work *k, int i)
{
    while (--i >= k->from) {
        enum word_class class = k->w->at[i].class;
        if (class == WORD_DETERMINER || class == WORD_NUMBER) return i;
        if (class != WORD_ADJECTIVE && class != WORD_NOUN) break;
    }
    return -1;
}

static bool says_one(const struct graph_work *k, int article)
{
    return article >= 0 && word_is_one_of(k->w->at[article].lower, " a an one another this that each every ");
}

/* Whether the clause around word i has a verb. */
static bool has_verb(const struct graph_work *k, int i)
{
    int from = i, to = i;

    while (from > k->from && !word_is_one_of(k->w->at[from - 1].lower, " as while but ")) from--;
    while (to < k->to && !word_is_one_of(k->w->at[to].lower, " as while but ")) to++;
    for (int j = from; j < to; j++) {
        if (k->w->at[j].class == WORD_VERB || k->w->at[j].class == WORD_AUXILIARY) return true;
    }
    return false;
}

/* More of a verb than of a noun: "stand", not "table". */
static bool is_mostly_verb(const struct graph_work *k, const char *word)
{
    const char *lemma = wordnet_verb_lemma(k->wordnet, word, k->a);

    return k->wordnet && wordnet_uses(k->wordnet, WN_VERB, lemma) > wordnet_uses(k->wordnet, WN_NOUN, lemma);
}

/* What the parser takes for nouns and verbs is checked against number: "a bicycle stands" is no kind of stands, "an
 * orange car" does not car. */
static enum word_class corrected_class(const struct graph_work *k, int i)
{
    const struct word *x = &k->w->at[i], *before = i > k->from ? x - 1 : NULL;
    bool at_end = i + 1 >= k->to, before_preposition = at_end || x[1].class == WORD_PREPOSITION ||
                                                       x[1].class == WORD_PUNCTUATION || x[1].class == WORD_CONJUNCTION;
    size_t n = strlen(x->lower);

    bool is_ing = n > 4 && str_ends(x->lower, "ing") && !is_thing_in_ing(x->lower);
    if (is_ing && x->class == WORD_NOUN && before && before->class == WORD_AUXILIARY) return WORD_VERB;
    bool is_relative =
        before && i - 1 > k->from && word_is_one_of(before->lower, " that who which ") && x[-2].class == WORD_NOUN;
    if (is_relative && (x->class == WORD_VERB || (x->class == WORD_NOUN && is_mostly_verb(k, x->lower))))
        return WORD_VERB; /* "a store that sells" */
    if (x->class == WORD_NOUN && before && before->class == WORD_NOUN && before_preposition && !at_end &&
        x[1].class == WORD_PREPOSITION && !has_verb(k, i) && is_mostly_verb(k, x->lower) &&
        (noun_is_plural(x->lower) || noun_is_plural(before->lower)))
        return WORD_VERB; /* "as the catcher reaches for" */
    if (x->class == WORD_NOUN && before && before->class == WORD_NOUN && !word_is_colour(before->lower)) {
        bool is_verb =
            !k->wordnet || wordnet_knows(k->wordnet, WN_VERB, wordnet_verb_lemma(k->wordnet, x->lower, k->a));
        if (n > 4 && str_ends(x->lower, "ing"))
            return is_verb && before_preposition && !is_thing_in_ing(x->lower) ? WORD_VERB : WORD_NOUN;
        if (is_verb && noun_is_plural(x->lower) && says_one(k, article_before(k, i)) && !noun_is_plural(before->lower))
            return WORD_VERB;
        if (is_verb && noun_is_plural(before->lower) && !noun_is_plural(x->lower) &&
            !noun_is_plural_only(before->lower) && before_preposition)
            return WORD_VERB;
    }
    if (x->class == WORD_VERB && before && !str_ends(x->lower, "ed") && !str_ends(x->lower, "ing") &&
        !graph_has_link(k, -1, i, "I")) {
        bool bare = !noun_is_plural(x->lower);
        bool is_noun =
            k->wordnet && wordnet_knows(k->wordnet, WN_NOUN, bare ? x->lower : noun_singular(x->lower, k->a));
        int j = i - 1;
        while (j >= k->from && (k->w->at[j].class == WORD_ADJECTIVE || word_is_colour(k->w->at[j].lower))) j--;
        bool after_opening =
            j >= k->from && (k->w->at[j].class == WORD_DETERMINER || k->w->at[j].class == WORD_NUMBER ||
                             k->w->at[j].class == WORD_PREPOSITION);
        if (is_noun && (after_opening || (bare && j < i - 1))) return WORD_NOUN; /* "near two ducks", "big dog" */
        int article = article_before(k, i);
        bool of_several = article > k->from && !strcmp(k->w->at[article - 1].lower, "and") &&
                          graph_has_link(k, -1, i, "S"); /* "a dog and a cat sit" */
        if (is_noun && bare && before->class == WORD_NOUN && says_one(k, article) && !of_several) return WORD_NOUN;
    }
    return x->class;
}

void graph_settle_classes(struct graph_work *k)
{
    for (int i = k->to - 1; i >= k->from; i--) {
        struct word *x = &k->w->at[i];
        if (x->class == WORD_OTHER) x->class = guess_class(k, i);
    }
    for (int i = k->from; i < k->to; i++) {
        struct word *x = &k->w->at[i];
        x->class = corrected_class(k, i);
        bool before_noun =
            i + 1 < k->to && (k->w->at[i + 1].class == WORD_NOUN || k->w->at[i + 1].class == WORD_ADJECTIVE ||
                              corrected_class(k, i + 1) == WORD_NOUN);
        bool opens = i > k->from && (x[-1].class == WORD_DETERMINER || x[-1].class == WORD_ADJECTIVE ||
                                     x[-1].class == WORD_NUMBER || !strcmp(x[-1].lower, "of"));
        bool is_participle = (str_ends(x->lower, "ed") || str_ends(x->lower, "ing")) && strlen(x->lower) > 4;
        if (is_thing_in_ing(x->lower) && before_noun) x->class = WORD_NOUN;
        else if (is_participle && opens && before_noun && (x->class == WORD_VERB || x->class == WORD_NOUN) &&
                 is_known(k, WN_VERB, wordnet_verb_lemma(k->wordnet, x->lower, k->a)) &&
                 !is_known(k, WN_NOUN, x->lower))
            x->class = WORD_ADJECTIVE; /* "boiling water" */
        int kind;
        bool after_in = i > k->from && !strcmp(x[-1].lower, "in"); /* "a man in black" */
        if (word_is_colour(x->lower) && (before_noun || after_in)) x->class = WORD_ADJECTIVE;
        if (x->class == WORD_NOUN && before_noun && attribute_kind_of(x->lower, &kind)) x->class = WORD_ADJECTIVE;
        if (x->class == WORD_ADJECTIVE && !before_noun && i > k->from && graph_has_link(k, i - 1, i, "D"))
            x->class = WORD_NOUN;
        if (x->class == WORD_ADJECTIVE && !before_noun && i > k->from && x[-1].class == WORD_ADJECTIVE &&
            is_known(k, WN_NOUN, x->lower) &&
            (article_before(k, i) >= 0 || i + 1 == k->to || x[1].class != WORD_PREPOSITION) &&
            !word_is_colour(x->lower))
            x->class = WORD_NOUN; /* "a little locomotive" */
    }
}
