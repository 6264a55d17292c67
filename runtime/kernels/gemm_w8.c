#include "runtime/kernels/gemm_w8.h"

#include <assert.h>
#include <string.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/gemm_args.h"

/* Few rows: the kernel turns weights into floats in registers. Many rows: a panel becomes floats once and the float tile runs, with the
 * same result. */
enum { FEW_ROWS = 8, INLINE_WORK = 1 << 18 };

typedef struct {
  const vlm_gemm_w8 *g;
  const vlm_kernels *kernels;
  char *scratch;
  size_t worker_bytes, panel_floats;
  int64_t rows, row_blocks;
} w8_plan;

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

static w8_plan make_plan(const vlm_gemm_w8 *g, const vlm_kernels *kernels, const vlm_threads *threads) {
  int64_t panels = (g->n + VLM_W8_COLUMNS - 1) / VLM_W8_COLUMNS,
          wanted = 4 * (int64_t)vlm_threads_count(threads);
  w8_plan p = {.g = g, .kernels = kernels, .rows = g->m > 0 ? g->m : 1};
  if (g->m > FEW_ROWS) {
    if (vlm_threads_count(threads) > 1 && panels > 0 && panels < wanted)
      p.rows = (g->m + wanted / panels - 1) / (wanted / panels);
    p.rows = (p.rows + VLM_TILE_MAX_ROWS - 1) / VLM_TILE_MAX_ROWS * VLM_TILE_MAX_ROWS;
    p.panel_floats = (size_t)g->k * VLM_W8_COLUMNS;
  }
  p.row_blocks = (g->m + p.rows - 1) / p.rows;
  p.worker_bytes = vlm_size_align(p.panel_floats * sizeof(float));
  return p;
}

size_t vlm_gemm_w8_scratch(const vlm_gemm_w8 *g, const vlm_kernels *kernels, const vlm_threads *threads) {
  return make_plan(g, kernels, threads).worker_bytes * (size_t)vlm_threads_count(threads);
}

void vlm_w8_pack(int8_t *panels, const vlm_w8_source *s) {
  for (int64_t j0 = 0; j0 < s->n; j0 += VLM_W8_COLUMNS) {
    for (int64_t p = 0; p < s->k; p++, panels += VLM_W8_COLUMNS)
      for (int64_t j = 0; j < VLM_W8_COLUMNS; j++)
        panels[j] = j0 + j < s->n ? s->w[p * s->w_row + (j0 + j) * s->w_column] : 0;
  }
}

/* What a task computes: rows [row, end) of n columns. */
typedef struct {
  int64_t row, end, column, n;
} w8_part;

static void finish_row(const w8_plan *p, const w8_part *part, int64_t row, const float *sums) {
  const vlm_gemm_w8 *g = p->g;
  const vlm_rowops *rowops = p->kernels->rowops;
  const int64_t at = row * g->ldy + part->column;
  float *y = g->y + at;
  rowops->mul(y, sums, 1, g->scale + part->column, 1, part->n);
  if (g->bias) rowops->add(y, y, 1, g->bias + part->column, 1, part->n);
  if (g->activation) g->activation(y, y, part->n, g->params);
  if (g->residual) rowops->add(y, y, 1, g->residual + at, 1, part->n);
}

static void few_rows(const w8_plan *p, const int8_t *panel, const w8_part *part) {
  const vlm_gemm_w8 *g = p->g;
  float sums[VLM_W8_ROWS * VLM_W8_COLUMNS];
  vlm_gemm_f32s8_args t = {
      .c = sums, .ldc = VLM_W8_COLUMNS, .lda = (size_t)g->ldx, .b = panel, .k = (size_t)g->k};
  for (int64_t i = part->row; i < part->end; i += VLM_W8_ROWS) {
    t.a = g->x + i * g->ldx;
    t.rows = (int)min64(VLM_W8_ROWS, part->end - i);
    p->kernels->gemm_f32s8->fn.gemm_f32s8(&t);
    for (int r = 0; r < t.rows; r++) finish_row(p, part, i + r, sums + r * VLM_W8_COLUMNS);
  }
}

static void many_rows(const w8_plan *p, float *panel, const w8_part *part) {
  const vlm_gemm_w8 *g = p->g;
  const vlm_kernel *kernel = p->kernels->gemm_f32;
  float sums[VLM_TILE_MAX_ROWS * VLM_W8_COLUMNS];
  vlm_gemm_f32_args t = {
      .ldc = VLM_W8_COLUMNS, .lda = (size_t)g->ldx, .b_stride = VLM_W8_COLUMNS, .k = (size_t)g->k};
  assert(VLM_W8_COLUMNS % kernel->nr == 0);
  for (int64_t i = part->row; i < part->end; i += kernel->mr) {
    t.a = g->x + i * g->ldx;
    t.rows = (int)min64(kernel->mr, part->end - i);
    for (int j = 0; j < VLM_W8_COLUMNS; j += kernel->nr) {
      t.c = sums + j;
      t.b = panel + j;
      kernel->fn.gemm_f32(&t);
    }
    for (int r = 0; r < t.rows; r++) finish_row(p, part, i + r, sums + r * VLM_W8_COLUMNS);
  }
}

static void task(void *user, int64_t index, int worker) {
  const w8_plan *p = user;
  const vlm_gemm_w8 *g = p->g;
  int64_t column = index / p->row_blocks * VLM_W8_COLUMNS, row0 = index % p->row_blocks * p->rows;
  w8_part part = {.row = row0,
                  .end = min64(row0 + p->rows, g->m),
                  .column = column,
                  .n = min64(VLM_W8_COLUMNS, g->n - column)};
  const int8_t *panel = g->panels + column * g->k;
  float *floats = (float *)(void *)(p->scratch + (size_t)worker * p->worker_bytes);
  if (p->panel_floats == 0) {
    few_rows(p, panel, &part);
    return;
  }
  p->kernels->rowops->dequantize_s8(floats, panel, g->k * VLM_W8_COLUMNS, 1.0f, 0);
  many_rows(p, floats, &part);
}

void vlm_gemm_w8_run(const vlm_gemm_w8 *g, const vlm_kernels *kernels, vlm_threads *threads, void *scratch) {
  w8_plan p = make_plan(g, kernels, threads);
  if (g->m <= 0 || g->n <= 0) return;
  assert((uintptr_t)g->panels % VLM_PANEL_ALIGN == 0 && g->ldy >= g->n && p.rows > 0);
  p.scratch = scratch;
  int64_t panels = (g->n + VLM_W8_COLUMNS - 1) / VLM_W8_COLUMNS;
  vlm_threads_run((double)g->m * (double)g->n * (double)g->k < INLINE_WORK ? NULL : threads,
                  panels * p.row_blocks, task, &p);
}
