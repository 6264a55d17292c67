#include "runtime/ops/values.h"

#include "runtime/ops/op_data.h"

void vlm_floats_of(float *to, const vlm_tensor *t, int64_t n) {
  int64_t count = vlm_tensor_count(t);
  const uint16_t *half = t->data;
  for (int64_t i = 0; i < count; i++)
    to[i] = t->dtype == VLM_F32    ? ((const float *)t->data)[i]
            : t->dtype == VLM_F16  ? vlm_f16_to_f32(half[i])
            : t->dtype == VLM_BF16 ? vlm_bf16_to_f32(half[i])
                                   : (float)vlm_tensor_get(t, i);
  if (count == 1)
    for (int64_t i = 1; i < n; i++) to[i] = to[0];
}

vlm_status vlm_values_prepare(vlm_op_call *c, vlm_values *v, int k, int64_t n, const char *what) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = k < 0 ? NULL : vlm_in(c, k);
  *v = (vlm_values){.input = t ? k : -1, .n = n};
  if (!t) goto out;
  int64_t count = vlm_tensor_count(t);
  VLM_CHECK(count == n || count == 1, c->err, VLM_INPUT, "%s has %lld elements; wanted 1 or %lld", what,
            (long long)count, (long long)n);
  v->own = t->dtype == VLM_F32 && count == n;
  if (v->own) goto out;
  if (!vlm_op_lasts(c, k)) {
    VLM_TRY(vlm_op_reserve(c, &v->at, n > 0 ? n : 1, sizeof(float)));
    goto out;
  }
  VLM_TRY(vlm_op_keep_new(c, &v->kept, n > 0 ? n : 1));
  vlm_floats_of(v->kept, t, n);
out:
  return st;
}

vlm_status vlm_floats_prepare(vlm_op_call *c, vlm_values *v, int k) {
  const vlm_tensor *t = k < 0 ? NULL : vlm_in(c, k);
  return vlm_values_prepare(c, v, k, t ? vlm_tensor_count(t) : 0, "an input");
}

const float *vlm_values_get(const vlm_op_call *c, const vlm_values *v) {
  if (v->input < 0 || v->kept) return v->kept;
  if (v->own) return c->in[v->input]->data;
  float *to = vlm_op_work(c, v->at);
  vlm_floats_of(to, c->in[v->input], v->n);
  return to;
}

vlm_status vlm_scalar_prepare(vlm_op_call *c, vlm_scalar *s, int k, double fallback, const char *what) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = vlm_in(c, k);
  *s = (vlm_scalar){.input = t ? k : -1, .known = !t || vlm_op_lasts(c, k), .value = fallback};
  if (!t) goto out;
  VLM_CHECK(vlm_tensor_count(t) == 1, c->err, VLM_INPUT, "%s has %lld elements; wanted one value per tensor",
            what, (long long)vlm_tensor_count(t));
  if (s->known) s->value = vlm_tensor_get(t, 0);
out:
  return st;
}

vlm_status vlm_result_prepare(vlm_op_call *c, vlm_result *r, int k) {
  const vlm_tensor *t = vlm_out(c, k);
  *r = (vlm_result){.output = t ? k : -1, .own = t && t->dtype == VLM_F32};
  return !t || r->own ? VLM_OK : vlm_op_reserve(c, &r->at, vlm_tensor_count(t), sizeof(float));
}

float *vlm_result_get(const vlm_op_call *c, const vlm_result *r) {
  if (r->output < 0) return NULL;
  return r->own ? c->out[r->output]->data : vlm_op_work(c, r->at);
}

/* ---- integers ---- */

static void integers_of(int64_t *to, const vlm_tensor *t) {
  for (int64_t i = 0, n = vlm_tensor_count(t); i < n; i++) to[i] = vlm_tensor_get_int(t, i);
}

vlm_status vlm_integers_prepare(vlm_op_call *c, vlm_integers *v, int k) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = k < 0 ? NULL : vlm_in(c, k);
  *v = (vlm_integers){.input = t ? k : -1, .own = t && t->dtype == VLM_S64};
  if (!t || v->own) goto out;
  if (!vlm_op_lasts(c, k)) {
    VLM_TRY(vlm_op_reserve(c, &v->at, vlm_tensor_count(t), sizeof(int64_t)));
    goto out;
  }
  VLM_TRY(vlm_op_keep_new(c, &v->kept, vlm_tensor_count(t)));
  integers_of(v->kept, t);
out:
  return st;
}

const int64_t *vlm_integers_get(const vlm_op_call *c, const vlm_integers *v) {
  if (v->input < 0 || v->kept) return v->kept;
  if (v->own) return c->in[v->input]->data;
  int64_t *to = vlm_op_work(c, v->at);
  integers_of(to, c->in[v->input]);
  return to;
}

/* ---- elements of 2 and 4 bits ---- */

vlm_status vlm_bytes_prepare(vlm_op_call *c, vlm_bytes *b, const vlm_tensor *t) {
  *b = (vlm_bytes){.own = vlm_dtype_bits(t->dtype) >= 8};
  return b->own ? VLM_OK : vlm_op_reserve(c, &b->at, vlm_tensor_count(t), 1);
}

const void *vlm_bytes_read(const vlm_op_call *c, const vlm_bytes *b, const vlm_tensor *t) {
  if (b->own) return t->data;
  uint8_t *bytes = vlm_op_work(c, b->at);
  for (int64_t i = 0, n = vlm_tensor_count(t); i < n; i++) bytes[i] = (uint8_t)vlm_tensor_get_code(t, i);
  return bytes;
}

static vlm_tensor with_bytes(const vlm_tensor *t, void *data) {
  vlm_tensor whole = *t;
  if (vlm_dtype_bits(t->dtype) < 8) whole.dtype = VLM_U8;
  whole.data = data;
  return whole;
}

vlm_tensor vlm_bytes_in(const vlm_op_call *c, const vlm_bytes *b, int k) {
  return with_bytes(c->in[k], (void *)(uintptr_t)vlm_bytes_read(c, b, c->in[k]));
}

vlm_tensor vlm_bytes_out(const vlm_op_call *c, const vlm_bytes *b, int k) {
  return with_bytes(c->out[k], vlm_bytes_place(c, b, c->out[k]));
}

void *vlm_bytes_place(const vlm_op_call *c, const vlm_bytes *b, const vlm_tensor *t) {
  return b->own ? t->data : vlm_op_work(c, b->at);
}

void vlm_bytes_store(const vlm_bytes *b, const vlm_tensor *t, const void *filled) {
  if (b->own) return;
  vlm_zero_some(t->data, vlm_tensor_bytes(t));
  for (int64_t i = 0, n = vlm_tensor_count(t); i < n; i++)
    vlm_tensor_set_code(t, i, ((const uint8_t *)filled)[i]);
}

/* ---- float64 ---- */

static void doubles_of(double *to, const vlm_tensor *t) {
  for (int64_t i = 0, n = vlm_tensor_count(t); i < n; i++) to[i] = vlm_tensor_get(t, i);
}

vlm_status vlm_doubles_prepare(vlm_op_call *c, vlm_doubles *v, int k) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = k < 0 ? NULL : vlm_in(c, k);
  *v = (vlm_doubles){.input = t ? k : -1, .own = t && t->dtype == VLM_F64};
  if (!t || v->own) goto out;
  if (!vlm_op_lasts(c, k)) {
    VLM_TRY(vlm_op_reserve(c, &v->at, vlm_tensor_count(t), sizeof(double)));
    goto out;
  }
  VLM_TRY(vlm_op_keep_new(c, &v->kept, vlm_tensor_count(t)));
  doubles_of(v->kept, t);
out:
  return st;
}

const double *vlm_doubles_get(const vlm_op_call *c, const vlm_doubles *v) {
  if (v->input < 0 || v->kept) return v->kept;
  if (v->own) return c->in[v->input]->data;
  double *to = vlm_op_work(c, v->at);
  doubles_of(to, c->in[v->input]);
  return to;
}

vlm_status vlm_wide_result_prepare(vlm_op_call *c, vlm_wide_result *r, int k) {
  const vlm_tensor *t = vlm_out(c, k);
  *r = (vlm_wide_result){.output = t ? k : -1, .own = t && t->dtype == VLM_F64};
  return !t || r->own ? VLM_OK : vlm_op_reserve(c, &r->at, vlm_tensor_count(t), sizeof(double));
}

double *vlm_wide_result_get(const vlm_op_call *c, const vlm_wide_result *r) {
  if (r->output < 0) return NULL;
  return r->own ? c->out[r->output]->data : vlm_op_work(c, r->at);
}
