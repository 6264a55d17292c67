#include <string.h>

#include "export/exporter.h"

/* ---- planned nodes in the graphs ---- */

static bool is_planned(const vlm_node_plan *p, const vlm_graph *graph, const vlm_node *node) {
  if (strcmp(p->node, node->name) != 0 || strcmp(p->op_type, node->op_type) != 0) return false;
  vlm_value_id id = vlm_node_input(node, p->slot.input);
  const vlm_tensor *w = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(graph, id);
  return w && w->dtype == p->constant.dtype && vlm_tensor_same_shape(w, &p->constant);
}

static bool is_taken(const vlm_exporter *x, const vlm_graph *graph, int32_t n, int32_t input) {
  for (int32_t i = 0; i < x->n_items; i++)
    if (x->items[i].graph == graph && x->items[i].node == n && x->items[i].plan->slot.input == input)
      return true;
  return false;
}

/* Names need not be distinct: the first that is not taken, as the plan has them in order. */
static int32_t find_node(const vlm_exporter *x, const vlm_graph *graph, const vlm_node_plan *p) {
  for (int32_t n = 0; n < graph->n_nodes; n++)
    if (is_planned(p, graph, &graph->nodes[n]) && !is_taken(x, graph, n, p->slot.input)) return n;
  return -1;
}

static vlm_status add_item(vlm_exporter *x, vlm_graph *graph, const vlm_node_plan *plan) {
  vlm_status st = VLM_OK;
  int32_t n = find_node(x, graph, plan);
  VLM_CHECK(n >= 0, x->err, VLM_INTERNAL, "%s: node \"%s\" (%s) of the plan is not in the graph", plan->graph,
            plan->node, plan->op_type);
  if (x->n_items == x->cap_items) {
    int32_t wanted = x->cap_items ? 2 * x->cap_items : 64;
    VLM_TRY(vlm_more(&x->items, x->n_items, wanted, x->err));
    x->cap_items = wanted;
  }
  x->items[x->n_items++] = (vlm_export_item){.graph = graph, .node = n, .plan = plan, .through = -1};
out:
  return st;
}

/* ---- the form of each ---- */

typedef struct {
  vlm_export_form form;
  const char *why;
} answer;

static answer stays_float(const char *why) { return (answer){VLM_EXPORT_FLOAT, why}; }

static answer stored(const vlm_exporter *x) {
  if (vlm_exporter_has(x, VLM_TARGET_WEIGHT_DQ)) return (answer){VLM_EXPORT_WEIGHT_ONLY, NULL};
  return stays_float("the target would dequantize the weights on every run");
}

/* A bias that kernels add to the sums. */
static const char *bias_trouble(const vlm_exporter *x, const vlm_export_item *item) {
  vlm_value_id id = vlm_export_bias_id(item);
  const vlm_tensor *b = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(item->graph, id);
  int64_t channels = item->plan->constant.dims[item->plan->slot.axis];
  if (id == VLM_NO_VALUE || vlm_exporter_has(x, VLM_TARGET_FLOAT_BIAS)) return NULL;
  if (!b) return "its bias is computed";
  bool row =
      vlm_tensor_count(b) == 1 || (vlm_tensor_count(b) == channels && b->dims[b->rank - 1] == channels);
  return row ? NULL : "its addend is no bias: one number per channel";
}

static answer as_convolution(vlm_exporter *x, const vlm_export_item *item) {
  const vlm_node_plan *p = item->plan;
  bool turned = item->graph->nodes[item->node].traits->family == VLM_FAMILY_TRANSPOSED;
  int32_t flag = turned ? VLM_TARGET_TRANSPOSED : VLM_TARGET_CONV;
  if (p->decision != VLM_DECIDE_STATIC) return stored(x);
  if (!vlm_exporter_has(x, flag))
    return stays_float(turned ? "the target has no transposed convolution in 8 bits"
                              : "the target has no convolution in 8 bits");
  if (bias_trouble(x, item)) return stays_float(bias_trouble(x, item));
  return (answer){VLM_EXPORT_STATIC, NULL};
}

static const char *product_trouble(const vlm_exporter *x, const vlm_export_item *item) {
  const vlm_node *node = &item->graph->nodes[item->node];
  const vlm_value *in = &item->graph->values[node->inputs[item->plan->slot.activation]];
  if (item->plan->slot.input != 1) return "the constant is on the left";
  if (vlm_node_int(node, "transA", 0)) return "its activations are read transposed";
  if (vlm_exporter_has(x, VLM_TARGET_PRODUCT_MATRIX) && in->tensor.rank != 2)
    return "the target takes products of matrices with two dims only";
  return NULL;
}

static answer as_dynamic(const vlm_exporter *x, const vlm_export_item *item) {
  if (!vlm_exporter_has(x, VLM_TARGET_DYNAMIC)) {
    answer a = stored(x);
    if (a.form == VLM_EXPORT_FLOAT)
      a.why = "the target has no ranges at run time; --activations static has none";
    return a;
  }
  if (product_trouble(x, item)) return stays_float(product_trouble(x, item));
  return (answer){VLM_EXPORT_DYNAMIC, NULL};
}

static answer as_stored_product(const vlm_exporter *x, const vlm_export_item *item) {
  if (!vlm_exporter_has(x, VLM_TARGET_NBITS)) return stored(x);
  if (product_trouble(x, item)) return stays_float(product_trouble(x, item));
  if (item->plan->constant.rank != 2) return stays_float("MatMulNBits takes one matrix");
  return (answer){VLM_EXPORT_WEIGHT_ONLY, NULL};
}

static answer as_product(vlm_exporter *x, const vlm_export_item *item) {
  switch (item->plan->decision) {
    case VLM_DECIDE_DYNAMIC: return as_dynamic(x, item);
    case VLM_DECIDE_WEIGHT_ONLY: return as_stored_product(x, item);
    default: break;
  }
  if (!vlm_exporter_has(x, VLM_TARGET_PRODUCT))
    return stays_float("the target has no matrix product in 8 bits");
  if (product_trouble(x, item)) return stays_float(product_trouble(x, item));
  if (bias_trouble(x, item)) return stays_float(bias_trouble(x, item));
  return (answer){VLM_EXPORT_STATIC, NULL};
}

static answer as_table(const vlm_export_item *item) {
  if (item->plan->slot.axis != 0) return stays_float("rows of the table are not along its first dim");
  return (answer){VLM_EXPORT_WEIGHT_ONLY, NULL};
}

static bool is_spared(const vlm_exporter *x, const vlm_node_plan *plan) {
  for (int32_t i = 0; i < x->opts->n_spared; i++)
    if (x->opts->spared[i] == plan) return true;
  return false;
}

static answer decide(vlm_exporter *x, const vlm_export_item *item) {
  const vlm_node *node = &item->graph->nodes[item->node];
  if (item->plan->decision == VLM_DECIDE_FLOAT) return (answer){VLM_EXPORT_FLOAT, NULL};
  if (vlm_exporter_has(x, VLM_TARGET_HALF)) return stays_float("the target computes in float16");
  if (item->plan->constant.dtype != VLM_F32) return stays_float("its floats are no float32");
  if (is_spared(x, item->plan)) return stays_float("8 bits of what it makes cost the outputs too much");
  if (*node->domain) return stays_float("no operator of ai.onnx");
  switch (node->traits->family) {
    case VLM_FAMILY_CONVOLUTION:
    case VLM_FAMILY_TRANSPOSED: return as_convolution(x, item);
    case VLM_FAMILY_PRODUCT: return as_product(x, item);
    case VLM_FAMILY_TABLE: return as_table(item);
    default: return stays_float("the operator has no form with 8-bit weights");
  }
}

static bool needs_output(const vlm_exporter *x, const vlm_export_item *item) {
  if (item->form != VLM_EXPORT_STATIC) return false;
  bool product = item->graph->nodes[item->node].traits->family == VLM_FAMILY_PRODUCT;
  return vlm_exporter_has(x, product ? VLM_TARGET_PRODUCT_OUTPUT : VLM_TARGET_CONV_OUTPUT);
}

static bool fits(vlm_exporter *x, vlm_export_item *item, vlm_status *st) {
  const vlm_weight_s8 *w;
  vlm_value_id bias = vlm_export_bias_id(item);
  if (bias == VLM_NO_VALUE || vlm_exporter_has(x, VLM_TARGET_FLOAT_BIAS)) return true;
  *st =
      vlm_weight_store_get(&w, x->plan->weights, &item->plan->constant, item->plan->slot.axis, false, x->err);
  return *st != VLM_OK ||
         vlm_export_bias_fits(item, bias, item->plan->range.scale * vlm_export_alpha(item), &w->scale);
}

/* What is read decides what is made, and the other way round: until nothing changes. */
static vlm_status settle(vlm_exporter *x) {
  vlm_status st = VLM_OK;
  for (bool changed = true; changed;) {
    changed = false;
    for (int32_t i = 0; i < x->n_items; i++) {
      vlm_export_item *item = &x->items[i];
      bool wide = item->form == VLM_EXPORT_STATIC && !fits(x, item, &st), known = true;
      VLM_TRY(st);
      if (!wide && needs_output(x, item)) VLM_TRY(vlm_export_can_quantize_output(x, item, &known));
      if (!wide && known) continue;
      item->form = VLM_EXPORT_FLOAT;
      item->why = wide ? "its bias does not fit into 32 bits"
                       : "the range of what it makes is not known: vlm-calibrate --everything measures it";
      changed = true;
    }
  }
out:
  return st;
}

vlm_status vlm_export_find_items(vlm_exporter *x) {
  vlm_status st = VLM_OK;
  for (int32_t b = 0; b < x->bodies.count; b++)
    for (int32_t i = 0; i < x->plan->count; i++)
      if (!strcmp(x->plan->nodes[i].graph, x->bodies.items[b].path))
        VLM_TRY(add_item(x, x->bodies.items[b].graph, &x->plan->nodes[i]));
  for (int32_t i = 0; i < x->n_items; i++) {
    answer a = decide(x, &x->items[i]);
    x->items[i].form = a.form;
    x->items[i].why = a.why;
  }
  VLM_TRY(settle(x));
out:
  return st;
}
