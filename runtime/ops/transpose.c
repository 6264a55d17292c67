/* Transpose and the two block rearrangements that are transposes of a split view. */
#include "runtime/ops/box.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

static vlm_status read_perm(vlm_op_call *c, int *perm) {
  vlm_status st = VLM_OK;
  const vlm_attr *a = vlm_arg(c, 0);
  int rank = c->in[0]->rank;
  bool seen[VLM_MAX_RANK] = {false};
  bool given = a->kind == VLM_ATTR_INTS && (a->count > 0 || rank == 0);
  VLM_CHECK(!given || a->count == rank, c->err, VLM_INPUT, "perm has %d entries, the input %d dims", a->count,
            rank);
  for (int i = 0; i < rank; i++) {
    int64_t p = given ? a->u.ints[i] : rank - 1 - i;
    VLM_TRY(vlm_axis(c, p, rank, false, &perm[i]));
    VLM_CHECK(!seen[perm[i]], c->err, VLM_INPUT, "perm names axis %d twice", perm[i]);
    seen[perm[i]] = true;
  }
out:
  return st;
}

/* Only dims of 1 change places. */
static bool keeps_order(const vlm_tensor *x, const int *perm) {
  int last = -1;
  for (int i = 0; i < x->rank; i++) {
    if (x->dims[perm[i]] == 1) continue;
    if (perm[i] < last) return false;
    last = perm[i];
  }
  return true;
}

vlm_status vlm_infer_Transpose(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int perm[VLM_MAX_RANK];
  int64_t dims[VLM_MAX_RANK];
  VLM_TRY(read_perm(c, perm));
  for (int i = 0; i < x->rank; i++) dims[i] = x->dims[perm[i]];
  vlm_out_shape(c, 0, x->dtype, x->rank, dims);
  c->same = keeps_order(x, perm);
  c->moves = true;
  for (int i = 0; i < x->rank; i++) c->order[i] = (uint8_t)perm[i];
out:
  return st;
}

vlm_status vlm_prepare_Transpose(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor x = vlm_whole(c->in[0]), y = vlm_whole(c->out[0]);
  int perm[VLM_MAX_RANK];
  int64_t from[VLM_MAX_RANK], to[VLM_MAX_RANK];
  vlm_nd nd = {0};
  VLM_TRY(read_perm(c, perm));
  vlm_byte_strides(&x, from);
  vlm_byte_strides(&y, to);
  for (int i = 0; i < x.rank; i++) vlm_nd_push(&nd, y.dims[i], to[i], from[perm[i]]);
  VLM_TRY(vlm_box_prepare(c, &nd, 0, 0, false));
out:
  return st;
}

/* ---- DepthToSpace / SpaceToDepth: [N, C, H, W] with a block size ---- */

static vlm_status block_size(vlm_op_call *c, int64_t *b) {
  vlm_status st = VLM_OK;
  *b = vlm_arg_int(c, 0, 0);
  VLM_CHECK(c->in[0]->rank == 4, c->err, VLM_INPUT, "input has %d dims, wanted 4 (NCHW)", c->in[0]->rank);
  VLM_CHECK(*b > 0 && *b < (1 << 15), c->err, VLM_INPUT, "blocksize is %lld, wanted a positive number",
            (long long)*b);
out:
  return st;
}

vlm_status vlm_infer_DepthToSpace(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t b;
  VLM_TRY(block_size(c, &b));
  VLM_CHECK(x->dims[1] % (b * b) == 0, c->err, VLM_INPUT, "%lld channels do not divide by blocksize^2 = %lld",
            (long long)x->dims[1], (long long)(b * b));
  int64_t dims[4] = {x->dims[0], x->dims[1] / (b * b), x->dims[2] * b, x->dims[3] * b};
  vlm_out_shape(c, 0, x->dtype, 4, dims);
out:
  return st;
}

vlm_status vlm_prepare_DepthToSpace(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor x = vlm_whole(c->in[0]), y = vlm_whole(c->out[0]);
  bool crd = vlm_arg_string(c, 1, "DCR")[0] == 'C';
  int64_t b, s[4], d[4];
  VLM_TRY(block_size(c, &b));
  vlm_byte_strides(&x, s);
  vlm_byte_strides(&y, d);
  int64_t depth = y.dims[1];
  int64_t channel = crd ? s[1] * b * b : s[1], row = crd ? s[1] * b : s[1] * depth * b,
          col = crd ? s[1] : s[1] * depth;
  vlm_nd nd = {0};
  vlm_nd_push(&nd, x.dims[0], d[0], s[0]);
  vlm_nd_push(&nd, depth, d[1], channel);
  vlm_nd_push(&nd, x.dims[2], d[2] * b, s[2]);
  vlm_nd_push(&nd, b, d[2], row);
  vlm_nd_push(&nd, x.dims[3], d[3] * b, s[3]);
  vlm_nd_push(&nd, b, d[3], col);
  VLM_TRY(vlm_box_prepare(c, &nd, 0, 0, false));
out:
  return st;
}

/* ---- vlm.DepthToSpace: [N, H, W, C] with channels in the order row of the block, column, channel ---- */

vlm_status vlm_infer_DepthToSpaceLast(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t b;
  VLM_TRY(block_size(c, &b));
  VLM_CHECK(x->dims[3] % (b * b) == 0, c->err, VLM_INPUT, "%lld channels do not divide by blocksize^2 = %lld",
            (long long)x->dims[3], (long long)(b * b));
  int64_t dims[4] = {x->dims[0], x->dims[1] * b, x->dims[2] * b, x->dims[3] / (b * b)};
  vlm_out_shape(c, 0, x->dtype, 4, dims);
out:
  return st;
}

vlm_status vlm_prepare_DepthToSpaceLast(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor x = vlm_whole(c->in[0]), y = vlm_whole(c->out[0]);
  int64_t b, s[4], d[4];
  VLM_TRY(block_size(c, &b));
  vlm_byte_strides(&x, s);
  vlm_byte_strides(&y, d);
  vlm_nd nd = {0};
  vlm_nd_push(&nd, x.dims[0] * x.dims[1], d[1] * b, s[1]);
  vlm_nd_push(&nd, b, d[1], s[3] * b * y.dims[3]);
  vlm_nd_push(&nd, x.dims[2], d[2] * b, s[2]);
  vlm_nd_push(&nd, b * y.dims[3], d[3], s[3]);
  VLM_TRY(vlm_box_prepare(c, &nd, 0, 0, false));
out:
  return st;
}

vlm_status vlm_infer_SpaceToDepth(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0];
  int64_t b;
  VLM_TRY(block_size(c, &b));
  VLM_CHECK(x->dims[2] % b == 0 && x->dims[3] % b == 0, c->err, VLM_INPUT,
            "%lld x %lld does not divide by blocksize %lld", (long long)x->dims[2], (long long)x->dims[3],
            (long long)b);
  int64_t dims[4] = {x->dims[0], x->dims[1] * b * b, x->dims[2] / b, x->dims[3] / b};
  vlm_out_shape(c, 0, x->dtype, 4, dims);
out:
  return st;
}

vlm_status vlm_prepare_SpaceToDepth(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor x = vlm_whole(c->in[0]), y = vlm_whole(c->out[0]);
  bool crd = vlm_arg_string(c, 1, "DCR")[0] == 'C';
  int64_t b, s[4], d[4];
  VLM_TRY(block_size(c, &b));
  vlm_byte_strides(&x, s);
  vlm_byte_strides(&y, d);
  int64_t depth = x.dims[1];
  int64_t channel = crd ? d[1] * b * b : d[1], row = crd ? d[1] * b : d[1] * depth * b,
          col = crd ? d[1] : d[1] * depth;
  vlm_nd nd = {0};
  vlm_nd_push(&nd, x.dims[0], d[0], s[0]);
  vlm_nd_push(&nd, b, row, s[2]);
  vlm_nd_push(&nd, b, col, s[3]);
  vlm_nd_push(&nd, depth, channel, s[1]);
  vlm_nd_push(&nd, y.dims[2], d[2], s[2] * b);
  vlm_nd_push(&nd, y.dims[3], d[3], s[3] * b);
  VLM_TRY(vlm_box_prepare(c, &nd, 0, 0, false));
out:
  return st;
}
