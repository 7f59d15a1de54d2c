#ifndef CORE_FILE_H
#define CORE_FILE_H
#include "core/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Opens path for reading ("-" is standard input). A directory is refused. Returns a descriptor or -1. */
int file_open(const char *path, struct err *e);

/* What is there under a path, as a key of a map: one file has many paths. False where nothing is. */
struct file_key {
    dev_t device;
    ino_t inode;
};
bool file_key(struct file_key *key, const char *path);

bool file_is_regular(const char *path); /* "-" is none */

/* Reads until n bytes or the end; returns the bytes read or -1. Writes all n bytes, or -1. */
ssize_t file_read(int fd, void *buf, size_t n, struct err *e);
ssize_t file_read_at(int fd, void *buf, size_t n, int64_t at, struct err *e); /* the same from a place on */
int file_write(int fd, const void *buf, size_t n, struct err *e);

/* The whole file, NUL-terminated, in a new heap buffer; refused when larger than limit. */
char *file_load(const char *path, size_t limit, size_t *n, struct err *e);

/* 1 when something is under the path, 0 when nothing is, -1 when that cannot be told. */
int file_exists(const char *path, struct err *e);

/* An output that exists under its name only when complete: written to .NAME.XXXXXX beside it, synced and
 * renamed by out_commit(); removed by out_abort(), at exit and on SIGINT/SIGTERM/SIGHUP.
 * Path "-" or NULL is standard output: nothing is renamed. Special files (/dev/full, a FIFO) are written
 * to directly, and so are descriptors (/dev/stdout, /dev/fd/N). A symbolic link stays, and what it leads to is
 * replaced. */
struct out;
struct out *out_open(const char *path, struct err *e);
/* A file without a name in $TMPDIR (else /tmp), which is gone when it is closed: *fd reads what is written and stays
 * the caller's. */
struct out *out_nameless(int *fd, struct err *e);
/* An output that outlives its program: what is written stays in PATH.partial until out_commit() gives it its name.
 * Begins with what an earlier program left there, else with a copy of PATH; *size says how much that is. Readable and
 * locked: a second program that continues the same output is refused, and so is anything but a regular file. */
struct out *out_continue(const char *path, int64_t *size, struct err *e);
/* Cuts what is there to size bytes; writing goes on behind them. */
int out_cut(struct out *o, int64_t size, struct err *e);
int out_fd(const struct out *o);
const char *out_place(const struct out *o); /* what is written to, for messages */
int out_write(struct out *o, const void *data, size_t n, struct err *e);
int out_commit(struct out *o, struct err *e); /* frees o also on failure */
void out_abort(struct out *o);                /* NULL is fine */
/* All of an output at once. */
int out_save(const char *path, const void *data, size_t n, struct err *e);
/* Fails when the output would overwrite the open descriptor fd (same device and inode). */
int out_differs(const struct out *o, int fd, const char *path, struct err *e);
/* Fails when a file or directory that would be written to (NULL and "-": standard output; it need not exist) is one of
 * the inputs ("-": standard input; those that are NULL are none). */
int out_spares(const char *output, const char *const *inputs, int n, struct err *e);
/* Fails when the file would be written into a folder that is that of the input. */
int out_spares_folder(const char *folder, const char *input, struct err *e);

/* The same for a directory of files: made as .NAME.XXXXXX, filled by the caller, then every file is synced
 * and the directory takes its final name. One that is there already is replaced, and what it holds is removed: it is
 * refused when anything in it is no file with a name that matches one of ours, NULL-terminated patterns of fnmatch(3).
 * NULL is for directories within our own: they are not looked into. A symbolic link stays, and what it leads to is
 * replaced. */
struct outdir;
struct outdir *outdir_open(const char *path, const char *const *ours, struct err *e);
/* Whether outdir_open() would refuse path, for those who open it when their work is done. */
int outdir_check(const char *path, const char *const *ours, struct err *e);
const char *outdir_path(const struct outdir *o); /* where to write until commit */
int outdir_commit(struct outdir *o, struct err *e);
void outdir_abort(struct outdir *o);

/* Where a file that comes with unimo is: ../share/unimo/NAME beside the program's own directory, so that a tree can be
 * moved. A heap string. */
char *file_shared(const char *name);
/* Where a shared object that is opened at run time is: $UNIMO_BACKEND_DIR, or ../lib/unimo beside the program's own
 * directory. A heap string. */
char *file_plugin(const char *name);

int dir_make(const char *path, struct err *e); /* with parents; existing is fine */
int dir_remove(const char *path, struct err *e);
/* Names of files in a directory that end in one of the NULL-terminated suffixes (case-insensitive), sorted as
 * bytes; *names is a heap array of heap strings. Returns their number or -1. */
int64_t dir_list(const char *path, const char *const *suffixes, char ***names, struct err *e);

/* Removes every unfinished output; safe to call from a signal handler. */
void out_remove_all(void);
#endif
