#ifndef CORE_POOL_H
#define CORE_POOL_H
#include "core/err.h"
#include <stdint.h>

/* Number of processors this process may use (affinity mask, cgroup quota), at least 1. */
int pool_cpus(void);

/* Runs body(i, worker, arg, e) for i in [0, n) on `threads` threads, handing out chunks of `grain`.
 * worker is in [0, threads). When calls fail, the error of the lowest i wins; the rest stop early. */
int pool_for(int64_t n, int64_t grain, int threads, int (*body)(int64_t i, int worker, void *arg, struct err *e),
             void *arg, struct err *e);

/* An ordered pipeline: `next` (one thread) makes jobs, `work` (threads) does them, `done` (the calling
 * thread) takes them in the order in which they were made. At most `depth` jobs are in flight.
 * next: 1 and *job, 0 at the end, -1 on error. done is called for every job that was made, with
 * failed = true after an error, so that it can free it. The first error by job order wins. */
struct pipeline {
    int (*next)(void *arg, void **job, struct err *e);
    int (*work)(void *arg, void *job, int worker, struct err *e);
    int (*done)(void *arg, void *job, bool failed, struct err *e);
    void *arg;
    int threads;
    int depth;
};
int pipeline_run(const struct pipeline *p, struct err *e);

/* A bounded queue of pointers between threads, for read-ahead. */
struct queue;
struct queue *queue_new(int capacity);
int queue_push(struct queue *q, void *item); /* blocks; -1 once the queue is closed */
int queue_pop(struct queue *q, void **item); /* blocks; -1 once closed and drained */
void queue_close(struct queue *q);
void queue_free(struct queue *q);
#endif
