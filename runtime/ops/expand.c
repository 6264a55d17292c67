/* Expand and Tile: repetition as a copy with zero source strides. */
#include "runtime/ops/box.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

vlm_status vlm_infer_Expand(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor shape = {.dtype = VLM_S64};
  int rank;
  int64_t dims[VLM_MAX_RANK];
  VLM_TRY(vlm_read_ints(c, c->in[1], shape.dims, VLM_MAX_RANK, &shape.rank));
  for (int i = 0; i < shape.rank; i++)
    VLM_CHECK(shape.dims[i] >= 0, c->err, VLM_INPUT, "shape entry %d is %lld", i, (long long)shape.dims[i]);
  VLM_TRY(vlm_broadcast_dims(c, c->in[0], &shape, &rank, dims));
  VLM_TRY(vlm_check_dims(c, rank, dims));
  vlm_out_shape(c, 0, c->in[0]->dtype, rank, dims);
  const vlm_tensor y = vlm_tensor_make(c->in[0]->dtype, rank, dims, NULL);
  c->same = vlm_tensor_count(&y) == vlm_tensor_count(c->in[0]);
out:
  return st;
}

vlm_status vlm_prepare_Expand(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor x = vlm_whole(c->in[0]), y = vlm_whole(c->out[0]);
  int64_t from[VLM_MAX_RANK], to[VLM_MAX_RANK];
  vlm_nd nd = {0};
  vlm_byte_strides(&x, from);
  vlm_byte_strides(&y, to);
  for (int i = 0, lead = y.rank - x.rank; i < y.rank; i++)
    vlm_nd_push(&nd, y.dims[i], to[i], i < lead || x.dims[i - lead] == 1 ? 0 : from[i - lead]);
  VLM_TRY(vlm_box_prepare(c, &nd, 0, 0, false));
out:
  return st;
}

/* Opset 1 gives one axis and its count; since 6 there is one count per axis. */
static vlm_status read_repeats(vlm_op_call *c, int64_t *repeats) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int n;
  if (c->node->opset >= 6) {
    VLM_TRY(vlm_read_ints(c, c->in[1], repeats, VLM_MAX_RANK, &n));
    VLM_CHECK(n == x->rank, c->err, VLM_INPUT, "repeats has %d entries, the input %d dims", n, x->rank);
  } else {
    int64_t given, times;
    int axis;
    VLM_CHECK(vlm_in(c, 2), c->err, VLM_INPUT, "axis is missing");
    VLM_TRY(vlm_scalar_int(c, 1, "tiles", 1, &times));
    VLM_TRY(vlm_scalar_int(c, 2, "axis", 0, &given));
    VLM_TRY(vlm_axis(c, given, x->rank, false, &axis));
    for (int i = 0; i < x->rank; i++) repeats[i] = i == axis ? times : 1;
  }
  for (int i = 0; i < x->rank; i++)
    VLM_CHECK(repeats[i] >= 0, c->err, VLM_INPUT, "axis %d is repeated %lld times", i, (long long)repeats[i]);
out:
  return st;
}

vlm_status vlm_infer_Tile(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t dims[VLM_MAX_RANK];
  VLM_TRY(read_repeats(c, dims));
  for (int i = 0; i < x->rank; i++)
    VLM_CHECK(!__builtin_mul_overflow(dims[i], x->dims[i], &dims[i]), c->err, VLM_LIMIT,
              "axis %d is repeated too often", i);
  VLM_TRY(vlm_check_dims(c, x->rank, dims));
  vlm_out_shape(c, 0, x->dtype, x->rank, dims);
  const vlm_tensor y = vlm_tensor_make(x->dtype, x->rank, dims, NULL);
  c->same = vlm_tensor_same_shape(&y, x);
out:
  return st;
}

vlm_status vlm_prepare_Tile(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor x = vlm_whole(c->in[0]), y = vlm_whole(c->out[0]);
  int64_t from[VLM_MAX_RANK], to[VLM_MAX_RANK], repeats[VLM_MAX_RANK];
  vlm_nd nd = {0};
  VLM_TRY(read_repeats(c, repeats));
  vlm_byte_strides(&x, from);
  vlm_byte_strides(&y, to);
  for (int i = 0; i < x.rank; i++) {
    vlm_nd_push(&nd, repeats[i], to[i] * x.dims[i], 0);
    vlm_nd_push(&nd, x.dims[i], to[i], from[i]);
  }
  VLM_TRY(vlm_box_prepare(c, &nd, 0, 0, false));
out:
  return st;
}
