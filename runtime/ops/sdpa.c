#include "runtime/ops/sdpa.h"

#include <math.h>
#include <string.h>

#include "runtime/kernels/gemm_f32.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/rows.h"

enum { ROWS = 128 }; /* queries per piece of work */

typedef struct sdpa_job {
  const vlm_sdpa *a;
  const vlm_rowops *ops;
  const vlm_kernels *kernels;
  char *work;     /* per worker: scores, then scratch of the products */
  int64_t blocks; /* row blocks per head */
} sdpa_job;

vlm_heads vlm_heads_of(const float *data, const vlm_tensor *t, int64_t heads) {
  if (t->rank == 4)
    return (vlm_heads){data, t->dims[1] * t->dims[2] * t->dims[3], t->dims[2] * t->dims[3], t->dims[3]};
  int64_t width = t->dims[2];
  return (vlm_heads){data, t->dims[1] * width, width / (heads > 0 ? heads : 1), width};
}

static vlm_gemm_f32 score_product(const vlm_sdpa *a, const float *q, const float *k, int64_t rows,
                                  float *scores) {
  return (vlm_gemm_f32){.batch = 1,
                        .m = rows,
                        .n = a->s,
                        .k = a->d,
                        .a = q,
                        .a_row = a->q.row,
                        .a_column = 1,
                        .b = k,
                        .b_row = 1,
                        .b_column = a->k.row,
                        .c = scores,
                        .ldc = a->s,
                        .epilogue = {.alpha = a->scale}};
}

static vlm_gemm_f32 value_product(const vlm_sdpa *a, const float *scores, const float *v, int64_t rows,
                                  float *y) {
  return (vlm_gemm_f32){.batch = 1,
                        .m = rows,
                        .n = a->dv,
                        .k = a->s,
                        .a = scores,
                        .a_row = a->s,
                        .a_column = 1,
                        .b = v,
                        .b_row = a->v.row,
                        .b_column = 1,
                        .c = y,
                        .ldc = a->y_row,
                        .epilogue = {.alpha = 1}};
}

/* Adds mask, padding, causality; returns whether any key is left. */
static bool add_bias(const vlm_sdpa *a, int64_t b, int64_t h, int64_t i, float *x) {
  int64_t end = a->lengths ? a->lengths[b] : a->s, begin = 0;
  bool any = false;
  int64_t own = i + (a->offset ? a->offset[b] : 0), last = a->causal ? own + 1 : end;
  if (a->right > 0 && own + a->right < last) last = own + a->right;
  if (a->left > 0 && own + 1 > a->left) begin = own + 1 - a->left;
  end = last < end ? last : end;
  if (a->mask && a->mask_columns < end) end = a->mask_columns;
  end = end < 0 ? 0 : end > a->s ? a->s : end;
  begin = begin < end ? begin : end;
  for (int64_t j = 0; j < begin; j++) x[j] = -INFINITY;
  for (int64_t j = end; j < a->s; j++) x[j] = -INFINITY;
  if (!a->mask) return end > begin;
  const float *m = a->mask + b * a->mask_batch + h * a->mask_head + i * a->mask_row;
  for (int64_t j = begin; j < end; j++) {
    float bias = m[j * a->mask_column];
    any |= bias > -INFINITY;
    x[j] = bias > -INFINITY ? x[j] + bias : -INFINITY;
  }
  return any;
}

/* Softmax with one more score that is dropped afterwards. */
static void softmax_with_sink(const vlm_rowops *ops, float *x, int64_t n, float sink) {
  float high = ops->row_max(x, n), sum;
  high = sink > high ? sink : high;
  for (int64_t j = 0; j < n; j++) x[j] -= high;
  ops->exp(x, x, n, NULL);
  sink -= high;
  ops->exp(&sink, &sink, 1, NULL);
  sum = ops->row_sum(x, n) + sink;
  for (int64_t j = 0; j < n; j++) x[j] /= sum;
}

static void finish_row(const sdpa_job *job, int64_t b, int64_t h, int64_t i, float *x) {
  const vlm_sdpa *a = job->a;
  float *out = a->scores ? a->scores + ((b * a->heads + h) * a->t + i) * a->s : NULL;
  size_t bytes = (size_t)a->s * sizeof *x;
  if (out && a->scores_mode == VLM_SDPA_RAW) memcpy(out, x, bytes);
  if (a->softcap > 0) {
    for (int64_t j = 0; j < a->s; j++) x[j] /= a->softcap;
    job->ops->tanh(x, x, a->s, NULL);
    for (int64_t j = 0; j < a->s; j++) x[j] *= a->softcap;
  }
  if (out && a->scores_mode == VLM_SDPA_SOFTCAPPED) memcpy(out, x, bytes);
  bool any = add_bias(a, b, h, i, x);
  if (out && a->scores_mode == VLM_SDPA_BIASED) memcpy(out, x, bytes);
  if (!any) memset(x, 0, bytes);
  else if (a->has_sink) softmax_with_sink(job->ops, x, a->s, a->sink ? a->sink[h] : 0);
  else job->ops->softmax(x, x, a->s);
  if (out && a->scores_mode == VLM_SDPA_SOFTMAX) memcpy(out, x, bytes);
}

static void run_block(void *user, int64_t index, int worker) {
  const sdpa_job *job = user;
  const vlm_sdpa *a = job->a;
  int64_t first = index % job->blocks * ROWS, h = index / job->blocks % a->heads,
          b = index / job->blocks / a->heads;
  int64_t rows = a->t - first < ROWS ? a->t - first : ROWS, kv = h / (a->heads / a->kv_heads);
  char *work = job->work + (size_t)worker * a->own.bytes;
  float *scores = (float *)(void *)work;
  vlm_gemm_f32 qk = score_product(a, a->q.data + b * a->q.batch + h * a->q.head + first * a->q.row,
                                  a->k.data + b * a->k.batch + kv * a->k.head, rows, scores);
  vlm_gemm_f32_run(&qk, job->kernels, NULL, work + a->own.score_bytes);
  for (int64_t i = 0; i < rows; i++) finish_row(job, b, h, first + i, scores + i * a->s);
  vlm_gemm_f32 pv = value_product(a, scores, a->v.data + b * a->v.batch + kv * a->v.head, rows,
                                  a->y + b * a->y_batch + h * a->y_head + first * a->y_row);
  vlm_gemm_f32_run(&pv, job->kernels, NULL, work + a->own.score_bytes);
}

/* Scratch of the products, for the two numbers of rows that occur. */
static size_t product_bytes(const vlm_op_call *c, const vlm_sdpa *a) {
  int64_t sizes[2] = {a->t < ROWS ? a->t : ROWS, a->t % ROWS};
  size_t most = 0;
  for (int i = 0; i < 2; i++) {
    if (sizes[i] == 0) continue;
    vlm_gemm_f32 qk = score_product(a, NULL, NULL, sizes[i], NULL),
                 pv = value_product(a, NULL, NULL, sizes[i], NULL);
    size_t x = vlm_gemm_f32_scratch(&qk, c->kernels, NULL), y = vlm_gemm_f32_scratch(&pv, c->kernels, NULL);
    most = x > most ? x : most;
    most = y > most ? y : most;
  }
  return most;
}

static bool is_empty(const vlm_sdpa *a) { return a->batch * a->heads * a->t == 0; }

vlm_status vlm_sdpa_prepare(vlm_op_call *c, vlm_sdpa *a) {
  vlm_status st = VLM_OK;
  if (is_empty(a)) goto out;
  VLM_CHECK(c->kernels, c->err, VLM_INTERNAL, "%s is called without kernels", c->node->op_type);
  VLM_CHECK(a->kv_heads > 0 && a->heads % a->kv_heads == 0, c->err, VLM_INPUT,
            "%lld query heads do not divide by %lld key heads", (long long)a->heads, (long long)a->kv_heads);
  a->own.score_bytes = vlm_size_align((size_t)((a->t < ROWS ? a->t : ROWS) * a->s) * sizeof(float));
  a->own.bytes = a->own.score_bytes + vlm_size_align(product_bytes(c, a));
  VLM_TRY(vlm_op_reserve(c, &a->own.work, vlm_threads_count(c->threads), a->own.bytes));
out:
  return st;
}

void vlm_sdpa_run(vlm_op_call *c, const vlm_sdpa *a) {
  sdpa_job job = {.a = a,
                  .ops = vlm_call_rowops(c),
                  .kernels = c->kernels,
                  .work = vlm_op_work(c, a->own.work),
                  .blocks = (a->t + ROWS - 1) / ROWS};
  if (!is_empty(a)) vlm_threads_run(c->threads, a->batch * a->heads * job.blocks, run_block, &job);
}

/* ---- the mask ---- */

static vlm_status mask_strides(vlm_op_call *c, vlm_sdpa *a, const vlm_tensor *mask) {
  vlm_status st = VLM_OK;
  int64_t want[4] = {a->batch, a->heads, a->t, a->s}, stride[4] = {0, 0, 0, 0};
  char text[128];
  VLM_CHECK(mask->rank <= 4, c->err, VLM_INPUT, "the mask has %d dims, at most 4", mask->rank);
  a->mask_columns = a->s;
  for (int i = mask->rank - 1, d = 3; i >= 0; i--, d--) {
    int64_t n = mask->dims[i];
    bool fits = n == want[d] || n == 1 || (d == 3 && n < a->s);
    VLM_CHECK(fits, c->err, VLM_INPUT,
              "the mask has shape %s, which does not broadcast to [%lld, %lld, %lld, %lld]",
              vlm_tensor_shape_text(mask, text, sizeof text), (long long)want[0], (long long)want[1],
              (long long)want[2], (long long)want[3]);
    if (n != 1) stride[d] = vlm_tensor_span(mask, i + 1, mask->rank);
    if (d == 3 && n != 1) a->mask_columns = n;
  }
  a->mask_batch = stride[0];
  a->mask_head = stride[1];
  a->mask_row = stride[2];
  a->mask_column = stride[3];
out:
  return st;
}

static void add_where_false(float *added, const vlm_tensor *keep) {
  const uint8_t *values = keep->data;
  for (int64_t i = 0, n = vlm_tensor_count(keep); i < n; i++) added[i] = values[i] ? 0 : -INFINITY;
}

vlm_status vlm_sdpa_mask_prepare(vlm_op_call *c, vlm_sdpa *a, int k, const vlm_tensor *shape) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = vlm_in(c, k);
  a->own.values.input = t ? k : -1;
  if (!t) goto out;
  VLM_TRY(mask_strides(c, a, shape));
  a->own.is_bool = t->dtype == VLM_BOOL;
  if (!a->own.is_bool) return vlm_floats_prepare(c, &a->own.values, k);
  int64_t n = vlm_tensor_count(t);
  if (!vlm_op_lasts(c, k)) return vlm_op_reserve(c, &a->own.at, n, sizeof(float));
  VLM_TRY(vlm_op_keep_new(c, &a->own.kept, n));
  add_where_false(a->own.kept, t);
out:
  return st;
}

void vlm_sdpa_mask_get(const vlm_op_call *c, vlm_sdpa *a) {
  const int k = a->own.values.input;
  if (k < 0 || !a->own.is_bool) {
    a->mask = vlm_values_get(c, &a->own.values);
    return;
  }
  a->mask = a->own.kept;
  if (a->mask) return;
  float *added = vlm_op_work(c, a->own.at);
  add_where_false(added, c->in[k]);
  a->mask = added;
}
