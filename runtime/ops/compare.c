/* Comparisons and tests that give bool. */
#include <math.h>

#include "runtime/ops/op_table.h"
#include "runtime/ops/rows.h"

vlm_status vlm_infer_compare(vlm_op_call *c) {
  vlm_status st = c->node->opset < 7 ? vlm_infer_like(c) : vlm_infer_broadcast(c);
  if (st == VLM_OK && c->out[0]) c->out[0]->dtype = VLM_BOOL;
  return st;
}

#define COMPARE_FORM(op, suffix, type) VLM_ROW_FN2(op##_##suffix, type, uint8_t, x op##_OPERATOR y)
#define COMPARE(op, ...)                                                                              \
  VLM_ROW_INTEGERS(COMPARE_FORM, op)                                                                  \
  COMPARE_FORM(op, f32, float)                                                                        \
  COMPARE_FORM(op, f64, double)                                                                       \
  static vlm_row_table op##_rows = {VLM_ROW_FLOAT_FORMS(op), VLM_ROW_INTEGER_FORMS(op), __VA_ARGS__}; \
  vlm_status vlm_prepare_##op(vlm_op_call *c) { return vlm_rows_prepare_binary(c, op##_rows); }

#define equal_OPERATOR ==
#define less_OPERATOR <
#define greater_OPERATOR >
#define less_or_equal_OPERATOR <=
#define greater_or_equal_OPERATOR >=
VLM_ROW_FN2(equal_bool, uint8_t, uint8_t, !x == !y)
COMPARE(equal, [VLM_ROW_BOOL] = equal_bool)
COMPARE(less, )
COMPARE(greater, )
COMPARE(less_or_equal, )
COMPARE(greater_or_equal, )

VLM_ROW_FN1(is_nan_f32, float, uint8_t, x != x)
VLM_ROW_FN1(is_nan_f64, double, uint8_t, x != x)
static vlm_row_table is_nan_rows = {VLM_ROW_FLOAT_FORMS(is_nan)};
vlm_status vlm_prepare_is_nan(vlm_op_call *c) { return vlm_rows_prepare(c, 1, is_nan_rows, NULL, 0); }

typedef struct {
  bool negative, positive;
} inf_opts;
static void is_inf_f32(const vlm_row *row) {
  const inf_opts o = *(const inf_opts *)row->opts;
  VLM_ROW_LOOP1(float, uint8_t, (x == INFINITY && o.positive) || (x == -INFINITY && o.negative))
}
static void is_inf_f64(const vlm_row *row) {
  const inf_opts o = *(const inf_opts *)row->opts;
  VLM_ROW_LOOP1(double, uint8_t,
                (x == (double)INFINITY && o.positive) || (x == -(double)INFINITY && o.negative))
}
static vlm_row_table is_inf_rows = {VLM_ROW_FLOAT_FORMS(is_inf)};
vlm_status vlm_prepare_is_inf(vlm_op_call *c) {
  const inf_opts o = {vlm_arg_int(c, 0, 1) != 0, vlm_arg_int(c, 1, 1) != 0};
  return vlm_rows_prepare(c, 1, is_inf_rows, &o, sizeof o);
}
