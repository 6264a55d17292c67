#define _DEFAULT_SOURCE /* madvise */
#include "runtime/base/memory.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

bool vlm_size_mul(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
bool vlm_size_add(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }

/* The one piece of global state: a test hook, off (0) unless a test sets it. */
static atomic_long fail_after;

void vlm_memory_fail_after(long n) { atomic_store(&fail_after, n); }

bool vlm_memory_fails(void) {
  if (atomic_load_explicit(&fail_after, memory_order_relaxed) == 0) return false;
  return atomic_fetch_sub(&fail_after, 1) == 1;
}

enum { HUGE_PAGE = 2 << 20 };

static void *aligned_block(size_t bytes) {
  size_t padded;
  size_t align = bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : VLM_ALIGN;
  if (!vlm_size_add(bytes, align, &padded) || vlm_memory_fails()) return NULL;
  void *data = aligned_alloc(align, bytes ? padded / align * align : VLM_ALIGN);
  /* Large blocks are activations and weights: huge pages make the first touch many times cheaper. */
  if (data && align == HUGE_PAGE) madvise(data, bytes, MADV_HUGEPAGE);
  return data;
}

vlm_status vlm_alloc(void **out, size_t count, size_t size, vlm_error *err) {
  size_t bytes;
  *out = NULL;
  if (!vlm_size_mul(count, size, &bytes))
    return vlm_fail(err, VLM_LIMIT, "%zu elements of %zu bytes exceed the address space", count, size);
  void *data = aligned_block(bytes);
  if (!data) return vlm_fail(err, VLM_MEMORY, "out of memory: %zu bytes wanted", bytes);
  memset(data, 0, bytes);
  *out = data;
  return VLM_OK;
}

vlm_status vlm_grow(void **data, size_t old_count, size_t new_count, size_t size, vlm_error *err) {
  void *bigger;
  vlm_status st = vlm_alloc(&bigger, new_count, size, err);
  if (st != VLM_OK) return st;
  size_t kept = old_count < new_count ? old_count : new_count;
  if (*data && kept) memcpy(bigger, *data, kept * size);
  vlm_free(*data);
  *data = bigger;
  return VLM_OK;
}

void vlm_free(void *data) { free(data); }

vlm_status vlm_strdup(char **out, const char *text, vlm_error *err) {
  size_t bytes = strlen(text) + 1;
  vlm_status st = vlm_new(out, bytes, err);
  if (st == VLM_OK) memcpy(*out, text, bytes);
  return st;
}

/* ---- arena ---- */

typedef struct chunk {
  struct chunk *next;
  size_t capacity, used;
  unsigned char *data;
} chunk;

struct vlm_arena {
  chunk *chunks;     /* newest first */
  size_t used, most; /* most 0 = no limit */
};

/* Chunks double up to a size of which the unused rest does no harm: they are zeroed, which takes their pages. */
enum { FIRST_CHUNK = 64 << 10, LARGEST_CHUNK = 1 << 20 };

/* Under the address sanitizer each piece is a block of its own, so that a step beyond it shows. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { APART = 1 };
#else
enum { APART = 0 };
#endif

vlm_status vlm_arena_create(vlm_arena **out, vlm_error *err) { return vlm_new(out, 1, err); }

void vlm_arena_limit(vlm_arena *arena, size_t most) { arena->most = most; }

void vlm_arena_free(vlm_arena *arena) {
  if (!arena) return;
  for (chunk *c = arena->chunks, *next; c; c = next) {
    next = c->next;
    vlm_free(c->data);
    vlm_free(c);
  }
  vlm_free(arena);
}

static vlm_status add_chunk(vlm_arena *arena, size_t bytes, vlm_error *err) {
  size_t capacity = arena->chunks ? arena->chunks->capacity * 2 : FIRST_CHUNK;
  if (capacity > LARGEST_CHUNK) capacity = LARGEST_CHUNK;
  if (capacity < bytes || APART) capacity = bytes;
  chunk *c;
  vlm_status st = vlm_new(&c, 1, err);
  if (st != VLM_OK) return st;
  st = vlm_new(&c->data, capacity, err);
  if (st != VLM_OK) {
    vlm_free(c);
    return st;
  }
  c->capacity = capacity;
  c->next = arena->chunks;
  arena->chunks = c;
  return VLM_OK;
}

vlm_status vlm_arena_alloc(vlm_arena *arena, void **out, size_t count, size_t size, vlm_error *err) {
  size_t bytes;
  *out = NULL;
  if (!vlm_size_mul(count, size, &bytes) || bytes > SIZE_MAX / 2)
    return vlm_fail(err, VLM_LIMIT, "%zu elements of %zu bytes exceed the address space", count, size);
  if (arena->most && (bytes > arena->most || arena->used > arena->most - bytes))
    return vlm_fail(err, VLM_LIMIT, "more than %zu MiB of working memory are needed", arena->most >> 20);
  size_t align = bytes >= VLM_ALIGN ? VLM_ALIGN : 16;
  chunk *c = arena->chunks;
  size_t at = c ? (c->used + align - 1) & ~(align - 1) : 0;
  if (APART || !c || at > c->capacity || bytes > c->capacity - at) {
    vlm_status st = add_chunk(arena, bytes ? bytes : 1, err);
    if (st != VLM_OK) return st;
    c = arena->chunks;
    at = 0;
  }
  c->used = at + bytes;
  arena->used += bytes;
  *out = c->data + at;
  return VLM_OK;
}

vlm_status vlm_arena_strdup(vlm_arena *arena, const char **out, const char *text, vlm_error *err) {
  size_t bytes = strlen(text) + 1;
  void *copy;
  vlm_status st = vlm_arena_alloc(arena, &copy, bytes, 1, err);
  if (st == VLM_OK) *out = memcpy(copy, text, bytes);
  return st;
}

vlm_status vlm_arena_format(vlm_arena *arena, const char **out, vlm_error *err, const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return vlm_arena_strdup(arena, out, text, err);
}

size_t vlm_arena_used(const vlm_arena *arena) { return arena->used; }
