/* The option table: strict values, messages, JSON of all values. */
#include "core/opt.h"
#include "tap.h"
#include <getopt.h>
#include <unistd.h>

static int64_t count;
static double rate, share;
static bool flag;
static const char *name, *kind;
static struct opt_list list;
static int operands;
static struct str json;

static const struct opt opts[] = { { OPT_INT, "count", 'c', &count, 1, 10, "N", "how many" },
                                   { OPT_DOUBLE, "rate", 0, &rate, 0, 1, "R", "how often" },
                                   { OPT_DOUBLE, "share", 0, &share, -1, 1, "R", "how much (-1: some)" },
                                   { OPT_FLAG, "flag", 'f', &flag, 0, 0, NULL, "whether" },
                                   { OPT_STRING, "name", 0, &name, 0, 0, "NAME", "who" },
                                   { OPT_CHOICE, "kind", 0, &kind, 0, 0, "red|green", "which" },
                                   { OPT_LIST, "add", 0, &list, 0, 0, "WORD", "what else" },
                                   { 0 } };

static int run(int argc, char **argv, struct err *e)
{
    operands = argc;
    opt_json(&json);
    return argc && !strcmp(argv[0], "bad") ? err_set(e, ERR_INPUT, "bad operand") : 0;
}

/* The exit status of a run with the words given; standard error is left alone. */
static int try(const char *a, const char *b, const char *c)
{
    static const struct program p = { "t", "a test", "[X]...", opts, run, true };
    char *argv[] = { (char *)"t", (char *)a, (char *)b, (char *)c, NULL };
    int argc = 1;
    int saved = dup(1);

    count = 3;
    rate = 0.5;
    share = -1;
    flag = false;
    name = kind = NULL;
    list.n = operands = 0;
    str_clear(&json);
    while (argv[argc]) argc++;
    optind = 0;
    int status = program_main(&p, argc, argv);
    dup2(saved, 1);
    close(saved);
    return status;
}

int main(void)
{
    if (!freopen("/dev/null", "w", stderr)) return 1;
    is_int(try("--count", "7", "-f"), 0, "values and flags");
    ok(count == 7 && flag, "are set");
    is_int(try("-c7", "--rate=0.25", "x"), 0, "clustered letters, = and operands");
    ok(count == 7 && rate == 0.25 && operands == 1, "are read");
    is_int(try("--count", "11", NULL), 2, "out of range");
    is_int(try("--count", "7x", NULL), 2, "trailing junk");
    is_int(try("--rate", "nan", NULL), 2, "nan");
    is_int(try("--share", "0", NULL), 0, "a share");
    is_int(try("--share=-1", NULL, NULL), 0, "or what stands for its default");
    is_int(try("--share", "-0.5", NULL), 2, "and nothing between them");
    is_int(try("--count", NULL, NULL), 2, "a missing value");
    is_int(try("--coun", "7", NULL), 2, "an abbreviation");
    is_int(try("--flag=1", NULL, NULL), 2, "a value for a flag");
    is_int(try("--kind", "blue", NULL), 2, "a word that is not a choice");
    is_int(try("--kind", "green", NULL), 0, "one that is");
    is_int(try("bad", NULL, NULL), 1, "a failing program");
    is_int(try("--add=a", "--add", "b\"\n"), 0, "lists");
    is_str(json.data,
           "{\"count\":3,\"rate\":0.5,\"share\":-1,\"flag\":false,\"name\":null,\"kind\":null,\"add\":[\"a\","
           "\"b\\\"\\u000a\"]}",
           "all values as JSON, defaults included");
    int64_t i, n;
    struct err e = { 0 };
    ok(!opt_shard("3/7", &i, &n, &e) && i == 3 && n == 7, "shard 3/7");
    ok(opt_shard("7/7", &i, &n, &e) == -1, "7/7 is none");
    err_clear(&e);
    ok(opt_shard("1", &i, &n, &e) == -1, "nor is 1");
    str_release(&json);
    return done();
}
