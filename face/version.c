#include <vlmq/base.h>

#include "runtime/base/dtype.h"

uint32_t vlm_abi_version(void) { return VLMQ_ABI_VERSION; }
const char *vlm_version(void) { return VLM_VERSION; }

const char *vlm_type_name(vlm_type type) {
  const vlm_dtype dtype = vlm_dtype_from_onnx((int)type);
  return dtype == VLM_NONE && type != VLM_TYPE_NONE ? NULL : vlm_dtype_name(dtype);
}
