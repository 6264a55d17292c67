#include <string.h>

#include "onnx/pass.h"

/* A constant with one entry per channel, the dim behind the first of `rank`: as many dims of 1 behind it as the spatial ones. */
static bool is_per_channel(const vlm_tensor *t, int64_t channels, int rank) {
  if (t == NULL || t->dtype != VLM_F32 || t->rank > rank || vlm_tensor_count(t) != channels) return false;
  int at = t->rank - (rank - 1);
  return at >= 0 && t->dims[at] == channels;
}

/* The convolution behind an addend, when nothing else reads it, has no bias yet and one group decides where channels are. */
static int32_t convolution_of(const vlm_graph *graph, vlm_value_id value, const vlm_tensor *addend) {
  int32_t n = graph->values[value].producer;
  const vlm_node *conv = n < 0 ? NULL : &graph->nodes[n];
  const bool transposed = conv != NULL && vlm_node_is(conv, "ConvTranspose");
  if (conv == NULL || (!transposed && !vlm_node_is(conv, "Conv")) || vlm_pass_uses(graph, value) != 1)
    return -1;
  const vlm_tensor *w = vlm_graph_constant(graph, conv->inputs[1]);
  if (w == NULL || w->dtype != VLM_F32 || w->rank < 3 || vlm_node_input(conv, 2) != VLM_NO_VALUE) return -1;
  int64_t channels = transposed ? w->dims[1] * vlm_node_int(conv, "group", 1) : w->dims[0];
  return is_per_channel(addend, channels, w->rank) ? n : -1;
}

/* The addend as a vector, so that it is a bias. */
static vlm_status add_bias(vlm_graph *graph, int32_t conv, int32_t add, const vlm_tensor *addend,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value_id *ids, bias, y = graph->nodes[add].outputs[0];
  const char *name = NULL;
  int64_t channels = vlm_tensor_count(addend);
  vlm_tensor vector = vlm_tensor_make(VLM_F32, 1, &channels, addend->data);
  VLM_TRY(vlm_graph_free_name(graph, &name, graph->values[y].name, ".bias", err));
  VLM_TRY(vlm_graph_add_constant(graph, &bias, name, &vector, true, err));
  VLM_TRY(vlm_arena_new(graph->arena, &ids, 3, err));
  memcpy(ids, (vlm_value_id[]){graph->nodes[conv].inputs[0], graph->nodes[conv].inputs[1], bias},
         3 * sizeof *ids);
  graph->nodes[conv].inputs = ids;
  graph->nodes[conv].n_inputs = 3;
  graph->nodes[add].outputs[0] = VLM_NO_VALUE;
  graph->values[graph->nodes[conv].outputs[0]].producer = -1;
  vlm_node_set_output(graph, conv, 0, y);
out:
  return st;
}

vlm_status vlm_pass_conv_bias(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  (void)opts;
  for (int32_t n = 0; n < graph->n_nodes; n++) {
    vlm_value_id constant, other;
    const vlm_node *node = &graph->nodes[n];
    if (!vlm_node_is(node, "Add") || node->opset < 7 || node->outputs[0] == VLM_NO_VALUE) continue;
    if (!vlm_pass_split(graph, node, &constant, &other)) continue;
    const vlm_tensor *addend = vlm_graph_constant(graph, constant);
    int32_t conv = convolution_of(graph, other, addend);
    if (conv < 0) continue;
    VLM_TRY(add_bias(graph, conv, n, addend, err));
    ++*changes;
  }
out:
  return st;
}
