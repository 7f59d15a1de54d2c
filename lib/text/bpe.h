#ifndef TEXT_BPE_H
#define TEXT_BPE_H
#include "core/err.h"
#include "core/str.h"
#include "stream/value.h"
#include <stddef.h>
#include <stdint.h>

/* Byte-level BPE as GPT-2 and RoBERTa use it. A vocabulary never changes once it is loaded: any number of threads may
 * use it. */
struct bpe;

/* Loads a vocabulary from a directory: vocab.json (token -> id; every id from 0 to V-1 once; all 256 byte symbols) and
 * merges.txt (one merge a line, first merged first), or under GPT-2's own names encoder.json and vocab.bpe; with
 * fairseq's dict.txt or UNIMO's unimo_en.vocab.txt beside them, its ids (UNIMO's have "unimo_en." in front of all
 * three); without them, tokenizer.json. NULL on error, with file and line. */
struct bpe *bpe_load(const char *dir, struct err *e);
/* Whether it holds vocab.json and merges.txt under these names, and nothing that would change their ids. */
bool bpe_is_pair(const char *dir);
/* What is in such a directory, in the form of the first: an object of token -> id, and merges as lines. The caller
 * frees *vocab; *merges is appended to. That it is a whole vocabulary is for bpe_load() to say. */
int bpe_read(const char *dir, struct value **vocab, struct str *merges, struct err *e);
/* The same from texts in memory. */
struct bpe *bpe_parse(const char *vocab, size_t n_vocab, const char *merges, size_t n_merges, struct err *e);
struct bpe *bpe_parse_dict(const char *vocab, size_t n_vocab, const char *merges, size_t n_merges, const char *dict,
                           size_t n_dict, struct err *e);
struct bpe *bpe_parse_tokenizer(const char *text, size_t n, struct err *e);
void bpe_free(struct bpe *b); /* NULL is fine */

int bpe_size(const struct bpe *b);
/* The id of a token as vocab.json writes it ("<mask>", "\u0120dog"), or -1. */
int bpe_id(const struct bpe *b, const char *token);
/* A token that no text gives: neither a byte nor a merge ("<s>", "<pad>"). It decodes to nothing. */
bool bpe_is_special(const struct bpe *b, int id);
/* How many bytes of text the token stands for; 0 for special ones. */
int64_t bpe_length(const struct bpe *b, int id);

/* What one thread encodes into, again and again: it also keeps the pieces that this thread met before. Zero is a valid
 * empty encoding. It serves one vocabulary only. */
struct encoding {
    int64_t n;
    int32_t *ids;   /* [n] */
    uint8_t *units; /* [n] 0: first token of a word, 1: goes on with it */
    int64_t ids_cap, units_cap;
    struct bpe_cache *cache;
};
/* Replaces *out by the tokens of text, n bytes of any kind (n < 2^31). Special tokens are neither added nor recognised.
 * A word is letters and digits with its contraction ("don't", "mp3"); a run of punctuation or of spaces is one too. */
void bpe_encode(const struct bpe *b, struct encoding *out, const char *text, size_t n);
/* Appends them instead. */
void bpe_append(const struct bpe *b, struct encoding *out, const char *text, size_t n);
void encoding_trim(struct encoding *c); /* gives back what a very long text took */
void encoding_release(struct encoding *c);

/* Appends the bytes that the ids, each in [0, V), stand for. */
void bpe_decode(const struct bpe *b, const int32_t *ids, int64_t n, struct str *out);
#endif
