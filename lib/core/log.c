#include "core/log.h"
#include "core/str.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const char *program = "unimo";

void log_program(const char *name)
{
    program = name;
}

const char *log_program_name(void)
{
    return program;
}

/* Control characters in a message must not drive a terminal. */
static void scrub(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) *text = '?';
    }
}

static void write_all(const char *data, size_t n)
{
    while (n) {
        ssize_t w = write(2, data, n);
        if (w < 0 && errno == EINTR) continue;
        if (w <= 0) return; /* nobody is left to tell */
        data += w;
        n -= (size_t)w;
    }
}

void log_line(const char *fmt, ...)
{
    struct str s = { 0 };
    va_list ap;

    fflush(stdout);
    str_addf(&s, "%s: ", program);
    va_start(ap, fmt);
    str_vaddf(&s, fmt, ap);
    va_end(ap);
    scrub(s.data);
    str_add_char(&s, '\n');
    write_all(s.data, s.n);
    str_release(&s);
}

void log_out_of_memory(size_t bytes)
{
    char line[128];
    int n = bytes ? snprintf(line, sizeof line, "%s: out of memory (asked for %zu bytes)\n", program, bytes)
                  : snprintf(line, sizeof line, "%s: out of memory\n", program);

    fflush(stdout);
    write_all(line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

double clock_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_begin(struct progress *p, const char *what, int64_t total)
{
    *p = (struct progress){ .what = what, .total = total, .start = clock_seconds(), .is_shown = isatty(2) };
    p->last = p->start;
}

void progress_step(struct progress *p, int64_t done, const char *note)
{
    char line[160];
    double now;

    p->done = done;
    if (!p->is_shown || (now = clock_seconds()) - p->last < 0.1) return;
    p->last = now;
    double rate = (double)(done - p->before) / (now - p->start);
    int n = p->total >= 0 ? snprintf(line, sizeof line, "\r%s: %lld of %lld %s, %.4g/s, %.0f s left  %s\033[K", program,
                                     (long long)done, (long long)p->total, p->what, rate,
                                     rate > 0 ? (double)(p->total - done) / rate : 0.0, note ? note : "")
                          : snprintf(line, sizeof line, "\r%s: %lld %s, %.4g/s  %s\033[K", program, (long long)done,
                                     p->what, rate, note ? note : "");
    write_all(line, n < (int)sizeof line ? (size_t)n : sizeof line - 1);
}

void progress_end(struct progress *p)
{
    if (p->is_shown) write_all("\r\033[K", 4);
    p->is_shown = false;
}
