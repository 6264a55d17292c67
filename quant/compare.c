#include "quant/compare.h"

#include <string.h>

#include "runtime/graph/bodies.h"

typedef struct {
  const vlm_quant_plan *plan;
  const vlm_lower_report *report;
  vlm_difference_list *out;
  vlm_body_list bodies; /* of the lowered graph */
  bool *matched;        /* per node of the plan */
  bool *taken;          /* per entry of the report */
  vlm_error *err;
} comparison;

static vlm_decision decision_of(vlm_form form) {
  vlm_decision d = VLM_DECIDE_COUNT;
  while (d > VLM_DECIDE_FLOAT + 1 && !(vlm_decision_forms((vlm_decision)(d - 1)) & (int32_t)form))
    d = (vlm_decision)(d - 1);
  return (vlm_decision)(d - 1);
}

static const vlm_body *body_of(const comparison *c, const vlm_node_plan *n) {
  for (int32_t b = 0; b < c->bodies.count; b++)
    if (!strcmp(c->bodies.items[b].path, n->graph)) return &c->bodies.items[b];
  return NULL;
}

/* An entry of the node, of one of these forms (0 = any), which no other node of the name has taken. */
static int32_t find_entry(const comparison *c, const vlm_node_plan *n, int32_t forms) {
  const vlm_body *body = body_of(c, n);
  for (int32_t i = 0; body && i < c->report->count; i++) {
    const vlm_lowered *e = &c->report->items[i];
    if (!c->taken[i] && e->graph == body->graph && (!forms || forms & (int32_t)e->form) &&
        !strcmp(e->node, n->node))
      return i;
  }
  return -1;
}

/* Weights of one node are neighbours in the plan, and lowering reports a node once. */
static bool same_node(const vlm_node_plan *a, const vlm_node_plan *b) {
  return a->index == b->index && !strcmp(a->graph, b->graph);
}

static vlm_decision node_decision(const vlm_quant_plan *plan, int32_t first) {
  vlm_decision d = plan->nodes[first].decision;
  for (int32_t i = first + 1;
       d == VLM_DECIDE_FLOAT && i < plan->count && same_node(&plan->nodes[i], &plan->nodes[first]); i++)
    d = plan->nodes[i].decision;
  return d;
}

/* A constant of another float type is cast after it is dequantized, which no report names: the float constant
 * must be gone. */
static bool is_stored(const comparison *c, const vlm_node_plan *n) {
  const vlm_body *body = body_of(c, n);
  if (!body || n->constant.dtype == VLM_F32) return false;
  for (const vlm_graph *g = body->graph; g; g = g->parent) {
    vlm_value_id id = vlm_graph_find(g, n->weight);
    if (id != VLM_NO_VALUE && g->values[id].kind == VLM_VALUE_CONSTANT) return false;
  }
  return true;
}

static vlm_status add(comparison *c, const vlm_node_plan *n, vlm_decision planned, vlm_decision got) {
  vlm_status st = VLM_OK;
  vlm_difference_list *out = c->out;
  if (out->count == out->capacity) {
    int32_t wanted = out->capacity ? 2 * out->capacity : 16;
    VLM_TRY(vlm_more(&out->items, out->count, wanted, c->err));
    out->capacity = wanted;
  }
  const char *why = got == VLM_DECIDE_FLOAT ? "no rule took the node" : "another rule took the node";
  out->items[out->count++] = (vlm_difference){n->graph, n->node, n->op_type, planned, got, why};
out:
  return st;
}

/* Entries of the very form first: nodes of one name may have been planned in different ways. */
static void match(comparison *c, int32_t i) {
  const vlm_node_plan *n = &c->plan->nodes[i];
  vlm_decision planned = node_decision(c->plan, i);
  int32_t e = planned == VLM_DECIDE_FLOAT ? -1 : find_entry(c, n, vlm_decision_forms(planned));
  if (e >= 0) c->taken[e] = true;
  c->matched[i] = e >= 0 || (planned == VLM_DECIDE_WEIGHT_ONLY && is_stored(c, n));
}

static vlm_status explain(comparison *c, int32_t i) {
  const vlm_node_plan *n = &c->plan->nodes[i];
  vlm_decision planned = node_decision(c->plan, i);
  int32_t e = find_entry(c, n, 0);
  if (e >= 0) c->taken[e] = true;
  vlm_decision got = e >= 0 ? decision_of(c->report->items[e].form) : VLM_DECIDE_FLOAT;
  return got == planned ? VLM_OK : add(c, n, planned, got);
}

static bool is_first(const comparison *c, int32_t i) {
  return i == 0 || !same_node(&c->plan->nodes[i], &c->plan->nodes[i - 1]);
}

vlm_status vlm_quant_compare(vlm_difference_list *out, const vlm_quant_plan *plan,
                             const vlm_quant_graph *lowered, const vlm_lower_report *report, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_arena *arena = NULL;
  comparison c = {.plan = plan, .report = report, .out = out, .err = err};
  VLM_TRY(vlm_arena_create(&arena, err));
  VLM_TRY(vlm_bodies_make(&c.bodies, lowered->graph, lowered->role, arena, err));
  VLM_TRY(vlm_new(&c.matched, plan->count, err));
  VLM_TRY(vlm_new(&c.taken, report->count, err));
  for (int32_t i = 0; i < plan->count; i++)
    if (is_first(&c, i) && body_of(&c, &plan->nodes[i])) match(&c, i);
  for (int32_t i = 0; i < plan->count; i++)
    if (is_first(&c, i) && !c.matched[i] && body_of(&c, &plan->nodes[i])) VLM_TRY(explain(&c, i));
out:
  vlm_bodies_free(&c.bodies);
  vlm_free(c.matched);
  vlm_free(c.taken);
  vlm_arena_free(arena);
  return st;
}

void vlm_differences_free(vlm_difference_list *list) {
  vlm_free(list->items);
  *list = (vlm_difference_list){.count = 0};
}

vlm_status vlm_differences_fail(const vlm_difference_list *list, vlm_error *err) {
  if (list->count == 0) return VLM_OK;
  const vlm_difference *d = &list->items[0];
  return vlm_fail(err, VLM_INTERNAL, "%s: node \"%s\" (%s): planned %s, got %s: %s (%d nodes in all)",
                  d->graph, d->node, d->op_type, vlm_decision_name(d->planned), vlm_decision_name(d->got),
                  d->why, list->count);
}
