/* Sequences that leave a body: those of an If become tensors, one output per item. */
#include <string.h>

#include "onnx/sequence.h"

static vlm_sequence *returned(const vlm_seq_scope *body, int32_t k) {
  return body != NULL && k < body->graph->n_outputs ? vlm_seq_find(body, body->graph->outputs[k]) : NULL;
}

static vlm_status refuse(vlm_seq_scope *scope, int32_t n, vlm_seq_scope *const *bodies) {
  const vlm_node *node = &scope->graph->nodes[n];
  for (int32_t a = 0; a < node->n_attrs; a++)
    for (int32_t k = 0; bodies[a] != NULL && k < bodies[a]->graph->n_outputs; k++)
      if (returned(bodies[a], k) != NULL)
        return vlm_fail(scope->walk->err, VLM_UNSUPPORTED,
                        "output %d of its body is a sequence, which is not supported", k);
  return VLM_OK;
}

/* How many outputs take the place of output k. */
static vlm_status count_output(vlm_seq_scope *scope, int32_t k, const vlm_seq_scope *yes,
                               const vlm_seq_scope *no, int32_t *out) {
  vlm_status st = VLM_OK;
  const vlm_sequence *a = returned(yes, k), *b = returned(no, k);
  *out = 1;
  if (a == NULL && b == NULL) return VLM_OK;
  VLM_CHECK(a != NULL && b != NULL, scope->walk->err, VLM_INPUT,
            "output %d is a sequence in one branch and a tensor in the other", k);
  VLM_TRY(vlm_seq_known(scope, a));
  VLM_TRY(vlm_seq_known(scope, b));
  VLM_CHECK(
      a->count == b->count, scope->walk->err, VLM_UNSUPPORTED,
      "the sequence cannot be followed on import: output %d has %d tensors in one branch and %d in the other",
      k, a->count, b->count);
  VLM_CHECK(a->dtype == VLM_NONE || b->dtype == VLM_NONE || a->dtype == b->dtype, scope->walk->err, VLM_INPUT,
            "output %d is a sequence of %s in one branch and of %s in the other", k, vlm_dtype_name(a->dtype),
            vlm_dtype_name(b->dtype));
  *out = a->count;
out:
  return st;
}

/* The results of a branch with every sequence spread. */
static vlm_status spread_body(vlm_seq_scope *body, int32_t total) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = body->graph;
  void *memory = NULL;
  int32_t at = 0;
  VLM_TRY(vlm_arena_alloc(graph->arena, &memory, (size_t)total + 1, sizeof(vlm_value_id), body->walk->err));
  vlm_value_id *ids = memory;
  for (int32_t k = 0; k < graph->n_outputs; k++) {
    const vlm_sequence *list = returned(body, k);
    if (list == NULL) ids[at++] = graph->outputs[k];
    for (int32_t i = 0; list != NULL && i < list->count; i++)
      VLM_TRY(vlm_seq_use(body, &list->items[i], &ids[at++]));
  }
  graph->outputs = ids;
  graph->n_outputs = graph->cap_outputs = total;
out:
  return st;
}

static vlm_status add_result(vlm_seq_scope *scope, const char *name, int32_t k, vlm_dtype dtype,
                             vlm_value_id *out) {
  vlm_status st = VLM_OK;
  const char *label = NULL;
  VLM_TRY(vlm_arena_format(scope->graph->arena, &label, scope->walk->err, "%s/%d", name, k));
  VLM_TRY(vlm_graph_free_name(scope->graph, &label, label, "", scope->walk->err));
  VLM_TRY(vlm_graph_add_value(scope->graph, out, label, VLM_VALUE_NODE, scope->walk->err));
  scope->graph->values[*out].tensor.dtype = dtype;
out:
  return st;
}

/* Outputs of the If in place of output `id`, a sequence. */
static vlm_status spread_output(vlm_seq_scope *scope, vlm_value_id id, const vlm_sequence *inner,
                                vlm_value_id *ids) {
  vlm_status st = VLM_OK;
  vlm_sequence *list = NULL;
  for (int32_t i = 0; i < inner->count; i++) ids[i] = VLM_NO_VALUE;
  if (id == VLM_NO_VALUE) return VLM_OK;
  VLM_TRY(vlm_seq_list(scope->walk, inner->count, &list));
  list->dtype = inner->dtype;
  for (int32_t i = 0; i < inner->count; i++) {
    VLM_TRY(add_result(scope, scope->graph->values[id].name, i, inner->dtype, &ids[i]));
    list->items[i] = (vlm_seq_item){scope->graph, ids[i]};
  }
  scope->of[id] = list;
out:
  return st;
}

static vlm_status spread_node(vlm_seq_scope *scope, int32_t n, const vlm_seq_scope *yes, int32_t total) {
  vlm_status st = VLM_OK;
  vlm_node *node = &scope->graph->nodes[n]; /* no nodes are added here */
  void *memory = NULL;
  int32_t at = 0;
  VLM_TRY(vlm_arena_alloc(scope->graph->arena, &memory, (size_t)total + 1, sizeof(vlm_value_id),
                          scope->walk->err));
  vlm_value_id *ids = memory;
  for (int32_t k = 0; k < node->n_outputs; k++) {
    const vlm_sequence *list = returned(yes, k);
    if (list != NULL) VLM_TRY(spread_output(scope, node->outputs[k], list, ids + at));
    else ids[at] = node->outputs[k];
    at += list != NULL ? list->count : 1;
  }
  node->outputs = ids;
  node->n_outputs = total;
  for (int32_t k = 0; k < total; k++)
    if (ids[k] != VLM_NO_VALUE) vlm_node_set_output(scope->graph, n, k, ids[k]);
out:
  return st;
}

static vlm_status spread_if(vlm_seq_scope *scope, int32_t n, vlm_seq_scope *yes, vlm_seq_scope *no) {
  vlm_status st = VLM_OK;
  int32_t count = scope->graph->nodes[n].n_outputs, total = 0;
  bool any = false;
  for (int32_t k = 0; k < count; k++) {
    int32_t wanted = 1;
    VLM_TRY(count_output(scope, k, yes, no, &wanted));
    any = any || returned(yes, k) != NULL;
    total += wanted;
  }
  if (!any) goto out;
  VLM_CHECK(yes->graph->n_outputs == count && no->graph->n_outputs == count, scope->walk->err, VLM_INPUT,
            "%d outputs, the branches have %d and %d", count, yes->graph->n_outputs, no->graph->n_outputs);
  VLM_TRY(spread_node(scope, n, yes, total));
  VLM_TRY(spread_body(yes, total));
  VLM_TRY(spread_body(no, total));
  ++*scope->walk->changes;
out:
  return st;
}

vlm_status vlm_seq_bodies(vlm_seq_scope *scope, int32_t n, vlm_seq_scope *const *bodies) {
  const vlm_node *node = &scope->graph->nodes[n];
  vlm_seq_scope *yes = NULL, *no = NULL;
  if (!vlm_node_is(node, "If")) return refuse(scope, n, bodies);
  for (int32_t a = 0; a < node->n_attrs; a++) {
    if (strcmp(node->attrs[a].name, "then_branch") == 0) yes = bodies[a];
    if (strcmp(node->attrs[a].name, "else_branch") == 0) no = bodies[a];
  }
  return spread_if(scope, n, yes, no);
}
