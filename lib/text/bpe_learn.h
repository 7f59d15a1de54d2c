#ifndef TEXT_BPE_LEARN_H
#define TEXT_BPE_LEARN_H
#include "core/err.h"
#include <stddef.h>
#include <stdint.h>

/* Learns a byte-level BPE vocabulary. Only the counts of distinct pieces of text are kept, and of these at most a
 * number (and 16 bytes each on average): when there are more, those seen least are forgotten, so that memory is bounded
 * whatever the text. A gigabyte of English has two million. */
struct bpe_learner;
enum { BPE_LEARN_PIECES = 1 << 23 };
/* Pieces longer than this are not counted: they are no words, and merging them would take time quadratic in their
 * length. */
enum { BPE_LEARN_PIECE_MAX = 1024 };
/* The smallest vocabulary: <s> <pad> </s> <unk>, 256 bytes, <mask>. */
enum { BPE_SPECIAL_FIRST = 4, BPE_SIZE_MIN = BPE_SPECIAL_FIRST + 256 + 1 };

/* The names of the files that are made, for outdir_check(). */
extern const char *const bpe_learn_files[];

struct bpe_learner *bpe_learner_new(int64_t pieces);
void bpe_learner_free(struct bpe_learner *l); /* NULL is fine */
void bpe_learner_add(struct bpe_learner *l, const char *text, size_t n);
int64_t bpe_learner_forgotten(const struct bpe_learner *l); /* pieces, so far */

/* Merges the most frequent pair again and again, as Hugging Face's BpeTrainer does (ties: the pair of smaller ids),
 * until there are `size` tokens or no pair occurs min_count times; writes vocab.json, merges.txt and tokenizer.json as
 * the directory dir, which appears complete or not at all. *got is the size reached. Uses up the learner's counts. */
int bpe_learn(struct bpe_learner *l, const char *dir, int64_t size, int64_t min_count, int64_t *got, struct err *e);
#endif
