/* Maps that are added up or put side by side, channels last: nearest Resizes in front and the QuantizeLinear behind become part of it
 * (vlm.Join), so that the larger maps are never written, nor the floats. */
#include "runtime/lower/lower_private.h"

enum { MOST_SOURCES = 16, DEPTH = 8 };

/* ---- ranks ---- */

/* Operators whose result has the type of their inputs and the longest of their ranks. */
static bool keeps_kind(const vlm_node *node) {
  static const char *const OPS[] = {"Add",     "Sub",         "Mul",       "Div",       "Relu", "Clip",
                                    "Sigmoid", "HardSigmoid", "HardSwish", "LeakyRelu", "Tanh", "Identity"};
  for (size_t i = 0; i < sizeof OPS / sizeof OPS[0]; i++)
    if (vlm_node_is(node, OPS[i])) return true;
  return false;
}

static int32_t rank_of(const vlm_graph *g, vlm_value_id id, int depth);

/* 0 when one is not known. */
static int32_t longest(const vlm_graph *g, const vlm_node *node, int depth) {
  int32_t most = 0;
  for (int32_t k = 0; k < node->n_inputs; k++) {
    const vlm_value_id id = node->inputs[k];
    const int32_t rank = id == VLM_NO_VALUE ? 1 : rank_of(g, id, depth);
    if (!rank) return 0;
    if (rank > most) most = rank;
  }
  return most;
}

/* Of float32 values, as far as the graph tells without shapes; scalars count as rank 1; 0 = not known. */
static int32_t rank_of(const vlm_graph *g, vlm_value_id id, int depth) {
  const vlm_tensor *t = vlm_graph_constant(g, id), *w = NULL;
  const vlm_node *node = vlm_maker(g, id);
  if (!t && !node && g->values[id].kind == VLM_VALUE_INPUT) t = &g->values[id].tensor;
  if (t) return t->dtype != VLM_F32 ? 0 : t->rank == 0 ? 1 : t->rank;
  if (!node || depth == 0) return 0;
  if (!strcmp(node->domain, "vlm") && !strcmp(node->op_type, "Join"))
    return node->inputs[0] == VLM_NO_VALUE ? longest(g, node, depth - 1) : 0;
  if (!strcmp(node->domain, "vlm")) {
    const bool integer = !strcmp(node->op_type, "QConv");
    if (integer && vlm_node_input(node, 6) == VLM_NO_VALUE) w = vlm_node_constant(g, node, 3);
    if (!strcmp(node->op_type, "Conv") || !strcmp(node->op_type, "ConvTranspose"))
      w = vlm_node_constant(g, node, 1);
    return w && (integer || w->dtype == VLM_F32) ? w->rank : 0;
  }
  if (vlm_node_is(node, "Resize")) return rank_of(g, node->inputs[0], depth - 1);
  return keeps_kind(node) ? longest(g, node, depth - 1) : 0;
}

/* ---- what is repeated ---- */

static bool text_is(const vlm_node *node, const char *name, const char *fallback, const char *wanted) {
  const vlm_attr *a = vlm_node_attr(node, name);
  return !strcmp(a && a->kind == VLM_ATTR_STRING ? a->u.s : fallback, wanted);
}

/* Output index i of a whole factor f reads input i / f. */
static bool repeats(const vlm_node *node) {
  static const struct {
    const char *coordinates, *nearest;
  } WAYS[] = {{"asymmetric", "floor"},
              {"half_pixel", "round_prefer_floor"},
              {"half_pixel", "round_prefer_ceil"},
              {"tf_half_pixel_for_nn", "floor"}};
  if (!vlm_node_is(node, "Resize") || node->opset < 11 || !text_is(node, "mode", "nearest", "nearest"))
    return false;
  if (vlm_node_attr(node, "axes") || vlm_node_input(node, 3) != VLM_NO_VALUE) return false;
  for (size_t i = 0; i < sizeof WAYS / sizeof WAYS[0]; i++)
    if (text_is(node, "coordinate_transformation_mode", "half_pixel", WAYS[i].coordinates) &&
        text_is(node, "nearest_mode", "round_prefer_floor", WAYS[i].nearest))
      return true;
  return false;
}

static bool whole_factor(double scale) {
  return scale >= 1 && scale <= 1024 && scale == (double)(int64_t)scale;
}

typedef struct {
  vlm_value_id ids[2 + MOST_SOURCES]; /* y_scale, y_zero, sources */
  int64_t factors[2 * MOST_SOURCES];
  int32_t n, resized;
} joined;

/* Looks through a Resize of rows and columns that nobody else reads. */
static void add_source(const vlm_lowering *l, vlm_value_id id, joined *j) {
  const vlm_node *node = vlm_maker(l->graph, id);
  int64_t *factor = j->factors + 2 * j->n;
  factor[0] = factor[1] = 1;
  j->ids[2 + j->n++] = id;
  if (!node || !repeats(node) || vlm_only_reader(l, id) < 0) return;
  const vlm_tensor *scales = vlm_node_constant(l->graph, node, 2);
  if (!scales || scales->dtype != VLM_F32 || vlm_tensor_count(scales) != 4) return;
  const double rows = vlm_tensor_get(scales, 1), columns = vlm_tensor_get(scales, 2);
  if (vlm_tensor_get(scales, 0) != 1 || vlm_tensor_get(scales, 3) != 1) return;
  if (!whole_factor(rows) || !whole_factor(columns)) return;
  factor[0] = (int64_t)rows;
  factor[1] = (int64_t)columns;
  j->ids[1 + j->n] = node->inputs[0];
  j->resized++;
}

/* ---- the pattern ---- */

static bool can_join(const vlm_graph *g, const vlm_node *node, bool sum) {
  if (node->n_inputs < 2 || node->n_inputs > MOST_SOURCES || *node->domain) return false;
  for (int32_t k = 0; k < node->n_inputs; k++) {
    const vlm_value_id id = node->inputs[k];
    const int32_t rank = id == VLM_NO_VALUE || vlm_graph_constant(g, id) ? 0 : rank_of(g, id, DEPTH);
    if (rank != 4 && !(sum && rank > 0 && rank < 4)) return false;
  }
  return sum ? node->opset >= 7 && !vlm_node_attr(node, "axis") : vlm_node_int(node, "axis", 0) == -1;
}

static vlm_status join(vlm_lowering *l, int32_t n) {
  vlm_status st = VLM_OK;
  const bool sum = vlm_node_is(&l->graph->nodes[n], "Add");
  const vlm_node *node = &l->graph->nodes[n];
  joined j = {.ids = {VLM_NO_VALUE, VLM_NO_VALUE}};
  if (!(sum || vlm_node_is(node, "Concat")) || !can_join(l->graph, node, sum)) return VLM_OK;
  for (int32_t k = 0; k < node->n_inputs; k++) add_source(l, node->inputs[k], &j);
  vlm_tail tail = vlm_tail_of(node->outputs[0]);
  vlm_take_quantize(l, &tail);
  if (!j.resized && tail.y_scale == VLM_NO_VALUE) return VLM_OK;
  int64_t *factors;
  VLM_TRY(vlm_arena_new(l->graph->arena, &factors, 2 * j.n, l->err));
  memcpy(factors, j.factors, (size_t)(2 * j.n) * sizeof *factors);
  j.ids[0] = tail.y_scale;
  j.ids[1] = tail.y_zero;
  const vlm_attr attrs[] = {{.name = "factors", .kind = VLM_ATTR_INTS, .count = 2 * j.n, .u.ints = factors},
                            vlm_int_attr("sum", sum)};
  VLM_TRY(vlm_make_internal(
      l, n,
      &(vlm_node_form){.op_type = "Join", .inputs = j.ids, .n_inputs = 2 + j.n, .attrs = attrs, .n_attrs = 2},
      tail.output));
out:
  return st;
}

vlm_status vlm_lower_joins(vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lowering l = {0};
  VLM_TRY(vlm_lowering_open(&l, graph, NULL, err));
  for (int32_t n = 0; n < l.n_nodes; n++)
    if (!l.gone[n]) VLM_TRY(join(&l, n));
  for (int32_t n = 0; n < l.n_nodes; n++)
    if (l.gone[n]) vlm_node_unlink(graph, n);
out:
  vlm_lowering_close(&l);
  return st;
}
