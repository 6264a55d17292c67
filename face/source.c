#include "face/source.h"

#include "pack/pack.h"

vlm_status vlm_source_packed(vlm_bundle **out, vlm_source *source, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_pack *pack = NULL;
  const vlm_pack_open_opts opts = {.threads = source->threads,
                                   .max_weight_bytes = source->max_weight_bytes,
                                   .trust_weights = source->trust_weights,
                                   .lazy = true};
  *out = NULL;
  if (source->path) VLM_TRY(vlm_pack_open(&pack, source->path, &opts, err));
  else VLM_TRY(vlm_pack_open_file(&pack, &source->file, source->name, &opts, err));
  VLM_TRY(vlm_pack_bundle(out, pack, err));
out:
  vlm_pack_close(pack); /* the graphs keep the weights alive */
  return st;
}
