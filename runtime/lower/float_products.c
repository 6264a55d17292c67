/* MatMul and Gemm that stay float take bias, activation and the Add behind them: vlm.MatMul. The integer and weight-only products take the Add. */
#include "runtime/lower/lower_private.h"

/* The other operand of the Add behind the tail, which ends there then; VLM_NO_VALUE when there is none. */
static vlm_value_id take_residual(vlm_lowering *l, vlm_tail *t) {
  const int32_t n = vlm_only_reader(l, t->output);
  const vlm_node *add = n < 0 ? NULL : &l->graph->nodes[n];
  if (!add || !vlm_node_is(add, "Add") || add->opset < 7) return VLM_NO_VALUE;
  const vlm_value_id other = add->inputs[add->inputs[0] == t->output ? 1 : 0];
  t->output = add->outputs[0];
  l->gone[n] = true;
  vlm_node_unlink(l->graph, n);
  return other;
}

/* ---- float ---- */

typedef struct {
  bool w_rows;
  int64_t channels;
  int32_t bias_rank; /* most dims that a bias may have */
  vlm_value_id addend;
} float_product;

static bool read_gemm(const vlm_graph *g, const vlm_node *node, float_product *p) {
  if (vlm_node_int(node, "transA", 0) || vlm_node_float(node, "alpha", 1) != 1) return false;
  p->addend = vlm_node_input(node, 2);
  return p->addend == VLM_NO_VALUE ||
         (vlm_node_float(node, "beta", 1) == 1 && vlm_is_channel_vector(g, p->addend, p->channels, 1, 2));
}

static bool read_float(const vlm_graph *g, const vlm_node *node, float_product *p) {
  const bool gemm = vlm_node_is(node, "Gemm");
  if (!gemm && !vlm_node_is(node, "MatMul")) return false;
  const vlm_tensor *w = vlm_graph_constant(g, node->inputs[1]);
  if (!w || w->dtype != VLM_F32 || w->rank != 2 || vlm_graph_constant(g, node->inputs[0])) return false;
  *p = (float_product){.w_rows = gemm && vlm_node_int(node, "transB", 0) != 0,
                       .bias_rank = gemm ? 2 : 1,
                       .addend = VLM_NO_VALUE};
  p->channels = w->dims[p->w_rows ? 0 : 1];
  return !gemm || read_gemm(g, node, p);
}

static void unlink_taken(vlm_lowering *l, const vlm_tail *t, int32_t n) {
  vlm_value_id at = l->graph->nodes[n].outputs[0];
  while (at != t->output) {
    const int32_t next = l->reader[at];
    at = l->graph->nodes[next].outputs[0];
    vlm_node_unlink(l->graph, next);
  }
}

static vlm_status lower_float(vlm_lowering *l, int32_t n, const float_product *p) {
  vlm_status st = VLM_OK;
  vlm_attr attrs[3] = {vlm_int_attr("transB", p->w_rows)};
  int32_t n_attrs = 1;
  const vlm_node *node = &l->graph->nodes[n];
  const vlm_value_id x = node->inputs[0], w = node->inputs[1], product = node->outputs[0];
  vlm_tail t = vlm_tail_of(product);
  t.bias = p->addend;
  vlm_take_bias(l, &t, p->channels, 1, p->bias_rank);
  vlm_take_activation(l, &t);
  unlink_taken(l, &t, n);
  const vlm_value_id residual = take_residual(l, &t);
  if (t.output == product) return VLM_OK;
  if (t.bias != VLM_NO_VALUE) VLM_TRY(vlm_spread(l, &t.bias, p->channels, 1, 1));
  VLM_TRY(vlm_activation_attrs(l, &t.activation, attrs, &n_attrs));
  const vlm_value_id inputs[] = {x, w, t.bias, residual};
  VLM_TRY(vlm_make_internal(
      l, n,
      &(vlm_node_form){
          .op_type = "MatMul", .inputs = inputs, .n_inputs = 4, .attrs = attrs, .n_attrs = n_attrs},
      t.output));
out:
  return st;
}

/* ---- 8 bits ---- */

static const struct {
  const char *op_type;
  int32_t residual, bytes; /* inputs; with the second the result is bytes, -1 = never */
} PRODUCTS[] = {{"QMatMul", 8, 6}, {"QMatMulDynamic", 4, 5}, {"WMatMul", 4, -1}};

/* The input that is the addend; -1 = the operator takes none. */
static int32_t residual_input(const vlm_node *node) {
  for (size_t i = 0; i < sizeof PRODUCTS / sizeof PRODUCTS[0]; i++) {
    if (strcmp(node->domain, "vlm") || strcmp(node->op_type, PRODUCTS[i].op_type)) continue;
    const bool bytes = PRODUCTS[i].bytes >= 0 && vlm_node_input(node, PRODUCTS[i].bytes) != VLM_NO_VALUE;
    return bytes || vlm_node_int(node, "transY", 0) ? -1 : PRODUCTS[i].residual;
  }
  return -1;
}

static vlm_status lower_integer(vlm_lowering *l, int32_t n, int32_t input) {
  vlm_tail t = vlm_tail_of(l->graph->nodes[n].outputs[0]);
  const vlm_value_id residual = take_residual(l, &t);
  if (residual == VLM_NO_VALUE) return VLM_OK;
  vlm_node_set_output(l->graph, n, 0, t.output);
  return vlm_set_input(l->graph, n, input, residual, l->err);
}

vlm_status vlm_lower_float_products(vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lowering l = {0};
  float_product p;
  VLM_TRY(vlm_lowering_open(&l, graph, NULL, err));
  for (int32_t n = 0; n < l.n_nodes; n++) {
    if (l.gone[n]) continue;
    const int32_t input = residual_input(&graph->nodes[n]);
    if (input >= 0) VLM_TRY(lower_integer(&l, n, input));
    else if (read_float(graph, &graph->nodes[n], &p)) VLM_TRY(lower_float(&l, n, &p));
  }
out:
  vlm_lowering_close(&l);
  return st;
}
