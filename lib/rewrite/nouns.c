/* Small tables of nouns: what captions call places, persons and things, and which of two names may be of one. */
#include "rewrite/nouns.h"
#include "rewrite/kinds.h"
#include <stddef.h>
#include <string.h>

static const char *last_word(const char *noun)
{
    const char *blank = strrchr(noun, ' ');

    return blank ? blank + 1 : noun;
}

bool noun_is_place(const char *noun)
{
    static const char places[] = "beach city town village desert mountain mountains hill field meadow snow sea ocean "
                                 "lake river valley volcano shore coast park street road forest wood "
                                 "woods jungle kitchen bathroom bedroom room office garden yard farm airport station "
                                 "stadium zoo sky skyline landscape ground dune peak harbor harbour "
                                 "sidewalk highway countryside water court slope grass sand island canyon pasture";

    return word_is_listed(places, last_word(noun));
}

bool noun_is_abstract(const char *noun)
{
    static const char abstract[] =
        "left right top bottom side middle center centre front back end edge corner background foreground distance way "
        "line row kind type variety lot number couple pair bunch set group piece part half rest place day night time "
        "morning evening afternoon view picture photo image sale air design pattern style color colour shape size "
        "portrait photograph illustration closeup close-up snapshot "
        "match game trick race turn one other thing stuff area space pose action display";

    return word_is_listed(abstract, last_word(noun));
}

bool nouns_are_kin(const char *a, const char *b)
{
    static const char *const kin[][2] = {
        { "kitten", "cat" },
        { "puppy", "dog" },
        { "lamb", "sheep" },
        { "piglet", "pig" },
        { "calf", "cow" },
        { "calf", "elephant" },
        { "foal", "horse" },
        { "pony", "horse" },
        { "duckling", "duck" },
        { "chick", "chicken" },
        { "bunny", "rabbit" },
        { "cub", "bear" },
        { "cub", "lion" },
        { "kid", "goat" },
        { "kid", "child" },
        { "bull", "cow" },
        { "rooster", "chicken" },
        { "hen", "chicken" },
        { "boy", "man" },
        { "girl", "woman" },
        { "lady", "woman" },
        { "guy", "man" },
        { "boy", "kid" },
        { "girl", "kid" },
        { "baby", "child" },
        { "toddler", "child" },
        { "bike", "bicycle" },
        { "bike", "motorcycle" },
        { "sofa", "couch" },
        { "tv", "television" },
        { "fridge", "refrigerator" },
        { "lamp", "light" },
        { "rabbit", "hare" },
        { "boat", "ship" },
        { "cup", "mug" },
        { "bag", "purse" },
        { "jacket", "coat" },
        { "hat", "cap" },
        { "rug", "carpet" },
        { "cabinet", "cupboard" },
        { "plate", "dish" },
        { "bowl", "dish" },
        { "road", "street" },
        { "stone", "rock" },
        { "picture", "painting" },
        { "path", "trail" },
    };

    for (size_t i = 0; i < sizeof kin / sizeof *kin; i++) {
        if ((!strcmp(a, kin[i][0]) && !strcmp(b, kin[i][1])) || (!strcmp(a, kin[i][1]) && !strcmp(b, kin[i][0])))
            return true;
    }
    return false;
}

bool places_may_agree(const char *a, const char *b)
{
    static const char anywhere[] = "sky ground landscape room grass water countryside skyline";
    static const char *const together[] = {
        "mountain mountains hill valley peak volcano canyon slope snow desert",
        "lake sea ocean river beach shore coast harbor harbour sand dune island",
        "desert sand dune",
        "field meadow pasture farm hill park garden yard stadium court",
        "city town village street road sidewalk highway park station court",
        "forest wood woods jungle park garden zoo mountain mountains hill",
        "airport station",
        "zoo park field yard",
        "office room bedroom kitchen",
        "field valley river lake hill",
    };
    const char *x = last_word(a), *y = last_word(b);

    if (!noun_is_place(a) || !noun_is_place(b)) return false;
    if (word_is_listed(anywhere, x) || word_is_listed(anywhere, y)) return true;
    for (size_t i = 0; i < sizeof together / sizeof *together; i++) {
        if (word_is_listed(together[i], x) && word_is_listed(together[i], y)) return true;
    }
    return false;
}

int person_traits(const char *noun)
{
    static const struct {
        int traits;
        const char *words;
    } persons[] = {
        { PERSON, "person people human individual somebody someone teenager youth adult parent couple" },
        { PERSON | PERSON_MALE | PERSON_GROWN,
          "man guy gentleman father dad husband groom king uncle grandfather businessman policeman fireman fisherman "
          "cowboy waiter actor monk" },
        { PERSON | PERSON_FEMALE | PERSON_GROWN,
          "woman lady mother mom wife bride queen aunt grandmother businesswoman policewoman cowgirl waitress actress "
          "nun" },
        { PERSON | PERSON_MALE | PERSON_YOUNG, "boy son" },
        { PERSON | PERSON_FEMALE | PERSON_YOUNG, "girl daughter" },
        { PERSON | PERSON_YOUNG, "child kid baby toddler infant" },
    };
    const char *word = last_word(noun);

    for (size_t i = 0; i < sizeof persons / sizeof *persons; i++) {
        if (word_is_listed(persons[i].words, word)) return persons[i].traits;
    }
    return 0;
}

bool persons_may_agree(int a, int b)
{
    return ((a | b) & (PERSON_MALE | PERSON_FEMALE)) != (PERSON_MALE | PERSON_FEMALE) &&
           ((a | b) & (PERSON_GROWN | PERSON_YOUNG)) != (PERSON_GROWN | PERSON_YOUNG);
}
