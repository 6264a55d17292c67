#include <stdio.h>

#include "runtime/base/hash.h"
#include "runtime/text/tok.h"

/* Ids above FREE_ID stay below this many times the number of tokens: the table by id has an entry for each. */
enum { FREE_ID = 1 << 20, MOST_GAP = 16 };

/* Open addressing over slots of entry number + 1; entries in the order they came. */
typedef struct vocab_entry {
  vlm_slice text;
  int32_t id;
} vocab_entry;

struct vlm_tok_vocab {
  vlm_arena *arena;
  vocab_entry *entries;
  size_t count, room;
  uint32_t *slots;
  size_t n_slots;  /* a power of two, at least twice the entries */
  uint32_t *by_id; /* entry number + 1 of an id */
  size_t limit, id_room;
};

static vlm_status make_slots(vlm_tok_vocab *v, size_t expected, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  size_t n = 64;
  while (n < expected * 2) n *= 2;
  VLM_TRY(vlm_arena_alloc(v->arena, &memory, n, sizeof *v->slots, err));
  v->slots = memory;
  v->n_slots = n;
out:
  return st;
}

vlm_status vlm_tok_vocab_create(vlm_tok_vocab **out, vlm_arena *arena, size_t expected, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory;
  VLM_TRY(vlm_arena_alloc(arena, &memory, 1, sizeof **out, err));
  *out = memory;
  (*out)->arena = arena;
  VLM_TRY(make_slots(*out, expected, err));
out:
  return st;
}

/* The slot that holds the text, or the empty one where it belongs. */
static uint32_t *slot_of(const vlm_tok_vocab *v, vlm_slice text) {
  size_t at = (size_t)vlm_xxh64(text.data, text.bytes);
  for (;; at++) {
    uint32_t *slot = &v->slots[at & (v->n_slots - 1)];
    if (*slot == 0 || vlm_slice_equal(v->entries[*slot - 1].text, text)) return slot;
  }
}

static vlm_status rehash(vlm_tok_vocab *v, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(make_slots(v, v->count * 2, err));
  for (size_t i = 0; i < v->count; i++) *slot_of(v, v->entries[i].text) = (uint32_t)i + 1;
out:
  return st;
}

static vlm_status set_id(vlm_tok_vocab *v, size_t number, int32_t id, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory = v->by_id;
  VLM_TRY(vlm_tok_grow(v->arena, &memory, v->limit, &v->id_room, (size_t)id + 1, sizeof *v->by_id, err));
  v->by_id = memory;
  v->by_id[id] = (uint32_t)number + 1;
  if ((size_t)id >= v->limit) v->limit = (size_t)id + 1;
  v->entries[number].id = id;
out:
  return st;
}

vlm_status vlm_tok_vocab_add(vlm_tok_vocab *v, vlm_slice text, int64_t id, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory = v->entries;
  VLM_CHECK(id >= 0 && id <= VLM_TOK_MAX_ID, err, VLM_LIMIT, "token \"%.*s\" has id %lld, wanted 0 to %d",
            (int)(text.bytes < 64 ? text.bytes : 64), text.data, (long long)id, VLM_TOK_MAX_ID);
  if ((v->count + 1) * 2 > v->n_slots) VLM_TRY(rehash(v, err));
  uint32_t *slot = slot_of(v, text);
  if (*slot == 0) {
    VLM_TRY(vlm_tok_grow(v->arena, &memory, v->count, &v->room, v->count + 1, sizeof *v->entries, err));
    v->entries = memory;
    VLM_TRY(vlm_slice_copy(v->arena, &v->entries[v->count].text, text, err));
    *slot = (uint32_t)++v->count;
  }
  VLM_TRY(set_id(v, *slot - 1, (int32_t)id, err));
out:
  return st;
}

int32_t vlm_tok_vocab_find(const vlm_tok_vocab *v, vlm_slice text) {
  const uint32_t slot = *slot_of(v, text);
  return slot ? v->entries[slot - 1].id : -1;
}

vlm_slice vlm_tok_vocab_text(const vlm_tok_vocab *v, int32_t id) {
  if (id < 0 || (size_t)id >= v->limit || v->by_id[id] == 0) return (vlm_slice){NULL, 0};
  return v->entries[v->by_id[id] - 1].text;
}

size_t vlm_tok_vocab_count(const vlm_tok_vocab *v) { return v->count; }
int32_t vlm_tok_vocab_limit(const vlm_tok_vocab *v) { return (int32_t)v->limit; }

vlm_status vlm_tok_vocab_read(vlm_tok_vocab **out, vlm_arena *arena, vlm_json object, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_iter it = {0};
  VLM_TRY(vlm_tok_vocab_create(out, arena, vlm_json_size(object), err));
  while (vlm_json_next(object, &it)) {
    int64_t id = 0;
    VLM_TRY(vlm_json_as_int(&id, it.value, err));
    VLM_CHECK(id <= FREE_ID || (size_t)id / MOST_GAP <= vlm_json_size(object), err, VLM_LIMIT,
              "token \"%.64s\" has id %lld in a vocabulary of %zu", it.key, (long long)id,
              vlm_json_size(object));
    VLM_TRY(vlm_tok_vocab_add(*out, vlm_slice_of(it.key), id, err));
  }
out:
  return st;
}

void vlm_tok_byte_ids(const vlm_tok_vocab *vocab, int32_t ids[256]) {
  for (int byte = 0; byte < 256; byte++) {
    char text[8];
    const int bytes = snprintf(text, sizeof text, "<0x%02X>", byte);
    ids[byte] = vlm_tok_vocab_find(vocab, (vlm_slice){text, (size_t)bytes});
  }
}
