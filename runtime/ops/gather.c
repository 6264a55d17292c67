/* Gather, GatherElements, GatherND and the block-quantized Gather: reads at computed places. */
#include <string.h>

#include "runtime/ops/box.h"
#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

/* Indices as int64, negative ones wrapped; refuses what lies outside [-size, size). */
static vlm_status wrap_indices(vlm_op_call *c, const vlm_tensor *t, int64_t size, int64_t *index) {
  vlm_status st = VLM_OK;
  for (int64_t i = 0, n = vlm_tensor_count(t); i < n; i++) {
    int64_t k = vlm_tensor_get_int(t, i);
    VLM_CHECK(k >= -size && k < size, c->err, VLM_INPUT, "index %lld is outside a dim of size %lld", (long long)k, (long long)size);
    index[i] = k < 0 ? k + size : k;
  }
out:
  return st;
}

/* The same in scratch. */
static vlm_status read_indices(vlm_op_call *c, const vlm_tensor *t, int64_t size, const int64_t **out) {
  vlm_status st = VLM_OK;
  int64_t *index;
  VLM_TRY(vlm_scratch_array(c, (void **)&index, vlm_tensor_count(t), sizeof *index));
  VLM_TRY(wrap_indices(c, t, size, index));
  *out = index;
out:
  return st;
}

/* ---- Gather ---- */

static vlm_status gather_shape(vlm_op_call *c, int axis, int64_t *dims, int *rank) {
  const vlm_tensor *x = c->in[0], *t = c->in[1];
  *rank = 0;
  if (x->rank - 1 + t->rank > VLM_MAX_RANK)
    return vlm_fail(c->err, VLM_UNSUPPORTED, "%s to %d dims, at most %d are supported", c->node->op_type, x->rank - 1 + t->rank,
                    VLM_MAX_RANK);
  for (int i = 0; i < axis; i++) dims[(*rank)++] = x->dims[i];
  for (int i = 0; i < t->rank; i++) dims[(*rank)++] = t->dims[i];
  for (int i = axis + 1; i < x->rank; i++) dims[(*rank)++] = x->dims[i];
  return VLM_OK;
}

vlm_status vlm_infer_Gather(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  int64_t dims[VLM_MAX_RANK];
  int axis, rank;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), c->in[0]->rank, false, &axis));
  VLM_TRY(gather_shape(c, axis, dims, &rank));
  vlm_out_shape(c, 0, c->in[0]->dtype, rank, dims);
out:
  return st;
}

typedef struct gather_job {
  const int64_t *index;
  int64_t count, size; /* indices per outer step, size of the axis */
  size_t run;          /* bytes behind one index */
  const char *src;
  char *dst;
} gather_job;

static void gather_runs(void *user, int64_t begin, int64_t end, int worker) {
  const gather_job *job = user;
  (void)worker;
  for (int64_t i = begin; i < end; i++)
    memcpy(job->dst + (size_t)i * job->run, job->src + (size_t)(i / job->count * job->size + job->index[i % job->count]) * job->run,
           job->run);
}

typedef struct {
  gather_job job; /* all but the pointers of the run */
  int64_t runs;
  vlm_bytes in, out;
  size_t index;
} gather_state;

vlm_status vlm_prepare_Gather(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  gather_state *s;
  const vlm_tensor x = vlm_whole(c->in[0]);
  int axis;
  VLM_TRY(vlm_op_state(c, (void **)&s, sizeof *s));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), x.rank, false, &axis));
  VLM_TRY(vlm_bytes_prepare(c, &s->in, c->in[0]));
  VLM_TRY(vlm_bytes_prepare(c, &s->out, c->out[0]));
  s->job = (gather_job){.count = vlm_tensor_count(c->in[1]), .size = x.dims[axis],
                        .run = (size_t)vlm_tensor_span(&x, axis + 1, x.rank) * vlm_item_size(&x)};
  s->runs = vlm_tensor_span(&x, 0, axis) * s->job.count;
  VLM_TRY(vlm_op_reserve(c, &s->index, s->job.count, sizeof(int64_t)));
out:
  return st;
}

vlm_status vlm_run_Gather(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const gather_state *s = c->state;
  gather_job job = s->job;
  int64_t *index = vlm_op_work(c, s->index);
  VLM_TRY(wrap_indices(c, c->in[1], job.size, index));
  char *y = vlm_bytes_place(c, &s->out, c->out[0]);
  job.index = index;
  job.src = vlm_bytes_read(c, &s->in, c->in[0]);
  job.dst = y;
  if (job.run > 0 && s->runs > 0) vlm_threads_range(c->threads, s->runs, (int64_t)(65536 / job.run) + 1, gather_runs, &job);
  vlm_bytes_store(&s->out, c->out[0], y);
out:
  return st;
}

/* ---- GatherElements ---- */

vlm_status vlm_infer_GatherElements(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *t = c->in[1];
  int axis;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), x->rank, false, &axis));
  VLM_CHECK(t->rank == x->rank, c->err, VLM_INPUT, "indices has %d dims, data %d", t->rank, x->rank);
  for (int i = 0; i < x->rank; i++)
    VLM_CHECK(i == axis || t->dims[i] <= x->dims[i], c->err, VLM_INPUT, "indices has %lld entries along axis %d, data %lld",
              (long long)t->dims[i], i, (long long)x->dims[i]);
  vlm_out_shape(c, 0, x->dtype, t->rank, t->dims);
out:
  return st;
}

vlm_status vlm_run_GatherElements(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor x, y;
  const int64_t *index;
  int64_t strides[VLM_MAX_RANK];
  int axis;
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), c->in[0]->rank, false, &axis));
  VLM_TRY(vlm_unpacked_in(c, 0, &x));
  VLM_TRY(vlm_unpacked_out(c, 0, &y));
  VLM_TRY(read_indices(c, c->in[1], x.dims[axis], &index));
  vlm_byte_strides(&x, strides);
  size_t item = vlm_item_size(&x);
  for (int64_t i = 0, n = vlm_tensor_count(&y); i < n; i++) {
    int64_t rest = i, at = index[i] * strides[axis];
    for (int k = y.rank - 1; k >= 0; k--) {
      if (k != axis) at += rest % y.dims[k] * strides[k];
      rest /= y.dims[k];
    }
    memcpy((char *)y.data + (size_t)i * item, (const char *)x.data + at, item);
  }
  vlm_pack_out(c, 0, &y);
out:
  return st;
}

/* ---- GatherND ---- */

vlm_status vlm_infer_GatherND(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *t = c->in[1];
  int64_t batch = vlm_arg_int(c, 0, 0), dims[VLM_MAX_RANK];
  int rank = 0;
  VLM_CHECK(t->rank >= 1 && x->rank >= 1, c->err, VLM_INPUT, "data or indices is a scalar");
  VLM_CHECK(batch >= 0 && batch < t->rank && batch < x->rank, c->err, VLM_INPUT, "batch_dims is %lld", (long long)batch);
  int64_t depth = t->dims[t->rank - 1];
  VLM_CHECK(depth >= 0 && depth <= x->rank - batch, c->err, VLM_INPUT, "indices address %lld dims, data has %lld behind the batch",
            (long long)depth, (long long)(x->rank - batch));
  VLM_CHECK(t->rank - 1 + x->rank - batch - depth <= VLM_MAX_RANK, c->err, VLM_UNSUPPORTED,
            "GatherND to more than %d dims is not supported", VLM_MAX_RANK);
  for (int i = 0; i < batch; i++)
    VLM_CHECK(t->dims[i] == x->dims[i], c->err, VLM_INPUT, "batch dim %d is %lld in data, %lld in indices", i, (long long)x->dims[i],
              (long long)t->dims[i]);
  for (int i = 0; i < t->rank - 1; i++) dims[rank++] = t->dims[i];
  for (int i = (int)(batch + depth); i < x->rank; i++) dims[rank++] = x->dims[i];
  vlm_out_shape(c, 0, x->dtype, rank, dims);
out:
  return st;
}

vlm_status vlm_run_GatherND(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_tensor x, y;
  const vlm_tensor *t = c->in[1];
  int batch = (int)vlm_arg_int(c, 0, 0), depth = (int)t->dims[t->rank - 1];
  int64_t strides[VLM_MAX_RANK];
  VLM_TRY(vlm_unpacked_in(c, 0, &x));
  VLM_TRY(vlm_unpacked_out(c, 0, &y));
  vlm_byte_strides(&x, strides);
  size_t run = (size_t)vlm_tensor_span(&x, batch + depth, x.rank) * vlm_item_size(&x);
  size_t per_batch = (size_t)vlm_tensor_span(&x, batch, x.rank) * vlm_item_size(&x);
  int64_t n = vlm_tensor_span(t, 0, t->rank - 1), tuples = vlm_tensor_span(t, batch, t->rank - 1);
  for (int64_t i = 0; i < n; i++) {
    int64_t at = i / tuples * (int64_t)per_batch;
    for (int k = 0; k < depth; k++) {
      int64_t index = vlm_tensor_get_int(t, i * depth + k), size = x.dims[batch + k];
      VLM_CHECK(index >= -size && index < size, c->err, VLM_INPUT, "index %lld is outside dim %d of size %lld", (long long)index,
                batch + k, (long long)size);
      at += (index < 0 ? index + size : index) * strides[batch + k];
    }
    vlm_copy_some((char *)y.data + (size_t)i * run, (const char *)x.data + at, run);
  }
  vlm_pack_out(c, 0, &y);
out:
  return st;
}

/* ---- com.microsoft GatherBlockQuantized: Gather of (q - zero) * scale, one scale per block along quantize_axis ---- */

typedef struct block_layout {
  int gather_axis, quantize_axis;
  int64_t block, per_byte; /* per_byte > 1: uint8 data packs that many values along the last axis, low bits first */
  vlm_tensor x;            /* data with its unpacked shape */
} block_layout;

static vlm_status read_layout(vlm_op_call *c, block_layout *b) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *s = c->in[2];
  int64_t bits = vlm_arg_int(c, 3, 4), zeros[VLM_MAX_RANK];
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), x->rank, false, &b->gather_axis));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 1, 1), x->rank, false, &b->quantize_axis));
  b->block = vlm_arg_int(c, 2, 128);
  VLM_CHECK(b->block > 0 && vlm_is_extent(b->block), c->err, VLM_INPUT, "block_size is %lld", (long long)b->block);
  VLM_CHECK(bits == 4 || bits == 8, c->err, VLM_UNSUPPORTED, "operator GatherBlockQuantized with %lld bits is not supported",
            (long long)bits);
  b->x = *x;
  b->per_byte = x->dtype == VLM_U8 && bits == 4 ? 2 : 1;
  b->x.dims[x->rank - 1] *= b->per_byte;
  VLM_CHECK(s->rank == x->rank, c->err, VLM_INPUT, "scales has %d dims, data %d", s->rank, x->rank);
  for (int i = 0; i < x->rank; i++) {
    int64_t want = i == b->quantize_axis ? (b->x.dims[i] + b->block - 1) / b->block : b->x.dims[i];
    VLM_CHECK(s->dims[i] == want, c->err, VLM_INPUT, "scales dim %d is %lld, wanted %lld", i, (long long)s->dims[i], (long long)want);
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
  VLM_TRY(gather_shape(c, b.gather_axis, dims, &rank));
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

vlm_status vlm_run_GatherBlockQuantized(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *scales = c->in[2], *zeros = vlm_in(c, 3);
  vlm_tensor *y = c->out[0];
  block_layout b;
  const int64_t *index;
  VLM_TRY(read_layout(c, &b));
  VLM_TRY(read_indices(c, c->in[1], b.x.dims[b.gather_axis], &index));
  int64_t n = vlm_tensor_count(y), picks = vlm_tensor_count(c->in[1]), inner = vlm_tensor_span(&b.x, b.gather_axis + 1, b.x.rank);
  int64_t size = b.x.dims[b.gather_axis], q_inner = vlm_tensor_span(&b.x, b.quantize_axis + 1, b.x.rank),
      q_size = b.x.dims[b.quantize_axis];
  int64_t blocks = scales->dims[b.quantize_axis], width = b.x.dims[b.x.rank - 1], s_width = scales->dims[scales->rank - 1];
  int64_t middle = x->dtype != VLM_U8 ? 0 : b.per_byte == 2 ? 8 : 128;
  for (int64_t i = 0; i < n; i++) {
    int64_t from = (i / inner / picks * size + index[i / inner % picks]) * inner + i % inner;
    int64_t s = (from / q_inner / q_size * blocks + from / q_inner % q_size / b.block) * q_inner + from % q_inner;
    int64_t zero = zeros ? quantized_value(zeros, b.per_byte, s_width, s) : middle;
    double q = (double)(quantized_value(x, b.per_byte, width, from) - zero);
    vlm_tensor_set(y, i, (float)q * (float)vlm_tensor_get(scales, s));
  }
out:
  return st;
}
