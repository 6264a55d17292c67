/* Template of the depthwise kernels; a level file includes its vector vocabulary (vec_LEVEL.h), names the function
 * (TILE_DEPTHWISE) and includes this once.
 *
 * A block of neighbouring pixels by one vector of channels: the weights of a tap are loaded once per block, and each
 * output has one accumulator that walks the taps upwards, as the contract says. */
#include "runtime/kernels/row_args.h"
#include "runtime/kernels/unroll.h"

enum { DEPTHWISE_PIXELS = 8 };

/* `pixels` is a constant at every call. Channels [channel, channel + lanes) of pixels from `at` on. */
static VLM_INLINE void depthwise_block(const vlm_depthwise_f32_args *args, size_t at, size_t channel,
                                       int lanes, int pixels) {
  const vlm_depthwise_f32_args copy = *args, *d = &copy; /* whose fields can stay in registers */
  const float *w = d->w + channel;
  size_t channels = d->channels, step = d->stride * channels, tap = d->dilation * channels;
  VEC acc[DEPTHWISE_PIXELS];
  VLM_UNROLL for (int i = 0; i < pixels; i++) acc[i] = vec_zero();
  for (int kh = 0; kh < d->kh_count; kh++) {
    const float *x = d->rows[kh] + at * step + channel;
    for (int kw = 0; kw < d->kw_count; kw++, x += tap, w += channels) {
      VEC weight = lanes == VEC_WIDTH ? vec_load(w) : vec_load_some(w, lanes);
      VLM_UNROLL for (int i = 0; i < pixels; i++) {
        const float *from = x + (size_t)i * step;
        acc[i] = vec_fma(lanes == VEC_WIDTH ? vec_load(from) : vec_load_some(from, lanes), weight, acc[i]);
      }
    }
  }
  VEC bias = d->bias ? vec_load_some(d->bias + channel, lanes) : vec_zero();
  VEC scale = d->scale ? vec_load_some(d->scale + channel, lanes) : vec_zero();
  float *y = d->y + at * channels + channel;
  VLM_UNROLL for (int i = 0; i < pixels; i++) {
    VEC v = d->scale ? vec_fma(acc[i], scale, bias) : d->bias ? vec_add(acc[i], bias) : acc[i];
    if (lanes == VEC_WIDTH) vec_store(y + (size_t)i * channels, v);
    else vec_store_some(y + (size_t)i * channels, v, lanes);
  }
}

/* All channels of a block of pixels. */
static VLM_INLINE void depthwise_pixels(const vlm_depthwise_f32_args *d, size_t at, int pixels) {
  size_t channel = 0;
  for (; channel + VEC_WIDTH <= d->channels; channel += VEC_WIDTH)
    depthwise_block(d, at, channel, VEC_WIDTH, pixels);
  if (channel < d->channels) depthwise_block(d, at, channel, (int)(d->channels - channel), pixels);
}

static __attribute__((noinline)) void depthwise_many(const vlm_depthwise_f32_args *d, size_t at) {
  depthwise_pixels(d, at, DEPTHWISE_PIXELS);
}

static __attribute__((noinline)) void depthwise_one(const vlm_depthwise_f32_args *d, size_t at) {
  depthwise_pixels(d, at, 1);
}

void TILE_DEPTHWISE(const vlm_depthwise_f32_args *d) {
  size_t at = 0, n = d->n;
  for (; at + DEPTHWISE_PIXELS <= n; at += DEPTHWISE_PIXELS) depthwise_many(d, at);
  if (at < n && n >= DEPTHWISE_PIXELS)
    depthwise_many(d, n - DEPTHWISE_PIXELS); /* overlaps: the same values again */
  for (; at < n && n < DEPTHWISE_PIXELS; at++) depthwise_one(d, at);
}
