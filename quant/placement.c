#include "quant/placement.h"

#include <fnmatch.h>
#include <string.h>

enum { MIN_WEIGHTS = 1024, MIN_TABLE = 10000 };

static bool is_op(const vlm_node *node, const char *op_type) { return !*node->domain && !strcmp(node->op_type, op_type); }

static int64_t int_attr(const vlm_node *node, const char *name, int64_t fallback) {
  const vlm_attr *a = vlm_node_attr(node, name);
  return a && a->kind == VLM_ATTR_INT ? a->u.i : fallback;
}

static float float_attr(const vlm_node *node, const char *name, float fallback) {
  const vlm_attr *a = vlm_node_attr(node, name);
  return a && a->kind == VLM_ATTR_FLOAT ? a->u.f : fallback;
}

/* alpha = beta = 1 and C one bias per channel, or one for all. */
static bool plain_gemm(const vlm_graph *graph, const vlm_node *node, const vlm_tensor *weight, int32_t axis) {
  bool bias = node->n_inputs > 2 && node->inputs[2] != VLM_NO_VALUE;
  const vlm_tensor *c = bias ? vlm_graph_constant(graph, node->inputs[2]) : NULL;
  if (!weight || float_attr(node, "alpha", 1) != 1 || (bias && float_attr(node, "beta", 1) != 1)) return false;
  if (!bias) return true;
  int64_t n = c ? vlm_tensor_count(c) : 0;
  return c && (n == 1 || (n == weight->dims[axis] && c->dims[c->rank - 1] == n));
}

static const vlm_tensor *float_constant(const vlm_graph *graph, const vlm_node *node, int32_t k, int min_rank, int max_rank) {
  if (k >= node->n_inputs || node->inputs[k] == VLM_NO_VALUE) return NULL;
  const vlm_tensor *t = vlm_graph_constant(graph, node->inputs[k]);
  return t && t->dtype == VLM_F32 && t->rank >= min_rank && t->rank <= max_rank ? t : NULL;
}

bool vlm_candidate_of(vlm_candidate *out, const vlm_graph *graph, const vlm_node *node) {
  *out = (vlm_candidate){.node = node, .weight_input = 1, .activation = VLM_NO_VALUE};
  if (is_op(node, "MatMul")) {
    out->weight = float_constant(graph, node, 1, 2, 2);
    out->axis = 1;
    out->by_row = true;
  } else if (is_op(node, "Gemm") && !int_attr(node, "transA", 0)) {
    out->weight = float_constant(graph, node, 1, 2, 2);
    out->axis = int_attr(node, "transB", 0) ? 0 : 1;
    out->by_row = plain_gemm(graph, node, out->weight, out->axis);
  } else if (is_op(node, "Conv")) {
    out->weight = float_constant(graph, node, 1, 3, 5);
  } else if (is_op(node, "Gather") && int_attr(node, "axis", 0) == 0) {
    out->weight_input = 0;
    out->weight = float_constant(graph, node, 0, 2, 2);
    return out->weight && !vlm_graph_constant(graph, node->inputs[1]);
  }
  if (!out->weight) return false;
  out->activation = node->inputs[0];
  return !vlm_graph_constant(graph, node->inputs[0]);
}

/* Follows shape-only operators back to a graph input. */
static bool reads_graph_input(const vlm_graph *graph, vlm_value_id id) {
  static const char *const THROUGH[] = {"Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Cast", "Pad"};
  for (;;) {
    const vlm_value *v = &graph->values[id];
    if (v->kind == VLM_VALUE_INPUT) return true;
    if (v->producer < 0) return false;
    const vlm_node *node = &graph->nodes[v->producer];
    bool through = false;
    for (size_t i = 0; i < sizeof THROUGH / sizeof THROUGH[0]; i++) through |= is_op(node, THROUGH[i]);
    if (!through || node->inputs[0] == VLM_NO_VALUE) return false;
    id = node->inputs[0];
  }
}

static bool kept(const vlm_node *node, const vlm_quant_opts *opts) {
  for (int32_t i = 0; i < opts->n_keep; i++)
    if (fnmatch(opts->keep[i], node->name, 0) == 0) return true;
  return false;
}

static vlm_decision decide(vlm_decision decision, const char **reason, const char *why) {
  *reason = why;
  return decision;
}

static vlm_decision place_conv(const vlm_candidate *c, const vlm_graph *graph, const vlm_quant_opts *opts, const char **reason) {
  int64_t group = int_attr(c->node, "group", 1);
  if (opts->activations == VLM_ACTIVATIONS_NONE || opts->activations == VLM_ACTIVATIONS_DYNAMIC)
    return decide(VLM_DECIDE_FLOAT, reason, "convolution without static ranges");
  if (opts->everything) return decide(VLM_DECIDE_STATIC, reason, "everything was asked for");
  if (group > 1 && c->weight->dims[1] == 1) return decide(VLM_DECIDE_FLOAT, reason, "depthwise convolution: cheap, sensitive");
  if (reads_graph_input(graph, c->activation)) return decide(VLM_DECIDE_FLOAT, reason, "first convolution: sees raw pixels");
  return decide(VLM_DECIDE_STATIC, reason, "convolution");
}

static vlm_decision place_by_row(const vlm_candidate *c, const char **reason, const char *why) {
  if (c->by_row) return decide(VLM_DECIDE_DYNAMIC, reason, why);
  return decide(VLM_DECIDE_WEIGHT_ONLY, reason, "alpha, beta or the shape of C leave no range per row");
}

static vlm_decision place_product(const vlm_candidate *c, const char *role, const vlm_quant_opts *opts, const char **reason) {
  switch (opts->activations) {
    case VLM_ACTIVATIONS_STATIC: return decide(VLM_DECIDE_STATIC, reason, "static activations were asked for");
    case VLM_ACTIVATIONS_DYNAMIC: return place_by_row(c, reason, "dynamic activations were asked for");
    case VLM_ACTIVATIONS_NONE: return decide(VLM_DECIDE_WEIGHT_ONLY, reason, "weight-only was asked for");
    case VLM_ACTIVATIONS_AUTO: break;
  }
  if (!strncmp(role, "decoder", 7)) return place_by_row(c, reason, "decoder: one row per token, its own range costs nothing");
  return decide(VLM_DECIDE_STATIC, reason, "matrix product with many rows");
}

vlm_decision vlm_placement(const vlm_candidate *c, const vlm_graph *graph, const char *role, const vlm_quant_opts *opts, const char **reason) {
  if (kept(c->node, opts)) return decide(VLM_DECIDE_FLOAT, reason, "kept by name");
  if (is_op(c->node, "Gather")) {
    if (vlm_tensor_count(c->weight) < MIN_TABLE && strcmp(role, "embed")) return decide(VLM_DECIDE_FLOAT, reason, "small table");
    return decide(VLM_DECIDE_WEIGHT_ONLY, reason, "embedding table, one scale per row");
  }
  if (vlm_tensor_count(c->weight) < MIN_WEIGHTS && !opts->everything) return decide(VLM_DECIDE_FLOAT, reason, "small");
  return is_op(c->node, "Conv") ? place_conv(c, graph, opts, reason) : place_product(c, role, opts, reason);
}
