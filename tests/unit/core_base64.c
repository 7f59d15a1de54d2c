/* The test vectors of RFC 4648, all bytes there and back, and texts that are no base64. */
#include "core/base64.h"
#include "tap.h"
#include <string.h>

static const char *const vectors[][2] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
};
static const char *const bad[] = { "Zg=", "Zh==", "Zm9=", "Z===", "Zg==Zg==", "Zm 9v", "Zm9v\n", "Zm-_", "====" };

int main(void)
{
    uint8_t all[256], back[256];
    struct str text = { 0 };

    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const char *plain = vectors[i][0], *coded = vectors[i][1];
        str_clear(&text);
        base64_add(&text, plain, strlen(plain));
        is_str(str_c(&text), coded, "coded");
        bool is_back = base64_bytes(coded, strlen(coded)) == (int64_t)strlen(plain) &&
                       base64_decode(back, coded, strlen(coded)) && !memcmp(back, plain, strlen(plain));
        ok(is_back, "\"%s\" and back", plain);
    }
    for (int i = 0; i < 256; i++) all[i] = (uint8_t)(i * 37);
    str_clear(&text);
    base64_add(&text, all, sizeof all);
    ok(base64_bytes(text.data, text.n) == 256 && base64_decode(back, text.data, text.n) && !memcmp(all, back, 256),
       "all bytes");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ok(!base64_decode(back, bad[i], strlen(bad[i])), "refused: case %d", (int)i);
    str_release(&text);
    return done();
}
