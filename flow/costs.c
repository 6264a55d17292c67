#include "flow/costs.h"

#include <string.h>

#include "cli/inspect.h"

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

/* What the file and --shape leave open is 1. */
static vlm_status assume_shapes(vlm_tensor *inputs, const vlm_graph *graph, vlm_text *assumed,
                                vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t i = 0; i < graph->n_inputs; i++) {
    const vlm_value *v = &graph->values[graph->inputs[i]];
    vlm_tensor *t = &inputs[i];
    *t = v->tensor;
    t->data = NULL;
    VLM_CHECK(t->rank >= 0, err, VLM_INPUT, "input \"%s\" has no stated shape", v->name);
    VLM_CHECK(t->dtype != VLM_NONE, err, VLM_INPUT, "input \"%s\" has no stated type", v->name);
    for (int d = 0; d < t->rank; d++) {
      if (t->dims[d] >= 0) continue;
      t->dims[d] = 1;
      VLM_TRY(assume(assumed, v, d, err));
    }
  }
out:
  return st;
}

static vlm_status make_inputs(vlm_tensor *inputs, vlm_text *assumed, const vlm_graph *g, vlm_arena *arena,
                              vlm_error *err) {
  vlm_status st = assume_shapes(inputs, g, assumed, err);
  for (int32_t i = 0; st == VLM_OK && i < g->n_inputs; i++)
    st = vlm_profile_input_data(&inputs[i], g->values[g->inputs[i]].name, 0, arena, err);
  return st;
}

static vlm_status profile_single(vlm_bundle_profile *out, vlm_text *assumed, vlm_context *context,
                                 const vlm_graph *g, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_role_profile *p = &out->roles[VLM_ROLE_MODEL];
  vlm_tensor *inputs = NULL;
  vlm_arena *arena = NULL;
  VLM_TRY(vlm_new(&inputs, g->n_inputs, err));
  VLM_TRY(vlm_arena_create(&arena, err));
  /* A graph that cannot run at these shapes is still worth looking at. */
  p->made = make_inputs(inputs, assumed, g, arena, &p->error) == VLM_OK &&
            vlm_graph_profile(&p->profile, context, g, inputs, &p->error) == VLM_OK;
out:
  vlm_arena_free(arena);
  vlm_free(inputs);
  return st;
}

vlm_status vlm_costs_make(vlm_bundle_profile *out, vlm_text *assumed, vlm_context *context,
                          const vlm_bundle *bundle, vlm_error *err) {
  *out = (vlm_bundle_profile){.image_width = 0};
  if (bundle->family != VLM_FAMILY_GRAPH) return vlm_bundle_profile_make(out, context, bundle, NULL, err);
  return profile_single(out, assumed, context, bundle->graphs[VLM_ROLE_MODEL], err);
}

vlm_status vlm_costs_share(vlm_coverage_share *out, vlm_context *context, const vlm_bundle *lowered,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text assumed = {0};
  vlm_bundle_profile costs = {.image_width = 0};
  *out = (vlm_coverage_share){.measured = true};
  VLM_TRY(vlm_costs_make(&costs, &assumed, context, lowered, err));
  out->measured = assumed.bytes == 0;
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    if (!lowered->graphs[r] || (r > 0 && lowered->graphs[r] == lowered->graphs[r - 1])) continue;
    out->measured &= costs.roles[r].made;
    if (costs.roles[r].made) vlm_coverage_count_macs(out, &costs.roles[r].profile);
  }
  out->measured &= out->macs > 0;
out:
  vlm_bundle_profile_free(&costs);
  vlm_text_free(&assumed);
  return st;
}
