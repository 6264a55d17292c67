#include "eval/graph_accuracy.h"

#include <math.h>

#include "runtime/base/memory.h"

vlm_status vlm_label_place(int64_t *out, const vlm_tensor *scores, int64_t label, vlm_error *err) {
  vlm_status st = VLM_OK;
  char shape[128];
  const int64_t n = vlm_tensor_count(scores), width = scores->rank ? scores->dims[scores->rank - 1] : 1;
  VLM_CHECK(vlm_dtype_is_float(scores->dtype) && n == width && n > 1, err, VLM_INPUT,
            "the first output is %s %s; labels want one row of class scores per sample",
            vlm_dtype_name(scores->dtype), vlm_tensor_shape_text(scores, shape, sizeof shape));
  VLM_CHECK(label < n, err, VLM_INPUT, "label %lld: the model has %lld classes, from 0", (long long)label,
            (long long)n);
  const double own = vlm_tensor_get(scores, label);
  *out = 0;
  for (int64_t i = 0; i < n; i++) {
    const double other = vlm_tensor_get(scores, i);
    *out += i != label && !isnan(other) && (isnan(own) || other > own || (other == own && i < label));
  }
out:
  return st;
}

static double percent_below(const vlm_graph_eval *e, int side, int64_t place) {
  int64_t hits = 0;
  for (int64_t i = 0; i < e->samples; i++) hits += e->items[i].place[side] < place;
  return 100.0 * (double)hits / (double)e->samples;
}

vlm_status vlm_graph_accuracy(vlm_graph_eval *out, const vlm_bootstrap_opts *bootstrap, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_accuracy *a = &out->accuracy;
  double *hits[2] = {NULL, NULL};
  vlm_bootstrap_opts opts = *bootstrap;
  opts.points = true;
  for (int k = 0; k < 1 + out->compared; k++) {
    a->top1[k] = percent_below(out, k, 1);
    a->top5[k] = percent_below(out, k, 5);
    VLM_TRY(vlm_new(&hits[k], out->samples, err));
    for (int64_t i = 0; i < out->samples; i++) hits[k][i] = out->items[i].place[k] < 1;
  }
  if (out->compared) VLM_TRY(vlm_bootstrap_drop(&a->drop, hits[0], hits[1], out->samples, &opts, err));
  a->measured = true;
out:
  vlm_free(hits[0]);
  vlm_free(hits[1]);
  return st;
}
