#include "flow/quantize.h"

#include <fnmatch.h>
#include <math.h>
#include <string.h>

#include "calib/covariance.h"
#include "flow/costs.h"
#include "flow/data.h"
#include "flow/golden.h"
#include "flow/lowered.h"
#include "flow/repair.h"
#include "flow/rounding.h"
#include "flow/samples.h"
#include "flow/task_budget.h"
#include "quant/report.h"

struct vlm_quantization {
  vlm_flow_quantize_opts opts;
  vlm_context *context;
  vlm_bundle *bundle;
  vlm_stats *stats;
  vlm_covariances *covariances;
  vlm_dataset *kept; /* what the statistics of a pipeline keep */
  vlm_plan_search_result search;
  vlm_quant_graph graphs[VLM_ROLE_COUNT];
  int32_t n_graphs;
  vlm_quant_plan *plan;
  vlm_coverage *coverage;
  vlm_lowered_copy lowered; /* of the quantized graphs */
  vlm_difference_list differences;
  vlm_text assumed;
  vlm_json_writer *provenance; /* told before the graphs change: by the digest that they have until then */
  vlm_flow_quantize_result result;
  vlm_repair_result measured;
  vlm_evaluation answers;
  vlm_trial_output stages[3]; /* of a pipeline */
};

static vlm_status stage(vlm_quantization *q, int64_t done, vlm_error *err) {
  return vlm_watch_step(&q->opts.watch, done, VLM_QUANTIZE_STAGES, err);
}

/* ---- model and statistics ---- */

static vlm_status open_statistics(vlm_quantization *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_digest model;
  char got[33], wanted[33];
  const char *path = q->opts.calib;
  if (!path) return VLM_OK;
  VLM_TRY(vlm_stats_open(&q->stats, path, err));
  VLM_CHECK(!vlm_stats_is_partial(q->stats) || q->opts.partial, err, VLM_INPUT,
            "%s: is of a run that was not finished (%d samples): finish it with vlm-calibrate --resume, or "
            "take it as it is with --partial",
            path, vlm_stats_samples(q->stats));
  VLM_TRY(vlm_bundle_digest(&model, q->bundle, err));
  vlm_digest seen = vlm_stats_model(q->stats);
  VLM_CHECK(seen.high == model.high && seen.low == model.low, err, VLM_INPUT,
            "%s: statistics of another model: digest %s, %s has %s; run vlm-calibrate on this model", path,
            vlm_digest_text(seen, got), q->bundle->source, vlm_digest_text(model, wanted));
out:
  return st;
}

/* Without samples of its own a pipeline has those that the statistics keep; what a budget is kept on is not rounded with either. */
static vlm_status open_kept(vlm_quantization *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  const bool given = q->opts.samples && !q->opts.max_drop.set;
  if (given || !q->stats || q->bundle->family == VLM_FAMILY_GRAPH) return VLM_OK;
  const vlm_kept_list *list = vlm_stats_kept_samples(q->stats);
  if (!list->count) return VLM_OK;
  VLM_TRY(vlm_flow_data_kept(&q->kept, q->bundle, list,
                             strstr(vlm_stats_settings(q->stats), "--no-exif") != NULL, err));
  if (!q->opts.samples) q->opts.samples = q->kept;
out:
  return st;
}

static vlm_status tell_provenance(vlm_quantization *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  char digest[33];
  vlm_digest model, statistics;
  VLM_TRY(vlm_json_writer_create(&q->provenance, 0, err));
  VLM_TRY(vlm_bundle_digest(&model, q->bundle, err));
  if (q->stats) VLM_TRY(vlm_stats_digest(&statistics, q->stats, VLM_STATS_WHOLE, err));
  vlm_json_open_object(q->provenance, NULL);
  vlm_json_put_text(q->provenance, "tool", "vlm-quantize " VLM_VERSION);
  vlm_json_put_text(q->provenance, "model", vlm_digest_text(model, digest));
  if (q->stats) {
    vlm_json_put_text(q->provenance, "statistics", vlm_digest_text(statistics, digest));
    vlm_json_put_int(q->provenance, "calibration_samples",
                     vlm_stats_samples(q->stats) - vlm_stats_held_out(q->stats));
  }
  if (q->opts.options && *q->opts.options) vlm_json_put_text(q->provenance, "options", q->opts.options);
  vlm_json_close_object(q->provenance);
out:
  return st;
}

/* ---- the plan ---- */

/* A glob that meets nothing is a typing error: the node would be quantized after all. */
static vlm_status check_keep(const vlm_quantization *q, vlm_error *err) {
  const vlm_quant_opts *quant = &q->opts.quant;
  for (int32_t k = 0; k < quant->n_keep; k++) {
    bool met = false;
    for (int32_t i = 0; i < q->plan->count && !met; i++)
      met = fnmatch(quant->keep[k], q->plan->nodes[i].node, 0) == 0;
    if (!met)
      return vlm_fail(err, VLM_INPUT,
                      "--keep %s: none of the %d nodes of %s that could be quantized has such a name; "
                      "-v --dry-run lists them",
                      quant->keep[k], q->plan->count, q->bundle->source);
  }
  return VLM_OK;
}

/* ---- measuring it ---- */

/* What was asked for in detail stays as it is. */
static bool is_free(const vlm_flow_quantize_opts *o) {
  const vlm_quant_opts *q = &o->quant;
  bool recipe = q->activations != VLM_ACTIVATIONS_AUTO || q->range != VLM_RANGE_AUTO || q->everything ||
                q->per_tensor_weights || q->no_weight_search || o->plan;
  return o->target_db > 0 || !recipe;
}

static vlm_status repair_with(vlm_quantization *q, const vlm_sample_list *samples, vlm_error *err) {
  enum { TARGET_DB = 30, FLOOR_DB = 25 };
  vlm_status st = VLM_OK;
  vlm_bundle_profile costs = {.image_width = 0};
  vlm_text assumed = {0};
  vlm_trials *trials = NULL;
  double target = q->opts.target_db;
  VLM_TRY(vlm_costs_make(&costs, &assumed, q->context, q->bundle, q->stats, err));
  const vlm_role_profile *profile = &costs.roles[VLM_ROLE_MODEL];
  const vlm_repair_opts how = {.target_db = target > 0 ? target : TARGET_DB,
                               .floor_db = FLOOR_DB,
                               .may_leave = 0.4,
                               .may_leave_below = 0.5,
                               .at_any_price = target > 0,
                               .costs = profile->made ? &profile->profile : NULL,
                               .only_measure = !is_free(&q->opts),
                               .may_free = is_free(&q->opts) &&
                                           q->opts.quant.activations == VLM_ACTIVATIONS_AUTO &&
                                           !q->opts.quant.fixed_convolutions,
                               .known_samples = !samples->held_out};
  VLM_TRY(vlm_trials_open(&trials, q->context, q->graphs[0].graph, samples->items, samples->count, err));
  VLM_TRY(vlm_repair(&q->measured, trials, q->plan, &q->graphs[0], q->stats, &q->opts.quant, &how, err));
  q->result.outputs = q->measured.outputs;
  q->result.n_outputs = q->measured.n_outputs;
  q->result.n_samples = samples->count;
  q->result.held_out = samples->held_out;
  q->result.changed = q->measured.changed;
out:
  vlm_trials_free(trials);
  vlm_text_free(&assumed);
  vlm_bundle_profile_free(&costs);
  return st;
}

static void take_stages(vlm_quantization *q) {
  static const struct {
    vlm_role role;
    const char *name;
  } STAGES[] = {
      {VLM_ROLE_VISION, "vision"}, {VLM_ROLE_ENCODER, "encoder"}, {VLM_ROLE_DECODER_STEP, "logits"}};
  int32_t n = 0;
  for (size_t i = 0; i < sizeof STAGES / sizeof STAGES[0]; i++) {
    const vlm_sqnr *s = &q->answers.sqnr[STAGES[i].role];
    if (s->count) q->stages[n++] = (vlm_trial_output){STAGES[i].name, s->signal, s->noise, NAN};
  }
  q->result.outputs = q->stages;
  q->result.n_outputs = n;
  q->result.n_samples = (int32_t)q->answers.images;
  q->result.answers = &q->answers;
}

/* Answers: what a stage loses is what the next one sees. Taken greedily, since each of their steps has logits to compare, and not to the end:
 * one image weighs as much as the next, and a large model that never ends would be asked for minutes. */
static vlm_status measure_answers(vlm_quantization *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_prompts prompts = {0};
  vlm_lowered_copy sides[2] = {{.bundle = NULL}, {.bundle = NULL}};
  const vlm_lowered_plan plan = {q->plan, q->stats, &q->opts.quant};
  VLM_TRY(vlm_prompts_choose(&prompts, q->bundle, q->opts.samples == q->kept ? NULL : q->opts.samples,
                             q->opts.prompts, q->opts.n_prompts, err));
  VLM_TRY(vlm_samples_pick(q->opts.samples, &q->result.held_out, VLM_SAMPLES_MOST, q->stats, prompts.items[0],
                           err));
  VLM_TRY(vlm_lowered_copy_make(&sides[0], q->bundle, NULL, err));
  VLM_TRY(vlm_lowered_copy_make(&sides[1], q->bundle, &plan, err));
  const vlm_eval_opts run = {
      .prompts = prompts.items, .n_prompts = 1, .beams = 1, .max_new_tokens = VLM_MEASURED_TOKENS};
  VLM_TRY(
      vlm_evaluate(&q->answers, q->context, sides[0].bundle, sides[1].bundle, q->opts.samples, &run, err));
  take_stages(q);
out:
  vlm_lowered_copy_free(&sides[0]);
  vlm_lowered_copy_free(&sides[1]);
  vlm_free(prompts.own);
  return st;
}

/* Greedy and to the end: the answers that count. */
static vlm_status keep_budget(vlm_quantization *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_prompts prompts = {0};
  const vlm_flow_quantize_opts *o = &q->opts;
  const size_t most = o->max_drop.set ? SIZE_MAX : VLM_SAMPLES_MOST;
  if (!o->max_drop.set && !(o->target_db > 0)) return VLM_OK;
  VLM_TRY(vlm_prompts_choose(&prompts, q->bundle, o->samples == q->kept ? NULL : o->samples, o->prompts,
                             o->n_prompts, err));
  VLM_TRY(vlm_samples_pick(o->samples, &q->result.held_out, most, q->stats, prompts.items[0], err));
  const vlm_eval_opts run = {.prompts = prompts.items,
                             .n_prompts = o->max_drop.set ? prompts.count : 1,
                             .beams = o->max_drop.set ? 0 : 1,
                             .max_new_tokens = o->max_drop.set ? 0 : VLM_MEASURED_TOKENS};
  const vlm_task_budget task = {.context = q->context,
                                .bundle = q->bundle,
                                .samples = o->samples,
                                .run = &run,
                                .stats = q->stats,
                                .quant = &o->quant,
                                .max_drop = o->max_drop.set ? o->max_drop.value : -1,
                                .target_db = o->target_db};
  q->result.search_samples = (int64_t)vlm_dataset_count(o->samples);
  VLM_TRY(vlm_task_search(&q->search, &task, q->plan, q->graphs, q->n_graphs, err));
  q->result.search = &q->search;
  q->result.changed = q->search.changed;
out:
  vlm_free(prompts.own);
  return st;
}

static vlm_status measure_pipeline(vlm_quantization *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  const bool asked = q->opts.max_drop.set || q->opts.target_db > 0;
  VLM_CHECK(q->opts.samples || !asked, err, VLM_USAGE,
            "a budget of a pipeline is kept on images: give some (--images), or calibrate without --no-keep");
  if (!q->opts.samples) return VLM_OK;
  VLM_TRY(keep_budget(q, err));
  VLM_TRY(measure_answers(q, err));
out:
  return st;
}

static vlm_status measure_plan(vlm_quantization *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_sample_list samples = {.count = 0};
  bool graph = q->bundle->family == VLM_FAMILY_GRAPH;
  VLM_CHECK(!graph || !q->opts.max_drop.set, err, VLM_USAGE,
            "--max-drop does not go with a single graph, which gives no captions: --target-sqnr DB");
  if (q->opts.weights_float) return VLM_OK;
  if (!graph) return measure_pipeline(q, err);
  VLM_TRY(vlm_sample_list_make(&samples, q->bundle, q->stats, q->opts.samples, err));
  if (samples.count) VLM_TRY(repair_with(q, &samples, err));
out:
  vlm_sample_list_free(&samples);
  return st;
}

/* ---- how weights are rounded ---- */

static vlm_rounding rounding_of(const vlm_quantization *q) {
  return (vlm_rounding){q->context, q->bundle, &q->graphs[0], q->stats, q->opts.samples, &q->opts.quant};
}

static vlm_status see_graph_inputs(vlm_quantization *q, vlm_error *err) {
  const vlm_rounding how = rounding_of(q);
  vlm_status st = vlm_rounding_inputs(&q->covariances, &how, err);
  q->opts.quant.covariances = q->covariances;
  return st;
}

static vlm_status judge_rounding(vlm_quantization *q, vlm_error *err) {
  const vlm_rounding how = rounding_of(q);
  if (q->bundle->family != VLM_FAMILY_GRAPH || !q->covariances) return VLM_OK;
  return vlm_rounding_judge(&q->plan, &q->result.rounding_gain_db, &how, err);
}

static vlm_status see_answer_inputs(vlm_quantization *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_prompts prompts = {0};
  size_t *places = NULL;
  const vlm_flow_quantize_opts *o = &q->opts;
  vlm_covariance_opts how = {
      .max_new_tokens = VLM_MEASURED_TOKENS, .go_on = vlm_watch_go_on, .user = &q->opts.watch};
  vlm_dataset *known = o->max_drop.set ? q->kept : o->samples;
  if (!known) return VLM_OK;
  VLM_TRY(vlm_prompts_choose(&prompts, q->bundle, q->kept ? NULL : known, o->prompts, o->n_prompts, err));
  how.prompt = prompts.items[0];
  VLM_TRY(vlm_samples_rest(&places, &how.count, known, q->stats, how.prompt, err));
  how.places = places;
  if (how.count) VLM_TRY(vlm_covariances_make(&q->covariances, q->context, q->bundle, known, &how, err));
  q->opts.quant.covariances = q->covariances;
out:
  vlm_free(places);
  vlm_free(prompts.own);
  return st;
}

static vlm_status see_inputs(vlm_quantization *q, vlm_error *err) {
  if (q->opts.round_nearest || q->opts.weights_float) return VLM_OK;
  return q->bundle->family == VLM_FAMILY_GRAPH ? see_graph_inputs(q, err) : see_answer_inputs(q, err);
}

static vlm_status make_plan(vlm_quantization *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  const vlm_flow_quantize_opts *o = &q->opts;
  bool ranges_known = q->stats || o->quant.activations == VLM_ACTIVATIONS_NONE ||
                      o->quant.activations == VLM_ACTIVATIONS_DYNAMIC || o->weights_float;
  VLM_CHECK(
      ranges_known, err, VLM_USAGE,
      "--calib STATS.h5 is missing: static ranges come from vlm-calibrate; --activations dynamic or none "
      "does without");
  for (int r = 0; r < VLM_ROLE_COUNT; r++) {
    vlm_graph *g = vlm_bundle_graph_once(q->bundle, r);
    if (g) q->graphs[q->n_graphs++] = (vlm_quant_graph){vlm_role_name((vlm_role)r), g};
  }
  int32_t planned = o->weights_float ? 0 : q->n_graphs;
  VLM_TRY(see_inputs(q, err));
  VLM_TRY(vlm_quant_plan_make(&q->plan, q->graphs, planned, q->stats, &o->quant, err));
  VLM_TRY(judge_rounding(q, err));
  if (!o->weights_float) VLM_TRY(check_keep(q, err));
  if (o->plan) VLM_TRY(vlm_quant_plan_override(q->plan, o->plan, err));
  VLM_TRY(measure_plan(q, err));
  VLM_TRY(vlm_coverage_make(&q->coverage, q->graphs, q->n_graphs, q->plan, err));
  VLM_TRY(vlm_bundle_float_bytes(&q->result.float_bytes, q->bundle, err));
out:
  return st;
}

vlm_status vlm_flow_quantize_plan(vlm_quantization **out, vlm_context *context, vlm_bundle *bundle,
                                  const vlm_flow_quantize_opts *opts, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_quantization *q = NULL;
  *out = NULL;
  VLM_TRY(vlm_new(&q, 1, err));
  q->opts = *opts;
  q->opts.quant.threads = q->opts.pack.threads = vlm_context_threads(context);
  q->opts.quant.go_on = q->opts.pack.go_on = vlm_watch_go_on;
  q->opts.quant.user = q->opts.pack.user = &q->opts.watch;
  q->result.rounding_gain_db = NAN;
  q->context = context;
  q->bundle = bundle;
  VLM_TRY(open_statistics(q, err));
  VLM_TRY(open_kept(q, err));
  VLM_TRY(make_plan(q, err));
  VLM_TRY(tell_provenance(q, err));
  q->result.bundle = q->bundle;
  q->result.plan = q->plan;
  q->result.quant = &q->opts.quant;
  q->result.stats = q->stats;
  q->result.samples = q->opts.samples;
  q->result.coverage = q->coverage;
  q->result.differences = &q->differences;
  q->result.macs_assumed = "";
  VLM_TRY(stage(q, 1, err));
  *out = q;
  q = NULL;
out:
  vlm_quantization_free(q);
  return st;
}

/* ---- applying it; plan = run ---- */

static vlm_status compare(vlm_quantization *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  for (int32_t g = 0; g < q->n_graphs; g++) {
    vlm_role role;
    VLM_CHECK(vlm_role_parse(&role, q->graphs[g].role), err, VLM_INTERNAL, "role \"%s\"", q->graphs[g].role);
    const vlm_quant_graph lowered = {q->graphs[g].role, q->lowered.bundle->graphs[role]};
    VLM_TRY(vlm_quant_compare(&q->differences, q->plan, &lowered, &q->lowered.reports[role], err));
  }
  if (q->opts.strict) VLM_TRY(vlm_differences_fail(&q->differences, err));
out:
  return st;
}

/* Multiplications as they will run; a graph that cannot be profiled has none in the table. */
static vlm_status measure(vlm_quantization *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_bundle_profile costs = {0};
  VLM_TRY(vlm_costs_make(&costs, &q->assumed, q->context, q->lowered.bundle, q->stats, err));
  for (int r = 0; r < VLM_ROLE_COUNT; r++)
    if (costs.roles[r].made)
      vlm_coverage_add_run(q->coverage, vlm_role_name((vlm_role)r), &costs.roles[r].profile);
  q->result.macs_assumed = vlm_text_get(&q->assumed);
  q->result.measured = true;
out:
  vlm_bundle_profile_free(&costs);
  return st;
}

/* A budget that no plan keeps, told after the plan was shown. */
static vlm_status check_budget(const vlm_quantization *q, vlm_error *err) {
  const vlm_plan_search_result *s = q->result.search;
  double least = INFINITY;
  if (!s || s->met) return VLM_OK;
  for (int32_t i = 0; i < s->count; i++) least = fmin(least, s->points[i].loss);
  if (q->opts.max_drop.set)
    return vlm_fail(err, VLM_QUALITY,
                    "no plan of %d keeps --max-drop %g %%: the best loses %.2f %%; nothing was written",
                    s->count, q->opts.max_drop.value, least);
  return vlm_fail(err, VLM_QUALITY,
                  "no plan of %d reaches --target-sqnr %g: the best has %.1f dB; nothing was written",
                  s->count, q->opts.target_db, -least);
}

vlm_status vlm_flow_quantize_apply(vlm_quantization *q, vlm_error *err) {
  vlm_status st = VLM_OK;
  VLM_TRY(check_budget(q, err));
  for (int32_t g = 0; g < q->n_graphs; g++)
    VLM_TRY(vlm_quant_apply(&q->graphs[g], q->plan, q->stats, &q->opts.quant, err));
  VLM_TRY(stage(q, 2, err));
  VLM_TRY(vlm_lowered_copy_make(&q->lowered, q->bundle, NULL, err));
  VLM_TRY(compare(q, err));
  VLM_TRY(measure(q, err));
  double percent = vlm_coverage_weights_percent(&q->coverage->total);
  VLM_CHECK(percent >= q->opts.min_int8, err, VLM_QUALITY,
            "%.1f %% of the weights are in 8 bits, --min-int8 wants %g %%; nothing was written", percent,
            q->opts.min_int8);
  VLM_TRY(stage(q, 3, err));
out:
  return st;
}

/* ---- the file ---- */

/* A model that cannot answer yet, for want of a tokenizer say, is packed all the same. */
static vlm_status make_golden(vlm_quantization *q, vlm_golden *golden, vlm_error *err) {
  vlm_prompts prompts = {0};
  vlm_error *why = &q->result.no_golden;
  vlm_status st = vlm_prompts_choose(&prompts, q->bundle, NULL, q->opts.prompts, q->opts.n_prompts, why);
  if (st == VLM_OK) st = vlm_golden_make(golden, q->context, q->lowered.bundle, prompts.items[0], why);
  vlm_free(prompts.own);
  return st == VLM_MEMORY ? vlm_fail(err, st, "%s", why->text) : VLM_OK;
}

vlm_status vlm_quantization_plan_text(const vlm_quantization *q, vlm_json_writer *w, const char **text,
                                      vlm_error *err) {
  vlm_json_open_object(w, NULL);
  vlm_quant_plan_put(w, q->plan);
  vlm_json_close_object(w);
  return vlm_json_writer_text(w, text, NULL, err);
}

vlm_status vlm_flow_quantize_write(vlm_quantization *q, const char *path, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *plan = NULL;
  vlm_pack_content content = {.bundle = q->bundle};
  vlm_golden golden = {0};
  VLM_CHECK(q->result.measured, err, VLM_USAGE, "%s: the plan must be applied before it is written", path);
  VLM_TRY(vlm_json_writer_text(q->provenance, &content.provenance, NULL, err));
  VLM_TRY(vlm_json_writer_create(&plan, 0, err));
  if (q->plan->count) VLM_TRY(vlm_quantization_plan_text(q, plan, &content.quantization, err));
  VLM_TRY(make_golden(q, &golden, err));
  content.golden = &golden.item;
  content.n_golden = golden.item.n_outputs;
  VLM_TRY(stage(q, 4, err));
  VLM_TRY(vlm_pack_write(path, &content, &q->opts.pack, &q->result.bytes, err));
  VLM_TRY(stage(q, VLM_QUANTIZE_STAGES, err));
out:
  vlm_golden_free(&golden);
  vlm_json_writer_free(plan);
  return st;
}

const vlm_flow_quantize_result *vlm_quantization_result(const vlm_quantization *q) { return &q->result; }

void vlm_quantization_free(vlm_quantization *q) {
  if (!q) return;
  vlm_json_writer_free(q->provenance);
  vlm_repair_free(&q->measured);
  if (q->answers.arena) vlm_evaluation_free(&q->answers);
  vlm_differences_free(&q->differences);
  vlm_lowered_copy_free(&q->lowered);
  vlm_coverage_free(q->coverage);
  vlm_text_free(&q->assumed);
  vlm_quant_plan_free(q->plan);
  vlm_covariances_free(q->covariances);
  vlm_dataset_free(q->kept);
  vlm_stats_free(q->stats);
  vlm_free(q);
}
