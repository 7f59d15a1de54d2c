#ifndef STREAM_LIMITS_H
#define STREAM_LIMITS_H

/* Every bound on what a file may ask for, with its reason. Compared before memory is asked for. */
#define LIMIT_RECORD_BYTES (64LL << 20) /* one JSON line: a caption record is 2 kB, 100 rewrites of it 100 kB */
#define LIMIT_JSON_DEPTH 64             /* deepest record of ours is 6 */
#define LIMIT_TENSORS 64                /* tensors in a record: ours have at most 8 */
#define LIMIT_RANK 8                    /* dimensions of a tensor */
#define LIMIT_ELEMENTS (1LL << 40)      /* of one tensor */
#define LIMIT_BLOCK_BYTES (1LL << 30)   /* unpacked tensor bytes of a block; also keeps frames below 4 GiB */
#define LIMIT_BLOCK_TEXT (1LL << 28)    /* unpacked JSON bytes of a block */
#define LIMIT_FRAME_BYTES (1LL << 30)   /* a skippable frame of ours */
#define LIMIT_RECORDS 128000000LL       /* of a stream: 8 bytes each, and 12 of each block, in one frame of that size */
#define LIMIT_WINDOW_LOG 27             /* zstd window: 128 MiB, what zstd itself accepts without --long */
#define LIMIT_SAFETENSORS_HEADER (100LL * 1000 * 1000) /* that format's own limit */
#define LIMIT_ID_BYTES 1024                            /* an id is a name, not a document */
#define LIMIT_JSON_FILE (256LL << 20)                  /* config.json, vocab.json (1 MB), annotations to score with */
#define LIMIT_JSON_WALKED (4LL << 30)                  /* annotations to train with: COCO's are 470 MB, LVIS's 1.1 GB */
#endif
