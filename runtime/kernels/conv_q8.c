#include "runtime/kernels/conv_q8.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/channels.h"
#include "runtime/kernels/conv_depthwise.h"
#include "runtime/kernels/conv_input.h"
#include "runtime/kernels/conv_q8_rows.h"
#include "runtime/kernels/row_args.h"
#include "runtime/kernels/transpose_args.h"

/* Depthwise sums stay below 2^24, so that the float kernel computes them exactly. */
enum { EXACT_TAPS = (1 << 24) / (255 * 128), ROW_BLOCK = 512, BAND = 16 };

static bool runs_depthwise(const vlm_conv_shape *s) {
  return vlm_conv_is_depthwise(s) && vlm_conv_volume(s->kernel) <= EXACT_TAPS;
}

/* ---- weights ---- */

bool vlm_conv_q8_weights_bytes(size_t *bytes, const vlm_conv_shape *s, const vlm_kernels *kernels) {
  vlm_q8_weights w;
  if (runs_depthwise(s))
    return vlm_size_mul((size_t)s->out_channels * sizeof(float), (size_t)vlm_conv_volume(s->kernel), bytes);
  if (!vlm_q8_weights_layout(&w, kernels, vlm_conv_depth(s), s->out_channels / s->groups, s->groups))
    return false;
  *bytes = w.bytes;
  return true;
}

void vlm_conv_q8_weights_pack(void *block, const vlm_kernels *kernels, const vlm_conv_q8_source *weights) {
  const vlm_conv_shape *s = weights->shape;
  const uint8_t *from = weights->w;
  int64_t taps = vlm_conv_volume(s->kernel), k = vlm_conv_depth(s), rows = s->out_channels / s->groups;
  if (runs_depthwise(s)) {
    for (int64_t o = 0; o < s->out_channels; o++)
      for (int64_t t = 0; t < taps; t++)
        ((float *)block)[t * s->out_channels + o] = (int8_t)(from[o * taps + t] ^ weights->flip);
    return;
  }
  vlm_conv_weights_last(weights->room, from, s, 1);
  vlm_q8_source source = {.w = weights->room,
                          .w_matrix = rows * k,
                          .w_row = 1,
                          .w_column = k,
                          .k = k,
                          .n = rows,
                          .count = s->groups};
  source.flip = weights->flip;
  vlm_q8_weights_pack(block, kernels, &source);
}

/* ---- the input as bytes, channels last ---- */

typedef struct {
  const vlm_conv_q8 *conv;
  const vlm_kernels *kernels;
  uint8_t *room; /* for the bytes when x has another form */
  const uint8_t *x;
  vlm_conv_shape spread; /* depthwise: each channel as often as it has outputs */
  vlm_conv_input in;
} conv_q8_job;

static void quantize(const conv_q8_job *j, uint8_t *q, const float *x, int64_t n) {
  vlm_quantize_u8_args a = {
      .q = q, .x = x, .n = (size_t)n, .scale = j->conv->x_scale, .zero = j->conv->x_zero};
  j->kernels->quantize_u8->fn.quantize_u8(&a);
}

static void quantize_part(void *user, int64_t begin, int64_t end, int worker) {
  const conv_q8_job *j = user;
  (void)worker;
  quantize(j, j->room + begin, j->conv->x_f32 + begin, end - begin);
}

/* A block of neighbouring positions of one image: all channels, in bands that are quantized, then turned. */
static void turn_part(void *user, int64_t index, int worker) {
  const conv_q8_job *j = user;
  const vlm_conv_q8 *conv = j->conv;
  int64_t plane = vlm_conv_volume(conv->shape.in), channels = conv->shape.channels,
          blocks = (plane + ROW_BLOCK - 1) / ROW_BLOCK;
  int64_t image = index / blocks, from = index % blocks * ROW_BLOCK,
          n = plane - from < ROW_BLOCK ? plane - from : ROW_BLOCK;
  uint8_t band[BAND * ROW_BLOCK], *to = j->room + (image * plane + from) * channels;
  (void)worker;
  for (int64_t c = 0; c < channels; c += BAND) {
    int64_t rows = channels - c < BAND ? channels - c : BAND, at = (image * channels + c) * plane + from,
            stride = conv->x_f32 ? ROW_BLOCK : plane;
    const uint8_t *source = conv->x_f32 ? band : conv->x_u8 + at;
    for (int64_t i = 0; conv->x_f32 && i < rows; i++)
      quantize(j, band + i * ROW_BLOCK, conv->x_f32 + at + i * plane, n);
    vlm_transpose_8_args t = {
        .y = to + c, .y_stride = (size_t)channels, .x = source, .x_stride = (size_t)stride};
    t.rows = (size_t)rows;
    t.columns = (size_t)n;
    j->kernels->transpose_8->fn.transpose_8(&t);
  }
}

static int64_t input_count(const vlm_conv_shape *s) {
  return s->batch * s->channels * vlm_conv_volume(s->in);
}

static void bring_input(conv_q8_job *j, vlm_threads *threads) {
  const vlm_conv_q8 *conv = j->conv;
  const vlm_conv_shape *s = &conv->shape;
  int64_t blocks = (vlm_conv_volume(s->in) + ROW_BLOCK - 1) / ROW_BLOCK;
  j->x = conv->last && conv->x_u8 ? conv->x_u8 : j->room;
  if (!conv->last) vlm_threads_run(threads, s->batch * blocks, turn_part, j);
  else if (conv->x_f32) vlm_threads_range(threads, input_count(s), 1 << 14, quantize_part, j);
}

/* ---- depthwise: float sums of x - zero, exact ---- */

static void copy_centred(const void *user, void *dst, int64_t at, int64_t n) {
  const conv_q8_job *j = user;
  j->kernels->rowops->dequantize_u8(dst, j->x + at, n, 1.0f, j->conv->x_zero);
}

static void copy_spread(const void *user, void *dst, int64_t at, int64_t n) {
  const conv_q8_job *j = user;
  int64_t times = j->spread.channels / j->conv->shape.channels;
  for (int64_t i = 0; i < n; i += times)
    for (int64_t k = 0; k < times; k++)
      ((float *)dst)[i + k] = (float)(j->x[(at + i) / times] - j->conv->x_zero);
}

static void finish_row(const void *user, float *row, int64_t at, int64_t n) {
  const conv_q8_job *j = user;
  const vlm_conv_q8 *conv = j->conv;
  for (int64_t i = 0; conv->y_sums && i < n; i++) conv->y_sums[at + i] = (int32_t)row[i];
  if (conv->activation) conv->activation(row, row, n, conv->params);
  if (!conv->y_u8) return;
  vlm_quantize_u8_args a = {
      .q = conv->y_u8 + at, .x = row, .n = (size_t)n, .scale = conv->y_scale, .zero = conv->y_zero};
  j->kernels->quantize_u8->fn.quantize_u8(&a);
}

/* conv->last: scratch has the scales of the channels, then the workers'. */
static void run_depthwise(conv_q8_job *j, vlm_threads *threads, char *scratch) {
  const vlm_conv_q8 *conv = j->conv;
  const vlm_conv_shape *s = &conv->shape;
  float *scale = (float *)(void *)scratch;
  vlm_conv_depthwise d = {.in = &j->in, .w = conv->weights, .y = conv->y, .finish = finish_row, .user = j};
  j->spread = vlm_conv_spread(s);
  j->in = (vlm_conv_input){.shape = &j->spread, .bytes = sizeof(float), .user = j};
  j->in.copy = s->out_channels > s->channels ? copy_spread : copy_centred;
  for (int64_t c = 0; !conv->y_sums && c < s->out_channels; c++) scale[c] = conv->x_scale * conv->w_scale[c];
  d.scale = conv->y_sums ? NULL : scale;
  d.bias = conv->y_sums ? NULL : conv->bias;
  vlm_conv_depthwise_run(&d, j->kernels, threads,
                         scratch + vlm_size_align((size_t)s->out_channels * sizeof *scale));
}

/* ---- the product ---- */

static void copy_bytes(const void *user, void *dst, int64_t at, int64_t n) {
  const conv_q8_job *j = user;
  memcpy(dst, j->x + at, (size_t)n);
}

static void pack_rows(void *user, const vlm_rows_u8 *wanted) {
  const conv_q8_job *j = user;
  int64_t groups = j->conv->shape.groups, batch = wanted->batch;
  const vlm_conv_positions what = {
      .image = batch / groups, .group = batch % groups, .position = wanted->row, .rows = wanted->rows};
  vlm_conv_gather(wanted->to, wanted->stride, &j->in, &what);
}

static vlm_gemm_q8 as_product(const vlm_conv_q8 *conv, conv_q8_job *j) {
  const vlm_conv_shape *s = &conv->shape;
  int64_t size = vlm_conv_volume(s->out);
  vlm_gemm_q8 g = {
      .batch = s->batch * s->groups, .m = size, .w = conv->weights, .pack = pack_rows, .pack_user = j};
  if (vlm_conv_is_pointwise(s) && s->groups == 1) {
    g.pack = NULL;
    g.a = j->x;
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
  g.c_groups = s->groups;
  g.c_batch = s->out_channels * size;
  g.c_group = s->out_channels / s->groups * (conv->last ? 1 : size);
  g.c_row = conv->last ? s->out_channels : 1;
  g.c_column = conv->last ? 1 : size;
  g.q_scale = conv->y_scale;
  g.q_zero = conv->y_zero;
  return g;
}

static void run_product(conv_q8_job *j, vlm_threads *threads, void *scratch) {
  j->in = (vlm_conv_input){
      .shape = &j->conv->shape, .bytes = 1, .pad = (uint8_t)j->conv->x_zero, .copy = copy_bytes, .user = j};
  if (vlm_conv_q8_has_rows(j->conv, j->kernels)) {
    vlm_conv_q8_rows_run(j->conv, &j->in, j->kernels, threads, scratch);
    return;
  }
  vlm_gemm_q8 g = as_product(j->conv, j);
  vlm_gemm_q8_run(&g, j->kernels, threads, scratch);
}

/* ---- both ---- */

static size_t room_bytes(const vlm_conv_q8 *conv) {
  return conv->last && conv->x_u8 ? 0 : vlm_size_align((size_t)input_count(&conv->shape));
}

static size_t output_bytes(const vlm_conv_shape *s) {
  return vlm_size_align((size_t)(s->batch * s->out_channels * vlm_conv_volume(s->out)) * sizeof(float));
}

size_t vlm_conv_q8_scratch(const vlm_conv_q8 *conv, const vlm_kernels *kernels, const vlm_threads *threads) {
  const vlm_conv_shape *s = &conv->shape;
  conv_q8_job j = {.conv = conv};
  const vlm_conv_shape spread = vlm_conv_spread(s);
  if (runs_depthwise(s))
    return room_bytes(conv) + vlm_size_align((size_t)s->out_channels * sizeof(float)) +
           vlm_conv_depthwise_scratch(&spread, threads) + (conv->last ? 0 : output_bytes(s));
  if (vlm_conv_q8_has_rows(conv, kernels)) return room_bytes(conv) + vlm_conv_q8_rows_scratch(conv, threads);
  vlm_gemm_q8 g = as_product(conv, &j);
  return room_bytes(conv) + vlm_gemm_q8_scratch(&g, kernels, threads);
}

/* Channels first: the output is made in `made`, then turned. */
static void run_depthwise_turned(conv_q8_job *j, vlm_threads *threads, char *made) {
  const vlm_conv_q8 *conv = j->conv;
  const vlm_conv_shape *s = &conv->shape;
  vlm_conv_q8 last = *conv;
  void *y = conv->y_u8 ? (void *)conv->y_u8 : conv->y_sums ? (void *)conv->y_sums : (void *)conv->y;
  if (conv->y_u8) last.y_u8 = (uint8_t *)made;
  else if (conv->y_sums) last.y_sums = (int32_t *)(void *)made;
  else last.y = (float *)(void *)made;
  j->conv = &last;
  run_depthwise(j, threads, made + output_bytes(s));
  j->conv = conv;
  vlm_turn_run(&(vlm_turn){y, made, s->batch, vlm_conv_volume(s->out), s->out_channels, conv->y_u8 ? 1 : 4},
               j->kernels, threads);
}

void vlm_conv_q8_run(const vlm_conv_q8 *conv, const vlm_kernels *kernels, vlm_threads *threads,
                     void *scratch) {
  conv_q8_job j = {.conv = conv, .kernels = kernels, .room = scratch};
  char *rest = (char *)scratch + room_bytes(conv);
  assert((conv->x_f32 != NULL) + (conv->x_u8 != NULL) == 1 &&
         (conv->y != NULL) + (conv->y_u8 != NULL) + (conv->y_sums != NULL) == 1);
  bring_input(&j, threads);
  if (!runs_depthwise(&conv->shape)) run_product(&j, threads, rest);
  else if (conv->last) run_depthwise(&j, threads, rest);
  else run_depthwise_turned(&j, threads, rest);
}
