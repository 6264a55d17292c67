/* What libvlmq-runtime opens: packed files. */
#include "face/source.h"

vlm_status vlm_source_bundle(vlm_bundle **out, vlm_source *source, vlm_error *err) {
  const vlm_status st = vlm_source_packed(out, source, err);
  if (st == VLM_INPUT) vlm_error_context(err, "libvlmq-runtime opens .vlmq files, which vlm-quantize makes");
  return st;
}
