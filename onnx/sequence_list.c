/* Lists of items, and the nodes and values that the rules make. */
#include <string.h>

#include "onnx/sequence.h"

enum { MAX_LISTED = 1 << 17, OPSET = 11 };

vlm_sequence *vlm_seq_find(const vlm_seq_scope *scope, vlm_value_id id) {
  while (id != VLM_NO_VALUE && scope->graph->values[id].kind == VLM_VALUE_CAPTURE && scope->outer != NULL) {
    id = scope->graph->values[id].parent_value;
    scope = scope->outer;
  }
  return id != VLM_NO_VALUE && id < scope->n_of ? scope->of[id] : NULL;
}

vlm_status vlm_seq_list(vlm_seq_walk *walk, int64_t count, vlm_sequence **out) {
  vlm_status st = VLM_OK;
  VLM_CHECK(count <= MAX_LISTED - walk->listed, walk->err, VLM_LIMIT,
            "sequences hold more than %d tensors in all", MAX_LISTED);
  walk->listed += count;
  VLM_TRY(vlm_arena_new(walk->arena, out, 1, walk->err));
  VLM_TRY(vlm_arena_new(walk->arena, &(*out)->items, (size_t)count + 1, walk->err));
  (*out)->count = (int32_t)count;
out:
  return st;
}

vlm_status vlm_seq_known(vlm_seq_scope *scope, const vlm_sequence *in) {
  if (in->count >= 0) return VLM_OK;
  return vlm_fail(scope->walk->err, VLM_UNSUPPORTED, "the sequence cannot be followed on import: %s",
                  in->why);
}

vlm_status vlm_seq_use(vlm_seq_scope *scope, const vlm_seq_item *item, vlm_value_id *out) {
  vlm_status st = vlm_pass_capture(scope->graph, item->owner, item->id, out, scope->walk->err);
  if (st != VLM_OK || scope->graph == item->owner) return st;
  vlm_tensor *type = &scope->graph->values[*out].tensor;
  *type = *vlm_seq_type(item->owner, item->id);
  type->data = NULL;
  return VLM_OK;
}

const vlm_tensor *vlm_seq_type(const vlm_graph *graph, vlm_value_id id) {
  while (graph->values[id].kind == VLM_VALUE_CAPTURE) {
    id = graph->values[id].parent_value;
    graph = graph->parent;
  }
  return &graph->values[id].tensor;
}

static vlm_status set_attr(vlm_graph *graph, vlm_attr *attr, const char *name, int64_t axis, vlm_error *err) {
  vlm_status st = VLM_OK;
  void *memory = NULL;
  *attr = (vlm_attr){.name = name, .kind = VLM_ATTR_INT, .u.i = axis};
  if (strcmp(name, "axes") != 0) return VLM_OK;
  VLM_TRY(vlm_arena_alloc(graph->arena, &memory, 1, sizeof(int64_t), err));
  *(int64_t *)memory = axis;
  *attr = (vlm_attr){.name = name, .kind = VLM_ATTR_INTS, .count = 1, .u.ints = memory};
out:
  return st;
}

vlm_status vlm_seq_add(vlm_seq_scope *scope, const char *label, const char *op, vlm_value_id in, int64_t axis,
                       vlm_value_id *out) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = scope->graph;
  vlm_error *err = scope->walk->err;
  const char *name = NULL;
  int32_t n = -1;
  VLM_TRY(vlm_graph_free_name(graph, &name, label, "", err));
  VLM_TRY(vlm_graph_add_value(graph, out, name, VLM_VALUE_NODE, err));
  VLM_TRY(vlm_graph_add_node(
      graph, &n,
      &(vlm_node){.name = label, .op_type = op, .opset = OPSET, .n_inputs = 1, .n_outputs = 1, .n_attrs = 1},
      err));
  graph->nodes[n].inputs[0] = in;
  vlm_node_set_output(graph, n, 0, *out);
  VLM_TRY(set_attr(graph, &graph->nodes[n].attrs[0], "axes", axis, err));
out:
  return st;
}

vlm_status vlm_seq_become(vlm_seq_scope *scope, int32_t n, const char *op, const vlm_value_id *in,
                          int32_t n_in, const char *attr, int64_t axis) {
  vlm_status st = VLM_OK;
  vlm_graph *graph = scope->graph;
  VLM_TRY(vlm_pass_rewrite(graph, n, "", op, OPSET, in, n_in, attr != NULL, scope->walk->err));
  if (attr != NULL) VLM_TRY(set_attr(graph, &graph->nodes[n].attrs[0], attr, axis, scope->walk->err));
out:
  return st;
}

const char *vlm_seq_label(const vlm_seq_scope *scope, int32_t n) {
  const vlm_node *node = &scope->graph->nodes[n];
  return node->n_outputs > 0 && node->outputs[0] != VLM_NO_VALUE ? scope->graph->values[node->outputs[0]].name
                                                                 : node->name;
}
