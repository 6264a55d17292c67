#include "flow/verdict.h"

static const struct {
  const char *text;
  vlm_status status;
} VERDICTS[] = {
#define X(name, text, status) {text, VLM_##status},
    VLM_VERDICTS(X)
#undef X
};

const char *vlm_verdict_text(vlm_verdict verdict) { return VERDICTS[verdict].text; }
vlm_status vlm_verdict_status(vlm_verdict verdict) { return VERDICTS[verdict].status; }

static double speedup(vlm_samples *reference, vlm_samples *candidate) {
  if (!candidate->count) return 0;
  double before = vlm_samples_summarize(reference).p50, after = vlm_samples_summarize(candidate).p50;
  return after > 0 ? before / after : 0;
}

double vlm_speedup_of_answers(vlm_evaluation *e) {
  return e->compared ? speedup(&e->reference.total_ms, &e->candidate.total_ms) : 0;
}

double vlm_speedup_of_outputs(vlm_graph_eval *e) { return speedup(&e->reference_ms, &e->candidate_ms); }

double vlm_agreement_of_outputs(const vlm_graph_eval *e) {
  return e->rows ? 100.0 * (double)e->equal / (double)e->rows : 100;
}

static bool below(const vlm_limit *least, double value) { return least->set && value < least->value; }

static vlm_verdict judge(const vlm_budget *b, bool dropped, double agreement, double faster) {
  if (dropped) return VLM_VERDICT_DROP;
  if (below(&b->min_agreement_percent, agreement)) return VLM_VERDICT_AGREEMENT;
  return below(&b->min_speedup, faster) ? VLM_VERDICT_SLOWER : VLM_VERDICT_PASS;
}

vlm_verdict vlm_judge_answers(vlm_evaluation *e, const vlm_budget *b) {
  if (!e->compared) return VLM_VERDICT_PASS;
  bool dropped = b->max_drop_percent.set && e->drop.percent > b->max_drop_percent.value;
  return judge(b, dropped, vlm_agreement_exact_percent(&e->agreement), vlm_speedup_of_answers(e));
}

vlm_verdict vlm_judge_outputs(vlm_graph_eval *e, const vlm_budget *b) {
  if (!e->candidate_ms.count) return VLM_VERDICT_PASS;
  bool dropped = below(&b->min_sqnr_db, vlm_graph_eval_min_db(e));
  return judge(b, dropped, vlm_agreement_of_outputs(e), vlm_speedup_of_outputs(e));
}
