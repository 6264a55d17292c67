/* ArgMax, ArgMin, CumSum, CumProd: walks along one axis. */
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

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
#define EXTREME(name, type)                                                               \
  static int64_t extreme_##name(const type *x, const extreme_opts *o) {                   \
    int64_t at = 0;                                                                       \
    type best = x[0];                                                                     \
    for (int64_t k = 1; k < o->count && best == best; k++) {                              \
      type v = x[k * o->inner];                                                           \
      bool better = (o->least ? v < best : v > best) || v != v || (o->last && v == best); \
      if (!better) continue;                                                              \
      best = v;                                                                           \
      at = k;                                                                             \
    }                                                                                     \
    return at;                                                                            \
  }                                                                                       \
  static void extremes_##name(int64_t *y, const type *x, const extreme_opts *o) {         \
    for (int64_t i = 0; i < o->outer; i++)                                                \
      for (int64_t j = 0; j < o->inner; j++)                                              \
        y[i * o->inner + j] = extreme_##name(x + i * o->count * o->inner + j, o);         \
  }
EXTREME(f32, float)
EXTREME(f64, double)
EXTREME(s64, int64_t)
EXTREME(u64, uint64_t)

typedef struct {
  extreme_opts opts;
  vlm_values floats; /* types that have no form of their own */
  vlm_integers integers;
} extreme_state;

static vlm_status prepare_extreme(vlm_op_call *c, bool least) {
  vlm_status st = VLM_OK;
  extreme_state *s;
  const vlm_tensor *x = c->in[0];
  int axis;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), x->rank, false, &axis));
  s->opts = (extreme_opts){least, vlm_arg_int(c, 2, 0) != 0, vlm_tensor_span(x, 0, axis), x->dims[axis],
                           vlm_tensor_span(x, axis + 1, x->rank)};
  VLM_CHECK(s->opts.count > 0 || s->opts.outer == 0 || s->opts.inner == 0, c->err, VLM_INPUT,
            "axis %d is empty; there is no extreme element", axis);
  if (x->dtype == VLM_F64 || x->dtype == VLM_U64) goto out;
  if (vlm_dtype_is_float(x->dtype)) VLM_TRY(vlm_floats_prepare(c, &s->floats, 0));
  else VLM_TRY(vlm_integers_prepare(c, &s->integers, 0));
out:
  return st;
}

vlm_status vlm_prepare_arg_max(vlm_op_call *c) { return prepare_extreme(c, false); }
vlm_status vlm_prepare_arg_min(vlm_op_call *c) { return prepare_extreme(c, true); }

vlm_status vlm_run_arg_extreme(vlm_op_call *c) {
  const extreme_state *s = c->state;
  const vlm_tensor *x = c->in[0];
  int64_t *y = c->out[0]->data;
  if (x->dtype == VLM_F64) extremes_f64(y, x->data, &s->opts);
  else if (x->dtype == VLM_U64) extremes_u64(y, x->data, &s->opts);
  else if (vlm_dtype_is_float(x->dtype)) extremes_f32(y, vlm_values_get(c, &s->floats), &s->opts);
  else extremes_s64(y, vlm_integers_get(c, &s->integers), &s->opts);
  return VLM_OK;
}

/* ---- cumulative sum and product ---- */

typedef struct {
  bool product, exclusive, reverse;
  int64_t outer, count, inner;
} cumulate_opts;

#define CUMULATE(name, type)                                                    \
  static void cumulate_##name(type *y, const type *x, const cumulate_opts *o) { \
    for (int64_t i = 0; i < o->outer * o->inner; i++) {                         \
      int64_t base = i / o->inner * o->count * o->inner + i % o->inner;         \
      type a = o->product ? 1 : 0;                                              \
      for (int64_t k = 0; k < o->count; k++) {                                  \
        int64_t at = base + (o->reverse ? o->count - 1 - k : k) * o->inner;     \
        type v = x[at], next = o->product ? a * v : a + v;                      \
        y[at] = o->exclusive ? a : next;                                        \
        a = next;                                                               \
      }                                                                         \
    }                                                                           \
  }
CUMULATE(f32, float)
CUMULATE(f64, double)
CUMULATE(u32, uint32_t)
CUMULATE(u64, uint64_t)

typedef struct {
  cumulate_opts opts;
  vlm_values x; /* floats but float64 */
  vlm_result y;
} cumulate_state;

static vlm_status prepare_cumulate(vlm_op_call *c, bool product) {
  vlm_status st = VLM_OK;
  cumulate_state *s;
  const vlm_tensor *x = c->in[0];
  int64_t given;
  int axis, count;
  bool real = vlm_dtype_is_float(x->dtype);
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_read_ints(c, c->in[1], &given, 1, &count));
  VLM_CHECK(count == 1, c->err, VLM_INPUT, "axis is empty; wanted one integer");
  VLM_CHECK(real || vlm_dtype_bits(x->dtype) >= 32, c->err, VLM_UNSUPPORTED,
            "no form for elements of type %s", vlm_dtype_name(x->dtype));
  VLM_TRY(vlm_axis(c, given, x->rank, false, &axis));
  s->opts = (cumulate_opts){product,
                            vlm_arg_int(c, 0, 0) != 0,
                            vlm_arg_int(c, 1, 0) != 0,
                            vlm_tensor_span(x, 0, axis),
                            x->dims[axis],
                            vlm_tensor_span(x, axis + 1, x->rank)};
  if (!real || x->dtype == VLM_F64) goto out;
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
out:
  return st;
}

vlm_status vlm_prepare_cum_sum(vlm_op_call *c) { return prepare_cumulate(c, false); }
vlm_status vlm_prepare_cum_prod(vlm_op_call *c) { return prepare_cumulate(c, true); }

vlm_status vlm_run_cumulate(vlm_op_call *c) {
  const cumulate_state *s = c->state;
  const vlm_tensor *x = c->in[0];
  void *y = c->out[0]->data;
  if (x->dtype == VLM_F64) cumulate_f64(y, x->data, &s->opts);
  else if (vlm_dtype_is_float(x->dtype)) {
    float *result = vlm_result_get(c, &s->y);
    cumulate_f32(result, vlm_values_get(c, &s->x), &s->opts);
    vlm_store_f32(c, 0, result);
  } else if (vlm_dtype_bits(x->dtype) == 32) cumulate_u32(y, x->data, &s->opts);
  else cumulate_u64(y, x->data, &s->opts);
  return VLM_OK;
}
