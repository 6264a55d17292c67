#include "runtime/decode/decoder_cache.h"

#include <assert.h>
#include <string.h>

/* ---- cache sets ---- */

static void free_entries(vlm_cache_entry *entries, int32_t n) {
  for (int32_t i = 0; entries && i < n; i++) vlm_free(entries[i].data);
  vlm_free(entries);
}

void vlm_pool_free(vlm_cache_pool *p) {
  for (int32_t i = 0; i < p->n_free; i++) {
    free_entries(p->free_sets[i]->entries, p->n_slots);
    vlm_free(p->free_sets[i]);
  }
  free_entries(p->cross, p->n_slots);
  vlm_free(p->slots);
}

vlm_status vlm_pool_take(vlm_cache_pool *p, vlm_cache **out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cache *set = NULL;
  if (p->n_free) {
    set = p->free_sets[--p->n_free];
  } else {
    VLM_TRY(vlm_new(&set, 1, err));
    VLM_TRY(vlm_new(&set->entries, p->n_slots, err));
  }
  set->length = 0;
out:
  if (st != VLM_OK) vlm_free(set);
  *out = st == VLM_OK ? set : NULL;
  return st;
}

void vlm_pool_release(vlm_cache_pool *p, vlm_cache *cache) {
  if (!cache) return;
  for (int32_t i = 0; i < p->n_free; i++) assert(p->free_sets[i] != cache);
  if (p->n_free < VLM_FREE_SETS) {
    p->free_sets[p->n_free++] = cache;
    return;
  }
  free_entries(cache->entries, p->n_slots);
  vlm_free(cache);
}

static vlm_status reserve_entry(vlm_cache_entry *e, size_t bytes, vlm_error *err) {
  if (e->data && bytes <= e->capacity) return VLM_OK;
  vlm_free(e->data);
  e->data = NULL;
  e->capacity = 0;
  vlm_status st = vlm_alloc(&e->data, bytes, 1, err);
  if (st == VLM_OK) e->capacity = bytes;
  return st;
}

/* ---- buffers of the cache contract ---- */

static size_t buffer_floats(const vlm_tensor *t, int64_t capacity) {
  return (size_t)(t->dims[0] * t->dims[1] * t->dims[3] * capacity) + VLM_CACHE_UNIT;
}

/* Rows of t ([B, heads, rows, size]) to the front of a buffer. */
static void fill_buffer(float *to, int64_t capacity, vlm_slot_kind kind, const vlm_tensor *t,
                        const float *from) {
  int64_t heads = t->dims[0] * t->dims[1], rows = t->dims[2], size = t->dims[3];
  for (int64_t h = 0; h < heads; h++)
    for (int64_t i = 0; i < rows; i++)
      for (int64_t k = 0; k < size; k++) {
        float value = from[(h * rows + i) * size + k];
        if (kind == VLM_SLOT_KEY) to[(h * size + k) * capacity + i] = value;
        else to[(h * capacity + i) * size + k] = value;
      }
}

vlm_status vlm_cache_start(vlm_cache_entry *e, vlm_slot_kind kind, const vlm_tensor *t, int64_t capacity,
                           vlm_error *err) {
  assert(vlm_slot_in_place(kind) && t->rank == 4 && t->dtype == VLM_F32 && t->dims[2] <= capacity);
  vlm_status st = reserve_entry(e, buffer_floats(t, capacity) * sizeof(float), err);
  if (st != VLM_OK) return st;
  e->tensor = *t;
  e->tensor.data = e->data;
  fill_buffer(e->data, capacity, kind, t, t->data);
  return VLM_OK;
}

/* The same rows with another capacity. */
static vlm_status widen_buffer(vlm_cache_entry *e, vlm_slot_kind kind, int64_t capacity, int64_t wider,
                               vlm_error *err) {
  assert(wider > capacity && e->tensor.dims[2] <= capacity);
  const vlm_tensor t = e->tensor;
  int64_t heads = t.dims[0] * t.dims[1], rows = t.dims[2], size = t.dims[3];
  float *to;
  const float *from = e->data;
  const size_t floats = buffer_floats(&t, wider);
  vlm_status st = vlm_new(&to, floats, err);
  if (st != VLM_OK) return st;
  for (int64_t h = 0; h < heads; h++)
    for (int64_t i = 0; i < rows; i++)
      for (int64_t k = 0; k < size; k++) {
        if (kind == VLM_SLOT_KEY) to[(h * size + k) * wider + i] = from[(h * size + k) * capacity + i];
        else to[(h * wider + i) * size + k] = from[(h * capacity + i) * size + k];
      }
  vlm_free(e->data);
  e->data = e->tensor.data = to;
  e->capacity = floats * sizeof(float);
  return VLM_OK;
}

/* Room for one more row in every buffer. Answers stay within max_length, so this grows only when a caller goes beyond it. */
vlm_status vlm_pool_make_room(vlm_cache_pool *p, vlm_cache *set, vlm_error *err) {
  assert(set->capacity > 0 && set->length <= set->capacity);
  if (set->length < set->capacity) return VLM_OK;
  for (int32_t s = 0; s < p->n_slots; s++) {
    if (!vlm_slot_in_place(p->slots[s].kind)) continue;
    vlm_status st = widen_buffer(&set->entries[s], p->slots[s].kind, set->capacity, 2 * set->capacity, err);
    if (st != VLM_OK) return st;
  }
  set->capacity *= 2;
  return VLM_OK;
}

vlm_status vlm_pool_copy(vlm_cache_pool *p, vlm_cache **out, const vlm_cache *from, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_cache *set = NULL;
  VLM_TRY(vlm_pool_take(p, &set, err));
  for (int32_t s = 0; s < p->n_slots; s++) {
    const vlm_cache_entry *e = &from->entries[s];
    if (!vlm_slot_in_place(p->slots[s].kind)) continue;
    size_t bytes = buffer_floats(&e->tensor, from->capacity) * sizeof(float);
    VLM_TRY(reserve_entry(&set->entries[s], bytes, err));
    memcpy(set->entries[s].data, e->data, bytes);
    set->entries[s].tensor = e->tensor;
    set->entries[s].tensor.data = set->entries[s].data;
  }
  set->length = from->length;
  set->capacity = from->capacity;
out:
  if (st != VLM_OK) {
    vlm_pool_release(p, set);
    set = NULL;
  }
  *out = set;
  return st;
}

/* Capacity grows by half, so that a loop which appends one row at a time seldom allocates. A graph may hand a part of its own input on, so the old
 * block lives until the copy is made. */
vlm_status vlm_cache_store(vlm_cache_entry *e, const vlm_tensor *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t bytes = vlm_tensor_bytes(t), wanted = bytes + bytes / 2 + 4096;
  void *data = e->data;
  if (bytes > e->capacity || !e->data) VLM_TRY(vlm_alloc(&data, wanted, 1, err));
  memmove(data, t->data, bytes);
  if (data != e->data) {
    vlm_free(e->data);
    e->capacity = wanted;
  }
  e->data = data;
  e->tensor = *t;
  e->tensor.data = data;
out:
  return st;
}
