#ifndef REWRITE_REWRITER_H
#define REWRITE_REWRITER_H
#include "rewrite/substitute.h"
#include "stream/filter.h"

/* A directory made by rewriter_learn(): lexicon.json, captions.safetensors, and, where given, texts.safetensors and
 * images.safetensors. */
struct rewriter_opts {
    const char *dir;
    const char *wordnet; /* a directory; NULL: do without */
    const char *const *translators;
    int n_translators;
    double translator_seconds; /* for one batch */
    int positives, negatives, related;
    double sentence_share; /* of the negatives */
    double weight[KINDS];  /* of the kinds of edit among the others */
    bool same_image;       /* other captions of the image serve as positives */
    bool by_features;      /* related images: by their mean features; by classes those that the index does not have */
    int time_limit;        /* seconds for parsing a sentence */
    uint64_t seed;
    int threads;
};
struct rewriter_inputs { /* files; no pairs: standard input */
    const char *const *pairs, *const *images, *const *texts;
    int n_pairs, n_images, n_texts;
    bool mean_features; /* of images are kept too, in means.safetensors */
};
int rewriter_learn(const struct rewriter_opts *o, const struct rewriter_inputs *in, const struct reader_opts *how,
                   struct err *e);

/* Adds to records: scene_graph, phrases; to pairs (with "image") also positives, negatives, related_texts;
 * related_images where the directory has them. */
struct rewriter;
struct rewriter *rewriter_open(const struct rewriter_opts *o, struct err *e);
int rewriter_work(void *rewriter, struct record **r, int n, int worker, struct err *e); /* for struct filter */
int rewriter_batch(const struct rewriter *w); /* records that are best handed over at once */
void rewriter_close(struct rewriter *w);      /* NULL is fine */
#endif
