/* Cast, CastLike. Float to integer truncates towards zero; out of range and NaN, where the standard is silent, give what numpy does on
 * x86: the lowest value for int32 and int64, the low bits for the narrower types. Integer to integer wraps; to bool is "not zero".
 * To floats of 8 bits and less: vlm_small_encode with the rule of the attributes saturate and round_mode. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/small_float.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"
#include "runtime/ops/rows.h"

/* Types of TensorProto that have a name but no form here. */
static const char *unsupported_name(int64_t code) {
  static const struct {
    int code;
    const char *name;
  } names[] = {{8, "string"}, {14, "complex64"}, {15, "complex128"}, {27, "float6e2m3"}, {28, "float6e3m2"}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (names[i].code == code) return names[i].name;
  return "unknown";
}

vlm_status vlm_infer_cast(vlm_op_call *c) {
  int64_t to = vlm_arg_int(c, 0, 0);
  vlm_dtype type = to > 0 && to < 1000 ? vlm_dtype_from_onnx((int)to) : VLM_NONE;
  if (type == VLM_NONE)
    return vlm_fail(c->err, VLM_UNSUPPORTED, "cast to type %lld (%s) is not supported", (long long)to,
                    unsupported_name(to));
  vlm_out_shape(c, 0, type, c->in[0]->rank, c->in[0]->dims);
  return VLM_OK;
}

/* Names of TensorProto.DataType: ours in capitals, but for two. */
vlm_status vlm_infer_cast_named(vlm_op_call *c) {
  const char *to = vlm_arg_string(c, 0, "");
  int type = strcmp(to, "FLOAT") == 0 ? VLM_F32 : strcmp(to, "DOUBLE") == 0 ? VLM_F64 : VLM_DTYPE_COUNT;
  for (int k = VLM_NONE + 1; k < VLM_DTYPE_COUNT && type == VLM_DTYPE_COUNT; k++)
    if (strcasecmp(to, vlm_dtype_name((vlm_dtype)k)) == 0) type = k;
  if (type == VLM_DTYPE_COUNT)
    return vlm_fail(c->err, VLM_UNSUPPORTED, "cast to type %s is not supported", to);
  vlm_out_shape(c, 0, (vlm_dtype)type, c->in[0]->rank, c->in[0]->dims);
  return VLM_OK;
}

vlm_status vlm_infer_cast_like(vlm_op_call *c) {
  vlm_out_shape(c, 0, c->in[1]->dtype, c->in[0]->rank, c->in[0]->dims);
  return VLM_OK;
}

typedef struct {
  const vlm_tensor *in, *out;
  const vlm_rowops *ops;
  vlm_small_rule rule;
} cast_job;

static int64_t truncate(double value) {
  return value > -0x1p63 && value < 0x1p63 ? (int64_t)value : INT64_MIN;
}

static void cast_one(const cast_job *job, int64_t i) {
  const vlm_tensor *in = job->in, *out = job->out;
  bool from_float = vlm_dtype_is_float(in->dtype), to_float = vlm_dtype_is_float(out->dtype);
  if (to_float && in->dtype == VLM_S64 && out->dtype == VLM_F32)
    ((float *)out->data)[i] = (float)((const int64_t *)in->data)[i];
  else if (to_float && in->dtype == VLM_U64 && out->dtype == VLM_F32)
    ((float *)out->data)[i] = (float)((const uint64_t *)in->data)[i];
  else if (vlm_dtype_is_small_float(out->dtype))
    vlm_tensor_set_code(out, i, vlm_small_encode(out->dtype, vlm_tensor_get(in, i), job->rule));
  else if (to_float) vlm_tensor_set(out, i, vlm_tensor_get(in, i));
  else if (!from_float) vlm_tensor_set_int(out, i, vlm_tensor_get_int(in, i));
  else {
    double value = vlm_tensor_get(in, i);
    if (out->dtype == VLM_BOOL) ((uint8_t *)out->data)[i] = value != 0;
    else if (out->dtype == VLM_U64 && value >= 0x1p63)
      ((uint64_t *)out->data)[i] = value < 0x1p64 ? (uint64_t)value : 0;
    else if (out->dtype == VLM_S32 && !(value > -2147483649.0 && value < 2147483648.0))
      ((int32_t *)out->data)[i] = INT32_MIN;
    else vlm_tensor_set_int(out, i, truncate(value));
  }
}

static void cast_any(void *user, int64_t begin, int64_t end, int worker) {
  const cast_job *job = user;
  (void)worker;
  for (int64_t i = begin; i < end; i++) cast_one(job, i);
}

#define CAST_LOOP(name, from, to, expression)                            \
  static void name(void *user, int64_t begin, int64_t end, int worker) { \
    const cast_job *job = user;                                          \
    const from *in = job->in->data;                                      \
    to *out = job->out->data;                                            \
    (void)worker;                                                        \
    for (int64_t i = begin; i < end; i++) {                              \
      from x = in[i];                                                    \
      out[i] = expression;                                               \
    }                                                                    \
  }
CAST_LOOP(s64_f32, int64_t, float, (float)x)
CAST_LOOP(s32_f32, int32_t, float, (float)x)
CAST_LOOP(u8_f32, uint8_t, float, (float)x)
CAST_LOOP(s8_f32, int8_t, float, (float)x)
CAST_LOOP(f32_bool, float, uint8_t, x != 0.0f)
CAST_LOOP(s64_s32, int64_t, int32_t, (int32_t)x)
CAST_LOOP(s32_s64, int32_t, int64_t, x)

#define CAST_ROW(name, from, to, operation)                                                              \
  static void name(void *user, int64_t begin, int64_t end, int worker) {                                 \
    const cast_job *job = user;                                                                          \
    (void)worker;                                                                                        \
    job->ops->operation((to *)job->out->data + begin, (const from *)job->in->data + begin, end - begin); \
  }
CAST_ROW(f16_f32, uint16_t, float, f16_to_f32)
CAST_ROW(f32_f16, float, uint16_t, f32_to_f16)
CAST_ROW(bf16_f32, uint16_t, float, bf16_to_f32)
CAST_ROW(f32_bf16, float, uint16_t, f32_to_bf16)

static const struct {
  vlm_dtype from, to;
  vlm_range_task *loop;
} loops[] = {
    {VLM_F16, VLM_F32, f16_f32},   {VLM_F32, VLM_F16, f32_f16}, {VLM_BF16, VLM_F32, bf16_f32},
    {VLM_F32, VLM_BF16, f32_bf16}, {VLM_S64, VLM_F32, s64_f32}, {VLM_S32, VLM_F32, s32_f32},
    {VLM_U8, VLM_F32, u8_f32},     {VLM_S8, VLM_F32, s8_f32},   {VLM_BOOL, VLM_F32, u8_f32},
    {VLM_F32, VLM_BOOL, f32_bool}, {VLM_S64, VLM_S32, s64_s32}, {VLM_S32, VLM_S64, s32_s64},
};

/* Attributes saturate and round_mode stand at `first` and behind it. */
static vlm_status read_rule(vlm_op_call *c, int first, vlm_small_rule *rule) {
  static const struct {
    const char *name;
    vlm_power_rounding power;
  } modes[] = {{"up", VLM_POWER_UP}, {"down", VLM_POWER_DOWN}, {"nearest", VLM_POWER_NEAREST}};
  const char *mode = vlm_arg_string(c, first + 1, "up");
  rule->saturate = vlm_arg_int(c, first, 1) != 0;
  for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
    rule->power = modes[i].power;
    if (strcmp(mode, modes[i].name) == 0) return VLM_OK;
  }
  return vlm_fail(c->err, VLM_INPUT, "round_mode is \"%s\"; wanted up, down or nearest", mode);
}

typedef struct {
  cast_job job;         /* all but the tensors of the run */
  vlm_range_task *loop; /* NULL: the types are the same */
} cast_state;

static vlm_status prepare_cast(vlm_op_call *c, int first_of_rule) {
  vlm_status st = VLM_OK;
  cast_state *s;
  vlm_dtype from = c->in[0]->dtype, to = c->out[0]->dtype;
  VLM_TRY(vlm_op_state_new(c, &s));
  if (from == to) goto out;
  VLM_TRY(read_rule(c, first_of_rule, &s->job.rule));
  s->job.ops = vlm_call_rowops(c);
  s->loop = cast_any;
  for (size_t i = 0; i < sizeof loops / sizeof loops[0]; i++)
    if (loops[i].from == from && loops[i].to == to) s->loop = loops[i].loop;
out:
  return st;
}

vlm_status vlm_prepare_cast(vlm_op_call *c) { return prepare_cast(c, 1); }
vlm_status vlm_prepare_cast_like(vlm_op_call *c) { return prepare_cast(c, 0); }

vlm_status vlm_run_cast(vlm_op_call *c) {
  const cast_state *s = c->state;
  cast_job job = s->job;
  if (!s->loop) return vlm_run_copy(c);
  job.in = c->in[0];
  job.out = c->out[0];
  if (vlm_dtype_bits(job.out->dtype) < 8) vlm_zero_some(job.out->data, vlm_tensor_bytes(job.out));
  /* Four elements may share a byte; the grain is a multiple of that. */
  vlm_threads_range(c->threads, vlm_tensor_count(job.in), VLM_ROW_GRAIN, s->loop, &job);
  return VLM_OK;
}
