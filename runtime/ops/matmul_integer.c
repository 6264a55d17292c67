/* Operators on integer products: MatMulInteger, QLinearMatMul, QGemm, MatMulIntegerToFloat, DynamicQuantizeMatMul. */
#include <math.h>
#include <string.h>

#include "runtime/kernels/gemm_q8.h"
#include "runtime/ops/integer_product.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/requantize.h"
#include "runtime/ops/weights.h"

static vlm_status infer_product(vlm_op_call *c, const vlm_integer_product *p, vlm_dtype dtype) {
  vlm_matmul_shape s;
  vlm_status st = vlm_integer_product_shape(c, p, &s);
  if (st == VLM_OK) vlm_out_shape(c, 0, dtype, s.rank, s.dims);
  return st;
}

/* The sums of a product in scratch. */
static vlm_status product_sums(vlm_op_call *c, const vlm_integer_product *p, vlm_matmul_shape *s, int32_t **sums) {
  vlm_status st = VLM_OK;
  void *block;
  VLM_TRY(vlm_integer_product_shape(c, p, s));
  VLM_TRY(vlm_scratch_array(c, &block, s->batch * s->m * s->n, sizeof(int32_t)));
  VLM_TRY(vlm_integer_product_run(c, p, s, block));
  *sums = block;
out:
  return st;
}

/* ---- MatMulInteger ---- */

static vlm_integer_product matmul_integer(const vlm_op_call *c) {
  return (vlm_integer_product){c->in[0], 1, vlm_in(c, 2), vlm_in(c, 3), false, false};
}

vlm_status vlm_infer_MatMulInteger(vlm_op_call *c) {
  vlm_integer_product p = matmul_integer(c);
  return infer_product(c, &p, VLM_S32);
}
vlm_status vlm_run_MatMulInteger(vlm_op_call *c) {
  vlm_integer_product p = matmul_integer(c);
  vlm_matmul_shape s;
  vlm_status st = vlm_integer_product_shape(c, &p, &s);
  return st == VLM_OK ? vlm_integer_product_run(c, &p, &s, c->out[0]->data) : st;
}

/* ---- QLinearMatMul: a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero ---- */

static vlm_integer_product qlinear_matmul(const vlm_op_call *c) {
  return (vlm_integer_product){c->in[0], 3, c->in[2], c->in[5], false, false};
}

vlm_status vlm_infer_QLinearMatMul(vlm_op_call *c) {
  vlm_integer_product p = qlinear_matmul(c);
  vlm_status st = vlm_require_byte(c, 7, "y_zero_point");
  return st != VLM_OK ? st : infer_product(c, &p, c->in[7] ? c->in[7]->dtype : VLM_U8);
}
vlm_status vlm_run_QLinearMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_integer_product p = qlinear_matmul(c);
  vlm_matmul_shape s;
  vlm_requantize q = {.out = c->out[0]};
  int32_t *sums;
  VLM_TRY(product_sums(c, &p, &s, &sums));
  q.rows = s.batch * s.m;
  q.columns = s.n;
  q.sums = sums;
  VLM_TRY(vlm_requantize_scales(c, &q, c->in[1], c->in[4], c->in[6], c->in[7], s.m, s.n));
  vlm_requantize_run(c, &q);
out:
  return st;
}

/* ---- QGemm: a, a_scale, a_zero, b, b_scale, b_zero, [c], [y_scale], [y_zero] ---- */

static vlm_integer_product qgemm(const vlm_op_call *c) {
  return (vlm_integer_product){c->in[0], 3, c->in[2], c->in[5], vlm_arg_int(c, 0, 0) != 0, vlm_arg_int(c, 1, 0) != 0};
}

vlm_status vlm_infer_QGemm(vlm_op_call *c) {
  vlm_integer_product p = qgemm(c);
  const vlm_tensor *zero = vlm_in(c, 8);
  vlm_status st = vlm_require_byte(c, 8, "y_zero_point");
  if (st == VLM_OK) st = vlm_require_rank(c, 0, "A", 2);
  if (st == VLM_OK) st = vlm_require_rank(c, 3, "B", 2);
  return st != VLM_OK ? st : infer_product(c, &p, !vlm_in(c, 7) ? VLM_F32 : zero ? zero->dtype : VLM_U8);
}
vlm_status vlm_run_QGemm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_integer_product p = qgemm(c);
  const vlm_tensor *add = vlm_in(c, 6);
  vlm_matmul_shape s;
  int32_t *sums;
  VLM_TRY(product_sums(c, &p, &s, &sums));
  if (add) {
    int64_t count = vlm_tensor_count(add), columns = add->rank > 0 ? add->dims[add->rank - 1] : 1;
    VLM_CHECK(count > 0 && (columns == 1 || columns == s.n) && (count == columns || count == columns * s.m), c->err, VLM_INPUT,
              "the int32 addend has %lld values; wanted a shape that broadcasts to [%lld, %lld]", (long long)count, (long long)s.m,
              (long long)s.n);
    for (int64_t i = 0; i < s.m * s.n; i++) {
      int64_t row = count == columns ? 0 : i / s.n, column = columns == 1 ? 0 : i % s.n;
      sums[i] = (int32_t)((uint32_t)sums[i] + (uint32_t)vlm_tensor_get_int(add, row * columns + column));
    }
  }
  vlm_requantize q = {.out = c->out[0], .sums = sums, .rows = s.m, .columns = s.n};
  VLM_TRY(vlm_requantize_scales(c, &q, c->in[1], c->in[4], vlm_in(c, 7), vlm_in(c, 8), s.m, s.n));
  for (int64_t j = 0; j < q.factor_count; j++) ((float *)q.factor)[j] *= vlm_arg_float(c, 2, 1);
  vlm_requantize_run(c, &q);
out:
  return st;
}

/* ---- MatMulIntegerToFloat: a, b, a_scale, b_scale, [a_zero], [b_zero], [bias] ---- */

static vlm_integer_product to_float(const vlm_op_call *c) {
  return (vlm_integer_product){c->in[0], 1, vlm_in(c, 4), vlm_in(c, 5), false, false};
}

/* sums -> floats: fmaf(sum, a_scale * b_scale[j], bias[j]). */
static vlm_status store_floats(vlm_op_call *c, const vlm_matmul_shape *s, const int32_t *sums, float a_scale, const vlm_tensor *b_scale,
                               const vlm_tensor *bias) {
  vlm_status st = VLM_OK;
  vlm_q8_row_args e = {.a_scale = a_scale, .n = (size_t)s->n};
  void *zeros;
  float *y;
  VLM_TRY(vlm_op_floats(c, b_scale, s->n, "the scale of b", &e.w_scale));
  VLM_TRY(vlm_op_floats(c, bias, s->n, "the bias", &e.bias));
  VLM_TRY(vlm_scratch_array(c, &zeros, s->n, sizeof(int32_t)));
  memset(zeros, 0, (size_t)s->n * sizeof(int32_t));
  e.colsum = zeros;
  VLM_TRY(vlm_out_f32(c, 0, &y));
  for (int64_t i = 0; i < s->batch * s->m; i++) {
    e.y = y + i * s->n;
    e.acc = sums + i * s->n;
    c->kernels->q8_row->fn.q8_row(&e);
  }
  vlm_store_f32(c, 0, y);
out:
  return st;
}

vlm_status vlm_infer_MatMulIntegerToFloat(vlm_op_call *c) {
  vlm_integer_product p = to_float(c);
  return infer_product(c, &p, c->in[2]->dtype);
}
vlm_status vlm_run_MatMulIntegerToFloat(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_integer_product p = to_float(c);
  vlm_matmul_shape s;
  int32_t *sums;
  float a_scale;
  VLM_TRY(vlm_op_scalar(c, c->in[2], "the scale of a", &a_scale));
  VLM_TRY(product_sums(c, &p, &s, &sums));
  VLM_TRY(store_floats(c, &s, sums, a_scale, c->in[3], vlm_in(c, 6)));
out:
  return st;
}

/* ---- DynamicQuantizeMatMul: a, b, b_scale, [b_zero], [bias]; a is quantized per tensor as DynamicQuantizeLinear does ---- */

static vlm_status quantize_tensor(vlm_op_call *c, const vlm_tensor *x, vlm_tensor *q, float *scale, int32_t *zero) {
  vlm_status st = VLM_OK;
  void *block;
  int64_t count = vlm_tensor_count(x);
  VLM_TRY(vlm_scratch_array(c, &block, count, 1));
  *q = *x;
  q->dtype = VLM_U8;
  q->data = block;
  vlm_quantize_rows row = {.x = x->data, .m = 1, .k = count, .q = block, .scale = scale, .zero = zero};
  vlm_quantize_rows_u8(&row, c->kernels, c->threads);
out:
  return st;
}

vlm_status vlm_infer_DynamicQuantizeMatMul(vlm_op_call *c) {
  vlm_tensor a = *c->in[0];
  if (a.dtype != VLM_F32) return vlm_fail(c->err, VLM_UNSUPPORTED, "DynamicQuantizeMatMul of %s; wanted float32", vlm_dtype_name(a.dtype));
  a.dtype = VLM_U8;
  vlm_integer_product p = {.a = &a, .b_input = 1};
  return infer_product(c, &p, VLM_F32);
}
vlm_status vlm_run_DynamicQuantizeMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor a, a_zero;
  vlm_matmul_shape s;
  int32_t *sums, zero;
  float scale;
  VLM_TRY(quantize_tensor(c, c->in[0], &a, &scale, &zero));
  a_zero = vlm_tensor_make(VLM_S32, 0, NULL, &zero);
  vlm_integer_product p = {.a = &a, .b_input = 1, .a_zero = &a_zero, .b_zero = vlm_in(c, 3)};
  VLM_TRY(product_sums(c, &p, &s, &sums));
  VLM_TRY(store_floats(c, &s, sums, scale, c->in[2], vlm_in(c, 4)));
out:
  return st;
}
