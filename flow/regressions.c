#include "flow/regressions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/memory.h"

/* Figures of one sample, the larger the better; a new one that is less than the old one by more than `noise` is a
 * regression. */
typedef struct {
  double old, now;
} figures;

/* ---- pipelines ---- */

static figures of_answer(const vlm_eval_item *now, const vlm_eval_item *before, bool scored) {
  if (scored) return (figures){before ? before->cider_d[1] : now->cider_d[0], now->cider_d[1]};
  return (figures){before ? before->exact : 1, now->exact};
}

static vlm_regression answer_item(const vlm_eval_item *now, const vlm_eval_item *before, figures f) {
  return (vlm_regression){.key = now->key,
                          .prompt = now->prompt,
                          .before = before ? before->captions[1] : now->captions[0],
                          .after = now->captions[1],
                          .figures = {f.old, f.now}};
}

/* ---- single graphs ---- */

/* Outputs that agreement judges come first; a model agrees with itself wholly. */
static figures of_output(const vlm_graph_item *now, const vlm_graph_item *before) {
  if (now->label >= 0)
    return (figures){-(double)(before ? before->place[1] : now->place[0]), -(double)now->place[1]};
  if (!isnan(now->agreement)) return (figures){before ? before->agreement : 100, now->agreement};
  return (figures){before ? before->min_db : INFINITY, now->min_db};
}

static const char *metric_of(const vlm_flow_evaluation *e) {
  if (!e->graph) return e->answers.scored ? "CIDEr-D" : "unchanged";
  if (e->outputs.accuracy.measured) return "place of the label";
  return isnan(vlm_graph_eval_agreement(&e->outputs)) ? "dB" : "agreement";
}

/* Timing has no part in the figures, so equal models give equal ones; half a dB is no regression. */
static double noise_of(const vlm_flow_evaluation *e) {
  return e->graph && !e->outputs.accuracy.measured && isnan(vlm_graph_eval_agreement(&e->outputs)) ? 0.5
                                                                                                   : 1e-9;
}

/* ---- both ---- */

static int by_loss(const void *a, const void *b) {
  const vlm_regression *x = a, *y = b;
  const double p = x->figures[0] - x->figures[1], q = y->figures[0] - y->figures[1];
  if (p != q) return p > q ? -1 : 1;
  if (x->figures[1] != y->figures[1]) return x->figures[1] < y->figures[1] ? -1 : 1;
  return strcmp(x->key, y->key);
}

static void note(vlm_regressions *out, vlm_regression item, double noise) {
  const double old = item.figures[0], now = item.figures[1];
  if (now < old - noise) out->items[out->count++] = item;
  else out->better += now > old + noise;
}

vlm_status vlm_regressions_find(vlm_regressions *out, const vlm_flow_evaluation *now,
                                const vlm_flow_evaluation *before, vlm_error *err) {
  vlm_status st = VLM_OK;
  const double noise = noise_of(now);
  *out = (vlm_regressions){.metric = metric_of(now),
                           .samples = now->graph ? now->outputs.samples : now->answers.images};
  VLM_TRY(vlm_new(&out->items, out->samples, err));
  for (int64_t i = 0; i < out->samples && !now->graph; i++) {
    const vlm_eval_item *a = &now->answers.items[i], *b = before ? &before->answers.items[i] : NULL;
    note(out, answer_item(a, b, of_answer(a, b, now->answers.scored)), noise);
  }
  for (int64_t i = 0; i < out->samples && now->graph; i++) {
    const vlm_graph_item *a = &now->outputs.items[i];
    const figures f = of_output(a, before ? &before->outputs.items[i] : NULL);
    note(out, (vlm_regression){.key = a->key, .figures = {f.old, f.now}}, noise);
  }
  if (out->count) qsort(out->items, (size_t)out->count, sizeof *out->items, by_loss);
out:
  return st;
}

void vlm_regressions_free(vlm_regressions *r) {
  vlm_free(r->items);
  *r = (vlm_regressions){.count = 0};
}
