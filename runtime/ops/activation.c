/* Activation functions. Parameters are float attributes, handed to the row functions as an array p. */
#include <math.h>
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rows.h"

#define ACTIVATION(name, f64)                                                                             \
  static void name##_f32(const vlm_row *row) { row->ops->name(row->out, row->in[0], row->n, row->opts); } \
  static void name##_f64(const vlm_row *row) {                                                            \
    const float *p = row->opts;                                                                           \
    (void)p;                                                                                              \
    VLM_ROW_LOOP1(double, double, f64)                                                                    \
  }                                                                                                       \
  static vlm_row_table name##_rows = {VLM_ROW_FLOAT_FORMS(name)};
#define RUN0(name) \
  vlm_status vlm_prepare_##name(vlm_op_call *c) { return vlm_rows_prepare(c, 1, name##_rows, NULL, 0); }
#define RUN1(name, a)                                        \
  vlm_status vlm_prepare_##name(vlm_op_call *c) {            \
    const float p[1] = {vlm_arg_float(c, 0, a)};             \
    return vlm_rows_prepare(c, 1, name##_rows, p, sizeof p); \
  }
#define RUN2(name, a, b)                                                 \
  vlm_status vlm_prepare_##name(vlm_op_call *c) {                        \
    const float p[2] = {vlm_arg_float(c, 0, a), vlm_arg_float(c, 1, b)}; \
    return vlm_rows_prepare(c, 1, name##_rows, p, sizeof p);             \
  }

static double sigmoid64(double x) { return x < 0 ? exp(x) / (1.0 + exp(x)) : 1.0 / (1.0 + exp(-x)); }
static double softplus64(double x) { return (x > 0 ? x : 0) + log1p(exp(-fabs(x))); }
static double hard64(double x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
static double gelu64(double x) { return 0.5 * x * (1.0 + erf(x * 0.70710678118654752440)); }
static double gelu_tanh64(double x) {
  return 0.5 * x * (1.0 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}

ACTIVATION(sigmoid, sigmoid64(x))
ACTIVATION(tanh, tanh(x))
ACTIVATION(softplus, softplus64(x))
ACTIVATION(softsign, x / (1.0 + fabs(x)))
ACTIVATION(mish, x *tanh(softplus64(x)))
ACTIVATION(hard_swish, x *hard64(x / 6.0 + 0.5))
ACTIVATION(hard_sigmoid, hard64((double)p[0] * x + (double)p[1]))
ACTIVATION(swish, x *sigmoid64((double)p[0] * x))
ACTIVATION(leaky_relu, x < 0 ? (double)p[0] * x : x)
ACTIVATION(elu, x < 0 ? (double)p[0] * expm1(x) : x)
ACTIVATION(celu, x < 0 ? (double)p[0] * expm1(x / (double)p[0]) : x)
ACTIVATION(selu, (double)p[1] * (x < 0 ? (double)p[0] * expm1(x) : x))
ACTIVATION(gelu, gelu64(x))
ACTIVATION(gelu_tanh, gelu_tanh64(x))
RUN0(sigmoid)
RUN0(tanh)
RUN0(softplus)
RUN0(softsign)
RUN0(mish)
RUN0(hard_swish)
RUN2(hard_sigmoid, 0.2f, 0.5f)
RUN1(swish, 1.0f)
RUN1(leaky_relu, 0.01f)
RUN1(elu, 1.0f)
RUN1(celu, 1.0f)
RUN2(selu, 1.67326319f, 1.05070102f)

/* Relu has integer forms too. */
static void relu_f32(const vlm_row *row) { row->ops->relu(row->out, row->in[0], row->n, NULL); }
VLM_ROW_FN1(relu_f64, double, double, x < 0 ? 0 : x)
VLM_ROW_FN1(relu_s64, int64_t, int64_t, x < 0 ? 0 : x)
static vlm_row_table relu_rows = {VLM_ROW_FLOAT_FORMS(relu), [VLM_ROW_S64] = relu_s64};
RUN0(relu)

static void thresholded_relu_f32(const vlm_row *row) {
  const float alpha = *(const float *)row->opts;
  VLM_ROW_LOOP1(float, float, x > alpha ? x : x != x ? x : 0.0f)
}
static void thresholded_relu_f64(const vlm_row *row) {
  const double alpha = (double)*(const float *)row->opts;
  VLM_ROW_LOOP1(double, double, x > alpha ? x : x != x ? x : 0.0)
}
static vlm_row_table thresholded_relu_rows = {VLM_ROW_FLOAT_FORMS(thresholded_relu)};
RUN1(thresholded_relu, 1.0f)

/* p = {bias, lambd}. */
#define SHRINK(op, suffix, type)                                                                 \
  static void op##_##suffix(const vlm_row *row) {                                                \
    const float bias = ((const float *)row->opts)[0], lambd = ((const float *)row->opts)[1];     \
    VLM_ROW_LOOP1(type, type,                                                                    \
                  (double)x<(double)-lambd ? (double)x + (double)bias : (double)x>(double) lambd \
                      ? (double)x - (double)bias                                                 \
                      : 0)                                                                       \
  }
VLM_ROW_INTEGERS(SHRINK, shrink)
SHRINK(shrink, f32, float)
SHRINK(shrink, f64, double)
static vlm_row_table shrink_rows = {VLM_ROW_FLOAT_FORMS(shrink), VLM_ROW_INTEGER_FORMS(shrink)};
RUN2(shrink, 0.0f, 0.5f)

/* ---- GELU in its operator forms ---- */

vlm_status vlm_prepare_gelu(vlm_op_call *c) {
  const char *form = vlm_arg_string(c, 0, "none");
  bool exact = strcmp(form, "none") == 0;
  if (!exact && strcmp(form, "tanh") != 0)
    return vlm_fail(c->err, VLM_INPUT, "approximate is \"%s\"; wanted none or tanh", form);
  return vlm_rows_prepare(c, 1, exact ? gelu_rows : gelu_tanh_rows, NULL, 0);
}

vlm_status vlm_prepare_gelu_erf(vlm_op_call *c) { return vlm_rows_prepare(c, 1, gelu_rows, NULL, 0); }

#define BIASED(name, op, f64)                                                            \
  static void name##_f32(const vlm_row *row) {                                           \
    row->ops->add(row->out, row->in[0], row->step[0], row->in[1], row->step[1], row->n); \
    row->ops->op(row->out, row->out, row->n, NULL);                                      \
  }                                                                                      \
  VLM_ROW_FN2(name##_f64, double, double, f64(x + y))                                    \
  static vlm_row_table name##_rows = {VLM_ROW_FLOAT_FORMS(name)};
BIASED(bias_gelu, gelu, gelu64)
BIASED(bias_gelu_tanh, gelu_tanh, gelu_tanh64)

vlm_status vlm_prepare_bias_gelu(vlm_op_call *c) { return vlm_rows_prepare(c, 2, bias_gelu_rows, NULL, 0); }
vlm_status vlm_prepare_fast_gelu(vlm_op_call *c) {
  return vlm_in(c, 1) ? vlm_rows_prepare(c, 2, bias_gelu_tanh_rows, NULL, 0)
                      : vlm_rows_prepare(c, 1, gelu_tanh_rows, NULL, 0);
}
