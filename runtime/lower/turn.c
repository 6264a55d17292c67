#include "runtime/lower/turn.h"

#include <string.h>

bool vlm_lower_can_turn(const vlm_graph *graph, const vlm_node *node, const vlm_weight_slot *slot) {
  const vlm_tensor *w = vlm_graph_constant(graph, vlm_node_input(node, slot->input));
  bool columns = w && w->rank == 2 && slot->axis == 1 && slot->input == 1;
  return columns && node->traits->family == VLM_FAMILY_PRODUCT && !vlm_node_int(node, "transBatchB", 0);
}

/* A MatMul has no transB: FusedMatMul is the same with one. */
static void fuse(vlm_node *node) {
  if (!vlm_node_is(node, "MatMul")) return;
  node->domain = "com.microsoft";
  node->op_type = "FusedMatMul";
  node->opset = 1;
  node->op = NULL;
}

vlm_status vlm_lower_turn(vlm_graph *graph, int32_t n, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_node *node = &graph->nodes[n];
  vlm_attr *attrs;
  int32_t at = 0;
  VLM_TRY(vlm_arena_new(graph->arena, &attrs, (size_t)node->n_attrs + 1, err));
  if (node->n_attrs) memcpy(attrs, node->attrs, (size_t)node->n_attrs * sizeof *attrs);
  while (at < node->n_attrs && strcmp(attrs[at].name, "transB")) at++;
  attrs[at] = (vlm_attr){.name = "transB", .kind = VLM_ATTR_INT, .u.i = !vlm_node_int(node, "transB", 0)};
  if (at == node->n_attrs) node->n_attrs++;
  node->attrs = attrs;
  node->op = NULL;
  fuse(node);
out:
  return st;
}
