#include "runtime/ops/traits_weights.h"

#include <string.h>

static int32_t rank_of(const vlm_graph *graph, const vlm_node *node, int32_t k) {
  const vlm_tensor *t = vlm_node_constant(graph, node, k);
  return t ? t->rank : 0;
}

/* A product has one constant side; two constants are folded, not quantized. `left` and `right`: the dim of rows of A, of columns of B. */
static int32_t one_side(const vlm_graph *graph, const vlm_node *node, int32_t left, int32_t right,
                        vlm_weight_slot *slots) {
  bool a = rank_of(graph, node, 0) >= 2, b = rank_of(graph, node, 1) >= 2;
  if (a == b) return 0;
  slots[0] = a ? (vlm_weight_slot){.input = 0, .axis = left, .activation = 1}
               : (vlm_weight_slot){.input = 1, .axis = right, .activation = 0};
  return 1;
}

int32_t vlm_weights_matmul(const vlm_graph *graph, const vlm_node *node, vlm_weight_slot *slots) {
  return one_side(graph, node, rank_of(graph, node, 0) - 2, rank_of(graph, node, 1) - 1, slots);
}

int32_t vlm_weights_gemm(const vlm_graph *graph, const vlm_node *node, vlm_weight_slot *slots) {
  return one_side(graph, node, vlm_node_int(node, "transA", 0) ? 1 : 0,
                  vlm_node_int(node, "transB", 0) ? 0 : 1, slots);
}

/* transBatch moves the first dim inwards, in front of the last one; trans then exchanges these two. */
int32_t vlm_weights_fused_matmul(const vlm_graph *graph, const vlm_node *node, vlm_weight_slot *slots) {
  int32_t a = rank_of(graph, node, 0), b = rank_of(graph, node, 1);
  int32_t a_inner = vlm_node_int(node, "transBatchA", 0) ? 0 : a - 2,
          b_inner = vlm_node_int(node, "transBatchB", 0) ? 0 : b - 2;
  return one_side(graph, node, vlm_node_int(node, "transA", 0) ? a - 1 : a_inner,
                  vlm_node_int(node, "transB", 0) ? b_inner : b - 1, slots);
}

/* Of two operands one is constant. Its channels are the last label that the output keeps and the other operand lacks. */
int32_t vlm_weights_einsum(const vlm_graph *graph, const vlm_node *node, vlm_weight_slot *slots) {
  const vlm_attr *attr = vlm_node_attr(node, "equation");
  const char *text = attr && attr->kind == VLM_ATTR_STRING ? attr->u.s : "", *comma = strchr(text, ','),
             *arrow = strstr(text, "->");
  if (node->n_inputs != 2 || !comma || !one_side(graph, node, -1, -1, slots)) return 0;
  const char *own = slots[0].input ? comma + 1 : text, *other = slots[0].input ? text : comma + 1;
  size_t own_size = strcspn(own, ",-"), other_size = strcspn(other, ",-");
  int32_t dim = 0;
  if (!arrow || memchr(own, '.', own_size)) return 1;
  for (size_t i = 0; i < own_size; i++) {
    if (own[i] == ' ') continue;
    if (strchr(arrow + 2, own[i]) && !memchr(other, own[i], other_size)) slots[0].axis = dim;
    dim++;
  }
  return 1;
}

int32_t vlm_weights_conv(const vlm_graph *graph, const vlm_node *node, vlm_weight_slot *slots) {
  (void)graph, (void)node;
  slots[0] = (vlm_weight_slot){.input = 1, .axis = 0, .activation = 0};
  return 1;
}

/* [in channels, out channels / group, ...]: one scale serves the same place of every group. */
int32_t vlm_weights_conv_transpose(const vlm_graph *graph, const vlm_node *node, vlm_weight_slot *slots) {
  (void)graph, (void)node;
  slots[0] = (vlm_weight_slot){.input = 1, .axis = 1, .activation = 0};
  return 1;
}

/* Input 1 is [in, out]. */
int32_t vlm_weights_second(const vlm_graph *graph, const vlm_node *node, vlm_weight_slot *slots) {
  (void)graph, (void)node;
  slots[0] = (vlm_weight_slot){.input = 1, .axis = 1, .activation = 0};
  return 1;
}

/* W [directions, gates * hidden, input], R [directions, gates * hidden, hidden]. */
int32_t vlm_weights_recurrent(const vlm_graph *graph, const vlm_node *node, vlm_weight_slot *slots) {
  (void)graph, (void)node;
  slots[0] = (vlm_weight_slot){.input = 1, .axis = 1, .activation = 0};
  slots[1] = (vlm_weight_slot){.input = 2, .axis = 1, .activation = -1};
  return 2;
}

/* A table: one scale per row. Constant ids are folded. */
int32_t vlm_weights_gather(const vlm_graph *graph, const vlm_node *node, vlm_weight_slot *slots) {
  int64_t axis = vlm_node_int(node, "axis", 0), rank = rank_of(graph, node, 0);
  vlm_value_id ids = vlm_node_input(node, 1);
  if (ids == VLM_NO_VALUE || vlm_graph_constant(graph, ids) || axis < -rank || axis >= rank) return 0;
  slots[0] =
      (vlm_weight_slot){.input = 0, .axis = (int32_t)(axis < 0 ? axis + rank : axis), .activation = -1};
  return 1;
}

/* The tables of words, positions and segments. */
int32_t vlm_weights_embeddings(const vlm_graph *graph, const vlm_node *node, vlm_weight_slot *slots) {
  (void)graph, (void)node;
  for (int32_t k = 0; k < 3; k++) slots[k] = (vlm_weight_slot){.input = 2 + k, .axis = 0, .activation = -1};
  return 3;
}
