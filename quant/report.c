#include "quant/report.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "quant/tied.h"
#include "runtime/base/json.h"

void vlm_quant_plan_count(const vlm_quant_plan *plan, int32_t counts[VLM_DECIDE_COUNT]) {
  memset(counts, 0, VLM_DECIDE_COUNT * sizeof *counts);
  for (int32_t i = 0; i < plan->count; i++) counts[plan->nodes[i].decision]++;
}

static void put_range(vlm_json_writer *w, const vlm_range *r) {
  vlm_json_put_text(w, "method", vlm_range_method_name(r->method));
  vlm_json_open_array(w, "range");
  vlm_json_put_double(w, NULL, (double)r->low);
  vlm_json_put_double(w, NULL, (double)r->high);
  vlm_json_close_array(w);
  vlm_json_put_double(w, "scale", (double)r->scale);
  vlm_json_put_int(w, "zero_point", r->zero_point);
  vlm_json_put_int(w, "candidates", r->candidates);
  vlm_json_put_double(w, "range_sqnr_db", r->sqnr_db);
}

static void put_node(vlm_json_writer *w, const vlm_node_plan *n) {
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "node", n->node);
  vlm_json_put_text(w, "op", n->op_type);
  vlm_json_put_text(w, "weight", n->weight);
  if (*n->input) vlm_json_put_text(w, "input", n->input);
  vlm_json_put_text(w, "decision", vlm_decision_name(n->decision));
  vlm_json_put_text(w, "reason", n->reason);
  vlm_json_put_int(w, "weights", n->weights);
  if (n->decision != VLM_DECIDE_FLOAT) {
    if (n->measured) vlm_json_put_double(w, "sqnr_db", n->output_db);
    vlm_json_put_double(w, "weight_sqnr_db", n->weight_sqnr_db);
    if (n->round_tried) {
      vlm_json_put_text(w, "rounding", n->rounded ? "gptq" : "nearest");
      vlm_json_put_double(w, "gptq_gain_db", n->round_gain_db);
    }
  }
  if (n->has_range) put_range(w, &n->range);
  vlm_json_close_object(w);
}

void vlm_quant_plan_put(vlm_json_writer *w, const vlm_quant_plan *plan) {
  const char *graph = NULL;
  vlm_json_open_object(w, "graphs");
  for (int32_t i = 0; i < plan->count; i++) {
    const vlm_node_plan *n = &plan->nodes[i];
    if (!graph || strcmp(graph, n->graph)) {
      if (graph) vlm_json_close_array(w);
      vlm_json_open_array(w, n->graph);
      graph = n->graph;
    }
    put_node(w, n);
  }
  if (graph) vlm_json_close_array(w);
  vlm_json_close_object(w);
}

/* ---- reading ---- */

static const double MAX_BOUND = FLT_MAX / 4; /* high - low and what is computed from it stay finite */

static bool fits(const vlm_node_plan *n, vlm_decision decision) {
  return decision == VLM_DECIDE_FLOAT || n->forms & vlm_decision_forms(decision);
}

/* Nodes of one name are met in graph order, as they were written. */
static vlm_node_plan *next_node(vlm_quant_plan *plan, const char *role, const char *name) {
  for (int32_t i = 0; i < plan->count; i++) {
    vlm_node_plan *n = &plan->nodes[i];
    if (!n->given && !strcmp(n->node, name) && !strcmp(n->graph, role)) return n;
  }
  return NULL;
}

static vlm_status read_range(vlm_node_plan *n, vlm_json entry, vlm_error *err) {
  vlm_status st = VLM_OK;
  double low, high;
  vlm_json range = vlm_json_member(entry, "range");
  if (vlm_json_is_null(range)) return VLM_OK;
  if (vlm_json_type(range) != VLM_JSON_ARRAY || vlm_json_size(range) != 2)
    VLM_TRY(vlm_json_fail(range, err, VLM_INPUT, "wanted [low, high]"));
  VLM_TRY(vlm_json_as_double(&low, vlm_json_at(range, 0), err));
  VLM_TRY(vlm_json_as_double(&high, vlm_json_at(range, 1), err));
  if (low > high) VLM_TRY(vlm_json_fail(range, err, VLM_INPUT, "low %g is above high %g", low, high));
  if (fabs(low) > MAX_BOUND || fabs(high) > MAX_BOUND)
    VLM_TRY(vlm_json_fail(range, err, VLM_INPUT, "a bound is above %g", MAX_BOUND));
  n->has_range = true;
  n->range.low = (float)low;
  n->range.high = (float)high;
  vlm_range_affine(n->range.low, n->range.high, &n->range.scale, &n->range.zero_point);
out:
  return st;
}

static vlm_status read_entry(vlm_quant_plan *plan, const char *role, vlm_json entry, vlm_error *err) {
  vlm_status st = VLM_OK;
  const char *name = NULL, *decision = NULL;
  VLM_TRY(vlm_json_get_text(&name, entry, "node", VLM_JSON_REQUIRED, err));
  VLM_TRY(vlm_json_get_text(&decision, entry, "decision", VLM_JSON_REQUIRED, err));
  vlm_node_plan *n = next_node(plan, role, name);
  if (!n)
    VLM_TRY(vlm_json_fail(entry, err, VLM_INPUT,
                          "graph \"%s\" has no quantizable node \"%s\", or it was named before", role, name));
  vlm_decision before = n->decision;
  n->given = true;
  if (!vlm_decision_parse(&n->decision, decision))
    VLM_TRY(vlm_json_fail(entry, err, VLM_INPUT,
                          "decision \"%s\": wanted float, static, dynamic or weight-only", decision));
  if (!fits(n, n->decision))
    VLM_TRY(vlm_json_fail(entry, err, VLM_INPUT, "node \"%s\": %s cannot be %s", name, n->op_type, decision));
  VLM_TRY(read_range(n, entry, err));
  if (n->decision == VLM_DECIDE_STATIC && !n->has_range)
    VLM_TRY(vlm_json_fail(entry, err, VLM_INPUT, "node \"%s\" is static but has no range", name));
  if (n->decision != before) n->reason = "taken from the plan file";
out:
  return st;
}

vlm_status vlm_quant_plan_override(vlm_quant_plan *plan, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_doc *doc = NULL;
  vlm_json graphs;
  VLM_TRY(vlm_json_load(&doc, path, 0, err));
  VLM_TRY(vlm_json_get_object(&graphs, vlm_json_root(doc), "graphs", VLM_JSON_REQUIRED, err));
  vlm_json_iter it = {0};
  while (vlm_json_next(graphs, &it)) {
    if (vlm_json_type(it.value) != VLM_JSON_ARRAY)
      VLM_TRY(vlm_json_fail(it.value, err, VLM_INPUT, "wanted a list of nodes"));
    for (size_t i = 0; i < vlm_json_size(it.value); i++)
      VLM_TRY(read_entry(plan, it.key, vlm_json_at(it.value, i), err));
  }
  vlm_quant_plan_tie(plan);
out:
  vlm_json_free(doc);
  return st;
}
