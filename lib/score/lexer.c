/* The patterns become one non-deterministic automaton (Thompson's construction); its deterministic states are made when
 * a text first needs them, over classes of units that no pattern tells apart. */
#include "score/lexer.h"
#include "core/hash.h"
#include "core/mem.h"
#include "score/unicode.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { UNITS = 1 << 16, NONE = -1, DEAD = 0, STATES_MAX = 1 << 14 /* 20 MB of tables; captions need some hundreds */ };

struct range {
    uint16_t from, to;
};
struct unit_set {
    struct range *at; /* sorted, apart */
    int64_t n, cap;
    bool *has_class;
};
enum node_type { NODE_SET, NODE_FORK, NODE_END };
struct node {
    enum node_type type;
    int value;  /* the set; the rule */
    int out[2]; /* NONE: not (yet) used */
};
struct state {
    int *nodes, n_nodes; /* sets and ends, sorted */
    int rule;            /* the first that ends here, or NONE */
    int *next;           /* by class; NONE: not made yet, DEAD: nothing matches */
};
struct lexer {
    struct unit_set *sets, kinds[3];
    struct node *nodes;
    struct state *states;
    int64_t n_sets, cap_sets, n_nodes, cap_nodes, n_states, cap_states;
    uint16_t *class_of; /* [UNITS] */
    int n_classes, n_rules;
    int all;                              /* node where every rule starts */
    int *body, *ahead;                    /* nodes where parts of a rule with something ahead start; NONE */
    int start, *body_start, *ahead_start; /* their states, NONE: not made yet */
    struct map known;                     /* states by their nodes */
    int64_t *seen, stamp;                 /* [n_nodes] */
    int *stack;                           /* [n_nodes] */
    int64_t *cut, n_cut, cap_cut;
    const struct lexer_name *names;
};

/* ---- sets ---- */

static void set_add(struct unit_set *s, uint32_t from, uint32_t to)
{
    mem_reserve(&s->at, &s->cap, s->n + 1);
    s->at[s->n++] = (struct range){ (uint16_t)from, (uint16_t)to };
}

/* Adds the letters (0), digits (1) or capitals (2). */
static void set_add_kind(struct lexer *l, struct unit_set *out, int kind)
{
    static bool (*const tests[])(uint32_t c) = { unicode_is_letter, unicode_is_digit, unicode_is_capital };
    bool (*is_in)(uint32_t c) = tests[kind];
    struct unit_set *s = &l->kinds[kind];
    uint32_t from = s->n ? UNITS + 1 : UNITS; /* past the end: collected already */

    for (uint32_t c = 0; c <= UNITS && from <= UNITS; c++) {
        bool yes = c < UNITS && is_in(c);
        if (yes && from == UNITS) from = c;
        if (!yes && from != UNITS) {
            set_add(s, from, c - 1);
            from = UNITS;
        }
    }
    for (int64_t i = 0; i < s->n; i++) set_add(out, s->at[i].from, s->at[i].to);
}

static int by_start(const void *a, const void *b)
{
    return (int)((const struct range *)a)->from - (int)((const struct range *)b)->from;
}

static void set_finish(struct unit_set *s, bool negate)
{
    struct unit_set out = { 0 };
    uint32_t free_from = 0;

    if (s->n) qsort(s->at, (size_t)s->n, sizeof *s->at, by_start);
    for (int64_t i = 0; i < s->n; i++) {
        struct range *last = out.n && !negate ? &out.at[out.n - 1] : NULL;
        if (negate) {
            if (s->at[i].from > free_from) set_add(&out, free_from, s->at[i].from - 1u);
            if (s->at[i].to + 1u > free_from) free_from = s->at[i].to + 1u;
        } else if (last && s->at[i].from <= last->to + 1) {
            if (s->at[i].to > last->to) last->to = s->at[i].to;
        } else {
            set_add(&out, s->at[i].from, s->at[i].to);
        }
    }
    if (negate && free_from < UNITS) set_add(&out, free_from, UNITS - 1);
    free(s->at);
    *s = out;
}

/* Takes the set over; equal ones share a number. */
static int set_number(struct lexer *l, struct unit_set *s)
{
    for (int64_t i = 0; i < l->n_sets; i++) {
        if (l->sets[i].n != s->n || (s->n && memcmp(l->sets[i].at, s->at, (size_t)s->n * sizeof *s->at))) continue;
        free(s->at);
        return (int)i;
    }
    mem_reserve(&l->sets, &l->cap_sets, l->n_sets + 1);
    l->sets[l->n_sets] = *s;
    return (int)l->n_sets++;
}

/* ---- patterns to nodes ---- */

struct part { /* entered at start; left through end's first way out */
    int start, end;
};

static int node_new(struct lexer *l, enum node_type type, int value)
{
    mem_reserve(&l->nodes, &l->cap_nodes, l->n_nodes + 1);
    l->nodes[l->n_nodes] = (struct node){ type, value, { NONE, NONE } };
    return (int)l->n_nodes++;
}

static struct part parse_choice(struct lexer *l, const char **p);

static uint32_t parse_unit(const char **p)
{
    uint32_t c;

    if (**p != '\\') {
        int bytes = utf8_decode(*p, strlen(*p), &c);
        assert(bytes && c < UNITS);
        *p += bytes;
        return c;
    }
    char what = (*p)[1];
    *p += 2;
    if (what == 'x') {
        char hex[3] = { (*p)[0], (*p)[1], 0 };
        *p += 2;
        return (uint32_t)strtoul(hex, NULL, 16);
    }
    return what == 'n' ? '\n' : what == 't' ? '\t' : what == 'r' ? '\r' : what == 'f' ? '\f' : (unsigned char)what;
}

/* \l \d \u */
static bool parse_kind(struct lexer *l, const char **p, struct unit_set *s)
{
    if (**p != '\\' || !strchr("ldu", (*p)[1])) return false;
    set_add_kind(l, s, (*p)[1] == 'l' ? 0 : (*p)[1] == 'd' ? 1 : 2);
    *p += 2;
    return true;
}

static struct part set_part(struct lexer *l, struct unit_set *s, bool negate)
{
    set_finish(s, negate);
    int n = node_new(l, NODE_SET, set_number(l, s));
    return (struct part){ n, n };
}

static struct part parse_set(struct lexer *l, const char **p)
{
    struct unit_set s = { 0 };
    bool negate = *++*p == '^';

    *p += negate;
    while (**p != ']') {
        assert(**p);
        if (parse_kind(l, p, &s)) continue;
        uint32_t from = parse_unit(p), to = from;
        if (**p == '-' && (*p)[1] != ']') {
            ++*p;
            to = parse_unit(p);
        }
        assert(from <= to);
        set_add(&s, from, to);
    }
    ++*p;
    return set_part(l, &s, negate);
}

static struct part parse_name(struct lexer *l, const char **p)
{
    size_t n = strcspn(++*p, "}");
    const struct lexer_name *name = l->names;

    while (name->name && (strlen(name->name) != n || memcmp(name->name, *p, n))) name++;
    assert(name->name);
    *p += n + 1;
    const char *pattern = name->pattern;
    struct part x = parse_choice(l, &pattern);
    assert(!*pattern);
    return x;
}

static struct part parse_atom(struct lexer *l, const char **p)
{
    struct unit_set s = { 0 };

    if (**p == '[') return parse_set(l, p);
    if (**p == '{') return parse_name(l, p);
    if (**p == '(') {
        ++*p;
        struct part x = parse_choice(l, p);
        assert(**p == ')');
        ++*p;
        return x;
    }
    if (!parse_kind(l, p, &s)) {
        assert(**p && !strchr("*+?)|", **p));
        uint32_t c = parse_unit(p);
        set_add(&s, c, c);
        if (c < 0x80 && unicode_is_letter(c)) set_add(&s, c ^ 32, c ^ 32);
    }
    return set_part(l, &s, false);
}

static void join_to(struct lexer *l, struct part *x, struct part next)
{
    l->nodes[x->end].out[0] = next.start;
    x->end = next.end;
}

/* x repeated as often as one wants, also never when may_miss. */
static struct part repeat(struct lexer *l, struct part x, bool may_miss)
{
    int fork = node_new(l, NODE_FORK, 0), end = node_new(l, NODE_FORK, 0);

    l->nodes[x.end].out[0] = fork;
    l->nodes[fork].out[0] = x.start;
    l->nodes[fork].out[1] = end;
    return (struct part){ may_miss ? fork : x.start, end };
}

static struct part maybe(struct lexer *l, struct part x)
{
    int fork = node_new(l, NODE_FORK, 0), end = node_new(l, NODE_FORK, 0);

    l->nodes[fork].out[0] = x.start;
    l->nodes[fork].out[1] = end;
    l->nodes[x.end].out[0] = end;
    return (struct part){ fork, end };
}

/* {2,4} and {2,}: the atom is parsed once more for each time. */
static struct part parse_times(struct lexer *l, const char **p, const char *atom, struct part first)
{
    int least = (*p)[1] - '0', most = (*p)[2] == '}' ? least : (*p)[3] == '}' ? 0 : (*p)[3] - '0';

    *p += (*p)[2] == '}' ? 3 : (*p)[3] == '}' ? 4 : 5;
    struct part all = least ? first : maybe(l, first);
    for (int k = 1; k < least || k < most; k++) {
        const char *again = atom;
        struct part x = parse_atom(l, &again);
        join_to(l, &all, k < least ? x : maybe(l, x));
    }
    if (!most) {
        const char *again = atom;
        join_to(l, &all, repeat(l, parse_atom(l, &again), true));
    }
    return all;
}

static struct part parse_sequence(struct lexer *l, const char **p)
{
    int start = node_new(l, NODE_FORK, 0);
    struct part all = { start, start };

    while (**p && **p != '|' && **p != ')') {
        const char *atom = *p;
        struct part x = parse_atom(l, p);
        if (**p == '{' && (*p)[1] >= '0' && (*p)[1] <= '9') x = parse_times(l, p, atom, x);
        else if (**p == '*' || **p == '+') x = repeat(l, x, *(*p)++ == '*');
        else if (**p == '?') x = maybe(l, x), ++*p;
        join_to(l, &all, x);
    }
    return all;
}

static struct part parse_choice(struct lexer *l, const char **p)
{
    struct part all = parse_sequence(l, p);

    while (**p == '|') {
        ++*p;
        struct part other = parse_sequence(l, p);
        int fork = node_new(l, NODE_FORK, 0), end = node_new(l, NODE_FORK, 0);
        l->nodes[fork].out[0] = all.start;
        l->nodes[fork].out[1] = other.start;
        l->nodes[all.end].out[0] = l->nodes[other.end].out[0] = end;
        all = (struct part){ fork, end };
    }
    return all;
}

static struct part parse(struct lexer *l, const char *pattern)
{
    struct part x = parse_choice(l, &pattern);

    assert(!*pattern);
    return x;
}

/* ---- classes ---- */

static int as_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Units between two neighbouring borders of sets belong together; so do stretches that are in the same sets. */
static void make_classes(struct lexer *l)
{
    struct map found = { 0 };
    int64_t cap = 0, n = 1;
    int *border = NULL, *first = mem_new(int, UNITS);
    char *in = mem_new(char, l->n_sets + 1);

    mem_reserve(&border, &cap, 1);
    for (int64_t i = 0; i < l->n_sets; i++) {
        mem_reserve(&border, &cap, n + 2 * l->sets[i].n);
        for (int64_t k = 0; k < l->sets[i].n; k++) {
            border[n++] = l->sets[i].at[k].from;
            border[n++] = l->sets[i].at[k].to + 1;
        }
    }
    qsort(border, (size_t)n, sizeof *border, as_number);
    for (int64_t i = 0; i < n; i++) {
        int from = border[i], to = i + 1 < n ? border[i + 1] : UNITS;
        bool is_new;
        if (from >= to) continue;
        for (int64_t k = 0; k < l->n_sets; k++) {
            const struct unit_set *s = &l->sets[k];
            struct range *r =
                bsearch(&(struct range){ (uint16_t)from, 0 }, s->at, (size_t)s->n, sizeof *s->at, by_start);
            for (int64_t low = 0, high = r ? 0 : s->n; low < high;) { /* the range that starts before */
                int64_t mid = (low + high) / 2;
                if (s->at[mid].to < from) low = mid + 1;
                else high = mid, r = &s->at[mid];
            }
            in[k] = r && r->from <= from && from <= r->to ? 'y' : 'n';
        }
        int64_t *class = map_put(&found, in, (size_t)l->n_sets, &is_new);
        if (is_new) *class = found.n - 1, first[*class] = from;
        for (int c = from; c < to; c++) l->class_of[c] = (uint16_t) * class;
    }
    l->n_classes = (int)found.n;
    for (int64_t k = 0; k < l->n_sets; k++) {
        l->sets[k].has_class = mem_new(bool, l->n_classes);
        for (int c = 0; c < l->n_classes; c++) l->sets[k].has_class[c] = found.at[c].key[k] == 'y';
    }
    map_release(&found);
    free(border);
    free(first);
    free(in);
}

static void end_part(struct lexer *l, struct part x, int rule)
{
    int end = node_new(l, NODE_END, rule); /* moves the nodes */

    l->nodes[x.end].out[0] = end;
}

struct lexer *lexer_new(const struct lexer_rule *rules, int n_rules, const struct lexer_name *names)
{
    struct lexer *l = mem_new(struct lexer, 1);

    *l = (struct lexer){ .n_rules = n_rules, .all = NONE, .start = NONE, .names = names };
    l->body = mem_new(int, 4 * n_rules);
    l->ahead = l->body + n_rules;
    l->body_start = l->ahead + n_rules;
    l->ahead_start = l->body_start + n_rules;
    for (int r = 0; r < 4 * n_rules; r++) l->body[r] = NONE;
    for (int r = 0; r < n_rules; r++) {
        struct part x = parse(l, rules[r].body), other;
        if (rules[r].ahead) {
            other = parse(l, rules[r].ahead);
            join_to(l, &x, other);
        }
        end_part(l, x, r);
        int fork = node_new(l, NODE_FORK, 0);
        l->nodes[fork].out[0] = x.start;
        l->nodes[fork].out[1] = l->all;
        l->all = fork;
        if (!rules[r].ahead) continue;
        x = parse(l, rules[r].body);
        end_part(l, x, r);
        other = parse(l, rules[r].ahead);
        end_part(l, other, r);
        l->body[r] = x.start;
        l->ahead[r] = other.start;
    }
    l->class_of = mem_new(uint16_t, UNITS);
    l->seen = mem_new(int64_t, l->n_nodes);
    l->stack = mem_new(int, l->n_nodes);
    make_classes(l);
    return l;
}

/* ---- states ---- */

static void states_clear(struct lexer *l)
{
    for (int64_t i = 0; i < l->n_states; i++) {
        free(l->states[i].nodes);
        free(l->states[i].next);
    }
    map_clear(&l->known);
    l->n_states = 0;
    l->start = NONE;
    for (int r = 0; r < l->n_rules; r++) l->body_start[r] = l->ahead_start[r] = NONE;
}

void lexer_free(struct lexer *l)
{
    if (!l) return;
    states_clear(l);
    for (int64_t i = 0; i < l->n_sets; i++) {
        free(l->sets[i].at);
        free(l->sets[i].has_class);
    }
    for (int k = 0; k < 3; k++) free(l->kinds[k].at);
    map_release(&l->known);
    free(l->sets);
    free(l->nodes);
    free(l->states);
    free(l->class_of);
    free(l->body);
    free(l->seen);
    free(l->stack);
    free(l->cut);
    free(l);
}

/* Adds to nodes what can be reached from one node without reading. */
static void reach(struct lexer *l, int from, int *nodes, int *n)
{
    int depth = 0;

    if (from == NONE || l->seen[from] == l->stamp) return;
    l->seen[from] = l->stamp;
    l->stack[depth++] = from;
    while (depth) {
        int at = l->stack[--depth];
        if (l->nodes[at].type != NODE_FORK) {
            nodes[(*n)++] = at;
            continue;
        }
        for (int k = 0; k < 2; k++) {
            int to = l->nodes[at].out[k];
            if (to == NONE || l->seen[to] == l->stamp) continue;
            l->seen[to] = l->stamp;
            l->stack[depth++] = to;
        }
    }
}

/* The state of these nodes; takes the array over. */
static int state_of(struct lexer *l, int *nodes, int n)
{
    bool is_new;

    qsort(nodes, (size_t)n, sizeof *nodes, as_number);
    int64_t *number = map_put(&l->known, nodes, (size_t)n * sizeof *nodes, &is_new);
    if (!is_new) {
        free(nodes);
        return (int)*number;
    }
    *number = l->n_states;
    mem_reserve(&l->states, &l->cap_states, l->n_states + 1);
    struct state *s = &l->states[l->n_states];
    *s = (struct state){ nodes, n, NONE, mem_new(int, l->n_classes) };
    for (int c = 0; c < l->n_classes; c++) s->next[c] = NONE;
    for (int i = 0; i < n; i++) {
        const struct node *x = &l->nodes[nodes[i]];
        if (x->type == NODE_END && (s->rule == NONE || x->value < s->rule)) s->rule = x->value;
    }
    return (int)l->n_states++;
}

static int state_from(struct lexer *l, int node, int *known)
{
    int *nodes, n = 0;

    if (!l->n_states) state_of(l, mem_new(int, 1), 0); /* DEAD */
    if (*known != NONE) return *known;
    nodes = mem_new(int, l->n_nodes);
    l->stamp++;
    reach(l, node, nodes, &n);
    return *known = state_of(l, nodes, n);
}

static int make_next(struct lexer *l, int at, int class)
{
    const struct state *s = &l->states[at];
    int *nodes = mem_new(int, l->n_nodes), n = 0;

    l->stamp++;
    for (int i = 0; i < s->n_nodes; i++) {
        const struct node *x = &l->nodes[s->nodes[i]];
        if (x->type == NODE_SET && l->sets[x->value].has_class[class]) reach(l, x->out[0], nodes, &n);
    }
    int *fitting = mem_new(int, n + 1);
    memcpy(fitting, nodes, (size_t)n * sizeof *nodes);
    free(nodes);
    int next = state_of(l, fitting, n);
    return l->states[at].next[class] = next;
}

static int step(struct lexer *l, int at, uint16_t unit)
{
    int class = l->class_of[unit], next = l->states[at].next[class];

    return next != NONE ? next : make_next(l, at, class);
}

/* Where between 0 and n the body ends, so that what follows it ends at n: as late as possible. */
static int64_t divide(struct lexer *l, const uint16_t *text, int64_t n, int rule)
{
    int at = state_from(l, l->body[rule], &l->body_start[rule]),
        from = state_from(l, l->ahead[rule], &l->ahead_start[rule]);

    l->n_cut = 0;
    for (int64_t i = 0; i < n && at != DEAD; i++) {
        at = step(l, at, text[i]);
        if (l->states[at].rule == NONE) continue;
        mem_reserve(&l->cut, &l->cap_cut, l->n_cut + 1);
        l->cut[l->n_cut++] = i + 1;
    }
    while (l->n_cut) {
        int64_t cut = l->cut[--l->n_cut], i = cut;
        at = from;
        while (i < n && at != DEAD) at = step(l, at, text[i++]);
        if (i == n && l->states[at].rule != NONE) return cut;
    }
    return 0;
}

int64_t lexer_match(struct lexer *l, const uint16_t *text, int64_t n, int *rule)
{
    int64_t best = 0;

    if (n > LEXER_REACH) n = LEXER_REACH;
    if (l->n_states > STATES_MAX) states_clear(l);
    int at = state_from(l, l->all, &l->start);
    for (int64_t i = 0; i < n; i++) {
        at = step(l, at, text[i]);
        if (at == DEAD) break;
        if (l->states[at].rule == NONE) continue;
        best = i + 1;
        *rule = l->states[at].rule;
    }
    return best && l->body[*rule] != NONE ? divide(l, text, best, *rule) : best;
}
