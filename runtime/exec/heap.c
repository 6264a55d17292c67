#include "runtime/exec/heap.h"

#include <assert.h>

#include "runtime/base/memory.h"

static vlm_heap_block *best_fit(vlm_heap *heap, size_t bytes) {
  vlm_heap_block *best = NULL;
  for (int32_t i = 0; i < heap->count; i++) {
    vlm_heap_block *b = &heap->blocks[i];
    if (!b->used && b->bytes >= bytes && (!best || b->bytes < best->bytes)) best = b;
  }
  /* A far too large block is left for a large tensor. */
  return best && best->bytes / 8 > bytes + 4096 ? NULL : best;
}

/* Drops free blocks when a new one is needed and the limit is near: sizes have changed, old ones will not fit again. */
void vlm_heap_trim(vlm_heap *heap) {
  int32_t kept = 0;
  for (int32_t i = 0; i < heap->count; i++) {
    if (heap->blocks[i].used) {
      heap->blocks[kept++] = heap->blocks[i];
    } else {
      heap->total_bytes -= heap->blocks[i].bytes;
      vlm_free(heap->blocks[i].data);
    }
  }
  heap->count = kept;
}

static vlm_status add_block(vlm_heap *heap, void **out, size_t bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t size =
      vlm_size_align(bytes + bytes / 4 + 64); /* room to grow: caches get longer by one row per step */
  if (heap->count >= 64 || (heap->max_bytes && heap->total_bytes + size > heap->max_bytes))
    vlm_heap_trim(heap);
  VLM_CHECK(!heap->max_bytes ||
                (heap->total_bytes <= heap->max_bytes && size <= heap->max_bytes - heap->total_bytes),
            err, VLM_LIMIT, "activations need more than the limit of %zu MiB", heap->max_bytes >> 20);
  if (heap->count == heap->capacity) {
    int32_t wanted = heap->capacity ? heap->capacity * 2 : 32;
    VLM_TRY(vlm_more(&heap->blocks, heap->count, wanted, err));
    heap->capacity = wanted;
  }
  VLM_TRY(vlm_alloc(out, size, 1, err));
  heap->blocks[heap->count++] = (vlm_heap_block){.data = *out, .bytes = size, .used = true};
  heap->total_bytes += size;
  heap->allocations++;
out:
  return st;
}

vlm_status vlm_heap_take(vlm_heap *heap, void **out, size_t bytes, vlm_error *err) {
  vlm_heap_block *b = best_fit(heap, bytes);
  if (!b) return add_block(heap, out, bytes, err);
  b->used = true;
  *out = b->data;
  return VLM_OK;
}

void vlm_heap_give(vlm_heap *heap, void *data) {
  for (int32_t i = 0; data && i < heap->count; i++)
    if (heap->blocks[i].data == data) {
      assert(heap->blocks[i].used); /* given back twice */
      heap->blocks[i].used = false;
    }
}

void vlm_heap_free(vlm_heap *heap) {
  for (int32_t i = 0; i < heap->count; i++) vlm_free(heap->blocks[i].data);
  vlm_free(heap->blocks);
  *heap = (vlm_heap){0};
}
