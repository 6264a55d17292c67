#include <string.h>

#include "onnx/importer.h"
#include "onnx/tensor_proto.h"

/* Below this size a copy in the arena is cheaper than a block of its own. */
enum { TAKE_OVER_BYTES = 4096 };
/* A sparse tensor may claim any size; a dense one is bounded by the file. */
static const size_t max_dense_bytes = (size_t)1 << 30;

static vlm_status shape_of(vlm_importer *im, const vlm_scope *scope, const Onnx__TensorProto *proto,
                           const char *label, vlm_tensor *out) {
  vlm_status st = vlm_onnx_tensor_shape(out, proto, im->source, label, im->err);
  if (st == VLM_UNSUPPORTED && out->dtype == VLM_NONE) {
    st = vlm_fail(im->err, st,
                  "%s: tensor \"%s\" has element type %s (%d), which is not supported (operator %s uses it)",
                  im->source, label, vlm_onnx_type_name(proto->data_type), proto->data_type,
                  vlm_scope_operator_of(scope, label));
  }
  return st;
}

typedef struct vlm_onnx_taken {
  struct vlm_onnx_taken *next;
  Onnx__TensorProto *proto;
} vlm_onnx_taken;

/* A second import of the same message (the body of a function that is called twice) shares the block. */
enum { TAKEN = 2 };

void vlm_import_release_taken(vlm_importer *im) {
  for (vlm_onnx_taken *t = im->taken; t != NULL; t = t->next)
    t->proto->raw_data = (ProtobufCBinaryData){0, NULL};
  im->taken = NULL;
}

/* raw_data was allocated with vlm_alloc by the parser: the graph takes the block over instead of copying it. */
static vlm_status take_over(vlm_importer *im, Onnx__TensorProto *proto, vlm_tensor *out) {
  vlm_status st = VLM_OK;
  void *memory = NULL;
  out->data = proto->raw_data.data;
  if (proto->has_raw_data == TAKEN) return VLM_OK;
  VLM_TRY(vlm_arena_alloc(im->root->arena, &memory, 1, sizeof(vlm_onnx_taken), im->err));
  *(vlm_onnx_taken *)memory = (vlm_onnx_taken){im->taken, proto};
  im->taken = memory;
  proto->has_raw_data = TAKEN;
  VLM_TRY(vlm_graph_keep(im->root, out->data, vlm_free, im->err));
  if (out->dtype == VLM_BOOL) vlm_onnx_normalize_bools(out->data, vlm_tensor_bytes(out));
out:
  return st;
}

vlm_status vlm_import_tensor(vlm_importer *im, const vlm_scope *scope, Onnx__TensorProto *proto,
                             const char *label, vlm_tensor *out) {
  vlm_status st = VLM_OK;
  VLM_TRY(shape_of(im, scope, proto, label, out));
  if (vlm_onnx_tensor_is_external(proto)) {
    VLM_TRY(vlm_import_external(im, proto, label, out));
    goto out;
  }
  VLM_TRY(vlm_onnx_tensor_check(out, proto, im->source, label, im->err));
  size_t bytes = vlm_tensor_bytes(out);
  if (vlm_onnx_tensor_is_raw(proto) && bytes >= TAKE_OVER_BYTES) {
    VLM_TRY(take_over(im, proto, out));
    goto out;
  }
  VLM_TRY(vlm_arena_alloc(im->root->arena, &out->data, bytes > 0 ? bytes : 1, 1, im->err));
  vlm_onnx_tensor_fill(out->data, out, proto);
out:
  return st;
}

/* Linear position of non-zero element k: indices is [nnz] or [nnz, rank]. */
static vlm_status sparse_position(vlm_importer *im, const vlm_tensor *dense, const vlm_tensor *indices,
                                  int64_t k, const char *label, int64_t *out) {
  vlm_status st = VLM_OK;
  int64_t at = 0;
  if (indices->rank == 1) {
    at = vlm_tensor_get_int(indices, k);
    VLM_CHECK(at >= 0 && at < vlm_tensor_count(dense), im->err, VLM_INPUT,
              "%s: sparse tensor \"%s\": index %lld is outside the tensor", im->source, label, (long long)at);
  } else {
    for (int d = 0; d < dense->rank; d++) {
      int64_t i = vlm_tensor_get_int(indices, k * dense->rank + d);
      VLM_CHECK(i >= 0 && i < dense->dims[d], im->err, VLM_INPUT,
                "%s: sparse tensor \"%s\": index %lld is outside dimension %d", im->source, label,
                (long long)i, d);
      at = at * dense->dims[d] + i;
    }
  }
  *out = at;
out:
  return st;
}

static vlm_status check_sparse(vlm_importer *im, const vlm_tensor *dense, const vlm_tensor *values,
                               const vlm_tensor *indices, const char *label) {
  vlm_status st = VLM_OK;
  size_t bytes = 0;
  vlm_error detail = {0};
  st = vlm_tensor_bytes_checked(&bytes, dense, &detail);
  VLM_CHECK(st == VLM_OK, im->err, st, "%s: sparse tensor \"%s\": %s", im->source, label, detail.text);
  VLM_CHECK(bytes <= max_dense_bytes, im->err, VLM_LIMIT,
            "%s: sparse tensor \"%s\" is %zu bytes when dense, at most %zu are supported", im->source, label,
            bytes, max_dense_bytes);
  VLM_CHECK(vlm_dtype_bits(values->dtype) >= 8, im->err, VLM_UNSUPPORTED,
            "%s: sparse tensor \"%s\" of %s is not supported", im->source, label,
            vlm_dtype_name(values->dtype));
  bool linear = indices->rank == 1;
  bool table = indices->rank == 2 && indices->dims[1] == dense->rank;
  VLM_CHECK(indices->dtype == VLM_S64 && values->rank == 1 && (linear || table) &&
                indices->dims[0] == values->dims[0],
            im->err, VLM_INPUT, "%s: sparse tensor \"%s\": values and indices do not fit together",
            im->source, label);
out:
  return st;
}

vlm_status vlm_import_sparse(vlm_importer *im, const vlm_scope *scope, Onnx__SparseTensorProto *proto,
                             const char *label, vlm_tensor *out) {
  vlm_status st = VLM_OK;
  vlm_tensor values, indices;
  VLM_CHECK(proto->values != NULL && proto->indices != NULL && proto->n_dims <= VLM_MAX_RANK, im->err,
            VLM_INPUT, "%s: sparse tensor \"%s\" lacks values or indices, or has more than %d dimensions",
            im->source, label, VLM_MAX_RANK);
  VLM_TRY(vlm_import_tensor(im, scope, proto->values, label, &values));
  VLM_TRY(vlm_import_tensor(im, scope, proto->indices, label, &indices));
  *out = vlm_tensor_make(values.dtype, (int)proto->n_dims, proto->dims, NULL);
  VLM_TRY(check_sparse(im, out, &values, &indices, label));
  size_t width = (size_t)vlm_dtype_bits(out->dtype) / 8, bytes = vlm_tensor_bytes(out);
  VLM_TRY(vlm_arena_alloc(im->root->arena, &out->data, bytes > 0 ? bytes : 1, 1, im->err));
  for (int64_t k = 0; k < values.dims[0]; k++) {
    int64_t at = 0;
    VLM_TRY(sparse_position(im, out, &indices, k, label, &at));
    memcpy((char *)out->data + (size_t)at * width, (const char *)values.data + (size_t)k * width, width);
  }
out:
  return st;
}
