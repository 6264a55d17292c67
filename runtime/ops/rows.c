#include "runtime/ops/rows.h"

#include <string.h>

#include "runtime/kernels/kernels.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"

enum { CHUNK = 256 }; /* values converted at a time */

/* A broadcast, collapsed: strides in elements. */
typedef struct {
  int rank, n_in;
  int64_t dims[VLM_MAX_RANK];
  int64_t count; /* elements of the result */
  int64_t stride[VLM_ROW_INPUTS][VLM_MAX_RANK];
  size_t in_size[VLM_ROW_INPUTS], out_size;
  vlm_dtype in_type[VLM_ROW_INPUTS], out_type;
  bool convert;
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
    for (int k = 0; k < p->n_in; k++) join = join && p->stride[k][p->rank - 1] == strides[k][i] * out->dims[i];
    int at = join ? p->rank - 1 : p->rank++;
    p->dims[at] = join ? p->dims[at] * out->dims[i] : out->dims[i];
    for (int k = 0; k < p->n_in; k++) p->stride[k][at] = strides[k][i];
  }
  if (p->rank == 0) {
    p->rank = 1;
    p->dims[0] = 1;
  }
}

static bool is_half(vlm_dtype t) { return t == VLM_F16 || t == VLM_BF16; }

static void half_to_float(const rows_plan *p, float *out, const uint16_t *in, int64_t n, vlm_dtype type) {
  if (type == VLM_F16) p->ops->f16_to_f32(out, in, n);
  else p->ops->bf16_to_f32(out, in, n);
}

static void float_to_half(const rows_plan *p, uint16_t *out, const float *in, int64_t n, vlm_dtype type) {
  if (type == VLM_F16) p->ops->f32_to_f16(out, in, n);
  else p->ops->f32_to_bf16(out, in, n);
}

/* Runs one row through float32 buffers. */
static void run_converted(const rows_plan *p, const vlm_row *whole) {
  float in[VLM_ROW_INPUTS][CHUNK], result[CHUNK];
  for (int64_t done = 0; done < whole->n; done += CHUNK) {
    vlm_row row = *whole;
    row.n = whole->n - done < CHUNK ? whole->n - done : CHUNK;
    for (int k = 0; k < p->n_in; k++) {
      row.in[k] = (const uint8_t *)whole->in[k] + (size_t)(done * whole->step[k]) * p->in_size[k];
      if (!is_half(p->in_type[k])) continue;
      half_to_float(p, in[k], row.in[k], whole->step[k] ? row.n : 1, p->in_type[k]);
      row.in[k] = in[k];
    }
    uint8_t *out = (uint8_t *)whole->out + (size_t)done * p->out_size;
    row.out = is_half(p->out_type) ? (void *)result : out;
    p->fn(&row);
    if (is_half(p->out_type)) float_to_half(p, (uint16_t *)out, result, row.n, p->out_type);
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
    vlm_row row = {.out = j->out + (size_t)begin * p->out_size, .n = width - skip, .opts = p->opts, .ops = p->ops};
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

static vlm_status make_plan(vlm_op_call *c, rows_plan *p, const vlm_tensor *out, const vlm_tensor *const *in, int n_in, vlm_row_fn *fn, bool convert,
                            const void *opts) {
  *p = (rows_plan){.n_in = n_in, .out_type = out->dtype, .out_size = (size_t)vlm_dtype_bits(out->dtype) / 8, .fn = fn, .opts = opts,
              .ops = vlm_call_rowops(c), .count = vlm_tensor_count(out)};
  int64_t strides[VLM_ROW_INPUTS][VLM_MAX_RANK] = {{0}};
  for (int k = 0; k < n_in; k++) {
    char from[128], to[128];
    if (!input_strides(out, in[k], strides[k]))
      return vlm_fail(c->err, VLM_INPUT, "input %d of shape %s does not broadcast to %s", k,
                      vlm_tensor_shape_text(in[k], from, sizeof from), vlm_tensor_shape_text(out, to, sizeof to));
    p->in_type[k] = in[k]->dtype;
    p->in_size[k] = (size_t)vlm_dtype_bits(in[k]->dtype) / 8;
    p->convert |= convert && is_half(in[k]->dtype);
  }
  p->convert |= convert && is_half(out->dtype);
  collapse(p, out, strides);
  return VLM_OK;
}

static void run_plan(vlm_op_call *c, const rows_plan *p, const vlm_tensor *out, const vlm_tensor *const *in) {
  rows_job j = {.p = p, .out = out->data};
  for (int k = 0; k < p->n_in; k++) j.in[k] = in[k]->data;
  if (p->count > VLM_ROW_GRAIN) vlm_threads_range(c->threads, p->count, VLM_ROW_GRAIN, run_range, &j);
  else if (p->count > 0) run_range(&j, 0, p->count, 0);
}

static vlm_status apply(vlm_op_call *c, const vlm_tensor *out, const vlm_tensor *const *in, int n_in, vlm_row_fn *fn, bool convert,
                        const void *opts) {
  rows_plan p;
  vlm_status st = make_plan(c, &p, out, in, n_in, fn, convert, opts);
  if (st == VLM_OK) run_plan(c, &p, out, in);
  return st;
}

vlm_status vlm_rows_apply_raw(vlm_op_call *c, const vlm_tensor *out, const vlm_tensor *const *in, int n_in, vlm_row_fn *fn,
                              const void *opts) {
  return apply(c, out, in, n_in, fn, false, opts);
}

/* The function for the type of input 0. */
static vlm_status choose(vlm_op_call *c, const vlm_tensor *const *in, int n_in, vlm_row_table table, vlm_row_fn **fn, bool *convert) {
  vlm_dtype type = in[0]->dtype;
  *fn = table[type];
  *convert = !*fn && is_half(type);
  if (*convert) *fn = table[VLM_F32];
  if (!*fn) return vlm_fail(c->err, VLM_UNSUPPORTED, "no form for elements of type %s", vlm_dtype_name(type));
  for (int k = 1; k < n_in; k++)
    if (in[k]->dtype != type)
      return vlm_fail(c->err, VLM_INPUT, "input %d is of type %s, input 0 of type %s; they must be the same", k,
                      vlm_dtype_name(in[k]->dtype), vlm_dtype_name(type));
  return VLM_OK;
}

vlm_status vlm_rows_apply(vlm_op_call *c, const vlm_tensor *out, const vlm_tensor *const *in, int n_in, vlm_row_table table,
                          const void *opts) {
  vlm_row_fn *fn;
  bool convert;
  vlm_status st = choose(c, in, n_in, table, &fn, &convert);
  return st == VLM_OK ? apply(c, out, in, n_in, fn, convert, opts) : st;
}

/* ---- prepared: the inputs of the node in their order ---- */

static vlm_status prepare_with(vlm_op_call *c, const vlm_tensor *const *in, int n_in, vlm_row_fn *fn, bool convert, const void *opts,
                               size_t opts_bytes) {
  vlm_status st = VLM_OK;
  rows_plan *p;
  void *kept = NULL;
  VLM_TRY(vlm_op_state_new(c, &p));
  if (opts) {
    VLM_TRY(vlm_op_keep(c, &kept, 1, opts_bytes));
    memcpy(kept, opts, opts_bytes);
  }
  VLM_TRY(make_plan(c, p, c->out[0], in, n_in, fn, convert, kept));
out:
  return st;
}

static vlm_status prepare(vlm_op_call *c, const vlm_tensor *const *in, int n_in, vlm_row_table table, const void *opts, size_t opts_bytes) {
  vlm_row_fn *fn;
  bool convert;
  vlm_status st = choose(c, in, n_in, table, &fn, &convert);
  return st == VLM_OK ? prepare_with(c, in, n_in, fn, convert, opts, opts_bytes) : st;
}

vlm_status vlm_rows_prepare_raw(vlm_op_call *c, int n_in, vlm_row_fn *fn, const void *opts, size_t opts_bytes) {
  return prepare_with(c, c->in, n_in, fn, false, opts, opts_bytes);
}

vlm_status vlm_run_rows(vlm_op_call *c) {
  run_plan(c, c->state, c->out[0], c->in);
  return VLM_OK;
}

vlm_status vlm_rows_prepare(vlm_op_call *c, int n_in, vlm_row_table table, const void *opts, size_t opts_bytes) {
  return prepare(c, c->in, n_in, table, opts, opts_bytes);
}

vlm_status vlm_rows_prepare_binary(vlm_op_call *c, vlm_row_table table) {
  if (c->node->opset >= 7) return prepare(c, c->in, 2, table, NULL, 0);
  vlm_tensor b = *c->in[1];
  const vlm_tensor *in[2] = {c->in[0], &b};
  int axis = 0;
  if (vlm_arg(c, 0)->kind == VLM_ATTR_INT && vlm_arg_int(c, 1, 0)) {
    vlm_status st = vlm_axis(c, vlm_arg_int(c, 0, 0), in[0]->rank, true, &axis);
    if (st != VLM_OK) return st;
    for (; b.rank < in[0]->rank - axis; b.rank++) b.dims[b.rank] = 1;
  }
  return prepare(c, in, 2, table, NULL, 0);
}
