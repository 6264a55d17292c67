/* Slice (attributes before opset 10, inputs since), CenterCropPad and ReverseSequence. */
#include <string.h>

#include "runtime/ops/box.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

typedef struct slice_box {
  int64_t start[VLM_MAX_RANK], step[VLM_MAX_RANK], count[VLM_MAX_RANK];
} slice_box;

static int64_t clamp(int64_t v, int64_t low, int64_t high) { return v < low ? low : v > high ? high : v; }

/* Numpy's rules; INT64_MIN and INT64_MAX as bounds mean "to the end". */
static void slice_axis(int64_t dim, int64_t start, int64_t end, int64_t step, slice_box *box, int axis) {
  int64_t last = step > 0 ? dim : dim - 1, first = step > 0 ? 0 : -1;
  if (start < 0) start += dim;
  if (end < 0) end += dim;
  start = clamp(start, 0, last);
  end = clamp(end, first, last);
  step = clamp(step, -dim - 1, dim + 1);
  int64_t n = step > 0 ? (end - start + step - 1) / step : (start - end - step - 1) / -step;
  box->start[axis] = start;
  box->step[axis] = step;
  box->count[axis] = dim == 0 || n < 0 ? 0 : n;
}

static vlm_status read_slice(vlm_op_call *c, slice_box *box) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  bool inputs = c->node->opset >= 10;
  int64_t starts[VLM_MAX_RANK], ends[VLM_MAX_RANK], axes[VLM_MAX_RANK], steps[VLM_MAX_RANK];
  int n, n_ends, n_axes, n_steps;
  VLM_TRY(vlm_ints_arg(c, 0, inputs ? 1 : 99, starts, VLM_MAX_RANK, &n));
  VLM_TRY(vlm_ints_arg(c, 1, inputs ? 2 : 99, ends, VLM_MAX_RANK, &n_ends));
  VLM_TRY(vlm_ints_arg(c, 2, inputs ? 3 : 99, axes, VLM_MAX_RANK, &n_axes));
  VLM_TRY(vlm_ints_arg(c, -1, inputs ? 4 : 99, steps, VLM_MAX_RANK, &n_steps));
  VLM_CHECK(n >= 0 && n == n_ends, c->err, VLM_INPUT, "%d starts and %d ends", n, n_ends);
  VLM_CHECK(n_axes < 0 || n_axes == n, c->err, VLM_INPUT, "%d axes for %d starts", n_axes, n);
  VLM_CHECK(n_steps < 0 || n_steps == n, c->err, VLM_INPUT, "%d steps for %d starts", n_steps, n);
  for (int i = 0; i < x->rank; i++) slice_axis(x->dims[i], 0, INT64_MAX, 1, box, i);
  for (int i = 0; i < n; i++) {
    int axis;
    VLM_TRY(vlm_axis(c, n_axes < 0 ? i : axes[i], x->rank, false, &axis));
    int64_t step = n_steps < 0 ? 1 : steps[i];
    VLM_CHECK(step != 0, c->err, VLM_INPUT, "the step of axis %d is 0", axis);
    slice_axis(x->dims[axis], starts[i], ends[i], step, box, axis);
  }
out:
  return st;
}

static bool takes_all(const slice_box *box, const vlm_tensor *x) {
  bool all = true;
  for (int i = 0; i < x->rank; i++)
    all = all && box->count[i] == x->dims[i] && (box->step[i] == 1 || x->dims[i] <= 1);
  return all;
}

vlm_status vlm_infer_Slice(vlm_op_call *c) {
  slice_box box;
  vlm_status st = read_slice(c, &box);
  if (st != VLM_OK) return st;
  vlm_out_shape(c, 0, c->in[0]->dtype, c->in[0]->rank, box.count);
  c->same = takes_all(&box, c->in[0]);
  return VLM_OK;
}

vlm_status vlm_prepare_Slice(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor x = vlm_whole(c->in[0]), y = vlm_whole(c->out[0]);
  slice_box box;
  int64_t from[VLM_MAX_RANK], to[VLM_MAX_RANK], at = 0;
  vlm_nd nd = {0};
  VLM_TRY(read_slice(c, &box));
  vlm_byte_strides(&x, from);
  vlm_byte_strides(&y, to);
  for (int i = 0; i < x.rank; i++) {
    at += box.start[i] * from[i];
    vlm_nd_push(&nd, box.count[i], to[i], box.step[i] * from[i]);
  }
  VLM_TRY(vlm_box_prepare(c, &nd, 0, at, false));
out:
  return st;
}

/* ---- CenterCropPad ---- */

static vlm_status center_shape(vlm_op_call *c, int64_t *dims) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t shape[VLM_MAX_RANK], axes[VLM_MAX_RANK];
  int n, n_axes;
  VLM_TRY(vlm_ints_arg(c, -1, 1, shape, VLM_MAX_RANK, &n));
  VLM_TRY(vlm_ints_arg(c, 0, 99, axes, VLM_MAX_RANK, &n_axes));
  VLM_CHECK(n == (n_axes < 0 ? x->rank : n_axes), c->err, VLM_INPUT, "shape has %d entries, wanted %d", n,
            n_axes < 0 ? x->rank : n_axes);
  memcpy(dims, x->dims, sizeof x->dims);
  for (int i = 0; i < n; i++) {
    int axis;
    VLM_TRY(vlm_axis(c, n_axes < 0 ? i : axes[i], x->rank, false, &axis));
    VLM_CHECK(shape[i] >= 0, c->err, VLM_INPUT, "shape entry %d is %lld", i, (long long)shape[i]);
    dims[axis] = shape[i];
  }
out:
  return st;
}

vlm_status vlm_infer_CenterCropPad(vlm_op_call *c) {
  int64_t dims[VLM_MAX_RANK];
  vlm_status st = center_shape(c, dims);
  if (st == VLM_OK) st = vlm_check_dims(c, c->in[0]->rank, dims);
  if (st == VLM_OK) vlm_out_shape(c, 0, c->in[0]->dtype, c->in[0]->rank, dims);
  return st;
}

vlm_status vlm_prepare_CenterCropPad(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor x = vlm_whole(c->in[0]), y = vlm_whole(c->out[0]);
  int64_t from[VLM_MAX_RANK], to[VLM_MAX_RANK], src = 0, dst = 0;
  vlm_nd nd = {0};
  vlm_byte_strides(&x, from);
  vlm_byte_strides(&y, to);
  for (int i = 0; i < x.rank; i++) {
    int64_t more = y.dims[i] - x.dims[i];
    if (more < 0) src += -more / 2 * from[i];
    else dst += more / 2 * to[i];
    vlm_nd_push(&nd, more < 0 ? y.dims[i] : x.dims[i], to[i], from[i]);
  }
  VLM_TRY(vlm_box_prepare(c, &nd, dst, src, true));
out:
  return st;
}

/* ---- ReverseSequence: the first len[b] steps of each batch row reversed ---- */

vlm_status vlm_infer_ReverseSequence(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t batch = vlm_arg_int(c, 0, 1), time = vlm_arg_int(c, 1, 0);
  VLM_CHECK(x->rank >= 2, c->err, VLM_INPUT, "input has %d dims, wanted at least 2", x->rank);
  VLM_CHECK((batch == 0 && time == 1) || (batch == 1 && time == 0), c->err, VLM_INPUT,
            "batch_axis %lld and time_axis %lld, wanted 0 and 1", (long long)batch, (long long)time);
  VLM_CHECK(c->in[1]->rank == 1 && c->in[1]->dims[0] == x->dims[batch], c->err, VLM_INPUT,
            "sequence_lens does not have one entry per batch row");
  vlm_out_like(c, 0, 0);
out:
  return st;
}

typedef struct {
  vlm_bytes x, y;
  int64_t batch, time, batch_stride, time_stride; /* axes, bytes */
  size_t run;
} reverse_state;

vlm_status vlm_prepare_ReverseSequence(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  reverse_state *s;
  const vlm_tensor x = vlm_whole(c->in[0]);
  int64_t strides[VLM_MAX_RANK];
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_bytes_prepare(c, &s->x, c->in[0]));
  VLM_TRY(vlm_bytes_prepare(c, &s->y, c->out[0]));
  vlm_byte_strides(&x, strides);
  s->batch = vlm_arg_int(c, 0, 1);
  s->time = 1 - s->batch;
  s->batch_stride = strides[s->batch];
  s->time_stride = strides[s->time];
  s->run = (size_t)vlm_tensor_span(&x, 2, x.rank) * vlm_item_size(&x);
out:
  return st;
}

vlm_status vlm_run_ReverseSequence(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const reverse_state *s = c->state;
  const char *x = vlm_bytes_read(c, &s->x, c->in[0]);
  char *y = vlm_bytes_place(c, &s->y, c->out[0]);
  int64_t batches = c->in[0]->dims[s->batch], steps = c->in[0]->dims[s->time];
  for (int64_t b = 0; b < batches; b++) {
    int64_t len = vlm_tensor_get_int(c->in[1], b);
    VLM_CHECK(len >= 0 && len <= steps, c->err, VLM_INPUT, "sequence_lens[%lld] is %lld, wanted 0 to %lld",
              (long long)b, (long long)len, (long long)steps);
    for (int64_t t = 0; t < steps; t++)
      vlm_copy_some(y + b * s->batch_stride + t * s->time_stride,
                    x + b * s->batch_stride + (t < len ? len - 1 - t : t) * s->time_stride, s->run);
  }
  vlm_bytes_store(&s->y, c->out[0], y);
out:
  return st;
}
