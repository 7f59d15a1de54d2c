#include "core/mem.h"
#include "image/jpeg.h"
#include "scenes/scene.h"
#include "stream/reader.h"
#include <stdlib.h>
#include <string.h>

enum { SPRITE_SIDE_MAX = 512 };

static int load_object(struct sprite *s, const struct record *r, struct err *e)
{
    const struct record_tensor *t;
    const char *name;
    const int64_t shape[3] = { -1, -1, 4 };

    if (record_string(r, "class", &name, e) || value_get_bool(r->fields, "colourable", &s->is_colourable, e) ||
        record_tensor_shaped(r, "rgba", DT_U8, 3, shape, &t, e))
        return -1;
    if (!(s->noun = noun_find(name))) return err_set(e, ERR_INPUT, "unknown class %s", err_quote(name));
    if (t->shape[0] < 1 || t->shape[1] < 1 || t->shape[0] > SPRITE_SIDE_MAX || t->shape[1] > SPRITE_SIDE_MAX)
        return err_set(e, ERR_INPUT, "a cut-out of more than %d pixels a side", SPRITE_SIDE_MAX);
    s->height = (int)t->shape[0];
    s->width = (int)t->shape[1];
    s->rgba = mem_alloc((size_t)t->bytes, 1);
    memcpy(s->rgba, t->data, (size_t)t->bytes);
    return 0;
}

static int load_landscape(struct sprite *s, const struct record *r, struct err *e)
{
    const struct record_tensor *t;
    const char *name;

    if (record_string(r, "scene", &name, e) || record_tensor_shaped(r, "jpeg", DT_U8, 1, (int64_t[]){ -1 }, &t, e))
        return -1;
    for (int i = 0; i < n_places; i++) {
        if (!strcmp(places[i].name, name)) s->place = &places[i];
    }
    if (!s->place) return err_set(e, ERR_INPUT, "unknown scene %s", err_quote(name));
    if (jpeg_decode(&s->picture, t->data, (size_t)t->bytes, e)) return -1;
    if (s->picture.height != SCENE_HEIGHT || s->picture.width < SCENE_WIDTH)
        return err_set(e, ERR_INPUT, "a landscape of %d x %d (at least %d x exactly %d)", s->picture.width,
                       s->picture.height, SCENE_WIDTH, SCENE_HEIGHT);
    return 0;
}

/* Every noun and every place needs a picture. */
static int check_complete(const struct sprites *s, struct err *e)
{
    for (int k = 0; k < n_nouns + n_places; k++) {
        bool is_there = false;
        for (int i = 0; i < s->n; i++)
            is_there |= k < n_nouns ? s->at[i].noun == &nouns[k] : s->at[i].place == &places[k - n_nouns];
        if (!is_there)
            return err_set(e, ERR_INPUT, "no picture of %s",
                           err_quote(k < n_nouns ? nouns[k].name : places[k - n_nouns].name));
    }
    return 0;
}

int sprites_load(struct sprites *s, const char *path, struct err *e)
{
    struct reader *in = reader_open(&path, 1, NULL, e);
    struct record *r;
    int64_t cap = 0;
    int got = in ? 0 : -1;

    *s = (struct sprites){ 0 };
    while (in && (got = reader_next(in, &r, e)) > 0) {
        const char *kind = "";
        mem_reserve(&s->at, &cap, s->n + 1);
        s->at[s->n] = (struct sprite){ 0 };
        int rc = record_string(r, "kind", &kind, e);
        if (!rc && !strcmp(kind, "object")) rc = load_object(&s->at[s->n], r, e);
        else if (!rc) rc = load_landscape(&s->at[s->n], r, e);
        s->n++;
        if (rc) err_in(e, "%s: record %lld", path, (long long)r->number);
        record_free(r);
        if (rc) got = -1;
        if (rc) break;
    }
    reader_close(in);
    if (!got && check_complete(s, e)) got = err_in(e, "%s", path);
    if (got) sprites_release(s);
    return got;
}

void sprites_release(struct sprites *s)
{
    for (int i = 0; i < s->n; i++) {
        free(s->at[i].rgba);
        image_release(&s->at[i].picture);
    }
    free(s->at);
    *s = (struct sprites){ 0 };
}
