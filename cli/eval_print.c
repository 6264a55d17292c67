/* Figures of vlm-eval for people. */
#include "cli/eval.h"

static void score_rows(const vlm_evaluation *e, const vlm_prompt_scores *p) {
  const vlm_scores *a = &p->scores[0], *b = &p->scores[1];
  const struct {
    const char *name;
    double a, b;
  } rows[] = {{"BLEU-1", a->bleu[0], b->bleu[0]},
              {"BLEU-4", a->bleu[3], b->bleu[3]},
              {"ROUGE-L", a->rouge_l, b->rouge_l},
              {"CIDEr-D", a->cider_d, b->cider_d},
              {"CIDEr", a->cider, b->cider}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    printf("  %-22s %12.4f", rows[i].name, rows[i].a);
    if (e->compared) printf(" %12.4f", rows[i].b);
    puts("");
  }
}

/* Answers to different prompts have scores of their own. */
static void all_scores(const vlm_evaluation *e) {
  for (int32_t i = 0; i < e->n_prompts; i++) {
    if (e->n_prompts > 1) printf("%s, %lld images\n", e->prompts[i].prompt, (long long)e->prompts[i].images);
    score_rows(e, &e->prompts[i]);
  }
}

static void drop_rows(const vlm_evaluation *e) {
  for (int32_t i = 0; i < e->n_prompts; i++) {
    const vlm_drop *d = &e->prompts[i].drop;
    printf("CIDEr-D drop             %.3f %%, 95 %% interval %.3f to %.3f %%", d->percent, d->low, d->high);
    if (e->n_prompts > 1) printf("  %s", e->prompts[i].prompt);
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
  if (e->scored) all_scores(e);
  for (int s = 0; s < VLM_STAGE_COUNT; s++)
    latency_row(s == VLM_STAGE_STEP ? "per token, median" : vlm_stage_name((vlm_stage)s),
                &e->reference.stage_ms[s], &e->candidate.stage_ms[s], e->compared);
  latency_row("first token, median", &e->reference.first_token_ms, &e->candidate.first_token_ms, e->compared);
  latency_row("total, median", &e->reference.total_ms, &e->candidate.total_ms, e->compared);
  printf("  %-22s %9.2f MB", "size", (double)size_bytes[0] / 1e6);
  if (e->compared)
    printf(" %9.2f MB   %.1f %%", (double)size_bytes[1] / 1e6,
           100.0 * (double)size_bytes[1] / (double)size_bytes[0]);
  puts("");
  if (!e->compared) return;
  if (e->scored) drop_rows(e);
  printf("captions unchanged       %.1f %% of %lld\n", vlm_agreement_exact_percent(&e->agreement),
         (long long)e->agreement.captions);
  printf("tokens unchanged         %.2f %%\n", vlm_agreement_token_percent(&e->agreement));
  printf("KL per token             %.5f nats, top-1 agreement %.2f %%\n", e->kl_mean,
         e->top1_rows ? 100.0 * (double)e->top1_equal / (double)e->top1_rows : 0);
  for (int64_t i = 0, shown = 0; verbose && i < e->images && shown < 10; i++) {
    if (e->items[i].exact) continue;
    printf("  %s\n    - %s\n    + %s\n", e->items[i].key, e->items[i].captions[0], e->items[i].captions[1]);
    shown++;
  }
}

static void output_row(const char *name, const vlm_output_match *m) {
  printf("  %-40s", name);
  if (!m->integers) printf(" %7.2f dB", vlm_sqnr_db(&m->sqnr));
  if (m->sqnr.lost) printf(", %lld values finite on one side alone", (long long)m->sqnr.lost);
  if (vlm_output_match_counts(m))
    printf("%s %.2f %% of %lld %s %s", m->integers ? "" : ",", vlm_output_match_percent(m),
           (long long)m->items, m->integers ? "values" : "rows",
           m->selected ? "found on both sides" : "equal");
  puts("");
}

static void accuracy_rows(const vlm_accuracy *a, bool compared) {
  const double *rows[] = {a->top1, a->top5};
  for (int k = 0; k < 2; k++) {
    printf("  %-22s %9.2f %%", k ? "top-5 accuracy" : "top-1 accuracy", rows[k][0]);
    if (compared) printf("  %9.2f %%", rows[k][1]);
    puts("");
  }
  if (compared)
    printf("top-1 accuracy drop      %.2f points, 95 %% interval %.2f to %.2f\n", a->drop.percent,
           a->drop.low, a->drop.high);
}

static void outputs_table(vlm_graph_eval *e, bool compared) {
  for (int32_t i = 0; compared && i < e->n_outputs; i++) output_row(e->names[i], &e->outputs[i]);
  if (compared && e->rows)
    printf("top-1 agreement          %.2f %% of %lld rows\n", 100.0 * (double)e->equal / (double)e->rows,
           (long long)e->rows);
  if (e->accuracy.measured) accuracy_rows(&e->accuracy, compared);
  latency_row("total, median", &e->reference_ms, &e->candidate_ms, compared);
}

static void regression_rows(const vlm_regressions *r, bool verbose) {
  printf("since the baseline       %lld of %lld worse, %lld better (%s)\n", (long long)r->count,
         (long long)r->samples, (long long)r->better, r->metric);
  const int64_t shown = verbose || r->count < 10 ? r->count : 10;
  for (int64_t i = 0; i < shown; i++) {
    const vlm_regression *item = &r->items[i];
    printf("  %s: %.4g, was %.4g\n", item->key, item->figures[1], item->figures[0]);
    if (item->before) printf("    - %s\n    + %s\n", item->before, item->after);
  }
  if (shown < r->count) printf("  and %lld more (-v, --json)\n", (long long)(r->count - shown));
}

void vlm_eval_table(vlm_eval_job *job) {
  vlm_flow_evaluation *e = &job->result;
  if (e->graph) outputs_table(&e->outputs, e->compared);
  else answers_table(&e->answers, e->size_bytes, job->cli->verbose);
  if (e->macs.measured) printf("MACs in 8 bits           %.1f %%\n", vlm_coverage_macs_percent(&e->macs));
  if (job->watched) regression_rows(&job->regressions, job->cli->verbose);
}

vlm_status vlm_eval_verdict(const vlm_eval_job *job, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_flow_evaluation *e = &job->result;
  vlm_text text = {0};
  if (!e->compared) return VLM_OK;
  printf("verdict: %s\n", vlm_verdict_text(e->verdict));
  for (int32_t i = 0; i < e->checks.count; i++) {
    vlm_text_clear(&text);
    VLM_TRY(vlm_check_text(&text, &e->checks.items[i], err));
    printf("  %-13s %s\n", vlm_verdict_text(e->checks.items[i].verdict), vlm_text_get(&text));
  }
out:
  vlm_text_free(&text);
  return st;
}
