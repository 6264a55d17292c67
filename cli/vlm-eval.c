/* vlm-eval: what quantization cost and gained, with a verdict as exit code. */
#include "cli/data.h"
#include "cli/eval_print.h"
#include "cli/program.h"
#include "eval/metrics_only.h"

static const char USAGE[] =
    "  vlm-eval REFERENCE [CANDIDATE] --images PATH... [--refs CAPTIONS.json] [options]\n"
    "  vlm-eval REFERENCE.onnx [CANDIDATE.vlmq] --inputs PATH... [options]\n"
    "  vlm-eval --metrics-only HYPOTHESES.json REFERENCES.json\n";
static const char EXAMPLES[] =
    "  vlm-eval florence2/ florence2.vlmq --images val/ --refs captions.json --max-drop 1.2%\n"
    "  vlm-eval detector.onnx detector.vlmq --inputs samples/ --min-sqnr 25\n"
    "  vlm-eval --metrics-only answers.json captions.json --json\n";

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

/* ---- options that go with one use only, so that none is ignored ---- */

#define BUDGETS VLM_OPT_MAX_DROP, VLM_OPT_MIN_AGREEMENT, VLM_OPT_MIN_SPEEDUP, VLM_OPT_MIN_SQNR
#define OF_PIPELINES VLM_OPT_PROMPT, VLM_OPT_REFS, VLM_OPT_BEAMS, VLM_OPT_MAX_NEW_TOKENS, VLM_OPT_BOOTSTRAP, VLM_OPT_SEED, VLM_OPT_DECODER

static vlm_status check_metrics_options(const vlm_cli *cli, vlm_error *err) {
  static const vlm_option_id MODELS[] = {BUDGETS,       OF_PIPELINES,      VLM_OPT_IMAGES, VLM_OPT_INPUTS, VLM_OPT_SAMPLE_AXIS,
                                         VLM_OPT_LIMIT, VLM_OPT_SHAPE,     VLM_OPT_DRY_RUN, VLM_OPT_COUNT};
  const vlm_option_values *given = &cli->args->positional;
  if (given->count) return vlm_fail(err, VLM_USAGE, "--metrics-only takes two caption files only, got %s too", given->items[0]);
  return vlm_args_refuse(cli->args, MODELS, "--metrics-only, which runs no model", err);
}

static vlm_status check_options(const eval_job *j, vlm_error *err) {
  static const vlm_option_id OF_COMPARISONS[] = {BUDGETS, VLM_OPT_COUNT};
  static const vlm_option_id PIPELINE[] = {OF_PIPELINES, VLM_OPT_MAX_DROP, VLM_OPT_COUNT};
  static const vlm_option_id GRAPH[] = {VLM_OPT_SAMPLE_AXIS, VLM_OPT_MIN_SQNR, VLM_OPT_COUNT};
  vlm_status st = VLM_OK;
  bool graph = j->bundles[0]->family == VLM_FAMILY_GRAPH;
  VLM_TRY(vlm_args_refuse(j->cli->args, graph ? PIPELINE : GRAPH, graph ? "a single graph" : "a pipeline", err));
  if (j->n_paths == 1) VLM_TRY(vlm_args_refuse(j->cli->args, OF_COMPARISONS, "one model: name the candidate too", err));
out:
  return st;
}

/* ---- --metrics-only ---- */

static vlm_status metrics_only(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_metrics metrics = {0};
  vlm_json_writer *w = NULL;
  const char *text;
  const vlm_option_values *files = &cli->args->options[VLM_OPT_METRICS_ONLY];
  VLM_TRY(check_metrics_options(cli, err));
  VLM_CHECK(files->count == 2, err, VLM_USAGE, "--metrics-only wants two files, hypotheses and references, got %d", files->count);
  VLM_TRY(vlm_metrics_score_files(&metrics, files->items[0], files->items[1], NULL, err));
  const vlm_scores *s = &metrics.corpus;
  if (metrics.line_breaks) vlm_say(cli, "%lld captions have line breaks inside; they count as blanks", (long long)metrics.line_breaks);
  if (!vlm_args_has(cli->args, VLM_OPT_JSON))
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
  VLM_CHECK(given->count == 1 || given->count == 2, err, VLM_USAGE, "wanted one or two models, got %d; see vlm-eval --help", given->count);
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

static vlm_status read_limit(vlm_limit *out, const eval_job *j, vlm_option_id id, vlm_error *err) {
  out->set = vlm_args_has(j->cli->args, id);
  return vlm_args_number(&out->value, j->cli->args, id, 0, err);
}

static vlm_status read_budget(eval_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_budget *b = &j->opts.budget;
  VLM_TRY(read_limit(&b->max_drop_percent, j, VLM_OPT_MAX_DROP, err));
  VLM_TRY(read_limit(&b->min_agreement_percent, j, VLM_OPT_MIN_AGREEMENT, err));
  VLM_TRY(read_limit(&b->min_speedup, j, VLM_OPT_MIN_SPEEDUP, err));
  VLM_TRY(read_limit(&b->min_sqnr_db, j, VLM_OPT_MIN_SQNR, err));
out:
  return st;
}

static vlm_status read_generation(eval_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = j->cli->args;
  const vlm_option_values *prompts = &args->options[VLM_OPT_PROMPT];
  int64_t seed;
  j->opts.prompts = prompts->items;
  j->opts.n_prompts = prompts->count;
  VLM_TRY(vlm_args_int(&j->opts.max_new_tokens, args, VLM_OPT_MAX_NEW_TOKENS, 0, 1, 4096, err));
  VLM_TRY(vlm_args_int(&j->opts.beams, args, VLM_OPT_BEAMS, 0, 1, 64, err));
  VLM_TRY(vlm_args_int(&j->opts.bootstrap.resamples, args, VLM_OPT_BOOTSTRAP, 1000, 10, 1000000, err));
  VLM_TRY(vlm_args_int(&seed, args, VLM_OPT_SEED, 1, 0, INT64_MAX, err));
  j->opts.bootstrap.seed = (uint64_t)seed;
out:
  return st;
}

/* ---- results ---- */

static vlm_status print_result(eval_job *j, vlm_error *err) {
  bool json = vlm_args_has(j->cli->args, VLM_OPT_JSON);
  const vlm_limit *drop = &j->opts.budget.max_drop_percent;
  if (!j->cli->quiet && !json) vlm_eval_table(&j->result, j->cli->verbose);
  vlm_status st = vlm_eval_json(j->cli, &j->result, err);
  if (st != VLM_OK || json || j->cli->quiet || j->n_paths < 2) return st;
  printf("verdict: %s", vlm_verdict_text(j->result.verdict));
  if (drop->set) printf("  (drop budget %.2f %%)", drop->value);
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
  if (vlm_args_has(cli->args, VLM_OPT_METRICS_ONLY)) return metrics_only(cli, err);
  VLM_TRY(read_budget(&j, err));
  VLM_TRY(read_generation(&j, err));
  VLM_TRY(vlm_cli_context(&j.context, cli, err));
  VLM_TRY(open_models(&j, err));
  VLM_TRY(check_options(&j, err));
  const char *refs = vlm_args_text(cli->args, VLM_OPT_REFS, NULL);
  if (refs) VLM_TRY(vlm_captions_load(&j.captions, refs, err));
  VLM_TRY(vlm_cli_data(&j.set, cli, j.bundles[0], j.captions, err));
  vlm_say(cli, "plan: %zu samples, %s%s%s, %s kernels", vlm_dataset_count(j.set), j.paths[0], j.n_paths > 1 ? " against " : "",
          j.n_paths > 1 ? j.paths[1] : "", vlm_context_cpu(j.context));
  if (vlm_args_has(cli->args, VLM_OPT_DRY_RUN)) goto out;
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

int main(int argc, char **argv) {
  static const vlm_program program = {.name = "vlm-eval",
                                      .summary = "scores a model against its reference and gives a verdict",
                                      .usage = USAGE,
                                      .examples = EXAMPLES,
                                      .letter = 'e',
                                      .run = run};
  return vlm_program_main(&program, argc, argv);
}
