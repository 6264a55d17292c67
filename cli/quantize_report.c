/* What vlm-quantize says: the plan, what became of it, JSON. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/coverage_text.h"
#include "cli/quantize.h"
#include "quant/report.h"

enum { HALF = 50, LOW_DB = 25 };

void vlm_quantize_print_plan(const vlm_quantize_job *j) {
  int32_t counts[VLM_DECIDE_COUNT];
  vlm_quant_plan_count(j->result->plan, counts);
  for (int32_t i = 0; j->cli->verbose && i < j->result->plan->count; i++) {
    const vlm_node_plan *n = &j->result->plan->nodes[i];
    char db[32] = "";
    if (n->measured) snprintf(db, sizeof db, "%.1f dB", n->output_db);
    vlm_say(j->cli, "  %-14s %-11s %9s  %s (%s): %s", n->graph, vlm_decision_name(n->decision), db, n->node,
            n->op_type, n->reason);
  }
  vlm_say(j->cli, "plan: %d static, %d dynamic, %d weight-only, %d float", counts[VLM_DECIDE_STATIC],
          counts[VLM_DECIDE_DYNAMIC], counts[VLM_DECIDE_WEIGHT_ONLY], counts[VLM_DECIDE_FLOAT]);
}

static void say_line(void *user, const char *line) { vlm_say(user, "%s", line); }

void vlm_quantize_print_coverage(const vlm_quantize_job *j) {
  double percent = vlm_coverage_weights_percent(&j->result->coverage->total);
  vlm_coverage_print(j->result->coverage, j->cli, say_line, (void *)(uintptr_t)j->cli);
  if (*j->result->macs_assumed)
    vlm_say(j->cli, "MACs counted with %s (not stated; --shape DIM=N)", j->result->macs_assumed);
  for (int32_t i = 0; i < j->result->differences->count; i++) {
    const vlm_difference *d = &j->result->differences->items[i];
    vlm_say(j->cli, "warning: %s: node \"%s\" (%s): planned %s, runs as %s: %s", d->graph, d->node,
            d->op_type, vlm_decision_name(d->planned), vlm_decision_name(d->got), d->why);
  }
  if (percent < HALF && !j->weights_float)
    vlm_say(j->cli,
            "warning: only %.1f %% of the weights are in 8 bits; the list above says why (--min-int8 makes "
            "this an error)",
            percent);
}

/* ---- what comes out ---- */

/* The nodes that cost the outputs most, loudest first. */
static void name_loudest(const vlm_quantize_job *j) {
  enum { NAMED = 3 };
  const vlm_quant_plan *plan = j->result->plan;
  double above = -INFINITY;
  for (int k = 0; k < NAMED; k++) {
    const vlm_node_plan *next = NULL;
    for (int32_t i = 0; i < plan->count; i++) {
      const vlm_node_plan *n = &plan->nodes[i];
      bool counts = n->measured && n->decision != VLM_DECIDE_FLOAT && n->output_db > above;
      if (counts && (!next || n->output_db < next->output_db)) next = n;
    }
    if (!next) break;
    vlm_say(j->cli, "  %s (%s, %s) alone gives %.1f dB", next->node, next->op_type,
            vlm_decision_name(next->decision), next->output_db);
    above = next->output_db;
  }
}

/* One line on how weights were rounded where both ways were tried. */
static void print_rounding(const vlm_quantize_job *j) {
  const vlm_quant_plan *plan = j->result->plan;
  int32_t tried = 0, moved = 0;
  double gain = 0;
  for (int32_t i = 0; i < plan->count; i++) {
    const vlm_node_plan *n = &plan->nodes[i];
    if (!n->round_tried || n->decision == VLM_DECIDE_FLOAT) continue;
    tried++;
    moved += n->rounded;
    gain += n->rounded ? n->round_gain_db : 0;
  }
  const double measured = j->result->rounding_gain_db;
  if (!isnan(measured))
    vlm_say(j->cli, "rounding: GPTQ changes the worst output by %+.1f dB on samples it does not know: %s",
            measured, moved ? "taken" : "not taken");
  if (tried)
    vlm_say(j->cli,
            "rounding: GPTQ for %d of %d weights, where it loses less on samples it does not know; %.1f dB "
            "in the mean",
            moved, tried, moved ? gain / moved : 0);
}

void vlm_quantize_print_outputs(const vlm_quantize_job *j) {
  const vlm_flow_quantize_result *r = j->result;
  bool low = false;
  print_rounding(j);
  if (!r->n_outputs) return;
  vlm_say(j->cli, "measured on %d samples%s:", r->n_samples,
          r->held_out ? " that no range knows" : " of those that were calibrated with (none kept apart)");
  for (int32_t i = 0; i < r->n_outputs; i++) {
    const vlm_trial_output *o = &r->outputs[i];
    double db = vlm_trial_db(o);
    if (!(o->signal > 0)) continue;
    if (isnan(o->row_db)) vlm_say(j->cli, "  %-34s %6.2f dB", o->name, db);
    else vlm_say(j->cli, "  %-34s %6.2f dB, 95 %% of its rows above %.1f dB", o->name, db, o->row_db);
    low |= db < LOW_DB;
  }
  if (r->answers) {
    vlm_say(j->cli, "  of answers, greedily and of %d tokens at most:", VLM_MEASURED_TOKENS);
    vlm_say(j->cli, "  %.1f %% of the captions unchanged, KL per token %.6f",
            vlm_agreement_exact_percent(&r->answers->agreement), r->answers->kl_mean);
  }
  if (r->changed)
    vlm_say(j->cli, "%d nodes changed for the outputs' sake; -v says which and why", r->changed);
  if (!low) return;
  vlm_say(j->cli,
          "warning: an output is below %d dB; --target-sqnr %d makes more nodes float. What costs most:",
          LOW_DB, LOW_DB);
  name_loudest(j);
}

/* ---- files ---- */

vlm_status vlm_quantize_save_plans(const vlm_quantize_job *j, vlm_error *err) {
  const char *const files[] = {j->cli->args->save_plan, j->cli->args->report};
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  VLM_TRY(vlm_json_writer_create(&w, 1, err));
  VLM_TRY(vlm_quantization_plan_text(j->work, w, &text, err));
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
    if (files[i]) VLM_TRY(vlm_write_text(files[i], text, err));
out:
  vlm_json_writer_free(w);
  return st;
}

/* ---- JSON ---- */

static void put_sizes(const vlm_quantize_job *j, vlm_json_writer *w) {
  vlm_json_open_object(w, "size_bytes");
  vlm_json_put_int(w, "in", (int64_t)j->result->float_bytes);
  if (j->result->bytes) vlm_json_put_int(w, "out", (int64_t)j->result->bytes);
  vlm_json_close_object(w);
  vlm_json_put_double(w, "seconds", vlm_now() - j->start);
  vlm_json_put_double(w, "peak_rss_mib", vlm_peak_rss_mib());
}

static void put_counts(const vlm_quantize_job *j, vlm_json_writer *w) {
  int32_t counts[VLM_DECIDE_COUNT];
  vlm_quant_plan_count(j->result->plan, counts);
  vlm_json_open_object(w, "nodes");
  vlm_json_put_int(w, "s8", j->result->plan->count - counts[VLM_DECIDE_FLOAT]);
  vlm_json_put_int(w, "f32", counts[VLM_DECIDE_FLOAT]);
  vlm_json_close_object(w);
}

static void put_outputs(const vlm_quantize_job *j, vlm_json_writer *w) {
  const vlm_flow_quantize_result *r = j->result;
  if (!r->n_outputs) return;
  vlm_json_open_object(w, "output_sqnr_db");
  for (int32_t i = 0; i < r->n_outputs; i++)
    if (r->outputs[i].signal > 0) vlm_json_put_double(w, r->outputs[i].name, vlm_trial_db(&r->outputs[i]));
  vlm_json_close_object(w);
  vlm_json_open_object(w, "output_row_sqnr_db");
  for (int32_t i = 0; i < r->n_outputs; i++)
    if (r->outputs[i].signal > 0 && !isnan(r->outputs[i].row_db))
      vlm_json_put_double(w, r->outputs[i].name, r->outputs[i].row_db);
  vlm_json_close_object(w);
  if (r->answers) {
    vlm_json_put_double(w, "captions_unchanged_percent", vlm_agreement_exact_percent(&r->answers->agreement));
    vlm_json_put_double(w, "kl_per_token", r->answers->kl_mean);
  }
  vlm_json_open_object(w, "measured_on");
  vlm_json_put_int(w, "samples", r->n_samples);
  vlm_json_put_bool(w, "held_out", r->held_out);
  vlm_json_close_object(w);
}

static void put_differences(const vlm_quantize_job *j, vlm_json_writer *w) {
  vlm_json_open_array(w, "not_as_planned");
  for (int32_t i = 0; i < j->result->differences->count; i++) {
    const vlm_difference *d = &j->result->differences->items[i];
    vlm_json_open_object(w, NULL);
    vlm_json_put_text(w, "graph", d->graph);
    vlm_json_put_text(w, "node", d->node);
    vlm_json_put_text(w, "planned", vlm_decision_name(d->planned));
    vlm_json_put_text(w, "got", vlm_decision_name(d->got));
    vlm_json_put_text(w, "why", d->why);
    vlm_json_close_object(w);
  }
  vlm_json_close_array(w);
}

vlm_status vlm_quantize_print_json(const vlm_quantize_job *j, vlm_error *err) {
  vlm_status st = VLM_OK;
  vlm_json_writer *w = NULL;
  const char *text;
  VLM_TRY(vlm_json_writer_create(&w, 0, err));
  vlm_json_open_object(w, NULL);
  put_sizes(j, w);
  put_counts(j, w);
  vlm_quant_plan_put(w, j->result->plan);
  vlm_coverage_put(w, j->result->coverage);
  if (*j->result->macs_assumed) vlm_json_put_text(w, "macs_assumed", j->result->macs_assumed);
  put_outputs(j, w);
  vlm_quantize_put_search(j, w);
  put_differences(j, w);
  vlm_quantize_put_onnx(j, w);
  vlm_json_close_object(w);
  VLM_TRY(vlm_json_writer_text(w, &text, NULL, err));
  VLM_TRY(vlm_write_json(j->cli, text, err));
out:
  vlm_json_writer_free(w);
  return st;
}
