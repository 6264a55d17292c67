#include "flow/foresee.h"

vlm_status vlm_foresee(vlm_quant_plan **plan, vlm_coverage **coverage, const vlm_bundle *bundle,
                       const vlm_bundle_profile *costs, vlm_error *err) {
  static const vlm_quant_opts placement = {.activations = VLM_ACTIVATIONS_AUTO, .placement_only = true};
  vlm_status st = VLM_OK;
  vlm_quant_graph graphs[VLM_ROLE_COUNT];
  const vlm_role_profile *profiles[VLM_ROLE_COUNT];
  int32_t n = 0;
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    if (!vlm_bundle_graph_once(bundle, r)) continue;
    profiles[n] = &costs->roles[r];
    graphs[n++] = (vlm_quant_graph){vlm_role_name((vlm_role)r), bundle->graphs[r]};
  }
  VLM_TRY(vlm_quant_plan_make(plan, graphs, n, NULL, &placement, err));
  VLM_TRY(vlm_coverage_make(coverage, graphs, n, *plan, err));
  for (int32_t g = 0; g < n; g++)
    if (profiles[g]->made)
      VLM_TRY(vlm_coverage_add_plan(*coverage, &graphs[g], *plan, &profiles[g]->profile, err));
out:
  return st;
}
