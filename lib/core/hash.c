/* XXH64 as its published specification describes it, and a hash map over it. */
#include "core/hash.h"
#include "core/dtype.h"
#include "core/mem.h"
#include <stdlib.h>
#include <string.h>

static const uint64_t prime1 = 0x9E3779B185EBCA87u, prime2 = 0xC2B2AE3D27D4EB4Fu, prime3 = 0x165667B19E3779F9u,
                      prime4 = 0x85EBCA77C2B2AE63u, prime5 = 0x27D4EB2F165667C5u;

static uint64_t rotate(uint64_t x, int r)
{
    return x << r | x >> (64 - r);
}

static uint64_t mix(uint64_t lane, uint64_t input)
{
    return rotate(lane + input * prime2, 31) * prime1;
}

static uint64_t merge(uint64_t h, uint64_t lane)
{
    return (h ^ mix(0, lane)) * prime1 + prime4;
}

static void lanes_init(uint64_t lane[4], uint64_t seed)
{
    lane[0] = seed + prime1 + prime2;
    lane[1] = seed + prime2;
    lane[2] = seed;
    lane[3] = seed - prime1;
}

static void stripe(uint64_t lane[4], const uint8_t *p)
{
    for (int i = 0; i < 4; i++) lane[i] = mix(lane[i], load_u64(p + 8 * i));
}

/* total bytes in all, the last n < 32 of which are at p and not in the lanes yet. */
static uint64_t finish(const uint64_t lane[4], uint64_t seed, uint64_t total, const uint8_t *p, size_t n)
{
    uint64_t h = seed + prime5;

    if (total >= 32) {
        h = rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) + rotate(lane[3], 18);
        for (int i = 0; i < 4; i++) h = merge(h, lane[i]);
    }
    h += total;
    for (; n >= 8; n -= 8, p += 8) h = rotate(h ^ mix(0, load_u64(p)), 27) * prime1 + prime4;
    if (n >= 4) {
        h = rotate(h ^ load_u32(p) * prime1, 23) * prime2 + prime3;
        n -= 4;
        p += 4;
    }
    for (; n; n--, p++) h = rotate(h ^ *p * prime5, 11) * prime1;
    h = (h ^ h >> 33) * prime2;
    h = (h ^ h >> 29) * prime3;
    return h ^ h >> 32;
}

uint64_t hash64(const void *data, size_t n, uint64_t seed)
{
    const uint8_t *p = data;
    uint64_t lane[4], total = n;

    lanes_init(lane, seed);
    for (; n >= 32; n -= 32, p += 32) stripe(lane, p);
    return finish(lane, seed, total, p, n);
}

void digest_init(struct digest *d)
{
    *d = (struct digest){ 0 };
    lanes_init(d->lane, 0);
}

void digest_add(struct digest *d, const void *data, size_t n)
{
    const uint8_t *p = data;

    d->total += n;
    if (d->n_tail) {
        size_t take = 32 - (size_t)d->n_tail < n ? 32 - (size_t)d->n_tail : n;
        memcpy(d->tail + d->n_tail, p, take);
        d->n_tail += (int)take;
        p += take;
        n -= take;
        if (d->n_tail < 32) return;
        stripe(d->lane, d->tail);
        d->n_tail = 0;
    }
    for (; n >= 32; n -= 32, p += 32) stripe(d->lane, p);
    if (n) memcpy(d->tail, p, n);
    d->n_tail = (int)n;
}

uint64_t digest_value(const struct digest *d)
{
    return finish(d->lane, 0, d->total, d->tail, (size_t)d->n_tail);
}

/* A slot has the index + 1 below and the top of the hash above: other keys are told apart without a look at them. */
#define INDEX_BITS 40
#define INDEX_MASK (((int64_t)1 << INDEX_BITS) - 1)

static int64_t slot_value(int64_t index, uint64_t hash)
{
    return (int64_t)(hash >> INDEX_BITS << INDEX_BITS) | (index + 1);
}

static int64_t slot_index(int64_t slot)
{
    return (slot & INDEX_MASK) - 1;
}

/* Enters a number that is not there yet. */
static void place(int64_t *slot, int64_t n_slots, int64_t number, uint64_t hash)
{
    uint64_t at = hash;

    while (slot[at & (uint64_t)(n_slots - 1)]) at++;
    slot[at & (uint64_t)(n_slots - 1)] = slot_value(number, hash);
}

static int64_t *find_slot(const struct map *m, const void *key, size_t n, uint64_t hash)
{
    for (uint64_t i = hash;; i++) {
        int64_t *slot = &m->slot[i & (uint64_t)(m->n_slots - 1)];
        if (!*slot) return slot;
        if ((uint64_t)*slot >> INDEX_BITS != hash >> INDEX_BITS) continue;
        const struct map_entry *e = &m->at[slot_index(*slot)];
        if (e->hash == hash && e->n == n && !memcmp(e->key, key, n)) return slot;
    }
}

int64_t *map_find(const struct map *m, const void *key, size_t n)
{
    if (!m->n) return NULL;
    int64_t *slot = find_slot(m, key, n, hash64(key, n, 0));
    return *slot ? &m->at[slot_index(*slot)].value : NULL;
}

static void map_grow(struct map *m)
{
    m->n_slots = m->n_slots ? m->n_slots * 2 : 16;
    free(m->slot);
    m->slot = mem_new(int64_t, m->n_slots);
    for (int64_t i = 0; i < m->n; i++) place(m->slot, m->n_slots, i, m->at[i].hash);
}

int64_t *map_put(struct map *m, const void *key, size_t n, bool *is_new)
{
    uint64_t hash = hash64(key, n, 0);

    if ((m->n + 1) * 4 > m->n_slots * 3) map_grow(m);
    int64_t *slot = find_slot(m, key, n, hash);
    if (is_new) *is_new = !*slot;
    if (!*slot) {
        mem_reserve(&m->at, &m->cap, m->n + 1);
        m->at[m->n] = (struct map_entry){ mem_strndup(key, n), n, 0, hash };
        *slot = slot_value(m->n++, hash);
    }
    return &m->at[slot_index(*slot)].value;
}

void map_clear(struct map *m)
{
    for (int64_t i = 0; i < m->n; i++) free(m->at[i].key);
    if (m->slot) memset(m->slot, 0, (size_t)m->n_slots * sizeof *m->slot);
    m->n = 0;
}

void map_release(struct map *m)
{
    map_clear(m);
    free(m->at);
    free(m->slot);
    *m = (struct map){ 0 };
}

int64_t slots_next(const struct slots *s, uint64_t hash, uint64_t *at)
{
    while (s->n_slots && *at - hash < (uint64_t)s->n_slots) {
        int64_t slot = s->slot[(*at)++ & (uint64_t)(s->n_slots - 1)];
        if (!slot) return -1;
        if ((uint64_t)slot >> INDEX_BITS == hash >> INDEX_BITS) return slot_index(slot);
    }
    return -1;
}

int64_t slots_add(struct slots *s, uint64_t hash)
{
    if ((s->n + 1) * 4 > s->n_slots * 3) {
        s->n_slots = s->n_slots ? s->n_slots * 2 : 16;
        free(s->slot);
        s->slot = mem_new(int64_t, s->n_slots);
        for (int64_t i = 0; i < s->n; i++) place(s->slot, s->n_slots, i, s->hash[i]);
    }
    mem_reserve(&s->hash, &s->cap, s->n + 1);
    s->hash[s->n] = hash;
    place(s->slot, s->n_slots, s->n, hash);
    return s->n++;
}

bool slots_check(const struct slots *s)
{
    int64_t used = 0;

    if (s->n_slots & (s->n_slots - 1)) return false;
    for (int64_t i = 0; i < s->n_slots; i++) {
        if (!s->slot[i]) continue;
        if (slot_index(s->slot[i]) < 0 || slot_index(s->slot[i]) >= s->n) return false;
        used++;
    }
    return used == s->n;
}

void slots_release(struct slots *s)
{
    free(s->slot);
    free(s->hash);
    *s = (struct slots){ 0 };
}
