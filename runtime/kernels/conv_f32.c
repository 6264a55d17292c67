#include "runtime/kernels/conv_f32.h"

#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/conv_plane.h"

typedef struct {
  const vlm_conv_f32 *conv;
  const vlm_kernels *kernels;
  float *scratch;
  size_t worker_floats;
} filtered_planes;

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

static void pad_plane(float *plane, const float *x, const vlm_conv_shape *s) {
  int64_t width = vlm_conv_plane_width(s), pad = min64(s->pad[2], width), n = min64(s->in[2], width - pad);
  for (int64_t h = 0; h < s->in[1]; h++, plane += width, x += s->in[2]) {
    for (int64_t i = 0; i < pad; i++) plane[i] = 0;
    memcpy(plane + pad, x, (size_t)n * sizeof *x);
    for (int64_t i = pad + n; i < width; i++) plane[i] = 0;
  }
  memset(plane, 0, (size_t)width * sizeof *plane);
}

static void depthwise_task(void *user, int64_t index, int worker) {
  const filtered_planes *r = user;
  const vlm_conv_f32 *conv = r->conv;
  const vlm_conv_shape *s = &conv->shape;
  int64_t o = index % s->out_channels, image = index / s->out_channels, size = vlm_conv_volume(s->out);
  int64_t channel = o / (s->out_channels / s->groups);
  float *plane = r->scratch + (size_t)worker * r->worker_floats, *y = conv->y + index * size;
  pad_plane(plane, conv->x + (image * s->channels + channel) * vlm_conv_volume(s->in), s);
  vlm_conv_plane_run(y, s, plane, conv->w + o * vlm_conv_volume(s->kernel), r->kernels);
  vlm_epilogue_f32 e = {.alpha = 1, .row_bias = conv->bias, .beta = 1, .add_column = 1, .activation = conv->activation};
  if (conv->residual) e.add = conv->residual + index * size;
  memcpy(e.params, conv->params, sizeof e.params);
  vlm_epilogue_f32_row(y, &e, r->kernels->rowops, &(vlm_row_part){.row = o, .n = size});
}

static bool runs_depthwise(const vlm_conv_f32 *conv) { return !conv->pack && vlm_conv_is_depthwise(&conv->shape); }

static vlm_gemm_f32 as_product(const vlm_conv_f32 *conv, vlm_im2col *columns) {
  const vlm_conv_shape *s = &conv->shape;
  int64_t rows = s->out_channels / s->groups, size = vlm_conv_volume(s->out), k = s->channels / s->groups * vlm_conv_volume(s->kernel);
  *columns = (vlm_im2col){*s, conv->x};
  vlm_gemm_f32 g = {.batch = s->batch * s->groups, .m = rows, .n = size, .k = k};
  g.a = conv->w;
  g.a_row = k;
  g.a_column = 1;
  g.pack = conv->pack ? conv->pack : vlm_im2col_pack;
  g.pack_user = conv->pack ? conv->pack_user : columns;
  g.c = conv->y;
  g.c_batch = rows * size;
  g.ldc = size;
  g.add_batch = rows * size;
  g.epilogue = (vlm_epilogue_f32){.alpha = 1, .row_bias = conv->bias, .add = conv->residual, .add_row = size, .add_column = 1, .beta = 1};
  g.epilogue.activation = conv->activation;
  memcpy(g.epilogue.params, conv->params, sizeof g.epilogue.params);
  return g;
}

/* Offsets per batch: weights and bias of the batch's group. */
static void fill_offsets(int64_t *a_offset, int64_t *bias_offset, const vlm_gemm_f32 *g, int64_t groups) {
  for (int64_t b = 0; b < g->batch; b++) {
    a_offset[b] = b % groups * g->m * g->k;
    bias_offset[b] = b % groups * g->m;
  }
}

size_t vlm_conv_f32_scratch(const vlm_conv_f32 *conv, const vlm_kernels *kernels, const vlm_threads *threads) {
  vlm_im2col columns;
  if (runs_depthwise(conv)) return vlm_conv_plane_floats(&conv->shape) * sizeof(float) * (size_t)vlm_threads_count(threads);
  vlm_gemm_f32 g = as_product(conv, &columns);
  return vlm_gemm_f32_scratch(&g, kernels, threads) + vlm_size_align((size_t)g.batch * 2 * sizeof(int64_t));
}

void vlm_conv_f32_run(const vlm_conv_f32 *conv, const vlm_kernels *kernels, vlm_threads *threads, void *scratch) {
  const vlm_conv_shape *s = &conv->shape;
  vlm_im2col columns;
  if (runs_depthwise(conv)) {
    filtered_planes r = {.conv = conv, .kernels = kernels, .scratch = scratch, .worker_floats = vlm_conv_plane_floats(s)};
    vlm_threads_run(threads, s->batch * s->out_channels, depthwise_task, &r);
    return;
  }
  vlm_gemm_f32 g = as_product(conv, &columns);
  size_t table = vlm_size_align((size_t)g.batch * 2 * sizeof(int64_t));
  int64_t *offsets = scratch;
  fill_offsets(offsets, offsets + g.batch, &g, s->groups);
  g.a_offset = offsets;
  g.row_bias_offset = offsets + g.batch;
  vlm_gemm_f32_run(&g, kernels, threads, (char *)scratch + table);
}

void vlm_conv_transpose_weights(void *out, const void *w, const vlm_conv_shape *s, int element_bytes) {
  int64_t group_out = s->out_channels / s->groups, group_in = s->channels / s->groups;
  size_t taps = (size_t)vlm_conv_volume(s->kernel) * (size_t)element_bytes;
  char *dst = out;
  for (int64_t o = 0; o < s->out_channels; o++)
    for (int64_t c = 0; c < group_in; c++, dst += taps)
      memcpy(dst, (const char *)w + (size_t)((o / group_out * group_in + c) * group_out + o % group_out) * taps, taps);
}
