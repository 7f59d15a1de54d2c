#ifndef REWRITE_RETRIEVE_H
#define REWRITE_RETRIEVE_H
#include "rewrite/facts.h"
#include "rewrite/means.h"
#include "rewrite/substitute.h"
#include "rewrite/tfidf.h"
#include "stream/record.h"

/* What a document is indexed by. Arrays and strings live in the arena. */
/* By wording: all but articles, auxiliaries and the like. By content: no prepositions, numbers and adverbs either.
 * Nouns in the singular. */
enum terms_by { TERMS_BY_WORDING, TERMS_BY_CONTENT };
int text_terms(const struct words *w, enum terms_by by, const char ***out, struct arena *a);
/* By content, and the graph's objects once more: what a related text should be about. */
int graph_terms(const struct scene_graph *g, const char ***out, struct arena *a);
/* What was detected in an image (fields "classes", "attributes", "scores"): of each region that is surer than not to be
 * noise its class ("car") and its class with its attribute ("red car"). */
int image_terms(const struct record *r, const char ***out, struct arena *a, struct err *e);

/* The nearest k documents of an index, other than the one called `not`, as an array of ids. */
struct value *related_ids(struct tfidf_search *s, const struct tfidf *x, const char *const *terms, int n,
                          const char * not, int k, struct arena *a);
/* The terms of the image with this id in an index of images; when it is not there, the objects that are known of it. */
int image_query(const struct tfidf *images, const char *id, const struct facts *facts, const char ***out,
                struct arena *a);

/* The nearest k of an image that the index has, by mean features. */
struct value *related_by_features(const struct means *m, const struct tfidf *images, int64_t image, int k,
                                  struct arena *a);

/* Captions of other images that are close in wording and cannot be true of this one, behind the n negatives that out
 * has, until there are `want`; returns how many there are. */
int sentence_negatives(struct tfidf_search *s, const struct tfidf *captions, const struct scene_graph *g, int32_t group,
                       const struct facts *facts, struct names *names, struct negative *out, int n, int want,
                       struct arena *a);
#endif
