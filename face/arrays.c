#include "face/arrays.h"

_Static_assert(VLM_ARRAY_RANK == VLM_MAX_RANK, "arrays have as many dims as tensors");

vlm_array vlm_array_of(const char *name, const vlm_tensor *tensor) {
  vlm_array array = vlm_array_init();
  array.name = name;
  array.type = (vlm_type)vlm_dtype_onnx(tensor->dtype);
  array.rank = tensor->rank;
  memcpy(array.dims, tensor->dims, sizeof array.dims);
  array.data = tensor->data;
  array.bytes = vlm_tensor_bytes(tensor);
  return array;
}

vlm_status vlm_array_tensor(vlm_tensor *out, const vlm_array *array, vlm_error *err) {
  vlm_status st = VLM_OK;
  size_t bytes;
  const vlm_dtype dtype = vlm_dtype_from_onnx((int)array->type);
  const char *name = array->name;
  VLM_CHECK(dtype != VLM_NONE, err, VLM_USAGE, "array \"%s\": type %d is none of vlm_type", name,
            (int)array->type);
  VLM_CHECK(array->rank >= 0 && array->rank <= VLM_MAX_RANK, err, VLM_USAGE,
            "array \"%s\": rank %d, wanted 0 to %d", name, array->rank, VLM_MAX_RANK);
  for (int32_t d = 0; d < array->rank; d++)
    VLM_CHECK(array->dims[d] >= 0, err, VLM_USAGE, "array \"%s\": dim %d is %lld", name, d,
              (long long)array->dims[d]);
  /* Inputs are read only; the cast serves vlm_tensor.data. */
  *out = vlm_tensor_make(dtype, array->rank, array->dims, (void *)(uintptr_t)array->data);
  VLM_TRY(vlm_tensor_bytes_checked(&bytes, out, err));
  VLM_CHECK(array->data, err, VLM_USAGE, "array \"%s\": data is NULL", name);
  VLM_CHECK(array->bytes >= bytes, err, VLM_USAGE, "array \"%s\": %zu bytes, its shape has %zu", name,
            array->bytes, bytes);
out:
  return st;
}
