#include "flow/spare.h"

#include <math.h>
#include <stdlib.h>

#include "runtime/base/memory.h"

enum { MOST_SAMPLES = 4 };

typedef struct {
  const vlm_trials *trials;
  const vlm_quant_plan *plan;
  vlm_export_opts how;
  vlm_trial_output *outputs;
  vlm_export_report report; /* of the last trial */
  vlm_error *err;
} sparing;

typedef struct {
  const vlm_node_plan *plan;
  double db; /* of the worst output when this node alone is spared */
} spare_node;

static vlm_status export_copy(void *user, vlm_graph *graph, vlm_error *err) {
  sparing *s = user;
  vlm_export_report_free(&s->report);
  return vlm_export_graph(graph, "model", s->plan, &s->how, &s->report, err);
}

static double worst_of(const sparing *s) {
  int32_t worst = vlm_trial_worst(s->outputs, vlm_trials_outputs(s->trials));
  return worst < 0 ? 1e9 : vlm_trial_db(&s->outputs[worst]);
}

static vlm_status try_without(sparing *s, const vlm_node_plan *const *spared, int32_t count, double *db) {
  vlm_status st = VLM_OK;
  s->how.spared = spared;
  s->how.n_spared = count;
  VLM_TRY(vlm_trials_run_changed(s->trials, s->outputs, export_copy, s, MOST_SAMPLES, s->err));
  *db = worst_of(s);
out:
  return st;
}

static int best_first(const void *a, const void *b) {
  const spare_node *x = a, *y = b;
  if (x->db != y->db) return x->db < y->db ? 1 : -1;
  return x->plan < y->plan ? -1 : 1; /* in the order of the plan */
}

static vlm_status list_candidates(sparing *s, spare_node **out, int32_t *count) {
  vlm_status st = VLM_OK;
  int32_t n = 0;
  const vlm_export_report all = s->report;
  s->report = (vlm_export_report){.items = NULL};
  *count = 0;
  VLM_TRY(vlm_new(out, all.count + 1, s->err));
  for (int32_t i = 0; i < all.count; i++)
    if (all.items[i].narrowed) (*out)[n++].plan = all.items[i].plan;
  for (int32_t i = 0; i < n; i++) VLM_TRY(try_without(s, &(*out)[i].plan, 1, &(*out)[i].db));
  *count = n;
  qsort(*out, (size_t)n, sizeof **out, best_first);
out:
  vlm_free(all.items);
  return st;
}

/* The best ones together, until they are enough. */
static vlm_status take(sparing *s, vlm_spared *out, const spare_node *list, int32_t count, double wanted) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_new(&out->items, count + 1, s->err));
  for (int32_t i = 0; i < count && out->after_db < wanted; i++) {
    out->items[out->count++] = list[i].plan;
    VLM_TRY(try_without(s, out->items, out->count, &out->after_db));
  }
out:
  return st;
}

vlm_status vlm_spare(vlm_spared *out, const vlm_trials *trials, const vlm_quant_plan *plan,
                     const vlm_export_opts *how, vlm_error *err) {
  static const double MARGIN_DB = 1, ENOUGH_DB = 40;
  vlm_status st = VLM_OK;
  vlm_export_ranges ranges = {.stats = NULL};
  sparing s = {.trials = trials, .plan = plan, .how = *how, .err = err};
  spare_node *list = NULL;
  int32_t count = 0;
  *out = (vlm_spared){.items = NULL};
  s.how.ranges = &ranges;
  VLM_TRY(vlm_new(&s.outputs, vlm_trials_outputs(trials), err));
  VLM_TRY(vlm_trials_run(trials, s.outputs, plan, how->stats, how->quant, MOST_SAMPLES, err));
  out->plan_db = worst_of(&s);
  VLM_TRY(try_without(&s, NULL, 0, &out->before_db));
  out->after_db = out->before_db;
  out->measured = true;
  double wanted = fmin(out->plan_db + MARGIN_DB, ENOUGH_DB);
  if (out->before_db >= wanted) goto out;
  VLM_TRY(list_candidates(&s, &list, &count));
  VLM_TRY(take(&s, out, list, count, wanted));
out:
  vlm_export_ranges_free(&ranges);
  vlm_export_report_free(&s.report);
  vlm_free(s.outputs);
  vlm_free(list);
  return st;
}

void vlm_spared_free(vlm_spared *spared) {
  vlm_free(spared->items);
  spared->items = NULL;
}
