/* MatMul, FusedMatMul, Gemm, FusedGemm. */
#include "runtime/ops/matmul.h"

#include <math.h>
#include <string.h>

#include "runtime/ops/op_check.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_gemm.h"
#include "runtime/ops/op_table.h"

/* ---- float32 ---- */

/* Panels when operand 1 lasts; else b is read where it is. */
static vlm_status prepare_b(vlm_op_call *c, vlm_matmul_f32 *p) {
  vlm_status st = VLM_OK;
  const vlm_matmul_shape *s = &p->shape;
  vlm_weight_form form = {.fill = vlm_fill_panels,
                          .sizes = {s->k, s->n, s->b_matrices, s->b_row, s->b_column, s->b_step},
                          .inputs = {1},
                          .n_inputs = 1};
  if (!vlm_op_lasts(c, 1) || !c->binding->weights)
    return vlm_values_prepare(c, &p->b, 1, vlm_tensor_count(c->in[1]), "operand 1");
  VLM_CHECK(vlm_size_mul((size_t)vlm_gemm_f32_packed_count(c->kernels, s->k, s->n) * sizeof(float),
                         (size_t)s->b_matrices, &form.bytes),
            c->err, VLM_LIMIT, "packed weights of %lld x %lld x %lld are too large", (long long)s->b_matrices,
            (long long)s->k, (long long)s->n);
  VLM_TRY(vlm_op_pack(c, &p->w, &form));
  p->g.panels = p->w.block;
out:
  return st;
}

vlm_status vlm_matmul_f32_prepare(vlm_op_call *c, vlm_matmul_f32 *p, const vlm_matmul_shape *shape,
                                  const vlm_epilogue_f32 *epilogue, int add) {
  vlm_status st = VLM_OK;
  vlm_matmul_shape *s = &p->shape;
  *s = *shape;
  if (add < 0) vlm_matmul_join_batch(s);
  VLM_TRY(vlm_matmul_indices(c, c->in[0], c->in[1], s));
  VLM_TRY(vlm_values_prepare(c, &p->a, 0, vlm_tensor_count(c->in[0]), "operand 0"));
  VLM_TRY(vlm_values_prepare(c, &p->add, add, add < 0 ? 0 : vlm_tensor_count(c->in[add]), "the addend"));
  VLM_TRY(vlm_result_prepare(c, &p->y, 0));
  p->g = (vlm_gemm_f32){.batch = s->batch,
                        .m = s->m,
                        .n = s->n,
                        .k = s->k,
                        .a_row = s->a_row,
                        .a_column = s->a_column,
                        .b_row = s->b_row,
                        .b_column = s->b_column,
                        .a_offset = s->a_index,
                        .b_offset = s->b_index,
                        .c_batch = s->m * s->n,
                        .ldc = s->n,
                        .epilogue = *epilogue};
  VLM_TRY(prepare_b(c, p));
  int64_t b_size = p->g.panels ? vlm_gemm_f32_packed_count(c->kernels, s->k, s->n) : s->b_step;
  for (int64_t i = 0; i < s->batch; i++) {
    s->a_index[i] *= s->a_step;
    s->b_index[i] *= b_size;
  }
  VLM_TRY(vlm_op_reserve(c, &p->scratch, (int64_t)vlm_gemm_f32_scratch(&p->g, c->kernels, c->threads), 1));
out:
  return st;
}

vlm_gemm_f32 vlm_matmul_f32_operands(vlm_op_call *c, const vlm_matmul_f32 *p) {
  vlm_gemm_f32 g = p->g;
  g.a = vlm_values_get(c, &p->a);
  if (!g.panels) g.b = vlm_values_get(c, &p->b);
  return g;
}

void vlm_matmul_f32_run(vlm_op_call *c, const vlm_matmul_f32 *p) {
  vlm_gemm_f32 g = vlm_matmul_f32_operands(c, p);
  g.epilogue.add = vlm_values_get(c, &p->add);
  g.c = vlm_result_get(c, &p->y);
  vlm_gemm_f32_run(&g, c->kernels, c->threads, vlm_op_work(c, p->scratch));
  vlm_store_f32(c, 0, g.c);
}

/* ---- other types: plain loops, in the same order; integers modulo 2^bits ---- */

typedef struct {
  const vlm_matmul_shape *shape;
  const void *a, *b;
  void *y;
} loop_region;

#define VLM_MATMUL_LOOP(name, T, step)                                            \
  static void name(void *user, int64_t index, int worker) {                       \
    const loop_region *r = user;                                                  \
    const vlm_matmul_shape *s = r->shape;                                         \
    int64_t batch = index / s->m, i = index % s->m;                               \
    const T *a = (const T *)r->a + s->a_index[batch] * s->a_step + i * s->a_row;  \
    const T *b = (const T *)r->b + s->b_index[batch] * s->b_step;                 \
    T *y = (T *)r->y + index * s->n;                                              \
    (void)worker;                                                                 \
    for (int64_t j = 0; j < s->n; j++) y[j] = 0;                                  \
    for (int64_t p = 0; p < s->k; p++)                                            \
      for (int64_t j = 0; j < s->n; j++)                                          \
        y[j] = step(a[p * s->a_column], b[p * s->b_row + j * s->b_column], y[j]); \
  }
#define VLM_MULTIPLY_ADD(x, y, z) ((x) * (y) + (z))
VLM_MATMUL_LOOP(loop_f64, double, fma)
VLM_MATMUL_LOOP(loop_32, uint32_t, VLM_MULTIPLY_ADD)
VLM_MATMUL_LOOP(loop_64, uint64_t, VLM_MULTIPLY_ADD)

/* ---- what the four share ---- */

typedef struct {
  vlm_matmul_f32 floats;
  vlm_matmul_shape shape;
  vlm_index_task *loop; /* NULL: floats */
  float alpha, beta;
  int64_t add_row, add_column;
} matmul_state;

static vlm_index_task *loop_for(vlm_dtype type) {
  if (type == VLM_F64) return loop_f64;
  return vlm_dtype_bits(type) == 64 ? loop_64 : loop_32;
}

static bool is_float32(vlm_dtype type) { return type == VLM_F32 || type == VLM_F16 || type == VLM_BF16; }

static vlm_status check_type(vlm_op_call *c) {
  vlm_dtype t = c->in[0]->dtype;
  if (is_float32(t) || t == VLM_F64 || t == VLM_S32 || t == VLM_U32 || t == VLM_S64 || t == VLM_U64)
    return VLM_OK;
  return vlm_fail(c->err, VLM_UNSUPPORTED, "%s of %s; wanted a float type or 32/64-bit integers",
                  c->node->op_type, vlm_dtype_name(t));
}

static void run_loops(vlm_op_call *c, const matmul_state *s) {
  loop_region r = {&s->shape, c->in[0]->data, c->in[1]->data, c->out[0]->data};
  vlm_threads_run(c->threads, s->shape.batch * s->shape.m, s->loop, &r);
}

/* ---- MatMul, FusedMatMul ---- */

static vlm_status check_types(vlm_op_call *c) {
  if (c->in[0]->dtype == c->in[1]->dtype) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "operands of type %s and %s; wanted the same type",
                  vlm_dtype_name(c->in[0]->dtype), vlm_dtype_name(c->in[1]->dtype));
}

static vlm_status shape_with(vlm_op_call *c, bool ta, bool tb, vlm_matmul_shape *s) {
  vlm_status st = check_types(c);
  return st == VLM_OK ? vlm_matmul_shape_of(c, c->in[0], c->in[1], ta, tb, s) : st;
}

vlm_status vlm_infer_MatMul(vlm_op_call *c) {
  vlm_matmul_shape s;
  vlm_status st = shape_with(c, false, false, &s);
  if (st == VLM_OK) vlm_out_shape(c, 0, c->in[0]->dtype, s.rank, s.dims);
  return st;
}

/* Products without an addend. */
static vlm_status prepare_product(vlm_op_call *c, const vlm_matmul_shape *shape, float alpha) {
  vlm_status st = VLM_OK;
  matmul_state *s;
  const vlm_epilogue_f32 e = {.alpha = alpha};
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(check_type(c));
  s->shape = *shape;
  s->alpha = alpha;
  if (is_float32(c->in[0]->dtype)) {
    VLM_TRY(vlm_matmul_f32_prepare(c, &s->floats, &s->shape, &e, -1));
  } else {
    s->loop = loop_for(c->in[0]->dtype);
    VLM_TRY(vlm_matmul_indices(c, c->in[0], c->in[1], &s->shape));
  }
out:
  return st;
}

vlm_status vlm_prepare_MatMul(vlm_op_call *c) {
  vlm_matmul_shape s;
  vlm_status st = shape_with(c, false, false, &s);
  return st == VLM_OK ? prepare_product(c, &s, 1) : st;
}

vlm_status vlm_run_MatMul(vlm_op_call *c) {
  const matmul_state *s = c->state;
  if (s->loop) {
    run_loops(c, s);
    double *y = c->out[0]->data; /* only FusedMatMul, which takes floats alone, has another alpha */
    for (int64_t i = 0, n = s->alpha == 1 ? 0 : vlm_tensor_count(c->out[0]); i < n; i++)
      y[i] *= (double)s->alpha;
  } else {
    vlm_matmul_f32_run(c, &s->floats);
  }
  return VLM_OK;
}

static vlm_status fused_shape(vlm_op_call *c, vlm_matmul_shape *s) {
  vlm_status st = VLM_OK;
  const vlm_matmul_turns turns = {.transpose_a = vlm_arg_int(c, 0, 0) != 0,
                                  .transpose_b = vlm_arg_int(c, 1, 0) != 0,
                                  .turned_a = vlm_arg_int(c, 3, 0) != 0,
                                  .turned_b = vlm_arg_int(c, 4, 0) != 0};
  VLM_TRY(check_types(c));
  VLM_TRY(vlm_matmul_shape_turned(c, c->in[0], c->in[1], &turns, s));
out:
  return st;
}

vlm_status vlm_infer_FusedMatMul(vlm_op_call *c) {
  vlm_matmul_shape s;
  vlm_status st = fused_shape(c, &s);
  if (st == VLM_OK) vlm_out_shape(c, 0, c->in[0]->dtype, s.rank, s.dims);
  return st;
}

vlm_status vlm_prepare_FusedMatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_matmul_shape s;
  VLM_TRY(vlm_require_whole_floats(c, 0, "A"));
  VLM_TRY(fused_shape(c, &s));
  VLM_TRY(prepare_product(c, &s, vlm_arg_float(c, 2, 1)));
out:
  return st;
}

/* ---- Gemm, FusedGemm: alpha * a * b + beta * c ---- */

vlm_status vlm_infer_Gemm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_matmul_shape s;
  VLM_CHECK(c->in[0]->rank == 2 && c->in[1]->rank == 2, c->err, VLM_INPUT,
            "Gemm of operands with %d and %d dims; wanted 2 and 2", c->in[0]->rank, c->in[1]->rank);
  VLM_TRY(shape_with(c, vlm_arg_int(c, 2, 0) != 0, vlm_arg_int(c, 3, 0) != 0, &s));
  vlm_out_shape(c, 0, c->in[0]->dtype, s.rank, s.dims);
out:
  return st;
}

/* Strides of the addend, broadcast to m x n. */
static vlm_status addend_strides(vlm_op_call *c, const vlm_tensor *t, const vlm_matmul_shape *s, int64_t *row,
                                 int64_t *column) {
  char text[128];
  int64_t rows = t->rank > 1 ? t->dims[t->rank - 2] : 1, columns = t->rank > 0 ? t->dims[t->rank - 1] : 1;
  *row = rows == 1 ? 0 : columns;
  *column = columns == 1 ? 0 : 1;
  if (t->rank <= 2 && (rows == 1 || rows == s->m) && (columns == 1 || columns == s->n)) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "addend %s does not broadcast to [%lld, %lld]",
                  vlm_tensor_shape_text(t, text, sizeof text), (long long)s->m, (long long)s->n);
}

static vlm_status prepare_gemm(vlm_op_call *c, vlm_epilogue_f32 *e) {
  vlm_status st = VLM_OK;
  matmul_state *s;
  const vlm_tensor *add = vlm_in(c, 2);
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_TRY(check_type(c));
  VLM_TRY(vlm_require_type(c, 2, "C", c->in[0]->dtype));
  VLM_TRY(shape_with(c, vlm_arg_int(c, 2, 0) != 0, vlm_arg_int(c, 3, 0) != 0, &s->shape));
  if (add) VLM_TRY(addend_strides(c, add, &s->shape, &s->add_row, &s->add_column));
  s->alpha = vlm_arg_float(c, 0, 1);
  s->beta = vlm_arg_float(c, 1, 1);
  if (is_float32(c->in[0]->dtype) || e->activation) { /* activations are functions of float32 */
    e->alpha = s->alpha;
    e->beta = s->beta;
    e->add_row = s->add_row;
    e->add_column = s->add_column;
    VLM_TRY(vlm_matmul_f32_prepare(c, &s->floats, &s->shape, e, add && s->beta != 0 ? 2 : -1));
  } else {
    s->loop = loop_for(c->in[0]->dtype);
    VLM_TRY(vlm_matmul_indices(c, c->in[0], c->in[1], &s->shape));
  }
out:
  return st;
}

vlm_status vlm_prepare_Gemm(vlm_op_call *c) {
  vlm_epilogue_f32 e = {0};
  return prepare_gemm(c, &e);
}

static void add_integers(const matmul_state *s, const vlm_tensor *y, const vlm_tensor *add) {
  bool wide = vlm_dtype_bits(y->dtype) == 64;
  for (int64_t i = 0; i < s->shape.m * s->shape.n; i++) {
    int64_t at = i / s->shape.n * s->add_row + i % s->shape.n * s->add_column;
    if (wide) ((uint64_t *)y->data)[i] += ((const uint64_t *)add->data)[at];
    else ((uint32_t *)y->data)[i] += ((const uint32_t *)add->data)[at];
  }
}

/* float64 and integers: the product, then the addend. */
static void gemm_loops(vlm_op_call *c, const matmul_state *s) {
  const vlm_tensor *add = vlm_in(c, 2), *y = c->out[0];
  bool is_float = y->dtype == VLM_F64;
  run_loops(c, s);
  if (!is_float && s->alpha == 1 && s->beta == 1) {
    if (add) add_integers(s, y, add);
    return;
  }
  for (int64_t i = 0; i < s->shape.m * s->shape.n; i++) {
    double value = (double)s->alpha * vlm_tensor_get(y, i);
    if (add)
      value +=
          (double)s->beta * vlm_tensor_get(add, i / s->shape.n * s->add_row + i % s->shape.n * s->add_column);
    vlm_tensor_set(y, i, is_float ? value : trunc(value));
  }
}

vlm_status vlm_run_Gemm(vlm_op_call *c) {
  const matmul_state *s = c->state;
  if (s->loop) gemm_loops(c, s);
  else vlm_matmul_f32_run(c, &s->floats);
  return VLM_OK;
}

vlm_status vlm_prepare_FusedGemm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_epilogue_f32 e = {0};
  const char *activation = vlm_arg_string(c, 4, "");
  VLM_CHECK(vlm_dtype_is_float(c->in[0]->dtype), c->err, VLM_UNSUPPORTED,
            "FusedGemm of %s; wanted a float type", vlm_dtype_name(c->in[0]->dtype));
  VLM_TRY(vlm_activation_find(&e.activation, c->kernels->rowops, activation, c->err));
  vlm_activation_params(e.params, activation, vlm_arg(c, 5), vlm_arg(c, 6));
  VLM_TRY(prepare_gemm(c, &e));
out:
  return st;
}
