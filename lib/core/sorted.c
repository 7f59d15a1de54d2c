#include "core/sorted.h"
#include "core/file.h"
#include "core/str.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int sorted_open(struct sorted *s, const char *dir, const char *name, struct err *e)
{
    char *path = path_join(dir, name);
    int fd = file_open(path, e), rc = -1;
    struct stat st;

    if (fd >= 0 && !fstat(fd, &st) && st.st_size > 0) {
        void *data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data != MAP_FAILED) {
            *s = (struct sorted){ data, (int64_t)st.st_size };
            rc = 0;
        }
    }
    if (rc && fd >= 0) err_set(e, ERR_INPUT, "%s: cannot be mapped (a file of WordNet's data base was expected)", path);
    if (fd >= 0) close(fd);
    free(path);
    return rc;
}

void sorted_close(struct sorted *s)
{
    if (s->data) munmap((void *)(uintptr_t)s->data, (size_t)s->n);
    *s = (struct sorted){ 0 };
}

const char *sorted_line(const struct sorted *s, const char *key, size_t n, const char **end)
{
    int64_t low = 0, high = s->n;

    if (!n || n > 76) return NULL;
    while (low < high) {
        int64_t middle = low + (high - low) / 2, start = middle;
        while (start > low && s->data[start - 1] != '\n') start--;
        const char *line = s->data + start, *stop = memchr(line, '\n', (size_t)(s->n - start));
        if (!stop) stop = s->data + s->n;
        size_t m = (size_t)(stop - line);
        int order = memcmp(line, key, m < n ? m : n);
        if (!order) order = m < n ? -1 : m == n || line[n] == ' ' ? 0 : (unsigned char)line[n] < ' ' ? -1 : 1;
        if (!order) {
            *end = stop;
            return line;
        }
        if (order < 0) low = stop - s->data + 1;
        else high = start;
    }
    return NULL;
}

const char *sorted_field(const char **p, const char *end, size_t *n)
{
    while (*p < end && **p == ' ') ++*p;
    const char *at = *p;
    while (*p < end && **p != ' ') ++*p;
    *n = (size_t)(*p - at);
    return at;
}
