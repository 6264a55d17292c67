/* Weights of convolutions: to channels last, then to panels. */
#include <string.h>

#include "runtime/kernels/conv_f32.h"

/* Element (o, c) of ONNX's order, in taps. */
static int64_t source_of(const vlm_conv_shape *s, int64_t o, int64_t c) {
  int64_t group_out = s->out_channels / s->groups, group_in = s->channels / s->groups;
  if (!s->transposed) return o * group_in + c;
  return (o / group_out * group_in + c) * group_out + o % group_out;
}

void vlm_conv_weights_last(void *out, const void *w, const vlm_conv_shape *s, int element_bytes) {
  int64_t taps = vlm_conv_volume(s->kernel), n = s->channels / s->groups;
  const char *from = w;
  size_t bytes = (size_t)element_bytes;
  for (int64_t o = 0; o < s->out_channels; o++) {
    for (int64_t c = 0; c < n; c++) {
      const char *row = from + (size_t)(source_of(s, o, c) * taps) * bytes;
      char *to = (char *)out + (size_t)(o * taps * n + c) * bytes;
      for (int64_t t = 0; t < taps; t++) memcpy(to + (size_t)(t * n) * bytes, row + (size_t)t * bytes, bytes);
    }
  }
}

int64_t vlm_conv_f32_packed_count(const vlm_conv_shape *s, const vlm_kernels *kernels) {
  if (vlm_conv_is_depthwise(s)) return s->out_channels * vlm_conv_volume(s->kernel);
  if (vlm_conv_is_tiled(s))
    return s->kernel[1] * vlm_gemm_f32_packed_count(kernels, s->channels, s->kernel[2] * s->out_channels);
  return s->groups * vlm_gemm_f32_packed_count(kernels, vlm_conv_depth(s), s->out_channels / s->groups);
}

static void pack_depthwise(float *weights, const float *w, const vlm_conv_shape *s) {
  int64_t taps = vlm_conv_volume(s->kernel);
  for (int64_t t = 0; t < taps; t++)
    for (int64_t o = 0; o < s->out_channels; o++) weights[t * s->out_channels + o] = w[o * taps + t];
}

/* One matrix per kernel row: [channels][kernel column][output channel]. */
static void pack_tiled(float *weights, const vlm_kernels *kernels, const vlm_conv_f32_source *source) {
  const vlm_conv_shape *s = source->shape;
  int64_t kh = s->kernel[1], kw = s->kernel[2], n = kw * s->out_channels, taps = kh * kw;
  for (int64_t y = 0; y < kh; y++, weights += vlm_gemm_f32_packed_count(kernels, s->channels, n)) {
    float *to = source->room;
    for (int64_t c = 0; c < s->channels; c++)
      for (int64_t x = 0; x < kw; x++)
        for (int64_t o = 0; o < s->out_channels; o++)
          *to++ = source->w[(c * s->out_channels + o) * taps + y * kw + x];
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
