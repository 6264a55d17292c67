#include "runtime/ops/norm_rows.h"

#include <math.h>

#include "runtime/kernels/row_args.h"
#include "runtime/ops/rows.h"

typedef struct {
  const vlm_norm_rows *n;
  const vlm_rowops *ops;
  const vlm_kernels *kernels;
} norm_job;

static const float *add_inputs(const norm_job *j, int64_t i) {
  const vlm_norm_rows *n = j->n;
  const float *x = n->x + i * n->width;
  float *sum = n->sum + i * n->width;
  if (n->skip) j->ops->add(sum, x, 1, n->skip + i % n->skip_rows * n->width, 1, n->width);
  if (n->bias0) j->ops->add(sum, n->skip ? sum : x, 1, n->bias0, 1, n->width);
  return sum;
}

static void quantize_row(const norm_job *j, int64_t i, const float *y) {
  const vlm_norm_rows *n = j->n;
  const vlm_quantize_u8_args a = {
      .q = n->q + i * n->width, .x = y, .n = (size_t)n->width, .scale = n->q_scale, .zero = n->q_zero};
  j->kernels->quantize_u8->fn.quantize_u8(&a);
}

static void task(void *user, int64_t begin, int64_t end, int worker) {
  const norm_job *j = user;
  const vlm_norm_rows *n = j->n;
  for (int64_t i = begin; i < end; i++) {
    const float *x = n->skip || n->bias0 ? add_inputs(j, i) : n->x + i * n->width;
    vlm_row_norm norm = {.scale = n->scale, .bias = n->bias, .eps = n->eps};
    norm.mean = n->mean ? n->mean + i : NULL;
    norm.inverse = n->inverse ? n->inverse + i : NULL;
    float *y = n->q ? n->room + worker * n->width : n->y + i * n->width;
    (n->rms ? j->ops->rms_norm : j->ops->layer_norm)(y, x, n->width, &norm);
    if (n->q) quantize_row(j, i, y);
  }
}

void vlm_norm_rows_run(vlm_op_call *c, const vlm_norm_rows *n) {
  norm_job j = {n, vlm_call_rowops(c), c->kernels};
  vlm_threads_range(c->threads, n->rows, VLM_ROW_GRAIN / (n->width + 1) + 1, task, &j);
}

void vlm_norm_rows_f64_run(const vlm_norm_rows_f64 *n) {
  const int64_t width = n->width;
  const double *x = n->x, *scale = n->scale, *bias = n->bias;
  double *y = n->y;
  for (int64_t i = 0; i < n->rows; i++, x += width, y += width) {
    double m = 0.0, v = 0.0;
    for (int64_t k = 0; k < width && !n->rms; k++) m += x[k] / (double)width;
    for (int64_t k = 0; k < width; k++) v += (x[k] - m) * (x[k] - m) / (double)width;
    double r = 1.0 / sqrt(v + n->eps);
    for (int64_t k = 0; k < width; k++) y[k] = (x[k] - m) * r * scale[k] + (bias ? bias[k] : 0.0);
    if (n->mean) n->mean[i] = m;
    if (n->inverse) n->inverse[i] = r;
  }
}
