/* The growable part of a session's memory: blocks for tensors whose size is known only when they are reached.
 * Released blocks are reused best-fit, so that a loop of similar runs makes no system allocation once it is warm. */
#ifndef VLM_EXEC_HEAP_H
#define VLM_EXEC_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

typedef struct vlm_heap_block {
  void *data;
  size_t bytes;
  bool used;
} vlm_heap_block;

typedef struct vlm_heap {
  vlm_heap_block *blocks;
  int32_t count, capacity;
  size_t total_bytes, max_bytes;
  int64_t allocations;
} vlm_heap;

/* A block of at least `bytes` bytes (uninitialised); VLM_LIMIT above heap->max_bytes in all. */
vlm_status vlm_heap_take(vlm_heap *heap, void **out, size_t bytes, vlm_error *err);
/* Gives a block back; pointers that are not of this heap are ignored. */
void vlm_heap_give(vlm_heap *heap, void *data);
/* Frees the blocks that nobody has. */
void vlm_heap_trim(vlm_heap *heap);
void vlm_heap_free(vlm_heap *heap);

#endif
