#include "score/texts.h"
#include "core/pool.h"
#include <stdlib.h>

struct making {
    struct texts *t;
    const struct score_item *items;
    const struct texts_maker *maker;
    void **rooms;
    struct str *out;
};

static const char *make(const struct making *m, int worker, const char *text, const char *next)
{
    struct str *out = &m->out[worker];

    str_clear(out);
    m->maker->make(m->rooms[worker], text, next, out);
    return arena_strndup(&m->t->arenas[worker], str_c(out), out->n);
}

static int make_item(int64_t i, int worker, void *arg, struct err *e)
{
    const struct making *m = arg;
    const struct score_item *from = &m->items[i], *after = i + 1 < m->t->n ? from + 1 : NULL;
    struct score_item *to = &m->t->items[i];
    const char **refs = (const char **)(uintptr_t)to->refs;

    (void)e;
    to->pred = make(m, worker, from->pred, after ? after->pred : NULL);
    for (int r = 0; r < from->n_refs; r++) {
        const char *first = after && after->n_refs ? after->refs[0] : NULL;
        refs[r] = make(m, worker, from->refs[r], r + 1 < from->n_refs ? from->refs[r + 1] : first);
    }
    return 0;
}

void texts_make(struct texts *t, const struct score_item *items, int64_t n, int threads,
                const struct texts_maker *maker, const void *arg)
{
    struct making m = { t, items, maker, NULL, NULL };
    int64_t refs = 0;
    struct err e = { 0 };

    *t = (struct texts){ .n = n, .threads = threads ? threads : pool_cpus() };
    for (int64_t i = 0; i < n; i++) refs += items[i].n_refs;
    t->items = mem_new(struct score_item, n + 1);
    t->refs = mem_new(const char *, refs + 1);
    t->arenas = mem_new(struct arena, t->threads);
    m.rooms = mem_new(void *, t->threads);
    m.out = mem_new(struct str, t->threads);
    for (int64_t i = n - 1; i >= 0; i--) {
        refs -= items[i].n_refs;
        t->items[i] = (struct score_item){ "", t->refs + refs, items[i].n_refs, items[i].is_missing };
    }
    for (int k = 0; k < t->threads; k++) {
        m.rooms[k] = mem_alloc(1, maker->room + 1);
        if (maker->open) maker->open(m.rooms[k], arg);
    }
    pool_for(n, 32, t->threads, make_item, &m, &e); /* nothing in it can fail */
    for (int k = 0; k < t->threads; k++) {
        if (maker->close) maker->close(m.rooms[k]);
        free(m.rooms[k]);
        str_release(&m.out[k]);
    }
    free(m.rooms);
    free(m.out);
}

void texts_release(struct texts *t)
{
    for (int k = 0; k < t->threads; k++) arena_release(&t->arenas[k]);
    free(t->arenas);
    free(t->items);
    free(t->refs);
    *t = (struct texts){ 0 };
}
