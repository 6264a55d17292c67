#include "runtime/kernels/gemm_q8.h"

#include <string.h>

#include "runtime/base/memory.h"

/* Rows are taken in strips of a few tiles: their activations are brought into the form of the kernel once per column block, their sums and
 * results stay in the first-level cache until they are stored. */
enum { BLOCK_BYTES = 384 << 10, STRIP_TILES = 2, INLINE_WORK = 1 << 19, TASKS_PER_THREAD = 4, MAX_COLUMNS = 512, WIDE_ROWS = 24 };

typedef struct {
  const vlm_gemm_q8 *g;
  const vlm_kernels *kernels;
  char *scratch;
  size_t worker_bytes, a_bytes, u8_bytes, sum_bytes,
      wide_bytes; /* a worker's room: activations, their bytes before widening, sums, results, weights */
  int64_t stride; /* activation elements per row in the kernel's form */
  int64_t columns, column_blocks, rows, row_blocks;
  int strip;
  bool in_place; /* the kernel reads the caller's rows */
  bool wide; /* weights of a column block are widened to int16 first, for all its rows */
} plan;

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static void split_work(plan *p, int threads) {
  const vlm_gemm_q8 *g = p->g;
  int64_t nr = p->kernels->gemm_u8s8->nr, n = g->w->padded_n, wanted = (int64_t)threads * TASKS_PER_THREAD;
  p->columns = min64(max64(BLOCK_BYTES / (p->wide ? 2 : 1) / max64(p->stride, 1) / nr * nr, nr), MAX_COLUMNS);
  if (g->m <= p->strip && threads > 1) p->columns = min64(p->columns, max64(round_up(n / wanted, nr), 64));
  p->columns = max64(min64(p->columns, n), nr);
  p->column_blocks = (n + p->columns - 1) / p->columns;
  int64_t parts = threads == 1 ? 1 : max64(wanted / max64(g->batch * p->column_blocks, 1), 1);
  p->rows = max64(round_up((g->m + parts - 1) / parts, p->strip), p->strip);
  p->row_blocks = (g->m + p->rows - 1) / p->rows;
}

static plan make_plan(const vlm_gemm_q8 *g, const vlm_kernels *kernels, const vlm_threads *threads) {
  const vlm_kernel *kernel = kernels->gemm_u8s8;
  plan p = {.g = g, .kernels = kernels, .stride = g->w->groups * kernel->kr};
  /* Column output is turned in blocks of 8 or 16 rows: 4 tiles of 6 or 12 rows make whole blocks. */
  p.strip = (int)min64(kernel->mr * (g->c_column == 1 ? STRIP_TILES : 4), round_up(max64(g->m, 1), kernel->mr));
  p.in_place = !g->pack && kernel->a_bytes == 1 && g->w->k % kernel->kr == 0;
  p.wide = kernel->a_bytes == 2 && g->m >= WIDE_ROWS;
  split_work(&p, vlm_threads_count(threads));
  size_t rows = (size_t)p.strip, bytes = rows * (size_t)p.stride;
  p.a_bytes = p.in_place ? 0 : vlm_size_align(bytes * (size_t)kernel->a_bytes);
  p.u8_bytes = g->pack && kernel->a_bytes == 2 ? vlm_size_align(bytes) : 0;
  p.sum_bytes = vlm_size_align(rows * (size_t)p.columns * sizeof(int32_t));
  if (p.wide) p.wide_bytes = vlm_size_align((size_t)p.columns * (size_t)p.stride * sizeof(int16_t));
  p.worker_bytes = p.a_bytes + p.u8_bytes + 2 * p.sum_bytes + p.wide_bytes;
  return p;
}

size_t vlm_gemm_q8_scratch(const vlm_gemm_q8 *g, const vlm_kernels *kernels, const vlm_threads *threads) {
  return make_plan(g, kernels, threads).worker_bytes * (size_t)vlm_threads_count(threads);
}

typedef struct {
  char *a;
  uint8_t *u8;
  int32_t *sums;
  float *results;
  int16_t *weights;
} room;

static room worker_room(const plan *p, int worker) {
  char *base = p->scratch + (size_t)worker * p->worker_bytes;
  room r = {.a = base, .u8 = (uint8_t *)base + p->a_bytes};
  r.sums = (int32_t *)(base + p->a_bytes + p->u8_bytes);
  r.results = (float *)((char *)r.sums + p->sum_bytes);
  r.weights = (int16_t *)((char *)r.results + p->sum_bytes);
  return r;
}

/* One row in the kernel's form; the padding meets zero weights, so any finite value would do. */
static void copy_row(const plan *p, char *dst, const uint8_t *src, int64_t k) {
  if (p->kernels->gemm_u8s8->a_bytes == 2) {
    p->kernels->widen_u8((uint16_t *)(void *)dst, src, (size_t)k);
    memset(dst + 2 * k, 0, (size_t)(p->stride - k) * 2);
  } else {
    if (src != (uint8_t *)dst) memcpy(dst, src, (size_t)k);
    memset(dst + k, 0, (size_t)(p->stride - k));
  }
}

/* Activations of a strip, and the distance of its rows in elements. */
static const void *take_rows(const plan *p, const room *r, int64_t batch, int64_t row, int rows, size_t *lda) {
  const vlm_gemm_q8 *g = p->g;
  int a_bytes = p->kernels->gemm_u8s8->a_bytes;
  const uint8_t *src = g->a ? g->a + (g->a_offset ? g->a_offset[batch] : batch * g->a_batch) + row * g->lda : NULL;
  int64_t src_stride = g->lda;
  *lda = (size_t)(p->in_place ? g->lda : p->stride);
  if (p->in_place) return src;
  if (g->pack) {
    uint8_t *bytes = a_bytes == 2 ? r->u8 : (uint8_t *)r->a;
    g->pack(bytes, (size_t)p->stride, g->pack_user, batch, row, rows);
    src = bytes;
    src_stride = p->stride;
  }
  for (int i = 0; i < rows; i++) copy_row(p, r->a + (size_t)i * *lda * (size_t)a_bytes, src + i * src_stride, g->w->k);
  return r->a;
}

static int64_t matrix_of(const vlm_gemm_q8 *g, int64_t batch) { return g->w_matrix ? g->w_matrix[batch] : batch % g->w->count; }

static const int8_t *panels_at(const plan *p, int64_t batch, int64_t column) {
  const vlm_q8_weights *w = p->g->w;
  return w->panels + (size_t)matrix_of(p->g, batch) * w->matrix_bytes + (size_t)(column / p->kernels->gemm_u8s8->nr) * w->panel_bytes;
}

static void run_sums(const plan *p, const room *r, const int8_t *panel, const char *a, size_t lda, int64_t n, int rows) {
  const vlm_kernel *kernel = p->kernels->gemm_u8s8;
  size_t ldc = (size_t)p->columns, groups = (size_t)p->g->w->groups, panel_bytes = p->g->w->panel_bytes;
  const int16_t *wide = r->weights;
  for (int64_t j = 0; j < n; j += kernel->nr, panel += panel_bytes, wide += panel_bytes) {
    for (int i = 0; i < rows; i += kernel->mr) {
      const char *tile = a + (size_t)i * lda * (size_t)kernel->a_bytes;
      int32_t *c = r->sums + i * p->columns + j;
      int count = (int)min64(kernel->mr, rows - i);
      if (p->wide)
        p->kernels->gemm_u8s16->fn.gemm_u8s16(c, ldc, tile, lda, wide, groups, count);
      else
        kernel->fn.gemm_u8s8(c, ldc, tile, lda, panel, groups, count);
    }
  }
}

/* int32 output: the correction for the zero point in place of the float epilogue. */
static void finish_sums(const plan *p, int32_t *sums, int64_t batch, int64_t row, int64_t column, int64_t n) {
  const vlm_gemm_q8 *g = p->g;
  const int32_t *colsum = g->w->colsum + matrix_of(g, batch) * g->w->padded_n + column;
  uint32_t zero = (uint32_t)(g->row_zero ? g->row_zero[batch * g->m + row] : g->zero);
  for (int64_t j = 0; j < n; j++) sums[j] = (int32_t)((uint32_t)sums[j] - zero * (uint32_t)colsum[j]);
}

static void finish_floats(const plan *p, float *y, const int32_t *sums, int64_t batch, int64_t row, int64_t column, int64_t n) {
  const vlm_gemm_q8 *g = p->g;
  int64_t matrix = matrix_of(g, batch), first = matrix * g->w->n + column, at = batch * g->m + row;
  vlm_q8_epilogue e = {g->w->colsum + matrix * g->w->padded_n + column, g->w_scale + first, g->bias ? g->bias + first : NULL};
  p->kernels->q8_row(y, sums, &e, g->row_scale ? g->row_scale[at] : g->a_scale, g->row_zero ? g->row_zero[at] : g->zero, (size_t)n);
  if (g->activation) g->activation(y, y, n, g->params);
}

/* Row-major output: floats and sums of a row are finished where they belong, bytes through the room. */
static void finish_rows(const plan *p, const room *r, int64_t batch, int64_t row, int64_t column, int64_t n, int rows) {
  const vlm_gemm_q8 *g = p->g;
  for (int i = 0; i < rows; i++) {
    int64_t at = batch * g->c_batch + (row + i) * g->c_row + column;
    int32_t *sums = r->sums + i * p->columns;
    if (g->c_sums) {
      finish_sums(p, sums, batch, row + i, column, n);
      memcpy(g->c_sums + at, sums, (size_t)n * sizeof *sums);
    } else {
      float *y = g->c_u8 ? r->results : g->c + at;
      finish_floats(p, y, sums, batch, row + i, column, n);
      if (g->c_u8) p->kernels->quantize_u8(g->c_u8 + at, y, n, g->q_scale, g->q_zero);
    }
  }
}

static void finish_columns(const plan *p, const room *r, int64_t batch, int64_t row, int64_t column, int64_t n, int rows) {
  const vlm_gemm_q8 *g = p->g;
  int64_t at = batch * g->c_batch + row + column * g->c_column;
  for (int i = 0; i < rows; i++) {
    int32_t *sums = r->sums + i * p->columns;
    float *y = r->results + i * p->columns;
    if (g->c_sums)
      finish_sums(p, sums, batch, row + i, column, n);
    else
      finish_floats(p, y, sums, batch, row + i, column, n);
    if (g->c_u8) p->kernels->quantize_u8((uint8_t *)sums, y, n, g->q_scale, g->q_zero);
  }
  size_t to = (size_t)g->c_column, from = (size_t)p->columns;
  if (g->c_u8)
    p->kernels->transpose_8(g->c_u8 + at, to, (const uint8_t *)r->sums, from * 4, (size_t)rows, (size_t)n);
  else if (g->c_sums)
    p->kernels->transpose_32((uint32_t *)g->c_sums + at, to, (const uint32_t *)r->sums, from, (size_t)rows, (size_t)n);
  else
    p->kernels->transpose_32((uint32_t *)(void *)g->c + at, to, (const uint32_t *)(const void *)r->results, from, (size_t)rows, (size_t)n);
}

static void task(void *user, int64_t index, int worker) {
  const plan *p = user;
  const vlm_gemm_q8 *g = p->g;
  int64_t row0 = index % p->row_blocks * p->rows, rest = index / p->row_blocks;
  int64_t column = rest % p->column_blocks * p->columns, batch = rest / p->column_blocks;
  int64_t n = min64(p->columns, g->w->n - column), row1 = min64(row0 + p->rows, g->m);
  room r = worker_room(p, worker);
  const int8_t *panels = panels_at(p, batch, column);
  int64_t nr = p->kernels->gemm_u8s8->nr;
  if (p->wide) p->kernels->widen_s8(r.weights, panels, (size_t)((n + nr - 1) / nr) * g->w->panel_bytes);
  for (int64_t row = row0; row < row1; row += p->strip) {
    int rows = (int)min64(p->strip, row1 - row);
    size_t lda;
    const char *a = take_rows(p, &r, batch, row, rows, &lda);
    run_sums(p, &r, panels, a, lda, n, rows);
    if (g->c_column == 1)
      finish_rows(p, &r, batch, row, column, n, rows);
    else
      finish_columns(p, &r, batch, row, column, n, rows);
  }
}

void vlm_gemm_q8_run(const vlm_gemm_q8 *g, const vlm_kernels *kernels, vlm_threads *threads, void *scratch) {
  plan p = make_plan(g, kernels, threads);
  double work = (double)g->batch * (double)g->m * (double)g->w->n * (double)(g->w->k + 16);
  if (g->batch <= 0 || g->m <= 0 || g->w->n <= 0) return;
  p.scratch = scratch;
  vlm_threads_run(work < INLINE_WORK ? NULL : threads, g->batch * p.column_blocks * p.row_blocks, task, &p);
}
