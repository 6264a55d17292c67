#include "export/limits.h"

#include <string.h>

#include "runtime/ops/traits.h"

/* ---- what limits ask ---- */

static bool has_input(const vlm_limited *l, int32_t k) { return vlm_node_input(l->node, k) != VLM_NO_VALUE; }

static bool is_constant(const vlm_limited *l, int32_t k) {
  return !has_input(l, k) || l->known[l->node->inputs[k]] || vlm_node_constant(l->graph, l->node, k);
}

/* -1 = not known, or no such input. */
static int32_t rank_of(const vlm_limited *l, int32_t k) {
  vlm_value_id id = vlm_node_input(l->node, k);
  const vlm_tensor *c = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(l->graph, id);
  if (c) return c->rank;
  return id == VLM_NO_VALUE ? -1 : l->shapes[id].rank;
}

static bool ranks(const vlm_limited *l, int32_t k, int32_t least, int32_t most) {
  int32_t r = rank_of(l, k);
  return r < 0 || (r >= least && r <= most);
}

static bool all_ranks(const vlm_limited *l, int32_t least, int32_t most) {
  bool fine = true;
  for (int32_t k = 0; k < l->node->n_inputs; k++) fine &= ranks(l, k, least, most);
  return fine;
}

static const vlm_node *output_of(const vlm_limited *l) {
  return l->unit->output >= 0 ? &l->graph->nodes[l->unit->output] : NULL;
}

static bool scalar_is(const vlm_limited *l, int32_t k, double wanted) {
  vlm_value_id id = vlm_node_input(l->node, k);
  const vlm_tensor *t = id == VLM_NO_VALUE ? NULL : vlm_graph_constant(l->graph, id);
  return t && t->data && vlm_tensor_count(t) == 1 && vlm_tensor_get(t, 0) == wanted;
}

/* ---- constants ---- */

static bool limit_WEIGHT(const vlm_limited *l) { return is_constant(l, 1); }
static bool limit_BIAS(const vlm_limited *l) { return is_constant(l, 2); }

static bool limit_PARAMETERS(const vlm_limited *l) {
  bool fine = true;
  for (int32_t k = 1; k < l->node->n_inputs; k++) fine &= is_constant(l, k);
  return fine;
}

static bool limit_BIASED(const vlm_limited *l) { return has_input(l, 2); }

/* ---- dims ---- */

static bool limit_MOST_4(const vlm_limited *l) { return all_ranks(l, 0, 4); }
static bool limit_MOST_5(const vlm_limited *l) { return all_ranks(l, 0, 5); }
static bool limit_IMAGE(const vlm_limited *l) { return ranks(l, 0, 4, 4); }
static bool limit_SPATIAL(const vlm_limited *l) { return ranks(l, 0, 3, 5); }
static bool limit_LINE_OR_IMAGE(const vlm_limited *l) { return ranks(l, 0, 3, 4); }
static bool limit_MATRICES(const vlm_limited *l) { return ranks(l, 0, 2, 2) && ranks(l, 1, 2, 2); }
static bool limit_NO_VECTOR(const vlm_limited *l) { return ranks(l, 0, 2, 5) && ranks(l, 1, 2, 5); }
static bool limit_NO_SCALAR(const vlm_limited *l) { return ranks(l, 1, 1, 8); }

static bool limit_FACTORS(const vlm_limited *l) {
  int32_t a = rank_of(l, 0), b = rank_of(l, 1);
  bool equal = a == b && a > 2;
  if (a < 0 || b < 0) return true;
  if (a == 2 && b == 2) return is_constant(l, 1);
  const vlm_tensor *x = &l->shapes[l->node->inputs[0]], *y = &l->shapes[l->node->inputs[1]];
  for (int32_t d = 0; equal && d < a - 2; d++)
    equal = x->dims[d] < 0 || y->dims[d] < 0 || x->dims[d] == y->dims[d];
  return equal;
}

static bool limit_LAST_AXIS(const vlm_limited *l) {
  int64_t axis = vlm_node_int(l->node, "axis", -1);
  int32_t rank = rank_of(l, 0);
  return axis == -1 || rank < 0 || axis == rank - 1;
}

/* ---- attributes ---- */

static bool limit_ONE_OUTPUT(const vlm_limited *l) {
  bool one = true;
  for (int32_t k = 1; k < l->node->n_outputs; k++) one &= l->node->outputs[k] == VLM_NO_VALUE;
  return one;
}

static bool limit_PLAIN_GEMM(const vlm_limited *l) {
  return !vlm_node_int(l->node, "transA", 0) && vlm_node_float(l->node, "alpha", 1) == 1 &&
         vlm_node_float(l->node, "beta", 1) == 1;
}

static bool limit_EVEN(const vlm_limited *l) {
  const vlm_tensor *sizes = has_input(l, 1) ? vlm_graph_constant(l->graph, l->node->inputs[1]) : NULL;
  bool even = true;
  for (int64_t i = 1; sizes && sizes->data && i < vlm_tensor_count(sizes); i++)
    even &= vlm_tensor_get_int(sizes, i) == vlm_tensor_get_int(sizes, 0);
  return even;
}

static bool limit_RELU6(const vlm_limited *l) {
  return (scalar_is(l, 1, 0) && scalar_is(l, 2, 6)) || (scalar_is(l, 1, -1) && scalar_is(l, 2, 1));
}

static bool limit_NOT_BOTH(const vlm_limited *l) {
  const vlm_attr *d = vlm_node_attr(l->node, "dilations");
  bool dilated = false;
  for (int32_t i = 0; d && d->kind == VLM_ATTR_INTS && i < d->count; i++) dilated |= d->u.ints[i] != 1;
  return !dilated || vlm_node_int(l->node, "group", 1) == 1;
}

static bool limit_LINEAR(const vlm_limited *l) {
  const vlm_attr *mode = vlm_node_attr(l->node, "mode");
  return mode && mode->kind == VLM_ATTR_STRING && !strcmp(mode->u.s, "linear");
}

static bool limit_NO_CEIL(const vlm_limited *l) {
  return !vlm_node_int(l->node, "ceil_mode", 0) && !vlm_node_int(l->node, "count_include_pad", 0);
}

/* ---- scales ---- */

static bool limit_ONE_SCALE(const vlm_limited *l) { return !l->unit->per_channel; }
static bool limit_CENTRED(const vlm_limited *l) { return l->unit->weight == VLM_U8 || l->unit->centred; }
static bool limit_SIGNS(const vlm_limited *l) {
  return l->unit->input != VLM_S8 || l->unit->weight != VLM_U8;
}

static bool limit_SAME_SIGNS(const vlm_limited *l) {
  return l->unit->weight == VLM_NONE || l->unit->input == l->unit->weight;
}

static bool limit_OUTPUT(const vlm_limited *l) { return output_of(l) != NULL; }

static bool limit_SAME_STEP(const vlm_limited *l) {
  const vlm_node *in = vlm_unit_dequantizer(l->graph, l->node, 0), *out = output_of(l);
  vlm_step_size a, b;
  bool stated =
      in && out && has_input(&(vlm_limited){.node = in}, 2) && has_input(&(vlm_limited){.node = out}, 2);
  return stated && vlm_unit_step(l->graph, in, &a) && vlm_unit_step(l->graph, out, &b) &&
         a.scale == b.scale && a.zero == b.zero;
}

static bool limit_UNIT_STEP(const vlm_limited *l) {
  vlm_step_size s;
  return output_of(l) && vlm_unit_step(l->graph, output_of(l), &s) && s.scale == 1.0 / 256 && s.zero == 0;
}

static bool limit_ONE_STEP(const vlm_limited *l) {
  return vlm_unit_step(l->graph, l->node, &(vlm_step_size){0});
}

/* ---- the table ---- */

static const struct {
  const char *why, *text;
  bool (*met)(const vlm_limited *l);
} ROWS[VLM_LIMIT_COUNT] = {
#define X(name, why, text) {why, text, limit_##name},
#include "export/limits.def"
#undef X
};

const char *vlm_limits_refuse(const vlm_limited *node, int32_t limits) {
  for (int32_t i = 0; i < VLM_LIMIT_COUNT; i++)
    if ((limits >> i & 1) && !ROWS[i].met(node)) return ROWS[i].why;
  return NULL;
}

const char *vlm_limit_text(vlm_limit_id id) { return ROWS[id].text; }
