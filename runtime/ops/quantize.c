/* QuantizeLinear, DequantizeLinear: one scale, one per index of an axis, or one per block along an axis. Integers, and floats of 8 and 4
 * bits, whose zero point is a float too. */
#include <math.h>

#include "runtime/base/small_float.h"
#include "runtime/ops/box.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/quant_util.h"
#include "runtime/ops/rows.h"
#include "runtime/ops/values.h"

/* Tensor [outer, count, inner]; element (o, a, i) uses scale o * outer_step + a / block * axis_step + i * inner_step. */
typedef struct {
  int64_t outer, count, inner, block;
  int64_t outer_step, axis_step, inner_step;
  const float *scale, *x;
  float *real;
  const int64_t *zero;    /* NULL = 0 */
  const float *real_zero; /* of small floats; NULL = 0 */
  const vlm_tensor *q;    /* when quantizing: whole-byte elements */
  vlm_dtype type;         /* the quantized type, also when q holds its codes in bytes */
  vlm_dtype precision;    /* in which x / scale is computed */
  vlm_small_rule rule;
  int64_t low, high;
  const vlm_rowops *ops;
} quantize_job;

static vlm_status set_blocks(vlm_op_call *c, quantize_job *j, int axis, int64_t block) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *s = c->in[1];
  char got[128], wanted[128];
  VLM_CHECK(s->rank == x->rank, c->err, VLM_INPUT, "blocked scale has rank %d, the input %d", s->rank,
            x->rank);
  if (block == 0 && s->dims[axis] > 0) block = (x->dims[axis] + s->dims[axis] - 1) / s->dims[axis];
  VLM_CHECK((block > 0 && vlm_is_extent(block)) || x->dims[axis] == 0, c->err, VLM_INPUT,
            "block_size is %lld; wanted at least 1", (long long)block);
  if (block <= 0) block = 1;
  for (int i = 0; i < x->rank; i++) {
    int64_t want = i == axis ? (x->dims[i] + block - 1) / block : x->dims[i];
    VLM_CHECK(s->dims[i] == want, c->err, VLM_INPUT,
              "scale of shape %s does not fit blocks of %lld along axis %d of %s",
              vlm_tensor_shape_text(s, got, sizeof got), (long long)block, axis,
              vlm_tensor_shape_text(x, wanted, sizeof wanted));
  }
  j->block = block;
  j->inner_step = 1;
  j->axis_step = j->inner;
  j->outer_step = s->dims[axis] * j->inner;
out:
  return st;
}

/* Scale and zero point as they are read by a run. */
typedef struct {
  quantize_job j; /* all but the pointers of the run */
  vlm_values scale, real_zero, x;
  vlm_integers zero;
  vlm_result real;
  vlm_bytes bytes;
} quantize_state;

static vlm_status prepare_zeros(vlm_op_call *c, quantize_state *s) {
  const vlm_tensor *zero = vlm_in(c, 2);
  bool small = vlm_dtype_is_small_float(s->j.type);
  vlm_status st = vlm_values_prepare(c, &s->real_zero, small ? 2 : -1,
                                     small && zero ? vlm_tensor_count(zero) : 0, "the zero point");
  return st == VLM_OK ? vlm_integers_prepare(c, &s->zero, small ? -1 : 2) : st;
}

static quantize_job job_now(const vlm_op_call *c, const quantize_state *s) {
  quantize_job j = s->j;
  j.ops = vlm_call_rowops(c);
  j.scale = vlm_values_get(c, &s->scale);
  j.real_zero = vlm_values_get(c, &s->real_zero);
  j.zero = vlm_integers_get(c, &s->zero);
  return j;
}

/* Everything about scale and zero point but the direction. `type` is the quantized type. */
static vlm_status set_scales(vlm_op_call *c, quantize_state *state_of, vlm_dtype type) {
  vlm_status st = VLM_OK;
  quantize_job *j = &state_of->j;
  const vlm_tensor *x = c->in[0], *s = c->in[1], *z = vlm_in(c, 2);
  bool old = c->node->opset < 13 && c->node->domain[0] == 0;
  int64_t given = old ? 1 : vlm_arg_int(c, 0, 1), block = old ? 0 : vlm_arg_int(c, 1, 0);
  int axis;
  j->block = 1;
  j->type = type;
  vlm_quant_bounds(type, &j->low, &j->high);
  VLM_CHECK(!z || vlm_tensor_same_shape(s, z) || (vlm_tensor_count(s) == 1 && vlm_tensor_count(z) == 1),
            c->err, VLM_INPUT, "scale has %lld elements, zero point %lld", (long long)vlm_tensor_count(s),
            (long long)vlm_tensor_count(z));
  VLM_TRY(vlm_require_type(c, 2, "zero point", type));
  VLM_TRY(vlm_values_prepare(c, &state_of->scale, 1, vlm_tensor_count(s), "the scale"));
  VLM_TRY(prepare_zeros(c, state_of));
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
  VLM_CHECK(s->dims[0] == x->dims[axis], c->err, VLM_INPUT, "scale has %lld elements, axis %d has %lld",
            (long long)s->dims[0], axis, (long long)x->dims[axis]);
out:
  return st;
}

static int64_t scale_index(const quantize_job *j, int64_t row) {
  return row / j->count * j->outer_step + row % j->count / j->block * j->axis_step;
}

/* Calls one function per row of equal scale, or per element when the scale changes along the row. `at` is the scale's index. */
typedef void span_fn(const quantize_job *j, int64_t begin, int64_t n, int64_t at);

static void each_span(const quantize_job *j, int64_t begin, int64_t end, span_fn *fn) {
  while (begin < end) {
    int64_t row = begin / j->inner, skip = begin % j->inner, n = j->inner - skip,
            at = scale_index(j, row) + skip * j->inner_step;
    if (n > end - begin) n = end - begin;
    if (!j->inner_step) fn(j, begin, n, at);
    else
      for (int64_t i = 0; i < n; i++) fn(j, begin + i, 1, at + i);
    begin += n;
  }
}

static void quantize_span(const quantize_job *j, int64_t begin, int64_t n, int64_t at) {
  const float *x = j->x + begin, scale = j->scale[at];
  int32_t zero = j->zero ? (int32_t)j->zero[at] : 0, low = (int32_t)j->low, high = (int32_t)j->high;
  bool byte = vlm_dtype_bits(j->q->dtype) == 8;
  if (byte && j->low == 0 && j->high == 255)
    j->ops->quantize_u8((uint8_t *)j->q->data + begin, x, n, scale, zero);
  else if (byte && j->low == -128) j->ops->quantize_s8((int8_t *)j->q->data + begin, x, n, scale, zero);
  else if (byte)
    for (int64_t i = 0; i < n; i++)
      ((uint8_t *)j->q->data)[begin + i] = (uint8_t)vlm_quantize_value(x[i], scale, zero, low, high);
  else
    for (int64_t i = 0; i < n; i++)
      ((uint16_t *)j->q->data)[begin + i] = (uint16_t)vlm_quantize_value(x[i], scale, zero, low, high);
}

/* Rounds to a float type of 16 bits or more. A quotient rounds once: double has more than twice the bits of the types below it. */
static double narrow(vlm_dtype type, double value) {
  switch (type) {
    case VLM_F16: return (double)vlm_f16_to_f32(vlm_f32_to_f16((float)value));
    case VLM_BF16: return (double)vlm_bf16_to_f32(vlm_f32_to_bf16((float)value));
    case VLM_F32: return (double)(float)value;
    default: return value;
  }
}

/* Any precision and any type. */
static void quantize_general_span(const quantize_job *j, int64_t begin, int64_t n, int64_t at) {
  double scale = narrow(j->precision, (double)j->scale[at]), zero = j->zero ? (double)j->zero[at] : 0;
  vlm_tensor code = {.dtype = vlm_dtype_bits(j->type) < 8 ? VLM_U8 : j->type, .data = j->q->data};
  if (j->real_zero) zero = (double)j->real_zero[at];
  for (int64_t i = begin; i < begin + n; i++) {
    double ratio = narrow(j->precision, narrow(j->precision, (double)j->x[i]) / scale);
    if (vlm_dtype_is_small_float(j->type)) {
      if (zero != 0) ratio += zero; /* adding nothing would lose the sign of a zero */
      vlm_tensor_set_code(&code, i, vlm_small_encode(j->type, ratio, j->rule));
    } else {
      double q = rint(ratio) + zero, low = (double)j->low, high = (double)j->high;
      vlm_tensor_set_int(&code, i, q > low ? q < high ? (int64_t)q : j->high : j->low);
    }
  }
}

static void dequantize_small(const quantize_job *j, int64_t begin, int64_t n, int64_t at) {
  float zero = j->real_zero ? j->real_zero[at] : 0;
  for (int64_t i = begin; i < begin + n; i++)
    j->real[i] = ((float)vlm_tensor_get(j->q, i) - zero) * j->scale[at];
}

static void dequantize_span(const quantize_job *j, int64_t begin, int64_t n, int64_t at) {
  float *x = j->real + begin, scale = j->scale[at];
  int64_t zero = j->zero ? j->zero[at] : 0;
  if (j->q->dtype == VLM_U8)
    j->ops->dequantize_u8(x, (const uint8_t *)j->q->data + begin, n, scale, (int32_t)zero);
  else if (j->q->dtype == VLM_S8)
    j->ops->dequantize_s8(x, (const int8_t *)j->q->data + begin, n, scale, (int32_t)zero);
  else
    for (int64_t i = 0; i < n; i++) x[i] = (float)(vlm_tensor_get_int(j->q, begin + i) - zero) * scale;
}

static void quantize_task(void *user, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const quantize_job *j = user;
  bool plain = j->precision == VLM_F32 && !vlm_dtype_is_small_float(j->type);
  each_span(j, begin, end, plain ? quantize_span : quantize_general_span);
}
static void dequantize_task(void *user, int64_t begin, int64_t end, int worker) {
  (void)worker;
  const quantize_job *j = user;
  each_span(j, begin, end, vlm_dtype_is_small_float(j->type) ? dequantize_small : dequantize_span);
}

static bool has_output_dtype(const vlm_op_call *c) { return c->node->opset >= 13 && c->node->domain[0] == 0; }

/* The type of an attribute that holds a type's code: VLM_NONE for a code that is none of ours, `absent` for 0. */
static vlm_dtype type_arg(const vlm_op_call *c, int k, vlm_dtype absent) {
  int64_t code = has_output_dtype(c) ? vlm_arg_int(c, k, 0) : 0;
  return code == 0 ? absent : code > 0 && code < 1000 ? vlm_dtype_from_onnx((int)code) : VLM_NONE;
}

static bool is_wide_float(vlm_dtype type) {
  return vlm_dtype_is_float(type) && !vlm_dtype_is_small_float(type);
}

/* Types that a real number can be quantized to. F8E8M0 is for scales. */
static bool is_quantized(vlm_dtype type) {
  if (vlm_dtype_is_small_float(type)) return type != VLM_F8E8M0;
  return vlm_dtype_is_integer(type) && vlm_dtype_bits(type) <= 16;
}

/* Since opset 23 the quotient has the type of the scale unless attribute precision says otherwise; it was never said before. */
static vlm_status read_precision(vlm_op_call *c, quantize_job *j) {
  vlm_dtype scale = c->in[1]->dtype;
  bool by_scale = has_output_dtype(c) && c->node->opset >= 23 && is_wide_float(scale);
  j->precision = type_arg(c, 4, by_scale ? scale : VLM_F32);
  if (is_wide_float(j->precision)) return VLM_OK;
  return vlm_fail(c->err, VLM_UNSUPPORTED,
                  "precision %lld is not supported; wanted the code of a float type of 16 bits or more",
                  (long long)vlm_arg_int(c, 4, 0));
}

vlm_status vlm_infer_quantize_linear(vlm_op_call *c) {
  const vlm_tensor *x = c->in[0], *zero = vlm_in(c, 2);
  vlm_dtype type = zero ? zero->dtype : type_arg(c, 2, VLM_U8);
  if (!is_quantized(type))
    return vlm_fail(c->err, VLM_UNSUPPORTED, "quantization to type %s (code %lld) is not supported",
                    vlm_dtype_name(type), (long long)(zero ? vlm_dtype_onnx(type) : vlm_arg_int(c, 2, 0)));
  vlm_out_shape(c, 0, type, x->rank, x->dims);
  return VLM_OK;
}

vlm_status vlm_prepare_quantize_linear(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  quantize_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  s->j.rule = vlm_small_rule_default();
  if (has_output_dtype(c)) s->j.rule.saturate = vlm_arg_int(c, 3, 1) != 0;
  VLM_TRY(read_precision(c, &s->j));
  VLM_TRY(set_scales(c, s, c->out[0]->dtype));
  VLM_TRY(vlm_values_prepare(c, &s->x, 0, vlm_tensor_count(c->in[0]), "x"));
  VLM_TRY(vlm_bytes_prepare(c, &s->bytes, c->out[0]));
out:
  return st;
}

vlm_status vlm_run_quantize_linear(vlm_op_call *c) {
  const quantize_state *s = c->state;
  quantize_job j = job_now(c, s);
  vlm_tensor bytes = vlm_whole(c->out[0]);
  bytes.data = vlm_bytes_place(c, &s->bytes, c->out[0]);
  j.x = vlm_values_get(c, &s->x);
  j.q = &bytes;
  vlm_threads_range(c->threads, vlm_tensor_count(c->in[0]), VLM_ROW_GRAIN, quantize_task, &j);
  vlm_bytes_store(&s->bytes, c->out[0], bytes.data);
  return VLM_OK;
}

vlm_status vlm_infer_dequantize_linear(vlm_op_call *c) {
  const vlm_tensor *x = c->in[0];
  vlm_dtype type = type_arg(c, 2, c->in[1]->dtype);
  if (!is_wide_float(type) || !(is_quantized(x->dtype) || x->dtype == VLM_S32))
    return vlm_fail(c->err, VLM_UNSUPPORTED, "dequantization from %s to %s is not supported",
                    vlm_dtype_name(x->dtype), vlm_dtype_name(type));
  vlm_out_shape(c, 0, type, x->rank, x->dims);
  return VLM_OK;
}

vlm_status vlm_prepare_dequantize_linear(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  quantize_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(set_scales(c, s, c->in[0]->dtype));
  VLM_TRY(vlm_result_prepare(c, &s->real, 0));
out:
  return st;
}

vlm_status vlm_run_dequantize_linear(vlm_op_call *c) {
  const quantize_state *s = c->state;
  quantize_job j = job_now(c, s);
  j.q = c->in[0];
  j.real = vlm_result_get(c, &s->real);
  vlm_threads_range(c->threads, vlm_tensor_count(c->in[0]), VLM_ROW_GRAIN, dequantize_task, &j);
  vlm_store_f32(c, 0, j.real);
  return VLM_OK;
}
