#include "runtime/kernels/conv_f32.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/channels.h"
#include "runtime/kernels/conv_depthwise.h"
#include "runtime/kernels/conv_input.h"
#include "runtime/kernels/gemm_args.h"

/* Where the rows of activations come from. */
typedef enum {
  BY_POSITION, /* pointwise: the input as it is */
  BY_ROW,      /* input rows in a ring, tap rows as segments of the sum */
  GATHERED, /* each position's taps one behind the other: groups, steps between taps, three axes, transposed */
  TILED,    /* transposed: an input row makes kernel rows of output */
  DEPTHWISE
} conv_source;

enum { STRIP_BYTES = 128 << 10, INLINE_WORK = 1 << 16, TASKS_PER_THREAD = 4 };

typedef struct {
  const vlm_conv_f32 *conv;
  const vlm_kernels *kernels;
  conv_source from;
  vlm_conv_shape shape; /* of the input that `in` brings */
  vlm_conv_input in;
  vlm_conv_blocks blocks;       /* BY_ROW */
  int64_t group, strip, strips; /* BY_POSITION, GATHERED: positions of a task, tasks of an image */
  size_t worker_bytes;
  char *workers;
} conv_job;

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static void copy_floats(const void *user, void *dst, int64_t at, int64_t n) {
  const vlm_conv_f32 *conv = user;
  memcpy(dst, conv->x + at, (size_t)n * sizeof(float));
}

/* Each element as often as its channel has outputs. */
static void spread_floats(const void *user, void *dst, int64_t at, int64_t n) {
  const vlm_conv_f32 *conv = user;
  int64_t times = conv->shape.out_channels / conv->shape.channels;
  const float *x = conv->x + at / times; /* at and n are of whole pixels */
  for (float *z = dst, *end = z + n; z < end; x++)
    for (int64_t k = 0; k < times; k++) *z++ = *x;
}

static conv_source source_of(const vlm_conv_shape *s) {
  if (vlm_conv_is_depthwise(s)) return DEPTHWISE;
  if (vlm_conv_is_tiled(s)) return TILED;
  if (vlm_conv_is_pointwise(s)) return BY_POSITION;
  return vlm_conv_has_rows(s) && s->groups == 1 && s->dilation[2] == 1 ? BY_ROW : GATHERED;
}

/* Positions that are taken at once: whole tiles whose activations stay in the second-level cache, some tasks per thread. */
static int64_t strip_of(const vlm_conv_shape *s, const vlm_kernels *kernels, int threads) {
  int64_t mr = kernels->gemm_f32->mr, bytes = max64(vlm_conv_depth(s), 1) * (int64_t)sizeof(float);
  int64_t positions = vlm_conv_volume(s->out), tasks = threads > 1 ? (int64_t)threads * TASKS_PER_THREAD : 1;
  int64_t share = (positions + tasks - 1) / tasks,
          strip = min64(max64(STRIP_BYTES / bytes, 1), max64(share, 1));
  return (strip + mr - 1) / mr * mr;
}

static void make_job(conv_job *j, const vlm_conv_f32 *conv, const vlm_kernels *kernels,
                     const vlm_threads *threads) {
  const vlm_conv_shape *s = &conv->shape;
  int workers = vlm_threads_count(threads);
  *j = (conv_job){.conv = conv, .kernels = kernels, .from = source_of(s), .shape = *s};
  const bool spread = j->from == DEPTHWISE && s->out_channels > s->channels;
  if (spread) j->shape = vlm_conv_spread(s);
  j->in = (vlm_conv_input){
      .shape = &j->shape, .bytes = sizeof(float), .copy = spread ? spread_floats : copy_floats, .user = conv};
  j->blocks = vlm_conv_split(&j->shape, (size_t)s->channels * sizeof(float), workers);
  j->strip = strip_of(s, kernels, workers);
  j->strips = (vlm_conv_volume(s->out) + j->strip - 1) / j->strip;
  if (j->from == BY_ROW) j->worker_bytes = vlm_conv_ring_bytes(s, j->blocks.columns, sizeof(float));
  if (j->from == GATHERED)
    j->worker_bytes = vlm_size_align((size_t)(j->strip * vlm_conv_depth(s)) * sizeof(float));
}

/* ---- dense ---- */

/* Activations of `count` neighbouring positions, and where their outputs go. */
typedef struct {
  const float *a;
  const void *const *more; /* further segments */
  size_t lda, k, n_more;
  int64_t at, count; /* element of y of the first output; positions */
  const float *panels, *bias;
  int64_t n, ldc; /* outputs of a position; from one position's to the next */
} rows_of;

/* One tile: positions [first, first + t->rows), columns from c on. */
static void run_tile(const conv_job *j, const rows_of *r, vlm_gemm_f32_args *t, float *c, int64_t first) {
  const float *more[VLM_CONV_RING];
  for (size_t s = 0; s < r->n_more; s++) more[s] = (const float *)r->more[s] + (size_t)first * r->lda;
  t->a = r->a + (size_t)first * r->lda;
  t->a_more = more;
  t->c = c + (size_t)first * t->ldc;
  j->kernels->gemm_f32->fn.gemm_f32(t);
}

/* Tiles of rows as even as can be: a thin rest would cost as much as a full tile. */
static int64_t tile_rows(int64_t count, int64_t mr) {
  int64_t tiles = (count + mr - 1) / mr;
  return (count + tiles - 1) / tiles;
}

static void run_sums(const conv_job *j, const rows_of *r) {
  const vlm_kernel *kernel = j->kernels->gemm_f32;
  int64_t nr = kernel->nr, depth = (int64_t)(r->k * (r->n_more + 1)), step = tile_rows(r->count, kernel->mr);
  vlm_gemm_f32_args t = {.ldc = (size_t)r->ldc,
                         .lda = r->lda,
                         .b = r->panels,
                         .b_stride = (size_t)nr,
                         .k = r->k,
                         .n_more = r->n_more};
  for (int64_t column = 0; column < r->n; column += nr, t.b += depth * nr) {
    t.columns = (int)min64(nr, r->n - column);
    t.bias = r->bias ? r->bias + column : NULL;
    for (int64_t i = 0; i < r->count; i += step) {
      t.rows = (int)min64(step, r->count - i);
      run_tile(j, r, &t, j->conv->y + r->at + column, i);
    }
  }
}

/* Residual and activation of n neighbouring elements of y. */
static void finish(const vlm_conv_f32 *conv, const vlm_rowops *rowops, int64_t at, int64_t n) {
  float *y = conv->y + at;
  if (conv->residual) rowops->add(y, y, 1, conv->residual + at, 1, n);
  if (conv->activation) conv->activation(y, y, n, conv->params);
}

static void run_rows(const conv_job *j, const rows_of *r) {
  run_sums(j, r);
  if (!j->conv->residual && !j->conv->activation) return;
  if (r->ldc == r->n) finish(j->conv, j->kernels->rowops, r->at, r->count * r->n);
  for (int64_t i = 0; r->ldc > r->n && i < r->count; i++)
    finish(j->conv, j->kernels->rowops, r->at + i * r->ldc, r->n);
}

/* What rows of the group have in common; the first position is output position `at` of the whole batch. */
static rows_of rows_at(const conv_job *j, int64_t at) {
  const vlm_conv_shape *s = &j->conv->shape;
  rows_of r = {.n = s->out_channels / s->groups, .ldc = s->out_channels, .k = (size_t)vlm_conv_depth(s)};
  r.panels = j->conv->weights + j->group * vlm_gemm_f32_packed_count(j->kernels, vlm_conv_depth(s), r.n);
  r.bias = j->conv->bias ? j->conv->bias + j->group * r.n : NULL;
  r.at = at * s->out_channels + j->group * r.n;
  return r;
}

static void block_task(void *user, int64_t index, int worker) {
  const conv_job *j = user;
  const vlm_conv_shape *s = &j->conv->shape;
  const vlm_conv_block b = vlm_conv_block_at(&j->blocks, index);
  const void *rows[VLM_CONV_RING];
  vlm_conv_ring ring;
  vlm_conv_ring_open(&ring, &j->in, j->workers + (size_t)worker * j->worker_bytes, &b);
  for (int64_t h = b.row; h < b.row + b.rows; h++) {
    vlm_conv_ring_rows(&ring, h, rows);
    rows_of r = rows_at(j, (b.image * s->out[1] + h) * s->out[2] + b.column);
    r.a = rows[0];
    r.more = rows + 1;
    r.lda = (size_t)(s->stride[2] * s->channels);
    r.k = (size_t)(s->kernel[2] * s->channels);
    r.n_more = (size_t)s->kernel[1] - 1;
    r.count = b.columns;
    run_rows(j, &r);
  }
}

static void strip_task(void *user, int64_t index, int worker) {
  const conv_job *j = user;
  const vlm_conv_shape *s = &j->conv->shape;
  int64_t image = index / j->strips, from = index % j->strips * j->strip, positions = vlm_conv_volume(s->out);
  rows_of r = rows_at(j, image * positions + from);
  r.lda = r.k;
  r.count = min64(j->strip, positions - from);
  if (j->from == BY_POSITION) {
    r.a = j->conv->x + (image * positions + from) * s->channels + j->group * (s->channels / s->groups);
    r.lda = (size_t)s->channels;
  } else {
    char *room = j->workers + (size_t)worker * j->worker_bytes;
    const vlm_conv_positions what = {
        .image = image, .group = j->group, .position = from, .rows = (int)r.count};
    vlm_conv_gather(room, r.lda * sizeof(float), &j->in, &what);
    r.a = (const float *)(const void *)room;
  }
  run_rows(j, &r);
}

/* ---- transposed, each input row a few output rows ---- */

/* The bias once per kernel column that is made at once. */
static void repeat_bias(float *to, const vlm_conv_f32 *conv, int64_t times) {
  const vlm_conv_shape *s = &conv->shape;
  for (int64_t i = 0; conv->bias && i < times; i++)
    memcpy(to + i * s->out_channels, conv->bias, (size_t)s->out_channels * sizeof *to);
}

/* Few outputs: those of all kernel rows fill a tile, and are put where they belong from there. Two floats are what a map of one channel has. */
static void spread_tile(const conv_job *j, const float *tile, int64_t n, int64_t at, int64_t count) {
  const vlm_conv_shape *s = &j->conv->shape;
  const int64_t run = s->kernel[2] * s->out_channels;
  for (int64_t y = 0; y < s->kernel[1]; y++, tile += run) {
    float *to = j->conv->y + at + y * s->in[2] * run;
    const float *from = tile;
    if (run == 2)
      for (int64_t i = 0; i < count; i++, from += n) memcpy(to + 2 * i, from, 2 * sizeof *to);
    else
      for (int64_t i = 0; i < count; i++, from += n) memcpy(to + i * run, from, (size_t)run * sizeof *to);
  }
}

static void few_task(void *user, int64_t row, int worker) {
  const conv_job *j = user;
  const vlm_conv_f32 *conv = j->conv;
  const vlm_conv_shape *s = &conv->shape;
  const int64_t run = s->kernel[2] * s->out_channels, n = s->kernel[1] * run, mr = j->kernels->gemm_f32->mr,
                at = row * s->kernel[1] * s->in[2] * run;
  float *bias = (float *)(void *)j->workers, *tile = bias + (1 + (int64_t)worker * mr) * n;
  vlm_gemm_f32_args t = {.c = tile,
                         .ldc = (size_t)n,
                         .columns = (int)n,
                         .lda = (size_t)s->channels,
                         .b = conv->weights,
                         .b_stride = (size_t)j->kernels->gemm_f32->nr,
                         .k = (size_t)s->channels,
                         .bias = conv->bias ? bias : NULL};
  for (int64_t i = 0; i < s->in[2]; i += t.rows) {
    t.rows = (int)min64(mr, s->in[2] - i);
    t.a = conv->x + (row * s->in[2] + i) * s->channels;
    j->kernels->gemm_f32->fn.gemm_f32(&t);
    spread_tile(j, tile, n, at + i * run, t.rows);
  }
  finish(conv, j->kernels->rowops, at, s->in[2] * n);
}

static void tiled_task(void *user, int64_t row, int worker) {
  const conv_job *j = user;
  const vlm_conv_f32 *conv = j->conv;
  const vlm_conv_shape *s = &conv->shape;
  int64_t n = s->kernel[2] * s->out_channels;
  rows_of r = {.a = conv->x + row * s->in[2] * s->channels,
               .lda = (size_t)s->channels,
               .k = (size_t)s->channels,
               .count = s->in[2]};
  (void)worker;
  r.bias = conv->bias ? (const float *)(const void *)j->workers : NULL;
  r.panels = conv->weights;
  r.n = r.ldc = n;
  for (int64_t y = 0; y < s->kernel[1];
       y++, r.panels += vlm_gemm_f32_packed_count(j->kernels, s->channels, n)) {
    r.at = (row * s->kernel[1] + y) * s->in[2] * n;
    run_rows(j, &r);
  }
}

/* The bias, and a tile per worker. */
static size_t tiled_bytes(const vlm_conv_shape *s, const vlm_kernels *kernels, const vlm_threads *threads) {
  const int64_t rows = vlm_conv_f32_rows_at_once(s, kernels), n = rows * s->kernel[2] * s->out_channels,
                tiles = rows > 1 ? (int64_t)vlm_threads_count(threads) * kernels->gemm_f32->mr : 0;
  return vlm_size_align((size_t)((1 + tiles) * n) * sizeof(float));
}

static void run_tiled(const conv_job *j, vlm_threads *threads) {
  const vlm_conv_shape *s = &j->conv->shape;
  const int64_t rows = vlm_conv_f32_rows_at_once(s, j->kernels);
  repeat_bias((float *)(void *)j->workers, j->conv, rows * s->kernel[2]);
  vlm_threads_run(threads, s->batch * s->in[1], rows > 1 ? few_task : tiled_task, (void *)(uintptr_t)j);
}

/* ---- depthwise ---- */

static void finish_row(const void *user, float *row, int64_t at, int64_t n) {
  const conv_job *j = user;
  (void)row;
  finish(j->conv, j->kernels->rowops, at, n);
}

static void run_depthwise(const conv_job *j, vlm_threads *threads) {
  const vlm_conv_f32 *conv = j->conv;
  vlm_conv_depthwise d = {.in = &j->in, .w = conv->weights, .bias = conv->bias, .y = conv->y, .user = j};
  d.finish = conv->residual || conv->activation ? finish_row : NULL;
  vlm_conv_depthwise_run(&d, j->kernels, threads, j->workers);
}

/* ---- both layouts ---- */

static void run_last(const vlm_conv_f32 *conv, const vlm_kernels *kernels, vlm_threads *threads,
                     void *scratch) {
  const vlm_conv_shape *s = &conv->shape;
  conv_job j;
  make_job(&j, conv, kernels, threads);
  double work = (double)vlm_conv_volume(s->out) * (double)s->batch * (double)s->out_channels *
                (double)(vlm_conv_depth(s) + 8);
  if (s->batch * vlm_conv_volume(s->out) * s->out_channels <= 0) return;
  assert(conv->x && conv->y && conv->weights);
  j.workers = scratch;
  if (work < INLINE_WORK) threads = NULL;
  if (j.from == DEPTHWISE) run_depthwise(&j, threads);
  else if (j.from == TILED) run_tiled(&j, threads);
  else if (j.from == BY_ROW) vlm_threads_run(threads, vlm_conv_block_count(&j.blocks), block_task, &j);
  else
    for (j.group = 0; j.group < s->groups; j.group++)
      vlm_threads_run(threads, s->batch * j.strips, strip_task, &j);
}

/* Channels first: copies of x, y and the residual; what has one channel or one position is both. */
typedef struct {
  bool x, y;
  size_t x_bytes, y_bytes;
} turned;

static turned turned_of(const vlm_conv_f32 *conv) {
  const vlm_conv_shape *s = &conv->shape;
  int64_t in = vlm_conv_volume(s->in), out = vlm_conv_volume(s->out);
  turned t = {.x = !conv->last && s->channels > 1 && in > 1,
              .y = !conv->last && s->out_channels > 1 && out > 1};
  if (t.x) t.x_bytes = vlm_size_align((size_t)(s->batch * s->channels * in) * sizeof(float));
  if (t.y) t.y_bytes = vlm_size_align((size_t)(s->batch * s->out_channels * out) * sizeof(float));
  return t;
}

size_t vlm_conv_f32_scratch(const vlm_conv_f32 *conv, const vlm_kernels *kernels,
                            const vlm_threads *threads) {
  const vlm_conv_shape *s = &conv->shape;
  turned t = turned_of(conv);
  conv_job j;
  make_job(&j, conv, kernels, threads);
  size_t workers = j.worker_bytes * (size_t)vlm_threads_count(threads);
  if (j.from == DEPTHWISE) workers = vlm_conv_depthwise_scratch(&j.shape, threads);
  if (j.from == TILED) workers = tiled_bytes(s, kernels, threads);
  return t.x_bytes + 2 * t.y_bytes + workers;
}

void vlm_conv_f32_run(const vlm_conv_f32 *conv, const vlm_kernels *kernels, vlm_threads *threads,
                      void *scratch) {
  const vlm_conv_shape *s = &conv->shape;
  const turned t = turned_of(conv);
  int64_t in = vlm_conv_volume(s->in), out = vlm_conv_volume(s->out);
  char *room = scratch;
  float *x = (float *)(void *)room, *y = (float *)(void *)(room + t.x_bytes),
        *residual = (float *)(void *)(room + t.x_bytes + t.y_bytes);
  vlm_conv_f32 last = *conv;
  if (t.x) {
    vlm_turn_run(&(vlm_turn){x, conv->x, s->batch, s->channels, in, sizeof *x}, kernels, threads);
    last.x = x;
  }
  if (t.y && conv->residual) {
    vlm_turn_run(&(vlm_turn){residual, conv->residual, s->batch, s->out_channels, out, sizeof *y}, kernels,
                 threads);
    last.residual = residual;
  }
  if (t.y) last.y = y;
  run_last(&last, kernels, threads, room + t.x_bytes + 2 * t.y_bytes);
  if (t.y) vlm_turn_run(&(vlm_turn){conv->y, y, s->batch, out, s->out_channels, sizeof *y}, kernels, threads);
}
