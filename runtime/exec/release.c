#include "runtime/exec/release.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/pages.h"
#include "runtime/ops/weights.h"

enum { SMALLEST = 1 << 14 }; /* bytes: below, a constant has hardly a page of its own */

/* One constant, by where its bytes are; several values may share them. */
typedef struct {
  const char *data;
  size_t bytes;
  int32_t readers; /* inputs that still read it */
  bool gone;
} constant;

typedef struct {
  const vlm_node *node; /* NULL: a graph's output, which reads for good */
  int32_t k;
  const char *data;
  bool done;
} reader;

struct vlm_release {
  vlm_weight_owner owner;
  vlm_graph **graphs;
  int32_t n_graphs;
  constant *constants; /* by address */
  int32_t n_constants, cap_constants;
  reader *readers; /* by node and input */
  int32_t n_readers, cap_readers;
  vlm_weight **held;
  int32_t n_held, cap_held;
  size_t bytes;
};

/* ---- who reads what ---- */

static vlm_status add_constant(vlm_release *r, const vlm_tensor *t, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (r->n_constants == r->cap_constants) {
    int32_t wanted = r->cap_constants ? 2 * r->cap_constants : 256;
    VLM_TRY(vlm_more(&r->constants, r->n_constants, wanted, err));
    r->cap_constants = wanted;
  }
  r->constants[r->n_constants++] = (constant){.data = t->data, .bytes = vlm_tensor_bytes(t)};
out:
  return st;
}

static vlm_status add_reader(vlm_release *r, const vlm_graph *graph, vlm_value_id id, const vlm_node *node,
                             int32_t k, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(graph, id);
  if (!t || vlm_lazy_holds(graph->lazy, t->data)) goto out;
  if (r->n_readers == r->cap_readers) {
    int32_t wanted = r->cap_readers ? 2 * r->cap_readers : 1024;
    VLM_TRY(vlm_more(&r->readers, r->n_readers, wanted, err));
    r->cap_readers = wanted;
  }
  r->readers[r->n_readers++] = (reader){.node = node, .k = k, .data = t->data};
out:
  return st;
}

static vlm_status list_graph(vlm_release *r, const vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t id = 0; id < graph->n_values; id++)
    if (graph->values[id].kind == VLM_VALUE_CONSTANT &&
        !vlm_lazy_holds(graph->lazy, graph->values[id].tensor.data))
      VLM_TRY(add_constant(r, &graph->values[id].tensor, err));
  for (int32_t i = 0; i < graph->n_outputs; i++)
    VLM_TRY(add_reader(r, graph, graph->outputs[i], NULL, i, err));
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    const vlm_node *node = &graph->nodes[n];
    for (int32_t k = 0; k < node->n_inputs; k++) VLM_TRY(add_reader(r, graph, node->inputs[k], node, k, err));
    for (int32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == VLM_ATTR_GRAPH) VLM_TRY(list_graph(r, node->attrs[a].u.g, err));
  }
out:
  return st;
}

static int by_address(const void *a, const void *b) {
  const constant *x = a, *y = b;
  return x->data != y->data ? (x->data < y->data ? -1 : 1) : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int by_node(const void *a, const void *b) {
  const reader *x = a, *y = b;
  return x->node != y->node ? (x->node < y->node ? -1 : 1) : (x->k > y->k) - (x->k < y->k);
}

static constant *find_constant(const vlm_release *r, const char *data) {
  int32_t low = 0, high = r->n_constants;
  while (low < high) {
    int32_t middle = (low + high) / 2;
    if (r->constants[middle].data < data) low = middle + 1;
    else high = middle;
  }
  return low < r->n_constants && r->constants[low].data == data ? &r->constants[low] : NULL;
}

/* One entry per address; constants that share only a part of their bytes, or are small, are read for good. */
static void join_constants(vlm_release *r) {
  int32_t kept = 0;
  if (r->n_constants) qsort(r->constants, (size_t)r->n_constants, sizeof *r->constants, by_address);
  for (int32_t i = 0; i < r->n_constants; i++) {
    constant *c = &r->constants[i], *last = kept ? &r->constants[kept - 1] : NULL;
    if (last && last->data == c->data) {
      last->bytes = c->bytes;
      continue;
    }
    if (last && last->data + last->bytes > c->data) last->readers = c->readers = 1;
    r->constants[kept++] = *c;
  }
  r->n_constants = kept;
  for (int32_t i = 0; i < kept; i++)
    if (r->constants[i].bytes < SMALLEST) r->constants[i].readers++;
}

static vlm_status list_readers(vlm_release *r, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < r->n_graphs; i++) VLM_TRY(list_graph(r, r->graphs[i], err));
  join_constants(r);
  if (r->n_readers) qsort(r->readers, (size_t)r->n_readers, sizeof *r->readers, by_node);
  for (int32_t i = 0; i < r->n_readers; i++) find_constant(r, r->readers[i].data)->readers++;
out:
  return st;
}

/* ---- life ---- */

static vlm_status note(void *user, const vlm_node *node, int k, vlm_weight *weight, vlm_error *err) {
  return vlm_release_note(user, node, k, weight, err);
}

static bool is_gone(void *user, const void *data) {
  const constant *c = find_constant(user, data);
  return c && c->gone;
}

vlm_status vlm_release_create(vlm_release **out, vlm_graph *const *graphs, int32_t count, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_release *r = NULL;
  VLM_TRY(vlm_new(&r, 1, err));
  r->owner = (vlm_weight_owner){.user = r, .packed = note, .is_gone = is_gone};
  VLM_TRY(vlm_new(&r->graphs, (size_t)count, err));
  for (int32_t i = 0; i < count; i++) {
    bool again = graphs[i] == NULL;
    for (int32_t k = 0; k < r->n_graphs; k++) again |= r->graphs[k] == graphs[i];
    if (!again) r->graphs[r->n_graphs++] = graphs[i];
  }
  VLM_TRY(list_readers(r, err));
out:
  if (st != VLM_OK) {
    vlm_release_free(r);
    r = NULL;
  }
  *out = r;
  return st;
}

void vlm_release_free(vlm_release *r) {
  if (!r) return;
  for (int32_t i = 0; i < r->n_held; i++) vlm_weight_give(r->held[i]);
  vlm_free(r->held);
  vlm_free(r->readers);
  vlm_free(r->constants);
  vlm_free(r->graphs);
  vlm_free(r);
}

size_t vlm_release_bytes(const vlm_release *r) { return r->bytes; }
const vlm_weight_owner *vlm_release_owner(vlm_release *r) { return r ? &r->owner : NULL; }

/* ---- letting go ---- */

static void mark(vlm_graph *graph, const char *data) {
  for (int32_t id = 0; id < graph->n_values; id++)
    if (graph->values[id].kind == VLM_VALUE_CONSTANT && graph->values[id].tensor.data == data)
      graph->values[id].released = true;
  for (int32_t n = 0; n < graph->n_nodes; n++)
    for (int32_t a = 0; a < graph->nodes[n].n_attrs; a++)
      if (graph->nodes[n].attrs[a].kind == VLM_ATTR_GRAPH) mark(graph->nodes[n].attrs[a].u.g, data);
}

static void let_go(vlm_release *r, constant *c) {
  for (int32_t i = 0; i < r->n_graphs; i++) mark(r->graphs[i], c->data);
  vlm_pages_drop(c->data, c->bytes);
  c->gone = true;
  r->bytes += c->bytes;
}

/* A plan that is made later must find what was packed, even when the plan that packed it is gone. */
static vlm_status hold(vlm_release *r, vlm_weight *weight, vlm_error *err) {
  vlm_status st = VLM_OK;
  if (r->n_held == r->cap_held) {
    int32_t wanted = r->cap_held ? 2 * r->cap_held : 256;
    VLM_TRY(vlm_more(&r->held, r->n_held, wanted, err));
    r->cap_held = wanted;
  }
  vlm_weight_hold(weight);
  r->held[r->n_held++] = weight;
out:
  return st;
}

vlm_status vlm_release_note(vlm_release *r, const vlm_node *node, int k, vlm_weight *weight, vlm_error *err) {
  vlm_status st = VLM_OK;
  const reader wanted = {.node = node, .k = k};
  reader *found = NULL;
  if (r->n_readers) found = bsearch(&wanted, r->readers, (size_t)r->n_readers, sizeof *r->readers, by_node);
  if (!found || found->done) goto out;
  if (weight) VLM_TRY(hold(r, weight, err));
  found->done = true;
  constant *c = find_constant(r, found->data);
  assert(c && c->readers > 0 && !c->gone); /* a reader that was not done counted */
  if (--c->readers == 0) let_go(r, c);
out:
  return st;
}

vlm_status vlm_release_check(const vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t id = 0; id < graph->n_values; id++)
    VLM_CHECK(!graph->values[id].released, err, VLM_USAGE,
              "%s: constant \"%s\" was let go when a session packed it; open the model again, or keep its "
              "constants",
              graph->source, graph->values[id].name);
  for (int32_t n = 0; n < graph->n_nodes; n++)
    for (int32_t a = 0; a < graph->nodes[n].n_attrs; a++)
      if (graph->nodes[n].attrs[a].kind == VLM_ATTR_GRAPH)
        VLM_TRY(vlm_release_check(graph->nodes[n].attrs[a].u.g, err));
out:
  return st;
}
