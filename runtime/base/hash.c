/* The one user of xxhash. */
#include "runtime/base/hash.h"

#define XXH_INLINE_ALL
#define XXH_NO_INLINE_HINTS 1 /* two thirds of the code, and as fast */
#include <xxhash.h>

#include <stdio.h>
#include <string.h>

#include "runtime/base/memory.h"

static vlm_digest digest_of(XXH128_hash_t h) { return (vlm_digest){.high = h.high64, .low = h.low64}; }

vlm_digest vlm_hash128(const void *data, size_t bytes) { return digest_of(XXH3_128bits(data, bytes)); }

struct vlm_hasher {
  XXH3_state_t state;
};

vlm_status vlm_hasher_create(vlm_hasher **out, vlm_error *err) {
  vlm_status st = vlm_new(out, 1, err);
  if (st == VLM_OK) XXH3_128bits_reset(&(*out)->state);
  return st;
}

void vlm_hasher_free(vlm_hasher *hasher) { vlm_free(hasher); }
void vlm_hasher_add(vlm_hasher *hasher, const void *data, size_t bytes) {
  XXH3_128bits_update(&hasher->state, data, bytes);
}
void vlm_hasher_add_text(vlm_hasher *hasher, const char *text) {
  vlm_hasher_add(hasher, text, strlen(text) + 1);
}
vlm_digest vlm_hasher_digest(const vlm_hasher *hasher) {
  return digest_of(XXH3_128bits_digest(&hasher->state));
}

struct vlm_xxh64_stream {
  XXH64_state_t state;
};

uint64_t vlm_xxh64(const void *data, size_t bytes) { return XXH64(data, bytes, 0); }

vlm_status vlm_xxh64_create(vlm_xxh64_stream **out, vlm_error *err) {
  vlm_status st = vlm_new(out, 1, err);
  if (st == VLM_OK) XXH64_reset(&(*out)->state, 0);
  return st;
}

void vlm_xxh64_free(vlm_xxh64_stream *stream) { vlm_free(stream); }
void vlm_xxh64_add(vlm_xxh64_stream *stream, const void *data, size_t bytes) {
  XXH64_update(&stream->state, data, bytes);
}
uint64_t vlm_xxh64_value(const vlm_xxh64_stream *stream) { return XXH64_digest(&stream->state); }

const char *vlm_digest_text(vlm_digest d, char text[33]) {
  snprintf(text, 33, "%016llx%016llx", (unsigned long long)d.high, (unsigned long long)d.low);
  return text;
}
