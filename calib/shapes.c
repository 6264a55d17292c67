#include "calib/shapes.h"

#include <string.h>

#include "runtime/base/memory.h"

static void free_names(vlm_input_shape *s) {
  vlm_free((void *)(uintptr_t)s->graph);
  vlm_free((void *)(uintptr_t)s->name);
}

void vlm_shape_list_free(vlm_shape_list *list) {
  for (int32_t i = 0; i < list->count; i++) free_names(&list->items[i]);
  vlm_free(list->items);
  *list = (vlm_shape_list){.count = 0};
}

const vlm_input_shape *vlm_shape_list_find(const vlm_shape_list *list, const char *graph, const char *name) {
  for (int32_t i = 0; i < list->count; i++)
    if (!strcmp(list->items[i].graph, graph) && !strcmp(list->items[i].name, name)) return &list->items[i];
  return NULL;
}

/* ---- which run is larger ---- */

static double elements(const vlm_input_shape *s, int32_t count) {
  double sum = 0;
  for (int32_t i = 0; i < count; i++) {
    double n = 1;
    for (int32_t d = 0; d < s[i].rank; d++) n *= (double)s[i].dims[d];
    sum += n;
  }
  return sum;
}

static int compare_shape(const vlm_input_shape *a, const vlm_input_shape *b) {
  if (a->rank != b->rank) return a->rank < b->rank ? -1 : 1;
  for (int32_t d = 0; d < a->rank; d++)
    if (a->dims[d] != b->dims[d]) return a->dims[d] < b->dims[d] ? -1 : 1;
  return 0;
}

static bool is_larger(const vlm_input_shape *a, const vlm_input_shape *b, int32_t count) {
  double x = elements(a, count), y = elements(b, count);
  int order = x < y ? -1 : x > y;
  for (int32_t i = 0; !order && i < count; i++) order = compare_shape(&a[i], &b[i]);
  return order > 0;
}

/* ---- adding ---- */

/* Where the shapes of the graph begin, or would. */
static int32_t first_of(const vlm_shape_list *list, const char *graph) {
  int32_t i = 0;
  while (i < list->count && strcmp(list->items[i].graph, graph) < 0) i++;
  return i;
}

static vlm_status insert(vlm_shape_list *list, int32_t at, const vlm_input_shape *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_input_shape copy = *s;
  char *graph = NULL, *name = NULL;
  VLM_TRY(vlm_strdup(&graph, s->graph, err));
  VLM_TRY(vlm_strdup(&name, s->name, err));
  VLM_TRY(vlm_more(&list->items, list->count, list->count + 1, err));
  copy.graph = graph;
  copy.name = name;
  memmove(list->items + at + 1, list->items + at, (size_t)(list->count - at) * sizeof *list->items);
  list->items[at] = copy;
  list->count++;
out:
  if (st != VLM_OK) {
    vlm_free(graph);
    vlm_free(name);
  }
  return st;
}

static bool same_inputs(const vlm_shape_list *list, int32_t at, const vlm_input_shape *run, int32_t count) {
  if (at + count > list->count) return false;
  for (int32_t i = 0; i < count; i++)
    if (strcmp(list->items[at + i].graph, run[i].graph) || strcmp(list->items[at + i].name, run[i].name))
      return false;
  return true;
}

vlm_status vlm_shape_list_see(vlm_shape_list *list, const vlm_input_shape *run, int32_t count,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  int32_t at = count ? first_of(list, run[0].graph) : 0;
  if (count == 0) return VLM_OK;
  if (at == list->count || strcmp(list->items[at].graph, run[0].graph)) {
    for (int32_t i = 0; i < count; i++) VLM_TRY(insert(list, at + i, &run[i], err));
    goto out;
  }
  VLM_CHECK(same_inputs(list, at, run, count), err, VLM_INPUT,
            "graph \"%s\" has other inputs than the statistics know", run[0].graph);
  for (int32_t i = 0, larger = is_larger(run, &list->items[at], count); larger && i < count; i++) {
    list->items[at + i].rank = run[i].rank;
    memcpy(list->items[at + i].dims, run[i].dims, sizeof run[i].dims);
  }
out:
  return st;
}

vlm_status vlm_shape_list_merge(vlm_shape_list *list, const vlm_shape_list *other, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0, end; st == VLM_OK && i < other->count; i = end) {
    for (end = i + 1; end < other->count && !strcmp(other->items[end].graph, other->items[i].graph);) end++;
    st = vlm_shape_list_see(list, &other->items[i], end - i, err);
  }
  return st;
}

vlm_status vlm_shape_list_digest(vlm_digest *out, const vlm_shape_list *list, vlm_error *err) {
  vlm_hasher *h;
  vlm_status st = vlm_hasher_create(&h, err);
  if (st != VLM_OK) return st;
  for (int32_t i = 0; i < list->count; i++) {
    const vlm_input_shape *s = &list->items[i];
    vlm_hasher_add_text(h, s->graph);
    vlm_hasher_add_text(h, s->name);
    vlm_hasher_add(h, s->dims, (size_t)s->rank * sizeof *s->dims);
  }
  *out = vlm_hasher_digest(h);
  vlm_hasher_free(h);
  return VLM_OK;
}
