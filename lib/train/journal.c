#include "train/journal.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct journal {
    int fd; /* -1: none, or given up */
    char *path;
};

/* A whole line of a step up to `step`. */
static bool is_kept(const char *line, ssize_t n, int64_t step)
{
    struct err ignored = { 0 };

    if (line[n - 1] != '\n') return false;
    struct value *v = value_parse(line, n - 1, &ignored);
    bool is = v && value_integer(value_get(v, "step")) <= step;
    value_free(v);
    return is;
}

/* How many bytes of the log belong to steps up to `step`: line by line, for the log of a long run is large. */
static int kept_bytes(const char *path, int64_t step, int64_t *keep, struct err *e)
{
    FILE *f = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;

    *keep = 0;
    if (!f) return err_errno(e, "%s: cannot open", path);
    while ((n = getline(&line, &cap, f)) > 0 && is_kept(line, n, step)) *keep += n;
    int rc = ferror(f) ? err_errno(e, "%s: cannot read", path) : 0;
    fclose(f);
    free(line);
    return rc;
}

static int cut(struct journal *j, int64_t step, struct err *e)
{
    struct stat st;
    int64_t keep = 0;

    if (fstat(j->fd, &st) || !S_ISREG(st.st_mode)) return 0;
    if (step && st.st_size && kept_bytes(j->path, step, &keep, e)) return -1;
    return ftruncate(j->fd, keep) ? err_errno(e, "%s", j->path) : 0;
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
