#include "cli/eval_print.h"

/* ---- JSON ---- */

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
  for (int s = 0; s < VLM_STAGE_COUNT; s++) put_summary(w, s == VLM_STAGE_STEP ? "per_token" : vlm_stage_name((vlm_stage)s), &side->stage_ms[s]);
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

static double tokens_per_s(const vlm_eval_side *s) { return s->decode_ms > 0 ? 1e3 * (double)s->tokens / s->decode_ms : 0; }

/* One member per side, the candidate's only when there is one. */
typedef void put_side(vlm_json_writer *w, const char *key, vlm_eval_side *side);
static void side_scores(vlm_json_writer *w, const char *key, vlm_eval_side *s) { vlm_put_scores(w, key, &s->scores); }
static void side_memory(vlm_json_writer *w, const char *key, vlm_eval_side *s) { put_memory(w, key, &s->memory); }
static void side_rate(vlm_json_writer *w, const char *key, vlm_eval_side *s) { vlm_json_put_double(w, key, tokens_per_s(s)); }

static void put_sides(vlm_json_writer *w, const char *key, vlm_evaluation *e, put_side *put) {
  vlm_json_open_object(w, key);
  put(w, "reference", &e->reference);
  if (e->compared) put(w, "candidate", &e->candidate);
  vlm_json_close_object(w);
}

static void put_comparison(vlm_json_writer *w, vlm_evaluation *e) {
  if (e->scored) {
    vlm_json_open_object(w, "drop");
    vlm_json_put_double(w, "cider_d", e->drop.reference - e->drop.candidate);
    vlm_json_put_double(w, "percent", e->drop.percent);
    vlm_json_open_array(w, "ci95");
    vlm_json_put_double(w, NULL, e->drop.low);
    vlm_json_put_double(w, NULL, e->drop.high);
    vlm_json_close_array(w);
    vlm_json_close_object(w);
  }
  vlm_json_open_object(w, "agreement");
  vlm_json_put_double(w, "exact_captions", vlm_agreement_exact_percent(&e->agreement));
  vlm_json_put_double(w, "tokens", vlm_agreement_token_percent(&e->agreement));
  vlm_json_put_double(w, "first_divergence", vlm_agreement_mean_divergence(&e->agreement));
  vlm_json_close_object(w);
  vlm_json_open_object(w, "sqnr_db");
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (e->sqnr[r].count) vlm_json_put_double(w, r == VLM_ROLE_DECODER_STEP ? "logits" : vlm_role_name((vlm_role)r), vlm_sqnr_db(&e->sqnr[r]));
  vlm_json_close_object(w);
  vlm_json_open_object(w, "kl_per_token");
  vlm_json_put_double(w, "mean", e->kl_mean);
  vlm_json_put_double(w, "p99", vlm_samples_summarize(&e->kl).p99);
  vlm_json_close_object(w);
  vlm_json_put_double(w, "top1_agreement", e->top1_rows ? 100.0 * (double)e->top1_equal / (double)e->top1_rows : 0);
}

static void put_answers(vlm_json_writer *w, vlm_evaluation *e) {
  vlm_json_put_int(w, "images", e->images);
  if (e->scored) put_sides(w, "scores", e, side_scores);
  if (e->compared) put_comparison(w, e);
  put_sides(w, "latency_ms", e, put_latency);
  if (e->compared) vlm_json_put_double(w, "speedup", vlm_speedup_of_answers(e));
  put_sides(w, "tokens_per_s", e, side_rate);
  put_sides(w, "memory_mib", e, side_memory);
}

static const char *const SIDES[2] = {"reference", "candidate"};

static void put_outputs(vlm_json_writer *w, vlm_graph_eval *e, bool compared) {
  vlm_samples *sides[2] = {&e->reference_ms, &e->candidate_ms};
  vlm_json_put_int(w, "samples", e->samples);
  if (compared) {
    vlm_json_open_object(w, "sqnr_db");
    for (int32_t i = 0; i < e->n_outputs; i++) vlm_json_put_double(w, e->names[i], vlm_sqnr_db(&e->sqnr[i]));
    vlm_json_close_object(w);
    if (e->rows) vlm_json_put_double(w, "top1_agreement", vlm_agreement_of_outputs(e));
  }
  vlm_json_open_object(w, "latency_ms");
  for (int k = 0; k < 1 + compared; k++) {
    vlm_json_open_object(w, SIDES[k]);
    put_summary(w, "total", sides[k]);
    vlm_json_close_object(w);
  }
  vlm_json_close_object(w);
  if (compared) vlm_json_put_double(w, "speedup", vlm_speedup_of_outputs(e));
}

vlm_status vlm_eval_json(const vlm_cli *cli, vlm_flow_evaluation *e, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  VLM_TRY(vlm_json_writer_create(&w, 0, err));
  vlm_json_open_object(w, NULL);
  if (e->graph) put_outputs(w, &e->outputs, e->compared);
  else put_answers(w, &e->answers);
  vlm_json_open_object(w, "size_bytes");
  for (int k = 0; k < 1 + e->compared; k++) vlm_json_put_int(w, SIDES[k], (int64_t)e->size_bytes[k]);
  vlm_json_close_object(w);
  if (e->macs.measured) vlm_json_put_double(w, "macs_int8_percent", vlm_coverage_macs_percent(&e->macs));
  vlm_json_put_text(w, "verdict", vlm_verdict_text(e->verdict));
  vlm_json_put_int(w, "exit_code", vlm_status_exit_code(vlm_verdict_status(e->verdict)));
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

/* ---- table ---- */

static void score_rows(const vlm_evaluation *e) {
  const vlm_scores *a = &e->reference.scores, *b = &e->candidate.scores;
  const struct {
    const char *name;
    double a, b;
  } rows[] = {{"BLEU-1", a->bleu[0], b->bleu[0]}, {"BLEU-4", a->bleu[3], b->bleu[3]}, {"ROUGE-L", a->rouge_l, b->rouge_l}, {"CIDEr-D", a->cider_d, b->cider_d},
              {"CIDEr", a->cider, b->cider}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    printf("  %-22s %12.4f", rows[i].name, rows[i].a);
    if (e->compared) printf(" %12.4f", rows[i].b);
    puts("");
  }
}

static void latency_row(const char *name, vlm_samples *a, vlm_samples *b, bool compared) {
  double x = vlm_samples_summarize(a).p50, y = vlm_samples_summarize(b).p50;
  if (!a->count) return;
  printf("  %-22s %9.2f ms", name, x);
  if (compared && b->count) printf(" %9.2f ms   %.2fx", y, y > 0 ? x / y : 0);
  puts("");
}

static void answers_table(vlm_evaluation *e, const size_t size_bytes[2], bool verbose) {
  printf("%-24s %12s%s\n", "", "reference", e->compared ? "    candidate" : "");
  if (e->scored) score_rows(e);
  for (int s = 0; s < VLM_STAGE_COUNT; s++)
    latency_row(s == VLM_STAGE_STEP ? "per token, median" : vlm_stage_name((vlm_stage)s), &e->reference.stage_ms[s], &e->candidate.stage_ms[s], e->compared);
  latency_row("first token, median", &e->reference.first_token_ms, &e->candidate.first_token_ms, e->compared);
  latency_row("total, median", &e->reference.total_ms, &e->candidate.total_ms, e->compared);
  printf("  %-22s %9.2f MB", "size", (double)size_bytes[0] / 1e6);
  if (e->compared)
    printf(" %9.2f MB   %.1f %%", (double)size_bytes[1] / 1e6, 100.0 * (double)size_bytes[1] / (double)size_bytes[0]);
  puts("");
  if (!e->compared) return;
  if (e->scored) printf("CIDEr-D drop             %.3f %%, 95 %% interval %.3f to %.3f %%\n", e->drop.percent, e->drop.low, e->drop.high);
  printf("captions unchanged       %.1f %% of %lld\n", vlm_agreement_exact_percent(&e->agreement), (long long)e->agreement.captions);
  printf("tokens unchanged         %.2f %%\n", vlm_agreement_token_percent(&e->agreement));
  printf("KL per token             %.5f nats, top-1 agreement %.2f %%\n", e->kl_mean, e->top1_rows ? 100.0 * (double)e->top1_equal / (double)e->top1_rows : 0);
  for (int64_t i = 0, shown = 0; verbose && i < e->images && shown < 10; i++) {
    if (e->items[i].exact) continue;
    printf("  %s\n    - %s\n    + %s\n", e->items[i].key, e->items[i].reference, e->items[i].candidate);
    shown++;
  }
}

static void outputs_table(vlm_graph_eval *e, bool compared) {
  for (int32_t i = 0; compared && i < e->n_outputs; i++) printf("  %-40s %7.2f dB\n", e->names[i], vlm_sqnr_db(&e->sqnr[i]));
  if (compared && e->rows) printf("top-1 agreement          %.2f %% of %lld rows\n", vlm_agreement_of_outputs(e), (long long)e->rows);
  latency_row("total, median", &e->reference_ms, &e->candidate_ms, compared);
}

void vlm_eval_table(vlm_flow_evaluation *e, bool verbose) {
  if (e->graph) outputs_table(&e->outputs, e->compared);
  else answers_table(&e->answers, e->size_bytes, verbose);
  if (e->macs.measured) printf("MACs in 8 bits           %.1f %%\n", vlm_coverage_macs_percent(&e->macs));
}
