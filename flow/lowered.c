#include "flow/lowered.h"

#include "runtime/base/memory.h"
#include "runtime/graph/copy.h"
#include "runtime/ops/resolve.h"

static vlm_status copy_graph(vlm_bundle *to, const vlm_bundle *from, int r, const vlm_lowered_plan *plan,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_graph *g = vlm_bundle_graph_once(from, r);
  if (!g && from->graphs[r]) to->graphs[r] = to->graphs[r - 1];
  if (!g) return VLM_OK;
  VLM_TRY(vlm_graph_copy(&to->graphs[r], g, g->name, err));
  VLM_TRY(vlm_graph_resolve(to->graphs[r], err));
  const vlm_quant_graph graph = {vlm_role_name((vlm_role)r), to->graphs[r]};
  if (plan) VLM_TRY(vlm_quant_apply(&graph, plan->plan, plan->stats, plan->opts, err));
out:
  return st;
}

vlm_status vlm_lowered_copy_make(vlm_lowered_copy *out, const vlm_bundle *bundle,
                                 const vlm_lowered_plan *plan, vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = (vlm_lowered_copy){.bundle = NULL};
  VLM_TRY(vlm_bundle_create(&out->bundle, bundle->source, err));
  VLM_TRY(vlm_bundle_copy_texts(out->bundle, bundle, err));
  for (int r = 0; r < VLM_ROLE_COUNT; r++) VLM_TRY(copy_graph(out->bundle, bundle, r, plan, err));
  VLM_TRY(vlm_bundle_lower(out->bundle, out->reports, err));
out:
  return st;
}

void vlm_lowered_copy_free(vlm_lowered_copy *copy) {
  for (int r = 0; r < VLM_ROLE_COUNT; r++) vlm_lower_report_free(&copy->reports[r]);
  vlm_bundle_free(copy->bundle);
  copy->bundle = NULL;
}
