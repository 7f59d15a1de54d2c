/* Words are classed by the parser (by patterns where it fails), noun phrases are read off the classes, and relations
 * come from links: a preposition's object by J, its subject by M or MV, a verb's by S, M, B, O, all of them through
 * "and" (SJ). Where a link is missing the nearest phrase stands in. */
#include "rewrite/scene_graph.h"
#include "core/str.h"
#include "rewrite/inflect.h"
#include <string.h>

enum { OBJECTS_MAX = 64 }; /* of a sentence: its objects fit the bits of a word */

struct work {
    struct scene_graph *g;
    struct words *w;
    struct parse parse;
    const struct wordnet *wordnet;
    struct arena *a;
    int from, to;     /* the sentence */
    int first_object; /* of the sentence */
    int *head_of;     /* [words] object (of all) whose phrase holds the word, or -1 */
    bool *is_used;    /* [words] taken by a preposition of several words or a picture word */
    int cap_attributes, cap_relations;
};

const char *const parse_kind_names[] = { "pattern", "full", "repaired" };

static bool is_one_of(const char *word, const char *list)
{
    char key[40];
    size_t n = strlen(word);

    if (n > 36) return false;
    key[0] = ' ';
    memcpy(key + 1, word, n);
    memcpy(key + n + 1, " ", 2);
    return strstr(list, key) != NULL;
}

static bool has_link(const struct work *k, int left, int right, const char *stem)
{
    for (int i = 0; i < k->parse.n; i++) {
        const struct parse_link *l = &k->parse.at[i];
        if ((left < 0 || l->left == left) && (right < 0 || l->right == right) && !strcmp(l->stem, stem)) return true;
    }
    return false;
}

/* ---- classes where the parser gave none ---- */

static bool is_known(const struct work *k, enum wordnet_pos pos, const char *word)
{
    return k->wordnet && wordnet_knows(k->wordnet, pos, word);
}

static enum word_class guess_class(const struct work *k, int i)
{
    const char *s = k->w->at[i].lower;
    size_t n = strlen(s);
    bool before_end = i + 1 >= k->to || k->w->at[i + 1].class == WORD_PUNCTUATION ||
                      k->w->at[i + 1].class == WORD_PREPOSITION || k->w->at[i + 1].class == WORD_CONJUNCTION ||
                      k->w->at[i + 1].class == WORD_AUXILIARY;
    bool after_article =
        i > k->from && (k->w->at[i - 1].class == WORD_DETERMINER || k->w->at[i - 1].class == WORD_NUMBER);

    if (n > 4 && str_ends(s, "ing") && !after_article) return WORD_VERB;
    if (n > 4 && str_ends(s, "ly") && !is_known(k, WN_NOUN, s)) return WORD_ADVERB;
    if (word_is_colour(s)) return before_end && after_article ? WORD_NOUN : WORD_ADJECTIVE;
    if (n > 3 && str_ends(s, "ed") && !after_article && (i + 1 >= k->to || k->w->at[i + 1].class != WORD_OTHER))
        return WORD_VERB;
    if (before_end) return WORD_NOUN;
    if (k->wordnet && is_known(k, WN_ADJECTIVE, s) &&
        (!is_known(k, WN_NOUN, s) || wordnet_uses(k->wordnet, WN_ADJECTIVE, s) >= wordnet_uses(k->wordnet, WN_NOUN, s)))
        return WORD_ADJECTIVE;
    if (!k->wordnet && (str_ends(s, "y") || str_ends(s, "ful") || str_ends(s, "ous") || str_ends(s, "en") ||
                        is_one_of(s, " big small large huge little tiny old young new tall short long wooden ")))
        return WORD_ADJECTIVE;
    return WORD_NOUN;
}

/* Where the phrase that ends before word i begins: its article or number, or -1. */
static int article_before(const struct work *k, int i)
{
    while (--i >= k->from) {
        enum word_class class = k->w->at[i].class;
        if (class == WORD_DETERMINER || class == WORD_NUMBER) return i;
        if (class != WORD_ADJECTIVE && class != WORD_NOUN) break;
    }
    return -1;
}

static bool says_one(const struct work *k, int article)
{
    return article >= 0 && is_one_of(k->w->at[article].lower, " a an one another this that each every ");
}

/* Nouns that look like verbs in -ing. */
static bool is_thing_in_ing(const char *s)
{
    return is_one_of(s, " building ceiling wedding painting railing clothing evening morning crossing ring king string "
                        "wing drawing sibling awning pudding lighting swing spring "
                        "thing landing wing dwelling opening parking clearing icing topping filling seasoning stuffing "
                        "frosting earring duckling ");
}

/* What the parser takes for nouns and verbs is checked against number: "a bicycle stands" is no kind of stands, "an
 * orange car" does not car. */
static enum word_class corrected_class(const struct work *k, int i)
{
    const struct word *x = &k->w->at[i], *before = i > k->from ? x - 1 : NULL;
    bool at_end = i + 1 >= k->to, before_preposition = at_end || x[1].class == WORD_PREPOSITION ||
                                                       x[1].class == WORD_PUNCTUATION || x[1].class == WORD_CONJUNCTION;
    size_t n = strlen(x->lower);

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
        !has_link(k, -1, i, "I")) {
        bool bare = !noun_is_plural(x->lower);
        bool is_noun =
            k->wordnet && wordnet_knows(k->wordnet, WN_NOUN, bare ? x->lower : noun_singular(x->lower, k->a));
        int j = i - 1;
        while (j >= k->from && (k->w->at[j].class == WORD_ADJECTIVE || word_is_colour(k->w->at[j].lower))) j--;
        bool after_opening =
            j >= k->from && (k->w->at[j].class == WORD_DETERMINER || k->w->at[j].class == WORD_NUMBER ||
                             k->w->at[j].class == WORD_PREPOSITION);
        if (is_noun && (after_opening || (bare && j < i - 1))) return WORD_NOUN; /* "near two ducks", "big dog" */
        if (is_noun && bare && before->class == WORD_NOUN && says_one(k, article_before(k, i))) return WORD_NOUN;
    }
    return x->class;
}

static void settle_classes(struct work *k)
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
        if (word_is_colour(x->lower) && before_noun) x->class = WORD_ADJECTIVE;
        if (x->class == WORD_ADJECTIVE && !before_noun && i > k->from && has_link(k, i - 1, i, "D"))
            x->class = WORD_NOUN;
        if (x->class == WORD_ADJECTIVE && !before_noun && i > k->from && x[-1].class == WORD_ADJECTIVE &&
            is_known(k, WN_NOUN, x->lower) &&
            (article_before(k, i) >= 0 || i + 1 == k->to || x[1].class != WORD_PREPOSITION) &&
            !word_is_colour(x->lower))
            x->class = WORD_NOUN; /* "a little locomotive" */
    }
}

/* ---- noun phrases ---- */

static bool joins_noun(const struct work *k, int i) /* may word i stand between an article and its noun? */
{
    const struct word *x = &k->w->at[i];

    if (k->is_used[i]) return false;
    if (x->class == WORD_ADJECTIVE || x->class == WORD_NOUN) return true;
    return x->class == WORD_VERB && (has_link(k, i, -1, "A") || has_link(k, i, -1, "AN"));
}

static void add_attribute(struct work *k, int object, int from, int to, bool is_predicate)
{
    struct scene_graph *g = k->g;
    struct str s = { 0 };

    if (g->n_attributes >= k->cap_attributes) return;
    for (int i = 0; i < g->n_attributes; i++) {
        if (g->attributes[i].object == object && g->attributes[i].from == from) return;
    }
    for (int i = from; i < to; i++) str_addf(&s, "%s%s", i > from ? " " : "", k->w->at[i].lower);
    g->attributes[g->n_attributes++] =
        (struct graph_attribute){ object, arena_strdup(k->a, str_c(&s)), from, to, is_predicate };
    str_release(&s);
}

static const char *singular(const struct work *k, const char *word)
{
    const char *one = k->wordnet && !noun_is_plural(word) ? NULL : noun_singular(word, k->a);

    if (k->wordnet && noun_is_plural(word) && !noun_is_plural_only(word)) {
        const char *exception = wordnet_exception(k->wordnet, word, k->a);
        if (exception && !strchr(exception, '_') && strcmp(word, "people")) return exception;
        if (one && !wordnet_knows(k->wordnet, WN_NOUN, one)) { /* "horses" and not "hors" */
            char *e = arena_strndup(k->a, word, strlen(word) - 1);
            if (wordnet_knows(k->wordnet, WN_NOUN, e)) return e;
            if (wordnet_knows(k->wordnet, WN_NOUN, word)) return word;
        }
    }
    return one ? one : word;
}

/* The object whose noun is words [from, to); its attributes are looked for to the left. */
static void add_object(struct work *k, int from, int to)
{
    struct scene_graph *g = k->g;
    struct graph_object o = { .from = from, .to = to, .phrase_from = from, .article = -1, .count = 1 };
    const char *noun = k->w->at[to - 1].lower;
    int index = g->n_objects, i = from - 1;
    struct str name = { 0 };

    if (index - k->first_object >= OBJECTS_MAX) return;
    for (; i >= k->from &&
           (joins_noun(k, i) || (k->w->at[i].class == WORD_ADVERB && i + 1 < from && o.phrase_from == i + 1));
         i--) {
        if (k->head_of[i] >= 0) break;
        o.phrase_from = i;
        if (k->w->at[i].class != WORD_ADVERB) add_attribute(k, index, i, i + 1, false);
    }
    /* "big, red ball", "black and white cat": more adjectives behind a comma or "and", up to the article */
    while (i - 1 >= k->from && (!strcmp(k->w->at[i].lower, ",") || !strcmp(k->w->at[i].lower, "and")) &&
           k->w->at[i - 1].class == WORD_ADJECTIVE && o.phrase_from < from && k->head_of[i - 1] < 0) {
        add_attribute(k, index, i - 1, i, false);
        o.phrase_from = i - 1;
        i -= 2;
    }
    o.is_plural = noun_is_plural(noun);
    if (i >= k->from && !k->is_used[i]) {
        const struct word *x = &k->w->at[i];
        if (x->class == WORD_NUMBER) {
            o.article = i;
            o.count = word_number(x->lower);
            if (o.count > 1) o.is_plural = true;
        } else if (x->class == WORD_DETERMINER) {
            o.article = i;
            if (noun_is_invariant(noun) && is_one_of(x->lower, " several many few some these those various all "))
                o.is_plural = true;
            if (!strcmp(x->lower, "both")) o.count = 2;
        } else if (x->class == WORD_POSSESSIVE) {
            o.article = i;
        }
    }
    if (o.is_plural && o.count == 1) o.count = 0;
    o.has_article = o.article >= 0;
    for (int j = from; j < to; j++)
        str_addf(&name, "%s%s", j > from ? " " : "", j == to - 1 ? singular(k, noun) : k->w->at[j].lower);
    o.name = arena_strdup(k->a, str_c(&name));
    str_release(&name);
    for (int j = o.phrase_from; j < to; j++) k->head_of[j] = index;
    g->objects[g->n_objects++] = o;
}

/* "a photo of", "a close up of": what is before the object of the picture says nothing about it. */
static int picture_words(const struct work *k, int i)
{
    int j = i;

    while (j < k->to && (k->w->at[j].class == WORD_DETERMINER || k->w->at[j].class == WORD_ADJECTIVE)) j++;
    if (j + 2 < k->to && !strcmp(k->w->at[j].lower, "close") && !strcmp(k->w->at[j + 1].lower, "up")) j++;
    if (j + 1 >= k->to || strcmp(k->w->at[j + 1].lower, "of")) return 0;
    return is_one_of(k->w->at[j].lower,
                     " photo picture image view photograph close-up closeup up shot scene snapshot drawing ")
               ? j + 2 - i
               : 0;
}

/* "a group of": a count of what follows. */
static int group_words(const struct work *k, int i)
{
    int j = i;

    while (j < k->to && (k->w->at[j].class == WORD_DETERMINER || k->w->at[j].class == WORD_ADJECTIVE ||
                         k->w->at[j].class == WORD_NUMBER))
        j++;
    if (j == i || j + 2 >= k->to || strcmp(k->w->at[j + 1].lower, "of")) return 0;
    return is_one_of(k->w->at[j].lower,
                     " group couple pair bunch lot number variety row herd flock crowd pile stack set dozen ")
               ? j + 2 - i
               : 0;
}

static void find_objects(struct work *k)
{
    struct words *w = k->w;

    for (int i = k->from; i < k->to; i++) {
        int n = words_preposition(w, i, k->to);
        if (n < 2) continue;
        for (int j = i; j < i + n; j++) k->is_used[j] = true;
        i += n - 1;
    }
    for (int i = k->from; i < k->to; i++) {
        bool starts = i == k->from || (i == k->from + 2 && w->at[k->from + 1].class == WORD_AUXILIARY);
        int n = starts ? picture_words(k, i) : 0;
        if (!n && !k->is_used[i]) n = group_words(k, i);
        for (int j = i; j < i + n && n; j++) k->is_used[j] = true;
    }
    for (int i = k->from; i < k->to; i++) {
        if (w->at[i].class != WORD_NOUN || k->is_used[i]) continue;
        int end = i + 1;
        while (end < k->to && w->at[end].class == WORD_NOUN && !k->is_used[end]) end++;
        int head = end - 1, from = head;
        while (from > i && !word_is_colour(w->at[from - 1].lower)) from--;
        add_object(k, from, end);
        i = end - 1;
    }
}

/* ---- who is meant by a word: bits of the sentence's objects ---- */

static uint64_t bit(const struct work *k, int object)
{
    return object >= k->first_object && object - k->first_object < OBJECTS_MAX ? 1ull << (object - k->first_object) : 0;
}

static uint64_t meant_by(const struct work *k, int word, int depth)
{
    uint64_t all = 0;

    if (word < k->from || depth > 8) return 0;
    if (k->head_of[word] >= 0) return bit(k, k->head_of[word]);
    for (int i = 0; i < k->parse.n; i++) {
        const struct parse_link *l = &k->parse.at[i];
        if (!strcmp(l->stem, "SJ") && l->rest[0] == 'l' && l->right == word) all |= meant_by(k, l->left, depth + 1);
        else if (!strcmp(l->stem, "SJ") && l->rest[0] == 'r' && l->left == word)
            all |= meant_by(k, l->right, depth + 1);
        else if ((l->stem[0] == 'J' || l->stem[0] == 'M') && l->left == word && k->is_used[word])
            all |= meant_by(k, l->right, depth + 1); /* "a photo of", "a group of" */
        else if ((!strcmp(l->stem, "A") || !strcmp(l->stem, "AN")) && l->left == word)
            all |= meant_by(k, l->right, depth + 1);
        else if (!strcmp(l->stem, "R") && l->right == word) all |= meant_by(k, l->left, depth + 1);
    }
    return all;
}

/* The subjects of a verb, through auxiliaries, participles and relative clauses. */
static uint64_t subjects_of(const struct work *k, int verb, int depth)
{
    uint64_t all = 0;

    if (depth > 8) return 0;
    for (int i = 0; i < k->parse.n; i++) {
        const struct parse_link *l = &k->parse.at[i];
        const char *s = l->stem;
        if (l->right == verb && (!strcmp(s, "S") || !strcmp(s, "M") || !strcmp(s, "B") || !strcmp(s, "RS")))
            all |= meant_by(k, l->left, depth + 1);
        else if (l->left == verb &&
                 (!strcmp(s, "SI") || (!strcmp(s, "O") && (verb < 0 || has_link(k, -1, verb, "SF")))))
            all |= meant_by(k, l->right, depth + 1);
        else if (l->right == verb && (!strcmp(s, "P") || !strcmp(s, "I") || !strcmp(s, "PP") || !strcmp(s, "N")))
            all |= subjects_of(k, l->left, depth + 1);
    }
    return all;
}

static uint64_t nearest_before(const struct work *k, int word)
{
    for (int i = word - 1; i >= k->from; i--) {
        if (k->head_of[i] >= 0) return bit(k, k->head_of[i]);
    }
    return 0;
}

/* The phrase that starts right after the word, past its article. */
static uint64_t phrase_after(const struct work *k, int word)
{
    for (int i = word + 1; i < k->to && i <= word + 4; i++) {
        if (k->head_of[i] >= 0) return bit(k, k->head_of[i]);
        if (k->w->at[i].class != WORD_DETERMINER && k->w->at[i].class != WORD_NUMBER &&
            k->w->at[i].class != WORD_ADVERB && k->w->at[i].class != WORD_POSSESSIVE && !k->is_used[i])
            break;
        if (k->is_used[i] && words_preposition(k->w, i, k->to) > 1) break;
    }
    return 0;
}

static const char *lemma_of_verb(const struct work *k, int word)
{
    return wordnet_verb_lemma(k->wordnet, k->w->at[word].lower, k->a);
}

static void add_relations(struct work *k, uint64_t subjects, uint64_t objects, const char *name, const char *verb,
                          int from, int to, bool is_verb_itself)
{
    struct scene_graph *g = k->g;

    for (int s = 0; s < OBJECTS_MAX; s++) {
        for (int o = 0; o < OBJECTS_MAX; o++) {
            if (!(subjects >> s & 1) || !(objects >> o & 1) || s == o) continue;
            if (g->n_relations >= k->cap_relations) return;
            g->relations[g->n_relations++] = (struct graph_relation){
                k->first_object + s, k->first_object + o, name, verb, from, to, is_verb_itself
            };
        }
    }
}

/* ---- relations ---- */

static void relate_preposition(struct work *k, int i, int n)
{
    uint64_t objects = 0, nouns = 0, verbs = 0, opened = 0;
    int last = i + n - 1, verb = -2;
    struct str name = { 0 };

    for (int j = 0; j < k->parse.n; j++) {
        const struct parse_link *l = &k->parse.at[j];
        bool into = l->right >= i && l->right <= last && l->left < i,
             out_of = l->left >= i && l->left <= last && l->right > last;
        if (out_of && (l->stem[0] == 'J' || !strcmp(l->stem, "OF"))) objects |= meant_by(k, l->right, 0);
        if (out_of && !strcmp(l->stem, "CO")) opened |= meant_by(k, l->right, 0);
        if (into && !strcmp(l->stem, "M")) nouns |= meant_by(k, l->left, 0);
        if (into && (!strcmp(l->stem, "MV") || !strcmp(l->stem, "P") || !strcmp(l->stem, "K"))) {
            verbs |= subjects_of(k, l->left, 0);
            verb = l->left;
        }
    }
    if (!objects) objects = phrase_after(k, last);
    if (!objects) return;
    uint64_t before = i > k->from && k->head_of[i - 1] >= 0 ? bit(k, k->head_of[i - 1]) : 0;
    /* what is done "at" a place is done there by the subject */
    bool of_event = verbs && n == 1 && !strcmp(k->w->at[i].lower, "at");
    bool by_noun = nouns && (!verbs || (nouns & before)) && !of_event;
    uint64_t subjects = by_noun ? nouns : verbs ? verbs : opened ? opened : nearest_before(k, i);
    for (int j = i; j < i + n; j++) str_addf(&name, "%s%s", j > i ? " " : "", k->w->at[j].lower);
    const char *carrier =
        !by_noun && verbs && verb >= k->from && k->w->at[verb].class == WORD_VERB ? lemma_of_verb(k, verb) : NULL;
    add_relations(k, subjects & ~objects, objects, arena_strdup(k->a, str_c(&name)), carrier, i, i + n, false);
    str_release(&name);
}

static void relate_verb(struct work *k, int i)
{
    uint64_t objects = 0;
    bool is_auxiliary = k->w->at[i].class == WORD_AUXILIARY && !is_one_of(k->w->at[i].lower, " has have had ");

    if (is_auxiliary || (i + 1 < k->to && words_preposition(k->w, i + 1, k->to))) return;
    for (int j = 0; j < k->parse.n; j++) {
        const struct parse_link *l = &k->parse.at[j];
        if (l->left == i && !strcmp(l->stem, "O")) objects |= meant_by(k, l->right, 0);
    }
    if (k->parse.kind == PARSE_PATTERN) objects = phrase_after(k, i);
    if (!objects) return;
    uint64_t subjects = subjects_of(k, i, 0);
    if (!subjects) subjects = nearest_before(k, i);
    add_relations(k, subjects & ~objects, objects, lemma_of_verb(k, i), NULL, i, i + 1, true);
}

static void find_relations(struct work *k)
{
    for (int i = k->from; i < k->to; i++) {
        enum word_class class = k->w->at[i].class;
        int n = words_preposition(k->w, i, k->to);
        if (n && !(n == 1 && k->is_used[i]) && k->head_of[i] < 0) {
            bool is_infinitive =
                n == 1 && !strcmp(k->w->at[i].lower, "to") && i + 1 < k->to && k->w->at[i + 1].class == WORD_VERB;
            if (!is_infinitive) relate_preposition(k, i, n);
            i += n - 1;
        } else if (class == WORD_POSSESSIVE && i > k->from && k->head_of[i - 1] >= 0) { /* "the man's hat" */
            add_relations(k, bit(k, k->head_of[i - 1]), phrase_after(k, i), "have", NULL, i, i + 1, true);
        } else if ((class == WORD_VERB || class == WORD_AUXILIARY) && k->head_of[i] < 0) {
            relate_verb(k, i);
        }
    }
    for (int j = 0; j < k->parse.n; j++) {
        const struct parse_link *l = &k->parse.at[j];
        bool predicate = !strcmp(l->stem, "P") && l->rest[0] == 'a', after = !strcmp(l->stem, "M") && l->rest[0] == 'a';
        if ((!predicate && !after) || k->w->at[l->right].class != WORD_ADJECTIVE || k->is_used[l->right] ||
            k->head_of[l->right] >= 0)
            continue;
        uint64_t who = predicate ? subjects_of(k, l->left, 0) : meant_by(k, l->left, 0);
        for (int o = 0; o < OBJECTS_MAX; o++) {
            if (who >> o & 1) add_attribute(k, k->first_object + o, l->right, l->right + 1, true);
        }
    }
}

void scene_graph_make(struct scene_graph *g, const char *text, struct parser *parser, const struct wordnet *wordnet,
                      struct arena *a)
{
    struct work k = { .g = g, .wordnet = wordnet, .a = a };
    bool any = false;

    *g = (struct scene_graph){ .text = text };
    words_split(&g->words, text, a);
    k.w = &g->words;
    k.cap_attributes = 2 * k.w->n + 16;
    k.cap_relations = 4 * k.w->n + 64;
    g->objects = arena_new(a, struct graph_object, k.w->n + 1);
    g->attributes = arena_new(a, struct graph_attribute, k.cap_attributes);
    g->relations = arena_new(a, struct graph_relation, k.cap_relations);
    k.head_of = arena_new(a, int, k.w->n + 1);
    k.is_used = arena_new(a, bool, k.w->n + 1);
    for (int i = 0; i < k.w->n; i++) k.head_of[i] = -1;
    for (k.from = 0; k.from < k.w->n; k.from = k.to) {
        k.to = words_sentence_end(k.w, k.from);
        k.first_object = g->n_objects;
        k.parse = (struct parse){ 0 };
        if (parser) parser_run(parser, &k.parse, k.w, text, k.from, k.to, a);
        if (!any || k.parse.kind == PARSE_PATTERN || (k.parse.kind == PARSE_REPAIRED && g->kind == PARSE_FULL))
            g->kind = k.parse.kind;
        if (any && g->kind == PARSE_PATTERN) g->kind = PARSE_PATTERN;
        any = true;
        settle_classes(&k);
        find_objects(&k);
        find_relations(&k);
    }
}
