#include "runtime/ops/reduce_plan.h"

#include <string.h>

#include "runtime/ops/op_data.h"

vlm_status vlm_reduce_axes(vlm_op_call *c, bool axes[VLM_MAX_RANK]) {
  vlm_status st = VLM_OK;
  int64_t list[VLM_MAX_RANK];
  int count = 0, rank = c->in[0]->rank, axis;
  const vlm_attr *second = vlm_arg(c, 1);
  bool noop = second->kind == VLM_ATTR_INT && second->u.i;
  memset(axes, 0, VLM_MAX_RANK * sizeof *axes);
  if (vlm_in(c, 1)) VLM_TRY(vlm_read_ints(c, c->in[1], list, VLM_MAX_RANK, &count));
  else if (second->kind == VLM_ATTR_INTS) {
    VLM_CHECK(second->count <= VLM_MAX_RANK, c->err, VLM_INPUT, "%d axes; wanted at most %d", second->count,
              VLM_MAX_RANK);
    count = second->count;
    if (count) memcpy(list, second->u.ints, (size_t)count * sizeof *list);
  }
  for (int i = 0; i < count; i++) {
    VLM_TRY(vlm_axis(c, list[i], rank, false, &axis));
    axes[axis] = true;
  }
  for (int i = 0; count == 0 && !noop && i < rank; i++) axes[i] = true;
out:
  return st;
}

static void push(int *n, int64_t *dims, int64_t *strides, int64_t dim, int64_t stride) {
  if (*n > 0 && strides[*n - 1] == dim * stride) {
    dims[*n - 1] *= dim;
    strides[*n - 1] = stride;
    return;
  }
  dims[*n] = dim;
  strides[(*n)++] = stride;
}

void vlm_reduce_plan_make(vlm_reduce_plan *p, const vlm_tensor *t, const bool *axes) {
  *p = (vlm_reduce_plan){.outputs = 1, .count = 1};
  for (int i = 0; i < t->rank; i++) {
    int64_t dim = t->dims[i], stride = vlm_tensor_span(t, i + 1, t->rank);
    if (axes[i]) p->count *= dim;
    else p->outputs *= dim;
    if (dim == 1) continue;
    if (axes[i]) push(&p->n_reduced, p->reduced_dim, p->reduced_stride, dim, stride);
    else push(&p->n_kept, p->kept_dim, p->kept_stride, dim, stride);
  }
}

static int64_t locate(int n, const int64_t *dims, const int64_t *strides, int64_t i) {
  int64_t offset = 0;
  for (int d = n - 1; d >= 0; i /= dims[d--]) offset += i % dims[d] * strides[d];
  return offset;
}

int64_t vlm_reduce_base(const vlm_reduce_plan *p, int64_t i) {
  return locate(p->n_kept, p->kept_dim, p->kept_stride, i);
}
int64_t vlm_reduce_offset(const vlm_reduce_plan *p, int64_t j) {
  return locate(p->n_reduced, p->reduced_dim, p->reduced_stride, j);
}
