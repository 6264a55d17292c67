#include "onnx/cache.h"

#include <math.h>
#include <string.h>

#include "onnx/pass.h"
#include "runtime/ops/resolve.h"

/* One half of a layer's cache: present = Concat(past, fresh). */
typedef struct {
  vlm_value_id past, fresh, present;
} appended;

typedef struct {
  int32_t product; /* the MatMul with the values, which becomes the new node */
  vlm_value_id query, mask;
  double scale;
  appended key, value;
} layer;

/* Shape nodes that read a value: they see no data. */
static int32_t shape_uses(const vlm_graph *g, vlm_value_id id) {
  int32_t count = 0;
  for (int32_t n = 0; n < g->n_nodes; n++)
    count += vlm_node_is(&g->nodes[n], "Shape") && g->nodes[n].inputs[0] == id;
  return count;
}

/* present: a graph output that is the concatenation of a graph input and something new along the token axis, read only by `readers` nodes
 * (and for its shape). */
static bool is_appended(const vlm_graph *g, vlm_value_id id, int32_t readers, appended *out) {
  const vlm_node *concat = vlm_graph_producer(g, id, "Concat");
  if (!concat || concat->n_inputs != 2 || !vlm_pass_is_output(g, id)) return false;
  int64_t axis = vlm_node_int(concat, "axis", 0);
  *out = (appended){concat->inputs[0], concat->inputs[1], id};
  const vlm_value *past = &g->values[out->past];
  if ((axis != 2 && axis != -2) || past->kind != VLM_VALUE_INPUT || past->tensor.dtype != VLM_F32)
    return false;
  return vlm_pass_uses(g, id) - shape_uses(g, id) == readers + 1 &&
         vlm_pass_uses(g, out->past) - shape_uses(g, out->past) == 1;
}

/* Through a Reshape that merges batch and heads, which only this path reads. */
static vlm_value_id without_reshape(const vlm_graph *g, vlm_value_id id) {
  const vlm_node *reshape = vlm_graph_producer(g, id, "Reshape");
  return reshape && vlm_pass_uses(g, id) == 1 ? reshape->inputs[0] : id;
}

static bool adds_axis_2(const vlm_graph *g, const vlm_node *unsqueeze) {
  const vlm_attr *a = vlm_node_attr(unsqueeze, "axes");
  double axis;
  if (a) return a->kind == VLM_ATTR_INTS && a->count == 1 && a->u.ints[0] == 2;
  return unsqueeze->n_inputs == 2 && vlm_pass_scalar(g, unsqueeze->inputs[1], &axis) &&
         (axis == 2 || axis == -3);
}

/* Through the repetition of heads for grouped queries: [B, H, T, D] -> [B, H, 1, T, D] -> [B, H, r, T, D] -> [B, H * r, T, D]. */
static vlm_value_id without_repeat(const vlm_graph *g, vlm_value_id id) {
  const vlm_node *reshape = vlm_graph_producer(g, id, "Reshape");
  const vlm_node *expand = reshape ? vlm_graph_producer(g, reshape->inputs[0], "Expand") : NULL;
  const vlm_node *unsqueeze = expand ? vlm_graph_producer(g, expand->inputs[0], "Unsqueeze") : NULL;
  if (!unsqueeze || !adds_axis_2(g, unsqueeze)) return without_reshape(g, id);
  bool alone = vlm_pass_uses(g, id) - shape_uses(g, id) == 1 && vlm_pass_uses(g, reshape->inputs[0]) == 1 &&
               vlm_pass_uses(g, expand->inputs[0]) - shape_uses(g, expand->inputs[0]) == 1;
  return alone ? unsqueeze->inputs[0] : id;
}

/* Transpose of the last two axes. */
static vlm_value_id without_swap(const vlm_graph *g, vlm_value_id id) {
  const vlm_node *transpose = vlm_graph_producer(g, id, "Transpose");
  const vlm_attr *perm = transpose ? vlm_node_attr(transpose, "perm") : NULL;
  if (!perm || perm->count < 3 || vlm_pass_uses(g, id) != 1) return VLM_NO_VALUE;
  for (int32_t i = 0; i < perm->count; i++) {
    int32_t wanted = i < perm->count - 2 ? i : 2 * perm->count - 3 - i;
    if (perm->u.ints[i] != wanted) return VLM_NO_VALUE;
  }
  return transpose->inputs[0];
}

static bool take_mask(const vlm_graph *g, vlm_value_id *id, layer *l) {
  const vlm_node *add = vlm_graph_producer(g, *id, "Add");
  if (!add) return true;
  if (vlm_pass_uses(g, *id) != 1) return false;
  /* The scores come from a MatMul, perhaps scaled; the other operand is the mask. */
  for (int k = 0; k < 2; k++) {
    vlm_value_id scores = add->inputs[k];
    bool product = vlm_graph_producer(g, scores, "MatMul") || vlm_graph_producer(g, scores, "Mul") ||
                   vlm_graph_producer(g, scores, "Div");
    if (!product || vlm_pass_uses(g, scores) != 1) continue;
    l->mask = add->inputs[1 - k];
    *id = scores;
    return true;
  }
  return false;
}

/* Division by a power of two is a multiplication to the last bit; by anything else it is not. */
static bool take_divisor(const vlm_graph *g, vlm_value_id *id, layer *l) {
  double value;
  int exponent;
  const vlm_node *div = vlm_graph_producer(g, *id, "Div");
  if (!div) return true;
  if (!vlm_pass_scalar(g, div->inputs[1], &value) || vlm_pass_uses(g, *id) != 1) return false;
  if (value <= 0 || frexp(value, &exponent) != 0.5) return false;
  l->scale = 1 / value;
  *id = div->inputs[0];
  return true;
}

static bool take_scale(const vlm_graph *g, vlm_value_id *id, layer *l) {
  double value;
  const vlm_node *mul = vlm_graph_producer(g, *id, "Mul");
  l->scale = 1;
  if (!mul) return take_divisor(g, id, l);
  for (int k = 0; k < 2; k++) {
    if (!vlm_pass_scalar(g, mul->inputs[1 - k], &value) || vlm_pass_uses(g, *id) != 1) continue;
    l->scale = value;
    *id = mul->inputs[k];
    return true;
  }
  return false;
}

static bool match(const vlm_graph *g, int32_t n, layer *l) {
  const vlm_node *product = &g->nodes[n];
  *l = (layer){.product = n, .mask = VLM_NO_VALUE};
  if (!vlm_node_is(product, "MatMul")) return false;
  const vlm_node *softmax = vlm_graph_producer(g, product->inputs[0], "Softmax");
  if (!softmax || vlm_pass_uses(g, product->inputs[0]) != 1) return false;
  int64_t axis = vlm_node_int(softmax, "axis", -1);
  vlm_value_id scores = softmax->inputs[0];
  if (axis != -1 && axis != 3 && axis != 2) return false;
  if (!take_mask(g, &scores, l) || !take_scale(g, &scores, l)) return false;
  const vlm_node *similarity = vlm_graph_producer(g, scores, "MatMul");
  if (!similarity || vlm_pass_uses(g, scores) != 1) return false;
  l->query = similarity->inputs[0];
  vlm_value_id keys = without_swap(g, similarity->inputs[1]);
  if (keys == VLM_NO_VALUE) return false;
  return is_appended(g, without_repeat(g, keys), 1, &l->key) &&
         is_appended(g, without_repeat(g, product->inputs[1]), 1, &l->value);
}

static void drop_output(vlm_graph *g, vlm_value_id id) {
  int32_t kept = 0;
  for (int32_t i = 0; i < g->n_outputs; i++)
    if (g->outputs[i] != id) g->outputs[kept++] = g->outputs[i];
  g->n_outputs = kept;
}

static vlm_status capacity_input(vlm_graph *g, vlm_value_id *out, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = vlm_graph_find(g, VLM_CACHE_CAPACITY);
  if (*out != VLM_NO_VALUE) return VLM_OK;
  VLM_TRY(vlm_graph_add_value(g, out, VLM_CACHE_CAPACITY, VLM_VALUE_INPUT, err));
  g->values[*out].tensor = vlm_tensor_make(VLM_S64, 0, NULL, NULL);
  VLM_TRY(vlm_graph_add_input(g, *out, err));
out:
  return st;
}

static vlm_status rewrite(vlm_graph *g, const layer *l, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value_id capacity;
  VLM_TRY(capacity_input(g, &capacity, err));
  const vlm_value_id inputs[] = {l->query,      l->key.fresh, l->value.fresh, l->key.past,
                                 l->value.past, capacity,     l->mask};
  VLM_TRY(vlm_pass_rewrite(g, l->product, "vlm", "CacheAttention", 1, inputs, l->mask == VLM_NO_VALUE ? 6 : 7,
                           1, err));
  g->nodes[l->product].attrs[0] = (vlm_attr){.name = "scale", .kind = VLM_ATTR_FLOAT, .u.f = (float)l->scale};
  drop_output(g, l->key.present);
  drop_output(g, l->value.present);
out:
  return st;
}

/* The name of the input is a contract: a value of the model that is called so steps back. */
static vlm_status free_capacity(vlm_graph *g, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_value_id id = vlm_graph_find(g, VLM_CACHE_CAPACITY);
  const char *other = NULL;
  if (id == VLM_NO_VALUE) return VLM_OK;
  VLM_TRY(vlm_graph_free_name(g, &other, VLM_CACHE_CAPACITY, "", err));
  VLM_TRY(vlm_graph_rename(g, id, other, err));
out:
  return st;
}

vlm_status vlm_graph_cache_in_place(vlm_graph *g, int32_t *layers, vlm_error *err) {
  vlm_status st = VLM_OK;
  layer l;
  int32_t count = 0;
  for (int32_t n = 0; n < g->n_nodes; n++) {
    if (!match(g, n, &l)) continue;
    if (count == 0) VLM_TRY(free_capacity(g, err));
    VLM_TRY(rewrite(g, &l, err));
    count++;
  }
  if (count) {
    VLM_TRY(vlm_graph_sweep(g, err));
    VLM_TRY(vlm_graph_resolve(g, err));
  }
  if (layers) *layers = count;
out:
  return st;
}
