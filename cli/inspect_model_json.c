/* A model as JSON. */
#include <string.h>

#include "cli/inspect.h"
#include "cli/coverage_text.h"

static void put_dims(vlm_json_writer *w, const char *key, const vlm_tensor *t, const char *const *names) {
  if (t->rank < 0) {
    vlm_json_put_null(w, key);
    return;
  }
  vlm_json_open_array(w, key);
  for (int d = 0; d < t->rank; d++) {
    if (t->dims[d] >= 0) vlm_json_put_int(w, NULL, t->dims[d]);
    else vlm_json_put_text(w, NULL, names ? names[d] : NULL);
  }
  vlm_json_close_array(w);
}

static void put_ends(vlm_json_writer *w, const char *key, const vlm_graph *g, const vlm_value_id *ids,
                     int32_t n, const vlm_tensor *here) {
  vlm_json_open_array(w, key);
  for (int32_t i = 0; i < n; i++) {
    const vlm_value *v = &g->values[ids[i]];
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "name", v->name);
    vlm_json_put_text(w, "type", vlm_dtype_name(v->tensor.dtype));
    put_dims(w, "shape", &v->tensor, v->dim_names);
    if (here) put_dims(w, "shape_here", &here[i], NULL);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
}

static vlm_status put_operators(vlm_json_writer *w, const vlm_graph *g, const vlm_profile *p,
                                vlm_error *err) {
  char name[96];
  vlm_op_total *ops;
  int32_t n;
  int64_t nodes = 0;
  vlm_status st = vlm_op_totals(&ops, &n, g, p, err);
  if (st != VLM_OK) return st;
  for (int32_t i = 0; i < n; i++) nodes += ops[i].nodes;
  vlm_json_put_int(w, "nodes", nodes);
  vlm_json_open_array(w, "operators");
  for (int32_t i = 0; i < n; i++) {
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "op", vlm_op_total_name(&ops[i], name));
    vlm_json_put_int(w, "nodes", ops[i].nodes);
    if (p) vlm_json_put_int(w, "macs", ops[i].macs);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
  vlm_free(ops);
  return VLM_OK;
}

static void put_node_macs(vlm_json_writer *w, const vlm_profile *p) {
  vlm_json_open_array(w, "macs_by_node");
  for (int32_t i = 0; i < p->n_nodes; i++) {
    const vlm_node *node = &p->nodes[i].graph->nodes[p->nodes[i].node];
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "node", node->name);
    vlm_json_put_text(w, "op", node->op_type);
    vlm_json_put_int(w, "runs", p->nodes[i].runs);
    vlm_json_put_int(w, "macs", p->nodes[i].macs);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
}

static void put_decisions(vlm_json_writer *w, const vlm_quant_plan *plan, const char *role) {
  size_t size = strlen(role);
  vlm_json_open_array(w, "quantization");
  for (int32_t i = 0; i < plan->count; i++) {
    const vlm_node_plan *n = &plan->nodes[i];
    if (strncmp(n->graph, role, size) || (n->graph[size] && n->graph[size] != '/')) continue;
    vlm_json_open_object(w, NULL);
    if (n->graph[size]) vlm_json_put_text(w, "body", n->graph);
    vlm_json_put_text(w, "node", n->node);
    vlm_json_put_text(w, "op", n->op_type);
    vlm_json_put_text(w, "weight", n->weight);
    vlm_json_put_text(w, "decision", vlm_decision_name(n->decision));
    vlm_json_put_text(w, "reason", n->reason);
    vlm_json_put_int(w, "weights", n->weights);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
}

static void put_costs(vlm_json_writer *w, const vlm_role_profile *p) {
  if (!p->made) {
    vlm_json_put_text(w, "costs_error", p->error.text);
    return;
  }
  vlm_json_put_int(w, "macs", p->profile.macs);
  vlm_json_put_int(w, "activation_bytes", (int64_t)p->profile.activation_bytes);
  vlm_json_put_bool(w, "data_dependent", p->profile.executed);
}

static vlm_status put_graph(vlm_json_writer *w, const vlm_model_view *v, int role, vlm_error *err) {
  const vlm_graph *g = v->bundle->graphs[role];
  const vlm_role_profile *costs = &v->costs.roles[role];
  const vlm_profile *p = costs->made ? &costs->profile : NULL;
  vlm_json_open_object(w, vlm_role_name((vlm_role)role));
  vlm_json_put_int(w, "opset", g->opset);
  vlm_json_put_int(w, "parameters", v->weights[role].elements);
  vlm_json_put_int(w, "weight_bytes", (int64_t)v->weights[role].bytes);
  put_costs(w, costs);
  put_ends(w, "inputs", g, g->inputs, g->n_inputs, p ? p->inputs : NULL);
  put_ends(w, "outputs", g, g->outputs, g->n_outputs, p ? p->outputs : NULL);
  vlm_status st = put_operators(w, g, p, err);
  if (p) put_node_macs(w, p);
  if (v->plan) put_decisions(w, v->plan, vlm_role_name((vlm_role)role));
  vlm_json_close_object(w);
  return st;
}

vlm_status vlm_model_view_put(vlm_json_writer *w, const vlm_model_view *v, vlm_error *err) {
  static const char *const FAMILIES[] = {[VLM_FAMILY_GRAPH] = "graph",
                                         [VLM_FAMILY_ENCODER_DECODER] = "encoder-decoder",
                                         [VLM_FAMILY_DECODER_ONLY] = "decoder-only"};
  vlm_status st = VLM_OK;
  const vlm_bundle_profile *c = &v->costs;
  vlm_json_put_text(w, "family", FAMILIES[v->bundle->family]);
  vlm_json_put_int(w, "parameters", v->total.elements);
  vlm_json_put_int(w, "weight_bytes", (int64_t)v->total.bytes);
  if (v->coverage) vlm_coverage_put(w, v->coverage);
  vlm_json_open_object(w, "shapes");
  if (v->bundle->family != VLM_FAMILY_GRAPH) {
    const struct {
      const char *key;
      int64_t value;
    } sizes[] = {{"image_width", c->image_width},       {"image_height", c->image_height},
                 {"image_tokens", c->image_tokens},     {"prompt_tokens", c->prompt_tokens},
                 {"context_tokens", c->context_tokens}, {"past_tokens", c->past_tokens}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
      vlm_json_put_int(w, sizes[i].key, sizes[i].value);
  } else {
    vlm_json_put_text(w, "assumed", vlm_text_get(&v->assumed));
  }
  vlm_json_close_object(w);
  vlm_json_open_object(w, "graphs");
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (v->bundle->graphs[r]) VLM_TRY(put_graph(w, v, r, err));
  vlm_json_close_object(w);
out:
  return st;
}
