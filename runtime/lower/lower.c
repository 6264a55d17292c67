#include "runtime/lower/lower_private.h"
#include "runtime/ops/resolve.h"

static const vlm_rule *const RULES[] = {
    [VLM_FAMILY_STORED] = &vlm_rule_stored,
    [VLM_FAMILY_PRODUCT] = &vlm_rule_product,
    [VLM_FAMILY_CONVOLUTION] = &vlm_rule_convolution,
    [VLM_FAMILY_TRANSPOSED] = &vlm_rule_transposed,
    [VLM_FAMILY_TABLE] = &vlm_rule_table,
};

bool vlm_lower_can(const vlm_graph *graph, const vlm_node *node, const vlm_weight_slot *slot, vlm_form form,
                   const char **why) {
  *why = "the operator has no such form";
  if (!(node->traits->forms & (int32_t)form)) return false;
  return RULES[node->traits->family]->can(graph, node, slot, form, why);
}

/* An operator on bytes that is left as it is: its weights are 8 bits in the file. */
static vlm_status report_integer(vlm_lowering *l, int32_t n) {
  const vlm_node *node = &l->graph->nodes[n];
  vlm_value_id weight = vlm_node_input(node, node->traits->macs_input);
  bool constant = weight != VLM_NO_VALUE && vlm_graph_constant(l->graph, weight);
  return constant ? vlm_report_add(l, n, VLM_FORM_STATIC) : VLM_OK;
}

/* The operator's own rule, else the constant is one that is stored. */
static vlm_status lower_slot(vlm_lowering *l, int32_t n, const vlm_weight_slot *slot, vlm_form *form) {
  vlm_status st = VLM_OK;
  VLM_TRY(RULES[l->graph->nodes[n].traits->family]->lower(l, n, slot, form));
  if (!*form) VLM_TRY(vlm_rule_stored.lower(l, n, slot, form));
out:
  return st;
}

static bool is_stored(const vlm_graph *graph, const vlm_node *node, int32_t k) {
  vlm_value_id id = vlm_node_input(node, k);
  return id != VLM_NO_VALUE && !vlm_graph_constant(graph, id) && vlm_node_constant(graph, node, k);
}

/* A Gather of a constant looks a table up. */
static bool moves_activations(const vlm_graph *graph, const vlm_node *node) {
  return node->traits->flags & VLM_TRAIT_MOVES && !vlm_node_constant(graph, node, 0);
}

static vlm_status lower_node(vlm_lowering *l, int32_t n) {
  vlm_status st = VLM_OK;
  vlm_weight_slot slots[VLM_MAX_WEIGHT_SLOTS];
  const vlm_traits *traits = l->graph->nodes[n].traits;
  vlm_form form = 0;
  if (traits->flags & VLM_TRAIT_INTEGER) return report_integer(l, n);
  if (moves_activations(l->graph, &l->graph->nodes[n])) return vlm_lower_move(l, n);
  int32_t count = traits->weights ? traits->weights(l->graph, &l->graph->nodes[n], slots) : 0;
  for (int32_t i = 0; i < count; i++) {
    vlm_form found = 0;
    if (!is_stored(l->graph, &l->graph->nodes[n], slots[i].input)) continue;
    VLM_TRY(lower_slot(l, n, &slots[i], &found));
    if (!form) form = found;
  }
  if (form) VLM_TRY(vlm_report_add(l, n, form));
out:
  return st;
}

/* Made before the graph is lowered: it has no other form. */
static bool is_row_product(const vlm_node *node) {
  return !strcmp(node->domain, "vlm") && !strcmp(node->op_type, "QMatMulDynamic");
}

static vlm_status lower_one(vlm_graph *graph, vlm_lower_report *report, vlm_error *err);

static vlm_status lower_bodies(vlm_graph *graph, int32_t n, vlm_lower_report *report, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t a = 0; st == VLM_OK && a < graph->nodes[n].n_attrs; a++)
    if (graph->nodes[n].attrs[a].kind == VLM_ATTR_GRAPH)
      st = lower_one(graph->nodes[n].attrs[a].u.g, report, err);
  return st;
}

static vlm_status lower_one(vlm_graph *graph, vlm_lower_report *report, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lowering l = {0};
  VLM_TRY(vlm_lowering_open(&l, graph, report, err));
  for (int32_t n = 0; n < l.n_nodes; n++) {
    if (l.gone[n]) vlm_node_unlink(graph, n);
    else if (is_row_product(&graph->nodes[n])) VLM_TRY(vlm_lower_row_product(&l, n));
    else VLM_TRY(lower_node(&l, n));
    VLM_TRY(lower_bodies(graph, n, report, err));
  }
out:
  vlm_lowering_close(&l);
  return st;
}

static vlm_status each_graph(vlm_graph *graph, vlm_status (*work)(vlm_graph *graph, vlm_error *err),
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(work(graph, err));
  for (int32_t n = 0; n < graph->n_nodes; n++)
    for (int32_t a = 0; a < graph->nodes[n].n_attrs; a++)
      if (graph->nodes[n].attrs[a].kind == VLM_ATTR_GRAPH)
        VLM_TRY(each_graph(graph->nodes[n].attrs[a].u.g, work, err));
out:
  return st;
}

vlm_status vlm_graph_lower(vlm_graph *graph, vlm_lower_report *report, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(each_graph(graph, vlm_lower_qoperators, err));
  VLM_TRY(each_graph(graph, vlm_lower_integer_chains, err));
  VLM_TRY(vlm_graph_sweep(graph, err));
  VLM_TRY(vlm_graph_resolve(graph, err));
  VLM_TRY(each_graph(graph, vlm_lower_zero_points, err));
  VLM_TRY(each_graph(graph, vlm_lower_bytes, err));
  VLM_TRY(each_graph(graph, vlm_lower_weights, err));
  VLM_TRY(lower_one(graph, report, err));
  VLM_TRY(vlm_graph_sweep(graph, err));
  VLM_TRY(vlm_graph_resolve(graph, err));
  VLM_TRY(each_graph(graph, vlm_lower_attention, err));
  VLM_TRY(each_graph(graph, vlm_lower_float_products, err));
  VLM_TRY(vlm_graph_sweep(graph, err));
  VLM_TRY(vlm_graph_resolve(graph, err));
  VLM_TRY(each_graph(graph, vlm_lower_layout, err));
  VLM_TRY(vlm_graph_sweep(graph, err));
  VLM_TRY(vlm_graph_resolve(graph, err));
  VLM_TRY(each_graph(graph, vlm_lower_quantizers, err));
  VLM_TRY(vlm_graph_sweep(graph, err));
  VLM_TRY(each_graph(graph, vlm_lower_joins, err));
  VLM_TRY(vlm_graph_sweep(graph, err));
  VLM_TRY(vlm_graph_resolve(graph, err));
out:
  return st;
}
