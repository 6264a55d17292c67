#include "runtime/ops/op_data.h"

#include <string.h>

static bool is_packed(const vlm_tensor *t) { return vlm_dtype_bits(t->dtype) < 8; }

vlm_status vlm_scratch_array(vlm_op_call *c, void **out, int64_t count, size_t size) {
  size_t bytes;
  if (count < 0 || !vlm_size_mul((size_t)count, size, &bytes))
    return vlm_fail(c->err, VLM_LIMIT, "a working array of %lld x %zu bytes is too large", (long long)count,
                    size);
  return c->scratch(c, out, bytes > 0 ? bytes : 1);
}

vlm_status vlm_check_whole_bytes(vlm_op_call *c, int k) {
  if (!is_packed(c->in[k])) return VLM_OK;
  return vlm_fail(c->err, VLM_UNSUPPORTED, "operator %s of %s is not supported", c->node->op_type,
                  vlm_dtype_name(c->in[k]->dtype));
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
  if (a->count > max)
    return vlm_fail(c->err, VLM_INPUT, "attribute %s has %d entries, at most %d", a->name, a->count, max);
  memcpy(values, a->u.ints, (size_t)a->count * sizeof *values);
  *count = a->count;
  return VLM_OK;
}
