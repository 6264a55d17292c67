/* Weights of convolutions: to channels last, then to panels. */
#include <assert.h>
#include <string.h>

#include "runtime/kernels/conv_f32.h"

/* Element (o, c) of ONNX's order, in taps. */
static int64_t source_of(const vlm_conv_shape *s, int64_t o, int64_t c) {
  int64_t group_out = s->out_channels / s->groups, group_in = s->channels / s->groups;
  if (!s->transposed) return o * group_in + c;
  return (o / group_out * group_in + c) * group_out + o % group_out;
}

/* Elements `step` apart. */
static void spread_taps(char *to, int64_t step, const char *from, int64_t taps, size_t bytes) {
  if (bytes == 1)
    for (int64_t t = 0; t < taps; t++) to[t * step] = from[t];
  else
    for (int64_t t = 0; t < taps; t++) memcpy(to + 4 * t * step, from + 4 * t, 4);
}

void vlm_conv_weights_last(void *out, const void *w, const vlm_conv_shape *s, int element_bytes) {
  int64_t taps = vlm_conv_volume(s->kernel), n = s->channels / s->groups;
  size_t bytes = (size_t)element_bytes;
  assert(bytes == 1 || bytes == 4);
  for (int64_t o = 0; o < s->out_channels; o++)
    for (int64_t c = 0; c < n; c++)
      spread_taps((char *)out + (size_t)(o * taps * n + c) * bytes, n,
                  (const char *)w + (size_t)(source_of(s, o, c) * taps) * bytes, taps, bytes);
}

int64_t vlm_conv_f32_rows_at_once(const vlm_conv_shape *s, const vlm_kernels *kernels) {
  return s->kernel[1] * s->kernel[2] * s->out_channels <= kernels->gemm_f32->nr ? s->kernel[1] : 1;
}

int64_t vlm_conv_f32_packed_count(const vlm_conv_shape *s, const vlm_kernels *kernels) {
  if (vlm_conv_is_depthwise(s)) return s->out_channels * vlm_conv_volume(s->kernel);
  if (vlm_conv_is_tiled(s)) {
    const int64_t rows = vlm_conv_f32_rows_at_once(s, kernels);
    return s->kernel[1] / rows *
           vlm_gemm_f32_packed_count(kernels, s->channels, rows * s->kernel[2] * s->out_channels);
  }
  return s->groups * vlm_gemm_f32_packed_count(kernels, vlm_conv_depth(s), s->out_channels / s->groups);
}

static void pack_depthwise(float *weights, const float *w, const vlm_conv_shape *s) {
  int64_t taps = vlm_conv_volume(s->kernel);
  for (int64_t t = 0; t < taps; t++)
    for (int64_t o = 0; o < s->out_channels; o++) weights[t * s->out_channels + o] = w[o * taps + t];
}

/* One matrix per kernel row, or one for all: [channels][kernel row][kernel column][output channel]. */
static void pack_tiled(float *weights, const vlm_kernels *kernels, const vlm_conv_f32_source *source) {
  const vlm_conv_shape *s = source->shape;
  const int64_t rows = vlm_conv_f32_rows_at_once(s, kernels), at_once = rows * s->kernel[2];
  const int64_t taps = s->kernel[1] * s->kernel[2], n = at_once * s->out_channels;
  for (int64_t t = 0; t < taps; t += at_once, weights += vlm_gemm_f32_packed_count(kernels, s->channels, n)) {
    float *to = source->room;
    for (int64_t c = 0; c < s->channels; c++)
      for (int64_t x = 0; x < at_once; x++)
        for (int64_t o = 0; o < s->out_channels; o++)
          *to++ = source->w[(c * s->out_channels + o) * taps + t + x];
    const vlm_f32_source matrix = {.b = source->room, .b_row = n, .b_column = 1, .k = s->channels, .n = n};
    vlm_gemm_f32_pack(weights, &matrix, kernels->gemm_f32->nr);
  }
}

void vlm_conv_f32_pack(float *weights, const vlm_kernels *kernels, const vlm_conv_f32_source *source) {
  const vlm_conv_shape *s = source->shape;
  int64_t n = s->out_channels / s->groups, k = vlm_conv_depth(s),
          count = vlm_gemm_f32_packed_count(kernels, k, n);
  if (vlm_conv_is_depthwise(s)) {
    pack_depthwise(weights, source->w, s);
    return;
  }
  if (vlm_conv_is_tiled(s)) {
    pack_tiled(weights, kernels, source);
    return;
  }
  vlm_conv_weights_last(source->room, source->w, s, sizeof *weights);
  for (int64_t g = 0; g < s->groups; g++) {
    const vlm_f32_source group = {.b = source->room + g * n * k, .b_row = 1, .b_column = k, .k = k, .n = n};
    vlm_gemm_f32_pack(weights + g * count, &group, kernels->gemm_f32->nr);
  }
}
