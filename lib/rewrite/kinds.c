/* Small tables of English that neither a corpus nor WordNet gives reliably: which attributes and relations exclude each
 * other in a picture. */
#include "rewrite/kinds.h"
#include <stddef.h>
#include <string.h>

#define CLASSES(...)                                                                                                   \
    sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), (const char *const[])                               \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

/* Each class is words for the same; the first is the plainest. */
static const struct attribute_kind kinds[] = {
    { "colour",
      CLASSES("red crimson scarlet maroon", "orange", "yellow gold golden", "green", "blue navy", "purple violet",
              "pink", "brown tan", "black", "white", "gray grey silver", "beige", "turquoise teal") },
    { "size", CLASSES("large big huge giant enormous massive gigantic", "small little tiny mini miniature") },
    { "height", CLASSES("tall", "short") },
    { "length", CLASSES("long", "short") },
    { "width", CLASSES("wide broad", "narrow") },
    { "age", CLASSES("old elderly ancient", "young", "new modern") },
    { "material", CLASSES("wooden", "metal metallic steel iron", "plastic", "glass", "stone brick concrete", "leather",
                          "paper cardboard", "ceramic") },
    { "opening", CLASSES("open opened", "closed shut") },
    { "filling", CLASSES("full filled", "empty") },
    { "moisture", CLASSES("wet", "dry") },
    { "cleanliness", CLASSES("clean", "dirty muddy") },
    { "temperature", CLASSES("hot", "cold frozen icy") },
    { "light", CLASSES("bright", "dark") },
    { "weather", CLASSES("sunny", "rainy", "snowy", "cloudy overcast", "foggy") },
    { "shape", CLASSES("round circular", "square", "rectangular", "triangular") },
    { "pattern", CLASSES("striped", "plaid checkered", "spotted dotted", "plain") },
    { "mood", CLASSES("happy smiling", "sad", "angry") },
    { "girth", CLASSES("fat", "thin skinny") },
    { "surface", CLASSES("smooth", "rough") },
    { "hair", CLASSES("curly", "straight") },
    { "gender", CLASSES("male", "female") },
    { "side", CLASSES("left", "right") },
};

static const char *const unclear[][2] = {
    { "pink", "red" },     { "pink", "purple" },    { "red", "orange" },      { "beige", "white" },
    { "beige", "brown" },  { "turquoise", "blue" }, { "turquoise", "green" }, { "gray", "white" },
    { "gray", "black" },   { "yellow", "beige" },   { "wooden", "paper" },    { "blue", "purple" },
    { "brown", "orange" }, { "red", "brown" },      { "young", "new" },
};

bool word_is_listed(const char *list, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = list; *p;) {
        size_t m = strcspn(p, " ");
        if (m == n && !memcmp(p, word, n)) return true;
        p += m + (p[m] == ' ');
    }
    return false;
}

/* The class of the word in a kind, or -1. */
static int class_in(const struct attribute_kind *k, const char *word)
{
    for (int c = 0; c < k->n; c++) {
        if (word_is_listed(k->classes[c], word)) return c;
    }
    return -1;
}

const struct attribute_kind *attribute_kind_of(const char *word, int *class)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        *class = class_in(&kinds[i], word);
        if (*class >= 0) return &kinds[i];
    }
    return NULL;
}

enum contrast attributes_contrast(const char *a, const char *b)
{
    if (!strcmp(a, b)) return CONTRAST_SAME;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int x = class_in(&kinds[i], a), y = class_in(&kinds[i], b);
        if (x < 0 || y < 0) continue;
        if (x == y) return CONTRAST_SAME;
        for (size_t k = 0; k < sizeof unclear / sizeof *unclear; k++) {
            const char *p = kinds[i].classes[x], *q = kinds[i].classes[y];
            if ((word_is_listed(p, unclear[k][0]) && word_is_listed(q, unclear[k][1])) ||
                (word_is_listed(p, unclear[k][1]) && word_is_listed(q, unclear[k][0])))
                return CONTRAST_UNCLEAR;
        }
        return CONTRAST_CONTRARY;
    }
    return CONTRAST_NONE;
}

static const struct {
    const char *relation;
    const char *opposites[3];
    bool is_directed;
} relations[] = {
    { "to the left of", { "to the right of" }, true },
    { "to the right of", { "to the left of" }, true },
    { "on the left of", { "on the right of" }, true },
    { "on the right of", { "on the left of" }, true },
    { "on the left side of", { "on the right side of" }, true },
    { "on the right side of", { "on the left side of" }, true },
    { "left of", { "right of" }, true },
    { "right of", { "left of" }, true },
    { "above", { "below", "underneath" }, true },
    { "over", { "under", "below" }, true },
    { "below", { "above" }, true },
    { "beneath", { "above", "on top of" }, true },
    { "under", { "above", "on top of" }, true },
    { "underneath", { "above", "on top of" }, true },
    { "in front of", { "behind" }, true },
    { "behind", { "in front of" }, true },
    { "on top of", { "under", "underneath", "behind" }, true },
    { "atop", { "under", "behind" }, true },
    { "on", { "under", "behind" }, false },
    { "inside", { "outside" }, true },
    { "inside of", { "outside of" }, true },
    { "outside", { "inside" }, true },
    { "outside of", { "inside of" }, true },
    { "near", { "far from" }, false },
    { "next to", { "far from" }, false },
    { "beside", { "far from" }, false },
    { "close to", { "far from" }, false },
    { "far from", { "next to", "near" }, false },
    { "with", { "without" }, false },
    { "without", { "with" }, false },
    { "into", { "out of" }, false },
    { "out of", { "into" }, false },
    { "toward", { "away from" }, true },
    { "towards", { "away from" }, true },
    { "away from", { "towards" }, true },
    { "up", { "down" }, false },
    { "down", { "up" }, false },
    { "at the top of", { "at the bottom of" }, true },
    { "at the bottom of", { "at the top of" }, true },
};

const char *relation_opposite(const char *relation, int i)
{
    for (size_t k = 0; k < sizeof relations / sizeof *relations; k++) {
        if (!strcmp(relations[k].relation, relation)) return i < 3 ? relations[k].opposites[i] : NULL;
    }
    return NULL;
}

bool relation_is_directed(const char *relation)
{
    for (size_t k = 0; k < sizeof relations / sizeof *relations; k++) {
        if (!strcmp(relations[k].relation, relation)) return relations[k].is_directed;
    }
    return false;
}

bool prepositions_agree(const char *a, const char *b)
{
    enum { CLASS_MAX = 8 };
    static const char *const classes[][CLASS_MAX] = {
        { "next to", "beside", "near", "close to", "by", "alongside", "near to" },
        { "in", "inside", "within", "inside of" },
        { "on", "upon", "on top of", "atop" },
        { "over", "above" },
        { "under", "below", "beneath", "underneath" },
        { "between", "among", "amid" },
        { "outside", "outside of" },
        { "around", "round" },
        { "toward", "towards" },
        { "to the left of", "on the left of", "left of", "on the left side of" },
        { "to the right of", "on the right of", "right of", "on the right side of" },
        { "in the center of", "in the centre of", "in the middle of" },
    };

    if (!strcmp(a, b)) return true;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        bool has_a = false, has_b = false;
        for (int k = 0; k < CLASS_MAX && classes[i][k]; k++) {
            has_a = has_a || !strcmp(classes[i][k], a);
            has_b = has_b || !strcmp(classes[i][k], b);
        }
        if (has_a && has_b) return true;
    }
    return false;
}

bool verbs_may_agree(const char *a, const char *b)
{
    static const char *const classes[] = {
        "have hold carry take bring grab get use keep contain bear own lift feature include show display sell",
        "wear have don sport",
        "pour fill serve put add",
        "feed serve give offer hand",
        "feed watch see look touch pet",
        "swing hold carry wield use grip",
        "ride hold have straddle",
        "eat chew bite have enjoy taste munch nibble",
        "drink sip have enjoy",
        "watch see look face view observe examine study",
        "ride drive board take use race steer mount",
        "cut slice chop carve trim divide",
        "push pull move drag tow lead",
        "throw toss pitch hurl pass serve hit release juggle carry",
        "hit strike swing kick play serve",
        "play hold use enjoy",
        "catch grab get reach chase fetch",
        "make cook prepare bake fry boil grill build do",
        "make build construct assemble",
        "cross pass enter leave climb traverse",
        "touch pet stroke hold feel hug rub",
        "cover fill surround line top",
        "walk lead train",
        "read study hold view show display",
        "help lead guide assist push serve teach show",
        "clean wash brush rinse scrub wipe",
        "pull carry tow draw haul",
    };

    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        if (word_is_listed(classes[i], a) && word_is_listed(classes[i], b)) return true;
    }
    return false;
}
