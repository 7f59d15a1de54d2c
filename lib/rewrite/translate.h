#ifndef REWRITE_TRANSLATE_H
#define REWRITE_TRANSLATE_H
#include "core/err.h"
#include "core/mem.h"

/* n lines through a command that maps lines to lines, run by /bin/sh -c as a child process: line i of its output
 * belongs to line i of its input. A command that fails, gives another number of lines or takes longer than `seconds` is
 * started once more; failing again is an error that names it. Results live in the arena. Thread-safe. */
int translate_lines(const char *command, const char *const *lines, int n, const char **out, double seconds,
                    struct arena *a, struct err *e);

/* Whether a translation can stand as another wording: not empty, free of the marks (* @ #) of unknown words and of
 * characters and capitals inside that the original does not have, and not the same words. */
bool translation_is_usable(const char *original, const char *translation);
#endif
