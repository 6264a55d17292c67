#include "runtime/text/tok_prefix.h"

#include <stdlib.h>
#include <string.h>

vlm_status vlm_tok_prefixes_add(vlm_tok_prefixes *set, vlm_arena *arena, vlm_slice text, int32_t value,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory = set->items;
  if (text.bytes == 0) return VLM_OK;
  VLM_TRY(vlm_tok_grow(arena, &memory, set->count, &set->room, set->count + 1, sizeof *set->items, err));
  set->items = memory;
  set->items[set->count] = (vlm_tok_prefix){text, value, (uint32_t)set->count};
  set->count++;
out:
  return st;
}

static int compare(const void *a, const void *b) {
  const vlm_tok_prefix *x = a, *y = b;
  const size_t common = x->text.bytes < y->text.bytes ? x->text.bytes : y->text.bytes;
  const int order = memcmp(x->text.data, y->text.data, common);
  if (order) return order;
  if (x->text.bytes != y->text.bytes) return x->text.bytes < y->text.bytes ? -1 : 1;
  return x->order < y->order ? -1 : x->order > y->order;
}

void vlm_tok_prefixes_sort(vlm_tok_prefixes *set) {
  size_t kept = 0;
  if (set->count) qsort(set->items, set->count, sizeof *set->items, compare);
  for (size_t i = 0; i < set->count; i++) {
    if (kept == 0 || !vlm_slice_equal(set->items[i].text, set->items[kept - 1].text))
      set->items[kept++] = set->items[i];
  }
  set->count = kept;
}

vlm_tok_walk vlm_tok_walk_start(const vlm_tok_prefixes *set) { return (vlm_tok_walk){0, set->count, 0}; }

/* First index in [low, high) whose byte at `depth` is at least `byte`; all texts there are longer than depth. */
static size_t lower_bound(const vlm_tok_prefixes *set, size_t low, size_t high, size_t depth, unsigned byte) {
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if ((unsigned char)set->items[middle].text.data[depth] < byte) low = middle + 1;
    else high = middle;
  }
  return low;
}

bool vlm_tok_walk_step(const vlm_tok_prefixes *set, vlm_tok_walk *walk, unsigned char byte, int32_t *value) {
  *value = -1;
  if (walk->low < walk->high && set->items[walk->low].text.bytes == walk->depth)
    walk->low++; /* it ended before this byte */
  walk->low = lower_bound(set, walk->low, walk->high, walk->depth, byte);
  walk->high = lower_bound(set, walk->low, walk->high, walk->depth, byte + 1u);
  if (walk->low == walk->high) return false;
  walk->depth++;
  if (set->items[walk->low].text.bytes == walk->depth) *value = set->items[walk->low].value;
  return true;
}
