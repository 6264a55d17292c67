/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss over [N, C, d…] with targets [N, d…]. */
#include <math.h>
#include <string.h>

#include "runtime/kernels/elementary.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"

static vlm_status check_targets(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *t = c->in[1], *w = vlm_in(c, 2);
  VLM_CHECK(x->rank >= 2 && t->rank == x->rank - 1 && t->dims[0] == x->dims[0], c->err, VLM_INPUT,
            "targets do not have the shape [N, d…] of scores [N, C, d…]");
  for (int i = 1; i < t->rank; i++)
    VLM_CHECK(t->dims[i] == x->dims[i + 1], c->err, VLM_INPUT, "dim %d of the targets is %lld, wanted %lld", i, (long long)t->dims[i],
              (long long)x->dims[i + 1]);
  VLM_CHECK(!w || vlm_tensor_count(w) == x->dims[1], c->err, VLM_INPUT, "weight does not have one entry per class");
out:
  return st;
}

vlm_status vlm_infer_Loss(vlm_op_call *c) {
  vlm_status st = check_targets(c);
  if (st != VLM_OK) return st;
  bool each = strcmp(vlm_arg_string(c, 0, "mean"), "none") == 0;
  vlm_out_shape(c, 0, c->in[0]->dtype, each ? c->in[1]->rank : 0, c->in[1]->dims);
  vlm_out_shape(c, 1, c->in[0]->dtype, c->in[0]->rank, c->in[0]->dims);
  return VLM_OK;
}

/* Loss of each target, -weight * log_prob[target] (0 where ignored), reduced as the attribute says. */
static vlm_status reduce_loss(vlm_op_call *c, const double *log_prob) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *t = c->in[1];
  const char *reduction = vlm_arg_string(c, 0, "mean");
  const vlm_attr *ignore = vlm_arg(c, 1);
  const double *w;
  bool each = strcmp(reduction, "none") == 0;
  double sum = 0, total = 0;
  int64_t inner = vlm_tensor_span(x, 2, x->rank), classes = x->dims[1];
  VLM_CHECK(each || strcmp(reduction, "mean") == 0 || strcmp(reduction, "sum") == 0, c->err, VLM_INPUT, "reduction is \"%s\"", reduction);
  VLM_TRY(vlm_as_f64(c, vlm_in(c, 2), &w));
  for (int64_t i = 0, n = vlm_tensor_count(t); i < n; i++) {
    int64_t k = vlm_tensor_get_int(t, i);
    double loss = 0, weight = 0;
    if (ignore->kind != VLM_ATTR_INT || k != ignore->u.i) {
      VLM_CHECK(k >= 0 && k < classes, c->err, VLM_INPUT, "target %lld is class %lld of %lld", (long long)i, (long long)k,
                (long long)classes);
      weight = w ? w[k] : 1;
      loss = -weight * log_prob[(i / inner * classes + k) * inner + i % inner];
    }
    if (each && vlm_out(c, 0)) vlm_tensor_set(c->out[0], i, loss);
    sum += loss;
    total += weight;
  }
  if (!each && vlm_out(c, 0)) vlm_tensor_set(c->out[0], 0, reduction[0] == 'm' ? sum / total : sum);
out:
  return st;
}

vlm_status vlm_run_NegativeLogLikelihoodLoss(vlm_op_call *c) {
  const double *x;
  vlm_status st = vlm_as_f64(c, c->in[0], &x);
  return st == VLM_OK ? reduce_loss(c, x) : st;
}

vlm_status vlm_run_SoftmaxCrossEntropyLoss(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = c->in[0];
  int64_t classes = t->dims[1], inner = vlm_tensor_span(t, 2, t->rank);
  const double *x;
  double *y;
  VLM_TRY(vlm_as_f64(c, t, &x));
  VLM_TRY(vlm_scratch_new(c, &y, vlm_tensor_count(t)));
  for (int64_t i = 0; i < t->dims[0] * inner && classes > 0; i++) {
    int64_t at = i / inner * classes * inner + i % inner;
    double max = x[at], sum = 0;
    for (int64_t k = 1; k < classes; k++) max = x[at + k * inner] > max ? x[at + k * inner] : max;
    for (int64_t k = 0; k < classes; k++) sum += vlm_exp64(x[at + k * inner] - max);
    for (int64_t k = 0; k < classes; k++) y[at + k * inner] = x[at + k * inner] - max - vlm_log64(sum);
  }
  for (int64_t i = 0, n = vlm_tensor_count(t); vlm_out(c, 1) && i < n; i++) vlm_tensor_set(c->out[1], i, y[i]);
  VLM_TRY(reduce_loss(c, y));
out:
  return st;
}
