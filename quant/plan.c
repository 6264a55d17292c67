#include "quant/plan.h"

#include <math.h>
#include <string.h>

#include "quant/placement.h"
#include "quant/weight.h"

static const char *const NAMES[VLM_DECIDE_COUNT] = {
#define X(name, text) text,
    VLM_DECISIONS(X)
#undef X
};

const char *vlm_decision_name(vlm_decision decision) { return (unsigned)decision < VLM_DECIDE_COUNT ? NAMES[decision] : "?"; }

bool vlm_decision_parse(vlm_decision *out, const char *text) {
  for (int d = 0; d < VLM_DECIDE_COUNT; d++)
    if (!strcmp(NAMES[d], text)) {
      *out = (vlm_decision)d;
      return true;
    }
  return false;
}

/* Noise powers of independent errors add. */
static double join_db(double a, double b) { return -10 * log10(pow(10, -a / 10) + pow(10, -b / 10)); }

typedef struct {
  vlm_quant_plan *plan;
  const vlm_stats *stats;
  const vlm_quant_opts *opts;
  vlm_arena *scratch; /* trial weights, freed after each graph */
  vlm_error *err;
} planner;

static double min_sqnr(const vlm_quant_opts *opts) { return opts->min_sqnr_db > 0 ? opts->min_sqnr_db : 15; }

/* A static node needs a range; without one, or with a bad one, a product falls back to per-row ranges and what cannot have them to float. */
static vlm_status choose_range(planner *p, vlm_node_plan *n, const vlm_candidate *c) {
  const vlm_tensor_stats *seen = p->stats ? vlm_stats_find(p->stats, n->graph, n->input) : NULL;
  const vlm_decision fallback = c->by_row ? VLM_DECIDE_DYNAMIC : VLM_DECIDE_FLOAT;
  if (!seen || seen->count == 0) {
    n->decision = fallback;
    n->reason = p->stats ? "never reached in calibration" : "no statistics were given";
    return VLM_OK;
  }
  vlm_status st = vlm_range_choose(&n->range, seen, p->opts->range, p->opts->percentile, p->err);
  if (st != VLM_OK) return st;
  n->has_range = true;
  n->sqnr_db = join_db(n->weight_sqnr_db, n->range.sqnr_db);
  if (n->range.sqnr_db >= min_sqnr(p->opts) || p->opts->everything || p->opts->activations == VLM_ACTIVATIONS_STATIC) return VLM_OK;
  n->decision = fallback;
  n->reason = "one range for all inputs is too coarse here";
  n->has_range = false;
  return VLM_OK;
}

static vlm_status plan_node(planner *p, const vlm_quant_graph *g, const vlm_candidate *c) {
  vlm_status st = VLM_OK;
  vlm_quant_plan *plan = p->plan;
  if (plan->count == plan->capacity) {
    int32_t wanted = plan->capacity ? plan->capacity * 2 : 64;
    VLM_TRY(vlm_grow((void **)&plan->nodes, (size_t)plan->count, (size_t)wanted, sizeof *plan->nodes, p->err));
    plan->capacity = wanted;
  }
  vlm_node_plan *n = &plan->nodes[plan->count];
  *n = (vlm_node_plan){.weights = vlm_tensor_count(c->weight), .index = (int32_t)(c->node - g->graph->nodes), .by_row = c->by_row};
  VLM_TRY(vlm_arena_strdup(plan->arena, &n->graph, g->role, p->err));
  VLM_TRY(vlm_arena_strdup(plan->arena, &n->node, c->node->name, p->err));
  VLM_TRY(vlm_arena_strdup(plan->arena, &n->op_type, c->node->op_type, p->err));
  const char *input = c->activation == VLM_NO_VALUE ? "" : g->graph->values[c->activation].name;
  VLM_TRY(vlm_arena_strdup(plan->arena, &n->input, input, p->err));
  n->decision = vlm_placement(c, g->graph, g->role, p->opts, &n->reason);
  plan->count++;
  if (n->decision == VLM_DECIDE_FLOAT) goto out;
  vlm_weight_s8 trial;
  const vlm_weight_opts opts = {.per_tensor = p->opts->per_tensor_weights, .mse = !p->opts->no_weight_search, .threads = p->opts->threads};
  VLM_TRY(vlm_weight_quantize(&trial, c->weight, c->axis, &opts, p->scratch, p->err));
  n->weight_sqnr_db = n->sqnr_db = trial.sqnr_db;
  if (n->decision == VLM_DECIDE_STATIC) VLM_TRY(choose_range(p, n, c));
out:
  if (st != VLM_OK) vlm_error_context(p->err, "%s: node \"%s\" (%s)", g->role, c->node->name, c->node->op_type);
  return st;
}

static vlm_status plan_graph(planner *p, const vlm_quant_graph *g) {
  vlm_status st = VLM_OK;
  vlm_candidate c;
  VLM_TRY(vlm_arena_create(&p->scratch, p->err));
  for (int32_t n = 0; n < g->graph->n_nodes; n++)
    if (vlm_candidate_of(&c, g->graph, &g->graph->nodes[n])) VLM_TRY(plan_node(p, g, &c));
out:
  vlm_arena_free(p->scratch);
  p->scratch = NULL;
  return st;
}

vlm_status vlm_quant_plan_make(vlm_quant_plan **out, const vlm_quant_graph *graphs, int32_t n_graphs, const vlm_stats *stats, const vlm_quant_opts *opts,
                               vlm_error *err) {
  vlm_status st = VLM_OK;
  planner p = {.stats = stats, .opts = opts, .err = err};
  VLM_TRY(vlm_alloc((void **)&p.plan, 1, sizeof *p.plan, err));
  VLM_TRY(vlm_arena_create(&p.plan->arena, err));
  for (int32_t g = 0; g < n_graphs; g++) VLM_TRY(plan_graph(&p, &graphs[g]));
out:
  if (st != VLM_OK) {
    vlm_quant_plan_free(p.plan);
    p.plan = NULL;
  }
  *out = p.plan;
  return st;
}

void vlm_quant_plan_free(vlm_quant_plan *plan) {
  if (!plan) return;
  vlm_arena_free(plan->arena);
  vlm_free(plan->nodes);
  vlm_free(plan);
}

const vlm_node_plan *vlm_quant_plan_at(const vlm_quant_plan *plan, const char *role, int32_t index) {
  for (int32_t i = 0; i < plan->count; i++)
    if (plan->nodes[i].index == index && !strcmp(plan->nodes[i].graph, role)) return &plan->nodes[i];
  return NULL;
}
