#include "runtime/kernels/conv_depthwise.h"

#include "runtime/base/memory.h"
#include "runtime/kernels/row_args.h"

typedef struct {
  const vlm_conv_depthwise *conv;
  const vlm_kernels *kernels;
  vlm_conv_blocks blocks;
  char *scratch;
  size_t ring_bytes, worker_bytes; /* of a worker: the ring, then one output row */
} depthwise_job;

static depthwise_job make_job(const vlm_conv_shape *s, const vlm_threads *threads) {
  depthwise_job j = {.blocks =
                         vlm_conv_split(s, (size_t)s->channels * sizeof(float), vlm_threads_count(threads))};
  j.ring_bytes = vlm_conv_ring_bytes(s, j.blocks.columns, sizeof(float));
  j.worker_bytes = j.ring_bytes + vlm_size_align((size_t)(j.blocks.columns * s->channels) * sizeof(float));
  return j;
}

size_t vlm_conv_depthwise_scratch(const vlm_conv_shape *s, const vlm_threads *threads) {
  return make_job(s, threads).worker_bytes * (size_t)vlm_threads_count(threads);
}

static void task(void *user, int64_t index, int worker) {
  const depthwise_job *j = user;
  const vlm_conv_depthwise *conv = j->conv;
  const vlm_conv_shape *s = conv->in->shape;
  const vlm_conv_block b = vlm_conv_block_at(&j->blocks, index);
  char *room = j->scratch + (size_t)worker * j->worker_bytes;
  const void *rows[VLM_CONV_RING];
  vlm_conv_ring ring;
  vlm_depthwise_f32_args d = {.rows = (const float *const *)rows, .w = conv->w, .scale = conv->scale};
  d.bias = conv->bias;
  d.kh_count = (int)s->kernel[1];
  d.kw_count = (int)s->kernel[2];
  d.stride = (size_t)s->stride[2];
  d.dilation = (size_t)s->dilation[2];
  d.channels = (size_t)s->channels;
  d.n = (size_t)b.columns;
  vlm_conv_ring_open(&ring, conv->in, room, &b);
  for (int64_t h = b.row; h < b.row + b.rows; h++) {
    int64_t at = ((b.image * s->out[1] + h) * s->out[2] + b.column) * s->channels;
    vlm_conv_ring_rows(&ring, h, rows);
    d.y = conv->y ? conv->y + at : (float *)(void *)(room + j->ring_bytes);
    j->kernels->depthwise_f32->fn.depthwise_f32(&d);
    if (conv->finish) conv->finish(conv->user, d.y, at, b.columns * s->channels);
  }
}

void vlm_conv_depthwise_run(const vlm_conv_depthwise *conv, const vlm_kernels *kernels, vlm_threads *threads,
                            void *scratch) {
  depthwise_job j = make_job(conv->in->shape, threads);
  j.conv = conv;
  j.kernels = kernels;
  j.scratch = scratch;
  vlm_threads_run(threads, vlm_conv_block_count(&j.blocks), task, &j);
}
