#include "runtime/ops/op_data.h"

#include <string.h>

static bool is_packed(const vlm_tensor *t) { return vlm_dtype_bits(t->dtype) < 8; }

vlm_status vlm_scratch_array(vlm_op_call *c, void **out, int64_t count, size_t size) {
  size_t bytes;
  if (count < 0 || !vlm_size_mul((size_t)count, size, &bytes))
    return vlm_fail(c->err, VLM_LIMIT, "a working array of %lld x %zu bytes is too large", (long long)count, size);
  return c->scratch(c, out, bytes > 0 ? bytes : 1);
}

vlm_status vlm_unpacked_in(vlm_op_call *c, int k, vlm_tensor *t) {
  *t = *c->in[k];
  if (!is_packed(t)) return VLM_OK;
  int64_t n = vlm_tensor_count(t);
  void *bytes;
  vlm_status st = vlm_scratch_array(c, &bytes, n, 1);
  if (st != VLM_OK) return st;
  for (int64_t i = 0; i < n; i++) ((uint8_t *)bytes)[i] = (uint8_t)vlm_tensor_get_code(c->in[k], i);
  t->dtype = VLM_U8;
  t->data = bytes;
  return VLM_OK;
}

vlm_status vlm_unpacked_out(vlm_op_call *c, int k, vlm_tensor *t) {
  *t = *c->out[k];
  if (!is_packed(t)) return VLM_OK;
  t->dtype = VLM_U8;
  return vlm_scratch_array(c, &t->data, vlm_tensor_count(t), 1);
}

void vlm_pack_out(vlm_op_call *c, int k, const vlm_tensor *t) {
  if (!is_packed(c->out[k])) return;
  vlm_zero_some(c->out[k]->data, vlm_tensor_bytes(c->out[k]));
  for (int64_t i = 0, n = vlm_tensor_count(t); i < n; i++) vlm_tensor_set_code(c->out[k], i, ((const uint8_t *)t->data)[i]);
}

vlm_status vlm_check_whole_bytes(vlm_op_call *c, int k) {
  if (!is_packed(c->in[k])) return VLM_OK;
  return vlm_fail(c->err, VLM_UNSUPPORTED, "operator %s of %s is not supported", c->node->op_type, vlm_dtype_name(c->in[k]->dtype));
}

vlm_status vlm_as_f32(vlm_op_call *c, const vlm_tensor *t, const float **out) {
  *out = NULL;
  if (!t) return VLM_OK;
  *out = t->data;
  if (t->dtype == VLM_F32) return VLM_OK;
  int64_t n = vlm_tensor_count(t);
  void *copy;
  vlm_status st = vlm_scratch_array(c, &copy, n, sizeof(float));
  if (st != VLM_OK) return st;
  float *f = copy;
  const uint16_t *half = t->data;
  if (t->dtype == VLM_F16)
    for (int64_t i = 0; i < n; i++) f[i] = vlm_f16_to_f32(half[i]);
  else if (t->dtype == VLM_BF16)
    for (int64_t i = 0; i < n; i++) f[i] = vlm_bf16_to_f32(half[i]);
  else
    for (int64_t i = 0; i < n; i++) f[i] = (float)vlm_tensor_get(t, i);
  *out = f;
  return VLM_OK;
}

vlm_status vlm_as_f64(vlm_op_call *c, const vlm_tensor *t, const double **out) {
  *out = NULL;
  if (!t) return VLM_OK;
  *out = t->data;
  if (t->dtype == VLM_F64) return VLM_OK;
  int64_t n = vlm_tensor_count(t);
  void *copy;
  vlm_status st = vlm_scratch_array(c, &copy, n, sizeof(double));
  if (st != VLM_OK) return st;
  for (int64_t i = 0; i < n; i++) ((double *)copy)[i] = vlm_tensor_get(t, i);
  *out = copy;
  return VLM_OK;
}

vlm_status vlm_as_s64(vlm_op_call *c, const vlm_tensor *t, const int64_t **out) {
  *out = NULL;
  if (!t) return VLM_OK;
  *out = t->data;
  if (t->dtype == VLM_S64) return VLM_OK;
  int64_t n = vlm_tensor_count(t);
  void *copy;
  vlm_status st = vlm_scratch_array(c, &copy, n, sizeof(int64_t));
  if (st != VLM_OK) return st;
  for (int64_t i = 0; i < n; i++) ((int64_t *)copy)[i] = vlm_tensor_get_int(t, i);
  *out = copy;
  return VLM_OK;
}

vlm_status vlm_out_f32(vlm_op_call *c, int k, float **out) {
  vlm_tensor *t = vlm_out(c, k);
  *out = NULL;
  if (!t) return VLM_OK;
  if (t->dtype != VLM_F32) return vlm_scratch_new(c, out, vlm_tensor_count(t));
  *out = t->data;
  return VLM_OK;
}

void vlm_store_f32(vlm_op_call *c, int k, const float *values) {
  vlm_tensor *t = vlm_out(c, k);
  if (!t || t->dtype == VLM_F32) return;
  int64_t n = vlm_tensor_count(t);
  uint16_t *half = t->data;
  if (t->dtype == VLM_F16)
    for (int64_t i = 0; i < n; i++) half[i] = vlm_f32_to_f16(values[i]);
  else if (t->dtype == VLM_BF16)
    for (int64_t i = 0; i < n; i++) half[i] = vlm_f32_to_bf16(values[i]);
  else
    for (int64_t i = 0; i < n; i++) vlm_tensor_set(t, i, values[i]);
}

vlm_status vlm_out_f64(vlm_op_call *c, int k, double **out) {
  vlm_tensor *t = vlm_out(c, k);
  *out = NULL;
  if (!t) return VLM_OK;
  if (t->dtype != VLM_F64) return vlm_scratch_new(c, out, vlm_tensor_count(t));
  *out = t->data;
  return VLM_OK;
}

void vlm_store_f64(vlm_op_call *c, int k, const double *values) {
  vlm_tensor *t = vlm_out(c, k);
  if (!t || t->dtype == VLM_F64) return;
  for (int64_t i = 0, n = vlm_tensor_count(t); i < n; i++) vlm_tensor_set(t, i, values[i]);
}

vlm_status vlm_ints_arg(vlm_op_call *c, int k, int j, int64_t *values, int max, int *count) {
  const vlm_tensor *t = vlm_in(c, j);
  if (t) return vlm_read_ints(c, t, values, max, count);
  *count = -1;
  if (k < 0) return VLM_OK;
  const vlm_attr *a = vlm_arg(c, k);
  if (a->kind != VLM_ATTR_INTS) return VLM_OK;
  if (a->count > max) return vlm_fail(c->err, VLM_INPUT, "attribute %s has %d entries, at most %d", a->name, a->count, max);
  memcpy(values, a->u.ints, (size_t)a->count * sizeof *values);
  *count = a->count;
  return VLM_OK;
}
