/* Elementary functions, rounding, sign, Clip. float32 goes through our own functions (the same bits everywhere), float64 through libm. */
#include <math.h>

#include "runtime/kernels/elementary.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rows.h"

#define UNARY_RUN(name, ...)                        \
  static vlm_row_table name##_rows = {__VA_ARGS__}; \
  vlm_status vlm_prepare_##name(vlm_op_call *c) { return vlm_rows_prepare(c, 1, name##_rows, NULL, 0); }

/* float32 by a row operation. */
#define UNARY(name, f64)                                                                             \
  static void name##_f32(const vlm_row *row) { row->ops->name(row->out, row->in[0], row->n, NULL); } \
  VLM_ROW_FN1(name##_f64, double, double, f64)
/* float32 by a scalar function. */
#define UNARY_SCALAR(name, f32, f64)           \
  VLM_ROW_FN1(name##_f32, float, float, f32)   \
  VLM_ROW_FN1(name##_f64, double, double, f64) \
  UNARY_RUN(name, VLM_ROW_FLOAT_FORMS(name))
#define UNARY_FLOAT(name, f64) \
  UNARY(name, f64)             \
  UNARY_RUN(name, VLM_ROW_FLOAT_FORMS(name))

UNARY_FLOAT(sqrt, sqrt(x))
UNARY_FLOAT(reciprocal, 1.0 / x)
UNARY_FLOAT(exp, exp(x))
UNARY_FLOAT(log, log(x))
UNARY_FLOAT(erf, erf(x))
UNARY_FLOAT(floor, floor(x))
UNARY_FLOAT(ceil, ceil(x))
UNARY_FLOAT(round, rint(x))
UNARY_SCALAR(sin, vlm_sin32(x), sin(x))
UNARY_SCALAR(cos, vlm_cos32(x), cos(x))
UNARY_SCALAR(tan, vlm_tan32(x), tan(x))
UNARY_SCALAR(asin, vlm_asin32(x), asin(x))
UNARY_SCALAR(acos, vlm_acos32(x), acos(x))
UNARY_SCALAR(atan, vlm_atan32(x), atan(x))
UNARY_SCALAR(sinh, vlm_sinh32(x), sinh(x))
UNARY_SCALAR(cosh, vlm_cosh32(x), cosh(x))
UNARY_SCALAR(asinh, vlm_asinh32(x), asinh(x))
UNARY_SCALAR(acosh, vlm_acosh32(x), acosh(x))
UNARY_SCALAR(atanh, vlm_atanh32(x), atanh(x))

UNARY(neg, -x)
UNARY(abs, fabs(x))
#define NEG_INTEGER(op, suffix, type) VLM_ROW_FN1(op##_##suffix, type, type, 0 - (uint64_t)x)
#define ABS_INTEGER(op, suffix, type) \
  VLM_ROW_FN1(op##_##suffix, type, type, x < (type)1 ? 0 - (uint64_t)x : (uint64_t)x)
#define SIGN_INTEGER(op, suffix, type) \
  VLM_ROW_FN1(op##_##suffix, type, type, x == 0 ? 0 : x < (type)1 ? -1 : 1)
VLM_ROW_INTEGERS(NEG_INTEGER, neg)
VLM_ROW_INTEGERS(ABS_INTEGER, abs)
VLM_ROW_INTEGERS(SIGN_INTEGER, sign)
VLM_ROW_FN1(sign_f32, float, float, x != x ? x : (float)(x > 0.0f) - (float)(x < 0.0f))
VLM_ROW_FN1(sign_f64, double, double, x != x ? x : (double)(x > 0.0) - (double)(x < 0.0))
UNARY_RUN(neg, VLM_ROW_FLOAT_FORMS(neg), VLM_ROW_INTEGER_FORMS(neg))
UNARY_RUN(abs, VLM_ROW_FLOAT_FORMS(abs), VLM_ROW_INTEGER_FORMS(abs))
UNARY_RUN(sign, VLM_ROW_FLOAT_FORMS(sign), VLM_ROW_INTEGER_FORMS(sign))

/* ---- Clip: min, then max, so that max wins when they cross ---- */

static void clip_f32(const vlm_row *row) { row->ops->clip(row->out, row->in[0], row->n, row->opts); }
static void clip_attributes_f64(const vlm_row *row) {
  const float *p = row->opts;
  VLM_ROW_LOOP1(double, double,
                (x < (double)p[0] ? (double)p[0] : x) > (double)p[1] ? (double)p[1]
                                                                     : (x < (double)p[0] ? (double)p[0] : x))
}
static vlm_row_table clip_attribute_rows = {[VLM_ROW_F32] = clip_f32, [VLM_ROW_F64] = clip_attributes_f64};

vlm_status vlm_prepare_clip_attributes(vlm_op_call *c) {
  const float p[2] = {vlm_arg_float(c, 0, -INFINITY), vlm_arg_float(c, 1, INFINITY)};
  return vlm_rows_prepare(c, 1, clip_attribute_rows, p, sizeof p);
}

/* Row inputs are x, min, max; with one bound only, x and that bound (clip_low, clip_high). */
#define CLIP(op, suffix, type)                                                       \
  static void op##_##suffix(const vlm_row *row) {                                    \
    const type *low = row->in[1], *high = row->in[2];                                \
    const int64_t low_step = row->step[1], high_step = row->step[2];                 \
    const type *xs = row->in[0];                                                     \
    type *zs = row->out;                                                             \
    for (int64_t i = 0; i < row->n; i++) {                                           \
      type x = xs[i * row->step[0]], l = low[i * low_step], h = high[i * high_step]; \
      x = x < l ? l : x;                                                             \
      zs[i] = x > h ? h : x;                                                         \
    }                                                                                \
  }
VLM_ROW_INTEGERS(CLIP, clip)
CLIP(clip, f64, double)
static void clip_bounds_f32(const vlm_row *row) {
  const float p[2] = {*(const float *)row->in[1], *(const float *)row->in[2]};
  row->ops->clip(row->out, row->in[0], row->n, p);
}
static vlm_row_table clip_rows = {
    [VLM_ROW_F32] = clip_bounds_f32, [VLM_ROW_F64] = clip_f64, VLM_ROW_INTEGER_FORMS(clip)};

static void clip_low_f32(const vlm_row *row) {
  const float p[2] = {*(const float *)row->in[1], INFINITY};
  row->ops->clip(row->out, row->in[0], row->n, p);
}
static void clip_high_f32(const vlm_row *row) {
  const float p[2] = {-INFINITY, *(const float *)row->in[1]};
  row->ops->clip(row->out, row->in[0], row->n, p);
}
#define CLIP_LOW(op, suffix, type) VLM_ROW_FN2(op##_##suffix, type, type, x < y ? y : x)
#define CLIP_HIGH(op, suffix, type) VLM_ROW_FN2(op##_##suffix, type, type, x > y ? y : x)
VLM_ROW_INTEGERS(CLIP_LOW, clip_low)
VLM_ROW_INTEGERS(CLIP_HIGH, clip_high)
CLIP_LOW(clip_low, f64, double)
CLIP_HIGH(clip_high, f64, double)
static vlm_row_table clip_low_rows = {VLM_ROW_FLOAT_FORMS(clip_low), VLM_ROW_INTEGER_FORMS(clip_low)};
static vlm_row_table clip_high_rows = {VLM_ROW_FLOAT_FORMS(clip_high), VLM_ROW_INTEGER_FORMS(clip_high)};

/* x and the bounds that are there, as scalars. */
vlm_status vlm_prepare_clip(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_row_inputs from = {.n = 1, .as = {c->in[0]}};
  vlm_tensor scalars[VLM_ROW_INPUTS];
  for (int k = 1; k <= 2; k++) {
    const vlm_tensor *t = vlm_in(c, k);
    if (!t) continue;
    VLM_CHECK(vlm_tensor_count(t) == 1, c->err, VLM_INPUT, "%s has %lld elements; wanted one",
              k == 1 ? "min" : "max", (long long)vlm_tensor_count(t));
    scalars[k] = *t;
    scalars[k].rank = 0;
    from.input[from.n] = k;
    from.as[from.n++] = &scalars[k];
  }
  if (from.n == 1) goto out;
  VLM_TRY(vlm_rows_prepare_from(c, &from,
                                from.n == 3    ? clip_rows
                                : vlm_in(c, 1) ? clip_low_rows
                                               : clip_high_rows,
                                NULL, 0));
out:
  return st;
}

vlm_status vlm_run_clip(vlm_op_call *c) { return c->state ? vlm_run_rows(c) : vlm_run_copy(c); }
