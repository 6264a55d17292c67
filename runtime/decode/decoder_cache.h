/* Private to the decoder: rows of cache tensors, and a pool of sets of them so that a warm loop allocates nothing. */
#ifndef VLM_DECODE_DECODER_CACHE_H
#define VLM_DECODE_DECODER_CACHE_H

#include "runtime/decode/decoder.h"

enum { VLM_FREE_SETS = 4, VLM_CACHE_UNIT = 64, VLM_USUAL_TOKENS = 64 };

/* Who keeps an entry, and how. */
typedef enum vlm_slot_kind {
  VLM_SLOT_CROSS, /* written by the first graph only, the same for all rows */
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
  bool broadcasts; /* CROSS: one row serves all */
} vlm_cache_slot;

/* Rows of one kind, one behind the other. */
typedef struct vlm_cache_entry {
  void *data;
  size_t bytes, row_bytes; /* taken; of one row */
  vlm_tensor tensor;       /* of one row */
  int32_t copies;          /* CROSS: rows that hold what the first graph gave */
} vlm_cache_entry;

struct vlm_cache {
  vlm_cache_entry *entries; /* self entries are filled, cross entries live in the pool */
  int64_t length, capacity;
  int32_t n_rows;
  int32_t places[VLM_MAX_BEAMS]; /* of each row, in every entry: the first n_rows ones are taken */
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
/* Room for one more token in every in-place buffer. */
vlm_status vlm_pool_make_room(vlm_cache_pool *pool, vlm_cache *set, vlm_error *err);
/* Row i of the set continues what row parents[i] was. The first row that continues one takes its place, others get copies in places that nobody
 * continues, so that most steps copy nothing. */
vlm_status vlm_pool_continue(vlm_cache_pool *pool, vlm_cache *set, const vlm_search_row *rows, int32_t n_rows,
                             vlm_error *err);
/* A tensor as the only row of an entry: the start of an in-place buffer of `capacity` tokens with room for `rows`, or a copy. */
vlm_status vlm_cache_start(vlm_cache_entry *entry, vlm_slot_kind kind, const vlm_tensor *t, int64_t capacity,
                           int32_t rows, vlm_error *err);
/* `rows` rows of t, which a step gave, to the places from `place` on, of `in_all` that get the new size: those behind come before those in front,
 * because longer rows lie over what was behind them. When all are there, vlm_cache_stored says so. */
vlm_status vlm_cache_store(vlm_cache_entry *entry, const vlm_tensor *t, int32_t place, int32_t rows,
                           int32_t in_all, vlm_error *err);
void vlm_cache_stored(vlm_cache_entry *entry, const vlm_tensor *t, int32_t rows);
/* So many copies of a cross entry's row. */
vlm_status vlm_cache_repeat(vlm_cache_entry *entry, int32_t rows, vlm_error *err);
/* The rows in the places from `place` on. */
vlm_tensor vlm_cache_rows(const vlm_cache_entry *entry, int32_t place, int32_t rows);

#endif
