/* Runs a Python script of the tests: SCRIPT VERB FOLDER. The verb "check" succeeds where what the script needs is
 * installed. */
#ifndef PYTHON_H
#define PYTHON_H
#include "tap.h"
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

/* Exit status of the script; -1 when there is no such interpreter. */
static inline int python(const char *interpreter, const char *script, const char *verb, const char *folder)
{
    char words[4][256];
    char *const argv[] = { words[0], words[1], words[2], words[3], NULL };
    pid_t pid;
    int status = -1;

    snprintf(words[0], sizeof words[0], "%s", interpreter);
    snprintf(words[1], sizeof words[1], "%s", script);
    snprintf(words[2], sizeof words[2], "%s", verb);
    snprintf(words[3], sizeof words[3], "%s", folder);
    if (posix_spawnp(&pid, interpreter, NULL, NULL, argv, environ)) return -1;
    while (waitpid(pid, &status, 0) < 0) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* An interpreter with PyTorch, or the whole test is skipped. */
static inline const char *find_python(const char *script)
{
    static const char *const candidates[] = { "python3", "/usr/bin/python3" };

    for (int i = 0; i < 2; i++) {
        if (python(candidates[i], script, "check", ".") == 0) return candidates[i];
    }
    skip_all("no python3 with PyTorch");
}
#endif
