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
  const vlm_tensor *cosine; /* its shape, which the sine has too */
  int tables,
      positions; /* inputs; positions: [B, S], [1] = first position, or -1: the tables are [B, S, half] */
} rotary_form;

static vlm_status read_form(vlm_op_call *c, rotary_form *f) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  bool microsoft = c->node->domain[0] == 'c';
  int64_t heads = vlm_arg_int(c, HEADS, 0), dim = vlm_arg_int(c, ROTARY_DIM, 0);
  f->tables = microsoft ? 2 : 1;
  f->positions = microsoft ? 1 : vlm_in(c, 3) ? 3 : -1;
  f->cosine = c->in[f->tables];
  VLM_CHECK(x->rank == 3 || x->rank == 4, c->err, VLM_INPUT, "input has %d dims, wanted 3 or 4", x->rank);
  VLM_CHECK(vlm_tensor_same_shape(f->cosine, c->in[f->tables + 1]) && f->cosine->rank >= 2, c->err, VLM_INPUT,
            "the cosine and sine tables do not have the same shape");
  f->batch = x->dims[0];
  f->length = x->dims[x->rank == 4 ? 2 : 1];
  if (x->rank == 4) f->heads = x->dims[1];
  else if (heads > 0) f->heads = heads;
  else f->heads = dim == 0 ? x->dims[2] / (2 * f->cosine->dims[f->cosine->rank - 1]) : 1;
  VLM_CHECK(f->heads > 0 && f->heads <= VLM_MAX_HEADS && dim >= 0 && dim <= INT32_MAX &&
                (x->rank == 4 || x->dims[2] % f->heads == 0),
            c->err, VLM_INPUT, "%lld heads do not fit the input", (long long)f->heads);
  f->size = x->rank == 4 ? x->dims[3] : x->dims[2] / f->heads;
  f->half = (dim > 0 ? dim : f->size) / 2;
  VLM_CHECK(2 * f->half <= f->size && f->cosine->dims[f->cosine->rank - 1] == f->half, c->err, VLM_INPUT,
            "the tables have %lld columns, wanted %lld", (long long)f->cosine->dims[f->cosine->rank - 1],
            (long long)f->half);
  if (f->positions >= 0) {
    int64_t n = vlm_tensor_count(c->in[f->positions]);
    VLM_CHECK(f->cosine->rank == 2 && (n == f->batch * f->length || n == 1), c->err, VLM_INPUT,
              "position_ids has %lld entries, wanted %lld", (long long)n, (long long)(f->batch * f->length));
  } else {
    VLM_CHECK(f->cosine->rank == 3 && f->cosine->dims[0] == f->batch && f->cosine->dims[1] == f->length,
              c->err, VLM_INPUT, "without position_ids the tables must be [%lld, %lld, %lld]",
              (long long)f->batch, (long long)f->length, (long long)f->half);
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

typedef struct {
  rotary_form form;
  vlm_rotary r; /* all but the pointers of the run */
  float scale;
  vlm_values x, cosine, sine;
  vlm_result y;
} rotary_state;

vlm_status vlm_prepare_RotaryEmbedding(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  rotary_state *s;
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(read_form(c, &s->form));
  s->r = (vlm_rotary){.half = s->form.half,
                      .rows = s->form.cosine->dims[0],
                      .interleaved = vlm_arg_int(c, INTERLEAVED, 0) != 0};
  s->scale = vlm_arg_float(c, SCALE, 1);
  VLM_TRY(vlm_floats_prepare(c, &s->x, 0));
  VLM_TRY(vlm_floats_prepare(c, &s->cosine, s->form.tables));
  VLM_TRY(vlm_floats_prepare(c, &s->sine, s->form.tables + 1));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
out:
  return st;
}

/* Row of the tables for token i. */
static vlm_status table_row(vlm_op_call *c, const rotary_state *s, int64_t i, int64_t *at) {
  vlm_status st = VLM_OK;
  const rotary_form *f = &s->form;
  const vlm_tensor *positions = f->positions < 0 ? NULL : c->in[f->positions];
  *at = i;
  if (!positions) goto out;
  bool first_only = vlm_tensor_count(positions) == 1 && f->batch * f->length != 1;
  *at = first_only ? vlm_tensor_get_int(positions, 0) + i % f->length : vlm_tensor_get_int(positions, i);
  VLM_CHECK(*at >= 0 && *at < s->r.rows, c->err, VLM_INPUT,
            "position %lld is outside the tables of %lld rows", (long long)*at, (long long)s->r.rows);
out:
  return st;
}

vlm_status vlm_run_RotaryEmbedding(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const rotary_state *s = c->state;
  const rotary_form *f = &s->form;
  const float *x = vlm_values_get(c, &s->x);
  float *y = vlm_result_get(c, &s->y);
  vlm_heads rows = vlm_heads_of(x, c->in[0], f->heads);
  vlm_rotary r = s->r;
  r.cosine = vlm_values_get(c, &s->cosine);
  r.sine = vlm_values_get(c, &s->sine);
  for (int64_t i = 0, n = f->batch * f->length; i < n; i++) {
    int64_t at;
    VLM_TRY(table_row(c, s, i, &at));
    for (int64_t h = 0; h < f->heads; h++) {
      int64_t row = i / f->length * rows.batch + h * rows.head + i % f->length * rows.row;
      vlm_rotate_row(y + row, x + row, f->size, &r, at);
      for (int64_t k = 0; s->scale != 1 && k < f->size; k++) y[row + k] *= s->scale;
    }
  }
  vlm_store_f32(c, 0, y);
out:
  return st;
}
