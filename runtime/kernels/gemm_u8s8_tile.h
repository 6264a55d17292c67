/* Template of the integer tile kernels. Needs: TILE_GEMM (name), TILE_ARGS (argument struct), TILE_ROWS (up to 12), TILE_VECS (vectors per row), TILE_KR (k steps per
 * int32 lane), TILE_A, TILE_B (types of one activation and one weight), VEC (int32 lanes), VEC_IN (operands), VEC_WIDTH (lanes),
 * vec_zero(), vec_store(p, v), vec_weights(p) (VEC_WIDTH * TILE_KR weights), vec_group(p) (TILE_KR activations at p in every
 * lane), vec_dot(acc, a, b) = acc + exact dot product of the TILE_KR pairs of each lane.
 * With TILE_OFFSET, vec_group gives activations moved down by that much; vec_ones() and vec_restore(acc, sums) = acc + TILE_OFFSET * sums
 * undo it. */
#include <assert.h>

#include "runtime/kernels/gemm_args.h"
#include "runtime/kernels/unroll.h"

/* Panels lie one behind the other: in the second-level cache, or in memory where few rows pass each panel once, and then every line is asked for
 * and earlier. */
static VLM_INLINE void tile_prefetch(const TILE_B *b, int rows) {
  const char *at = (const char *)b;
  if (rows > 4) {
    __builtin_prefetch(at + VLM_PREFETCH_BYTES);
    return;
  }
  VLM_UNROLL for (size_t i = 0; i < TILE_VECS * VEC_WIDTH * TILE_KR * sizeof(TILE_B); i += 64)
      __builtin_prefetch(at + VLM_PREFETCH_FAR + i);
}

/* `rows` is a constant at every call, so that all loops over the tile unroll. Fields become locals: stores to c could change them. */
static VLM_INLINE void tile_rows(const TILE_ARGS *g, int rows) {
  int32_t *c = g->c;
  const TILE_A *a = g->a;
  const TILE_B *b = g->b;
  size_t ldc = g->ldc, lda = g->lda, groups = g->groups;
  VEC acc[TILE_ROWS][TILE_VECS];
  VLM_UNROLL for (int i = 0; i < rows; i++) {
    VLM_UNROLL for (int j = 0; j < TILE_VECS; j++) acc[i][j] = vec_zero();
  }
#ifdef TILE_OFFSET
  VEC sums[TILE_VECS];
  VLM_UNROLL for (int j = 0; j < TILE_VECS; j++) sums[j] = vec_zero();
#endif
  for (size_t s = 0;; s++) {
    for (size_t k = groups; k > 0; k--, a += TILE_KR, b += TILE_VECS * VEC_WIDTH * TILE_KR) {
      VEC_IN column[TILE_VECS];
      tile_prefetch(b, rows);
      VLM_UNROLL for (int j = 0; j < TILE_VECS; j++) column[j] = vec_weights(b + j * VEC_WIDTH * TILE_KR);
#ifdef TILE_OFFSET
      VLM_UNROLL for (int j = 0; j < TILE_VECS; j++) sums[j] = vec_dot(sums[j], vec_ones(), column[j]);
#endif
      VLM_UNROLL for (int i = 0; i < rows; i++) {
        VEC_IN x = vec_group(a + (size_t)i * lda);
        VLM_UNROLL for (int j = 0; j < TILE_VECS; j++) acc[i][j] = vec_dot(acc[i][j], x, column[j]);
      }
    }
    if (s == g->n_more) break;
    a = g->a_more[s];
  }
  VLM_UNROLL for (int i = 0; i < rows; i++) {
#ifdef TILE_OFFSET
    VLM_UNROLL for (int j = 0; j < TILE_VECS; j++) acc[i][j] = vec_restore(acc[i][j], sums[j]);
#endif
    VLM_UNROLL for (int j = 0; j < TILE_VECS; j++) vec_store(c + (size_t)i * ldc + j * VEC_WIDTH, acc[i][j]);
  }
}

#define TILE_CASE(n) \
  case n: tile_rows(g, n); break;
void TILE_GEMM(const TILE_ARGS *g) {
  assert((uintptr_t)g->b % VLM_PANEL_ALIGN == 0);
  switch (g->rows) {
    TILE_CASE(1)
    TILE_CASE(2)
    TILE_CASE(3)
    TILE_CASE(4)
    TILE_CASE(5)
#if TILE_ROWS > 5
    TILE_CASE(6)
#endif
#if TILE_ROWS > 6
    TILE_CASE(7)
    TILE_CASE(8)
    TILE_CASE(9)
    TILE_CASE(10)
    TILE_CASE(11)
    TILE_CASE(12)
#endif
    default: assert(0 && "1 to mr rows");
  }
}
#undef TILE_CASE
