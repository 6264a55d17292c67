/* Operators on integer products: MatMulInteger, QLinearMatMul, QGemm, MatMulIntegerToFloat, DynamicQuantizeMatMul. */
#include <math.h>
#include <string.h>

#include "runtime/ops/integer_product.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/requantize.h"
#include "runtime/ops/values.h"

static vlm_status infer_product(vlm_op_call *c, const vlm_integer_operands *o, vlm_dtype dtype) {
  vlm_matmul_shape s;
  vlm_status st = vlm_integer_product_shape(c, o, &s);
  if (st == VLM_OK) vlm_out_shape(c, 0, dtype, s.rank, s.dims);
  return st;
}

static int64_t sums_of(const vlm_integer_product *p) { return p->shape.batch * p->shape.m * p->shape.n; }

/* ---- MatMulInteger ---- */

static vlm_integer_operands matmul_integer(const vlm_op_call *c) {
  return (vlm_integer_operands){c->in[0], 1, vlm_in(c, 2), vlm_in(c, 3), false, false};
}

vlm_status vlm_infer_MatMulInteger(vlm_op_call *c) {
  vlm_integer_operands o = matmul_integer(c);
  return infer_product(c, &o, VLM_S32);
}
vlm_status vlm_prepare_MatMulInteger(vlm_op_call *c) {
  vlm_integer_operands o = matmul_integer(c);
  vlm_integer_product *p;
  vlm_status st = vlm_op_state_new(c, &p);
  return st == VLM_OK ? vlm_integer_product_prepare(c, p, &o) : st;
}
vlm_status vlm_run_MatMulInteger(vlm_op_call *c) {
  vlm_integer_operands o = matmul_integer(c);
  return vlm_integer_product_run(c, c->state, &o, c->out[0]->data);
}

/* ---- a product whose sums are requantized ---- */

typedef struct {
  vlm_integer_product p;
  vlm_requantize_scales scales;
  bool transpose_a, transpose_b;
  size_t sums;
} requantized;

/* *out has the inputs of the scales. */
static vlm_status prepare_requantized(vlm_op_call *c, const vlm_integer_operands *o,
                                      const vlm_requantize_scales *scales) {
  vlm_status st = VLM_OK;
  requantized *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  s->scales = *scales;
  s->transpose_a = o->transpose_a;
  s->transpose_b = o->transpose_b;
  VLM_TRY(vlm_integer_product_prepare(c, &s->p, o));
  VLM_TRY(vlm_requantize_prepare(c, &s->scales, s->p.shape.m, s->p.shape.n));
  VLM_TRY(vlm_op_reserve(c, &s->sums, sums_of(&s->p), sizeof(int32_t)));
out:
  return st;
}

/* Inputs a, a_scale, a_zero, b, b_scale, b_zero. */
static vlm_status run_sums(vlm_op_call *c, const requantized *s, int32_t *sums) {
  const vlm_integer_operands o = {c->in[0], 3, c->in[2], c->in[5], s->transpose_a, s->transpose_b};
  return vlm_integer_product_run(c, &s->p, &o, sums);
}

static void requantize(vlm_op_call *c, const requantized *s, const int32_t *sums) {
  vlm_requantize q = {
      .out = c->out[0], .sums = sums, .rows = s->p.shape.batch * s->p.shape.m, .columns = s->p.shape.n};
  vlm_requantize_read(c, &s->scales, &q);
  vlm_requantize_run(c, &q);
}

/* ---- QLinearMatMul: a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero ---- */

static vlm_integer_operands qlinear_matmul(const vlm_op_call *c) {
  return (vlm_integer_operands){c->in[0], 3, c->in[2], c->in[5], false, false};
}

vlm_status vlm_infer_QLinearMatMul(vlm_op_call *c) {
  vlm_integer_operands o = qlinear_matmul(c);
  vlm_status st = vlm_require_byte(c, 7, "y_zero_point");
  return st != VLM_OK ? st : infer_product(c, &o, c->in[7] ? c->in[7]->dtype : VLM_U8);
}
vlm_status vlm_prepare_QLinearMatMul(vlm_op_call *c) {
  const vlm_requantize_scales scales = {.a = 1, .b = 4, .y_scale = 6, .y_zero = 7, .alpha = 1};
  vlm_integer_operands o = qlinear_matmul(c);
  return prepare_requantized(c, &o, &scales);
}
vlm_status vlm_run_QLinearMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const requantized *s = c->state;
  int32_t *sums = vlm_op_work(c, s->sums);
  VLM_TRY(run_sums(c, s, sums));
  requantize(c, s, sums);
out:
  return st;
}

/* ---- QGemm: a, a_scale, a_zero, b, b_scale, b_zero, [c], [y_scale], [y_zero] ---- */

static vlm_integer_operands qgemm(const vlm_op_call *c) {
  return (vlm_integer_operands){
      c->in[0], 3, c->in[2], c->in[5], vlm_arg_int(c, 0, 0) != 0, vlm_arg_int(c, 1, 0) != 0};
}

vlm_status vlm_infer_QGemm(vlm_op_call *c) {
  vlm_integer_operands o = qgemm(c);
  const vlm_tensor *zero = vlm_in(c, 8);
  vlm_status st = vlm_require_byte(c, 8, "y_zero_point");
  if (st == VLM_OK) st = vlm_require_rank(c, 0, "A", 2);
  if (st == VLM_OK) st = vlm_require_rank(c, 3, "B", 2);
  return st != VLM_OK ? st : infer_product(c, &o, !vlm_in(c, 7) ? VLM_F32 : zero ? zero->dtype : VLM_U8);
}
vlm_status vlm_prepare_QGemm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_requantize_scales scales = {
      .a = 1, .b = 4, .y_scale = 7, .y_zero = 8, .alpha = vlm_arg_float(c, 2, 1)};
  const vlm_tensor *add = vlm_in(c, 6);
  vlm_integer_operands o = qgemm(c);
  VLM_TRY(prepare_requantized(c, &o, &scales));
  const vlm_matmul_shape *s = &((requantized *)c->state)->p.shape;
  if (!add) goto out;
  int64_t count = vlm_tensor_count(add), columns = add->rank > 0 ? add->dims[add->rank - 1] : 1;
  VLM_CHECK(count > 0 && (columns == 1 || columns == s->n) && (count == columns || count == columns * s->m),
            c->err, VLM_INPUT,
            "the int32 addend has %lld values; wanted a shape that broadcasts to [%lld, %lld]",
            (long long)count, (long long)s->m, (long long)s->n);
out:
  return st;
}

static void add_integers(int32_t *sums, const vlm_tensor *add, const vlm_matmul_shape *s) {
  int64_t count = vlm_tensor_count(add), columns = add->rank > 0 ? add->dims[add->rank - 1] : 1;
  for (int64_t i = 0; i < s->m * s->n; i++) {
    int64_t row = count == columns ? 0 : i / s->n, column = columns == 1 ? 0 : i % s->n;
    sums[i] = (int32_t)((uint32_t)sums[i] + (uint32_t)vlm_tensor_get_int(add, row * columns + column));
  }
}

vlm_status vlm_run_QGemm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const requantized *s = c->state;
  int32_t *sums = vlm_op_work(c, s->sums);
  VLM_TRY(run_sums(c, s, sums));
  if (vlm_in(c, 6)) add_integers(sums, c->in[6], &s->p.shape);
  requantize(c, s, sums);
out:
  return st;
}

/* ---- a product that becomes floats: fmaf(sum, a_scale * b_scale[j], bias[j]) ---- */

typedef struct {
  vlm_integer_product p;
  vlm_scalar a_scale;
  vlm_values b_scale, bias;
  vlm_result y;
  int32_t *zeros; /* n */
  size_t a, sums; /* a: quantized here */
} floating;

static vlm_status prepare_floats(vlm_op_call *c, floating *s, const vlm_integer_operands *o, int b_scale,
                                 int bias) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_integer_product_prepare(c, &s->p, o));
  VLM_TRY(vlm_values_prepare(c, &s->b_scale, b_scale, s->p.shape.n, "the scale of b"));
  VLM_TRY(vlm_values_prepare(c, &s->bias, bias, s->p.shape.n, "the bias"));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  VLM_TRY(vlm_op_keep_new(c, &s->zeros, s->p.shape.n));
  VLM_TRY(vlm_op_reserve(c, &s->sums, sums_of(&s->p), sizeof(int32_t)));
out:
  return st;
}

static void store_floats(vlm_op_call *c, const floating *s, const int32_t *sums, float a_scale) {
  const vlm_matmul_shape *shape = &s->p.shape;
  vlm_q8_row_args e = {.w_scale = vlm_values_get(c, &s->b_scale),
                       .bias = vlm_values_get(c, &s->bias),
                       .colsum = s->zeros,
                       .a_scale = a_scale,
                       .n = (size_t)shape->n};
  float *y = vlm_result_get(c, &s->y);
  for (int64_t i = 0; i < shape->batch * shape->m; i++) {
    e.y = y + i * shape->n;
    e.acc = sums + i * shape->n;
    c->kernels->q8_row->fn.q8_row(&e);
  }
  vlm_store_f32(c, 0, y);
}

/* ---- MatMulIntegerToFloat: a, b, a_scale, b_scale, [a_zero], [b_zero], [bias] ---- */

static vlm_integer_operands to_float(const vlm_op_call *c) {
  return (vlm_integer_operands){c->in[0], 1, vlm_in(c, 4), vlm_in(c, 5), false, false};
}

vlm_status vlm_infer_MatMulIntegerToFloat(vlm_op_call *c) {
  vlm_integer_operands o = to_float(c);
  return infer_product(c, &o, c->in[2]->dtype);
}
vlm_status vlm_prepare_MatMulIntegerToFloat(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  floating *s;
  vlm_integer_operands o = to_float(c);
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_scalar_prepare(c, &s->a_scale, 2, 1, "the scale of a"));
  VLM_TRY(prepare_floats(c, s, &o, 3, 6));
out:
  return st;
}
vlm_status vlm_run_MatMulIntegerToFloat(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const floating *s = c->state;
  vlm_integer_operands o = to_float(c);
  int32_t *sums = vlm_op_work(c, s->sums);
  VLM_TRY(vlm_integer_product_run(c, &s->p, &o, sums));
  store_floats(c, s, sums, (float)vlm_scalar_get(c, &s->a_scale));
out:
  return st;
}

/* ---- DynamicQuantizeMatMul: a, b, b_scale, [b_zero], [bias]; a is quantized per tensor as DynamicQuantizeLinear does ---- */

static vlm_status quantized_a(vlm_op_call *c, vlm_tensor *a) {
  *a = *c->in[0];
  if (a->dtype != VLM_F32)
    return vlm_fail(c->err, VLM_UNSUPPORTED, "DynamicQuantizeMatMul of %s; wanted float32",
                    vlm_dtype_name(a->dtype));
  a->dtype = VLM_U8;
  return VLM_OK;
}

vlm_status vlm_infer_DynamicQuantizeMatMul(vlm_op_call *c) {
  vlm_tensor a;
  vlm_integer_operands o = {.a = &a, .b_input = 1};
  vlm_status st = quantized_a(c, &a);
  return st == VLM_OK ? infer_product(c, &o, VLM_F32) : st;
}
vlm_status vlm_prepare_DynamicQuantizeMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  floating *s;
  vlm_tensor a;
  const vlm_integer_operands o = {.a = &a, .b_input = 1, .b_zero = vlm_in(c, 3)};
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(quantized_a(c, &a));
  VLM_TRY(vlm_op_reserve(c, &s->a, vlm_tensor_count(&a), 1));
  VLM_TRY(prepare_floats(c, s, &o, 2, 4));
out:
  return st;
}
vlm_status vlm_run_DynamicQuantizeMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const floating *s = c->state;
  int32_t zero, *sums = vlm_op_work(c, s->sums);
  float scale;
  vlm_tensor a = *c->in[0], a_zero = vlm_tensor_make(VLM_S32, 0, NULL, &zero);
  const vlm_integer_operands o = {.a = &a, .b_input = 1, .a_zero = &a_zero, .b_zero = vlm_in(c, 3)};
  a.dtype = VLM_U8;
  a.data = vlm_op_work(c, s->a);
  const vlm_quantize_rows row = {
      .x = c->in[0]->data, .m = 1, .k = vlm_tensor_count(&a), .q = a.data, .scale = &scale, .zero = &zero};
  vlm_quantize_rows_u8(&row, c->kernels, c->threads);
  VLM_TRY(vlm_integer_product_run(c, &s->p, &o, sums));
  store_floats(c, s, sums, scale);
out:
  return st;
}
