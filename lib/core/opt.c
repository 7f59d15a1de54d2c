/* Options from one table, and the main function that every program shares. */
#include "core/opt.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/pool.h"
#include "core/signals.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef UNIMO_VERSION
#define UNIMO_VERSION "unknown"
#define UNIMO_GIT ""
#endif

enum { OPTS_MAX = 96, OPT_HELP = 256, OPT_VERSION, OPT_FIRST };
static const struct program *running;
static bool given[OPTS_MAX];

int opt_usage(struct err *e, const char *fmt, ...)
{
    struct str s = { 0 };
    va_list ap;

    va_start(ap, fmt);
    str_vaddf(&s, fmt, ap);
    va_end(ap);
    err_set(e, ERR_USAGE, "%s", str_c(&s));
    str_release(&s);
    return -1;
}

bool opt_given(const char *name)
{
    for (int i = 0; running && running->opts[i].type != OPT_END; i++) {
        if (running->opts[i].name && !strcmp(running->opts[i].name, name)) return given[i];
    }
    return false;
}

int opt_refuse(const char *const *names, const char *why, struct err *e)
{
    while (*names && !opt_given(*names)) names++;
    return *names ? opt_usage(e, "--%s: %s", *names, why) : 0;
}

const char *opt_program(void)
{
    return running ? running->name : log_program_name();
}

const char *opt_version(void)
{
    return UNIMO_VERSION;
}

static void add_json_string(struct str *out, const char *s)
{
    str_add_char(out, '"');
    for (; *s; s++) {
        if (*s == '"' || *s == '\\') str_addf(out, "\\%c", *s);
        else if ((unsigned char)*s < 0x20) str_addf(out, "\\u%04x", *s);
        else str_add_char(out, *s);
    }
    str_add_char(out, '"');
}

static void add_json_value(struct str *out, const struct opt *o)
{
    const char *text = o->type == OPT_STRING || o->type == OPT_CHOICE ? *(const char **)o->value : NULL;
    const struct opt_list *list = o->value;

    switch (o->type) {
    case OPT_FLAG:
        str_add(out, *(bool *)o->value ? "true" : "false");
        break;
    case OPT_INT:
        str_addf(out, "%" PRId64, *(int64_t *)o->value);
        break;
    case OPT_DOUBLE:
        str_addf(out, "%.17g", *(double *)o->value);
        break;
    case OPT_LIST:
        str_add_char(out, '[');
        for (int i = 0; i < list->n; i++) {
            if (i) str_add_char(out, ',');
            add_json_string(out, list->at[i]);
        }
        str_add_char(out, ']');
        break;
    default:
        if (text) add_json_string(out, text);
        else str_add(out, "null");
    }
}

void opt_json(struct str *out)
{
    bool is_first = true;

    str_add_char(out, '{');
    for (const struct opt *o = running ? running->opts : NULL; o && o->type != OPT_END; o++) {
        if (o->type == OPT_GROUP) continue;
        if (!is_first) str_add_char(out, ',');
        is_first = false;
        add_json_string(out, o->name);
        str_add_char(out, ':');
        add_json_value(out, o);
    }
    str_add_char(out, '}');
}

static bool is_choice(const char *words, const char *word)
{
    size_t n = strlen(word);

    for (const char *w = words; *w;) {
        size_t len = strcspn(w, "|");
        if (len == n && !memcmp(w, word, n)) return true;
        w += len + (w[len] == '|');
    }
    return false;
}

/* Whether the option names a file or folder. A script that means one by a variable that is not set gives an empty word,
 * which would be the working directory, or a name that is found to be none when the work is done. */
static bool is_path(const struct opt *o)
{
    static const char *const args[] = { "FILE", "DIR", "PATH", "JPEG" };

    for (size_t i = 0; i < sizeof args / sizeof *args; i++) {
        if (!strcmp(o->arg, args[i])) return true;
    }
    return false;
}

static int set_double(const struct opt *o, const char *text, struct err *e)
{
    bool has_default = o->min == -1;
    double d;

    if (!str_to_double(text, o->min, o->max, &d) || (has_default && d > -1 && d < 0))
        return opt_usage(e, "--%s %s: not a number from %g to %g%s", o->name, err_quote(text), has_default ? 0 : o->min,
                         o->max, has_default ? ", nor -1" : "");
    *(double *)o->value = d;
    return 0;
}

static int opt_set(const struct opt *o, const char *text, struct err *e)
{
    int64_t i;

    if (text && !*text && is_path(o)) return opt_usage(e, "--%s \"\": a name was expected", o->name);
    switch (o->type) {
    case OPT_FLAG:
        *(bool *)o->value = true;
        return 0;
    case OPT_INT:
        if (!str_to_int(text, (int64_t)o->min, (int64_t)o->max, &i))
            return opt_usage(e, "--%s %s: not a whole number from %.0f to %.0f", o->name, err_quote(text), o->min,
                             o->max);
        *(int64_t *)o->value = i;
        return 0;
    case OPT_DOUBLE:
        return set_double(o, text, e);
    case OPT_CHOICE:
        if (!is_choice(o->arg, text)) return opt_usage(e, "--%s %s: not one of %s", o->name, err_quote(text), o->arg);
        *(const char **)o->value = text;
        return 0;
    case OPT_LIST: {
        struct opt_list *list = o->value;
        if (list->n == OPT_LIST_MAX) return opt_usage(e, "--%s: given more than %d times", o->name, OPT_LIST_MAX);
        list->at[list->n++] = text;
        return 0;
    }
    default:
        *(const char **)o->value = text;
        return 0;
    }
}

/* A default out of range stands for none. */
static void add_default(struct str *s, const struct opt *o)
{
    if (o->type == OPT_INT && (double)*(int64_t *)o->value >= o->min)
        str_addf(s, " [%" PRId64 "]", *(int64_t *)o->value);
    if (o->type == OPT_DOUBLE) str_addf(s, " [%g]", *(double *)o->value);
    if ((o->type == OPT_STRING || o->type == OPT_CHOICE) && *(const char **)o->value)
        str_addf(s, " [%s]", *(const char **)o->value);
}

static void print_help(const struct program *p)
{
    struct str s = { 0 };
    bool can_resume = false;

    str_addf(&s, "usage: %s [option]... %s\n%s\n\n", p->name, p->operands, p->summary);
    for (const struct opt *o = p->opts; o->type != OPT_END; o++) {
        if (o->type == OPT_GROUP) {
            str_addf(&s, "\n%s:\n", o->help);
            continue;
        }
        can_resume = can_resume || !strcmp(o->name, "resume");
        size_t from = s.n;
        if (o->letter) str_addf(&s, "  -%c, ", o->letter);
        else str_add(&s, "      ");
        str_addf(&s, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        if (s.n - from > 28) str_add_char(&s, '\n'), from = s.n;
        while (s.n - from < 30) str_add_char(&s, ' ');
        str_add(&s, o->help);
        if (o->type == OPT_LIST) str_add(&s, " (may be repeated)");
        add_default(&s, o);
        str_add_char(&s, '\n');
    }
    str_addf(&s,
             "      --help                  show this\n      --version               show the version\n"
             "\nExit status: 0 fine, 1 bad input or I/O, 2 usage%s. Manual: man %s\n",
             can_resume ? ", 75 saved (run again with --resume)" : "", p->name);
    fwrite(s.data, 1, s.n, stdout);
    str_release(&s);
}

/* getopt_long()'s two tables from ours. */
static void make_tables(const struct program *p, struct option *longs, struct str *shorts)
{
    int n = 0;

    str_add_char(shorts, ':');
    for (int i = 0; p->opts[i].type != OPT_END; i++) {
        const struct opt *o = &p->opts[i];
        if (o->type == OPT_GROUP) continue;
        longs[n++] =
            (struct option){ o->name, o->type == OPT_FLAG ? no_argument : required_argument, NULL, OPT_FIRST + i };
        if (o->letter) str_addf(shorts, "%c%s", o->letter, o->type == OPT_FLAG ? "" : ":");
    }
    longs[n++] = (struct option){ "help", no_argument, NULL, OPT_HELP };
    longs[n] = (struct option){ "version", no_argument, NULL, OPT_VERSION };
}

static int find_letter(const struct program *p, int letter)
{
    for (int i = 0; p->opts[i].type != OPT_END; i++) {
        if (p->opts[i].letter == letter) return i;
    }
    return -1;
}

/* The word that getopt_long() took a long option from: the last one, or the one before its value. */
static const char *option_word(char **argv, const struct option *o)
{
    bool is_apart = o->has_arg && optarg == argv[optind - 1];

    return argv[optind - 1 - is_apart];
}

/* getopt_long() accepts unique prefixes; they break on the day a second option shares the prefix, so we refuse them. */
static bool is_abbreviated(const struct option *o, const char *word)
{
    size_t n = strlen(o->name);

    return !strncmp(word, "--", 2) && (strncmp(word + 2, o->name, n) || (word[2 + n] && word[2 + n] != '='));
}

/* What getopt_long() says by '?' or ':'. */
static void refuse_option(int c, const char *word, struct err *e)
{
    const char *why = c == ':' ? "needs a value" : optopt >= OPT_FIRST ? "takes no value" : "unknown option";

    if (optopt > 0 && optopt < 256) opt_usage(e, "-%c: %s (see --help)", optopt, why);
    else opt_usage(e, "%s: %s (see --help)", err_quote(word), why);
}

enum parsed { PARSED_RUN, PARSED_EXIT, PARSED_BAD };

static enum parsed parse(const struct program *p, int argc, char **argv, struct err *e)
{
    struct option longs[OPTS_MAX + 3] = { 0 };
    struct str shorts = { 0 };
    enum parsed result = PARSED_RUN;
    int c, which;

    make_tables(p, longs, &shorts);
    opterr = 0;
    while (result == PARSED_RUN && (which = -1, c = getopt_long(argc, argv, shorts.data, longs, &which)) != -1) {
        const char *word = which < 0 ? argv[optind - 1] : option_word(argv, &longs[which]);
        if (c == '?' || c == ':') {
            refuse_option(c, argv[optind - 1], e);
            result = PARSED_BAD;
        } else if (which >= 0 && is_abbreviated(&longs[which], word)) {
            opt_usage(e, "%s: unknown option (see --help)", err_quote(word));
            result = PARSED_BAD;
        } else if (c == OPT_HELP) {
            print_help(p);
            result = PARSED_EXIT;
        } else if (c == OPT_VERSION) {
            printf("%s %s (%s)\n", p->name, UNIMO_VERSION, *UNIMO_GIT ? UNIMO_GIT : "release");
            result = PARSED_EXIT;
        } else {
            int i = c >= OPT_FIRST ? c - OPT_FIRST : find_letter(p, c);
            given[i] = true;
            if (opt_set(&p->opts[i], optarg, e)) result = PARSED_BAD;
        }
    }
    str_release(&shorts);
    return result;
}

/* Memory is often gone for several threads at once: one tells. */
static void die_of_memory(size_t bytes)
{
    static atomic_flag is_told = ATOMIC_FLAG_INIT;

    while (atomic_flag_test_and_set(&is_told)) pause(); /* until the process ends */
    out_remove_all();
    log_out_of_memory(bytes);
    _exit(1);
}

static void die_of_some_memory(void)
{
    die_of_memory(0);
}

/* Libraries in C++ would throw what nobody catches. std::set_new_handler() is there when one of them is. */
static void handle_new(void)
{
    void (*(*set_new_handler)(void (*handler)(void)))(void);

    *(void **)&set_new_handler = dlsym(RTLD_DEFAULT, "_ZSt15set_new_handlerPFvvE");
    if (set_new_handler) set_new_handler(die_of_some_memory);
}

/* A closed descriptor 0, 1 or 2 would be given to the next file opened. /dev/null for reading takes its place, so that
 * writing to a closed standard output is still an error. */
static void fill_descriptors(void)
{
    int fd;

    do {
        fd = open("/dev/null", O_RDONLY);
    } while (fd >= 0 && fd <= 2);
    if (fd > 2) close(fd);
}

static int close_stdout(struct err *e)
{
    if (fflush(stdout) || ferror(stdout)) return err_errno(e, "standard output: cannot write");
    if (close(1) && errno != EBADF) return err_errno(e, "standard output: cannot close");
    return 0;
}

/* By default a thread of OpenMP that waits for the others holds its processor. Where anything else runs on the machine,
 * that makes programs of many short parallel parts ten times slower. How long it holds it is read from the environment
 * before main(): so the program starts itself again with a better value, unless the user has set one. */
static void give_way(char **argv)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);

    if (n < 0 || getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY")) return;
    path[n] = 0;
    if (!setenv("GOMP_SPINCOUNT", "1000", 1)) execv(path, argv); /* where that fails, things are as they were */
}

int program_main(const struct program *p, int argc, char **argv)
{
    static const int status[] = { [ERR_NONE] = 0, [ERR_INPUT] = 1, [ERR_IO] = 1, [ERR_USAGE] = 2, [ERR_SAVED] = 75 };
    struct err e = { 0 };

    pool_unbind();
    if (p->computes) give_way(argv);
    running = p;
    log_program(p->name);
    fill_descriptors();
    if (p->is_trainer) signals_trainer();
    else signals_filter();
    mem_on_failure(die_of_memory);
    handle_new();
    atexit(out_remove_all);
    enum parsed parsed = parse(p, argc, argv, &e);
    int rc = parsed == PARSED_BAD ? -1 : 0;
    if (parsed == PARSED_RUN) rc = p->run(argc - optind, argv + optind, &e);
    if (rc && !e.code) err_set(&e, ERR_INPUT, "failed without a reason");
    if (!rc) close_stdout(&e);
    if (e.text[0] && p->settle) p->settle(&e);
    if (e.text[0]) log_line("%s", e.text);
    return status[e.code];
}

int opt_shard(const char *text, int64_t *index, int64_t *count, struct err *e)
{
    char left[24] = "";
    const char *slash = text ? strchr(text, '/') : NULL;

    *index = 0;
    *count = 1;
    if (!text) return 0;
    if (slash && slash - text < (int)sizeof left) memcpy(left, text, (size_t)(slash - text));
    if (slash && str_to_int(slash + 1, 1, 100000, count) && str_to_int(left, 0, *count - 1, index)) return 0;
    return opt_usage(e, "--shard %s: not I/N with 0 <= I < N <= 100000", err_quote(text));
}
