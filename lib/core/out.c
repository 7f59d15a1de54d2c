/* Outputs that exist under their final name only when they are complete. Unfinished ones are kept in a fixed table, so
 * that a signal handler can remove them with nothing but system calls. */
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { UNFINISHED_MAX = 64 };
enum { NOTHING, A_FILE, A_DIRECTORY };
static struct unfinished {
    volatile sig_atomic_t what; /* NOTHING: free */
    char path[PATH_MAX];
} unfinished[UNFINISHED_MAX];
static pthread_mutex_t unfinished_lock = PTHREAD_MUTEX_INITIALIZER;

static struct unfinished *unfinished_add(const char *path, int what)
{
    struct unfinished *u = NULL;

    pthread_mutex_lock(&unfinished_lock);
    for (int i = 0; i < UNFINISHED_MAX && !u && strlen(path) < PATH_MAX; i++) {
        if (unfinished[i].what == NOTHING) u = &unfinished[i];
    }
    if (u) {
        memcpy(u->path, path, strlen(path) + 1);
        u->what = what;
    }
    pthread_mutex_unlock(&unfinished_lock);
    return u;
}

/* Removes the files in a flat directory by raw system calls: opendir() may not be used in a signal handler. */
static void remove_flat_directory(const char *path)
{
    struct entry {
        uint64_t inode, offset;
        unsigned short length;
        unsigned char type;
        char name[];
    };
    _Alignas(struct entry) char buf[4096];
    long n;

    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    while ((n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0) {
        for (long at = 0; at < n;) {
            const struct entry *entry = (const struct entry *)(const void *)(buf + at);
            unlinkat(fd, entry->name, 0);
            at += entry->length;
        }
    }
    close(fd);
    rmdir(path);
}

void out_remove_all(void)
{
    for (int i = 0; i < UNFINISHED_MAX; i++) {
        struct unfinished *u = &unfinished[i];
        if (u->what == A_FILE) unlink(u->path);
        if (u->what == A_DIRECTORY) remove_flat_directory(u->path);
        u->what = NOTHING;
    }
}

/* "dir/.name.XXXXXX" for "dir/name", which may be as long as names can be. */
static char *temporary_name(const char *path)
{
    struct str s = { 0 };
    const char *base = path_base(path);

    str_add_bytes(&s, path, (size_t)(base - path));
    str_addf(&s, ".%.200s.XXXXXX", base);
    return s.data;
}

/* What mkstemp() takes away: the permissions that the umask leaves. */
static mode_t usual_mode(mode_t all)
{
    mode_t mask = umask(0);

    umask(mask);
    return all & ~mask;
}

static int sync_parent(const char *path, struct err *e)
{
    char *dir = mem_strdup(path);
    char *slash = strrchr(dir, '/');
    int rc = 0;

    if (slash) slash[slash == dir] = 0;
    int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && fsync(fd) && errno != EINVAL) rc = err_errno(e, "cannot sync the directory");
    if (fd >= 0) close(fd);
    free(dir);
    return rc;
}

/* Without slashes at its end. */
static char *plain_path(const char *path)
{
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/') n--;
    return mem_strndup(path, n);
}

/* The number in the names that open descriptors have in the file system, or -1. What is under such a name cannot be
 * replaced there: /dev/stdout is a link that belongs to all. */
static int descriptor_of(const char *path)
{
    static const char *const folders[] = { "/dev/fd/", "/proc/self/fd/" };
    int64_t fd = -1;

    if (!strcmp(path, "/dev/stdout")) return 1;
    if (!strcmp(path, "/dev/stderr")) return 2;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (str_starts(path, folders[i]) && str_to_int(path + strlen(folders[i]), 0, INT_MAX, &fd)) return (int)fd;
    }
    return -1;
}

/* Where the symbolic link leads, seen from its own directory; NULL when path is none, or one to what has no name: those
 * of /proc/PID/fd lead to pipes, too. */
static char *link_target(const char *path)
{
    char to[PATH_MAX];
    ssize_t n = readlink(path, to, sizeof to - 1);
    struct str s = { 0 };

    if (n < 0) return NULL;
    to[n] = 0;
    if (*to != '/') str_add_bytes(&s, path, (size_t)(path_base(path) - path));
    str_add(&s, to);
    if (access(s.data, F_OK) && !access(path, F_OK)) str_release(&s);
    return s.data;
}

/* The path behind all symbolic links at its end, which stay. Nothing need be there yet. */
static char *target_of(const char *path)
{
    enum { LINKS_MOST = 40 }; /* as the system has it */
    char *at = mem_strdup(path), *next;

    for (int i = 0; i < LINKS_MOST && descriptor_of(at) < 0 && (next = link_target(at)); i++) {
        free(at);
        at = plain_path(next);
        free(next);
    }
    return at;
}

struct out {
    int fd;
    char *path, *temporary; /* temporary NULL: written to directly */
    bool is_kept;           /* also when it is not complete */
    int64_t written, begun; /* bytes, and those of them that are on their way to the disk */
    struct unfinished *entry;
};

/* What is no regular file is written to as it is. */
static int open_special(const char *path, mode_t mode)
{
    int fd = descriptor_of(path);

    if (fd >= 0) return fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (S_ISDIR(mode)) errno = EISDIR;
    return S_ISDIR(mode) ? -1 : open(path, O_WRONLY | O_CLOEXEC);
}

struct out *out_open(const char *path, struct err *e)
{
    struct out *o = mem_new(struct out, 1);
    struct stat st = { 0 };

    o->fd = 1;
    if (!path || !strcmp(path, "-")) return o;
    o->path = target_of(path);
    bool is_there = !stat(o->path, &st), is_special = descriptor_of(o->path) >= 0 || (is_there && !S_ISREG(st.st_mode));
    if (is_special) {
        o->fd = open_special(o->path, st.st_mode);
    } else {
        o->temporary = temporary_name(o->path);
        o->fd = *path ? mkostemp(o->temporary, O_CLOEXEC) : -1; /* errno is stat()'s: no name */
        if (o->fd >= 0) o->entry = unfinished_add(o->temporary, A_FILE);
        if (o->fd >= 0) fchmod(o->fd, is_there ? st.st_mode & 0777 : usual_mode(0666));
    }
    if (o->fd >= 0) return o;
    err_errno(e, "cannot create");
    err_in(e, "%s", *path ? path : "\"\"");
    free(o->path);
    free(o->temporary);
    free(o);
    return NULL;
}

struct out *out_nameless(int *fd, struct err *e)
{
    const char *dir = getenv("TMPDIR");
    char *path = path_join(dir && *dir ? dir : "/tmp", "unimo.XXXXXX");

    *fd = mkostemp(path, O_CLOEXEC);
    int copy = *fd < 0 ? -1 : fcntl(*fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0) err_errno(e, "cannot create a temporary file");
    if (*fd >= 0) unlink(path);
    if (copy < 0 && *fd >= 0) close(*fd);
    if (copy < 0) err_in(e, "%s", path);
    free(path);
    if (copy < 0) return NULL;
    struct out *o = mem_new(struct out, 1);
    o->fd = copy;
    o->path = mem_strdup("a temporary file");
    return o;
}

/* Whether n bytes at a place in the file are these. */
static bool holds(int fd, int64_t at, const char *bytes, size_t n)
{
    char part[1 << 16];

    for (size_t done = 0; done < n;) {
        size_t want = n - done < sizeof part ? n - done : sizeof part;
        ssize_t got = pread(fd, part, want, at + (int64_t)done);
        if (got <= 0 || memcmp(part, bytes + done, (size_t)got)) return false;
        done += (size_t)got;
    }
    return true;
}

/* Copies what is under path behind the `size` bytes that are in the file, when they are its beginning: a copy that was
 * interrupted, or not yet begun. Any other file is what a run has added to and stays as it is. */
static int copy_rest(int to, int64_t size, const char *path, struct err *e)
{
    enum { PART = 1 << 20 };
    int from = open(path, O_RDONLY | O_CLOEXEC), rc = 0;

    if (from < 0) return errno == ENOENT ? 0 : err_errno(e, "cannot open");
    char *part = mem_new(char, PART);
    ssize_t n = 0;
    for (int64_t at = 0; !rc && (n = file_read(from, part, PART, e)) > 0; at += n) {
        size_t known = size <= at ? 0 : size - at < n ? (size_t)(size - at) : (size_t)n;
        if (!holds(to, at, part, known)) break;
        if (known < (size_t)n && lseek(to, at + (int64_t)known, SEEK_SET) < 0) rc = err_errno(e, "cannot write");
        if (!rc) rc = file_write(to, part + known, (size_t)n - known, e);
    }
    close(from);
    free(part);
    return n < 0 ? -1 : rc;
}

struct out *out_continue(const char *path, int64_t *size, struct err *e)
{
    struct out *o = mem_new(struct out, 1);
    struct str partial = { 0 };
    struct stat st;
    int rc = -1;

    *o = (struct out){ .fd = -1, .path = target_of(path), .is_kept = true };
    if (descriptor_of(o->path) >= 0 || (!stat(o->path, &st) && !S_ISREG(st.st_mode))) {
        err_set(e, ERR_INPUT, "%s: cannot be added to (a regular file was expected)", path);
        out_abort(o);
        return NULL;
    }
    str_addf(&partial, "%s.partial", o->path);
    o->temporary = partial.data;
    o->fd = open(o->temporary, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (o->fd < 0) err_errno(e, "cannot create");
    else if (flock(o->fd, LOCK_EX | LOCK_NB)) err_set(e, ERR_INPUT, "another program is writing it");
    else if (fstat(o->fd, &st) || !S_ISREG(st.st_mode)) err_set(e, ERR_INPUT, "not a regular file");
    else rc = copy_rest(o->fd, st.st_size, o->path, e);
    if (!rc && fstat(o->fd, &st)) rc = err_errno(e, "cannot read");
    *size = rc ? 0 : st.st_size;
    if (!rc) return o;
    err_in(e, "%s", o->temporary);
    out_abort(o);
    return NULL;
}

int out_cut(struct out *o, int64_t size, struct err *e)
{
    o->written = o->begun = size;
    if (!ftruncate(o->fd, size) && lseek(o->fd, size, SEEK_SET) == size) return 0;
    err_errno(e, "cannot write");
    return err_in(e, "%s", o->temporary);
}

const char *out_place(const struct out *o)
{
    return o->temporary ? o->temporary : o->path ? o->path : "standard output";
}

int out_fd(const struct out *o)
{
    return o->fd;
}

/* The disk gets what is written now and then, so that it has little left to do when the file is synced in the end. */
static void begin_sync(struct out *o, size_t n)
{
    enum { SYNC_BYTES = 8 << 20 };

    o->written += (int64_t)n;
    if (!o->temporary || o->written - o->begun < SYNC_BYTES) return;
    sync_file_range(o->fd, o->begun, o->written - o->begun, SYNC_FILE_RANGE_WRITE); /* no more than a hint */
    o->begun = o->written;
}

int out_write(struct out *o, const void *data, size_t n, struct err *e)
{
    if (file_write(o->fd, data, n, e)) return err_in(e, "%s", o->path ? o->path : "standard output");
    begin_sync(o, n);
    return 0;
}

int out_differs(const struct out *o, int fd, const char *path, struct err *e)
{
    struct stat in, out;

    if (fstat(fd, &in) || !S_ISREG(in.st_mode)) return 0;
    int known = o->path ? stat(o->path, &out) : fstat(o->fd, &out);
    if (known || in.st_dev != out.st_dev || in.st_ino != out.st_ino) return 0;
    return err_set(e, ERR_INPUT, "%s: is both input and output", path);
}

int out_spares(const char *output, const char *const *inputs, int n, struct err *e)
{
    bool is_stdout = !output || !strcmp(output, "-");
    struct stat in, out;

    if (is_stdout ? fstat(1, &out) : stat(output, &out)) return 0;
    if (!S_ISREG(out.st_mode) && !S_ISDIR(out.st_mode)) return 0; /* /dev/null may be both */
    for (int i = 0; i < n; i++) {
        if (!inputs[i] || (strcmp(inputs[i], "-") ? stat(inputs[i], &in) : fstat(0, &in))) continue;
        if (in.st_dev == out.st_dev && in.st_ino == out.st_ino)
            return err_set(e, ERR_INPUT, "%s: is both input and output", is_stdout ? inputs[i] : output);
    }
    return 0;
}

int out_spares_folder(const char *folder, const char *input, struct err *e)
{
    const char *base = path_base(input);
    char *place = base == input ? mem_strdup(".") : mem_strndup(input, (size_t)(base - input));
    int rc = out_spares(folder, (const char *const[]){ place }, 1, e);

    free(place);
    return rc;
}

static void out_free(struct out *o)
{
    if (o->entry) o->entry->what = NOTHING;
    free(o->path);
    free(o->temporary);
    free(o);
}

int out_commit(struct out *o, struct err *e)
{
    int rc = 0;

    if (o->temporary && fsync(o->fd)) rc = err_errno(e, "cannot sync");
    if (o->path && close(o->fd) && !rc) rc = err_errno(e, "cannot close");
    if (o->temporary && !rc && rename(o->temporary, o->path)) rc = err_errno(e, "cannot rename");
    if (o->temporary && !rc) rc = sync_parent(o->path, e);
    if (o->temporary && rc && !o->is_kept) unlink(o->temporary);
    if (rc) err_in(e, "%s", o->path);
    out_free(o);
    return rc;
}

void out_abort(struct out *o)
{
    if (!o) return;
    if (o->path && o->fd >= 0) close(o->fd);
    if (o->temporary && !o->is_kept) unlink(o->temporary);
    out_free(o);
}

int out_save(const char *path, const void *data, size_t n, struct err *e)
{
    struct out *o = out_open(path, e);

    if (!o) return -1;
    if (!out_write(o, data, n, e)) return out_commit(o, e);
    out_abort(o);
    return -1;
}

struct outdir {
    char *path, *temporary;
    const char *const *ours;
    struct unfinished *entry;
};

static bool is_ours(int dir, const char *name, const char *const *ours)
{
    struct stat st;

    if (!fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode)) return false;
    while (*ours && fnmatch(*ours, name, 0)) ours++;
    return *ours;
}

static int refuse(const char *path, const char *name, const char *const *ours, struct err *e)
{
    struct str s = { 0 };

    for (int i = 0; ours[i]; i++) str_addf(&s, "%s%s", i ? ", " : "", ours[i]);
    err_set(e, ERR_INPUT, "%s: holds \"%s\" and would be replaced (expected: a new directory, or nothing in it but %s)",
            path, name, str_c(&s));
    str_release(&s);
    return -1;
}

/* The names of places, which another directory cannot take. */
static bool is_nameless(const char *path)
{
    char *plain = plain_path(path);
    const char *base = path_base(plain);
    bool is = !*base || !strcmp(base, ".") || !strcmp(base, "..");

    free(plain);
    return is;
}

int outdir_check(const char *path, const char *const *ours, struct err *e)
{
    if (is_nameless(path))
        return err_set(e, ERR_INPUT, "%s: cannot be replaced (the name of a directory was expected)", path);
    DIR *d = ours ? opendir(path) : NULL;
    struct dirent *entry = NULL;
    int rc = 0;

    if (ours && !d && errno != ENOENT) {
        err_errno(e, "cannot be replaced");
        return err_in(e, "%s", path);
    }
    while (d && !rc && (errno = 0, entry = readdir(d))) {
        bool is_itself = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
        if (!is_itself && !is_ours(dirfd(d), entry->d_name, ours)) rc = refuse(path, entry->d_name, ours, e);
    }
    if (d && !rc && errno) rc = err_errno(e, "%s: cannot list", path);
    if (d) closedir(d);
    return rc;
}

/* That a directory hands on its group, as those in a shared one do, stays. */
static void permit(const char *path, mode_t mode)
{
    struct stat st;

    if (!stat(path, &st)) chmod(path, mode | (st.st_mode & S_ISGID));
}

struct outdir *outdir_open(const char *path, const char *const *ours, struct err *e)
{
    if (outdir_check(path, ours, e)) return NULL;
    struct outdir *o = mem_new(struct outdir, 1);

    char *plain = plain_path(path);
    o->ours = ours;
    o->path = target_of(plain);
    free(plain);
    o->temporary = temporary_name(o->path);
    if (!mkdtemp(o->temporary)) {
        err_errno(e, "%s: cannot create", path);
        free(o->path);
        free(o->temporary);
        free(o);
        return NULL;
    }
    if (usual_mode(0700) != 0700) permit(o->temporary, 0700); /* it could be neither filled nor removed */
    o->entry = unfinished_add(o->temporary, A_DIRECTORY);
    return o;
}

const char *outdir_path(const struct outdir *o)
{
    return o->temporary;
}

static void outdir_free(struct outdir *o)
{
    if (o->entry) o->entry->what = NOTHING;
    free(o->path);
    free(o->temporary);
    free(o);
}

static int sync_files(const char *path, struct err *e)
{
    DIR *d = opendir(path);
    struct dirent *entry;
    int rc = 0;

    if (!d) return err_errno(e, "cannot list");
    while (!rc && (errno = 0, entry = readdir(d))) {
        int fd = openat(dirfd(d), entry->d_name, O_RDONLY | O_CLOEXEC);
        bool is_synced = fd < 0 ? errno == EACCES : !fsync(fd) || errno == EINVAL; /* EACCES: by a strict umask */
        if (!is_synced) rc = err_errno(e, "%s: cannot sync", entry->d_name);
        if (fd >= 0) close(fd);
    }
    if (!rc && errno) rc = err_errno(e, "cannot list");
    closedir(d);
    return rc;
}

/* It has the permissions of the one that it replaces, else those that the umask leaves. */
static void open_up(const struct outdir *o)
{
    struct stat old;
    bool is_there = !stat(o->path, &old) && S_ISDIR(old.st_mode);

    permit(o->temporary, is_there ? old.st_mode & 0777 : usual_mode(0777));
}

/* Lets two directories change places, in one step where the file system can: NFS and some others cannot, and for a
 * moment nothing is under the second name. */
static int exchange(const char *a, const char *b)
{
    if (!renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE)) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -1;
    char *aside = temporary_name(b);
    int rc = mkdtemp(aside) ? rename(b, aside) : -1;
    if (!rc && rename(a, b)) {
        int saved = errno;
        rename(aside, b);
        errno = saved;
        rc = -1;
    } else if (!rc) {
        rename(aside, a);
    }
    free(aside);
    return rc;
}

/* An existing directory changes places with the new one and is then removed, so that at every moment a complete
 * directory stands under the name. If somebody has put a file of their own there since it was opened, it
 * is left under the temporary name. */
int outdir_commit(struct outdir *o, struct err *e)
{
    struct err ignored = { 0 }; /* the new directory stands */
    int rc = sync_files(o->temporary, e);

    if (!rc) open_up(o);
    if (!rc && rename(o->temporary, o->path)) {
        bool is_there = errno == EEXIST || errno == ENOTEMPTY;
        if (!is_there || exchange(o->temporary, o->path)) rc = err_errno(e, "cannot rename");
        else if (outdir_check(o->temporary, o->ours, &ignored) || dir_remove(o->temporary, &ignored))
            log_line("%s: what it replaced is left in %s", o->path, o->temporary);
    }
    if (rc) remove_flat_directory(o->temporary); /* not later: then it may be the old one, with somebody's files */
    if (!rc) rc = sync_parent(o->path, e);
    if (rc) err_in(e, "%s", o->path);
    outdir_free(o);
    return rc;
}

void outdir_abort(struct outdir *o)
{
    struct err ignored = { 0 };

    if (!o) return;
    dir_remove(o->temporary, &ignored);
    outdir_free(o);
}
