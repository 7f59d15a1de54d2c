/* The greedy algorithm of Sennrich et al. (2016) with incremental counts, step by step as Hugging Face's BpeTrainer
 * takes them, so that the merges are the same ones: a heap of candidate pairs ordered by count, then by the smaller
 * pair of ids, each with the words that it may be merged in; a candidate whose count is out of date when its turn comes
 * goes back with the right one. Two consequences are kept on purpose: a string that two different merges make is one
 * token, and a pair that appears again in other words after it was merged is listed where it was merged last. */
#include "text/bpe_learn.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/mem.h"
#include "stream/value.h"
#include "text/byte_symbols.h"
#include "text/pretokenize.h"
#include "text/vocab_forms.h"
#include <stdlib.h>

struct bpe_learner {
    struct map words; /* piece -> how often */
    int64_t pieces, bytes, forgotten;
};

enum { PIECE_BYTES = 16 };

struct bpe_learner *bpe_learner_new(int64_t pieces)
{
    struct bpe_learner *l = mem_new(struct bpe_learner, 1);

    l->pieces = pieces;
    return l;
}

void bpe_learner_free(struct bpe_learner *l)
{
    if (!l) return;
    map_release(&l->words);
    free(l);
}

int64_t bpe_learner_forgotten(const struct bpe_learner *l)
{
    return l->forgotten;
}

/* How many pieces were seen so often, and their bytes. */
static int64_t count_frequent(const struct map *words, int64_t least, int64_t *bytes)
{
    int64_t n = 0;

    *bytes = 0;
    for (int64_t i = 0; i < words->n; i++) {
        if (words->at[i].value < least) continue;
        *bytes += (int64_t)words->at[i].n;
        n++;
    }
    return n;
}

/* Leaves at most half as many as there may be. */
static void forget_rare(struct bpe_learner *l)
{
    struct map kept = { 0 };
    int64_t least = 2;

    while (count_frequent(&l->words, least, &l->bytes) > l->pieces / 2 || l->bytes > PIECE_BYTES * l->pieces / 2)
        least += 1 + least / 2;
    for (int64_t i = 0; i < l->words.n; i++) {
        const struct map_entry *word = &l->words.at[i];
        if (word->value >= least) *map_put(&kept, word->key, word->n, NULL) = word->value;
    }
    l->forgotten += l->words.n - kept.n;
    map_release(&l->words);
    l->words = kept;
}

void bpe_learner_add(struct bpe_learner *l, const char *text, size_t n)
{
    enum piece_kind kind;

    for (size_t i = 0, length; i < n; i += length) {
        bool is_new;
        length = pretokenize(text + i, n - i, &kind);
        if (length > BPE_LEARN_PIECE_MAX) continue;
        ++*map_put(&l->words, text + i, length, &is_new);
        l->bytes += is_new ? (int64_t)length : 0;
        if (is_new && (l->words.n > l->pieces || l->bytes > PIECE_BYTES * l->pieces)) forget_rare(l);
    }
}

struct places { /* indices of words, ascending */
    int64_t n, cap;
    int32_t *word;
};

/* A pair of ids is one number, left << 32 | right, so that numbers compare as pairs do. */
struct pair {
    uint64_t ids;
    int64_t count;
    struct places grown; /* words in which the step at hand made it */
    bool is_used;
};
struct candidate {
    uint64_t ids;
    int64_t count;
    struct places places;
};
struct word {
    int32_t *ids;
    int32_t n;
    int64_t count;
};
struct learning {
    struct word *words;
    int64_t n_words;
    int32_t *ids;       /* of all words */
    struct map tokens;  /* bytes -> id */
    struct pair *pairs; /* open addressing */
    int64_t n_pairs, n_slots;
    uint64_t *grown; /* pairs whose places grew in this step */
    int64_t n_grown, grown_cap;
    struct candidate *heap;
    int64_t n_heap, heap_cap;
    struct merge {
        int32_t left, right;
    } * merges;
    int64_t n_merges, merges_cap;
};

/* ---- pairs ---- */

static struct pair *pair_slot(const struct learning *l, uint64_t ids)
{
    uint64_t h = ids * 0x9E3779B97F4A7C15u;

    for (uint64_t i = h ^ h >> 32;; i++) {
        struct pair *p = &l->pairs[i & (uint64_t)(l->n_slots - 1)];
        if (!p->is_used || p->ids == ids) return p;
    }
}

/* Valid until the next call. */
static struct pair *pair_put(struct learning *l, uint64_t ids)
{
    if ((l->n_pairs + 1) * 2 > l->n_slots) {
        struct learning old = *l;
        l->n_slots = old.n_slots ? 2 * old.n_slots : 1024;
        l->pairs = mem_new(struct pair, l->n_slots);
        for (int64_t i = 0; i < old.n_slots; i++) {
            if (old.pairs[i].is_used) *pair_slot(l, old.pairs[i].ids) = old.pairs[i];
        }
        free(old.pairs);
    }
    struct pair *p = pair_slot(l, ids);
    if (!p->is_used) {
        *p = (struct pair){ .ids = ids, .is_used = true };
        l->n_pairs++;
    }
    return p;
}

static void pair_change(struct learning *l, int32_t left, int32_t right, int64_t change, int64_t word)
{
    struct pair *p = pair_put(l, (uint64_t)left << 32 | (uint32_t)right);

    p->count += change;
    if (change < 0) return;
    if (!p->grown.n) {
        mem_reserve(&l->grown, &l->grown_cap, l->n_grown + 1);
        l->grown[l->n_grown++] = p->ids;
    } else if (p->grown.word[p->grown.n - 1] == word) {
        return;
    }
    mem_reserve(&p->grown.word, &p->grown.cap, p->grown.n + 1);
    p->grown.word[p->grown.n++] = (int32_t)word;
}

/* ---- candidates ---- */

static bool is_before(const struct candidate *a, const struct candidate *b)
{
    return a->count != b->count ? a->count > b->count : a->ids < b->ids;
}

static void heap_add(struct learning *l, struct candidate new)
{
    mem_reserve(&l->heap, &l->heap_cap, l->n_heap + 1);
    int64_t i = l->n_heap++;
    for (; i && is_before(&new, &l->heap[(i - 1) / 2]); i = (i - 1) / 2) l->heap[i] = l->heap[(i - 1) / 2];
    l->heap[i] = new;
}

static struct candidate heap_take(struct learning *l)
{
    struct candidate first = l->heap[0], last = l->heap[--l->n_heap];
    int64_t i = 0, child;

    for (; (child = 2 * i + 1) < l->n_heap; i = child) {
        if (child + 1 < l->n_heap && is_before(&l->heap[child + 1], &l->heap[child])) child++;
        if (!is_before(&l->heap[child], &last)) break;
        l->heap[i] = l->heap[child];
    }
    l->heap[i] = last;
    return first;
}

/* What grew in this step becomes candidates, with the words in which it grew. */
static void enter_grown(struct learning *l)
{
    for (int64_t i = 0; i < l->n_grown; i++) {
        struct pair *p = pair_slot(l, l->grown[i]);
        if (p->count > 0) heap_add(l, (struct candidate){ p->ids, p->count, p->grown });
        else free(p->grown.word);
        p->grown = (struct places){ 0 };
    }
    l->n_grown = 0;
}

/* ---- merging ---- */

static void merge_in_word(struct learning *l, int64_t index, int32_t left, int32_t right, int32_t new)
{
    struct word *w = &l->words[index];
    int32_t kept = 0;

    for (int32_t i = 0; i < w->n; i++) {
        if (w->ids[i] != left || i + 1 == w->n || w->ids[i + 1] != right) {
            w->ids[kept++] = w->ids[i];
            continue;
        }
        if (kept) {
            pair_change(l, w->ids[kept - 1], left, -w->count, index);
            pair_change(l, w->ids[kept - 1], new, w->count, index);
        }
        w->ids[kept++] = new;
        if (++i + 1 < w->n) {
            pair_change(l, right, w->ids[i + 1], -w->count, index);
            pair_change(l, new, w->ids[i + 1], w->count, index);
        }
    }
    w->n = kept;
}

static int32_t joined_token(struct learning *l, uint64_t pair)
{
    const struct map_entry *left = &l->tokens.at[pair >> 32], *right = &l->tokens.at[pair & 0xffffffffu];
    struct str bytes = { 0 };
    bool is_new;

    str_add_bytes(&bytes, left->key, left->n);
    str_add_bytes(&bytes, right->key, right->n);
    int64_t *id = map_put(&l->tokens, bytes.data, bytes.n, &is_new);
    if (is_new) *id = l->tokens.n - 1;
    str_release(&bytes);
    return (int32_t)*id;
}

static void start(struct learning *l, const struct map *words)
{
    uint8_t order[256];
    int32_t id_of[256];
    int64_t total = 0, at = 0;

    byte_symbols_in_order(order);
    for (int i = 0; i < 256; i++) {
        *map_put(&l->tokens, &order[i], 1, NULL) = i;
        id_of[order[i]] = i;
    }
    for (int64_t i = 0; i < words->n; i++) total += (int64_t)words->at[i].n;
    l->n_words = words->n;
    l->words = mem_new(struct word, words->n);
    l->ids = mem_new(int32_t, total);
    for (int64_t i = 0; i < words->n; i++) {
        struct word *w = &l->words[i];
        *w = (struct word){ l->ids + at, (int32_t)words->at[i].n, words->at[i].value };
        for (int32_t k = 0; k < w->n; k++) w->ids[k] = id_of[(uint8_t)words->at[i].key[k]];
        for (int32_t k = 0; k + 1 < w->n; k++) pair_change(l, w->ids[k], w->ids[k + 1], w->count, i);
        at += w->n;
    }
    enter_grown(l);
}

/* Merges until there are n tokens of bytes. */
static void run(struct learning *l, int64_t n, int64_t min_count)
{
    while (l->tokens.n < n && l->n_heap) {
        struct candidate top = heap_take(l);
        int64_t count = pair_slot(l, top.ids)->count;
        if (top.count != count) {
            top.count = count;
            heap_add(l, top);
            continue;
        }
        if (count < 1 || count < min_count) {
            free(top.places.word);
            return;
        }
        int32_t new = joined_token(l, top.ids), left = (int32_t)(top.ids >> 32),
                right = (int32_t)(top.ids & 0xffffffffu);
        mem_reserve(&l->merges, &l->merges_cap, l->n_merges + 1);
        l->merges[l->n_merges++] = (struct merge){ left, right };
        for (int64_t i = 0; i < top.places.n; i++) merge_in_word(l, top.places.word[i], left, right, new);
        free(top.places.word);
        enter_grown(l);
    }
}

static void learning_release(struct learning *l)
{
    for (int64_t i = 0; i < l->n_heap; i++) free(l->heap[i].places.word);
    for (int64_t i = 0; i < l->n_slots; i++) free(l->pairs[i].grown.word);
    map_release(&l->tokens);
    free(l->words);
    free(l->ids);
    free(l->pairs);
    free(l->grown);
    free(l->heap);
    free(l->merges);
}

/* ---- writing ---- */

static const char *const special[BPE_SPECIAL_FIRST + 1] = { "<s>", "<pad>", "</s>", "<unk>", "<mask>" };

static struct value *make_vocab(const struct learning *l)
{
    struct value *v = value_object();
    struct str token = { 0 };

    for (int i = 0; i < BPE_SPECIAL_FIRST; i++) value_set(v, special[i], value_int(i));
    for (int64_t i = 0; i < l->tokens.n; i++) {
        str_clear(&token);
        byte_symbols_write(l->tokens.at[i].key, l->tokens.at[i].n, &token);
        value_set(v, token.data, value_int(BPE_SPECIAL_FIRST + i));
    }
    value_set(v, special[BPE_SPECIAL_FIRST], value_int(BPE_SPECIAL_FIRST + l->tokens.n));
    str_release(&token);
    return v;
}

/* An array of "left right". A pair that was merged twice counts where it was merged last. */
static struct value *make_merges(const struct learning *l)
{
    bool *is_last = mem_new(bool, l->n_merges);
    struct value *list = value_array();
    struct map seen = { 0 };
    struct str line = { 0 };

    for (int64_t i = l->n_merges - 1; i >= 0; i--) map_put(&seen, &l->merges[i], sizeof l->merges[i], &is_last[i]);
    for (int64_t i = 0; i < l->n_merges; i++) {
        const struct map_entry *left = &l->tokens.at[l->merges[i].left], *right = &l->tokens.at[l->merges[i].right];
        if (!is_last[i]) continue;
        str_clear(&line);
        byte_symbols_write(left->key, left->n, &line);
        str_add_char(&line, ' ');
        byte_symbols_write(right->key, right->n, &line);
        value_push(list, value_str(line.data));
    }
    map_release(&seen);
    str_release(&line);
    free(is_last);
    return list;
}

static int save_file(const char *dir, const char *name, const struct str *text, struct err *e)
{
    char *path = path_join(dir, name);
    int rc = out_save(path, text->data, text->n, e);

    free(path);
    return rc;
}

const char *const bpe_learn_files[] = { "vocab.json", "merges.txt", "tokenizer.json", NULL };

static int write_all(const struct learning *l, const char *dir, struct err *e)
{
    struct value *vocab = make_vocab(l), *merges = make_merges(l);
    struct str text[3] = { 0 };
    const char *const *name = bpe_learn_files;
    struct outdir *o = outdir_open(dir, bpe_learn_files, e);
    int rc = o ? 0 : -1;

    value_print(vocab, &text[0]);
    str_add_char(&text[0], '\n');
    str_add(&text[1], "#version: 0.2\n");
    for (int64_t i = 0; i < value_count(merges); i++) str_addf(&text[1], "%s\n", value_text(value_at(merges, i), NULL));
    vocab_print_tokenizer(vocab, merges, special, BPE_SPECIAL_FIRST + 1, &text[2]);
    str_add_char(&text[2], '\n');
    for (int i = 0; i < 3 && !rc; i++) rc = save_file(outdir_path(o), name[i], &text[i], e);
    if (!rc) rc = outdir_commit(o, e);
    else outdir_abort(o);
    for (int i = 0; i < 3; i++) str_release(&text[i]);
    value_free(vocab);
    value_free(merges);
    return rc;
}

int bpe_learn(struct bpe_learner *learner, const char *dir, int64_t size, int64_t min_count, int64_t *got,
              struct err *e)
{
    struct learning l = { 0 };

    start(&l, &learner->words);
    map_release(&learner->words);
    run(&l, size - BPE_SPECIAL_FIRST - 1, min_count);
    *got = l.tokens.n + BPE_SPECIAL_FIRST + 1;
    int rc = write_all(&l, dir, e);
    learning_release(&l);
    return rc;
}
