#include "export/targets.h"

#include <stddef.h>
#include <string.h>

enum {
  CONV = VLM_TARGET_CONV,
  CONV_OUTPUT = VLM_TARGET_CONV_OUTPUT,
  TRANSPOSED = VLM_TARGET_TRANSPOSED,
  PRODUCT = VLM_TARGET_PRODUCT,
  PRODUCT_OUTPUT = VLM_TARGET_PRODUCT_OUTPUT,
  PRODUCT_FLOAT = VLM_TARGET_PRODUCT_FLOAT,
  PRODUCT_TENSOR = VLM_TARGET_PRODUCT_TENSOR,
  PRODUCT_MATRIX = VLM_TARGET_PRODUCT_MATRIX,
  DYNAMIC = VLM_TARGET_DYNAMIC,
  NBITS = VLM_TARGET_NBITS,
  WEIGHT_DQ = VLM_TARGET_WEIGHT_DQ,
  FLOAT_BIAS = VLM_TARGET_FLOAT_BIAS,
  QOPERATOR = VLM_TARGET_QOPERATOR,
  HALF = VLM_TARGET_HALF,
  QUANTIZES = VLM_TARGET_QUANTIZES,
  SPLIT = VLM_TARGET_SPLIT
};

static const vlm_target ROWS[VLM_TARGET_COUNT] = {
#define X(id, name, provider, activations, flags, title) \
  {VLM_TARGET_##id, name, title, VLM_PROVIDER_##provider, VLM_##activations, flags},
#include "export/targets.def"
#undef X
};

const vlm_target *vlm_target_get(vlm_target_id id) { return &ROWS[id]; }

const vlm_target *vlm_target_find(const char *name) {
  for (int i = 0; i < VLM_TARGET_COUNT; i++)
    if (!strcmp(ROWS[i].name, name)) return &ROWS[i];
  return NULL;
}

bool vlm_target_has(const vlm_target *target, int32_t flag) { return (target->flags & flag) != 0; }
