/* The micro-kernels: one table (kernels.def), and the bundle chosen for a set of CPU levels.
 *
 * A micro-kernel computes one register tile. Tile shape, weight layout and function belong together, so they are one row.
 * Drivers (gemm_f32.h, gemm_q8.h, gemm_w8.h, conv_f32.h, conv_q8.h) split the work into tiles. Every row of a kind gives the same bytes
 * as the C row of that kind: float tiles walk k upwards with one fused multiply-add accumulator per output, integer tiles are exact.
 *
 * Layout of packed float panels:   [N / nr][K][nr] float, zero padded to nr columns.
 * Layout of packed integer panels: [N / nr][K / kr][nr][kr] int8, zero padded to nr columns and kr steps. */
#ifndef VLM_KERNELS_KERNELS_H
#define VLM_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/cpu.h"
#include "runtime/base/status.h"

#define VLM_GEMV_PANELS 4 /* panels that a gemv kernel takes at once */
#define VLM_W8_COLUMNS 64 /* columns of a weight-only panel, on every level */
#define VLM_W8_ROWS 4 /* rows of a weight-only tile, on every level */
#define VLM_TILE_MAX_ROWS 16
#define VLM_TILE_MAX_COLUMNS 64

/* c[i][j] = sum over p of a[i * lda + p] * b[p * b_stride + j], i < rows <= mr, j < nr. Overwrites c. */
typedef void vlm_gemm_f32_fn(float *c, size_t ldc, const float *a, size_t lda, const float *b, size_t b_stride, size_t k, int rows);
/* One row times VLM_GEMV_PANELS panels of nr columns that lie panel_stride floats apart; c is contiguous. */
typedef void vlm_gemv_f32_fn(float *c, const float *a, const float *b, size_t b_stride, size_t panel_stride, size_t k);
/* The same with K in groups: a has rows of groups * kr elements (uint8 or uint16, see a_bytes), b one packed integer panel. */
typedef void vlm_gemm_u8s8_fn(int32_t *c, size_t ldc, const void *a, size_t lda, const int8_t *b, size_t groups, int rows);
/* The same with uint16 activations and weights widened to int16 in the same layout; only levels whose gemm_u8s8 takes uint16 use it. */
typedef void vlm_gemm_u8s16_fn(int32_t *c, size_t ldc, const void *a, size_t lda, const int16_t *b, size_t groups, int rows);
/* c[i][j] = sum over p of a[i * lda + p] * (float)b[p * VLM_W8_COLUMNS + j], i < rows <= VLM_W8_ROWS, j < VLM_W8_COLUMNS. */
typedef void vlm_gemm_f32s8_fn(float *c, size_t ldc, const float *a, size_t lda, const int8_t *b, size_t k, int rows);
/* Depthwise row: y[x] = sum over kh, then kw, of row[kh][x * stride + kw * dilation] * w[kh * kw_count + kw], x < n. Rows are padded by the
 * caller. */
typedef void vlm_depthwise_f32_fn(float *y, const float *const *rows, const float *w, int kh_count, int kw_count, size_t stride,
                                  size_t dilation, size_t n);

/* What turns a row of int32 sums into floats: y[j] = fmaf((float)(acc[j] - zero_point * colsum[j]), a_scale * w_scale[j], bias[j]). bias
 * may be NULL (0). */
typedef struct vlm_q8_epilogue {
  const int32_t *colsum;
  const float *w_scale, *bias;
} vlm_q8_epilogue;
typedef void vlm_q8_row_fn(float *y, const int32_t *acc, const vlm_q8_epilogue *e, float a_scale, int32_t zero_point, size_t n);
/* Zero-extends; sign-extends. */
typedef void vlm_widen_u8_fn(uint16_t *y, const uint8_t *x, size_t n);
typedef void vlm_widen_s8_fn(int16_t *y, const int8_t *x, size_t n);
/* q[j] = saturate(round(x[j] / scale) + zero), round to nearest even, true division; NaN gives 0: rowops' quantize_u8, by hand. */
typedef void vlm_quantize_u8_fn(uint8_t *q, const float *x, int64_t n, float scale, int32_t zero);
/* y[j * y_stride + i] = x[i * x_stride + j], i < rows, j < columns; strides in elements. */
typedef void vlm_transpose_8_fn(uint8_t *y, size_t y_stride, const uint8_t *x, size_t x_stride, size_t rows, size_t columns);
typedef void vlm_transpose_32_fn(uint32_t *y, size_t y_stride, const uint32_t *x, size_t x_stride, size_t rows, size_t columns);

typedef enum vlm_kernel_kind {
  VLM_KERNEL_gemm_f32,
  VLM_KERNEL_gemv_f32,
  VLM_KERNEL_gemm_u8s8,
  VLM_KERNEL_gemm_u8s16,
  VLM_KERNEL_gemm_f32s8,
  VLM_KERNEL_depthwise_f32,
  VLM_KERNEL_q8_row,
  VLM_KERNEL_widen_u8,
  VLM_KERNEL_widen_s8,
  VLM_KERNEL_quantize_u8,
  VLM_KERNEL_transpose_8,
  VLM_KERNEL_transpose_32,
  VLM_KERNEL_KINDS
} vlm_kernel_kind;

typedef struct vlm_kernel {
  vlm_kernel_kind kind;
  vlm_cpu_level level;
  const char *name; /* of the function */
  int mr, nr, kr; /* tile rows, columns, k steps that the layout keeps together (1 where it has no meaning) */
  int a_bytes; /* bytes per activation element */
  union {
    vlm_gemm_f32_fn *gemm_f32;
    vlm_gemv_f32_fn *gemv_f32;
    vlm_gemm_u8s8_fn *gemm_u8s8;
    vlm_gemm_u8s16_fn *gemm_u8s16;
    vlm_gemm_f32s8_fn *gemm_f32s8;
    vlm_depthwise_f32_fn *depthwise_f32;
    vlm_q8_row_fn *q8_row;
    vlm_widen_u8_fn *widen_u8;
    vlm_widen_s8_fn *widen_s8;
    vlm_quantize_u8_fn *quantize_u8;
    vlm_transpose_8_fn *transpose_8;
    vlm_transpose_32_fn *transpose_32;
  } fn;
} vlm_kernel;

/* All rows that are compiled in, in the order of kernels.def. */
const vlm_kernel *vlm_kernel_table(int *count);
const char *vlm_kernel_kind_name(vlm_kernel_kind kind);

struct vlm_rowops; /* rowops.h */
struct vlm_prepared; /* prepared.h */

/* The bundle: for each kind the best row that the CPU mask allows. */
typedef struct vlm_kernels {
  uint32_t cpu_mask;
  const vlm_kernel *gemm_f32, *gemv_f32, *gemm_u8s8, *gemm_u8s16, *gemm_f32s8, *depthwise_f32;
  vlm_q8_row_fn *q8_row;
  vlm_widen_u8_fn *widen_u8;
  vlm_widen_s8_fn *widen_s8;
  vlm_quantize_u8_fn *quantize_u8;
  vlm_transpose_8_fn *transpose_8;
  vlm_transpose_32_fn *transpose_32;
  const struct vlm_rowops *rowops;
  struct vlm_prepared *prepared; /* cache of packed weights; NULL = pack at every call */
} vlm_kernels;

/* cpu_mask comes from vlm_cpu_select. Creates the cache too: release with vlm_kernels_release. */
vlm_status vlm_kernels_select(vlm_kernels *out, uint32_t cpu_mask, vlm_error *err);
void vlm_kernels_release(vlm_kernels *kernels);

#define X(kind, level, mr, nr, kr, a_bytes, function) vlm_##kind##_fn function;
#include "runtime/kernels/kernels.def"
#undef X

#endif
