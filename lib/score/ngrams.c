#include "score/ngrams.h"
#include "score/ptb.h"
#include <string.h>

void words_of(struct words *w, const char *text)
{
    *w = (struct words){ 0 };
    ptb_words(text, strlen(text), &w->text);
    for (size_t i = 0; i < w->text.n; i++) w->n += w->text.data[i] == ' ';
    w->n += w->text.n > 0;
}

void words_release(struct words *w)
{
    str_release(&w->text);
    *w = (struct words){ 0 };
}

void ngrams_count(struct ngrams *g, const struct words *w)
{
    const char *text = str_c(&w->text), *end = text + w->text.n;

    *g = (struct ngrams){ 0 };
    for (const char *from = text; from < end;) {
        const char *to = from;
        for (int k = 0; k < NGRAM_MAX && to <= end; k++) { /* to: the first byte of the run's last word */
            const char *stop = memchr(to, ' ', (size_t)(end - to));
            if (!stop) stop = end;
            ++*map_put(&g->count[k], from, (size_t)(stop - from), NULL);
            if (stop == end) break;
            to = stop + 1;
        }
        const char *next = memchr(from, ' ', (size_t)(end - from));
        if (!next) break;
        from = next + 1;
    }
}

void ngrams_release(struct ngrams *g)
{
    for (int k = 0; k < NGRAM_MAX; k++) map_release(&g->count[k]);
}
