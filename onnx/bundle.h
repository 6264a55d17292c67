/* A model as users have it: a folder of ONNX graphs with its JSON files, or one .onnx file. */
#ifndef VLM_ONNX_BUNDLE_H
#define VLM_ONNX_BUNDLE_H

#include "onnx/import.h"
#include "onnx/variants.h"
#include "runtime/bundle/bundle.h"

/* Which of two equivalent decoder forms is taken when a folder has both. */
typedef enum vlm_decoder_form { VLM_DECODER_ANY, VLM_DECODER_MERGED, VLM_DECODER_SEPARATE } vlm_decoder_form;

typedef struct vlm_bundle_opts {
  vlm_onnx_opts onnx;
  vlm_decoder_form decoder; /* ANY takes the merged file */
  vlm_variant variant;
  /* Graphs as their files have them, to be written as such: names as in the file, caches as inputs and outputs. */
  bool as_files;
} vlm_bundle_opts;

/* Detects the layout (docs/bundles.md); graphs lie at top level or in onnx/. opts NULL = defaults. Free with vlm_bundle_free.
 * VLM_INPUT says which files were looked for when nothing fits. */
vlm_status vlm_bundle_open(vlm_bundle **out, const char *path, const vlm_bundle_opts *opts, vlm_error *err);

#endif
