/* The product with weights that are stored as codes: they are decoded into float panels once, then it is an ordinary product. */
#include <string.h>

#include "runtime/ops/matmul.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

typedef struct {
  vlm_packed w;
  vlm_values a, bias;
  vlm_result y;
  vlm_gemm_f32 g;
  size_t scratch;
} matmul_coded_state;

void vlm_coded_panels(void *block, int64_t k, int64_t n, const vlm_kernels *kernels,
                      float (*value)(const void *user, int64_t j, int64_t p), const void *user) {
  int64_t nr = kernels->gemm_f32->nr;
  for (int64_t j = 0; j < (n + nr - 1) / nr * nr; j++) {
    float *column = (float *)block + j / nr * nr * k + j % nr;
    for (int64_t p = 0; p < k; p++) column[p * nr] = j < n ? value(user, j, p) : 0;
  }
}

vlm_status vlm_infer_coded(vlm_op_call *c, int64_t k, int64_t n) {
  const vlm_tensor *a = c->in[0];
  int64_t dims[VLM_MAX_RANK], last = a->rank > 0 ? a->dims[a->rank - 1] : 0;
  if (a->rank == 0 || last != k)
    return vlm_fail(c->err, VLM_INPUT, "the last dim of a is %lld; wanted K = %lld", (long long)last,
                    (long long)k);
  memcpy(dims, a->dims, sizeof dims);
  dims[a->rank - 1] = n;
  vlm_out_shape(c, 0, a->dtype, a->rank, dims);
  return VLM_OK;
}

vlm_status vlm_prepare_coded(vlm_op_call *c, const vlm_coded_weights *w) {
  vlm_status st = VLM_OK;
  matmul_coded_state *s;
  vlm_weight_form form = w->form;
  int64_t packed = vlm_gemm_f32_packed_count(c->kernels, w->k, w->n);
  VLM_TRY(vlm_op_state_new(c, &s));
  VLM_CHECK(packed >= 0 && vlm_size_mul((size_t)packed, sizeof(float), &form.bytes), c->err, VLM_LIMIT,
            "weights are too large");
  VLM_TRY(vlm_op_pack(c, &s->w, &form));
  VLM_TRY(vlm_values_prepare(c, &s->a, 0, vlm_tensor_count(c->in[0]), "a"));
  VLM_TRY(vlm_values_prepare(c, &s->bias, w->bias, w->n, "the bias"));
  VLM_TRY(vlm_result_prepare(c, &s->y, 0));
  s->g = (vlm_gemm_f32){.batch = 1,
                        .m = vlm_tensor_span(c->in[0], 0, c->in[0]->rank - 1),
                        .n = w->n,
                        .k = w->k,
                        .a_row = w->k,
                        .a_column = 1,
                        .ldc = w->n,
                        .epilogue = {.alpha = 1}};
  static const float some_panels[1];
  vlm_gemm_f32 sized = s->g;
  sized.panels = some_panels; /* only whether there are any counts */
  VLM_TRY(vlm_op_reserve(c, &s->scratch, (int64_t)vlm_gemm_f32_scratch(&sized, c->kernels, c->threads), 1));
out:
  return st;
}

vlm_status vlm_run_coded(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const matmul_coded_state *s = c->state;
  vlm_gemm_f32 g = s->g;
  const void *panels;
  VLM_TRY(vlm_op_packed(c, &s->w, &panels));
  g.panels = panels;
  g.a = vlm_values_get(c, &s->a);
  g.epilogue.bias = vlm_values_get(c, &s->bias);
  g.c = vlm_result_get(c, &s->y);
  vlm_gemm_f32_run(&g, c->kernels, c->threads, vlm_op_work(c, s->scratch));
  vlm_store_f32(c, 0, g.c);
out:
  return st;
}
