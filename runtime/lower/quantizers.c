/* QuantizeLinear goes in front of what only moves its values, which then moves bytes, and into the norm whose result only it reads. */
#include "runtime/lower/lower_private.h"

/* The operands of a QuantizeLinear with one range for all, in float32 and uint8. */
static bool reads_floats(const vlm_graph *g, const vlm_node *q) {
  const vlm_value_id zero_id = vlm_node_is(q, "QuantizeLinear") ? vlm_node_input(q, 2) : VLM_NO_VALUE;
  if (zero_id == VLM_NO_VALUE || q->opset >= 23 || vlm_node_int(q, "block_size", 0)) return false;
  const vlm_tensor *scale = vlm_graph_constant(g, q->inputs[1]), *zero = vlm_graph_constant(g, zero_id);
  return vlm_is_scalar(scale) && scale->dtype == VLM_F32 && vlm_is_scalar(zero) && zero->dtype == VLM_U8;
}

/* Pads with zeros, which are the zero point in bytes. */
static bool pads_zeros(const vlm_graph *g, const vlm_node *node) {
  const vlm_attr *mode = vlm_node_attr(node, "mode");
  const vlm_value_id id = vlm_node_input(node, 2);
  const vlm_tensor *value = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(g, id);
  if (!vlm_node_is(node, "Pad") || node->opset < 11 ||
      (mode && mode->kind == VLM_ATTR_STRING && strcmp(mode->u.s, "constant")))
    return false;
  return id == VLM_NO_VALUE || (value && vlm_tensor_count(value) == 1 && vlm_tensor_get(value, 0) == 0);
}

/* Any element of input 0 once at most, nothing of other inputs. */
static bool only_moves(const vlm_node *node) {
  static const char *const MOVES[] = {"Reshape", "Transpose", "Squeeze", "Unsqueeze",
                                      "Flatten", "Slice",     "Identity"};
  for (size_t i = 0; i < sizeof MOVES / sizeof MOVES[0]; i++)
    if (vlm_node_is(node, MOVES[i])) return true;
  return false;
}

/* x -> move -> quantize becomes x -> quantize -> move: the two nodes change places. */
static vlm_status swap(vlm_lowering *l, int32_t move, int32_t quantize) {
  vlm_status st = VLM_OK;
  vlm_graph *g = l->graph;
  const vlm_value_id bytes = g->nodes[quantize].outputs[0];
  vlm_value_id between;
  const vlm_tensor unknown = {.dtype = VLM_U8, .rank = -1};
  VLM_TRY(vlm_graph_add_value(g, &between, NULL, VLM_VALUE_NODE, l->err));
  g->values[between].tensor = unknown;
  VLM_TRY(vlm_set_input(g, quantize, 0, g->nodes[move].inputs[0], l->err));
  vlm_node_set_output(g, quantize, 0, between);
  VLM_TRY(vlm_set_input(g, move, 0, between, l->err));
  vlm_node_set_output(g, move, 0, bytes);
  if (vlm_node_is(&g->nodes[move], "Pad"))
    VLM_TRY(vlm_set_input(g, move, 2, g->nodes[quantize].inputs[2], l->err));
out:
  return st;
}

/* Whoever else reads what is moved goes on reading floats, so the move would be made twice. */
static bool read_once(const vlm_lowering *l, vlm_value_id id) { return id < l->n_values && l->uses[id] == 1; }

static int32_t norm_in_front(const vlm_lowering *l, const vlm_node *q) {
  static const char *const NORMS[] = {"LayerNormalization", "RMSNormalization",
                                      "SimplifiedLayerNormalization"};
  const vlm_node *node = vlm_maker(l->graph, q->inputs[0]);
  bool found = false;
  if (!node || !read_once(l, q->inputs[0]) || (*node->domain && strcmp(node->domain, "com.microsoft")))
    return -1;
  for (size_t i = 0; i < sizeof NORMS / sizeof NORMS[0]; i++)
    found = found || !strcmp(node->op_type, NORMS[i]);
  for (int32_t k = 1; k < node->n_outputs; k++) found = found && node->outputs[k] == VLM_NO_VALUE;
  return found ? (int32_t)(node - l->graph->nodes) : -1;
}

static vlm_status join_norm(vlm_lowering *l, int32_t n, int32_t quantize) {
  vlm_status st = VLM_OK;
  const vlm_node *node = &l->graph->nodes[n], *q = &l->graph->nodes[quantize];
  const vlm_value_id bytes = q->outputs[0];
  const bool rms = strcmp(node->op_type, "LayerNormalization") != 0;
  const vlm_value_id inputs[] = {node->inputs[0], node->inputs[1], q->inputs[1], q->inputs[2],
                                 rms ? VLM_NO_VALUE : vlm_node_input(node, 2)};
  const vlm_attr attrs[] = {
      vlm_int_attr("axis", vlm_node_int(node, "axis", -1)),
      {.name = "epsilon", .kind = VLM_ATTR_FLOAT, .u.f = vlm_node_float(node, "epsilon", 1e-5f)},
      vlm_int_attr("rms", rms)};
  vlm_node_unlink(l->graph, quantize);
  l->graph->nodes[n].n_outputs = 1;
  VLM_TRY(vlm_make_internal(
      l, n,
      &(vlm_node_form){
          .op_type = "QLayerNorm", .inputs = inputs, .n_inputs = 5, .attrs = attrs, .n_attrs = 3},
      bytes));
out:
  return st;
}

static vlm_status lower_quantizer(vlm_lowering *l, int32_t n) {
  vlm_status st = VLM_OK;
  for (;;) {
    const vlm_node *q = &l->graph->nodes[n], *move = vlm_maker(l->graph, q->inputs[0]);
    if (!move || !read_once(l, q->inputs[0]) || !(only_moves(move) || pads_zeros(l->graph, move))) break;
    VLM_TRY(swap(l, (int32_t)(move - l->graph->nodes), n));
  }
  const int32_t norm = norm_in_front(l, &l->graph->nodes[n]);
  if (norm >= 0) VLM_TRY(join_norm(l, norm, n));
out:
  return st;
}

vlm_status vlm_lower_quantizers(vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lowering l = {0};
  VLM_TRY(vlm_lowering_open(&l, graph, NULL, err));
  for (int32_t n = 0; n < l.n_nodes; n++)
    if (reads_floats(graph, &graph->nodes[n])) VLM_TRY(lower_quantizer(&l, n));
out:
  vlm_lowering_close(&l);
  return st;
}
