/* Constant uint8 weights become int8, 128 below with their zero points: the kernels multiply int8. */
#include "runtime/lower/lower_private.h"

static vlm_status flipped(vlm_graph *g, vlm_value_id *id, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_tensor *old = vlm_graph_constant(g, *id);
  vlm_tensor t = *old;
  uint8_t *bytes;
  VLM_TRY(vlm_arena_new(g->arena, &bytes, vlm_tensor_count(old), err));
  VLM_TRY(vlm_lazy_take(g->lazy, old->data, err));
  for (int64_t i = 0; i < vlm_tensor_count(old); i++) bytes[i] = ((const uint8_t *)old->data)[i] ^ 0x80;
  vlm_lazy_give(g->lazy, old->data);
  t.dtype = VLM_S8;
  t.data = bytes;
  VLM_TRY(vlm_graph_add_constant(g, id, NULL, &t, false, err));
out:
  return st;
}

/* Without zero points they are 0, so -128 afterwards, as many as there are scales. */
static vlm_status lowest(vlm_graph *g, vlm_value_id scale, vlm_value_id *id, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_tensor t = *vlm_graph_constant(g, scale);
  int8_t *zeros;
  VLM_TRY(vlm_arena_new(g->arena, &zeros, vlm_tensor_count(&t), err));
  memset(zeros, -128, (size_t)vlm_tensor_count(&t));
  t.dtype = VLM_S8;
  t.data = zeros;
  VLM_TRY(vlm_graph_add_constant(g, id, NULL, &t, false, err));
out:
  return st;
}

/* The values that are flipped already: a constant that several nodes dequantize is flipped once. */
typedef struct {
  vlm_value_id *to; /* per value, VLM_NO_VALUE = not yet */
  int32_t n_values;
} memory;

static vlm_status flip_input(vlm_graph *g, int32_t n, int32_t k, memory *m, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value_id id = vlm_node_input(&g->nodes[n], k), from = id;
  bool known = id != VLM_NO_VALUE && id < m->n_values;
  if (known && m->to[id] != VLM_NO_VALUE) id = m->to[id];
  else if (id == VLM_NO_VALUE) VLM_TRY(lowest(g, g->nodes[n].inputs[1], &id, err));
  else VLM_TRY(flipped(g, &id, err));
  if (known) m->to[from] = id;
  VLM_TRY(vlm_set_input(g, n, k, id, err));
out:
  return st;
}

static bool is_u8_constant(const vlm_graph *g, const vlm_node *node) {
  if (strcmp(node->op_type, "DequantizeLinear")) return false;
  vlm_value_id zero = vlm_node_input(node, 2);
  const vlm_tensor *t = vlm_graph_constant(g, node->inputs[0]);
  return t && t->dtype == VLM_U8 && t->rank >= 2 && (zero == VLM_NO_VALUE || vlm_graph_constant(g, zero)) &&
         vlm_graph_constant(g, node->inputs[1]) && !vlm_node_int(node, "block_size", 0);
}

vlm_status vlm_lower_weights(vlm_graph *g, vlm_error *err) {
  vlm_status st = VLM_OK;
  memory m = {.n_values = g->n_values};
  VLM_TRY(vlm_new(&m.to, g->n_values + 1, err));
  for (vlm_value_id v = 0; v < g->n_values; v++) m.to[v] = VLM_NO_VALUE;
  for (int32_t n = 0; n < g->n_nodes; n++) {
    if (!is_u8_constant(g, &g->nodes[n])) continue;
    VLM_TRY(flip_input(g, n, 0, &m, err));
    VLM_TRY(flip_input(g, n, 2, &m, err));
  }
out:
  vlm_free(m.to);
  return st;
}
