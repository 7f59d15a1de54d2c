#include "rewrite/inflect.h"
#include "core/str.h"
#include <string.h>

static const struct {
    const char *one, *many;
} irregular[] = {
    { "man", "men" },
    { "woman", "women" },
    { "child", "children" },
    { "person", "people" },
    { "foot", "feet" },
    { "tooth", "teeth" },
    { "goose", "geese" },
    { "mouse", "mice" },
    { "ox", "oxen" },
    { "knife", "knives" },
    { "wife", "wives" },
    { "life", "lives" },
    { "leaf", "leaves" },
    { "loaf", "loaves" },
    { "half", "halves" },
    { "shelf", "shelves" },
    { "wolf", "wolves" },
    { "calf", "calves" },
    { "scarf", "scarves" },
    { "thief", "thieves" },
    { "elf", "elves" },
    { "hoof", "hooves" },
    { "potato", "potatoes" },
    { "tomato", "tomatoes" },
    { "hero", "heroes" },
    { "mango", "mangoes" },
    { "volcano", "volcanoes" },
    { "buffalo", "buffaloes" },
    { "cactus", "cacti" },
    { "bus", "buses" },
    { "gas", "gases" },
    { "canvas", "canvases" },
    { "octopus", "octopuses" },
    { "walrus", "walruses" },
    { "hippopotamus", "hippopotamuses" },
    { "lens", "lenses" },
    { "iris", "irises" },
    { "cookie", "cookies" },
    { "movie", "movies" },
    { "zombie", "zombies" },
    { "tie", "ties" },
    { "pie", "pies" },
    { "shoe", "shoes" },
    { "toe", "toes" },
    { "canoe", "canoes" },
    { "hoe", "hoes" },
    { "horse", "horses" },
    { "house", "houses" },
    { "nurse", "nurses" },
    { "vase", "vases" },
    { "base", "bases" },
    { "case", "cases" },
    { "suitcase", "suitcases" },
    { "purse", "purses" },
    { "rose", "roses" },
    { "hose", "hoses" },
    { "nose", "noses" },
    { "cheese", "cheeses" },
    { "quiz", "quizzes" },
    { "mouse", "mouses" },
    { "blouse", "blouses" },
    { "bookcase", "bookcases" },
    { "staircase", "staircases" },
    { "axe", "axes" },
    { "headache", "headaches" },
    { "brownie", "brownies" },
    { "selfie", "selfies" },
    { "birdie", "birdies" },
    { "bruise", "bruises" },
    { "cruise", "cruises" },
    { "tortoise", "tortoises" },
    { "phrase", "phrases" },
    { "cause", "causes" },
    { "fuse", "fuses" },
    { "exercise", "exercises" },
    { "surprise", "surprises" },
    { "moose", "moose" },
};
/* Ends of compounds: "policewomen", "bookshelves". */
static const struct {
    const char *one, *many;
} compound_ends[] = {
    { "man", "men" },      { "child", "children" }, { "foot", "feet" },     { "tooth", "teeth" }, { "mouse", "mice" },
    { "knife", "knives" }, { "wife", "wives" },     { "shelf", "shelves" }, { "leaf", "leaves" }, { "loaf", "loaves" },
    { "wolf", "wolves" },  { "calf", "calves" },    { "scarf", "scarves" },
};
enum { COMPOUND_ENDS = sizeof compound_ends / sizeof *compound_ends };
static const char no_compound[] =
    " human german roman ottoman talisman shaman caiman norman specimen abdomen omen regimen "
    "ramen stamen acumen bitumen cyclamen amen lumen albumen semen pumice ";
static const char invariant[] = " sheep fish deer aircraft moose salmon trout bison shrimp squid series species swine "
                                "offspring spacecraft hovercraft ";
static const char plural_only[] = " glasses sunglasses jeans pants trousers shorts scissors clothes goggles tights "
                                  "pajamas pyjamas binoculars tongs pliers leggings overalls headphones cattle police "
                                  "goods stairs outdoors surroundings ";
static const char singular_in_s[] = " grass glass dress bus gas class mattress cross moss chess tennis boss compass "
                                    "bass iris lens news mess waitress actress canvas species "
                                    "series cactus octopus walrus hibiscus campus circus virus asparagus plus thus "
                                    "this as is was his its us hippopotamus christmas "
                                    "address princess business illness darkness atlas pancreas axis basis molasses "
                                    "always sometimes across less perhaps ";

static bool is_in(const char *list, const char *word)
{
    char key[64];
    size_t n = strlen(word);

    if (n > 60) return false;
    key[0] = ' ';
    memcpy(key + 1, word, n);
    memcpy(key + n + 1, " ", 2);
    return strstr(list, key) != NULL;
}

static const char *replaced_end(const char *word, size_t cut, const char *end, struct arena *a)
{
    size_t n = strlen(word) - cut, m = strlen(end);
    char *out = arena_new(a, char, n + m + 1);

    memcpy(out, word, n);
    memcpy(out + n, end, m + 1);
    return out;
}

/* Whether a longer word ends so. */
static bool is_compound(const char *word, const char *end)
{
    return strlen(word) > strlen(end) + 1 && str_ends(word, end) && !is_in(no_compound, word);
}

bool noun_is_invariant(const char *word)
{
    return is_in(invariant, word);
}

bool noun_is_plural_only(const char *word)
{
    return is_in(plural_only, word);
}

bool noun_is_plural(const char *word)
{
    size_t n = strlen(word);

    for (size_t i = 0; i < sizeof irregular / sizeof *irregular; i++) {
        if (!strcmp(word, irregular[i].many)) return strcmp(irregular[i].one, irregular[i].many) != 0;
        if (!strcmp(word, irregular[i].one)) return false;
    }
    for (size_t i = 0; i < COMPOUND_ENDS; i++) {
        if (is_compound(word, compound_ends[i].many)) return true;
    }
    if (is_in(plural_only, word)) return true;
    if (n < 3 || word[n - 1] != 's' || is_in(singular_in_s, word)) return false;
    return !str_ends(word, "ss") && !str_ends(word, "us") && !str_ends(word, "is");
}

static bool is_vowel(char c)
{
    return c && strchr("aeiou", c);
}

const char *noun_singular(const char *word, struct arena *a)
{
    size_t n = strlen(word);
    const char *last = strrchr(word, ' ');

    if (last) {
        const char *one = noun_singular(last + 1, a);
        return replaced_end(word, strlen(last + 1), one, a);
    }
    for (size_t i = 0; i < sizeof irregular / sizeof *irregular; i++) {
        if (!strcmp(word, irregular[i].many)) return irregular[i].one;
    }
    for (size_t i = 0; i < COMPOUND_ENDS; i++) {
        const char *many = compound_ends[i].many;
        if (is_compound(word, many)) return replaced_end(word, strlen(many), compound_ends[i].one, a);
    }
    if (!noun_is_plural(word) || is_in(plural_only, word)) return word;
    if (str_ends(word, "ies") && n > 4) return replaced_end(word, 3, "y", a);
    if (str_ends(word, "ches") || str_ends(word, "shes") || str_ends(word, "xes") || str_ends(word, "sses") ||
        str_ends(word, "zzes"))
        return replaced_end(word, 2, "", a);
    if (str_ends(word, "uses") && !str_ends(word, "ouses")) return replaced_end(word, 2, "", a);
    return replaced_end(word, 1, "", a);
}

const char *noun_plural(const char *word, struct arena *a)
{
    size_t n = strlen(word);
    const char *last = strrchr(word, ' ');

    if (last) return replaced_end(word, strlen(last + 1), noun_plural(last + 1, a), a);
    if (!n || is_in(invariant, word) || is_in(plural_only, word)) return word;
    for (size_t i = 0; i < sizeof irregular / sizeof *irregular; i++) {
        if (!strcmp(word, irregular[i].one)) return irregular[i].many;
    }
    for (size_t i = 0; i < COMPOUND_ENDS; i++) {
        const char *one = compound_ends[i].one;
        if (is_compound(word, one)) return replaced_end(word, strlen(one), compound_ends[i].many, a);
    }
    if (word[n - 1] == 'y' && n > 1 && !is_vowel(word[n - 2])) return replaced_end(word, 1, "ies", a);
    if (str_ends(word, "s") || str_ends(word, "x") || str_ends(word, "z") || str_ends(word, "ch") ||
        str_ends(word, "sh"))
        return replaced_end(word, 0, "es", a);
    return replaced_end(word, 0, "s", a);
}

static bool starts_with_any(const char *word, const char *const *starts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (str_starts(word, starts[i])) return true;
    }
    return false;
}

bool takes_an(const char *word)
{
    /* said with a vowel: the h is silent, or letters are spelled */
    static const char *const vowel[] = { "hour", "honest", "honor", "honour", "heir", "x-", "11", "18" };
    static const char spelled[] = " suv rv xray xbox hdtv lcd led mri mp3 nfl nba nhl mlb fbi sos ";
    /* with a consonant: as "you" and "one" are */
    static const char *const consonant[] = { "uni", "use", "usu", "usb", "uti", "ute",  "uto",     "ura",
                                             "uri", "u-",  "eu",  "ewe", "one", "once", "ukulele", "ufo" };
    static const char initials[] = " us uk ups ";
    static const char *const plain[] = { "unin", "unim", "unident" }; /* "un" and a word */
    char lower[16] = "", first[16] = "";

    for (size_t i = 0; i + 1 < sizeof lower && word[i]; i++)
        lower[i] = word[i] >= 'A' && word[i] <= 'Z' ? (char)(word[i] + 32) : word[i];
    memcpy(first, lower, strcspn(lower, " "));
    if (starts_with_any(lower, vowel, sizeof vowel / sizeof *vowel) || is_in(spelled, first)) return true;
    if (starts_with_any(lower, plain, sizeof plain / sizeof *plain)) return true;
    if (starts_with_any(lower, consonant, sizeof consonant / sizeof *consonant) || is_in(initials, first)) return false;
    return lower[0] == '8' || is_vowel(lower[0]);
}

static const char *irregular_verb(const char *word)
{
    static const struct {
        const char *form, *base;
    } table[] = { { "lying", "lie" }, { "tied", "tie" },    { "held", "hold" },  { "seen", "see" },
                  { "worn", "wear" }, { "ridden", "ride" }, { "eaten", "eat" },  { "driven", "drive" },
                  { "flown", "fly" }, { "laid", "lay" },    { "sat", "sit" },    { "stood", "stand" },
                  { "made", "make" }, { "shown", "show" },  { "taken", "take" }, { "drawn", "draw" },
                  { "has", "have" },  { "is", "be" },       { "are", "be" },     { "being", "be" },
                  { "does", "do" },   { "goes", "go" },     { "dying", "die" },  { "tying", "tie" },
                  { "cut", "cut" },   { "set", "set" } };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (!strcmp(word, table[i].form)) return table[i].base;
    }
    return NULL;
}

/* Whether a verb of this form would double its last letter before "ing": "rid". */
static bool doubles_last(const char *base, size_t n)
{
    return n > 2 && is_vowel(base[n - 2]) && !is_vowel(base[n - 3]) && !is_vowel(base[n - 1]) &&
           !strchr("wxy", base[n - 1]);
}

/* The first base form that is_verb() knows, or NULL. */
static const char *known_verb(const char *word, struct arena *a, bool (*is_verb)(void *arg, const char *word),
                              void *arg)
{
    static const struct {
        const char *end, *with;
    } rules[] = { { "ing", "" },  { "ing", "e" }, { "ied", "y" }, { "ed", "e" }, { "ed", "" },
                  { "ies", "y" }, { "es", "e" },  { "es", "" },   { "s", "" } };
    size_t n = strlen(word);

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        size_t m = strlen(rules[i].end);
        if (n < m + 2 || !str_ends(word, rules[i].end)) continue;
        const char *base = replaced_end(word, m, rules[i].with, a);
        size_t k = strlen(base);
        bool is_cut = !*rules[i].with;
        if (is_cut && doubles_last(base, k) && str_ends(word, "ing")) { /* "riding" is of "ride", not of "rid" */
            const char *longer = replaced_end(base, 0, "e", a);
            if (is_verb(arg, longer)) return longer;
        }
        if (is_verb(arg, base)) return base;
        if (is_cut && k > 2 && base[k - 1] == base[k - 2]) {
            const char *shorter = replaced_end(base, 1, "", a);
            if (is_verb(arg, shorter)) return shorter;
        }
    }
    return NULL;
}

/* By its letters alone, where nothing says what is a verb. */
static const char *likely_verb(const char *word, struct arena *a)
{
    size_t n = strlen(word);

    if (n > 5 && str_ends(word, "ing")) {
        const char *base = replaced_end(word, 3, "", a);
        char last = base[n - 4], before = base[n - 5];
        if (last == before && !strchr("lsz", last)) return replaced_end(base, 1, "", a);
        return strchr("vzcgkrt", last) && is_vowel(before) ? replaced_end(base, 0, "e", a) : base;
    }
    return n > 3 && str_ends(word, "s") && !str_ends(word, "ss") ? replaced_end(word, 1, "", a) : word;
}

const char *verb_lemma(const char *word, struct arena *a, bool (*is_verb)(void *arg, const char *word), void *arg)
{
    const char *base = irregular_verb(word);

    if (!base) base = is_verb ? known_verb(word, a, is_verb, arg) : likely_verb(word, a);
    return base ? base : word;
}
