#include <string.h>

#include "export/proto_build.h"

/* ---- where bytes lie ---- */

enum { SMALL = 1024, PAGE = 65536, LINE = 64 };

static vlm_status add_entry(vlm_proto_builder *b, Onnx__TensorProto *t, const char *key, const char *value) {
  vlm_status st = VLM_OK;
  Onnx__StringStringEntryProto *e;
  VLM_TRY(VLM_PROTO_NEW(b, &e, onnx__string_string_entry_proto__init));
  e->key = vlm_unconst(key);
  e->value = vlm_unconst(value);
  t->external_data[t->n_external_data++] = e;
out:
  return st;
}

/* A constant of several names is stored once. */
static bool find_stored(const vlm_external_data *x, const vlm_tensor *tensor, size_t *offset) {
  size_t bytes = vlm_tensor_bytes(tensor);
  for (size_t i = 0; i < x->count; i++) {
    *offset = x->offsets[i];
    if (x->tensors[i]->data == tensor->data && vlm_tensor_bytes(x->tensors[i]) == bytes) return true;
  }
  return false;
}

static vlm_status place(vlm_proto_builder *b, const vlm_tensor *tensor, size_t *offset) {
  vlm_status st = VLM_OK;
  vlm_external_data *x = &b->external;
  size_t bytes = vlm_tensor_bytes(tensor), step = bytes >= PAGE ? PAGE : LINE;
  if (find_stored(x, tensor, offset)) return VLM_OK;
  if (x->count == x->capacity) {
    size_t wanted = x->capacity ? 2 * x->capacity : 64;
    VLM_TRY(vlm_more(&x->tensors, x->count, wanted, b->err));
    VLM_TRY(vlm_more(&x->offsets, x->count, wanted, b->err));
    x->capacity = wanted;
  }
  *offset = (x->bytes + step - 1) / step * step;
  x->tensors[x->count] = tensor;
  x->offsets[x->count++] = *offset;
  x->bytes = *offset + bytes;
out:
  return st;
}

static vlm_status refer(vlm_proto_builder *b, Onnx__TensorProto *t, const vlm_tensor *tensor) {
  vlm_status st = VLM_OK;
  size_t offset = 0;
  const char *at, *length;
  VLM_TRY(place(b, tensor, &offset));
  VLM_TRY(vlm_arena_new(b->arena, &t->external_data, 3, b->err));
  VLM_TRY(vlm_arena_format(b->arena, &at, b->err, "%zu", offset));
  VLM_TRY(vlm_arena_format(b->arena, &length, b->err, "%zu", vlm_tensor_bytes(tensor)));
  VLM_TRY(add_entry(b, t, "location", b->external.location));
  VLM_TRY(add_entry(b, t, "offset", at));
  VLM_TRY(add_entry(b, t, "length", length));
  t->has_data_location = 1;
  t->data_location = ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
out:
  return st;
}

/* ---- tensors ---- */

vlm_status vlm_proto_tensor(vlm_proto_builder *b, Onnx__TensorProto **out, const char *name,
                            const vlm_tensor *tensor) {
  vlm_status st = VLM_OK;
  Onnx__TensorProto *t;
  VLM_TRY(VLM_PROTO_NEW(b, &t, onnx__tensor_proto__init));
  *out = t;
  t->name = name ? vlm_unconst(name) : NULL;
  t->has_data_type = 1;
  t->data_type = vlm_dtype_onnx(tensor->dtype);
  t->n_dims = (size_t)tensor->rank;
  VLM_TRY(vlm_arena_new(b->arena, &t->dims, t->n_dims + 1, b->err));
  memcpy(t->dims, tensor->dims, t->n_dims * sizeof *t->dims);
  size_t bytes = vlm_tensor_bytes(tensor);
  if (b->external.location && name && bytes >= SMALL) {
    VLM_TRY(refer(b, t, tensor));
    goto out;
  }
  t->has_raw_data = 1;
  t->raw_data = (ProtobufCBinaryData){bytes, tensor->data};
out:
  return st;
}

/* ---- types ---- */

static vlm_status put_dim(vlm_proto_builder *b, Onnx__TensorShapeProto__Dimension **out,
                          const vlm_value *value, int k) {
  vlm_status st = VLM_OK;
  Onnx__TensorShapeProto__Dimension *d;
  VLM_TRY(VLM_PROTO_NEW(b, &d, onnx__tensor_shape_proto__dimension__init));
  *out = d;
  if (value->tensor.dims[k] >= 0) {
    d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
    d->dim_value = value->tensor.dims[k];
  } else if (value->dim_names[k]) {
    d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
    d->dim_param = vlm_unconst(value->dim_names[k]);
  }
out:
  return st;
}

static vlm_status put_shape(vlm_proto_builder *b, Onnx__TypeProto__Tensor *type, const vlm_value *value) {
  vlm_status st = VLM_OK;
  Onnx__TensorShapeProto *shape;
  if (value->tensor.rank < 0) return VLM_OK;
  VLM_TRY(VLM_PROTO_NEW(b, &shape, onnx__tensor_shape_proto__init));
  type->shape = shape;
  shape->n_dim = (size_t)value->tensor.rank;
  VLM_TRY(vlm_arena_new(b->arena, &shape->dim, shape->n_dim + 1, b->err));
  for (int k = 0; k < value->tensor.rank; k++) VLM_TRY(put_dim(b, &shape->dim[k], value, k));
out:
  return st;
}

vlm_status vlm_proto_value(vlm_proto_builder *b, Onnx__ValueInfoProto **out, const char *name,
                           const vlm_value *value) {
  vlm_status st = VLM_OK;
  Onnx__ValueInfoProto *info;
  Onnx__TypeProto *type;
  VLM_TRY(VLM_PROTO_NEW(b, &info, onnx__value_info_proto__init));
  *out = info;
  info->name = vlm_unconst(name);
  if (value->tensor.dtype == VLM_NONE) return VLM_OK;
  VLM_TRY(VLM_PROTO_NEW(b, &type, onnx__type_proto__init));
  info->type = type;
  type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
  VLM_TRY(VLM_PROTO_NEW(b, &type->tensor_type, onnx__type_proto__tensor__init));
  type->tensor_type->has_elem_type = 1;
  type->tensor_type->elem_type = vlm_dtype_onnx(value->tensor.dtype);
  VLM_TRY(put_shape(b, type->tensor_type, value));
out:
  return st;
}
