#include "stream/inputs.h"
#include "core/dtype.h"
#include "core/file.h"
#include "core/hash.h"
#include "core/mem.h"
#include "core/str.h"
#include "stream/frame.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The digest in the index that ends a file of ours: 1, 0 where there is none, -1. */
static int index_digest(int fd, int64_t bytes, uint64_t *digest, struct err *e)
{
    uint8_t tail[FRAME_TAIL], head[FRAME_START + 16];

    if (bytes < FRAME_TAIL) return 0;
    ssize_t got = file_read_at(fd, tail, sizeof tail, bytes - FRAME_TAIL, e);
    if (got < (ssize_t)sizeof tail) return got < 0 ? -1 : 0;
    int64_t n = frame_index_size(tail);
    if (!n || n > bytes) return 0;
    got = file_read_at(fd, head, sizeof head, bytes - n, e);
    if (got < (ssize_t)sizeof head) return got < 0 ? -1 : 0;
    *digest = load_u64(head + FRAME_START + 8);
    return 1;
}

/* 1, or -1. */
static int sampled_digest(int fd, int64_t bytes, uint64_t *digest, struct err *e)
{
    enum { PIECE = 1 << 16, PIECES = 64, WHOLE = 16 << 20 };
    int64_t n = bytes <= WHOLE ? bytes / PIECE + 1 : PIECES, room = bytes > PIECE ? bytes - PIECE : 0;
    uint8_t *piece = mem_new(uint8_t, PIECE);
    struct digest d;
    int rc = 0;

    digest_init(&d);
    for (int64_t i = 0; i < n && !rc; i++) {
        ssize_t got = file_read_at(fd, piece, PIECE, n > 1 ? room * i / (n - 1) : 0, e);
        if (got < 0) rc = -1;
        else digest_add(&d, piece, (size_t)got);
    }
    free(piece);
    *digest = digest_value(&d);
    return rc ? -1 : 1;
}

typedef int digest_of(int fd, int64_t bytes, uint64_t *digest, struct err *e);

/* What a file is told by beside its name. */
static int describe(struct value *v, const char *path, digest_of *make, struct err *e)
{
    struct stat st;
    uint64_t digest;
    char hex[20];
    int fd = file_open(path, e), got = -1;

    if (fd < 0) return -1;
    if (fstat(fd, &st)) err_errno(e, "cannot read");
    else got = make(fd, st.st_size, &digest, e);
    close(fd);
    if (got < 0) return err_in(e, "%s", path);
    value_set(v, "bytes", value_int(st.st_size));
    if (!got) return 0;
    snprintf(hex, sizeof hex, "%016" PRIx64, digest);
    value_set(v, "digest", value_str(hex));
    return 0;
}

static int add(struct value *list, const char *path, digest_of *make, struct err *e)
{
    struct value *v = value_object();

    value_set(v, "name", value_str(utf8_valid(path, strlen(path)) ? path_base(path) : "?"));
    value_push(list, v);
    return file_is_regular(path) ? describe(v, path, make, e) : 0;
}

int inputs_add_stream(struct value *list, const char *path, struct err *e)
{
    return add(list, path, index_digest, e);
}

int inputs_add_file(struct value *list, const char *path, struct err *e)
{
    return add(list, path, sampled_digest, e);
}
