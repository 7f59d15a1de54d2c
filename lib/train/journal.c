#include "train/journal.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOG_LIMIT = 1 << 30 };

struct journal {
    int fd; /* -1: none, or given up */
    char *path;
};

/* How many bytes of the log belong to steps up to `step`. */
static size_t keep_bytes(const char *text, size_t n, int64_t step)
{
    size_t at = 0;

    while (at < n) {
        const char *end = memchr(text + at, '\n', n - at);
        struct err ignored = { 0 };
        if (!end) break;
        struct value *v = value_parse(text + at, end - (text + at), &ignored);
        bool is_later = !v || value_integer(value_get(v, "step")) > step;
        value_free(v);
        if (is_later) break;
        at = (size_t)(end - text) + 1;
    }
    return at;
}

static int cut(struct journal *j, int64_t step, struct err *e)
{
    struct stat st;
    size_t n = 0, keep = 0;

    if (fstat(j->fd, &st) || !S_ISREG(st.st_mode)) return 0;
    if (step && st.st_size) {
        char *text = file_load(j->path, LOG_LIMIT, &n, e);
        if (!text) return -1;
        keep = keep_bytes(text, n, step);
        free(text);
    }
    return ftruncate(j->fd, (off_t)keep) ? err_errno(e, "%s", j->path) : 0;
}

struct journal *journal_open(const char *path, int64_t step, struct err *e)
{
    struct journal *j = mem_new(struct journal, 1);

    j->fd = -1;
    if (!path) return j;
    j->path = mem_strdup(path);
    j->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (j->fd >= 0 && !cut(j, step, e)) return j;
    if (j->fd < 0) err_errno(e, "%s", path);
    journal_close(j);
    return NULL;
}

void journal_write(struct journal *j, const struct value *line)
{
    struct str s = { 0 };
    struct err e = { 0 };

    if (j->fd < 0) return;
    value_print(line, &s);
    str_add_char(&s, '\n');
    if (file_write(j->fd, s.data, s.n, &e)) {
        log_line("%s: %s; training goes on without a log", j->path, e.text);
        close(j->fd);
        j->fd = -1;
    }
    str_release(&s);
}

void journal_close(struct journal *j)
{
    if (!j) return;
    if (j->fd >= 0) close(j->fd);
    free(j->path);
    free(j);
}
