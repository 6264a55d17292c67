/* vlm-eval: what quantization cost and gained, with a verdict as exit code. */
#include "cli/data.h"
#include "cli/eval.h"
#include "cli/provenance.h"
#include "eval/metrics_only.h"
#include "runtime/base/memory.h"

/* ---- --metrics-only ---- */

static vlm_status metrics_only(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_metrics metrics = {0};
  vlm_json_writer *w = NULL;
  const char *text;
  const vlm_option_values *files = &cli->args->metrics_only;
  VLM_CHECK(files->count == 2, err, VLM_USAGE,
            "--metrics-only wants two files, hypotheses and references, got %d", files->count);
  const vlm_metrics_opts opts = {.only_with_results = cli->args->subset, .split = cli->args->split};
  VLM_TRY(vlm_metrics_score_files(&metrics, files->items[0], files->items[1], &opts, err));
  const int64_t *left_out = metrics.set.left_out;
  if (left_out[0] || left_out[1])
    vlm_say(cli,
            "%lld images scored; left out: %lld images without a caption, %lld captions without references",
            (long long)metrics.set.n, (long long)left_out[0], (long long)left_out[1]);
  const vlm_scores *s = &metrics.corpus;
  if (metrics.line_breaks)
    vlm_say(cli, "%lld captions have line breaks inside; they count as blanks",
            (long long)metrics.line_breaks);
  if (!VLM_OPTION_GIVEN(cli->args, json))
    printf("BLEU-1 %.4f\nBLEU-2 %.4f\nBLEU-3 %.4f\nBLEU-4 %.4f\nROUGE-L %.4f\nCIDEr-D %.4f\nCIDEr %.4f\n",
           s->bleu[0], s->bleu[1], s->bleu[2], s->bleu[3], s->rouge_l, s->cider_d, s->cider);
  VLM_TRY(vlm_json_writer_create(&w, 0, err));
  vlm_json_open_object(w, NULL);
  vlm_json_put_int(w, "images", metrics.set.n);
  vlm_json_open_object(w, "scores");
  vlm_put_scores(w, "candidate", s);
  vlm_json_close_object(w);
  vlm_json_open_object(w, "left_out");
  vlm_json_put_int(w, "images_without_caption", left_out[0]);
  vlm_json_put_int(w, "captions_without_references", left_out[1]);
  vlm_json_close_object(w);
  vlm_put_provenance(w, cli, NULL);
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(cli, text, err));
out:
  vlm_json_writer_free(w);
  vlm_metrics_free(&metrics);
  return st;
}

/* ---- models and data ---- */

/* One model and a baseline: the older is the reference of the newer. */
static void choose_models(vlm_eval_job *j) {
  const vlm_option_values *given = &j->cli->args->positional;
  const char *baseline = j->cli->args->baseline;
  j->watched = baseline != NULL;
  j->paths[VLM_EVAL_REFERENCE] = given->items[0];
  if (given->count > 1) {
    j->paths[VLM_EVAL_CANDIDATE] = given->items[1];
    j->paths[VLM_EVAL_BASELINE] = baseline;
  } else if (baseline) {
    j->paths[VLM_EVAL_REFERENCE] = baseline;
    j->paths[VLM_EVAL_CANDIDATE] = given->items[0];
  }
}

static vlm_status open_models(vlm_eval_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int k = 0; k < VLM_EVAL_MODELS; k++) {
    if (!j->paths[k]) continue;
    VLM_TRY(vlm_cli_open(&j->bundles[k], j->cli, j->paths[k], VLM_OPEN_TO_RUN, err));
    VLM_TRY(vlm_flow_evaluate_check(j->bundles[0], j->bundles[k], err));
  }
out:
  return st;
}

static vlm_status open_data(vlm_eval_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = j->cli->args;
  VLM_TRY(vlm_cli_captions(&j->captions, j->cli, args->refs, err));
  if (args->labels) VLM_TRY(vlm_labels_load(&j->labels, args->labels, err));
  VLM_TRY(vlm_cli_data(&j->set, j->cli, j->bundles[0], &j->captions, &j->skipped, err));
out:
  return st;
}

/* ---- options of the run ---- */

#define LIMIT(field) \
  { .set = VLM_OPTION_GIVEN(args, field), .value = args->field }

static void read_options(vlm_eval_job *j) {
  const vlm_args *args = j->cli->args;
  j->opts.budget = (vlm_budget){.max_drop_percent = LIMIT(max_drop),
                                .max_accuracy_drop = LIMIT(max_accuracy_drop),
                                .min_agreement_percent = LIMIT(min_agreement),
                                .min_speedup = LIMIT(min_speedup),
                                .min_sqnr_db = LIMIT(min_sqnr),
                                .gate = (vlm_gate)args->gate};
  j->opts.prompts = args->prompt.items;
  j->opts.n_prompts = args->prompt.count;
  j->opts.max_new_tokens = args->max_new_tokens;
  j->opts.beams = args->beams;
  j->opts.bootstrap.resamples = args->bootstrap;
  j->opts.bootstrap.seed = (uint64_t)args->seed;
  j->opts.labels = j->labels;
  j->opts.skip_bad = args->on_bad != 0;
  j->opts.skipped = vlm_skipped_add;
  j->opts.skipped_user = &j->skipped;
}

/* ---- running ---- */

/* The baseline against the same reference, for what each image was like before. */
static vlm_status run_shadow(vlm_eval_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_flow_evaluate_opts opts = j->opts;
  if (!j->watched) return VLM_OK;
  opts.budget = (vlm_budget){.gate = VLM_GATE_CI};
  opts.on_answer = NULL;
  opts.on_output = NULL;
  opts.skipped = NULL;
  const bool apart = j->bundles[VLM_EVAL_BASELINE] != NULL;
  if (apart)
    VLM_TRY(vlm_flow_evaluate(&j->shadow, j->context, j->bundles[VLM_EVAL_REFERENCE],
                              j->bundles[VLM_EVAL_BASELINE], j->set, &opts, err));
  VLM_TRY(vlm_regressions_find(&j->regressions, &j->result, apart ? &j->shadow : NULL, err));
out:
  return st;
}

static vlm_status start_profile(vlm_eval_job *j, vlm_error *err) {
  static const char *const TITLES[VLM_EVAL_MODELS] = {[VLM_EVAL_REFERENCE] = "reference",
                                                      [VLM_EVAL_CANDIDATE] = "candidate",
                                                      [VLM_EVAL_BASELINE] = "baseline"};
  vlm_status st = VLM_OK;
  VLM_TRY(vlm_cli_profile_start(&j->profile, j->cli, j->context, err));
  for (int k = 0; j->profile && k < VLM_EVAL_MODELS; k++)
    if (j->bundles[k]) VLM_TRY(vlm_step_profile_name(j->profile, TITLES[k], j->bundles[k], err));
out:
  return st;
}

static vlm_status run_models(vlm_eval_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(start_profile(j, err));
  VLM_TRY(vlm_eval_records_open(&j->records, j, err));
  vlm_progress_begin(&j->progress, j->cli, "evaluating", 0);
  j->opts.watch = vlm_progress_watch(&j->progress);
  j->opts.owns_constants = !j->bundles[VLM_EVAL_BASELINE]; /* else the reference runs twice */
  j->opts.on_answer = vlm_eval_records_answer;
  j->opts.on_output = vlm_eval_records_output;
  j->opts.user = j->records;
  VLM_TRY(vlm_flow_evaluate(&j->result, j->context, j->bundles[VLM_EVAL_REFERENCE],
                            j->bundles[VLM_EVAL_CANDIDATE], j->set, &j->opts, err));
  VLM_TRY(run_shadow(j, err));
  vlm_progress_end(&j->progress);
  VLM_TRY(vlm_cli_profile_show(j->profile, j->cli, err));
  vlm_skipped_say(&j->skipped);
  VLM_TRY(vlm_eval_records_close(j->records, &j->result, err));
out:
  return st;
}

/* ---- results ---- */

static vlm_status print_result(vlm_eval_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool talk = !j->cli->quiet && !VLM_OPTION_GIVEN(j->cli->args, json);
  if (talk) vlm_eval_table(j);
  VLM_TRY(vlm_eval_json(j, err));
  VLM_TRY(vlm_eval_reports(j, err));
  if (talk) VLM_TRY(vlm_eval_verdict(j, err));
out:
  return st;
}

static vlm_status refuse(const vlm_eval_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_text text = {0};
  vlm_verdict v = j->result.verdict;
  const vlm_check *check = vlm_checks_decisive(&j->result.checks, v);
  if (!check) return VLM_OK;
  fflush(stdout);
  VLM_TRY(vlm_check_text(&text, check, err));
  st = vlm_fail(err, vlm_verdict_status(v), "%s is refused: %s: %s", j->paths[VLM_EVAL_CANDIDATE],
                vlm_verdict_text(v), vlm_text_get(&text));
out:
  vlm_text_free(&text);
  return st;
}

static void close_job(vlm_eval_job *j) {
  vlm_regressions_free(&j->regressions);
  vlm_flow_evaluation_free(&j->result);
  vlm_flow_evaluation_free(&j->shadow);
  vlm_eval_records_free(j->records);
  vlm_free(j->prompts.own);
  vlm_dataset_free(j->set);
  vlm_skipped_free(&j->skipped);
  vlm_caption_set_free(&j->captions);
  vlm_labels_free(j->labels);
  vlm_step_profile_free(j->profile);
  for (int k = 0; k < VLM_EVAL_MODELS; k++) vlm_bundle_free(j->bundles[k]);
  vlm_context_free(j->context);
}

static vlm_status run(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_eval_job j = {.cli = cli};
  if (VLM_OPTION_GIVEN(cli->args, metrics_only)) return metrics_only(cli, err);
  choose_models(&j);
  VLM_TRY(vlm_cli_context(&j.context, cli, err));
  VLM_TRY(open_models(&j, err));
  VLM_TRY(vlm_cli_fit(cli, j.bundles[0], err));
  VLM_TRY(open_data(&j, err));
  read_options(&j);
  VLM_TRY(vlm_cli_prompts(&j.prompts, cli, j.bundles[0], j.set, err));
  const char *candidate = j.paths[VLM_EVAL_CANDIDATE];
  vlm_say(cli, "plan: %zu samples, %s%s%s, %s kernels", vlm_dataset_count(j.set), j.paths[VLM_EVAL_REFERENCE],
          candidate ? " against " : "", candidate ? candidate : "", vlm_context_cpu(j.context));
  if (cli->args->dry_run) VLM_TRY(vlm_eval_plan_json(&j, err));
  if (cli->args->dry_run) goto out;
  VLM_TRY(run_models(&j, err));
  VLM_TRY(print_result(&j, err));
  VLM_TRY(refuse(&j, err));
out:
  close_job(&j);
  return st;
}

int main(int argc, char **argv) { return vlm_program_main('e', run, argc, argv); }
