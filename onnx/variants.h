/* Which of several precisions of a graph is taken. */
#ifndef VLM_ONNX_VARIANTS_H
#define VLM_ONNX_VARIANTS_H

#include <stddef.h>

#include "runtime/base/status.h"

typedef enum vlm_variant {
  VLM_VARIANT_ANY, /* the plain file, else the only other one */
#define X(name, text, suffix) VLM_VARIANT_##name,
#include "onnx/variants.def"
#undef X
  VLM_VARIANT_COUNT
} vlm_variant;

const char *vlm_variant_name(vlm_variant variant);

/* Path of FOLDER/STEM.onnx or FOLDER/onnx/STEM.onnx in the variant that was asked for, else the plain one; NULL when there is none.
 * *found says which it is. VLM_INPUT names the choices where nothing decides. */
vlm_status vlm_variant_find(char **path, vlm_variant *found, const char *folder, const char *stem,
                            vlm_variant asked, vlm_error *err);
/* Names of the variants of these stems (NULL ones are skipped) that are in the folder, "fp16, q4". */
vlm_status vlm_variant_list(char *out, size_t bytes, const char *folder, const char *const *stems, int count,
                            vlm_error *err);

#endif
