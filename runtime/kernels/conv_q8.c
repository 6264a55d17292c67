#include "runtime/kernels/conv_q8.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/row_args.h"
#include "runtime/kernels/transpose_args.h"

/* Depthwise sums stay below 2^24, so that the float kernel computes them exactly. */
enum { EXACT_TAPS = (1 << 24) / (255 * 128), ROW_BLOCK = 512, BAND = 16 };

static bool runs_depthwise(const vlm_conv_shape *s) { return vlm_conv_is_depthwise(s) && vlm_conv_volume(s->kernel) <= EXACT_TAPS; }

static int64_t group_k(const vlm_conv_shape *s) { return s->channels / s->groups * vlm_conv_volume(s->kernel); }

bool vlm_conv_q8_weights_bytes(size_t *bytes, const vlm_conv_shape *s, const vlm_kernels *kernels) {
  vlm_q8_weights w;
  if (runs_depthwise(s)) return vlm_size_mul((size_t)s->out_channels * sizeof(float), (size_t)vlm_conv_volume(s->kernel), bytes);
  if (!vlm_q8_weights_layout(&w, kernels, group_k(s), s->out_channels / s->groups, s->groups)) return false;
  *bytes = w.bytes;
  return true;
}

void vlm_conv_q8_weights_pack(void *block, const vlm_kernels *kernels, const vlm_conv_q8_source *weights) {
  const vlm_conv_shape *s = weights->shape;
  const uint8_t *from = weights->w;
  int64_t taps = vlm_conv_volume(s->kernel), channels = s->channels / s->groups, k = group_k(s), rows = s->out_channels / s->groups;
  if (runs_depthwise(s)) {
    for (int64_t i = 0; i < s->out_channels * taps; i++) ((float *)block)[i] = (int8_t)(from[i] ^ weights->flip);
    return;
  }
  uint8_t *to = weights->room; /* channels last, as the activations */
  for (int64_t o = 0; o < s->out_channels; o++)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t t = 0; t < taps; t++) to[(o * taps + t) * channels + c] = from[(o * channels + c) * taps + t];
  vlm_q8_source source = {.w = to, .w_matrix = rows * k, .w_row = 1, .w_column = k, .k = k, .n = rows, .count = s->groups};
  source.flip = weights->flip;
  vlm_q8_weights_pack(block, kernels, &source);
}

typedef struct {
  const vlm_conv_q8 *conv;
  const vlm_kernels *kernels;
  uint8_t *nhwc;
  char *workers;
  size_t worker_bytes;
} region;

static void quantize(const region *r, uint8_t *q, const float *x, int64_t n) {
  vlm_quantize_u8_args a = {.q = q, .x = x, .n = (size_t)n, .scale = r->conv->x_scale, .zero = r->conv->x_zero};
  r->kernels->quantize_u8->fn.quantize_u8(&a);
}

/* ---- channels last ---- */

/* A block of neighbouring positions of one image: all channels, in bands that are quantized, then turned. */
static void to_channels_last(void *user, int64_t index, int worker) {
  const region *r = user;
  const vlm_conv_q8 *conv = r->conv;
  int64_t plane = vlm_conv_volume(conv->shape.in), channels = conv->shape.channels, blocks = (plane + ROW_BLOCK - 1) / ROW_BLOCK;
  int64_t image = index / blocks, from = index % blocks * ROW_BLOCK, n = plane - from < ROW_BLOCK ? plane - from : ROW_BLOCK;
  uint8_t band[BAND * ROW_BLOCK], *to = r->nhwc + (image * plane + from) * channels;
  (void)worker;
  for (int64_t c = 0; c < channels; c += BAND) {
    int64_t rows = channels - c < BAND ? channels - c : BAND, at = (image * channels + c) * plane + from,
            stride = conv->x_f32 ? ROW_BLOCK : plane;
    const uint8_t *source = conv->x_f32 ? band : conv->x_u8 + at;
    for (int64_t i = 0; conv->x_f32 && i < rows; i++) quantize(r, band + i * ROW_BLOCK, conv->x_f32 + at + i * plane, n);
    vlm_transpose_8_args t = {.y = to + c, .y_stride = (size_t)channels, .x = source, .x_stride = (size_t)stride};
    t.rows = (size_t)rows;
    t.columns = (size_t)n;
    r->kernels->transpose_8->fn.transpose_8(&t);
  }
}

/* Positions source[2], source[2] + step, … of `taps` taps, where they are inside the image; padding has the zero point. */
static void copy_taps(uint8_t *dst, const region *r, int64_t image, int64_t group, const int64_t source[3], int64_t taps) {
  const vlm_conv_shape *s = &r->conv->shape;
  int64_t n = s->channels / s->groups, step = s->dilation[2], width = s->in[2], first = 0, last = taps;
  if (source[0] < 0 || source[1] < 0) {
    memset(dst, r->conv->x_zero, (size_t)(taps * n));
    return;
  }
  if (source[2] < 0) first = (-source[2] + step - 1) / step;
  if (source[2] + (taps - 1) * step >= width) last = (width - source[2] + step - 1) / step;
  if (first > taps) first = taps;
  if (last < first) last = first;
  const uint8_t *row = r->nhwc + ((image * s->in[0] + source[0]) * s->in[1] + source[1]) * width * s->channels + group * n;
  memset(dst, r->conv->x_zero, (size_t)(first * n));
  if (step == 1 && s->groups == 1)
    memcpy(dst + first * n, row + (source[2] + first) * n, (size_t)((last - first) * n));
  else
    for (int64_t t = first; t < last; t++) memcpy(dst + t * n, row + (source[2] + t * step) * s->channels, (size_t)n);
  memset(dst + last * n, r->conv->x_zero, (size_t)((taps - last) * n));
}

/* All taps of one output position; a transposed convolution goes tap by tap. */
static void pack_position(uint8_t *dst, const region *r, int64_t image, int64_t group, int64_t position) {
  const vlm_conv_shape *s = &r->conv->shape;
  int64_t n = s->channels / s->groups, source[3], d, h,
          o[3] = {position / (s->out[2] * s->out[1]), position / s->out[2] % s->out[1], position % s->out[2]};
  for (d = 0; d < s->kernel[0]; d++) {
    source[0] = vlm_conv_source(s, 0, o[0], d);
    for (h = 0; h < s->kernel[1]; h++, dst += s->kernel[2] * n) {
      source[1] = vlm_conv_source(s, 1, o[1], h);
      source[2] = o[2] * s->stride[2] - s->pad[2];
      if (!s->transposed) copy_taps(dst, r, image, group, source, s->kernel[2]);
      for (int64_t w = 0; s->transposed && w < s->kernel[2]; w++) {
        source[2] = vlm_conv_source(s, 2, o[2], w);
        copy_taps(dst + w * n, r, image, group, source, 1);
      }
    }
  }
}

static void pack_rows(void *user, const vlm_rows_u8 *w) {
  const region *r = user;
  int64_t groups = r->conv->shape.groups;
  for (int i = 0; i < w->rows; i++) pack_position(w->to + (size_t)i * w->stride, r, w->batch / groups, w->batch % groups, w->row + i);
}

/* ---- depthwise ---- */

static size_t depthwise_bytes(const vlm_conv_shape *s) {
  return vlm_conv_plane_floats(s) * sizeof(float) + vlm_size_align((size_t)vlm_conv_volume(s->out) * sizeof(float)) +
         vlm_size_align((size_t)s->in[2]);
}

/* x - zero as floats, padded with zeros. */
static void fill_plane(float *plane, uint8_t *line, const region *r, int64_t image, int64_t channel) {
  const vlm_conv_q8 *conv = r->conv;
  const vlm_conv_shape *s = &conv->shape;
  int64_t width = vlm_conv_plane_width(s), pad = s->pad[2] < width ? s->pad[2] : width, n = s->in[2] < width - pad ? s->in[2] : width - pad;
  int64_t at = (image * s->channels + channel) * s->in[1] * s->in[2];
  memset(plane, 0, (size_t)((s->in[1] + 1) * width) * sizeof *plane);
  for (int64_t h = 0; h < s->in[1]; h++, plane += width, at += s->in[2]) {
    const uint8_t *row = line;
    if (conv->x_f32)
      quantize(r, line, conv->x_f32 + at, n);
    else
      row = conv->x_u8 + at;
    r->kernels->rowops->dequantize_u8(plane + pad, row, n, 1.0f, conv->x_zero);
  }
}

static void finish_plane(const region *r, float *sums, int64_t o, int64_t index) {
  const vlm_conv_q8 *conv = r->conv;
  int64_t n = vlm_conv_volume(conv->shape.out), at = index * n;
  if (conv->y_sums) {
    for (int64_t i = 0; i < n; i++) conv->y_sums[at + i] = (int32_t)sums[i];
    return;
  }
  float *y = conv->y ? conv->y + at : sums;
  vlm_row_map map = {.factor = conv->x_scale * conv->w_scale[o], .offset = conv->bias ? conv->bias[o] : 0.0f};
  r->kernels->rowops->affine(y, sums, n, &map);
  if (conv->activation) conv->activation(y, y, n, conv->params);
  if (!conv->y_u8) return;
  vlm_quantize_u8_args a = {.q = conv->y_u8 + at, .x = y, .n = (size_t)n, .scale = conv->y_scale, .zero = conv->y_zero};
  r->kernels->quantize_u8->fn.quantize_u8(&a);
}

static void depthwise_task(void *user, int64_t index, int worker) {
  const region *r = user;
  const vlm_conv_shape *s = &r->conv->shape;
  int64_t o = index % s->out_channels;
  float *plane = (float *)(void *)(r->workers + (size_t)worker * r->worker_bytes), *sums = plane + vlm_conv_plane_floats(s);
  uint8_t *line = (uint8_t *)sums + vlm_size_align((size_t)vlm_conv_volume(s->out) * sizeof *sums);
  fill_plane(plane, line, r, index / s->out_channels, o / (s->out_channels / s->groups));
  vlm_conv_plane_run(sums, s, plane, (const float *)r->conv->weights + o * vlm_conv_volume(s->kernel), r->kernels);
  finish_plane(r, sums, o, index);
}

/* ---- the product ---- */

/* Channels-last rows are the activations as they are. */
static bool is_pointwise(const vlm_conv_shape *s) {
  if (s->transposed || s->groups != 1) return false;
  for (int i = 0; i < 3; i++)
    if (s->kernel[i] != 1 || s->stride[i] != 1 || s->pad[i] != 0 || s->in[i] != s->out[i]) return false;
  return true;
}

static vlm_gemm_q8 as_product(const vlm_conv_q8 *conv, region *r) {
  const vlm_conv_shape *s = &conv->shape;
  int64_t size = vlm_conv_volume(s->out);
  vlm_gemm_q8 g = {.batch = s->batch * s->groups, .m = size, .w = conv->weights, .pack = pack_rows, .pack_user = r};
  if (is_pointwise(s)) {
    g.pack = NULL;
    g.a = r ? r->nhwc : NULL;
    g.lda = s->channels;
    g.a_batch = s->channels * size;
  }
  g.a_scale = conv->x_scale;
  g.zero = conv->x_zero;
  g.w_scale = conv->w_scale;
  g.bias = conv->bias;
  g.activation = conv->activation;
  memcpy(g.params, conv->params, sizeof g.params);
  g.c = conv->y;
  g.c_u8 = conv->y_u8;
  g.c_sums = conv->y_sums;
  g.c_batch = s->out_channels / s->groups * size;
  g.c_row = 1;
  g.c_column = size;
  g.q_scale = conv->y_scale;
  g.q_zero = conv->y_zero;
  return g;
}

static size_t nhwc_bytes(const vlm_conv_shape *s) { return vlm_size_align((size_t)(s->batch * s->channels * vlm_conv_volume(s->in))); }

size_t vlm_conv_q8_scratch(const vlm_conv_q8 *conv, const vlm_kernels *kernels, const vlm_threads *threads) {
  const vlm_conv_shape *s = &conv->shape;
  if (runs_depthwise(s)) return depthwise_bytes(s) * (size_t)vlm_threads_count(threads);
  vlm_gemm_q8 g = as_product(conv, NULL);
  return nhwc_bytes(s) + vlm_gemm_q8_scratch(&g, kernels, threads);
}

void vlm_conv_q8_run(const vlm_conv_q8 *conv, const vlm_kernels *kernels, vlm_threads *threads, void *scratch) {
  const vlm_conv_shape *s = &conv->shape;
  region r = {.conv = conv, .kernels = kernels, .nhwc = scratch, .workers = scratch, .worker_bytes = depthwise_bytes(s)};
  assert((conv->x_f32 != NULL) + (conv->x_u8 != NULL) == 1 && (conv->y != NULL) + (conv->y_u8 != NULL) + (conv->y_sums != NULL) == 1);
  if (runs_depthwise(s)) {
    vlm_threads_run(threads, s->batch * s->out_channels, depthwise_task, &r);
    return;
  }
  vlm_gemm_q8 g = as_product(conv, &r);
  int64_t blocks = (vlm_conv_volume(s->in) + ROW_BLOCK - 1) / ROW_BLOCK;
  vlm_threads_run(threads, s->batch * blocks, to_channels_last, &r);
  vlm_gemm_q8_run(&g, kernels, threads, (char *)scratch + nhwc_bytes(s));
}
