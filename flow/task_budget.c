#include "flow/task_budget.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "flow/costs.h"
#include "runtime/base/memory.h"

/* ---- what a plan costs ---- */

static int64_t weight_bytes(const vlm_quant_plan *plan) {
  int64_t sum = 0;
  for (int32_t i = 0; i < plan->count; i++) {
    const vlm_node_plan *n = &plan->nodes[i];
    sum += n->decision == VLM_DECIDE_FLOAT ? (int64_t)vlm_tensor_bytes(&n->constant) : n->weights;
  }
  return sum;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static vlm_status median_ms(double *out, const vlm_samples *s, vlm_error *err) {
  double *sorted = NULL;
  vlm_status st = vlm_new(&sorted, s->count + 1, err);
  if (st != VLM_OK) return st;
  if (s->count) memcpy(sorted, s->values, (size_t)s->count * sizeof *sorted);
  qsort(sorted, (size_t)s->count, sizeof *sorted, ascending);
  *out = s->count ? vlm_percentile(sorted, s->count, 50) : 0;
  vlm_free(sorted);
  return VLM_OK;
}

/* ---- what comes out ---- */

static double worst_noise(const vlm_evaluation *e) {
  double worst = 0;
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (e->sqnr[r].signal > 0) worst = fmax(worst, e->sqnr[r].noise / e->sqnr[r].signal);
  return worst;
}

double vlm_task_worst_db(const vlm_evaluation *e) { return -10 * log10(worst_noise(e)); }

/* Answers to different prompts are not averaged: the worst counts. */
static double worst_drop(const vlm_evaluation *e) {
  double worst = -INFINITY;
  for (int32_t p = 0; p < e->n_prompts; p++) worst = fmax(worst, e->prompts[p].drop.percent);
  return worst;
}

static void take_figures(vlm_plan_search_point *p, const vlm_task_budget *t, const vlm_evaluation *e) {
  p->unchanged = vlm_agreement_exact_percent(&e->agreement);
  p->kl = e->kl_mean;
  p->db = vlm_task_worst_db(e);
  p->noise = t->max_drop < 0 ? worst_noise(e) : e->kl_mean;
  p->loss = t->max_drop < 0 ? -p->db : e->scored ? worst_drop(e) : 100 - p->unchanged;
}

typedef struct {
  const vlm_task_budget *task;
  vlm_bundle *reference; /* lowered */
} evaluator;

static vlm_status evaluate(void *user, const vlm_quant_plan *plan, vlm_plan_search_point *out,
                           vlm_error *err) {
  vlm_status st = VLM_OK;
  const evaluator *v = user;
  const vlm_task_budget *t = v->task;
  vlm_lowered_copy copy = {.bundle = NULL};
  vlm_coverage_share macs;
  vlm_evaluation answers = {.arena = NULL};
  if (t->quant->go_on) VLM_TRY(t->quant->go_on(t->quant->user, err));
  VLM_TRY(vlm_lowered_copy_make(&copy, t->bundle, &(vlm_lowered_plan){plan, t->stats, t->quant}, err));
  VLM_TRY(vlm_costs_share(&macs, t->context, copy.bundle, err));
  VLM_TRY(vlm_evaluate(&answers, t->context, v->reference, copy.bundle, t->samples, t->run, err));
  VLM_TRY(median_ms(&out->ms, &answers.candidate.total_ms, err));
  out->macs_percent = vlm_coverage_macs_percent(&macs);
  out->bytes = weight_bytes(plan);
  take_figures(out, t, &answers);
out:
  if (answers.arena) vlm_evaluation_free(&answers);
  vlm_lowered_copy_free(&copy);
  return st;
}

vlm_status vlm_task_search(vlm_plan_search_result *out, const vlm_task_budget *task, vlm_quant_plan *plan,
                           const vlm_quant_graph *graphs, int32_t n_graphs, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_lowered_copy reference = {.bundle = NULL};
  VLM_TRY(vlm_lowered_copy_make(&reference, task->bundle, NULL, err));
  evaluator v = {task, reference.bundle};
  const vlm_plan_search_opts how = {
      .limit = task->max_drop < 0 ? -task->target_db : task->max_drop, .evaluate = evaluate, .user = &v};
  VLM_TRY(vlm_plan_search_run(out, plan, graphs, n_graphs, &how, err));
out:
  vlm_lowered_copy_free(&reference);
  return st;
}
