#include "quant/plan.h"

#include <math.h>
#include <string.h>

#include "calib/rows.h"
#include "quant/placement.h"
#include "quant/tied.h"
#include "quant/weight_store.h"
#include "runtime/lower/turn.h"

/* Noise powers of independent errors add. */
static double join_db(double a, double b) { return -10 * log10(pow(10, -a / 10) + pow(10, -b / 10)); }

typedef struct {
  vlm_quant_plan *plan;
  const vlm_stats *stats;
  const vlm_quant_opts *opts;
  vlm_body_list bodies;    /* of the graph at hand */
  vlm_surroundings around; /* likewise */
  vlm_error *err;
} planner;

static double min_sqnr(const vlm_quant_opts *opts) { return opts->min_sqnr_db > 0 ? opts->min_sqnr_db : 15; }

/* Statistics are kept where the value is made. */
static const vlm_tensor_stats *stats_of(const planner *p, const vlm_candidate *c) {
  vlm_origin made = vlm_value_origin(c->body->graph, c->activation);
  return p->stats ? vlm_stats_find(p->stats, vlm_bodies_find(&p->bodies, made.graph)->path,
                                   made.graph->values[made.id].name)
                  : NULL;
}

static void give_up_range(vlm_node_plan *n, const char *reason) {
  n->decision = vlm_placement_without_range(n->forms);
  n->reason = reason;
  n->has_range = false;
  n->local_db = n->weight_sqnr_db;
}

/* A range for all gives the typical row fewer steps than the eight bits have: its own range is taken where it is
 * to be had. */
static bool rows_differ(const planner *p, const vlm_node_plan *n, const vlm_tensor_stats *seen) {
  const double worth = 1.1; /* a range per row costs a tenth of a product's time at most */
  double typical = vlm_rows_extent(seen, 0.5), all = (double)n->range.high - (double)n->range.low;
  bool asked = p->opts->activations == VLM_ACTIVATIONS_AUTO && !p->opts->everything;
  return asked && n->forms & VLM_FORM_ROW && typical > 0 && all > worth * typical;
}

/* A static node needs a range that is good enough. */
static vlm_status choose_range(planner *p, vlm_node_plan *n, const vlm_candidate *c) {
  const vlm_tensor_stats *seen = stats_of(p, c);
  if (!seen || seen->count == 0) {
    give_up_range(n, p->stats ? "never reached in calibration: add inputs that reach it"
                              : "no statistics: --calib makes it static");
    return VLM_OK;
  }
  vlm_status st = vlm_range_choose(&n->range, seen, p->opts->range, p->opts->percentile, p->err);
  if (st != VLM_OK) return st;
  n->has_range = true;
  n->local_db = join_db(n->weight_sqnr_db, n->range.sqnr_db);
  bool enough = n->range.sqnr_db >= min_sqnr(p->opts) || p->opts->everything ||
                p->opts->activations == VLM_ACTIVATIONS_STATIC;
  if (rows_differ(p, n, seen)) give_up_range(n, "rows differ in extent: a range for each");
  else if (!enough) give_up_range(n, "one range for all is too coarse (--activations static keeps it)");
  return VLM_OK;
}

static vlm_status add_node(planner *p, vlm_node_plan **out, const vlm_candidate *c) {
  vlm_status st = VLM_OK;
  vlm_quant_plan *plan = p->plan;
  if (plan->count == plan->capacity) {
    int32_t wanted = plan->capacity ? plan->capacity * 2 : 64;
    VLM_TRY(vlm_more(&plan->nodes, plan->count, wanted, p->err));
    plan->capacity = wanted;
  }
  vlm_node_plan *n = &plan->nodes[plan->count];
  const vlm_value *values = c->body->graph->values;
  *n = (vlm_node_plan){
      .index = c->index, .slot = c->slot, .constant = c->weight, .weights = vlm_tensor_count(&c->weight)};
  VLM_TRY(vlm_arena_strdup(plan->arena, &n->graph, c->body->path, p->err));
  VLM_TRY(vlm_arena_strdup(plan->arena, &n->node, c->node->name, p->err));
  VLM_TRY(vlm_arena_strdup(plan->arena, &n->op_type, c->node->op_type, p->err));
  VLM_TRY(vlm_arena_strdup(plan->arena, &n->weight, values[c->node->inputs[c->slot.input]].name, p->err));
  VLM_TRY(vlm_arena_strdup(plan->arena, &n->input,
                           c->activation == VLM_NO_VALUE ? "" : values[c->activation].name, p->err));
  plan->count++;
  *out = n;
out:
  return st;
}

static vlm_status plan_weight(planner *p, const vlm_candidate *c) {
  vlm_status st = VLM_OK;
  vlm_node_plan *n;
  const vlm_weight_s8 *weight;
  VLM_TRY(add_node(p, &n, c));
  vlm_placed placed = vlm_placement(c, &p->around);
  n->decision = placed.decision;
  n->reason = placed.reason;
  n->forms = placed.forms;
  n->turns = vlm_lower_can_turn(c->body->graph, c->node, &c->slot);
  if (n->decision == VLM_DECIDE_FLOAT || p->opts->placement_only) goto out;
  VLM_TRY(vlm_weight_store_get(&weight, p->plan->weights, &c->weight, c->slot.axis, false, p->err));
  n->weight_sqnr_db = n->local_db = weight->sqnr_db;
  n->round_tried = weight->tried;
  n->rounded = weight->rounded;
  n->round_gain_db = weight->gain_db;
  if (n->decision == VLM_DECIDE_STATIC) VLM_TRY(choose_range(p, n, c));
out:
  if (st != VLM_OK)
    vlm_error_context(p->err, "%s: node \"%s\" (%s)", c->body->path, c->node->name, c->node->op_type);
  return st;
}

static vlm_status plan_body(planner *p, const vlm_body *body) {
  vlm_candidate candidates[VLM_MAX_WEIGHT_SLOTS];
  for (int32_t n = 0; n < body->graph->n_nodes; n++) {
    int32_t count = vlm_candidates_of(candidates, body, n);
    for (int32_t i = 0; i < count; i++) {
      vlm_status st = p->opts->go_on ? p->opts->go_on(p->opts->user, p->err) : VLM_OK;
      if (st == VLM_OK) st = plan_weight(p, &candidates[i]);
      if (st != VLM_OK) return st;
    }
  }
  return VLM_OK;
}

static int64_t count_weights(const vlm_body_list *bodies) {
  int64_t n = 0;
  for (int32_t b = 0; b < bodies->count; b++)
    for (vlm_value_id v = 0; v < bodies->items[b].graph->n_values; v++) {
      const vlm_value *value = &bodies->items[b].graph->values[v];
      if (value->kind == VLM_VALUE_CONSTANT) n += vlm_tensor_count(&value->tensor);
    }
  return n;
}

static vlm_status plan_graph(planner *p, const vlm_quant_graph *g) {
  vlm_status st = VLM_OK;
  p->around = (vlm_surroundings){.role = g->role, .opts = p->opts};
  VLM_TRY(vlm_bodies_make(&p->bodies, g->graph, g->role, p->plan->arena, p->err));
  VLM_TRY(vlm_flow_create(&p->around.flow, &p->bodies, p->err));
  p->around.tiny = vlm_placement_tiny(&p->bodies, count_weights(&p->bodies));
  for (int32_t b = 0; b < p->bodies.count; b++) VLM_TRY(plan_body(p, &p->bodies.items[b]));
out:
  vlm_flow_free(p->around.flow);
  vlm_bodies_free(&p->bodies);
  return st;
}

vlm_status vlm_quant_plan_make(vlm_quant_plan **out, const vlm_quant_graph *graphs, int32_t n_graphs,
                               const vlm_stats *stats, const vlm_quant_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  planner p = {.stats = stats, .opts = opts, .err = err};
  const vlm_weight_opts weights = {
      .per_tensor = opts->per_tensor_weights, .mse = !opts->no_weight_search, .threads = opts->threads};
  VLM_TRY(vlm_new(&p.plan, 1, err));
  VLM_TRY(vlm_arena_create(&p.plan->arena, err));
  VLM_TRY(vlm_weight_store_create(&p.plan->weights, &weights, opts->covariances, err));
  for (int32_t g = 0; g < n_graphs; g++) VLM_TRY(plan_graph(&p, &graphs[g]));
  if (!opts->everything) VLM_TRY(vlm_quant_plan_share(p.plan, graphs, n_graphs, err));
  vlm_quant_plan_tie(p.plan);
out:
  if (st != VLM_OK) {
    vlm_quant_plan_free(p.plan);
    p.plan = NULL;
  }
  *out = p.plan;
  return st;
}
