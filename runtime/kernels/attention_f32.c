#include "runtime/kernels/attention_f32.h"

#include <assert.h>

#include "runtime/base/memory.h"
#include "runtime/kernels/gemm_f32.h"

/* A tile of scores stays in the second-level cache; k is packed once per tile, so a tile has many rows when they are short. */
enum { TILE_FLOATS = 64 << 10, MOST_ROWS = 384, LEAST_ROWS = 48 };

typedef struct {
  const vlm_attention_f32 *a;
  const vlm_kernels *kernels;
  char *scratch;
  int64_t rows, tiles; /* per batch entry */
  size_t score_bytes, q_bytes, k_bytes,
      worker_bytes; /* a worker's room: scores, scaled q and k, scratch of the products */
} attention_plan;

/* ---- operands ---- */

/* One matrix: its element (0, 0), and distances. */
typedef struct {
  const float *data;
  int64_t row, column;
} matrix;

static matrix matrix_at(const vlm_strided *m, int64_t batch, int64_t first) {
  return (matrix){m->data ? m->data + m->offset[batch] + first * m->row : NULL, m->row, m->column};
}

static bool is_step(int64_t n) { return n == 0 || n == 1; }

/* x * factor, `inner` elements next to each other, `outer` times. */
static void scale_lines(const vlm_rowops *ops, float *to, const matrix *x, const matrix *factor,
                        int64_t outer, int64_t inner) {
  if (is_step(x->column) && is_step(factor->column)) {
    for (int64_t i = 0; i < outer; i++)
      ops->mul(to + i * inner, x->data + i * x->row, x->column, factor->data + i * factor->row,
               factor->column, inner);
    return;
  }
  for (int64_t i = 0; i < outer; i++)
    for (int64_t j = 0; j < inner; j++)
      to[i * inner + j] =
          x->data[i * x->row + j * x->column] * factor->data[i * factor->row + j * factor->column];
}

/* x, or x * factor in `room`, stored the way x is. */
static matrix scaled(const vlm_rowops *ops, matrix x, matrix factor, int64_t rows, int64_t columns,
                     float *room) {
  if (!factor.data) return x;
  if (is_step(x.column)) {
    scale_lines(ops, room, &x, &factor, rows, columns);
    return (matrix){room, columns, 1};
  }
  const matrix turned = {x.data, x.column, x.row}, turned_factor = {factor.data, factor.column, factor.row};
  scale_lines(ops, room, &turned, &turned_factor, columns, rows);
  return (matrix){room, 1, rows};
}

/* ---- products ---- */

static vlm_gemm_f32 score_product(const vlm_attention_f32 *a, matrix q, matrix k, int64_t rows,
                                  float *scores) {
  return (vlm_gemm_f32){.batch = 1,
                        .m = rows,
                        .n = a->s,
                        .k = a->d,
                        .a = q.data,
                        .a_row = q.row,
                        .a_column = q.column,
                        .b = k.data,
                        .b_row = k.row,
                        .b_column = k.column,
                        .c = scores,
                        .ldc = a->s,
                        .epilogue = {.alpha = 1}};
}

/* y, or y transposed = v transposed times the scores transposed where the columns of y are apart: the same sums in the same order. */
static vlm_gemm_f32 value_product(const vlm_attention_f32 *a, matrix v, int64_t rows, const float *scores,
                                  float *y) {
  if (a->y_column == 1)
    return (vlm_gemm_f32){.batch = 1,
                          .m = rows,
                          .n = a->dv,
                          .k = a->s,
                          .a = scores,
                          .a_row = a->s,
                          .a_column = 1,
                          .b = v.data,
                          .b_row = v.row,
                          .b_column = v.column,
                          .c = y,
                          .ldc = a->y_row,
                          .epilogue = {.alpha = 1}};
  return (vlm_gemm_f32){.batch = 1,
                        .m = a->dv,
                        .n = rows,
                        .k = a->s,
                        .a = v.data,
                        .a_row = v.column,
                        .a_column = v.row,
                        .b = scores,
                        .b_row = 1,
                        .b_column = a->s,
                        .c = y,
                        .ldc = a->y_column,
                        .epilogue = {.alpha = 1}};
}

/* ---- tiles ---- */

static int64_t tile_rows(const vlm_attention_f32 *a, const vlm_kernels *kernels, const vlm_threads *threads) {
  const int64_t mr = kernels->gemm_f32->mr, fit = TILE_FLOATS / (a->s > 0 ? a->s : 1);
  int64_t rows = fit > MOST_ROWS ? MOST_ROWS : fit < LEAST_ROWS ? LEAST_ROWS : fit;
  const int64_t shares = vlm_threads_count(threads),
                per_share = a->batch > 0 ? (shares + a->batch - 1) / a->batch : 1;
  if (per_share > 1 && rows > a->t / per_share) rows = a->t / per_share;
  rows = (rows + mr - 1) / mr * mr;
  return rows < mr ? mr : rows > a->t ? a->t : rows;
}

/* q or k as the products see it: scaled ones lie in room, rows or columns together. */
static matrix shape_of(const vlm_strided *m, const vlm_strided *factor, int64_t rows, int64_t columns) {
  if (!factor->offset) return (matrix){NULL, m->row, m->column};
  return is_step(m->column) ? (matrix){NULL, columns, 1} : (matrix){NULL, 1, rows};
}

/* For the two numbers of rows that occur. */
static size_t product_bytes(const attention_plan *p) {
  const vlm_attention_f32 *a = p->a;
  const int64_t sizes[2] = {p->rows, a->t % p->rows};
  size_t most = 0;
  for (int i = 0; i < 2; i++) {
    if (sizes[i] == 0) continue;
    const vlm_gemm_f32 scores = score_product(a, shape_of(&a->q, &a->q_factor, sizes[i], a->d),
                                              shape_of(&a->k, &a->k_factor, a->d, a->s), sizes[i], NULL);
    const vlm_gemm_f32 values = value_product(a, (matrix){NULL, a->v.row, a->v.column}, sizes[i], NULL, NULL);
    const size_t x = vlm_gemm_f32_scratch(&scores, p->kernels, NULL),
                 y = vlm_gemm_f32_scratch(&values, p->kernels, NULL);
    most = x > most ? x : most;
    most = y > most ? y : most;
  }
  return most;
}

static bool is_empty(const vlm_attention_f32 *a) { return a->batch <= 0 || a->t <= 0; }

static attention_plan make_plan(const vlm_attention_f32 *a, const vlm_kernels *kernels,
                                const vlm_threads *threads) {
  attention_plan p = {.a = a, .kernels = kernels, .rows = tile_rows(a, kernels, threads)};
  p.tiles = (a->t + p.rows - 1) / p.rows;
  p.score_bytes = vlm_size_align((size_t)(p.rows * a->s) * sizeof(float));
  if (a->q_factor.offset) p.q_bytes = vlm_size_align((size_t)(p.rows * a->d) * sizeof(float));
  if (a->k_factor.offset) p.k_bytes = vlm_size_align((size_t)(a->d * a->s) * sizeof(float));
  p.worker_bytes = p.score_bytes + p.q_bytes + p.k_bytes + vlm_size_align(product_bytes(&p));
  return p;
}

size_t vlm_attention_f32_scratch(const vlm_attention_f32 *a, const vlm_kernels *kernels,
                                 const vlm_threads *threads) {
  if (is_empty(a)) return 0;
  return make_plan(a, kernels, threads).worker_bytes * (size_t)vlm_threads_count(threads);
}

/* Rows of scores with factor and mask: elements next to each other or one for all. */
static void finish_rows(const attention_plan *p, int64_t batch, int64_t first, int64_t rows, float *x) {
  const vlm_attention_f32 *a = p->a;
  const vlm_rowops *ops = p->kernels->rowops;
  const matrix factor = matrix_at(&a->factor, batch, first), mask = matrix_at(&a->mask, batch, first);
  vlm_row_binary *combine = a->divides ? ops->div : ops->mul;
  for (int64_t i = 0; i < rows; i++, x += a->s) {
    if (factor.data) combine(x, x, 1, factor.data + i * factor.row, factor.column, a->s);
    if (mask.data) ops->add(x, x, 1, mask.data + i * mask.row, mask.column, a->s);
    ops->softmax(x, x, a->s);
  }
}

static void task(void *user, int64_t index, int worker) {
  const attention_plan *p = user;
  const vlm_attention_f32 *a = p->a;
  const vlm_rowops *ops = p->kernels->rowops;
  const int64_t batch = index / p->tiles, first = index % p->tiles * p->rows,
                rows = a->t - first < p->rows ? a->t - first : p->rows;
  char *room = p->scratch + (size_t)worker * p->worker_bytes,
       *scratch = room + p->score_bytes + p->q_bytes + p->k_bytes;
  float *scores = (float *)(void *)room, *q_room = (float *)(void *)(room + p->score_bytes),
        *k_room = (float *)(void *)(room + p->score_bytes + p->q_bytes);
  const matrix q =
      scaled(ops, matrix_at(&a->q, batch, first), matrix_at(&a->q_factor, batch, first), rows, a->d, q_room);
  const matrix k =
      scaled(ops, matrix_at(&a->k, batch, 0), matrix_at(&a->k_factor, batch, 0), a->d, a->s, k_room);
  const vlm_gemm_f32 qk = score_product(a, q, k, rows, scores);
  const vlm_gemm_f32 pv = value_product(a, matrix_at(&a->v, batch, 0), rows, scores,
                                        a->y + a->y_offset[batch] + first * a->y_row);
  vlm_gemm_f32_run(&qk, p->kernels, NULL, scratch);
  finish_rows(p, batch, first, rows, scores);
  vlm_gemm_f32_run(&pv, p->kernels, NULL, scratch);
}

void vlm_attention_f32_run(const vlm_attention_f32 *a, const vlm_kernels *kernels, vlm_threads *threads,
                           void *scratch) {
  if (is_empty(a)) return;
  attention_plan p = make_plan(a, kernels, threads);
  assert(a->y_column == 1 || a->y_row == 1);
  assert(is_step(a->factor.column) && is_step(a->mask.column));
  p.scratch = scratch;
  vlm_threads_run(threads, a->batch * p.tiles, task, &p);
}
