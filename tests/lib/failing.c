/* Preloaded into a program, makes calls fail that hardly ever do: tests/fault/calls.t.
 *   FAIL=CALL:ERRNO:N   the Nth call of a kind, and with ERRNO+ also those after it: alloc, thread, open, read, write,
 *                       rename, sync, close, list or make. ERRNO: a number; "short": reads and writes one byte
 *   FAIL_PATH=TEXT      counts only calls on paths in which TEXT occurs
 *   FAIL_BYTES=N      counts only allocations of so many bytes
 *   FAIL_TOLD=FILE      gets a byte when a call failed
 * Only programs of unimo are meant, not what they start. */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t n), *__libc_calloc(size_t n, size_t size), *__libc_realloc(void *p, size_t n),
    *__libc_memalign(size_t align, size_t n);

static struct {
    char kind[16];
    int number;
    bool is_short, has_more;
    long at, bytes;
    const char *path, *told;
} failure;
static atomic_long calls;

__attribute__((constructor)) static void begin(void)
{
    char why[16] = "";
    const char *text = getenv("FAIL");

    if (!text || strncmp(program_invocation_short_name, "unimo-", 6)) return;
    failure.path = getenv("FAIL_PATH");
    failure.bytes = getenv("FAIL_BYTES") ? strtol(getenv("FAIL_BYTES"), NULL, 10) : -1;
    failure.told = getenv("FAIL_TOLD");
    if (sscanf(text, "%15[a-z]:%15[^:]:%ld", failure.kind, why, &failure.at) != 3) abort();
    failure.is_short = !strcmp(why, "short");
    failure.number = (int)strtol(why, NULL, 10);
    failure.has_more = strchr(why, '+');
}

static bool fails(const char *kind, const char *path)
{
    if (strcmp(kind, failure.kind) || (failure.path && (!path || !strstr(path, failure.path)))) return false;
    long n = ++calls;
    if (n != failure.at && !(failure.has_more && n > failure.at)) return false;
    int fd = failure.told
                 ? (int)syscall(SYS_openat, AT_FDCWD, failure.told, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
                 : -1;
    if (fd >= 0) syscall(SYS_write, fd, "x", (size_t)1);
    if (fd >= 0) syscall(SYS_close, fd);
    errno = failure.number;
    return true;
}

static bool denies(size_t n)
{
    return (failure.bytes < 0 || n == (size_t)failure.bytes) && fails("alloc", NULL);
}

/* The function that this one stands before. */
#define REAL(name)                                                                                                     \
    static __typeof__(&name) real;                                                                                     \
    if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name)

void *malloc(size_t n)
{
    return denies(n) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return denies(n * size) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return denies(n) ? NULL : __libc_realloc(p, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    *p = denies(n) ? NULL : __libc_memalign(align, n);
    return *p ? 0 : ENOMEM;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *arg)
{
    REAL(pthread_create);
    return fails("thread", NULL) ? failure.number : real(thread, how, run, arg);
}

static mode_t mode_of(int flags, va_list ap)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    return fails("open", path) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list ap;

    va_start(ap, flags);
    mode_t mode = mode_of(flags, ap);
    va_end(ap);
    return fails("open", path) ? -1 : (int)syscall(SYS_openat, dir, path, flags, mode);
}

FILE *fopen(const char *path, const char *how)
{
    REAL(fopen);
    return fails("open", path) ? NULL : real(path, how);
}

int mkostemp(char *path, int flags)
{
    REAL(mkostemp);
    return fails("open", path) ? -1 : real(path, flags);
}

int dup(int fd)
{
    return fails("open", "dup") ? -1 : (int)syscall(SYS_dup, fd);
}

int fcntl(int fd, int what, ...)
{
    va_list ap;

    va_start(ap, what);
    long arg = va_arg(ap, long);
    va_end(ap);
    return what == F_DUPFD_CLOEXEC && fails("open", "dup") ? -1 : (int)syscall(SYS_fcntl, fd, what, arg);
}

ssize_t read(int fd, void *to, size_t n)
{
    bool has_failed = fails("read", NULL);

    if (has_failed && !failure.is_short) return -1;
    return syscall(SYS_read, fd, to, has_failed && n ? (size_t)1 : n);
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
    bool has_failed = fails("read", NULL);

    if (has_failed && !failure.is_short) return -1;
    return syscall(SYS_pread64, fd, to, has_failed && n ? (size_t)1 : n, at);
}

ssize_t write(int fd, const void *from, size_t n)
{
    bool has_failed = fd != 2 && fails("write", NULL);

    if (has_failed && !failure.is_short) return -1;
    return syscall(SYS_write, fd, from, has_failed && n ? (size_t)1 : n);
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    return fails("rename", to) ? -1 : real(from, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    return fails("rename", to) ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int fsync(int fd)
{
    return fails("sync", NULL) ? -1 : (int)syscall(SYS_fsync, fd);
}

/* It is closed all the same, as Linux does. */
int close(int fd)
{
    bool has_failed = fails("close", NULL);
    int rc = (int)syscall(SYS_close, fd);

    if (has_failed) errno = failure.number;
    return has_failed ? -1 : rc;
}

DIR *opendir(const char *path)
{
    REAL(opendir);
    return fails("list", path) ? NULL : real(path);
}

struct dirent *readdir(DIR *d)
{
    REAL(readdir);
    return fails("list", "an entry") ? NULL : real(d);
}

int mkdir(const char *path, mode_t mode)
{
    REAL(mkdir);
    return fails("make", path) ? -1 : real(path, mode);
}

char *mkdtemp(char *path)
{
    REAL(mkdtemp);
    return fails("make", path) ? NULL : real(path);
}
