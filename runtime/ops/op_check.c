#include "runtime/ops/op_check.h"

#include "runtime/ops/op_data.h"

vlm_status vlm_require_type(vlm_op_call *c, int k, const char *name, vlm_dtype wanted) {
  const vlm_tensor *t = vlm_in(c, k);
  if (!t || t->dtype == wanted) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "input %d (%s) is of type %s, wanted %s", k, name,
                  vlm_dtype_name(t->dtype), vlm_dtype_name(wanted));
}

vlm_status vlm_require_byte(vlm_op_call *c, int k, const char *name) {
  const vlm_tensor *t = vlm_in(c, k);
  if (!t || t->dtype == VLM_U8 || t->dtype == VLM_S8) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "input %d (%s) is of type %s, wanted uint8 or int8", k, name,
                  vlm_dtype_name(t->dtype));
}

vlm_status vlm_require_whole_floats(vlm_op_call *c, int k, const char *name) {
  const vlm_tensor *t = vlm_in(c, k);
  if (!t || (vlm_dtype_is_float(t->dtype) && vlm_dtype_bits(t->dtype) >= 16)) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "input %d (%s) is of type %s, wanted floats", k, name,
                  vlm_dtype_name(t->dtype));
}

vlm_status vlm_require_integers(vlm_op_call *c, int k, const char *name) {
  const vlm_tensor *t = vlm_in(c, k);
  if (!t || vlm_dtype_is_integer(t->dtype)) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "input %d (%s) is of type %s, wanted integers", k, name,
                  vlm_dtype_name(t->dtype));
}

vlm_status vlm_require_rank(vlm_op_call *c, int k, const char *name, int wanted) {
  const vlm_tensor *t = vlm_in(c, k);
  char shape[128];
  if (!t || t->rank == wanted) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "input %d (%s) has shape %s, wanted %d dims", k, name,
                  vlm_tensor_shape_text(t, shape, sizeof shape), wanted);
}

vlm_status vlm_require_count(vlm_op_call *c, int k, const char *name, int64_t wanted) {
  const vlm_tensor *t = vlm_in(c, k);
  char shape[128];
  if (!t || vlm_tensor_count(t) == wanted) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "input %d (%s) has shape %s, wanted %lld elements", k, name,
                  vlm_tensor_shape_text(t, shape, sizeof shape), (long long)wanted);
}

vlm_status vlm_require_dims(vlm_op_call *c, int k, const char *name, int rank, const int64_t *wanted) {
  const vlm_tensor *t = vlm_in(c, k);
  char got[128], want[128];
  bool fits = !t || t->rank == rank;
  for (int i = 0; t && fits && i < rank; i++) fits = wanted[i] < 0 || t->dims[i] == wanted[i];
  if (fits) return VLM_OK;
  vlm_tensor shape = vlm_tensor_make(t->dtype, rank, wanted, NULL);
  return vlm_fail(c->err, VLM_INPUT, "input %d (%s) has shape %s, wanted %s", k, name,
                  vlm_tensor_shape_text(t, got, sizeof got),
                  vlm_tensor_shape_text(&shape, want, sizeof want));
}

/* One element whose value is there. */
static vlm_status one_value(vlm_op_call *c, int k, const char *name) {
  const vlm_tensor *t = c->in[k];
  vlm_status st = vlm_require_count(c, k, name, 1);
  if (st != VLM_OK) return st;
  return t->data ? VLM_OK : VLM_UNKNOWN;
}

vlm_status vlm_scalar_int(vlm_op_call *c, int k, const char *name, int64_t fallback, int64_t *out) {
  vlm_status st = VLM_OK;
  *out = fallback;
  if (!vlm_in(c, k)) return VLM_OK;
  if (c->in[k]->dtype != VLM_BOOL) VLM_TRY(vlm_require_integers(c, k, name));
  VLM_TRY(one_value(c, k, name));
  *out = vlm_tensor_get_int(c->in[k], 0);
out:
  return st;
}

vlm_status vlm_scalar_real(vlm_op_call *c, int k, const char *name, double fallback, double *out) {
  vlm_status st = VLM_OK;
  *out = fallback;
  if (!vlm_in(c, k)) return VLM_OK;
  VLM_TRY(one_value(c, k, name));
  *out = vlm_tensor_get(c->in[k], 0);
out:
  return st;
}
