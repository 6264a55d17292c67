#include "flow/costs.h"

#include <stdio.h>
#include <string.h>

#include "calib/shapes.h"

/* Each dim is told once: by its name, or as INPUT[AXIS] where it has none. */
static vlm_status assume(vlm_text *assumed, const vlm_value *v, int axis, vlm_error *err) {
  char entry[600];
  if (v->dim_names[axis]) snprintf(entry, sizeof entry, "%s = 1", v->dim_names[axis]);
  else snprintf(entry, sizeof entry, "%s[%d] = 1", v->name, axis);
  size_t n = strlen(entry);
  for (const char *at = vlm_text_get(assumed); (at = strstr(at, entry)); at++) {
    bool starts = at == assumed->data || at[-1] == ' ', ends = !at[n] || at[n] == ',';
    if (starts && ends) return VLM_OK;
  }
  return vlm_text_print(assumed, err, "%s%s", assumed->bytes ? ", " : "", entry);
}

/* Where the sizes of a single graph come from. */
typedef struct {
  const vlm_graph *graph;
  const vlm_shape_list *seen; /* NULL = nobody calibrated */
  vlm_text *assumed;
} sizes;

static void fill_in(vlm_tensor *t, const vlm_value *v, const vlm_shape_list *seen) {
  const vlm_input_shape *s = seen ? vlm_shape_list_find(seen, vlm_role_name(VLM_ROLE_MODEL), v->name) : NULL;
  if (s && t->rank < 0) {
    t->rank = s->rank;
    for (int d = 0; d < t->rank; d++) t->dims[d] = -1;
  }
  for (int d = 0; s && s->rank == t->rank && d < t->rank; d++)
    if (t->dims[d] < 0) t->dims[d] = s->dims[d];
}

/* What the file and --shape leave open is as calibration saw it, or else 1. */
static vlm_status assume_shapes(vlm_tensor *inputs, const sizes *s, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < s->graph->n_inputs; i++) {
    const vlm_value *v = &s->graph->values[s->graph->inputs[i]];
    vlm_tensor *t = &inputs[i];
    *t = v->tensor;
    t->data = NULL;
    fill_in(t, v, s->seen);
    VLM_CHECK(t->rank >= 0, err, VLM_INPUT, "input \"%s\" has no stated shape", v->name);
    VLM_CHECK(t->dtype != VLM_NONE, err, VLM_INPUT, "input \"%s\" has no stated type", v->name);
    for (int d = 0; d < t->rank; d++) {
      if (t->dims[d] >= 0) continue;
      t->dims[d] = 1;
      VLM_TRY(assume(s->assumed, v, d, err));
    }
  }
out:
  return st;
}

static vlm_status make_inputs(vlm_tensor *inputs, const sizes *s, vlm_arena *arena, vlm_error *err) {
  const vlm_graph *g = s->graph;
  vlm_status st = assume_shapes(inputs, s, err);
  for (int32_t i = 0; st == VLM_OK && i < g->n_inputs; i++)
    st = vlm_profile_input_data(&inputs[i], g->values[g->inputs[i]].name, 0, arena, err);
  return st;
}

static vlm_status profile_single(vlm_bundle_profile *out, vlm_context *context, const sizes *s,
                                 vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *g = s->graph;
  vlm_role_profile *p = &out->roles[VLM_ROLE_MODEL];
  vlm_tensor *inputs = NULL;
  vlm_arena *arena = NULL;
  VLM_TRY(vlm_new(&inputs, g->n_inputs, err));
  VLM_TRY(vlm_arena_create(&arena, err));
  /* A graph that cannot run at these shapes is still worth looking at. */
  p->made = make_inputs(inputs, s, arena, &p->error) == VLM_OK &&
            vlm_graph_profile(&p->profile, context, g, inputs, &p->error) == VLM_OK;
out:
  vlm_arena_free(arena);
  vlm_free(inputs);
  return st;
}

vlm_status vlm_costs_make(vlm_bundle_profile *out, vlm_text *assumed, vlm_context *context,
                          const vlm_bundle *bundle, const vlm_stats *stats, vlm_error *err) {
  const sizes s = {bundle->graphs[VLM_ROLE_MODEL], stats ? vlm_stats_seen_shapes(stats) : NULL, assumed};
  *out = (vlm_bundle_profile){.image_width = 0};
  if (bundle->family != VLM_FAMILY_GRAPH) return vlm_bundle_profile_make(out, context, bundle, NULL, err);
  return profile_single(out, context, &s, err);
}

vlm_status vlm_costs_share(vlm_coverage_share *out, vlm_context *context, const vlm_bundle *lowered,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text assumed = {0};
  vlm_bundle_profile costs = {.image_width = 0};
  *out = (vlm_coverage_share){.measured = true};
  VLM_TRY(vlm_costs_make(&costs, &assumed, context, lowered, NULL, err));
  out->measured = assumed.bytes == 0;
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    if (!vlm_bundle_graph_once(lowered, r)) continue;
    out->measured &= costs.roles[r].made;
    if (costs.roles[r].made) vlm_coverage_count_macs(out, &costs.roles[r].profile);
  }
  out->measured &= out->macs > 0;
out:
  vlm_bundle_profile_free(&costs);
  vlm_text_free(&assumed);
  return st;
}
