#include "quant/constants.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/bundle/bundle.h"
#include "runtime/graph/bodies.h"

typedef struct {
  vlm_constant_list *list;
  const vlm_quant_plan *plan;
  vlm_body_list bodies;
  int32_t *first;       /* per body: where its values begin in `reasons` */
  const char **reasons; /* per value: why it stays float */
  int32_t n_values;
  vlm_arena *arena;
  vlm_error *err;
} walk;

/* ---- who reads it ---- */

static vlm_status reason_for(walk *w, const char **out, const vlm_node *node, int32_t k,
                             const vlm_tensor *t) {
  *out = "vector: a bias or a scale";
  if (t->rank < 2 || vlm_tensor_count(t) == vlm_tensor_span(t, t->rank - 1, t->rank)) return VLM_OK;
  return vlm_arena_format(w->arena, out, w->err, "input %d of %s \"%s\": no weight", k, node->op_type,
                          node->name);
}

static vlm_status read_input(walk *w, const vlm_body *body, int32_t n, int32_t k) {
  const vlm_node *node = &body->graph->nodes[n];
  vlm_origin origin = vlm_value_origin(body->graph, node->inputs[k]);
  if (origin.id == VLM_NO_VALUE || origin.graph->values[origin.id].kind != VLM_VALUE_CONSTANT) return VLM_OK;
  const vlm_body *owner = vlm_bodies_find(&w->bodies, origin.graph);
  const char **reason = &w->reasons[w->first[owner - w->bodies.items] + origin.id];
  const vlm_node_plan *plan = vlm_quant_plan_find(w->plan, body->path, n, k);
  if (plan && plan->decision != VLM_DECIDE_FLOAT) return VLM_OK;
  if (plan) *reason = plan->reason;
  else if (!*reason) return reason_for(w, reason, node, k, &origin.graph->values[origin.id].tensor);
  return VLM_OK;
}

static vlm_status read_body(walk *w, const vlm_body *body) {
  vlm_status st = VLM_OK;
  int32_t own = w->first[body - w->bodies.items];
  for (int32_t n = 0; n < body->graph->n_nodes; n++)
    for (int32_t k = 0; k < body->graph->nodes[n].n_inputs; k++)
      if (body->graph->nodes[n].inputs[k] != VLM_NO_VALUE) VLM_TRY(read_input(w, body, n, k));
  for (int32_t i = 0; i < body->graph->n_outputs; i++)
    if (body->graph->values[body->graph->outputs[i]].kind == VLM_VALUE_CONSTANT)
      w->reasons[own + body->graph->outputs[i]] = "a result of the graph";
out:
  return st;
}

/* ---- the list ---- */

static vlm_status add(walk *w, const char *role, const vlm_body *body, vlm_value_id id) {
  vlm_status st = VLM_OK;
  vlm_constant_list *l = w->list;
  const vlm_value *v = &body->graph->values[id];
  if (v->kind != VLM_VALUE_CONSTANT || !v->tensor.data || vlm_tensor_count(&v->tensor) < 2) return VLM_OK;
  if (l->count == l->capacity) {
    int32_t wanted = l->capacity ? 2 * l->capacity : 256;
    VLM_TRY(vlm_more(&l->items, l->count, wanted, w->err));
    l->capacity = wanted;
  }
  const char *reason = w->reasons[w->first[body - w->bodies.items] + id];
  l->items[l->count++] = (vlm_constant){
      .tensor = v->tensor, .role = role, .path = body->path, .name = v->name, .float_reason = reason};
out:
  return st;
}

static vlm_status count_values(walk *w) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_new(&w->first, w->bodies.count, w->err));
  for (int32_t b = 0; b < w->bodies.count; b++) {
    w->first[b] = w->n_values;
    w->n_values += w->bodies.items[b].graph->n_values;
  }
  VLM_TRY(vlm_new(&w->reasons, w->n_values, w->err));
out:
  return st;
}

vlm_status vlm_constant_list_add(vlm_constant_list *list, const vlm_quant_graph *g,
                                 const vlm_quant_plan *plan, vlm_arena *arena, vlm_error *err) {
  vlm_status st = VLM_OK;
  walk w = {.list = list, .plan = plan, .arena = arena, .err = err};
  VLM_TRY(vlm_bodies_make(&w.bodies, g->graph, g->role, arena, err));
  VLM_TRY(count_values(&w));
  for (int32_t b = 0; b < w.bodies.count; b++) VLM_TRY(read_body(&w, &w.bodies.items[b]));
  for (int32_t b = 0; b < w.bodies.count; b++)
    for (vlm_value_id id = 0; id < w.bodies.items[b].graph->n_values; id++)
      VLM_TRY(add(&w, g->role, &w.bodies.items[b], id));
out:
  vlm_free(w.first);
  vlm_free(w.reasons);
  vlm_bodies_free(&w.bodies);
  return st;
}

/* ---- equal ones ---- */

bool vlm_constant_equals(const vlm_constant *a, const vlm_constant *b) {
  return a->digest.high == b->digest.high && a->digest.low == b->digest.low &&
         vlm_tensor_bytes(&a->tensor) == vlm_tensor_bytes(&b->tensor);
}

static int by_digest(const void *a, const void *b) {
  const vlm_constant *x = a, *y = b;
  if (x->digest.high != y->digest.high) return x->digest.high < y->digest.high ? -1 : 1;
  if (x->digest.low != y->digest.low) return x->digest.low < y->digest.low ? -1 : 1;
  size_t n = vlm_tensor_bytes(&x->tensor), m = vlm_tensor_bytes(&y->tensor);
  if (n != m) return n < m ? -1 : 1;
  int order = strcmp(x->role, y->role);
  if (!order) order = strcmp(x->path, y->path);
  return order ? order : strcmp(x->name, y->name);
}

/* Graphs that were one file share their constants: what was hashed once is known by its address. */
static const vlm_constant *same_data(const vlm_constant_list *list, int32_t below, const vlm_tensor *t) {
  for (int32_t i = 0; i < below; i++) {
    const vlm_tensor *seen = &list->items[i].tensor;
    if (seen->data == t->data && seen->dtype == t->dtype && vlm_tensor_same_shape(seen, t))
      return &list->items[i];
  }
  return NULL;
}

vlm_status vlm_constant_list_sort(vlm_constant_list *list, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < list->count; i++) {
    const vlm_constant *seen = same_data(list, i, &list->items[i].tensor);
    if (seen) list->items[i].digest = seen->digest;
    else VLM_TRY(vlm_weight_digest(&list->items[i].digest, &list->items[i].tensor, err));
  }
  if (list->count) qsort(list->items, (size_t)list->count, sizeof *list->items, by_digest);
out:
  return st;
}

void vlm_constant_list_free(vlm_constant_list *list) {
  vlm_free(list->items);
  *list = (vlm_constant_list){.count = 0};
}
