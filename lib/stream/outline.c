/* The scanner follows value_print(): what that would write differently (white space, other escapes, -0, keys in objects
 * too large to compare one by one) is refused, and so is all that value_parse() would refuse; but white space may be
 * allowed. */
#include "stream/outline.h"
#include "core/mem.h"
#include "stream/limits.h"
#include "stream/value_layout.h"
#include <assert.h>
#include <stdlib.h>

enum { DIGITS = 18 }; /* of a number that 64 bits hold, whatever they are */
struct scan {
    struct outline *o;
    const char *at, *end; /* *end is not read */
    int depth;
    bool is_printed, is_spaced;
};

static void pass_space(struct scan *s)
{
    while (s->is_spaced && s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\r' || *s->at == '\n'))
        s->at++;
}

static bool take(struct scan *s, char c)
{
    if (s->at == s->end || *s->at != c) return false;
    s->at++;
    return true;
}

/* The same with white space around it. */
static bool take_mark(struct scan *s, char c)
{
    pass_space(s);
    bool is_there = take(s, c);
    pass_space(s);
    return is_there;
}

/* How long the escape at s is, when print_string() would write it. */
static size_t escape_length(const char *s, size_t n)
{
    if (n >= 2 && (s[1] == '"' || s[1] == '\\' || s[1] == 'n' || s[1] == 't')) return 2;
    if (n < 6 || memcmp(s, "\\u00", 4) || (s[4] != '0' && s[4] != '1')) return 0;
    bool is_digit = s[5] >= '0' && s[5] <= '9', is_letter = s[5] >= 'a' && s[5] <= 'f';
    bool is_shorter = s[4] == '0' && (s[5] == '9' || s[5] == 'a'); /* \t, \n */
    return (is_digit || is_letter) && !is_shorter ? 6 : 0;
}

static bool scan_string(struct scan *s, bool *is_escaped)
{
    const char *from = s->at + 1;
    bool is_ascii = true;

    *is_escaped = false;
    if (!take(s, '"')) return false;
    for (;;) {
        s->at += value_plain_length(s->at, s->end, &is_ascii);
        if (s->at == s->end) return false;
        if (*s->at == '"') break;
        size_t n = *s->at == '\\' ? escape_length(s->at, (size_t)(s->end - s->at)) : 0;
        if (!n) return false;
        *is_escaped = true;
        s->at += n;
    }
    if (!is_ascii && !s->is_printed && !utf8_valid(from, (size_t)(s->at - from))) return false;
    s->at++;
    return true;
}

static bool starts_number(const struct scan *s)
{
    return s->at < s->end && (*s->at == '-' || (*s->at >= '0' && *s->at <= '9'));
}

static bool scan_number(struct scan *s, enum outline_kind *kind)
{
    const char *from = s->at;
    bool is_negative = take(s, '-');
    const char *first = s->at;

    *kind = OUTLINE_INTEGER;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9') s->at++;
    if (s->is_printed) {
        size_t real = strspn(from, "0123456789+-.e"); /* a printed line ends in a NUL */
        if (from + real > s->at) *kind = OUTLINE_WORD;
        s->at = from + real;
        return true;
    }
    int64_t digits = s->at - first;
    if (digits < 1 || digits > DIGITS || (*first == '0' && (digits > 1 || is_negative))) return false;
    return s->at == s->end || (*s->at != '.' && *s->at != 'e' && *s->at != 'E');
}

static bool scan_word(struct scan *s, enum outline_kind *kind)
{
    static const char *const words[] = { "null", "true", "false" };

    for (int i = 0; i < 3; i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(s->end - s->at) < n || memcmp(s->at, words[i], n)) continue;
        s->at += n;
        *kind = i ? OUTLINE_WORD : OUTLINE_NULL;
        return true;
    }
    return false;
}

static bool scan_value(struct scan *s, const struct outline_node *as);

static bool scan_entries(struct scan *s, uint32_t *n)
{
    enum outline_kind number;

    if (take(s, ']')) return true;
    do {
        struct outline_node entry = { .place = *n };
        if (starts_number(s) ? !scan_number(s, &number) : !scan_value(s, &entry)) return false;
        ++*n;
    } while (take_mark(s, ','));
    return take(s, ']');
}

static bool has_key(const struct outline *o, int64_t object, const char *key, size_t n)
{
    for (int64_t i = object + 1; i < o->n; i = o->at[i].next) {
        if (o->at[i].key_n == n && !memcmp(o->line + o->at[i].key, key, n)) return true;
    }
    return false;
}

static bool scan_members(struct scan *s, int64_t object, uint32_t *n)
{
    if (take(s, '}')) return true;
    do {
        const char *key = s->at + 1;
        bool is_escaped;
        if (!scan_string(s, &is_escaped)) return false;
        size_t key_n = (size_t)(s->at - 1 - key);
        if (!take_mark(s, ':')) return false;
        bool is_new = s->is_printed || (*n < VALUE_INDEXED && !is_escaped && !has_key(s->o, object, key, key_n));
        struct outline_node member = { .key = (uint32_t)(key - s->o->line), .key_n = (uint32_t)key_n };
        if (!is_new || !scan_value(s, &member)) return false;
        ++*n;
    } while (take_mark(s, ','));
    return take(s, '}');
}

static bool scan_container(struct scan *s, int64_t node, bool is_array)
{
    uint32_t n = 0;

    if (s->depth == LIMIT_JSON_DEPTH) return false;
    s->depth++;
    s->at++;
    pass_space(s);
    bool is_right = is_array ? scan_entries(s, &n) : scan_members(s, node, &n);
    s->depth--;
    s->o->at[node].n = n;
    return is_right;
}

/* as: the key or the place of the value's node. */
static bool scan_value(struct scan *s, const struct outline_node *as)
{
    struct outline *o = s->o;
    int64_t i = o->n++;
    struct outline_node node = *as;
    bool is_right;

    if (s->at == s->end) return false;
    mem_reserve(&o->at, &o->cap, o->n);
    char c = *s->at;
    node.kind = c == '"' ? OUTLINE_STRING : c == '[' ? OUTLINE_ARRAY : OUTLINE_OBJECT;
    node.at = (uint32_t)(s->at - o->line);
    node.next = UINT32_MAX; /* while its members are compared */
    o->at[i] = node;
    if (c == '"') is_right = scan_string(s, &o->at[i].is_escaped);
    else if (c == '[' || c == '{') is_right = scan_container(s, i, c == '[');
    else is_right = starts_number(s) ? scan_number(s, &o->at[i].kind) : scan_word(s, &o->at[i].kind);
    o->at[i].end = (uint32_t)(s->at - o->line);
    o->at[i].next = (uint32_t)o->n;
    return is_right;
}

bool outline_read(struct outline *o, const char *line, size_t n, enum outline_form form)
{
    struct scan s = { o, line, line + n, 0, form == OUTLINE_PRINTED, form == OUTLINE_SPACED };

    assert(n < UINT32_MAX);
    o->line = line;
    o->length = n;
    o->n = 0;
    pass_space(&s);
    bool is_right = scan_value(&s, &(struct outline_node){ 0 });
    pass_space(&s);
    return is_right && s.at == s.end;
}

void outline_release(struct outline *o)
{
    free(o->at);
    *o = (struct outline){ 0 };
}

const struct outline_node *outline_get(const struct outline *o, const struct outline_node *object, const char *key)
{
    struct str printed = { 0 };
    size_t n = strlen(key);
    bool is_ascii;

    if (value_plain_length(key, key + n, &is_ascii) == n) return outline_member(o, object, key, n);
    value_print_string(key, n, &printed);
    const struct outline_node *found = outline_member(o, object, printed.data + 1, printed.n - 2);
    str_release(&printed);
    return found;
}

static char unescaped(const char *s)
{
    static const char hex[] = "0123456789abcdef";

    if (s[1] == 'n') return '\n';
    if (s[1] == 't') return '\t';
    if (s[1] != 'u') return s[1];
    return (char)((s[4] - '0') * 16 + (strchr(hex, s[5]) - hex));
}

const char *outline_text(const struct outline *o, const struct outline_node *string, struct str *room, size_t *n)
{
    const char *from = o->line + string->at + 1, *end = o->line + string->end - 1;

    *n = (size_t)(end - from);
    if (!string->is_escaped) return from;
    str_clear(room);
    for (const char *stop; from < end; from = stop + (stop[1] == 'u' ? 6 : 2)) {
        stop = memchr(from, '\\', (size_t)(end - from));
        if (!stop) break;
        str_add_bytes(room, from, (size_t)(stop - from));
        str_add_char(room, unescaped(stop));
    }
    if (from < end) str_add_bytes(room, from, (size_t)(end - from));
    *n = room->n;
    return str_c(room);
}
