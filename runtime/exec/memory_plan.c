#include "runtime/exec/memory_plan.h"

#include <stdbool.h>
#include <stdlib.h>

#include "runtime/base/memory.h"

typedef struct {
  const vlm_lifetime *item;
  int32_t index;
} by_size;

static int larger_first(const void *a, const void *b) {
  const by_size *x = a, *y = b;
  if (x->item->bytes != y->item->bytes) return x->item->bytes < y->item->bytes ? 1 : -1;
  return x->index < y->index ? -1 : 1;
}

static bool overlaps(const vlm_lifetime *a, const vlm_lifetime *b) { return a->first <= b->last && b->first <= a->last; }

/* `placed` is sorted by offset: walk the gaps between neighbours that live at the same time. */
static size_t lowest_gap(const vlm_lifetime *items, const int32_t *placed, int32_t count, const vlm_lifetime *item) {
  size_t at = 0, size = vlm_size_align(item->bytes);
  for (int32_t i = 0; i < count; i++) {
    const vlm_lifetime *other = &items[placed[i]];
    if (!overlaps(other, item)) continue;
    if (other->offset >= at && other->offset - at >= size) break;
    size_t end = other->offset + vlm_size_align(other->bytes);
    if (end > at) at = end;
  }
  return at;
}

static void insert_by_offset(const vlm_lifetime *items, int32_t *placed, int32_t count, int32_t index) {
  int32_t at = count;
  while (at > 0 && items[placed[at - 1]].offset > items[index].offset) {
    placed[at] = placed[at - 1];
    at--;
  }
  placed[at] = index;
}

vlm_status vlm_memory_plan(vlm_lifetime *items, int32_t count, size_t *arena_bytes, vlm_error *err) {
  vlm_status st = VLM_OK;
  by_size *order = NULL;
  int32_t *placed = NULL;
  *arena_bytes = 0;
  VLM_TRY(vlm_alloc((void **)&order, (size_t)count, sizeof *order, err));
  VLM_TRY(vlm_alloc((void **)&placed, (size_t)count, sizeof *placed, err));
  for (int32_t i = 0; i < count; i++) order[i] = (by_size){.item = &items[i], .index = i};
  if (count) qsort(order, (size_t)count, sizeof *order, larger_first);
  for (int32_t i = 0; i < count; i++) {
    vlm_lifetime *item = &items[order[i].index];
    item->offset = lowest_gap(items, placed, i, item);
    insert_by_offset(items, placed, i, order[i].index);
    size_t end = item->offset + vlm_size_align(item->bytes);
    if (end > *arena_bytes) *arena_bytes = end;
  }
out:
  vlm_free(order);
  vlm_free(placed);
  return st;
}
