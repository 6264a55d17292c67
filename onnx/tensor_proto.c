#include "onnx/tensor_proto.h"

#include <string.h>

#include "runtime/base/memory.h"

static const char *const foreign_types[] = {
    [8] = "string", [14] = "complex64", [15] = "complex128", [27] = "float6e2m3", [28] = "float6e3m2",
};

const char *vlm_onnx_type_name(int32_t type) {
  vlm_dtype dtype = vlm_dtype_from_onnx(type);
  if (dtype != VLM_NONE) return vlm_dtype_name(dtype);
  if (type >= 0 && type < (int32_t)(sizeof foreign_types / sizeof foreign_types[0]) &&
      foreign_types[type] != NULL)
    return foreign_types[type];
  return "unknown";
}

vlm_status vlm_onnx_tensor_shape(vlm_tensor *out, const Onnx__TensorProto *proto, const char *source,
                                 const char *label, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_error detail = {0};
  size_t bytes = 0;
  *out = (vlm_tensor){.dtype = vlm_dtype_from_onnx(proto->data_type)};
  VLM_CHECK(out->dtype != VLM_NONE, err, VLM_UNSUPPORTED,
            "%s: tensor \"%s\" has element type %s (%d), which is not supported", source, label,
            vlm_onnx_type_name(proto->data_type), proto->data_type);
  VLM_CHECK(proto->segment == NULL, err, VLM_UNSUPPORTED,
            "%s: tensor \"%s\" is stored in segments, which is not supported", source, label);
  VLM_CHECK(proto->n_dims <= VLM_MAX_RANK, err, VLM_UNSUPPORTED,
            "%s: tensor \"%s\" has %zu dimensions, at most %d are supported", source, label, proto->n_dims,
            VLM_MAX_RANK);
  out->rank = (int)proto->n_dims;
  for (int k = 0; k < out->rank; k++) {
    VLM_CHECK(proto->dims[k] >= 0, err, VLM_INPUT,
              "%s: tensor \"%s\": dimension %d is %lld; dimensions are 0 or more", source, label, k,
              (long long)proto->dims[k]);
    out->dims[k] = proto->dims[k];
  }
  st = vlm_tensor_bytes_checked(&bytes, out, &detail);
  if (st != VLM_OK) st = vlm_fail(err, st, "%s: tensor \"%s\": %s", source, label, detail.text);
out:
  return st;
}

void vlm_onnx_normalize_bools(unsigned char *data, size_t count) {
  for (size_t k = 0; k < count; k++) data[k] = data[k] != 0;
}

/* The typed field of an element type: where its numbers lie, how many there are and how wide each is. */
typedef struct typed_field {
  const void *data;
  size_t count, width;
} typed_field;

static typed_field field_of(vlm_dtype dtype, const Onnx__TensorProto *p) {
  switch (dtype) {
    case VLM_F32: return (typed_field){p->float_data, p->n_float_data, sizeof(float)};
    case VLM_F64: return (typed_field){p->double_data, p->n_double_data, sizeof(double)};
    case VLM_S64: return (typed_field){p->int64_data, p->n_int64_data, sizeof(int64_t)};
    case VLM_U32:
    case VLM_U64: return (typed_field){p->uint64_data, p->n_uint64_data, sizeof(uint64_t)};
    default: return (typed_field){p->int32_data, p->n_int32_data, sizeof(int32_t)};
  }
}

/* Keeps the low bytes of each number: int32_data carries 8- and 16-bit types (halves and small floats as bit patterns; elements that share a byte as that byte). */
static void narrow(void *data, size_t stored, const typed_field *field) {
  unsigned char *to = data;
  const unsigned char *from = field->data;
  for (size_t k = 0; k < field->count; k++) memcpy(to + k * stored, from + k * field->width, stored);
}

static size_t stored_width(vlm_dtype dtype) {
  int bits = vlm_dtype_bits(dtype);
  return bits < 8 ? 1 : (size_t)bits / 8;
}

vlm_status vlm_onnx_tensor_check(const vlm_tensor *shape, const Onnx__TensorProto *proto, const char *source,
                                 const char *label, vlm_error *err) {
  char text[128];
  bool raw = vlm_onnx_tensor_is_raw(proto);
  size_t bytes = vlm_tensor_bytes(shape);
  size_t got = raw ? proto->raw_data.len : field_of(shape->dtype, proto).count;
  size_t wanted = raw ? bytes : bytes / stored_width(shape->dtype);
  if (got == wanted) return VLM_OK;
  return vlm_fail(err, VLM_INPUT, "%s: tensor \"%s\" holds %zu %s, but shape %s of %s needs %zu", source,
                  label, got, raw ? "bytes" : "numbers", vlm_tensor_shape_text(shape, text, sizeof text),
                  vlm_dtype_name(shape->dtype), wanted);
}

void vlm_onnx_tensor_fill(void *data, const vlm_tensor *shape, const Onnx__TensorProto *proto) {
  size_t bytes = vlm_tensor_bytes(shape), stored = stored_width(shape->dtype);
  typed_field field = field_of(shape->dtype, proto);
  if (bytes == 0) return;
  if (vlm_onnx_tensor_is_raw(proto)) memcpy(data, proto->raw_data.data, bytes);
  else if (field.width == stored) memcpy(data, field.data, bytes);
  else narrow(data, stored, &field);
  if (shape->dtype == VLM_BOOL) vlm_onnx_normalize_bools(data, bytes);
}
