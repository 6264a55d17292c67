/* com.microsoft operators on bytes that need no more than tables of 256 reals: QLinearAdd, Mul, Sigmoid, LeakyRelu, Softmax, Concat. */
#include <string.h>

#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/quant_util.h"
#include "runtime/ops/rows.h"

/* ---- Add, Mul: A, A_scale, A_zero, B, B_scale, B_zero, C_scale, C_zero ---- */

vlm_status vlm_infer_qlinear_binary(vlm_op_call *c) {
  if (!vlm_in(c, 3)) return vlm_fail(c->err, VLM_INPUT, "input 3 (B) is absent");
  vlm_tensor shape = *c->in[0];
  vlm_status st = vlm_broadcast_dims(c, c->in[0], c->in[3], &shape.rank, shape.dims);
  if (st == VLM_OK) vlm_out_shape(c, 0, shape.dtype, shape.rank, shape.dims);
  return st;
}

typedef struct {
  float a[256], b[256];
  vlm_quant_param out;
  bool is_signed;
} binary_opts;

#define QLINEAR_ROW(name, operator)                                                                             \
  static void name##_row(const vlm_row *row) {                                                                  \
    const binary_opts *o = row->opts;                                                                           \
    const uint8_t *a = row->in[0], *b = row->in[1];                                                             \
    uint8_t *z = row->out;                                                                                      \
    for (int64_t i = 0; i < row->n; i++)                                                                        \
      z[i] = vlm_quant_byte(o->a[a[i * row->step[0]]] operator o->b[b[i * row->step[1]]], o->out, o->is_signed); \
  }
QLINEAR_ROW(add, +)
QLINEAR_ROW(mul, *)

static vlm_status binary(vlm_op_call *c, vlm_row_fn *fn) {
  vlm_status st = VLM_OK;
  const vlm_tensor *in[2] = {c->in[0], c->in[3]};
  vlm_quant_param a, b;
  binary_opts o;
  VLM_TRY(vlm_quant_check_byte(c, 0));
  VLM_CHECK(in[0]->dtype == in[1]->dtype, c->err, VLM_INPUT, "A is of type %s, B of type %s", vlm_dtype_name(in[0]->dtype),
            vlm_dtype_name(in[1]->dtype));
  VLM_TRY(vlm_quant_param_read(c, 1, 2, in[0]->dtype, &a));
  VLM_TRY(vlm_quant_param_read(c, 4, 5, in[0]->dtype, &b));
  VLM_TRY(vlm_quant_param_read(c, 6, 7, in[0]->dtype, &o.out));
  vlm_quant_real_table(o.a, in[0]->dtype, a);
  vlm_quant_real_table(o.b, in[0]->dtype, b);
  o.is_signed = in[0]->dtype == VLM_S8;
  VLM_TRY(vlm_rows_apply_raw(c, c->out[0], in, 2, fn, &o));
out:
  return st;
}

vlm_status vlm_run_qlinear_add(vlm_op_call *c) { return binary(c, add_row); }
vlm_status vlm_run_qlinear_mul(vlm_op_call *c) { return binary(c, mul_row); }

/* ---- Sigmoid, LeakyRelu: X, X_scale, X_zero, Y_scale, Y_zero; a byte maps to a byte ---- */

static void table_row(const vlm_row *row) {
  const uint8_t *map = row->opts, *x = row->in[0];
  uint8_t *z = row->out;
  for (int64_t i = 0; i < row->n; i++) z[i] = map[x[i]];
}

static vlm_status unary(vlm_op_call *c, vlm_row_unary *fn, const float *p) {
  vlm_status st = VLM_OK;
  vlm_quant_param in, out;
  float real[256];
  uint8_t map[256];
  vlm_dtype type = c->in[0]->dtype;
  VLM_TRY(vlm_quant_check_byte(c, 0));
  VLM_TRY(vlm_quant_param_read(c, 1, 2, type, &in));
  VLM_TRY(vlm_quant_param_read(c, 3, 4, type, &out));
  vlm_quant_real_table(real, type, in);
  fn(real, real, 256, p);
  for (int i = 0; i < 256; i++) map[i] = vlm_quant_byte(real[i], out, type == VLM_S8);
  VLM_TRY(vlm_rows_apply_raw(c, c->out[0], c->in, 1, table_row, map));
out:
  return st;
}

vlm_status vlm_run_qlinear_sigmoid(vlm_op_call *c) { return unary(c, vlm_call_rowops(c)->sigmoid, NULL); }
vlm_status vlm_run_qlinear_leaky_relu(vlm_op_call *c) {
  const float alpha = vlm_arg_float(c, 0, 0.01f);
  return unary(c, vlm_call_rowops(c)->leaky_relu, &alpha);
}

/* ---- Softmax: up to opset 12 over all dims from axis on, later over axis alone ---- */

vlm_status vlm_run_qlinear_softmax(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  const vlm_rowops *ops = vlm_call_rowops(c);
  vlm_quant_param in, out;
  float real[256];
  void *memory;
  int axis = 0;
  bool matrix = vlm_arg_int(c, 1, 13) < 13, is_signed = x->dtype == VLM_S8;
  VLM_TRY(vlm_quant_check_byte(c, 0));
  VLM_TRY(vlm_quant_param_read(c, 1, 2, x->dtype, &in));
  VLM_TRY(vlm_quant_param_read(c, 3, 4, x->dtype, &out));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, -1), x->rank, matrix, &axis));
  int64_t inner = matrix ? 1 : vlm_tensor_span(x, axis + 1, x->rank), count = matrix ? vlm_tensor_span(x, axis, x->rank) : x->dims[axis];
  int64_t lines = vlm_tensor_span(x, 0, axis) * inner;
  VLM_TRY(vlm_scratch_array(c, &memory, count, sizeof(float)));
  float *line = memory;
  vlm_quant_real_table(real, x->dtype, in);
  for (int64_t i = 0; i < lines; i++) {
    int64_t base = i / inner * count * inner + i % inner;
    const uint8_t *from = (const uint8_t *)x->data + base;
    uint8_t *to = (uint8_t *)c->out[0]->data + base;
    for (int64_t k = 0; k < count; k++) line[k] = real[from[k * inner]];
    ops->softmax(line, line, count);
    for (int64_t k = 0; k < count; k++) to[k * inner] = vlm_quant_byte(line[k], out, is_signed);
  }
out:
  return st;
}

/* ---- Concat: Y_scale, Y_zero, then X, X_scale, X_zero for each part ---- */

vlm_status vlm_infer_qlinear_concat(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  int axis;
  VLM_TRY(vlm_require_byte(c, 1, "Y_zero_point"));
  VLM_CHECK(c->n_in >= 5 && (c->n_in - 2) % 3 == 0, c->err, VLM_INPUT, "%d inputs; wanted 2 + 3 for each part", c->n_in);
  for (int k = 2; k < c->n_in; k += 3) VLM_CHECK(c->in[k], c->err, VLM_INPUT, "part %d is absent", (k - 2) / 3);
  vlm_tensor shape = *c->in[2];
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), shape.rank, false, &axis));
  for (int k = 5; k < c->n_in; k += 3) {
    VLM_CHECK(c->in[k]->rank == shape.rank && c->in[k]->dtype == shape.dtype, c->err, VLM_INPUT, "part %d differs in rank or type",
              (k - 2) / 3);
    for (int i = 0; i < shape.rank; i++)
      VLM_CHECK(i == axis || c->in[k]->dims[i] == shape.dims[i], c->err, VLM_INPUT, "part %d has %lld at dim %d; wanted %lld", (k - 2) / 3,
                (long long)c->in[k]->dims[i], i, (long long)shape.dims[i]);
    shape.dims[axis] += c->in[k]->dims[axis];
  }
  vlm_out_shape(c, 0, c->in[1]->dtype, shape.rank, shape.dims);
out:
  return st;
}

static vlm_status concat_part(vlm_op_call *c, int k, vlm_quant_param out, int axis, int64_t at) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[k], *y = c->out[0];
  vlm_quant_param in;
  float real[256];
  uint8_t map[256];
  VLM_TRY(vlm_quant_check_byte(c, k));
  VLM_TRY(vlm_quant_param_read(c, k + 1, k + 2, x->dtype, &in));
  vlm_quant_real_table(real, x->dtype, in);
  for (int i = 0; i < 256; i++) map[i] = vlm_quant_byte(real[i], out, y->dtype == VLM_S8);
  int64_t outer = vlm_tensor_span(x, 0, axis), n = vlm_tensor_span(x, axis, x->rank), stride = vlm_tensor_span(y, axis, y->rank);
  int64_t first = at * vlm_tensor_span(y, axis + 1, y->rank);
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < n; i++) ((uint8_t *)y->data)[o * stride + first + i] = map[((const uint8_t *)x->data)[o * n + i]];
out:
  return st;
}

vlm_status vlm_run_qlinear_concat(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_quant_param out;
  int axis;
  int64_t at = 0;
  VLM_TRY(vlm_quant_param_read(c, 0, 1, c->out[0]->dtype, &out));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), c->out[0]->rank, false, &axis));
  for (int k = 2; k + 2 < c->n_in; k += 3) {
    VLM_TRY(concat_part(c, k, out, axis, at));
    at += c->in[k]->dims[axis];
  }
out:
  return st;
}
