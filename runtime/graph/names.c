#include "runtime/graph/names.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/hash.h"

/* Open addressing with linear probing; slots hold id + 1, so that zeroed memory is an empty table. */
typedef struct name_index {
  uint32_t mask, used;
  int32_t *slots;
} name_index;

enum { FIRST_SLOTS = 64, FIRST_CAP = 16 };

static uint32_t first_slot(const name_index *index, const char *name) {
  return (uint32_t)vlm_xxh64(name, strlen(name)) & index->mask;
}

static void put(name_index *index, const vlm_graph *graph, vlm_value_id id) {
  assert(id >= 0 && id < graph->n_values && index->used < index->mask); /* a full table would never end */
  uint32_t at = first_slot(index, graph->values[id].name);
  while (index->slots[at] != 0) at = (at + 1) & index->mask;
  index->slots[at] = id + 1;
  index->used++;
}

static vlm_status new_slots(vlm_graph *graph, name_index *index, uint32_t wanted, vlm_error *err) {
  vlm_status st = VLM_OK;
  uint32_t slots = FIRST_SLOTS;
  while (slots / 2 < wanted && slots < (1u << 31)) slots *= 2;
  void *memory = NULL;
  VLM_TRY(vlm_arena_alloc(graph->arena, &memory, slots, sizeof(int32_t), err));
  *index = (name_index){.mask = slots - 1, .slots = memory};
out:
  return st;
}

vlm_status vlm_names_rebuild(vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (graph->names == NULL) VLM_TRY(vlm_arena_alloc(graph->arena, &graph->names, 1, sizeof(name_index), err));
  name_index *index = graph->names;
  if (index->slots != NULL && (uint32_t)graph->n_values < index->mask / 2) {
    memset(index->slots, 0, ((size_t)index->mask + 1) * sizeof *index->slots);
    index->used = 0;
  } else {
    VLM_TRY(new_slots(graph, index, (uint32_t)graph->n_values * 2 + 1, err));
  }
  for (vlm_value_id id = 0; id < graph->n_values; id++) put(index, graph, id);
out:
  return st;
}

vlm_status vlm_names_add(vlm_graph *graph, vlm_value_id id, vlm_error *err) {
  name_index *index = graph->names;
  if (index == NULL || index->used + 1 > index->mask / 2) return vlm_names_rebuild(graph, err);
  put(index, graph, id);
  return VLM_OK;
}

vlm_value_id vlm_graph_find(const vlm_graph *graph, const char *name) {
  const name_index *index = graph->names;
  if (index == NULL || name == NULL) return VLM_NO_VALUE;
  for (uint32_t at = first_slot(index, name); index->slots[at] != 0; at = (at + 1) & index->mask) {
    vlm_value_id id = index->slots[at] - 1;
    if (strcmp(graph->values[id].name, name) == 0) return id;
  }
  return VLM_NO_VALUE;
}

vlm_status vlm_graph_free_name(vlm_graph *graph, const char **out, const char *base, const char *suffix,
                               vlm_error *err) {
  vlm_status st = vlm_arena_format(graph->arena, out, err, "%s%s", base, suffix);
  for (int k = 1; st == VLM_OK && vlm_graph_find(graph, *out) != VLM_NO_VALUE; k++)
    st = vlm_arena_format(graph->arena, out, err, "%s%s_%d", base, suffix, k);
  return st;
}

vlm_status vlm_graph_reserve_bytes(vlm_graph *graph, void **data, int32_t *cap, int32_t count, size_t size,
                                   vlm_error *err) {
  vlm_status st = VLM_OK;
  assert(count >= 0 && count <= *cap);
  if (count < *cap) return VLM_OK;
  VLM_CHECK(count < INT32_MAX / 2, err, VLM_LIMIT, "%s: more than %d entries in one graph", graph->source,
            INT32_MAX / 2);
  int32_t more = *cap > 0 ? *cap * 2 : FIRST_CAP;
  void *grown = NULL;
  VLM_TRY(vlm_arena_alloc(graph->arena, &grown, (size_t)more, size, err));
  if (count > 0) memcpy(grown, *data, (size_t)count * size);
  *data = grown;
  *cap = more;
out:
  return st;
}
