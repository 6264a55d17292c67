/* The executable specification of the kinds that work along a row (row_args.h) and of the transposes. */
#include <math.h>

#include "runtime/kernels/row_args.h"
#include "runtime/kernels/transpose_args.h"

void vlm_depthwise_f32_c(const vlm_depthwise_f32_args *d) {
  size_t taps = (size_t)d->kw_count;
  for (size_t i = 0; i < d->n; i++) {
    for (size_t c = 0; c < d->channels; c++) {
      float sum = 0;
      for (size_t kh = 0; kh < (size_t)d->kh_count; kh++)
        for (size_t kw = 0; kw < taps; kw++)
          sum = fmaf(d->rows[kh][(i * d->stride + kw * d->dilation) * d->channels + c],
                     d->w[(kh * taps + kw) * d->channels + c], sum);
      float bias = d->bias ? d->bias[c] : 0;
      if (d->scale) sum = fmaf(sum, d->scale[c], bias);
      else if (d->bias) sum = sum + bias;
      d->y[i * d->channels + c] = sum;
    }
  }
}

void vlm_q8_row_c(const vlm_q8_row_args *r) {
  for (size_t j = 0; j < r->n; j++) {
    int32_t sum = (int32_t)((uint32_t)r->acc[j] - (uint32_t)r->zero_point * (uint32_t)r->colsum[j]);
    float scale = r->a_scale * r->w_scale[j];
    r->y[j] = fmaf((float)sum, scale, r->bias ? r->bias[j] : 0.0f);
  }
}

void vlm_widen_u8_c(const vlm_widen_u8_args *w) {
  for (size_t j = 0; j < w->n; j++) w->y[j] = w->x[j];
}

void vlm_widen_s8_c(const vlm_widen_s8_args *w) {
  for (size_t j = 0; j < w->n; j++) w->y[j] = w->x[j];
}

/* A copy of the arguments: stores of bytes could change the struct itself, which would then be read again for
 * every element. */
void vlm_quantize_u8_c(const vlm_quantize_u8_args *args) {
  const vlm_quantize_u8_args a = *args;
  float low = (float)-a.zero,
        high = (float)(255 - a.zero); /* integers: clamping before rounding is clamping after it */
  for (size_t j = 0; j < a.n; j++) {
    float v = a.x[j] / a.scale;
    v = v > low ? v : low;
    v = v < high ? v : high;
    a.q[j] = (uint8_t)((int32_t)rintf(v) + a.zero);
  }
}

void vlm_transpose_8_c(const vlm_transpose_8_args *args) {
  const vlm_transpose_8_args t = *args;
  for (size_t j = 0; j < t.columns; j++)
    for (size_t i = 0; i < t.rows; i++) t.y[j * t.y_stride + i] = t.x[i * t.x_stride + j];
}

void vlm_transpose_32_c(const vlm_transpose_32_args *t) {
  for (size_t j = 0; j < t->columns; j++)
    for (size_t i = 0; i < t->rows; i++) t->y[j * t->y_stride + i] = t->x[i * t->x_stride + j];
}
