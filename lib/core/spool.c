#include "core/spool.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUFFER = 1 << 16 };
struct spool {
    int fd;
    char *buffer; /* what is not written yet */
    size_t n_buffer;
    int64_t written;
    void *map;
    size_t mapped;
};

/* O_TMPFILE is not for every file system. */
static int open_nameless(const char *dir)
{
    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0) return fd;
    char *path = path_join(dir, ".spool.XXXXXX");
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) unlink(path);
    free(path);
    return fd;
}

struct spool *spool_new(const char *dir, struct err *e)
{
    int fd = open_nameless(dir);

    if (fd < 0) {
        err_errno(e, "cannot create a temporary file");
        err_in(e, "%s", dir);
        return NULL;
    }
    struct spool *s = mem_new(struct spool, 1);
    s->fd = fd;
    s->buffer = mem_new(char, BUFFER);
    return s;
}

static void unmap(struct spool *s)
{
    if (s->mapped) munmap(s->map, s->mapped);
    s->mapped = 0;
}

static int flush(struct spool *s, struct err *e)
{
    if (file_write(s->fd, s->buffer, s->n_buffer, e)) return err_in(e, "a temporary file");
    s->written += (int64_t)s->n_buffer;
    s->n_buffer = 0;
    return 0;
}

int spool_add(struct spool *s, const void *data, size_t n, struct err *e)
{
    unmap(s);
    if (s->n_buffer + n > BUFFER && flush(s, e)) return -1;
    if (n > BUFFER) {
        if (file_write(s->fd, data, n, e)) return err_in(e, "a temporary file");
        s->written += (int64_t)n;
        return 0;
    }
    if (n) memcpy(s->buffer + s->n_buffer, data, n);
    s->n_buffer += n;
    return 0;
}

int64_t spool_bytes(const struct spool *s)
{
    return s->written + (int64_t)s->n_buffer;
}

int spool_read(struct spool *s, int64_t at, void *out, size_t n, struct err *e)
{
    if (flush(s, e)) return -1;
    ssize_t got = file_read_at(s->fd, out, n, at, e);
    if (got >= 0 && (size_t)got < n) err_set(e, ERR_IO, "ends before what was written");
    return got == (ssize_t)n ? 0 : err_in(e, "a temporary file");
}

const void *spool_map(struct spool *s, struct err *e)
{
    static const int64_t nothing;

    if (flush(s, e)) return NULL;
    if (!s->written) return &nothing;
    if (!s->mapped) {
        s->map = mmap(NULL, (size_t)s->written, PROT_READ, MAP_SHARED, s->fd, 0);
        if (s->map == MAP_FAILED) {
            err_errno(e, "a temporary file: cannot map");
            return NULL;
        }
        s->mapped = (size_t)s->written;
    }
    return s->map;
}

void spool_free(struct spool *s)
{
    if (!s) return;
    unmap(s);
    close(s->fd);
    free(s->buffer);
    free(s);
}
