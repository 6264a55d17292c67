#include "export/units.h"

#include <string.h>

#include "export/coverage.h"
#include "export/limits.h"
#include "runtime/ops/traits.h"

enum { LARGE = 4096 };

bool vlm_unit_quantizes(const vlm_node *node) { return !strcmp(node->op_type, "QuantizeLinear"); }

bool vlm_unit_dequantizes(const vlm_node *node) { return !strcmp(node->op_type, "DequantizeLinear"); }

const vlm_node *vlm_unit_dequantizer(const vlm_graph *graph, const vlm_node *node, int32_t k) {
  vlm_value_id id = vlm_node_input(node, k);
  return id == VLM_NO_VALUE ? NULL : vlm_dequantizer(graph, id, &(const vlm_graph *){NULL});
}

/* ---- constants behind captures: a DequantizeLinear may lie in a graph around ---- */

static const vlm_tensor *stored(const vlm_graph *graph, const vlm_node *node, int32_t k, int32_t part) {
  vlm_value_id id = vlm_node_input(node, k);
  const vlm_graph *owner = graph;
  const vlm_node *dq = id == VLM_NO_VALUE ? NULL : vlm_dequantizer(graph, id, &owner);
  vlm_value_id at = dq ? vlm_node_input(dq, part) : VLM_NO_VALUE;
  return at == VLM_NO_VALUE ? NULL : vlm_graph_constant(owner, at);
}

static bool scalar(const vlm_graph *graph, vlm_value_id id, double *out) {
  const vlm_tensor *t = vlm_graph_constant(graph, id);
  if (!t || !t->data || vlm_tensor_count(t) != 1) return false;
  *out = vlm_tensor_get(t, 0);
  return true;
}

bool vlm_unit_step(const vlm_graph *graph, const vlm_node *node, vlm_step_size *out) {
  vlm_value_id zero = vlm_node_input(node, 2);
  *out = (vlm_step_size){.zero = 0};
  return scalar(graph, node->inputs[1], &out->scale) &&
         (zero == VLM_NO_VALUE || scalar(graph, zero, &out->zero));
}

/* ---- who reads what ---- */

static void count(vlm_units *u, vlm_value_id id, int32_t node) {
  if (id == VLM_NO_VALUE) return;
  u->uses[id]++;
  u->reader[id] = node;
  u->quantizers[id] += node >= 0 && vlm_unit_quantizes(&u->graph->nodes[node]);
}

static void count_captures(vlm_units *u, const vlm_graph *body) {
  for (vlm_value_id v = 0; v < body->n_values; v++)
    if (body->values[v].kind == VLM_VALUE_CAPTURE) count(u, body->values[v].parent_value, -1);
}

static void count_readers(vlm_units *u) {
  const vlm_graph *g = u->graph;
  for (int32_t n = 0; n < g->n_nodes; n++) {
    const vlm_node *node = &g->nodes[n];
    for (int32_t k = 0; k < node->n_inputs; k++) count(u, node->inputs[k], n);
    for (int32_t a = 0; a < node->n_attrs; a++)
      if (node->attrs[a].kind == VLM_ATTR_GRAPH) count_captures(u, node->attrs[a].u.g);
  }
  for (int32_t i = 0; i < g->n_outputs; i++) count(u, g->outputs[i], -1);
}

/* ---- one operator ---- */

/* Inputs that say how, not what: they are never quantized. Everything behind input 0 where data have one input. */
static bool is_parameter(const vlm_node *node, int32_t k) {
  static const char *const SHAPES[] = {"Reshape",        "Squeeze",    "Unsqueeze", "Slice",     "Gather",
                                       "Expand",         "Tile",       "Resize",    "Split",     "Pad",
                                       "GatherElements", "ReduceMean", "Clip",      "ReduceSum", "ReduceMax",
                                       "ReduceMin",      "GatherND",   "TopK",      "Upsample"};
  if (!strcmp(node->op_type, "Where")) return k == 0;
  for (size_t i = 0; k > 0 && i < sizeof SHAPES / sizeof SHAPES[0]; i++)
    if (!strcmp(node->op_type, SHAPES[i])) return true;
  return false;
}

/* Float weights and biases of these are quantized by ONNX Runtime where the activations are (WeightBiasQuantization). */
static bool is_completed(const vlm_graph *graph, const vlm_node *node, int32_t k) {
  bool known = vlm_node_is(node, "Conv") || vlm_node_is(node, "ConvTranspose") || vlm_node_is(node, "Gemm");
  return known && k > 0 && vlm_graph_constant(graph, node->inputs[k]);
}

/* How many inputs are dequantized, and how many are floats although they should be. */
static void count_inputs(const vlm_units *u, const vlm_node *node, int32_t *bytes, int32_t *floats) {
  *bytes = *floats = 0;
  for (int32_t k = 0; k < node->n_inputs; k++) {
    if (node->inputs[k] == VLM_NO_VALUE || is_parameter(node, k)) continue;
    if (vlm_unit_dequantizer(u->graph, node, k)) ++*bytes;
    else if (!is_completed(u->graph, node, k)) ++*floats;
  }
}

static int32_t only_reader(const vlm_units *u, vlm_value_id id) {
  return u->uses[id] == 1 ? u->reader[id] : -1;
}

/* A Relu or Clip that alone reads the operator and that the QuantizeLinear behind it makes needless. */
static int32_t clamp_of(const vlm_units *u, const vlm_node *node, const char **why) {
  const vlm_graph *g = u->graph;
  vlm_step_size step;
  int32_t n = only_reader(u, node->outputs[0]);
  if (n < 0 || (!vlm_node_is(&g->nodes[n], "Relu") && !vlm_node_is(&g->nodes[n], "Clip"))) return -1;
  int32_t q = only_reader(u, g->nodes[n].outputs[0]);
  if (q < 0 || !vlm_unit_quantizes(&g->nodes[q]) || vlm_node_input(&g->nodes[q], 2) == VLM_NO_VALUE)
    return -1;
  const vlm_tensor *zero = vlm_graph_constant(g, g->nodes[q].inputs[2]);
  bool has = zero && vlm_unit_step(g, &g->nodes[q], &step);
  bool least = has && (step.zero == (zero->dtype == VLM_S8 ? -128 : 0));
  double low = 0, high = 255 * (has ? step.scale : 0);
  bool fits = vlm_node_is(&g->nodes[n], "Relu") ||
              (scalar(g, vlm_node_input(&g->nodes[n], 1), &low) && low <= 0 &&
               (vlm_node_input(&g->nodes[n], 2) == VLM_NO_VALUE ||
                (scalar(g, g->nodes[n].inputs[2], &high) && high >= 255 * step.scale * 0.9999)));
  if (least && fits) return n;
  *why =
      "the clamp behind it is not what its 8 bits do: their zero point is not the least value, or they go "
      "beyond it";
  return -1;
}

/* Only some are taken when what they make stays floats. */
static bool needs_output(const vlm_units *u, const vlm_node *node) {
  const vlm_covered *row = vlm_coverage_find(u->provider, node->op_type);
  return !row || (row->unit_limits & VLM_LIMITS_OUTPUT);
}

static const char *output_trouble(const vlm_units *u, const vlm_node *node, vlm_unit *unit) {
  vlm_value_id made = node->outputs[0];
  const char *why = NULL;
  unit->clamp = clamp_of(u, node, &why);
  if (why) return why;
  if (unit->clamp >= 0) made = u->graph->nodes[unit->clamp].outputs[0];
  if (!u->quantizers[made]) return needs_output(u, node) ? "what it makes is not quantized" : NULL;
  if (u->quantizers[made] > 1) return "two QuantizeLinear read what it makes";
  if (u->uses[made] > 1) return "what it makes is read as floats as well";
  unit->output = u->reader[made];
  return NULL;
}

static void look_at_weights(const vlm_units *u, const vlm_node *node, vlm_unit *unit) {
  const vlm_tensor *codes = stored(u->graph, node, 1, 0), *scales = stored(u->graph, node, 1, 1);
  const vlm_tensor *zero = stored(u->graph, node, 1, 2), *in = stored(u->graph, node, 0, 2);
  const vlm_node *dq = vlm_unit_dequantizer(u->graph, node, 0);
  if (dq) unit->input = in ? in->dtype : VLM_U8;
  if (codes) unit->weight = codes->dtype;
  unit->per_channel = scales && vlm_tensor_count(scales) > 1;
  unit->centred = true;
  for (int64_t i = 0; zero && zero->data && i < vlm_tensor_count(zero); i++)
    unit->centred &= vlm_tensor_get(zero, i) == 0;
}

static bool reads_large(const vlm_units *u, const vlm_node *node) {
  for (int32_t k = 0; k < node->n_inputs; k++) {
    const vlm_tensor *codes = stored(u->graph, node, k, 0);
    if (codes && vlm_tensor_count(codes) > LARGE) return true;
  }
  return false;
}

static void look_at(vlm_units *u, int32_t n) {
  const vlm_node *node = &u->graph->nodes[n];
  vlm_unit *unit = &u->items[n];
  int32_t bytes, floats;
  *unit = (vlm_unit){.output = -1, .clamp = -1, .centred = true};
  if (vlm_unit_quantizes(node) || vlm_unit_dequantizes(node) || node->n_outputs < 1 ||
      node->outputs[0] == VLM_NO_VALUE)
    return;
  count_inputs(u, node, &bytes, &floats);
  if (!bytes) return;
  look_at_weights(u, node, unit);
  unit->why = floats ? "one of its inputs is not dequantized" : output_trouble(u, node, unit);
  unit->quantized = !unit->why;
  unit->dequantizes = !unit->quantized && reads_large(u, node);
}

/* ---- who belongs to whom ---- */

static void own_parts(vlm_units *u, int32_t n) {
  const vlm_unit *unit = &u->items[n];
  if (!unit->quantized) return;
  if (unit->output >= 0) u->owner[unit->output] = n;
  if (unit->clamp >= 0) u->owner[unit->clamp] = n;
}

/* Read by nothing but quantized operators. */
static bool only_feeds_units(const vlm_units *u, int32_t n) {
  vlm_value_id made = u->graph->nodes[n].outputs[0];
  int32_t left = u->uses[made];
  for (int32_t r = 0; r < u->graph->n_nodes && left; r++)
    for (int32_t k = 0; k < u->graph->nodes[r].n_inputs; k++)
      left -= u->graph->nodes[r].inputs[k] == made && u->items[r].quantized;
  return left == 0;
}

static void find_owners(vlm_units *u) {
  for (int32_t n = 0; n < u->graph->n_nodes; n++) u->owner[n] = n;
  for (int32_t n = 0; n < u->graph->n_nodes; n++) own_parts(u, n);
  for (int32_t n = 0; n < u->graph->n_nodes; n++)
    if (vlm_unit_dequantizes(&u->graph->nodes[n]) && only_feeds_units(u, n)) u->owner[n] = -1;
}

vlm_status vlm_units_make(vlm_units *out, const vlm_graph *graph, vlm_provider provider, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_units){.graph = graph, .provider = provider};
  VLM_TRY(vlm_new(&out->items, graph->n_nodes, err));
  VLM_TRY(vlm_new(&out->owner, graph->n_nodes, err));
  VLM_TRY(vlm_new(&out->uses, graph->n_values, err));
  VLM_TRY(vlm_new(&out->quantizers, graph->n_values, err));
  VLM_TRY(vlm_new(&out->reader, graph->n_values, err));
  count_readers(out);
  for (int32_t n = 0; n < graph->n_nodes; n++) look_at(out, n);
  find_owners(out);
out:
  return st;
}

void vlm_units_free(vlm_units *units) {
  vlm_free(units->items);
  vlm_free(units->owner);
  vlm_free(units->uses);
  vlm_free(units->quantizers);
  vlm_free(units->reader);
  *units = (vlm_units){.graph = NULL};
}
