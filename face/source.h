/* Where a model comes from, and what the library makes of it. */
#ifndef VLM_FACE_SOURCE_H
#define VLM_FACE_SOURCE_H

#include "runtime/base/file.h"
#include "runtime/base/threads.h"
#include "runtime/bundle/bundle.h"

typedef struct vlm_source {
  const char *path; /* NULL = the bytes of `file` */
  vlm_file file;    /* taken over by whoever opens */
  const char *name; /* for messages */
  size_t max_weight_bytes;
  bool trust_weights;
  vlm_threads *threads;
} vlm_source;

/* The bundle of a source, not lowered yet; free with vlm_bundle_free. Each library has its own:
 * face/packed knows packed files only, face/any everything. */
vlm_status vlm_source_bundle(vlm_bundle **out, vlm_source *source, vlm_error *err);
/* A packed file; both use it. */
vlm_status vlm_source_packed(vlm_bundle **out, vlm_source *source, vlm_error *err);

#endif
