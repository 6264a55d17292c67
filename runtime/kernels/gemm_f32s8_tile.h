/* Template of the weight-only tile: float activations times int8 weights that become floats in registers (exactly).
 * Needs: TILE_GEMM, TILE_VECS (vectors per row for 2 to 4 rows), VEC, VEC_WIDTH, vec_zero(), vec_store(p, v), vec_splat(p), vec_fma(a, b,
 * c), vec_weights(p) = VEC_WIDTH int8 as floats. One row takes the whole panel at once, more rows a strip of TILE_VECS vectors after the
 * other. */
#include <assert.h>

#include "runtime/kernels/gemm_args.h"
#include "runtime/kernels/unroll.h"

#define PANEL_VECS (VLM_W8_COLUMNS / VEC_WIDTH)

/* Columns [column, column + vecs * VEC_WIDTH). `rows` and `vecs` are constants at every call, so that all loops over the tile unroll. */
static VLM_INLINE void tile_strip(const vlm_gemm_f32s8_args *g, int rows, int vecs, size_t column) {
  float *c = g->c + column;
  const float *a = g->a;
  const int8_t *b = g->b + column;
  size_t ldc = g->ldc, lda = g->lda, k = g->k;
  VEC acc[VLM_W8_ROWS][PANEL_VECS];
  VLM_UNROLL for (int i = 0; i < rows; i++) {
    VLM_UNROLL for (int j = 0; j < vecs; j++) acc[i][j] = vec_zero();
  }
  for (size_t p = 0; p < k; p++, a++, b += VLM_W8_COLUMNS) {
    VEC x[VLM_W8_ROWS];
    VLM_UNROLL for (int i = 0; i < rows; i++) x[i] = vec_splat(a + (size_t)i * lda);
    VLM_UNROLL for (int j = 0; j < vecs; j++) {
      VEC weights = vec_weights(b + j * VEC_WIDTH);
      VLM_UNROLL for (int i = 0; i < rows; i++) acc[i][j] = vec_fma(x[i], weights, acc[i][j]);
    }
  }
  VLM_UNROLL for (int i = 0; i < rows; i++) {
    VLM_UNROLL for (int j = 0; j < vecs; j++) vec_store(c + (size_t)i * ldc + j * VEC_WIDTH, acc[i][j]);
  }
}

#define TILE_CASE(n) \
  case n: tile_strip(g, n, TILE_VECS, j); break;
void TILE_GEMM(const vlm_gemm_f32s8_args *g) {
  assert(g->rows >= 1 && g->rows <= VLM_W8_ROWS && (uintptr_t)g->b % VLM_PANEL_ALIGN == 0);
  if (g->rows == 1) {
    tile_strip(g, 1, PANEL_VECS, 0);
    return;
  }
  for (size_t j = 0; j < VLM_W8_COLUMNS; j += TILE_VECS * VEC_WIDTH) {
    switch (g->rows) { TILE_CASE(2) TILE_CASE(3) TILE_CASE(4) }
  }
}
#undef TILE_CASE
#undef PANEL_VECS
