/* What is in front of an operand that an operator can read through: Transpose, Squeeze, one part of a Split, one element of a Gather. */
#include "runtime/lower/views.h"

#include "runtime/lower/lower_private.h"

/* Elements of a list that an attribute or a constant input holds; -1 = neither. */
static int32_t list_of(const vlm_graph *g, const vlm_node *node, const char *name, int32_t input,
                       int64_t *out) {
  const vlm_attr *a = vlm_node_attr(node, name);
  const vlm_value_id id = vlm_node_input(node, input);
  const vlm_tensor *t = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(g, id);
  const int64_t n = a && a->kind == VLM_ATTR_INTS ? a->count
                    : t && t->dtype == VLM_S64    ? vlm_tensor_count(t)
                                                  : -1;
  if (n < 0 || n > VLM_MAX_RANK) return -1;
  for (int64_t i = 0; i < n; i++) {
    out[i] = a && a->kind == VLM_ATTR_INTS ? a->u.ints[i] : vlm_tensor_get_int(t, i);
    if (out[i] < -VLM_MAX_RANK || out[i] > INT32_MAX) return -1; /* no axis and no size */
  }
  return (int32_t)n;
}

enum { LOOKS_BACK = 8 };

/* How many elements a list of integers has that is put together from parts of one dim; -1 = not known. */
static int32_t list_length(const vlm_graph *g, vlm_value_id id, int32_t depth) {
  const vlm_tensor *t = vlm_graph_constant(g, id);
  const vlm_node *node = vlm_maker(g, id);
  int32_t sum = 0;
  if (t) return t->rank == 1 ? (int32_t)t->dims[0] : -1;
  if (node && vlm_node_is(node, "Unsqueeze")) {
    int64_t axes[VLM_MAX_RANK];
    return list_of(g, node, "axes", 1, axes) == 1 ? 1 : -1; /* in a Concat: of a scalar */
  }
  if (!node || !vlm_node_is(node, "Concat") || node->n_inputs > VLM_MAX_RANK || depth == 0) return -1;
  for (int32_t k = 0; k < node->n_inputs && sum >= 0; k++) {
    const int32_t n = list_length(g, node->inputs[k], 0); /* parts are no lists of parts */
    sum = n < 0 || n > VLM_MAX_RANK ? -1 : sum + n;
  }
  return sum;
}

static int32_t rank_of(const vlm_graph *g, vlm_value_id id, int32_t depth) {
  int64_t list[VLM_MAX_RANK];
  const vlm_node *node = vlm_maker(g, id);
  if (g->values[id].tensor.rank >= 0) return g->values[id].tensor.rank;
  if (!node || depth == 0) return -1;
  if (vlm_node_is(node, "Transpose")) return list_of(g, node, "perm", 1, list);
  if (vlm_node_is(node, "Reshape")) return list_length(g, vlm_node_input(node, 1), 1);
  const int32_t inner =
      node->n_inputs > 0 && node->inputs[0] != VLM_NO_VALUE ? rank_of(g, node->inputs[0], depth - 1) : -1;
  if (inner < 0) return -1;
  if (vlm_node_is(node, "Split") || vlm_node_is(node, "Softmax") || vlm_node_is(node, "LayerNormalization"))
    return inner;
  if (vlm_node_is(node, "Squeeze")) {
    const int32_t n = list_of(g, node, "axes", 1, list);
    return n < 0 ? -1 : inner - n;
  }
  if (!vlm_node_is(node, "Gather")) return -1;
  const vlm_tensor *t = vlm_graph_constant(g, node->inputs[1]);
  return t ? inner - 1 + t->rank : -1;
}

static bool through_transpose(const vlm_graph *g, const vlm_node *node, vlm_seen *v) {
  int64_t perm[VLM_MAX_RANK];
  const int32_t n = list_of(g, node, "perm", VLM_MAX_RANK, perm);
  if (n <= 0) return false;
  for (int32_t d = 0; d < v->rank; d++)
    if (v->axes[d] >= n) return false;
  if (v->axis >= n) return false;
  for (int32_t d = 0; d < v->rank; d++) v->axes[d] = perm[v->axes[d]];
  if (v->axis >= 0) v->axis = perm[v->axis];
  return true;
}

/* The tensor in front has one dim more, in front of which `axis` is. */
static void insert_axis(vlm_seen *v, int64_t axis) {
  for (int32_t d = 0; d < v->rank; d++) v->axes[d] += v->axes[d] >= axis;
  v->axis += v->axis >= axis && v->axis >= 0;
}

static bool through_squeeze(const vlm_graph *g, const vlm_node *node, vlm_seen *v) {
  int64_t axes[VLM_MAX_RANK];
  const int32_t n = list_of(g, node, "axes", 1, axes);
  if (n <= 0) return false;
  for (int32_t i = 0; i < n; i++)
    if (axes[i] < 0 || (i > 0 && axes[i] <= axes[i - 1])) return false;
  for (int32_t i = 0; i < n; i++) insert_axis(v, axes[i]);
  return true;
}

static bool through_split(const vlm_graph *g, const vlm_node *node, vlm_value_id id, vlm_seen *v) {
  int64_t sizes[VLM_MAX_RANK];
  const int64_t axis = vlm_node_int(node, "axis", 0);
  const int32_t n = list_of(g, node, "split", 1, sizes);
  const bool stated = vlm_node_attr(node, "split") || vlm_node_input(node, 1) != VLM_NO_VALUE;
  if (v->axis >= 0 || axis < 0 || (stated && n != node->n_outputs) || (!stated && node->opset >= 18))
    return false;
  for (int32_t i = 1; stated && i < n; i++)
    if (sizes[i] != sizes[0]) return false;
  v->axis = axis;
  v->parts = node->n_outputs;
  for (v->part = 0; node->outputs[v->part] != id;) v->part++;
  return true;
}

static bool through_gather(const vlm_graph *g, const vlm_node *node, vlm_seen *v) {
  const vlm_tensor *t = vlm_graph_constant(g, node->inputs[1]);
  const int64_t axis = vlm_node_int(node, "axis", 0);
  if (v->axis >= 0 || axis < 0 || !t || t->rank != 0 || t->dtype != VLM_S64 || vlm_tensor_get_int(t, 0) < 0)
    return false;
  insert_axis(v, axis);
  v->axis = axis;
  v->part = vlm_tensor_get_int(t, 0);
  v->parts = 0;
  return true;
}

static bool step_back(const vlm_graph *g, vlm_seen *v) {
  const vlm_node *node = vlm_maker(g, v->source);
  bool taken = false;
  if (!node) return false;
  if (vlm_node_is(node, "Transpose")) taken = through_transpose(g, node, v);
  else if (vlm_node_is(node, "Squeeze")) taken = through_squeeze(g, node, v);
  else if (vlm_node_is(node, "Split")) taken = through_split(g, node, v->source, v);
  else if (vlm_node_is(node, "Gather")) taken = through_gather(g, node, v);
  if (taken) v->source = node->inputs[0];
  return taken;
}

bool vlm_see_through(const vlm_graph *g, vlm_value_id id, vlm_seen *out) {
  *out = (vlm_seen){.source = id, .rank = rank_of(g, id, LOOKS_BACK), .axis = -1};
  if (out->rank < 0 || out->rank > VLM_MAX_RANK) return false;
  for (int32_t d = 0; d < out->rank; d++) out->axes[d] = d;
  while (step_back(g, out)) continue;
  return true;
}

vlm_status vlm_seen_attr(vlm_graph *g, const char *name, const vlm_seen *v, vlm_attr *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  int64_t *list;
  VLM_TRY(vlm_arena_new(g->arena, &list, VLM_VIEW_AXES + v->rank, err));
  list[VLM_VIEW_AXIS] = v->axis;
  list[VLM_VIEW_PART] = v->part;
  list[VLM_VIEW_PARTS] = v->parts;
  for (int32_t d = 0; d < v->rank; d++) list[VLM_VIEW_AXES + d] = v->axes[d];
  *out = (vlm_attr){.name = name, .kind = VLM_ATTR_INTS, .count = VLM_VIEW_AXES + v->rank, .u.ints = list};
out:
  return st;
}
