/* A checkpoint is killed between two of its system calls, any two with UNIMO_LONG=1, else every ninth pair: what is
 * found afterwards is the one before or the one that was being written, whole; and the next one is written as if
 * nothing had been. */
#include "train/checkpoint.h"
#include "core/file.h"
#include "core/mem.h"
#include "tap.h"
#include "toy.h"
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/unimo-checkpoint.XXXXXX";
static struct device *device;
static struct model model;
static const struct task task = { .n_collections = 1, .at = { { "texts", 100, 1 } } };

/* The model that step `step` has: parameters and moments that only it has. */
static void set_step(struct checkpoint *c, int64_t step)
{
    c->step = step;
    c->drawn[0][0] = 10 * step;
    params_init(&model.params, (uint64_t)step);
    op_fill(device, model.params.m, (float)step);
    op_fill(device, model.params.v, (float)(2 * step));
}

static int save(int64_t step, struct err *e)
{
    struct checkpoint c;

    checkpoint_init(&c, 1);
    set_step(&c, step);
    int rc = checkpoint_save(&c, &model, &task, "run", "vocabulary", 1, e);
    checkpoint_release(&c);
    return rc;
}

/* The step of the newest checkpoint, when everything in it is that step's; -1 otherwise. */
static int64_t load(void)
{
    struct checkpoint c, want;
    struct err e = { 0 };
    int64_t newest, step = -1;

    checkpoint_init(&c, 1);
    checkpoint_init(&want, 1);
    params_init(&model.params, 99);
    if (!checkpoint_newest("run", &newest, &e) && newest >= 0 &&
        !checkpoint_load(&c, &model, &task, "run", newest, &e)) {
        struct params *p = &model.params;
        float *value = mem_new(float, p->total), m = ((float *)p->m.data)[0], v = ((float *)p->v.data)[0];
        memcpy(value, p->value.data, (size_t)p->total * sizeof *value);
        set_step(&want, c.step);
        bool same = !memcmp(value, p->value.data, (size_t)p->total * sizeof *value);
        if (same && m == (float)c.step && v == (float)(2 * c.step) && c.drawn[0][0] == 10 * c.step) step = c.step;
        free(value);
    }
    if (e.code) printf("# %s\n", e.text);
    checkpoint_release(&c);
    checkpoint_release(&want);
    return step;
}

/* Saves step 2 in a child that is killed when it has entered or left `calls` system calls. True when it was. */
static bool save_and_kill(int calls)
{
    struct err e = { 0 };
    int status;

    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) _exit(9);
        raise(SIGSTOP);
        _exit(save(2, &e) != 0);
    }
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 9) skip_all("processes may not be traced here");
    for (int k = 0; k < calls; k++) {
        if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) || waitpid(child, &status, 0) < 0 || !WIFSTOPPED(status))
            return false;
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return WIFSIGNALED(status);
}

static void write_file(const char *path, const char *text)
{
    struct err e = { 0 };
    struct out *o = out_open(path, &e);

    out_write(o, text, strlen(text), &e);
    out_commit(o, &e);
}

int main(void)
{
    struct model_config c = toy_config();
    struct err e = { 0 };
    int kills = 0, before = 0, after = 0, broken = 0;

    if (!mkdtemp(dir) || chdir(dir) || mkdir("vocabulary", 0777)) return 1;
    write_file("vocabulary/vocab.json", "{}");
    write_file("vocabulary/merges.txt", "");
    c.layers = 1;
    device = device_open("ref", 1, &e);
    if (!device || model_open(&model, &c, device, DT_F32, true, &e)) return 1;
    int stride = getenv("UNIMO_LONG") ? 1 : 9;
    for (;; kills += stride) {
        struct err ignored = { 0 };
        dir_remove("run", &ignored);
        if (save(1, &e)) break;
        bool was_killed = save_and_kill(kills);
        int64_t step = load();
        before += step == 1;
        after += step == 2;
        if (step != 1 && step != 2) {
            printf("# after %d calls: neither\n", kills);
            broken++;
        }
        if (save(3, &e) || load() != 3) broken++;
        if (!was_killed) break;
    }
    if (e.code) printf("# %s\n", e.text);
    ok(kills > 200, "killed at %d of %d places", kills / stride, kills);
    is_int(broken, 0, "each time one whole checkpoint is found, and the next is saved");
    ok(before > 20 && after >= 3, "the one before (%d times) or the new one (%d times)", before, after);
    dir_remove("run", &e);
    dir_remove("vocabulary", &e);
    rmdir(dir);
    model_release(&model);
    model_config_release(&c);
    device_close(device);
    return done();
}
