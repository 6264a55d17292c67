/* vlm-eval: what quantization cost and gained, with a verdict as exit code. */
#include "cli/data.h"
#include "cli/eval_print.h"
#include "cli/program.h"
#include "eval/metrics_only.h"

typedef struct {
  const vlm_cli *cli;
  const char *paths[2];
  int n_paths;
  vlm_context *context;
  vlm_bundle *bundles[2];
  vlm_captions *captions;
  vlm_dataset *set;
  vlm_progress progress;
  vlm_flow_evaluate_opts opts;
  vlm_flow_evaluation result;
} eval_job;

/* ---- --metrics-only ---- */

static vlm_status metrics_only(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_metrics metrics = {0};
  vlm_json_writer *w = NULL;
  const char *text;
  const vlm_option_values *files = &cli->args->metrics_only;
  VLM_CHECK(files->count == 2, err, VLM_USAGE, "--metrics-only wants two files, hypotheses and references, got %d", files->count);
  VLM_TRY(vlm_metrics_score_files(&metrics, files->items[0], files->items[1], NULL, err));
  const vlm_scores *s = &metrics.corpus;
  if (metrics.line_breaks) vlm_say(cli, "%lld captions have line breaks inside; they count as blanks", (long long)metrics.line_breaks);
  if (!VLM_OPTION_GIVEN(cli->args, json))
    printf("BLEU-1 %.4f\nBLEU-2 %.4f\nBLEU-3 %.4f\nBLEU-4 %.4f\nROUGE-L %.4f\nCIDEr-D %.4f\nCIDEr %.4f\n", s->bleu[0], s->bleu[1], s->bleu[2], s->bleu[3],
           s->rouge_l, s->cider_d, s->cider);
  VLM_TRY(vlm_json_writer_create(&w, 0, err));
  vlm_json_open_object(w, NULL);
  vlm_json_put_int(w, "images", metrics.set.n);
  vlm_json_open_object(w, "scores");
  vlm_put_scores(w, "candidate", s);
  vlm_json_close_object(w);
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(cli, text, err));
out:
  vlm_json_writer_free(w);
  vlm_metrics_free(&metrics);
  return st;
}

/* ---- models and data ---- */

static vlm_status open_models(eval_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_option_values *given = &j->cli->args->positional;
  j->n_paths = given->count;
  for (int k = 0; k < given->count; k++) {
    j->paths[k] = given->items[k];
    VLM_TRY(vlm_cli_open(&j->bundles[k], j->cli, given->items[k], VLM_OPEN_TO_RUN, err));
  }
  VLM_TRY(vlm_flow_evaluate_check(j->bundles[0], j->bundles[1], err));
out:
  return st;
}

/* ---- options of the run ---- */

#define LIMIT(field) {.set = VLM_OPTION_GIVEN(args, field), .value = args->field}

static void read_options(eval_job *j) {
  const vlm_args *args = j->cli->args;
  j->opts.budget = (vlm_budget){.max_drop_percent = LIMIT(max_drop),
                                .min_agreement_percent = LIMIT(min_agreement),
                                .min_speedup = LIMIT(min_speedup),
                                .min_sqnr_db = LIMIT(min_sqnr)};
  j->opts.prompts = args->prompt.items;
  j->opts.n_prompts = args->prompt.count;
  j->opts.max_new_tokens = args->max_new_tokens;
  j->opts.beams = args->beams;
  j->opts.bootstrap.resamples = args->bootstrap;
  j->opts.bootstrap.seed = (uint64_t)args->seed;
}

/* ---- results ---- */

static vlm_status print_result(eval_job *j, vlm_error *err) {
  bool json = VLM_OPTION_GIVEN(j->cli->args, json);
  const vlm_limit *drop = &j->opts.budget.max_drop_percent;
  if (!j->cli->quiet && !json) vlm_eval_table(&j->result, j->cli->verbose);
  vlm_status st = vlm_eval_json(j->cli, &j->result, err);
  if (st != VLM_OK || json || j->cli->quiet || j->n_paths < 2) return st;
  printf("verdict: %s", vlm_verdict_text(j->result.verdict));
  if (drop->set) printf("  (drop budget %g %%)", drop->value);
  puts("");
  return VLM_OK;
}

static vlm_status refuse(const eval_job *j, vlm_error *err) {
  vlm_verdict v = j->result.verdict;
  if (v == VLM_VERDICT_PASS) return VLM_OK;
  fflush(stdout);
  return vlm_fail(err, vlm_verdict_status(v), "%s is refused: %s", j->paths[1], vlm_verdict_text(v));
}

static vlm_status run(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  eval_job j = {.cli = cli};
  if (VLM_OPTION_GIVEN(cli->args, metrics_only)) return metrics_only(cli, err);
  read_options(&j);
  VLM_TRY(vlm_cli_context(&j.context, cli, err));
  VLM_TRY(open_models(&j, err));
  VLM_TRY(vlm_cli_fit(cli, j.bundles[0], err));
  if (cli->args->refs) VLM_TRY(vlm_captions_load(&j.captions, cli->args->refs, err));
  VLM_TRY(vlm_cli_data(&j.set, cli, j.bundles[0], j.captions, err));
  vlm_say(cli, "plan: %zu samples, %s%s%s, %s kernels", vlm_dataset_count(j.set), j.paths[0], j.n_paths > 1 ? " against " : "",
          j.n_paths > 1 ? j.paths[1] : "", vlm_context_cpu(j.context));
  if (cli->args->dry_run) goto out;
  vlm_progress_begin(&j.progress, cli, "evaluating", 0);
  j.opts.watch = vlm_progress_watch(&j.progress);
  j.opts.owns_constants = true;
  VLM_TRY(vlm_flow_evaluate(&j.result, j.context, j.bundles[0], j.bundles[1], j.set, &j.opts, err));
  vlm_progress_end(&j.progress);
  VLM_TRY(print_result(&j, err));
  VLM_TRY(refuse(&j, err));
out:
  vlm_flow_evaluation_free(&j.result);
  vlm_dataset_free(j.set);
  vlm_captions_free(j.captions);
  vlm_bundle_free(j.bundles[0]);
  vlm_bundle_free(j.bundles[1]);
  vlm_context_free(j.context);
  return st;
}

int main(int argc, char **argv) { return vlm_program_main('e', run, argc, argv); }
