#include "runtime/ops/quant_util.h"

#include "runtime/ops/op_data.h"

void vlm_quant_bounds(vlm_dtype type, int64_t *low, int64_t *high) {
  int bits = vlm_dtype_bits(type);
  bool is_signed = vlm_dtype_is_signed(type);
  *low = is_signed ? -(INT64_C(1) << (bits - 1)) : 0;
  *high = (INT64_C(1) << (is_signed ? bits - 1 : bits)) - 1;
}

vlm_status vlm_quant_param_read(vlm_op_call *c, int scale_at, int zero_at, vlm_dtype type,
                                vlm_quant_param *out) {
  vlm_status st = VLM_OK;
  const vlm_tensor *scale = vlm_in(c, scale_at), *zero = vlm_in(c, zero_at);
  VLM_CHECK(scale && vlm_tensor_count(scale) == 1 && vlm_dtype_is_float(scale->dtype), c->err, VLM_INPUT,
            "scale (input %d) is not one float", scale_at);
  VLM_CHECK(!zero || (vlm_tensor_count(zero) == 1 && zero->dtype == type), c->err, VLM_INPUT,
            "zero point (input %d) is not one %s", zero_at, vlm_dtype_name(type));
  if (!scale->data || (zero && !zero->data)) return VLM_UNKNOWN;
  out->scale = (float)vlm_tensor_get(scale, 0);
  out->zero = zero ? (int32_t)vlm_tensor_get_int(zero, 0) : 0;
out:
  return st;
}

vlm_status vlm_quant_check_byte(vlm_op_call *c, int k) {
  vlm_dtype type = c->in[k]->dtype;
  if (type == VLM_U8 || type == VLM_S8) return VLM_OK;
  return vlm_fail(c->err, VLM_UNSUPPORTED, "input %d is of type %s; wanted uint8 or int8", k,
                  vlm_dtype_name(type));
}

void vlm_quant_real_table(float real[256], vlm_dtype type, vlm_quant_param p) {
  for (int i = 0; i < 256; i++) real[i] = (float)((type == VLM_S8 ? (int8_t)i : i) - p.zero) * p.scale;
}
