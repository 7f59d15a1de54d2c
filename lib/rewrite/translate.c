/* A batch is one run of the command: most translators write only when their input ends. Writing and reading go on
 * together, so that neither side waits for the other. */
#include "rewrite/translate.h"
#include "core/log.h"
#include "core/str.h"
#include "rewrite/words.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OUTPUT_MAX = 1 << 28 };

struct child {
    pid_t pid;
    int to, from; /* its standard input and output; -1 when closed */
};

static void shut(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static int start_child(struct child *c, const char *command, struct err *e)
{
    int in[2] = { -1, -1 }, out[2] = { -1, -1 }, rc = -1;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, usual;
    char shell[] = "sh", flag[] = "-c", *const argv[] = { shell, flag, (char *)(uintptr_t)command, NULL };

    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) {
        err_errno(e, "cannot make a pipe");
        shut(&in[0]);
        shut(&in[1]);
        return -1;
    }
    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGXFSZ);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in[0], 0);
    posix_spawn_file_actions_adddup2(&files, out[1], 1);
    posix_spawnattr_init(&how);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setsigdefault(&how, &usual);
    posix_spawnattr_setpgroup(&how, 0); /* so that all of a pipeline can be ended at once */
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    errno = posix_spawn(&c->pid, "/bin/sh", &files, &how, argv, environ);
    if (errno) err_errno(e, "cannot start /bin/sh");
    else rc = 0;
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    shut(&in[0]);
    shut(&out[1]);
    if (rc) {
        shut(&in[1]);
        shut(&out[0]);
        return -1;
    }
    c->to = in[1];
    c->from = out[0];
    fcntl(c->to, F_SETFL, O_NONBLOCK);
    fcntl(c->from, F_SETFL, O_NONBLOCK);
    return 0;
}

/* Everything in, everything out; 0, or -1 with what went wrong. */
static int exchange(struct child *c, const struct str *input, struct str *output, double until, double seconds,
                    struct err *e)
{
    size_t sent = 0;
    char buffer[65536];

    while (c->from >= 0) {
        struct pollfd p[2] = { { c->from, POLLIN, 0 }, { c->to, POLLOUT, 0 } };
        double left = until - clock_seconds();
        if (left <= 0) return err_set(e, ERR_IO, "gave no answer within %g s", seconds);
        if (sent == input->n) shut(&c->to);
        p[1].fd = c->to;
        if (poll(p, 2, left > 60 ? 60000 : (int)(left * 1000) + 1) < 0 && errno != EINTR)
            return err_errno(e, "cannot wait for it");
        if (c->to >= 0 && p[1].revents) {
            ssize_t n = write(c->to, input->data + sent, input->n - sent);
            if (n > 0) sent += (size_t)n;
            else if (n < 0 && errno != EAGAIN && errno != EINTR)
                shut(&c->to); /* it reads no more: its lines will tell */
        }
        if (p[0].revents) {
            ssize_t n = read(c->from, buffer, sizeof buffer);
            if (n > 0) str_add_bytes(output, buffer, (size_t)n);
            else if (!n || (errno != EAGAIN && errno != EINTR)) shut(&c->from);
            if (output->n > OUTPUT_MAX) return err_set(e, ERR_IO, "wrote more than %d bytes", OUTPUT_MAX);
        }
    }
    return 0;
}

static int wait_for(const struct child *c, double until, double seconds, struct err *e)
{
    int status = 0;

    for (;;) {
        pid_t got = waitpid(c->pid, &status, WNOHANG);
        if (got == c->pid) break;
        if (got < 0 && errno != EINTR) return err_errno(e, "cannot wait for it");
        if (clock_seconds() > until) return err_set(e, ERR_IO, "did not end within %g s", seconds);
        nanosleep(&(struct timespec){ 0, 2000000 }, NULL);
    }
    if (WIFSIGNALED(status)) return err_set(e, ERR_IO, "died of signal %d", WTERMSIG(status));
    return WEXITSTATUS(status) ? err_set(e, ERR_IO, "ended with status %d", WEXITSTATUS(status)) : 0;
}

static int run_once(const char *command, const struct str *input, struct str *output, double seconds, struct err *e)
{
    struct child c = { 0, -1, -1 };
    double until = clock_seconds() + seconds;
    sigset_t pipe_signal, before, pending;

    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal,
                    &before); /* a child that reads no more is an error of this batch, not our end */
    int rc = start_child(&c, command, e);
    if (!rc) {
        rc = exchange(&c, input, output, until, seconds, e);
        shut(&c.to);
        shut(&c.from);
        if (!rc) rc = wait_for(&c, until, seconds, e);
        if (rc) {
            kill(-c.pid, SIGKILL);
            while (waitpid(c.pid, NULL, 0) < 0 && errno == EINTR) continue;
        }
    }
    sigpending(&pending);
    if (sigismember(&pending, SIGPIPE)) sigtimedwait(&pipe_signal, NULL, &(struct timespec){ 0, 0 });
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static const char *single_blanks(const char *s, size_t n, struct arena *a)
{
    char *out = arena_strndup(a, s, n);
    size_t m = 0;

    for (size_t i = 0; i < n; i++) {
        if (out[i] != ' ' || (m && out[m - 1] != ' ')) out[m++] = out[i];
    }
    out[m] = 0;
    return out;
}

/* Cuts the output into lines; -1 when there are not n of them or one is not UTF-8. */
static int cut_lines(const struct str *output, const char **out, int n, struct arena *a, struct err *e)
{
    int64_t count = 0;

    for (size_t i = 0; i < output->n; i++) count += output->data[i] == '\n';
    if (output->n && output->data[output->n - 1] != '\n') count++;
    if (count != n) return err_set(e, ERR_IO, "%lld lines for %d", (long long)count, n);
    for (size_t at = 0, i = 0; i < (size_t)n; i++) {
        const char *end = memchr(output->data + at, '\n', output->n - at);
        size_t length = end ? (size_t)(end - output->data) - at : output->n - at;
        size_t skip = 0, keep = length;
        if (!utf8_valid(output->data + at, length)) return err_set(e, ERR_IO, "line %zu is not UTF-8", i + 1);
        while (keep && (unsigned char)output->data[at + keep - 1] <= ' ') keep--;
        while (skip < keep && (unsigned char)output->data[at + skip] <= ' ') skip++;
        out[i] = memchr(output->data + at, 0, length) ? "" : single_blanks(output->data + at + skip, keep - skip, a);
        at += length + 1;
    }
    return 0;
}

int translate_lines(const char *command, const char *const *lines, int n, const char **out, double seconds,
                    struct arena *a, struct err *e)
{
    struct str input = { 0 }, output = { 0 };
    struct err why = { 0 };
    int rc = -1;

    for (int i = 0; i < n; i++) {
        for (const char *p = lines[i]; *p; p++) str_add_char(&input, *p == '\n' || *p == '\r' ? ' ' : *p);
        str_add_char(&input, '\n');
    }
    for (int attempt = 0; attempt < 2 && rc; attempt++) {
        err_clear(&why);
        str_clear(&output);
        rc = run_once(command, &input, &output, seconds, &why);
        if (!rc) rc = cut_lines(&output, out, n, a, &why);
    }
    if (rc) err_set(e, ERR_IO, "translator %s: %s (twice)", err_quote(command), why.text);
    str_release(&input);
    str_release(&output);
    return rc;
}

/* "ground/ground", "a \\ b": characters that translators leave where they could not decide. */
static bool has_new_mark(const char *original, const char *translation)
{
    for (const char *p = "/\\|<>[]{}^~_="; *p; p++) {
        if (strchr(translation, *p) && !strchr(original, *p)) return true;
    }
    return false;
}

/* "There Is a dog": a capital inside that the original does not have. */
static bool has_new_capital(const struct words *x, const char *original, const struct words *y, const char *translation)
{
    for (int k = 1; k < y->n; k++) {
        bool known = false;
        char first = translation[y->at[k].from];
        if (first < 'A' || first > 'Z' || y->at[k - 1].class == WORD_PUNCTUATION) continue;
        for (int i = 0; i < x->n && !known; i++)
            known = original[x->at[i].from] == first && !strcmp(x->at[i].lower, y->at[k].lower);
        if (!known) return true;
    }
    return false;
}

bool translation_is_usable(const char *original, const char *translation)
{
    struct arena a = { 0 };
    struct words x, y;
    bool same = true;

    words_split(&x, original, &a);
    words_split(&y, translation, &a);
    for (int i = 0, k = 0; same; i++, k++) { /* word by word, punctuation apart */
        while (i < x.n && x.at[i].class == WORD_PUNCTUATION) i++;
        while (k < y.n && y.at[k].class == WORD_PUNCTUATION) k++;
        if (i >= x.n || k >= y.n) {
            same = i >= x.n && k >= y.n;
            break;
        }
        same = !strcmp(x.at[i].lower, y.at[k].lower);
    }
    bool usable = !same && y.n && !strpbrk(translation, "*@#") && !has_new_mark(original, translation) &&
                  !has_new_capital(&x, original, &y, translation);
    arena_release(&a);
    return usable;
}
