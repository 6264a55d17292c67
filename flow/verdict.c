#include "flow/verdict.h"

#include <math.h>
#include <stdio.h>

#include "runtime/base/memory.h"

enum { FEW_SAMPLES = 32 }; /* what a run that shows nothing is told to have at least */
enum {
  ROWS_FOUND = 90
}; /* percent: signal to error of selected rows tells nothing about those that are gone */

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

void vlm_checks_free(vlm_checks *checks) {
  vlm_free(checks->items);
  *checks = (vlm_checks){.count = 0};
}

const vlm_check *vlm_checks_decisive(const vlm_checks *checks, vlm_verdict verdict) {
  for (int32_t i = 0; i < checks->count; i++)
    if (verdict != VLM_VERDICT_PASS && checks->items[i].verdict == verdict) return &checks->items[i];
  return NULL;
}

static double speedup(vlm_samples *reference, vlm_samples *candidate) {
  if (!candidate->count) return 0;
  double before = vlm_samples_summarize(reference).p50, after = vlm_samples_summarize(candidate).p50;
  return after > 0 ? before / after : 0;
}

double vlm_speedup_of_answers(vlm_evaluation *e) {
  return e->compared ? speedup(&e->reference.total_ms, &e->candidate.total_ms) : 0;
}

double vlm_speedup_of_outputs(vlm_graph_eval *e) { return speedup(&e->reference_ms, &e->candidate_ms); }

/* ---- one figure ---- */

/* The half of the interval that has to fit between the estimate and the limit shrinks with the root of the number
 * of samples. */
static int64_t needed(const vlm_check *c) {
  const double room = fabs(c->limit - c->value);
  const double half = c->value <= c->limit ? c->high - c->value : c->value - c->low;
  if (!(room > 0) || !isfinite(room)) return 0;
  const double n = ceil((double)c->samples * (half / room) * (half / room));
  return n < 1e12 ? (int64_t)fmax(n, (double)c->samples + 1) : 0;
}

static vlm_verdict judge_drop(vlm_check *c, vlm_gate gate, vlm_verdict over) {
  if (c->why) return VLM_VERDICT_INCONCLUSIVE;
  const double sure = gate == VLM_GATE_POINT ? c->value : c->low,
               most = gate == VLM_GATE_POINT ? c->value : c->high;
  if (sure > c->limit) return over;
  if (most <= c->limit) return VLM_VERDICT_PASS;
  c->needed = needed(c);
  return VLM_VERDICT_INCONCLUSIVE;
}

static void judge_least(vlm_check *c, vlm_verdict under) {
  if (c->why) c->verdict = VLM_VERDICT_INCONCLUSIVE;
  else c->verdict = c->value >= c->limit ? VLM_VERDICT_PASS : under;
}

static void add_drop(vlm_checks *all, vlm_check c, const vlm_drop *drop, vlm_gate gate, vlm_verdict over) {
  c.at_most = c.estimated = true;
  c.value = drop->percent;
  c.low = drop->low;
  c.high = drop->high;
  if (c.why && c.samples < FEW_SAMPLES) c.needed = FEW_SAMPLES;
  c.verdict = judge_drop(&c, gate, over);
  all->items[all->count++] = c;
}

static void add_least(vlm_checks *all, vlm_check c, vlm_verdict under) {
  judge_least(&c, under);
  all->items[all->count++] = c;
}

static void add_speed(vlm_checks *all, const vlm_budget *b, double faster, int64_t samples) {
  if (!b->min_speedup.set) return;
  add_least(all,
            (vlm_check){.key = "speedup",
                        .metric = "speedup",
                        .unit = "x",
                        .value = faster,
                        .samples = samples,
                        .limit = b->min_speedup.value},
            VLM_VERDICT_SLOWER);
}

/* The worst of all. */
static vlm_verdict conclude(const vlm_checks *checks) {
  static const vlm_verdict ORDER[] = {VLM_VERDICT_DROP, VLM_VERDICT_ACCURACY, VLM_VERDICT_AGREEMENT,
                                      VLM_VERDICT_INCONCLUSIVE, VLM_VERDICT_SLOWER};
  for (size_t i = 0; i < sizeof ORDER / sizeof *ORDER; i++)
    if (vlm_checks_decisive(checks, ORDER[i])) return ORDER[i];
  return checks->count ? VLM_VERDICT_PASS : VLM_VERDICT_NO_BUDGET;
}

/* ---- pipelines ---- */

static const char *no_evidence(const vlm_prompt_scores *s) {
  if (s->images < 2) return "CIDEr-D of one image is 0 whatever the caption";
  return s->drop.reference > 0 ? NULL : "the reference's own CIDEr-D is 0";
}

vlm_status vlm_judge_answers(vlm_verdict *out, vlm_checks *checks, vlm_evaluation *e, const vlm_budget *b,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = VLM_VERDICT_NO_BUDGET;
  *checks = (vlm_checks){.count = 0};
  if (!e->compared) return VLM_OK;
  VLM_TRY(vlm_new(&checks->items, e->n_prompts + 2, err));
  for (int32_t p = 0; p < e->n_prompts && b->max_drop_percent.set && e->scored; p++) {
    const vlm_prompt_scores *s = &e->prompts[p];
    add_drop(checks,
             (vlm_check){.key = "cider_d_drop",
                         .metric = "CIDEr-D drop",
                         .unit = " %",
                         .samples = s->images,
                         .of = e->n_prompts > 1 ? s->prompt : NULL,
                         .limit = b->max_drop_percent.value,
                         .why = no_evidence(s)},
             &s->drop, b->gate, VLM_VERDICT_DROP);
  }
  if (b->min_agreement_percent.set)
    add_least(checks,
              (vlm_check){.key = "exact_captions",
                          .metric = "captions unchanged",
                          .unit = " %",
                          .value = vlm_agreement_exact_percent(&e->agreement),
                          .samples = e->agreement.captions,
                          .limit = b->min_agreement_percent.value},
              VLM_VERDICT_AGREEMENT);
  add_speed(checks, b, vlm_speedup_of_answers(e), e->images);
  *out = conclude(checks);
out:
  return st;
}

/* ---- single graphs ---- */

static void add_sqnr(vlm_checks *all, const vlm_graph_eval *e, const vlm_limit *least) {
  const int32_t worst = vlm_graph_eval_worst(e);
  if (!least->set) return;
  add_least(
      all,
      (vlm_check){.key = "sqnr_db",
                  .metric = "signal to error",
                  .unit = " dB",
                  .samples = e->samples,
                  .of = worst < 0 ? NULL : e->names[worst],
                  .value = vlm_graph_eval_min_db(e),
                  .limit = least->value,
                  .why = worst < 0 ? "no float output has values to compare; ask for --min-agreement" : NULL},
      VLM_VERDICT_DROP);
}

static bool selects_rows(const vlm_graph_eval *e) {
  for (int32_t i = 0; i < e->n_outputs; i++)
    if (e->outputs[i].selected && !e->outputs[i].integers) return true;
  return false;
}

static void add_agreement(vlm_checks *all, const vlm_graph_eval *e, const vlm_budget *b) {
  const double agreement = vlm_graph_eval_agreement(e);
  vlm_check c = {.key = "agreement",
                 .metric = "agreement",
                 .unit = " %",
                 .value = agreement,
                 .samples = e->samples,
                 .limit = b->min_agreement_percent.value};
  if (isnan(agreement)) c.why = "no output has classes, integers or selected rows; ask for --min-sqnr";
  if (!b->min_agreement_percent.set) {
    if (!b->min_sqnr_db.set || !selects_rows(e)) return;
    c.limit = ROWS_FOUND;
  }
  add_least(all, c, VLM_VERDICT_AGREEMENT);
}

vlm_status vlm_judge_outputs(vlm_verdict *out, vlm_checks *checks, vlm_graph_eval *e, const vlm_budget *b,
                             vlm_error *err) {
  vlm_status st = VLM_OK;
  *out = VLM_VERDICT_NO_BUDGET;
  *checks = (vlm_checks){.count = 0};
  if (!e->compared) return VLM_OK;
  VLM_TRY(vlm_new(&checks->items, 4, err));
  if (b->max_accuracy_drop.set && e->accuracy.measured)
    add_drop(checks,
             (vlm_check){.key = "top1_accuracy_drop",
                         .metric = "top-1 accuracy drop",
                         .unit = " points",
                         .samples = e->samples,
                         .limit = b->max_accuracy_drop.value,
                         .why = e->samples < 2 ? "one sample tells nothing about a share" : NULL},
             &e->accuracy.drop, b->gate, VLM_VERDICT_ACCURACY);
  add_sqnr(checks, e, &b->min_sqnr_db);
  add_agreement(checks, e, b);
  add_speed(checks, b, vlm_speedup_of_outputs(e), e->samples);
  *out = conclude(checks);
out:
  return st;
}

/* ---- as text ---- */

vlm_status vlm_check_text(vlm_text *out, const vlm_check *c, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_text_print(out, err, "%s", c->metric));
  if (c->of) VLM_TRY(vlm_text_print(out, err, " of \"%.200s\"", c->of));
  if (c->why && isnan(c->value)) VLM_TRY(vlm_text_print(out, err, " not known"));
  else VLM_TRY(vlm_text_print(out, err, " %.2f%s", c->value, c->unit));
  if (c->estimated && !c->why)
    VLM_TRY(vlm_text_print(out, err, " (95 %% interval %.2f to %.2f%s)", c->low, c->high, c->unit));
  VLM_TRY(vlm_text_print(out, err, ", wanted at %s %g%s", c->at_most ? "most" : "least", c->limit, c->unit));
  if (c->why) VLM_TRY(vlm_text_print(out, err, "; %s", c->why));
  if (c->verdict != VLM_VERDICT_INCONCLUSIVE || (c->why && !c->needed)) goto out;
  if (c->needed)
    VLM_TRY(vlm_text_print(out, err, "; %lld samples are too few, about %lld are needed",
                           (long long)c->samples, (long long)c->needed));
  else VLM_TRY(vlm_text_print(out, err, "; it lies at the limit, no number of samples would decide"));
out:
  return st;
}
