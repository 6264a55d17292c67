/* MatMul, Mul or Div, Add, Softmax, MatMul: one vlm.Attention, which reads through the Transposes in front and writes through the one behind. */
#include "runtime/lower/lower_private.h"
#include "runtime/lower/views.h"

typedef struct {
  vlm_seen q, k, v;
  vlm_value_id mask, factor, q_factor, k_factor, y;
  bool divides;
  const vlm_attr *perm;      /* of the Transpose behind, or NULL */
  int32_t taken[7], n_taken; /* nodes that go */
} attention;

/* Float32 throughout: other floats would be rounded between the operators that are taken together. */
static bool is_other_float(vlm_dtype type) { return vlm_dtype_is_float(type) && type != VLM_F32; }

static bool has_other_floats(const vlm_graph *g) {
  for (int32_t id = 0; id < g->n_values; id++)
    if (is_other_float(g->values[id].tensor.dtype)) return true;
  for (int32_t n = 0; n < g->n_nodes; n++)
    if (vlm_node_is(&g->nodes[n], "Cast") &&
        is_other_float(vlm_dtype_from_onnx((int)vlm_node_int(&g->nodes[n], "to", 0))))
      return true;
  return g->parent && has_other_floats(g->parent);
}

/* The node that makes a value, when it is of that type and nobody else reads what it makes. */
static const vlm_node *own_maker(const vlm_lowering *l, vlm_value_id id, const char *op_type, attention *a) {
  const vlm_node *node = vlm_maker(l->graph, id);
  if (!node || !vlm_node_is(node, op_type) || vlm_only_reader(l, id) < 0) return NULL;
  a->taken[a->n_taken++] = (int32_t)(node - l->graph->nodes);
  return node;
}

/* Of an operand pair: the scores are what a product, a factor or the mask makes; *other is the rest. */
static bool makes_scores(const vlm_lowering *l, vlm_value_id id) {
  const vlm_node *node = vlm_maker(l->graph, id);
  return node && vlm_only_reader(l, id) >= 0 &&
         (vlm_node_is(node, "MatMul") || vlm_node_is(node, "Mul") || vlm_node_is(node, "Div"));
}

static bool split_operands(const vlm_lowering *l, const vlm_node *node, bool ordered, vlm_value_id *scores,
                           vlm_value_id *other) {
  for (int32_t k = 0; k < (ordered ? 1 : 2); k++) {
    *scores = node->inputs[k];
    *other = node->inputs[1 - k];
    if (*scores != *other && makes_scores(l, *scores)) return true;
  }
  return false;
}

static void take_mask(const vlm_lowering *l, vlm_value_id *scores, attention *a) {
  const vlm_node *node = own_maker(l, *scores, "Add", a);
  if (node && !split_operands(l, node, false, scores, &a->mask)) {
    a->n_taken--;
    a->mask = VLM_NO_VALUE;
  }
}

static void take_factor(const vlm_lowering *l, vlm_value_id *scores, attention *a) {
  const vlm_node *node = own_maker(l, *scores, "Mul", a);
  a->divides = !node;
  if (!node) node = own_maker(l, *scores, "Div", a);
  if (node && !split_operands(l, node, a->divides, scores, &a->factor)) {
    a->n_taken--;
    a->factor = VLM_NO_VALUE;
  }
}

/* The rows of the result or its columns must stay next to each other. */
static void take_transpose(vlm_lowering *l, attention *a) {
  const int32_t reader = vlm_only_reader(l, a->y);
  const vlm_node *node = reader < 0 ? NULL : &l->graph->nodes[reader];
  const vlm_attr *perm = node && vlm_node_is(node, "Transpose") ? vlm_node_attr(node, "perm") : NULL;
  if (!perm || perm->kind != VLM_ATTR_INTS || perm->count < 2 ||
      perm->u.ints[perm->count - 1] < perm->count - 2)
    return;
  a->perm = perm;
  a->y = node->outputs[0];
  a->taken[a->n_taken++] = reader;
}

static bool softmax_of_rows(const vlm_graph *g, const vlm_node *node) {
  const int64_t axis = vlm_node_int(node, "axis", node->opset < 13 ? 1 : -1);
  vlm_seen seen;
  return axis == -1 ||
         (vlm_see_through(g, node->inputs[0], &seen) && axis == seen.rank - 1 && node->opset >= 13);
}

/* An operand of the first product, which may be scaled. */
static bool read_scaled(const vlm_lowering *l, vlm_value_id id, attention *a, vlm_seen *out,
                        vlm_value_id *factor) {
  const vlm_node *mul = own_maker(l, id, "Mul", a);
  vlm_seen one, other;
  if (!mul) return vlm_see_through(l->graph, id, out);
  const bool left = vlm_see_through(l->graph, mul->inputs[0], &one),
             right = vlm_see_through(l->graph, mul->inputs[1], &other);
  const bool second = right && (!left || other.rank > one.rank);
  *out = second ? other : one;
  *factor = mul->inputs[second ? 0 : 1];
  return left || right;
}

static bool read_attention(vlm_lowering *l, int32_t n, attention *a) {
  const vlm_node *last = &l->graph->nodes[n];
  *a = (attention){
      .mask = VLM_NO_VALUE, .factor = VLM_NO_VALUE, .q_factor = VLM_NO_VALUE, .k_factor = VLM_NO_VALUE};
  if (!vlm_node_is(last, "MatMul")) return false;
  const vlm_node *softmax = own_maker(l, last->inputs[0], "Softmax", a);
  if (!softmax || !softmax_of_rows(l->graph, softmax)) return false;
  vlm_value_id scores = softmax->inputs[0];
  take_mask(l, &scores, a);
  take_factor(l, &scores, a);
  const vlm_node *first = own_maker(l, scores, "MatMul", a);
  if (!first || !read_scaled(l, first->inputs[0], a, &a->q, &a->q_factor) ||
      !read_scaled(l, first->inputs[1], a, &a->k, &a->k_factor) ||
      !vlm_see_through(l->graph, last->inputs[1], &a->v))
    return false;
  a->y = last->outputs[0];
  take_transpose(l, a);
  return a->q.rank >= 2 && a->k.rank >= 2 && a->v.rank >= 2;
}

static vlm_status make_attention(vlm_lowering *l, int32_t n, const attention *a) {
  vlm_status st = VLM_OK;
  vlm_attr attrs[5] = {{0}};
  const vlm_value_id inputs[] = {a->q.source, a->k.source, a->v.source, a->mask,
                                 a->factor,   a->q_factor, a->k_factor};
  VLM_TRY(vlm_seen_attr(l->graph, "q_view", &a->q, &attrs[0], l->err));
  VLM_TRY(vlm_seen_attr(l->graph, "k_view", &a->k, &attrs[1], l->err));
  VLM_TRY(vlm_seen_attr(l->graph, "v_view", &a->v, &attrs[2], l->err));
  attrs[3] = vlm_int_attr("divides", a->divides && a->factor != VLM_NO_VALUE);
  if (a->perm)
    attrs[4] = (vlm_attr){
        .name = "y_perm", .kind = VLM_ATTR_INTS, .count = a->perm->count, .u.ints = a->perm->u.ints};
  for (int32_t i = 0; i < a->n_taken; i++) {
    l->gone[a->taken[i]] = true;
    vlm_node_unlink(l->graph, a->taken[i]);
  }
  VLM_TRY(vlm_make_internal(l, n,
                            &(vlm_node_form){.op_type = "Attention",
                                             .inputs = inputs,
                                             .n_inputs = 7,
                                             .attrs = attrs,
                                             .n_attrs = a->perm ? 5 : 4},
                            a->y));
out:
  return st;
}

vlm_status vlm_lower_attention(vlm_graph *graph, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lowering l = {0};
  attention a;
  if (has_other_floats(graph)) return VLM_OK;
  VLM_TRY(vlm_lowering_open(&l, graph, NULL, err));
  for (int32_t n = 0; n < l.n_nodes; n++)
    if (read_attention(&l, n, &a)) VLM_TRY(make_attention(&l, n, &a));
out:
  vlm_lowering_close(&l);
  return st;
}
