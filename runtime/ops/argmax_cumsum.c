/* ArgMax, ArgMin, CumSum, CumProd: walks along one axis. */
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

vlm_status vlm_infer_arg_extreme(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  int64_t dims[VLM_MAX_RANK];
  int axis, rank = 0;
  const vlm_tensor *x = c->in[0];
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), x->rank, false, &axis));
  for (int i = 0; i < x->rank; i++)
    if (i != axis) dims[rank++] = x->dims[i];
    else if (vlm_arg_int(c, 1, 1)) dims[rank++] = 1;
  vlm_out_shape(c, 0, VLM_S64, rank, dims);
out:
  return st;
}

typedef struct {
  bool least, last;
  int64_t outer, count, inner;
} extreme_opts;

/* The first NaN beats everything, as in numpy. */
#define EXTREME(name, type)                                                                    \
  static int64_t extreme_##name(const type *x, const extreme_opts *o) {                        \
    int64_t at = 0;                                                                            \
    type best = x[0];                                                                          \
    for (int64_t k = 1; k < o->count && best == best; k++) {                                   \
      type v = x[k * o->inner];                                                                \
      bool better = (o->least ? v < best : v > best) || v != v || (o->last && v == best);      \
      if (!better) continue;                                                                   \
      best = v;                                                                                \
      at = k;                                                                                  \
    }                                                                                          \
    return at;                                                                                 \
  }                                                                                            \
  static void extremes_##name(int64_t *y, const type *x, const extreme_opts *o) {              \
    for (int64_t i = 0; i < o->outer; i++)                                                     \
      for (int64_t j = 0; j < o->inner; j++)                                                   \
        y[i * o->inner + j] = extreme_##name(x + i * o->count * o->inner + j, o);              \
  }
EXTREME(f32, float)
EXTREME(f64, double)
EXTREME(s64, int64_t)
EXTREME(u64, uint64_t)

static vlm_status arg_extreme(vlm_op_call *c, bool least) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int axis;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), x->rank, false, &axis));
  extreme_opts o = {least, vlm_arg_int(c, 2, 0) != 0, vlm_tensor_span(x, 0, axis), x->dims[axis], vlm_tensor_span(x, axis + 1, x->rank)};
  VLM_CHECK(o.count > 0 || o.outer == 0 || o.inner == 0, c->err, VLM_INPUT, "axis %d is empty; there is no extreme element", axis);
  if (x->dtype == VLM_F64) extremes_f64(c->out[0]->data, x->data, &o);
  else if (x->dtype == VLM_U64) extremes_u64(c->out[0]->data, x->data, &o);
  else if (vlm_dtype_is_float(x->dtype)) {
    const float *values;
    VLM_TRY(vlm_as_f32(c, x, &values));
    extremes_f32(c->out[0]->data, values, &o);
  } else {
    const int64_t *values;
    VLM_TRY(vlm_as_s64(c, x, &values));
    extremes_s64(c->out[0]->data, values, &o);
  }
out:
  return st;
}

vlm_status vlm_run_arg_max(vlm_op_call *c) { return arg_extreme(c, false); }
vlm_status vlm_run_arg_min(vlm_op_call *c) { return arg_extreme(c, true); }

/* ---- cumulative sum and product ---- */

typedef struct {
  bool product, exclusive, reverse;
  int64_t outer, count, inner;
} cumulate_opts;

#define CUMULATE(name, type)                                                                      \
  static void cumulate_##name(type *y, const type *x, const cumulate_opts *o) {                   \
    for (int64_t i = 0; i < o->outer * o->inner; i++) {                                           \
      int64_t base = i / o->inner * o->count * o->inner + i % o->inner;                           \
      type a = o->product ? 1 : 0;                                                                \
      for (int64_t k = 0; k < o->count; k++) {                                                    \
        int64_t at = base + (o->reverse ? o->count - 1 - k : k) * o->inner;                       \
        type v = x[at], next = o->product ? a * v : a + v;                                        \
        y[at] = o->exclusive ? a : next;                                                          \
        a = next;                                                                                 \
      }                                                                                           \
    }                                                                                             \
  }
CUMULATE(f32, float)
CUMULATE(f64, double)
CUMULATE(u32, uint32_t)
CUMULATE(u64, uint64_t)

static vlm_status cumulate(vlm_op_call *c, bool product) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t given;
  int axis, count, bits = vlm_dtype_bits(x->dtype);
  VLM_TRY(vlm_read_ints(c, c->in[1], &given, 1, &count));
  VLM_CHECK(count == 1, c->err, VLM_INPUT, "axis is empty; wanted one integer");
  VLM_TRY(vlm_axis(c, given, x->rank, false, &axis));
  cumulate_opts o = {product,         vlm_arg_int(c, 0, 0) != 0, vlm_arg_int(c, 1, 0) != 0, vlm_tensor_span(x, 0, axis),
                     x->dims[axis], vlm_tensor_span(x, axis + 1, x->rank)};
  if (x->dtype == VLM_F64) cumulate_f64(c->out[0]->data, x->data, &o);
  else if (vlm_dtype_is_float(x->dtype)) {
    const float *values;
    float *result;
    VLM_TRY(vlm_as_f32(c, x, &values));
    VLM_TRY(vlm_out_f32(c, 0, &result));
    cumulate_f32(result, values, &o);
    vlm_store_f32(c, 0, result);
  } else {
    VLM_CHECK(bits >= 32, c->err, VLM_UNSUPPORTED, "no form for elements of type %s", vlm_dtype_name(x->dtype));
    if (bits == 32) cumulate_u32(c->out[0]->data, x->data, &o);
    else cumulate_u64(c->out[0]->data, x->data, &o);
  }
out:
  return st;
}

vlm_status vlm_run_cum_sum(vlm_op_call *c) { return cumulate(c, false); }
vlm_status vlm_run_cum_prod(vlm_op_call *c) { return cumulate(c, true); }
