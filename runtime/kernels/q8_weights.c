#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/gemm_q8.h"

static bool layout(vlm_q8_weights *w, size_t *bytes, const vlm_kernels *kernels, int64_t k, int64_t n, int64_t count) {
  int64_t nr = kernels->gemm_u8s8->nr, kr = kernels->gemm_u8s8->kr;
  size_t matrices, sums;
  *w = (vlm_q8_weights){.k = k, .n = n, .count = count, .groups = (k + kr - 1) / kr, .padded_n = (n + nr - 1) / nr * nr};
  w->panel_bytes = (size_t)(w->groups * kr * nr);
  if (!vlm_size_mul(w->panel_bytes, (size_t)(w->padded_n / nr), &w->matrix_bytes)) return false;
  if (!vlm_size_mul(w->matrix_bytes, (size_t)count, &matrices)) return false;
  if (!vlm_size_mul((size_t)w->padded_n * sizeof(int32_t), (size_t)count, &sums)) return false;
  return vlm_size_add(matrices, vlm_size_align(sizeof *w) + vlm_size_align(sums), bytes);
}

bool vlm_q8_weights_bytes(size_t *bytes, const vlm_kernels *kernels, int64_t k, int64_t n, int64_t count) {
  vlm_q8_weights w;
  return layout(&w, bytes, kernels, k, n, count);
}

typedef struct {
  const uint8_t *data;
  int64_t row, column;
  uint8_t flip;
} source;

static void pack_panel(int8_t *panel, int32_t *colsum, const source *s, int64_t k, int64_t n, int64_t groups, int nr, int kr) {
  for (int64_t j = 0; j < nr; j++) {
    const uint8_t *column = s->data + j * s->column;
    uint32_t sum = 0;
    for (int64_t p = 0; p < groups * kr; p++) {
      int8_t v = j < n && p < k ? (int8_t)(column[p * s->row] ^ s->flip) : 0;
      panel[(p / kr * nr + j) * kr + p % kr] = v;
      sum += (uint32_t)(int32_t)v;
    }
    colsum[j] = (int32_t)sum;
  }
}

vlm_q8_weights *vlm_q8_weights_pack(void *memory, const vlm_kernels *kernels, const void *w, int64_t w_matrix, int64_t w_row,
                                    int64_t w_column, int64_t k, int64_t n, int64_t count, uint8_t flip) {
  vlm_q8_weights *out = memory;
  size_t bytes;
  int nr = kernels->gemm_u8s8->nr, kr = kernels->gemm_u8s8->kr;
  if (!layout(out, &bytes, kernels, k, n, count)) return NULL;
  int32_t *colsum = (int32_t *)((char *)memory + vlm_size_align(sizeof *out));
  int8_t *panels = (int8_t *)colsum + vlm_size_align((size_t)(out->padded_n * count) * sizeof *colsum);
  out->colsum = colsum;
  out->panels = panels;
  for (int64_t c = 0; c < count; c++) {
    for (int64_t j = 0; j < n; j += nr, panels += out->panel_bytes, colsum += nr) {
      source s = {(const uint8_t *)w + c * w_matrix + j * w_column, w_row, w_column, flip};
      pack_panel(panels, colsum, &s, k, n - j, out->groups, nr, kr);
    }
  }
  return out;
}
