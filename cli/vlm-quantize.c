/* vlm-quantize: a model and its statistics in, one packed INT8 file out. */
#include <fnmatch.h>
#include <string.h>

#include "cli/data.h"
#include "cli/golden.h"
#include "cli/program.h"
#include "pack/pack.h"
#include "quant/report.h"
#include "runtime/base/file.h"
#include "runtime/base/memory.h"
#include "runtime/image/preprocess.h"

static const char USAGE[] = "  vlm-quantize MODEL [--calib STATS.h5] -o OUT.vlmq [options]\n";
static const char EXAMPLES[] =
    "  vlm-quantize florence2/ --calib receipts.h5 -o florence2.vlmq\n"
    "  vlm-quantize detector.onnx --calib street.h5 --range mse -o detector.vlmq\n"
    "  vlm-quantize florence2/ --activations none -o weight-only.vlmq\n"
    "  vlm-quantize florence2/ --calib receipts.h5 --save-plan plan.json --dry-run\n";

typedef struct {
  const vlm_cli *cli;
  const char *model, *output;
  char **keep; /* globs of --keep without their type */
  vlm_bundle *bundle;
  vlm_stats *stats;
  vlm_quant_opts opts;
  bool weights_float;
  vlm_quant_plan *plan;
  vlm_quant_graph graphs[VLM_ROLE_COUNT];
  int32_t n_graphs;
  vlm_context *context;
  size_t bytes_in, bytes_out;
  double start;
} job;

/* ---- options ---- */

static vlm_status choose(int *out, const vlm_cli *cli, vlm_option_id id, const char *const *names, int fallback, vlm_error *err) {
  const char *text = vlm_args_text(cli->args, id, names[fallback]);
  char known[256] = "";
  for (int i = 0; names[i]; i++) {
    if (!strcmp(names[i], text)) {
      *out = i;
      return VLM_OK;
    }
    strncat(strncat(known, " ", sizeof known - strlen(known) - 1), names[i], sizeof known - strlen(known) - 1);
  }
  return vlm_fail(err, VLM_USAGE, "%s %s: known are%s", vlm_option_name(id), text, known);
}

/* GLOB or GLOB=f32, which is the same; another type is not there to be kept in. */
static vlm_status read_keep(job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_option_values *given = &j->cli->args->options[VLM_OPT_KEEP];
  VLM_TRY(vlm_alloc((void **)&j->keep, (size_t)given->count, sizeof *j->keep, err));
  for (int i = 0; i < given->count; i++) {
    VLM_TRY(vlm_strdup(&j->keep[i], given->items[i], err));
    char *type = strrchr(j->keep[i], '=');
    if (!type) continue;
    VLM_CHECK(strcmp(type, "=f16"), err, VLM_USAGE, "--keep %s: f16 is not built yet; what is kept stays f32", given->items[i]);
    if (!strcmp(type, "=f32")) *type = 0;
  }
  j->opts.keep = (const char *const *)j->keep;
  j->opts.n_keep = given->count;
out:
  return st;
}

static void free_keep(job *j) {
  for (int i = 0; j->keep && i < j->cli->args->options[VLM_OPT_KEEP].count; i++) vlm_free(j->keep[i]);
  vlm_free(j->keep);
}

static vlm_status read_options(job *j, vlm_error *err) {
  static const char *const WEIGHTS[] = {"s8", "s8-tensor", "f32", NULL};
  static const char *const ACTIVATIONS[] = {"auto", "static", "dynamic", "none", NULL};
  vlm_status st = VLM_OK;
  const vlm_args *args = j->cli->args;
  int weights, activations;
  VLM_CHECK(args->positional.count == 1, err, VLM_USAGE, "wanted one model, got %d; see vlm-quantize --help", args->positional.count);
  j->model = args->positional.items[0];
  j->output = vlm_args_text(args, VLM_OPT_OUTPUT, NULL);
  VLM_CHECK(j->output || vlm_args_has(args, VLM_OPT_DRY_RUN), err, VLM_USAGE, "-o FILE is missing: where should the packed model go?");
  size_t n = j->output ? strlen(j->output) : 0;
  VLM_CHECK(n < 5 || strcmp(j->output + n - 5, ".onnx"), err, VLM_USAGE, "-o %s: writing ONNX is not built yet; name a .vlmq file", j->output);
  VLM_TRY(choose(&weights, j->cli, VLM_OPT_WEIGHTS, WEIGHTS, 0, err));
  VLM_TRY(choose(&activations, j->cli, VLM_OPT_ACTIVATIONS, ACTIVATIONS, 0, err));
  j->opts.per_tensor_weights = weights == 1;
  j->weights_float = weights == 2;
  j->opts.activations = (vlm_activation_mode)activations;
  VLM_TRY(vlm_range_method_parse(&j->opts.range, &j->opts.percentile, vlm_args_text(args, VLM_OPT_RANGE, "auto"), err));
  j->opts.everything = vlm_args_has(args, VLM_OPT_EVERYTHING);
  VLM_TRY(read_keep(j, err));
  for (int i = 0; i < args->options[VLM_OPT_NO_TRANSFORM].count; i++) {
    const char *name = args->options[VLM_OPT_NO_TRANSFORM].items[i];
    VLM_CHECK(!strcmp(name, "weight-search"), err, VLM_USAGE, "--no-transform %s: known is weight-search", name);
    j->opts.no_weight_search = true;
  }
  /* A recipe for comparison is plain all the way. */
  if (j->opts.per_tensor_weights) j->opts.no_weight_search = true;
out:
  return st;
}

/* ---- model and statistics ---- */

static vlm_status open_statistics(job *j, vlm_error *err) {
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
static vlm_status check_keep(const job *j, vlm_error *err) {
  for (int32_t k = 0; k < j->opts.n_keep; k++) {
    bool met = false;
    for (int32_t i = 0; i < j->plan->count && !met; i++) met = fnmatch(j->opts.keep[k], j->plan->nodes[i].node, 0) == 0;
    if (!met)
      return vlm_fail(err, VLM_INPUT, "--keep %s: none of the %d nodes of %s that could be quantized has such a name; -v --dry-run lists them",
                      j->opts.keep[k], j->plan->count, j->model);
  }
  return VLM_OK;
}

static vlm_status make_plan(job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  bool calibrated = j->stats || j->opts.activations == VLM_ACTIVATIONS_NONE || j->opts.activations == VLM_ACTIVATIONS_DYNAMIC || j->weights_float;
  VLM_CHECK(calibrated, err, VLM_USAGE,
            "--calib STATS.h5 is missing: static ranges come from vlm-calibrate; --activations dynamic or none does without");
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    vlm_graph *g = j->bundle->graphs[r];
    if (g && (r == 0 || g != j->bundle->graphs[r - 1])) j->graphs[j->n_graphs++] = (vlm_quant_graph){vlm_role_name((vlm_role)r), g};
  }
  VLM_TRY(vlm_quant_plan_make(&j->plan, j->graphs, j->weights_float ? 0 : j->n_graphs, j->stats, &j->opts, err));
  if (!j->weights_float) VLM_TRY(check_keep(j, err));
  const char *path = vlm_args_text(j->cli->args, VLM_OPT_PLAN, NULL);
  if (path) VLM_TRY(vlm_quant_plan_override(j->plan, path, err));
out:
  return st;
}

/* Weights of two or more dimensions that no product can give up, because they are half-precision floats. */
static void tell_halves(const job *j) {
  int count = 0;
  for (int32_t r = 0; r < j->n_graphs; r++)
    for (vlm_value_id id = 0; id < j->graphs[r].graph->n_values; id++) {
      const vlm_value *v = &j->graphs[r].graph->values[id];
      bool half = v->tensor.dtype == VLM_F16 || v->tensor.dtype == VLM_BF16;
      count += v->kind == VLM_VALUE_CONSTANT && half && v->tensor.rank >= 2;
    }
  if (count)
    vlm_say(j->cli, "%s: weights that are float16 or bfloat16 and stay so: %d; only float32 weights are quantized; export the model in float32", j->model,
            count);
}

static void print_plan(const job *j) {
  int32_t counts[VLM_DECIDE_COUNT];
  vlm_quant_plan_count(j->plan, counts);
  for (int32_t i = 0; j->cli->verbose && i < j->plan->count; i++) {
    const vlm_node_plan *n = &j->plan->nodes[i];
    vlm_say(j->cli, "  %-14s %-11s %6.1f dB  %s (%s): %s", n->graph, vlm_decision_name(n->decision), n->sqnr_db, n->node, n->op_type, n->reason);
  }
  vlm_say(j->cli, "plan: %d static, %d dynamic, %d weight-only, %d float", counts[VLM_DECIDE_STATIC], counts[VLM_DECIDE_DYNAMIC],
          counts[VLM_DECIDE_WEIGHT_ONLY], counts[VLM_DECIDE_FLOAT]);
}

/* ---- output ---- */

static vlm_status plan_text(const job *j, vlm_json_writer *w, const char **text, vlm_error *err) {
  vlm_json_open_object(w, NULL);
  vlm_quant_plan_put(w, j->plan);
  vlm_json_close_object(w);
  return vlm_json_writer_text(w, text, NULL, err);
}

static vlm_status save_plans(const job *j, vlm_error *err) {
  static const vlm_option_id FILES[] = {VLM_OPT_SAVE_PLAN, VLM_OPT_REPORT};
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  VLM_TRY(vlm_json_writer_create(&w, 1, err));
  VLM_TRY(plan_text(j, w, &text, err));
  for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++)
    if (vlm_args_has(j->cli->args, FILES[i])) VLM_TRY(vlm_write_text(vlm_args_text(j->cli->args, FILES[i], NULL), text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

static vlm_status provenance(const job *j, vlm_json_writer *w, const char **text, vlm_error *err) {
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

static vlm_status pack_codec(const job *j, vlm_pack_opts *opts, vlm_error *err) {
  static const char *const CODECS[] = {"zstd", "raw", NULL};
  int codec;
  int64_t level;
  vlm_status st = choose(&codec, j->cli, VLM_OPT_CODEC, CODECS, 0, err);
  if (st == VLM_OK) st = vlm_args_int(&level, j->cli->args, VLM_OPT_LEVEL, 19, 1, 19, err);
  if (st != VLM_OK) return st;
  *opts = (vlm_pack_opts){.codec = codec ? VLM_PACK_RAW : VLM_PACK_ZSTD, .level = (int)level, .threads = vlm_context_threads(j->context)};
  return VLM_OK;
}

/* A model that cannot answer yet, for want of a tokenizer say, is packed all the same. */
static void make_golden(const job *j, vlm_golden *golden) {
  vlm_error why = {0};
  vlm_prompts prompts = {0};
  vlm_status st = vlm_cli_prompts(&prompts, j->cli, j->bundle, NULL, &why);
  if (st == VLM_OK) st = vlm_golden_make(golden, j->context, j->bundle, prompts.items[0], &why);
  if (st != VLM_OK) vlm_say(j->cli, "no golden answer in the file: %s", why.text);
  vlm_free(prompts.own);
}

static vlm_status write_pack(job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *plan = NULL, *origin = NULL;
  vlm_pack_content content = {.bundle = j->bundle};
  vlm_pack_opts opts;
  vlm_golden golden = {0};
  VLM_TRY(pack_codec(j, &opts, err));
  VLM_TRY(vlm_json_writer_create(&plan, 0, err));
  VLM_TRY(vlm_json_writer_create(&origin, 0, err));
  VLM_TRY(plan_text(j, plan, &content.quantization, err));
  VLM_TRY(provenance(j, origin, &content.provenance, err)); /* before the graphs change: the digest is the FP32 model's */
  for (int32_t g = 0; g < j->n_graphs; g++) VLM_TRY(vlm_quant_apply(&j->graphs[g], j->plan, j->stats, &j->opts, err));
  if (j->stats && *vlm_stats_preprocess(j->stats)) content.preprocess = vlm_stats_preprocess(j->stats);
  make_golden(j, &golden);
  content.golden = &golden.item;
  content.n_golden = golden.item.n_outputs;
  VLM_TRY(vlm_pack_write(j->output, &content, &opts, &j->bytes_out, err));
out:
  vlm_golden_free(&golden);
  vlm_json_writer_free(plan);
  vlm_json_writer_free(origin);
  return st;
}

static vlm_status print_json(const job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  int32_t counts[VLM_DECIDE_COUNT];
  vlm_quant_plan_count(j->plan, counts);
  VLM_TRY(vlm_json_writer_create(&w, 0, err));
  vlm_json_open_object(w, NULL);
  vlm_json_open_object(w, "size_bytes");
  vlm_json_put_int(w, "in", (int64_t)j->bytes_in);
  vlm_json_put_int(w, "out", (int64_t)j->bytes_out);
  vlm_json_close_object(w);
  vlm_json_put_double(w, "seconds", vlm_now() - j->start);
  vlm_json_put_double(w, "peak_rss_mib", vlm_peak_rss_mib());
  vlm_json_open_object(w, "nodes");
  vlm_json_put_int(w, "s8", j->plan->count - counts[VLM_DECIDE_FLOAT]);
  vlm_json_put_int(w, "f16", 0);
  vlm_json_put_int(w, "f32", counts[VLM_DECIDE_FLOAT]);
  vlm_json_close_object(w);
  vlm_quant_plan_put(w, j->plan);
  vlm_json_put_int(w, "task_evaluations", 0);
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(j->cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

static vlm_status run(const vlm_cli *cli, vlm_error *err) {
  vlm_status st = VLM_OK;
  job j = {.cli = cli, .start = vlm_now()};
  VLM_TRY(read_options(&j, err));
  VLM_TRY(vlm_cli_context(&j.context, cli, err));
  j.opts.threads = vlm_context_threads(j.context);
  VLM_TRY(vlm_cli_open(&j.bundle, cli, j.model, false, err));
  VLM_TRY(vlm_bundle_weight_bytes(&j.bytes_in, j.bundle, err));
  VLM_TRY(open_statistics(&j, err));
  VLM_TRY(make_plan(&j, err));
  print_plan(&j);
  tell_halves(&j);
  VLM_TRY(save_plans(&j, err));
  if (!vlm_args_has(cli->args, VLM_OPT_DRY_RUN)) {
    VLM_TRY(write_pack(&j, err));
    vlm_say(cli, "%s: %.2f MB, %.1f %% of the weights' %.2f MB", j.output, (double)j.bytes_out / 1e6,
            100.0 * (double)j.bytes_out / (double)j.bytes_in, (double)j.bytes_in / 1e6);
  }
  VLM_TRY(print_json(&j, err));
out:
  free_keep(&j);
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
