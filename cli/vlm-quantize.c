/* vlm-quantize: a model and its statistics in, one packed INT8 file out. */
#include <fnmatch.h>
#include <string.h>

#include "flow/costs.h"
#include "cli/data.h"
#include "cli/inspect.h"
#include "flow/golden.h"
#include "cli/quantize.h"

static const char USAGE[] = "  vlm-quantize MODEL [--calib STATS.h5] -o OUT.vlmq [options]\n";
static const char EXAMPLES[] =
    "  vlm-quantize florence2/ --calib receipts.h5 -o florence2.vlmq\n"
    "  vlm-quantize detector.onnx --calib street.h5 --range mse -o detector.vlmq\n"
    "  vlm-quantize florence2/ --activations none -o weight-only.vlmq\n"
    "  vlm-quantize florence2/ --calib receipts.h5 --save-plan plan.json --dry-run\n";

/* ---- model and statistics ---- */

static vlm_status open_statistics(vlm_quantize_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_digest model;
  char got[33], wanted[33];
  const char *path = vlm_args_text(j->cli->args, VLM_OPT_CALIB, NULL);
  if (!path) return VLM_OK;
  VLM_TRY(vlm_stats_open(&j->stats, path, err));
  VLM_TRY(vlm_bundle_digest(&model, j->bundle, err));
  vlm_digest seen = vlm_stats_model(j->stats);
  VLM_CHECK(seen.high == model.high && seen.low == model.low, err, VLM_INPUT,
            "%s: statistics of another model: digest %s, %s has %s; run vlm-calibrate on this model", path, vlm_digest_text(seen, got), j->model,
            vlm_digest_text(model, wanted));
out:
  return st;
}

/* A glob that meets nothing is a typing error: the node would be quantized after all. */
static vlm_status check_keep(const vlm_quantize_job *j, vlm_error *err) {
  for (int32_t k = 0; k < j->opts.n_keep; k++) {
    bool met = false;
    for (int32_t i = 0; i < j->plan->count && !met; i++)
      met = fnmatch(j->opts.keep[k], j->plan->nodes[i].node, 0) == 0;
    if (!met)
      return vlm_fail(err, VLM_INPUT,
                      "--keep %s: none of the %d nodes of %s that could be quantized has such a name; -v --dry-run lists them",
                      j->opts.keep[k], j->plan->count, j->model);
  }
  return VLM_OK;
}

static vlm_status make_plan(vlm_quantize_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool calibrated = j->stats || j->opts.activations == VLM_ACTIVATIONS_NONE ||
      j->opts.activations == VLM_ACTIVATIONS_DYNAMIC || j->weights_float;
  VLM_CHECK(calibrated, err, VLM_USAGE,
            "--calib STATS.h5 is missing: static ranges come from vlm-calibrate; --activations dynamic or none does without");
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    vlm_graph *g = j->bundle->graphs[r];
    if (g && (r == 0 || g != j->bundle->graphs[r - 1]))
      j->graphs[j->n_graphs++] = (vlm_quant_graph){vlm_role_name((vlm_role)r), g};
  }
  VLM_TRY(vlm_quant_plan_make(&j->plan, j->graphs, j->weights_float ? 0 : j->n_graphs, j->stats, &j->opts,
                              err));
  if (!j->weights_float) VLM_TRY(check_keep(j, err));
  const char *path = vlm_args_text(j->cli->args, VLM_OPT_PLAN, NULL);
  if (path) VLM_TRY(vlm_quant_plan_override(j->plan, path, err));
  VLM_TRY(vlm_coverage_make(&j->coverage, j->graphs, j->n_graphs, j->plan, err));
  VLM_TRY(vlm_bundle_float_bytes(&j->bytes_in, j->bundle, err));
out:
  return st;
}

/* ---- plan = run ---- */

static vlm_status compare(vlm_quantize_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t g = 0; g < j->n_graphs; g++) {
    vlm_role role;
    VLM_CHECK(vlm_role_parse(&role, j->graphs[g].role), err, VLM_INTERNAL, "role \"%s\"", j->graphs[g].role);
    const vlm_quant_graph lowered = {j->graphs[g].role, j->lowered.bundle->graphs[role]};
    VLM_TRY(vlm_quant_compare(&j->differences, j->plan, &lowered, &j->lowered.reports[role], err));
  }
  if (vlm_args_has(j->cli->args, VLM_OPT_STRICT)) VLM_TRY(vlm_differences_fail(&j->differences, err));
out:
  return st;
}

/* Multiplications as they will run; a graph that cannot be profiled has none in the table. */
static vlm_status measure(vlm_quantize_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_bundle_profile costs = {0};
  VLM_TRY(vlm_costs_make(&costs, &j->assumed, j->context, j->lowered.bundle, j->stats, err));
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (costs.roles[r].made)
      vlm_coverage_add_run(j->coverage, vlm_role_name((vlm_role)r), &costs.roles[r].profile);
out:
  vlm_bundle_profile_free(&costs);
  return st;
}

static vlm_status quantize(vlm_quantize_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t g = 0; g < j->n_graphs; g++)
    VLM_TRY(vlm_quant_apply(&j->graphs[g], j->plan, j->stats, &j->opts, err));
  VLM_TRY(vlm_lowered_copy_make(&j->lowered, j->bundle, err));
  VLM_TRY(compare(j, err));
  VLM_TRY(measure(j, err));
  vlm_quantize_print_coverage(j);
  double percent = vlm_coverage_weights_percent(&j->coverage->total);
  VLM_CHECK(percent >= j->min_int8, err, VLM_QUALITY,
            "%.1f %% of the weights are in 8 bits, --min-int8 wants %g %%; nothing was written",
            percent, j->min_int8);
out:
  return st;
}

/* ---- output ---- */

static vlm_status provenance(const vlm_quantize_job *j, vlm_json_writer *w, const char **text,
                             vlm_error *err) {
  char digest[33];
  vlm_digest model, statistics;
  vlm_status st = vlm_bundle_digest(&model, j->bundle, err);
  if (st == VLM_OK && j->stats) st = vlm_stats_digest(&statistics, j->stats, true, err);
  if (st != VLM_OK) return st;
  vlm_json_open_object(w, NULL);
  vlm_json_put_text(w, "tool", "vlm-quantize " VLM_VERSION);
  vlm_json_put_text(w, "model", vlm_digest_text(model, digest));
  if (j->stats) {
    vlm_json_put_text(w, "statistics", vlm_digest_text(statistics, digest));
    vlm_json_put_int(w, "calibration_samples", vlm_stats_samples(j->stats));
  }
  vlm_json_close_object(w);
  return vlm_json_writer_text(w, text, NULL, err);
}

/* A model that cannot answer yet, for want of a tokenizer say, is packed all the same. */
static void make_golden(const vlm_quantize_job *j, vlm_golden *golden) {
  vlm_error why = {0};
  vlm_prompts prompts = {0};
  vlm_status st = vlm_cli_prompts(&prompts, j->cli, j->bundle, NULL, &why);
  if (st == VLM_OK) st = vlm_golden_make(golden, j->context, j->lowered.bundle, prompts.items[0], &why);
  if (st != VLM_OK) vlm_say(j->cli, "no golden answer in the file: %s", why.text);
  vlm_free(prompts.own);
}

static vlm_status write_pack(vlm_quantize_job *j, const char *origin, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *plan = NULL;
  vlm_pack_content content = {.bundle = j->bundle, .provenance = origin};
  vlm_golden golden = {0};
  VLM_TRY(vlm_json_writer_create(&plan, 0, err));
  if (j->plan->count) VLM_TRY(vlm_quantize_plan_text(j, plan, &content.quantization, err));
  if (j->stats && *vlm_stats_preprocess(j->stats)) content.preprocess = vlm_stats_preprocess(j->stats);
  make_golden(j, &golden);
  content.golden = &golden.item;
  content.n_golden = golden.item.n_outputs;
  VLM_TRY(vlm_pack_write(j->output, &content, &j->pack, &j->bytes_out, err));
  vlm_say(j->cli, "%s: %s, %.1f %% of the weights' %s in float", j->output, vlm_show_bytes((double)j->bytes_out).text,
          100.0 * (double)j->bytes_out / (double)(j->bytes_in ? j->bytes_in : 1), vlm_show_bytes((double)j->bytes_in).text);
out:
  vlm_golden_free(&golden);
  vlm_json_writer_free(plan);
  return st;
}

/* The plan is saved before its graphs change; where the model came from is told by the digest that they have
 * until then. */
static vlm_status quantize_and_write(vlm_quantize_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *origin = NULL;
  const char *text;
  VLM_TRY(vlm_json_writer_create(&origin, 0, err));
  VLM_TRY(provenance(j, origin, &text, err));
  VLM_TRY(quantize(j, err));
  if (!vlm_args_has(j->cli->args, VLM_OPT_DRY_RUN)) VLM_TRY(write_pack(j, text, err));
out:
  vlm_json_writer_free(origin);
  return st;
}

static vlm_status run(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_quantize_job j = {.cli = cli, .start = vlm_now()};
  VLM_TRY(vlm_quantize_options(&j, err));
  VLM_TRY(vlm_cli_context(&j.context, cli, err));
  j.opts.threads = j.pack.threads = vlm_context_threads(j.context);
  VLM_TRY(vlm_cli_open(&j.bundle, cli, j.model, VLM_OPEN_AS_IT_IS, err));
  VLM_TRY(open_statistics(&j, err));
  VLM_TRY(make_plan(&j, err));
  vlm_quantize_print_plan(&j);
  VLM_TRY(vlm_quantize_save_plans(&j, err));
  VLM_TRY(quantize_and_write(&j, err));
  VLM_TRY(vlm_quantize_print_json(&j, err));
out:
  vlm_differences_free(&j.differences);
  vlm_lowered_copy_free(&j.lowered);
  vlm_coverage_free(j.coverage);
  vlm_text_free(&j.assumed);
  vlm_quantize_options_free(&j);
  vlm_quant_plan_free(j.plan);
  vlm_stats_free(j.stats);
  vlm_bundle_free(j.bundle);
  vlm_context_free(j.context);
  return st;
}

int main(int argc, char **argv) {
  static const vlm_program program = {.name = "vlm-quantize",
                                      .summary = "turns a model into one packed INT8 file",
                                      .usage = USAGE,
                                      .examples = EXAMPLES,
                                      .letter = 'q',
                                      .run = run};
  return vlm_program_main(&program, argc, argv);
}
