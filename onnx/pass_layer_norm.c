#include <math.h>
#include <string.h>

#include "onnx/pass.h"

/* (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon) over the last `axes` dimensions. */
typedef struct layer_norm {
  vlm_value_id x;
  int32_t axes;
  float epsilon;
} layer_norm;

/* Number of last dimensions that a ReduceMean with keepdims works on; 0 = it is not of that form. Axes >= 0 need the rank of x. */
static int32_t last_axes(const vlm_graph *graph, const vlm_node *mean, vlm_value_id x) {
  const vlm_attr *attr = vlm_node_attr(mean, "axes"), *keep = vlm_node_attr(mean, "keepdims");
  const vlm_tensor *input = mean->n_inputs > 1 ? vlm_graph_constant(graph, mean->inputs[1]) : NULL;
  const int64_t *axes = NULL;
  int64_t count = 0, lowest = 0;
  if (keep != NULL && keep->u.i == 0) return 0;
  if (attr != NULL && attr->kind == VLM_ATTR_INTS) axes = attr->u.ints, count = attr->count;
  else if (input != NULL && input->dtype == VLM_S64) axes = input->data, count = vlm_tensor_count(input);
  if (count < 1 || count > VLM_MAX_RANK) return 0;
  uint32_t seen = 0;
  for (int64_t k = 0; k < count; k++) {
    int64_t axis = axes[k], rank = graph->values[x].tensor.rank;
    if (axis >= 0) axis = rank > 0 ? axis - rank : 0;
    if (axis >= 0 || axis < -VLM_MAX_RANK) return 0;
    seen |= 1u << -axis;
    if (axis < lowest) lowest = axis;
  }
  return lowest == -count && seen == ((1u << (count + 1)) - 2) ? (int32_t)count : 0;
}

/* d = x - ReduceMean(x) */
static bool is_centered(const vlm_graph *graph, vlm_value_id d, vlm_value_id *x, int32_t *axes) {
  const vlm_node *sub = vlm_graph_producer(graph, d, "Sub");
  const vlm_node *mean = sub != NULL ? vlm_graph_producer(graph, sub->inputs[1], "ReduceMean") : NULL;
  if (mean == NULL || mean->inputs[0] != sub->inputs[0]) return false;
  *x = sub->inputs[0];
  *axes = last_axes(graph, mean, *x);
  return *axes > 0;
}

/* sq = d * d or d ^ 2 */
static bool is_square(const vlm_graph *graph, vlm_value_id sq, vlm_value_id *d) {
  const vlm_node *pow2 = vlm_graph_producer(graph, sq, "Pow"), *mul = vlm_graph_producer(graph, sq, "Mul");
  double exponent = 0;
  if (mul != NULL && mul->inputs[0] == mul->inputs[1]) return *d = mul->inputs[0], true;
  if (pow2 == NULL || !vlm_pass_scalar(graph, pow2->inputs[1], &exponent) || exponent != 2) return false;
  return *d = pow2->inputs[0], true;
}

/* sd = Sqrt(ReduceMean(d * d) + epsilon) of the same x */
static bool is_deviation(const vlm_graph *graph, vlm_value_id sd, layer_norm *n) {
  vlm_value_id epsilon, var, d, x;
  int32_t axes = 0;
  double value = 0;
  const vlm_node *root = vlm_graph_producer(graph, sd, "Sqrt");
  const vlm_node *add = root != NULL ? vlm_graph_producer(graph, root->inputs[0], "Add") : NULL;
  if (add == NULL || !vlm_pass_split(graph, add, &epsilon, &var) || !vlm_pass_scalar(graph, epsilon, &value))
    return false;
  const vlm_node *mean = vlm_graph_producer(graph, var, "ReduceMean");
  if (mean == NULL || last_axes(graph, mean, n->x) != n->axes || !is_square(graph, mean->inputs[0], &d))
    return false;
  n->epsilon = (float)value;
  return is_centered(graph, d, &x, &axes) && x == n->x && axes == n->axes;
}

static bool is_normalized(const vlm_graph *graph, vlm_value_id id, layer_norm *n) {
  const vlm_node *div = vlm_graph_producer(graph, id, "Div");
  return div != NULL && is_centered(graph, div->inputs[0], &n->x, &n->axes) &&
         is_deviation(graph, div->inputs[1], n);
}

/* The operator wants a scale of exactly the normalized dimensions. */
static bool fits(const vlm_graph *graph, vlm_value_id id, const layer_norm *n) {
  const vlm_tensor *t = vlm_graph_constant(graph, id);
  return t != NULL && t->rank == n->axes && vlm_tensor_count(t) > 1;
}

static bool is_scaled(const vlm_graph *graph, vlm_value_id id, layer_norm *n, vlm_value_id *scale) {
  vlm_value_id rest;
  const vlm_node *mul = vlm_graph_producer(graph, id, "Mul");
  return mul != NULL && vlm_pass_split(graph, mul, scale, &rest) && is_normalized(graph, rest, n) &&
         fits(graph, *scale, n);
}

static vlm_status write_norm(vlm_graph *graph, int32_t at, const layer_norm *n, vlm_value_id scale,
                             vlm_value_id bias, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_value_id inputs[3] = {n->x, scale, bias};
  VLM_TRY(vlm_pass_rewrite(graph, at, "", "LayerNormalization", 17, inputs, bias != VLM_NO_VALUE ? 3 : 2, 2,
                           err));
  graph->nodes[at].attrs[0] = (vlm_attr){.name = "axis", .kind = VLM_ATTR_INT, .u.i = -n->axes};
  graph->nodes[at].attrs[1] = (vlm_attr){.name = "epsilon", .kind = VLM_ATTR_FLOAT, .u.f = n->epsilon};
out:
  return st;
}

/* First with the bias; what is left of scales without one comes second. */
static vlm_status try_at(vlm_graph *graph, int32_t at, bool with_bias, int32_t *changes, vlm_error *err) {
  vlm_status st = VLM_OK;
  layer_norm n = {0};
  vlm_value_id scale = VLM_NO_VALUE, bias = VLM_NO_VALUE, rest = VLM_NO_VALUE;
  const vlm_node *node = &graph->nodes[at];
  if (!vlm_node_is(node, with_bias ? "Add" : "Mul")) return VLM_OK;
  if (with_bias) {
    if (!vlm_pass_split(graph, node, &bias, &rest) || !is_scaled(graph, rest, &n, &scale) ||
        !fits(graph, bias, &n))
      return VLM_OK;
  } else {
    if (!is_scaled(graph, node->outputs[0], &n, &scale) || vlm_pass_uses(graph, node->outputs[0]) == 0)
      return VLM_OK;
  }
  VLM_TRY(write_norm(graph, at, &n, scale, bias, err));
  ++*changes;
out:
  return st;
}

vlm_status vlm_pass_layer_norm(vlm_graph *graph, const vlm_clean_opts *opts, int32_t *changes,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  (void)opts;
  for (int32_t n = 0; n < graph->n_nodes; n++) VLM_TRY(try_at(graph, n, true, changes, err));
  for (int32_t n = 0; n < graph->n_nodes; n++) VLM_TRY(try_at(graph, n, false, changes, err));
out:
  return st;
}
