#include "runtime/ops/op_gemm.h"

#include "runtime/base/memory.h"
#include "runtime/ops/op_data.h"

vlm_status vlm_op_gemm_prepare(vlm_op_call *c, const vlm_gemm_f32 *g, size_t *work) {
  if (!c->kernels) return vlm_fail(c->err, VLM_INTERNAL, "%s is called without kernels", c->node->op_type);
  return vlm_op_reserve(c, work, (int64_t)vlm_gemm_f32_scratch(g, c->kernels, c->threads), 1);
}

void vlm_op_gemm_run(const vlm_op_call *c, const vlm_gemm_f32 *g, size_t work) {
  vlm_gemm_f32_run(g, c->kernels, c->threads, vlm_op_work(c, work));
}

vlm_status vlm_fill_panels(void *block, const int64_t *s, const vlm_tensor *const *from,
                           const vlm_kernels *kernels, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = from[0];
  const float *b = t->data;
  float *copy = NULL;
  int64_t packed = vlm_gemm_f32_packed_count(kernels, s[0], s[1]), count = vlm_tensor_count(t);
  if (t->dtype != VLM_F32) {
    VLM_TRY(vlm_new(&copy, count, err));
    vlm_floats_of(copy, t, count);
    b = copy;
  }
  for (int64_t i = 0; i < s[2]; i++) {
    vlm_f32_source source = {.b = b + i * s[5], .b_row = s[3], .b_column = s[4], .k = s[0], .n = s[1]};
    vlm_gemm_f32_pack((float *)block + i * packed, &source, kernels->gemm_f32->nr);
  }
out:
  vlm_free(copy);
  return st;
}

vlm_status vlm_op_operand_prepare(vlm_op_call *c, vlm_op_operand *b, int input,
                                  const vlm_matrices *matrices) {
  vlm_status st = VLM_OK;
  const vlm_matrices *m = matrices;
  vlm_weight_form form = {.fill = vlm_fill_panels,
                          .sizes = {m->k, m->n, m->count, m->row, m->column, m->step},
                          .inputs = {input},
                          .n_inputs = 1};
  *b = (vlm_op_operand){.matrices = *m};
  if (!vlm_op_lasts(c, input) || !c->binding->weights) return vlm_floats_prepare(c, &b->values, input);
  VLM_CHECK(vlm_size_mul((size_t)vlm_gemm_f32_packed_count(c->kernels, m->k, m->n) * sizeof(float),
                         (size_t)m->count, &form.bytes),
            c->err, VLM_LIMIT, "packed weights of %lld x %lld x %lld are too large", (long long)m->count,
            (long long)m->k, (long long)m->n);
  VLM_TRY(vlm_op_pack(c, &b->panels, &form));
out:
  return st;
}

void vlm_op_operand_form(const vlm_op_operand *b, vlm_gemm_f32 *g) {
  g->panels = b->panels.block;
  g->b_row = b->matrices.row;
  g->b_column = b->matrices.column;
}

void vlm_op_operand_set(const vlm_op_call *c, const vlm_op_operand *b, int64_t matrix, vlm_gemm_f32 *g) {
  vlm_op_operand_form(b, g);
  if (g->panels) g->panels += matrix * vlm_gemm_f32_packed_count(c->kernels, b->matrices.k, b->matrices.n);
  else g->b = vlm_values_get(c, &b->values) + matrix * b->matrices.step;
}
