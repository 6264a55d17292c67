#include "quant/placement.h"

#include <fnmatch.h>
#include <math.h>
#include <string.h>

#include "runtime/lower/lower.h"

enum { MIN_WEIGHTS = 1024, MIN_STORED = 4096, TINY_SHARE = 50 /* of so many elements one in all */ };

static vlm_placed decide(const vlm_placed *p, vlm_decision decision, const char *reason) {
  return (vlm_placed){decision, reason, p->forms, p->why_not};
}

/* ---- what the node can be ---- */

static vlm_placed ask_lower(const vlm_candidate *c, const vlm_quant_opts *opts) {
  static const vlm_form FORMS[] = {VLM_FORM_STATIC, VLM_FORM_ROW, VLM_FORM_IMAGE, VLM_FORM_WEIGHT_ONLY};
  vlm_placed p = {.decision = VLM_DECIDE_FLOAT};
  for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
    const char *why = NULL;
    if (FORMS[i] == VLM_FORM_IMAGE && opts->fixed_convolutions) continue;
    if (vlm_lower_can(c->body->graph, c->node, &c->slot, FORMS[i], &why)) p.forms |= (int32_t)FORMS[i];
    else if (c->node->traits->forms & (int32_t)FORMS[i] && !p.why_not) p.why_not = why;
  }
  return p;
}

vlm_decision vlm_placement_without_range(int32_t forms) {
  if (forms & vlm_decision_forms(VLM_DECIDE_DYNAMIC)) return VLM_DECIDE_DYNAMIC;
  return forms & VLM_FORM_WEIGHT_ONLY ? VLM_DECIDE_WEIGHT_ONLY : VLM_DECIDE_FLOAT;
}

/* 8 bits for the weights alone. */
static vlm_placed stored(const vlm_placed *p, const char *reason) {
  if (p->forms & VLM_FORM_WEIGHT_ONLY) return decide(p, VLM_DECIDE_WEIGHT_ONLY, reason);
  return decide(p, VLM_DECIDE_FLOAT, p->why_not ? p->why_not : "the operator takes no weights in 8 bits");
}

static vlm_placed at_run_time(const vlm_placed *p, const char *reason) {
  if (p->forms & vlm_decision_forms(VLM_DECIDE_DYNAMIC)) return decide(p, VLM_DECIDE_DYNAMIC, reason);
  return stored(p, p->why_not ? p->why_not : "no form with a range at run time");
}

static vlm_placed calibrated(const vlm_placed *p, const char *reason) {
  if (p->forms & VLM_FORM_STATIC) return decide(p, VLM_DECIDE_STATIC, reason);
  return at_run_time(p, p->why_not ? p->why_not : reason);
}

/* ---- where it should be ---- */

/* Follows operators that only arrange values back to a graph input. */
static bool reads_graph_input(const vlm_graph *graph, vlm_value_id id) {
  for (;;) {
    const vlm_value *v = &graph->values[id];
    if (v->kind == VLM_VALUE_INPUT) return true;
    if (v->producer < 0) return false;
    const vlm_node *node = &graph->nodes[v->producer];
    if (!(node->traits->flags & VLM_TRAIT_SAME_VALUES) || node->inputs[0] == VLM_NO_VALUE) return false;
    id = node->inputs[0];
  }
}

static bool kept(const vlm_node *node, const vlm_quant_opts *opts) {
  for (int32_t i = 0; i < opts->n_keep; i++)
    if (fnmatch(opts->keep[i], node->name, 0) == 0) return true;
  return false;
}

static bool is_finite(const vlm_tensor *t) {
  for (int64_t i = 0, n = vlm_tensor_count(t); i < n; i++)
    if (!isfinite((float)vlm_tensor_get(t, i))) return false;
  return true;
}

/* Rows that never meet a product are results, or coordinates for them: eight bits per row spoil the small
 * numbers beside large ones. */
static vlm_placed place_table(const vlm_placed *p, const vlm_candidate *c, const vlm_surroundings *around) {
  /* its result is what another graph multiplies */
  bool embeds = !strcmp(around->role, "embed") && !c->body->graph->parent;
  if (!embeds && !vlm_flow_meets_product(around->flow, c->body, c->node->outputs[0]))
    return decide(p, VLM_DECIDE_FLOAT, "table of results, no embeddings");
  if (!is_finite(&c->weight)) return decide(p, VLM_DECIDE_FLOAT, "table with elements not finite");
  return stored(p, "embedding table, one scale per row");
}

/* A channel sees one channel: few values each, which an output depends on with their whole error. */
static bool is_depthwise(const vlm_candidate *c) {
  return c->node->traits->family == VLM_FAMILY_CONVOLUTION && c->weight.rank > 1 && c->weight.dims[1] == 1 &&
         vlm_node_int(c->node, "group", 1) > 1;
}

/* The smallest weights stay float as long as they are little together: a model of small ones alone is
 * quantized. */
static bool is_tiny(const vlm_candidate *c, const vlm_surroundings *around, int64_t below) {
  int64_t n = vlm_tensor_count(&c->weight);
  int64_t most = is_depthwise(c) && around->tiny.depthwise > around->tiny.any ? around->tiny.depthwise
                                                                              : around->tiny.any;
  return n < below && n <= most && !around->opts->everything;
}

static int64_t elements_up_to(const vlm_body_list *bodies, bool depthwise, int64_t most) {
  vlm_candidate found[VLM_MAX_WEIGHT_SLOTS];
  int64_t sum = 0;
  for (int32_t b = 0; b < bodies->count; b++)
    for (int32_t n = 0; n < bodies->items[b].graph->n_nodes; n++)
      for (int32_t i = vlm_candidates_of(found, &bodies->items[b], n) - 1; i >= 0; i--) {
        int64_t elements = vlm_tensor_count(&found[i].weight);
        if (elements <= most && (!depthwise || is_depthwise(&found[i]))) sum += elements;
      }
  return sum;
}

/* The largest size up to which all weights together are a share of the graph that is worth no error. */
static int64_t share_of(const vlm_body_list *bodies, bool depthwise, int64_t weights) {
  int64_t low = 0, high = MIN_STORED - 1;
  while (low < high) {
    int64_t middle = (low + high + 1) / 2;
    if (elements_up_to(bodies, depthwise, middle) <= weights / TINY_SHARE) low = middle;
    else high = middle - 1;
  }
  return low;
}

vlm_tiny_sizes vlm_placement_tiny(const vlm_body_list *bodies, int64_t weights) {
  return (vlm_tiny_sizes){share_of(bodies, false, weights), share_of(bodies, true, weights)};
}

/* Nothing is won in time: the bytes must be worth the error. */
static vlm_placed store_unless_tiny(const vlm_placed *p, const vlm_candidate *c,
                                    const vlm_surroundings *around, const char *reason, const char *tiny) {
  return is_tiny(c, around, MIN_STORED) ? decide(p, VLM_DECIDE_FLOAT, tiny) : stored(p, reason);
}

static vlm_placed place_convolution(const vlm_placed *p, const vlm_candidate *c,
                                    const vlm_surroundings *around) {
  const vlm_quant_opts *opts = around->opts;
  if (opts->everything) return calibrated(p, "everything was asked for");
  if (is_depthwise(c))
    return store_unless_tiny(p, c, around, "depthwise convolution: cheap, sensitive",
                             "tiny depthwise convolution");
  if (reads_graph_input(c->body->graph, c->activation))
    return store_unless_tiny(p, c, around, "first convolution: sees raw pixels", "tiny first convolution");
  if (vlm_tensor_count(&c->weight) < MIN_WEIGHTS) return stored(p, "small convolution: cheap, sensitive");
  if (opts->activations == VLM_ACTIVATIONS_NONE) return stored(p, "weight-only was asked for");
  if (opts->activations == VLM_ACTIVATIONS_DYNAMIC)
    return at_run_time(p, "dynamic activations were asked for");
  return calibrated(p, "convolution");
}

static vlm_placed place_product(const vlm_placed *p, const char *role, const vlm_quant_opts *opts) {
  switch (opts->activations) {
    case VLM_ACTIVATIONS_STATIC: return calibrated(p, "static activations were asked for");
    case VLM_ACTIVATIONS_DYNAMIC: return at_run_time(p, "dynamic activations were asked for");
    case VLM_ACTIVATIONS_NONE: return stored(p, "weight-only was asked for");
    case VLM_ACTIVATIONS_AUTO: break;
  }
  if (!strncmp(role, "decoder", 7))
    return at_run_time(p, "decoder: one row per token, its own range costs nothing");
  return calibrated(p, "matrix product with many rows");
}

/* They often make the result: a small one saves little and costs most. */
static vlm_placed place_transposed(const vlm_placed *p, const vlm_candidate *c,
                                   const vlm_surroundings *around) {
  const vlm_quant_opts *opts = around->opts;
  if (opts->everything) return calibrated(p, "everything was asked for");
  if (is_tiny(c, around, MIN_STORED)) return decide(p, VLM_DECIDE_FLOAT, "tiny transposed convolution");
  if (opts->activations == VLM_ACTIVATIONS_NONE || opts->activations == VLM_ACTIVATIONS_DYNAMIC)
    return stored(p, "convolution without static ranges");
  return calibrated(p, "transposed convolution");
}

vlm_placed vlm_placement(const vlm_candidate *c, const vlm_surroundings *around) {
  const vlm_placed p = ask_lower(c, around->opts);
  if (kept(c->node, around->opts)) return decide(&p, VLM_DECIDE_FLOAT, "kept by --keep");
  if (is_tiny(c, around, MIN_WEIGHTS)) return decide(&p, VLM_DECIDE_FLOAT, "small: tiny part of the model");
  switch (c->node->traits->family) {
    case VLM_FAMILY_TABLE: return place_table(&p, c, around);
    case VLM_FAMILY_CONVOLUTION: return place_convolution(&p, c, around);
    case VLM_FAMILY_TRANSPOSED: return place_transposed(&p, c, around);
    case VLM_FAMILY_PRODUCT: return place_product(&p, around->role, around->opts);
    default: return store_unless_tiny(&p, c, around, "no integer form", "tiny, no integer form");
  }
}
