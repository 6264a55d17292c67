/* Concat and Split: strided copies between one tensor and its parts along an axis. */
#include "runtime/ops/box.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

static vlm_status concat_axis(vlm_op_call *c, int *axis) {
  const vlm_attr *a = vlm_arg(c, 0);
  for (int k = 0; k < c->n_in; k++)
    if (!c->in[k]) return vlm_fail(c->err, VLM_INPUT, "input %d is missing", k);
  if (a->kind != VLM_ATTR_INT && c->node->opset >= 4)
    return vlm_fail(c->err, VLM_INPUT, "attribute axis is missing");
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
    VLM_CHECK(vlm_tensor_same_shape(&same, &y), c->err, VLM_INPUT,
              "input %d has shape %s, which does not join %s along axis %d", k,
              vlm_tensor_shape_text(x, got, sizeof got), vlm_tensor_shape_text(&y, wanted, sizeof wanted),
              axis);
    VLM_CHECK(x->dtype == y.dtype, c->err, VLM_INPUT, "input %d is %s, input 0 %s", k,
              vlm_dtype_name(x->dtype), vlm_dtype_name(y.dtype));
    y.dims[axis] += x->dims[axis];
  }
  vlm_out_shape(c, 0, y.dtype, y.rank, y.dims);
out:
  return st;
}

/* `count` runs of `run` elements between two tensors whose runs start `to` and `from` elements apart. */
static void plan_runs(vlm_nd_plan *plan, size_t item, int64_t count, int64_t run, int64_t to, int64_t from) {
  int64_t size = (int64_t)item;
  vlm_nd nd = {0};
  vlm_nd_push(&nd, count, to * size, from * size);
  vlm_nd_push(&nd, run, size, size);
  vlm_nd_plan_make(plan, &nd, item);
}

/* One copy between the whole and its part k. */
typedef struct {
  vlm_nd_plan plan;
  vlm_bytes bytes;
  size_t at; /* in the whole */
} piece;

typedef struct {
  vlm_bytes whole;
  piece *parts;
} concat_state;

static vlm_status make_state(vlm_op_call *c, concat_state **s, const vlm_tensor *whole, int32_t parts) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_op_state_new(c, s));
  VLM_TRY(vlm_op_keep_new(c, &(*s)->parts, parts));
  VLM_TRY(vlm_bytes_prepare(c, &(*s)->whole, whole));
out:
  return st;
}

vlm_status vlm_prepare_Concat(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  concat_state *s;
  const vlm_tensor y = vlm_whole(c->out[0]);
  int axis;
  VLM_TRY(concat_axis(c, &axis));
  VLM_TRY(make_state(c, &s, c->out[0], c->n_in));
  size_t item = vlm_item_size(&y);
  int64_t outer = vlm_tensor_span(&y, 0, axis), whole = vlm_tensor_span(&y, axis, y.rank), at = 0;
  for (int k = 0; k < c->n_in; k++) {
    int64_t run = vlm_tensor_span(c->in[k], axis, y.rank);
    VLM_TRY(vlm_bytes_prepare(c, &s->parts[k].bytes, c->in[k]));
    plan_runs(&s->parts[k].plan, item, outer, run, whole, run);
    s->parts[k].at = (size_t)at * item;
    at += run;
  }
out:
  return st;
}

vlm_status vlm_run_Concat(vlm_op_call *c) {
  const concat_state *s = c->state;
  char *y = vlm_bytes_place(c, &s->whole, c->out[0]);
  for (int k = 0; k < c->n_in; k++) {
    const piece *p = &s->parts[k];
    vlm_nd_plan_run(&p->plan, c->threads, y + p->at, vlm_bytes_read(c, &p->bytes, c->in[k]));
  }
  vlm_bytes_store(&s->whole, c->out[0], y);
  return VLM_OK;
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
  VLM_CHECK(given < 0 || given == c->n_out, c->err, VLM_INPUT, "split has %lld sizes, the node %d outputs",
            (long long)given, c->n_out);
  VLM_CHECK(given >= 0 || vlm_arg_int(c, 2, c->n_out) == c->n_out, c->err, VLM_INPUT,
            "num_outputs is %lld, the node has %d outputs", (long long)vlm_arg_int(c, 2, 0), c->n_out);
  int64_t left = x->dims[axis], part = (left + c->n_out - 1) / c->n_out, dims[VLM_MAX_RANK];
  for (int i = 0; i < x->rank; i++) dims[i] = x->dims[i];
  for (int k = 0; k < c->n_out; k++) {
    dims[axis] = given < 0 ? (part < left ? part : left) : t ? vlm_tensor_get_int(t, k) : a->u.ints[k];
    VLM_CHECK(dims[axis] >= 0 && dims[axis] <= left, c->err, VLM_INPUT,
              "part %d has size %lld, %lld are left of %lld", k, (long long)dims[axis], (long long)left,
              (long long)x->dims[axis]);
    left -= dims[axis];
    vlm_out_shape(c, k, x->dtype, x->rank, dims);
  }
  VLM_CHECK(left == 0, c->err, VLM_INPUT, "the parts leave %lld of %lld", (long long)left,
            (long long)x->dims[axis]);
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

vlm_status vlm_prepare_Split(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  concat_state *s;
  const vlm_tensor x = vlm_whole(c->in[0]);
  int axis;
  if (vlm_in(c, 1) && !c->in[1]->data) return VLM_UNKNOWN;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), x.rank, false, &axis));
  VLM_TRY(make_state(c, &s, c->in[0], c->n_out));
  size_t item = vlm_item_size(&x);
  int64_t outer = vlm_tensor_span(&x, 0, axis), whole = vlm_tensor_span(&x, axis, x.rank),
          inner = vlm_tensor_span(&x, axis + 1, x.rank);
  int64_t at = 0;
  for (int k = 0; k < c->n_out; k++) {
    piece *p = &s->parts[k];
    int64_t size = part_size(c, axis, k, x.dims[axis] - at), run = size * inner;
    p->at = (size_t)(at * inner) * item;
    at += size;
    if (!c->out[k]) continue;
    VLM_TRY(vlm_bytes_prepare(c, &p->bytes, c->out[k]));
    plan_runs(&p->plan, item, outer, run, run, whole);
  }
out:
  return st;
}

vlm_status vlm_run_Split(vlm_op_call *c) {
  const concat_state *s = c->state;
  const char *x = vlm_bytes_read(c, &s->whole, c->in[0]);
  for (int k = 0; k < c->n_out; k++) {
    const piece *p = &s->parts[k];
    if (!c->out[k]) continue;
    void *y = vlm_bytes_place(c, &p->bytes, c->out[k]);
    vlm_nd_plan_run(&p->plan, c->threads, y, x + p->at);
    vlm_bytes_store(&p->bytes, c->out[k], y);
  }
  return VLM_OK;
}
