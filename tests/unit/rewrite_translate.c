/* Lines through child processes that behave, die, lose lines, hang, and do not listen. */
#include "core/log.h"
#include "rewrite/translate.h"
#include "tap.h"
#include <signal.h>
#include <unistd.h>

static struct arena a;
static const char *const lines[] = { "A dog.", "Two\ncats.", "" };

static void fails(const char *command, double seconds, const char *message)
{
    const char *out[3];
    struct err e = { 0 };

    ok(translate_lines(command, lines, 3, out, seconds, &a, &e) == -1 && e.code == ERR_IO && strstr(e.text, message),
       "%s: %s", command, e.text);
}

int main(void)
{
    const char *out[3], **many;
    struct err e = { 0 };
    char flag[] = "/tmp/unimo-translate-XXXXXX", command[200];

    signal(SIGPIPE, SIG_DFL);
    ok(!translate_lines("cat", lines, 3, out, 10, &a, &e), "cat%s", e.text);
    is_str(out[0], "A dog.", "a line comes back");
    is_str(out[1], "Two cats.", "a line break is a blank");
    is_str(out[2], "", "an empty line stays one");
    ok(!translate_lines("tr a-z A-Z | sed 's/^/ /; s/$/ /'", lines, 3, out, 10, &a, &e), "a pipeline%s", e.text);
    is_str(out[0], "A DOG.", "does its work, blanks around it apart");
    ok(!translate_lines("cat", lines, 0, out, 10, &a, &e), "no lines%s", e.text);
    fails("exit 3", 10, "3");
    fails("false", 10, "ended with status 1");
    fails("true", 10, "0 lines for 3");
    fails("cat; exit 3", 10, "ended with status 3");
    fails("cat; kill -9 $$", 10, "died of signal 9");
    fails("sed 1d", 10, "2 lines for 3");
    fails("sed p", 10, "6 lines for 3");
    fails("cat >/dev/null; sleep 60", 0.3, "within 0.3 s");
    fails("cat; exec >&-; sleep 60", 0.3, "within 0.3 s");
    fails("/no/such/program 2>/dev/null", 10, "translator");
    fails("printf 'a\\nb\\n\\377\\n'; cat >/dev/null", 10, "not UTF-8");
    double start = clock_seconds();
    fails("sleep 60 | sleep 60", 0.2, "within");
    ok(clock_seconds() - start < 5, "and all of a pipeline is ended");

    close(mkstemp(flag));
    snprintf(command, sizeof command, "if [ -e %s ]; then rm %s; exit 1; fi; cat", flag, flag);
    ok(!translate_lines(command, lines, 3, out, 10, &a, &e), "one that fails once is started again%s", e.text);

    enum { MANY = 200000 }; /* more than pipes hold */
    many = calloc(MANY, sizeof *many);
    const char **back = calloc(MANY, sizeof *back);
    for (int i = 0; i < MANY; i++) many[i] = i % 2 ? "the quick brown fox" : "jumps over the lazy dog";
    ok(!translate_lines("cat", many, MANY, back, 60, &a, &e) && !strcmp(back[MANY - 1], "the quick brown fox"),
       "neither side waits for the other%s", e.text);
    ok(translate_lines("head -1", many, MANY, back, 10, &a, &e) == -1, "one that stops reading does not end us: %s",
       e.text);
    free(many);
    free(back);

    ok(translation_is_usable("A dog.", "One dog."), "other words are usable");
    ok(!translation_is_usable("A dog.", "a dog"), "the same words are not");
    ok(!translation_is_usable("A dog.", "A *dog.") && !translation_is_usable("A dog.", "A @dog") &&
           !translation_is_usable("A dog.", "#A pup"),
       "nor marks");
    ok(!translation_is_usable("A dog.", "") && !translation_is_usable("", ""), "nor nothing");
    arena_release(&a);
    return done();
}
