#include "core/signals.h"
#include "core/file.h"
#include <signal.h>
#include <stddef.h>
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

static void ask_to_stop(int signal)
{
    if (stop_signal == SIGINT && signal == SIGINT) remove_and_die(signal);
    stop_signal = signal;
}

void signals_filter(void)
{
    on(SIGPIPE, SIG_DFL); /* a parent may have left it ignored */
    on(SIGXFSZ, SIG_IGN);
    on(SIGINT, remove_and_die);
    on(SIGTERM, remove_and_die);
    on(SIGHUP, remove_and_die);
}

void signals_trainer(void)
{
    on(SIGPIPE, SIG_IGN);
    on(SIGXFSZ, SIG_IGN);
    on(SIGHUP, remove_and_die);
    on(SIGINT, ask_to_stop);
    on(SIGTERM, ask_to_stop);
    on(SIGUSR1, ask_to_stop);
}

int signals_stop(void)
{
    return stop_signal;
}
