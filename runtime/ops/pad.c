/* Pad: constant, reflect, edge, wrap; negative pads crop. Opset 1 to 10 by attributes, from 11 by inputs, from 18 with axes. */
#include <string.h>

#include "runtime/ops/nd_copy.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/table_copy.h"

typedef enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP, PAD_MODES } pad_mode;
static const char *const mode_names[PAD_MODES] = {"constant", "reflect", "edge", "wrap"};

/* pads[i] and pads[rank + i] are what is added before and after axis i. */
static vlm_status read_pads(vlm_op_call *c, int64_t *pads) {
  vlm_status st = VLM_OK;
  int rank = c->in[0]->rank, n, n_axes;
  int64_t given[2 * VLM_MAX_RANK], axes[VLM_MAX_RANK];
  bool inputs = c->node->opset >= 11;
  VLM_TRY(vlm_ints_arg(c, vlm_arg(c, 1)->kind == VLM_ATTR_INTS ? 1 : 2, inputs ? 1 : 99, given, 2 * VLM_MAX_RANK, &n));
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
    bool overflow = __builtin_add_overflow(x->dims[i], pads[i], &dims[i]) || __builtin_add_overflow(dims[i], pads[x->rank + i], &dims[i]);
    VLM_CHECK(!overflow && dims[i] >= 0, c->err, VLM_INPUT, "axis %d has size %lld and pads %lld, %lld", i, (long long)x->dims[i],
              (long long)pads[i], (long long)pads[x->rank + i]);
  }
  VLM_TRY(vlm_check_dims(c, x->rank, dims));
  vlm_out_shape(c, 0, x->dtype, x->rank, dims);
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

/* Index tables of the axes; the source pointer skips what is cropped in front. */
static vlm_status make_tables(vlm_op_call *c, vlm_table_copy *job, pad_mode mode, const vlm_tensor *x, const int64_t *pads) {
  vlm_status st = VLM_OK;
  int64_t strides[VLM_MAX_RANK];
  vlm_byte_strides(x, strides);
  for (int i = 0; i < job->rank; i++) {
    int64_t before = pads[i], after = pads[x->rank + i], n = x->dims[i];
    if (before < 0) job->src = (const char *)job->src - before * strides[i];
    n += (before < 0 ? before : 0) + (after < 0 ? after : 0);
    job->dims[i] = c->out[0]->dims[i];
    job->strides[i] = strides[i];
    VLM_CHECK(n > 0 || mode == PAD_CONSTANT, c->err, VLM_INPUT, "axis %d is empty, mode \"%s\" has nothing to repeat", i, mode_names[mode]);
    void *table;
    VLM_TRY(vlm_scratch_array(c, &table, job->dims[i], sizeof(int64_t)));
    for (int64_t k = 0; k < job->dims[i]; k++) ((int64_t *)table)[k] = source_index(mode, k, before > 0 ? before : 0, n);
    job->index[i] = table;
  }
out:
  return st;
}

vlm_status vlm_run_Pad(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *value = c->node->opset >= 11 ? vlm_in(c, 2) : NULL;
  vlm_tensor x, y;
  pad_mode mode = PAD_CONSTANT;
  int64_t pads[2 * VLM_MAX_RANK];
  char constant[8] = {0};
  vlm_tensor slot = vlm_tensor_make(c->in[0]->dtype, 0, NULL, constant);
  VLM_TRY(read_mode(c, &mode));
  VLM_TRY(read_pads(c, pads));
  if (c->node->opset >= 11) VLM_TRY(vlm_require_type(c, 2, "constant_value", c->in[0]->dtype));
  if (vlm_tensor_count(c->out[0]) == 0) goto out;
  if (c->in[0]->rank == 0) {
    VLM_TRY(vlm_run_copy(c));
    goto out;
  }
  VLM_TRY(vlm_unpacked_in(c, 0, &x));
  VLM_TRY(vlm_unpacked_out(c, 0, &y));
  vlm_table_copy job = {.rank = x.rank, .item = vlm_item_size(&x), .src = x.data, .dst = y.data, .constant = constant};
  if (value && vlm_tensor_count(value) > 0) memcpy(constant, value->data, job.item);
  else if (c->node->opset < 11) vlm_tensor_set(&slot, 0, vlm_arg_float(c, 3, 0));
  while (job.rank > 1 && pads[job.rank - 1] == 0 && pads[x.rank + job.rank - 1] == 0) job.rank--;
  job.run = (size_t)vlm_tensor_span(&x, job.rank, x.rank) * job.item;
  VLM_TRY(make_tables(c, &job, mode, &x, pads));
  vlm_table_copy_run(c->threads, &job);
  vlm_pack_out(c, 0, &y);
out:
  return st;
}
