/* FusedMatMul with transBatchA or transBatchB reads [M, B.., K] as [B.., M, K]. A Transpose says the same, folds when the operand is constant,
 * and leaves a product that every other stage knows. */
#include <string.h>

#include "onnx/pass.h"
#include "runtime/ops/traits.h"

enum { TRANSPOSE_OPSET = 13 };
static const char *const ATTRS[] = {"transBatchA", "transBatchB"};

static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

/* As declared, or as what makes the value says; -1 = not known. */
static int32_t rank_of(const vlm_graph *graph, vlm_value_id id, int depth) {
  enum { MAX_DEPTH = 64 };
  if (id == VLM_NO_VALUE) return -1;
  const vlm_value *v = &graph->values[id];
  if (v->kind == VLM_VALUE_CAPTURE) return rank_of(graph->parent, v->parent_value, depth);
  if (v->tensor.rank >= 0 && v->tensor.dtype != VLM_NONE) return v->tensor.rank;
  const vlm_node *node = v->producer < 0 ? NULL : &graph->nodes[v->producer];
  if (!node || depth == MAX_DEPTH || node->n_inputs == 0) return -1;
  const vlm_attr *perm = vlm_node_attr(node, "perm");
  if (vlm_node_is(node, "Transpose") && perm && perm->kind == VLM_ATTR_INTS) return perm->count;
  if (vlm_node_is(node, "Reshape")) {
    const vlm_tensor *shape = vlm_graph_constant(graph, vlm_node_input(node, 1));
    return shape ? (int32_t)vlm_tensor_count(shape) : -1;
  }
  int32_t first = rank_of(graph, node->inputs[0], depth + 1);
  bool joins = node->n_inputs == 2 &&
               (node->traits->flags & VLM_TRAIT_ELEMENTWISE || node->traits->family == VLM_FAMILY_PRODUCT);
  if (joins) {
    int32_t second = rank_of(graph, node->inputs[1], depth + 1);
    return first < 0 || second < 0 ? -1 : larger(first, second);
  }
  return node->traits->flags & (VLM_TRAIT_ELEMENTWISE | VLM_TRAIT_NORM) || vlm_node_is(node, "Softmax")
             ? first
             : -1;
}

static vlm_status drop_attr(vlm_graph *graph, int32_t n, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_attr *attrs;
  int32_t count = 0;
  vlm_node *node = &graph->nodes[n];
  VLM_TRY(vlm_arena_new(graph->arena, &attrs, node->n_attrs + 1, err));
  for (int32_t a = 0; a < node->n_attrs; a++)
    if (strcmp(node->attrs[a].name, name)) attrs[count++] = node->attrs[a];
  node->attrs = attrs;
  node->n_attrs = count;
out:
  return st;
}

/* Input k with its first dim in front of the last one. */
static vlm_status turn(vlm_graph *graph, int32_t n, int32_t k, int32_t rank, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value_id turned;
  int64_t *perm;
  int32_t at;
  VLM_TRY(vlm_arena_new(graph->arena, &perm, rank, err));
  for (int32_t d = 0; d < rank; d++) perm[d] = d < rank - 2 ? d + 1 : d == rank - 2 ? 0 : d;
  VLM_TRY(vlm_graph_add_value(graph, &turned, NULL, VLM_VALUE_NODE, err));
  VLM_TRY(vlm_graph_add_node(
      graph, &at,
      &(vlm_node){
          .op_type = "Transpose", .opset = TRANSPOSE_OPSET, .n_inputs = 1, .n_outputs = 1, .n_attrs = 1},
      err));
  graph->nodes[at].inputs[0] = graph->nodes[n].inputs[k];
  graph->nodes[at].attrs[0] =
      (vlm_attr){.name = "perm", .kind = VLM_ATTR_INTS, .count = rank, .u.ints = perm};
  vlm_node_set_output(graph, at, 0, turned);
  graph->nodes[n].inputs[k] = turned;
out:
  return st;
}

static vlm_status rewrite(vlm_graph *graph, int32_t n, int32_t *changes, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t k = 0; k < 2; k++) {
    int32_t rank =
        vlm_node_int(&graph->nodes[n], ATTRS[k], 0) ? rank_of(graph, graph->nodes[n].inputs[k], 0) : -1;
    if (rank < 2) continue;
    if (rank > 2) VLM_TRY(turn(graph, n, k, rank, err));
    VLM_TRY(drop_attr(graph, n, ATTRS[k], err));
    ++*changes;
  }
out:
  return st;
}

vlm_status vlm_pass_trans_batch(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  (void)opts;
  for (int32_t n = 0, count = graph->n_nodes; n < count; n++)
    if (!strcmp(graph->nodes[n].op_type, "FusedMatMul") && graph->nodes[n].n_inputs == 2)
      VLM_TRY(rewrite(graph, n, changes, err));
out:
  return st;
}
