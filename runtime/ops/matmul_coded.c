/* The product with weights that are stored as codes: they are decoded into float panels once, then it is an ordinary product. */
#include <string.h>

#include "runtime/ops/matmul.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/weights.h"

typedef struct {
  const vlm_coded_weights *weights;
  int nr;
} coded_panels;

static vlm_status fill(void *memory, void *user, vlm_error *err) {
  const coded_panels *panels = user;
  const vlm_coded_weights *w = panels->weights;
  int64_t nr = panels->nr;
  (void)err;
  for (int64_t j = 0; j < (w->n + nr - 1) / nr * nr; j++) {
    float *column = (float *)memory + j / nr * nr * w->k + j % nr;
    for (int64_t p = 0; p < w->k; p++) column[p * nr] = j < w->n ? w->value(w->user, j, p) : 0;
  }
  return VLM_OK;
}

vlm_status vlm_infer_coded(vlm_op_call *c, int64_t k, int64_t n) {
  const vlm_tensor *a = c->in[0];
  int64_t dims[VLM_MAX_RANK], last = a->rank > 0 ? a->dims[a->rank - 1] : 0;
  if (a->rank == 0 || last != k)
    return vlm_fail(c->err, VLM_INPUT, "the last dim of a is %lld; wanted K = %lld", (long long)last, (long long)k);
  memcpy(dims, a->dims, sizeof dims);
  dims[a->rank - 1] = n;
  vlm_out_shape(c, 0, a->dtype, a->rank, dims);
  return VLM_OK;
}

vlm_status vlm_matmul_coded(vlm_op_call *c, const vlm_coded_weights *w) {
  vlm_status st = VLM_OK;
  size_t bytes;
  void *scratch;
  const float *a, *bias;
  coded_panels panels = {.weights = w, .nr = c->kernels->gemm_f32->nr};
  const int64_t key[5] = {w->k, w->n, w->variant[0], w->variant[1], panels.nr};
  float *y;
  vlm_gemm_f32 g = {
      .batch = 1, .m = vlm_tensor_span(c->in[0], 0, c->in[0]->rank - 1), .n = w->n, .k = w->k, .a_row = w->k, .a_column = 1, .ldc = w->n};
  VLM_CHECK(vlm_size_mul((size_t)vlm_gemm_f32_packed_count(c->kernels, w->k, w->n), sizeof(float), &bytes), c->err, VLM_LIMIT,
            "weights are too large");
  VLM_TRY(vlm_op_weight(c, 1, VLM_PREPARED_PANELS_F32, key, bytes, fill, &panels, (const void **)&g.panels));
  VLM_TRY(vlm_as_f32(c, c->in[0], &a));
  VLM_TRY(vlm_op_floats(c, w->bias, w->n, "the bias", &bias));
  VLM_TRY(vlm_out_f32(c, 0, &y));
  g.a = a;
  g.c = y;
  g.epilogue = (vlm_epilogue_f32){.alpha = 1, .bias = bias};
  VLM_TRY(c->scratch(c, &scratch, vlm_gemm_f32_scratch(&g, c->kernels, c->threads)));
  vlm_gemm_f32_run(&g, c->kernels, c->threads, scratch);
  vlm_store_f32(c, 0, y);
out:
  return st;
}
