/* Channels last. Convolutions and what stands between them work on [N, spatial..., C]; values get a twin in that
 * order, and a Transpose is put where a reader wants the first order (or where a region begins). A value's twin is
 * made by the node itself once it is converted; sweeping removes every Transpose that nobody needs. */
#include "runtime/lower/layout.h"

#include "runtime/ops/resolve.h"

enum { MOST_TURNED = 1 << 22 }; /* elements of a constant that is kept in both orders */

static int32_t last_axis(int32_t axis, int32_t rank) {
  return axis == 0 ? 0 : axis == 1 ? rank - 1 : axis - 1;
}

/* ---- twins ---- */

vlm_value_id vlm_layout_twin(const vlm_reorder *l, vlm_value_id id) {
  return id == VLM_NO_VALUE || id >= l->n_values ? VLM_NO_VALUE : l->twins[id].value;
}

static vlm_status add_transpose(vlm_reorder *l, vlm_value_id from, vlm_value_id *to, int32_t rank,
                                bool to_last) {
  vlm_status st = VLM_OK;
  int64_t *perm;
  VLM_TRY(vlm_arena_new(l->low.graph->arena, &perm, rank, l->low.err));
  for (int32_t i = 0; i < rank; i++)
    perm[to_last ? last_axis(i, rank) : i] = to_last ? i : last_axis(i, rank);
  const vlm_attr attr = {.name = "perm", .kind = VLM_ATTR_INTS, .count = rank, .u.ints = perm};
  VLM_TRY(vlm_add_node(&l->low, to,
                       &(vlm_node_form){.op_type = "Transpose",
                                        .opset = 13,
                                        .inputs = &from,
                                        .n_inputs = 1,
                                        .attrs = &attr,
                                        .n_attrs = 1}));
out:
  return st;
}

vlm_status vlm_layout_need(vlm_reorder *l, vlm_value_id id, int32_t rank, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  if (l->twins[id].value == VLM_NO_VALUE) {
    VLM_TRY(add_transpose(l, id, &l->twins[id].value, rank, true));
    l->twins[id].rank = rank;
  }
  *out = l->twins[id].value;
out:
  return st;
}

vlm_status vlm_layout_give(vlm_reorder *l, int32_t n, int32_t k, int32_t rank) {
  vlm_status st = VLM_OK;
  vlm_value_id twin, first = l->low.graph->nodes[n].outputs[k];
  if (first == VLM_NO_VALUE) return VLM_OK;
  VLM_TRY(vlm_graph_add_value(l->low.graph, &twin, NULL, VLM_VALUE_NODE, l->low.err));
  l->twins[first] = (vlm_twin){.value = twin, .rank = rank, .made = true};
  vlm_node_set_output(l->low.graph, n, k, twin);
  VLM_TRY(add_transpose(l, twin, &first, rank, false));
out:
  return st;
}

vlm_status vlm_layout_twinned(vlm_reorder *l, vlm_value_id id, vlm_value_id twin, int32_t rank) {
  l->twins[id] = (vlm_twin){.value = twin, .rank = rank, .made = true};
  return VLM_OK;
}

/* ---- constants ---- */

/* Copies element i of the padded first order to its place in the last one. */
static void turn_constant(const vlm_tensor *from, const int64_t dims[VLM_MAX_RANK], int32_t rank, void *to) {
  size_t bytes = vlm_tensor_bytes(from) / (size_t)vlm_tensor_count(from);
  int64_t count = vlm_tensor_count(from), channels = dims[1], inner = 1;
  for (int32_t i = 2; i < rank; i++) inner *= dims[i];
  for (int64_t i = 0; i < count; i++) {
    int64_t space = i % inner, c = i / inner % channels, n = i / inner / channels;
    memcpy((char *)to + (size_t)((n * inner + space) * channels + c) * bytes,
           (const char *)from->data + (size_t)i * bytes, bytes);
  }
}

bool vlm_layout_can_turn(const vlm_reorder *l, vlm_value_id id, int32_t rank) {
  const vlm_tensor *t = vlm_graph_constant(l->low.graph, id);
  return t && t->rank <= rank && t->data && vlm_dtype_bits(t->dtype) >= 8 &&
         vlm_tensor_count(t) <= MOST_TURNED;
}

vlm_status vlm_layout_constant(vlm_reorder *l, vlm_value_id id, int32_t rank, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = vlm_graph_constant(l->low.graph, id);
  int64_t dims[VLM_MAX_RANK];
  char *data;
  vlm_tensor turned = {.dtype = t->dtype, .rank = rank};
  *out = id;
  if (vlm_tensor_count(t) <= 1) return VLM_OK;
  for (int32_t i = 0; i < rank; i++) dims[i] = i < rank - t->rank ? 1 : t->dims[i - (rank - t->rank)];
  for (int32_t i = 0; i < rank; i++) turned.dims[last_axis(i, rank)] = dims[i];
  VLM_TRY(vlm_arena_new(l->low.graph->arena, &data, vlm_tensor_bytes(t), l->low.err));
  turn_constant(t, dims, rank, data);
  turned.data = data;
  VLM_TRY(vlm_graph_add_constant(l->low.graph, out, NULL, &turned, false, l->low.err));
out:
  return st;
}

vlm_status vlm_layout_list(vlm_reorder *l, vlm_value_id id, int32_t rank, vlm_value_id *out) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = vlm_graph_constant(l->low.graph, id);
  size_t bytes = vlm_tensor_bytes(t) / (size_t)vlm_tensor_count(t);
  char *data;
  vlm_tensor turned = *t;
  VLM_TRY(vlm_arena_new(l->low.graph->arena, &data, vlm_tensor_bytes(t), l->low.err));
  for (int32_t i = 0; i < (int32_t)vlm_tensor_count(t); i++) {
    int32_t to = i / rank * rank + last_axis(i % rank, rank);
    memcpy(data + (size_t)to * bytes, (const char *)t->data + (size_t)i * bytes, bytes);
  }
  turned.data = data;
  VLM_TRY(vlm_graph_add_constant(l->low.graph, out, NULL, &turned, false, l->low.err));
out:
  return st;
}

/* ---- the walk ---- */

static vlm_status convert(vlm_reorder *l, int32_t n) {
  vlm_layout_rule *rule = vlm_layout_rule_of(&l->low.graph->nodes[n]);
  return rule && !l->low.gone[n] ? rule(l, n) : VLM_OK;
}

vlm_status vlm_lower_layout(vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_reorder l = {.n_values = graph->n_values};
  VLM_TRY(vlm_lowering_open(&l.low, graph, NULL, err));
  VLM_TRY(vlm_new(&l.twins, graph->n_values, err));
  for (int32_t v = 0; v < l.n_values; v++) l.twins[v] = (vlm_twin){.value = VLM_NO_VALUE};
  for (int32_t n = 0; n < l.low.n_nodes; n++) VLM_TRY(convert(&l, n));
out:
  vlm_free(l.twins);
  vlm_lowering_close(&l.low);
  return st;
}
