#ifndef SCENES_VOCABULARY_H
#define SCENES_VOCABULARY_H

/* The words that scenes are made of and told with. */
enum way { WAY_GROUND, WAY_WHEELS, WAY_AIR, WAY_STILL }; /* how an object is there: decides its verbs and its height */
struct noun {
    const char *name, *plural, *other; /* other: another word for it, or NULL */
    enum way way;
};
struct verb {
    const char *singular, *plural, *participle;
};
struct place {
    const char *name;       /* the truth's word */
    const char *phrases[4]; /* "on the beach" ...; NULL ends them */
};
enum { VERBS = 3, COLOURS = 7, DETAILS = 12, RELATIONS = 7 };

extern const struct noun nouns[];
extern const int n_nouns;
extern const struct verb verbs[4][VERBS];
extern const struct place places[];
extern const int n_places;
extern const struct colour {
    const char *name;
    float hue; /* degrees */
} colours[COLOURS];
/* What no picture can show: the tails of neutral statements ("... belongs to a teacher"). */
extern const char *const details[DETAILS];

const struct noun *noun_find(const char *name); /* NULL when unknown */
const char *number_word(int n);                 /* "two" .. "four" */
#endif
