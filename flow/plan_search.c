#include "flow/plan_search.h"

#include <string.h>

#include "quant/plan_form.h"
#include "quant/tied.h"
#include "runtime/base/memory.h"

enum { HALVED_UNTIL = 8 };        /* evaluations: the rest is for the end of the search */
static const double MOSTLY = 0.5; /* of the noise: the half that brings so much is the one to look into */

/* Nodes [first, end) of the order in another form, on top of ranges at run time or not. */
typedef struct {
  int32_t first, end;
  vlm_decision to;
  bool freed;
} recipe;

typedef struct {
  vlm_plan_search_result *out;
  vlm_quant_plan *plan;
  const vlm_quant_graph *graphs;
  int32_t n_graphs;
  const vlm_plan_search_opts *opts;
  vlm_plan_form *planned;
  int32_t *order; /* nodes in 8 bits, as the graphs have them */
  int32_t n_order;
  recipe recipes[VLM_PLAN_SEARCH_MOST]; /* of the points */
  bool freed;                           /* later recipes go on from ranges at run time */
  vlm_error *err;
} search;

static const recipe AS_PLANNED = {0, 0, VLM_DECIDE_FLOAT, false};

/* ---- plans ---- */

static void change(vlm_node_plan *n, vlm_decision to) {
  bool can = to == VLM_DECIDE_FLOAT || n->forms & vlm_decision_forms(to);
  const vlm_plan_form f = {.decision = can ? to : VLM_DECIDE_FLOAT, .reason = "the budget needs it"};
  if (n->decision != VLM_DECIDE_FLOAT) vlm_plan_form_set(n, &f);
}

static vlm_status apply(search *s, const recipe *r) {
  vlm_quant_plan *plan = s->plan;
  for (int32_t i = 0; i < plan->count; i++) {
    vlm_plan_form_set(&plan->nodes[i], &s->planned[i]);
    if (r->freed && vlm_plan_may_free(&plan->nodes[i])) change(&plan->nodes[i], VLM_DECIDE_DYNAMIC);
  }
  for (int32_t k = r->first; k < r->end; k++) change(&plan->nodes[s->order[k]], r->to);
  vlm_status st = vlm_quant_plan_share(plan, s->graphs, s->n_graphs, s->err);
  vlm_quant_plan_tie(plan);
  return st;
}

static vlm_plan_search_point *last(const search *s) { return &s->out->points[s->out->count - 1]; }

static vlm_status attempt(search *s, recipe r, const char *what) {
  vlm_status st = VLM_OK;
  vlm_plan_search_point *p = &s->out->points[s->out->count];
  VLM_TRY(apply(s, &r));
  *p = (vlm_plan_search_point){.what = what, .left = r.end - r.first};
  VLM_TRY(s->opts->evaluate(s->opts->user, s->plan, p, s->err));
  p->met = p->loss <= s->opts->limit;
  s->recipes[s->out->count++] = r;
out:
  return st;
}

/* ---- the search ---- */

static bool can_free(const search *s) {
  for (int32_t i = 0; i < s->plan->count; i++)
    if (vlm_plan_may_free(&s->plan->nodes[i])) return true;
  return false;
}

static vlm_status free_ranges(search *s) {
  vlm_status st = VLM_OK;
  const double before = last(s)->noise;
  if (!can_free(s)) return VLM_OK;
  VLM_TRY(attempt(s, (recipe){.to = VLM_DECIDE_FLOAT, .freed = true}, "ranges at run time"));
  s->freed = last(s)->met || last(s)->noise < before;
out:
  return st;
}

static vlm_status leave(search *s, int32_t first, int32_t end, vlm_decision to) {
  bool all = end - first == s->n_order;
  const char *what = to == VLM_DECIDE_FLOAT ? (all ? "all float" : "some float")
                     : all                  ? "float activations everywhere"
                                            : "float activations of some";
  return attempt(s, (recipe){first, end, to, s->freed}, what);
}

static bool was_tried(const search *s, int32_t first, int32_t end) {
  const recipe *r = &s->recipes[s->out->count - 1];
  return r->first == first && r->end == end && r->to == VLM_DECIDE_FLOAT;
}

/* Down to the part whose nodes bring most; the parts on the way are kept, widest first. */
static vlm_status halve(search *s, recipe *parts, int32_t *n_parts) {
  vlm_status st = VLM_OK;
  int32_t first = 0, end = s->n_order;
  const double noise = s->freed ? last(s)->noise : s->out->points[0].noise;
  *n_parts = 0;
  while (end - first > 1 && s->out->count < HALVED_UNTIL) {
    int32_t middle = first + (end - first) / 2;
    VLM_TRY(leave(s, first, middle, VLM_DECIDE_FLOAT));
    if (last(s)->met || noise - last(s)->noise >= MOSTLY * noise) end = middle;
    else first = middle;
    parts[(*n_parts)++] = (recipe){first, end, VLM_DECIDE_FLOAT, s->freed};
  }
out:
  return st;
}

/* From the narrowest part to wider ones, until the budget holds. */
static vlm_status widen(search *s, const recipe *parts, int32_t n_parts) {
  vlm_status st = VLM_OK;
  for (int32_t k = n_parts - 1; k >= 0 && s->out->count < VLM_PLAN_SEARCH_MOST - 1; k--) {
    if (!was_tried(s, parts[k].first, parts[k].end))
      VLM_TRY(leave(s, parts[k].first, parts[k].end, VLM_DECIDE_FLOAT));
    if (!last(s)->met) continue;
    VLM_TRY(leave(s, parts[k].first, parts[k].end, VLM_DECIDE_WEIGHT_ONLY));
    break;
  }
out:
  return st;
}

static bool any_met(const search *s) {
  for (int32_t i = 0; i < s->out->count; i++)
    if (s->out->points[i].met) return true;
  return false;
}

static vlm_status look(search *s) {
  vlm_status st = VLM_OK;
  recipe parts[VLM_PLAN_SEARCH_MOST];
  int32_t n_parts;
  VLM_TRY(attempt(s, AS_PLANNED, "as planned"));
  if (any_met(s)) return VLM_OK;
  VLM_TRY(free_ranges(s));
  if (any_met(s)) return VLM_OK;
  VLM_TRY(halve(s, parts, &n_parts));
  VLM_TRY(widen(s, parts, n_parts));
  if (!any_met(s)) VLM_TRY(leave(s, 0, s->n_order, VLM_DECIDE_WEIGHT_ONLY));
out:
  return st;
}

/* ---- what is taken ---- */

/* The most multiplications in 8 bits, then the fewest bytes, then the first. */
static int32_t choose(const search *s) {
  int32_t best = -1;
  for (int32_t i = 0; i < s->out->count; i++) {
    const vlm_plan_search_point *p = &s->out->points[i], *b = best < 0 ? NULL : &s->out->points[best];
    if (!p->met) continue;
    if (!b || p->macs_percent > b->macs_percent ||
        (p->macs_percent == b->macs_percent && p->bytes < b->bytes))
      best = i;
  }
  return best;
}

static vlm_status take(search *s) {
  const int32_t best = choose(s);
  s->out->met = best >= 0;
  if (best >= 0) s->out->points[best].chosen = true;
  vlm_status st = apply(s, best >= 0 ? &s->recipes[best] : &AS_PLANNED);
  for (int32_t i = 0; i < s->plan->count; i++)
    s->out->changed += s->plan->nodes[i].decision != s->planned[i].decision;
  return st;
}

vlm_status vlm_plan_search_run(vlm_plan_search_result *out, vlm_quant_plan *plan,
                               const vlm_quant_graph *graphs, int32_t n_graphs,
                               const vlm_plan_search_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  search s = {.out = out, .plan = plan, .graphs = graphs, .n_graphs = n_graphs, .opts = opts, .err = err};
  *out = (vlm_plan_search_result){.count = 0};
  VLM_TRY(vlm_new(&s.planned, plan->count + 1, err));
  VLM_TRY(vlm_new(&s.order, plan->count + 1, err));
  for (int32_t i = 0; i < plan->count; i++) {
    s.planned[i] = vlm_plan_form_of(&plan->nodes[i]);
    if (s.planned[i].decision != VLM_DECIDE_FLOAT) s.order[s.n_order++] = i;
  }
  VLM_TRY(look(&s));
  VLM_TRY(take(&s));
out:
  vlm_free(s.planned);
  vlm_free(s.order);
  return st;
}
