#ifndef CORE_OPT_H
#define CORE_OPT_H
#include "core/err.h"
#include "core/str.h"
#include <stdint.h>

/* One table of options is the single source of parsing, --help, the check of the man page and the
 * provenance of outputs. Values start at their defaults, which --help shows. */
enum opt_type {
    OPT_END,
    OPT_FLAG,   /* bool */
    OPT_INT,    /* int64_t within [min, max] */
    OPT_DOUBLE, /* double within [min, max]; where min is -1, which stands for a default, -1 or within [0, max] */
    OPT_STRING, /* const char *; given again, the last wins */
    OPT_LIST,   /* struct opt_list; may be given several times, order kept */
    OPT_CHOICE, /* const char *; arg holds the words: "f32|bf16" */
    OPT_GROUP   /* not an option: a heading in --help */
};
struct opt {
    enum opt_type type;
    const char *name; /* long name, without dashes */
    int letter;       /* short letter or 0 */
    void *value;
    double min, max;
    const char *arg;  /* "N", "FILE", "f32|bf16" ... shown in --help; NULL for flags */
    const char *help; /* one line, lower case */
};
enum { OPT_LIST_MAX = 64 };
struct opt_list {
    int n;
    const char *at[OPT_LIST_MAX];
};

struct program {
    const char *name;     /* "unimo-view" */
    const char *summary;  /* one line */
    const char *operands; /* "[FILE]..." */
    const struct opt *opts;
    int (*run)(int argc, char **argv, struct err *e); /* gets the operands only */
    bool is_trainer; /* outlives a broken pipe and handles SIGINT/SIGTERM/SIGUSR1 itself (save, exit 75) */
    bool computes;   /* its threads work in step: see give_way() in opt.c */
    void (*settle)(struct err *e); /* before an error is printed: takes the text when another process tells it */
};

/* The one main: makes descriptors 0-2 safe, sets signal policy, parses, answers --help and --version,
 * runs, prints the error as one line, flushes standard output, removes unfinished outputs.
 * Returns the exit status: 0, 1, 2 or 75. */
int program_main(const struct program *p, int argc, char **argv);

/* Used by run(): a usage error about an operand or an option's value (exit 2). Returns -1. */
int opt_usage(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Whether the option was given on the command line (not a default). */
bool opt_given(const char *name);
/* A usage error when one of the options was given, NULL-terminated names, that would not be heeded: why says with what
 * they go. */
int opt_refuse(const char *const *names, const char *why, struct err *e);
/* The running program's name, version string and all its option values (defaults included) as a JSON
 * object, for provenance and logs. */
const char *opt_program(void);
const char *opt_version(void);
void opt_json(struct str *out);

/* Rows that mean the same in every program. */
#define OPT_ROW_OUTPUT(v)                                                                                              \
    {                                                                                                                  \
        OPT_STRING, "output", 'o', (v), 0, 0, "FILE", "write to FILE (default: standard output)"                       \
    }
#define OPT_ROW_PLAIN(v)                                                                                               \
    {                                                                                                                  \
        OPT_FLAG, "plain", 0, (v), 0, 0, 0, "write plain JSON Lines without compression or tensors"                    \
    }
#define OPT_ROW_THREADS(v)                                                                                             \
    {                                                                                                                  \
        OPT_INT, "threads", 'j', (v), 0, 1024, "N", "threads (0: all processors)"                                      \
    }
#define OPT_ROW_SEED(v)                                                                                                \
    {                                                                                                                  \
        OPT_INT, "seed", 0, (v), 0, 9007199254740992.0, "N", "seed of every random draw"                               \
    }
#define OPT_ROW_SKIP(v)                                                                                                \
    {                                                                                                                  \
        OPT_FLAG, "skip-bad", 0, (v), 0, 0, 0, "count and skip bad records instead of failing"                         \
    }
#define OPT_ROW_SHARD(v)                                                                                               \
    {                                                                                                                  \
        OPT_STRING, "shard", 0, (v), 0, 0, "I/N", "take only inputs r with r % N == I"                                 \
    }
#define OPT_ROW_LIMIT(v)                                                                                               \
    {                                                                                                                  \
        OPT_INT, "limit", 'n', (v), 1, 9007199254740992.0, "N", "stop after N records"                                 \
    }
#define OPT_ROW_DEVICE(v)                                                                                              \
    {                                                                                                                  \
        OPT_STRING, "device", 0, (v), 0, 0, "NAME", "cpu, ref, cuda or cuda:N (default: cuda if usable, else cpu)"     \
    }
#define OPT_ROW_PROFILE(v)                                                                                             \
    {                                                                                                                  \
        OPT_FLAG, "profile", 0, (v), 0, 0, 0, "print at the end where the time went, by operation"                     \
    }
#define OPT_ROW_PRECISION(v)                                                                                           \
    {                                                                                                                  \
        OPT_CHOICE, "precision", 0, (v), 0, 0, "auto|f32|bf16", "compute type (auto: bf16 where the device has it)"    \
    }

/* Parses "I/N" with 0 <= I < N <= 100000; NULL is 0/1. */
int opt_shard(const char *text, int64_t *index, int64_t *count, struct err *e);
#endif
