/* Test Anything Protocol in one header: every check prints one line, done() the plan. Depends on nothing in lib/, so
 * that a broken library cannot make its own tests pass. */
#ifndef TAP_H
#define TAP_H
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_run, tap_failed;

__attribute__((format(printf, 2, 3), unused)) static bool ok(bool pass, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("%sok %d - ", pass ? "" : "not ", ++tap_run);
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
    fflush(stdout);
    if (!pass) tap_failed++;
    return pass;
}

__attribute__((unused)) static bool is_int(int64_t got, int64_t want, const char *what)
{
    bool pass = ok(got == want, "%s", what);
    if (!pass) printf("#   got %lld, want %lld\n", (long long)got, (long long)want);
    return pass;
}

__attribute__((unused)) static bool is_str(const char *got, const char *want, const char *what)
{
    bool pass = ok(got && want && !strcmp(got, want), "%s", what);
    if (!pass) printf("#   got  '%s'\n#   want '%s'\n", got ? got : "(null)", want ? want : "(null)");
    return pass;
}

/* |got - want| <= tolerance * max(1, |want|); NaN never passes. */
__attribute__((unused)) static bool near(double got, double want, double tolerance, const char *what)
{
    double d = fabs(got - want), scale = fabs(want) > 1 ? fabs(want) : 1;
    bool pass = ok(d <= tolerance * scale, "%s", what);
    if (!pass) printf("#   got %.17g, want %.17g, off by %.3g (at most %.3g)\n", got, want, d, tolerance * scale);
    return pass;
}

/* Ends the program with the plan "skip all". */
__attribute__((unused, noreturn)) static void skip_all(const char *why)
{
    printf("1..0 # SKIP %s\n", why);
    exit(0);
}

__attribute__((unused)) static int done(void)
{
    printf("1..%d\n", tap_run);
    return tap_failed ? 1 : 0;
}
#endif
