/* Outputs appear under their name only when complete; directories change places in one step. */
#include "core/file.h"
#include "core/str.h"
#include "tap.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/unimo-file.XXXXXX";

static bool holds(const char *path, const char *want)
{
    struct err e = { 0 };
    size_t n;
    char *text = file_load(path, 1000, &n, &e);
    bool same = text && !strcmp(text, want);

    free(text);
    return same;
}

static int count_entries(void)
{
    DIR *d = opendir(".");
    int n = 0;

    while (readdir(d)) n++;
    closedir(d);
    return n;
}

/* Names that stand for something else: what they lead to gets the output, and they stay. */
static void links(void)
{
    struct err e = { 0 };
    struct stat st;
    char name[32];

    ok(!mkdir("d", 0777) && !symlink("d/b.txt", "link") && !symlink("link", "links") &&
           !out_save("links", "1", 1, &e) && !out_save("link", "two", 3, &e) && holds("d/b.txt", "two") &&
           !lstat("links", &st) && S_ISLNK(st.st_mode),
       "what symbolic links lead to is made, and replaced: %s", e.text);
    int fd = open("c.txt", O_WRONLY | O_CREAT, 0666);
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    ok(fd > 2 && write(fd, "before ", 7) == 7 && !out_save(name, "and", 3, &e) && holds("c.txt", "before and"),
       "a descriptor is written to where it is: %s", e.text);
    close(fd);
    ok(out_save(name, "x", 1, &e) == -1, "a closed one is an error: %s", e.text);
    err_clear(&e);
    int pipe_of[2] = { -1, -1 };
    char got[4] = "";
    snprintf(name, sizeof name, "/proc/%d/fd/%d", (int)getpid(), pipe(pipe_of) ? -1 : pipe_of[1]);
    ok(!out_save(name, "abc", 3, &e) && read(pipe_of[0], got, 3) == 3 && !strcmp(got, "abc"),
       "a pipe behind a process' descriptor is written to: %s", e.text);
    close(pipe_of[0]);
    close(pipe_of[1]);
    unlink("link");
    unlink("links");
    unlink("c.txt");
    unlink("d/b.txt");
    rmdir("d");
}

/* What is added to, with so many bytes of a copy of it that an earlier program has left. */
static bool continues(const char *partial, const char *want)
{
    struct err e = { 0 };
    int64_t size = -1;
    bool is_begun = !*partial || !out_save("a.txt.partial", partial, strlen(partial), &e);
    struct out *o = is_begun ? out_continue("a.txt", &size, &e) : NULL;
    bool good = o && size == (int64_t)strlen(want) && holds("a.txt.partial", want);

    out_abort(o);
    unlink("a.txt.partial");
    return good;
}

static void continued(void)
{
    struct err e = { 0 };
    int64_t size;

    out_save("a.txt", "one two", 7, &e);
    ok(continues("", "one two"), "what is added to begins with a copy");
    ok(continues("one", "one two"), "one that was interrupted is completed");
    ok(continues("one three", "one three") && continues("one two, three", "one two, three"),
       "what was added to already stays");
    ok(!mkfifo("pipe", 0666) && !out_continue("pipe", &size, &e) && access("pipe.partial", F_OK),
       "a pipe cannot be added to: %s", e.text);
    err_clear(&e);
    ok(!out_continue("/dev/stdout", &size, &e) && access("/dev/stdout.partial", F_OK), "nor standard output: %s",
       e.text);
    unlink("pipe");
    unlink("a.txt");
}

/* Permissions are those of what is replaced, else those that the umask leaves; whatever they are, work goes on. */
static void permissions(void)
{
    static const char *const ours[] = { "x", NULL };
    struct err e = { 0 };
    struct stat file = { 0 }, of_none = { 0 }, replaced = { 0 }, shared = { 0 };

    ok(!out_save("m", "1", 1, &e) && !chmod("m", 0640) && !out_save("m", "2", 1, &e) && !stat("m", &file) &&
           (file.st_mode & 0777) == 0640,
       "a file that is replaced hands on its permissions");
    umask(0777);
    struct outdir *o = outdir_open("model", ours, &e);
    char *inner = o ? path_join(outdir_path(o), "x") : NULL;
    ok(inner && !out_save(inner, "1", 1, &e) && !outdir_commit(o, &e) && !stat("model", &of_none) &&
           !(of_none.st_mode & 0777),
       "a umask that leaves nothing: %s", e.text);
    umask(022);
    chmod("model", 0750);
    o = outdir_open("model", ours, &e);
    ok(o && !outdir_commit(o, &e) && !stat("model", &replaced) && (replaced.st_mode & 0777) == 0750,
       "a directory that is replaced does, too");
    chmod(".", 02755);
    o = outdir_open("shared", ours, &e);
    ok(o && !outdir_commit(o, &e) && !stat("shared", &shared) && (shared.st_mode & 07777) == 02755,
       "in a directory that hands on its group so does a new one");
    chmod(".", 0755);
    free(inner);
    unlink("m");
    dir_remove("model", &e);
    dir_remove("shared", &e);
    o = outdir_open(
        "name-of-200-bytes-and-more-" /* as long as names can be */
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ours, &e);
    ok(o, "a name may be as long as names can be: %s", e.text);
    outdir_abort(o);
    err_clear(&e);
    ok(!out_open("", &e), "but not empty: %s", e.text);
}

static void files(void)
{
    struct err e = { 0 };
    struct out *o = out_open("a.txt", &e);

    ok(o && !out_write(o, "one", 3, &e), "an output takes bytes");
    ok(access("a.txt", F_OK), "but is not there yet");
    is_int(out_commit(o, &e), 0, "commit");
    ok(holds("a.txt", "one"), "now it is");
    struct stat st;
    stat("a.txt", &st);
    is_int(st.st_mode & 0777, 0644, "with the usual permissions");
    o = out_open("a.txt", &e);
    out_write(o, "two", 3, &e);
    int fd = open("a.txt", O_RDONLY);
    is_int(out_differs(o, fd, "a.txt", &e), -1, "input = output is noticed");
    is_str(e.text, "a.txt: is both input and output", "and said");
    close(fd);
    out_abort(o);
    ok(holds("a.txt", "one"), "abort leaves the old file");
    err_clear(&e);
    ok(out_spares("./a.txt", (const char *const[]){ "b.txt", NULL, "a.txt" }, 3, &e) == -1, "by any name: %s", e.text);
    ok(!out_spares("new", (const char *const[]){ "a.txt" }, 1, &e) &&
           !out_spares("/dev/null", (const char *const[]){ "/dev/null" }, 1, &e),
       "a new file is no input, and a device may be both");
    ok(out_spares_folder(".", "a.txt", &e) == -1 && out_spares_folder("../", "./../b.txt", &e) == -1,
       "a folder is where its files are");
    ok(!out_spares_folder("..", "a.txt", &e), "and no other");
    err_clear(&e);
    o = out_open("a.txt", &e);
    out_remove_all();
    out_abort(o);
    is_int(count_entries(), 3, "nothing else is left behind"); /* ".", "..", a.txt */
    err_clear(&e);
    o = out_open("/dev/full", &e);
    ok(o && out_write(o, "x", 1, &e) == -1, "a full device is an error");
    is_str(e.text, "/dev/full: cannot write: No space left on device", "with the system's reason");
    out_abort(o);
    links();
    err_clear(&e);
    ok(!out_open("no/such/dir/x", &e), "a missing directory is one");
    err_clear(&e);
    size_t n;
    ok(!file_load("a.txt", 2, &n, &e), "a file over the limit is refused");
    err_clear(&e);
    ok(file_open(".", &e) == -1, "a directory is not a file");
}

static const char *const ours[] = { "old", "n?w", NULL };

/* A directory with what is not ours in it is not replaced: neither before nor after the work. */
static void foreign(void)
{
    struct err e = { 0 };
    struct outdir *o = outdir_open("model", ours, &e);

    ok(!mkdir("model/new", 0777), "a directory with the name of a file of ours");
    ok(!outdir_open("model", ours, &e), "is not ours");
    is_str(e.text,
           "model: holds \"new\" and would be replaced (expected: a new directory, or nothing in it but old, n?w)",
           "as the message says");
    err_clear(&e);
    char *left = strdup(outdir_path(o)), *inner = path_join(left, "new");
    is_int(outdir_commit(o, &e), 0, "where it was made since the directory was opened");
    ok(!access(inner, F_OK) && !dir_remove(left, &e), "it is not removed");
    free(inner);
    free(left);
    ok(!outdir_open("..", ours, &e), "a directory without a name cannot take another's place: %s", e.text);
    err_clear(&e);
    ok(outdir_check("a.txt", ours, &e) == -1, "nor is a file replaced by a directory: %s", e.text);
}

static void directories(void)
{
    struct err e = { 0 };

    for (int round = 0; round < 2; round++) {
        struct outdir *o = outdir_open("model/", ours, &e);
        char *path = path_join(outdir_path(o), round ? "new" : "old");
        struct out *f = out_open(path, &e);
        out_write(f, "x", 1, &e);
        is_int(out_commit(f, &e), 0, "a file inside");
        is_int(outdir_commit(o, &e), 0, "the directory takes its place");
        free(path);
    }
    ok(!access("model/new", F_OK) && access("model/old", F_OK), "the second replaced the first");
    struct outdir *o = outdir_open("model", ours, &e);
    outdir_abort(o);
    ok(!access("model/new", F_OK), "abort leaves it alone");
    ok(!symlink("model", "link") && (o = outdir_open("link", ours, &e)) && !outdir_commit(o, &e) &&
           access("model/new", F_OK) && !access("link/.", F_OK),
       "what a symbolic link leads to is replaced: %s", e.text);
    unlink("link");
    foreign();
    is_int(dir_remove("model", &e), 0, "dir_remove");
    is_int(count_entries(), 3, "nothing is left behind");
    is_int(dir_make("p/q/r", &e), 0, "dir_make makes parents");
    is_int(dir_make("p/q/r", &e), 0, "and accepts what exists");
    is_int(dir_make("a.txt", &e), -1, "but not a file");
}

int main(void)
{
    if (!mkdtemp(dir) || chdir(dir)) return 1;
    umask(022);
    continued();
    permissions();
    files();
    directories();
    struct err e = { 0 };
    if (chdir("/")) return 1;
    dir_remove(dir, &e);
    return done();
}
