#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

void vlm_out_shape(vlm_op_call *c, int k, vlm_dtype dtype, int rank, const int64_t *dims) {
  if (k >= c->n_out || !c->out[k]) return;
  vlm_tensor *t = c->out[k];
  t->dtype = dtype;
  t->rank = rank;
  if (rank > 0) memmove(t->dims, dims, (size_t)rank * sizeof *dims);
}

void vlm_out_like(vlm_op_call *c, int k, int j) {
  vlm_out_shape(c, k, c->in[j]->dtype, c->in[j]->rank, c->in[j]->dims);
}

vlm_status vlm_axis(vlm_op_call *c, int64_t axis, int rank, bool inclusive, int *out) {
  int64_t last = inclusive ? rank : rank - 1;
  if (axis < -(int64_t)rank || axis > last)
    return vlm_fail(c->err, VLM_INPUT, "axis %lld of a tensor of rank %d; wanted %d to %lld", (long long)axis,
                    rank, -rank, (long long)last);
  *out = (int)(axis < 0 ? axis + rank : axis);
  return VLM_OK;
}

vlm_status vlm_broadcast_dims(vlm_op_call *c, const vlm_tensor *a, const vlm_tensor *b, int *rank,
                              int64_t *dims) {
  int r = a->rank > b->rank ? a->rank : b->rank;
  int64_t result[VLM_MAX_RANK];
  for (int i = 0; i < r; i++) {
    int64_t x = i < r - a->rank ? 1 : a->dims[i - (r - a->rank)];
    int64_t y = i < r - b->rank ? 1 : b->dims[i - (r - b->rank)];
    if (x != y && x != 1 && y != 1) {
      char left[128], right[128];
      return vlm_fail(c->err, VLM_INPUT, "shapes %s and %s do not broadcast: dims must be equal or 1",
                      vlm_tensor_shape_text(a, left, sizeof left),
                      vlm_tensor_shape_text(b, right, sizeof right));
    }
    result[i] = x == 1 ? y : x;
  }
  memcpy(dims, result, (size_t)r * sizeof *dims);
  *rank = r;
  return vlm_check_dims(c, r, dims);
}

vlm_status vlm_read_ints(vlm_op_call *c, const vlm_tensor *t, int64_t *values, int max, int *count) {
  *count = 0;
  if (!t) return VLM_OK;
  if (t->dtype != VLM_S32 && t->dtype != VLM_S64)
    return vlm_fail(c->err, VLM_INPUT, "a list of integers is of type %s; wanted int64 or int32",
                    vlm_dtype_name(t->dtype));
  for (int i = 0; i < t->rank; i++)
    if (t->dims[i] < 0) return VLM_UNKNOWN;
  int64_t n = vlm_tensor_count(t);
  if (n > max)
    return vlm_fail(c->err, VLM_INPUT, "a list of %lld integers; wanted at most %d", (long long)n, max);
  if (n > 0 && !t->data) return VLM_UNKNOWN;
  for (int64_t i = 0; i < n; i++) values[i] = vlm_tensor_get_int(t, i);
  *count = (int)n;
  return VLM_OK;
}

vlm_status vlm_infer_like(vlm_op_call *c) {
  vlm_out_like(c, 0, 0);
  return VLM_OK;
}

vlm_status vlm_check_dims(vlm_op_call *c, int rank, const int64_t *dims) {
  int64_t n = 1;
  for (int i = 0; i < rank; i++)
    if (dims[i] > 0 && (__builtin_mul_overflow(n, dims[i], &n) || n > INT64_C(1) << 48))
      return vlm_fail(c->err, VLM_LIMIT, "dim %d of %lld makes the output too large", i, (long long)dims[i]);
  return VLM_OK;
}

vlm_status vlm_infer_broadcast(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor shape = *c->in[0];
  for (int k = 1; k < c->n_in; k++) {
    VLM_CHECK(c->in[k], c->err, VLM_INPUT, "input %d is left out, but it is not optional", k);
    VLM_TRY(vlm_broadcast_dims(c, &shape, c->in[k], &shape.rank, shape.dims));
  }
  vlm_out_shape(c, 0, c->in[0]->dtype, shape.rank, shape.dims);
out:
  return st;
}

vlm_status vlm_prepare_nothing(vlm_op_call *c) {
  (void)c;
  return VLM_OK;
}

vlm_status vlm_run_copy(vlm_op_call *c) {
  size_t bytes = vlm_tensor_bytes(c->out[0]);
  if (bytes > 0 && c->out[0]->data != c->in[0]->data) memmove(c->out[0]->data, c->in[0]->data, bytes);
  return VLM_OK;
}
