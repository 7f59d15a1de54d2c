#include "stream/lines.h"
#include "core/file.h"
#include "core/mem.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 1 << 18 };
struct lines {
    const char *const *paths;
    int n_paths, next_path; /* the file after the open one */
    const char *path;
    int fd; /* -1: none is open */
    struct reader_opts opts;
    char *buffer;
    size_t at, have;
    int64_t number, delivered;
    bool is_any; /* some byte was read */
    bool is_file;
};

static const char *const standard_input[] = { "-" };

struct lines *lines_open(const char *const *paths, int n, const struct reader_opts *opts)
{
    struct lines *l = mem_new(struct lines, 1);

    l->paths = n ? paths : standard_input;
    l->n_paths = n ? n : 1;
    l->fd = -1;
    if (opts) l->opts = *opts;
    l->buffer = mem_new(char, BUFFER);
    return l;
}

static int is_compressed(const struct lines *l, struct err *e)
{
    static const struct {
        const char *bytes, *name;
    } kinds[] = { { "\x28\xb5\x2f\xfd", "zstd data" },
                  { "\x55\x2a\x4d\x18", "a stream" },
                  { "\x1f\x8b", "gzip data" } };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t n = strlen(kinds[i].bytes);
        if (l->have >= n && !memcmp(l->buffer, kinds[i].bytes, n))
            return err_set(e, ERR_INPUT, "%s (plain text was expected)", kinds[i].name);
    }
    return 0;
}

static const char *shown(const char *path)
{
    return strcmp(path, "-") ? path : "standard input";
}

/* 1 with bytes in the buffer, 0 at the end of the last file, -1. */
static int fill(struct lines *l, bool *is_end_of_file, struct err *e)
{
    struct stat st;

    *is_end_of_file = false;
    while (l->at == l->have) {
        bool is_first = l->fd < 0;
        if (is_first) {
            if (l->next_path == l->n_paths) return 0;
            l->path = l->paths[l->next_path++];
            if ((l->fd = file_open(l->path, e)) < 0) return -1;
            l->is_file = !fstat(l->fd, &st) && S_ISREG(st.st_mode);
        }
        ssize_t got = file_read(l->fd, l->buffer, BUFFER, e);
        l->at = 0;
        l->have = got > 0 ? (size_t)got : 0;
        if (got < 0 || (is_first && is_compressed(l, e))) return err_in(e, "%s", shown(l->path));
        if (got) break;
        close(l->fd);
        l->fd = -1;
        l->is_file = false;
        *is_end_of_file = true;
        return 1;
    }
    l->is_any = true;
    return 1;
}

/* The next line of all; as lines_next(). */
static int read_line(struct lines *l, struct str *line, struct err *e)
{
    bool is_begun = false, is_end_of_file;
    size_t was = line->n;

    for (;;) {
        int rc = fill(l, &is_end_of_file, e);
        if (rc < 0) return -1;
        if (rc == 0 || is_end_of_file) {
            if (is_begun) return 1; /* a last line without newline */
            if (rc == 0) return 0;
            continue;
        }
        const char *from = l->buffer + l->at, *end = memchr(from, '\n', l->have - l->at);
        size_t n = end ? (size_t)(end - from) : l->have - l->at;
        str_add_bytes(line, from, n);
        l->at += n + (end != NULL);
        is_begun = true;
        if (line->n - was > LIMIT_RECORD_BYTES) {
            err_set(e, ERR_INPUT, "longer than %lld bytes", LIMIT_RECORD_BYTES);
            err_in(e, "line %" PRId64, l->number + 1);
            return err_in(e, "%s", shown(l->path));
        }
        if (end) return 1;
    }
}

int lines_next(struct lines *l, struct str *line, int64_t *number, struct err *e)
{
    size_t was = line->n;

    while (!l->opts.limit || l->delivered < l->opts.limit) {
        int rc = read_line(l, line, e);
        if (rc == 0 && !l->is_any) rc = err_set(e, ERR_INPUT, "%s: is empty", shown(l->paths[0]));
        if (rc <= 0) return rc;
        *number = ++l->number;
        if (l->opts.shards < 2 || (l->number - 1) % l->opts.shards == l->opts.shard) {
            l->delivered++;
            return 1;
        }
        line->n = was;
    }
    return 0;
}

bool lines_is_ready(const struct lines *l)
{
    return l->is_file || lines_has_line(l);
}

bool lines_has_line(const struct lines *l)
{
    return memchr(l->buffer + l->at, '\n', l->have - l->at);
}

void lines_close(struct lines *l)
{
    if (!l) return;
    if (l->fd >= 0) close(l->fd);
    free(l->buffer);
    free(l);
}
