#include "runtime/kernels/conv_q8_rows.h"

#include "runtime/base/memory.h"
#include "runtime/kernels/gemm_args.h"
#include "runtime/kernels/row_args.h"

/* A worker's room: the ring, the sums of an output row, its floats when the output is bytes. */
typedef struct {
  const vlm_conv_q8 *conv;
  const vlm_q8_weights *w;
  const vlm_conv_input *in;
  const vlm_kernels *kernels;
  vlm_conv_blocks blocks;
  size_t ring_bytes, sum_bytes, float_bytes;
  char *scratch;
} conv_rows_job;

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

bool vlm_conv_q8_has_rows(const vlm_conv_q8 *conv, const vlm_kernels *kernels) {
  const vlm_conv_shape *s = &conv->shape;
  const vlm_kernel *kernel = kernels->gemm_u8s8;
  bool whole = s->kernel[2] * s->channels % kernel->kr == 0 && s->dilation[2] == 1 && s->groups == 1;
  return conv->last && kernel->a_bytes == 1 && whole && vlm_conv_has_rows(s) && !vlm_conv_is_pointwise(s);
}

static conv_rows_job make_job(const vlm_conv_q8 *conv, const vlm_threads *threads) {
  const vlm_conv_shape *s = &conv->shape;
  conv_rows_job j = {.conv = conv,
                     .w = conv->weights,
                     .blocks = vlm_conv_split(s, (size_t)s->channels, vlm_threads_count(threads))};
  size_t columns = (size_t)j.blocks.columns;
  j.ring_bytes = vlm_conv_ring_bytes(s, j.blocks.columns, 1);
  j.sum_bytes = vlm_size_align(columns * (size_t)j.w->padded_n * sizeof(int32_t));
  j.float_bytes = vlm_size_align(columns * (size_t)j.w->n * sizeof(float));
  return j;
}

static size_t worker_bytes(const conv_rows_job *j) { return j->ring_bytes + j->sum_bytes + j->float_bytes; }

size_t vlm_conv_q8_rows_scratch(const vlm_conv_q8 *conv, const vlm_threads *threads) {
  conv_rows_job j = make_job(conv, threads);
  return worker_bytes(&j) * (size_t)vlm_threads_count(threads);
}

/* One tile: positions [first, first + t->rows) of the row. */
static void run_tile(const conv_rows_job *j, vlm_gemm_u8s8_args *t, const void *const *rows, int64_t first) {
  const vlm_conv_shape *s = &j->conv->shape;
  const void *more[VLM_CONV_RING];
  size_t step = (size_t)first * t->lda;
  for (int64_t k = 1; k < s->kernel[1]; k++) more[k - 1] = (const uint8_t *)rows[k] + step;
  t->a = (const uint8_t *)rows[0] + step;
  t->a_more = more;
  j->kernels->gemm_u8s8->fn.gemm_u8s8(t);
}

static void run_sums(const conv_rows_job *j, const void *const *rows, int32_t *sums, int64_t count) {
  const vlm_conv_shape *s = &j->conv->shape;
  const vlm_kernel *kernel = j->kernels->gemm_u8s8;
  int64_t tiles = (count + kernel->mr - 1) / kernel->mr, step = (count + tiles - 1) / tiles;
  vlm_gemm_u8s8_args t = {
      .ldc = (size_t)j->w->padded_n, .lda = (size_t)(s->stride[2] * s->channels), .b = j->w->panels};
  t.groups = (size_t)(s->kernel[2] * s->channels / kernel->kr);
  t.n_more = (size_t)s->kernel[1] - 1;
  for (int64_t column = 0; column < j->w->padded_n; column += kernel->nr, t.b += j->w->panel_bytes) {
    for (int64_t i = 0; i < count; i += step) {
      t.c = sums + i * j->w->padded_n + column;
      t.rows = (int)min64(step, count - i);
      run_tile(j, &t, rows, i);
    }
  }
}

static void finish_sums(const conv_rows_job *j, const int32_t *sums, int32_t *y, int64_t count) {
  int64_t n = j->w->n;
  for (int64_t i = 0; i < count; i++, sums += j->w->padded_n, y += n)
    for (int64_t k = 0; k < n; k++)
      y[k] = (int32_t)((uint32_t)sums[k] - (uint32_t)j->conv->x_zero * (uint32_t)j->w->colsum[k]);
}

/* Floats of `count` positions, then all of them through the activation and to bytes at once. */
static void finish_row(const conv_rows_job *j, const int32_t *sums, float *room, int64_t at, int64_t count) {
  const vlm_conv_q8 *conv = j->conv;
  int64_t n = j->w->n;
  float *y = conv->y ? conv->y + at : room;
  vlm_q8_row_args e = {
      .acc = sums, .colsum = j->w->colsum, .w_scale = conv->w_scale, .bias = conv->bias, .n = (size_t)n};
  e.a_scale = conv->x_scale;
  e.zero_point = conv->x_zero;
  for (int64_t i = 0; i < count; i++, e.acc += j->w->padded_n) {
    e.y = y + i * n;
    j->kernels->q8_row->fn.q8_row(&e);
  }
  if (conv->activation) conv->activation(y, y, count * n, conv->params);
  if (!conv->y_u8) return;
  vlm_quantize_u8_args q = {
      .q = conv->y_u8 + at, .x = y, .n = (size_t)(count * n), .scale = conv->y_scale, .zero = conv->y_zero};
  j->kernels->quantize_u8->fn.quantize_u8(&q);
}

static void block_task(void *user, int64_t index, int worker) {
  const conv_rows_job *j = user;
  const vlm_conv_shape *s = &j->conv->shape;
  const vlm_conv_block b = vlm_conv_block_at(&j->blocks, index);
  char *room = j->scratch + (size_t)worker * worker_bytes(j);
  int32_t *sums = (int32_t *)(void *)(room + j->ring_bytes);
  const void *rows[VLM_CONV_RING];
  vlm_conv_ring ring;
  vlm_conv_ring_open(&ring, j->in, room, &b);
  for (int64_t h = b.row; h < b.row + b.rows; h++) {
    int64_t at = ((b.image * s->out[1] + h) * s->out[2] + b.column) * s->out_channels;
    vlm_conv_ring_rows(&ring, h, rows);
    run_sums(j, rows, sums, b.columns);
    if (j->conv->y_sums) finish_sums(j, sums, j->conv->y_sums + at, b.columns);
    else finish_row(j, sums, (float *)(void *)(room + j->ring_bytes + j->sum_bytes), at, b.columns);
  }
}

void vlm_conv_q8_rows_run(const vlm_conv_q8 *conv, const vlm_conv_input *in, const vlm_kernels *kernels,
                          vlm_threads *threads, void *scratch) {
  conv_rows_job j = make_job(conv, threads);
  j.in = in;
  j.kernels = kernels;
  j.scratch = scratch;
  vlm_threads_run(threads, vlm_conv_block_count(&j.blocks), block_task, &j);
}
