/* com.microsoft operators on bytes that need no more than tables of 256 reals: QLinearAdd, Mul, Sigmoid, LeakyRelu, Softmax, Concat. */
#include <string.h>

#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"
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

#define QLINEAR_ROW(name, operator)                                                               \
  static void name##_row(const vlm_row *row) {                                                    \
    const binary_opts *o = row->opts;                                                             \
    const uint8_t *a = row->in[0], *b = row->in[1];                                               \
    uint8_t *z = row->out;                                                                        \
    for (int64_t i = 0; i < row->n; i++)                                                          \
      z[i] = vlm_quant_byte(o->a[a[i * row->step[0]]] operator o->b[b[i * row->step[1]]], o->out, \
                            o->is_signed);                                                        \
  }
QLINEAR_ROW(add, +)
QLINEAR_ROW(mul, *)

static vlm_status prepare_binary(vlm_op_call *c, vlm_row_fn *fn) {
  vlm_status st = VLM_OK;
  const vlm_row_inputs in = {.n = 2, .input = {0, 3}, .as = {c->in[0], c->in[3]}};
  vlm_dtype type = c->in[0]->dtype;
  vlm_quant_param a, b;
  binary_opts o;
  VLM_TRY(vlm_quant_check_byte(c, 0));
  VLM_CHECK(type == c->in[3]->dtype, c->err, VLM_INPUT, "A is of type %s, B of type %s", vlm_dtype_name(type),
            vlm_dtype_name(c->in[3]->dtype));
  VLM_TRY(vlm_quant_param_read(c, 1, 2, type, &a));
  VLM_TRY(vlm_quant_param_read(c, 4, 5, type, &b));
  VLM_TRY(vlm_quant_param_read(c, 6, 7, type, &o.out));
  vlm_quant_real_table(o.a, type, a);
  vlm_quant_real_table(o.b, type, b);
  o.is_signed = type == VLM_S8;
  VLM_TRY(vlm_rows_prepare_raw(c, &in, fn, &o, sizeof o));
out:
  return st;
}

vlm_status vlm_prepare_qlinear_add(vlm_op_call *c) { return prepare_binary(c, add_row); }
vlm_status vlm_prepare_qlinear_mul(vlm_op_call *c) { return prepare_binary(c, mul_row); }

/* ---- Sigmoid, LeakyRelu: X, X_scale, X_zero, Y_scale, Y_zero; a byte maps to a byte ---- */

static void table_row(const vlm_row *row) {
  const uint8_t *map = row->opts, *x = row->in[0];
  uint8_t *z = row->out;
  for (int64_t i = 0; i < row->n; i++) z[i] = map[x[i]];
}

static vlm_status prepare_unary(vlm_op_call *c, vlm_row_unary *fn, const float *p) {
  vlm_status st = VLM_OK;
  const vlm_row_inputs x = vlm_rows_first(c, 1);
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
  VLM_TRY(vlm_rows_prepare_raw(c, &x, table_row, map, sizeof map));
out:
  return st;
}

vlm_status vlm_prepare_qlinear_sigmoid(vlm_op_call *c) {
  return prepare_unary(c, vlm_call_rowops(c)->sigmoid, NULL);
}
vlm_status vlm_prepare_qlinear_leaky_relu(vlm_op_call *c) {
  const float alpha = vlm_arg_float(c, 0, 0.01f);
  return prepare_unary(c, vlm_call_rowops(c)->leaky_relu, &alpha);
}

/* ---- Softmax: up to opset 12 over all dims from axis on, later over axis alone ---- */

typedef struct {
  vlm_quant_param out;
  float real[256];
  int64_t lines, count, inner;
  size_t line;
} qlinear_softmax;

vlm_status vlm_prepare_qlinear_softmax(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  qlinear_softmax *s;
  const vlm_tensor *x = c->in[0];
  vlm_quant_param in;
  int axis;
  bool matrix = vlm_arg_int(c, 1, 13) < 13;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_quant_check_byte(c, 0));
  VLM_TRY(vlm_quant_param_read(c, 1, 2, x->dtype, &in));
  VLM_TRY(vlm_quant_param_read(c, 3, 4, x->dtype, &s->out));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, -1), x->rank, matrix, &axis));
  s->inner = matrix ? 1 : vlm_tensor_span(x, axis + 1, x->rank);
  s->count = matrix ? vlm_tensor_span(x, axis, x->rank) : x->dims[axis];
  s->lines = vlm_tensor_span(x, 0, axis) * s->inner;
  vlm_quant_real_table(s->real, x->dtype, in);
  VLM_TRY(vlm_op_reserve(c, &s->line, s->count, sizeof(float)));
out:
  return st;
}

vlm_status vlm_run_qlinear_softmax(vlm_op_call *c) {
  const qlinear_softmax *s = c->state;
  float *line = vlm_op_work(c, s->line);
  const vlm_rowops *ops = vlm_call_rowops(c);
  bool is_signed = c->in[0]->dtype == VLM_S8;
  for (int64_t i = 0; i < s->lines; i++) {
    int64_t base = i / s->inner * s->count * s->inner + i % s->inner;
    const uint8_t *from = (const uint8_t *)c->in[0]->data + base;
    uint8_t *to = (uint8_t *)c->out[0]->data + base;
    for (int64_t k = 0; k < s->count; k++) line[k] = s->real[from[k * s->inner]];
    ops->softmax(line, line, s->count);
    for (int64_t k = 0; k < s->count; k++) to[k * s->inner] = vlm_quant_byte(line[k], s->out, is_signed);
  }
  return VLM_OK;
}

/* ---- Concat: Y_scale, Y_zero, then X, X_scale, X_zero for each part ---- */

vlm_status vlm_infer_qlinear_concat(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  int axis;
  VLM_TRY(vlm_require_byte(c, 1, "Y_zero_point"));
  VLM_CHECK(c->n_in >= 5 && (c->n_in - 2) % 3 == 0, c->err, VLM_INPUT,
            "%d inputs; wanted 2 + 3 for each part", c->n_in);
  for (int k = 2; k < c->n_in; k += 3)
    VLM_CHECK(c->in[k], c->err, VLM_INPUT, "part %d is absent", (k - 2) / 3);
  vlm_tensor shape = *c->in[2];
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), shape.rank, false, &axis));
  for (int k = 5; k < c->n_in; k += 3) {
    VLM_CHECK(c->in[k]->rank == shape.rank && c->in[k]->dtype == shape.dtype, c->err, VLM_INPUT,
              "part %d differs in rank or type", (k - 2) / 3);
    for (int i = 0; i < shape.rank; i++)
      VLM_CHECK(i == axis || c->in[k]->dims[i] == shape.dims[i], c->err, VLM_INPUT,
                "part %d has %lld at dim %d; wanted %lld", (k - 2) / 3, (long long)c->in[k]->dims[i], i,
                (long long)shape.dims[i]);
    shape.dims[axis] += c->in[k]->dims[axis];
  }
  vlm_out_shape(c, 0, c->in[1]->dtype, shape.rank, shape.dims);
out:
  return st;
}

/* One part: rows of `run` bytes, put down every `stride` bytes from `first` on, through a map. */
typedef struct {
  int64_t outer, run, stride, first;
  uint8_t map[256];
} byte_part;

static vlm_status prepare_part(vlm_op_call *c, byte_part *p, int k, vlm_quant_param out, int axis,
                               int64_t at) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[k], *y = c->out[0];
  vlm_quant_param in;
  float real[256];
  VLM_TRY(vlm_quant_check_byte(c, k));
  VLM_TRY(vlm_quant_param_read(c, k + 1, k + 2, x->dtype, &in));
  vlm_quant_real_table(real, x->dtype, in);
  for (int i = 0; i < 256; i++) p->map[i] = vlm_quant_byte(real[i], out, y->dtype == VLM_S8);
  p->outer = vlm_tensor_span(x, 0, axis);
  p->run = vlm_tensor_span(x, axis, x->rank);
  p->stride = vlm_tensor_span(y, axis, y->rank);
  p->first = at * vlm_tensor_span(y, axis + 1, y->rank);
out:
  return st;
}

vlm_status vlm_prepare_qlinear_concat(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  byte_part *parts;
  vlm_quant_param out;
  int axis;
  int64_t at = 0;
  VLM_TRY(vlm_op_keep_new(c, &parts, (c->n_in - 2) / 3));
  c->state = parts;
  VLM_TRY(vlm_quant_param_read(c, 0, 1, c->out[0]->dtype, &out));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), c->out[0]->rank, false, &axis));
  for (int k = 2; k + 2 < c->n_in; k += 3) {
    VLM_TRY(prepare_part(c, &parts[k / 3], k, out, axis, at));
    at += c->in[k]->dims[axis];
  }
out:
  return st;
}

vlm_status vlm_run_qlinear_concat(vlm_op_call *c) {
  const byte_part *parts = c->state;
  for (int k = 2; k + 2 < c->n_in; k += 3) {
    const byte_part *p = &parts[k / 3];
    const uint8_t *x = c->in[k]->data;
    uint8_t *y = (uint8_t *)c->out[0]->data + p->first;
    for (int64_t o = 0; o < p->outer; o++)
      for (int64_t i = 0; i < p->run; i++) y[o * p->stride + i] = p->map[x[o * p->run + i]];
  }
  return VLM_OK;
}
