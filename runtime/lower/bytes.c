/* int8 activations become uint8, moved up by 128 with their zero points, wherever everybody who writes and
 * reads them can follow: quantizing and dequantizing nodes, operators that only move bytes, and operators on
 * bytes that are told their zero points. What cannot be moved is quantized again from its dequantized floats
 * by the product that reads it, which is exact. */
#include "runtime/lower/lower_private.h"

enum { MAX_PORTS = 64 };

/* A byte tensor at a node, and the input that is its zero point: -1 = the operator needs none. */
typedef struct {
  vlm_value_id value;
  int32_t zero;
  bool written;
} port;

/* Operators on bytes: input or output, its zero point. */
static const struct {
  const char *op_type;
  int32_t in[2][2], out_zero;
} BYTE_OPERATORS[] = {
    {"QLinearAdd", {{0, 2}, {3, 5}}, 7},
    {"QLinearMul", {{0, 2}, {3, 5}}, 7},
    {"QLinearSigmoid", {{0, 2}, {-1, 0}}, 4},
    {"QLinearLeakyRelu", {{0, 2}, {-1, 0}}, 4},
    {"QLinearSoftmax", {{0, 2}, {-1, 0}}, 4},
    {"QLinearAveragePool", {{0, 2}, {-1, 0}}, 4},
    {"QLinearGlobalAveragePool", {{0, 2}, {-1, 0}}, 4},
};

static int32_t byte_ports(const vlm_node *node, port *ports) {
  int32_t n = 0;
  for (size_t i = 0; i < sizeof BYTE_OPERATORS / sizeof BYTE_OPERATORS[0]; i++) {
    if (strcmp(node->op_type, BYTE_OPERATORS[i].op_type)) continue;
    for (int k = 0; k < 2 && BYTE_OPERATORS[i].in[k][0] >= 0; k++)
      ports[n++] =
          (port){vlm_node_input(node, BYTE_OPERATORS[i].in[k][0]), BYTE_OPERATORS[i].in[k][1], false};
    ports[n++] = (port){node->outputs[0], BYTE_OPERATORS[i].out_zero, true};
  }
  return n;
}

static int32_t moving_ports(const vlm_node *node, port *ports) {
  int32_t n = 0, inputs = node->traits->flags & VLM_TRAIT_JOINS ? node->n_inputs : 1;
  if (!(node->traits->flags & VLM_TRAIT_MOVES) || inputs + node->n_outputs > MAX_PORTS) return 0;
  for (int32_t k = 0; k < inputs; k++) ports[n++] = (port){vlm_node_input(node, k), -1, false};
  for (int32_t k = 0; k < node->n_outputs; k++) ports[n++] = (port){node->outputs[k], -1, true};
  return n;
}

/* All of them move, or none. */
static int32_t ports_of(const vlm_node *node, port *ports) {
  if (!strcmp(node->op_type, "QuantizeLinear") && !vlm_node_int(node, "output_dtype", 0))
    return ports[0] = (port){node->outputs[0], 2, true}, 1;
  if (!strcmp(node->op_type, "DequantizeLinear")) return ports[0] = (port){node->inputs[0], 2, false}, 1;
  int32_t n = moving_ports(node, ports);
  return n ? n : byte_ports(node, ports);
}

static const vlm_tensor *zero_of(const vlm_graph *graph, const vlm_node *node, const port *p) {
  vlm_value_id id = p->zero < 0 ? VLM_NO_VALUE : vlm_node_input(node, p->zero);
  return id == VLM_NO_VALUE ? NULL : vlm_graph_constant(graph, id);
}

/* In graph order: an output is int8 when its zero point says so, or when it holds what an int8 input holds.
 */
static void find_signed(const vlm_graph *g, bool *moves) {
  port ports[MAX_PORTS];
  for (int32_t n = 0; n < g->n_nodes; n++) {
    const vlm_node *node = &g->nodes[n];
    int32_t count = ports_of(node, ports);
    for (int32_t i = 0; i < count; i++) {
      const vlm_tensor *zero = zero_of(g, node, &ports[i]);
      if (!ports[i].written || ports[i].value == VLM_NO_VALUE) continue;
      bool passes = ports[i].zero < 0 && ports[0].value != VLM_NO_VALUE && moves[ports[0].value];
      moves[ports[i].value] = passes || (zero && zero->dtype == VLM_S8);
    }
  }
}

static bool can_move(const vlm_graph *g, const vlm_node *node, const port *p, const bool *moves) {
  if (p->value == VLM_NO_VALUE) return p->written;
  const vlm_tensor *zero = zero_of(g, node, p);
  return moves[p->value] && (p->zero < 0 || (zero && zero->dtype == VLM_S8));
}

/* Takes back what somebody could not follow; true when anything was. */
static bool hold_back(const vlm_graph *g, bool *moves, const vlm_node *node) {
  port ports[MAX_PORTS];
  int32_t count = ports_of(node, ports);
  bool all = true, changed = false;
  for (int32_t i = 0; i < count; i++) all = all && can_move(g, node, &ports[i], moves);
  for (int32_t i = 0; i < count; i++) {
    if (all || ports[i].value == VLM_NO_VALUE || !moves[ports[i].value]) continue;
    moves[ports[i].value] = false;
    changed = true;
  }
  for (int32_t k = 0; k < node->n_inputs; k++) {
    bool known = node->inputs[k] == VLM_NO_VALUE || !moves[node->inputs[k]];
    for (int32_t i = 0; i < count && !known; i++) known = ports[i].value == node->inputs[k];
    if (known) continue;
    moves[node->inputs[k]] = false;
    changed = true;
  }
  return changed;
}

static void hold_captured(bool *moves, const vlm_node *node) {
  for (int32_t a = 0; a < node->n_attrs; a++) {
    const vlm_graph *body = node->attrs[a].kind == VLM_ATTR_GRAPH ? node->attrs[a].u.g : NULL;
    for (vlm_value_id v = 0; body && v < body->n_values; v++)
      if (body->values[v].kind == VLM_VALUE_CAPTURE) moves[body->values[v].parent_value] = false;
  }
}

static void hold_all_back(const vlm_graph *g, bool *moves) {
  for (int32_t i = 0; i < g->n_outputs; i++) moves[g->outputs[i]] = false;
  for (int32_t n = 0; n < g->n_nodes; n++) hold_captured(moves, &g->nodes[n]);
  for (bool again = true; again;) {
    again = false;
    for (int32_t n = 0; n < g->n_nodes; n++) again = hold_back(g, moves, &g->nodes[n]) || again;
  }
}

vlm_status vlm_zero_plus_128(vlm_graph *g, vlm_value_id *zero, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_tensor *old = vlm_graph_constant(g, *zero);
  vlm_tensor t = *old;
  uint8_t *moved;
  VLM_TRY(vlm_arena_new(g->arena, &moved, vlm_tensor_count(old), err));
  for (int64_t i = 0; i < vlm_tensor_count(old); i++) moved[i] = ((const uint8_t *)old->data)[i] ^ 0x80;
  t.dtype = VLM_U8;
  t.data = moved;
  VLM_TRY(vlm_graph_add_constant(g, zero, NULL, &t, false, err));
out:
  return st;
}

static vlm_status move_node(vlm_graph *g, int32_t n, const bool *moves, vlm_error *err) {
  vlm_status st = VLM_OK;
  port ports[MAX_PORTS];
  int32_t count = ports_of(&g->nodes[n], ports);
  for (int32_t i = 0; i < count; i++) {
    if (ports[i].value == VLM_NO_VALUE || !moves[ports[i].value] || ports[i].zero < 0) continue;
    vlm_value_id zero = vlm_node_input(&g->nodes[n], ports[i].zero);
    VLM_TRY(vlm_zero_plus_128(g, &zero, err));
    VLM_TRY(vlm_set_input(g, n, ports[i].zero, zero, err));
  }
out:
  return st;
}

vlm_status vlm_lower_bytes(vlm_graph *g, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool *moves = NULL;
  int32_t n_values = g->n_values;
  VLM_TRY(vlm_new(&moves, n_values + 1, err));
  find_signed(g, moves);
  hold_all_back(g, moves);
  for (int32_t n = 0; n < g->n_nodes; n++) VLM_TRY(move_node(g, n, moves, err));
  for (vlm_value_id v = 0; v < n_values; v++)
    if (moves[v] && g->values[v].tensor.dtype == VLM_S8) g->values[v].tensor.dtype = VLM_U8;
out:
  vlm_free(moves);
  return st;
}
