/* Reading and listing files. Writing them is out.c. */
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_open(const char *path, struct err *e)
{
    struct stat st;

    int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(0);
    if (fd < 0) {
        err_errno(e, "cannot open");
    } else if (!fstat(fd, &st) && S_ISDIR(st.st_mode)) {
        err_set(e, ERR_IO, "is a directory (a file was expected)");
        close(fd);
        fd = -1;
    }
    if (fd < 0) err_in(e, "%s", strcmp(path, "-") ? path : "standard input");
    return fd;
}

bool file_key(struct file_key *key, const char *path)
{
    struct stat st;

    if (stat(path, &st)) return false;
    memset(key, 0, sizeof *key);
    key->device = st.st_dev;
    key->inode = st.st_ino;
    return true;
}

bool file_is_regular(const char *path)
{
    struct stat st;

    return strcmp(path, "-") && !stat(path, &st) && S_ISREG(st.st_mode);
}

ssize_t file_read_at(int fd, void *buf, size_t n, int64_t at, struct err *e)
{
    size_t got = 0;

    while (got < n) {
        ssize_t r = pread(fd, (char *)buf + got, n - got, at + (int64_t)got);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return err_errno(e, "cannot read");
        if (r == 0) break;
        got += (size_t)r;
    }
    return (ssize_t)got;
}

ssize_t file_read(int fd, void *buf, size_t n, struct err *e)
{
    size_t got = 0;

    while (got < n) {
        ssize_t r = read(fd, (char *)buf + got, n - got);
        if (r < 0 && errno == EINTR) continue;
        if (r < 0) return err_errno(e, "cannot read");
        if (r == 0) break;
        got += (size_t)r;
    }
    return (ssize_t)got;
}

int file_write(int fd, const void *buf, size_t n, struct err *e)
{
    const char *p = buf;

    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR) continue;
        if (w < 0) return err_errno(e, "cannot write");
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

char *file_load(const char *path, size_t limit, size_t *n, struct err *e)
{
    int fd = file_open(path, e);
    char *data = NULL;
    int64_t cap = 0;

    *n = 0;
    if (fd < 0) return NULL;
    for (;;) {
        if (mem_reserve_try(&data, &cap, (int64_t)*n + (64 << 10) + 1)) {
            err_set(e, ERR_IO, "not enough memory");
            goto fail;
        }
        ssize_t got = file_read(fd, data + *n, 64 << 10, e);
        if (got < 0) goto fail;
        *n += (size_t)got;
        if (*n > limit) {
            err_set(e, ERR_INPUT, "more than %zu bytes", limit);
            goto fail;
        }
        if (!got) break;
    }
    data[*n] = 0;
    close(fd);
    return data;
fail:
    err_in(e, "%s", path);
    close(fd);
    free(data);
    return NULL;
}

int file_exists(const char *path, struct err *e)
{
    if (!access(path, F_OK)) return 1;
    return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, "%s: cannot look for it", path);
}

/* A path from the program's own directory. */
static char *beside_program(const char *folder, const char *name)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    struct str path = { 0 };

    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash) *slash = 0;
    str_addf(&path, "%s/../%s/%s", self, folder, name);
    return path.data;
}

char *file_shared(const char *name)
{
    return beside_program("share/unimo", name);
}

char *file_plugin(const char *name)
{
    const char *dir = getenv("UNIMO_BACKEND_DIR");

    return dir && *dir ? path_join(dir, name) : beside_program("lib/unimo", name);
}

int dir_make(const char *path, struct err *e)
{
    char *copy = mem_strdup(path);
    int rc = 0;

    for (char *p = copy + 1; !rc; p++) {
        if (*p && *p != '/') continue;
        char was = *p;
        *p = 0;
        if (mkdir(copy, 0777) && errno != EEXIST) rc = err_errno(e, "%s: cannot make directory", copy);
        *p = was;
        if (!was) break;
    }
    struct stat st;
    if (!rc && (stat(path, &st) || !S_ISDIR(st.st_mode)))
        rc = err_set(e, ERR_IO, "%s: exists and is not a directory", path);
    free(copy);
    return rc;
}

int dir_remove(const char *path, struct err *e)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    int rc = 0;

    if (!d) return err_errno(e, "%s: cannot remove", path);
    while (!rc && (errno = 0, entry = readdir(d))) {
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (!unlinkat(dirfd(d), entry->d_name, 0)) continue;
        if (errno != EISDIR && errno != EPERM) {
            rc = err_errno(e, "%s/%s: cannot remove", path, entry->d_name);
            break;
        }
        char *inner = path_join(path, entry->d_name);
        rc = dir_remove(inner, e);
        free(inner);
    }
    if (!rc && errno) rc = err_errno(e, "%s: cannot list", path);
    closedir(d);
    if (!rc && rmdir(path)) rc = err_errno(e, "%s: cannot remove", path);
    return rc;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool ends_in_one_of(const char *name, const char *const *suffixes)
{
    size_t n = strlen(name);

    for (; *suffixes; suffixes++) {
        size_t m = strlen(*suffixes);
        if (n > m && !strcasecmp(name + n - m, *suffixes)) return true;
    }
    return false;
}

/* Folders, pipes and devices; what only a look would tell is none. */
static bool is_no_file(const struct dirent *entry)
{
    return entry->d_type != DT_REG && entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN;
}

int64_t dir_list(const char *path, const char *const *suffixes, char ***names, struct err *e)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    int64_t n = 0, cap = 0;

    *names = NULL;
    if (!d) return err_errno(e, "%s: cannot list", path);
    while ((errno = 0, entry = readdir(d))) {
        if (is_no_file(entry) || !ends_in_one_of(entry->d_name, suffixes)) continue;
        mem_reserve(names, &cap, n + 1);
        (*names)[n++] = mem_strdup(entry->d_name);
    }
    int rc = errno ? err_errno(e, "%s: cannot list", path) : 0;
    closedir(d);
    if (rc) {
        while (n) free((*names)[--n]);
        free(*names);
        return -1;
    }
    if (n) qsort(*names, (size_t)n, sizeof **names, compare_names);
    return n;
}
