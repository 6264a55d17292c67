/* Offsets in one arena by liveness: blocks whose lifetimes do not overlap may share bytes.
 * Greedy by size, lowest free offset among overlapping neighbours (the planner of several mobile runtimes), in n log n steps. */
#ifndef VLM_EXEC_MEMORY_PLAN_H
#define VLM_EXEC_MEMORY_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/status.h"

typedef struct vlm_lifetime {
  size_t bytes;
  int32_t first, last; /* steps, inclusive */
  size_t offset;       /* result */
} vlm_lifetime;

/* Fills offset of every item (64-byte aligned) and the arena's size. */
vlm_status vlm_memory_plan(vlm_lifetime *items, int32_t count, size_t *arena_bytes, vlm_error *err);

#endif
