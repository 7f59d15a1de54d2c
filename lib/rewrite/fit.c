#include "rewrite/fit.h"
#include "rewrite/inflect.h"
#include "rewrite/kinds.h"
#include "rewrite/nouns.h"
#include <string.h>

int sort_of(const struct substitution *s, const char *name)
{
    const char *blank = strrchr(name, ' ');
    int file = s->wordnet ? wordnet_file(s->wordnet, name) : -1;

    return file < 0 && blank && s->wordnet ? wordnet_file(s->wordnet, blank + 1) : file;
}

enum { OFTEN = 3 }; /* a name that the corpus has as often is no slip of the parser */

/* More of a verb than of a noun: "jump" in "a man in black jumps". */
static bool is_mostly_verb(const struct substitution *s, const char *word)
{
    const char *lemma = s->wordnet ? wordnet_verb_lemma(s->wordnet, word, s->arena) : word;

    return s->wordnet && wordnet_uses(s->wordnet, WN_VERB, lemma) > wordnet_uses(s->wordnet, WN_NOUN, word);
}

/* Whether every word of a name in the corpus can be part of a name: not "mud smile". */
static bool is_name(const struct substitution *s, const char *name)
{
    if (lexicon_count(s->lexicon, LEX_OBJECTS, name) >= OFTEN) return true;
    if (strchr(name, ' ') && s->wordnet && wordnet_knows(s->wordnet, WN_NOUN, name)) return true;
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, " ");
        const char *word = arena_strndup(s->arena, p, n);
        if (is_mostly_verb(s, word) || word_closed_class(word) != WORD_OTHER) return false;
        p += n + (p[n] == ' ');
    }
    return true;
}

static bool names_thing(const char *name)
{
    const char *last = strrchr(name, ' ');

    return !noun_is_plural_only(name) && !noun_is_abstract(name) && !word_is_colour(last ? last + 1 : name);
}

/* Whether the corpus uses the name mostly without an article: "luggage", not "knife". */
static bool is_mostly_bare(const struct substitution *s, const char *name)
{
    return 2 * lexicon_count(s->lexicon, LEX_BARE, name) >= lexicon_count(s->lexicon, LEX_OBJECTS, name);
}

/* Whether the corpus writes it with capitals, which the lexicon has not kept: "Eiffel Tower". */
static bool is_mostly_proper(const struct substitution *s, const char *name)
{
    return 2 * lexicon_count(s->lexicon, LEX_PROPER, name) > lexicon_count(s->lexicon, LEX_OBJECTS, name);
}

/* "a woman with her dog" is no man. */
static bool pronouns_allow(const struct substitution *s, const char *name)
{
    int traits = person_traits(name);
    const char *others = traits & PERSON_MALE     ? "she her hers herself"
                         : traits & PERSON_FEMALE ? "he him his himself"
                                                  : NULL;

    for (int i = 0; i < s->graph->words.n && others; i++) {
        if (word_is_listed(others, s->graph->words.at[i].lower)) return false;
    }
    return true;
}

/* Whether the caption has this noun somewhere, as an object or not. */
static bool is_said(const struct substitution *s, const char *name)
{
    const char *last = strrchr(name, ' '), *head = last ? last + 1 : name;

    for (int i = 0; i < s->graph->words.n; i++) {
        if (s->graph->words.at[i].lower[0] != head[0]) continue; /* as in "mice" and "mouse" */
        if (!strcmp(noun_singular(s->graph->words.at[i].lower, s->arena), head)) return true;
    }
    return false;
}

bool object_fits(const struct substitution *s, const struct graph_object *o, const char *name, bool from_lexicon)
{
    const char *article = o->article >= 0 ? s->graph->words.at[o->article].lower : NULL;
    bool counted = o->is_plural || (article && strchr("ao1", article[0])); /* a, an, one, another */

    if (noun_is_place(name) != noun_is_place(o->name)) return false;
    if (word_closed_class(o->name) != WORD_OTHER) return false;     /* "what is this?" */
    if (strchr(o->name, ' ') && !is_name(s, o->name)) return false; /* "mud smiles" in "covered in mud smiles" */
    if (from_lexicon && (!names_thing(name) || !is_name(s, name) || is_mostly_proper(s, name))) return false;
    if (from_lexicon && counted && is_mostly_bare(s, name)) return false;
    if (!o->has_article && !o->is_plural) {           /* much of something, or a headline that does without articles */
        if (is_mostly_verb(s, o->name)) return false; /* "two bears, one brown, sit": no thing */
        if (!lexicon_count(s->lexicon, LEX_BARE, name)) return false;
        if (is_mostly_bare(s, o->name) && !is_mostly_bare(s, name)) return false;
    }
    return pronouns_allow(s, name) && !is_said(s, name) && !facts_have(s->facts, s->names, name);
}

bool attribute_suits(const char *attribute, int sort)
{
    bool lives = sort == LEX_PERSON || sort == LEX_ANIMAL;

    if (word_closed_class(attribute) != WORD_OTHER) return false; /* "fallen" is no "up" leaf */
    return lives ? !word_is_listed("new modern ancient", attribute) : !word_is_listed("young elderly", attribute);
}
