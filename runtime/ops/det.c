/* Det: determinant of each [n, n] matrix, elimination with row pivoting in float64. */
#include <math.h>
#include <string.h>

#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/prepare.h"

vlm_status vlm_infer_Det(vlm_op_call *c) {
  const vlm_tensor *x = c->in[0];
  if (x->rank < 2 || x->dims[x->rank - 1] != x->dims[x->rank - 2])
    return vlm_fail(c->err, VLM_INPUT, "the input does not end in square matrices");
  vlm_out_shape(c, 0, x->dtype, x->rank - 2, x->dims);
  return VLM_OK;
}

/* Destroys a. */
static double determinant(double *a, int64_t n) {
  double det = 1;
  for (int64_t i = 0; i < n; i++) {
    int64_t pivot = i;
    for (int64_t r = i + 1; r < n; r++)
      if (fabs(a[r * n + i]) > fabs(a[pivot * n + i])) pivot = r;
    if (a[pivot * n + i] == 0) return 0;
    for (int64_t k = 0; k < n && pivot != i; k++) {
      double t = a[i * n + k];
      a[i * n + k] = a[pivot * n + k];
      a[pivot * n + k] = t;
    }
    det *= pivot == i ? a[i * n + i] : -a[i * n + i];
    for (int64_t r = i + 1; r < n; r++) {
      double f = a[r * n + i] / a[i * n + i];
      for (int64_t k = i; k < n; k++) a[r * n + k] -= f * a[i * n + k];
    }
  }
  return det;
}

vlm_status vlm_prepare_Det(vlm_op_call *c) {
  size_t *work;
  int64_t n = c->in[0]->dims[c->in[0]->rank - 1];
  vlm_status st = vlm_op_state_new(c, &work);
  return st == VLM_OK ? vlm_op_reserve(c, work, n * n, sizeof(double)) : st;
}

vlm_status vlm_run_Det(vlm_op_call *c) {
  int64_t n = c->in[0]->dims[c->in[0]->rank - 1];
  double *work = vlm_op_work(c, *(const size_t *)c->state);
  for (int64_t i = 0, count = vlm_tensor_count(c->out[0]); i < count; i++) {
    for (int64_t k = 0; k < n * n; k++) work[k] = vlm_tensor_get(c->in[0], i * n * n + k);
    vlm_tensor_set(c->out[0], i, determinant(work, n));
  }
  return VLM_OK;
}
