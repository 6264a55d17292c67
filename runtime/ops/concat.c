/* Concat and Split: strided copies between one tensor and its parts along an axis. */
#include "runtime/ops/nd_copy.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

static vlm_status concat_axis(vlm_op_call *c, int *axis) {
  const vlm_attr *a = vlm_arg(c, 0);
  for (int k = 0; k < c->n_in; k++)
    if (!c->in[k]) return vlm_fail(c->err, VLM_INPUT, "input %d is missing", k);
  if (a->kind != VLM_ATTR_INT && c->node->opset >= 4) return vlm_fail(c->err, VLM_INPUT, "attribute axis is missing");
  return vlm_axis(c, vlm_arg_int(c, 0, 1), c->in[0]->rank, false, axis);
}

vlm_status vlm_infer_Concat(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor y = *c->in[0];
  int axis;
  char got[128], wanted[128];
  VLM_TRY(concat_axis(c, &axis));
  for (int k = 1; k < c->n_in; k++) {
    const vlm_tensor *x = c->in[k];
    vlm_tensor same = *x;
    if (same.rank == y.rank) same.dims[axis] = y.dims[axis];
    VLM_CHECK(vlm_tensor_same_shape(&same, &y), c->err, VLM_INPUT, "input %d has shape %s, which does not join %s along axis %d", k,
              vlm_tensor_shape_text(x, got, sizeof got), vlm_tensor_shape_text(&y, wanted, sizeof wanted), axis);
    VLM_CHECK(x->dtype == y.dtype, c->err, VLM_INPUT, "input %d is %s, input 0 %s", k, vlm_dtype_name(x->dtype), vlm_dtype_name(y.dtype));
    y.dims[axis] += x->dims[axis];
  }
  vlm_out_shape(c, 0, y.dtype, y.rank, y.dims);
out:
  return st;
}

/* Copies `count` runs of `run` elements between two tensors whose runs start `to` and `from` elements apart. */
static void copy_runs(vlm_op_call *c, void *dst, const void *src, size_t item, int64_t count, int64_t run, int64_t to, int64_t from) {
  int64_t size = (int64_t)item;
  vlm_nd nd = {0};
  vlm_nd_push(&nd, count, to * size, from * size);
  vlm_nd_push(&nd, run, size, size);
  vlm_nd_copy(c->threads, &nd, item, dst, src);
}

vlm_status vlm_run_Concat(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor y;
  int axis;
  VLM_TRY(concat_axis(c, &axis));
  VLM_TRY(vlm_unpacked_out(c, 0, &y));
  size_t item = vlm_item_size(&y);
  int64_t outer = vlm_tensor_span(&y, 0, axis), whole = vlm_tensor_span(&y, axis, y.rank), at = 0;
  for (int k = 0; k < c->n_in; k++) {
    vlm_tensor x;
    VLM_TRY(vlm_unpacked_in(c, k, &x));
    int64_t run = vlm_tensor_span(&x, axis, x.rank);
    copy_runs(c, (char *)y.data + (size_t)at * item, x.data, item, outer, run, whole, run);
    at += run;
  }
  vlm_pack_out(c, 0, &y);
out:
  return st;
}

/* ---- Split: sizes from the attribute (< 13), input 1, num_outputs or equal parts ---- */

vlm_status vlm_infer_Split(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *t = vlm_in(c, 1);
  const vlm_attr *a = vlm_arg(c, 1);
  int axis;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), x->rank, false, &axis));
  if (t && !t->data) return VLM_UNKNOWN;
  int64_t given = t ? vlm_tensor_count(t) : a->kind == VLM_ATTR_INTS ? a->count : -1;
  VLM_CHECK(given < 0 || given == c->n_out, c->err, VLM_INPUT, "split has %lld sizes, the node %d outputs", (long long)given, c->n_out);
  VLM_CHECK(given >= 0 || vlm_arg_int(c, 2, c->n_out) == c->n_out, c->err, VLM_INPUT, "num_outputs is %lld, the node has %d outputs",
            (long long)vlm_arg_int(c, 2, 0), c->n_out);
  int64_t left = x->dims[axis], part = (left + c->n_out - 1) / c->n_out, dims[VLM_MAX_RANK];
  for (int i = 0; i < x->rank; i++) dims[i] = x->dims[i];
  for (int k = 0; k < c->n_out; k++) {
    dims[axis] = given < 0 ? (part < left ? part : left) : t ? vlm_tensor_get_int(t, k) : a->u.ints[k];
    VLM_CHECK(dims[axis] >= 0 && dims[axis] <= left, c->err, VLM_INPUT, "part %d has size %lld, %lld are left of %lld", k,
              (long long)dims[axis], (long long)left, (long long)x->dims[axis]);
    left -= dims[axis];
    vlm_out_shape(c, k, x->dtype, x->rank, dims);
  }
  VLM_CHECK(left == 0, c->err, VLM_INPUT, "the parts leave %lld of %lld", (long long)left, (long long)x->dims[axis]);
out:
  return st;
}

/* Size of part k along the axis, whether the output is wanted or not. */
static int64_t part_size(vlm_op_call *c, int axis, int k, int64_t left) {
  const vlm_tensor *t = vlm_in(c, 1);
  const vlm_attr *a = vlm_arg(c, 1);
  if (t) return vlm_tensor_get_int(t, k);
  if (a->kind == VLM_ATTR_INTS) return a->u.ints[k];
  int64_t part = (c->in[0]->dims[axis] + c->n_out - 1) / c->n_out;
  return part < left ? part : left;
}

vlm_status vlm_run_Split(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor x;
  int axis;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), c->in[0]->rank, false, &axis));
  VLM_TRY(vlm_unpacked_in(c, 0, &x));
  size_t item = vlm_item_size(&x);
  int64_t outer = vlm_tensor_span(&x, 0, axis), whole = vlm_tensor_span(&x, axis, x.rank), inner = vlm_tensor_span(&x, axis + 1, x.rank);
  int64_t at = 0;
  for (int k = 0; k < c->n_out; k++) {
    int64_t size = part_size(c, axis, k, x.dims[axis] - at), run = size * inner;
    if (c->out[k]) {
      vlm_tensor y;
      VLM_TRY(vlm_unpacked_out(c, k, &y));
      copy_runs(c, y.data, (const char *)x.data + (size_t)(at * inner) * item, item, outer, run, run, whole);
      vlm_pack_out(c, k, &y);
    }
    at += size;
  }
out:
  return st;
}
