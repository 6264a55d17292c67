/* Add, Sub, Mul, Div, Mod, Min, Max, Sum, Mean, PRelu. Integers wrap; division truncates; division by zero gives 0, as numpy does. */
#include <math.h>

#include "runtime/ops/op_table.h"
#include "runtime/ops/rows.h"

/* NaN of either operand goes through. */
#define PICK(x, y, comparison) ((x)comparison(y) || (x) != (x) ? (x) : (y))
/* True for -1 of a signed type: the one divisor that overflows. */
#define MINUS_ONE(type, y) ((type)-1 < (type)1 && (y) == (type)-1)

#define INT_ADD(type) (uint64_t) x + (uint64_t)y
#define INT_SUB(type) (uint64_t) x - (uint64_t)y
#define INT_MUL(type) (uint64_t) x *(uint64_t)y
#define INT_DIV(type) y == 0 ? 0 : MINUS_ONE(type, y) ? (type)(0 - (uint64_t)x) : (type)(x / y)
#define INT_MIN2(type) x < y ? x : y
#define INT_MAX2(type) x > y ? x : y

#define BINARY_INTEGER(op, suffix, type) VLM_ROW_FN2(op##_##suffix, type, type, op##_INTEGER(type))
#define BINARY(op, f64)                                                                 \
  static void op##_f32(const vlm_row *row) {                                            \
    row->ops->op(row->out, row->in[0], row->step[0], row->in[1], row->step[1], row->n); \
  }                                                                                     \
  VLM_ROW_FN2(op##_f64, double, double, f64)                                            \
  VLM_ROW_INTEGERS(BINARY_INTEGER, op)                                                  \
  static vlm_row_table op##_rows = {VLM_ROW_FLOAT_FORMS(op), VLM_ROW_INTEGER_FORMS(op)};

#define add_INTEGER INT_ADD
#define sub_INTEGER INT_SUB
#define mul_INTEGER INT_MUL
#define div_INTEGER INT_DIV
#define min_INTEGER INT_MIN2
#define max_INTEGER INT_MAX2
BINARY(add, x + y)
BINARY(sub, x - y)
BINARY(mul, x *y)
BINARY(div, x / y)
BINARY(min, PICK(x, y, <))
BINARY(max, PICK(x, y, >))

vlm_status vlm_prepare_add(vlm_op_call *c) { return vlm_rows_prepare_binary(c, add_rows); }
vlm_status vlm_prepare_sub(vlm_op_call *c) { return vlm_rows_prepare_binary(c, sub_rows); }
vlm_status vlm_prepare_mul(vlm_op_call *c) { return vlm_rows_prepare_binary(c, mul_rows); }
vlm_status vlm_prepare_div(vlm_op_call *c) { return vlm_rows_prepare_binary(c, div_rows); }

vlm_status vlm_prepare_min(vlm_op_call *c) { return vlm_rows_prepare_fold(c, min_rows, NULL, NULL, 0); }
vlm_status vlm_prepare_max(vlm_op_call *c) { return vlm_rows_prepare_fold(c, max_rows, NULL, NULL, 0); }
vlm_status vlm_prepare_sum(vlm_op_call *c) { return vlm_rows_prepare_fold(c, add_rows, NULL, NULL, 0); }

static void divide_f32(const vlm_row *row) {
  float count = (float)*(const int32_t *)row->opts;
  row->ops->div(row->out, row->in[0], 1, &count, 0, row->n);
}
VLM_ROW_FN1(divide_f64, double, double, x / *(const int32_t *)row->opts)
static vlm_row_table divide_rows = {VLM_ROW_FLOAT_FORMS(divide)};

vlm_status vlm_prepare_mean(vlm_op_call *c) {
  return vlm_rows_prepare_fold(c, add_rows, divide_rows, &c->n_in, sizeof c->n_in);
}

/* fmod 0: the sign of the divisor (Python); fmod 1: the sign of the dividend (C). */
#define REMAINDER(type) (y == 0 || MINUS_ONE(type, y) ? (type)0 : (type)(x % y))
#define FLOORED(type, r) ((r) != 0 && ((r) < (type)1) != (y < (type)1) ? (type)((r) + y) : (r))
#define FMOD_INTEGER(op, suffix, type) VLM_ROW_FN2(op##_##suffix, type, type, REMAINDER(type))
#define MOD_INTEGER(op, suffix, type) VLM_ROW_FN2(op##_##suffix, type, type, FLOORED(type, REMAINDER(type)))
VLM_ROW_INTEGERS(FMOD_INTEGER, fmod)
VLM_ROW_INTEGERS(MOD_INTEGER, mod)
static double floored(double r, double y) { return r != 0.0 && (r < 0.0) != (y < 0.0) ? r + y : r; }
VLM_ROW_FN2(fmod_f32, float, float, fmodf(x, y))
VLM_ROW_FN2(fmod_f64, double, double, fmod(x, y))
VLM_ROW_FN2(mod_f32, float, float, floored(fmodf(x, y), y))
VLM_ROW_FN2(mod_f64, double, double, floored(fmod(x, y), y))
static vlm_row_table fmod_rows = {VLM_ROW_FLOAT_FORMS(fmod), VLM_ROW_INTEGER_FORMS(fmod)};
static vlm_row_table mod_rows = {VLM_ROW_FLOAT_FORMS(mod), VLM_ROW_INTEGER_FORMS(mod)};

vlm_status vlm_prepare_mod(vlm_op_call *c) {
  return vlm_rows_prepare(c, 2, vlm_arg_int(c, 0, 0) ? fmod_rows : mod_rows, NULL, 0);
}

VLM_ROW_FN2(prelu_s64, int64_t, int64_t, x < 0 ? (uint64_t)x * (uint64_t)y : (uint64_t)x)
VLM_ROW_FN2(prelu_u64, uint64_t, uint64_t, ((void)y, x))
VLM_ROW_FN2(prelu_f32, float, float, x < 0.0f ? x * y : x)
VLM_ROW_FN2(prelu_f64, double, double, x < 0.0 ? x * y : x)
static vlm_row_table prelu_rows = {VLM_ROW_FLOAT_FORMS(prelu), VLM_ROW_INTEGER_FORMS(prelu)};

/* Up to opset 6 the slope is one value or one per channel. */
vlm_status vlm_prepare_prelu(vlm_op_call *c) {
  vlm_tensor slope = *c->in[1];
  const vlm_row_inputs from = {.n = 2, .input = {0, 1}, .as = {c->in[0], &slope}};
  if (c->node->opset < 7 && slope.rank == 1 && slope.dims[0] != 1)
    for (; slope.rank < c->in[0]->rank - 1; slope.rank++) slope.dims[slope.rank] = 1;
  return vlm_rows_prepare_from(c, &from, prelu_rows, NULL, 0);
}
