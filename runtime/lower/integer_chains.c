/* Models that quantize their activations when they run, as ONNX Runtime's quantize_dynamic writes them, in QDQ
 * form:
 *
 *   xq, s, z = DynamicQuantizeLinear(x);  y = Cast(MatMulInteger(xq, w, z)) * (s * w_scale)
 *
 * becomes MatMul(DequantizeLinear(xq, s, z), DequantizeLinear(w, w_scale)), ConvInteger likewise, so that the
 * rules see products whose ranges are computed. Same numbers. ConvInteger stays where its weights have zero
 * points of their own: it has the exact sums for them. */
#include "runtime/lower/lower_private.h"

enum { X, W, X_ZERO, W_ZERO, QDQ_OPSET = 13 };

typedef struct {
  bool convolution;
  vlm_value_id x_scale, w_scale, output; /* of the float that the chain ends with */
  int32_t taken[3], n_taken;             /* the Cast and one or two Muls */
} chain;

static const vlm_tensor *constant(const vlm_graph *g, vlm_value_id id) {
  return id == VLM_NO_VALUE ? NULL : vlm_graph_constant(g, id);
}

/* The DynamicQuantizeLinear whose output k the value is. */
static const vlm_node *quantizer(const vlm_graph *g, vlm_value_id id, int32_t k) {
  const vlm_node *node = vlm_maker(g, id);
  bool dynamic = node && vlm_node_is(node, "DynamicQuantizeLinear") && node->n_outputs == 3;
  return dynamic && node->outputs[k] == id ? node : NULL;
}

static const vlm_node *follow(const vlm_lowering *l, chain *c, const char *op_type) {
  int32_t n = vlm_only_reader(l, c->output);
  const vlm_node *node = n < 0 ? NULL : &l->graph->nodes[n];
  if (!node || !vlm_node_is(node, op_type)) return NULL;
  c->taken[c->n_taken++] = n;
  c->output = node->outputs[0];
  return node;
}

static bool is_floats(const vlm_graph *g, vlm_value_id id) {
  const vlm_tensor *t = constant(g, id);
  return t && t->dtype == VLM_F32;
}

/* One factor: the scale of x, that of the weights, or their product. */
static bool read_one(const vlm_graph *g, const vlm_node *node, vlm_value_id id, chain *c) {
  bool of_x = node->outputs[1] == id;
  vlm_value_id *place = of_x ? &c->x_scale : &c->w_scale;
  if (*place != VLM_NO_VALUE || (!of_x && !is_floats(g, id))) return false;
  *place = id;
  return true;
}

static bool read_factor(const vlm_graph *g, const vlm_node *node, vlm_value_id id, chain *c) {
  const vlm_node *both = vlm_maker(g, id);
  if (!both || !vlm_node_is(both, "Mul")) return read_one(g, node, id, c);
  return read_one(g, node, both->inputs[0], c) && read_one(g, node, both->inputs[1], c);
}

/* dynamic: the node that quantizes x. */
static bool read_scales(const vlm_lowering *l, const vlm_node *dynamic, chain *c) {
  const vlm_node *cast = follow(l, c, "Cast");
  if (!cast || vlm_node_int(cast, "to", 0) != vlm_dtype_onnx(VLM_F32)) return false;
  while (c->x_scale == VLM_NO_VALUE || c->w_scale == VLM_NO_VALUE) {
    vlm_value_id before = c->output;
    const vlm_node *mul = c->n_taken < 3 ? follow(l, c, "Mul") : NULL;
    if (!mul || !read_factor(l->graph, dynamic, mul->inputs[mul->inputs[0] == before ? 1 : 0], c))
      return false;
  }
  return true;
}

static bool is_symmetric(const vlm_tensor *w, const vlm_tensor *zero) {
  int64_t middle = w->dtype == VLM_U8 ? 128 : 0;
  for (int64_t i = 0; zero && i < vlm_tensor_count(zero); i++)
    if (vlm_tensor_get_int(zero, i) != middle) return false;
  return zero || w->dtype == VLM_S8;
}

static int64_t channel_axis(const chain *c, const vlm_tensor *w) { return c->convolution ? 0 : w->rank - 1; }

/* One for all, or one per channel of the result. */
static bool fits(const vlm_graph *g, const chain *c, const vlm_tensor *w, const vlm_tensor *zero) {
  int64_t channels = w->dims[channel_axis(c, w)], zeros = zero ? vlm_tensor_count(zero) : 1;
  int32_t place = c->convolution ? w->rank - 1 : 1;
  return vlm_is_channel_vector(g, c->w_scale, channels, place, w->rank) && (zeros == 1 || zeros == channels);
}

static bool read_chain(const vlm_lowering *l, const vlm_node *node, chain *c) {
  const vlm_graph *g = l->graph;
  *c = (chain){.convolution = vlm_node_is(node, "ConvInteger"),
               .x_scale = VLM_NO_VALUE,
               .w_scale = VLM_NO_VALUE,
               .output = node->outputs[0]};
  if (!c->convolution && !vlm_node_is(node, "MatMulInteger")) return false;
  const vlm_node *dynamic = quantizer(g, node->inputs[X], 0);
  vlm_value_id w_zero = vlm_node_input(node, W_ZERO);
  const vlm_tensor *w = constant(g, node->inputs[W]), *zero = constant(g, w_zero);
  if (!dynamic || quantizer(g, vlm_node_input(node, X_ZERO), 2) != dynamic || !w || w->rank < 2 ||
      (w_zero != VLM_NO_VALUE && !zero) || (c->convolution && !is_symmetric(w, zero)))
    return false;
  return read_scales(l, dynamic, c) && fits(g, c, w, zero);
}

/* Scales and zero points of any shape as one per channel each. */
static vlm_status weight_range(vlm_lowering *l, const chain *c, const vlm_tensor *w, const vlm_tensor *zero,
                               vlm_value_id range[2]) {
  vlm_status st = VLM_OK;
  int64_t channels = w->dims[channel_axis(c, w)];
  uint8_t *zeros;
  range[0] = c->w_scale;
  VLM_TRY(vlm_spread(l, &range[0], channels, 1, 1));
  VLM_TRY(vlm_arena_new(l->graph->arena, &zeros, channels, l->err));
  for (int64_t i = 0; zero && i < channels; i++)
    zeros[i] = ((const uint8_t *)zero->data)[i % vlm_tensor_count(zero)];
  const vlm_tensor all = vlm_tensor_make(w->dtype, 1, &channels, zeros);
  VLM_TRY(vlm_graph_add_constant(l->graph, &range[1], NULL, &all, false, l->err));
out:
  return st;
}

static vlm_status spell_out(vlm_lowering *l, int32_t n, const chain *c) {
  vlm_status st = VLM_OK;
  const vlm_node node = l->graph->nodes[n];
  const vlm_tensor w = *constant(l->graph, node.inputs[W]),
                   *zero = constant(l->graph, vlm_node_input(&node, W_ZERO));
  const vlm_attr axis = vlm_int_attr("axis", channel_axis(c, &w));
  vlm_value_id in[2] = {VLM_NO_VALUE, VLM_NO_VALUE}, range[2];
  VLM_TRY(weight_range(l, c, &w, zero, range));
  const vlm_value_id x[] = {node.inputs[X], c->x_scale, node.inputs[X_ZERO]},
                     back[] = {node.inputs[W], range[0], range[1]};
  vlm_node_form dequantize = {.op_type = "DequantizeLinear", .opset = QDQ_OPSET, .inputs = x, .n_inputs = 3};
  VLM_TRY(vlm_add_node(l, &in[X], &dequantize));
  dequantize.inputs = back;
  dequantize.attrs = &axis;
  dequantize.n_attrs = 1;
  VLM_TRY(vlm_add_node(l, &in[W], &dequantize));
  for (int32_t i = 0; i < c->n_taken; i++) l->graph->nodes[c->taken[i]].outputs[0] = VLM_NO_VALUE;
  VLM_TRY(vlm_replace_node(l, n,
                           &(vlm_node_form){.op_type = c->convolution ? "Conv" : "MatMul",
                                            .opset = QDQ_OPSET,
                                            .inputs = in,
                                            .n_inputs = 2,
                                            .attrs = node.attrs,
                                            .n_attrs = node.n_attrs},
                           c->output));
out:
  return st;
}

vlm_status vlm_lower_integer_chains(vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lowering l = {0};
  chain c;
  VLM_TRY(vlm_lowering_open(&l, graph, NULL, err));
  for (int32_t n = 0; n < l.n_nodes; n++)
    if (read_chain(&l, &graph->nodes[n], &c)) VLM_TRY(spell_out(&l, n, &c));
out:
  vlm_lowering_close(&l);
  return st;
}
