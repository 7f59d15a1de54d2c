#ifndef CORE_POOL_H
#define CORE_POOL_H
#include "core/err.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Number of processors this process may use (affinity mask, cgroup quota), at least 1. */
int pool_cpus(void);
/* How many of so many threads can be started, the calling one counted: a limit of processes may be near. At least 1. */
int pool_startable(int threads);
/* With OMP_PROC_BIND, OpenMP binds the first thread before main() to one processor, and with it whatever the thread
 * starts: gives it back all those that OpenMP has. */
void pool_unbind(void);

/* Runs body(i, worker, arg, e) for i in [0, n) on `threads` threads, handing out chunks of `grain`.
 * worker is in [0, threads). When calls fail, the error of the lowest i wins; the rest stop early. */
int pool_for(int64_t n, int64_t grain, int threads, int (*body)(int64_t i, int worker, void *arg, struct err *e),
             void *arg, struct err *e);

/* An ordered pipeline: `next` (one thread) makes jobs, `work` (threads) does them, `done` (the calling
 * thread) takes them in the order in which they were made. At most `depth` jobs are in flight.
 * next: 1 and *job, 0 at the end, -1 on error. done is called for every job that was made, with
 * failed = true after an error, so that it can free it. The first error by job order wins.
 * is_ready: next will not wait for input, so that jobs can be made before a thread wants one; NULL: it may.
 * help: other work, made by done, that a thread does before it turns to a job; false when there is none. NULL: never.
 */
struct pipeline {
    int (*next)(void *arg, void **job, struct err *e);
    int (*work)(void *arg, void *job, int worker, struct err *e);
    int (*done)(void *arg, void *job, bool failed, struct err *e);
    void *arg;
    int threads;
    int depth;
    bool (*is_ready)(void *arg);
    bool (*help)(void *arg);
};
int pipeline_run(const struct pipeline *p, struct err *e);

/* One thread that takes items in the order in which they are given, behind the thread that gives them; at most `depth`
 * wait. After an error, work gets the rest with failed = true, so that it can free them. */
struct follower;
struct follower *follower_start(int depth, int (*work)(void *arg, void *item, bool failed, struct err *e), void *arg,
                                struct err *e);
int follower_give(struct follower *f, void *item); /* -1 after an error, which follower_end() tells; always takes it */
int follower_end(struct follower *f, bool failed, struct err *e); /* waits for the last; NULL is fine */

/* How much several threads may hold of something at once. Who wants more than there is waits, but not for ever: one
 * alone may have any amount. */
struct budget {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t most, held;
};
void budget_init(struct budget *b, int64_t most);
void budget_take(struct budget *b, int64_t n);
void budget_give(struct budget *b, int64_t n);
void budget_release(struct budget *b);

/* Things that one thread is done with and another can use again, instead of new ones: large buffers above all, which
 * cost more to get from the system than to fill. Empty with what ends one, and the most bytes that one keeps. */
enum { SPARES = 64 };
struct spares {
    void (*drop)(void *thing);
    size_t most;
    atomic_flag is_held;
    int n;
    void *at[SPARES];
};
void *spares_take(struct spares *s);                           /* NULL: there are none */
void spares_give(struct spares *s, void *thing, size_t bytes); /* drops it when it is too large, or there are enough */
void spares_release(struct spares *s);                         /* drops them all */

/* A bounded queue of pointers between threads, for read-ahead. */
struct queue;
struct queue *queue_new(int capacity);
int queue_push(struct queue *q, void *item); /* blocks; -1 once the queue is closed */
int queue_pop(struct queue *q, void **item); /* blocks; -1 once closed and drained */
void queue_close(struct queue *q);
void queue_free(struct queue *q);
#endif
