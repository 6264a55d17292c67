#include "runtime/ops/op_gemm.h"

#include "runtime/ops/op_data.h"

static vlm_gemm_f32 product(const vlm_op_weights *w, const float *x, int64_t m, float *y, int64_t ldy) {
  return (vlm_gemm_f32){.batch = 1, .m = m, .n = w->n, .k = w->k, .a = x, .a_row = w->k, .a_column = 1, .panels = w->panels, .c = y,
                        .ldc = ldy,
                        .epilogue = {.alpha = 1}};
}

static vlm_status need_kernels(const vlm_op_call *c) {
  return c->kernels ? VLM_OK : vlm_fail(c->err, VLM_INTERNAL, "%s is called without kernels", c->node->op_type);
}

vlm_status vlm_op_weights_pack(vlm_op_call *c, vlm_op_weights *w, const vlm_f32_source *b, int64_t max_m) {
  vlm_status st = VLM_OK;
  VLM_TRY(need_kernels(c));
  *w = (vlm_op_weights){.k = b->k, .n = b->n};
  VLM_TRY(vlm_scratch_new(c, &w->panels, vlm_gemm_f32_packed_count(c->kernels, b->k, b->n)));
  vlm_gemm_f32_pack(w->panels, b, c->kernels->gemm_f32->nr);
  size_t bytes = 0;
  for (int64_t m = 1; m > 0; m = m < max_m ? max_m : 0) {
    vlm_gemm_f32 g = product(w, NULL, m, NULL, w->n);
    size_t more = vlm_gemm_f32_scratch(&g, c->kernels, c->threads);
    bytes = more > bytes ? more : bytes;
  }
  VLM_TRY(c->scratch(c, &w->scratch, bytes > 0 ? bytes : 1));
out:
  return st;
}

void vlm_op_weights_multiply(vlm_op_call *c, const vlm_op_weights *w, const float *x, int64_t m, float *y, int64_t ldy) {
  vlm_gemm_f32 g = product(w, x, m, y, ldy);
  vlm_gemm_f32_run(&g, c->kernels, c->threads, w->scratch);
}

vlm_status vlm_op_gemm_scratch(vlm_op_call *c, const vlm_gemm_f32 *g, void **scratch) {
  vlm_status st = need_kernels(c);
  if (st != VLM_OK) return st;
  size_t bytes = vlm_gemm_f32_scratch(g, c->kernels, c->threads);
  return c->scratch(c, scratch, bytes > 0 ? bytes : 1);
}

vlm_status vlm_op_gemm(vlm_op_call *c, const vlm_gemm_f32 *g) {
  void *scratch;
  vlm_status st = vlm_op_gemm_scratch(c, g, &scratch);
  if (st == VLM_OK) vlm_gemm_f32_run(g, c->kernels, c->threads, scratch);
  return st;
}
