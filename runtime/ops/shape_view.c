/* Operators that give the same bytes another shape, and the ones that read a shape. */
#include <string.h>

#include "runtime/ops/nd_copy.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"

/* Marks the axes of a tensor of `rank` dims. */
static vlm_status mark_axes(vlm_op_call *c, const int64_t *axes, int count, int rank, bool *marked) {
  vlm_status st = VLM_OK;
  memset(marked, 0, (size_t)rank * sizeof *marked);
  for (int i = 0; i < count; i++) {
    int axis;
    VLM_TRY(vlm_axis(c, axes[i], rank, false, &axis));
    VLM_CHECK(!marked[axis], c->err, VLM_INPUT, "axis %d is named twice", axis);
    marked[axis] = true;
  }
out:
  return st;
}

/* ---- Reshape: zeros copy a dim (unless allowzero), one -1 is inferred ---- */

vlm_status vlm_infer_Reshape(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t dims[VLM_MAX_RANK], known = 1, total = vlm_tensor_count(x);
  int rank, open = -1;
  char text[128];
  VLM_TRY(vlm_ints_arg(c, 0, 1, dims, VLM_MAX_RANK, &rank));
  VLM_CHECK(rank >= 0, c->err, VLM_INPUT, "no target shape, neither as input 1 nor as attribute");
  for (int i = 0; i < rank; i++) {
    if (dims[i] == 0 && !vlm_arg_int(c, 1, 0)) {
      VLM_CHECK(i < x->rank, c->err, VLM_INPUT, "target dim %d is 0 (copy) but the input has %d dims", i,
                x->rank);
      dims[i] = x->dims[i];
    }
    VLM_CHECK(dims[i] >= -1, c->err, VLM_INPUT, "target dim %d is %lld", i, (long long)dims[i]);
    VLM_CHECK(dims[i] != -1 || open < 0, c->err, VLM_INPUT, "target dims %d and %d are both -1", open, i);
    if (dims[i] == -1) open = i;
    else
      VLM_CHECK(!__builtin_mul_overflow(known, dims[i], &known), c->err, VLM_INPUT,
                "the target shape is too large");
  }
  if (open >= 0) {
    if (known == 0 && total == 0) dims[open] = 0;
    else {
      VLM_CHECK(known > 0 && total % known == 0, c->err, VLM_INPUT,
                "cannot split %s into parts of %lld elements", vlm_tensor_shape_text(x, text, sizeof text),
                (long long)known);
      dims[open] = total / known;
    }
    known *= dims[open];
  }
  VLM_CHECK(known == total, c->err, VLM_INPUT, "input %s has %lld elements, the target shape %lld",
            vlm_tensor_shape_text(x, text, sizeof text), (long long)total, (long long)known);
  VLM_TRY(vlm_check_dims(c, rank, dims));
  vlm_out_shape(c, 0, x->dtype, rank, dims);
out:
  return st;
}

vlm_status vlm_infer_Flatten(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int axis;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 1), x->rank, true, &axis));
  int64_t dims[2] = {vlm_tensor_span(x, 0, axis), vlm_tensor_span(x, axis, x->rank)};
  vlm_out_shape(c, 0, x->dtype, 2, dims);
out:
  return st;
}

vlm_status vlm_infer_Squeeze(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t axes[VLM_MAX_RANK], dims[VLM_MAX_RANK];
  bool drop[VLM_MAX_RANK];
  int count, rank = 0;
  VLM_TRY(vlm_ints_arg(c, 0, 1, axes, VLM_MAX_RANK, &count));
  VLM_TRY(mark_axes(c, axes, count, x->rank, drop));
  for (int i = 0; i < x->rank; i++) {
    if (count < 0) drop[i] = x->dims[i] == 1;
    VLM_CHECK(!drop[i] || x->dims[i] == 1, c->err, VLM_INPUT, "axis %d has size %lld, wanted 1", i,
              (long long)x->dims[i]);
    if (!drop[i]) dims[rank++] = x->dims[i];
  }
  vlm_out_shape(c, 0, x->dtype, rank, dims);
out:
  return st;
}

vlm_status vlm_infer_Unsqueeze(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t axes[VLM_MAX_RANK], dims[VLM_MAX_RANK];
  bool fresh[VLM_MAX_RANK];
  int count;
  VLM_TRY(vlm_ints_arg(c, 0, 1, axes, VLM_MAX_RANK, &count));
  VLM_CHECK(count >= 0, c->err, VLM_INPUT, "no axes, neither as input 1 nor as attribute");
  int rank = x->rank + count;
  VLM_CHECK(rank <= VLM_MAX_RANK, c->err, VLM_UNSUPPORTED, "Unsqueeze to %d dims, at most %d are supported",
            rank, VLM_MAX_RANK);
  VLM_TRY(mark_axes(c, axes, count, rank, fresh));
  for (int i = 0, j = 0; i < rank; i++) dims[i] = fresh[i] ? 1 : x->dims[j++];
  vlm_out_shape(c, 0, x->dtype, rank, dims);
out:
  return st;
}

/* ---- Dropout: inference is the identity with a mask of ones ---- */

vlm_status vlm_infer_Dropout(vlm_op_call *c) {
  const vlm_tensor *x = c->in[0];
  vlm_out_like(c, 0, 0);
  if (c->n_out > 1) vlm_out_shape(c, 1, c->node->opset < 10 ? x->dtype : VLM_BOOL, x->rank, x->dims);
  return VLM_OK;
}

vlm_status vlm_prepare_Dropout(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  double ratio, training;
  VLM_TRY(vlm_scalar_real(c, 1, "ratio", 1, &ratio));
  VLM_TRY(vlm_scalar_real(c, 2, "training_mode", 0, &training));
  VLM_CHECK(training == 0 || ratio == 0, c->err, VLM_UNSUPPORTED,
            "operator Dropout in training mode (random numbers) is not supported");
out:
  return st;
}

vlm_status vlm_run_Dropout(vlm_op_call *c) {
  if (vlm_out(c, 1))
    for (int64_t i = 0, n = vlm_tensor_count(c->out[1]); i < n; i++) vlm_tensor_set(c->out[1], i, 1);
  return vlm_run_copy(c);
}

/* ---- Shape, Size ---- */

static int64_t clamp_axis(int64_t axis, int rank) {
  if (axis < 0) axis += rank;
  return axis < 0 ? 0 : axis > rank ? rank : axis;
}

vlm_status vlm_infer_Shape(vlm_op_call *c) {
  int rank = c->in[0]->rank;
  int64_t start = clamp_axis(vlm_arg_int(c, 0, 0), rank), end = clamp_axis(vlm_arg_int(c, 1, rank), rank);
  int64_t n = end > start ? end - start : 0;
  vlm_out_shape(c, 0, VLM_S64, 1, &n);
  return VLM_OK;
}

vlm_status vlm_prepare_Shape(vlm_op_call *c) {
  int64_t *start;
  vlm_status st = vlm_op_state_new(c, &start);
  if (st == VLM_OK) *start = clamp_axis(vlm_arg_int(c, 0, 0), c->in[0]->rank);
  return st;
}

vlm_status vlm_run_Shape(vlm_op_call *c) {
  int64_t start = *(const int64_t *)c->state;
  vlm_copy_some(c->out[0]->data, c->in[0]->dims + start, (size_t)c->out[0]->dims[0] * sizeof(int64_t));
  return VLM_OK;
}

vlm_status vlm_infer_Size(vlm_op_call *c) {
  vlm_out_shape(c, 0, VLM_S64, 0, NULL);
  return VLM_OK;
}
vlm_status vlm_run_Size(vlm_op_call *c) {
  *(int64_t *)c->out[0]->data = vlm_tensor_count(c->in[0]);
  return VLM_OK;
}
