/* Words with their places, prepositions of several words, and inflection. */
#include "rewrite/inflect.h"
#include "rewrite/kinds.h"
#include "rewrite/nouns.h"
#include "rewrite/words.h"
#include "tap.h"

static struct arena a;

static void split_is(const char *text, const char *want)
{
    struct words w;
    char got[256] = "";
    size_t n = 0;

    words_split(&w, text, &a);
    for (int i = 0; i < w.n; i++)
        n += (size_t)snprintf(got + n, sizeof got - n, "%s%.*s", i ? "|" : "", w.at[i].to - w.at[i].from,
                              text + w.at[i].from);
    is_str(got, want, text);
}

static void test_split(void)
{
    split_is("A man's hat, and two well-known dogs.", "A|man|'s|hat|,|and|two|well-known|dogs|.");
    split_is("", "");
    split_is("  don't \t stop! ", "don't|stop|!");
    split_is("caf\xc3\xa9 na\xc3\xafve", "caf\xc3\xa9|na\xc3\xafve");
    split_is("a \xe2\x80\x9cquote\xe2\x80\x9d\xc2\xa0"
             "dog\xe2\x80\x94"
             "x",
             "a|\xe2\x80\x9c|quote|\xe2\x80\x9d|dog|\xe2\x80\x94|x");
    split_is("boys' toys", "boys|'|toys");
    split_is("A man\xe2\x80\x99s dogs\xe2\x80\x99 toys don\xe2\x80\x99t \xe2\x80\x99",
             "A|man|\xe2\x80\x99s|dogs|\xe2\x80\x99|toys|don\xe2\x80\x99t|\xe2\x80\x99");
    split_is("a pin\xcc\x83"
             "ata, a cafe\xcc\x81's cup and \xcc\x81",
             "a|pin\xcc\x83"
             "ata|,|a|cafe\xcc\x81|'s|cup|and|\xcc\x81");
    struct words w;
    words_split(&w, "It ISN\xe2\x80\x99T man\xe2\x80\x99s", &a);
    ok(!strcmp(w.at[1].lower, "isn't") && w.at[1].class == WORD_AUXILIARY && !strcmp(w.at[3].lower, "'s") &&
           w.at[3].class == WORD_POSSESSIVE,
       "an apostrophe is one, straight or not");
    words_split(&w, "CAF\xc3\x89 \xd0\x9a\xd0\xbe\xd1\x82", &a);
    ok(!strcmp(w.at[0].lower, "caf\xc3\xa9") && !strcmp(w.at[1].lower, "\xd0\xba\xd0\xbe\xd1\x82"),
       "capitals of every script are made small");
    words_split(&w, "CAFE\xcc\x81 cafe\xcc\x81 caf\xc3\xa9", &a);
    ok(!strcmp(w.at[0].lower, "caf\xc3\xa9") && !strcmp(w.at[1].lower, "caf\xc3\xa9") &&
           !strcmp(w.at[2].lower, "caf\xc3\xa9"),
       "a letter and its accent are one, written as one character or as two");
    ok(word_closed_class("doesn't") == WORD_AUXILIARY && word_closed_class("they're") == WORD_PRONOUN &&
           word_closed_class("o'clock") == WORD_OTHER,
       "contractions are no nouns");
    words_split(&w, "One dog. Two cats! Three", &a);
    is_int(words_sentence_end(&w, 0), 3, "a sentence ends after its stop");
    is_int(words_sentence_end(&w, 3), 6, "and the next one");
    is_int(words_sentence_end(&w, 6), 7, "and the last without one");
    words_split(&w, "it is in front of on the left side of a bus in a car", &a);
    is_int(words_preposition(&w, 2, w.n), 3, "in front of");
    is_int(words_preposition(&w, 2, 4), 1, "not over the end: in");
    is_int(words_preposition(&w, 5, w.n), 5, "on the left side of");
    is_int(words_preposition(&w, 12, w.n), 1, "in");
    is_int(words_preposition(&w, 1, w.n), 0, "is is none");
    is_int(text_code_points("caf\xc3\xa9!", 5), 4, "characters, not bytes");
    is_int(word_number("seven"), 7, "seven");
    is_int(word_number("12"), 12, "12");
    is_int(word_number("dozen"), 0, "no number");
}

static void test_inflection(void)
{
    static const struct {
        const char *one, *many;
    } nouns[] = { { "dog", "dogs" },
                  { "bus", "buses" },
                  { "box", "boxes" },
                  { "church", "churches" },
                  { "butterfly", "butterflies" },
                  { "boy", "boys" },
                  { "child", "children" },
                  { "man", "men" },
                  { "mouse", "mice" },
                  { "horse", "horses" },
                  { "glass", "glasses" },
                  { "bench", "benches" },
                  { "house", "houses" },
                  { "knife", "knives" },
                  { "potato", "potatoes" },
                  { "stop sign", "stop signs" },
                  { "dish", "dishes" },
                  { "bookshelf", "bookshelves" },
                  { "policewoman", "policewomen" },
                  { "mailman", "mailmen" },
                  { "grandchild", "grandchildren" },
                  { "pocketknife", "pocketknives" },
                  { "ottoman", "ottomans" },
                  { "specimen", "specimens" },
                  { "mongoose", "mongooses" },
                  { "quiz", "quizzes" } };
    for (size_t i = 0; i < sizeof nouns / sizeof *nouns; i++) {
        is_str(noun_plural(nouns[i].one, &a), nouns[i].many, nouns[i].many);
        if (strcmp(nouns[i].one, "glass")) is_str(noun_singular(nouns[i].many, &a), nouns[i].one, nouns[i].one);
    }
    ok(noun_is_plural("policewomen") && noun_is_plural("grandchildren") && !noun_is_plural("policewoman") &&
           !noun_is_plural("specimen") && !noun_is_plural("ramen"),
       "compounds of irregular plurals");
    is_str(noun_plural("sheep", &a), "sheep", "sheep stay sheep");
    is_str(noun_singular("grass", &a), "grass", "grass is no plural");
    ok(noun_is_plural("people") && noun_is_plural("dogs") && !noun_is_plural("bus") && !noun_is_plural("dress"),
       "plurals by their form");
    ok(takes_an("apple") && takes_an("hour") && takes_an("umbrella") && takes_an("orange"), "an");
    ok(!takes_an("unicorn") && !takes_an("dog") && !takes_an("one") && !takes_an("European"), "a");
    static const char *const vowels[] = { "SUV",           "rv park", "x-ray", "xbox", "unidentified object",
                                          "uninteresting", "urn",     "urban", "18",   "8" },
                             *const others[] = { "urinal", "utensil",    "eucalyptus", "USB cable", "us flag",
                                                 "u-turn", "university", "red suv",    "xylophone", "useful" };
    for (int i = 0; i < 10; i++) ok(takes_an(vowels[i]) && !takes_an(others[i]), "an %s, a %s", vowels[i], others[i]);
    is_str(verb_lemma("lying", &a, NULL, NULL), "lie", "lying");
    is_str(verb_lemma("standing", &a, NULL, NULL), "stand", "standing");
    is_str(verb_lemma("running", &a, NULL, NULL), "run", "running");
}

static void test_kinds(void)
{
    is_int(attributes_contrast("red", "blue"), CONTRAST_CONTRARY, "red, blue");
    is_int(attributes_contrast("small", "tiny"), CONTRAST_SAME, "small, tiny");
    is_int(attributes_contrast("big", "tiny"), CONTRAST_CONTRARY, "big, tiny");
    is_int(attributes_contrast("red", "wooden"), CONTRAST_NONE, "red, wooden");
    is_int(attributes_contrast("pink", "red"), CONTRAST_UNCLEAR, "pink, red");
    is_int(attributes_contrast("short", "long"), CONTRAST_CONTRARY, "a word of two kinds");
    is_str(relation_opposite("to the left of", 0), "to the right of", "left and right");
    ok(!relation_opposite("of", 0) && !relation_opposite("above", 3), "the end of opposites");
    ok(noun_is_place("city") && noun_is_place("ski slope") && !noun_is_place("dog"), "places");
}

int main(void)
{
    test_split();
    test_inflection();
    test_kinds();
    arena_release(&a);
    return done();
}
