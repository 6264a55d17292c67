/* Pad: constant, reflect, edge, wrap; negative pads crop. Opset 1 to 10 by attributes, from 11 by inputs, from 18 with axes. */
#include <string.h>

#include "runtime/ops/box.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/table_copy.h"
#include "runtime/ops/values.h"

typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP, PAD_MODES } pad_mode;
static const char *const mode_names[PAD_MODES] = {"constant", "reflect", "edge", "wrap"};

/* pads[i] and pads[rank + i] are what is added before and after axis i. */
static vlm_status read_pads(vlm_op_call *c, int64_t *pads) {
  vlm_status st = VLM_OK;
  int rank = c->in[0]->rank, n, n_axes;
  int64_t given[2 * VLM_MAX_RANK], axes[VLM_MAX_RANK];
  bool inputs = c->node->opset >= 11;
  VLM_TRY(vlm_ints_arg(c, vlm_arg(c, 1)->kind == VLM_ATTR_INTS ? 1 : 2, inputs ? 1 : 99, given,
                       2 * VLM_MAX_RANK, &n));
  VLM_TRY(vlm_ints_arg(c, -1, inputs ? 3 : 99, axes, VLM_MAX_RANK, &n_axes));
  VLM_CHECK(n >= 0, c->err, VLM_INPUT, "no pads");
  int count = n_axes < 0 ? rank : n_axes;
  VLM_CHECK(n == 2 * count, c->err, VLM_INPUT, "pads has %d entries, wanted %d (two per axis)", n, 2 * count);
  memset(pads, 0, 2 * (size_t)rank * sizeof *pads);
  for (int i = 0; i < count; i++) {
    int axis;
    VLM_TRY(vlm_axis(c, n_axes < 0 ? i : axes[i], rank, false, &axis));
    pads[axis] = given[i];
    pads[rank + axis] = given[count + i];
  }
out:
  return st;
}

static vlm_status read_mode(vlm_op_call *c, pad_mode *mode) {
  const char *name = vlm_arg_string(c, 0, "constant");
  for (int m = 0; m < PAD_MODES; m++)
    if (strcmp(name, mode_names[m]) == 0) {
      *mode = (pad_mode)m;
      return VLM_OK;
    }
  return vlm_fail(c->err, VLM_INPUT, "mode is \"%s\", wanted constant, reflect, edge or wrap", name);
}

vlm_status vlm_infer_Pad(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t pads[2 * VLM_MAX_RANK], dims[VLM_MAX_RANK];
  VLM_TRY(read_pads(c, pads));
  for (int i = 0; i < x->rank; i++) {
    bool overflow = __builtin_add_overflow(x->dims[i], pads[i], &dims[i]) ||
                    __builtin_add_overflow(dims[i], pads[x->rank + i], &dims[i]);
    VLM_CHECK(!overflow && dims[i] >= 0, c->err, VLM_INPUT, "axis %d has size %lld and pads %lld, %lld", i,
              (long long)x->dims[i], (long long)pads[i], (long long)pads[x->rank + i]);
  }
  VLM_TRY(vlm_check_dims(c, x->rank, dims));
  vlm_out_shape(c, 0, x->dtype, x->rank, dims);
  c->same = true;
  for (int i = 0; i < 2 * x->rank; i++) c->same = c->same && pads[i] == 0;
out:
  return st;
}

/* Source index of output index `at` of an axis that keeps `n` entries (after cropping) behind `before` padded ones; -1 = the constant. */
static int64_t source_index(pad_mode mode, int64_t at, int64_t before, int64_t n) {
  int64_t i = at - before, period;
  if (i >= 0 && i < n) return i;
  switch (mode) {
    case PAD_EDGE: return i < 0 ? 0 : n - 1;
    case PAD_WRAP: return ((i % n) + n) % n;
    case PAD_REFLECT:
      if (n == 1) return 0;
      period = 2 * (n - 1);
      i = ((i % period) + period) % period;
      return i < n ? i : period - i;
    default: return -1;
  }
}

typedef struct {
  vlm_table_copy job; /* all but the pointers of the run */
  int64_t from;       /* bytes of the source that are cropped in front */
  vlm_bytes in, out;
  char constant[8];
  int value;   /* input with the constant, -1 = it is `constant` */
  bool copies; /* a scalar */
} pad_state;

/* Index tables of the axes. */
static vlm_status make_tables(vlm_op_call *c, pad_state *s, pad_mode mode, const vlm_tensor *x,
                              const int64_t *pads) {
  vlm_status st = VLM_OK;
  vlm_table_copy *job = &s->job;
  int64_t strides[VLM_MAX_RANK];
  vlm_byte_strides(x, strides);
  for (int i = 0; i < job->rank; i++) {
    int64_t before = pads[i], after = pads[x->rank + i], n = x->dims[i], *table;
    if (before < 0) s->from -= before * strides[i];
    n += (before < 0 ? before : 0) + (after < 0 ? after : 0);
    job->dims[i] = c->out[0]->dims[i];
    job->strides[i] = strides[i];
    VLM_CHECK(n > 0 || mode == PAD_CONSTANT, c->err, VLM_INPUT,
              "axis %d is empty, mode \"%s\" has nothing to repeat", i, mode_names[mode]);
    VLM_TRY(vlm_op_keep_new(c, &table, job->dims[i]));
    for (int64_t k = 0; k < job->dims[i]; k++) table[k] = source_index(mode, k, before > 0 ? before : 0, n);
    job->index[i] = table;
  }
out:
  return st;
}

vlm_status vlm_prepare_Pad(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  pad_state *s;
  const vlm_tensor x = vlm_whole(c->in[0]);
  pad_mode mode = PAD_CONSTANT;
  int64_t pads[2 * VLM_MAX_RANK];
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(read_mode(c, &mode));
  VLM_TRY(read_pads(c, pads));
  if (c->node->opset >= 11) VLM_TRY(vlm_require_type(c, 2, "constant_value", c->in[0]->dtype));
  s->value = c->node->opset >= 11 && vlm_in(c, 2) && vlm_tensor_count(c->in[2]) > 0 ? 2 : -1;
  s->copies = x.rank == 0;
  if (s->copies || vlm_tensor_count(c->out[0]) == 0) goto out;
  VLM_TRY(vlm_bytes_prepare(c, &s->in, c->in[0]));
  VLM_TRY(vlm_bytes_prepare(c, &s->out, c->out[0]));
  vlm_table_copy *job = &s->job;
  *job = (vlm_table_copy){.rank = x.rank, .item = vlm_item_size(&x)};
  vlm_tensor slot = vlm_tensor_make(c->in[0]->dtype, 0, NULL, s->constant);
  if (c->node->opset < 11) vlm_tensor_set(&slot, 0, vlm_arg_float(c, 3, 0));
  while (job->rank > 1 && pads[job->rank - 1] == 0 && pads[x.rank + job->rank - 1] == 0) job->rank--;
  job->run = (size_t)vlm_tensor_span(&x, job->rank, x.rank) * job->item;
  VLM_TRY(make_tables(c, s, mode, &x, pads));
out:
  return st;
}

vlm_status vlm_run_Pad(vlm_op_call *c) {
  const pad_state *s = c->state;
  vlm_table_copy job = s->job;
  if (s->copies) return vlm_run_copy(c);
  if (vlm_tensor_count(c->out[0]) == 0) return VLM_OK;
  char *y = vlm_bytes_place(c, &s->out, c->out[0]);
  job.src = (const char *)vlm_bytes_read(c, &s->in, c->in[0]) + s->from;
  job.dst = y;
  job.constant = s->value >= 0 ? c->in[s->value]->data : s->constant;
  vlm_table_copy_run(c->threads, &job);
  vlm_bytes_store(&s->out, c->out[0], y);
  return VLM_OK;
}
