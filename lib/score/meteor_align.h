#ifndef SCORE_METEOR_ALIGN_H
#define SCORE_METEOR_ALIGN_H
#include "core/str.h"
#include "score/meteor_words.h"

/* METEOR's alignment of a hypothesis with a reference (Denkowski and Lavie 2014): matches of words and phrases of four
 * kinds, and the beam search that chooses among them. */
enum meteor_module { METEOR_EXACT, METEOR_STEM, METEOR_SYNONYM, METEOR_PARAPHRASE, METEOR_MODULES };
struct meteor_match {
    enum meteor_module module;
    int ref, ref_n; /* words of the reference: first, how many */
    int hyp, hyp_n;
};
struct meteor_text {
    int n;
    const int32_t *words;
};
/* Room for an alignment; zero is empty. One thread at a time. */
struct meteor_aligner {
    const struct meteor_lexicon *lexicon;
    unsigned modules; /* a bit for each */
    int n_chosen;     /* the result, by place in the reference */
    struct meteor_match *chosen;
    int64_t cap_chosen;
    struct meteor_match *matches; /* by place in the reference */
    int n_matches;
    int64_t cap_matches, cap_sorted, cap_starts;
    struct meteor_match *sorted;
    int *starts; /* [ref.n + 1] into matches */
    struct arena arena;
    struct str key;
};
void meteor_align(struct meteor_aligner *a, struct meteor_text hyp, struct meteor_text ref);
void meteor_aligner_release(struct meteor_aligner *a);
#endif
