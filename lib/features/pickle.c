#include "features/pickle.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { STACK_MAX = 10000, MARKS_MAX = 256, MEMO_MAX = 100000, STEPS_MAX = 200000 };
struct machine {
    struct arena *arena;
    const uint8_t *at, *end;
    struct item *stack[STACK_MAX];
    int n;
    int marks[MARKS_MAX], n_marks;
    struct item **memo;
    int64_t n_memo, cap_memo;
};

static struct item *fresh(struct machine *m, enum item_kind kind)
{
    struct item *i = arena_new(m->arena, struct item, 1);

    i->kind = kind;
    return i;
}

static int push(struct machine *m, struct item *i, struct err *e)
{
    if (m->n == STACK_MAX) return err_set(e, ERR_INPUT, "a pickle too deep");
    m->stack[m->n++] = i;
    return 0;
}

static struct item *pop(struct machine *m, struct err *e)
{
    int floor = m->n_marks ? m->marks[m->n_marks - 1] : 0;

    if (m->n > floor) return m->stack[--m->n];
    err_set(e, ERR_INPUT, "a pickle that takes what is not there");
    return NULL;
}

static void add(struct machine *m, struct item *to, struct item *x)
{
    if (to->n == to->cap) {
        int64_t cap = to->cap ? 2 * to->cap : 4;
        struct item **more = arena_new(m->arena, struct item *, cap);
        if (to->n) memcpy(more, to->at, (size_t)to->n * sizeof *more);
        to->at = more;
        to->cap = cap;
    }
    to->at[to->n++] = x;
}

static const uint8_t *take(struct machine *m, uint64_t n, struct err *e)
{
    const uint8_t *p = m->at;

    if (n > (uint64_t)(m->end - m->at)) {
        err_set(e, ERR_INPUT, "a pickle that is cut short");
        return NULL;
    }
    m->at += n;
    return p;
}

/* A number of `bytes` little-endian bytes. */
static int number(struct machine *m, int bytes, uint64_t *v, struct err *e)
{
    const uint8_t *p = take(m, (uint64_t)bytes, e);

    *v = 0;
    for (int i = 0; i < bytes && p; i++) *v |= (uint64_t)p[i] << (8 * i);
    return p ? 0 : -1;
}

static int push_text(struct machine *m, enum item_kind kind, int length_bytes, struct err *e)
{
    uint64_t n;
    struct item *i = fresh(m, kind);

    if (number(m, length_bytes, &n, e) || !(i->text = (const char *)take(m, n, e))) return -1;
    i->n = (int64_t)n;
    return push(m, i, e);
}

static int push_int(struct machine *m, int64_t v, struct err *e)
{
    struct item *i = fresh(m, ITEM_INT);

    i->integer = v;
    return push(m, i, e);
}

/* Two's complement of any length up to eight bytes. */
static int push_long(struct machine *m, int unused, struct err *e)
{
    uint64_t n, v;

    if (number(m, 1, &n, e)) return -1;
    if (n > 8) return err_set(e, ERR_INPUT, "a number of %" PRIu64 " bytes in a pickle", n);
    if (number(m, (int)n, &v, e)) return -1;
    if (n && n < 8 && v >> (8 * n - 1)) v |= ~0ULL << (8 * n);
    return push_int(m, (int64_t)v, e);
}

static int push_real(struct machine *m, int unused, struct err *e)
{
    const uint8_t *p = take(m, 8, e);
    struct item *i = fresh(m, ITEM_REAL);
    uint64_t v = 0;

    if (!p) return -1;
    for (int k = 0; k < 8; k++) v = v << 8 | p[k]; /* the only big-endian number */
    memcpy(&i->real, &v, 8);
    return push(m, i, e);
}

static int push_name(struct machine *m, const char *module, size_t module_n, const char *name, size_t name_n,
                     struct err *e)
{
    static const char *const allowed[] = { "numpy.core.multiarray _reconstruct",
                                           "numpy._core.multiarray _reconstruct",
                                           "numpy.core.multiarray scalar",
                                           "numpy._core.multiarray scalar",
                                           "numpy ndarray",
                                           "numpy dtype",
                                           "_codecs encode" };
    struct item *i = fresh(m, ITEM_NAME);
    struct str full = { 0 };

    str_add_bytes(&full, module, module_n);
    str_add_char(&full, ' ');
    str_add_bytes(&full, name, name_n);
    for (size_t k = 0; k < sizeof allowed / sizeof *allowed && !i->text; k++) {
        if (full.n == strlen(allowed[k]) && !memcmp(full.data, allowed[k], full.n)) i->text = allowed[k];
    }
    if (!i->text) err_set(e, ERR_INPUT, "a pickle that asks for %s, which is no array", err_quote(full.data));
    str_release(&full);
    return i->text ? push(m, i, e) : -1;
}

static int push_global(struct machine *m, int unused, struct err *e)
{
    const uint8_t *module = m->at, *a = memchr(module, '\n', (size_t)(m->end - module));
    const uint8_t *b = a ? memchr(a + 1, '\n', (size_t)(m->end - a - 1)) : NULL;

    if (!b) return err_set(e, ERR_INPUT, "a pickle that is cut short");
    m->at = b + 1;
    return push_name(m, (const char *)module, (size_t)(a - module), (const char *)a + 1, (size_t)(b - a - 1), e);
}

/* Takes the items above the last mark, or the last `count`, into a container. */
static int gather(struct machine *m, struct item *to, int count, struct err *e)
{
    int from = count >= 0 ? m->n - count : m->n_marks ? m->marks[m->n_marks - 1] : -1;
    int floor = count >= 0 && m->n_marks ? m->marks[m->n_marks - 1] : 0;

    if (from < floor || from > m->n) return err_set(e, ERR_INPUT, "a pickle that takes what is not there");
    if (count < 0) m->n_marks--;
    for (int i = from; i < m->n; i++) add(m, to, m->stack[i]);
    m->n = from;
    return 0;
}

static int push_tuple(struct machine *m, int count, struct err *e)
{
    struct item *i = fresh(m, ITEM_LIST);

    return gather(m, i, count, e) ? -1 : push(m, i, e);
}

/* Adds to the container under what is gathered. */
static int extend(struct machine *m, enum item_kind kind, int count, struct err *e)
{
    struct item more = { 0 };

    if (gather(m, &more, count, e)) return -1;
    struct item *to = m->n ? m->stack[m->n - 1] : NULL;
    if (!to || to->kind != kind || (kind == ITEM_DICT && more.n % 2))
        return err_set(e, ERR_INPUT, "a pickle that adds to what is no container");
    for (int64_t i = 0; i < more.n; i++) {
        if (more.at[i] == to) return err_set(e, ERR_INPUT, "a pickle that holds itself");
        add(m, to, more.at[i]);
    }
    return 0;
}

static int reduce(struct machine *m, int unused, struct err *e)
{
    struct item *arguments = pop(m, e), *name = arguments ? pop(m, e) : NULL, *call = fresh(m, ITEM_CALL);

    if (!name) return -1;
    if (name->kind != ITEM_NAME || arguments->kind != ITEM_LIST)
        return err_set(e, ERR_INPUT, "a pickle that calls what is no name");
    add(m, call, name);
    add(m, call, arguments);
    return push(m, call, e);
}

static int build(struct machine *m, int unused, struct err *e)
{
    struct item *state = pop(m, e), *to = state && m->n ? m->stack[m->n - 1] : NULL;

    if (!to || to->kind != ITEM_CALL || to->state) return err_set(e, ERR_INPUT, "a pickle that builds no array");
    to->state = state;
    return 0;
}

static int put(struct machine *m, uint64_t at, struct err *e)
{
    if (!m->n || at >= MEMO_MAX) return err_set(e, ERR_INPUT, "a pickle that remembers what is not there");
    mem_reserve(&m->memo, &m->cap_memo, (int64_t)at + 1);
    if ((int64_t)at >= m->n_memo) m->n_memo = (int64_t)at + 1;
    m->memo[at] = m->stack[m->n - 1];
    return 0;
}

static int get(struct machine *m, uint64_t at, struct err *e)
{
    if ((int64_t)at >= m->n_memo || !m->memo[at])
        return err_set(e, ERR_INPUT, "a pickle that recalls what is not there");
    return push(m, m->memo[at], e);
}

static int stack_global(struct machine *m, int unused, struct err *e)
{
    struct item *name = pop(m, e), *module = name ? pop(m, e) : NULL;

    if (!module || name->kind != ITEM_TEXT || module->kind != ITEM_TEXT)
        return err_set(e, ERR_INPUT, "a pickle that asks for what is no name");
    return push_name(m, module->text, (size_t)module->n, name->text, (size_t)name->n, e);
}

static int skip(struct machine *m, int bytes, struct err *e)
{
    return take(m, (uint64_t)bytes, e) ? 0 : -1;
}

static int mark(struct machine *m, int unused, struct err *e)
{
    if (m->n_marks == MARKS_MAX) return err_set(e, ERR_INPUT, "a pickle too deep");
    m->marks[m->n_marks++] = m->n;
    return 0;
}

static int push_kind(struct machine *m, int kind, struct err *e)
{
    return push(m, fresh(m, (enum item_kind)kind), e);
}

static int push_bool(struct machine *m, int value, struct err *e)
{
    return push_int(m, value, e);
}

static int push_signed(struct machine *m, int bytes, struct err *e)
{
    uint64_t v;

    return number(m, bytes, &v, e) ? -1 : push_int(m, bytes == 4 ? (int32_t)v : (int64_t)v, e);
}

static int push_bytes(struct machine *m, int length_bytes, struct err *e)
{
    return push_text(m, ITEM_BYTES, length_bytes, e);
}

static int push_unicode(struct machine *m, int length_bytes, struct err *e)
{
    return push_text(m, ITEM_TEXT, length_bytes, e);
}

static int append(struct machine *m, int count, struct err *e)
{
    return extend(m, ITEM_LIST, count, e);
}

static int set_items(struct machine *m, int count, struct err *e)
{
    return extend(m, ITEM_DICT, count, e);
}

static int put_at(struct machine *m, int bytes, struct err *e)
{
    uint64_t v = (uint64_t)m->n_memo;

    return bytes && number(m, bytes, &v, e) ? -1 : put(m, v, e);
}

static int get_at(struct machine *m, int bytes, struct err *e)
{
    uint64_t v;

    return number(m, bytes, &v, e) ? -1 : get(m, v, e);
}

static int drop(struct machine *m, int unused, struct err *e)
{
    return pop(m, e) ? 0 : -1;
}

/* Opcodes, as Python's pickletools lists them. */
static const struct {
    uint8_t code;
    int (*run)(struct machine *m, int argument, struct err *e);
    int argument;
} opcodes[] = {
    { 0x80, skip, 1 },             /* PROTO */
    { 0x95, skip, 8 },             /* FRAME */
    { '(', mark },                 /* MARK */
    { '0', drop },                 /* POP */
    { 'N', push_kind, ITEM_NONE }, /* NONE */
    { 0x88, push_bool, 1 },        /* NEWTRUE */
    { 0x89, push_bool, 0 },        /* NEWFALSE */
    { 'J', push_signed, 4 },       /* BININT */
    { 'K', push_signed, 1 },       /* BININT1 */
    { 'M', push_signed, 2 },       /* BININT2 */
    { 0x8a, push_long },           /* LONG1 */
    { 'G', push_real },            /* BINFLOAT */
    { 'U', push_bytes, 1 },        /* SHORT_BINSTRING */
    { 'T', push_bytes, 4 },        /* BINSTRING */
    { 'C', push_bytes, 1 },        /* SHORT_BINBYTES */
    { 'B', push_bytes, 4 },        /* BINBYTES */
    { 0x8e, push_bytes, 8 },       /* BINBYTES8 */
    { 0x8c, push_unicode, 1 },     /* SHORT_BINUNICODE */
    { 'X', push_unicode, 4 },      /* BINUNICODE */
    { 0x8d, push_unicode, 8 },     /* BINUNICODE8 */
    { ']', push_kind, ITEM_LIST }, /* EMPTY_LIST */
    { 'a', append, 1 },            /* APPEND */
    { 'e', append, -1 },           /* APPENDS */
    { '}', push_kind, ITEM_DICT }, /* EMPTY_DICT */
    { 's', set_items, 2 },         /* SETITEM */
    { 'u', set_items, -1 },        /* SETITEMS */
    { ')', push_kind, ITEM_LIST }, /* EMPTY_TUPLE */
    { 't', push_tuple, -1 },       /* TUPLE */
    { 0x85, push_tuple, 1 },       /* TUPLE1 */
    { 0x86, push_tuple, 2 },       /* TUPLE2 */
    { 0x87, push_tuple, 3 },       /* TUPLE3 */
    { 'c', push_global },          /* GLOBAL */
    { 0x93, stack_global },        /* STACK_GLOBAL */
    { 'R', reduce },               /* REDUCE */
    { 'b', build },                /* BUILD */
    { 'q', put_at, 1 },            /* BINPUT */
    { 'r', put_at, 4 },            /* LONG_BINPUT */
    { 0x94, put_at, 0 },           /* MEMOIZE */
    { 'h', get_at, 1 },            /* BINGET */
    { 'j', get_at, 4 },            /* LONG_BINGET */
};

/* One opcode: 1 to go on, 0 at the end, -1. */
static int step(struct machine *m, struct err *e)
{
    const uint8_t *code = take(m, 1, e);

    if (!code) return -1;
    if (*code == '.') return 0; /* STOP */
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++) {
        if (opcodes[i].code == *code) return opcodes[i].run(m, opcodes[i].argument, e) ? -1 : 1;
    }
    return err_set(e, ERR_INPUT, "a pickle with the opcode 0x%02x, which no array needs", *code);
}

struct item *pickle_parse(struct arena *a, const uint8_t *data, int64_t n, struct err *e)
{
    struct machine *m = mem_new(struct machine, 1);
    struct item *top = NULL;
    int rc = 1;

    *m = (struct machine){ .arena = a, .at = data, .end = data + n };
    for (int64_t steps = 0; rc > 0; steps++)
        rc = steps < STEPS_MAX ? step(m, e) : err_set(e, ERR_INPUT, "a pickle of more than %d steps", STEPS_MAX);
    if (!rc) top = pop(m, e);
    free(m->memo);
    free(m);
    return top;
}

static bool is_text(const struct item *i, const char *text)
{
    return (i->kind == ITEM_TEXT || i->kind == ITEM_BYTES) && i->n == (int64_t)strlen(text) &&
           !memcmp(i->text, text, (size_t)i->n);
}

const struct item *item_get(const struct item *dict, const char *key)
{
    for (int64_t i = 0; dict && dict->kind == ITEM_DICT && i + 1 < dict->n; i += 2) {
        if (is_text(dict->at[i], key)) return dict->at[i + 1];
    }
    return NULL;
}

static bool is_call(const struct item *i, const char *function)
{
    return i && i->kind == ITEM_CALL && str_ends(i->at[0]->text, function);
}

/* Bytes, also as Python 2 and protocol 2 write them: a text of the code points, to be encoded as Latin-1. */
static bool item_bytes(struct arena *a, const struct item *i, const void **data, int64_t *n)
{
    const struct item *text = is_call(i, " encode") && i->at[1]->n ? i->at[1]->at[0] : NULL;

    if (i->kind == ITEM_BYTES) {
        *data = i->text;
        *n = i->n;
        return true;
    }
    if (!text || text->kind != ITEM_TEXT) return false;
    uint8_t *out = arena_new(a, uint8_t, text->n + 1);
    *data = out;
    *n = 0;
    for (int64_t at = 0; at < text->n;) {
        uint32_t code;
        int length = utf8_decode(text->text + at, (size_t)(text->n - at), &code);
        if (!length || code > 255) return false;
        out[(*n)++] = (uint8_t)code;
        at += length;
    }
    return true;
}

static bool item_type(const struct item *i, enum dtype *t, bool *is_object)
{
    const struct item *name = is_call(i, "numpy dtype") && i->at[1]->n ? i->at[1]->at[0] : NULL,
                      *order =
                          name && i->state && i->state->kind == ITEM_LIST && i->state->n > 1 ? i->state->at[1] : NULL;

    if (!name || (name->kind != ITEM_TEXT && name->kind != ITEM_BYTES)) return false;
    *is_object = is_text(name, "O8") || is_text(name, "O");
    *t = npy_type(name->text, (size_t)name->n);
    return (*is_object || *t != DT_NONE) && !(order && is_text(order, ">"));
}

static int not_an_array(struct err *e)
{
    return err_set(e, ERR_INPUT, "a pickle that holds something else than arrays");
}

static int scalar(struct arena *a, const struct item *i, struct npy *out, struct err *e)
{
    const struct item *arguments = i->at[1];
    bool is_object;

    *out = (struct npy){ .n = 1 };
    if (arguments->n != 2 || !item_type(arguments->at[0], &out->dtype, &is_object) || is_object ||
        !item_bytes(a, arguments->at[1], &out->data, &out->bytes) || out->bytes != dtype_size(out->dtype))
        return not_an_array(e);
    return 0;
}

int item_array(struct arena *a, const struct item *i, struct npy *out, const struct item **object, struct err *e)
{
    bool is_object;

    *object = NULL;
    if (is_call(i, " scalar")) return scalar(a, i, out, e);
    const struct item *s = is_call(i, " _reconstruct") ? i->state : NULL;
    *out = (struct npy){ .n = 1 };
    if (!s || s->kind != ITEM_LIST || s->n != 5 || s->at[1]->kind != ITEM_LIST || s->at[1]->n > LIMIT_RANK ||
        !item_type(s->at[2], &out->dtype, &is_object))
        return not_an_array(e);
    for (int64_t k = 0; k < s->at[1]->n; k++) {
        const struct item *size = s->at[1]->at[k];
        if (size->kind != ITEM_INT || size->integer < 0 || size->integer > LIMIT_ELEMENTS ||
            __builtin_mul_overflow(out->n, size->integer, &out->n) || out->n > LIMIT_ELEMENTS)
            return not_an_array(e);
        out->shape[out->rank++] = size->integer;
    }
    if (is_object) {
        if (out->n != 1 || s->at[4]->kind != ITEM_LIST || s->at[4]->n != 1) return not_an_array(e);
        *object = s->at[4]->at[0];
        return 0;
    }
    bool is_columns = s->at[3]->kind != ITEM_INT || s->at[3]->integer;
    if ((is_columns && out->rank > 1) || !item_bytes(a, s->at[4], &out->data, &out->bytes) ||
        out->bytes != out->n * dtype_size(out->dtype))
        return not_an_array(e);
    return 0;
}

static void print_text(struct str *out, const char *text)
{
    uint8_t n[4];

    store_u32(n, (uint32_t)strlen(text));
    str_add_char(out, 'X');
    str_add_bytes(out, n, 4);
    str_add(out, text);
}

static void print_int(struct str *out, int64_t v)
{
    uint8_t n[4];

    store_u32(n, (uint32_t)(int32_t)v);
    str_add_char(out, 'J');
    str_add_bytes(out, n, 4);
}

/* An array up to its values: what follows is the list or the bytes of them, then TUPLE and BUILD. */
static void print_array(struct str *out, const char *type, const char *order, int64_t n, int flags)
{
    str_add(out, "cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n");
    print_int(out, 0);
    str_add_bytes(out,
                  "\x85"
                  "C\1b\x87R(",
                  7);
    print_int(out, 1);
    if (n >= 0) print_int(out, n);
    str_add(out, n >= 0 ? "\x85" : ")");
    str_add(out, "cnumpy\ndtype\n");
    print_text(out, type);
    str_add(out, "\x89\x88\x87R(");
    print_int(out, 3);
    print_text(out, order);
    str_add(out, "NNN");
    print_int(out, -1);
    print_int(out, -1);
    print_int(out, flags);
    str_add(out, "tb\x89");
}

void pickle_print(struct str *out, const struct pickle_entry *at, int n)
{
    enum { OBJECT_FLAGS = 63 }; /* of NumPy's type of objects */

    str_add(out, "\x80\3");
    print_array(out, "O8", "|", -1, OBJECT_FLAGS);
    str_add(out, "]}(");
    for (int i = 0; i < n; i++) {
        uint8_t bytes[4];
        int64_t size = at[i].n * dtype_size(at[i].dtype);
        print_text(out, at[i].key);
        print_array(out, npy_type_name(at[i].dtype), "<", at[i].n, 0);
        store_u32(bytes, (uint32_t)size);
        str_add_char(out, 'B');
        str_add_bytes(out, bytes, 4);
        str_add_bytes(out, at[i].data, (size_t)size);
        str_add(out, "tb");
    }
    str_add(out, "uatb.");
}
