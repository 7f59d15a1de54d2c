/* Relations come from links: a preposition's object by J, its subject by M or MV, a verb's by S, M, B, O, all of them
 * through "and" (SJ). Where a link is missing the nearest phrase stands in. */
#include "core/str.h"
#include "rewrite/graph_work.h"
#include "rewrite/nouns.h"
#include <string.h>

/* ---- who is meant by a word: bits of the sentence's objects ---- */

static uint64_t bit(const struct graph_work *k, int object)
{
    return object >= k->first_object && object - k->first_object < OBJECTS_MAX ? 1ull << (object - k->first_object) : 0;
}

static uint64_t meant_by(const struct graph_work *k, int word, int depth)
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

static bool opens_clause(const struct graph_work *k, int word)
{
    return word >= k->from && word_is_one_of(k->w->at[word].lower, " while when ");
}

/* The subjects of a verb, through auxiliaries, participles and relative clauses; of "while walking" those of the verb
 * beside it. */
static uint64_t subjects_of(const struct graph_work *k, int verb, int depth)
{
    uint64_t all = 0;

    if (depth > 8) return 0;
    for (int i = 0; i < k->parse.n; i++) {
        const struct parse_link *l = &k->parse.at[i];
        const char *s = l->stem;
        if (l->right == verb && l->left >= k->from && (!strcmp(s, "M") || !strcmp(s, "O")) &&
            (k->w->at[l->left].class == WORD_AUXILIARY || k->w->at[verb].class == WORD_AUXILIARY))
            all |= subjects_of(k, l->left, depth + 1); /* "is being carried" */
        else if (l->right == verb &&
                 (opens_clause(k, verb) ? !strcmp(s, "MV") : !strcmp(s, "M") && opens_clause(k, l->left)))
            all |= subjects_of(k, l->left, depth + 1);
        else if (l->right == verb && (!strcmp(s, "S") || !strcmp(s, "M") || !strcmp(s, "B") || !strcmp(s, "RS")))
            all |= meant_by(k, l->left, depth + 1);
        else if (l->left == verb &&
                 (!strcmp(s, "SI") || (!strcmp(s, "O") && (verb < 0 || graph_has_link(k, -1, verb, "SF")))))
            all |= meant_by(k, l->right, depth + 1);
        else if (l->right == verb && (!strcmp(s, "P") || !strcmp(s, "I") || !strcmp(s, "PP") || !strcmp(s, "N") ||
                                      !strcmp(s, "TO") || (!strcmp(s, "MV") && l->rest[0] == 'i')))
            all |= subjects_of(k, l->left, depth + 1);
    }
    return all;
}

/* The verb whose object this word's phrase is, or -1. */
static int verb_over(const struct graph_work *k, int word)
{
    for (int i = 0; i < k->parse.n; i++) {
        const struct parse_link *l = &k->parse.at[i];
        if (!strcmp(l->stem, "O") && l->left >= k->from && k->w->at[l->left].class == WORD_VERB &&
            l->right >= k->from && k->head_of[word] >= 0 && k->head_of[l->right] == k->head_of[word])
            return l->left;
    }
    return -1;
}

static bool is_animate(const struct graph_work *k, int object)
{
    int file = k->wordnet ? wordnet_file(k->wordnet, k->g->objects[object].name) : -1;

    return file == LEX_PERSON || file == LEX_ANIMAL;
}

/* Of a set of objects: whether one of them can act. */
static bool any_animate(const struct graph_work *k, uint64_t set)
{
    for (int o = 0; o < OBJECTS_MAX; o++) {
        if ((set >> o & 1) && is_animate(k, k->first_object + o)) return true;
    }
    return false;
}

static uint64_t first_animate(const struct graph_work *k)
{
    for (int o = k->first_object; o < k->g->n_objects; o++) {
        if (is_animate(k, o)) return bit(k, o);
    }
    return 0;
}

static uint64_t nearest_before(const struct graph_work *k, int word)
{
    for (int i = word - 1; i >= k->from; i--) {
        if (k->head_of[i] >= 0) return bit(k, k->head_of[i]);
    }
    return 0;
}

/* The phrase that starts right after the word, past its article. */
static uint64_t phrase_after(const struct graph_work *k, int word)
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

/* An object and those listed after it: "papers, pens and a telephone". */
static uint64_t with_listed(const struct graph_work *k, uint64_t set)
{
    for (int o = k->first_object; o + 1 < k->g->n_objects; o++) {
        const struct graph_object *next = &k->g->objects[o + 1];
        int i = k->g->objects[o].to, first = next->article >= 0 ? next->article : next->phrase_from;
        bool joined = false;
        for (; i < first && (!strcmp(k->w->at[i].lower, ",") || !strcmp(k->w->at[i].lower, "and")); i++) joined = true;
        if ((set & bit(k, o)) && joined && i == first) set |= bit(k, o + 1);
    }
    return set;
}

/* "a cup of tea and a plate": with an article there begins another thing. */
static uint64_t without_next(const struct graph_work *k, uint64_t set)
{
    int first = __builtin_ctzll(set);

    for (int o = first + 1; o < OBJECTS_MAX && !k->g->objects[k->first_object + first].has_article; o++) {
        if ((set >> o & 1) && k->g->objects[k->first_object + o].has_article) set &= ~(1ull << o);
    }
    return set;
}

static const char *lemma_of_verb(const struct graph_work *k, int word)
{
    return wordnet_verb_lemma(k->wordnet, k->w->at[word].lower, k->a);
}

static void add_relations(struct graph_work *k, uint64_t subjects, uint64_t objects, const char *name, const char *verb,
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

/* Whether preposition i, behind a noun that verb i governs, belongs to what is done: where it is done, with what. */
static bool is_of_event(const struct graph_work *k, int i, int verb, uint64_t objects)
{
    const struct graph_object *o = &k->g->objects[k->first_object + __builtin_ctzll(objects)];
    const char *preposition = k->w->at[i].lower;

    if (!strcmp(preposition, "at")) return true;
    if (word_is_one_of(preposition, " in on inside outside across through ")) return noun_is_place(o->name);
    if (strcmp(preposition, "with") != 0) return false;
    return (o->article >= 0 && word_is_one_of(k->w->at[o->article].lower, " his her their ")) ||
           word_is_one_of(lemma_of_verb(k, verb),
                          " hit brush cut examine clean write draw paint wash wipe comb catch dig ");
}

/* Whether "by" names who does what participle `verb` says. */
static bool is_agent(const struct graph_work *k, int i, int verb, uint64_t objects)
{
    bool is_passive = false;

    for (int j = 0; j < k->parse.n; j++) {
        const struct parse_link *l = &k->parse.at[j];
        is_passive = is_passive || (l->right == verb && (l->stem[0] == 'P' || l->stem[0] == 'M') && l->rest[0] == 'v');
    }
    return is_passive && !strcmp(k->w->at[i].lower, "by") && any_animate(k, objects);
}

/* "a cup of coffee on a table": it is the cup that stands there. */
static uint64_t with_vessels(const struct graph_work *k, uint64_t set)
{
    for (int r = 0; r < k->g->n_relations; r++) {
        const struct graph_relation *x = &k->g->relations[r];
        if ((set & bit(k, x->object)) && !strcmp(x->name, "of") &&
            word_is_one_of(k->g->objects[x->subject].name,
                           " cup glass plate bowl slice piece bottle pot bucket basket box "
                           "bag tray jar mug can scoop vase "))
            set = (set & ~bit(k, x->object)) | bit(k, x->subject);
    }
    return set;
}

/* "a man in a suit and a woman in a dress": what already stands in something is not in what the other stands in. */
static uint64_t without_related(const struct graph_work *k, uint64_t set, const char *name)
{
    uint64_t rest = set;

    for (int r = 0; r < k->g->n_relations; r++) {
        const struct graph_relation *x = &k->g->relations[r];
        if (!x->is_verb && !strcmp(x->name, name)) rest &= ~bit(k, x->subject);
    }
    return rest ? rest : set;
}

static void relate_preposition(struct graph_work *k, int i, int n)
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
    if (k->parse.kind == PARSE_PATTERN) objects = with_listed(k, objects);
    if (!objects) return;
    if (!strcmp(k->w->at[last].lower, "of")) objects = without_next(k, objects);
    uint64_t before = i > k->from && k->head_of[i - 1] >= 0 ? bit(k, k->head_of[i - 1]) : 0;
    if (before && !verbs && verb_over(k, i - 1) >= k->from) {
        verb = verb_over(k, i - 1);
        verbs = subjects_of(k, verb, 0);
    }
    if (n == 1 && !strcmp(k->w->at[i].lower, "of") && before) nouns = before;
    bool of_event = verbs && verb >= k->from && n == 1 && is_of_event(k, i, verb, objects);
    bool by_noun = nouns && (!verbs || (nouns & before)) && !of_event;
    uint64_t subjects = by_noun ? nouns : verbs ? verbs : opened ? opened : nearest_before(k, i);
    if (n == 1 && word_is_one_of(k->w->at[i].lower, " into onto toward towards across through ")) {
        for (int r = 0; r < k->g->n_relations; r++) { /* "jumps off a dock into a lake" */
            const struct graph_relation *x = &k->g->relations[r];
            if (bit(k, x->object) == subjects && !x->is_verb && x->verb) subjects = bit(k, x->subject);
        }
    }
    if (strcmp(k->w->at[i].lower, "of") != 0) subjects = with_vessels(k, subjects);
    for (int j = i; j < i + n; j++) str_addf(&name, "%s%s", j > i ? " " : "", k->w->at[j].lower);
    if (by_noun) subjects = without_related(k, subjects, str_c(&name));
    const char *carrier =
        !by_noun && verbs && verb >= k->from && k->w->at[verb].class == WORD_VERB ? lemma_of_verb(k, verb) : NULL;
    if (carrier && is_agent(k, i, verb, objects)) /* "carried by a man" */
        add_relations(k, objects, subjects & ~objects, carrier, NULL, verb, verb + 1, true);
    else add_relations(k, subjects & ~objects, objects, arena_strdup(k->a, str_c(&name)), carrier, i, i + n, false);
    str_release(&name);
}

/* "up" in "holds up a tray". */
static bool is_particle(const struct graph_work *k, int i)
{
    return i < k->to && graph_has_link(k, i - 1, i, "K") && !graph_has_link(k, i, -1, "J") &&
           word_is_one_of(k->w->at[i].lower, " up out off ") &&
           !word_is_one_of(lemma_of_verb(k, i - 1),
                           " climb walk run go ride drive fly hike jump move come ski travel ");
}

/* What also a bridge, a bowl or a truck does. */
static bool is_done_by_things(const struct graph_work *k, int verb)
{
    return word_is_one_of(lemma_of_verb(k, verb),
                          " contain show cover surround cross overlook face feature display depict resemble line fill "
                          "block connect join link support include bear have say state indicate form frame reflect top "
                          "pull tow transport haul lift follow approach enter blow spray emit spew divide separate ");
}

/* "driving" of "a bus driving down a street", by its preposition. */
static bool follows_participle(const struct graph_work *k, const struct graph_relation *x)
{
    for (int i = 0; i < k->parse.n; i++) {
        const struct parse_link *l = &k->parse.at[i];
        bool carries = l->right >= x->from && l->right < x->to && l->left >= k->from &&
                       (!strcmp(l->stem, "MV") || !strcmp(l->stem, "K"));
        if (carries && str_ends(k->w->at[l->left].lower, "ing")) return true;
    }
    return false;
}

/* Who is at these things, by the last preposition that says so, or at what is there: "on the grass beside a fence".
 * People and animals are, and what moves there. */
static uint64_t who_is_at(const struct graph_work *k, uint64_t things, int depth)
{
    uint64_t who = 0, others = 0;
    int from = -1;

    for (int r = 0; r < k->g->n_relations; r++) {
        const struct graph_relation *x = &k->g->relations[r];
        if (x->is_verb || !strcmp(x->name, "of") || !(things & bit(k, x->object))) continue;
        if (!is_animate(k, x->subject) && !(x->verb && follows_participle(k, x))) {
            others |= bit(k, x->subject);
            continue;
        }
        who = (x->from == from ? who : 0) | bit(k, x->subject);
        from = x->from;
    }
    return who || !others || depth > 4 ? who : who_is_at(k, others, depth + 1);
}

/* Who does what verb i says to these objects. What only people and animals do is not done by a chair: "a woman in a
 * chair reading a book". Nor does a ladder do more than things do: "a man on a ladder cleaning a window". */
static uint64_t agents_of(const struct graph_work *k, int i, uint64_t objects)
{
    uint64_t subjects = subjects_of(k, i, 0) & ~objects;
    bool is_act = word_is_one_of(lemma_of_verb(k, i),
                                 " read hold wear eat drink talk look play throw catch cut brush ride feed watch "
                                 "kick hit swing cook type write paint pet walk reach carry touch smell ");

    if (!subjects && opens_clause(k, i - 1)) subjects = first_animate(k) & ~objects;
    if (!subjects) subjects = nearest_before(k, i);
    if (any_animate(k, subjects)) return subjects;
    if (str_ends(k->w->at[i].lower, "ing") && !is_done_by_things(k, i)) {
        uint64_t beside = who_is_at(k, subjects, 0) & ~objects;
        if (beside) return beside;
    }
    uint64_t able = is_act ? first_animate(k) & ~objects : 0;
    if (able && k->g->objects[k->first_object + __builtin_ctzll(able)].to <= i) return able;
    return subjects;
}

static void relate_verb(struct graph_work *k, int i)
{
    uint64_t objects = 0;
    bool is_auxiliary = k->w->at[i].class == WORD_AUXILIARY && !word_is_one_of(k->w->at[i].lower, " has have had ");

    bool has_particle = is_particle(k, i + 1);
    if (is_auxiliary || (i + 1 < k->to && !has_particle && words_preposition(k->w, i + 1, k->to))) return;
    for (int j = 0; j < k->parse.n; j++) {
        const struct parse_link *l = &k->parse.at[j];
        if (l->left == i && !strcmp(l->stem, "O")) objects |= meant_by(k, l->right, 0);
    }
    if (k->parse.kind == PARSE_PATTERN) objects = phrase_after(k, i);
    if (!objects && has_particle) objects = phrase_after(k, i + 1);
    if (!objects) return;
    add_relations(k, agents_of(k, i, objects) & ~objects, objects, lemma_of_verb(k, i), NULL, i, i + 1, true);
}

void graph_find_relations(struct graph_work *k)
{
    for (int i = k->from; i < k->to; i++) {
        enum word_class class = k->w->at[i].class;
        int n = words_preposition(k->w, i, k->to);
        if (n && !(n == 1 && k->is_used[i]) && k->head_of[i] < 0) {
            bool is_infinitive =
                n == 1 && !strcmp(k->w->at[i].lower, "to") && i + 1 < k->to && k->w->at[i + 1].class == WORD_VERB;
            if (!is_infinitive && !is_particle(k, i)) relate_preposition(k, i, n);
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
            if (who >> o & 1) graph_add_attribute(k, k->first_object + o, l->right, l->right + 1, true);
        }
    }
}
