/* MatMul, FusedMatMul, Gemm, FusedGemm. */
#include "runtime/ops/matmul.h"

#include <math.h>
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/weights.h"

/* ---- float32 ---- */

typedef struct {
  const float *b;
  const vlm_matmul_shape *shape;
  const vlm_kernels *kernels;
} panel_recipe;

static vlm_status fill_panels(void *block, void *user, vlm_error *err) {
  const panel_recipe *r = user;
  const vlm_matmul_shape *s = r->shape;
  int64_t packed = vlm_gemm_f32_packed_count(r->kernels, s->k, s->n);
  (void)err;
  for (int64_t i = 0; i < s->b_matrices; i++)
    vlm_gemm_f32_pack((float *)block + i * packed, r->b + i * s->b_step, s->b_row, s->b_column, s->k, s->n, r->kernels->gemm_f32->nr);
  return VLM_OK;
}

/* Packed panels when operand 1 is a constant; else b is read where it is. */
static vlm_status take_panels(vlm_op_call *c, const float *b, const vlm_matmul_shape *s, const float **panels) {
  panel_recipe r = {b, s, c->kernels};
  int64_t key[5] = {s->k, s->n, s->b_matrices, s->b_turned ? -s->b_column : s->b_column, c->kernels->gemm_f32->nr};
  size_t bytes;
  *panels = NULL;
  if (!c->is_constant || !c->is_constant[1] || c->is_constant[0] || !c->kernels->prepared) return VLM_OK;
  if (!vlm_size_mul((size_t)vlm_gemm_f32_packed_count(c->kernels, s->k, s->n) * sizeof(float), (size_t)s->b_matrices, &bytes))
    return vlm_fail(c->err, VLM_LIMIT, "packed weights of %lld x %lld x %lld are too large", (long long)s->b_matrices, (long long)s->k,
                    (long long)s->n);
  return vlm_op_weight(c, 1, VLM_PREPARED_PANELS_F32, key, bytes, fill_panels, &r, (const void **)panels);
}

vlm_status vlm_matmul_f32(vlm_op_call *c, vlm_matmul_shape *s, const float *a, const float *b, float *y, const vlm_epilogue_f32 *epilogue) {
  vlm_status st = VLM_OK;
  void *scratch;
  vlm_gemm_f32 g = {.a = a, .a_row = s->a_row, .a_column = s->a_column, .b = b, .b_row = s->b_row, .b_column = s->b_column, .c = y};
  int64_t packed = vlm_gemm_f32_packed_count(c->kernels, s->k, s->n);
  if (!epilogue->add) vlm_matmul_join_batch(s);
  VLM_TRY(vlm_matmul_indices(c, c->in[0], c->in[1], s));
  VLM_TRY(take_panels(c, b, s, &g.panels));
  for (int64_t i = 0; i < s->batch; i++) {
    s->a_index[i] *= s->a_step;
    s->b_index[i] *= g.panels ? packed : s->b_step;
  }
  g.batch = s->batch;
  g.m = s->m;
  g.n = s->n;
  g.k = s->k;
  g.a_offset = s->a_index;
  g.b_offset = s->b_index;
  g.c_batch = s->m * s->n;
  g.ldc = s->n;
  g.epilogue = *epilogue;
  VLM_TRY(c->scratch(c, &scratch, vlm_gemm_f32_scratch(&g, c->kernels, c->threads)));
  vlm_gemm_f32_run(&g, c->kernels, c->threads, scratch);
out:
  return st;
}

/* ---- other types: plain loops, in the same order; integers modulo 2^bits ---- */

typedef struct {
  const vlm_matmul_shape *shape;
  const void *a, *b;
  void *y;
} loop_region;

#define VLM_MATMUL_LOOP(name, T, step)                                                                             \
  static void name(void *user, int64_t index, int worker) {                                                        \
    const loop_region *r = user;                                                                                   \
    const vlm_matmul_shape *s = r->shape;                                                                          \
    int64_t batch = index / s->m, i = index % s->m;                                                                \
    const T *a = (const T *)r->a + s->a_index[batch] * s->m * s->k + i * s->a_row;                                 \
    const T *b = (const T *)r->b + s->b_index[batch] * s->k * s->n;                                                \
    T *y = (T *)r->y + index * s->n;                                                                               \
    (void)worker;                                                                                                  \
    for (int64_t j = 0; j < s->n; j++) y[j] = 0;                                                                   \
    for (int64_t p = 0; p < s->k; p++)                                                                             \
      for (int64_t j = 0; j < s->n; j++) y[j] = step(a[p * s->a_column], b[p * s->b_row + j * s->b_column], y[j]); \
  }
#define VLM_MULTIPLY_ADD(x, y, z) ((x) * (y) + (z))
VLM_MATMUL_LOOP(loop_f64, double, fma)
VLM_MATMUL_LOOP(loop_32, uint32_t, VLM_MULTIPLY_ADD)
VLM_MATMUL_LOOP(loop_64, uint64_t, VLM_MULTIPLY_ADD)

static vlm_status matmul_loops(vlm_op_call *c, vlm_matmul_shape *s, vlm_index_task *task) {
  vlm_status st = VLM_OK;
  loop_region r = {s, c->in[0]->data, c->in[1]->data, c->out[0]->data};
  VLM_TRY(vlm_matmul_indices(c, c->in[0], c->in[1], s));
  vlm_threads_run(c->threads, s->batch * s->m, task, &r);
out:
  return st;
}

/* ---- MatMul, FusedMatMul ---- */

static vlm_status check_types(vlm_op_call *c) {
  if (c->in[0]->dtype == c->in[1]->dtype) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "operands of type %s and %s; wanted the same type", vlm_dtype_name(c->in[0]->dtype),
                  vlm_dtype_name(c->in[1]->dtype));
}

static vlm_status shape_with(vlm_op_call *c, bool ta, bool tb, vlm_matmul_shape *s) {
  vlm_status st = check_types(c);
  return st == VLM_OK ? vlm_matmul_shape_of(c, c->in[0], c->in[1], ta, tb, s) : st;
}

static vlm_status matmul_floats(vlm_op_call *c, vlm_matmul_shape *s, float alpha) {
  vlm_status st = VLM_OK;
  const float *a, *b;
  float *y;
  vlm_epilogue_f32 e = {.alpha = alpha};
  VLM_TRY(vlm_as_f32(c, c->in[0], &a));
  VLM_TRY(vlm_as_f32(c, c->in[1], &b));
  VLM_TRY(vlm_out_f32(c, 0, &y));
  VLM_TRY(vlm_matmul_f32(c, s, a, b, y, &e));
  vlm_store_f32(c, 0, y);
out:
  return st;
}

vlm_status vlm_infer_MatMul(vlm_op_call *c) {
  vlm_matmul_shape s;
  vlm_status st = shape_with(c, false, false, &s);
  if (st == VLM_OK) vlm_out_shape(c, 0, c->in[0]->dtype, s.rank, s.dims);
  return st;
}
vlm_status vlm_run_MatMul(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_matmul_shape s;
  VLM_TRY(shape_with(c, false, false, &s));
  switch (c->in[0]->dtype) {
    case VLM_F32:
    case VLM_F16:
    case VLM_BF16: VLM_TRY(matmul_floats(c, &s, 1)); break;
    case VLM_F64: VLM_TRY(matmul_loops(c, &s, loop_f64)); break;
    case VLM_S32:
    case VLM_U32: VLM_TRY(matmul_loops(c, &s, loop_32)); break;
    case VLM_S64:
    case VLM_U64: VLM_TRY(matmul_loops(c, &s, loop_64)); break;
    default:
      return vlm_fail(c->err, VLM_UNSUPPORTED, "MatMul of %s; wanted a float type or 32/64-bit integers", vlm_dtype_name(c->in[0]->dtype));
  }
out:
  return st;
}

static vlm_status fused_shape(vlm_op_call *c, vlm_matmul_shape *s) {
  vlm_status st = VLM_OK;
  VLM_TRY(check_types(c));
  VLM_TRY(vlm_matmul_shape_turned(c, c->in[0], c->in[1], vlm_arg_int(c, 0, 0) != 0, vlm_arg_int(c, 1, 0) != 0, vlm_arg_int(c, 3, 0) != 0,
                                  vlm_arg_int(c, 4, 0) != 0, s));
out:
  return st;
}

vlm_status vlm_infer_FusedMatMul(vlm_op_call *c) {
  vlm_matmul_shape s;
  vlm_status st = fused_shape(c, &s);
  if (st == VLM_OK) vlm_out_shape(c, 0, c->in[0]->dtype, s.rank, s.dims);
  return st;
}
vlm_status vlm_run_FusedMatMul(vlm_op_call *c) {
  vlm_matmul_shape s;
  vlm_status st = fused_shape(c, &s);
  return st == VLM_OK ? matmul_floats(c, &s, vlm_arg_float(c, 2, 1)) : st;
}

/* ---- Gemm, FusedGemm: alpha * a * b + beta * c ---- */

vlm_status vlm_infer_Gemm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_matmul_shape s;
  VLM_CHECK(c->in[0]->rank == 2 && c->in[1]->rank == 2, c->err, VLM_INPUT, "Gemm of operands with %d and %d dims; wanted 2 and 2",
            c->in[0]->rank, c->in[1]->rank);
  VLM_TRY(shape_with(c, vlm_arg_int(c, 2, 0) != 0, vlm_arg_int(c, 3, 0) != 0, &s));
  vlm_out_shape(c, 0, c->in[0]->dtype, s.rank, s.dims);
out:
  return st;
}

/* Strides of the addend, broadcast to m x n. */
static vlm_status addend_strides(vlm_op_call *c, const vlm_tensor *t, const vlm_matmul_shape *s, int64_t *row, int64_t *column) {
  char text[128];
  int64_t rows = t->rank > 1 ? t->dims[t->rank - 2] : 1, columns = t->rank > 0 ? t->dims[t->rank - 1] : 1;
  *row = rows == 1 ? 0 : columns;
  *column = columns == 1 ? 0 : 1;
  if (t->rank <= 2 && (rows == 1 || rows == s->m) && (columns == 1 || columns == s->n)) return VLM_OK;
  return vlm_fail(c->err, VLM_INPUT, "addend %s does not broadcast to [%lld, %lld]", vlm_tensor_shape_text(t, text, sizeof text),
                  (long long)s->m, (long long)s->n);
}

static vlm_status gemm_floats(vlm_op_call *c, vlm_matmul_shape *s, vlm_epilogue_f32 *e) {
  vlm_status st = VLM_OK;
  const float *a, *b;
  float *y;
  VLM_TRY(vlm_as_f32(c, c->in[0], &a));
  VLM_TRY(vlm_as_f32(c, c->in[1], &b));
  VLM_TRY(vlm_as_f32(c, vlm_in(c, 2), &e->add));
  if (e->add) VLM_TRY(addend_strides(c, vlm_in(c, 2), s, &e->add_row, &e->add_column));
  if (e->beta == 0) e->add = NULL;
  VLM_TRY(vlm_out_f32(c, 0, &y));
  VLM_TRY(vlm_matmul_f32(c, s, a, b, y, e));
  vlm_store_f32(c, 0, y);
out:
  return st;
}

/* float64 and integers: the product, then the addend. */
static vlm_status gemm_loops(vlm_op_call *c, vlm_matmul_shape *s, float alpha, float beta) {
  vlm_status st = VLM_OK;
  const vlm_tensor *add = vlm_in(c, 2), *y = c->out[0];
  int64_t row = 0, column = 0;
  bool wide = vlm_dtype_bits(y->dtype) == 64, is_float = y->dtype == VLM_F64;
  VLM_TRY(matmul_loops(c, s, is_float ? loop_f64 : wide ? loop_64 : loop_32));
  if (add) VLM_TRY(addend_strides(c, add, s, &row, &column));
  if (!is_float && alpha == 1 && beta == 1) {
    for (int64_t i = 0; add && i < s->m * s->n; i++) {
      int64_t at = i / s->n * row + i % s->n * column;
      if (wide)
        ((uint64_t *)y->data)[i] += ((const uint64_t *)add->data)[at];
      else
        ((uint32_t *)y->data)[i] += ((const uint32_t *)add->data)[at];
    }
    goto out;
  }
  for (int64_t i = 0; i < s->m * s->n; i++) {
    double value = (double)alpha * vlm_tensor_get(y, i);
    if (add) value += (double)beta * vlm_tensor_get(add, i / s->n * row + i % s->n * column);
    vlm_tensor_set(y, i, is_float ? value : trunc(value));
  }
out:
  return st;
}

vlm_status vlm_run_Gemm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_matmul_shape s;
  vlm_epilogue_f32 e = {.alpha = vlm_arg_float(c, 0, 1), .beta = vlm_arg_float(c, 1, 1)};
  VLM_TRY(shape_with(c, vlm_arg_int(c, 2, 0) != 0, vlm_arg_int(c, 3, 0) != 0, &s));
  switch (c->in[0]->dtype) {
    case VLM_F32:
    case VLM_F16:
    case VLM_BF16: VLM_TRY(gemm_floats(c, &s, &e)); break;
    case VLM_F64:
    case VLM_S32:
    case VLM_U32:
    case VLM_S64:
    case VLM_U64: VLM_TRY(gemm_loops(c, &s, e.alpha, e.beta)); break;
    default:
      return vlm_fail(c->err, VLM_UNSUPPORTED, "Gemm of %s; wanted a float type or 32/64-bit integers", vlm_dtype_name(c->in[0]->dtype));
  }
out:
  return st;
}

vlm_status vlm_run_FusedGemm(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  vlm_matmul_shape s;
  vlm_epilogue_f32 e = {.alpha = vlm_arg_float(c, 0, 1), .beta = vlm_arg_float(c, 1, 1)};
  VLM_TRY(shape_with(c, vlm_arg_int(c, 2, 0) != 0, vlm_arg_int(c, 3, 0) != 0, &s));
  VLM_TRY(vlm_activation_find(&e.activation, c->kernels->rowops, vlm_arg_string(c, 4, ""), c->err));
  vlm_activation_params(e.params, vlm_arg_string(c, 4, ""), vlm_arg(c, 5), vlm_arg(c, 6));
  VLM_TRY(gemm_floats(c, &s, &e));
out:
  return st;
}
