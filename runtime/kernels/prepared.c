#include "runtime/kernels/prepared.h"

#include <pthread.h>
#include <string.h>

#include "runtime/base/hash.h"
#include "runtime/base/memory.h"

enum { SAMPLES = 32, SAMPLE_BYTES = 16, FIRST_SLOTS = 64 };

typedef struct entry {
  vlm_prepared_key key;
  uint64_t fingerprint;
  void *block;
  struct entry *stale; /* what this address held before: another session may still read it */
} entry;

struct vlm_prepared {
  pthread_mutex_t lock;
  entry **slots; /* open addressing; cap is a power of two */
  size_t cap, count;
};

vlm_status vlm_prepared_create(vlm_prepared **out, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_prepared *cache = NULL;
  VLM_TRY(vlm_alloc((void **)&cache, 1, sizeof *cache, err));
  pthread_mutex_init(&cache->lock, NULL);
out:
  *out = cache;
  return st;
}

static void entry_free(entry *e) {
  while (e) {
    entry *next = e->stale;
    vlm_free(e->block);
    vlm_free(e);
    e = next;
  }
}

void vlm_prepared_clear(vlm_prepared *cache) {
  if (!cache) return;
  for (size_t i = 0; i < cache->cap; i++) entry_free(cache->slots[i]);
  vlm_free(cache->slots);
  cache->slots = NULL;
  cache->cap = cache->count = 0;
}

void vlm_prepared_free(vlm_prepared *cache) {
  if (!cache) return;
  vlm_prepared_clear(cache);
  pthread_mutex_destroy(&cache->lock);
  vlm_free(cache);
}

int64_t vlm_prepared_count(vlm_prepared *cache) {
  pthread_mutex_lock(&cache->lock);
  int64_t count = (int64_t)cache->count;
  pthread_mutex_unlock(&cache->lock);
  return count;
}

static bool same_key(const vlm_prepared_key *a, const vlm_prepared_key *b) {
  return a->data == b->data && a->bytes == b->bytes && a->kind == b->kind && memcmp(a->shape, b->shape, sizeof a->shape) == 0;
}

/* Index of the key's slot, or of the free slot where it belongs. */
static size_t find_slot(entry *const *slots, size_t cap, const vlm_prepared_key *key) {
  uint64_t mix = ((uint64_t)(uintptr_t)key->data >> 4) * 0x9e3779b97f4a7c15u + (uint64_t)key->kind * 0x632be59bd9b4e019u +
                 (uint64_t)key->shape[0];
  size_t i = (size_t)(mix >> 20) & (cap - 1);
  while (slots[i] && !same_key(&slots[i]->key, key)) i = (i + 1) & (cap - 1);
  return i;
}

static vlm_status make_room(vlm_prepared *cache, vlm_error *err) {
  vlm_status st = VLM_OK;
  entry **slots = NULL;
  size_t cap = cache->cap ? cache->cap * 2 : FIRST_SLOTS;
  if (cache->count * 2 < cache->cap) return st;
  VLM_TRY(vlm_alloc((void **)&slots, cap, sizeof *slots, err));
  for (size_t i = 0; i < cache->cap; i++)
    if (cache->slots[i]) slots[find_slot(slots, cap, &cache->slots[i]->key)] = cache->slots[i];
  vlm_free(cache->slots);
  cache->slots = slots;
  cache->cap = cap;
out:
  return st;
}

static uint64_t fingerprint_of(const vlm_prepared_key *key) {
  unsigned char sample[SAMPLES * SAMPLE_BYTES];
  if (key->bytes <= sizeof sample) return vlm_hash64(key->data, key->bytes);
  size_t step = (key->bytes - SAMPLE_BYTES) / (SAMPLES - 1);
  for (size_t i = 0; i < SAMPLES; i++) memcpy(sample + i * SAMPLE_BYTES, (const unsigned char *)key->data + i * step, SAMPLE_BYTES);
  return vlm_hash64(sample, sizeof sample);
}

static vlm_status make_entry(vlm_prepared *cache, size_t slot, const vlm_prepared_key *key, uint64_t fingerprint, vlm_prepared_make *make,
                             void *user, vlm_error *err) {
  vlm_status st = VLM_OK;
  entry *e = NULL;
  VLM_TRY(vlm_alloc((void **)&e, 1, sizeof *e, err));
  e->key = *key;
  e->fingerprint = fingerprint;
  VLM_TRY(make(&e->block, user, err));
  e->stale = cache->slots[slot];
  if (!cache->slots[slot]) cache->count++;
  cache->slots[slot] = e;
  e = NULL;
out:
  vlm_free(e);
  return st;
}

vlm_status vlm_prepared_get(vlm_prepared *cache, const vlm_prepared_key *key, vlm_prepared_make *make, void *user, const void **out,
                            vlm_error *err) {
  vlm_status st = VLM_OK;
  uint64_t fingerprint = fingerprint_of(key);
  pthread_mutex_lock(&cache->lock);
  VLM_TRY(make_room(cache, err));
  size_t slot = find_slot(cache->slots, cache->cap, key);
  if (!cache->slots[slot] || cache->slots[slot]->fingerprint != fingerprint)
    VLM_TRY(make_entry(cache, slot, key, fingerprint, make, user, err));
  *out = cache->slots[slot]->block;
out:
  pthread_mutex_unlock(&cache->lock);
  return st;
}
