#include "runtime/decode/bundle_lower.h"

vlm_status vlm_bundle_lower(vlm_bundle *bundle, vlm_lower_report *reports, vlm_error *err) {
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    vlm_graph *graph = vlm_bundle_graph_once(bundle, r);
    vlm_status st = graph ? vlm_graph_lower(graph, reports ? &reports[r] : NULL, err) : VLM_OK;
    if (st != VLM_OK) return st;
  }
  return VLM_OK;
}
