#include "runtime/kernels/gemm_q8.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/gemm_args.h"
#include "runtime/kernels/transpose_args.h"

/* Rows are taken in strips of a few tiles: their activations are brought into the form of the kernel once per column block, their sums and
 * results stay in the first-level cache until they are stored. */
enum {
  BLOCK_BYTES = 384 << 10,
  STRIP_TILES = 2,
  INLINE_WORK = 1 << 19,
  TASKS_PER_THREAD = 4,
  MAX_COLUMNS = 512,
  WIDE_ROWS = 24
};

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
  bool wide;     /* weights of a column block are widened to int16 first, for all its rows */
} q8_plan;

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static void split_work(q8_plan *p, int threads) {
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

static q8_plan make_plan(const vlm_gemm_q8 *g, const vlm_kernels *kernels, const vlm_threads *threads) {
  const vlm_kernel *kernel = kernels->gemm_u8s8;
  q8_plan p = {.g = g, .kernels = kernels, .stride = g->w->groups * kernel->kr};
  /* Column output is turned in blocks of 8 or 16 rows: 4 tiles of 6 or 12 rows make whole blocks. */
  p.strip =
      (int)min64(kernel->mr * (g->c_column == 1 ? STRIP_TILES : 4), round_up(max64(g->m, 1), kernel->mr));
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

static room worker_room(const q8_plan *p, int worker) {
  char *base = p->scratch + (size_t)worker * p->worker_bytes;
  room r = {.a = base, .u8 = (uint8_t *)base + p->a_bytes};
  r.sums = (int32_t *)(base + p->a_bytes + p->u8_bytes);
  r.results = (float *)((char *)r.sums + p->sum_bytes);
  r.weights = (int16_t *)((char *)r.results + p->sum_bytes);
  return r;
}

/* What a strip is of the output: rows [row, row + rows) of a batch, columns [column, column + n). */
typedef struct {
  int64_t batch, row, column, n;
  int rows;
} strip;

/* One row in the kernel's form; the padding meets zero weights, so any finite value would do. */
static void copy_row(const q8_plan *p, char *dst, const uint8_t *src, int64_t k) {
  if (p->kernels->gemm_u8s8->a_bytes == 2) {
    p->kernels->widen_u8->fn.widen_u8(
        &(vlm_widen_u8_args){.y = (uint16_t *)(void *)dst, .x = src, .n = (size_t)k});
    memset(dst + 2 * k, 0, (size_t)(p->stride - k) * 2);
  } else {
    if (src != (uint8_t *)dst) memcpy(dst, src, (size_t)k);
    memset(dst + k, 0, (size_t)(p->stride - k));
  }
}

/* Activations of a strip, and the distance of its rows in elements. */
static const void *take_rows(const q8_plan *p, const room *r, const strip *s, size_t *lda) {
  const vlm_gemm_q8 *g = p->g;
  int a_bytes = p->kernels->gemm_u8s8->a_bytes;
  const uint8_t *src =
      g->a ? g->a + (g->a_offset ? g->a_offset[s->batch] : s->batch * g->a_batch) + s->row * g->lda : NULL;
  int64_t src_stride = g->lda;
  *lda = (size_t)(p->in_place ? g->lda : p->stride);
  if (p->in_place) return src;
  if (g->pack) {
    uint8_t *bytes = a_bytes == 2 ? r->u8 : (uint8_t *)r->a;
    g->pack(g->pack_user,
            &(vlm_rows_u8){
                .to = bytes, .stride = (size_t)p->stride, .batch = s->batch, .row = s->row, .rows = s->rows});
    src = bytes;
    src_stride = p->stride;
  }
  for (int i = 0; i < s->rows; i++)
    copy_row(p, r->a + (size_t)i * *lda * (size_t)a_bytes, src + i * src_stride, g->w->k);
  return r->a;
}

static int64_t matrix_of(const vlm_gemm_q8 *g, int64_t batch) {
  return g->w_matrix ? g->w_matrix[batch] : batch % g->w->count;
}

static const int8_t *panels_at(const q8_plan *p, int64_t batch, int64_t column) {
  const vlm_q8_weights *w = p->g->w;
  return w->panels + (size_t)matrix_of(p->g, batch) * w->matrix_bytes +
         (size_t)(column / p->kernels->gemm_u8s8->nr) * w->panel_bytes;
}

static void run_sums(const q8_plan *p, const room *r, const strip *s, const int8_t *panel, const char *a,
                     size_t lda) {
  const vlm_kernel *kernel = p->kernels->gemm_u8s8, *wide_kernel = p->kernels->gemm_u8s16;
  size_t panel_bytes = p->g->w->panel_bytes, row_bytes = lda * (size_t)kernel->a_bytes;
  vlm_gemm_u8s8_args t = {.ldc = (size_t)p->columns, .lda = lda, .groups = (size_t)p->g->w->groups};
  vlm_gemm_u8s16_args wide = {.ldc = t.ldc, .lda = lda, .b = r->weights, .groups = t.groups};
  t.b = panel;
  for (int64_t j = 0; j < s->n; j += kernel->nr, t.b += panel_bytes, wide.b += panel_bytes) {
    for (int i = 0; i < s->rows; i += kernel->mr) {
      t.a = a + (size_t)i * row_bytes;
      t.c = r->sums + i * p->columns + j;
      t.rows = (int)min64(kernel->mr, s->rows - i);
      if (p->wide) {
        wide.a = t.a;
        wide.c = t.c;
        wide.rows = t.rows;
        wide_kernel->fn.gemm_u8s16(&wide);
      } else {
        kernel->fn.gemm_u8s8(&t);
      }
    }
  }
}

/* int32 output: the correction for the zero point in place of the float epilogue. Row i of the strip, as in finish_floats. */
static void finish_sums(const q8_plan *p, const strip *s, int i, int32_t *sums) {
  const vlm_gemm_q8 *g = p->g;
  const int32_t *colsum = g->w->colsum + matrix_of(g, s->batch) * g->w->padded_n + s->column;
  uint32_t zero = (uint32_t)(g->row_zero ? g->row_zero[s->batch * g->m + s->row + i] : g->zero);
  for (int64_t j = 0; j < s->n; j++) sums[j] = (int32_t)((uint32_t)sums[j] - zero * (uint32_t)colsum[j]);
}

static void finish_floats(const q8_plan *p, const strip *s, int i, float *y, const int32_t *sums) {
  const vlm_gemm_q8 *g = p->g;
  int64_t matrix = matrix_of(g, s->batch), first = matrix * g->w->n + s->column,
          at = s->batch * g->m + s->row + i;
  vlm_q8_row_args e = {.y = y,
                       .acc = sums,
                       .w_scale = g->w_scale + first,
                       .bias = g->bias ? g->bias + first : NULL,
                       .n = (size_t)s->n};
  e.colsum = g->w->colsum + matrix * g->w->padded_n + s->column;
  e.a_scale = g->row_scale ? g->row_scale[at] : g->a_scale;
  e.zero_point = g->row_zero ? g->row_zero[at] : g->zero;
  p->kernels->q8_row->fn.q8_row(&e);
  if (g->activation) g->activation(y, y, s->n, g->params);
}

static void quantize(const q8_plan *p, uint8_t *q, const float *x, int64_t n) {
  vlm_quantize_u8_args a = {.q = q, .x = x, .n = (size_t)n, .scale = p->g->q_scale, .zero = p->g->q_zero};
  p->kernels->quantize_u8->fn.quantize_u8(&a);
}

static int64_t start_of(const vlm_gemm_q8 *g, int64_t batch) {
  int64_t groups = max64(g->c_groups, 1);
  return batch / groups * g->c_batch + batch % groups * g->c_group;
}

/* Row-major output: floats and sums of a row are finished where they belong, bytes through the room. */
static void finish_rows(const q8_plan *p, const room *r, const strip *s) {
  const vlm_gemm_q8 *g = p->g;
  for (int i = 0; i < s->rows; i++) {
    int64_t at = start_of(g, s->batch) + (s->row + i) * g->c_row + s->column;
    int32_t *sums = r->sums + i * p->columns;
    if (g->c_sums) {
      finish_sums(p, s, i, sums);
      memcpy(g->c_sums + at, sums, (size_t)s->n * sizeof *sums);
    } else {
      float *y = g->c_u8 ? r->results : g->c + at;
      finish_floats(p, s, i, y, sums);
      if (g->residual) p->kernels->rowops->add(y, y, 1, g->residual + at, 1, s->n);
      if (g->c_u8) quantize(p, g->c_u8 + at, y, s->n);
    }
  }
}

/* Column-major output: finished rows of the room are turned into the output. */
static void turn(const q8_plan *p, const room *r, const strip *s) {
  const vlm_gemm_q8 *g = p->g;
  int64_t at = start_of(g, s->batch) + s->row + s->column * g->c_column;
  size_t to = (size_t)g->c_column, from = (size_t)p->columns, rows = (size_t)s->rows, columns = (size_t)s->n;
  if (g->c_u8) {
    vlm_transpose_8_args t = {
        .y = g->c_u8 + at, .y_stride = to, .x = (const uint8_t *)r->sums, .x_stride = from * 4};
    t.rows = rows;
    t.columns = columns;
    p->kernels->transpose_8->fn.transpose_8(&t);
    return;
  }
  vlm_transpose_32_args t = {.y_stride = to, .x_stride = from, .rows = rows, .columns = columns};
  t.y = g->c_sums ? (uint32_t *)g->c_sums + at : (uint32_t *)(void *)g->c + at;
  t.x = g->c_sums ? (const uint32_t *)r->sums : (const uint32_t *)(const void *)r->results;
  p->kernels->transpose_32->fn.transpose_32(&t);
}

static void finish_columns(const q8_plan *p, const room *r, const strip *s) {
  const vlm_gemm_q8 *g = p->g;
  for (int i = 0; i < s->rows; i++) {
    int32_t *sums = r->sums + i * p->columns;
    float *y = r->results + i * p->columns;
    if (g->c_sums) finish_sums(p, s, i, sums);
    else finish_floats(p, s, i, y, sums);
    if (g->c_u8) quantize(p, (uint8_t *)sums, y, s->n);
  }
  turn(p, r, s);
}

static void task(void *user, int64_t index, int worker) {
  const q8_plan *p = user;
  const vlm_gemm_q8 *g = p->g;
  int64_t row0 = index % p->row_blocks * p->rows, rest = index / p->row_blocks,
          row1 = min64(row0 + p->rows, g->m);
  strip s = {.batch = rest / p->column_blocks, .column = rest % p->column_blocks * p->columns};
  room r = worker_room(p, worker);
  const int8_t *panels = panels_at(p, s.batch, s.column);
  int64_t nr = p->kernels->gemm_u8s8->nr;
  s.n = min64(p->columns, g->w->n - s.column);
  if (p->wide) {
    vlm_widen_s8_args widen = {
        .y = r.weights, .x = panels, .n = (size_t)((s.n + nr - 1) / nr) * g->w->panel_bytes};
    p->kernels->widen_s8->fn.widen_s8(&widen);
  }
  for (s.row = row0; s.row < row1; s.row += p->strip) {
    size_t lda;
    s.rows = (int)min64(p->strip, row1 - s.row);
    const char *a = take_rows(p, &r, &s, &lda);
    run_sums(p, &r, &s, panels, a, lda);
    if (g->c_column == 1) finish_rows(p, &r, &s);
    else finish_columns(p, &r, &s);
  }
}

void vlm_gemm_q8_run(const vlm_gemm_q8 *g, const vlm_kernels *kernels, vlm_threads *threads, void *scratch) {
  q8_plan p = make_plan(g, kernels, threads);
  double work = (double)g->batch * (double)g->m * (double)g->w->n * (double)(g->w->k + 16);
  if (g->batch <= 0 || g->m <= 0 || g->w->n <= 0) return;
  assert((g->c != NULL) + (g->c_u8 != NULL) + (g->c_sums != NULL) == 1 && (g->a || g->pack));
  assert(!g->residual || (g->c && g->c_column == 1));
  assert((g->c_row == 1 || g->c_column == 1) && (uintptr_t)g->w->panels % VLM_ALIGN == 0 &&
         (uintptr_t)scratch % VLM_ALIGN == 0);
  assert(p.columns % kernels->gemm_u8s8->nr == 0 && p.strip % kernels->gemm_u8s8->mr == 0);
  p.scratch = scratch;
  vlm_threads_run(work < INLINE_WORK ? NULL : threads, g->batch * p.column_blocks * p.row_blocks, task, &p);
}
