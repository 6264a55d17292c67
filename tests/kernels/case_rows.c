/* Rows: conversions, the epilogue, depthwise convolution, transposes. Lengths are the depth, variants choose
 * what else there is. */
#include <math.h>

#include "runtime/kernels/row_args.h"
#include "runtime/kernels/transpose_args.h"
#include "tests/kernels/cases.h"

void kernel_case_q8_row(kernel_case *c) {
  size_t n = (size_t)c->problem.depth;
  bool extremes = c->problem.fill == 1;
  vlm_q8_row_args r = {.n = n, .a_scale = 0.0371f, .zero_point = extremes ? 0 : 37 * c->problem.variant};
  r.y = case_output(c, CASE_F32, 1, n, 0);
  int32_t *acc = case_input(c, CASE_U32, 1, n, 0), *colsum = case_input(c, CASE_U32, 1, n, 0);
  float *scale = case_input(c, CASE_F32, 1, n, 0), *bias = case_input(c, CASE_F32, 1, n, 0);
  for (size_t i = 0; i < n; i++) {
    acc[i] = extremes ? INT32_MAX - (int32_t)(case_random(c) % 100)
                      : (int32_t)(case_random(c) % 2000000) - 1000000;
    colsum[i] = extremes ? -4096 * 127 : (int32_t)(case_random(c) % 20000) - 10000;
    scale[i] = c->problem.fill == 2 ? 0 : (float)(case_random(c) % 1000 + 1) / 77777.0f;
    bias[i] = case_float(c);
  }
  r.acc = acc;
  r.colsum = colsum;
  r.w_scale = scale;
  r.bias = c->problem.variant % 2 ? bias : NULL;
  case_call(c, &r, sizeof r);
  c->work = (double)n;
}

void kernel_case_widen_u8(kernel_case *c) {
  size_t n = (size_t)c->problem.depth;
  vlm_widen_u8_args w = {.y = case_output(c, CASE_U16, 1, n, 0), .n = n};
  uint8_t *x = case_input(c, CASE_U8, 1, n, 0);
  for (size_t i = 0; i < n; i++) x[i] = case_u8(c);
  w.x = x;
  case_call(c, &w, sizeof w);
  c->work = (double)n;
}

void kernel_case_widen_s8(kernel_case *c) {
  size_t n = (size_t)c->problem.depth;
  vlm_widen_s8_args w = {.y = case_output(c, CASE_U16, 1, n, 0), .n = n};
  int8_t *x = case_input(c, CASE_U8, 1, n, 0);
  for (size_t i = 0; i < n; i++) x[i] = case_s8(c);
  w.x = x;
  case_call(c, &w, sizeof w);
  c->work = (double)n;
}

void kernel_case_quantize_u8(kernel_case *c) {
  static const float special[] = {NAN, INFINITY, -INFINITY, 0.5f, 1.5f, 2.5f, -0.5f, 1e30f, -1e30f, -0.0f};
  static const int32_t zeros[] = {128, 255, 0, 1, 254, 77};
  size_t n = (size_t)c->problem.depth;
  vlm_quantize_u8_args a = {
      .q = case_output(c, CASE_U8, 1, n, 0), .n = n, .scale = c->problem.fill == 2 ? 1.0f : 0.037f};
  float *x = case_input(c, CASE_F32, 1, n, 0);
  for (size_t i = 0; i < n; i++) x[i] = i % 3 == 0 ? special[i / 3 % 10] : case_float(c);
  a.x = x;
  a.zero = zeros[c->problem.variant % 6];
  case_call(c, &a, sizeof a);
  c->work = (double)n;
}

/* Rows of `depth` pixels at most; channels that whole vectors make and others. */
void kernel_case_depthwise_f32(kernel_case *c) {
  static const int forms[CASE_VARIANTS][5] = {{3, 3, 1, 1, 32}, {3, 3, 2, 1, 7}, {1, 5, 1, 2, 16},
                                              {7, 7, 1, 1, 24}, {2, 1, 3, 1, 1}, {5, 5, 1, 3, 19}};
  const int *form = forms[c->problem.variant % CASE_VARIANTS]; /* rows, columns, stride, dilation, channels */
  size_t n = (size_t)c->problem.depth % 61, kh = (size_t)form[0], kw = (size_t)form[1],
         channels = (size_t)form[4];
  vlm_depthwise_f32_args d = {
      .kh_count = form[0], .kw_count = form[1], .stride = (size_t)form[2], .dilation = (size_t)form[3]};
  d.n = n;
  d.channels = channels;
  size_t width = n > 0 ? ((n - 1) * d.stride + (kw - 1) * d.dilation + 1) * channels : 0;
  d.y = case_output(c, CASE_F32, 1, n * channels, 0);
  float *x = case_input(c, CASE_F32, kh, width, 11);
  size_t stride = case_stride(c);
  for (size_t i = 0; i < kh; i++) case_floats(c, x + i * stride, width);
  float *w = case_input(c, CASE_F32, 1, kh * kw * channels, 0),
        *scale = case_input(c, CASE_F32, 1, channels, 0), *bias = case_input(c, CASE_F32, 1, channels, 0);
  case_floats(c, w, kh * kw * channels);
  case_floats(c, scale, channels);
  case_floats(c, bias, channels);
  const float **rows = case_input(c, CASE_U8, 1, kh * sizeof *rows, 0);
  for (size_t i = 0; i < kh; i++) rows[i] = x + i * stride;
  d.w = w;
  d.rows = rows;
  d.scale = c->problem.layout == 2 ? scale : NULL;
  d.bias = c->problem.layout > 0 ? bias : NULL;
  case_call(c, &d, sizeof d);
  c->work = 2.0 * (double)(n * channels * kh * kw);
}

/* `depth` columns of a number of rows that whole blocks of 16 make, then others, none among them. */
static size_t transpose_rows(const kernel_case *c) {
  static const size_t rows[CASE_VARIANTS] = {64, 0, 7, 16, 21, 35};
  return rows[c->problem.variant % CASE_VARIANTS];
}

void kernel_case_transpose_8(kernel_case *c) {
  size_t rows = transpose_rows(c), n = (size_t)c->problem.depth;
  vlm_transpose_8_args t = {.rows = rows, .columns = n};
  t.y = case_output(c, CASE_U8, n, rows, 5);
  t.y_stride = case_stride(c);
  uint8_t *x = case_input(c, CASE_U8, rows, n, 3);
  t.x = x;
  t.x_stride = case_stride(c);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < n; j++) x[i * t.x_stride + j] = (uint8_t)case_random(c);
  case_call(c, &t, sizeof t);
  c->work = (double)(rows * n);
}

void kernel_case_transpose_32(kernel_case *c) {
  size_t rows = transpose_rows(c), n = (size_t)c->problem.depth;
  vlm_transpose_32_args t = {.rows = rows, .columns = n};
  t.y = case_output(c, CASE_U32, n, rows, 5);
  t.y_stride = case_stride(c);
  uint32_t *x = case_input(c, CASE_U32, rows, n, 3);
  t.x = x;
  t.x_stride = case_stride(c);
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < n; j++) x[i * t.x_stride + j] = case_random(c);
  case_call(c, &t, sizeof t);
  c->work = (double)(rows * n);
}
