/* Operators that make tensors out of a shape or a few numbers: Constant, ConstantOfShape, Range, EyeLike, OneHot, and Trilu. */
#include <math.h>
#include <string.h>

#include "runtime/ops/box.h"
#include "runtime/ops/nd_copy.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

/* ---- Constant: value | value_float | value_floats | value_int | value_ints ---- */

static vlm_status constant_value(vlm_op_call *c, vlm_tensor *t) {
  enum { VALUE, FLOAT, FLOATS, INT, INTS };
  int64_t n;
  for (int k = VALUE; k <= INTS; k++) {
    const vlm_attr *a = vlm_arg(c, k);
    if (a->kind == VLM_ATTR_NONE) continue;
    n = a->count;
    switch (k) {
      case VALUE: *t = *a->u.t; break;
      case FLOAT: *t = vlm_tensor_make(VLM_F32, 0, NULL, (void *)(uintptr_t)&a->u.f); break;
      case FLOATS: *t = vlm_tensor_make(VLM_F32, 1, &n, (void *)(uintptr_t)a->u.floats); break;
      case INT: *t = vlm_tensor_make(VLM_S64, 0, NULL, (void *)(uintptr_t)&a->u.i); break;
      default: *t = vlm_tensor_make(VLM_S64, 1, &n, (void *)(uintptr_t)a->u.ints); break;
    }
    return VLM_OK;
  }
  return vlm_fail(c->err, VLM_UNSUPPORTED,
                  "operator Constant without value, value_float(s) or value_int(s) is not supported");
}

vlm_status vlm_infer_Constant(vlm_op_call *c) {
  vlm_tensor t;
  vlm_status st = constant_value(c, &t);
  if (st == VLM_OK) vlm_out_shape(c, 0, t.dtype, t.rank, t.dims);
  return st;
}

vlm_status vlm_prepare_Constant(vlm_op_call *c) {
  vlm_tensor *t;
  vlm_status st = vlm_op_state_new(c, &t);
  return st == VLM_OK ? constant_value(c, t) : st;
}

vlm_status vlm_run_Constant(vlm_op_call *c) {
  const vlm_tensor *t = c->state;
  vlm_copy_bytes(NULL, c->out[0]->data, t->data, vlm_tensor_bytes(t));
  return VLM_OK;
}

/* ---- ConstantOfShape ---- */

vlm_status vlm_infer_ConstantOfShape(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_attr *a = vlm_arg(c, 0);
  int64_t dims[VLM_MAX_RANK];
  int rank;
  VLM_TRY(vlm_read_ints(c, c->in[0], dims, VLM_MAX_RANK, &rank));
  for (int i = 0; i < rank; i++)
    VLM_CHECK(dims[i] >= 0, c->err, VLM_INPUT, "shape entry %d is %lld", i, (long long)dims[i]);
  VLM_TRY(vlm_check_dims(c, rank, dims));
  vlm_out_shape(c, 0, a->kind == VLM_ATTR_TENSOR ? a->u.t->dtype : VLM_F32, rank, dims);
out:
  return st;
}

typedef struct {
  char value[8];
  vlm_bytes y;
  vlm_nd_plan plan;
} fill_state;

/* One element everywhere in the output. */
static void plan_fill(vlm_nd_plan *plan, const vlm_tensor *y) {
  vlm_nd nd = {0};
  vlm_nd_push(&nd, vlm_tensor_count(y), (int64_t)vlm_item_size(y), 0);
  vlm_nd_plan_make(plan, &nd, vlm_item_size(y));
}

vlm_status vlm_prepare_ConstantOfShape(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  fill_state *s;
  const vlm_attr *a = vlm_arg(c, 0);
  const vlm_tensor y = vlm_whole(c->out[0]);
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_bytes_prepare(c, &s->y, c->out[0]));
  if (a->kind == VLM_ATTR_TENSOR) {
    VLM_CHECK(vlm_tensor_count(a->u.t) == 1, c->err, VLM_INPUT, "value has %lld elements, wanted 1",
              (long long)vlm_tensor_count(a->u.t));
    memcpy(s->value, a->u.t->data, vlm_item_size(&y));
  }
  plan_fill(&s->plan, &y);
out:
  return st;
}

vlm_status vlm_run_ConstantOfShape(vlm_op_call *c) {
  const fill_state *s = c->state;
  void *y = vlm_bytes_place(c, &s->y, c->out[0]);
  vlm_nd_plan_run(&s->plan, c->threads, y, s->value);
  vlm_bytes_store(&s->y, c->out[0], y);
  return VLM_OK;
}

/* ---- Range ---- */

static vlm_status range_count(vlm_op_call *c, int64_t *n) {
  vlm_status st = VLM_OK;
  double start, limit, delta;
  for (int k = 1; k < 3; k++) VLM_TRY(vlm_require_type(c, k, k == 1 ? "limit" : "delta", c->in[0]->dtype));
  VLM_TRY(vlm_scalar_real(c, 0, "start", 0, &start));
  VLM_TRY(vlm_scalar_real(c, 1, "limit", 0, &limit));
  VLM_TRY(vlm_scalar_real(c, 2, "delta", 0, &delta));
  if (vlm_dtype_is_float(c->in[0]->dtype)) {
    double steps = ceil((limit - start) / delta);
    VLM_CHECK(steps <= 0 || (isfinite(steps) && steps < 1e15), c->err, VLM_INPUT,
              "range from %g to %g by %g has no length", start, limit, delta);
    *n = steps > 0 ? (int64_t)steps : 0;
  } else {
    int64_t from = vlm_tensor_get_int(c->in[0], 0), to = vlm_tensor_get_int(c->in[1], 0),
            step = vlm_tensor_get_int(c->in[2], 0), span;
    VLM_CHECK(step != 0 && !__builtin_sub_overflow(to, from, &span), c->err, VLM_INPUT,
              "range from %lld to %lld by %lld has no length", (long long)from, (long long)to,
              (long long)step);
    *n = (span > 0) != (step > 0) || span == 0 ? 0 : (step > 0 ? (span - 1) / step : (span + 1) / step) + 1;
  }
out:
  return st;
}

vlm_status vlm_infer_Range(vlm_op_call *c) {
  int64_t n;
  vlm_status st = range_count(c, &n);
  if (st == VLM_OK) vlm_out_shape(c, 0, c->in[0]->dtype, 1, &n);
  return st;
}

vlm_status vlm_run_Range(vlm_op_call *c) {
  vlm_tensor *y = c->out[0];
  int64_t n = y->dims[0];
  if (y->dtype == VLM_S64) {
    int64_t start = vlm_tensor_get_int(c->in[0], 0), delta = vlm_tensor_get_int(c->in[2], 0);
    for (int64_t i = 0; i < n; i++) ((int64_t *)y->data)[i] = start + i * delta;
  } else if (y->dtype == VLM_F32) {
    float start = *(const float *)c->in[0]->data, delta = *(const float *)c->in[2]->data;
    for (int64_t i = 0; i < n; i++) ((float *)y->data)[i] = start + (float)i * delta;
  } else {
    double start = vlm_tensor_get(c->in[0], 0), delta = vlm_tensor_get(c->in[2], 0);
    for (int64_t i = 0; i < n; i++) vlm_tensor_set(y, i, start + (double)i * delta);
  }
  return VLM_OK;
}

/* ---- EyeLike ---- */

vlm_status vlm_infer_EyeLike(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_attr *type = vlm_arg(c, 0);
  vlm_dtype dtype = type->kind == VLM_ATTR_INT ? vlm_dtype_from_onnx((int)type->u.i) : c->in[0]->dtype;
  VLM_CHECK(c->in[0]->rank == 2, c->err, VLM_INPUT, "input has %d dims, wanted 2", c->in[0]->rank);
  VLM_CHECK(dtype != VLM_NONE, c->err, VLM_UNSUPPORTED,
            "operator EyeLike: element type %lld is not supported", (long long)type->u.i);
  vlm_out_shape(c, 0, dtype, 2, c->in[0]->dims);
out:
  return st;
}

vlm_status vlm_prepare_EyeLike(vlm_op_call *c) {
  int64_t *k;
  vlm_status st = vlm_op_state_new(c, &k);
  if (st == VLM_OK) *k = vlm_arg_int(c, 1, 0);
  return st;
}

vlm_status vlm_run_EyeLike(vlm_op_call *c) {
  vlm_tensor *y = c->out[0];
  int64_t k = *(const int64_t *)c->state;
  vlm_zero_some(y->data, vlm_tensor_bytes(y));
  for (int64_t r = 0; r < y->dims[0]; r++)
    if (k >= -r && k < y->dims[1] - r) vlm_tensor_set(y, r * y->dims[1] + r + k, 1);
  return VLM_OK;
}

/* ---- OneHot ---- */

vlm_status vlm_infer_OneHot(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *values = c->in[2];
  int64_t dims[VLM_MAX_RANK];
  double depth;
  int axis;
  VLM_CHECK(x->rank < VLM_MAX_RANK, c->err, VLM_UNSUPPORTED, "OneHot of %d dims, at most %d are supported",
            x->rank, VLM_MAX_RANK - 1);
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, -1), x->rank + 1, false, &axis));
  VLM_TRY(vlm_scalar_real(c, 1, "depth", 0, &depth));
  VLM_CHECK(depth >= 0 && depth < 1e15, c->err, VLM_INPUT, "depth is %g", depth);
  VLM_CHECK(vlm_tensor_count(values) == 2, c->err, VLM_INPUT, "values has %lld elements, wanted 2",
            (long long)vlm_tensor_count(values));
  for (int i = 0, j = 0; i <= x->rank; i++) dims[i] = i == axis ? (int64_t)depth : x->dims[j++];
  VLM_TRY(vlm_check_dims(c, x->rank + 1, dims));
  vlm_out_shape(c, 0, values->dtype, x->rank + 1, dims);
out:
  return st;
}

typedef struct {
  vlm_nd_plan plan; /* the off value everywhere */
  size_t item;
  int64_t depth, inner;
} one_hot_state;

vlm_status vlm_prepare_OneHot(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  one_hot_state *s;
  const vlm_tensor *y = c->out[0];
  int axis;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, -1), y->rank, false, &axis));
  s->item = vlm_item_size(y);
  VLM_CHECK(s->item > 0, c->err, VLM_UNSUPPORTED, "operator OneHot of %s is not supported",
            vlm_dtype_name(y->dtype));
  plan_fill(&s->plan, y);
  s->depth = y->dims[axis];
  s->inner = vlm_tensor_span(y, axis + 1, y->rank);
out:
  return st;
}

vlm_status vlm_run_OneHot(vlm_op_call *c) {
  const one_hot_state *s = c->state;
  const vlm_tensor *x = c->in[0];
  const char *values = c->in[2]->data;
  char *y = c->out[0]->data;
  vlm_nd_plan_run(&s->plan, c->threads, y, values);
  for (int64_t i = 0, n = vlm_tensor_count(x); i < n; i++) {
    if (vlm_dtype_is_float(x->dtype) && !(fabs(vlm_tensor_get(x, i)) < 1e15)) continue;
    int64_t k = vlm_tensor_get_int(x, i);
    if (k < 0) k += s->depth;
    if (k < 0 || k >= s->depth) continue;
    memcpy(y + (size_t)((i / s->inner * s->depth + k) * s->inner + i % s->inner) * s->item, values + s->item,
           s->item);
  }
  return VLM_OK;
}

/* ---- Trilu ---- */

vlm_status vlm_infer_Trilu(vlm_op_call *c) {
  if (c->in[0]->rank < 2)
    return vlm_fail(c->err, VLM_INPUT, "input has %d dims, wanted at least 2", c->in[0]->rank);
  vlm_out_like(c, 0, 0);
  return vlm_check_whole_bytes(c, 0);
}

vlm_status vlm_prepare_Trilu(vlm_op_call *c) {
  bool *upper;
  vlm_status st = vlm_op_state_new(c, &upper);
  if (st == VLM_OK) *upper = vlm_arg_int(c, 0, 1) != 0;
  return st;
}

/* One row of `cols` elements, kept from column `cut` on (upper) or up to it (lower). */
static void cut_row(char *to, const char *from, int64_t cut, int64_t cols, size_t item, bool upper) {
  size_t left = (size_t)cut * item, right = (size_t)(cols - cut) * item;
  if (upper) {
    vlm_zero_some(to, left);
    vlm_copy_some(to + left, from + left, right);
  } else {
    vlm_copy_some(to, from, left);
    vlm_zero_some(to + left, right);
  }
}

vlm_status vlm_run_Trilu(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  bool upper = *(const bool *)c->state;
  size_t item = vlm_item_size(x);
  int64_t rows = x->dims[x->rank - 2], cols = x->dims[x->rank - 1], all = vlm_tensor_span(x, 0, x->rank - 1),
          k;
  VLM_TRY(vlm_scalar_int(c, 1, "k", 0, &k));
  k = k < -rows - 1 ? -rows - 1 : k > cols + 1 ? cols + 1 : k;
  for (int64_t r = 0; r < all; r++) {
    int64_t cut = r % rows + k + (upper ? 0 : 1); /* first column kept (upper) or dropped (lower) */
    cut = cut < 0 ? 0 : cut > cols ? cols : cut;
    cut_row((char *)c->out[0]->data + (size_t)(r * cols) * item,
            (const char *)x->data + (size_t)(r * cols) * item, cut, cols, item, upper);
  }
out:
  return st;
}
