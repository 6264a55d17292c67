/* QuantizeLinear, DequantizeLinear: one scale, one per index of an axis, or one per block along an axis. */
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/quant_util.h"
#include "runtime/ops/rows.h"

/* Tensor [outer, count, inner]; element (o, a, i) uses scale o * outer_step + a / block * axis_step + i * inner_step. */
typedef struct {
  int64_t outer, count, inner, block;
  int64_t outer_step, axis_step, inner_step;
  const float *scale, *x;
  float *real;
  const int64_t *zero; /* NULL = 0 */
  const vlm_tensor *q; /* whole-byte elements */
  int64_t low, high;
  const vlm_rowops *ops;
} job;

static vlm_status set_blocks(vlm_op_call *c, job *j, int axis, int64_t block) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *s = c->in[1];
  char got[128], wanted[128];
  VLM_CHECK(s->rank == x->rank, c->err, VLM_INPUT, "blocked scale has rank %d, the input %d", s->rank, x->rank);
  if (block == 0 && s->dims[axis] > 0) block = (x->dims[axis] + s->dims[axis] - 1) / s->dims[axis];
  VLM_CHECK(block > 0 || x->dims[axis] == 0, c->err, VLM_INPUT, "block_size is %lld; wanted at least 1", (long long)block);
  if (block == 0) block = 1;
  for (int i = 0; i < x->rank; i++) {
    int64_t want = i == axis ? (x->dims[i] + block - 1) / block : x->dims[i];
    VLM_CHECK(s->dims[i] == want, c->err, VLM_INPUT, "scale of shape %s does not fit blocks of %lld along axis %d of %s",
              vlm_tensor_shape_text(s, got, sizeof got), (long long)block, axis, vlm_tensor_shape_text(x, wanted, sizeof wanted));
  }
  j->block = block;
  j->inner_step = 1;
  j->axis_step = j->inner;
  j->outer_step = s->dims[axis] * j->inner;
out:
  return st;
}

/* Everything about scale and zero point but the direction. `type` is the integer type. */
static vlm_status set_scales(vlm_op_call *c, job *j, vlm_dtype type) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *s = c->in[1], *z = vlm_in(c, 2);
  bool old = c->node->opset < 13 && c->node->domain[0] == 0;
  int64_t given = old ? 1 : vlm_arg_int(c, 0, 1), block = old ? 0 : vlm_arg_int(c, 1, 0);
  int axis;
  j->ops = vlm_call_rowops(c);
  j->block = 1;
  vlm_quant_bounds(type, &j->low, &j->high);
  VLM_CHECK(!z || vlm_tensor_same_shape(s, z) || (vlm_tensor_count(s) == 1 && vlm_tensor_count(z) == 1), c->err, VLM_INPUT,
            "scale has %lld elements, zero point %lld", (long long)vlm_tensor_count(s), (long long)vlm_tensor_count(z));
  VLM_TRY(vlm_as_f32(c, s, &j->scale));
  VLM_TRY(vlm_as_s64(c, z, &j->zero));
  j->outer = 1;
  j->count = 1;
  j->inner = vlm_tensor_count(x);
  if (vlm_tensor_count(s) == 1) return VLM_OK;
  VLM_TRY(vlm_axis(c, given, x->rank, false, &axis));
  j->outer = vlm_tensor_span(x, 0, axis);
  j->count = x->dims[axis];
  j->inner = vlm_tensor_span(x, axis + 1, x->rank);
  j->axis_step = 1;
  if (s->rank != 1 || block > 0) return set_blocks(c, j, axis, block);
  VLM_CHECK(s->dims[0] == x->dims[axis], c->err, VLM_INPUT, "scale has %lld elements, axis %d has %lld", (long long)s->dims[0], axis,
            (long long)x->dims[axis]);
out:
  return st;
}

static int64_t scale_index(const job *j, int64_t row) { return row / j->count * j->outer_step + row % j->count / j->block * j->axis_step; }

/* Calls one function per row of equal scale, or per element when the scale changes along the row. */
typedef void span_fn(const job *j, int64_t begin, int64_t n, float scale, int64_t zero);

static void each_span(const job *j, int64_t begin, int64_t end, span_fn *fn) {
  while (begin < end) {
    int64_t row = begin / j->inner, skip = begin % j->inner, n = j->inner - skip, at = scale_index(j, row) + skip * j->inner_step;
    if (n > end - begin) n = end - begin;
    if (!j->inner_step) fn(j, begin, n, j->scale[at], j->zero ? j->zero[at] : 0);
    else
      for (int64_t i = 0; i < n; i++) fn(j, begin + i, 1, j->scale[at + i], j->zero ? j->zero[at + i] : 0);
    begin += n;
  }
}

static void quantize_span(const job *j, int64_t begin, int64_t n, float scale, int64_t zero64) {
  const float *x = j->x + begin;
  int32_t zero = (int32_t)zero64, low = (int32_t)j->low, high = (int32_t)j->high;
  bool byte = vlm_dtype_bits(j->q->dtype) == 8;
  if (byte && j->low == 0 && j->high == 255) j->ops->quantize_u8((uint8_t *)j->q->data + begin, x, n, scale, zero);
  else if (byte && j->low == -128) j->ops->quantize_s8((int8_t *)j->q->data + begin, x, n, scale, zero);
  else if (byte)
    for (int64_t i = 0; i < n; i++) ((uint8_t *)j->q->data)[begin + i] = (uint8_t)vlm_quantize_value(x[i], scale, zero, low, high);
  else
    for (int64_t i = 0; i < n; i++) ((uint16_t *)j->q->data)[begin + i] = (uint16_t)vlm_quantize_value(x[i], scale, zero, low, high);
}

static void dequantize_span(const job *j, int64_t begin, int64_t n, float scale, int64_t zero) {
  float *x = j->real + begin;
  if (j->q->dtype == VLM_U8) j->ops->dequantize_u8(x, (const uint8_t *)j->q->data + begin, n, scale, (int32_t)zero);
  else if (j->q->dtype == VLM_S8) j->ops->dequantize_s8(x, (const int8_t *)j->q->data + begin, n, scale, (int32_t)zero);
  else
    for (int64_t i = 0; i < n; i++) x[i] = (float)(vlm_tensor_get_int(j->q, begin + i) - zero) * scale;
}

static void quantize_task(void *user, int64_t begin, int64_t end, int worker) {
  (void)worker;
  each_span(user, begin, end, quantize_span);
}
static void dequantize_task(void *user, int64_t begin, int64_t end, int worker) {
  (void)worker;
  each_span(user, begin, end, dequantize_span);
}

static bool has_output_dtype(const vlm_op_call *c) { return c->node->opset >= 13 && c->node->domain[0] == 0; }

vlm_status vlm_infer_quantize_linear(vlm_op_call *c) {
  const vlm_tensor *x = c->in[0], *zero = vlm_in(c, 2);
  int64_t code = has_output_dtype(c) ? vlm_arg_int(c, 2, 0) : 0;
  vlm_dtype type = zero ? zero->dtype : code ? vlm_dtype_from_onnx(code > 0 && code < 1000 ? (int)code : -1) : VLM_U8;
  if (!vlm_dtype_is_integer(type) || vlm_dtype_bits(type) > 16)
    return vlm_fail(c->err, VLM_UNSUPPORTED, "quantization to type %s (code %lld) is not supported", vlm_dtype_name(type), (long long)code);
  vlm_out_shape(c, 0, type, x->rank, x->dims);
  return VLM_OK;
}

vlm_status vlm_run_quantize_linear(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor bytes;
  job j = {0};
  VLM_TRY(set_scales(c, &j, c->out[0]->dtype));
  VLM_TRY(vlm_as_f32(c, c->in[0], &j.x));
  VLM_TRY(vlm_unpacked_out(c, 0, &bytes));
  j.q = &bytes;
  vlm_threads_range(c->threads, vlm_tensor_count(c->in[0]), VLM_ROW_GRAIN, quantize_task, &j);
  vlm_pack_out(c, 0, &bytes);
out:
  return st;
}

vlm_status vlm_infer_dequantize_linear(vlm_op_call *c) {
  const vlm_tensor *x = c->in[0];
  int64_t code = has_output_dtype(c) ? vlm_arg_int(c, 2, 0) : 0;
  vlm_dtype type = code ? vlm_dtype_from_onnx(code > 0 && code < 1000 ? (int)code : -1) : c->in[1]->dtype;
  if (!vlm_dtype_is_float(type) || !vlm_dtype_is_integer(x->dtype) || vlm_dtype_bits(x->dtype) > 32)
    return vlm_fail(c->err, VLM_UNSUPPORTED, "dequantization from %s to %s is not supported", vlm_dtype_name(x->dtype),
                    vlm_dtype_name(type));
  vlm_out_shape(c, 0, type, x->rank, x->dims);
  return VLM_OK;
}

vlm_status vlm_run_dequantize_linear(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  job j = {.q = c->in[0]};
  VLM_TRY(set_scales(c, &j, c->in[0]->dtype));
  VLM_TRY(vlm_out_f32(c, 0, &j.real));
  vlm_threads_range(c->threads, vlm_tensor_count(c->in[0]), VLM_ROW_GRAIN, dequantize_task, &j);
  vlm_store_f32(c, 0, j.real);
out:
  return st;
}
