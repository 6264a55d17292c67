/* TensorProto -> vlm_tensor: element type, shape and elements in every encoding that lies inside the message. */
#ifndef VLM_ONNX_TENSOR_PROTO_H
#define VLM_ONNX_TENSOR_PROTO_H

#include <onnx.pb-c.h>

#include "runtime/base/tensor.h"

/* Name of an ONNX element type, also of those that are not supported ("string", "complex64"). */
const char *vlm_onnx_type_name(int32_t type);

/* Type and shape; data stays NULL. Checks rank, negative dims and the total size. `label` names the tensor in messages. */
vlm_status vlm_onnx_tensor_shape(vlm_tensor *out, const Onnx__TensorProto *proto, const char *source,
                                 const char *label, vlm_error *err);
/* Whether the message holds exactly the elements of `shape`, in raw_data or in the typed field; VLM_INPUT when it holds another number. */
vlm_status vlm_onnx_tensor_check(const vlm_tensor *shape, const Onnx__TensorProto *proto, const char *source,
                                 const char *label, vlm_error *err);
/* Copies the elements of a checked message to data, which has room for vlm_tensor_bytes(shape). */
void vlm_onnx_tensor_fill(void *data, const vlm_tensor *shape, const Onnx__TensorProto *proto);
/* Whether raw_data (not a typed field) holds the elements. */
static inline bool vlm_onnx_tensor_is_raw(const Onnx__TensorProto *proto) {
  return proto->has_raw_data && proto->raw_data.len > 0;
}
static inline bool vlm_onnx_tensor_is_external(const Onnx__TensorProto *proto) {
  return proto->has_data_location && proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}
/* C's bool may hold only 0 and 1. */
void vlm_onnx_normalize_bools(unsigned char *data, size_t count);

#endif
