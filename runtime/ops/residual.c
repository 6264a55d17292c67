#include "runtime/ops/residual.h"

#include "runtime/kernels/rowops.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/rows.h"

static vlm_tensor shape(int rank, const int64_t *dims) { return vlm_tensor_make(VLM_F32, rank, dims, NULL); }

vlm_status vlm_residual_infer(vlm_op_call *c, int k, int *rank, int64_t *dims) {
  const vlm_tensor *add = vlm_in(c, k), product = shape(*rank, dims);
  if (!add) return VLM_OK;
  if (add->dtype != VLM_F32)
    return vlm_fail(c->err, VLM_INPUT, "an addend of type %s; wanted float32", vlm_dtype_name(add->dtype));
  return vlm_broadcast_dims(c, &product, add, rank, dims);
}

static int64_t dim_from_end(const vlm_tensor *t, int k) { return t->rank >= k ? t->dims[t->rank - k] : 1; }

/* The same dims but for ones in front. */
static bool same_layout(const vlm_tensor *a, const vlm_tensor *b) {
  const int rank = a->rank > b->rank ? a->rank : b->rank;
  for (int k = 1; k <= rank; k++)
    if (dim_from_end(a, k) != dim_from_end(b, k)) return false;
  return true;
}

/* Where each row of the sum starts in t, which broadcasts to it. */
static vlm_status row_starts(vlm_op_call *c, const vlm_tensor *sum, const vlm_tensor *t, int64_t rows,
                             const int64_t **out) {
  vlm_status st = VLM_OK;
  int64_t *starts;
  VLM_TRY(vlm_op_keep_new(c, &starts, rows));
  for (int64_t i = 0; i < rows; i++) {
    int64_t rest = i, stride = dim_from_end(t, 1);
    for (int k = 2; k <= sum->rank; k++) {
      const int64_t n = dim_from_end(sum, k), own = dim_from_end(t, k);
      if (own != 1) starts[i] += rest % n * stride;
      rest /= n;
      stride *= own;
    }
  }
  *out = starts;
out:
  return st;
}

vlm_status vlm_residual_prepare(vlm_op_call *c, vlm_residual *r, int k, int rank, const int64_t *dims) {
  vlm_status st = VLM_OK;
  const vlm_tensor *add = vlm_in(c, k), *sum = c->out[0], product = shape(rank, dims);
  *r = (vlm_residual){.input = add ? k : -1, .plain = true};
  if (!add) goto out;
  r->plain = same_layout(&product, add) && same_layout(&product, sum);
  if (r->plain) goto out;
  r->n = dim_from_end(sum, 1);
  r->rows = r->n > 0 ? vlm_tensor_count(sum) / r->n : 0;
  r->from_step = dim_from_end(&product, 1) != 1;
  r->add_step = dim_from_end(add, 1) != 1;
  VLM_TRY(row_starts(c, sum, &product, r->rows, &r->from));
  VLM_TRY(row_starts(c, sum, add, r->rows, &r->add));
  VLM_TRY(vlm_op_reserve(c, &r->product, vlm_tensor_count(&product), sizeof(float)));
out:
  return st;
}

float *vlm_residual_product(const vlm_op_call *c, const vlm_residual *r) {
  return r->plain ? c->out[0]->data : vlm_op_work(c, r->product);
}

const float *vlm_residual_addend(const vlm_op_call *c, const vlm_residual *r) {
  return r->input >= 0 && r->plain ? c->in[r->input]->data : NULL;
}

typedef struct {
  const vlm_residual *r;
  const vlm_rowops *ops;
  const float *product, *addend;
  float *y;
} addition;

static void rows_task(void *user, int64_t begin, int64_t end, int worker) {
  const addition *a = user;
  const vlm_residual *r = a->r;
  (void)worker;
  for (int64_t i = begin; i < end; i++)
    a->ops->add(a->y + i * r->n, a->product + r->from[i], r->from_step, a->addend + r->add[i], r->add_step,
                r->n);
}

void vlm_residual_finish(vlm_op_call *c, const vlm_residual *r) {
  if (r->plain) return;
  addition a = {r, vlm_call_rowops(c), vlm_op_work(c, r->product), c->in[r->input]->data, c->out[0]->data};
  vlm_threads_range(c->threads, r->rows, VLM_ROW_GRAIN / (r->n + 1) + 1, rows_task, &a);
}
