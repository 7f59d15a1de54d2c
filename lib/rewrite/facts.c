#include "rewrite/facts.h"
#include "rewrite/kinds.h"
#include "rewrite/nouns.h"
#include <stdlib.h>
#include <string.h>

void facts_print(const struct scene_graph *g, struct str *out)
{
    for (int i = 0; i < g->n_objects; i++) {
        if (g->objects[i].is_absent) continue;
        str_addf(out, "%s%s\n", g->objects[i].name, g->objects[i].is_plural ? "+" : "");
        for (int k = 0; k < g->n_attributes; k++) {
            if (g->attributes[k].object == i) str_addf(out, "%s|%s\n", g->objects[i].name, g->attributes[k].name);
        }
    }
}

void facts_add(struct facts *f, const char *lines, struct arena *a)
{
    for (const char *p = lines; *p;) {
        size_t n = strcspn(p, "\n"), m = 0;
        bool plural = n && p[n - 1] == '+', known = false;
        while (m < n && p[m] != '|') m++;
        struct fact x = { arena_strndup(a, p, m - (plural && m == n)),
                          m < n ? arena_strndup(a, p + m + 1, n - m - 1) : NULL, plural };
        for (int i = 0; i < f->n && !known; i++) {
            const struct fact *y = &f->at[i];
            known = !strcmp(x.name, y->name) && x.is_plural == y->is_plural && !x.attribute == !y->attribute &&
                    (!x.attribute || !strcmp(x.attribute, y->attribute));
        }
        p += n + (p[n] == '\n');
        if (known || !*x.name) continue;
        if (f->n == f->cap) {
            struct fact *more = arena_new(a, struct fact, 2 * f->cap + 16);
            if (f->n) memcpy(more, f->at, sizeof *more * (size_t)f->n);
            f->at = more;
            f->cap = 2 * f->cap + 16;
        }
        f->at[f->n++] = x;
    }
}

static const char *head_of(const char *name)
{
    const char *blank = strrchr(name, ' ');

    return blank ? blank + 1 : name;
}

static const struct known_name *known_name(struct names *x, const char *name)
{
    bool is_new;
    int64_t *i = map_put(&x->known, name, strlen(name), &is_new);

    if (is_new) {
        *i = x->known.n - 1;
        mem_reserve(&x->names, &x->cap, x->known.n);
        struct known_name *k = &x->names[*i];
        wordnet_meaning(x->wordnet, &k->meaning, WN_NOUN, name, 0, 0, &x->arena);
        if (!k->meaning.n_own && strrchr(name, ' '))
            wordnet_meaning(x->wordnet, &k->meaning, WN_NOUN, strrchr(name, ' ') + 1, 0, 0, &x->arena);
        int file = wordnet_file(x->wordnet, name);
        if (file < 0) file = wordnet_file(x->wordnet, head_of(name));
        k->traits = person_traits(name);
        k->is_trade = !k->traits && file == LEX_PERSON;
    }
    return &x->names[*i];
}

/* A trade says nothing about sex and age; of two trades a person has one, as far as a picture shows. */
static bool persons_may_be_one(const struct known_name *a, const struct known_name *b)
{
    return (a->traits || b->traits) && (a->traits || a->is_trade) && (b->traits || b->is_trade) &&
           persons_may_agree(a->traits, b->traits);
}

bool names_related(struct names *x, const char *a, const char *b)
{
    enum { REMEMBERED_MAX = 100000 };

    if (!strcmp(a, b) || !strcmp(head_of(a), b) || !strcmp(a, head_of(b))) return true;
    if (nouns_are_kin(a, b) || places_may_agree(a, b)) return true;
    if (x->lexicon && lexicon_is_alias(x->lexicon, a, b)) return true;
    if (!x->wordnet) return false;
    if (x->known.n > REMEMBERED_MAX) {
        map_clear(&x->known);
        arena_reset(&x->arena);
    }
    const struct known_name p = *known_name(x, a), *q = known_name(x, b); /* a copy: the table may move */
    return persons_may_be_one(&p, q) || meaning_related(&p.meaning, &q->meaning);
}

void names_release(struct names *x)
{
    map_release(&x->known);
    free(x->names);
    arena_release(&x->arena);
    *x = (struct names){ 0 };
}

bool facts_have(const struct facts *f, struct names *x, const char *name)
{
    for (int i = 0; i < f->n; i++) {
        if (!f->at[i].attribute && names_related(x, f->at[i].name, name)) return true;
    }
    return false;
}

/* Whether each object of this name in f that has an attribute of the kind has a contrary one, and some has. */
static bool is_contrary(const struct facts *f, struct names *x, const struct fact *claim)
{
    bool any = false;

    for (int i = 0; i < f->n; i++) {
        const struct fact *y = &f->at[i];
        if (y->is_plural && names_related(x, y->name, claim->name)) return false; /* several of them: who knows */
        if (!y->attribute || !names_related(x, y->name, claim->name)) continue;
        enum contrast c = attributes_contrast(y->attribute, claim->attribute);
        if (c == CONTRAST_SAME || c == CONTRAST_UNCLEAR) return false;
        if (c == CONTRAST_CONTRARY) any = true;
    }
    return any;
}

bool facts_contradict(const struct facts *f, const struct facts *other, struct names *x)
{
    for (int i = 0; i < other->n; i++) {
        if (!other->at[i].attribute ? !facts_have(f, x, other->at[i].name) : is_contrary(f, x, &other->at[i]))
            return true;
    }
    return false;
}
