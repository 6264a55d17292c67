#include "runtime/ops/weights.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/ops/op_data.h"

typedef struct {
  size_t bytes;
  vlm_weight_fill *fill;
  void *user;
} recipe;

static vlm_status make(void **out, void *user, vlm_error *err) {
  vlm_status st = VLM_OK;
  const recipe *r = user;
  void *block = NULL;
  VLM_TRY(vlm_alloc(&block, r->bytes, 1, err));
  VLM_TRY(r->fill(block, r->user, err));
  *out = block;
  block = NULL;
out:
  vlm_free(block);
  return st;
}

vlm_status vlm_op_weight(vlm_op_call *c, int k, vlm_prepared_kind kind, const int64_t shape[5], size_t bytes, vlm_weight_fill *fill,
                         void *user, const void **out) {
  vlm_status st = VLM_OK;
  recipe r = {bytes, fill, user};
  bool folding = c->is_constant && c->is_constant[0] && k != 0; /* runs once: not worth keeping */
  if (c->is_constant && c->is_constant[k] && !folding && c->kernels->prepared) {
    vlm_prepared_key key = {.data = c->in[k]->data, .bytes = vlm_tensor_bytes(c->in[k]), .kind = kind};
    memcpy(key.shape, shape, sizeof key.shape);
    return vlm_prepared_get(c->kernels->prepared, &key, make, &r, out, c->err);
  }
  void *block;
  VLM_TRY(c->scratch(c, &block, bytes));
  VLM_TRY(fill(block, user, c->err));
  *out = block;
out:
  return st;
}

vlm_status vlm_op_floats(vlm_op_call *c, const vlm_tensor *t, int64_t n, const char *what, const float **out) {
  vlm_status st = VLM_OK;
  const float *values;
  void *block;
  *out = NULL;
  if (!t) return st;
  int64_t count = vlm_tensor_count(t);
  VLM_CHECK(count == n || count == 1, c->err, VLM_INPUT, "%s has %lld elements; wanted 1 or %lld", what, (long long)count, (long long)n);
  VLM_TRY(vlm_as_f32(c, t, &values));
  *out = values;
  if (count == n) goto out;
  VLM_TRY(vlm_scratch_array(c, &block, n, sizeof(float)));
  for (int64_t i = 0; i < n; i++) ((float *)block)[i] = values[0];
  *out = block;
out:
  return st;
}

vlm_status vlm_op_scalar(vlm_op_call *c, const vlm_tensor *t, const char *what, float *out) {
  int64_t count = vlm_tensor_count(t);
  if (count != 1) return vlm_fail(c->err, VLM_INPUT, "%s has %lld elements; wanted one value per tensor", what, (long long)count);
  *out = (float)vlm_tensor_get(t, 0);
  return VLM_OK;
}

vlm_status vlm_op_zero_point(vlm_op_call *c, const vlm_tensor *t, int32_t *out) {
  *out = 0;
  if (!t) return VLM_OK;
  int64_t count = vlm_tensor_count(t);
  if (count != 1) return vlm_fail(c->err, VLM_INPUT, "the zero point has %lld elements; wanted one value per tensor", (long long)count);
  *out = (int32_t)vlm_tensor_get_int(t, 0);
  return VLM_OK;
}
