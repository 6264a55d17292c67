#include "runtime/base/lazy.h"

#include <assert.h>

#include "runtime/base/memory.h"
#include "runtime/base/pages.h"
#include "runtime/base/threads.h"

typedef struct {
  size_t offset, bytes; /* whole pages */
  int64_t users;
} block;

struct vlm_lazy {
  char *pages;
  size_t n_pages_bytes, filled;
  block *blocks; /* by offset */
  int32_t count;
  vlm_lazy_fill *fill;
  void *user;
  vlm_lock *lock;
};

vlm_status vlm_lazy_create(vlm_lazy **out, const size_t *bytes, int32_t count, vlm_lazy_fill *fill,
                           void *user, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lazy *lazy = NULL;
  void *pages;
  const size_t page = vlm_page_bytes();
  VLM_TRY(vlm_new(&lazy, 1, err));
  lazy->fill = fill;
  lazy->user = user;
  VLM_TRY(vlm_lock_create(&lazy->lock, err));
  VLM_TRY(vlm_new(&lazy->blocks, count, err));
  for (int32_t i = 0; i < count; i++) {
    lazy->blocks[i] = (block){.offset = lazy->n_pages_bytes,
                              .bytes = bytes[i] / page * page + (bytes[i] % page ? page : 0)};
    VLM_CHECK(vlm_size_add(lazy->n_pages_bytes, lazy->blocks[i].bytes, &lazy->n_pages_bytes), err, VLM_LIMIT,
              "blocks exceed the address space");
  }
  VLM_TRY(vlm_pages_reserve(&pages, lazy->n_pages_bytes, err));
  lazy->pages = pages;
  lazy->count = count;
out:
  if (st != VLM_OK) {
    vlm_lazy_free(lazy);
    lazy = NULL;
  }
  *out = lazy;
  return st;
}

void vlm_lazy_free(vlm_lazy *lazy) {
  if (!lazy) return;
  if (lazy->pages) vlm_pages_free(lazy->pages, lazy->n_pages_bytes);
  vlm_free(lazy->blocks);
  vlm_lock_free(lazy->lock);
  vlm_free(lazy);
}

void *vlm_lazy_block(const vlm_lazy *lazy, int32_t i) { return lazy->pages + lazy->blocks[i].offset; }

static block *find(const vlm_lazy *lazy, const void *data) {
  const uintptr_t at = (uintptr_t)data, begin = lazy ? (uintptr_t)lazy->pages : 0;
  if (!lazy || at < begin || at - begin >= lazy->n_pages_bytes) return NULL;
  int32_t low = 0, high = lazy->count;
  while (high - low > 1) {
    const int32_t middle = low + (high - low) / 2;
    if (lazy->blocks[middle].offset <= at - begin) low = middle;
    else high = middle;
  }
  return &lazy->blocks[low];
}

bool vlm_lazy_holds(const vlm_lazy *lazy, const void *data) { return find(lazy, data) != NULL; }

static vlm_status fill_block(vlm_lazy *lazy, block *b, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *data = lazy->pages + b->offset;
  VLM_TRY(vlm_pages_open(data, b->bytes, err));
  st = lazy->fill(lazy->user, (int32_t)(b - lazy->blocks), data, err);
  if (st != VLM_OK) vlm_pages_close(data, b->bytes);
  else lazy->filled += b->bytes;
out:
  return st;
}

vlm_status vlm_lazy_take(vlm_lazy *lazy, const void *data, vlm_error *err) {
  vlm_status st = VLM_OK;
  block *b = find(lazy, data);
  if (!b) return VLM_OK;
  vlm_lock_take(lazy->lock);
  if (b->users == 0) st = fill_block(lazy, b, err);
  if (st == VLM_OK) b->users++;
  vlm_lock_give(lazy->lock);
  return st;
}

void vlm_lazy_give(vlm_lazy *lazy, const void *data) {
  block *b = find(lazy, data);
  if (!b) return;
  vlm_lock_take(lazy->lock);
  assert(b->users > 0); /* every give has its take */
  if (--b->users == 0) {
    vlm_pages_close(lazy->pages + b->offset, b->bytes);
    lazy->filled -= b->bytes;
  }
  vlm_lock_give(lazy->lock);
}

size_t vlm_lazy_filled(vlm_lazy *lazy) {
  if (!lazy) return 0;
  vlm_lock_take(lazy->lock);
  const size_t filled = lazy->filled;
  vlm_lock_give(lazy->lock);
  return filled;
}
