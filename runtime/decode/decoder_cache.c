#include "runtime/decode/decoder_cache.h"

#include <assert.h>
#include <string.h>

/* ---- sets ---- */

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
  set->n_rows = 1;
  set->places[0] = 0;
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

/* ---- rows of an entry ---- */

/* Kernels read whole tiles, over the end of the last row. */
static bool rows_bytes(const vlm_cache_entry *e, int64_t rows, size_t *bytes) {
  return vlm_size_mul((size_t)rows, e->row_bytes, bytes) &&
         vlm_size_add(*bytes, VLM_CACHE_UNIT * sizeof(float), bytes);
}

/* Room for `bytes`, of which the first `kept` stay. */
static vlm_status reserve(vlm_cache_entry *e, size_t kept, size_t bytes, vlm_error *err) {
  if (e->data && bytes <= e->bytes) return VLM_OK;
  vlm_status st = vlm_grow(&e->data, kept, bytes, 1, err);
  if (st == VLM_OK) e->bytes = bytes;
  return st;
}

static vlm_status reserve_rows(vlm_cache_entry *e, int32_t kept, int32_t rows, vlm_error *err) {
  size_t bytes;
  if (!rows_bytes(e, rows, &bytes))
    return vlm_fail(err, VLM_LIMIT, "%d rows of a cache of %zu bytes", rows, e->row_bytes);
  return reserve(e, (size_t)kept * e->row_bytes, bytes, err);
}

static char *row_at(const vlm_cache_entry *e, int64_t place) {
  return (char *)e->data + (size_t)place * e->row_bytes;
}

vlm_tensor vlm_cache_rows(const vlm_cache_entry *e, int32_t place, int32_t rows) {
  vlm_tensor t = e->tensor;
  if (t.rank > 0) t.dims[0] *= rows;
  t.data = row_at(e, place);
  return t;
}

/* Lines of a row in an in-place buffer: keys have one per element, values one per head; the tokens come first in each. */
typedef struct lines {
  int64_t count, stride, used;
} lines;

static lines lines_of(const vlm_tensor *t, vlm_slot_kind kind, int64_t capacity) {
  const int64_t heads = t->dims[0] * t->dims[1], size = t->dims[3], tokens = t->dims[2];
  return kind == VLM_SLOT_KEY ? (lines){heads * size, capacity, tokens}
                              : (lines){heads, capacity * size, tokens * size};
}

static void copy_lines(float *to, const float *from, const lines *l) {
  for (int64_t i = 0; i < l->count; i++)
    memcpy(to + i * l->stride, from + i * l->stride, (size_t)l->used * sizeof *to);
}

/* ---- starts ---- */

/* Tokens of t ([B, heads, tokens, size]) to the front of a buffer. */
static void fill_buffer(float *to, int64_t capacity, vlm_slot_kind kind, const vlm_tensor *t) {
  const int64_t heads = t->dims[0] * t->dims[1], tokens = t->dims[2], size = t->dims[3];
  const float *from = t->data;
  for (int64_t h = 0; h < heads; h++)
    for (int64_t i = 0; i < tokens; i++)
      for (int64_t k = 0; k < size; k++) {
        float value = from[(h * tokens + i) * size + k];
        if (kind == VLM_SLOT_KEY) to[(h * size + k) * capacity + i] = value;
        else to[(h * capacity + i) * size + k] = value;
      }
}

vlm_status vlm_cache_start(vlm_cache_entry *e, vlm_slot_kind kind, const vlm_tensor *t, int64_t capacity,
                           int32_t rows, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor whole = *t;
  if (vlm_slot_in_place(kind)) {
    assert(t->rank == 4 && t->dtype == VLM_F32 && t->dims[2] <= capacity);
    whole.dims[2] = capacity;
  }
  VLM_TRY(vlm_tensor_bytes_checked(&e->row_bytes, &whole, err));
  VLM_TRY(reserve_rows(e, 0, rows, err));
  if (vlm_slot_in_place(kind)) fill_buffer(e->data, capacity, kind, t);
  else memcpy(e->data, t->data, e->row_bytes);
  e->tensor = *t;
  e->copies = 1;
out:
  return st;
}

vlm_status vlm_cache_repeat(vlm_cache_entry *e, int32_t rows, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (rows <= e->copies) return VLM_OK;
  VLM_TRY(reserve_rows(e, e->copies, rows, err));
  for (; e->copies < rows; e->copies++) memcpy(row_at(e, e->copies), e->data, e->row_bytes);
out:
  return st;
}

/* ---- steps ---- */

/* Capacity grows by half, so that a loop which appends one token at a time seldom allocates. A graph may hand a part of its own input on, so bytes are
 * moved before a block goes. */
vlm_status vlm_cache_store(vlm_cache_entry *e, const vlm_tensor *t, int32_t place, int32_t rows,
                           int32_t in_all, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *data = e->data;
  const size_t given = vlm_tensor_bytes(t), row_bytes = given / (size_t)rows,
               wanted = row_bytes * (size_t)in_all;
  VLM_CHECK(in_all == 1 || row_bytes >= e->row_bytes, err, VLM_UNSUPPORTED,
            "a row of the cache has %zu bytes after a step and %zu before", row_bytes, e->row_bytes);
  if (wanted > e->bytes || !data) {
    VLM_TRY(vlm_alloc(&data, wanted + wanted / 2 + 4096, 1, err));
    if (e->data) memcpy(data, e->data, (size_t)in_all * e->row_bytes);
    e->bytes = wanted + wanted / 2 + 4096;
  }
  memmove((char *)data + (size_t)place * row_bytes, t->data, given);
  if (data != e->data) vlm_free(e->data);
  e->data = data;
out:
  return st;
}

void vlm_cache_stored(vlm_cache_entry *e, const vlm_tensor *t, int32_t rows) {
  e->tensor = *t;
  if (t->rank > 0) e->tensor.dims[0] /= rows;
  e->row_bytes = vlm_tensor_bytes(t) / (size_t)rows;
}

/* The same tokens with twice the capacity. Lines come from the last to the first: each goes further back than it was. */
static vlm_status widen_buffer(vlm_cache_entry *e, vlm_slot_kind kind, int64_t capacity, int32_t rows,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  const lines l = lines_of(&e->tensor, kind, capacity);
  VLM_TRY(reserve_rows(e, rows, 2 * rows, err));
  float *data = e->data;
  for (int64_t i = rows * l.count - 1; i >= 0; i--)
    memmove(data + 2 * i * l.stride, data + i * l.stride, (size_t)l.used * sizeof *data);
  e->row_bytes *= 2;
out:
  return st;
}

vlm_status vlm_pool_make_room(vlm_cache_pool *p, vlm_cache *set, vlm_error *err) {
  vlm_status st = VLM_OK;
  assert(set->capacity > 0 && set->length <= set->capacity);
  if (set->length < set->capacity) return VLM_OK;
  for (int32_t s = 0; s < p->n_slots; s++)
    if (vlm_slot_in_place(p->slots[s].kind))
      VLM_TRY(widen_buffer(&set->entries[s], p->slots[s].kind, set->capacity, set->n_rows, err));
  set->capacity *= 2;
out:
  return st;
}

/* ---- rows that continue others ---- */

static void copy_row(vlm_cache_entry *e, vlm_slot_kind kind, int64_t capacity, int32_t to, int32_t from) {
  const lines l = lines_of(&e->tensor, kind, capacity);
  if (!vlm_slot_in_place(kind)) memcpy(row_at(e, to), row_at(e, from), e->row_bytes);
  else copy_lines((float *)(void *)row_at(e, to), (const float *)(void *)row_at(e, from), &l);
}

static vlm_status copy_place(vlm_cache_pool *p, vlm_cache *set, int32_t to, int32_t from, int32_t rows,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t s = 0; s < p->n_slots; s++) {
    if (p->slots[s].kind == VLM_SLOT_CROSS) continue;
    VLM_TRY(reserve_rows(&set->entries[s], set->n_rows > to ? set->n_rows : to, rows, err));
    copy_row(&set->entries[s], p->slots[s].kind, set->capacity, to, from);
  }
out:
  return st;
}

vlm_status vlm_pool_continue(vlm_cache_pool *p, vlm_cache *set, const vlm_search_row *rows, int32_t n_rows,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t places[VLM_MAX_BEAMS], unused = 0;
  bool taken[VLM_MAX_BEAMS] = {false};
  assert(n_rows >= 1 && n_rows <= VLM_MAX_BEAMS);
  for (int32_t r = 0; r < n_rows; r++) {
    assert(rows[r].parent >= 0 && rows[r].parent < set->n_rows);
    const int32_t place = set->places[rows[r].parent];
    places[r] = place < n_rows && !taken[place] ? place : -1;
    if (places[r] >= 0) taken[place] = true;
  }
  for (int32_t r = 0; r < n_rows; r++) {
    if (places[r] >= 0) continue;
    while (taken[unused]) unused++;
    places[r] = unused;
    taken[unused] = true;
    VLM_TRY(copy_place(p, set, unused, set->places[rows[r].parent], n_rows, err));
  }
  memcpy(set->places, places, sizeof places);
  set->n_rows = n_rows;
out:
  return st;
}
