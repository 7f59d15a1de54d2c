/* Errors as one line that grows from the cause outwards: each layer puts the place that it alone knows in front. */
#include "core/err.h"
#include "core/str.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    if (e->code) return -1;
    e->code = code;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    return -1;
}

int err_errno(struct err *e, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;

    if (e->code) return -1;
    e->code = ERR_IO;
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof e->text, fmt, ap);
    va_end(ap);
    size_t n = strlen(e->text);
    snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(saved));
    return -1;
}

int err_in(struct err *e, const char *fmt, ...)
{
    char place[sizeof e->text];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(place, sizeof place, fmt, ap);
    va_end(ap);
    size_t n = strlen(place), room = sizeof e->text;
    if (n + 3 > room) n = room - 3;
    size_t text = strlen(e->text);
    if (text > room - n - 3) text = room - n - 3;
    memmove(e->text + n + 2, e->text, text);
    memcpy(e->text, place, n);
    memcpy(e->text + n, ": ", 2);
    e->text[n + 2 + text] = 0;
    return -1;
}

void err_clear(struct err *e)
{
    e->code = ERR_NONE;
    e->text[0] = 0;
}

const char *err_quote(const char *text)
{
    static _Thread_local char buffers[8][88];
    static _Thread_local int next;
    char *out = buffers[next++ & 7];
    size_t n = strlen(text), w = 0;

    out[w++] = '"';
    for (size_t i = 0; i < n;) {
        uint32_t code;
        int len = utf8_decode(text + i, n - i, &code);
        bool is_shown = len > 0 && code >= 0x20 && code != 0x7f && !(code >= 0x80 && code < 0xa0);
        if (w + (size_t)(len > 0 ? len : 1) > 80) {
            memcpy(out + w, "...", 3);
            w += 3;
            break;
        }
        if (is_shown) memcpy(out + w, text + i, (size_t)len);
        else out[w] = '?';
        w += is_shown ? (size_t)len : 1;
        i += len > 0 ? (size_t)len : 1;
    }
    out[w++] = '"';
    out[w] = 0;
    return out;
}
