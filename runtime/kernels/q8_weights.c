#include <assert.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/gemm_q8.h"

bool vlm_q8_weights_layout(vlm_q8_weights *w, const vlm_kernels *kernels, int64_t k, int64_t n,
                           int64_t count) {
  int64_t nr = kernels->gemm_u8s8->nr, kr = kernels->gemm_u8s8->kr;
  size_t matrices, sums;
  *w = (vlm_q8_weights){
      .k = k, .n = n, .count = count, .groups = (k + kr - 1) / kr, .padded_n = (n + nr - 1) / nr * nr};
  w->panel_bytes = (size_t)(w->groups * kr * nr);
  if (!vlm_size_mul(w->panel_bytes, (size_t)(w->padded_n / nr), &w->matrix_bytes)) return false;
  if (!vlm_size_mul(w->matrix_bytes, (size_t)count, &matrices)) return false;
  if (!vlm_size_mul((size_t)w->padded_n * sizeof(int32_t), (size_t)count, &sums)) return false;
  return vlm_size_add(matrices, vlm_size_align(sizeof *w) + vlm_size_align(sums), &w->bytes);
}

/* Panel of columns [first, first + nr) of a source of one matrix. */
static void pack_panel(int8_t *panel, int32_t *colsum, const vlm_q8_source *s, int64_t first,
                       const vlm_kernel *kernel) {
  int64_t nr = kernel->nr, kr = kernel->kr, steps = (s->k + kr - 1) / kr * kr, step = s->w_row;
  uint8_t flip = s->flip;
  for (int64_t j = 0; j < nr; j++) {
    const uint8_t *column = (const uint8_t *)s->w + (first + j) * s->w_column;
    int64_t known = first + j < s->n ? s->k : 0;
    int8_t *group = panel + j * kr;
    uint32_t sum = 0;
    for (int64_t p = 0; p < steps; p += kr, group += nr * kr) {
      for (int64_t q = 0; q < kr; q++) {
        int32_t v = p + q < known ? (int8_t)(column[(p + q) * step] ^ flip) : 0;
        group[q] = (int8_t)v;
        sum += (uint32_t)v;
      }
    }
    colsum[j] = (int32_t)sum;
  }
}

vlm_q8_weights *vlm_q8_weights_pack(void *block, const vlm_kernels *kernels, const vlm_q8_source *s) {
  const vlm_kernel *kernel = kernels->gemm_u8s8;
  vlm_q8_weights *out = block;
  assert((uintptr_t)block % VLM_ALIGN == 0);
  if (!vlm_q8_weights_layout(out, kernels, s->k, s->n, s->count)) return NULL;
  int32_t *colsum = (int32_t *)((char *)block + vlm_size_align(sizeof *out));
  int8_t *panels = (int8_t *)colsum + vlm_size_align((size_t)(out->padded_n * s->count) * sizeof *colsum);
  out->colsum = colsum;
  out->panels = panels;
  vlm_q8_source matrix = *s;
  for (int64_t c = 0; c < s->count; c++, matrix.w = (const uint8_t *)s->w + c * s->w_matrix)
    for (int64_t j = 0; j < s->n; j += kernel->nr, panels += out->panel_bytes, colsum += kernel->nr)
      pack_panel(panels, colsum, &matrix, j, kernel);
  return out;
}
