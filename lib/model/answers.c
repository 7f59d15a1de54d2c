#include "model/answers.h"
#include "core/mem.h"
#include <stdlib.h>

int64_t answers_step(const struct answers *a, int64_t node, int32_t token)
{
    int64_t k = a->n ? a->node[node].child : 0;

    while (k && a->node[k].token != token) k = a->node[k].sibling;
    return k ? k : -1;
}

static int64_t grow(struct answers *a, int64_t parent, int32_t token)
{
    mem_reserve(&a->node, &a->cap, a->n + 1);
    a->node[a->n] = (struct answers_node){ .token = token, .sibling = a->node[parent].child };
    a->node[parent].child = a->n;
    return a->n++;
}

void answers_add(struct answers *a, const int32_t *tokens, int64_t n)
{
    int64_t at = 0;

    if (!n) return;
    mem_reserve(&a->node, &a->cap, 1);
    if (!a->n) a->node[a->n++] = (struct answers_node){ .token = -1 };
    for (int64_t i = 0; i < n; i++) {
        int64_t next = answers_step(a, at, tokens[i]);
        at = next < 0 ? grow(a, at, tokens[i]) : next;
    }
    a->node[at].is_whole = true;
    if (n > a->longest) a->longest = n;
}

void answers_release(struct answers *a)
{
    free(a->node);
    *a = (struct answers){ 0 };
}
