/* Words are classed by the parser (by patterns where it fails), noun phrases are read off the classes, and relations
 * come from the parser's links. */
#include "core/str.h"
#include "rewrite/graph_work.h"
#include "rewrite/inflect.h"
#include "rewrite/kinds.h"
#include <string.h>

const char *const parse_kind_names[] = { "pattern", "full", "repaired" };

static bool joins_noun(const struct graph_work *k, int i) /* may word i stand between an article and its noun? */
{
    const struct word *x = &k->w->at[i];

    if (k->is_used[i]) return false;
    if (i > k->from && x[-1].class == WORD_VERB && word_is_one_of(x->lower, " out up off down away over "))
        return false; /* "blowing out candles" */
    if (x->class == WORD_ADJECTIVE || x->class == WORD_NOUN) return true;
    return x->class == WORD_VERB && (graph_has_link(k, i, -1, "A") || graph_has_link(k, i, -1, "AN"));
}

void graph_add_attribute(struct graph_work *k, int object, int from, int to, bool is_predicate)
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

static const char *singular(const struct graph_work *k, const char *word)
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

/* "covered" in "snow covered roof": with the noun before it, it says how the next one looks. */
static bool ends_attribute(const struct graph_work *k, int i)
{
    if (i <= k->from || i + 1 >= k->to || k->is_used[i] || k->is_used[i - 1]) return false;
    if (!word_is_one_of(k->w->at[i].lower, " covered lined topped shaped colored coloured themed sized ")) return false;
    return k->w->at[i - 1].class == WORD_NOUN &&
           (k->w->at[i + 1].class == WORD_NOUN || k->w->at[i + 1].class == WORD_ADJECTIVE);
}

/* The object whose noun is words [from, to); its attributes are looked for to the left. */
static void add_object(struct graph_work *k, int from, int to)
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
        if (ends_attribute(k, i)) {
            o.phrase_from = --i;
            graph_add_attribute(k, index, i, i + 2, false);
            continue;
        }
        if (k->w->at[i].class != WORD_ADVERB) graph_add_attribute(k, index, i, i + 1, false);
    }
    /* "big, red ball", "black and white cat": more adjectives behind a comma or "and", up to the article */
    while (i - 1 >= k->from && (!strcmp(k->w->at[i].lower, ",") || !strcmp(k->w->at[i].lower, "and")) &&
           k->w->at[i - 1].class == WORD_ADJECTIVE && o.phrase_from < from && k->head_of[i - 1] < 0) {
        graph_add_attribute(k, index, i - 1, i, false);
        o.phrase_from = i - 1;
        i -= 2;
    }
    o.is_name = graph_is_name(k, from, to);
    o.is_plural = !o.is_name && noun_is_plural(noun);
    if (i >= k->from && !k->is_used[i]) {
        const struct word *x = &k->w->at[i];
        if (x->class == WORD_NUMBER) {
            o.article = i;
            o.count = word_number(x->lower);
            if (o.count > 1) o.is_plural = true;
        } else if (x->class == WORD_DETERMINER) {
            o.article = i;
            if (noun_is_invariant(noun) && word_is_one_of(x->lower, " several many few some these those various all "))
                o.is_plural = true;
            if (!strcmp(x->lower, "both")) o.count = 2;
        } else if (x->class == WORD_POSSESSIVE) {
            o.article = i;
        }
    }
    if (o.is_plural && o.count == 1) o.count = 0;
    o.has_article = o.article >= 0;
    for (int j = from; j < to; j++)
        str_addf(&name, "%s%s", j > from ? " " : "", j == to - 1 && !o.is_name ? singular(k, noun) : k->w->at[j].lower);
    o.name = arena_strdup(k->a, str_c(&name));
    str_release(&name);
    for (int j = o.phrase_from; j < to; j++) k->head_of[j] = index;
    g->objects[g->n_objects++] = o;
}

/* What the object before words [from, to) is called by them. */
static void add_epithet(struct graph_work *k, int from, int to)
{
    int object = k->head_of[from - 1];
    struct str s = { 0 };

    if (object < 0) return;
    for (int i = from; i < to; i++) {
        str_addf(&s, "%s%s", i > from ? " " : "", k->w->at[i].lower);
        k->head_of[i] = object;
    }
    k->g->objects[object].called = arena_strdup(k->a, str_c(&s));
    str_release(&s);
}

/* "a photo of", "a close up of": what is before the object of the picture says nothing about it. */
static int picture_words(const struct graph_work *k, int i)
{
    int j = i;

    while (j < k->to && (k->w->at[j].class == WORD_DETERMINER || k->w->at[j].class == WORD_ADJECTIVE ||
                         (j > i && !strcmp(k->w->at[j].lower, "and")))) /* "black and white" */
        j++;
    if (j + 2 < k->to && !strcmp(k->w->at[j].lower, "close") && !strcmp(k->w->at[j + 1].lower, "up")) j++;
    if (j + 1 >= k->to || strcmp(k->w->at[j + 1].lower, "of")) return 0;
    return word_is_one_of(k->w->at[j].lower,
                          " photo picture image view photograph close-up closeup up shot scene snapshot drawing ")
               ? j + 2 - i
               : 0;
}

/* "a group of": a count of what follows. */
static int group_words(const struct graph_work *k, int i)
{
    int j = i;

    while (j < k->to && (k->w->at[j].class == WORD_DETERMINER || k->w->at[j].class == WORD_ADJECTIVE ||
                         k->w->at[j].class == WORD_NUMBER))
        j++;
    if (j == i || j + 2 >= k->to || strcmp(k->w->at[j + 1].lower, "of")) return 0;
    return word_is_one_of(
               k->w->at[j].lower,
               " group couple pair bunch lot number variety row herd flock crowd pile stack set dozen kind kinds "
               "type types collection assortment batch pairs rows piles stacks groups ")
               ? j + 2 - i
               : 0;
}

/* Phrases that name nothing: "side by side". The words of one that starts at word i, or 0. */
static int idle_words(const struct words *w, int i, int end)
{
    static const char *const idle[][3] = { { "side", "by", "side" }, { "hand", "in", "hand" }, { "back", "to", "back" },
                                           { "face", "to", "face" }, { "one", "by", "one" },   { "upside", "down", "" },
                                           { "at", "night", "" },    { "at", "sunset", "" },   { "at", "dusk", "" } };

    for (size_t p = 0; p < sizeof idle / sizeof *idle; p++) {
        int n = 0;
        while (n < 3 && *idle[p][n] && i + n < end && !strcmp(w->at[i + n].lower, idle[p][n])) n++;
        if (n == 3 || !*idle[p][n]) return n;
    }
    return 0;
}

/* An adjective and a noun that are one name: "polar bear", not "old man". */
static bool is_compound(const struct graph_work *k, int adjective, int noun)
{
    const char *first = k->w->at[adjective].lower, *head = singular(k, k->w->at[noun].lower);
    struct str s = { 0 };
    int kind;

    str_addf(&s, " %s %s ", first, head);
    bool known = strstr(" hot dog  orange juice  green bean  high chair  hard hat  hot air balloon  french fry ",
                        str_c(&s)) != NULL;
    if (!known && k->wordnet && !attribute_kind_of(first, &kind) && s.n > 2) {
        s.data[s.n - 1] = 0;
        known = wordnet_knows(k->wordnet, WN_NOUN, s.data + 1);
    }
    str_release(&s);
    return known;
}

static void find_objects(struct graph_work *k)
{
    struct words *w = k->w;

    for (int i = k->from; i < k->to; i++) {
        int n = words_preposition(w, i, k->to), idle = idle_words(w, i, k->to);
        if (idle > n) n = idle;
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
        if (ends_attribute(k, end)) {
            i = end - 1;
            continue;
        }
        int called = graph_epithet(k, i, end), head = called - 1, from = head;
        while (from > i && !word_is_colour(w->at[from - 1].lower)) from--;
        if (from == head && from > k->from && w->at[from - 1].class == WORD_ADJECTIVE && !k->is_used[from - 1] &&
            is_compound(k, from - 1, head))
            from--;
        add_object(k, from, called);
        if (called < end) add_epithet(k, called, end);
        i = end - 1;
    }
}

bool word_denies(const char *lower)
{
    static const char list[] = " not never nobody nothing none neither nor cannot ";

    return word_is_one_of(lower, list) || str_ends(lower, "n't");
}

/* Whether the text says that object o is not there. "no parking sign" is a sign; so is "a no smoking area". */
static bool is_absent(const struct graph_work *k, const struct graph_object *o, const struct graph_object *before)
{
    int start = o->article >= 0 ? o->article : o->phrase_from;
    const char *left = start > k->from ? k->w->at[start - 1].lower : "";

    if (o->article >= 0 && !strcmp(k->w->at[o->article].lower, "no"))
        return !str_ends(o->name, "sign") && !word_is_one_of(left, " a an the this ");
    if (!strcmp(left, "without")) return true;
    return before && before->is_absent && before->to == start - 1 && !strcmp(left, "or"); /* "no cars or people" */
}

static void find_denied(struct graph_work *k)
{
    struct scene_graph *g = k->g;
    bool denies = false;

    for (int i = k->from; i < k->to; i++) denies = denies || word_denies(k->w->at[i].lower);
    for (int i = k->first_object; i < g->n_objects; i++) {
        struct graph_object *o = &g->objects[i];
        bool says_no = o->article >= 0 && !strcmp(k->w->at[o->article].lower, "no");
        o->is_absent = !denies && is_absent(k, o, i > k->first_object ? o - 1 : NULL);
        o->is_unsure = denies || (says_no && !o->is_absent);
    }
    for (int i = 0; i < g->n_relations; i++) { /* "no dog on the sofa": whether there is a sofa, who knows */
        if (g->objects[g->relations[i].subject].is_absent) g->objects[g->relations[i].object].is_unsure = true;
    }
}

void scene_graph_make(struct scene_graph *g, const char *text, struct parser *parser, const struct wordnet *wordnet,
                      struct arena *a)
{
    struct graph_work k = { .g = g, .wordnet = wordnet, .a = a };
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
        graph_settle_classes(&k);
        find_objects(&k);
        graph_find_relations(&k);
        find_denied(&k);
    }
}
