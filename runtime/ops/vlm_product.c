#include "runtime/ops/vlm_product.h"

#include "runtime/kernels/transpose_args.h"
#include "runtime/kernels/epilogue.h"
#include "runtime/ops/matmul.h"
#include "runtime/ops/op_data.h"

/* Attributes of the rows of vlm_ops.def. */
enum { TRANS_B, ACTIVATION, TRANS_X, TRANS_Y, PARAMS, TURN_COLUMNS = 64 };

static vlm_status read_shape(vlm_op_call *c, int w_input, vlm_product *p) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *w = c->in[w_input];
  vlm_matmul_shape *s = &p->s;
  VLM_CHECK(w->dtype == VLM_S8 && w->rank >= 2, c->err, VLM_INPUT,
            "weights of type %s with %d dims; wanted int8 with 2 or more", vlm_dtype_name(w->dtype), w->rank);
  p->x_columns = vlm_arg_int(c, TRANS_X, 0) != 0 && x->rank > 1;
  p->y_columns = vlm_arg_int(c, TRANS_Y, 0) != 0 && x->rank > 1;
  VLM_TRY(vlm_matmul_shape_of(c, x, w, p->x_columns, vlm_arg_int(c, TRANS_B, 0) != 0, s));
  s->a_row = s->k;
  s->a_column = 1;
  if (p->y_columns) {
    s->dims[s->rank - 2] = s->n;
    s->dims[s->rank - 1] = s->m;
  } else {
    vlm_matmul_join_batch(s);
  }
out:
  return st;
}

vlm_status vlm_product_infer(vlm_op_call *c, vlm_product_inputs in, vlm_dtype dtype) {
  vlm_status st = VLM_OK;
  vlm_product p = {0};
  VLM_TRY(read_shape(c, in.w, &p));
  VLM_TRY(vlm_residual_infer(c, in.residual, &p.s.rank, p.s.dims));
  VLM_CHECK(!vlm_in(c, in.residual) || (dtype == VLM_F32 && !p.y_columns), c->err, VLM_UNSUPPORTED,
            "an addend behind a result of bytes or columns");
  vlm_out_shape(c, 0, dtype, p.s.rank, p.s.dims);
out:
  return st;
}

vlm_status vlm_product_prepare(vlm_op_call *c, vlm_product_inputs in, vlm_product *p, int bytes) {
  vlm_status st = VLM_OK;
  const char *activation = vlm_arg_string(c, ACTIVATION, "");
  const int w_input = in.w;
  VLM_TRY(read_shape(c, w_input, p));
  VLM_TRY(vlm_residual_prepare(c, &p->residual, in.residual, p->s.rank, p->s.dims));
  VLM_TRY(vlm_matmul_indices(c, c->in[0], c->in[w_input], &p->s));
  VLM_TRY(
      vlm_values_prepare(c, &p->w_scale, w_input + 1, p->s.b_matrices * p->s.n, "the scale of the weights"));
  VLM_TRY(vlm_values_prepare(c, &p->bias, w_input + 2, p->s.b_matrices * p->s.n, "the bias"));
  VLM_TRY(vlm_activation_find(&p->activation, c->kernels->rowops, activation, c->err));
  vlm_activation_params(p->params, activation, vlm_arg(c, PARAMS), NULL);
  if (p->x_columns) VLM_TRY(vlm_op_reserve(c, &p->turned, vlm_tensor_count(c->in[0]), (size_t)bytes));
out:
  return st;
}

typedef struct {
  const vlm_kernels *kernels;
  char *to;
  const char *from;
  int64_t rows, columns, blocks;
  int bytes;
} turning;

/* A block of columns of one matrix. */
static void turn_task(void *user, int64_t index, int worker) {
  const turning *t = user;
  int64_t column = index % t->blocks * TURN_COLUMNS,
          n = t->columns - column < TURN_COLUMNS ? t->columns - column : TURN_COLUMNS;
  int64_t matrix = index / t->blocks * t->rows * t->columns;
  char *to = t->to + (matrix + column * t->rows) * t->bytes;
  const char *from = t->from + (matrix + column) * t->bytes;
  size_t rows = (size_t)t->rows, columns = (size_t)t->columns;
  (void)worker;
  if (t->bytes == 1) {
    const vlm_transpose_8_args all = {(uint8_t *)to, rows, (const uint8_t *)from, columns, rows, (size_t)n};
    t->kernels->transpose_8->fn.transpose_8(&all);
  } else {
    const vlm_transpose_32_args all = {
        (uint32_t *)(void *)to, rows, (const uint32_t *)(const void *)from, columns, rows, (size_t)n};
    t->kernels->transpose_32->fn.transpose_32(&all);
  }
}

void vlm_product_turn(vlm_op_call *c, void *to, const void *from, const vlm_product_matrices *m) {
  turning t = {c->kernels, to, from, m->rows, m->columns, (m->columns + TURN_COLUMNS - 1) / TURN_COLUMNS,
               m->bytes};
  vlm_threads_run(c->threads, m->count * t.blocks, turn_task, &t);
}

const void *vlm_product_rows(vlm_op_call *c, const vlm_product *p, const void *x, int bytes) {
  const vlm_tensor *t = c->in[0];
  if (!p->x_columns) return x;
  void *turned = vlm_op_work(c, p->turned);
  vlm_product_turn(
      c, turned, x,
      &(vlm_product_matrices){vlm_tensor_span(t, 0, t->rank - 2), p->s.k, t->dims[t->rank - 1], bytes});
  return turned;
}
