/* The executable specification of the kinds that multiply: plain loops over the contracts of gemm_args.h. */
#include <assert.h>
#include <math.h>

#include "runtime/kernels/gemm_args.h"

/* Tiles of the C rows, as kinds.def has them. */
enum { ROWS = 4, COLUMNS = 16, BYTE_GROUP = 4, WIDE_GROUP = 2 };

static float float_sum(const vlm_gemm_f32_args *g, size_t i, size_t j) {
  const float *a = g->a + i * g->lda, *b = g->b + j;
  float sum = 0;
  for (size_t s = 0; s <= g->n_more; s++) {
    for (size_t p = 0; p < g->k; p++, b += g->b_stride) sum = fmaf(a[p], *b, sum);
    if (s < g->n_more) a = g->a_more[s] + i * g->lda;
  }
  return sum + (g->bias ? g->bias[j] : 0.0f);
}

void vlm_gemm_f32_c(const vlm_gemm_f32_args *g) {
  size_t columns = g->columns ? (size_t)g->columns : COLUMNS;
  assert(g->rows >= 1 && g->rows <= ROWS && columns <= COLUMNS);
  for (size_t i = 0; i < (size_t)g->rows; i++)
    for (size_t j = 0; j < columns; j++) g->c[i * g->ldc + j] = float_sum(g, i, j);
}

void vlm_gemv_f32_c(const vlm_gemv_f32_args *g) {
  for (size_t q = 0; q < VLM_GEMV_PANELS; q++) {
    for (size_t j = 0; j < COLUMNS; j++) {
      float sum = 0;
      for (size_t p = 0; p < g->k; p++)
        sum = fmaf(g->a[p], g->b[q * g->panel_stride + p * g->b_stride + j], sum);
      g->c[q * COLUMNS + j] = sum;
    }
  }
}

/* Sums are exact modulo 2^32, and K up to 66 000 cannot leave the int32 range. */
static int32_t byte_sum(const vlm_gemm_u8s8_args *g, size_t i, size_t j) {
  uint32_t sum = 0;
  size_t steps = g->groups * BYTE_GROUP;
  for (size_t p = 0; p < steps * (g->n_more + 1); p++) {
    const uint8_t *a = p < steps ? g->a : g->a_more[p / steps - 1];
    sum += (uint32_t)(a[i * g->lda + p % steps] *
                      g->b[(p / BYTE_GROUP * COLUMNS + j) * BYTE_GROUP + p % BYTE_GROUP]);
  }
  return (int32_t)sum;
}

void vlm_gemm_u8s8_c(const vlm_gemm_u8s8_args *g) {
  assert(g->rows >= 1 && g->rows <= ROWS && (uintptr_t)g->b % VLM_PANEL_ALIGN == 0);
  for (size_t i = 0; i < (size_t)g->rows; i++)
    for (size_t j = 0; j < COLUMNS; j++) g->c[i * g->ldc + j] = byte_sum(g, i, j);
}

static int32_t wide_sum(const vlm_gemm_u8s16_args *g, size_t i, size_t j) {
  uint32_t sum = 0;
  size_t steps = g->groups * WIDE_GROUP;
  for (size_t p = 0; p < steps * (g->n_more + 1); p++) {
    const uint16_t *a = p < steps ? g->a : g->a_more[p / steps - 1];
    sum += (uint32_t)(a[i * g->lda + p % steps] *
                      g->b[(p / WIDE_GROUP * COLUMNS + j) * WIDE_GROUP + p % WIDE_GROUP]);
  }
  return (int32_t)sum;
}

void vlm_gemm_u8s16_c(const vlm_gemm_u8s16_args *g) {
  assert(g->rows >= 1 && g->rows <= ROWS && (uintptr_t)g->b % VLM_PANEL_ALIGN == 0);
  for (size_t i = 0; i < (size_t)g->rows; i++)
    for (size_t j = 0; j < COLUMNS; j++) g->c[i * g->ldc + j] = wide_sum(g, i, j);
}

void vlm_gemm_f32s8_c(const vlm_gemm_f32s8_args *g) {
  assert(g->rows >= 1 && g->rows <= VLM_W8_ROWS && (uintptr_t)g->b % VLM_PANEL_ALIGN == 0);
  for (size_t i = 0; i < (size_t)g->rows; i++) {
    for (size_t j = 0; j < VLM_W8_COLUMNS; j++) {
      float sum = 0;
      for (size_t p = 0; p < g->k; p++)
        sum = fmaf(g->a[i * g->lda + p], (float)g->b[p * VLM_W8_COLUMNS + j], sum);
      g->c[i * g->ldc + j] = sum;
    }
  }
}
