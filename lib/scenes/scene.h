#ifndef SCENES_SCENE_H
#define SCENES_SCENE_H
#include "core/rng.h"
#include "image/image.h"
#include "scenes/vocabulary.h"
#include "stream/record.h"

/* One made-up scene: what is where, and the picture of it. */
enum { SCENE_WIDTH = 256, SCENE_HEIGHT = 192, SCENE_OBJECTS = 4 };
enum size { SIZE_SMALL, SIZE_MEDIUM, SIZE_LARGE };
struct object {
    const struct noun *noun;
    int drawing; /* index into the sprites */
    int colour;  /* index into colours, or -1: as it is */
    enum size size;
    bool is_mirrored;
    int x, y, w, h; /* where the cut-out is pasted */
    float box[4];   /* x1, y1, x2, y2 of its visible pixels, exact */
};
enum relation { REL_LEFT, REL_RIGHT, REL_ABOVE, REL_BELOW, REL_NEXT, REL_FRONT, REL_BEHIND };
struct scene {
    const struct place *place;
    int landscape; /* index into the sprites */
    int shift;     /* of the landscape's crop */
    int n;
    struct object objects[SCENE_OBJECTS];
};

/* The cut-outs and landscapes of testdata/sprites. */
struct sprites {
    int n;
    struct sprite {
        const struct noun *noun;   /* an object, or NULL */
        const struct place *place; /* a landscape, or NULL */
        bool is_colourable;
        int width, height;
        uint8_t *rgba;        /* an object's pixels */
        struct image picture; /* a landscape's */
    } * at;
};
int sprites_load(struct sprites *s, const char *path, struct err *e);
void sprites_release(struct sprites *s);

/* Which compositions are drawn: pairs of classes are divided by a hash; one in eight is held out. */
enum composition { COMPOSE_SEEN, COMPOSE_HELD_OUT };
/* Draws a scene and paints it; m is initialised here. COMPOSE_SEEN never has a held-out pair, COMPOSE_HELD_OUT has at
 * least two objects of which the first two are one. */
int scene_make(struct scene *s, struct image *m, const struct sprites *sprites, struct rng *r, enum composition c,
               struct err *e);

/* How object a stands to b; exact by the boxes and the order of painting. The relations that hold, at most 3. */
int scene_relations(const struct scene *s, int a, int b, enum relation out[3]);
const char *relation_phrase(enum relation r); /* "to the left of" */
#endif
