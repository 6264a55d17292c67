#include "runtime/ops/rnn_weights.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/gemm_f32.h"

/* sizes: hidden, gates, directions */
static int64_t first_columns(const int64_t *sizes) {
  return sizes[1] == 3 ? 2 * sizes[0] : sizes[1] * sizes[0];
}

static int64_t direction_floats(const int64_t *sizes, const vlm_kernels *kernels) {
  int64_t first = first_columns(sizes);
  return vlm_gemm_f32_packed_count(kernels, sizes[0], first) +
         vlm_gemm_f32_packed_count(kernels, sizes[0], sizes[1] * sizes[0] - first);
}

static void pack_recurrent(float *block, const int64_t *sizes, const float *r, const vlm_kernels *kernels) {
  int64_t hidden = sizes[0], first = first_columns(sizes);
  vlm_f32_source source = {.b = r, .b_row = 1, .b_column = hidden, .k = hidden, .n = first};
  for (int64_t d = 0; d < sizes[2];
       d++, block += direction_floats(sizes, kernels), r += sizes[1] * hidden * hidden) {
    source.b = r;
    source.n = first;
    vlm_gemm_f32_pack(block, &source, kernels->gemm_f32->nr);
    source.b = r + first * hidden;
    source.n = sizes[1] * hidden - first;
    if (source.n)
      vlm_gemm_f32_pack(block + vlm_gemm_f32_packed_count(kernels, hidden, first), &source,
                        kernels->gemm_f32->nr);
  }
}

static vlm_status fill_recurrent(void *block, const int64_t *sizes, const vlm_tensor *const *from,
                                 const vlm_kernels *kernels, vlm_error *err) {
  vlm_status st = VLM_OK;
  float *r;
  int64_t count = vlm_tensor_count(from[0]);
  VLM_TRY(vlm_new(&r, count, err));
  vlm_floats_of(r, from[0], count);
  pack_recurrent(block, sizes, r, kernels);
out:
  vlm_free(r);
  return st;
}

vlm_status vlm_rnn_weights_prepare(vlm_op_call *c, vlm_rnn_weights *w, int input, int64_t hidden,
                                   int64_t gates, int64_t directions) {
  vlm_status st = VLM_OK;
  vlm_weight_form form = {
      .fill = fill_recurrent, .sizes = {hidden, gates, directions}, .inputs = {input}, .n_inputs = 1};
  int64_t floats;
  memcpy(w->sizes, form.sizes, sizeof w->sizes);
  w->first = first_columns(w->sizes);
  w->direction = direction_floats(w->sizes, c->kernels);
  bool fits = !__builtin_mul_overflow(w->direction, directions, &floats) &&
              vlm_size_mul((size_t)floats, sizeof(float), &form.bytes);
  VLM_CHECK(fits, c->err, VLM_LIMIT, "recurrent weights of %lld units are too large", (long long)hidden);
  if (vlm_op_lasts(c, input) && c->binding->weights) return vlm_op_pack(c, &w->packed, &form);
  VLM_TRY(vlm_floats_prepare(c, &w->values, input));
  VLM_TRY(vlm_op_reserve(c, &w->at, floats, sizeof(float)));
out:
  return st;
}

const float *vlm_rnn_weights_get(const vlm_op_call *c, const vlm_rnn_weights *w) {
  if (w->packed.block) return w->packed.block;
  float *panels = vlm_op_work(c, w->at);
  pack_recurrent(panels, w->sizes, vlm_values_get(c, &w->values), c->kernels);
  return panels;
}
