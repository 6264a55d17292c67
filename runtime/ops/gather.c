/* Gather, GatherElements and GatherND: reads at computed places. */
#include "runtime/ops/gather.h"

#include <string.h>

#include "runtime/ops/box.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

vlm_status vlm_gather_indices(vlm_op_call *c, const vlm_tensor *t, int64_t size, int64_t *index) {
  vlm_status st = VLM_OK;
  for (int64_t i = 0, n = vlm_tensor_count(t); i < n; i++) {
    int64_t k = vlm_tensor_get_int(t, i);
    VLM_CHECK(k >= -size && k < size, c->err, VLM_INPUT, "index %lld is outside a dim of size %lld",
              (long long)k, (long long)size);
    index[i] = k < 0 ? k + size : k;
  }
out:
  return st;
}

/* ---- Gather ---- */

vlm_status vlm_gather_shape(vlm_op_call *c, int axis, int64_t *dims, int *rank) {
  const vlm_tensor *x = c->in[0], *t = c->in[1];
  *rank = 0;
  if (x->rank - 1 + t->rank > VLM_MAX_RANK)
    return vlm_fail(c->err, VLM_UNSUPPORTED, "%s to %d dims, at most %d are supported", c->node->op_type,
                    x->rank - 1 + t->rank, VLM_MAX_RANK);
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
  VLM_TRY(vlm_gather_shape(c, axis, dims, &rank));
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
    memcpy(job->dst + (size_t)i * job->run,
           job->src + (size_t)(i / job->count * job->size + job->index[i % job->count]) * job->run, job->run);
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
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), x.rank, false, &axis));
  VLM_TRY(vlm_bytes_prepare(c, &s->in, c->in[0]));
  VLM_TRY(vlm_bytes_prepare(c, &s->out, c->out[0]));
  s->job = (gather_job){.count = vlm_tensor_count(c->in[1]),
                        .size = x.dims[axis],
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
  VLM_TRY(vlm_gather_indices(c, c->in[1], job.size, index));
  char *y = vlm_bytes_place(c, &s->out, c->out[0]);
  job.index = index;
  job.src = vlm_bytes_read(c, &s->in, c->in[0]);
  job.dst = y;
  if (job.run > 0 && s->runs > 0)
    vlm_threads_range(c->threads, s->runs, (int64_t)(65536 / job.run) + 1, gather_runs, &job);
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
    VLM_CHECK(i == axis || t->dims[i] <= x->dims[i], c->err, VLM_INPUT,
              "indices has %lld entries along axis %d, data %lld", (long long)t->dims[i], i,
              (long long)x->dims[i]);
  vlm_out_shape(c, 0, x->dtype, t->rank, t->dims);
out:
  return st;
}

typedef struct {
  int axis;
  vlm_bytes x, y;
  int64_t strides[VLM_MAX_RANK]; /* of the data, in bytes */
  size_t item, index;
} gather_elements_state;

vlm_status vlm_prepare_GatherElements(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  gather_elements_state *s;
  const vlm_tensor x = vlm_whole(c->in[0]);
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(vlm_axis(c, vlm_arg_int(c, 0, 0), x.rank, false, &s->axis));
  VLM_TRY(vlm_bytes_prepare(c, &s->x, c->in[0]));
  VLM_TRY(vlm_bytes_prepare(c, &s->y, c->out[0]));
  VLM_TRY(vlm_op_reserve(c, &s->index, vlm_tensor_count(c->in[1]), sizeof(int64_t)));
  vlm_byte_strides(&x, s->strides);
  s->item = vlm_item_size(&x);
out:
  return st;
}

vlm_status vlm_run_GatherElements(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const gather_elements_state *s = c->state;
  int64_t *index = vlm_op_work(c, s->index);
  VLM_TRY(vlm_gather_indices(c, c->in[1], c->in[0]->dims[s->axis], index));
  vlm_tensor x = vlm_bytes_in(c, &s->x, 0), y = vlm_bytes_out(c, &s->y, 0);
  for (int64_t i = 0, n = vlm_tensor_count(&y); i < n; i++) {
    int64_t rest = i, at = index[i] * s->strides[s->axis];
    for (int k = y.rank - 1; k >= 0; k--) {
      if (k != s->axis) at += rest % y.dims[k] * s->strides[k];
      rest /= y.dims[k];
    }
    memcpy((char *)y.data + (size_t)i * s->item, (const char *)x.data + at, s->item);
  }
  vlm_bytes_store(&s->y, c->out[0], y.data);
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
  VLM_CHECK(batch >= 0 && batch < t->rank && batch < x->rank, c->err, VLM_INPUT, "batch_dims is %lld",
            (long long)batch);
  int64_t depth = t->dims[t->rank - 1];
  VLM_CHECK(depth >= 0 && depth <= x->rank - batch, c->err, VLM_INPUT,
            "indices address %lld dims, data has %lld behind the batch", (long long)depth,
            (long long)(x->rank - batch));
  VLM_CHECK(t->rank - 1 + x->rank - batch - depth <= VLM_MAX_RANK, c->err, VLM_UNSUPPORTED,
            "GatherND to more than %d dims is not supported", VLM_MAX_RANK);
  for (int i = 0; i < batch; i++)
    VLM_CHECK(t->dims[i] == x->dims[i], c->err, VLM_INPUT, "batch dim %d is %lld in data, %lld in indices", i,
              (long long)x->dims[i], (long long)t->dims[i]);
  for (int i = 0; i < t->rank - 1; i++) dims[rank++] = t->dims[i];
  for (int i = (int)(batch + depth); i < x->rank; i++) dims[rank++] = x->dims[i];
  vlm_out_shape(c, 0, x->dtype, rank, dims);
out:
  return st;
}

typedef struct {
  int batch, depth;
  vlm_bytes x, y;
  int64_t strides[VLM_MAX_RANK]; /* of the data, in bytes */
  int64_t runs, tuples;          /* runs of all and of one batch entry */
  size_t run, per_batch;         /* bytes */
} gather_nd_state;

vlm_status vlm_prepare_GatherND(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  gather_nd_state *s;
  const vlm_tensor x = vlm_whole(c->in[0]), *t = c->in[1];
  VLM_TRY(vlm_op_state_new(c, &s));
  s->batch = (int)vlm_arg_int(c, 0, 0);
  s->depth = (int)t->dims[t->rank - 1];
  s->run = (size_t)vlm_tensor_span(&x, s->batch + s->depth, x.rank) * vlm_item_size(&x);
  s->per_batch = (size_t)vlm_tensor_span(&x, s->batch, x.rank) * vlm_item_size(&x);
  s->runs = vlm_tensor_span(t, 0, t->rank - 1);
  s->tuples = vlm_tensor_span(t, s->batch, t->rank - 1);
  vlm_byte_strides(&x, s->strides);
  VLM_TRY(vlm_bytes_prepare(c, &s->x, c->in[0]));
  VLM_TRY(vlm_bytes_prepare(c, &s->y, c->out[0]));
out:
  return st;
}

/* Where the data of tuple i begin. */
static vlm_status tuple_place(vlm_op_call *c, const gather_nd_state *s, int64_t i, int64_t *at) {
  vlm_status st = VLM_OK;
  *at = i / s->tuples * (int64_t)s->per_batch;
  for (int k = 0; k < s->depth; k++) {
    int64_t index = vlm_tensor_get_int(c->in[1], i * s->depth + k), size = c->in[0]->dims[s->batch + k];
    VLM_CHECK(index >= -size && index < size, c->err, VLM_INPUT, "index %lld is outside dim %d of size %lld",
              (long long)index, s->batch + k, (long long)size);
    *at += (index < 0 ? index + size : index) * s->strides[s->batch + k];
  }
out:
  return st;
}

vlm_status vlm_run_GatherND(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const gather_nd_state *s = c->state;
  const char *x = vlm_bytes_read(c, &s->x, c->in[0]);
  char *y = vlm_bytes_place(c, &s->y, c->out[0]);
  for (int64_t i = 0; i < s->runs; i++) {
    int64_t at;
    VLM_TRY(tuple_place(c, s, i, &at));
    vlm_copy_some(y + (size_t)i * s->run, x + at, s->run);
  }
  vlm_bytes_store(&s->y, c->out[0], y);
out:
  return st;
}
