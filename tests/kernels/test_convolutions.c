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
  int64_t k[3] = {tap / (s->kernel[1] * s->kernel[2]), tap / s->kernel[2] % s->kernel[1], tap % s->kernel[2]}, at = 0;
  for (int i = 0; i < 3; i++) {
    int64_t from = s->transposed ? o[i] + s->pad[i] - k[i] * s->dilation[i] : o[i] * s->stride[i] - s->pad[i] + k[i] * s->dilation[i];
    if (s->transposed && (from < 0 || from % s->stride[i])) return -1;
    if (s->transposed) from /= s->stride[i];
    if (from < 0 || from >= s->in[i]) return -1;
    at = at * s->in[i] + from;
  }
  return at;
}

static float conv_at(const vlm_conv_shape *s, const float *x, const float *w, int64_t image, int64_t o, int64_t position) {
  int64_t per_in = s->channels / s->groups, per_out = s->out_channels / s->groups, taps = vlm_conv_volume(s->kernel),
          plane = vlm_conv_volume(s->in);
  float sum = 0;
  for (int64_t c = 0; c < per_in; c++) {
    for (int64_t t = 0; t < taps; t++) {
      int64_t at = source_of(s, position, t);
      float v = at < 0 ? 0 : x[(image * s->channels + o / per_out * per_in + c) * plane + at];
      sum = fmaf(v, w[(o * per_in + c) * taps + t], sum);
    }
  }
  return sum;
}

static void check_conv_f32(const vlm_kernels *kernels, vlm_threads *threads) {
  for (size_t q = 0; q < sizeof conv_shapes / sizeof conv_shapes[0]; q++) {
    const vlm_conv_shape *s = &conv_shapes[q];
    int64_t size = vlm_conv_volume(s->out), total = s->batch * s->out_channels * size;
    float *x = floats(s->batch * s->channels * vlm_conv_volume(s->in)),
          *w = floats(s->out_channels * s->channels / s->groups * vlm_conv_volume(s->kernel));
    float *bias = floats(s->out_channels), *residual = floats(total), *y = take(total, 4);
    vlm_conv_f32 conv = {.shape = *s, .x = x, .w = w, .bias = bias, .residual = residual, .y = y};
    void *scratch = take((int64_t)vlm_conv_f32_scratch(&conv, kernels, threads), 1);
    vlm_conv_f32_run(&conv, kernels, threads, scratch);
    for (int64_t i = 0; i < total; i++) {
      int64_t o = i / size % s->out_channels;
      float wanted = conv_at(s, x, w, i / size / s->out_channels, o, i % size) + bias[o];
      expect(y[i], wanted + residual[i], "float convolution", (int64_t)q, i);
    }
    void *all[] = {x, w, bias, residual, y, scratch};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) vlm_free(all[i]);
  }
}
static void test_conv_f32(void **state) {
  (void)state;
  everywhere(check_conv_f32);
}

static int32_t conv_sum_at(const vlm_conv_shape *s, const uint8_t *x, const int8_t *w, int32_t zero, int64_t image, int64_t o,
                           int64_t position) {
  int64_t per_in = s->channels / s->groups, per_out = s->out_channels / s->groups, taps = vlm_conv_volume(s->kernel),
          plane = vlm_conv_volume(s->in);
  int32_t sum = 0;
  for (int64_t c = 0; c < per_in; c++) {
    for (int64_t t = 0; t < taps; t++) {
      int64_t at = source_of(s, position, t);
      int32_t v = at < 0 ? zero : x[(image * s->channels + o / per_out * per_in + c) * plane + at];
      sum += (v - zero) * w[(o * per_in + c) * taps + t];
    }
  }
  return sum;
}

static void check_conv_q8(const vlm_kernels *kernels, vlm_threads *threads) {
  for (size_t q = 0; q < sizeof conv_shapes / sizeof conv_shapes[0]; q++) {
    const vlm_conv_shape *s = &conv_shapes[q];
    int64_t size = vlm_conv_volume(s->out), total = s->batch * s->out_channels * size,
            weights = s->out_channels * s->channels / s->groups * vlm_conv_volume(s->kernel);
    int64_t inputs = s->batch * s->channels * vlm_conv_volume(s->in);
    uint8_t *x = bytes(inputs), *w = bytes(weights), *room = take(weights, 1), *y8 = take(total, 1);
    float *x_f32 = take(inputs, 4), *w_scale = floats(s->out_channels), *bias = floats(s->out_channels), *y = take(total, 4);
    int32_t *sums = take(total, 4);
    size_t block_bytes;
    for (int64_t i = 0; i < inputs; i++) x_f32[i] = (float)(x[i] - 117) * 0.25f;
    assert_true(vlm_conv_q8_weights_bytes(&block_bytes, s, kernels));
    void *block = take((int64_t)block_bytes, 1);
    vlm_conv_q8_weights_pack(block, kernels, &(vlm_conv_q8_source){.shape = s, .w = w, .room = room});
    vlm_conv_q8 conv = {
        .shape = *s, .x_u8 = x, .x_scale = 0.25f, .x_zero = 117, .weights = block, .w_scale = w_scale, .bias = bias, .y_sums = sums};
    void *scratch = take((int64_t)vlm_conv_q8_scratch(&conv, kernels, threads), 1);
    vlm_conv_q8_run(&conv, kernels, threads, scratch);
    conv.y_sums = NULL;
    conv.y_u8 = y8;
    conv.y_scale = 9.5f;
    conv.y_zero = 120;
    vlm_conv_q8_run(&conv, kernels, threads, scratch);
    conv.x_u8 = NULL;
    conv.x_f32 = x_f32;
    conv.y_u8 = NULL;
    conv.y = y;
    vlm_conv_q8_run(&conv, kernels, threads, scratch);
    for (int64_t i = 0; i < total; i++) {
      int64_t o = i / size % s->out_channels;
      int32_t sum = conv_sum_at(s, x, (int8_t *)w, 117, i / size / s->out_channels, o, i % size);
      float scale = 0.25f * w_scale[o], wanted = fmaf((float)sum, scale, bias[o]), level = rintf(wanted / 9.5f) + 120;
      assert_int_equal(sums[i], sum);
      expect(y[i], wanted, "integer convolution", (int64_t)q, i);
      assert_int_equal(y8[i], level < 0 ? 0 : level > 255 ? 255 : (int)level);
    }
    void *all[] = {x, w, room, y8, x_f32, w_scale, bias, y, sums, block, scratch};
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
