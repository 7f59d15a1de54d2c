#include "score/texts.h"
#include "core/pool.h"
#include <stdlib.h>

struct making {
    struct texts *t;
    const char **preds, **refs; /* as they were, in order, and NULL */
    const struct texts_maker *maker;
    void **rooms;
    struct str *out;
};

static const char *make(const struct making *m, int worker, const char *const *text)
{
    struct str *out = &m->out[worker];

    str_clear(out);
    m->maker->make(m->rooms[worker], text, out);
    return arena_strndup(&m->t->arenas[worker], str_c(out), out->n);
}

static int make_item(int64_t i, int worker, void *arg, struct err *e)
{
    const struct making *m = arg;
    struct score_item *to = &m->t->items[i];
    int64_t first = to->refs - m->t->refs;

    to->pred = make(m, worker, m->preds + i);
    for (int64_t r = first; r < first + to->n_refs; r++) m->t->refs[r] = make(m, worker, m->refs + r);
    return 0;
}

static void gather(struct making *m, const struct score_item *items, int64_t n)
{
    int64_t refs = 0;

    for (int64_t i = 0; i < n; i++) refs += items[i].n_refs;
    m->preds = mem_new(const char *, n + 1);
    m->refs = mem_new(const char *, refs + 1);
    m->t->items = mem_new(struct score_item, n + 1);
    m->t->refs = mem_new(const char *, refs + 1);
    refs = 0;
    for (int64_t i = 0; i < n; i++) {
        m->t->items[i] = (struct score_item){ "", m->t->refs + refs, items[i].n_refs, items[i].is_missing };
        m->preds[i] = items[i].pred;
        for (int r = 0; r < items[i].n_refs; r++) m->refs[refs++] = items[i].refs[r];
    }
}

void texts_make(struct texts *t, const struct score_item *items, int64_t n, int threads,
                const struct texts_maker *maker, const void *arg)
{
    struct making m = { .t = t, .maker = maker };
    struct err e = { 0 };

    *t = (struct texts){ .n = n, .threads = threads ? threads : pool_cpus() };
    gather(&m, items, n);
    t->arenas = mem_new(struct arena, t->threads);
    m.rooms = mem_new(void *, t->threads);
    m.out = mem_new(struct str, t->threads);
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
    free(m.preds);
    free(m.refs);
}

void texts_release(struct texts *t)
{
    for (int k = 0; k < t->threads; k++) arena_release(&t->arenas[k]);
    free(t->arenas);
    free(t->items);
    free(t->refs);
    *t = (struct texts){ 0 };
}
