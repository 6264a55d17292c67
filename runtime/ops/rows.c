#include "runtime/ops/rows.h"

#include <string.h>

#include "runtime/kernels/kernels.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"

enum { CHUNK = 256 }; /* values converted at a time */

/* A broadcast, collapsed: strides in elements. */
typedef struct {
  int rank, n_in;
  int input[VLM_ROW_INPUTS]; /* of the node */
  int64_t dims[VLM_MAX_RANK];
  int64_t count; /* elements of the result */
  int64_t stride[VLM_ROW_INPUTS][VLM_MAX_RANK];
  size_t in_size[VLM_ROW_INPUTS], out_size;
  vlm_dtype in_type[VLM_ROW_INPUTS], out_type;
  vlm_dtype convert; /* rows of this type pass through buffers of the wider one; or VLM_NONE */
  vlm_row_fn *fn;
  const void *opts;
  const vlm_rowops *ops;
} rows_plan;

/* A plan on the memory of one run. */
typedef struct {
  const rows_plan *p;
  const uint8_t *in[VLM_ROW_INPUTS];
  uint8_t *out;
} rows_job;

const vlm_rowops *vlm_call_rowops(const vlm_op_call *c) {
  return c->kernels && c->kernels->rowops ? c->kernels->rowops : vlm_rowops_for(1u << VLM_CPU_C);
}

/* Stride of an input along each dim of the output: 0 where it is repeated. */
static bool input_strides(const vlm_tensor *out, const vlm_tensor *in, int64_t *stride) {
  int64_t span = 1;
  int shift = out->rank - in->rank;
  if (shift < 0) return false;
  for (int i = out->rank - 1; i >= 0; i--) {
    int64_t d = i < shift ? 1 : in->dims[i - shift];
    if (d != 1 && d != out->dims[i]) return false;
    stride[i] = d == 1 ? 0 : span;
    span *= d;
  }
  return true;
}

/* Drops dims of size 1 and joins neighbours over which every input keeps one stride. */
static void collapse(rows_plan *p, const vlm_tensor *out, int64_t strides[][VLM_MAX_RANK]) {
  for (int i = 0; i < out->rank; i++) {
    if (out->dims[i] == 1) continue;
    bool join = p->rank > 0;
    for (int k = 0; k < p->n_in; k++)
      join = join && p->stride[k][p->rank - 1] == strides[k][i] * out->dims[i];
    int at = join ? p->rank - 1 : p->rank++;
    p->dims[at] = join ? p->dims[at] * out->dims[i] : out->dims[i];
    for (int k = 0; k < p->n_in; k++) p->stride[k][at] = strides[k][i];
  }
  if (p->rank == 0) {
    p->rank = 1;
    p->dims[0] = 1;
  }
}

/* The integers shorter than int64. */
#define SHORT_INTEGERS(M) \
  M(U8, uint8_t) M(S8, int8_t) M(U16, uint16_t) M(S16, int16_t) M(U32, uint32_t) M(S32, int32_t)

static void widen(const rows_plan *p, void *wide, const void *in, int64_t n) {
  switch (p->convert) {
    case VLM_F16: p->ops->f16_to_f32(wide, in, n); break;
    case VLM_BF16: p->ops->bf16_to_f32(wide, in, n); break;
#define WIDEN(NAME, type)                                                         \
  case VLM_##NAME:                                                                \
    for (int64_t i = 0; i < n; i++) ((int64_t *)wide)[i] = ((const type *)in)[i]; \
    break;
      SHORT_INTEGERS(WIDEN)
    default: break;
  }
}

static void narrow(const rows_plan *p, void *out, const void *wide, int64_t n) {
  switch (p->convert) {
    case VLM_F16: p->ops->f32_to_f16(out, wide, n); break;
    case VLM_BF16: p->ops->f32_to_bf16(out, wide, n); break;
#define SHORTEN(NAME, type)                                                              \
  case VLM_##NAME:                                                                       \
    for (int64_t i = 0; i < n; i++) ((type *)out)[i] = (type)((const int64_t *)wide)[i]; \
    break;
      SHORT_INTEGERS(SHORTEN)
    default: break;
  }
}

typedef union {
  float f32[CHUNK];
  int64_t s64[CHUNK];
} wide_row;

/* Runs one row through buffers of float32 or int64. */
static void run_converted(const rows_plan *p, const vlm_row *whole) {
  wide_row in[VLM_ROW_INPUTS], result;
  const bool back = p->out_type == p->convert;
  for (int64_t done = 0; done < whole->n; done += CHUNK) {
    vlm_row row = *whole;
    row.n = whole->n - done < CHUNK ? whole->n - done : CHUNK;
    for (int k = 0; k < p->n_in; k++) {
      row.in[k] = (const uint8_t *)whole->in[k] + (size_t)(done * whole->step[k]) * p->in_size[k];
      if (p->in_type[k] != p->convert) continue;
      widen(p, &in[k], row.in[k], whole->step[k] ? row.n : 1);
      row.in[k] = &in[k];
    }
    uint8_t *out = (uint8_t *)whole->out + (size_t)done * p->out_size;
    row.out = back ? (void *)&result : out;
    p->fn(&row);
    if (back) narrow(p, out, &result, row.n);
  }
}

/* Output elements [begin, end): the rest of a row, whole rows, the start of a row. */
static void run_range(void *user, int64_t begin, int64_t end, int worker) {
  const rows_job *j = user;
  const rows_plan *p = j->p;
  (void)worker;
  int last = p->rank - 1;
  int64_t width = p->dims[last], index[VLM_MAX_RANK], at = begin / width, skip = begin % width;
  for (int i = last - 1; i >= 0; at /= p->dims[i--]) index[i] = at % p->dims[i];
  while (begin < end) {
    vlm_row row = {
        .out = j->out + (size_t)begin * p->out_size, .n = width - skip, .opts = p->opts, .ops = p->ops};
    if (row.n > end - begin) row.n = end - begin;
    for (int k = 0; k < p->n_in; k++) {
      int64_t offset = skip * p->stride[k][last];
      for (int i = 0; i < last; i++) offset += index[i] * p->stride[k][i];
      row.in[k] = j->in[k] + (size_t)offset * p->in_size[k];
      row.step[k] = p->stride[k][last];
    }
    if (p->convert) run_converted(p, &row);
    else p->fn(&row);
    begin += row.n;
    skip = 0;
    for (int i = last - 1; i >= 0 && ++index[i] == p->dims[i]; i--) index[i] = 0;
  }
}

static vlm_status make_plan(vlm_op_call *c, rows_plan *p, const vlm_row_inputs *from, vlm_row_fn *fn,
                            vlm_dtype convert, const void *opts) {
  const vlm_tensor *out = c->out[0];
  *p = (rows_plan){.n_in = from->n,
                   .convert = convert,
                   .out_type = out->dtype,
                   .out_size = (size_t)vlm_dtype_bits(out->dtype) / 8,
                   .fn = fn,
                   .opts = opts,
                   .ops = vlm_call_rowops(c),
                   .count = vlm_tensor_count(out)};
  int64_t strides[VLM_ROW_INPUTS][VLM_MAX_RANK] = {{0}};
  for (int k = 0; k < from->n; k++) {
    const vlm_tensor *in = from->as[k];
    char text[128], to[128];
    if (!input_strides(out, in, strides[k]))
      return vlm_fail(c->err, VLM_INPUT, "input %d of shape %s does not broadcast to %s", k,
                      vlm_tensor_shape_text(in, text, sizeof text),
                      vlm_tensor_shape_text(out, to, sizeof to));
    p->input[k] = from->input[k];
    p->in_type[k] = in->dtype;
    p->in_size[k] = (size_t)vlm_dtype_bits(in->dtype) / 8;
  }
  collapse(p, out, strides);
  return VLM_OK;
}

static void run_plan(vlm_op_call *c, const rows_plan *p) {
  rows_job j = {.p = p, .out = c->out[0]->data};
  for (int k = 0; k < p->n_in; k++)
    j.in[k] = p->input[k] == VLM_ROW_RESULT ? c->out[0]->data : c->in[p->input[k]]->data;
  if (p->count > VLM_ROW_GRAIN) vlm_threads_range(c->threads, p->count, VLM_ROW_GRAIN, run_range, &j);
  else if (p->count > 0) run_range(&j, 0, p->count, 0);
}

/* The form that rows of a type have, and the type itself when they are to be converted. */
static vlm_row_form form_of(vlm_dtype type, vlm_dtype *convert) {
  *convert = VLM_NONE;
  switch (type) {
    case VLM_F32: return VLM_ROW_F32;
    case VLM_F64: return VLM_ROW_F64;
    case VLM_S64: return VLM_ROW_S64;
    case VLM_U64: return VLM_ROW_U64;
    case VLM_BOOL: return VLM_ROW_BOOL;
    case VLM_F16:
    case VLM_BF16: *convert = type; return VLM_ROW_F32;
#define SHORT(NAME, ctype) case VLM_##NAME:
      SHORT_INTEGERS(SHORT) *convert = type;
      return VLM_ROW_S64;
    default: return VLM_ROW_FORMS;
  }
}

/* The function for the type of input 0. */
static vlm_status choose(vlm_op_call *c, const vlm_row_inputs *from, vlm_row_table table, vlm_row_fn **fn,
                         vlm_dtype *convert) {
  const vlm_dtype type = from->as[0]->dtype;
  const vlm_row_form form = form_of(type, convert);
  *fn = form < VLM_ROW_FORMS ? table[form] : NULL;
  if (!*fn) return vlm_fail(c->err, VLM_UNSUPPORTED, "no form for elements of type %s", vlm_dtype_name(type));
  for (int k = 1; k < from->n; k++)
    if (from->as[k]->dtype != type)
      return vlm_fail(c->err, VLM_INPUT, "input %d is of type %s, input 0 of type %s; they must be the same",
                      from->input[k], vlm_dtype_name(from->as[k]->dtype), vlm_dtype_name(type));
  return VLM_OK;
}

/* ---- one function over the inputs ---- */

static vlm_status keep_opts(vlm_op_call *c, void **kept, const void *opts, size_t bytes) {
  vlm_status st = VLM_OK;
  *kept = NULL;
  if (!opts) goto out;
  VLM_TRY(vlm_op_keep(c, kept, 1, bytes));
  memcpy(*kept, opts, bytes);
out:
  return st;
}

static vlm_status prepare_with(vlm_op_call *c, const vlm_row_inputs *from, vlm_row_fn *fn, vlm_dtype convert,
                               const void *opts, size_t opts_bytes) {
  vlm_status st = VLM_OK;
  rows_plan *p;
  void *kept;
  VLM_TRY(vlm_op_state_new(c, &p));
  VLM_TRY(keep_opts(c, &kept, opts, opts_bytes));
  VLM_TRY(make_plan(c, p, from, fn, convert, kept));
out:
  return st;
}

vlm_row_inputs vlm_rows_first(const vlm_op_call *c, int n) {
  vlm_row_inputs from = {.n = n};
  for (int k = 0; k < n; k++) {
    from.input[k] = k;
    from.as[k] = c->in[k];
  }
  return from;
}

vlm_status vlm_rows_prepare_from(vlm_op_call *c, const vlm_row_inputs *from, vlm_row_table table,
                                 const void *opts, size_t opts_bytes) {
  vlm_row_fn *fn;
  vlm_dtype convert;
  vlm_status st = choose(c, from, table, &fn, &convert);
  return st == VLM_OK ? prepare_with(c, from, fn, convert, opts, opts_bytes) : st;
}

vlm_status vlm_rows_prepare_raw(vlm_op_call *c, const vlm_row_inputs *from, vlm_row_fn *fn, const void *opts,
                                size_t opts_bytes) {
  return prepare_with(c, from, fn, VLM_NONE, opts, opts_bytes);
}

vlm_status vlm_rows_prepare(vlm_op_call *c, int n_in, vlm_row_table table, const void *opts,
                            size_t opts_bytes) {
  vlm_row_inputs from = vlm_rows_first(c, n_in);
  return vlm_rows_prepare_from(c, &from, table, opts, opts_bytes);
}

vlm_status vlm_rows_prepare_binary(vlm_op_call *c, vlm_row_table table) {
  vlm_tensor b = *c->in[1];
  vlm_row_inputs from = vlm_rows_first(c, 2);
  int axis = 0;
  if (c->node->opset < 7 && vlm_arg(c, 0)->kind == VLM_ATTR_INT && vlm_arg_int(c, 1, 0)) {
    vlm_status st = vlm_axis(c, vlm_arg_int(c, 0, 0), c->in[0]->rank, true, &axis);
    if (st != VLM_OK) return st;
    for (; b.rank < c->in[0]->rank - axis; b.rank++) b.dims[b.rank] = 1;
    from.as[1] = &b;
  }
  return vlm_rows_prepare_from(c, &from, table, NULL, 0);
}

vlm_status vlm_run_rows(vlm_op_call *c) {
  run_plan(c, c->state);
  return VLM_OK;
}

/* ---- one function over pairs: the result so far and the next input ---- */

typedef struct {
  int n;
  rows_plan *steps;
} rows_fold;

static vlm_status add_step(vlm_op_call *c, rows_fold *f, const vlm_row_inputs *from, vlm_row_table table,
                           const void *opts) {
  vlm_status st = VLM_OK;
  vlm_row_fn *fn;
  vlm_dtype convert;
  VLM_TRY(choose(c, from, table, &fn, &convert));
  VLM_TRY(make_plan(c, &f->steps[f->n], from, fn, convert, opts));
  f->n++;
out:
  return st;
}

vlm_status vlm_rows_prepare_fold(vlm_op_call *c, vlm_row_table table, vlm_row_table last, const void *opts,
                                 size_t opts_bytes) {
  vlm_status st = VLM_OK;
  rows_fold *f;
  void *kept;
  VLM_TRY(vlm_op_state_new(c, &f));
  VLM_TRY(vlm_op_keep_new(c, &f->steps, c->n_in));
  VLM_TRY(keep_opts(c, &kept, opts, opts_bytes));
  for (int k = 1; k < c->n_in; k++) {
    vlm_row_inputs pair = {
        .n = 2, .input = {k == 1 ? 0 : VLM_ROW_RESULT, k}, .as = {k == 1 ? c->in[0] : c->out[0], c->in[k]}};
    VLM_TRY(add_step(c, f, &pair, table, NULL));
  }
  if (last)
    VLM_TRY(
        add_step(c, f, &(vlm_row_inputs){.n = 1, .input = {VLM_ROW_RESULT}, .as = {c->out[0]}}, last, kept));
out:
  return st;
}

vlm_status vlm_run_folded_rows(vlm_op_call *c) {
  const rows_fold *f = c->state;
  if (c->n_in == 1) vlm_copy_some(c->out[0]->data, c->in[0]->data, vlm_tensor_bytes(c->out[0]));
  for (int k = 0; k < f->n; k++) run_plan(c, &f->steps[k]);
  return VLM_OK;
}
