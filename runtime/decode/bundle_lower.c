#include "runtime/decode/bundle_lower.h"

#include "runtime/lower/lower.h"

vlm_status vlm_bundle_lower(vlm_bundle *bundle, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    const bool again = r > 0 && bundle->graphs[r] == bundle->graphs[r - 1];
    if (bundle->graphs[r] && !again) VLM_TRY(vlm_graph_lower(bundle->graphs[r], NULL, err));
  }
out:
  return st;
}
