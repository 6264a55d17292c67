/* Template of the float tile kernels; a level file includes its vector vocabulary (vec_LEVEL.h), sets the rest and
 * includes this once.
 *
 * Needs: TILE_GEMM, TILE_GEMV (names of the two functions), TILE_ROWS (up to 12), TILE_VECS (vectors per row, even).
 * With HALF (a vector of half as many lanes: half_zero(), half_load(p), half_store(p, v), half_of(v) = its first lanes, half_fma, half_add),
 * whole tiles of few columns do without lanes that nobody wants.
 * Each output has one accumulator that walks k upwards: the order of the contract, whatever the tile. */
#include <assert.h>

#include "runtime/kernels/gemm_args.h"
#include "runtime/kernels/unroll.h"

/* Columns that end within a vector: bias and stores through memory, once for all tiles. */
static __attribute__((noinline)) void tile_partial(const vlm_gemm_f32_args *g, const float *sums,
                                                   size_t width) {
  for (size_t i = 0; i < (size_t)g->rows; i++) {
    for (int j = 0; j < g->columns; j += VEC_WIDTH) {
      VEC bias = g->bias ? vec_load_some(g->bias + j, g->columns - j) : vec_zero();
      vec_store_some(g->c + i * g->ldc + j, vec_add(vec_load(sums + i * width + j), bias), g->columns - j);
    }
  }
}

#ifndef HALF
#define HALF VEC
#define half_zero() vec_zero()
#define half_load(p) vec_load(p)
#define half_store(p, v) vec_store(p, v)
#define half_of(v) (v)
#define half_fma(a, b, c) vec_fma(a, b, c)
#define half_add(a, b) vec_add(a, b)
#endif
enum { HALF_WIDTH = sizeof(HALF) / sizeof(float) };

/* Sums, then bias, of `rows` rows by `vecs` vectors and `half` (0 or 1) half ones: constants at every call, so that all loops over the tile
 * unroll. Fields become locals: stores to c could change them. */
static VLM_INLINE void tile_run(const vlm_gemm_f32_args *g, int rows, int vecs, int half) {
  float *c = g->c;
  const float *a = g->a, *b = g->b, *bias = g->bias;
  size_t ldc = g->ldc, lda = g->lda, b_stride = g->b_stride, steps = g->k;
  VEC acc[TILE_ROWS][TILE_VECS];
  HALF rest[TILE_ROWS];
  VLM_UNROLL for (int i = 0; i < rows; i++) {
    VLM_UNROLL for (int j = 0; j < vecs; j++) acc[i][j] = vec_zero();
  }
  VLM_UNROLL for (int i = 0; i < rows * half; i++) rest[i] = half_zero();
  for (size_t s = 0;; s++) {
    for (size_t k = steps; k > 0; k--, a++, b += b_stride) {
      VEC column[TILE_VECS];
      HALF last;
      __builtin_prefetch((const char *)b + VLM_PREFETCH_BYTES);
      VLM_UNROLL for (int j = 0; j < vecs; j++) column[j] = vec_load(b + j * VEC_WIDTH);
      if (half) last = half_load(b + vecs * VEC_WIDTH);
      VLM_UNROLL for (int i = 0; i < rows; i++) {
        VEC x = vec_splat(a + (size_t)i * lda);
        VLM_UNROLL for (int j = 0; j < vecs; j++) acc[i][j] = vec_fma(x, column[j], acc[i][j]);
        if (half) rest[i] = half_fma(half_of(x), last, rest[i]);
      }
    }
    if (s == g->n_more) break;
    a = g->a_more[s];
  }
  if (g->columns && g->columns != vecs * VEC_WIDTH + half * HALF_WIDTH) {
    float room[TILE_ROWS * TILE_VECS * VEC_WIDTH];
    const int width = (vecs + half) * VEC_WIDTH;
    VLM_UNROLL for (int i = 0; i < rows; i++) {
      VLM_UNROLL for (int j = 0; j < vecs; j++) vec_store(room + i * width + j * VEC_WIDTH, acc[i][j]);
      if (half) vec_store(room + i * width + vecs * VEC_WIDTH, vec_zero());
      if (half) half_store(room + i * width + vecs * VEC_WIDTH, rest[i]);
    }
    tile_partial(g, room, (size_t)width);
    return;
  }
  if (half) {
    HALF add = bias ? half_load(bias + vecs * VEC_WIDTH) : half_zero();
    VLM_UNROLL for (int i = 0; i < rows; i++)
        half_store(c + (size_t)i * ldc + vecs * VEC_WIDTH, half_add(rest[i], add));
  }
  VLM_UNROLL for (int j = 0; j < vecs; j++) {
    VEC add = bias ? vec_load(bias + j * VEC_WIDTH) : vec_zero();
    VLM_UNROLL for (int i = 0; i < rows; i++)
        vec_store(c + (size_t)i * ldc + j * VEC_WIDTH, vec_add(acc[i][j], add));
  }
}

/* Few columns leave half of the vectors out, where there are more rows than a few left over. */
static VLM_INLINE void tile_rows(const vlm_gemm_f32_args *g, int rows) {
  const int columns = g->columns ? g->columns : TILE_VECS * VEC_WIDTH;
  if (rows == TILE_ROWS && HALF_WIDTH < VEC_WIDTH && columns <= HALF_WIDTH) tile_run(g, rows, 0, 1);
  else if (rows > TILE_ROWS / 2 && columns <= TILE_VECS / 2 * VEC_WIDTH) tile_run(g, rows, TILE_VECS / 2, 0);
  else if (rows == TILE_ROWS && HALF_WIDTH < VEC_WIDTH && columns <= TILE_VECS / 2 * VEC_WIDTH + HALF_WIDTH)
    tile_run(g, rows, TILE_VECS / 2, 1);
  else tile_run(g, rows, TILE_VECS, 0);
}

#define TILE_CASE(n) \
  case n: tile_rows(g, n); break;
void TILE_GEMM(const vlm_gemm_f32_args *g) {
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

/* One row times VLM_GEMV_PANELS neighbouring panels: enough independent chains to hide the latency of the multiply-add. */
void TILE_GEMV(const vlm_gemv_f32_args *g) {
  float *c = g->c;
  const float *a = g->a, *b = g->b;
  size_t b_stride = g->b_stride, panel_stride = g->panel_stride, k = g->k;
  VEC acc[VLM_GEMV_PANELS][TILE_VECS];
  VLM_UNROLL for (int i = 0; i < VLM_GEMV_PANELS; i++) {
    VLM_UNROLL for (int j = 0; j < TILE_VECS; j++) acc[i][j] = vec_zero();
  }
  for (size_t p = 0; p < k; p++, b += b_stride) {
    VEC x = vec_splat(a + p);
    VLM_UNROLL for (int i = 0; i < VLM_GEMV_PANELS; i++) {
      VLM_UNROLL for (int j = 0; j < TILE_VECS; j++) {
        acc[i][j] = vec_fma(x, vec_load(b + (size_t)i * panel_stride + j * VEC_WIDTH), acc[i][j]);
      }
    }
  }
  VLM_UNROLL for (int i = 0; i < VLM_GEMV_PANELS; i++) {
    VLM_UNROLL for (int j = 0; j < TILE_VECS; j++) vec_store(c + (i * TILE_VECS + j) * VEC_WIDTH, acc[i][j]);
  }
}
