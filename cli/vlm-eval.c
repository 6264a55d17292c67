/* vlm-eval: what quantization cost and gained, with a verdict as exit code. */
#include <string.h>
#include <sys/stat.h>

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
  size_t size_bytes[2];
  vlm_coverage_share macs; /* of the candidate */
  vlm_verdict verdict;
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
    struct stat info;
    j->paths[k] = given->items[k];
    VLM_TRY(vlm_cli_open(&j->bundles[k], j->cli, given->items[k], VLM_OPEN_TO_RUN, err));
    if (vlm_is_packed(given->items[k])) j->size_bytes[k] = stat(given->items[k], &info) == 0 ? (size_t)info.st_size : 0;
    else VLM_TRY(vlm_bundle_float_bytes(&j->size_bytes[k], j->bundles[k], err));
  }
  bool same = j->n_paths == 1 || (j->bundles[0]->family == VLM_FAMILY_GRAPH) == (j->bundles[1]->family == VLM_FAMILY_GRAPH);
  VLM_CHECK(same, err, VLM_INPUT, "%s and %s are not the same kind of model", j->paths[0], j->paths[1]);
out:
  return st;
}

static void on_progress(void *user, int64_t done, int64_t total) {
  eval_job *j = user;
  j->progress.total = total;
  vlm_progress_step(&j->progress, done);
}

/* ---- verdicts ---- */

typedef struct {
  double max_drop, min_agreement, min_speedup, min_sqnr; /* negative = not asked */
} budget;

static vlm_status read_budget(const eval_job *j, budget *b, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = j->cli->args;
  VLM_TRY(vlm_args_number(&b->max_drop, args, VLM_OPT_MAX_DROP, -1e9, err));
  VLM_TRY(vlm_args_number(&b->min_agreement, args, VLM_OPT_MIN_AGREEMENT, -1, err));
  VLM_TRY(vlm_args_number(&b->min_speedup, args, VLM_OPT_MIN_SPEEDUP, -1, err));
  VLM_TRY(vlm_args_number(&b->min_sqnr, args, VLM_OPT_MIN_SQNR, -1e9, err));
out:
  return st;
}

static vlm_verdict judge(const eval_job *j, vlm_evaluation *e, const budget *b) {
  if (!e->compared) return VLM_VERDICT_PASS;
  if (vlm_args_has(j->cli->args, VLM_OPT_MAX_DROP) && e->drop.percent > b->max_drop) return VLM_VERDICT_DROP;
  if (b->min_agreement >= 0 && vlm_agreement_exact_percent(&e->agreement) < b->min_agreement) return VLM_VERDICT_AGREEMENT;
  if (b->min_speedup >= 0 && vlm_eval_speedup(e) < b->min_speedup) return VLM_VERDICT_SLOWER;
  return VLM_VERDICT_PASS;
}

static vlm_verdict judge_graph(const eval_job *j, vlm_graph_eval *e, const budget *b) {
  if (e->candidate_ms.count == 0) return VLM_VERDICT_PASS;
  double agreement = e->rows ? 100.0 * (double)e->equal / (double)e->rows : 100;
  double speedup = vlm_samples_summarize(&e->reference_ms).p50 / vlm_samples_summarize(&e->candidate_ms).p50;
  if (vlm_args_has(j->cli->args, VLM_OPT_MIN_SQNR) && vlm_graph_eval_min_db(e) < b->min_sqnr) return VLM_VERDICT_DROP;
  if (b->min_agreement >= 0 && agreement < b->min_agreement) return VLM_VERDICT_AGREEMENT;
  if (b->min_speedup >= 0 && speedup < b->min_speedup) return VLM_VERDICT_SLOWER;
  return VLM_VERDICT_PASS;
}

static void say_verdict(const eval_job *j, const budget *b) {
  if (j->cli->quiet || j->n_paths < 2) return;
  printf("verdict: %s", vlm_verdict_text(j->verdict));
  if (vlm_args_has(j->cli->args, VLM_OPT_MAX_DROP)) printf("  (drop budget %.2f %%)", b->max_drop);
  puts("");
}

/* References for some images only would score nothing, and a budget on nothing would pass. */
static vlm_status check_references(const eval_job *j, vlm_error *err) {
  size_t count = vlm_dataset_count(j->set), with = 0;
  const char *without = NULL;
  for (size_t i = 0; i < count; i++) {
    const vlm_sample *s = vlm_dataset_get(j->set, i);
    if (s->ref_count) with++;
    else if (!without) without = s->key;
  }
  if (with && without)
    return vlm_fail(err, VLM_INPUT, "image \"%s\" has no reference captions, %zu of %zu images have; add its \"refs\" or --refs CAPTIONS.json", without, with,
                    count);
  if (!with && vlm_args_has(j->cli->args, VLM_OPT_MAX_DROP))
    return vlm_fail(err, VLM_USAGE, "--max-drop needs captions to score against: add --refs CAPTIONS.json");
  return VLM_OK;
}

static vlm_status evaluate_pipeline(eval_job *j, const budget *b, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_args *args = j->cli->args;
  vlm_evaluation e = {0};
  int64_t seed;
  vlm_eval_opts opts = {.progress = on_progress, .user = j, .owns_constants = true};
  vlm_prompts prompts = {0};
  VLM_TRY(vlm_cli_prompts(&prompts, j->cli, j->bundles[0], j->set, err));
  opts.prompts = prompts.items;
  opts.n_prompts = prompts.count;
  VLM_TRY(vlm_args_int(&opts.max_new_tokens, args, VLM_OPT_MAX_NEW_TOKENS, 0, 1, 4096, err));
  VLM_TRY(vlm_args_int(&opts.beams, args, VLM_OPT_BEAMS, 0, 1, 64, err));
  VLM_TRY(vlm_args_int(&opts.bootstrap.resamples, args, VLM_OPT_BOOTSTRAP, 1000, 10, 1000000, err));
  VLM_TRY(vlm_args_int(&seed, args, VLM_OPT_SEED, 1, 0, INT64_MAX, err));
  opts.bootstrap.seed = (uint64_t)seed;
  VLM_TRY(check_references(j, err));
  VLM_TRY(vlm_evaluate(&e, j->context, j->bundles[0], j->bundles[1], j->set, &opts, err));
  vlm_progress_end(&j->progress);
  e.reference.size_bytes = j->size_bytes[0];
  e.candidate.size_bytes = j->size_bytes[1];
  j->verdict = judge(j, &e, b);
  if (!j->cli->quiet && !vlm_args_has(args, VLM_OPT_JSON)) vlm_eval_table(&e, j->cli->verbose);
  VLM_TRY(vlm_eval_json(j->cli, &e, &j->macs, j->verdict, err));
out:
  vlm_free(prompts.own);
  vlm_evaluation_free(&e);
  return st;
}

static vlm_status evaluate_graph(eval_job *j, const budget *b, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_graph_eval e = {0};
  const vlm_graph_eval_opts opts = {.progress = on_progress, .user = j, .owns_constants = true};
  const vlm_graph *candidate = j->bundles[1] ? j->bundles[1]->graphs[VLM_ROLE_MODEL] : NULL;
  VLM_TRY(vlm_graph_evaluate(&e, j->context, j->bundles[0]->graphs[VLM_ROLE_MODEL], candidate, j->set, &opts, err));
  vlm_progress_end(&j->progress);
  j->verdict = judge_graph(j, &e, b);
  if (!j->cli->quiet && !vlm_args_has(j->cli->args, VLM_OPT_JSON)) vlm_graph_eval_table(&e);
  VLM_TRY(vlm_graph_eval_json(j->cli, &e, j->size_bytes, &j->macs, j->verdict, err));
out:
  vlm_graph_eval_free(&e);
  return st;
}

static vlm_status run(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  eval_job j = {.cli = cli};
  budget b;
  if (vlm_args_has(cli->args, VLM_OPT_METRICS_ONLY)) return metrics_only(cli, err);
  VLM_TRY(read_budget(&j, &b, err));
  VLM_TRY(vlm_cli_context(&j.context, cli, err));
  VLM_TRY(open_models(&j, err));
  VLM_TRY(check_options(&j, err));
  const char *refs = vlm_args_text(cli->args, VLM_OPT_REFS, NULL);
  if (refs) VLM_TRY(vlm_captions_load(&j.captions, refs, err));
  VLM_TRY(vlm_cli_data(&j.set, cli, j.bundles[0], j.captions, err));
  vlm_say(cli, "plan: %zu samples, %s%s%s, %s kernels", vlm_dataset_count(j.set), j.paths[0], j.n_paths > 1 ? " against " : "",
          j.n_paths > 1 ? j.paths[1] : "", vlm_context_cpu(j.context));
  if (vlm_args_has(cli->args, VLM_OPT_DRY_RUN)) goto out;
  if (j.bundles[1]) VLM_TRY(vlm_costs_share(&j.macs, j.context, j.bundles[1], err));
  vlm_progress_begin(&j.progress, cli, "evaluating", 0);
  VLM_TRY(j.bundles[0]->family == VLM_FAMILY_GRAPH ? evaluate_graph(&j, &b, err) : evaluate_pipeline(&j, &b, err));
  if (!cli->quiet && !vlm_args_has(cli->args, VLM_OPT_JSON)) vlm_macs_line(&j.macs);
  if (!vlm_args_has(cli->args, VLM_OPT_JSON)) say_verdict(&j, &b);
  if (j.verdict != VLM_VERDICT_PASS) {
    fflush(stdout);
    st = vlm_fail(err, vlm_verdict_status(j.verdict), "%s is refused: %s", j.paths[1], vlm_verdict_text(j.verdict));
  }
out:
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
