#include "runtime/kernels/gemm_f32.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/gemm_args.h"
#include "runtime/kernels/transpose_args.h"

/* A column block of b stays in the second-level cache while all rows pass; small products are not worth waking a thread. */
enum { BLOCK_BYTES = 256 << 10, INLINE_WORK = 1 << 18, TASKS_PER_THREAD = 4 };

typedef struct {
  const vlm_gemm_f32 *g;
  const vlm_kernels *kernels;
  float *scratch;
  size_t worker_floats, row_floats; /* scratch of a worker: packed columns, then packed rows, then one tile */
  size_t panel_floats;
  int64_t columns, column_blocks; /* per task */
  int64_t rows, row_blocks;
  bool direct;    /* b is read in place: row-major and few rows */
  bool pack_rows; /* a is column-major: a row tile is gathered first */
} plan;

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t block_columns(const vlm_gemm_f32 *g, const vlm_kernels *kernels) {
  int64_t unit = g->m == 1 ? (int64_t)kernels->gemm_f32->nr * VLM_GEMV_PANELS : kernels->gemm_f32->nr;
  int64_t fit = BLOCK_BYTES / 4 / (g->k > 0 ? g->k : 1) / unit * unit;
  if (fit < unit) fit = unit;
  if (fit > 512) fit = 512;
  return g->n > 0 ? min64(fit, round_up(g->n, unit)) : unit;
}

/* Enough tasks for every thread, of at least four tiles of rows each. */
static int64_t block_rows(const vlm_gemm_f32 *g, const vlm_kernels *kernels, int64_t column_tasks,
                          int threads) {
  int64_t mr = kernels->gemm_f32->mr, wanted = (int64_t)threads * TASKS_PER_THREAD;
  if (threads == 1 || column_tasks >= wanted || column_tasks == 0) return g->m;
  int64_t parts = (wanted + column_tasks - 1) / column_tasks;
  int64_t rows = round_up((g->m + parts - 1) / parts, mr);
  return rows < 4 * mr ? 4 * mr : rows;
}

static plan make_plan(const vlm_gemm_f32 *g, const vlm_kernels *kernels, const vlm_threads *threads) {
  plan p = {.g = g, .kernels = kernels, .columns = block_columns(g, kernels)};
  int nr = kernels->gemm_f32->nr, mr = kernels->gemm_f32->mr;
  p.column_blocks = (g->n + p.columns - 1) / p.columns;
  p.rows = min64(block_rows(g, kernels, g->batch * p.column_blocks, vlm_threads_count(threads)), g->m);
  if (p.rows < 1) p.rows = 1;
  p.row_blocks = (g->m + p.rows - 1) / p.rows;
  p.panel_floats = (size_t)g->k * (size_t)nr;
  p.direct = !g->panels && g->b_column == 1 && g->m <= 2 * mr;
  p.pack_rows = g->a_column != 1 && g->m > 0;
  if (!g->panels)
    p.worker_floats = p.direct ? p.panel_floats : (size_t)(round_up(p.columns, nr) / nr) * p.panel_floats;
  p.row_floats = p.pack_rows ? (size_t)mr * (size_t)g->k : 0;
  p.worker_floats = vlm_size_align((p.worker_floats + p.row_floats) * sizeof(float)) / sizeof(float);
  return p;
}

size_t vlm_gemm_f32_scratch(const vlm_gemm_f32 *g, const vlm_kernels *kernels, const vlm_threads *threads) {
  plan p = make_plan(g, kernels, threads);
  return p.worker_floats * sizeof(float) * (size_t)vlm_threads_count(threads);
}

int64_t vlm_gemm_f32_packed_count(const vlm_kernels *kernels, int64_t k, int64_t n) {
  return round_up(n, kernels->gemm_f32->nr) * k;
}

/* At most nr columns from `first` on. */
static void pack_panel(float *panel, const vlm_f32_source *s, int64_t first, int nr) {
  const float *b = s->b + first * s->b_column;
  int64_t n = min64(nr, s->n - first), step = s->b_column;
  for (int64_t p = 0; p < s->k; p++, panel += nr, b += s->b_row) {
    if (step == 1) memcpy(panel, b, (size_t)n * sizeof *b);
    else
      for (int64_t j = 0; j < n; j++) panel[j] = b[j * step];
    for (int64_t j = n; j < nr; j++) panel[j] = 0;
  }
}

void vlm_gemm_f32_pack(float *panels, const vlm_f32_source *s, int nr) {
  for (int64_t j = 0; j < s->n; j += nr, panels += s->k * nr) pack_panel(panels, s, j, nr);
}

/* Rows of floats, `stride` apart. */
typedef struct {
  const float *data;
  int64_t stride, rows, columns;
} strided_rows;

/* y[j][i] = x[i][j]. */
static void turn(const vlm_kernels *kernels, float *y, int64_t y_stride, strided_rows x) {
  const vlm_transpose_32_args t = {
      (uint32_t *)(void *)y, (size_t)y_stride, (const uint32_t *)(const void *)x.data,
      (size_t)x.stride,      (size_t)x.rows,   (size_t)x.columns};
  kernels->transpose_32->fn.transpose_32(&t);
}

/* As vlm_gemm_f32_pack; columns that lie together, such as keys, are turned panel by panel. */
static void pack_block(const plan *p, float *panels, const vlm_f32_source *s) {
  const int64_t nr = p->kernels->gemm_f32->nr;
  if (s->b_row != 1 || s->b_column == 1 || s->k == 0) {
    vlm_gemm_f32_pack(panels, s, (int)nr);
    return;
  }
  for (int64_t j = 0; j < s->n; j += nr, panels += s->k * nr) {
    const int64_t n = min64(nr, s->n - j);
    turn(p->kernels, panels, nr, (strided_rows){s->b + j * s->b_column, s->b_column, n, s->k});
    for (int64_t i = 0; n < nr && i < s->k; i++)
      memset(panels + i * nr + n, 0, (size_t)(nr - n) * sizeof *panels);
  }
}

/* Where the panels of a column block lie, and how far apart their rows and the panels themselves are. */
typedef struct {
  const float *data;
  size_t stride, panel_stride;
  int64_t tail; /* column of the block from which `tail_panel` is used; direct form only */
  const float *tail_panel;
} column_block;

static column_block take_block(const plan *p, float *room, int64_t batch, int64_t column, int64_t n) {
  const vlm_gemm_f32 *g = p->g;
  int nr = p->kernels->gemm_f32->nr;
  const float *b = g->b ? g->b + (g->b_offset ? g->b_offset[batch] : 0) + column * g->b_column : NULL;
  const vlm_f32_source source = {.b = b, .b_row = g->b_row, .b_column = g->b_column, .k = g->k, .n = n};
  column_block k = {
      .data = room, .stride = (size_t)nr, .panel_stride = p->panel_floats, .tail = n, .tail_panel = room};
  if (g->panels) {
    k.data = g->panels + (g->b_offset ? g->b_offset[batch] : 0) + column / nr * (int64_t)p->panel_floats;
  } else if (p->direct) {
    k = (column_block){.data = b,
                       .stride = (size_t)g->b_row,
                       .panel_stride = (size_t)nr,
                       .tail = n / nr * nr,
                       .tail_panel = room};
    if (k.tail < n) pack_panel(room, &source, k.tail, nr);
  } else {
    pack_block(p, room, &source);
  }
  return k;
}

static void gather_rows(const vlm_kernels *kernels, float *dst, const float *a, const vlm_gemm_f32 *g,
                        int rows) {
  if (g->a_row == 1) {
    turn(kernels, dst, g->k, (strided_rows){a, g->a_column, g->k, rows});
    return;
  }
  for (int64_t p = 0; p < g->k; p++)
    for (int i = 0; i < rows; i++) dst[i * g->k + p] = a[i * g->a_row + p * g->a_column];
}

/* Columns [from, n) of one row tile, panel by panel. `t` has the rows; c and b are set here. */
static void run_panels(const plan *p, const column_block *b, vlm_gemm_f32_args t, int64_t from, int64_t n) {
  const vlm_kernel *kernel = p->kernels->gemm_f32;
  float *c = t.c;
  const float *bias = t.bias;
  const size_t nr = (size_t)kernel->nr;
  for (int64_t j = from; j < n; j += kernel->nr) {
    bool tail = j >= b->tail;
    t.c = c + j;
    t.columns = (int)min64(kernel->nr, n - j);
    t.bias = bias ? bias + j : NULL;
    t.b = tail ? b->tail_panel : b->data + (size_t)j / nr * b->panel_stride;
    t.b_stride = tail ? nr : b->stride;
    kernel->fn.gemm_f32(&t);
  }
}

/* Whole groups of panels of one row; returns the columns done. */
static int64_t run_wide(const plan *p, const column_block *b, const vlm_gemm_f32_args *t, int64_t n) {
  const vlm_kernel *kernel = p->kernels->gemv_f32;
  int64_t wide = (int64_t)kernel->nr * VLM_GEMV_PANELS, done = 0;
  vlm_gemv_f32_args v = {.a = t->a, .b_stride = b->stride, .panel_stride = b->panel_stride, .k = t->k};
  for (; done + wide <= n; done += wide) {
    v.c = t->c + done;
    v.b = b->data + (size_t)(done / kernel->nr) * b->panel_stride;
    kernel->fn.gemv_f32(&v);
  }
  return done;
}

static void run_tile(const plan *p, const column_block *b, const vlm_gemm_f32_args *t, int64_t n) {
  int64_t done = t->rows == 1 ? run_wide(p, b, t, min64(b->tail, n)) : 0;
  assert(t->rows >= 1 && t->rows <= p->kernels->gemm_f32->mr);
  run_panels(p, b, *t, done, n);
}

static void task(void *user, int64_t index, int worker) {
  const plan *p = user;
  const vlm_gemm_f32 *g = p->g;
  int64_t row0 = index % p->row_blocks * p->rows, rest = index / p->row_blocks;
  int64_t column = rest % p->column_blocks * p->columns, batch = rest / p->column_blocks;
  int64_t n = min64(p->columns, g->n - column), row1 = min64(row0 + p->rows, g->m);
  float *room = p->scratch + (size_t)worker * p->worker_floats,
        *row_room = room + p->worker_floats - p->row_floats;
  const float *a = g->a + (g->a_offset ? g->a_offset[batch] : 0);
  vlm_epilogue_f32 epilogue = g->epilogue;
  if (epilogue.row_bias && g->row_bias_offset) epilogue.row_bias += g->row_bias_offset[batch];
  if (epilogue.add) epilogue.add += batch * g->add_batch;
  if (epilogue.residual) epilogue.residual += batch * g->c_batch;
  epilogue.residual_row = g->ldc;
  const float *in_tile = epilogue.alpha == 1 ? epilogue.bias : NULL;
  column_block b = take_block(p, room, batch, column, n);
  for (int64_t i = row0; i < row1; i += p->kernels->gemm_f32->mr) {
    vlm_gemm_f32_args t = {
        .c = g->c + batch * g->c_batch + i * g->ldc + column, .ldc = (size_t)g->ldc, .k = (size_t)g->k};
    t.rows = (int)min64(p->kernels->gemm_f32->mr, row1 - i);
    t.a = p->pack_rows ? row_room : a + i * g->a_row;
    t.lda = (size_t)(p->pack_rows ? g->k : g->a_row);
    if (p->pack_rows) gather_rows(p->kernels, row_room, a + i * g->a_row, g, t.rows);
    /* The tile adds the bias while its sums are in registers; one row goes through a kernel that does not. */
    t.bias = in_tile && t.rows > 1 ? in_tile + column : NULL;
    epilogue.bias = t.bias ? NULL : g->epilogue.bias;
    run_tile(p, &b, &t, n);
    for (int r = 0; r < t.rows; r++) {
      vlm_row_part part = {.row = i + r, .column = column, .n = n};
      vlm_epilogue_f32_row(t.c + r * g->ldc, &epilogue, p->kernels->rowops, &part);
    }
  }
}

void vlm_gemm_f32_run(const vlm_gemm_f32 *g, const vlm_kernels *kernels, vlm_threads *threads,
                      void *scratch) {
  plan p = make_plan(g, kernels, threads);
  double work = (double)g->batch * (double)g->m * (double)g->n * (double)(g->k + 16);
  if (g->batch <= 0 || g->m <= 0 || g->n <= 0) return;
  assert(g->c && (g->k == 0 || g->panels || g->b) && g->ldc >= g->n);
  assert(p.columns % kernels->gemm_f32->nr == 0 && kernels->gemm_f32->mr <= VLM_TILE_MAX_ROWS);
  p.scratch = scratch;
  vlm_threads_run(work < INLINE_WORK ? NULL : threads, g->batch * p.column_blocks * p.row_blocks, task, &p);
}
