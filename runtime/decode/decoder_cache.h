/* Private to the decoder: sets of cache tensors, and a pool of sets so that a warm loop allocates nothing. */
#ifndef VLM_DECODE_DECODER_CACHE_H
#define VLM_DECODE_DECODER_CACHE_H

#include "runtime/decode/decoder.h"

enum { VLM_FREE_SETS = 130, VLM_CACHE_UNIT = 64 };

/* Who keeps an entry, and how. */
typedef enum vlm_slot_kind {
  VLM_SLOT_CROSS, /* written by the first graph only */
  VLM_SLOT_COPY,  /* each step gives a longer tensor, which is stored */
  VLM_SLOT_KEY,   /* cache contract: [heads][size][capacity], appended in place */
  VLM_SLOT_VALUE  /* cache contract: [heads][capacity][size] */
} vlm_slot_kind;
static inline bool vlm_slot_in_place(vlm_slot_kind kind) {
  return kind == VLM_SLOT_KEY || kind == VLM_SLOT_VALUE;
}

typedef struct vlm_cache_slot {
  const char *suffix;
  int32_t first_output, step_output; /* -1 = the graph does not produce it */
  vlm_slot_kind kind;
} vlm_cache_slot;

typedef struct vlm_cache_entry {
  void *data;
  size_t capacity; /* bytes */
  vlm_tensor tensor;
} vlm_cache_entry;

struct vlm_cache {
  vlm_cache_entry *entries; /* self entries are filled, cross entries live in the pool */
  int64_t length, capacity;
};

typedef struct vlm_cache_pool {
  vlm_cache_slot *slots;
  int32_t n_slots;
  vlm_cache_entry *cross;
  vlm_cache *free_sets[VLM_FREE_SETS];
  int32_t n_free;
} vlm_cache_pool;

void vlm_pool_free(vlm_cache_pool *pool);
vlm_status vlm_pool_take(vlm_cache_pool *pool, vlm_cache **out, vlm_error *err);
void vlm_pool_release(vlm_cache_pool *pool, vlm_cache *cache);
/* A set with the same rows in its in-place buffers. */
vlm_status vlm_pool_copy(vlm_cache_pool *pool, vlm_cache **out, const vlm_cache *from, vlm_error *err);
/* Room for one more row in every in-place buffer. */
vlm_status vlm_pool_make_room(vlm_cache_pool *pool, vlm_cache *set, vlm_error *err);
/* A tensor as the start of an in-place buffer of `capacity` rows. */
vlm_status vlm_cache_start(vlm_cache_entry *entry, vlm_slot_kind kind, const vlm_tensor *t, int64_t capacity,
                           vlm_error *err);
/* A copy of a tensor. */
vlm_status vlm_cache_store(vlm_cache_entry *entry, const vlm_tensor *t, vlm_error *err);

#endif
