#include "runtime/ops/vlm_product.h"

#include "runtime/kernels/transpose_args.h"
#include "runtime/kernels/epilogue.h"
#include "runtime/ops/matmul.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/weights.h"

/* Attributes of the rows of vlm_ops.def. */
enum { TRANS_B, ACTIVATION, TRANS_X, TRANS_Y, PARAMS, TURN_COLUMNS = 64 };

static vlm_status read_shape(vlm_op_call *c, int w_input, vlm_product *p) {
  vlm_status st = VLM_OK;
  *p = (vlm_product){.x = c->in[0], .w = c->in[w_input]};
  VLM_CHECK(p->w->dtype == VLM_S8 && p->w->rank >= 2, c->err, VLM_INPUT, "weights of type %s with %d dims; wanted int8 with 2 or more",
            vlm_dtype_name(p->w->dtype), p->w->rank);
  p->x_columns = vlm_arg_int(c, TRANS_X, 0) != 0 && p->x->rank > 1;
  p->y_columns = vlm_arg_int(c, TRANS_Y, 0) != 0 && p->x->rank > 1;
  VLM_TRY(vlm_matmul_shape_of(c, p->x, p->w, p->x_columns, vlm_arg_int(c, TRANS_B, 0) != 0, &p->s));
  p->s.a_row = p->s.k;
  p->s.a_column = 1;
  if (p->y_columns) {
    p->s.dims[p->s.rank - 2] = p->s.n;
    p->s.dims[p->s.rank - 1] = p->s.m;
  } else {
    vlm_matmul_join_batch(&p->s);
  }
out:
  return st;
}

vlm_status vlm_product_infer(vlm_op_call *c, int w_input, vlm_dtype dtype) {
  vlm_product p;
  vlm_status st = read_shape(c, w_input, &p);
  if (st == VLM_OK) vlm_out_shape(c, 0, dtype, p.s.rank, p.s.dims);
  return st;
}

vlm_status vlm_product_read(vlm_op_call *c, int w_input, vlm_product *p) {
  vlm_status st = VLM_OK;
  const char *activation = vlm_arg_string(c, ACTIVATION, "");
  VLM_TRY(read_shape(c, w_input, p));
  VLM_TRY(vlm_matmul_indices(c, p->x, p->w, &p->s));
  VLM_TRY(vlm_op_floats(c, c->in[w_input + 1], p->s.b_matrices * p->s.n, "the scale of the weights", &p->w_scale));
  VLM_TRY(vlm_op_floats(c, vlm_in(c, w_input + 2), p->s.b_matrices * p->s.n, "the bias", &p->bias));
  VLM_TRY(vlm_activation_find(&p->activation, c->kernels->rowops, activation, c->err));
  vlm_activation_params(p->params, activation, vlm_arg(c, PARAMS), NULL);
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
  int64_t column = index % t->blocks * TURN_COLUMNS, n = t->columns - column < TURN_COLUMNS ? t->columns - column : TURN_COLUMNS;
  int64_t matrix = index / t->blocks * t->rows * t->columns;
  char *to = t->to + (matrix + column * t->rows) * t->bytes;
  const char *from = t->from + (matrix + column) * t->bytes;
  size_t rows = (size_t)t->rows, columns = (size_t)t->columns;
  (void)worker;
  if (t->bytes == 1) {
    const vlm_transpose_8_args all = {(uint8_t *)to, rows, (const uint8_t *)from, columns, rows, (size_t)n};
    t->kernels->transpose_8->fn.transpose_8(&all);
  } else {
    const vlm_transpose_32_args all = {(uint32_t *)(void *)to, rows, (const uint32_t *)(const void *)from, columns, rows, (size_t)n};
    t->kernels->transpose_32->fn.transpose_32(&all);
  }
}

void vlm_product_turn(vlm_op_call *c, void *to, const void *from, int64_t matrices, int64_t rows, int64_t columns, int bytes) {
  turning t = {c->kernels, to, from, rows, columns, (columns + TURN_COLUMNS - 1) / TURN_COLUMNS, bytes};
  vlm_threads_run(c->threads, matrices * t.blocks, turn_task, &t);
}

vlm_status vlm_product_float_rows(vlm_op_call *c, const vlm_product *p, const float **rows) {
  vlm_status st = VLM_OK;
  void *turned;
  VLM_CHECK(p->x->dtype == VLM_F32, c->err, VLM_INPUT, "activations of type %s; wanted float32", vlm_dtype_name(p->x->dtype));
  *rows = p->x->data;
  if (!p->x_columns) goto out;
  VLM_TRY(vlm_scratch_array(c, &turned, vlm_tensor_count(p->x), sizeof(float)));
  vlm_product_turn(c, turned, p->x->data, vlm_tensor_span(p->x, 0, p->x->rank - 2), p->s.k, p->x->dims[p->x->rank - 1], sizeof(float));
  *rows = turned;
out:
  return st;
}
