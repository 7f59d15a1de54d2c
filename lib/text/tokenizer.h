#ifndef TEXT_TOKENIZER_H
#define TEXT_TOKENIZER_H
#include "core/file.h"
#include "stream/lines.h"
#include "stream/reader.h"
#include "stream/writer.h"
#include "text/fields.h"

/* The loops of unimo-tokenize: order out = order in, whatever the number of threads. */
struct tokenizer {
    const struct bpe *bpe;
    struct fields fields;
    int64_t max_length; /* tokens kept of each text; 0: all */
    int threads;
};
int tokenizer_encode(const struct tokenizer *t, struct reader *in, struct writer *out, struct err *e);
int tokenizer_decode(const struct tokenizer *t, struct reader *in, struct writer *out, struct err *e);
/* One record a line: its number as "id", "text" (U+FFFD where it is not UTF-8), "tokens" and "units" of its very bytes.
 */
int tokenizer_encode_lines(const struct tokenizer *t, struct lines *in, struct writer *out, struct err *e);
/* One line a record: the bytes behind the tokens of the first field. */
int tokenizer_decode_lines(const struct tokenizer *t, struct reader *in, struct out *out, struct err *e);
#endif
