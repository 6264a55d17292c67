/* Pow: base and exponent of different types; the result has the type of the base. */
#include <math.h>

#include "runtime/kernels/elementary.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/rows.h"

/* C's pow gives +0 and +inf for the square root of -0 and -inf. */
static float root(float x) { return x == -INFINITY ? INFINITY : sqrtf(x + 0.0f); }

/* Exponents that graphs use as a whole-tensor constant, without a logarithm. */
static bool pow_constant(const vlm_row *row, float y) {
  const float *base = row->in[0];
  if (row->step[0] == 0 && row->n > 1) return false;
  if (y == 2.0f) row->ops->mul(row->out, base, 1, base, 1, row->n);
  else if (y == 1.0f) row->ops->mul(row->out, base, 1, &y, 0, row->n);
  else if (y == -1.0f) row->ops->reciprocal(row->out, base, row->n, NULL);
  else if (y == 0.5f) VLM_ROW_LOOP1(float, float, root(x))
  else if (y == 3.0f) VLM_ROW_LOOP1(float, float, x *x *x)
  else return false;
  return true;
}

static void pow_f32(const vlm_row *row) {
  if (row->step[1] == 0 && pow_constant(row, *(const float *)row->in[1])) return;
  VLM_ROW_LOOP2(float, float, vlm_pow32(x, y))
}
VLM_ROW_FN2(pow_f64, double, double, pow(x, y))
static vlm_row_table pow_rows = {VLM_ROW_FLOAT_FORMS(pow)};

/* Exact modulo 2^64; a negative exponent truncates 1 / x^|y|. */
static int64_t pow_integer(int64_t x, int64_t y) {
  if (y < 0) return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
  uint64_t base = (uint64_t)x, result = 1;
  for (; y; y >>= 1, base *= base)
    if (y & 1) result *= base;
  return (int64_t)result;
}

/* opts: the types of base and exponent. */
static void pow_mixed(const vlm_row *row) {
  const vlm_dtype *types = row->opts;
  vlm_tensor x = {.dtype = types[0], .data = (void *)(uintptr_t)row->in[0]},
             y = {.dtype = types[1], .data = (void *)(uintptr_t)row->in[1]};
  vlm_tensor z = {.dtype = types[0], .data = row->out};
  bool integers = vlm_dtype_is_integer(types[0]) && vlm_dtype_is_integer(types[1]);
  for (int64_t i = 0; i < row->n; i++) {
    int64_t a = i * row->step[0], b = i * row->step[1];
    if (integers)
      vlm_tensor_set_int(&z, i, pow_integer(vlm_tensor_get_int(&x, a), vlm_tensor_get_int(&y, b)));
    else if (types[0] == VLM_F64 || vlm_dtype_is_integer(types[0])) {
      double value = pow(vlm_tensor_get(&x, a), vlm_tensor_get(&y, b));
      vlm_tensor_set(&z, i, types[0] == VLM_F64 ? value : trunc(value));
    } else
      vlm_tensor_set(&z, i, (double)vlm_pow32((float)vlm_tensor_get(&x, a), (float)vlm_tensor_get(&y, b)));
  }
}

vlm_status vlm_prepare_pow(vlm_op_call *c) {
  const vlm_dtype types[2] = {c->in[0]->dtype, c->in[1]->dtype};
  for (int k = 0; k < 2; k++)
    if (vlm_dtype_bits(types[k]) < 8 || types[k] == VLM_BOOL)
      return vlm_fail(c->err, VLM_UNSUPPORTED, "no form for elements of type %s", vlm_dtype_name(types[k]));
  if (types[0] == types[1] && vlm_dtype_is_float(types[0])) return vlm_rows_prepare_binary(c, pow_rows);
  const vlm_row_inputs from = vlm_rows_first(c, 2);
  return vlm_rows_prepare_raw(c, &from, pow_mixed, types, sizeof types);
}
