#include "runtime/ops/view.h"

static void view_whole(const vlm_tensor *t, vlm_view *v) {
  int64_t stride = 1;
  *v = (vlm_view){.rank = t->rank};
  for (int d = t->rank - 1; d >= 0; d--) {
    v->dims[d] = t->dims[d];
    v->strides[d] = stride;
    stride *= t->dims[d];
  }
}

static vlm_status take_part(vlm_op_call *c, vlm_view *v, const int64_t *how) {
  const int64_t axis = how[VLM_VIEW_AXIS], part = how[VLM_VIEW_PART], parts = how[VLM_VIEW_PARTS];
  if (axis < 0) return VLM_OK;
  const bool fits = axis < v->rank && part >= 0 &&
                    (parts > 0 ? part < parts && v->dims[axis] % parts == 0 : part < v->dims[axis]);
  if (!fits)
    return vlm_fail(c->err, VLM_INPUT, "part %lld of %lld along axis %lld of an operand with %d dims",
                    (long long)part, (long long)parts, (long long)axis, v->rank);
  const int64_t length = parts > 0 ? v->dims[axis] / parts : 1;
  v->dims[axis] = length;
  v->offset = part * length * v->strides[axis];
  return VLM_OK;
}

vlm_status vlm_view_read(vlm_op_call *c, const vlm_tensor *t, const vlm_attr *how, vlm_view *out) {
  vlm_status st = VLM_OK;
  vlm_view whole;
  bool named[VLM_MAX_RANK] = {false};
  view_whole(t, &whole);
  *out = whole;
  if (how->kind != VLM_ATTR_INTS) goto out;
  VLM_CHECK(how->count >= VLM_VIEW_AXES && how->count <= VLM_VIEW_AXES + VLM_MAX_RANK, c->err, VLM_INPUT,
            "a view of %lld numbers", (long long)how->count);
  VLM_TRY(take_part(c, &whole, how->u.ints));
  out->rank = (int)how->count - VLM_VIEW_AXES;
  out->offset = whole.offset;
  for (int d = 0; d < out->rank; d++) {
    const int64_t axis = how->u.ints[VLM_VIEW_AXES + d];
    VLM_CHECK(axis >= 0 && axis < t->rank && !named[axis], c->err, VLM_INPUT,
              "axis %lld of an operand with %d dims", (long long)axis, t->rank);
    named[axis] = true;
    out->dims[d] = whole.dims[axis];
    out->strides[d] = whole.strides[axis];
  }
  for (int d = 0; d < t->rank; d++)
    VLM_CHECK(named[d] || whole.dims[d] == 1, c->err, VLM_INPUT, "dim %d of an operand is %lld; wanted 1", d,
              (long long)whole.dims[d]);
out:
  return st;
}
