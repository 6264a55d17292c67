/* RotaryEmbedding of the default domain (opset 23) and of com.microsoft. */
#include "runtime/ops/rotary.h"

#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/sdpa.h"

void vlm_rotate_row(float *y, const float *x, int64_t size, const vlm_rotary *r, int64_t at) {
  const int64_t half = r->half;
  const float *cosine = r->cosine + at * half, *sine = r->sine + at * half;
  for (int64_t k = 0; k < half; k++) {
    int64_t i = r->interleaved ? 2 * k : k, j = r->interleaved ? 2 * k + 1 : half + k;
    float a = x[i], b = x[j];
    y[i] = a * cosine[k] - b * sine[k];
    y[j] = a * sine[k] + b * cosine[k];
  }
  if (y != x) memcpy(y + 2 * half, x + 2 * half, (size_t)(size - 2 * half) * sizeof *y);
}

enum { INTERLEAVED, HEADS, ROTARY_DIM, SCALE };

typedef struct rotary_form {
  int64_t batch, heads, length, size, half;
  const vlm_tensor *cosine, *sine, *positions; /* positions: [B, S], [1] = first position, or NULL: the tables are [B, S, half] */
} rotary_form;

static vlm_status read_form(vlm_op_call *c, rotary_form *f) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  bool microsoft = c->node->domain[0] == 'c';
  int64_t heads = vlm_arg_int(c, HEADS, 0), dim = vlm_arg_int(c, ROTARY_DIM, 0);
  f->cosine = c->in[microsoft ? 2 : 1];
  f->sine = c->in[microsoft ? 3 : 2];
  f->positions = microsoft ? c->in[1] : vlm_in(c, 3);
  VLM_CHECK(x->rank == 3 || x->rank == 4, c->err, VLM_INPUT, "input has %d dims, wanted 3 or 4", x->rank);
  VLM_CHECK(vlm_tensor_same_shape(f->cosine, f->sine) && f->cosine->rank >= 2, c->err, VLM_INPUT,
            "the cosine and sine tables do not have the same shape");
  f->batch = x->dims[0];
  f->length = x->dims[x->rank == 4 ? 2 : 1];
  if (x->rank == 4) f->heads = x->dims[1];
  else if (heads > 0) f->heads = heads;
  else f->heads = dim == 0 ? x->dims[2] / (2 * f->cosine->dims[f->cosine->rank - 1]) : 1;
  VLM_CHECK(f->heads > 0 && f->heads <= VLM_MAX_HEADS && dim >= 0 && dim <= INT32_MAX && (x->rank == 4 || x->dims[2] % f->heads == 0),
            c->err, VLM_INPUT, "%lld heads do not fit the input", (long long)f->heads);
  f->size = x->rank == 4 ? x->dims[3] : x->dims[2] / f->heads;
  f->half = (dim > 0 ? dim : f->size) / 2;
  VLM_CHECK(2 * f->half <= f->size && f->cosine->dims[f->cosine->rank - 1] == f->half, c->err, VLM_INPUT,
            "the tables have %lld columns, wanted %lld",
            (long long)f->cosine->dims[f->cosine->rank - 1], (long long)f->half);
  if (f->positions) {
    int64_t n = vlm_tensor_count(f->positions);
    VLM_CHECK(f->cosine->rank == 2 && (n == f->batch * f->length || n == 1), c->err, VLM_INPUT,
              "position_ids has %lld entries, wanted %lld", (long long)n,
              (long long)(f->batch * f->length));
  } else {
    VLM_CHECK(f->cosine->rank == 3 && f->cosine->dims[0] == f->batch && f->cosine->dims[1] == f->length, c->err, VLM_INPUT,
              "without position_ids the tables must be [%lld, %lld, %lld]", (long long)f->batch, (long long)f->length, (long long)f->half);
  }
out:
  return st;
}

vlm_status vlm_infer_RotaryEmbedding(vlm_op_call *c) {
  rotary_form f;
  vlm_status st = read_form(c, &f);
  if (st == VLM_OK) vlm_out_like(c, 0, 0);
  return st;
}

vlm_status vlm_run_RotaryEmbedding(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  rotary_form f;
  const float *x;
  vlm_rotary r = {.interleaved = vlm_arg_int(c, INTERLEAVED, 0) != 0};
  float *y;
  VLM_TRY(read_form(c, &f));
  VLM_TRY(vlm_as_f32(c, c->in[0], &x));
  VLM_TRY(vlm_as_f32(c, f.cosine, &r.cosine));
  VLM_TRY(vlm_as_f32(c, f.sine, &r.sine));
  VLM_TRY(vlm_out_f32(c, 0, &y));
  vlm_heads rows = vlm_heads_of(x, c->in[0], f.heads);
  r.half = f.half;
  float scale = vlm_arg_float(c, SCALE, 1);
  for (int64_t i = 0, n = f.batch * f.length; i < n; i++) {
    int64_t b = i / f.length, s = i % f.length, at = i;
    if (f.positions) {
      bool first_only = vlm_tensor_count(f.positions) == 1 && n != 1;
      at = first_only ? vlm_tensor_get_int(f.positions, 0) + s : vlm_tensor_get_int(f.positions, i);
      VLM_CHECK(at >= 0 && at < f.cosine->dims[0], c->err, VLM_INPUT, "position %lld is outside the tables of %lld rows", (long long)at,
                (long long)f.cosine->dims[0]);
    }
    for (int64_t h = 0; h < f.heads; h++) {
      int64_t row = b * rows.batch + h * rows.head + s * rows.row;
      vlm_rotate_row(y + row, x + row, f.size, &r, at);
      for (int64_t k = 0; scale != 1 && k < f.size; k++) y[row + k] *= scale;
    }
  }
  vlm_store_f32(c, 0, y);
out:
  return st;
}
