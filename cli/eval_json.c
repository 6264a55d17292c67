#include "cli/eval.h"
#include "cli/provenance.h"

static const char *const SIDES[2] = {"reference", "candidate"};

void vlm_put_scores(vlm_json_writer *w, const char *key, const vlm_scores *s) {
  vlm_json_open_object(w, key);
  vlm_json_open_array(w, "bleu");
  for (int n = 0; n < 4; n++) vlm_json_put_double(w, NULL, s->bleu[n]);
  vlm_json_close_array(w);
  vlm_json_put_double(w, "rouge_l", s->rouge_l);
  vlm_json_put_double(w, "cider_d", s->cider_d);
  vlm_json_put_double(w, "cider", s->cider);
  vlm_json_close_object(w);
}

static void put_summary(vlm_json_writer *w, const char *key, vlm_samples *samples) {
  vlm_summary s = vlm_samples_summarize(samples);
  if (s.n == 0) return;
  vlm_json_open_object(w, key);
  vlm_json_put_double(w, "p50", s.p50);
  vlm_json_put_double(w, "p90", s.p90);
  vlm_json_put_double(w, "p95", s.p95);
  vlm_json_put_double(w, "p99", s.p99);
  vlm_json_put_int(w, "n", s.n);
  vlm_json_close_object(w);
}

static void put_latency(vlm_json_writer *w, const char *key, vlm_eval_side *side) {
  vlm_json_open_object(w, key);
  for (int s = 0; s < VLM_STAGE_COUNT; s++)
    put_summary(w, s == VLM_STAGE_STEP ? "per_token" : vlm_stage_name((vlm_stage)s), &side->stage_ms[s]);
  put_summary(w, "first_token", &side->first_token_ms);
  put_summary(w, "total", &side->total_ms);
  vlm_json_close_object(w);
}

static void put_memory(vlm_json_writer *w, const char *key, const vlm_memory_use *m) {
  vlm_json_open_object(w, key);
  vlm_json_put_double(w, "private_dirty", m->private_dirty_mib);
  vlm_json_put_double(w, "private_clean", m->private_clean_mib);
  vlm_json_put_double(w, "peak_rss", vlm_peak_rss_mib());
  vlm_json_close_object(w);
}

static double tokens_per_s(const vlm_eval_side *s) {
  return s->decode_ms > 0 ? 1e3 * (double)s->tokens / s->decode_ms : 0;
}

/* One member per side, the candidate's only when there is one. */
typedef void put_side(vlm_json_writer *w, const char *key, vlm_eval_side *side);
static void side_memory(vlm_json_writer *w, const char *key, vlm_eval_side *s) {
  put_memory(w, key, &s->memory);
}
static void side_rate(vlm_json_writer *w, const char *key, vlm_eval_side *s) {
  vlm_json_put_double(w, key, tokens_per_s(s));
}

static void put_sides(vlm_json_writer *w, const char *key, vlm_evaluation *e, put_side *put) {
  vlm_json_open_object(w, key);
  put(w, "reference", &e->reference);
  if (e->compared) put(w, "candidate", &e->candidate);
  vlm_json_close_object(w);
}

static void put_interval(vlm_json_writer *w, const char *key, double low, double high) {
  vlm_json_open_array(w, key);
  vlm_json_put_double(w, NULL, low);
  vlm_json_put_double(w, NULL, high);
  vlm_json_close_array(w);
}

static void put_prompt(vlm_json_writer *w, const vlm_prompt_scores *p, bool compared) {
  vlm_json_open_object(w, "scores");
  for (int k = 0; k < 1 + compared; k++) vlm_put_scores(w, SIDES[k], &p->scores[k]);
  vlm_json_close_object(w);
  if (!compared) return;
  vlm_json_open_object(w, "drop");
  vlm_json_put_double(w, "cider_d", p->drop.reference - p->drop.candidate);
  vlm_json_put_double(w, "percent", p->drop.percent);
  put_interval(w, "ci95", p->drop.low, p->drop.high);
  vlm_json_close_object(w);
}

/* One prompt's scores are members; several prompts are a list, for they have no common score. */
static void put_prompts(vlm_json_writer *w, const vlm_evaluation *e) {
  if (!e->scored) return;
  if (e->n_prompts == 1) {
    put_prompt(w, &e->prompts[0], e->compared);
    return;
  }
  vlm_json_open_array(w, "prompts");
  for (int32_t i = 0; i < e->n_prompts; i++) {
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "prompt", e->prompts[i].prompt);
    vlm_json_put_int(w, "images", e->prompts[i].images);
    put_prompt(w, &e->prompts[i], e->compared);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
}

static void put_comparison(vlm_json_writer *w, vlm_evaluation *e) {
  vlm_json_open_object(w, "agreement");
  vlm_json_put_double(w, "exact_captions", vlm_agreement_exact_percent(&e->agreement));
  vlm_json_put_double(w, "tokens", vlm_agreement_token_percent(&e->agreement));
  vlm_json_put_double(w, "first_divergence", vlm_agreement_mean_divergence(&e->agreement));
  vlm_json_close_object(w);
  vlm_json_open_object(w, "sqnr_db");
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (e->sqnr[r].count)
      vlm_json_put_double(w, r == VLM_ROLE_DECODER_STEP ? "logits" : vlm_role_name((vlm_role)r),
                          vlm_sqnr_db(&e->sqnr[r]));
  vlm_json_close_object(w);
  vlm_json_open_object(w, "kl_per_token");
  vlm_json_put_double(w, "mean", e->kl_mean);
  vlm_json_put_double(w, "p99", vlm_samples_summarize(&e->kl).p99);
  vlm_json_close_object(w);
  vlm_json_put_double(w, "top1_agreement",
                      e->top1_rows ? 100.0 * (double)e->top1_equal / (double)e->top1_rows : 0);
}

static void put_answers(vlm_json_writer *w, vlm_evaluation *e) {
  vlm_json_put_int(w, "images", e->images);
  put_prompts(w, e);
  if (e->compared) put_comparison(w, e);
  put_sides(w, "latency_ms", e, put_latency);
  if (e->compared) vlm_json_put_double(w, "speedup", vlm_speedup_of_answers(e));
  put_sides(w, "tokens_per_s", e, side_rate);
  put_sides(w, "memory_mib", e, side_memory);
}

static void put_agreement(vlm_json_writer *w, const vlm_graph_eval *e) {
  vlm_json_open_object(w, "sqnr_db");
  for (int32_t i = 0; i < e->n_outputs; i++)
    if (!e->outputs[i].integers) vlm_json_put_double(w, e->names[i], vlm_sqnr_db(&e->outputs[i].sqnr));
  vlm_json_close_object(w);
  vlm_json_open_object(w, "lost_values");
  for (int32_t i = 0; i < e->n_outputs; i++)
    if (e->outputs[i].sqnr.lost) vlm_json_put_int(w, e->names[i], e->outputs[i].sqnr.lost);
  vlm_json_close_object(w);
  vlm_json_open_object(w, "agreement");
  for (int32_t i = 0; i < e->n_outputs; i++)
    if (vlm_output_match_counts(&e->outputs[i]))
      vlm_json_put_double(w, e->names[i], vlm_output_match_percent(&e->outputs[i]));
  vlm_json_close_object(w);
  if (e->rows) vlm_json_put_double(w, "top1_agreement", 100.0 * (double)e->equal / (double)e->rows);
}

static void put_accuracy(vlm_json_writer *w, const vlm_accuracy *a, bool compared) {
  vlm_json_open_object(w, "accuracy");
  for (int k = 0; k < 1 + compared; k++) {
    vlm_json_open_object(w, SIDES[k]);
    vlm_json_put_double(w, "top1", a->top1[k]);
    vlm_json_put_double(w, "top5", a->top5[k]);
    vlm_json_close_object(w);
  }
  if (compared) vlm_json_put_double(w, "drop_points", a->drop.percent);
  if (compared) put_interval(w, "ci95", a->drop.low, a->drop.high);
  vlm_json_close_object(w);
}

static void put_outputs(vlm_json_writer *w, vlm_graph_eval *e, bool compared) {
  vlm_samples *sides[2] = {&e->reference_ms, &e->candidate_ms};
  vlm_json_put_int(w, "samples", e->samples);
  if (compared) put_agreement(w, e);
  if (e->accuracy.measured) put_accuracy(w, &e->accuracy, compared);
  vlm_json_open_object(w, "latency_ms");
  for (int k = 0; k < 1 + compared; k++) {
    vlm_json_open_object(w, SIDES[k]);
    put_summary(w, "total", sides[k]);
    vlm_json_close_object(w);
  }
  vlm_json_close_object(w);
  if (compared) vlm_json_put_double(w, "speedup", vlm_speedup_of_outputs(e));
}

/* ---- verdict ---- */

static vlm_status put_check(vlm_json_writer *w, const vlm_check *c, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text text = {0};
  VLM_TRY(vlm_check_text(&text, c, err));
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "metric", c->key);
  if (c->of) vlm_json_put_text(w, "of", c->of);
  vlm_json_put_double(w, "value", c->value);
  if (c->estimated) put_interval(w, "ci95", c->low, c->high);
  vlm_json_put_double(w, c->at_most ? "at_most" : "at_least", c->limit);
  vlm_json_put_text(w, "result", vlm_verdict_text(c->verdict));
  vlm_json_put_int(w, "samples", c->samples);
  if (c->needed) vlm_json_put_int(w, "samples_needed", c->needed);
  vlm_json_put_text(w, "text", vlm_text_get(&text));
  vlm_json_close_object(w);
out:
  vlm_text_free(&text);
  return st;
}

static vlm_status put_verdict(vlm_json_writer *w, const vlm_flow_evaluation *e, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_put_text(w, "verdict", vlm_verdict_text(e->verdict));
  vlm_json_put_int(w, "exit_code", vlm_status_exit_code(vlm_verdict_status(e->verdict)));
  vlm_json_open_array(w, "checks");
  for (int32_t i = 0; i < e->checks.count; i++) VLM_TRY(put_check(w, &e->checks.items[i], err));
  vlm_json_close_array(w);
out:
  return st;
}

static void put_regressions(vlm_json_writer *w, const vlm_regressions *r) {
  vlm_json_open_object(w, "regressions");
  vlm_json_put_text(w, "metric", r->metric);
  vlm_json_put_int(w, "worse", r->count);
  vlm_json_put_int(w, "better", r->better);
  vlm_json_open_array(w, "items");
  for (int64_t i = 0; i < r->count; i++) {
    const vlm_regression *item = &r->items[i];
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "sample", item->key);
    if (item->prompt) vlm_json_put_text(w, "prompt", item->prompt);
    vlm_json_put_double(w, "before", item->figures[0]);
    vlm_json_put_double(w, "after", item->figures[1]);
    if (item->before) vlm_json_put_text(w, "caption_before", item->before);
    if (item->after) vlm_json_put_text(w, "caption_after", item->after);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
  vlm_json_close_object(w);
}

/* ---- the run ---- */

static vlm_status put_run(vlm_json_writer *w, vlm_eval_job *j, vlm_error *err) {
  static const char *const ROLES[VLM_EVAL_MODELS] = {"reference", "candidate", "baseline"};
  vlm_status st = VLM_OK;
  vlm_put_provenance(w, j->cli, j->context);
  vlm_json_open_object(w, "models");
  for (int k = 0; k < VLM_EVAL_MODELS; k++)
    if (j->paths[k]) VLM_TRY(vlm_put_model(w, ROLES[k], j->paths[k], err));
  vlm_json_close_object(w);
  vlm_json_open_object(w, "bootstrap");
  vlm_json_put_int(w, "resamples", j->cli->args->bootstrap);
  vlm_json_put_int(w, "seed", j->cli->args->seed);
  vlm_json_close_object(w);
out:
  return st;
}

typedef vlm_status put_content(vlm_json_writer *w, vlm_eval_job *j, vlm_error *err);

static vlm_status print_object(vlm_eval_job *j, put_content *put, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  if (!VLM_OPTION_GIVEN(j->cli->args, json)) return VLM_OK;
  VLM_TRY(vlm_json_writer_create(&w, 0, err));
  vlm_json_open_object(w, NULL);
  VLM_TRY(put(w, j, err));
  VLM_TRY(put_run(w, j, err));
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(j->cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

static vlm_status put_result(vlm_json_writer *w, vlm_eval_job *j, vlm_error *err) {
  vlm_flow_evaluation *e = &j->result;
  if (e->graph) put_outputs(w, &e->outputs, e->compared);
  else put_answers(w, &e->answers);
  vlm_json_open_object(w, "size_bytes");
  for (int k = 0; k < 1 + e->compared; k++) vlm_json_put_int(w, SIDES[k], (int64_t)e->size_bytes[k]);
  vlm_json_close_object(w);
  if (e->macs.measured) vlm_json_put_double(w, "macs_int8_percent", vlm_coverage_macs_percent(&e->macs));
  if (j->watched) put_regressions(w, &j->regressions);
  vlm_put_skipped(w, &j->skipped);
  return put_verdict(w, e, err);
}

vlm_status vlm_eval_json(vlm_eval_job *job, vlm_error *err) { return print_object(job, put_result, err); }

static vlm_status put_plan(vlm_json_writer *w, vlm_eval_job *j, vlm_error *err) {
  const bool graph = j->bundles[0]->family == VLM_FAMILY_GRAPH;
  (void)err;
  vlm_json_open_object(w, "plan");
  vlm_json_put_int(w, "samples", (int64_t)vlm_dataset_count(j->set));
  vlm_json_open_array(w, "prompts");
  for (int32_t i = 0; i < j->prompts.count && !graph; i++) vlm_json_put_text(w, NULL, j->prompts.items[i]);
  vlm_json_close_array(w);
  vlm_json_put_int(w, "runs", (int64_t)vlm_dataset_count(j->set) * (graph ? 1 : j->prompts.count));
  vlm_json_put_bool(w, "scored", j->captions.n_images || j->labels);
  vlm_json_close_object(w);
  return VLM_OK;
}

vlm_status vlm_eval_plan_json(vlm_eval_job *job, vlm_error *err) { return print_object(job, put_plan, err); }
