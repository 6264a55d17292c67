#include "runtime/kernels/channels.h"

#include <string.h>

#include "runtime/kernels/transpose_args.h"

/* A block of the longer side: what it reads and writes stays in the first-level cache for up to 64 of the other. */
enum { BLOCK = 128 };

typedef struct {
  const vlm_turn *t;
  const vlm_kernels *kernels;
  bool by_rows;
  int64_t blocks;
} turn_job;

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

static void turn_part(const turn_job *j, int64_t at, int64_t row, int64_t rows, int64_t column,
                      int64_t columns) {
  const vlm_turn *t = j->t;
  int64_t to = at + column * t->rows + row, from = at + row * t->columns + column;
  if (t->bytes == 1) {
    vlm_transpose_8_args a = {
        .y = (uint8_t *)t->y + to, .y_stride = (size_t)t->rows, .x = (const uint8_t *)t->x + from};
    a.x_stride = (size_t)t->columns;
    a.rows = (size_t)rows;
    a.columns = (size_t)columns;
    j->kernels->transpose_8->fn.transpose_8(&a);
  } else {
    vlm_transpose_32_args a = {
        .y = (uint32_t *)t->y + to, .y_stride = (size_t)t->rows, .x = (const uint32_t *)t->x + from};
    a.x_stride = (size_t)t->columns;
    a.rows = (size_t)rows;
    a.columns = (size_t)columns;
    j->kernels->transpose_32->fn.transpose_32(&a);
  }
}

static void task(void *user, int64_t index, int worker) {
  const turn_job *j = user;
  const vlm_turn *t = j->t;
  int64_t at = index / j->blocks * t->rows * t->columns, from = index % j->blocks * BLOCK;
  (void)worker;
  if (j->by_rows) turn_part(j, at, from, min64(BLOCK, t->rows - from), 0, t->columns);
  else turn_part(j, at, 0, t->rows, from, min64(BLOCK, t->columns - from));
}

void vlm_turn_run(const vlm_turn *t, const vlm_kernels *kernels, vlm_threads *threads) {
  turn_job j = {.t = t, .kernels = kernels, .by_rows = t->rows > t->columns};
  int64_t count = t->batch * t->rows * t->columns;
  if (t->rows == 1 || t->columns == 1) {
    memcpy(t->y, t->x, (size_t)count * (size_t)t->bytes);
    return;
  }
  j.blocks = ((j.by_rows ? t->rows : t->columns) + BLOCK - 1) / BLOCK;
  vlm_threads_run(count < BLOCK * BLOCK ? NULL : threads, t->batch * j.blocks, task, &j);
}
