/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss over [N, C, d…] with targets [N, d…]. */
#include <math.h>
#include <string.h>

#include "runtime/kernels/elementary.h"
#include "runtime/ops/op_data.h"
#include "runtime/ops/op_table.h"
#include "runtime/ops/values.h"

static vlm_status check_targets(vlm_op_call *c) {
  vlm_status st = VLM_OK;
  const vlm_tensor *x = c->in[0], *t = c->in[1], *w = vlm_in(c, 2);
  VLM_CHECK(x->rank >= 2 && t->rank == x->rank - 1 && t->dims[0] == x->dims[0], c->err, VLM_INPUT,
            "targets do not have the shape [N, d…] of scores [N, C, d…]");
  for (int i = 1; i < t->rank; i++)
    VLM_CHECK(t->dims[i] == x->dims[i + 1], c->err, VLM_INPUT, "dim %d of the targets is %lld, wanted %lld",
              i, (long long)t->dims[i], (long long)x->dims[i + 1]);
  VLM_CHECK(!w || vlm_tensor_count(w) == x->dims[1], c->err, VLM_INPUT,
            "weight does not have one entry per class");
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

typedef struct {
  enum { LOSS_EACH, LOSS_SUM, LOSS_MEAN } reduction;
  bool ignores;
  int64_t ignored, inner, classes;
  vlm_doubles x, weights;
  size_t log_prob; /* SoftmaxCrossEntropyLoss */
} loss_state;

static vlm_status prepare_loss(vlm_op_call *c, loss_state **out) {
  vlm_status st = VLM_OK;
  loss_state *s;
  const vlm_tensor *x = c->in[0];
  const char *reduction = vlm_arg_string(c, 0, "mean");
  const vlm_attr *ignore = vlm_arg(c, 1);
  bool each = strcmp(reduction, "none") == 0, mean = strcmp(reduction, "mean") == 0;
  VLM_CHECK(each || mean || strcmp(reduction, "sum") == 0, c->err, VLM_INPUT, "reduction is \"%s\"",
            reduction);
  VLM_TRY(vlm_op_state_new(c, &s));
  s->reduction = each ? LOSS_EACH : mean ? LOSS_MEAN : LOSS_SUM;
  s->ignores = ignore->kind == VLM_ATTR_INT;
  if (s->ignores) s->ignored = ignore->u.i;
  s->inner = vlm_tensor_span(x, 2, x->rank);
  s->classes = x->dims[1];
  VLM_TRY(vlm_doubles_prepare(c, &s->x, 0));
  VLM_TRY(vlm_doubles_prepare(c, &s->weights, 2));
  *out = s;
out:
  return st;
}

vlm_status vlm_prepare_NegativeLogLikelihoodLoss(vlm_op_call *c) {
  loss_state *s;
  return prepare_loss(c, &s);
}

vlm_status vlm_prepare_SoftmaxCrossEntropyLoss(vlm_op_call *c) {
  loss_state *s;
  vlm_status st = prepare_loss(c, &s);
  return st == VLM_OK ? vlm_op_reserve(c, &s->log_prob, vlm_tensor_count(c->in[0]), sizeof(double)) : st;
}

/* Loss of each target, -weight * log_prob[target] (0 where ignored), reduced as the attribute says. */
static vlm_status reduce_loss(vlm_op_call *c, const loss_state *s, const double *log_prob) {
  vlm_status st = VLM_OK;
  const vlm_tensor *t = c->in[1];
  const double *w = vlm_doubles_get(c, &s->weights);
  double sum = 0, total = 0;
  for (int64_t i = 0, n = vlm_tensor_count(t); i < n; i++) {
    int64_t k = vlm_tensor_get_int(t, i);
    double loss = 0, weight = 0;
    if (!s->ignores || k != s->ignored) {
      VLM_CHECK(k >= 0 && k < s->classes, c->err, VLM_INPUT, "target %lld is class %lld of %lld",
                (long long)i, (long long)k, (long long)s->classes);
      weight = w ? w[k] : 1;
      loss = -weight * log_prob[(i / s->inner * s->classes + k) * s->inner + i % s->inner];
    }
    if (s->reduction == LOSS_EACH && vlm_out(c, 0)) vlm_tensor_set(c->out[0], i, loss);
    sum += loss;
    total += weight;
  }
  if (s->reduction != LOSS_EACH && vlm_out(c, 0))
    vlm_tensor_set(c->out[0], 0, s->reduction == LOSS_MEAN ? sum / total : sum);
out:
  return st;
}

vlm_status vlm_run_NegativeLogLikelihoodLoss(vlm_op_call *c) {
  const loss_state *s = c->state;
  return reduce_loss(c, s, vlm_doubles_get(c, &s->x));
}

/* y = x - max - log(sum(exp(x - max))) along the classes. */
static void log_softmax(const loss_state *s, int64_t lines, const double *x, double *y) {
  for (int64_t i = 0; i < lines && s->classes > 0; i++) {
    int64_t at = i / s->inner * s->classes * s->inner + i % s->inner;
    double max = x[at], sum = 0;
    for (int64_t k = 1; k < s->classes; k++) max = x[at + k * s->inner] > max ? x[at + k * s->inner] : max;
    for (int64_t k = 0; k < s->classes; k++) sum += vlm_exp64(x[at + k * s->inner] - max);
    for (int64_t k = 0; k < s->classes; k++)
      y[at + k * s->inner] = x[at + k * s->inner] - max - vlm_log64(sum);
  }
}

vlm_status vlm_run_SoftmaxCrossEntropyLoss(vlm_op_call *c) {
  const loss_state *s = c->state;
  double *y = vlm_op_work(c, s->log_prob);
  log_softmax(s, c->in[0]->dims[0] * s->inner, vlm_doubles_get(c, &s->x), y);
  for (int64_t i = 0, n = vlm_tensor_count(c->in[0]); vlm_out(c, 1) && i < n; i++)
    vlm_tensor_set(c->out[1], i, y[i]);
  return reduce_loss(c, s, y);
}
