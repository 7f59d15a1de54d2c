#include "stream/frame.h"
#include "core/dtype.h"
#include "core/mem.h"
#include "stream/limits.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static const char tail_mark[8] = { 'U', 'N', 'M', 'I', 'T', 'A', 'I', 'L' };

/* What a frame begins with, before a payload of n bytes. */
static void add_head(struct str *out, const char *kind, size_t n)
{
    uint8_t head[FRAME_START] = { 0 };

    store_u32(head, FRAME_MAGIC);
    store_u32(head + 4, (uint32_t)(n + FRAME_HEAD));
    memcpy(head + 8, kind, 4);
    head[12] = FRAME_MAJOR;
    head[13] = FRAME_MINOR;
    str_add_bytes(out, head, sizeof head);
}

void frame_add(struct str *out, const char *kind, const void *payload, size_t n)
{
    add_head(out, kind, n);
    str_add_bytes(out, payload, n);
}

bool frame_is(const uint8_t *data, int64_t n, const char *kind)
{
    return n >= FRAME_TELLS && load_u32(data) == FRAME_MAGIC && !memcmp(data + 8, kind, 4);
}

int frame_check_head(const uint8_t *head, struct err *e)
{
    if (head[4] != FRAME_MAJOR)
        return err_set(e, ERR_INPUT, "stream format %d.%d (this program reads %d.x)", head[4], head[5], FRAME_MAJOR);
    if (head[6] || head[7])
        return err_set(e, ERR_INPUT, "unknown frame flags %02x%02x (none are defined)", head[7], head[6]);
    return 0;
}

int64_t frame_size(const uint8_t *data, int64_t n)
{
    size_t size = ZSTD_findFrameCompressedSize(data, (size_t)n);

    return ZSTD_isError(size) || size > (size_t)n ? -1 : (int64_t)size;
}

/* Each thread has its context, for the life of the thread. */
static pthread_key_t contexts;

static void free_context(void *context)
{
    ZSTD_freeCCtx(context);
}

static void make_contexts(void)
{
    pthread_key_create(&contexts, free_context);
}

static ZSTD_CCtx *own_context(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_contexts);
    ZSTD_CCtx *context = pthread_getspecific(contexts);
    if (!context) pthread_setspecific(contexts, context = ZSTD_createCCtx());
    return context;
}

void frame_compress(struct str *out, const void *data, size_t n, int level)
{
    ZSTD_CCtx *context = own_context();
    size_t bound = ZSTD_compressBound(n);
    char *room = str_room(out, bound);
    if (!context) mem_fail(bound);
    ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    size_t got = ZSTD_compress2(context, room, bound, data, n);
    if (ZSTD_isError(got)) mem_fail(bound); /* the only failure left with a large enough room */
    out->n += got;
    out->data[out->n] = 0;
}

int frame_decompress(uint8_t **out, int64_t *out_n, const void *data, size_t n, int64_t limit, struct err *e)
{
    unsigned long long size = ZSTD_getFrameContentSize(data, n);

    *out = NULL;
    if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN)
        return err_set(e, ERR_INPUT, "not a zstd frame with a known size");
    if (size > (unsigned long long)limit)
        return err_set(e, ERR_INPUT, "%llu bytes (at most %lld)", size, (long long)limit);
    if (ZSTD_findFrameCompressedSize(data, n) != n) return err_set(e, ERR_INPUT, "a zstd frame of the wrong length");
    uint8_t *room = mem_try(size ? size : 1, 1);
    if (!room) return err_set(e, ERR_IO, "not enough memory for %llu bytes", size);
    ZSTD_DCtx *context = ZSTD_createDCtx();
    size_t got = context ? ZSTD_decompressDCtx(context, room, size, data, n) : 0;
    ZSTD_freeDCtx(context);
    if (!context || ZSTD_isError(got) || got != size) {
        free(room);
        if (!context) return err_set(e, ERR_IO, "not enough memory");
        return err_set(e, ERR_INPUT, "corrupt data (%s)", ZSTD_isError(got) ? ZSTD_getErrorName(got) : "wrong size");
    }
    *out = room;
    *out_n = (int64_t)size;
    return 0;
}

/* Payload: head of 40 bytes (records, digest, length, blocks, packed size), a zstd frame with blocks (u64 offset, u32
 * records) and ids (u64 each), and the tail: u64 size of the whole frame, the mark. */
enum { INDEX_HEAD = 40, INDEX_BLOCK = 12 };

void frame_index_add(struct str *out, const struct frame_index *x)
{
    size_t n = (size_t)x->n_blocks * INDEX_BLOCK + (size_t)x->records * 8, start = out->n;
    uint8_t *body = mem_new(uint8_t, n), *p = body;
    uint8_t head[INDEX_HEAD] = { 0 }, tail[FRAME_TAIL];

    for (int64_t i = 0; i < x->n_blocks; i++, p += INDEX_BLOCK) {
        store_u64(p, x->blocks[i].offset);
        store_u32(p + 8, x->blocks[i].records);
    }
    for (uint64_t i = 0; i < x->records; i++, p += 8) store_u64(p, x->ids[i]);
    add_head(out, FRAME_INDEX, 0);
    str_add_bytes(out, head, sizeof head);
    size_t before = out->n;
    frame_compress(out, body, n, 1); /* most of it is hashes, which no level packs */
    free(body);
    size_t packed = out->n - before, whole = before - start + packed + FRAME_TAIL;
    uint8_t *frame = (uint8_t *)out->data + start;
    store_u32(frame + 4, (uint32_t)(whole - 8));
    store_u64(head, x->records);
    store_u64(head + 8, x->digest);
    store_u64(head + 16, x->length + whole);
    store_u64(head + 24, (uint64_t)x->n_blocks);
    store_u64(head + 32, packed);
    memcpy(frame + FRAME_START, head, sizeof head);
    store_u64(tail, whole);
    memcpy(tail + 8, tail_mark, 8);
    str_add_bytes(out, tail, sizeof tail);
}

int frame_index_parse(struct frame_index *x, const uint8_t *data, size_t n, struct err *e)
{
    uint8_t *body;
    int64_t body_n;

    *x = (struct frame_index){ 0 };
    if (n < INDEX_HEAD + FRAME_TAIL)
        return err_set(e, ERR_INPUT, "index of %zu bytes (at least %d)", n, INDEX_HEAD + FRAME_TAIL);
    uint64_t records = load_u64(data), blocks = load_u64(data + 24), packed = load_u64(data + 32);
    bool is_whole = packed == n - INDEX_HEAD - FRAME_TAIL && load_u64(data + n - FRAME_TAIL) == n + FRAME_START;
    if (!is_whole || memcmp(data + n - 8, tail_mark, 8)) return err_set(e, ERR_INPUT, "damaged index");
    if (records > (uint64_t)LIMIT_FRAME_BYTES / 8 || blocks > records)
        return err_set(e, ERR_INPUT, "index of too many records");
    if (frame_decompress(&body, &body_n, data + INDEX_HEAD, packed, LIMIT_FRAME_BYTES, e)) return err_in(e, "index");
    if ((uint64_t)body_n != blocks * INDEX_BLOCK + records * 8) {
        free(body);
        return err_set(e, ERR_INPUT, "index of %lld bytes for %llu records in %llu blocks", (long long)body_n,
                       (unsigned long long)records, (unsigned long long)blocks);
    }
    *x = (struct frame_index){
        .records = records, .digest = load_u64(data + 8), .length = load_u64(data + 16), .n_blocks = (int64_t)blocks
    };
    x->blocks = mem_new(struct frame_block, blocks);
    x->ids = mem_new(uint64_t, records);
    for (uint64_t i = 0; i < blocks; i++) {
        x->blocks[i] = (struct frame_block){ load_u64(body + i * INDEX_BLOCK), load_u32(body + i * INDEX_BLOCK + 8) };
    }
    for (uint64_t i = 0; i < records; i++) x->ids[i] = load_u64(body + blocks * INDEX_BLOCK + i * 8);
    free(body);
    return 0;
}

void frame_index_release(struct frame_index *x)
{
    free(x->blocks);
    free(x->ids);
    *x = (struct frame_index){ 0 };
}

int64_t frame_index_size(const uint8_t tail[FRAME_TAIL])
{
    uint64_t n = load_u64(tail);

    if (memcmp(tail + 8, tail_mark, 8) || n > (uint64_t)LIMIT_FRAME_BYTES) return 0;
    return (int64_t)n;
}
