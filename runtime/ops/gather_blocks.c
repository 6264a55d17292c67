/* com.microsoft GatherBlockQuantized: Gather of (q - zero) * scale, one scale per block along quantize_axis. */
#include "runtime/ops/gather.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"

typedef struct block_layout {
  int gather_axis, quantize_axis;
  int64_t block,
      per_byte; /* per_byte > 1: uint8 data packs that many values along the last axis, low bits first */
  vlm_tensor x; /* data with its unpacked shape */
} block_layout;

static vlm_status read_layout(vlm_op_call *c, block_layout *b) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *s = c->in[2];
  int64_t bits = vlm_arg_int(c, 3, 4), zeros[VLM_MAX_RANK];
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), x->rank, false, &b->gather_axis));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 1, 1), x->rank, false, &b->quantize_axis));
  b->block = vlm_arg_int(c, 2, 128);
  VLM_CHECK(b->block > 0 && vlm_is_extent(b->block), c->err, VLM_INPUT, "block_size is %lld",
            (long long)b->block);
  VLM_CHECK(bits == 4 || bits == 8, c->err, VLM_UNSUPPORTED,
            "operator GatherBlockQuantized with %lld bits is not supported", (long long)bits);
  b->x = *x;
  b->per_byte = x->dtype == VLM_U8 && bits == 4 ? 2 : 1;
  b->x.dims[x->rank - 1] *= b->per_byte;
  VLM_CHECK(s->rank == x->rank, c->err, VLM_INPUT, "scales has %d dims, data %d", s->rank, x->rank);
  for (int i = 0; i < x->rank; i++) {
    int64_t want = i == b->quantize_axis ? (b->x.dims[i] + b->block - 1) / b->block : b->x.dims[i];
    VLM_CHECK(s->dims[i] == want, c->err, VLM_INPUT, "scales dim %d is %lld, wanted %lld", i,
              (long long)s->dims[i], (long long)want);
    zeros[i] = want;
  }
  if (b->per_byte > 1) zeros[x->rank - 1] = (zeros[x->rank - 1] + 1) / 2;
  VLM_TRY(vlm_require_type(c, 3, "zero_points", x->dtype));
  VLM_TRY(vlm_require_dims(c, 3, "zero_points", x->rank, zeros));
out:
  return st;
}

vlm_status vlm_infer_GatherBlockQuantized(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  block_layout b;
  int64_t dims[VLM_MAX_RANK];
  int rank;
  VLM_TRY(read_layout(c, &b));
  VLM_TRY(vlm_gather_shape(c, b.gather_axis, dims, &rank));
  if (b.gather_axis != c->in[0]->rank - 1) dims[rank - 1] = b.x.dims[b.x.rank - 1];
  vlm_out_shape(c, 0, c->in[2]->dtype, rank, dims);
out:
  return st;
}

/* Value i of a tensor whose rows of `width` values may be packed two per byte. */
static int64_t quantized_value(const vlm_tensor *t, int64_t per_byte, int64_t width, int64_t i) {
  if (per_byte == 1) return vlm_tensor_get_int(t, i);
  int64_t row = i / width, col = i % width;
  return ((const uint8_t *)t->data)[row * ((width + 1) / 2) + col / 2] >> (col % 2 * 4) & 15;
}

typedef struct {
  block_layout b;
  size_t index;
  int64_t picks, inner, size;      /* indices, elements behind one, size of the gathered axis */
  int64_t q_inner, q_size, blocks; /* the same of the quantized axis; its blocks */
  int64_t width, s_width, middle;  /* values of a row, scales of a row; the zero point when none is given */
} block_gather;

vlm_status vlm_prepare_GatherBlockQuantized(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  block_gather *g;
  const vlm_tensor *scales = c->in[2];
  VLM_TRY(vlm_op_state_new(c, &g));
  VLM_TRY(read_layout(c, &g->b));
  const vlm_tensor *x = &g->b.x;
  g->picks = vlm_tensor_count(c->in[1]);
  g->inner = vlm_tensor_span(x, g->b.gather_axis + 1, x->rank);
  g->size = x->dims[g->b.gather_axis];
  g->q_inner = vlm_tensor_span(x, g->b.quantize_axis + 1, x->rank);
  g->q_size = x->dims[g->b.quantize_axis];
  g->blocks = scales->dims[g->b.quantize_axis];
  g->width = x->dims[x->rank - 1];
  g->s_width = scales->dims[scales->rank - 1];
  g->middle = c->in[0]->dtype != VLM_U8 ? 0 : g->b.per_byte == 2 ? 8 : 128;
  VLM_TRY(vlm_op_reserve(c, &g->index, g->picks, sizeof(int64_t)));
out:
  return st;
}

vlm_status vlm_run_GatherBlockQuantized(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const block_gather *g = c->state;
  const vlm_tensor *x = c->in[0], *scales = c->in[2], *zeros = vlm_in(c, 3);
  int64_t *index = vlm_op_work(c, g->index);
  VLM_TRY(vlm_gather_indices(c, c->in[1], g->size, index));
  for (int64_t i = 0, n = vlm_tensor_count(c->out[0]); i < n; i++) {
    int64_t from =
        (i / g->inner / g->picks * g->size + index[i / g->inner % g->picks]) * g->inner + i % g->inner;
    int64_t s = (from / g->q_inner / g->q_size * g->blocks + from / g->q_inner % g->q_size / g->b.block) *
                    g->q_inner +
                from % g->q_inner;
    int64_t zero = zeros ? quantized_value(zeros, g->b.per_byte, g->s_width, s) : g->middle;
    double q = (double)(quantized_value(x, g->b.per_byte, g->width, from) - zero);
    vlm_tensor_set(c->out[0], i, (float)q * (float)vlm_tensor_get(scales, s));
  }
out:
  return st;
}
