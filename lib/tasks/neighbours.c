#include "tasks/neighbours.h"
#include "core/hash.h"
#include <stdlib.h>
#include <string.h>

struct neighbours {
    struct store *file;
    struct map images; /* of the training examples: the first of a list of them */
    int64_t *next;     /* [examples] the next one with the same image; -1: none */
};

static int index_examples(struct neighbours *n, struct store *train, struct err *e)
{
    int64_t many = store_count(train);

    n->next = mem_new(int64_t, many + 1);
    for (int64_t i = 0; i < many; i++) {
        struct record *r;
        const char *image;
        bool is_new;
        if (store_get(train, i, &r, e)) return -1;
        int rc = value_get_string(r->fields, "image", &image, e);
        if (!rc) {
            int64_t *at = map_put(&n->images, image, strlen(image), &is_new);
            n->next[i] = is_new ? -1 : *at;
            *at = i;
        }
        record_free(r);
        if (rc) return -1;
    }
    return 0;
}

struct neighbours *neighbours_open(const char *path, struct store *train, struct err *e)
{
    struct neighbours *n = mem_new(struct neighbours, 1);

    n->file = store_open(&path, 1, 0, e);
    if (n->file && !store_index(n->file, e) && !index_examples(n, train, e)) return n;
    neighbours_close(n);
    return NULL;
}

int neighbours_image(struct neighbours *n, const char *text, struct rng *r, struct arena *a, const char **image,
                     struct err *e)
{
    struct record *rec;
    struct value *images;
    int64_t at = store_find(n->file, text), many = 0;
    const char *own = "";

    *image = NULL;
    if (at < 0) return 0;
    if (store_get(n->file, at, &rec, e)) return -1;
    int rc = value_get_array(rec->fields, "images", &images, e) || value_opt_string(rec->fields, "image", &own, e);
    if (!rc) many = value_count(images);
    for (int64_t k = many ? rng_below(r, many) : 0, tried = 0; tried < many && !*image; tried++, k = (k + 1) % many) {
        const char *name = value_text(value_at(images, k), NULL);
        bool is_known = name && map_find(&n->images, name, strlen(name));
        if (is_known && strcmp(name, own)) *image = arena_strdup(a, name);
    }
    record_free(rec);
    return rc ? -1 : 0;
}

int64_t neighbours_text(const struct neighbours *n, const char *image, struct rng *r)
{
    const int64_t *first = map_find(&n->images, image, strlen(image));
    int64_t many = 0, k;

    if (!first) return -1;
    for (k = *first; k >= 0; k = n->next[k]) many++;
    int64_t skip = rng_below(r, many);
    for (k = *first; skip; skip--) k = n->next[k];
    return k;
}

void neighbours_close(struct neighbours *n)
{
    if (!n) return;
    store_close(n->file);
    map_release(&n->images);
    free(n->next);
    free(n);
}
