#include "core/signals.h"
#include "core/file.h"
#include "core/opt.h"
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop_signal;

static void on(int signal, void (*handler)(int))
{
    struct sigaction a = { .sa_handler = handler };

    sigaction(signal, &a, NULL);
}

static void remove_and_die(int signal)
{
    out_remove_all();
    on(signal, SIG_DFL);
    raise(signal); /* blocked until the handler returns, then ends the process */
}

/* What the terminal sends stays ignored where it was: nohup(1) ignores its end, and a script ignores ^C for the jobs
 * that it starts in the background. */
static void on_terminal(int signal, void (*handler)(int))
{
    struct sigaction inherited;

    if (!sigaction(signal, NULL, &inherited) && inherited.sa_handler == SIG_IGN) return;
    on(signal, handler);
}

/* A page of a mapped file is not there any more. With system calls only. */
static void end_of_file(int signal, siginfo_t *info, void *context)
{
    static const char why[] = ": a file in use was cut short, or could not be read\n";
    char line[128];
    size_t n = strnlen(opt_program(), sizeof line - sizeof why);

    if (info->si_code != BUS_ADRERR) {
        remove_and_die(signal);
        return;
    }
    memcpy(line, opt_program(), n);
    memcpy(line + n, why, sizeof why - 1);
    out_remove_all();
    ssize_t ignored = write(2, line, n + sizeof why - 1);
    (void)ignored;
    _exit(1);
}

static void on_missing_page(void)
{
    struct sigaction a = { .sa_sigaction = end_of_file, .sa_flags = SA_SIGINFO };

    sigaction(SIGBUS, &a, NULL);
}

/* A crash, in a library that was denied memory say, leaves nothing unfinished behind either. Where somebody handles it
 * already, as sanitizers do, that stays. */
static void on_crash(void)
{
    static const int crashes[] = { SIGABRT, SIGFPE, SIGILL, SIGSEGV };
    struct sigaction inherited;

    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) {
        if (!sigaction(crashes[i], NULL, &inherited) && inherited.sa_handler == SIG_DFL) on(crashes[i], remove_and_die);
    }
}

static void ask_to_stop(int signal)
{
    if (stop_signal == SIGINT && signal == SIGINT) remove_and_die(signal);
    stop_signal = signal;
}

void signals_filter(void)
{
    on(SIGPIPE, SIG_DFL); /* a parent may have left it ignored */
    on(SIGXFSZ, SIG_IGN);
    on_missing_page();
    on_crash();
    on_terminal(SIGINT, remove_and_die);
    on_terminal(SIGHUP, remove_and_die);
    on(SIGTERM, remove_and_die);
}

void signals_trainer(void)
{
    on(SIGPIPE, SIG_IGN);
    on(SIGXFSZ, SIG_IGN);
    on_missing_page();
    on_crash();
    on_terminal(SIGHUP, remove_and_die);
    on_terminal(SIGINT, ask_to_stop);
    on(SIGTERM, ask_to_stop);
    on(SIGUSR1, ask_to_stop);
}

int signals_stop(void)
{
    return stop_signal;
}
