/* Drawing what is in a scene, where, and painting it. */
#include "scenes/scene.h"
#include "core/hash.h"
#include "core/mem.h"
#include "image/resize.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A scene is drawn again when objects find no place or hide each other: this many times at most before the error, which
 * is never met (the chance of one failure is below a half). */
enum { TRIES = 200, PLACE_TRIES = 40 };

static bool is_held_out(const struct noun *a, const struct noun *b)
{
    const char *low = strcmp(a->name, b->name) < 0 ? a->name : b->name, *high = low == a->name ? b->name : a->name;

    if (a == b) return false;
    return hash64(high, strlen(high), hash64(low, strlen(low), 0)) % 8 == 0;
}

static int pick_sprite(const struct sprites *sprites, const struct noun *noun, const struct place *place, struct rng *r)
{
    int n = 0, chosen = 0;

    for (int i = 0; i < sprites->n; i++) n += noun ? sprites->at[i].noun == noun : sprites->at[i].place == place;
    int64_t k = rng_below(r, n);
    for (int i = 0; i < sprites->n; i++) {
        bool fits = noun ? sprites->at[i].noun == noun : sprites->at[i].place == place;
        if (fits && k-- == 0) chosen = i;
    }
    return chosen;
}

/* A noun that keeps the composition rule with those chosen before; NULL when the draw did not. */
static const struct noun *pick_noun(const struct scene *s, struct rng *r, enum composition c)
{
    const struct noun *noun = &nouns[rng_below(r, n_nouns)];

    if (s->n && rng_uniform(r) < 0.12) noun = s->objects[rng_below(r, s->n)].noun; /* counts: two of a kind */
    if (c == COMPOSE_HELD_OUT && s->n == 1) return is_held_out(s->objects[0].noun, noun) ? noun : NULL;
    for (int i = 0; i < s->n && c == COMPOSE_SEEN; i++) {
        if (is_held_out(s->objects[i].noun, noun)) return NULL;
    }
    return noun;
}

/* Share of the smaller of two pasted rectangles that they have in common. */
static double overlap(const struct object *a, const struct object *b)
{
    int w = (a->x + a->w < b->x + b->w ? a->x + a->w : b->x + b->w) - (a->x > b->x ? a->x : b->x);
    int h = (a->y + a->h < b->y + b->h ? a->y + a->h : b->y + b->h) - (a->y > b->y ? a->y : b->y);
    int small = a->w * a->h < b->w * b->h ? a->w * a->h : b->w * b->h;

    return w > 0 && h > 0 ? (double)w * h / small : 0;
}

static bool place_object(struct scene *s, struct object *o, const struct sprite *sprite, struct rng *r)
{
    static const double side[3][2] = { { 34, 46 }, { 54, 70 }, { 84, 104 } };
    double longest = side[o->size][0] + rng_uniform(r) * (side[o->size][1] - side[o->size][0]);
    double scale = longest / (sprite->width > sprite->height ? sprite->width : sprite->height);

    o->w = (int)(sprite->width * scale + 0.5);
    o->h = (int)(sprite->height * scale + 0.5);
    for (int t = 0; t < PLACE_TRIES; t++) {
        int room = SCENE_HEIGHT - o->h - 4, low = o->noun->way == WAY_AIR ? 2 : room / 3,
            high = o->noun->way == WAY_AIR ? room * 2 / 3 : room;
        o->x = 2 + (int)rng_below(r, SCENE_WIDTH - o->w - 4);
        o->y = low + (int)rng_below(r, high - low + 1);
        double worst = 0;
        for (int i = 0; i < s->n; i++) worst = fmax(worst, overlap(o, &s->objects[i]));
        if (worst < 0.18) return true;
    }
    return false;
}

static bool draw_objects(struct scene *s, const struct sprites *sprites, struct rng *r, enum composition c)
{
    double u = rng_uniform(r);
    int want = u < 0.12 ? 1 : u < 0.5 ? 2 : u < 0.82 ? 3 : 4;

    if (c == COMPOSE_HELD_OUT && want < 2) want = 2;
    s->n = 0;
    s->place = &places[rng_below(r, n_places)];
    s->landscape = pick_sprite(sprites, NULL, s->place, r);
    s->shift = (int)rng_below(r, sprites->at[s->landscape].picture.width - SCENE_WIDTH + 1);
    for (int t = 0; t < PLACE_TRIES && s->n < want; t++) {
        struct object o = { .noun = pick_noun(s, r, c), .colour = -1 };
        if (!o.noun) continue;
        o.drawing = pick_sprite(sprites, o.noun, NULL, r);
        if (sprites->at[o.drawing].is_colourable) o.colour = (int)rng_below(r, COLOURS);
        u = rng_uniform(r);
        o.size = u < 0.3 ? SIZE_SMALL : u < 0.7 ? SIZE_MEDIUM : SIZE_LARGE;
        o.is_mirrored = rng_uniform(r) < 0.5;
        if (place_object(s, &o, &sprites->at[o.drawing], r)) s->objects[s->n++] = o;
    }
    return s->n == want;
}

/* Replaces the hue of what is coloured: grays, blacks and whites stay. */
static void recolour(uint8_t *rgba, int n, const struct colour *colour)
{
    for (int i = 0; i < n; i++) {
        uint8_t *p = rgba + 4 * i;
        int max = p[0] > p[1] ? p[0] : p[1], min = p[0] < p[1] ? p[0] : p[1];
        max = p[2] > max ? p[2] : max;
        min = p[2] < min ? p[2] : min;
        if (max - min < 40) continue;
        /* pink is a light red-purple: its saturation is lower and its value higher */
        bool is_pink = colour->hue > 300;
        double value = is_pink ? fmax(max, 235) : fmax(max, colour->hue > 40 && colour->hue < 70 ? 225 : max),
               saturation = (double)(max - min) / max;
        saturation = is_pink ? saturation * 0.55 : fmin(saturation * 1.15, 1);
        for (int c = 0; c < 3; c++) {
            double k = fmod((c == 0 ? 5 : c == 1 ? 3 : 1) + colour->hue / 60, 6);
            p[c] = (uint8_t)(value * (1 - saturation * fmax(0, fmin(fmin(k, 4 - k), 1))) + 0.5);
        }
    }
}

/* Pastes an object; owner[] notes whose pixel it is. */
static void paste(struct image *m, int8_t *owner, int number, const struct object *o, const struct sprite *sprite)
{
    uint8_t *small = mem_new(uint8_t, o->w * o->h * 4);

    resize_rgba(small, o->w, o->h, sprite->rgba, sprite->width, sprite->height);
    if (o->colour >= 0) recolour(small, o->w * o->h, &colours[o->colour]);
    for (int y = 0; y < o->h; y++) {
        for (int x = 0; x < o->w; x++) {
            const uint8_t *p = small + (y * o->w + (o->is_mirrored ? o->w - 1 - x : x)) * 4;
            int at = (o->y + y) * SCENE_WIDTH + o->x + x;
            for (int c = 0; c < 3; c++)
                m->rgb[3 * at + c] = (uint8_t)((m->rgb[3 * at + c] * (255 - p[3]) + p[c] * p[3] + 127) / 255);
            if (p[3] > 127) owner[at] = (int8_t)number;
        }
    }
    free(small);
}

/* Boxes of visible pixels; false when an object is mostly hidden. */
static bool measure(struct scene *s, const int8_t *owner, const int *painted)
{
    for (int i = 0; i < s->n; i++) {
        int x1 = SCENE_WIDTH, y1 = SCENE_HEIGHT, x2 = 0, y2 = 0, seen = 0;
        for (int at = 0; at < SCENE_WIDTH * SCENE_HEIGHT; at++) {
            if (owner[at] != i) continue;
            int x = at % SCENE_WIDTH, y = at / SCENE_WIDTH;
            x1 = x < x1 ? x : x1;
            y1 = y < y1 ? y : y1;
            x2 = x >= x2 ? x + 1 : x2;
            y2 = y >= y2 ? y + 1 : y2;
            seen++;
        }
        if (seen * 2 < painted[i] || !seen) return false;
        s->objects[i].box[0] = (float)x1;
        s->objects[i].box[1] = (float)y1;
        s->objects[i].box[2] = (float)x2;
        s->objects[i].box[3] = (float)y2;
    }
    return true;
}

static int by_bottom(const void *a, const void *b)
{
    const struct object *p = a, *q = b;

    return (p->y + p->h > q->y + q->h) - (p->y + p->h < q->y + q->h);
}

/* What stands lower in the picture is nearer and painted later. */
static bool paint(struct scene *s, struct image *m, const struct sprites *sprites)
{
    const struct image *land = &sprites->at[s->landscape].picture;
    int8_t *owner = mem_new(int8_t, SCENE_WIDTH * SCENE_HEIGHT);
    int painted[SCENE_OBJECTS] = { 0 };

    memset(owner, -1, SCENE_WIDTH * SCENE_HEIGHT);
    qsort(s->objects, (size_t)s->n, sizeof *s->objects, by_bottom);
    for (int y = 0; y < SCENE_HEIGHT; y++)
        memcpy(m->rgb + y * SCENE_WIDTH * 3, land->rgb + ((size_t)y * (size_t)land->width + (size_t)s->shift) * 3,
               SCENE_WIDTH * 3);
    for (int i = 0; i < s->n; i++) {
        paste(m, owner, i, &s->objects[i], &sprites->at[s->objects[i].drawing]);
        for (int at = 0; at < SCENE_WIDTH * SCENE_HEIGHT; at++) painted[i] += owner[at] == i;
    }
    bool good = measure(s, owner, painted);
    free(owner);
    return good;
}

int scene_make(struct scene *s, struct image *m, const struct sprites *sprites, struct rng *r, enum composition c,
               struct err *e)
{
    if (image_init(m, SCENE_WIDTH, SCENE_HEIGHT, e)) return -1;
    for (int t = 0; t < TRIES; t++) {
        if (draw_objects(s, sprites, r, c) && paint(s, m, sprites)) return 0;
    }
    image_release(m);
    return err_set(e, ERR_INPUT, "no scene found in %d draws", TRIES);
}

int scene_relations(const struct scene *s, int a, int b, enum relation out[3])
{
    const struct object *p = &s->objects[a], *q = &s->objects[b];
    double dx = (q->box[0] + q->box[2] - p->box[0] - p->box[2]) / 2,
           dy = (q->box[1] + q->box[3] - p->box[1] - p->box[3]) / 2;
    double gap_x = fmax(p->box[0], q->box[0]) - fmin(p->box[2], q->box[2]),
           gap_y = fmax(p->box[1], q->box[1]) - fmin(p->box[3], q->box[3]);
    int n = 0;

    if (fabs(dx) > 24 && fabs(dx) >= fabs(dy)) out[n++] = dx > 0 ? REL_LEFT : REL_RIGHT;
    if (fabs(dy) > 24 && fabs(dy) > fabs(dx)) out[n++] = dy > 0 ? REL_ABOVE : REL_BELOW;
    if (overlap(p, q) > 0.04) out[n++] = a > b ? REL_FRONT : REL_BEHIND; /* painted later is in front */
    else if (gap_x < 24 && gap_y < 0 && fabs(dy) < 40) out[n++] = REL_NEXT;
    return n;
}

const char *relation_phrase(enum relation r)
{
    static const char *const phrases[] = { "to the left of", "to the right of", "above", "below",
                                           "next to",        "in front of",     "behind" };

    return phrases[r];
}
