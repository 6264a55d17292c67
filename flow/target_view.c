#include "flow/target_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flow/costs.h"
#include "runtime/graph/bodies.h"
#include "runtime/base/unconst.h"

const char *vlm_usability_text(vlm_usability usability) {
  static const char *const TEXTS[] = {
#define X(name, text) text,
      VLM_USABILITIES(X)
#undef X
  };
  return TEXTS[usability];
}

/* ---- one graph ---- */

static int64_t macs_of(const vlm_profile *profile, const vlm_graph *graph, int32_t node) {
  for (int32_t i = 0; profile && i < profile->n_nodes; i++)
    if (profile->nodes[i].graph == graph && profile->nodes[i].node == node) return profile->nodes[i].macs;
  return 0;
}

/* The thresholds of tools/python/util/mobile_helpers/usability_checker.py. */
static vlm_usability judge(const vlm_target_counts *c) {
  double share = c->nodes ? (double)c->taken / (double)c->nodes : 0;
  if (c->partitions == 1)
    return share > 0.75 ? VLM_USABILITY_YES : share > 0.5 ? VLM_USABILITY_MAYBE : VLM_USABILITY_NO;
  return c->partitions == 2 && share > 0.75 ? VLM_USABILITY_MAYBE : VLM_USABILITY_NO;
}

static vlm_target_counts count(const vlm_target_graph *g, const vlm_placement *p,
                               const vlm_profile *profile) {
  vlm_target_counts c = {.partitions = p->partitions, .macs = 0};
  for (int32_t n = 0; n < p->n_nodes; n++) {
    const vlm_fate *node = &p->nodes[n];
    int64_t macs = macs_of(profile, g->graph, n);
    if (!node->whole) continue;
    c.nodes++;
    c.taken += node->taken;
    c.integer += node->integer;
    c.dequantizes += node->dequantizes;
    c.macs += macs;
    c.taken_macs += node->taken ? macs : 0;
    c.integer_macs += node->integer ? macs : 0;
  }
  c.usability = judge(&c);
  return c;
}

static bool same_text(const char *a, const char *b) { return a == b || (a && b && !strcmp(a, b)); }

static vlm_status group_of(vlm_target_graph *g, const vlm_node *node, const vlm_fate *p,
                           vlm_target_group **out, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < g->n_groups; i++) {
    vlm_target_group *k = &g->groups[i];
    *out = k;
    if (!strcmp(k->op_type, node->op_type) && k->taken == p->taken && same_text(k->why, p->why) &&
        same_text(k->kernel, p->kernel))
      return VLM_OK;
  }
  VLM_TRY(vlm_more(&g->groups, g->n_groups, g->n_groups + 1, err));
  *out = &g->groups[g->n_groups++];
  **out = (vlm_target_group){.op_type = node->op_type, .why = p->why, .kernel = p->kernel, .taken = p->taken};
out:
  return st;
}

static int by_fate(const void *a, const void *b) {
  const vlm_target_group *x = a, *y = b;
  if (x->taken != y->taken) return x->taken - y->taken;
  if (x->macs != y->macs) return x->macs > y->macs ? -1 : 1;
  if (x->nodes != y->nodes) return x->nodes > y->nodes ? -1 : 1;
  int order = strcmp(x->op_type, y->op_type);
  return order ? order : strcmp(x->why ? x->why : "", y->why ? y->why : "");
}

static vlm_status make_groups(vlm_target_graph *g, const vlm_profile *profile, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_target_group *group;
  for (int32_t n = 0; n < g->placement.n_nodes; n++) {
    const vlm_fate *p = &g->placement.nodes[n];
    if (!p->whole) continue;
    VLM_TRY(group_of(g, &g->graph->nodes[n], p, &group, err));
    group->nodes++;
    group->macs += macs_of(profile, g->graph, n);
  }
  if (g->n_groups) qsort(g->groups, (size_t)g->n_groups, sizeof *g->groups, by_fate);
out:
  return st;
}

/* profile: of the root, NULL = none. */
static vlm_status place(vlm_target_view *v, vlm_target_graph *g, const vlm_profile *profile, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_placement now = {.nodes = NULL};
  vlm_place_opts opts = {.target = v->target, .body = g->body};
  if (profile && !g->graph->parent) opts.shapes = profile->values;
  VLM_TRY(vlm_placement_make(&now, g->graph, &opts, err));
  g->now = count(g, &now, profile);
  opts.fixed = true;
  VLM_TRY(vlm_placement_make(&g->placement, g->graph, &opts, err));
  g->fixed = count(g, &g->placement, profile);
  g->measured = g->fixed.macs > 0;
  VLM_TRY(make_groups(g, profile, err));
  for (int32_t n = 0; n < g->graph->n_nodes; n++)
    v->quantized |= vlm_unit_quantizes(&g->graph->nodes[n]) || vlm_unit_dequantizes(&g->graph->nodes[n]) ||
                    g->placement.nodes[n].integer;
out:
  vlm_placement_free(&now);
  return st;
}

/* ---- open dims ---- */

static vlm_status add_dim(vlm_target_view *v, const char *name, vlm_error *err) {
  vlm_status st = VLM_OK;
  char *copy = NULL;
  for (int32_t i = 0; i < v->n_dims; i++)
    if (!strcmp(v->dims[i], name)) return VLM_OK;
  VLM_TRY(vlm_strdup(&copy, name, err));
  st = vlm_more(&v->dims, v->n_dims, v->n_dims + 1, err);
  if (st != VLM_OK) vlm_free(copy);
  else v->dims[v->n_dims++] = copy;
out:
  return st;
}

static vlm_status find_dims(vlm_target_view *v, const vlm_graph *g, vlm_error *err) {
  vlm_status st = VLM_OK;
  char name[400];
  for (int32_t i = 0; i < g->n_inputs; i++) {
    const vlm_value *in = &g->values[g->inputs[i]];
    for (int32_t d = 0; d < in->tensor.rank; d++) {
      if (in->tensor.dims[d] >= 0) continue;
      if (in->dim_names[d]) snprintf(name, sizeof name, "%s", in->dim_names[d]);
      else snprintf(name, sizeof name, "%.300s[%d]", in->name, d);
      VLM_TRY(add_dim(v, name, err));
    }
  }
out:
  return st;
}

/* ---- the view ---- */

static vlm_status open_files(vlm_target_view *v, vlm_context *context, const char *path,
                             const vlm_flow_open_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_bundle_opts files = {.decoder = opts->decoder, .variant = opts->variant, .as_files = true};
  VLM_TRY(vlm_bundle_open(&v->bundle, path, &files, err));
  VLM_TRY(vlm_flow_open_finish(v->bundle, opts, err));
  VLM_TRY(vlm_costs_make(&v->costs, &v->assumed, context, v->bundle, NULL, err));
out:
  return st;
}

/* The graph of a role, then its bodies. */
static vlm_status place_role(vlm_target_view *v, int role, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_body_list bodies = {.items = NULL};
  const vlm_role_profile *costs = &v->costs.roles[role];
  bool branch = v->bundle->merged && (role == VLM_ROLE_DECODER_FIRST || role == VLM_ROLE_DECODER_STEP);
  VLM_TRY(vlm_bodies_make(&bodies, vlm_bundle_graph_once(v->bundle, role), vlm_role_name((vlm_role)role),
                          v->arena, err));
  VLM_TRY(vlm_more(&v->graphs, v->n_graphs, v->n_graphs + bodies.count, err));
  for (int32_t b = 0; b < bodies.count; b++) {
    vlm_target_graph *g = &v->graphs[v->n_graphs++];
    *g = (vlm_target_graph){
        .graph = bodies.items[b].graph, .path = bodies.items[b].path, .body = branch || b > 0};
    VLM_TRY(place(v, g, costs->made ? &costs->profile : NULL, err));
    if (!b) VLM_TRY(find_dims(v, g->graph, err));
  }
out:
  vlm_bodies_free(&bodies);
  return st;
}

vlm_status vlm_target_view_make(vlm_target_view *out, vlm_context *context, const char *path,
                                const vlm_target *target, const vlm_flow_open_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_target_view){.target = target};
  VLM_TRY(open_files(out, context, path, opts, err));
  VLM_TRY(vlm_arena_create(&out->arena, err));
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (vlm_bundle_graph_once(out->bundle, r)) VLM_TRY(place_role(out, r, err));
out:
  return st;
}

void vlm_target_view_free(vlm_target_view *view) {
  for (int32_t i = 0; i < view->n_graphs; i++) {
    vlm_placement_free(&view->graphs[i].placement);
    vlm_free(view->graphs[i].groups);
  }
  vlm_free(view->graphs);
  for (int32_t i = 0; i < view->n_dims; i++) vlm_free(vlm_unconst(view->dims[i]));
  vlm_free(view->dims);
  vlm_bundle_profile_free(&view->costs);
  vlm_text_free(&view->assumed);
  vlm_bundle_free(view->bundle);
  if (view->arena) vlm_arena_free(view->arena);
  *view = (vlm_target_view){.bundle = NULL};
}
