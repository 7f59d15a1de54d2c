#ifndef COMPUTE_CPU_ATTENTION_H
#define COMPUTE_CPU_ATTENTION_H
#include "compute/cpu/fast.h"

/* The operands of attention forward and backward. A job is one head of one sequence: sequence * heads + head. */
struct attention {
    struct tensor out, lse, qkv; /* out, lse: of forward */
    struct tensor dqkv, dout;    /* of backward */
    struct sequences seq;
    int64_t hidden, heads;
    float scale;
    struct dropout drop;
};

/* attention_half_fast.c: whether it takes these operands; bytes of room that a job needs; a job. */
bool FAST_ROW(attention_half_fits)(const struct attention *w);
int64_t FAST_ROW(attention_half_room)(const struct attention *w);
void FAST_ROW(attention_half_forward)(const struct attention *w, int64_t job, void *room);
void FAST_ROW(attention_half_backward)(const struct attention *w, int64_t job, void *room);
#endif
