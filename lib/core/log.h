#ifndef CORE_LOG_H
#define CORE_LOG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Messages to standard error: one write per line, with the program's name in front. lib/ prints nothing
 * but through these; errors are returned, not printed. */
void log_program(const char *name); /* set once by program_main() */
const char *log_program_name(void);
void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_out_of_memory(size_t bytes); /* 0: it is not known how many; asks for none itself */

/* A progress line that rewrites itself, on a terminal only, at most ten times a second.
 * total < 0: unknown. progress_end() erases it. */
struct progress {
    const char *what; /* "images" */
    int64_t total;
    int64_t done;
    int64_t before; /* of them were done before it began: set it after progress_begin() when a run goes on */
    double start, last;
    bool is_shown;
};
void progress_begin(struct progress *p, const char *what, int64_t total);
void progress_step(struct progress *p, int64_t done, const char *note); /* note may be NULL */
void progress_end(struct progress *p);

double clock_seconds(void); /* monotonic */
#endif
