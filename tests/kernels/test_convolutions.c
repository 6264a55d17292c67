/* The convolutions against plain loops, bit for bit. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "runtime/kernels/conv_f32.h"
#include "runtime/kernels/conv_q8.h"
#include "tests/kernels/everywhere.h"

static const vlm_conv_shape conv_shapes[] = {
    /* by rows, in whole steps of the integer kernels; the second in strips of more than one block */
    {.batch = 2,
     .channels = 8,
     .out_channels = 20,
     .groups = 1,
     .in = {1, 13, 70},
     .out = {1, 13, 70},
     .kernel = {1, 3, 3},
     .stride = {1, 1, 1},
     .dilation = {1, 1, 1},
     .pad = {0, 1, 1}},
    {.batch = 1,
     .channels = 4,
     .out_channels = 33,
     .groups = 1,
     .in = {1, 30, 41},
     .out = {1, 12, 20},
     .kernel = {1, 4, 3},
     .stride = {1, 2, 2},
     .dilation = {1, 2, 1},
     .pad = {0, 0, 0}},
    /* a signal */
    {.batch = 1,
     .channels = 4,
     .out_channels = 3,
     .groups = 1,
     .in = {1, 1, 700},
     .out = {1, 1, 700},
     .kernel = {1, 1, 9},
     .stride = {1, 1, 1},
     .dilation = {1, 1, 1},
     .pad = {0, 0, 4}},
    /* transposed, the kernel is the stride */
    {.batch = 2,
     .channels = 6,
     .out_channels = 5,
     .groups = 1,
     .in = {1, 4, 5},
     .out = {1, 8, 15},
     .kernel = {1, 2, 3},
     .stride = {1, 2, 3},
     .dilation = {1, 1, 1},
     .transposed = true},
    {.batch = 1,
     .channels = 24,
     .out_channels = 1,
     .groups = 1,
     .in = {1, 3, 29},
     .out = {1, 6, 58},
     .kernel = {1, 2, 2},
     .stride = {1, 2, 2},
     .dilation = {1, 1, 1},
     .transposed = true},
    /* several outputs of each channel */
    {.batch = 1,
     .channels = 3,
     .out_channels = 12,
     .groups = 3,
     .in = {1, 7, 19},
     .out = {1, 7, 19},
     .kernel = {1, 3, 3},
     .stride = {1, 1, 1},
     .dilation = {1, 1, 1},
     .pad = {0, 1, 1}},
    /* pointwise groups */
    {.batch = 2,
     .channels = 6,
     .out_channels = 4,
     .groups = 2,
     .in = {1, 5, 9},
     .out = {1, 5, 9},
     .kernel = {1, 1, 1},
     .stride = {1, 1, 1},
     .dilation = {1, 1, 1}},
    {.batch = 1,
     .channels = 3,
     .out_channels = 5,
     .groups = 1,
     .in = {1, 9, 11},
     .out = {1, 5, 6},
     .kernel = {1, 3, 3},
     .stride = {1, 2, 2},
     .dilation = {1, 1, 1},
     .pad = {0, 1, 1}},
    {.batch = 2,
     .channels = 4,
     .out_channels = 6,
     .groups = 2,
     .in = {1, 7, 20},
     .out = {1, 5, 20},
     .kernel = {1, 2, 5},
     .stride = {1, 1, 1},
     .dilation = {1, 2, 1},
     .pad = {0, 0, 2}},
    {.batch = 2,
     .channels = 6,
     .out_channels = 6,
     .groups = 6,
     .in = {1, 8, 40},
     .out = {1, 8, 40},
     .kernel = {1, 3, 3},
     .stride = {1, 1, 1},
     .dilation = {1, 1, 1},
     .pad = {0, 1, 1}},
    {.batch = 1,
     .channels = 3,
     .out_channels = 6,
     .groups = 3,
     .in = {1, 1, 33},
     .out = {1, 1, 11},
     .kernel = {1, 1, 4},
     .stride = {1, 1, 3},
     .dilation = {1, 1, 2},
     .pad = {0, 0, 2}},
    {.batch = 1,
     .channels = 2,
     .out_channels = 3,
     .groups = 1,
     .in = {4, 5, 6},
     .out = {4, 3, 6},
     .kernel = {3, 3, 1},
     .stride = {1, 2, 1},
     .dilation = {1, 1, 1},
     .pad = {1, 1, 0}},
    {.batch = 3,
     .channels = 16,
     .out_channels = 33,
     .groups = 1,
     .in = {1, 5, 5},
     .out = {1, 5, 5},
     .kernel = {1, 1, 1},
     .stride = {1, 1, 1},
     .dilation = {1, 1, 1}},
    {.batch = 1,
     .channels = 2,
     .out_channels = 4,
     .groups = 2,
     .in = {1, 4, 3},
     .out = {1, 9, 5},
     .kernel = {1, 3, 3},
     .stride = {1, 2, 2},
     .dilation = {1, 1, 1},
     .pad = {0, 0, 1},
     .transposed = true},
};

/* Index of the input element for a position and tap (taps row-major), or -1. */
static int64_t source_of(const vlm_conv_shape *s, int64_t position, int64_t tap) {
  int64_t o[3] = {position / (s->out[1] * s->out[2]), position / s->out[2] % s->out[1], position % s->out[2]};
  int64_t k[3] = {tap / (s->kernel[1] * s->kernel[2]), tap / s->kernel[2] % s->kernel[1], tap % s->kernel[2]},
          at = 0;
  for (int i = 0; i < 3; i++) {
    int64_t from = s->transposed ? o[i] + s->pad[i] - k[i] * s->dilation[i]
                                 : o[i] * s->stride[i] - s->pad[i] + k[i] * s->dilation[i];
    if (s->transposed && (from < 0 || from % s->stride[i])) return -1;
    if (s->transposed) from /= s->stride[i];
    if (from < 0 || from >= s->in[i]) return -1;
    at = at * s->in[i] + from;
  }
  return at;
}

/* Where ONNX has the weight of output channel o, channel c of its group and tap t. */
static int64_t weight_at(const vlm_conv_shape *s, int64_t o, int64_t c, int64_t t) {
  int64_t per_in = s->channels / s->groups, per_out = s->out_channels / s->groups,
          taps = vlm_conv_volume(s->kernel);
  return (s->transposed ? (o / per_out * per_in + c) * per_out + o % per_out : o * per_in + c) * taps + t;
}

static float conv_at(const vlm_conv_shape *s, const float *x, const float *w, int64_t image, int64_t o,
                     int64_t position) {
  int64_t per_in = s->channels / s->groups, per_out = s->out_channels / s->groups,
          taps = vlm_conv_volume(s->kernel), plane = vlm_conv_volume(s->in);
  float sum = 0;
  for (int64_t t = 0; t < taps; t++) {
    int64_t at = source_of(s, position, t);
    for (int64_t c = 0; c < per_in; c++) {
      float v = at < 0 ? 0 : x[(image * s->channels + o / per_out * per_in + c) * plane + at];
      sum = fmaf(v, w[weight_at(s, o, c, t)], sum);
    }
  }
  return sum;
}

/* [batch][channels][positions] to [batch][positions][channels]. */
static void *to_last(const void *x, int64_t batch, int64_t channels, int64_t positions, size_t bytes) {
  char *y = take(batch * channels * positions, bytes);
  for (int64_t b = 0; b < batch; b++)
    for (int64_t c = 0; c < channels; c++)
      for (int64_t p = 0; p < positions; p++)
        memcpy(y + (size_t)((b * positions + p) * channels + c) * bytes,
               (const char *)x + (size_t)((b * channels + c) * positions + p) * bytes, bytes);
  return y;
}

static void run_conv_f32(const vlm_conv_f32 *conv, const vlm_kernels *kernels, vlm_threads *threads) {
  void *scratch = take((int64_t)vlm_conv_f32_scratch(conv, kernels, threads), 1);
  vlm_conv_f32_run(conv, kernels, threads, scratch);
  vlm_free(scratch);
}

static void check_conv_f32(const vlm_kernels *kernels, vlm_threads *threads) {
  for (size_t q = 0; q < sizeof conv_shapes / sizeof conv_shapes[0]; q++) {
    const vlm_conv_shape *s = &conv_shapes[q];
    int64_t size = vlm_conv_volume(s->out), total = s->batch * s->out_channels * size,
            in = vlm_conv_volume(s->in);
    int64_t count = s->out_channels * s->channels / s->groups * vlm_conv_volume(s->kernel);
    float *x = floats(s->batch * s->channels * in), *w = floats(count), *room = take(count, 4);
    float *packed = take(vlm_conv_f32_packed_count(s, kernels), 4);
    float *bias = floats(s->out_channels), *residual = floats(total), *y = take(total, 4),
          *y_last = take(total, 4);
    float *x_last = to_last(x, s->batch, s->channels, in, 4),
          *r_last = to_last(residual, s->batch, s->out_channels, size, 4);
    vlm_conv_f32_pack(packed, kernels, &(vlm_conv_f32_source){s, w, room});
    vlm_conv_f32 conv = {.shape = *s, .x = x, .weights = packed, .bias = bias, .residual = residual, .y = y};
    run_conv_f32(&conv, kernels, threads);
    conv.last = true;
    conv.x = x_last;
    conv.residual = r_last;
    conv.y = y_last;
    run_conv_f32(&conv, kernels, threads);
    for (int64_t i = 0; i < total; i++) {
      int64_t o = i / size % s->out_channels, image = i / size / s->out_channels;
      float wanted = conv_at(s, x, w, image, o, i % size) + bias[o];
      expect(y[i], wanted + residual[i], "float convolution", (int64_t)q, i);
      expect(y_last[(image * size + i % size) * s->out_channels + o], y[i],
             "float convolution, channels last", (int64_t)q, i);
    }
    void *all[] = {x, w, room, packed, bias, residual, y, y_last, x_last, r_last};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) vlm_free(all[i]);
  }
}
static void test_conv_f32(void **state) {
  (void)state;
  everywhere(check_conv_f32);
}

static int32_t conv_sum_at(const vlm_conv_shape *s, const uint8_t *x, const int8_t *w, int32_t zero,
                           int64_t image, int64_t o, int64_t position) {
  int64_t per_in = s->channels / s->groups, per_out = s->out_channels / s->groups,
          taps = vlm_conv_volume(s->kernel), plane = vlm_conv_volume(s->in);
  int32_t sum = 0;
  for (int64_t c = 0; c < per_in; c++) {
    for (int64_t t = 0; t < taps; t++) {
      int64_t at = source_of(s, position, t);
      int32_t v = at < 0 ? zero : x[(image * s->channels + o / per_out * per_in + c) * plane + at];
      sum += (v - zero) * w[weight_at(s, o, c, t)];
    }
  }
  return sum;
}

static void run_conv_q8(const vlm_conv_q8 *conv, const vlm_kernels *kernels, vlm_threads *threads) {
  void *scratch = take((int64_t)vlm_conv_q8_scratch(conv, kernels, threads), 1);
  vlm_conv_q8_run(conv, kernels, threads, scratch);
  vlm_free(scratch);
}

/* Sums and bytes of bytes, floats of floats. */
typedef struct {
  int32_t *sums;
  uint8_t *y8;
  float *y;
} q8_outputs;

static void run_forms(vlm_conv_q8 conv, const uint8_t *x, const float *x_f32, const q8_outputs *out,
                      const vlm_kernels *kernels, vlm_threads *threads) {
  conv.x_u8 = x;
  conv.y_sums = out->sums;
  run_conv_q8(&conv, kernels, threads);
  conv.y_sums = NULL;
  conv.y_u8 = out->y8;
  conv.y_scale = 9.5f;
  conv.y_zero = 120;
  run_conv_q8(&conv, kernels, threads);
  conv.x_u8 = NULL;
  conv.x_f32 = x_f32;
  conv.y_u8 = NULL;
  conv.y = out->y;
  run_conv_q8(&conv, kernels, threads);
}

static void check_conv_q8(const vlm_kernels *kernels, vlm_threads *threads) {
  for (size_t q = 0; q < sizeof conv_shapes / sizeof conv_shapes[0]; q++) {
    const vlm_conv_shape *s = &conv_shapes[q];
    int64_t size = vlm_conv_volume(s->out), total = s->batch * s->out_channels * size,
            in = vlm_conv_volume(s->in),
            weights = s->out_channels * s->channels / s->groups * vlm_conv_volume(s->kernel);
    int64_t inputs = s->batch * s->channels * in;
    uint8_t *x = bytes(inputs), *w = bytes(weights), *room = take(weights, 1);
    float *x_f32 = take(inputs, 4), *w_scale = floats(s->out_channels), *bias = floats(s->out_channels);
    q8_outputs first = {take(total, 4), take(total, 1), take(total, 4)},
               last = {take(total, 4), take(total, 1), take(total, 4)};
    size_t block_bytes;
    for (int64_t i = 0; i < inputs; i++) x_f32[i] = (float)(x[i] - 117) * 0.25f;
    void *x_last = to_last(x, s->batch, s->channels, in, 1),
         *f_last = to_last(x_f32, s->batch, s->channels, in, 4);
    assert_true(vlm_conv_q8_weights_bytes(&block_bytes, s, kernels));
    void *block = take((int64_t)block_bytes, 1);
    vlm_conv_q8_weights_pack(block, kernels, &(vlm_conv_q8_source){.shape = s, .w = w, .room = room});
    vlm_conv_q8 conv = {
        .shape = *s, .x_scale = 0.25f, .x_zero = 117, .weights = block, .w_scale = w_scale, .bias = bias};
    run_forms(conv, x, x_f32, &first, kernels, threads);
    conv.last = true;
    run_forms(conv, x_last, f_last, &last, kernels, threads);
    for (int64_t i = 0; i < total; i++) {
      int64_t o = i / size % s->out_channels, image = i / size / s->out_channels,
              at = (image * size + i % size) * s->out_channels + o;
      int32_t sum = conv_sum_at(s, x, (int8_t *)w, 117, image, o, i % size);
      float scale = 0.25f * w_scale[o], wanted = fmaf((float)sum, scale, bias[o]),
            level = rintf(wanted / 9.5f) + 120;
      assert_int_equal(first.sums[i], sum);
      assert_int_equal(last.sums[at], sum);
      expect(first.y[i], wanted, "integer convolution", (int64_t)q, i);
      expect(last.y[at], wanted, "integer convolution, channels last", (int64_t)q, i);
      assert_int_equal(first.y8[i], level < 0 ? 0 : level > 255 ? 255 : (int)level);
      assert_int_equal(last.y8[at], first.y8[i]);
    }
    void *all[] = {x,       w,         room,    x_f32,  w_scale, bias,   first.sums, first.y8,
                   first.y, last.sums, last.y8, last.y, x_last,  f_last, block};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) vlm_free(all[i]);
  }
}
static void test_conv_q8(void **state) {
  (void)state;
  everywhere(check_conv_q8);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_conv_f32),
      cmocka_unit_test(test_conv_q8),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
