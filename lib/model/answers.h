#ifndef MODEL_ANSWERS_H
#define MODEL_ANSWERS_H
#include <stdbool.h>
#include <stdint.h>

/* A closed set of texts that may be written, as a tree of their tokens: decoding takes only steps that lead to one of
 * them. Node 0 is the beginning of all. */
struct answers {
    int64_t n, cap; /* nodes */
    struct answers_node {
        int32_t token;
        bool is_whole;          /* an answer ends here */
        int64_t child, sibling; /* first child, next child of the same parent; 0: none */
    } * node;
    int64_t longest; /* tokens of the longest answer */
};
/* Zero is an empty set. Adding one twice is fine; n 0 adds nothing. */
void answers_add(struct answers *a, const int32_t *tokens, int64_t n);
/* The node behind one step, or -1. */
int64_t answers_step(const struct answers *a, int64_t node, int32_t token);
void answers_release(struct answers *a);
#endif
