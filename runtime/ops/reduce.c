/* The Reduce family: shape, and the forms for float64, integers and bool; float32 and the halves are in reduce_f32.c. */
#include <math.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/reduce_plan.h"
#include "runtime/ops/values.h"

vlm_status vlm_infer_reduce(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  bool axes[VLM_MAX_RANK], keep = vlm_arg_int(c, 0, 1) != 0;
  int64_t dims[VLM_MAX_RANK];
  int rank = 0;
  VLM_TRY(vlm_reduce_axes(c, axes));
  for (int i = 0; i < c->in[0]->rank; i++)
    if (!axes[i]) dims[rank++] = c->in[0]->dims[i];
    else if (keep) dims[rank++] = 1;
  vlm_out_shape(c, 0, c->in[0]->dtype, rank, dims);
out:
  return st;
}

static double step64(vlm_reduce_kind kind, double a, double x, double shift) {
  switch (kind) {
    case VLM_REDUCE_MAX: return x > a || x != x ? x : a;
    case VLM_REDUCE_MIN: return x < a || x != x ? x : a;
    case VLM_REDUCE_PROD: return a * x;
    case VLM_REDUCE_L1: return a + fabs(x);
    case VLM_REDUCE_L2:
    case VLM_REDUCE_SUM_SQUARE: return a + x * x;
    case VLM_REDUCE_LOG_SUM_EXP: return a + exp(x - shift);
    default: return a + x;
  }
}

static double start64(vlm_reduce_kind kind) {
  return kind == VLM_REDUCE_PROD  ? 1.0
         : kind == VLM_REDUCE_MAX ? -(double)INFINITY
         : kind == VLM_REDUCE_MIN ? (double)INFINITY
                                  : 0.0;
}

static double finish64(vlm_reduce_kind kind, double a, double count, double shift) {
  switch (kind) {
    case VLM_REDUCE_MEAN: return a / count;
    case VLM_REDUCE_L2: return sqrt(a);
    case VLM_REDUCE_LOG_SUM: return log(a);
    case VLM_REDUCE_LOG_SUM_EXP: return log(a) + shift;
    default: return a;
  }
}

static void reduce_f64(const vlm_reduce_plan *p, vlm_reduce_kind kind, const double *x, double *y) {
  for (int64_t i = 0; i < p->outputs; i++) {
    const double *from = x + vlm_reduce_base(p, i);
    double a = start64(kind), shift = 0.0;
    for (int64_t k = 0; kind == VLM_REDUCE_LOG_SUM_EXP && k < p->count; k++) {
      double v = from[vlm_reduce_offset(p, k)];
      if (k == 0 || v > shift) shift = v;
    }
    if (!(fabs(shift) < (double)INFINITY)) shift = 0.0;
    for (int64_t k = 0; k < p->count; k++) a = step64(kind, a, from[vlm_reduce_offset(p, k)], shift);
    y[i] = finish64(kind, a, (double)p->count, shift);
  }
}

/* Largest and smallest value of a type, as the neutral element of min and max. */
static int64_t extreme(vlm_dtype type, bool largest) {
  int bits = type == VLM_BOOL ? 1 : vlm_dtype_bits(type);
  bool is_signed = vlm_dtype_is_signed(type);
  if (!is_signed) return largest ? (bits == 64 ? INT64_MAX : (int64_t)((1ull << bits) - 1)) : 0;
  return largest ? (int64_t)(UINT64_MAX >> (65 - bits)) : -(int64_t)(UINT64_MAX >> (65 - bits)) - 1;
}

/* Sums and products are exact modulo the width of the type. */
static int64_t reduce_int(const vlm_tensor *x, const vlm_reduce_plan *p, vlm_reduce_kind kind, int64_t base) {
  bool max = kind == VLM_REDUCE_MAX, min = kind == VLM_REDUCE_MIN, is_unsigned = x->dtype == VLM_U64;
  uint64_t a = max || min ? (uint64_t)extreme(x->dtype, min) : kind == VLM_REDUCE_PROD ? 1 : 0;
  if (min && is_unsigned) a = UINT64_MAX;
  for (int64_t k = 0; k < p->count; k++) {
    int64_t v = vlm_tensor_get_int(x, base + vlm_reduce_offset(p, k));
    bool less = is_unsigned ? (uint64_t)v < a : v < (int64_t)a,
         greater = is_unsigned ? (uint64_t)v > a : v > (int64_t)a;
    switch (kind) {
      case VLM_REDUCE_MAX: a = greater ? (uint64_t)v : a; break;
      case VLM_REDUCE_MIN: a = less ? (uint64_t)v : a; break;
      case VLM_REDUCE_PROD: a *= (uint64_t)v; break;
      case VLM_REDUCE_L1: a += v < 0 && !is_unsigned ? 0 - (uint64_t)v : (uint64_t)v; break;
      case VLM_REDUCE_SUM_SQUARE: a += (uint64_t)v * (uint64_t)v; break;
      default: a += (uint64_t)v; break;
    }
  }
  if (kind == VLM_REDUCE_MEAN) return p->count ? (int64_t)a / p->count : 0;
  return (int64_t)a;
}

/* L2, log-sum and log-sum-exp of integers go through double and truncate. */
static void reduce_integers(const vlm_reduce_plan *p, vlm_reduce_kind kind, const vlm_tensor *x,
                            const vlm_tensor *y) {
  bool real = kind == VLM_REDUCE_L2 || kind == VLM_REDUCE_LOG_SUM || kind == VLM_REDUCE_LOG_SUM_EXP;
  for (int64_t i = 0; i < p->outputs; i++) {
    int64_t base = vlm_reduce_base(p, i);
    if (!real) {
      vlm_tensor_set_int(y, i, reduce_int(x, p, kind, base));
      continue;
    }
    double a = 0.0;
    for (int64_t k = 0; k < p->count; k++)
      a = step64(kind, a, vlm_tensor_get(x, base + vlm_reduce_offset(p, k)), 0.0);
    vlm_tensor_set(y, i, trunc(finish64(kind, a, (double)p->count, 0.0)));
  }
}

typedef struct {
  vlm_reduce_plan plan;
  vlm_reduce_kind kind;
  vlm_values x;
  vlm_result y;
  size_t room;
} reduce_state;

static bool in_f32(vlm_dtype type) { return vlm_dtype_is_float(type) && type != VLM_F64; }

static vlm_status prepare(vlm_op_call *c, vlm_reduce_kind kind) {
  vlm_status st = VLM_OK;
  vlm_dtype type = c->in[0]->dtype;
  bool axes[VLM_MAX_RANK];
  reduce_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_reduce_axes(c, axes));
  vlm_reduce_plan_make(&s->plan, c->in[0], axes);
  s->kind = kind;
  VLM_CHECK(vlm_dtype_bits(type) >= 8, c->err, VLM_UNSUPPORTED, "no form for elements of type %s",
            vlm_dtype_name(type));
  if (!in_f32(type)) goto out;
  VLM_TRY(vlm_values_prepare(c, &s->x, 0, vlm_tensor_count(c->in[0]), "the input"));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  VLM_TRY(vlm_op_reserve(c, &s->room,
                         vlm_reduce_room(&s->plan) * (c->threads ? vlm_threads_count(c->threads) : 1),
                         sizeof(float)));
out:
  return st;
}

vlm_status vlm_run_reduce(vlm_op_call *c) {
  const reduce_state *s = c->state;
  vlm_dtype type = c->in[0]->dtype;
  if (type == VLM_F64) reduce_f64(&s->plan, s->kind, c->in[0]->data, c->out[0]->data);
  else if (!in_f32(type)) reduce_integers(&s->plan, s->kind, c->in[0], c->out[0]);
  else {
    float *y = vlm_result_get(c, &s->y);
    vlm_reduce_f32(c, &s->plan, s->kind, vlm_values_get(c, &s->x), y, vlm_op_work(c, s->room));
    vlm_store_f32(c, 0, y);
  }
  return VLM_OK;
}

vlm_status vlm_prepare_reduce_sum(vlm_op_call *c) { return prepare(c, VLM_REDUCE_SUM); }
vlm_status vlm_prepare_reduce_mean(vlm_op_call *c) { return prepare(c, VLM_REDUCE_MEAN); }
vlm_status vlm_prepare_reduce_max(vlm_op_call *c) { return prepare(c, VLM_REDUCE_MAX); }
vlm_status vlm_prepare_reduce_min(vlm_op_call *c) { return prepare(c, VLM_REDUCE_MIN); }
vlm_status vlm_prepare_reduce_prod(vlm_op_call *c) { return prepare(c, VLM_REDUCE_PROD); }
vlm_status vlm_prepare_reduce_l1(vlm_op_call *c) { return prepare(c, VLM_REDUCE_L1); }
vlm_status vlm_prepare_reduce_l2(vlm_op_call *c) { return prepare(c, VLM_REDUCE_L2); }
vlm_status vlm_prepare_reduce_log_sum(vlm_op_call *c) { return prepare(c, VLM_REDUCE_LOG_SUM); }
vlm_status vlm_prepare_reduce_log_sum_exp(vlm_op_call *c) { return prepare(c, VLM_REDUCE_LOG_SUM_EXP); }
vlm_status vlm_prepare_reduce_sum_square(vlm_op_call *c) { return prepare(c, VLM_REDUCE_SUM_SQUARE); }
