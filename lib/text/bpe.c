/* Loading a vocabulary, and encoding: Sennrich et al. (2016) over bytes, as in GPT-2. Within each piece of text the
 * adjacent pair of lowest rank (its line in merges.txt), leftmost first, becomes one token until no pair is listed.
 * Pieces met before come from a cache; new short ones are merged by looking for the lowest rank each time, long ones
 * with a heap in O(n log n). */
#include "text/bpe.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/mem.h"
#include "stream/limits.h"
#include "stream/value.h"
#include "text/bpe_cache.h"
#include "text/byte_symbols.h"
#include "text/pretokenize.h"
#include "text/vocab_forms.h"
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pair {
    int32_t left, right;
    int32_t rank; /* -1: a free slot */
    int32_t id;   /* of the merged token */
};

struct bpe {
    int n;
    struct map ids;      /* token as written -> id */
    struct str bytes;    /* of all tokens, one after another */
    int64_t *start;      /* [n + 1] into bytes */
    int32_t symbol[256]; /* ids of the single bytes */
    struct pair *pairs;  /* open addressing */
    uint64_t pair_mask;
};

static uint64_t pair_hash(int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9E3779B97F4A7C15u;

    return h ^ h >> 32;
}

static struct pair *pair_slot(const struct bpe *b, int32_t left, int32_t right)
{
    for (uint64_t i = pair_hash(left, right);; i++) {
        struct pair *p = &b->pairs[i & b->pair_mask];
        if (p->rank < 0 || (p->left == left && p->right == right)) return p;
    }
}

/* Token -> id, checked: every id from 0 to V-1 once. */
static int read_vocab(struct bpe *b, const struct value *v, struct err *e)
{
    int64_t size = value_count(v);
    int rc = -1;

    if (!value_is_object(v) || size < 256 || size >= INT32_MAX)
        return err_set(e, ERR_INPUT, "not an object of at least 256 tokens");
    bool *is_taken = mem_new(bool, size);
    for (struct value_iter it = { 0 }; value_next(v, &it);) {
        int64_t at = value_is_int(it.value) ? value_integer(it.value) : -1;
        if (at < 0 || at >= size || is_taken[at]) {
            err_set(e, ERR_INPUT,
                    "token %s: its id is not a whole number from 0 to %" PRId64 " that no other token has",
                    err_quote(it.key), size - 1);
            goto out;
        }
        is_taken[at] = true;
        *map_put(&b->ids, it.key, strlen(it.key), NULL) = at;
    }
    b->n = (int)size;
    rc = 0;
out:
    free(is_taken);
    return rc;
}

/* The id of a token in a line of merges.txt, or -1. */
static int32_t find_token(const struct bpe *b, const char *at, size_t n, struct err *e)
{
    const int64_t *id = map_find(&b->ids, at, n);
    char word[80];

    if (id) return (int32_t)*id;
    size_t shown = n < sizeof word - 1 ? n : sizeof word - 1;
    memcpy(word, at, shown);
    word[shown] = 0;
    return err_set(e, ERR_INPUT, "token %s is not in the vocabulary", err_quote(word));
}

static int read_merge(struct bpe *b, const char *line, size_t n, int32_t rank, bool *is_made, struct str *joined,
                      struct err *e)
{
    const char *space = memchr(line, ' ', n);

    if (!space || space == line || space == line + n - 1 || memchr(space + 1, ' ', (size_t)(line + n - space - 1)))
        return err_set(e, ERR_INPUT, "not two tokens with one space between them");
    size_t left_n = (size_t)(space - line);
    int32_t left = find_token(b, line, left_n, e), right = left < 0 ? -1 : find_token(b, space + 1, n - left_n - 1, e);
    if (right < 0) return -1;
    str_clear(joined);
    str_add_bytes(joined, line, left_n);
    str_add_bytes(joined, space + 1, n - left_n - 1);
    int32_t id = find_token(b, joined->data, joined->n, e);
    if (id < 0) return -1;
    struct pair *p = pair_slot(b, left, right);
    if (p->rank >= 0) return err_set(e, ERR_INPUT, "the same merge as merge %d", p->rank + 1);
    *p = (struct pair){ left, right, rank, id };
    is_made[id] = true;
    return 0;
}

static int64_t count_lines(const char *text, size_t n)
{
    int64_t lines = 1;

    for (const char *p = text; (p = memchr(p, '\n', (size_t)(text + n - p))); p++) lines++;
    return lines;
}

/* A first line "#version: ..." is a comment; "# #" is a merge. */
static int read_merges(struct bpe *b, const char *text, size_t n, bool *is_made, struct err *e)
{
    int64_t lines = count_lines(text, n), number = 0;
    struct str joined = { 0 };
    int32_t rank = 0;
    int rc = 0;

    if (lines >= INT32_MAX / 4) return err_set(e, ERR_INPUT, "%" PRId64 " lines", lines);
    b->pair_mask = 16;
    while ((int64_t)b->pair_mask < 2 * lines) b->pair_mask *= 2;
    b->pairs = mem_new(struct pair, b->pair_mask);
    for (uint64_t i = 0; i < b->pair_mask; i++) b->pairs[i].rank = -1;
    b->pair_mask--;
    for (size_t i = 0; i < n && !rc;) {
        const char *end = memchr(text + i, '\n', n - i);
        size_t length = end ? (size_t)(end - text) - i : n - i, next = i + length + 1;
        if (length && text[i + length - 1] == '\r') length--;
        bool is_comment = !number++ && length >= 8 && !memcmp(text + i, "#version", 8);
        if (!is_comment && length) rc = read_merge(b, text + i, length, rank++, is_made, &joined, e);
        if (!is_comment && !length && next < n) rc = err_set(e, ERR_INPUT, "an empty line");
        if (rc) err_in(e, "line %" PRId64, number);
        i = next;
    }
    str_release(&joined);
    return rc;
}

/* The bytes of every token: of single bytes and of merges; the others are special and have none. */
static int read_tokens(struct bpe *b, const bool *is_made, struct err *e)
{
    const struct map_entry **by_id = mem_new(const struct map_entry *, b->n);
    int rc = 0;

    for (int64_t i = 0; i < b->ids.n; i++) by_id[b->ids.at[i].value] = &b->ids.at[i];
    b->start = mem_new(int64_t, b->n + 1);
    for (int i = 0; i < b->n && !rc; i++) {
        b->start[i] = (int64_t)b->bytes.n;
        if (is_made[i] && !byte_symbols_read(by_id[i]->key, by_id[i]->n, &b->bytes))
            rc = err_set(e, ERR_INPUT, "token %s is merged but is not made of byte symbols", err_quote(by_id[i]->key));
    }
    b->start[b->n] = (int64_t)b->bytes.n;
    free(by_id);
    return rc;
}

static int find_symbols(struct bpe *b, bool *is_made, struct err *e)
{
    for (int i = 0; i < 256; i++) {
        char utf8[5] = { 0 };
        int len = utf8_encode(byte_symbol((uint8_t)i), utf8);
        const int64_t *id = map_find(&b->ids, utf8, (size_t)len);
        if (!id) return err_set(e, ERR_INPUT, "no token for the byte 0x%02x, \"%s\"", (unsigned)i, utf8);
        b->symbol[i] = (int32_t)*id;
        is_made[*id] = true;
    }
    return 0;
}

/* Where vocabulary and merges came from, for messages. */
struct names {
    const char *vocab, *merges;
};

static struct bpe *make(const struct value *vocab, const char *merges, size_t n, struct names from, struct err *e)
{
    struct bpe *b = mem_new(struct bpe, 1);
    bool *is_made = NULL;
    int rc = read_vocab(b, vocab, e);

    if (!rc) {
        is_made = mem_new(bool, b->n);
        rc = find_symbols(b, is_made, e);
    }
    if (rc) err_in(e, "%s", from.vocab);
    if (!rc && (read_merges(b, merges, n, is_made, e) || read_tokens(b, is_made, e))) rc = err_in(e, "%s", from.merges);
    free(is_made);
    if (!rc) return b;
    bpe_free(b);
    return NULL;
}

struct bpe *bpe_parse(const char *vocab, size_t n_vocab, const char *merges, size_t n_merges, struct err *e)
{
    struct names from = { "vocab.json", "merges.txt" };
    struct value *v = value_parse(vocab, (int64_t)n_vocab, e);
    struct bpe *b = v ? make(v, merges, n_merges, from, e) : (err_in(e, "%s", from.vocab), NULL);

    value_free(v);
    return b;
}

struct bpe *bpe_parse_dict(const char *vocab, size_t n_vocab, const char *merges, size_t n_merges, const char *dict,
                           size_t n_dict, struct err *e)
{
    struct names from = { vocab_dict_name(dict, n_dict), "merges.txt" };
    struct value *gpt2 = value_parse(vocab, (int64_t)n_vocab, e);
    struct bpe *b = NULL;

    if (!gpt2) {
        err_in(e, "vocab.json");
        return NULL;
    }
    struct value *v = vocab_from_dict(gpt2, dict, n_dict, e);
    if (v) b = make(v, merges, n_merges, from, e);
    else err_in(e, "%s", from.vocab);
    value_free(v);
    value_free(gpt2);
    return b;
}

struct bpe *bpe_parse_tokenizer(const char *text, size_t n, struct err *e)
{
    struct names from = { "tokenizer.json: \"vocab\"", "tokenizer.json: \"merges\"" };
    struct value *v;
    struct str merges = { 0 };
    struct bpe *b = NULL;

    if (!vocab_from_tokenizer(text, (int64_t)n, &v, &merges, e)) b = make(v, str_c(&merges), merges.n, from, e);
    else err_in(e, "tokenizer.json");
    value_free(v);
    str_release(&merges);
    return b;
}

/* ---- from a directory ---- */

enum { VOCAB, MERGES, DICT, TOKENIZER, N_FILES };
enum { NAMES_MAX = 3 };
static const char *const file_names[N_FILES][NAMES_MAX] = { { "vocab.json", "encoder.json", "unimo_en.encoder.json" },
                                                            { "merges.txt", "vocab.bpe", "unimo_en.vocab.bpe" },
                                                            { "dict.txt", "unimo_en.vocab.txt" },
                                                            { "tokenizer.json" } };

/* The path of a file under the first of its names that is there, or NULL. */
static char *find_file(const char *dir, const char *const names[NAMES_MAX])
{
    for (int i = 0; i < NAMES_MAX && names[i]; i++) {
        char *path = path_join(dir, names[i]);
        if (!access(path, F_OK)) return path;
        free(path);
    }
    return NULL;
}

bool bpe_is_pair(const char *dir)
{
    char *path[DICT + 1];
    bool is = true;

    for (int i = 0; i <= DICT; i++) {
        path[i] = find_file(dir, file_names[i]);
        is = is && (i < DICT ? path[i] && !strcmp(path_base(path[i]), file_names[i][0]) : !path[i]);
    }
    for (int i = 0; i <= DICT; i++) free(path[i]);
    return is;
}

/* The texts of a vocabulary's files, those that it does not have NULL. */
struct files {
    char *text[N_FILES];
    size_t n[N_FILES];
};

static void files_release(struct files *f)
{
    for (int i = 0; i < N_FILES; i++) free(f->text[i]);
}

static int files_load(struct files *f, const char *dir, struct err *e)
{
    char *path[N_FILES];
    int rc = 0;

    *f = (struct files){ 0 };
    for (int i = 0; i < N_FILES; i++) path[i] = find_file(dir, file_names[i]);
    bool is_pair = path[VOCAB] || path[MERGES] || !path[TOKENIZER];
    for (int i = 0; i < N_FILES && !rc; i++) {
        if (i < DICT ? !is_pair : i == DICT ? !is_pair || !path[i] : is_pair) continue;
        if (!path[i]) path[i] = path_join(dir, file_names[i][0]); /* for the message that it is not there */
        rc = (f->text[i] = file_load(path[i], LIMIT_JSON_FILE, &f->n[i], e)) ? 0 : -1;
        if (!rc && !f->n[i]) rc = err_set(e, ERR_INPUT, "%s: is empty", path[i]); /* as a failed download leaves it */
    }
    for (int i = 0; i < N_FILES; i++) free(path[i]);
    return rc;
}

struct bpe *bpe_load(const char *dir, struct err *e)
{
    struct bpe *b = NULL;
    struct files f;
    char **text = f.text;
    size_t *n = f.n;

    if (!files_load(&f, dir, e)) {
        b = text[TOKENIZER] ? bpe_parse_tokenizer(text[TOKENIZER], n[TOKENIZER], e)
            : text[DICT]    ? bpe_parse_dict(text[VOCAB], n[VOCAB], text[MERGES], n[MERGES], text[DICT], n[DICT], e)
                            : bpe_parse(text[VOCAB], n[VOCAB], text[MERGES], n[MERGES], e);
        if (!b) err_in(e, "%s", dir);
    }
    files_release(&f);
    return b;
}

static struct value *read_pair(const struct files *f, struct err *e)
{
    struct value *own = value_parse(f->text[VOCAB], (int64_t)f->n[VOCAB], e);

    if (!own) err_in(e, "vocab.json");
    if (!own || !f->text[DICT]) return own;
    struct value *v = vocab_from_dict(own, f->text[DICT], f->n[DICT], e);
    if (!v) err_in(e, "%s", vocab_dict_name(f->text[DICT], f->n[DICT]));
    value_free(own);
    return v;
}

int bpe_read(const char *dir, struct value **vocab, struct str *merges, struct err *e)
{
    struct files f;
    int rc = files_load(&f, dir, e);

    *vocab = NULL;
    if (!rc && f.text[TOKENIZER]) {
        rc = vocab_from_tokenizer(f.text[TOKENIZER], (int64_t)f.n[TOKENIZER], vocab, merges, e);
        if (rc) err_in(e, "%s/tokenizer.json", dir);
    } else if (!rc) {
        *vocab = read_pair(&f, e);
        str_add_bytes(merges, f.text[MERGES], f.n[MERGES]);
        if (!*vocab) rc = err_in(e, "%s", dir);
    }
    files_release(&f);
    return rc;
}

void bpe_free(struct bpe *b)
{
    if (!b) return;
    map_release(&b->ids);
    str_release(&b->bytes);
    free(b->start);
    free(b->pairs);
    free(b);
}

int bpe_size(const struct bpe *b)
{
    return b->n;
}

int bpe_id(const struct bpe *b, const char *token)
{
    const int64_t *id = map_find(&b->ids, token, strlen(token));

    return id ? (int)*id : -1;
}

int64_t bpe_length(const struct bpe *b, int id)
{
    assert(id >= 0 && id < b->n);
    return b->start[id + 1] - b->start[id];
}

bool bpe_is_special(const struct bpe *b, int id)
{
    return bpe_length(b, id) == 0;
}

void bpe_decode(const struct bpe *b, const int32_t *ids, int64_t n, struct str *out)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t length = bpe_length(b, ids[i]);
        if (length) str_add_bytes(out, b->bytes.data + b->start[ids[i]], (size_t)length);
    }
}

/* ---- merging one piece ---- */

enum { SHORT = 48 }; /* bytes of a piece up to which looking at every pair beats a heap */

static int merge_short(const struct bpe *b, int32_t *id, int n)
{
    const struct pair *pair[SHORT]; /* of id[i] and id[i + 1] */

    for (int i = 0; i + 1 < n; i++) pair[i] = pair_slot(b, id[i], id[i + 1]);
    for (;;) {
        int best = -1;
        for (int i = 0; i + 1 < n; i++) {
            if (pair[i]->rank >= 0 && (best < 0 || pair[i]->rank < pair[best]->rank)) best = i;
        }
        if (best < 0) return n;
        id[best] = pair[best]->id;
        n--;
        memmove(id + best + 1, id + best + 2, (size_t)(n - best - 1) * sizeof *id);
        memmove(pair + best + 1, pair + best + 2, (size_t)(n - best - 1) * sizeof *pair);
        if (best) pair[best - 1] = pair_slot(b, id[best - 1], id[best]);
        if (best + 1 < n) pair[best] = pair_slot(b, id[best], id[best + 1]);
    }
}

/* A candidate: the pair that begins at position `at` had this rank when it was entered; it may be gone since. */
static bool is_before(struct candidate a, struct candidate b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

static void heap_add(struct bpe_cache *c, struct candidate new)
{
    mem_extend(&c->heap, &c->heap_cap, c->n_heap + 1);
    int64_t i = c->n_heap++;
    for (; i && is_before(new, c->heap[(i - 1) / 2]); i = (i - 1) / 2) c->heap[i] = c->heap[(i - 1) / 2];
    c->heap[i] = new;
}

static struct candidate heap_take(struct bpe_cache *c)
{
    struct candidate first = c->heap[0], last = c->heap[--c->n_heap];
    int64_t i = 0, child;

    for (; (child = 2 * i + 1) < c->n_heap; i = child) {
        if (child + 1 < c->n_heap && is_before(c->heap[child + 1], c->heap[child])) child++;
        if (!is_before(c->heap[child], last)) break;
        c->heap[i] = c->heap[child];
    }
    c->heap[i] = last;
    return first;
}

/* Adds the pair that begins at a position and ends before n, if it may be merged. */
static void consider(const struct bpe *b, struct bpe_cache *c, const int32_t *id, int32_t at, int n)
{
    int64_t right = at + bpe_length(b, id[at]);
    const struct pair *p = right < n ? pair_slot(b, id[at], id[right]) : NULL;

    if (p && p->rank >= 0) heap_add(c, (struct candidate){ p->rank, at });
}

/* A token stands at the position of its first byte; at that of its last one, if that is another, stands its length,
 * negative, so that the token behind it finds it; anything negative stands between. So a list of tokens takes no more
 * than one number a byte. */
static int merge_long(const struct bpe *b, struct bpe_cache *c, int32_t *id, int n)
{
    c->n_heap = 0;
    mem_extend(&c->heap, &c->heap_cap, n);
    for (int i = 0; i + 1 < n; i++) consider(b, c, id, i, n);
    while (c->n_heap) {
        struct candidate top = heap_take(c);
        int32_t at = top.at;
        int64_t right = id[at] < 0 ? n : at + bpe_length(b, id[at]);
        if (right >= n) continue;
        const struct pair *p = pair_slot(b, id[at], id[right]);
        if (p->rank != top.rank) continue;
        int64_t length = bpe_length(b, p->id);
        id[at] = p->id;
        id[right] = -1;
        id[at + length - 1] = (int32_t)-length;
        consider(b, c, id, at, n);
        if (at) consider(b, c, id, id[at - 1] < 0 ? at + id[at - 1] : at - 1, n);
    }
    int kept = 0;
    for (int64_t i = 0, next; i < n; i = next) {
        next = i + bpe_length(b, id[i]);
        id[kept++] = id[i];
    }
    return kept;
}

/* Writes the ids of a piece to out, which has room for one per byte; returns their number. */
static int encode_piece(const struct bpe *b, struct bpe_cache *c, const char *piece, size_t n, int32_t *out)
{
    for (size_t i = 0; i < n; i++) out[i] = b->symbol[(uint8_t)piece[i]];
    return n <= SHORT ? merge_short(b, out, (int)n) : merge_long(b, c, out, (int)n);
}

static bool is_wordy(enum piece_kind k)
{
    return k == PIECE_LETTERS || k == PIECE_NUMBER || k == PIECE_CONTRACTION;
}

/* Pieces are found some at a time, so that what the cache knows of them is on its way before it is needed. */
enum { AHEAD = 16 };
struct piece {
    const char *text;
    size_t n;
    enum piece_kind kind;
    struct cached *slots; /* NULL: too long to be kept */
    struct cached key;
};

/* The pieces at the beginning of a text; returns their number. */
static int find_pieces(const struct bpe_cache *c, struct piece found[AHEAD], const char *text, size_t n)
{
    int pieces = 0;

    for (size_t i = 0; i < n && pieces < AHEAD; pieces++) {
        struct piece *p = &found[pieces];
        p->text = text + i;
        p->n = pretokenize(text + i, n - i, &p->kind);
        p->slots = cached_key(&p->key, p->text, p->n, n - i) ? cached_pair(c, &p->key) : NULL;
        if (p->slots) __builtin_prefetch(p->slots);
        i += p->n;
    }
    return pieces;
}

/* Appends the piece's ids, of which the first has unit 0 unless it goes on with the word before. */
static void add_piece(const struct bpe *b, struct encoding *out, const struct piece *p, bool goes_on)
{
    int64_t room = out->n + (int64_t)p->n + CACHED_IDS;
    int got;

    if (room > out->ids_cap) mem_extend(&out->ids, &out->ids_cap, room);
    if (room > out->units_cap) mem_extend(&out->units, &out->units_cap, room);
    int32_t *ids = out->ids + out->n;
    uint8_t *units = out->units + out->n;
    if (p->slots && cached_find(p->slots, &p->key)) {
        got = p->slots->n_ids;
        cached_ids(ids, p->slots);
    } else {
        got = encode_piece(b, out->cache, p->text, p->n, ids);
        if (p->slots) cached_put(p->slots, &p->key, ids, got);
    }
    memset(units, 1, CACHED_IDS);
    if (got > CACHED_IDS) memset(units, 1, (size_t)got);
    units[0] = goes_on;
    out->n += got;
}

void bpe_append(const struct bpe *b, struct encoding *out, const char *text, size_t n)
{
    enum piece_kind previous = PIECE_SPACE;
    struct piece found[AHEAD];

    assert(n < INT32_MAX);
    if (!out->cache) out->cache = bpe_cache_new(b);
    assert(out->cache->of == b);
    for (size_t i = 0; i < n;) {
        int pieces = find_pieces(out->cache, found, text + i, n - i);
        for (int k = 0; k < pieces; k++) {
            const struct piece *p = &found[k];
            add_piece(b, out, p, is_wordy(p->kind) && is_wordy(previous) && *p->text != ' ');
            previous = p->kind;
            i += p->n;
        }
    }
    bpe_cache_trim(out->cache);
}

void bpe_encode(const struct bpe *b, struct encoding *out, const char *text, size_t n)
{
    out->n = 0;
    bpe_append(b, out, text, n);
}

void encoding_trim(struct encoding *c)
{
    if (c->ids_cap <= 1 << 20) return;
    free(c->ids);
    free(c->units);
    c->ids = NULL;
    c->units = NULL;
    c->n = c->ids_cap = c->units_cap = 0;
}

void encoding_release(struct encoding *c)
{
    free(c->ids);
    free(c->units);
    bpe_cache_free(c->cache);
    *c = (struct encoding){ 0 };
}
