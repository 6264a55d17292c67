/* 128-bit content hash (XXH3-128) for digests and 64-bit (XXH64) for checks of sections and for tables. Not cryptographic. */
#ifndef VLM_BASE_HASH_H
#define VLM_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

typedef struct vlm_digest {
  uint64_t high, low;
} vlm_digest;

vlm_digest vlm_hash128(const void *data, size_t bytes);

/* Streaming form. */
typedef struct vlm_hasher vlm_hasher;
vlm_status vlm_hasher_create(vlm_hasher **out, vlm_error *err);
void vlm_hasher_free(vlm_hasher *hasher);
void vlm_hasher_add(vlm_hasher *hasher, const void *data, size_t bytes);
/* Adds the text and its terminating zero, so that neighbouring strings do not run together. */
void vlm_hasher_add_text(vlm_hasher *hasher, const char *text);
vlm_digest vlm_hasher_digest(const vlm_hasher *hasher);

/* XXH64, seed 0: the section and tensor hashes of packed files (docs/format.md), and slots of tables. At once, and streaming. */
uint64_t vlm_xxh64(const void *data, size_t bytes);
typedef struct vlm_xxh64_stream vlm_xxh64_stream;
vlm_status vlm_xxh64_create(vlm_xxh64_stream **out, vlm_error *err);
void vlm_xxh64_free(vlm_xxh64_stream *stream);
void vlm_xxh64_add(vlm_xxh64_stream *stream, const void *data, size_t bytes);
uint64_t vlm_xxh64_value(const vlm_xxh64_stream *stream);

/* 32 hexadecimal digits + zero. */
const char *vlm_digest_text(vlm_digest digest, char text[33]);

#endif
