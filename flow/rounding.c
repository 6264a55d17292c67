#include "flow/rounding.h"

#include <math.h>

#include "runtime/base/memory.h"

const double vlm_rounding_least_db = 0.3;

vlm_status vlm_rounding_inputs(vlm_covariances **out, const vlm_rounding *how, vlm_error *err) {
  enum { LEAST = 4 }; /* one of them judges */
  vlm_status st = VLM_OK;
  vlm_sample_list samples = {.count = 0};
  const vlm_covariance_opts run = {.go_on = how->quant->go_on, .user = how->quant->user};
  *out = NULL;
  VLM_TRY(vlm_sample_list_rest(&samples, how->bundle, how->stats, how->samples, err));
  const vlm_sample_span span = {samples.items, samples.count};
  if (samples.count >= LEAST)
    VLM_TRY(vlm_covariances_make_graph(out, how->context, how->bundle, &span, &run, err));
out:
  vlm_sample_list_free(&samples);
  return st;
}

static vlm_status worst_db(double *db, const vlm_trials *trials, const vlm_rounding *how,
                           const vlm_quant_plan *plan, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_trial_output *outputs = NULL;
  const int32_t count = vlm_trials_outputs(trials);
  VLM_TRY(vlm_new(&outputs, count + 1, err));
  VLM_TRY(vlm_trials_run(trials, outputs, plan, how->stats, how->quant, 0, err));
  const int32_t worst = vlm_trial_worst(outputs, count);
  *db = worst < 0 ? NAN : vlm_trial_db(&outputs[worst]);
out:
  vlm_free(outputs);
  return st;
}

static bool any_rounded(const vlm_quant_plan *plan) {
  for (int32_t i = 0; i < plan->count; i++)
    if (plan->nodes[i].rounded) return true;
  return false;
}

vlm_status vlm_rounding_judge(vlm_quant_plan **plan, double *gain_db, const vlm_rounding *how,
                              vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_sample_list samples = {.count = 0};
  vlm_trials *trials = NULL;
  vlm_quant_plan *nearest = NULL;
  vlm_quant_opts plain = *how->quant;
  double moved_db, nearest_db;
  plain.covariances = NULL;
  *gain_db = NAN;
  if (!any_rounded(*plan)) return VLM_OK;
  VLM_TRY(vlm_sample_list_make(&samples, how->bundle, how->stats, how->samples, err));
  if (!samples.count) goto out;
  VLM_TRY(vlm_trials_open(&trials, how->context, how->graph->graph, samples.items, samples.count, err));
  VLM_TRY(vlm_quant_plan_make(&nearest, how->graph, 1, how->stats, &plain, err));
  VLM_TRY(worst_db(&moved_db, trials, how, *plan, err));
  VLM_TRY(worst_db(&nearest_db, trials, how, nearest, err));
  *gain_db = moved_db - nearest_db;
  if (*gain_db >= vlm_rounding_least_db) goto out;
  vlm_quant_plan_free(*plan);
  *plan = nearest;
  nearest = NULL;
out:
  vlm_quant_plan_free(nearest);
  vlm_trials_free(trials);
  vlm_sample_list_free(&samples);
  return st;
}
