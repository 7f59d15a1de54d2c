#include "scenes/vocabulary.h"
#include <stddef.h>
#include <string.h>

const struct noun nouns[] = {
    { "dog", "dogs", "puppy", WAY_GROUND },
    { "cat", "cats", "kitten", WAY_GROUND },
    { "horse", "horses", "pony", WAY_GROUND },
    { "cow", "cows", NULL, WAY_GROUND },
    { "pig", "pigs", "piglet", WAY_GROUND },
    { "sheep", "sheep", "lamb", WAY_GROUND },
    { "elephant", "elephants", NULL, WAY_GROUND },
    { "rabbit", "rabbits", "bunny", WAY_GROUND },
    { "duck", "ducks", NULL, WAY_GROUND },
    { "turtle", "turtles", "tortoise", WAY_GROUND },
    { "penguin", "penguins", NULL, WAY_GROUND },
    { "giraffe", "giraffes", NULL, WAY_GROUND },
    { "bird", "birds", NULL, WAY_AIR },
    { "fish", "fish", NULL, WAY_STILL },
    { "butterfly", "butterflies", NULL, WAY_AIR },
    { "car", "cars", "automobile", WAY_WHEELS },
    { "bus", "buses", "coach", WAY_WHEELS },
    { "truck", "trucks", "lorry", WAY_WHEELS },
    { "bicycle", "bicycles", "bike", WAY_WHEELS },
    { "motorcycle", "motorcycles", "motorbike", WAY_WHEELS },
    { "train", "trains", "locomotive", WAY_WHEELS },
    { "airplane", "airplanes", "plane", WAY_AIR },
    { "boat", "boats", "sailboat", WAY_STILL },
    { "tree", "trees", NULL, WAY_STILL },
    { "flower", "flowers", "tulip", WAY_STILL },
    { "apple", "apples", NULL, WAY_STILL },
    { "pizza", "pizzas", NULL, WAY_STILL },
    { "cake", "cakes", NULL, WAY_STILL },
    { "ball", "balls", "football", WAY_STILL },
    { "umbrella", "umbrellas", NULL, WAY_STILL },
    { "chair", "chairs", NULL, WAY_STILL },
    { "guitar", "guitars", NULL, WAY_STILL },
    { "balloon", "balloons", NULL, WAY_AIR },
    { "house", "houses", "cottage", WAY_STILL },
    { "tent", "tents", NULL, WAY_STILL },
    { "backpack", "backpacks", "bag", WAY_STILL },
    { "book", "books", NULL, WAY_STILL },
    { "dress", "dresses", NULL, WAY_STILL },
};
const int n_nouns = sizeof nouns / sizeof *nouns;

const struct verb verbs[4][VERBS] = {
    [WAY_GROUND] = { { "stands", "stand", "standing" },
                     { "waits", "wait", "waiting" },
                     { "rests", "rest", "resting" } },
    [WAY_WHEELS] = { { "is parked", "are parked", "parked" },
                     { "stops", "stop", "stopping" },
                     { "stands", "stand", "standing" } },
    [WAY_AIR] = { { "flies", "fly", "flying" }, { "floats", "float", "floating" }, { "hovers", "hover", "hovering" } },
    [WAY_STILL] = { { "lies", "lie", "lying" },
                    { "stands", "stand", "standing" },
                    { "is placed", "are placed", "placed" } },
};

const struct place places[] = {
    { "beach", { "on the beach", "on a sandy shore", "at the beach" } },
    { "city", { "in the city", "in front of a skyline", "in a big city" } },
    { "desert", { "in the desert", "among sand dunes", "in a dry desert" } },
    { "mountains", { "in the mountains", "in front of mountains", "below high peaks" } },
    { "field", { "in a field", "on a meadow", "in the open fields" } },
    { "snow", { "in the snow", "in a snowy landscape", "on snowy ground" } },
    { "sea", { "by the sea", "in front of the ocean", "at sea" } },
    { "lake", { "by a lake", "at the lake", "on the shore of a lake" } },
    { "valley", { "in a valley", "in a green valley", "between green hills" } },
    { "volcano", { "near a volcano", "in front of a volcano", "on volcanic ground" } },
};
const int n_places = sizeof places / sizeof *places;

const struct colour colours[COLOURS] = {
    { "red", 0 },    { "orange", 28 },  { "yellow", 52 }, { "green", 125 },
    { "blue", 215 }, { "purple", 275 }, { "pink", 325 },
};

const char *const details[DETAILS] = {
    "belongs to a teacher",    "was bought last week",    "came from abroad",           "will be gone tomorrow",
    "is worth a lot of money", "has a famous owner",      "was here all morning",       "is part of a film",
    "won a prize last year",   "is waiting for a friend", "has never been here before", "was a birthday gift",
};

const struct noun *noun_find(const char *name)
{
    for (int i = 0; i < n_nouns; i++) {
        if (!strcmp(nouns[i].name, name)) return &nouns[i];
    }
    return NULL;
}

const char *number_word(int n)
{
    static const char *const words[] = { "no", "one", "two", "three", "four" };

    return n >= 0 && n <= 4 ? words[n] : "many";
}
