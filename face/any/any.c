/* What libvlmq opens: packed files, ONNX files, and by path folders of ONNX and JSON files. */
#include "face/source.h"
#include "onnx/bundle.h"
#include "pack/pack.h"

/* A single graph. */
static vlm_status onnx_bytes(vlm_bundle **out, const vlm_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_bundle *bundle = NULL;
  *out = NULL;
  VLM_TRY(vlm_bundle_create(&bundle, source->name, err));
  VLM_TRY(vlm_onnx_import_memory(&bundle->graphs[VLM_ROLE_MODEL], source->file.data, source->file.bytes,
                                 source->name, NULL, err));
  *out = bundle;
  bundle = NULL;
out:
  vlm_bundle_free(bundle);
  return st;
}

vlm_status vlm_source_bundle(vlm_bundle **out, vlm_source *source, vlm_error *err) {
  if (source->path && !vlm_pack_is_pack(source->path)) return vlm_bundle_open(out, source->path, NULL, err);
  if (source->path || vlm_pack_begins(source->file.data, source->file.bytes))
    return vlm_source_packed(out, source, err);
  return onnx_bytes(out, source, err);
}
