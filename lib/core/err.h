#ifndef CORE_ERR_H
#define CORE_ERR_H
#include <stdbool.h>

/* What kind of failure it is; decides the exit status (unimo(7)). */
enum err_code {
    ERR_NONE,
    ERR_INPUT, /* bad data: exit 1 */
    ERR_IO,    /* the system refused: exit 1 */
    ERR_USAGE, /* bad option or operand: exit 2 */
    ERR_SAVED  /* stopped by a signal after saving; run again with --resume: exit 75 */
};

/* The first cause of a failure with the places that led to it, as one printable line.
 * Zero is "no error". Functions that can fail take a struct err * last and return 0 or -1. */
struct err {
    enum err_code code;
    char text[1024];
};

/* Records the cause unless one is there already (the first cause wins). Always returns -1. */
int err_set(struct err *e, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* As err_set(ERR_IO), and appends ": " and the text of errno, which it reads first of all. */
int err_errno(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "place: " in front of the text: the record, then the file, then the program. Returns -1. */
int err_in(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void err_clear(struct err *e);

/* Copies text for use in a message: quoted, at most 80 bytes, control characters and broken UTF-8
 * as '?'. The result lives in one of eight rotating thread-local buffers. */
const char *err_quote(const char *text);
#endif
