/* safetensors: round trip, and a set of attacks that must each be refused. */
#include "core/file.h"
#include "core/mem.h"
#include "stream/safetensors.h"
#include "tap.h"
#include <unistd.h>

static char dir[] = "/tmp/unimo-st.XXXXXX";

static void attack(const char *header, uint64_t length, size_t data, const char *what)
{
    struct err e = { 0 };
    struct safetensors s;
    uint8_t n[8], zeros[64] = { 0 };
    struct out *o = out_open("x", &e);

    store_u64(n, length ? length : strlen(header));
    out_write(o, n, 8, &e);
    out_write(o, header, strlen(header), &e);
    out_write(o, zeros, data, &e);
    out_commit(o, &e);
    bool opened = !safetensors_open(&s, "x", &e);
    ok(!opened, "%s is refused: %s", what, e.text);
    if (opened) safetensors_close(&s);
}

int main(void)
{
    struct err e = { 0 };
    struct safetensors s;
    float a[6] = { 1, 2, 3, 4, 5, 6 };
    int64_t b[1] = { -7 };
    struct safetensor t[2] = { { "a.weight", DT_F32, 2, { 2, 3 }, a, sizeof a, 6 },
                               { "b", DT_I64, 0, { 0 }, b, sizeof b, 1 } };

    if (!mkdtemp(dir) || chdir(dir)) return 1;
    is_int(safetensors_save("m", t, 2, (const char *const[]){ "format", "unimo" }, 1, &e), 0, "save");
    is_int(safetensors_open(&s, "m", &e), 0, "open");
    const struct safetensor *x = safetensors_find(&s, "a.weight");
    ok(x && x->rank == 2 && x->shape[1] == 3 && !memcmp(x->data, a, sizeof a), "a matrix comes back");
    x = safetensors_find(&s, "b");
    ok(x && x->n == 1 && *(const int64_t *)x->data == -7, "and a scalar");
    is_str(safetensors_metadata(&s, "format"), "unimo", "and metadata");
    ok(!safetensors_find(&s, "c"), "a name that is not there is not found");
    safetensors_close(&s);

    attack("{}", 1u << 30, 0, "a header longer than the file");
    attack("{}", ~0ull, 0, "a header of 2^64 bytes");
    attack("{", 0, 0, "broken JSON");
    attack("[]", 0, 0, "a header that is no object");
    attack("{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,8]}}", 0, 8, "a shape larger than its data");
    attack("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 0, 4, "data past the end");
    attack("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 0, 12, "bytes that belong to nobody");
    attack("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 0, 8, "a hole");
    attack("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[2],"
           "\"data_offsets\":[4,12]}}",
           0, 12, "an overlap");
    attack("{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4, "an unknown dtype");
    attack("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 0, 4, "a negative shape");
    attack("{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0, 0,
           "a product that overflows");
    attack("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 0, 4, "a negative offset");
    if (chdir("/")) return 1;
    err_clear(&e);
    dir_remove(dir, &e);
    return done();
}
