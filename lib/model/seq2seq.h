#ifndef MODEL_SEQ2SEQ_H
#define MODEL_SEQ2SEQ_H
#include "core/mem.h"
#include "core/rng.h"
#include "model/batch.h"

/* Sequence-to-sequence generation: fragments are cut out of the text until ratio of its tokens are used; what is left
 * is the source, [CLS] fragment [SEP] after [CLS] fragment [SEP] the target. */
struct seq2seq_opts {
    double ratio;                   /* 0.25 */
    int min_fragment, max_fragment; /* 4, 32 */
    bool two_granularities; /* instead: alternate source and target pieces, with probability 0.4 of 3..12 and 1..4
                             * tokens, else 12..96 and 4..32 */
};
extern const struct seq2seq_opts seq2seq_defaults;

/* Rows for batch_add_sequence(): source first ([CLS] .. [SEP]), prefix = source rows, then the target. Every token
 * keeps the position it has in the whole text; the [CLS] of a fragment has the position before its first token, its
 * [SEP] the one after its last. Labels: each target row predicts the next target token up to its fragment's [SEP]; the
 * [SEP] predicts nothing. A text too short to cut becomes source "[CLS] [SEP]" and is the target as a whole. Memory
 * from the arena. The text is cut to max_text first. */
struct batch_rows seq2seq_split(struct arena *a, struct rng *r, const struct model_config *c,
                                const struct seq2seq_opts *o, const struct batch_text *text);
#endif
