/* What libvlmq-runtime opens: packed files. */
#include "face/source.h"
#include "pack/pack.h"

vlm_status vlm_source_bundle(vlm_bundle **out, vlm_source *source, vlm_error *err) {
  const bool packed = source->path ? !vlm_file_exists(source->path) || vlm_pack_is_pack(source->path)
                                   : vlm_pack_begins(source->file.data, source->file.bytes);
  if (packed) return vlm_source_packed(out, source, err);
  return vlm_fail(
      err, VLM_INPUT,
      "%s: is no packed model (.vlmq), and libvlmq-runtime opens nothing else; vlm-quantize makes one",
      source->name);
}
