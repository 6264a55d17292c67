/* Block transposes: 16 x 16 bytes, 8 x 8 words; what is left over element by element. */
#include <immintrin.h>

#include "runtime/kernels/transpose_args.h"
#include "runtime/kernels/unroll.h"

/* One stage interleaves neighbours i and i + 8; after four stages the byte that was in row i, column j is in row j, column i. */
static void block_8(uint8_t *y, size_t y_stride, const uint8_t *x, size_t x_stride) {
  __m128i r[16], t[16];
  VLM_UNROLL for (size_t i = 0; i < 16; i++) r[i] = _mm_loadu_si128((const __m128i *)(x + i * x_stride));
  VLM_UNROLL for (int stage = 0; stage < 2; stage++) {
    VLM_UNROLL for (int i = 0; i < 8; i++) {
      t[2 * i] = _mm_unpacklo_epi8(r[i], r[i + 8]);
      t[2 * i + 1] = _mm_unpackhi_epi8(r[i], r[i + 8]);
    }
    VLM_UNROLL for (int i = 0; i < 8; i++) {
      r[2 * i] = _mm_unpacklo_epi8(t[i], t[i + 8]);
      r[2 * i + 1] = _mm_unpackhi_epi8(t[i], t[i + 8]);
    }
  }
  VLM_UNROLL for (size_t i = 0; i < 16; i++) _mm_storeu_si128((__m128i *)(y + i * y_stride), r[i]);
}

void vlm_transpose_8_avx2(const vlm_transpose_8_args *t) {
  const vlm_transpose_8_args a = *t;
  size_t whole_rows = a.rows & ~(size_t)15, whole_columns = a.columns & ~(size_t)15;
  for (size_t j = 0; j < whole_columns; j += 16)
    for (size_t i = 0; i < whole_rows; i += 16)
      block_8(a.y + j * a.y_stride + i, a.y_stride, a.x + i * a.x_stride + j, a.x_stride);
  vlm_transpose_8_args rest = a;
  rest.y += whole_rows;
  rest.x += whole_rows * a.x_stride;
  rest.rows -= whole_rows;
  rest.columns = whole_columns;
  if (rest.rows > 0) vlm_transpose_8_c(&rest);
  rest = a;
  rest.y += whole_columns * a.y_stride;
  rest.x += whole_columns;
  rest.columns -= whole_columns;
  if (rest.columns > 0) vlm_transpose_8_c(&rest);
}

static void block_32(uint32_t *y, size_t y_stride, const uint32_t *x, size_t x_stride) {
  __m256i r[8], t[8];
  VLM_UNROLL for (size_t i = 0; i < 8; i++) r[i] = _mm256_loadu_si256((const __m256i *)(x + i * x_stride));
  VLM_UNROLL for (int i = 0; i < 4; i++) {
    t[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
  VLM_UNROLL for (int i = 0; i < 2; i++) {
    r[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  VLM_UNROLL for (size_t i = 0; i < 4; i++) {
    _mm256_storeu_si256((__m256i *)(y + i * y_stride), _mm256_permute2x128_si256(r[i], r[i + 4], 0x20));
    _mm256_storeu_si256((__m256i *)(y + (i + 4) * y_stride), _mm256_permute2x128_si256(r[i], r[i + 4], 0x31));
  }
}

void vlm_transpose_32_avx2(const vlm_transpose_32_args *t) {
  const vlm_transpose_32_args a = *t;
  size_t whole_rows = a.rows & ~(size_t)7, whole_columns = a.columns & ~(size_t)7;
  for (size_t j = 0; j < whole_columns; j += 8)
    for (size_t i = 0; i < whole_rows; i += 8)
      block_32(a.y + j * a.y_stride + i, a.y_stride, a.x + i * a.x_stride + j, a.x_stride);
  vlm_transpose_32_args rest = a;
  rest.y += whole_rows;
  rest.x += whole_rows * a.x_stride;
  rest.rows -= whole_rows;
  rest.columns = whole_columns;
  if (rest.rows > 0) vlm_transpose_32_c(&rest);
  rest = a;
  rest.y += whole_columns * a.y_stride;
  rest.x += whole_columns;
  rest.columns -= whole_columns;
  if (rest.columns > 0) vlm_transpose_32_c(&rest);
}
