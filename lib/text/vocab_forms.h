#ifndef TEXT_VOCAB_FORMS_H
#define TEXT_VOCAB_FORMS_H
#include "core/str.h"
#include "stream/value.h"

/* The forms in which vocabularies are kept, brought to one: an object of token -> id, and merges as lines. */

/* tokenizer.json of Hugging Face's tokenizers: its model must be byte-level BPE as GPT-2's, without normaliser, prefix
 * space or dropout, as ids would differ otherwise. *vocab, which the caller frees, has the added tokens too; merges are
 * appended. */
int vocab_from_tokenizer(const char *text, int64_t n, struct value **vocab, struct str *merges, struct err *e);

/* The order in which RoBERTa and UNIMO number the tokens of GPT-2's vocabulary, as either published it:
 *   fairseq's dict.txt   "GPT2-ID COUNT" a line, most frequent first: 0 <s>, 1 <pad>, 2 </s>, 3 <unk>, then the lines
 *                        in order, then <mask> unless a line has it
 *   unimo_en.vocab.txt   "GPT2-ID" a line, which begins with [CLS]: the lines in order; [CLS], [PAD], [SEP], [UNK] and
 *                        [MASK] are called as RoBERTa calls them
 * Every byte and merge of the vocabulary must be in it. NULL on error; else for the caller to free. */
struct value *vocab_from_dict(const struct value *gpt2, const char *text, size_t n, struct err *e);
const char *vocab_dict_name(const char *text, size_t n); /* of the two */

/* A tokenizer.json of a vocabulary whose tokens named in special[n] are matched in texts. */
void vocab_print_tokenizer(const struct value *vocab, const struct value *merges, const char *const *special, int n,
                           struct str *out);
#endif
