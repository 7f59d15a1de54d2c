/* English about scenes. Objects that are alike are counted together ("two dogs"), the rest is named with its
 * attributes. */
#include "scenes/language.h"
#include "core/mem.h"
#include <string.h>

/* Objects of one class and colour. */
struct group {
    int first, count; /* object index of the first; how many */
};

static int make_groups(const struct scene *s, struct group groups[SCENE_OBJECTS])
{
    int n = 0;

    for (int i = 0; i < s->n; i++) {
        int g = 0;
        while (g < n && (s->objects[groups[g].first].noun != s->objects[i].noun ||
                         s->objects[groups[g].first].colour != s->objects[i].colour))
            g++;
        if (g == n) groups[n++] = (struct group){ i, 0 };
        groups[g].count++;
    }
    return n;
}

static void shuffle(struct group *groups, int n, struct rng *r)
{
    for (int i = n - 1; i > 0; i--) {
        int64_t k = rng_below(r, i + 1);
        struct group swap = groups[i];
        groups[i] = groups[k];
        groups[k] = swap;
    }
}

enum article { ARTICLE_A, ARTICLE_THE, ARTICLE_NONE };

static const char *size_word(enum size size, struct rng *r)
{
    static const char *const small[] = { "small", "little", "tiny" }, *const large[] = { "large", "big", "huge" };

    if (size == SIZE_SMALL) return small[rng_below(r, 3)];
    return size == SIZE_LARGE ? large[rng_below(r, 3)] : NULL;
}

/* "a small red car", "two dogs", "the bus": attributes that the scene gives, sizes only sometimes. */
static void noun_phrase(struct str *out, const struct object *o, int count, enum article article, double size_share,
                        struct rng *r)
{
    struct str words = { 0 };
    const char *size = count == 1 && rng_uniform(r) < size_share ? size_word(o->size, r) : NULL;
    const char *noun = count > 1                                ? o->noun->plural
                       : o->noun->other && rng_uniform(r) < 0.2 ? o->noun->other
                                                                : o->noun->name;

    if (size) str_addf(&words, "%s ", size);
    if (o->colour >= 0) str_addf(&words, "%s ", colours[o->colour].name);
    str_add(&words, noun);
    if (count > 1) str_addf(out, "%s%s ", article == ARTICLE_THE ? "the " : "", number_word(count));
    else if (article == ARTICLE_THE) str_add(out, "the ");
    else if (article == ARTICLE_A) str_add(out, strchr("aeiou", words.data[0]) ? "an " : "a ");
    str_add(out, words.data);
    str_release(&words);
}

static void group_phrase(struct str *out, const struct scene *s, struct group g, enum article article, struct rng *r)
{
    noun_phrase(out, &s->objects[g.first], g.count, article, 0.6, r);
}

/* "a dog, a cat and two cars" */
static void list_phrase(struct str *out, const struct scene *s, const struct group *g, int n, enum article article,
                        struct rng *r)
{
    for (int i = 0; i < n; i++) {
        if (i) str_add(out, i == n - 1 ? " and " : ", ");
        group_phrase(out, s, g[i], article, r);
    }
}

static const char *place_phrase(const struct scene *s, struct rng *r)
{
    return s->place->phrases[rng_below(r, 3)];
}

static const struct verb *verb_of(const struct scene *s, struct group g, struct rng *r)
{
    return &verbs[s->objects[g.first].noun->way][rng_below(r, VERBS)];
}

/* One relation that holds between the first objects of two groups, or "near". */
static const char *relation_of(const struct scene *s, struct group a, struct group b, struct rng *r)
{
    enum relation which[3];
    int n = a.count == 1 && b.count == 1 ? scene_relations(s, a.first, b.first, which) : 0;

    return n ? relation_phrase(which[rng_below(r, n)]) : "near";
}

static void capitalise(struct str *out, size_t from)
{
    if (out->data[from] >= 'a' && out->data[from] <= 'z') out->data[from] = (char)(out->data[from] - 32);
}

static void caption_relation(struct str *out, const struct scene *s, const struct group *g, int n, bool has_verb,
                             struct rng *r)
{
    const struct verb *v = verb_of(s, g[0], r);

    group_phrase(out, s, g[0], ARTICLE_A, r);
    str_addf(out, " %s", has_verb ? (g[0].count > 1 ? v->plural : v->singular) : v->participle);
    if (n > 1) {
        str_addf(out, " %s ", relation_of(s, g[0], g[1], r));
        group_phrase(out, s, g[1], ARTICLE_A, r);
    }
    if (n > 2) {
        str_add(out, rng_uniform(r) < 0.5 ? ", with " : " and ");
        list_phrase(out, s, g + 2, n - 2, ARTICLE_A, r);
        if (rng_uniform(r) < 0.5) str_add(out, " close by");
    }
}

static void caption_form(struct str *out, const struct scene *s, int form, const struct group *g, int n, struct rng *r)
{
    static const char *const picture[] = { "a picture of ", "a photo of ", "a view of ", "an image of " };
    const char *place;
    bool is_plain;

    switch (form) {
    case 0: /* a list */
        list_phrase(out, s, g, n, ARTICLE_A, r);
        str_addf(out, " %s", place_phrase(s, r));
        break;
    case 1: /* existential */
        str_add(out, g[0].count > 1 ? "there are " : "there is ");
        group_phrase(out, s, g[0], ARTICLE_A, r);
        if (n > 1) {
            str_addf(out, " %s ", relation_of(s, g[0], g[1], r));
            list_phrase(out, s, g + 1, n - 1, ARTICLE_A, r);
        }
        str_addf(out, " %s", place_phrase(s, r));
        break;
    case 2: /* a full sentence */
        caption_relation(out, s, g, n, true, r);
        if (n < 3) str_addf(out, " %s", place_phrase(s, r)); /* with few objects the place tells pictures apart */
        break;
    case 3: /* the place first */
        str_addf(out, "%s, ", place_phrase(s, r));
        caption_relation(out, s, g, n, true, r);
        break;
    case 4: /* participial */
        caption_relation(out, s, g, n, false, r);
        str_addf(out, " %s", place_phrase(s, r));
        break;
    case 5: /* a picture of */
        str_add(out, picture[rng_below(r, 4)]);
        list_phrase(out, s, g, n, ARTICLE_A, r);
        str_addf(out, " %s", place_phrase(s, r));
        break;
    case 6: /* passive; the draws are statements: compilers choose the order of arguments */
        list_phrase(out, s, g, n, ARTICLE_A, r);
        place = place_phrase(s, r);
        is_plain = n == 1 && g[0].count == 1 && rng_uniform(r) < 0.5;
        str_addf(out, " %s %s", is_plain ? "is seen" : "can be seen", place);
        break;
    default: /* a headline: no articles, no full stop */
        list_phrase(out, s, g, n, ARTICLE_NONE, r);
        str_addf(out, " %s", place_phrase(s, r));
    }
}

void language_caption(struct str *out, const struct scene *s, int form, struct rng *r)
{
    struct group g[SCENE_OBJECTS];
    int n = make_groups(s, g);
    size_t from = out->n;

    shuffle(g, n, r);
    caption_form(out, s, form, g, n, r);
    if (form == CAPTION_FORMS - 1) return;
    capitalise(out, from);
    str_add_char(out, '.');
}

/* The forms of statements: presence, colour or size, relation, place, number. */
enum { STATE_PRESENT, STATE_RELATION, STATE_PLACE, STATE_NUMBER, STATES };

static void statement(struct str *out, const struct scene *s, int form, struct rng *r, int *about)
{
    struct group g[SCENE_OBJECTS];
    enum relation which[3];
    int n = make_groups(s, g), relations;
    size_t from = out->n;

    shuffle(g, n, r);
    relations = form == STATE_RELATION && n > 1 && g[0].count == 1 && g[1].count == 1
                    ? scene_relations(s, g[0].first, g[1].first, which)
                    : 0;
    if (about) *about = g[0].first;
    if (relations) {
        group_phrase(out, s, g[0], ARTICLE_A, r);
        str_addf(out, " is %s ", relation_phrase(which[rng_below(r, relations)]));
        group_phrase(out, s, g[1], ARTICLE_A, r);
    } else if (form == STATE_NUMBER) {
        str_addf(out, g[0].count > 1 ? "there are " : "there is ");
        if (g[0].count == 1)
            str_add(out, "only one "), noun_phrase(out, &s->objects[g[0].first], 1, ARTICLE_NONE, 0, r);
        else group_phrase(out, s, g[0], ARTICLE_A, r);
    } else if (form == STATE_PLACE) {
        group_phrase(out, s, g[0], ARTICLE_A, r);
        str_addf(out, " %s %s", g[0].count > 1 ? "are" : "is", place_phrase(s, r));
    } else {
        str_add(out, g[0].count > 1 ? "there are " : "there is ");
        group_phrase(out, s, g[0], ARTICLE_A, r);
        if (n > 1 && rng_uniform(r) < 0.5) {
            str_add(out, " and ");
            group_phrase(out, s, g[1], ARTICLE_A, r);
        }
    }
    capitalise(out, from);
    str_add_char(out, '.');
}

void language_statement(struct str *out, const struct scene *s, struct rng *r, int *about)
{
    statement(out, s, (int)rng_below(r, STATES), r, about);
}

static int count_of(const struct scene *s, const struct noun *noun, int colour)
{
    int n = 0;

    for (int i = 0; i < s->n; i++) n += s->objects[i].noun == noun && (colour < 0 || s->objects[i].colour == colour);
    return n;
}

/* Another colour that no object of the class has; -1 when there is none. */
static int absent_colour(const struct scene *s, const struct object *o, struct rng *r)
{
    for (int t = 0; t < 20; t++) {
        int c = (int)rng_below(r, COLOURS);
        if (!count_of(s, o->noun, c)) return c;
    }
    return -1;
}

/* A scene with one part changed so that a statement of the form about object i is false of the original: the object
 * itself, its colour, its place, or (for relations) the two objects exchanged. False when this part cannot be changed.
 */
static bool change(struct scene *s, int form, struct rng *r)
{
    if (form == STATE_PLACE) {
        const struct place *was = s->place;
        while (s->place == was) s->place = &places[rng_below(r, n_places)];
        return true;
    }
    int i = (int)rng_below(r, s->n), c = s->objects[i].colour >= 0 ? absent_colour(s, &s->objects[i], r) : -1;
    if (c < 0 || rng_uniform(r) < 0.4) return false;
    s->objects[i].colour = c;
    return true;
}

/* Exchanges two objects' identities: "a dog left of a cat" becomes "a cat left of a dog". */
static bool exchange(struct scene *s, int a, int b)
{
    struct object p = s->objects[a];

    if (p.noun == s->objects[b].noun && p.colour == s->objects[b].colour) return false;
    s->objects[a].noun = s->objects[b].noun;
    s->objects[a].colour = s->objects[b].colour;
    s->objects[b].noun = p.noun;
    s->objects[b].colour = p.colour;
    return true;
}

/* Two objects, each the only one of its class, of which the first stands to the second in a direction (both orders of
 * "next to" are true). */
static bool draw_directed(const struct scene *s, struct rng *r, int *a, int *b, enum relation *relation)
{
    enum relation which[3];

    for (int t = 0; t < 12 && s->n > 1; t++) {
        *a = (int)rng_below(r, s->n);
        *b = (int)rng_below(r, s->n);
        if (*a == *b || count_of(s, s->objects[*a].noun, -1) > 1 || count_of(s, s->objects[*b].noun, -1) > 1) continue;
        if (!scene_relations(s, *a, *b, which) || which[0] > REL_BELOW) continue;
        *relation = which[0];
        return true;
    }
    return false;
}

static void relation_sentence(struct str *out, const struct object *a, const char *phrase, const struct object *b,
                              struct rng *r)
{
    size_t from = out->n;

    noun_phrase(out, a, 1, ARTICLE_A, 0, r);
    str_addf(out, " %s ", phrase);
    noun_phrase(out, b, 1, ARTICLE_A, 0, r);
    capitalise(out, from);
    str_add_char(out, '.');
}

/* A false relation: of the scene with the two objects exchanged. */
static bool false_relation(struct str *out, const struct scene *s, struct rng *r)
{
    struct scene c = *s;
    struct str phrase = { 0 };
    enum relation relation;
    int a, b;

    if (!draw_directed(s, r, &a, &b, &relation) || !exchange(&c, a, b)) return false;
    str_addf(&phrase, "is %s", relation_phrase(relation));
    relation_sentence(out, &c.objects[a], phrase.data, &c.objects[b], r);
    str_release(&phrase);
    return true;
}

/* Two objects of different classes and colours, such that neither class is there in the other colour. */
static bool draw_coloured(const struct scene *s, struct rng *r, int *a, int *b)
{
    for (int t = 0; t < 12 && s->n > 1; t++) {
        *a = (int)rng_below(r, s->n);
        *b = (int)rng_below(r, s->n);
        const struct object *p = &s->objects[*a], *q = &s->objects[*b];
        if (p->noun != q->noun && p->colour >= 0 && q->colour >= 0 && !count_of(s, p->noun, q->colour) &&
            !count_of(s, q->noun, p->colour))
            return true;
    }
    return false;
}

/* "A x PHRASE a y." with words that depend on the objects and the state of r only, not on their order. */
static void swap_sentence(struct str *out, const struct object *a, const char *phrase, const struct object *b,
                          const struct rng *r)
{
    struct rng for_a = *r, for_b = *r;
    size_t from = out->n;

    noun_phrase(out, a, 1, ARTICLE_A, 0, &for_a);
    str_addf(out, " %s ", phrase);
    noun_phrase(out, b, 1, ARTICLE_A, 0, &for_b);
    capitalise(out, from);
    str_add_char(out, '.');
}

bool language_swap(struct str *text, struct str *swapped, const struct scene *s, bool relation, struct rng *r)
{
    struct str phrase = { 0 };
    enum relation which;
    int a, b;

    if (relation ? !draw_directed(s, r, &a, &b, &which) : !draw_coloured(s, r, &a, &b)) return false;
    struct object p = s->objects[a], q = s->objects[b];
    if (relation) {
        str_addf(&phrase, "is %s", relation_phrase(which));
        swap_sentence(text, &p, phrase.data, &q, r);
        swap_sentence(swapped, &q, phrase.data, &p, r);
        str_release(&phrase);
    } else {
        swap_sentence(text, &p, "and", &q, r);
        p.colour = s->objects[b].colour;
        q.colour = s->objects[a].colour;
        swap_sentence(swapped, &p, "and", &q, r);
    }
    return true;
}

/* Objects of `other` that s shows none of. */
static int absent_objects(struct scene *only, const struct scene *s, const struct scene *other)
{
    *only = *other;
    only->n = 0;
    for (int i = 0; i < other->n; i++) {
        if (!count_of(s, other->objects[i].noun, -1)) only->objects[only->n++] = other->objects[i];
    }
    return only->n;
}

void language_false_statement(struct str *out, const struct scene *s, const struct scene *other, struct rng *r)
{
    int form = (int)rng_below(r, STATES);
    struct scene c = *s, only;

    if (form == STATE_RELATION && false_relation(out, s, r)) return;
    if (form == STATE_PLACE && change(&c, form, r)) {
        statement(out, &c, form, r, NULL);
        return;
    }
    if (form == STATE_PRESENT && change(&c, form, r)) {
        /* only the changed object is named: what else the statement said could be true */
        for (int i = 0; i < c.n; i++) {
            if (c.objects[i].colour != s->objects[i].colour) c.objects[0] = c.objects[i];
        }
        c.n = 1;
        statement(out, &c, form, r, NULL);
        return;
    }
    if (!absent_objects(&only, s, other)) { /* everything there is here too: a noun that is not */
        only.n = 1;
        only.objects[0] = s->objects[0];
        only.objects[0].colour = -1;
        do only.objects[0].noun = &nouns[rng_below(r, n_nouns)];
        while (count_of(s, only.objects[0].noun, -1));
    }
    only.place = s->place;
    statement(out, &only, form == STATE_RELATION ? STATE_PRESENT : form, r, NULL);
}

void language_detail(struct str *out, const struct scene *s, const struct scene *other, bool is_absent, struct rng *r)
{
    struct scene only = *s;
    size_t from = out->n;

    if (is_absent && !absent_objects(&only, s, other)) {
        only.n = 1;
        only.objects[0].colour = -1;
        do only.objects[0].noun = &nouns[rng_below(r, n_nouns)];
        while (count_of(s, only.objects[0].noun, -1));
    }
    noun_phrase(out, &only.objects[rng_below(r, only.n)], 1, ARTICLE_THE, 0.4, r);
    str_addf(out, " in the picture %s.", details[rng_below(r, DETAILS)]);
    capitalise(out, from);
}

void language_question(struct str *question, struct str *answer, const struct scene *s, struct rng *r)
{
    const struct object *o = &s->objects[rng_below(r, s->n)];
    double u = rng_uniform(r);
    int same = count_of(s, o->noun, -1);

    if (u < 0.3 && o->colour >= 0 && same == 1) {
        str_addf(question, "What color is the %s?", o->noun->name);
        str_add(answer, colours[o->colour].name);
    } else if (u < 0.5) {
        str_addf(question, "How many %s are there?", o->noun->plural);
        str_addf(answer, "%d", same);
    } else if (u < 0.7) {
        str_add(question, "Where was the picture taken?");
        str_add(answer, s->place->name);
    } else {
        const struct noun *asked = rng_uniform(r) < 0.5 ? o->noun : &nouns[rng_below(r, n_nouns)];
        str_addf(question, "Is there %s %s?", strchr("aeiou", asked->name[0]) ? "an" : "a", asked->name);
        str_add(answer, count_of(s, asked, -1) ? "yes" : "no");
    }
}
